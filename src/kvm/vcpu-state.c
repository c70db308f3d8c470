/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/vcpu-state.h"

#include "base/json.h"
#include "kvm/kvm-isa.h"

const char *
kd_vcpu_mark_name (KdVcpuMark mark)
{
	switch (mark) {
	case KD_VCPU_LIVE:
		return "live";
	case KD_VCPU_CACHED:
		return "cached";
	case KD_VCPU_STALE:
		break;
	}
	return "stale";
}

JsonObject *
kd_vcpu_state_group (KdVcpuState *state, const char *name)
{
	JsonObject *group = NULL;

	if (kd_json_get_object (state->groups, name, FALSE, &group, NULL) && group)
		return group;
	return kd_json_add_object (state->groups, name);
}

JsonArray *
kd_vcpu_state_list (KdVcpuState *state, const char *name)
{
	JsonArray *list = NULL;

	if (kd_json_get_array (state->lists, name, FALSE, &list, NULL) && list)
		return list;
	return kd_json_add_array (state->lists, name);
}

JsonObject *
kd_vcpu_state_add (JsonObject *group, const char *name, uint64_t value, KdVcpuMark mark)
{
	JsonObject *obj = kd_json_add_object (group, name);

	kd_json_set_hex (obj, "value", value);
	kd_json_set_string (obj, "state", kd_vcpu_mark_name (mark));
	return obj;
}

JsonObject *
kd_vcpu_state_add_text (
	JsonObject *group, const char *name, uint64_t value, KdVcpuMark mark, char *text)
{
	JsonObject *obj = kd_vcpu_state_add (group, name, value, mark);

	if (text)
		kd_json_set_string (obj, "text", text);
	g_free (text);
	return obj;
}

void
kd_vcpu_state_notef (KdVcpuState *state, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start (args, format);
	text = g_strdup_vprintf (format, args);
	va_end (args);
	json_array_add_string_element (state->notes, text);
}

void
kd_vcpu_state_note (KdVcpuState *state, const char *what, GError *error)
{
	if (!error)
		return;
	kd_vcpu_state_notef (state, "%s: %s", what, error->message);
	g_error_free (error);
}

gboolean
kd_vcpu_state_add_member (KdVcpuState *state, JsonObject *group, const char *name,
	const KdObject *object, const char *path, KdVcpuMark mark)
{
	GError *error = NULL;
	uint64_t value;

	if (!kd_object_has_member (object, path))
		return FALSE;
	if (!kd_object_member_u64 (object, path, &value, &error)) {
		kd_vcpu_state_note (state, path, error);
		return FALSE;
	}
	kd_vcpu_state_add (group, name, value, mark);
	return TRUE;
}

JsonObject *
kd_vcpu_describe (KdKernel *kernel, const KdVcpu *vcpu, GError **error)
{
	return kd_vcpu_describe_as (kernel, vcpu, NULL, error);
}

JsonObject *
kd_vcpu_describe_as (KdKernel *kernel, const KdVcpu *vcpu, const char *as, GError **error)
{
	const KdKvmIsa *isa = kd_kvm_isa (kernel);
	g_autoptr (JsonObject) obj = json_object_new();
	KdVcpuState state = {.kernel = kernel, .as = as};
	KdObject object;

	if (!isa->describe) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_LAYOUT,
			"the state of vCPUs of this instruction set is not known here");
		return NULL;
	}
	if (!kd_object_at_named (kernel, "struct kvm_vcpu", vcpu->kvm_vcpu, &object, error))
		return NULL;
	state.groups = kd_json_add_object (obj, "groups");
	state.lists = kd_json_add_object (obj, "lists");
	state.notes = kd_json_add_array (obj, "notes");
	if (!isa->describe (&object, vcpu, &state, error))
		return NULL;
	kd_json_set_string (obj, "source", state.from_cpu ? "cpu" : "memory");
	return g_steal_pointer (&obj);
}

gboolean
kd_vcpu_by_id (KdKernel *kernel, int vm_id, int id, KdVcpu *ret_vcpu, GError **error)
{
	g_autoptr (GArray) vcpus = NULL;
	GError *partial = NULL;
	KdVm vm;

	if (!kd_vm_by_id (kernel, vm_id, &vm, error))
		return FALSE;
	vcpus = kd_vm_vcpus (kernel, &vm, &partial, error);
	if (!vcpus)
		return FALSE;
	for (guint i = 0; i < vcpus->len; i++) {
		if (g_array_index (vcpus, KdVcpu, i).id != id)
			continue;
		*ret_vcpu = g_array_index (vcpus, KdVcpu, i);
		g_clear_error (&partial);
		return TRUE;
	}
	if (partial) {
		g_propagate_error (error, partial);
		return FALSE;
	}
	g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND, "VM %d has no vCPU %d: it has %u",
		vm_id, id, vcpus->len);
	return FALSE;
}
