/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "command/command.h"
#include "debug/backtrace.h"

/* --- the tree --- */

static void
add_frame (JsonArray *array, const KdFrame *frame)
{
	JsonObject *obj = kd_json_array_add_object (array);
	g_autofree char *space = kd_space_to_string (frame->space);

	kd_json_set_int (obj, "n", frame->n);
	kd_json_set_string (obj, "space", space);
	kd_json_set_hex (obj, "pc", frame->pc);
	if (frame->has_sp)
		kd_json_set_hex (obj, "sp", frame->sp);
	else
		json_object_set_null_member (obj, "sp");
	if (frame->has_fp)
		kd_json_set_hex (obj, "fp", frame->fp);
	else
		json_object_set_null_member (obj, "fp");
	kd_json_set_string (obj, "symbol", frame->symbol);
	kd_json_set_uint (obj, "offset", frame->offset);
	kd_json_set_string (obj, "module", frame->module);
	kd_json_set_string (obj, "file", frame->file);
	kd_json_set_int (obj, "line", frame->line);
	kd_json_set_bool (obj, "inlined", frame->inlined);
	kd_json_set_string (obj, "how", kd_how_name (frame->how));
	kd_json_set_string (obj, "proof", kd_proof_name (frame->proof));
	kd_json_set_string (obj, "note", frame->note);
}

static void
add_backtrace (JsonArray *array, const KdBacktrace *backtrace)
{
	JsonObject *obj = kd_json_array_add_object (array);
	JsonArray *frames;

	kd_json_set_int (obj, "cpu", backtrace->cpu);
	kd_json_set_int (obj, "pid", backtrace->pid);
	kd_json_set_string (obj, "comm", backtrace->comm);
	kd_json_set_string (obj, "context", backtrace->context);
	if (backtrace->vcpu >= 0) {
		kd_json_set_int (obj, "vm", backtrace->vm);
		kd_json_set_int (obj, "vcpu", backtrace->vcpu);
	}
	frames = kd_json_add_array (obj, "frames");
	for (guint i = 0; i < backtrace->frames->len; i++)
		add_frame (frames, &g_array_index (backtrace->frames, KdFrame, i));
	kd_json_set_string (obj, "end", kd_end_name (backtrace->end));
	kd_json_set_string (obj, "end_note", backtrace->end_text);
}

static gboolean
add_cpu (JsonArray *array, KdSession *session, unsigned cpu, GError **error)
{
	g_auto (KdBacktrace) backtrace = {0};

	if (!kd_backtrace_cpu (session->kernel, cpu, &backtrace, error))
		return FALSE;
	add_backtrace (array, &backtrace);
	return TRUE;
}

static gboolean
add_task (JsonArray *array, KdSession *session, uint64_t pid, GError **error)
{
	g_auto (KdBacktrace) backtrace = {0};
	KdTask task;

	if (pid > G_MAXINT32) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"no task has PID %" PRIu64, pid);
		return FALSE;
	}
	if (!kd_task_by_pid (session->kernel, (int)pid, &task, error) ||
		!kd_backtrace_task (session->kernel, &task, &backtrace, error))
		return FALSE;
	add_backtrace (array, &backtrace);
	return TRUE;
}

static gboolean
add_all (JsonArray *array, KdSession *session, GError **error)
{
	for (unsigned cpu = 0; cpu < kd_target_nr_cpus (session->target); cpu++)
		if (!add_cpu (array, session, cpu, error))
			return FALSE;
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	JsonArray *array = json_array_new();
	uint64_t pid, cpu;
	gboolean has_pid = kd_args_uint (args, "pid", &pid);
	gboolean has_cpu = kd_args_uint (args, "cpu", &cpu);
	gboolean all = kd_args_flag (args, "all"), done;

	if (has_pid + has_cpu + all > 1) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"give one of a PID, --cpu and --all");
		done = FALSE;
	} else if (all) {
		done = add_all (array, session, error);
	} else if (has_pid) {
		done = add_task (array, session, pid, error);
	} else {
		if (!has_cpu)
			cpu = kd_session_stopped_cpu (session);
		done = add_cpu (array, session, (unsigned)MIN (cpu, G_MAXINT32), error);
	}
	if (!done) {
		g_prefix_error (error, "bt: ");
		json_array_unref (array);
		return NULL;
	}
	return kd_json_array_node (array);
}

/* --- text --- */

static const char *
string_of (JsonObject *obj, const char *name)
{
	const char *value = NULL;

	kd_json_get_string (obj, name, FALSE, &value, NULL);
	return value;
}

static gint64
int_of (JsonObject *obj, const char *name, gint64 fallback)
{
	gint64 value = fallback;

	kd_json_get_int (obj, name, FALSE, &value, NULL);
	return value;
}

static void
render_place (JsonObject *frame, KdText *text)
{
	const char *symbol = string_of (frame, "symbol"), *module = string_of (frame, "module");
	const char *file = string_of (frame, "file"), *space = string_of (frame, "space");
	gboolean inlined = FALSE;

	kd_json_get_bool (frame, "inlined", FALSE, &inlined, NULL);
	if (symbol) {
		kd_text_add (text, KD_STYLE_PLAIN, " in ");
		kd_text_add (text, KD_STYLE_SYMBOL, symbol);
		if (!inlined)
			kd_text_printf (text, KD_STYLE_PLAIN, "+0x%" PRIx64,
				(uint64_t)int_of (frame, "offset", 0));
		if (module)
			kd_text_printf (text, KD_STYLE_PLAIN, " [%s]", module);
	} else if (space && strcmp (space, "kernel") != 0) {
		kd_text_printf (text, KD_STYLE_PLAIN, " in %s", space);
	}
	if (file)
		kd_text_printf (
			text, KD_STYLE_DIM, " at %s:%" PRId64, file, int_of (frame, "line", 0));
}

static void
render_frame (JsonObject *frame, KdText *text)
{
	const char *pc = string_of (frame, "pc"), *how = string_of (frame, "how");
	const char *proof = string_of (frame, "proof"), *note = string_of (frame, "note");
	gint64 n = int_of (frame, "n", 0);
	gboolean inlined = FALSE, unproven;

	kd_json_get_bool (frame, "inlined", FALSE, &inlined, NULL);
	kd_text_printf (text, KD_STYLE_PLAIN, "#%-2" PRId64 " ", n);
	kd_text_add (text, KD_STYLE_ADDRESS, pc ? pc : "?");
	render_place (frame, text);
	if (inlined) {
		kd_text_add (text, KD_STYLE_DIM, "  [inlined]\n");
		return;
	}
	unproven = g_strcmp0 (proof, "none") == 0 && n > 0 && g_strcmp0 (how, "regs") != 0;
	if (unproven)
		kd_text_printf (text, KD_STYLE_WARN, "  [%s, not proven: %s]", how,
			note ? note : "nothing calls");
	else if (g_strcmp0 (proof, "none") == 0)
		kd_text_printf (text, KD_STYLE_DIM, "  [%s]", how);
	else
		kd_text_printf (text, g_strcmp0 (how, "guess") == 0 ? KD_STYLE_WARN : KD_STYLE_DIM,
			"  [%s, %s]", how, proof);
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
}

static void
render_end (JsonObject *trace, KdText *text)
{
	static const struct {
		const char *end, *words;
		gboolean expected;
	} ends[] = {
		{"user", "entered from user mode", TRUE},
		{"thread", "start of the thread", TRUE},
		{"boot", "start of this CPU", TRUE},
		{"code", "no kernel code", TRUE},
		{"limit", "more frames than are shown", FALSE},
		{"loop", "the stack does not go on upward", FALSE},
		{"broken", "the stack ends here without a reason", FALSE},
	};
	const char *end = string_of (trace, "end"), *note = string_of (trace, "end_note");

	for (size_t i = 0; end && i < G_N_ELEMENTS (ends); i++) {
		if (strcmp (ends[i].end, end) != 0)
			continue;
		kd_text_printf (text, ends[i].expected ? KD_STYLE_DIM : KD_STYLE_WARN,
			"    -- %s%s%s\n", ends[i].words, note ? ": " : "", note ? note : "");
	}
}

static void
render_head (JsonObject *trace, KdText *text)
{
	const char *comm = string_of (trace, "comm"), *context = string_of (trace, "context");
	gint64 cpu = int_of (trace, "cpu", -1), pid = int_of (trace, "pid", -1);

	if (cpu >= 0)
		kd_text_printf (text, KD_STYLE_HEADING, "CPU %" PRId64 "  ", cpu);
	if (pid >= 0)
		kd_text_printf (
			text, KD_STYLE_HEADING, "PID %" PRId64 " %s  ", pid, comm ? comm : "");
	kd_text_add (text, KD_STYLE_HEADING, context ? context : "");
	if (int_of (trace, "vcpu", -1) >= 0)
		kd_text_printf (text, KD_STYLE_HEADING, " (VM %" PRId64 ", vCPU %" PRId64 ")",
			int_of (trace, "vm", -1), int_of (trace, "vcpu", -1));
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
}

static void
render (JsonNode *result, KdText *text)
{
	JsonArray *array = kd_json_node_array (result, NULL);

	for (guint i = 0; array && i < json_array_get_length (array); i++) {
		JsonArray *frames = NULL;
		JsonObject *trace = NULL;

		if (!kd_json_array_object (array, i, &trace, NULL))
			continue;
		if (i > 0)
			kd_text_add (text, KD_STYLE_PLAIN, "\n");
		render_head (trace, text);
		kd_json_get_array (trace, "frames", FALSE, &frames, NULL);
		for (guint j = 0; frames && j < json_array_get_length (frames); j++) {
			JsonObject *frame = NULL;

			if (kd_json_array_object (frames, j, &frame, NULL))
				render_frame (frame, text);
		}
		render_end (trace, text);
	}
}

static const KdArg bt_args[] = {
	{.name = "pid",
		.kind = KD_ARG_UINT,
		.positional = TRUE,
		.meta = "PID",
		.help = "thread id of a task"},
	{.name = "cpu", .kind = KD_ARG_UINT, .meta = "N", .help = "what CPU N does"},
	{.name = "all", .short_name = 'a', .kind = KD_ARG_FLAG, .help = "what every CPU does"},
	{NULL},
};

const KdCommand kd_command_bt = {
	.name = "bt",
	.group = "kernel",
	.summary = "backtraces of CPUs and tasks, each frame with how it was found",
	.help = "Without an argument: the CPU that stopped the machine. A CPU in a guest shows the "
		"guest's pc and then the host's stack that entered it.\n\n"
		"In brackets is how a frame was found: regs (in registers), cfi (DWARF unwind "
		"rules), "
		"fp (frame pointer, or what the code does to the stack), pt_regs (saved at an "
		"exception), graph (put aside by the function_graph tracer), guess (a value on the "
		"stack); then what proves it: call (the instruction before it calls the function "
		"of "
		"the frame before), indirect (an indirect call is there), entry (an exception). "
		"What is not proven says what was found instead.",
	.example = "bt -a\nbt --cpu 1\nbt 99",
	.args = bt_args,
	.flags = KD_COMMAND_NEEDS_KERNEL | KD_COMMAND_NEEDS_STOP,
	.run = run,
	.render = render,
};
