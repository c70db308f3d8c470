/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/breaks.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "command/address.h"
#include "command/break-rules.h"
#include "kernel/patch-sites.h"

static const char *
kind_name (KdBreakKind kind)
{
	switch (kind) {
	case KD_BREAK_SOFTWARE:
		return "breakpoint";
	case KD_BREAK_HARDWARE:
		return "hardware breakpoint";
	case KD_WATCH_WRITE:
		return "write watchpoint";
	case KD_WATCH_READ:
		return "read watchpoint";
	case KD_WATCH_ACCESS:
		return "access watchpoint";
	}
	return "breakpoint";
}

/* Why it is of this kind, where nobody asked for that. */
static const char *
why_kind (KdSession *session, const KdBreak *brk)
{
	if (brk->chosen)
		return "KVM: another would be an instruction in the kernel's text, which the "
		       "kernel patches";
	if (brk->hot)
		return "a watched load while the machine runs: QEMU keeps its translated code";
	if (brk->kind == KD_BREAK_SOFTWARE &&
		g_strcmp0 (kd_target_qemu_info (session->target).accel, "kvm") == 0)
		return "KVM, no breakpoint register is left: an instruction in memory, lost when "
		       "the kernel "
		       "patches its text there";
	return NULL;
}

JsonObject *
kd_breaks_json (KdSession *session, const KdBreak *brk)
{
	JsonObject *obj = json_object_new();
	g_autofree char *symbol =
		session->kernel ? kd_kernel_symbolize (session->kernel, brk->va) : NULL;

	kd_json_set_int (obj, "number", brk->number);
	kd_json_set_string (obj, "kind", kind_name (brk->kind));
	kd_json_set_hex (obj, "addr", brk->va);
	kd_json_set_string (obj, "symbol", symbol);
	if (brk->kind != KD_BREAK_SOFTWARE && brk->kind != KD_BREAK_HARDWARE)
		kd_json_set_uint (obj, "len", brk->len);
	kd_json_set_uint (obj, "hits", brk->hits);
	kd_json_set_string (obj, "why", why_kind (session, brk));
	kd_json_set_string (obj, "text", brk->text);
	kd_break_rules_add_json (session, brk->number, obj);
	return obj;
}

/* The kernel's own code, where nobody writes who has not read what is there. */
static gboolean
is_lasting_code (KdSession *session, uint64_t va, uint64_t *ret_pa)
{
	const KdPatchSites *sites;
	uint64_t start, end;
	KdRegime regime;
	KdWalk walk;

	if (!session->kernel || !kd_kernel_symbol_addr (session->kernel, "_stext", &start, NULL) ||
		!kd_kernel_symbol_addr (session->kernel, "_etext", &end, NULL) || va < start ||
		va >= end)
		return FALSE;
	sites = kd_kernel_patch_sites (session->kernel);
	for (int at = kd_patch_sites_next (sites, va, 0); at >= 0;
		at = kd_patch_sites_next (sites, va, (unsigned)at + 1))
		if (kd_patch_site (sites, (unsigned)at)->kind != KD_PATCH_FTRACE)
			return FALSE;
	if (kd_patch_sites_missing (sites)->len ||
		!kd_kernel_walk (session->kernel, kd_addr_kernel (va), &walk, &regime, NULL) ||
		walk.status != KD_WALK_MAPPED)
		return FALSE;
	*ret_pa = walk.pa;
	return TRUE;
}

JsonNode *
kd_breaks_insert (
	KdSession *session, KdBreakKind kind, const KdArgs *args, uint64_t len, GError **error)
{
	const char *text = kd_args_string (args, "address");
	g_autoptr (KdBreakRule) rule = NULL;
	const KdBreak *breaks;
	uint64_t pa;
	unsigned nr;
	KdAddr addr;
	int number;

	if (!kd_command_address (session, text, &addr, error) ||
		!kd_break_rule_new (session, args, &rule, error))
		return NULL;
	if (addr.space.kind != KD_SPACE_KERNEL) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"%s: only kernel addresses can have breakpoints", text);
		return NULL;
	}
	number = kd_target_break_insert (session->target, kind, addr.value, len, text, error);
	if (number <= 0) {
		g_prefix_error (error, "%s: ", text);
		return NULL;
	}
	if (rule && kind == KD_BREAK_SOFTWARE && kd_target_has_hot_breaks (session->target) &&
		is_lasting_code (session, addr.value, &pa))
		kd_target_break_set_hot (session->target, number, pa);
	kd_break_rules_set (session, number, g_steal_pointer (&rule));
	breaks = kd_target_breaks (session->target, &nr);
	for (unsigned i = 0; i < nr; i++)
		if (breaks[i].number == number)
			return kd_json_object_node (kd_breaks_json (session, &breaks[i]));
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
		"%s: breakpoint %d vanished at once", text, number);
	return NULL;
}

static const KdArg args_of_breaks[] = {
	{"log", 'l', KD_ARG_FLAG, 0, FALSE, NULL,
		"what --log and --do have kept since the last time, instead"},
	{NULL},
};

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	JsonArray *array;
	const KdBreak *breaks;
	unsigned nr;

	if (kd_args_flag (args, "log"))
		return kd_json_array_node (kd_break_rules_take_log (session));
	array = json_array_new();
	breaks = kd_target_breaks (session->target, &nr);
	for (unsigned i = 0; i < nr; i++)
		if (breaks[i].number > 0)
			json_array_add_object_element (array, kd_breaks_json (session, &breaks[i]));
	return kd_json_array_node (array);
}

/* "if $x0 == 1, on CPU 1, passed 3 times; 2 errors: …" */
static char *
describe_rule (JsonObject *row)
{
	static const struct {
		const char *name, *format;
	} words[] = {{"el", "at EL %"}, {"cpu", "on CPU %"}, {"vmid", "with VMID %"},
		{"count", "from time % on"}};
	const char *condition = NULL, *task = NULL, *command = NULL, *log = NULL, *last = NULL;
	GString *out = g_string_new (NULL);
	gint64 passed = 0, errors = 0, value;

	if (!json_object_has_member (row, "passed"))
		return g_string_free (out, FALSE);
	kd_json_get_string (row, "condition", FALSE, &condition, NULL);
	kd_json_get_string (row, "task", FALSE, &task, NULL);
	kd_json_get_string (row, "do", FALSE, &command, NULL);
	kd_json_get_string (row, "log", FALSE, &log, NULL);
	kd_json_get_string (row, "last_error", FALSE, &last, NULL);
	kd_json_get_int (row, "passed", FALSE, &passed, NULL);
	kd_json_get_int (row, "errors", FALSE, &errors, NULL);
	if (condition)
		g_string_append_printf (out, "if %s, ", condition);
	for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
		if (json_object_has_member (row, words[i].name) &&
			kd_json_get_int (row, words[i].name, FALSE, &value, NULL)) {
			const char *at = strchr (words[i].format, '%');

			g_string_append_printf (out, "%.*s%" PRId64 "%s, ",
				(int)(at - words[i].format), words[i].format, value, at + 1);
		}
	if (task)
		g_string_append_printf (out, "in task %s, ", task);
	if (command)
		g_string_append_printf (out, "do “%s” and go on, ", command);
	if (log)
		g_string_append_printf (out, "log “%s” and go on, ", log);
	g_string_append_printf (out, "passed %" PRId64, passed);
	if (errors)
		g_string_append_printf (
			out, "; %" PRId64 " errors, the last: %s", errors, last ? last : "?");
	return g_string_free (out, FALSE);
}

static void
render_log (JsonArray *array, KdText *text)
{
	for (guint i = 0; i < json_array_get_length (array); i++) {
		JsonObject *obj = NULL;
		const char *line = "";
		gint64 number = 0, cpu = 0;

		if (!kd_json_array_object (array, i, &obj, NULL))
			continue;
		kd_json_get_int (obj, "number", FALSE, &number, NULL);
		kd_json_get_int (obj, "cpu", FALSE, &cpu, NULL);
		kd_json_get_string (obj, "text", FALSE, &line, NULL);
		kd_text_printf (
			text, KD_STYLE_DIM, "%" PRId64 " on CPU %" PRId64 ": ", number, cpu);
		kd_text_printf (text, KD_STYLE_PLAIN, "%s%s", line,
			g_str_has_suffix (line, "\n") ? "" : "\n");
	}
}

static gboolean
is_log (JsonArray *array)
{
	JsonObject *first = NULL;

	return array && json_array_get_length (array) > 0 &&
	       kd_json_array_object (array, 0, &first, NULL) &&
	       !json_object_has_member (first, "kind");
}

static void
render (JsonNode *result, KdText *text)
{
	static const char *const headings[] = {
		"NUMBER", "KIND", "ADDRESS", "SYMBOL", "HITS", "AS GIVEN", "RULE", NULL};
	JsonArray *array = kd_json_node_array (result, NULL);
	guint nr = array ? json_array_get_length (array) : 0;

	if (nr == 0) {
		kd_text_add (text, KD_STYLE_DIM, "none\n");
		return;
	}
	if (is_log (array)) {
		render_log (array, text);
		return;
	}
	kd_text_table_begin (text, headings);
	for (guint i = 0; i < nr; i++) {
		const char *kind = NULL, *addr = NULL, *symbol = NULL, *given = NULL, *why = NULL;
		g_autofree char *rule = NULL;
		gint64 number = 0, hits = 0;
		JsonObject *obj = NULL;

		if (!kd_json_array_object (array, i, &obj, NULL))
			continue;
		kd_json_get_int (obj, "number", FALSE, &number, NULL);
		kd_json_get_int (obj, "hits", FALSE, &hits, NULL);
		kd_json_get_string (obj, "kind", FALSE, &kind, NULL);
		kd_json_get_string (obj, "addr", FALSE, &addr, NULL);
		kd_json_get_string (obj, "symbol", FALSE, &symbol, NULL);
		kd_json_get_string (obj, "text", FALSE, &given, NULL);
		kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" PRId64, number);
		kd_text_table_cell (text, KD_STYLE_PLAIN, kind);
		kd_text_table_cell (text, KD_STYLE_ADDRESS, addr);
		kd_text_table_cell (text, KD_STYLE_SYMBOL, symbol);
		kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" PRId64, hits);
		kd_text_table_cell (text, KD_STYLE_PLAIN, given);
		rule = describe_rule (obj);
		kd_json_get_string (obj, "why", FALSE, &why, NULL);
		if (why) {
			g_autofree char *both = g_strconcat (rule, *rule ? "; " : "", why, NULL);

			kd_text_table_cell (text, KD_STYLE_DIM, both);
		} else
			kd_text_table_cell (text, KD_STYLE_DIM, rule);
		kd_text_table_end_row (text);
	}
	kd_text_table_end (text);
}

void
kd_breaks_render_one (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *kind = "", *addr = "", *symbol = NULL;
	gint64 number = 0;

	kd_json_get_int (obj, "number", FALSE, &number, NULL);
	kd_json_get_string (obj, "kind", FALSE, &kind, NULL);
	kd_json_get_string (obj, "addr", FALSE, &addr, NULL);
	kd_json_get_string (obj, "symbol", FALSE, &symbol, NULL);
	kd_text_printf (text, KD_STYLE_PLAIN, "%s %" PRId64 " at ", kind, number);
	kd_text_add (text, KD_STYLE_ADDRESS, addr);
	if (symbol && g_strcmp0 (symbol, addr) != 0)
		kd_text_printf (text, KD_STYLE_SYMBOL, " %s", symbol);
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
}

const KdCommand kd_command_breaks = {
	.name = "breaks",
	.group = "run",
	.summary = "list breakpoints and watchpoints, or what they logged",
	.args = args_of_breaks,
	.flags = KD_COMMAND_NO_IMAGE,
	.run = run,
	.render = render,
};
