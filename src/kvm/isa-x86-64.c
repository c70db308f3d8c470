/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "arch/x86-64.h"
#include "kvm/kvm-isa.h"
#include "kvm/vcpu-x86.h"

static gboolean
saved_pc (const KdObject *vcpu, uint64_t *ret_pc)
{
	g_autofree char *path = kd_vcpu_x86_reg_path (vcpu, "rip");

	return path && kd_object_member_u64 (vcpu, path, ret_pc, NULL);
}

static const char *
fault_class (const KdObject *vcpu, uint64_t *ret_syndrome)
{
	return kd_vcpu_x86_is_vmx (vcpu->kernel) ? kd_vcpu_vmx_last_exit (vcpu, ret_syndrome)
						 : kd_vcpu_svm_last_exit (vcpu, ret_syndrome);
}

/* The first vCPU that has tables: all of a VM share theirs, but for those inside a guest of it. */
static gboolean
root_of (const KdObject *vcpu, uint64_t *ret_root, GError **error)
{
	static const char *const paths[] = {"arch.root_mmu.root.hpa", "arch.root_mmu.root_hpa"};

	for (size_t i = 0; i < G_N_ELEMENTS (paths); i++)
		if (kd_object_has_member (vcpu, paths[i]))
			return kd_object_member_u64 (vcpu, paths[i], ret_root, error);
	g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_LAYOUT,
		"struct kvm_vcpu has no arch.root_mmu.root");
	return FALSE;
}

/* A member of one of two names, the newer first. FALSE: neither is there. */
static gboolean
either (const KdObject *vcpu, const char *name, const char *older, uint64_t *ret_value)
{
	const char *path = kd_object_has_member (vcpu, name) ? name : older;

	return kd_object_has_member (vcpu, path) &&
	       kd_object_member_u64 (vcpu, path, ret_value, NULL);
}

/*
 * Which format: KVM's role of the root says whether its tables map guest-physical addresses at all
 * (with ept=0 or npt=0 they shadow the guest's own, but for a guest without paging, whose root then
 * has level 3), and the vendor's module then whose hardware reads them.
 */
static gboolean
regime_of (const KdObject *vcpu, uint64_t root, KdRegime *ret_regime, GError **error)
{
	const KdRegime *host = kd_kernel_regime (vcpu->kernel);
	uint64_t level = 0, direct = 1, ad_disabled = 0;

	/* Before 5.19 these were members of struct kvm_mmu itself, and of its mmu_role. */
	either (vcpu, "arch.root_mmu.root_role.level", "arch.root_mmu.shadow_root_level", &level);
	either (vcpu, "arch.root_mmu.root_role.direct", "arch.root_mmu.direct_map", &direct);
	either (vcpu, "arch.root_mmu.root_role.ad_disabled",
		"arch.root_mmu.mmu_role.base.ad_disabled", &ad_disabled);
	if (!direct || (level > 0 && level < 4)) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND,
			"KVM shadows the guest's own tables (%s=0): none map guest-physical "
			"addresses",
			kd_vcpu_x86_is_vmx (vcpu->kernel) ? "ept" : "npt");
		return FALSE;
	}
	if (kd_vcpu_x86_is_vmx (vcpu->kernel)) {
		if (level == 0) {
			g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_LAYOUT,
				"struct kvm_vcpu has no arch.root_mmu.root_role.level");
			return FALSE;
		}
		*ret_regime = kd_x86_64_ept_regime (root, (unsigned)level, !ad_disabled, host);
		return TRUE;
	}
	*ret_regime = kd_x86_64_nested_regime (root, host);
	if (level == 4 || level == 5)
		ret_regime->va_bits = 12 + 9 * (unsigned)level;
	return TRUE;
}

static gboolean
second_stage (const KdObject *kvm, const KdObject *vcpu, KdRegime *ret_regime, GError **error)
{
	KdKernel *kernel = kvm->kernel;
	g_autoptr (GArray) vcpus = NULL;
	uint64_t root = UINT64_MAX;
	KdObject object;

	if (vcpu) {
		object = *vcpu;
		if (!root_of (&object, &root, error))
			return FALSE;
	} else {
		vcpus = kd_vcpus (kernel, NULL, error);
		if (!vcpus)
			return FALSE;
	}
	for (guint i = 0; vcpus && root == UINT64_MAX && i < vcpus->len; i++) {
		uint64_t owner;

		if (kd_object_at_named (kernel, "struct kvm_vcpu",
			    g_array_index (vcpus, KdVcpu, i).kvm_vcpu, &object, NULL) &&
			kd_object_member_u64 (&object, "kvm", &owner, NULL) &&
			owner == kvm->addr.value && !root_of (&object, &root, error))
			return FALSE;
	}
	if (root == UINT64_MAX) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND,
			"no vCPU has nested page tables yet: none has run");
		return FALSE;
	}
	return regime_of (&object, root, ret_regime, error);
}

static gboolean
global_u64 (KdKernel *kernel, const char *name, uint64_t *ret_value)
{
	KdKernelSymbol symbol;

	return kd_kernel_symbol (kernel, name, &symbol) &&
	       kd_kernel_read_u64 (kernel, symbol.addr, ret_value, NULL);
}

/*
 * An address without a slot that the guest has used: KVM keeps an entry that faults, with the
 * generation of the slots it was made under in the bits the mark leaves (is_mmio_spte() and
 * get_mmio_spte_generation(), arch/x86/kvm/mmu/spte.h). Bit 11 is that of present entries.
 */
static char *
entry_words (const KdObject *kvm, uint64_t entry)
{
	uint64_t mask, value, generation = 0;
	unsigned n = 0;

	if (!global_u64 (kvm->kernel, "shadow_mmio_mask", &mask) ||
		!(kd_object_has_member (kvm, "arch.shadow_mmio_value")
				? kd_object_member_u64 (kvm, "arch.shadow_mmio_value", &value, NULL)
				: global_u64 (kvm->kernel, "shadow_mmio_value", &value)) ||
		value == 0 || (entry & mask) != value)
		return NULL;
	for (unsigned bit = 3; bit <= 62; bit = bit == 10 ? 52 : bit + 1)
		if (!(mask >> bit & 1))
			generation |= (entry >> bit & 1) << n++;
	return g_strdup_printf ("MMIO, generation %" PRIu64, generation);
}

const KdKvmIsa kd_kvm_isa_x86_64 = {
	.arch = &kd_arch_x86_64,
	.saved_pc = saved_pc,
	.fault_class = fault_class,
	.describe = kd_vcpu_x86_describe,
	.second_stage = second_stage,
	.entry_words = entry_words,
};
