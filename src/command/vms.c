/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "base/json.h"
#include "command/kvm-common.h"
#include "kvm/kvm.h"

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	g_autoptr (GError) partial = NULL;
	g_autoptr (GArray) vms = kd_vms (session->kernel, &partial, error);
	JsonArray *array;

	if (!vms)
		return NULL;
	array = json_array_new();
	for (guint i = 0; i < vms->len; i++) {
		const KdVm *vm = &g_array_index (vms, KdVm, i);
		JsonObject *obj = kd_json_array_add_object (array);

		kd_json_set_int (obj, "id", vm->id);
		kd_json_set_hex (obj, "kvm", vm->kvm);
		kd_json_set_int (obj, "pid", vm->pid);
		kd_json_set_string (obj, "comm", vm->comm);
		kd_json_set_int (obj, "vcpus", vm->nr_vcpus);
		kd_json_set_int (obj, "memslots", vm->nr_memslots);
	}
	return kd_kvm_list_node (array, partial, error);
}

static void
render (JsonNode *result, KdText *text)
{
	static const char *const headings[] = {
		"VM", "KVM", "PID", "COMM", "VCPUS", "MEMSLOTS", NULL};
	JsonArray *array = kd_json_node_array (result, NULL);

	if (!kd_kvm_list_begin (array, headings, "no VMs", text))
		return;
	for (guint i = 0; i < json_array_get_length (array); i++) {
		JsonObject *obj = NULL;

		if (!kd_json_array_object (array, i, &obj, NULL))
			continue;
		kd_kvm_cell_int (text, obj, "id");
		kd_kvm_cell_string (text, KD_STYLE_ADDRESS, obj, "kvm");
		kd_kvm_cell_int (text, obj, "pid");
		kd_kvm_cell_string (text, KD_STYLE_STRING, obj, "comm");
		kd_kvm_cell_int (text, obj, "vcpus");
		kd_kvm_cell_int (text, obj, "memslots");
		kd_text_table_end_row (text);
	}
	kd_kvm_list_end (array, text);
}

const KdCommand kd_command_vms = {
	.name = "vms",
	.group = "KVM",
	.summary = "the VMs that KVM runs, and whose they are",
	.help = "Numbers are in order of creation among the VMs that exist now: they move down "
		"when "
		"an older VM goes away while the machine runs. The process is the one that made "
		"the "
		"VM.",
	.flags = KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
};
