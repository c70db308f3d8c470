/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "base/json.h"
#include "command/kvm-common.h"
#include "kvm/kvm.h"

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	g_autoptr (GError) partial = NULL;
	g_autoptr (GArray) vcpus = NULL;
	gboolean given;
	JsonArray *array;
	int id = 0;
	KdVm vm;

	if (!kd_kvm_arg_vm (args, &given, &id, error) ||
		(given && !kd_vm_by_id (session->kernel, id, &vm, error)))
		return NULL;
	vcpus = given ? kd_vm_vcpus (session->kernel, &vm, &partial, error)
		      : kd_vcpus (session->kernel, &partial, error);
	if (!vcpus)
		return NULL;
	array = json_array_new();
	for (guint i = 0; i < vcpus->len; i++)
		kd_kvm_vcpu_json (
			kd_json_array_add_object (array), &g_array_index (vcpus, KdVcpu, i));
	return kd_kvm_list_node (array, partial, error);
}

static void
cell_cpu (KdText *text, JsonObject *obj)
{
	gboolean in_guest = FALSE;
	gint64 cpu = -1;

	kd_json_get_int (obj, "cpu", FALSE, &cpu, NULL);
	kd_json_get_bool (obj, "in_guest", FALSE, &in_guest, NULL);
	if (cpu < 0)
		kd_text_table_cell (text, KD_STYLE_DIM, "-");
	else
		kd_text_table_cellf (text, in_guest ? KD_STYLE_GOOD : KD_STYLE_PLAIN,
			"%" PRId64 "%s", cpu, in_guest ? " in guest" : "");
}

/* What follows "KVM_EXIT_": on every line it would say nothing. */
static void
cell_exit (KdText *text, JsonObject *obj)
{
	const char *exit_reason = NULL, *fault_class = NULL;

	kd_json_get_string (obj, "exit_reason", FALSE, &exit_reason, NULL);
	kd_json_get_string (obj, "fault_class", FALSE, &fault_class, NULL);
	if (exit_reason && g_str_has_prefix (exit_reason, "KVM_EXIT_"))
		exit_reason += sizeof "KVM_EXIT_" - 1;
	kd_text_table_cell (text, KD_STYLE_PLAIN, exit_reason);
	kd_text_table_cell (text, KD_STYLE_PLAIN, fault_class);
}

static void
render (JsonNode *result, KdText *text)
{
	static const char *const headings[] = {"VM", "VCPU", "KVM_VCPU", "PID", "COMM", "CPU",
		"MODE", "PC", "EXIT", "LAST TRAP", NULL};
	JsonArray *array = kd_json_node_array (result, NULL);

	if (!kd_kvm_list_begin (array, headings, "no vCPUs", text))
		return;
	for (guint i = 0; i < json_array_get_length (array); i++) {
		JsonObject *obj = NULL;

		if (!kd_json_array_object (array, i, &obj, NULL))
			continue;
		kd_kvm_cell_int (text, obj, "vm");
		kd_kvm_cell_int (text, obj, "id");
		kd_kvm_cell_string (text, KD_STYLE_ADDRESS, obj, "kvm_vcpu");
		kd_kvm_cell_int (text, obj, "pid");
		kd_kvm_cell_string (text, KD_STYLE_STRING, obj, "comm");
		cell_cpu (text, obj);
		kd_kvm_cell_string (text, KD_STYLE_PLAIN, obj, "mode");
		kd_kvm_cell_string (text, KD_STYLE_ADDRESS, obj, "pc");
		cell_exit (text, obj);
		kd_text_table_end_row (text);
	}
	kd_kvm_list_end (array, text);
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	if (g_strcmp0 (arg_name, "vm") == 0)
		kd_kvm_complete_vm (session, word, ret_candidates);
}

static const KdArg vcpus_args[] = {
	{.name = "vm", .kind = KD_ARG_UINT, .meta = "N", .help = "only those of VM N"},
	{NULL},
};

const KdCommand kd_command_vcpus = {
	.name = "vcpus",
	.group = "KVM",
	.summary = "vCPUs: their threads, the CPUs they are on, what they do",
	.help = "CPU is the host CPU that a vCPU is loaded on; \"in guest\" that this CPU was "
		"executing "
		"guest code when the machine stopped. PC is the guest's: then from the CPU's "
		"registers, else as saved at the last exit. EXIT is the last reason that went to "
		"the "
		"VM's process (of an exit that the kernel handled itself UNKNOWN is left), LAST "
		"TRAP "
		"the last exception that the guest took into the host.",
	.example = "vcpus --vm 0",
	.args = vcpus_args,
	.flags = KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
	.complete = complete,
};
