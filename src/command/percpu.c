/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/json.h"
#include "command/address.h"
#include "kernel/format.h"

/* Without it every symbol would have a copy at a place nobody meant. */
static gboolean
check_is_percpu (KdKernel *kernel, const char *symbol, GError **error)
{
	KdKernelSymbol found, start;
	uint64_t addr;

	if (!kd_kernel_symbol_addr (kernel, symbol, &addr, error) ||
		!kd_kernel_symbol (kernel, symbol, &found))
		return FALSE;
	/* A kernel for one CPU has none. */
	if (!kd_kernel_symbol (kernel, "__per_cpu_start", &start) ||
		kd_kernel_is_percpu (kernel, &found))
		return TRUE;
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
		"“%s” is no per-CPU variable (“print %s” shows it)", symbol, symbol);
	return FALSE;
}

/* The variable on one CPU, or what `path` leads to in it. */
static gboolean
find_object (KdKernel *kernel, const char *symbol, const char *path, unsigned cpu,
	KdObject *ret_object, GError **error)
{
	if (!kd_object_percpu (kernel, symbol, NULL, cpu, ret_object, error))
		return FALSE;
	return !*path || kd_object_member (ret_object, path, ret_object, error);
}

static void
add_cpu (KdKernel *kernel, JsonArray *array, const char *symbol, const char *path, unsigned cpu)
{
	JsonObject *obj = kd_json_array_add_object (array);
	g_auto (KdFormatted) formatted = {0};
	g_autoptr (GError) local = NULL;
	KdFormatOptions options = {0};
	KdObject object;

	kd_json_set_int (obj, "cpu", cpu);
	if (!find_object (kernel, symbol, path, cpu, &object, &local) ||
		(kd_json_set_hex (obj, "addr", object.addr.value),
			!kd_format_object (&object, &options, &formatted, &local))) {
		kd_json_set_string (obj, "error", local->message);
		return;
	}
	json_object_set_member (obj, "value", g_steal_pointer (&formatted.json));
	kd_json_set_string (obj, "text", formatted.text);
	if (formatted.partial)
		kd_json_set_bool (obj, "partial", TRUE);
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	const char *word = kd_args_string (args, "symbol");
	size_t name_len = strcspn (word, ".[-");
	g_autofree char *symbol = g_strndup (word, name_len);
	const char *path = word + name_len + (word[name_len] == '.');
	JsonArray *array = json_array_new();
	g_autoptr (JsonNode) node = kd_json_array_node (array);
	KdKernel *kernel = session->kernel;
	uint64_t only, offset;
	KdObject object;

	if (!check_is_percpu (kernel, symbol, error) ||
		!find_object (kernel, symbol, path, 0, &object, error)) {
		g_prefix_error (error, "percpu: ");
		return NULL;
	}
	if (kd_args_uint (args, "cpu", &only)) {
		unsigned cpu = (unsigned)MIN (only, G_MAXUINT);

		if (!kd_kernel_percpu_offset (kernel, cpu, &offset, error)) {
			g_prefix_error (error, "percpu: ");
			return NULL;
		}
		add_cpu (kernel, array, symbol, path, cpu);
		return g_steal_pointer (&node);
	}
	for (unsigned cpu = 0; cpu < kd_kernel_nr_cpus (kernel); cpu++)
		add_cpu (kernel, array, symbol, path, cpu);
	return g_steal_pointer (&node);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonArray *cpus = kd_json_node_array (result, NULL);

	for (guint i = 0; cpus && i < json_array_get_length (cpus); i++) {
		const char *value = NULL, *failed = NULL, *addr = NULL;
		JsonObject *obj;
		gint64 cpu = -1;

		if (!kd_json_array_object (cpus, i, &obj, NULL))
			continue;
		kd_json_get_int (obj, "cpu", FALSE, &cpu, NULL);
		kd_json_get_string (obj, "addr", FALSE, &addr, NULL);
		kd_json_get_string (obj, "text", FALSE, &value, NULL);
		kd_json_get_string (obj, "error", FALSE, &failed, NULL);
		kd_text_printf (text, KD_STYLE_HEADING, "CPU %" G_GINT64_FORMAT, cpu);
		if (addr)
			kd_text_printf (text, KD_STYLE_ADDRESS, " %s", addr);
		kd_text_add (text, KD_STYLE_PLAIN, ": ");
		kd_text_printf (text, failed ? KD_STYLE_WARN : KD_STYLE_PLAIN, "%s\n",
			failed  ? failed
			: value ? value
				: "");
	}
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	if (strcmp (arg_name, "symbol") == 0)
		kd_command_complete_symbol (session, word, ret_candidates);
}

static const KdArg args[] = {
	{"symbol", 0, KD_ARG_EXPR, KD_ARG_REQUIRED, TRUE, "SYMBOL[.MEMBER]",
		"per-CPU variable, or a member of it"},
	{"cpu", 'c', KD_ARG_UINT, 0, FALSE, "N", "this CPU only"},
	{NULL},
};

const KdCommand kd_command_percpu = {
	.name = "percpu",
	.group = "kernel",
	.summary = "a per-CPU variable on each CPU",
	.example = "percpu kvm_running_vcpu\npercpu runqueues.nr_running\npercpu irq_stack_ptr "
		   "--cpu 1",
	.args = args,
	.flags = KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
	.complete = complete,
};
