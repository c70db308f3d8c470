/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "base/json.h"
#include "command/command.h"

#define COUNT_MAX 1000000

static const KdArg args[] = {
	{"cpu", 'c', KD_ARG_UINT, 0, FALSE, "N", "this CPU (default: the one that stopped)"},
	{"count", 0, KD_ARG_UINT, 0, TRUE, NULL, "instructions (default: 1)"},
	{NULL},
};

static gboolean
check_args (KdSession *session, const KdArgs *given, uint64_t *ret_cpu, uint64_t *ret_count,
	GError **error)
{
	const KdStop *stop = kd_target_last_stop (session->target);

	*ret_cpu = stop && stop->cpu >= 0 ? (uint64_t)stop->cpu : 0;
	*ret_count = 1;
	kd_args_uint (given, "cpu", ret_cpu);
	kd_args_uint (given, "count", ret_count);
	if (*ret_cpu >= kd_target_nr_cpus (session->target)) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND,
			"step: no CPU %" PRIu64 " (there are %u)", *ret_cpu,
			kd_target_nr_cpus (session->target));
		return FALSE;
	}
	if (*ret_count == 0 || *ret_count > COUNT_MAX) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"step: 1 to %d instructions at once", COUNT_MAX);
		return FALSE;
	}
	return TRUE;
}

static JsonArray *
steps_json (KdSession *session, const GArray *pcs)
{
	JsonArray *steps = json_array_new();

	for (guint i = 0; i < pcs->len; i++) {
		uint64_t pc = g_array_index (pcs, uint64_t, i);
		JsonObject *obj = kd_json_array_add_object (steps);
		g_autofree char *symbol = NULL;

		kd_json_set_hex (obj, "pc", pc);
		if (session->kernel)
			symbol = kd_kernel_symbolize (session->kernel, pc);
		kd_json_set_string (obj, "symbol", symbol);
	}
	return steps;
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	g_autoptr (GArray) pcs = g_array_new (FALSE, FALSE, sizeof (uint64_t));
	g_autoptr (GError) why = NULL;
	JsonObject *result;
	uint64_t cpu, count;

	if (!check_args (session, given, &cpu, &count, error))
		return NULL;
	if (!kd_target_steps (session->target, (unsigned)cpu, count, pcs, &why) &&
		(pcs->len == 0 ||
			!g_error_matches (why, KD_TARGET_ERROR, KD_TARGET_ERROR_HALTED))) {
		g_propagate_prefixed_error (
			error, g_steal_pointer (&why), "step: after %u instructions: ", pcs->len);
		return NULL;
	}
	result = json_object_new();
	kd_json_set_int (result, "cpu", (gint64)cpu);
	json_object_set_array_member (result, "steps", steps_json (session, pcs));
	kd_json_set_string (result, "ended", why ? why->message : NULL);
	return kd_json_object_node (result);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *ended = NULL;
	JsonArray *steps = NULL;
	gint64 cpu = 0;

	kd_json_get_int (obj, "cpu", FALSE, &cpu, NULL);
	if (!kd_json_get_array (obj, "steps", TRUE, &steps, NULL))
		return;
	for (guint i = 0; i < json_array_get_length (steps); i++) {
		const char *pc = "", *symbol = NULL;
		JsonObject *step = NULL;

		if (!kd_json_array_object (steps, i, &step, NULL))
			continue;
		kd_json_get_string (step, "pc", FALSE, &pc, NULL);
		kd_json_get_string (step, "symbol", FALSE, &symbol, NULL);
		kd_text_printf (text, KD_STYLE_DIM, "CPU %" PRId64 "  ", cpu);
		kd_text_add (text, KD_STYLE_ADDRESS, pc);
		if (symbol && g_strcmp0 (symbol, pc) != 0)
			kd_text_printf (text, KD_STYLE_SYMBOL, "  %s", symbol);
		kd_text_add (text, KD_STYLE_PLAIN, "\n");
	}
	kd_json_get_string (obj, "ended", FALSE, &ended, NULL);
	if (ended)
		kd_text_printf (text, KD_STYLE_WARN, "%s\n", ended);
}

const KdCommand kd_command_step = {
	.name = "step",
	.group = "run",
	.summary = "single instructions on one CPU, the others held",
	.help = "Interrupts and timers stand still meanwhile (QEMU's default for stepping).",
	.example = "kvmdbg step\nkvmdbg step 1000 --cpu 1",
	.args = args,
	.flags = KD_COMMAND_NEEDS_STOP | KD_COMMAND_REPEATS | KD_COMMAND_WAITS,
	.run = run,
	.render = render,
};
