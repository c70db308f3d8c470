/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "base/json.h"
#include "command/kvm-common.h"
#include "kvm/kvm.h"

static void
add_slots (JsonArray *array, const GArray *slots)
{
	for (guint i = 0; i < slots->len; i++) {
		const KdMemslot *slot = &g_array_index (slots, KdMemslot, i);

		kd_kvm_slot_json (kd_json_array_add_object (array), slot);
	}
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	g_autoptr (GError) partial = NULL;
	g_autoptr (GArray) vms = NULL;
	JsonArray *array;
	gboolean given;
	int id = 0;
	KdVm vm;

	if (!kd_kvm_arg_vm (args, &given, &id, error) ||
		(given && !kd_vm_by_id (session->kernel, id, &vm, error)))
		return NULL;
	vms = kd_vms (session->kernel, &partial, error);
	if (!vms)
		return NULL;
	array = json_array_new();
	for (guint i = 0; i < vms->len; i++) {
		const KdVm *one = &g_array_index (vms, KdVm, i);
		g_autoptr (GArray) slots = NULL;
		GError *why = NULL, *failed = NULL;

		if (given && one->id != id)
			continue;
		slots = kd_vm_memslots (session->kernel, one, &why, &failed);
		if (slots)
			add_slots (array, slots);
		if (failed && given) {
			json_array_unref (array);
			g_propagate_error (error, failed);
			return NULL;
		}
		if (!why)
			why = failed;
		if (why && !partial)
			partial = why;
		else
			g_clear_error (&why);
	}
	return kd_kvm_list_node (array, partial, error);
}

static void
cell_size (KdText *text, JsonObject *obj)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	guint64 size = 0;
	unsigned unit = 0;

	kd_json_get_uint (obj, "size", FALSE, &size, NULL);
	size /= 1024;
	while (size >= 1024 && size % 1024 == 0 && unit + 1 < G_N_ELEMENTS (units)) {
		size /= 1024;
		unit++;
	}
	kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" PRIu64 " %s", (uint64_t)size, units[unit]);
}

static void
render (JsonNode *result, KdText *text)
{
	static const char *const headings[] = {
		"VM", "SLOT", "GUEST-PHYSICAL", "SIZE", "USER ADDRESS", "FLAGS", NULL};
	JsonArray *array = kd_json_node_array (result, NULL);

	if (!kd_kvm_list_begin (array, headings, "no memory slots", text))
		return;
	for (guint i = 0; i < json_array_get_length (array); i++) {
		JsonObject *obj = NULL;
		gint64 as_id = 0, id = 0;

		if (!kd_json_array_object (array, i, &obj, NULL))
			continue;
		kd_json_get_int (obj, "as_id", FALSE, &as_id, NULL);
		kd_json_get_int (obj, "id", FALSE, &id, NULL);
		kd_kvm_cell_int (text, obj, "vm");
		if (as_id)
			kd_text_table_cellf (
				text, KD_STYLE_NUMBER, "%" PRId64 " of %" PRId64, id, as_id);
		else
			kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" PRId64, id);
		kd_kvm_cell_string (text, KD_STYLE_ADDRESS, obj, "gpa");
		cell_size (text, obj);
		kd_kvm_cell_string (text, KD_STYLE_ADDRESS, obj, "hva");
		kd_kvm_cell_string (text, KD_STYLE_PLAIN, obj, "flag_names");
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

static const KdArg memslots_args[] = {
	{.name = "vm",
		.kind = KD_ARG_UINT,
		.positional = TRUE,
		.meta = "VM",
		.help = "number of a VM as `vms` shows it; all without"},
	{NULL},
};

const KdCommand kd_command_memslots = {
	.name = "memslots",
	.group = "KVM",
	.summary = "memory slots: where guest-physical memory is in the VM's process",
	.help = "Guest-physical addresses are read as vm:N:0x…, the same memory in the process as "
		"user:PID:0x….",
	.example = "memslots 0\nmem vm:0:0x40000000 64",
	.args = memslots_args,
	.flags = KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
	.complete = complete,
};
