/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/break-rules.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "kernel/expr.h"
#include "kernel/format.h"
#include "kernel/task.h"

#define LOG_MAX 10000
#define LOG_TEXT_MAX 16384

struct KdBreakRule {
	char *condition, *task, *command, *log;
	gboolean has_el, has_cpu, has_vmid;
	uint64_t el, cpu, vmid, count;
	uint64_t passed, errors; /* since it was made */
	char *last_error;
};

typedef struct {
	int number, cpu;
	char *text;
} Entry;

struct KdBreakRules {
	GHashTable *by_number; /* int → KdBreakRule */
	GQueue log;            /* of Entry */
	uint64_t dropped;
};

void
kd_break_rule_free (KdBreakRule *rule)
{
	if (!rule)
		return;
	g_free (rule->condition);
	g_free (rule->task);
	g_free (rule->command);
	g_free (rule->log);
	g_free (rule->last_error);
	g_free (rule);
}

static void
entry_free (void *data)
{
	Entry *entry = data;

	g_free (entry->text);
	g_free (entry);
}

void
kd_break_rules_free (KdBreakRules *rules)
{
	if (!rules)
		return;
	g_hash_table_unref (rules->by_number);
	g_queue_clear_full (&rules->log, entry_free);
	g_free (rules);
}

static KdBreakRules *
rules_of (KdSession *session)
{
	if (!session->break_rules) {
		session->break_rules = g_new0 (KdBreakRules, 1);
		session->break_rules->by_number = g_hash_table_new_full (
			NULL, NULL, NULL, (GDestroyNotify)kd_break_rule_free);
		g_queue_init (&session->break_rules->log);
	}
	return session->break_rules;
}

static KdBreakRule *
rule_of (KdSession *session, int number)
{
	return session->break_rules ? g_hash_table_lookup (session->break_rules->by_number,
					      GINT_TO_POINTER (number))
				    : NULL;
}

/* --- making --- */

/* A mistake is told now; what memory and registers say is another matter at another stop. */
static gboolean
check_expr (KdSession *session, const char *expr, GError **error)
{
	g_autoptr (GError) why = NULL;
	KdObject object;

	if (kd_expr_eval_on (session->target, session->kernel, 0, expr, &object, &why) ||
		!(g_error_matches (why, KD_KERNEL_ERROR, KD_KERNEL_ERROR_SYNTAX) ||
			g_error_matches (why, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND) ||
			g_error_matches (why, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE)))
		return TRUE;
	g_propagate_error (error, g_steal_pointer (&why));
	return FALSE;
}

static KdArgs *
parse_command (const char *line, const KdCommand **ret_command, GError **error)
{
	g_auto (GStrv) argv = NULL;

	if (!g_shell_parse_argv (line, NULL, &argv, error))
		return NULL;
	*ret_command = kd_command_find (argv[0], error);
	if (!*ret_command)
		return NULL;
	if (!(*ret_command)->run ||
		(*ret_command)->flags &
			(KD_COMMAND_NO_SESSION | KD_COMMAND_WAITS | KD_COMMAND_INTERRUPTS)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"\"%s\" cannot be done at a breakpoint that goes on", argv[0]);
		return NULL;
	}
	return kd_args_from_argv (*ret_command, (const char *const *)argv + 1, error);
}

/* FALSE: this machine's registers do not tell. */
static gboolean
loaded_vmid (KdTarget *target, unsigned cpu, unsigned *ret_vmid)
{
	const KdArch *arch = kd_target_arch (target);
	KdTargetCpu regs = {target, cpu};

	return arch->vmid && arch->vmid (kd_target_cpu_reg, &regs, ret_vmid);
}

static gboolean
check_rule (KdSession *session, const KdBreakRule *rule, GError **error)
{
	unsigned vmid;

	if (rule->condition && !check_expr (session, rule->condition, error))
		return FALSE;
	if (rule->command) {
		const KdCommand *command;
		g_autoptr (KdArgs) args = parse_command (rule->command, &command, error);

		if (!args) {
			g_prefix_error (error, "--do: ");
			return FALSE;
		}
	}
	if (rule->has_vmid && !loaded_vmid (session->target, 0, &vmid))
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"--vmid: no register of this machine has a VMID");
	else if (rule->has_cpu && rule->cpu >= kd_target_nr_cpus (session->target))
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"--cpu: there are %u CPUs", kd_target_nr_cpus (session->target));
	else if (rule->task && !session->kernel)
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NEEDS_KERNEL,
			"--task: no kernel is known");
	else
		return TRUE;
	return FALSE;
}

gboolean
kd_break_rule_new (KdSession *session, const KdArgs *args, KdBreakRule **ret_rule, GError **error)
{
	g_autoptr (KdBreakRule) rule = g_new0 (KdBreakRule, 1);

	rule->condition = g_strdup (kd_args_string (args, "if"));
	rule->task = g_strdup (kd_args_string (args, "task"));
	rule->command = g_strdup (kd_args_string (args, "do"));
	rule->log = g_strdup (kd_args_string (args, "log"));
	rule->has_el = kd_args_uint (args, "el", &rule->el);
	rule->has_cpu = kd_args_uint (args, "cpu", &rule->cpu);
	rule->has_vmid = kd_args_uint (args, "vmid", &rule->vmid);
	if (!kd_args_uint (args, "count", &rule->count) && !rule->condition && !rule->task &&
		!rule->command && !rule->log && !rule->has_el && !rule->has_cpu && !rule->has_vmid)
		return TRUE;
	if (!check_rule (session, rule, error))
		return FALSE;
	*ret_rule = g_steal_pointer (&rule);
	return TRUE;
}

void
kd_break_rules_set (KdSession *session, int number, KdBreakRule *rule)
{
	if (rule)
		g_hash_table_insert (rules_of (session)->by_number, GINT_TO_POINTER (number), rule);
	else if (session->break_rules)
		g_hash_table_remove (session->break_rules->by_number, GINT_TO_POINTER (number));
}

/* --- judging --- */

static void
add_entry (KdSession *session, int number, unsigned cpu, const char *text)
{
	KdBreakRules *rules = rules_of (session);
	Entry *entry = g_new0 (Entry, 1);

	entry->number = number;
	entry->cpu = (int)cpu;
	entry->text = g_strndup (text, LOG_TEXT_MAX);
	g_queue_push_tail (&rules->log, entry);
	if (g_queue_get_length (&rules->log) > LOG_MAX) {
		entry_free (g_queue_pop_head (&rules->log));
		rules->dropped++;
	}
}

static gboolean
is_task (KdSession *session, const char *wanted, unsigned cpu, GError **error)
{
	g_autofree char *pid = NULL;
	KdTask task;

	if (!kd_task_current (session->kernel, cpu, &task, error))
		return FALSE;
	pid = g_strdup_printf ("%d", task.pid);
	return strcmp (pid, wanted) == 0 || strcmp (task.comm, wanted) == 0;
}

/* All that is asked is so; FALSE with or without an error. */
static gboolean
passes (KdSession *session, const KdBreakRule *rule, unsigned cpu, GError **error)
{
	uint64_t value;
	unsigned vmid;
	KdObject object;

	if (rule->has_cpu && rule->cpu != cpu)
		return FALSE;
	if (rule->has_el && kd_target_cpu_state (session->target, cpu).el != (int)rule->el)
		return FALSE;
	if (rule->has_vmid) {
		if (!loaded_vmid (session->target, cpu, &vmid)) {
			g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND,
				"CPU %u: its VMID cannot be read", cpu);
			return FALSE;
		}
		if (vmid != rule->vmid)
			return FALSE;
	}
	if (rule->task && !is_task (session, rule->task, cpu, error))
		return FALSE;
	if (!rule->condition)
		return TRUE;
	return kd_expr_eval_on (
		       session->target, session->kernel, cpu, rule->condition, &object, error) &&
	       kd_object_u64 (&object, &value, error) && value != 0;
}

/* "{$x0}" and its like replaced. */
static char *
expand (KdSession *session, const char *text, unsigned cpu)
{
	GString *out = g_string_new (NULL);

	while (*text) {
		const char *end = *text == '{' ? strchr (text, '}') : NULL;
		g_autofree char *expr = end ? g_strndup (text + 1, (gsize)(end - text - 1)) : NULL;
		g_autoptr (GError) why = NULL;
		uint64_t value;
		KdObject object;

		if (!end) {
			g_string_append_c (out, *text++);
			continue;
		}
		if (kd_expr_eval_on (session->target, session->kernel, cpu, expr, &object, &why) &&
			kd_object_u64 (&object, &value, &why))
			g_string_append_printf (out, "0x%" PRIx64, value);
		else
			g_string_append_printf (out, "{%s}", why->message);
		text = end + 1;
	}
	return g_string_free (out, FALSE);
}

static void
act (KdSession *session, const KdBreakRule *rule, int number, unsigned cpu)
{
	if (rule->log) {
		g_autofree char *text = expand (session, rule->log, cpu);

		add_entry (session, number, cpu, text);
	}
	if (rule->command) {
		const KdCommand *command;
		g_autoptr (GError) why = NULL;
		g_autoptr (KdArgs) args = parse_command (rule->command, &command, &why);
		g_autoptr (JsonNode) result =
			args ? kd_command_execute (command, session, args, &why) : NULL;
		g_autofree char *text =
			result ? kd_command_render (command, result, FALSE, 0) : NULL;

		add_entry (session, number, cpu, text ? text : why->message);
	}
}

/* TRUE: this breakpoint stops the machine. */
static gboolean
stops (KdSession *session, int number, unsigned cpu)
{
	KdBreakRule *rule = rule_of (session, number);
	GError *why = NULL;

	if (!rule)
		return TRUE;
	if (!passes (session, rule, cpu, &why)) {
		if (why) {
			rule->errors++;
			g_free (rule->last_error);
			rule->last_error = g_strdup (why->message);
			g_error_free (why);
		}
		return FALSE;
	}
	if (++rule->passed < rule->count)
		return FALSE;
	if (!rule->log && !rule->command)
		return TRUE;
	act (session, rule, number, cpu);
	return FALSE;
}

static gboolean
is_watch (const KdBreak *brk)
{
	return brk->kind != KD_BREAK_SOFTWARE && brk->kind != KD_BREAK_HARDWARE;
}

/*
 * A guest may run at the same address as its host: the stub's breakpoints know no difference. A
 * guest that is meant has an address no kernel has.
 */
static gboolean
is_guests (KdSession *session, const KdBreak *brk, unsigned cpu)
{
	return session->kernel && !is_watch (brk) && brk->va >> 63 &&
	       kd_kernel_cpu_state (session->kernel, cpu).mode == KD_CPU_MODE_GUEST;
}

static gboolean
goes_on (KdTarget *target, void *data)
{
	KdSession *session = data;
	const KdStop *stop = kd_target_last_stop (target);
	const KdBreak *breaks;
	unsigned nr, cpu = stop->cpu < 0 ? 0 : (unsigned)stop->cpu;
	const KdBreak *hit = NULL;
	gboolean stay = FALSE;

	breaks = kd_target_breaks (target, &nr);
	for (unsigned i = 0; i < nr; i++)
		if (breaks[i].number == stop->breakpoint)
			hit = &breaks[i];
	if (!hit || hit->number < 0)
		return FALSE;
	if (is_guests (session, hit, cpu))
		return TRUE;
	/* Others may be at the same place, with rules of their own. */
	for (unsigned i = 0; i < nr; i++)
		if (breaks[i].inserted && is_watch (&breaks[i]) == is_watch (hit) &&
			breaks[i].va == hit->va)
			stay = breaks[i].number < 0 || stops (session, breaks[i].number, cpu) ||
			       stay;
	return !stay;
}

void
kd_break_rules_install (KdSession *session)
{
	kd_target_set_stop_filter (session->target, goes_on, session);
}

/* --- telling --- */

void
kd_break_rules_add_json (KdSession *session, int number, JsonObject *row)
{
	const KdBreakRule *rule = rule_of (session, number);

	if (!rule)
		return;
	if (rule->condition)
		kd_json_set_string (row, "condition", rule->condition);
	if (rule->has_el)
		kd_json_set_uint (row, "el", rule->el);
	if (rule->has_cpu)
		kd_json_set_uint (row, "cpu", rule->cpu);
	if (rule->has_vmid)
		kd_json_set_uint (row, "vmid", rule->vmid);
	if (rule->task)
		kd_json_set_string (row, "task", rule->task);
	if (rule->count)
		kd_json_set_uint (row, "count", rule->count);
	if (rule->command)
		kd_json_set_string (row, "do", rule->command);
	if (rule->log)
		kd_json_set_string (row, "log", rule->log);
	kd_json_set_uint (row, "passed", rule->passed);
	kd_json_set_uint (row, "errors", rule->errors);
	kd_json_set_string (row, "last_error", rule->last_error);
}

JsonArray *
kd_break_rules_take_log (KdSession *session)
{
	JsonArray *array = json_array_new();
	Entry *entry;

	while (session->break_rules && (entry = g_queue_pop_head (&session->break_rules->log))) {
		JsonObject *obj = kd_json_array_add_object (array);

		kd_json_set_int (obj, "number", entry->number);
		kd_json_set_int (obj, "cpu", entry->cpu);
		kd_json_set_string (obj, "text", entry->text);
		entry_free (entry);
	}
	return array;
}
