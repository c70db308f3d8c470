/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "kvm/kvm-isa.h"
#include "kvm/kvm-private.h"

typedef struct {
	uint64_t gpa;
	KdMemslot slot;
	gboolean found;
} FindContext;

static gboolean
find_slot (const KdMemslot *slot, void *data)
{
	FindContext *context = data;

	/* Address space 0 is what the guest runs in; a slot on its way out maps nothing. */
	if (slot->as_id != 0 || slot->flags & 1u << 16 || context->gpa < slot->gpa ||
		context->gpa - slot->gpa >= slot->size)
		return TRUE;
	context->slot = *slot;
	context->found = TRUE;
	return FALSE;
}

gboolean
kd_vm_slot_at (KdKernel *kernel, const KdVm *vm, uint64_t gpa, gboolean *ret_found,
	KdMemslot *ret_slot, GError **error)
{
	FindContext context = {.gpa = gpa};
	KdObject kvm;

	if (!kd_object_at_named (kernel, "struct kvm", vm->kvm, &kvm, error) ||
		!kd_vm_memslot_foreach (&kvm, find_slot, &context, error))
		return FALSE;
	*ret_found = context.found;
	if (context.found) {
		*ret_slot = context.slot;
		ret_slot->vm = vm->id;
	}
	return TRUE;
}

char *
kd_vm_walk_words (KdKernel *kernel, const KdVm *vm, const KdWalk *walk)
{
	const KdKvmIsa *isa = kd_kvm_isa (kernel);
	KdObject kvm;

	if (!isa->entry_words || walk->nr_levels == 0 || walk->status == KD_WALK_UNREADABLE ||
		!kd_object_at_named (kernel, "struct kvm", vm->kvm, &kvm, NULL))
		return NULL;
	return isa->entry_words (
		&kvm, walk->levels[MIN (walk->nr_levels, KD_WALK_LEVELS_MAX) - 1].entry);
}

gboolean
kd_vm_walk (KdKernel *kernel, const KdVm *vm, uint64_t kvm_vcpu, uint64_t gpa, KdWalk *ret_walk,
	KdRegime *ret_regime, GError **error)
{
	const KdKvmIsa *isa = kd_kvm_isa (kernel);
	g_autofree char *words = NULL;
	KdObject kvm, vcpu;

	if (!isa->second_stage) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_LAYOUT,
			"the tables of guest-physical memory of this instruction set are not known "
			"here");
		return FALSE;
	}
	if (!kd_object_at_named (kernel, "struct kvm", vm->kvm, &kvm, error) ||
		(kvm_vcpu &&
			!kd_object_at_named (kernel, "struct kvm_vcpu", kvm_vcpu, &vcpu, error)) ||
		!isa->second_stage (&kvm, kvm_vcpu ? &vcpu : NULL, ret_regime, error))
		return FALSE;
	kd_target_walk (kd_kernel_target (kernel), ret_regime, gpa, ret_walk);
	words = kd_vm_walk_words (kernel, vm, ret_walk);
	/* A mark may be an address bit that this CPU has not; how many it has, no register tells.
	 */
	if (words && ret_walk->status == KD_WALK_MAPPED)
		ret_walk->status = KD_WALK_RESERVED;
	return TRUE;
}

/* Through the slots into the process. Pages that it has not touched are not there. */
static gboolean
locate (KdKernel *kernel, int32_t id, uint64_t gpa, KdAddr *ret_addr, uint64_t *ret_len,
	GError **error)
{
	gboolean found;
	KdMemslot slot;
	KdVm vm;

	if (!kd_vm_by_id (kernel, id, &vm, error))
		return FALSE;
	if (vm.pid < 0) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND,
			"VM %d: the process that holds its memory is not known", id);
		return FALSE;
	}
	if (!kd_vm_slot_at (kernel, &vm, gpa, &found, &slot, error))
		return FALSE;
	if (!found) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NO_SLOT,
			"VM %d has no memory slot at guest-physical 0x%" PRIx64, id, gpa);
		return FALSE;
	}
	*ret_addr = (KdAddr){{KD_SPACE_USER, vm.pid}, slot.hva + (gpa - slot.gpa)};
	*ret_len = slot.size - (gpa - slot.gpa);
	return TRUE;
}

void
kd_kvm_install (KdKernel *kernel)
{
	kd_kernel_set_vm_locator (kernel, locate);
}
