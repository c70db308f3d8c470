/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/status.h"

#include "base/json.h"
#include "kernel/kernel-orc.h"
#include "kernel/task.h"
#include "kvm/kvm.h"

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
	kd_json_set_string (obj, "file_build_id", kd_kernel_file_build_id (kernel));
	kd_json_set_hex (obj, "kaslr_offset", kd_kernel_kaslr_offset (kernel));
	kd_json_set_hex (obj, "phys_base", kd_kernel_phys_base (kernel));
	kd_json_set_int (obj, "va_bits", kd_kernel_va_bits (kernel));
	kd_json_set_hex (obj, "pac_mask", kd_kernel_pac_mask (kernel));
	kd_json_set_string (obj, "image", image ? kd_image_path (image) : NULL);
	kd_json_set_string (obj, "image_why", kd_kernel_image_why (kernel));
	kd_json_set_string (obj, "symbols_from", image ? kd_image_symbols_from (image) : NULL);
	kd_json_set_string (obj, "types_from", image ? kd_image_types_from (image) : NULL);
	kd_json_set_string (obj, "lines_from", image ? kd_image_lines_from (image) : NULL);
	kd_json_set_string (obj, "unwind_from",
		kd_kernel_has_orc (kernel)           ? "orc"
		: image && kd_image_cfi_from (image) ? "cfi"
						     : "frame pointers");
}

static const KdVcpu *
vcpu_on (const GArray *vcpus, unsigned cpu)
{
	for (guint i = 0; vcpus && i < vcpus->len; i++) {
		const KdVcpu *vcpu = &g_array_index (vcpus, KdVcpu, i);

		if (vcpu->loaded && vcpu->cpu == (int)cpu)
			return vcpu;
	}
	return NULL;
}

/* Whose work a CPU does: its task, and the vCPU loaded on it. */
static gboolean
add_cpu_work (JsonObject *obj, KdSession *session, unsigned cpu, const GArray *vcpus)
{
	const KdVcpu *vcpu = vcpu_on (vcpus, cpu);
	KdTask task;

	if (session->kernel && kd_task_current (session->kernel, cpu, &task, NULL)) {
		kd_json_set_int (obj, "pid", task.pid);
		kd_json_set_string (obj, "comm", task.comm);
	}
	if (!vcpu)
		return FALSE;
	kd_json_set_int (obj, "vm", vcpu->vm);
	kd_json_set_int (obj, "vcpu", vcpu->id);
	kd_json_set_bool (obj, "in_guest", vcpu->in_guest);
	return vcpu->in_guest;
}

/* What a CPU is doing, from its registers and from what the kernel says of it. */
static void
add_cpu (JsonArray *array, KdSession *session, unsigned cpu, const GArray *vcpus)
{
	JsonObject *obj = kd_json_array_add_object (array);
	KdCpuState state = session->kernel ? kd_kernel_cpu_state (session->kernel, cpu)
					   : kd_target_cpu_state (session->target, cpu);
	gboolean in_guest;
	uint64_t pc;

	kd_json_set_int (obj, "cpu", cpu);
	in_guest = add_cpu_work (obj, session, cpu, vcpus);
	kd_json_set_int (obj, "el", state.el);
	kd_json_set_string (obj, "mode", state.mode_name);
	if (!kd_target_reg_get (
		    session->target, cpu, kd_target_arch (session->target)->pc, &pc, NULL))
		return;
	kd_json_set_hex (obj, "pc", pc);
	/* A guest's or a process's pc may look like one of ours and is not. */
	if (session->kernel && !in_guest && kd_kernel_pc (session->kernel, state.mode, pc, &pc)) {
		g_autofree char *symbol = kd_kernel_symbolize (session->kernel, pc);

		kd_json_set_string (obj, "symbol", symbol);
	}
}

/* What can be said of a machine that holds still. A kernel without KVM has neither VMs nor vCPUs.
 */
static void
add_stopped (JsonObject *obj, KdSession *session)
{
	g_autoptr (GError) partial = NULL;
	g_autoptr (GArray) vcpus =
		session->kernel ? kd_vcpus (session->kernel, &partial, NULL) : NULL;
	g_autoptr (GArray) vms = vcpus ? kd_vms (session->kernel, NULL, NULL) : NULL;
	JsonArray *cpus;

	if (vms) {
		JsonArray *array = kd_json_add_array (obj, "vms");

		for (guint i = 0; i < vms->len; i++) {
			const KdVm *vm = &g_array_index (vms, KdVm, i);
			JsonObject *element = kd_json_array_add_object (array);

			kd_json_set_int (element, "id", vm->id);
			kd_json_set_int (element, "pid", vm->pid);
			kd_json_set_string (element, "comm", vm->comm);
			kd_json_set_int (element, "vcpus", vm->nr_vcpus);
		}
	}
	cpus = kd_json_add_array (obj, "cpus");
	for (unsigned cpu = 0; cpu < kd_target_nr_cpus (session->target); cpu++)
		add_cpu (cpus, session, cpu, vcpus);
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
	JsonArray *gdb;

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
	gdb = kd_json_add_array (obj, "gdb");
	for (char **address = session->gdb; address && *address; address++)
		json_array_add_string_element (gdb, *address);
	memory = kd_json_add_object (obj, "memory");
	/* "direct-vm" and "direct-file" are two ways of the one path that scripts ask for. */
	kd_json_set_string (memory, "path",
		path.path && g_str_has_prefix (path.path, "direct") ? "direct" : path.path);
	kd_json_set_string (memory, "how", path.path);
	kd_json_set_string (memory, "why", path.why);
	if (kd_target_state (target) == KD_TARGET_STOPPED)
		add_stopped (obj, session);
	if (kd_target_state (target) == KD_TARGET_LOST)
		kd_json_set_string (obj, "lost_why", kd_target_lost_why (target));
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
	const char *symbols, *types, *lines, *release, *file_id, *in;

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
	in = string_of (kernel, "image") ? "" : " in memory";
	kd_text_printf (text, KD_STYLE_PLAIN,
		"symbols from %s%s, types from %s%s, lines from %s, stacks by %s\n",
		symbols ? symbols : "nowhere", symbols ? in : "", types ? types : "nowhere",
		types ? in : "", lines ? lines : "nowhere", string_of (kernel, "unwind_from"));
	why = string_of (kernel, "image_why");
	if (why) {
		label (text, "");
		kd_text_printf (text, KD_STYLE_DIM, "no vmlinux: %s\n", why);
	}
	file_id = string_of (kernel, "file_build_id");
	if (file_id) {
		label (text, "");
		kd_text_printf (text, KD_STYLE_WARN,
			"the vmlinux is of another kernel (build-id %s): whatever is read by it "
			"may be "
			"wrong\n",
			file_id);
	}
}

static void
render_gdb (JsonObject *status, KdText *text)
{
	JsonArray *array = NULL;

	if (!kd_json_get_array (status, "gdb", FALSE, &array, NULL) || !array)
		return;
	for (guint i = 0; i < json_array_get_length (array); i++) {
		const char *address;

		if (!kd_json_array_string (array, i, &address, NULL))
			continue;
		label (text, i ? "" : "gdb");
		kd_text_printf (text, KD_STYLE_PLAIN, "target remote %s\n", address);
	}
}

static void
render_memory (JsonObject *status, KdText *text)
{
	JsonObject *memory = object_of (status, "memory");
	const char *path = string_of (memory, "how"), *why = string_of (memory, "why");

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
	if (string_of (status, "lost_why"))
		kd_text_printf (text, KD_STYLE_PLAIN, ": %s", string_of (status, "lost_why"));
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
}

#define VMS_SHOWN 4

static void
render_vms (JsonObject *status, KdText *text)
{
	JsonArray *vms = NULL;
	guint nr;

	kd_json_get_array (status, "vms", FALSE, &vms, NULL);
	if (!vms)
		return;
	nr = json_array_get_length (vms);
	label (text, "guests");
	kd_text_printf (text, KD_STYLE_PLAIN, "%u VM%s", nr, nr == 1 ? "" : "s");
	for (guint i = 0; i < MIN (nr, VMS_SHOWN); i++) {
		JsonObject *vm = NULL;

		if (!kd_json_array_object (vms, i, &vm, NULL))
			continue;
		kd_text_printf (text, KD_STYLE_PLAIN,
			"%s %s (process %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT " vCPUs)",
			i ? "," : ":", string_of (vm, "comm"), int_of (vm, "pid"),
			int_of (vm, "vcpus"));
	}
	kd_text_add (text, KD_STYLE_PLAIN, nr > VMS_SHOWN ? ", …\n" : "\n");
}

/* "vCPU 1 of VM 0, in the guest; vcpu1 (99)" */
static void
render_cpu_work (JsonObject *cpu, KdText *text)
{
	g_autoptr (GString) out = g_string_new (NULL);
	gboolean in_guest = FALSE;

	if (string_of (cpu, "comm"))
		g_string_append_printf (out, "%s (%" G_GINT64_FORMAT ")", string_of (cpu, "comm"),
			int_of (cpu, "pid"));
	if (json_object_has_member (cpu, "vcpu")) {
		kd_json_get_bool (cpu, "in_guest", FALSE, &in_guest, NULL);
		g_string_append_printf (out,
			"%svCPU %" G_GINT64_FORMAT " of VM %" G_GINT64_FORMAT "%s",
			out->len ? ", " : "", int_of (cpu, "vcpu"), int_of (cpu, "vm"),
			in_guest ? ", in the guest" : "");
	}
	kd_text_table_cell (text, in_guest ? KD_STYLE_GOOD : KD_STYLE_PLAIN, out->str);
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
		render_cpu_work (cpu, text);
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
	render_gdb (status, text);
	render_vms (status, text);
	render_state (status, text);
	render_cpus (status, text);
}

JsonNode *
kd_status_attaching (const char *name, const char *address)
{
	JsonObject *obj = json_object_new();

	kd_json_set_string (obj, "session", name);
	kd_json_set_string (obj, "state", "attaching");
	kd_json_set_string (obj, "address", address);
	return kd_json_object_node (obj);
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	return kd_json_object_node (kd_status_json (session));
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *status = kd_json_node_object (result, NULL);
	const char *address = string_of (status, "address");

	if (g_strcmp0 (string_of (status, "state"), "attaching") == 0)
		kd_text_printf (text, KD_STYLE_WARN,
			"session %s is attaching%s%s (“detach” cancels that)\n",
			string_of (status, "session"), address ? " to " : "",
			address ? address : "");
	else
		kd_status_render (status, text);
}

const KdCommand kd_command_status = {
	.name = "status",
	.group = "session",
	.summary = "the machine, its kernel, how memory is read, what the CPUs do",
	.flags = KD_COMMAND_NO_IMAGE | KD_COMMAND_ALWAYS,
	.run = run,
	.render = render,
};
