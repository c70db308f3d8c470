/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/kvm-common.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "kvm/kvm.h"

JsonNode *
kd_kvm_list_node (JsonArray *array, const GError *partial, GError **error)
{
	guint nr = json_array_get_length (array);
	JsonObject *last = NULL;

	if (partial && nr == 0) {
		json_array_unref (array);
		g_propagate_error (error, g_error_copy (partial));
		return NULL;
	}
	if (partial && kd_json_array_object (array, nr - 1, &last, NULL))
		kd_json_set_string (last, "partial", partial->message);
	return kd_json_array_node (array);
}

gboolean
kd_kvm_list_begin (JsonArray *array, const char *const *headings, const char *none, KdText *text)
{
	if (!array || json_array_get_length (array) == 0) {
		kd_text_printf (text, KD_STYLE_DIM, "%s\n", none);
		return FALSE;
	}
	kd_text_table_begin (text, headings);
	return TRUE;
}

void
kd_kvm_list_end (JsonArray *array, KdText *text)
{
	guint nr = json_array_get_length (array);
	const char *partial = NULL;
	JsonObject *last = NULL;

	kd_text_table_end (text);
	if (nr > 0 && kd_json_array_object (array, nr - 1, &last, NULL) &&
		kd_json_get_string (last, "partial", FALSE, &partial, NULL) && partial)
		kd_text_printf (text, KD_STYLE_WARN, "not all: %s\n", partial);
}

void
kd_kvm_cell_int (KdText *text, JsonObject *obj, const char *name)
{
	gint64 value = 0;

	kd_json_get_int (obj, name, FALSE, &value, NULL);
	kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" PRId64, value);
}

void
kd_kvm_cell_string (KdText *text, KdStyle style, JsonObject *obj, const char *name)
{
	const char *value = NULL;

	kd_json_get_string (obj, name, FALSE, &value, NULL);
	kd_text_table_cell (text, style, value);
}

void
kd_kvm_complete_vm (KdSession *session, const char *word, GPtrArray *ret_candidates)
{
	g_autoptr (GArray) vms = session->kernel ? kd_vms (session->kernel, NULL, NULL) : NULL;

	for (guint i = 0; vms && i < vms->len; i++) {
		g_autofree char *id = g_strdup_printf ("%u", i);

		if (g_str_has_prefix (id, word))
			g_ptr_array_add (ret_candidates, g_steal_pointer (&id));
	}
}

gboolean
kd_kvm_arg_vm (const KdArgs *args, gboolean *ret_given, int *ret_vm, GError **error)
{
	uint64_t vm;

	*ret_given = kd_args_uint (args, "vm", &vm);
	if (!*ret_given)
		return TRUE;
	if (vm > G_MAXINT32) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND, "no VM %" PRIu64, vm);
		return FALSE;
	}
	*ret_vm = (int)vm;
	return TRUE;
}

void
kd_kvm_vcpu_json (JsonObject *obj, const KdVcpu *vcpu)
{
	kd_json_set_int (obj, "vm", vcpu->vm);
	kd_json_set_int (obj, "id", vcpu->id);
	kd_json_set_hex (obj, "kvm_vcpu", vcpu->kvm_vcpu);
	kd_json_set_int (obj, "pid", vcpu->pid);
	kd_json_set_string (obj, "comm", vcpu->comm);
	kd_json_set_int (obj, "cpu", vcpu->cpu);
	kd_json_set_bool (obj, "loaded", vcpu->loaded);
	kd_json_set_bool (obj, "in_guest", vcpu->in_guest);
	kd_json_set_string (obj, "mode", vcpu->mode);
	if (vcpu->has_pc)
		kd_json_set_hex (obj, "pc", vcpu->pc);
	else
		json_object_set_null_member (obj, "pc");
	kd_json_set_string (obj, "pc_from", vcpu->pc_from);
	if (!vcpu->has_exit)
		json_object_set_null_member (obj, "exit_reason");
	else if (vcpu->exit_name)
		kd_json_set_string (obj, "exit_reason", vcpu->exit_name);
	else
		kd_json_set_printf (obj, "exit_reason", "%u", vcpu->exit_reason);
	kd_json_set_string (obj, "fault_class", vcpu->fault_class);
	if (vcpu->fault_class)
		kd_json_set_hex (obj, "fault", vcpu->fault);
}

void
kd_kvm_slot_json (JsonObject *obj, const KdMemslot *slot)
{
	g_autofree char *flags = kd_memslot_flags_to_string (slot->flags);

	kd_json_set_int (obj, "vm", slot->vm);
	kd_json_set_int (obj, "id", slot->id);
	kd_json_set_int (obj, "as_id", slot->as_id);
	kd_json_set_hex (obj, "gpa", slot->gpa);
	kd_json_set_uint (obj, "size", slot->size);
	kd_json_set_hex (obj, "hva", slot->hva);
	kd_json_set_int (obj, "flags", slot->flags);
	kd_json_set_string (obj, "flag_names", flags);
}

/* Decimal digits alone. FALSE: anything else, or more than an int holds. */
static gboolean
parse_number (const char *text, size_t len, int *ret)
{
	gint64 value = 0;

	if (len == 0 || len > 9)
		return FALSE;
	for (size_t i = 0; i < len; i++) {
		if (!g_ascii_isdigit (text[i]))
			return FALSE;
		value = value * 10 + (text[i] - '0');
	}
	*ret = (int)value;
	return TRUE;
}

gboolean
kd_kvm_parse_vm (const char *text, int *ret_vm, int *ret_vcpu, GError **error)
{
	const char *colon = strchr (text, ':');
	int vm, vcpu = -1;

	if (!parse_number (text, colon ? (size_t)(colon - text) : strlen (text), &vm) ||
		(colon && !parse_number (colon + 1, strlen (colon + 1), &vcpu))) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"neither VM nor VM:VCPU by number (as vms and vcpus show them): \"%s\"",
			text);
		return FALSE;
	}
	*ret_vm = vm;
	*ret_vcpu = vcpu;
	return TRUE;
}

void
kd_kvm_complete_vcpu (KdSession *session, const char *word, GPtrArray *ret_candidates)
{
	g_autoptr (GArray) vcpus = session->kernel ? kd_vcpus (session->kernel, NULL, NULL) : NULL;

	for (guint i = 0; vcpus && i < vcpus->len; i++) {
		const KdVcpu *vcpu = &g_array_index (vcpus, KdVcpu, i);
		g_autofree char *name = g_strdup_printf ("%d:%d", vcpu->vm, vcpu->id);

		if (g_str_has_prefix (name, word))
			g_ptr_array_add (ret_candidates, g_steal_pointer (&name));
	}
}
