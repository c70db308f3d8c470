/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/status.h"

#include "base/json.h"

/* --- the tree --- */

static void
add_qemu (JsonObject *obj, const KdQemuInfo *info)
{
	kd_json_set_string (obj, "version", info->version);
	kd_json_set_int (obj, "pid", info->pid);
	kd_json_set_string (obj, "accel", info->accel);
	kd_json_set_string (obj, "stub", info->stub);
	kd_json_set_string (obj, "qmp", info->qmp);
	kd_json_set_string (obj, "qmp_why", info->qmp_why);
}

static void
add_kernel (JsonObject *obj, KdKernel *kernel)
{
	const KdImage *image = kd_kernel_image (kernel);

	kd_json_set_string (obj, "release", kd_kernel_release (kernel));
	kd_json_set_string (obj, "build_id", kd_kernel_build_id (kernel));
	kd_json_set_hex (obj, "kaslr_offset", kd_kernel_kaslr_offset (kernel));
	kd_json_set_hex (obj, "phys_base", kd_kernel_phys_base (kernel));
	kd_json_set_int (obj, "va_bits", kd_kernel_va_bits (kernel));
	kd_json_set_hex (obj, "pac_mask", kd_kernel_pac_mask (kernel));
	kd_json_set_string (obj, "image", image ? kd_image_path (image) : NULL);
	kd_json_set_string (obj, "symbols_from", image ? kd_image_symbols_from (image) : NULL);
	kd_json_set_string (obj, "types_from", image ? kd_image_types_from (image) : NULL);
	kd_json_set_string (obj, "lines_from", image ? kd_image_lines_from (image) : NULL);
}

/* What a CPU is doing, from its registers alone. */
static void
add_cpu (JsonArray *array, KdSession *session, unsigned cpu)
{
	JsonObject *obj = kd_json_array_add_object (array);
	KdCpuState state = kd_target_cpu_state (session->target, cpu);
	uint64_t pc;

	kd_json_set_int (obj, "cpu", cpu);
	kd_json_set_int (obj, "el", state.el);
	kd_json_set_string (obj, "mode", state.mode_name);
	if (!kd_target_reg_get (
		    session->target, cpu, kd_target_arch (session->target)->pc, &pc, NULL))
		return;
	kd_json_set_hex (obj, "pc", pc);
	/* A guest's or a process's pc may look like one of ours and is not. */
	if (session->kernel &&
		(state.mode == KD_CPU_MODE_KERNEL || state.mode == KD_CPU_MODE_HYP)) {
		g_autofree char *symbol = kd_kernel_symbolize (session->kernel, pc);

		kd_json_set_string (obj, "symbol", symbol);
	}
}

JsonObject *
kd_status_json (KdSession *session)
{
	JsonObject *obj = json_object_new();
	KdTarget *target = session->target;
	KdQemuInfo qemu = kd_target_qemu_info (target);
	KdMemoryPath path = kd_target_memory_path (target);
	const KdArch *arch = kd_target_arch (target);
	JsonObject *stop = kd_session_stop_json (session);
	JsonObject *memory;

	kd_json_set_string (obj, "session", session->name);
	kd_json_set_string (obj, "state", kd_session_state_name (session));
	if (stop)
		json_object_set_object_member (obj, "stop", stop);
	else
		json_object_set_null_member (obj, "stop");
	add_qemu (kd_json_add_object (obj, "qemu"), &qemu);
	kd_json_set_string (obj, "arch", arch ? arch->name : NULL);
	kd_json_set_int (obj, "ncpus", kd_target_nr_cpus (target));
	if (session->kernel)
		add_kernel (kd_json_add_object (obj, "kernel"), session->kernel);
	else {
		json_object_set_null_member (obj, "kernel");
		kd_json_set_string (obj, "kernel_why",
			session->kernel_error ? session->kernel_error->message : NULL);
	}
	memory = kd_json_add_object (obj, "memory");
	kd_json_set_string (memory, "path", path.path);
	kd_json_set_string (memory, "why", path.why);
	if (kd_target_state (target) == KD_TARGET_STOPPED) {
		JsonArray *cpus = kd_json_add_array (obj, "cpus");

		for (unsigned cpu = 0; cpu < kd_target_nr_cpus (target); cpu++)
			add_cpu (cpus, session, cpu);
	}
	return obj;
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
int_of (JsonObject *obj, const char *name)
{
	gint64 value = 0;

	kd_json_get_int (obj, name, FALSE, &value, NULL);
	return value;
}

static JsonObject *
object_of (JsonObject *obj, const char *name)
{
	JsonObject *value = NULL;

	kd_json_get_object (obj, name, FALSE, &value, NULL);
	return value;
}

static void
label (KdText *text, const char *name)
{
	kd_text_printf (text, KD_STYLE_DIM, "%-9s", name);
}

static void
render_machine (JsonObject *status, KdText *text)
{
	JsonObject *qemu = object_of (status, "qemu");
	const char *version = string_of (qemu, "version"), *accel = string_of (qemu, "accel");
	const char *why = string_of (qemu, "qmp_why"), *arch = string_of (status, "arch");

	label (text, "machine");
	kd_text_printf (text, KD_STYLE_PLAIN, "%s, %" G_GINT64_FORMAT " CPUs", arch ? arch : "?",
		int_of (status, "ncpus"));
	kd_text_printf (
		text, KD_STYLE_PLAIN, "; QEMU%s%s", version ? " " : "", version ? version : "");
	if (accel)
		kd_text_printf (text, KD_STYLE_PLAIN, " (%s)", accel);
	if (int_of (qemu, "pid"))
		kd_text_printf (
			text, KD_STYLE_PLAIN, ", process %" G_GINT64_FORMAT, int_of (qemu, "pid"));
	kd_text_printf (text, KD_STYLE_PLAIN, ", stub %s\n", string_of (qemu, "stub"));
	if (why) {
		label (text, "");
		kd_text_printf (text, KD_STYLE_WARN, "no QMP: %s\n", why);
	}
}

static void
render_kernel (JsonObject *status, KdText *text)
{
	JsonObject *kernel = object_of (status, "kernel");
	const char *why = string_of (status, "kernel_why");
	const char *symbols, *types, *lines, *release;

	label (text, "kernel");
	if (!kernel) {
		kd_text_printf (text, KD_STYLE_WARN, "unknown: %s\n", why ? why : "none found");
		return;
	}
	release = string_of (kernel, "release");
	symbols = string_of (kernel, "symbols_from");
	types = string_of (kernel, "types_from");
	lines = string_of (kernel, "lines_from");
	kd_text_printf (text, KD_STYLE_SYMBOL, "%s", release ? release : "?");
	kd_text_printf (text, KD_STYLE_PLAIN, ", build-id %s, KASLR offset %s\n",
		string_of (kernel, "build_id"), string_of (kernel, "kaslr_offset"));
	label (text, "");
	kd_text_printf (text, KD_STYLE_PLAIN, "symbols from %s, types from %s, lines from %s\n",
		symbols ? symbols : "nowhere", types ? types : "nowhere",
		lines ? lines : "nowhere");
}

static void
render_memory (JsonObject *status, KdText *text)
{
	JsonObject *memory = object_of (status, "memory");
	const char *path = string_of (memory, "path"), *why = string_of (memory, "why");

	label (text, "memory");
	kd_text_add (text, KD_STYLE_PLAIN, path ? path : "none");
	if (why)
		kd_text_printf (text, KD_STYLE_DIM, " (%s)", why);
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
}

static void
render_state (JsonObject *status, KdText *text)
{
	const char *state = string_of (status, "state");
	JsonObject *stop = object_of (status, "stop");
	g_autofree char *stop_text = stop ? kd_session_stop_text (stop) : NULL;

	label (text, "state");
	kd_text_add (text,
		g_strcmp0 (state, "running") == 0 ? KD_STYLE_GOOD
		: g_strcmp0 (state, "lost") == 0  ? KD_STYLE_BAD
						  : KD_STYLE_WARN,
		state);
	if (stop_text)
		kd_text_printf (text, KD_STYLE_PLAIN, ": %s", stop_text);
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
}

static void
render_cpus (JsonObject *status, KdText *text)
{
	JsonArray *cpus = NULL;

	kd_json_get_array (status, "cpus", FALSE, &cpus, NULL);
	if (!cpus)
		return;
	kd_text_table_begin (text, NULL);
	for (guint i = 0; i < json_array_get_length (cpus); i++) {
		JsonObject *cpu = NULL;

		if (!kd_json_array_object (cpus, i, &cpu, NULL))
			continue;
		kd_text_table_cellf (
			text, KD_STYLE_DIM, "  CPU %" G_GINT64_FORMAT, int_of (cpu, "cpu"));
		kd_text_table_cell (text, KD_STYLE_PLAIN, string_of (cpu, "mode"));
		kd_text_table_cell (text, KD_STYLE_ADDRESS, string_of (cpu, "pc"));
		kd_text_table_cell (text, KD_STYLE_SYMBOL, string_of (cpu, "symbol"));
		kd_text_table_end_row (text);
	}
	kd_text_table_end (text);
}

void
kd_status_render (JsonObject *status, KdText *text)
{
	label (text, "session");
	kd_text_printf (text, KD_STYLE_PLAIN, "%s\n", string_of (status, "session"));
	render_machine (status, text);
	render_kernel (status, text);
	render_memory (status, text);
	render_state (status, text);
	render_cpus (status, text);
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	return kd_json_object_node (kd_status_json (session));
}

static void
render (JsonNode *result, KdText *text)
{
	kd_status_render (kd_json_node_object (result, NULL), text);
}

const KdCommand kd_command_status = {
	.name = "status",
	.group = "session",
	.summary = "the machine, its kernel, how memory is read, what the CPUs do",
	.run = run,
	.render = render,
};
