/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "arch/arm64.h"
#include "kvm/kvm-isa.h"
#include "kvm/vcpu-arm64.h"

static gboolean
saved_pc (const KdObject *vcpu, uint64_t *ret_pc)
{
	static const char *const paths[] = {
		"arch.ctxt.regs.pc",         /* since 5.9 */
		"arch.ctxt.gp_regs.regs.pc", /* before */
	};

	for (size_t i = 0; i < G_N_ELEMENTS (paths); i++)
		if (kd_object_has_member (vcpu, paths[i]))
			return kd_object_member_u64 (vcpu, paths[i], ret_pc, NULL);
	return FALSE;
}

static const char *
fault_class (const KdObject *vcpu, uint64_t *ret_syndrome)
{
	uint64_t esr;

	if (!kd_object_has_member (vcpu, "arch.fault.esr_el2") ||
		!kd_object_member_u64 (vcpu, "arch.fault.esr_el2", &esr, NULL) || esr == 0)
		return NULL;
	*ret_syndrome = esr;
	return kd_arm64_exception_class (esr);
}

static gboolean
second_stage (const KdObject *kvm, const KdObject *vcpu, KdRegime *ret_regime, GError **error)
{
	uint64_t root, vtcr, address;
	KdObject mmu;

	if (!kd_object_member (kvm, "arch.mmu", &mmu, error))
		return FALSE;
	/* A vCPU that itself runs a hypervisor may be on shadow tables. */
	if (vcpu && kd_object_has_member (vcpu, "arch.hw_mmu")) {
		KdObject pointer;

		if (!kd_object_member (vcpu, "arch.hw_mmu", &pointer, error) ||
			!kd_object_u64 (&pointer, &address, error))
			return FALSE;
		if (address != 0 && !kd_object_deref (&pointer, &mmu, error))
			return FALSE;
	}
	/* 6.9, "KVM: arm64: Move VTCR into struct s2_mmu" */
	if (!kd_object_member_u64 (&mmu, "pgd_phys", &root, error) ||
		!(kd_object_has_member (&mmu, "vtcr")
				? kd_object_member_u64 (&mmu, "vtcr", &vtcr, error)
				: kd_object_member_u64 (kvm, "arch.vtcr", &vtcr, error)))
		return FALSE;
	if (root == 0) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND,
			"it has no stage 2 tables (struct kvm_s2_mmu at 0x%" PRIx64
			": pgd_phys is 0)",
			mmu.addr.value);
		return FALSE;
	}
	if (!kd_arm64_regime_from_vtcr (root, vtcr, ret_regime)) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_LAYOUT,
			"VTCR 0x%" PRIx64 " of its stage 2 tables is none that can be", vtcr);
		return FALSE;
	}
	return TRUE;
}

const KdKvmIsa kd_kvm_isa_arm64 = {
	.arch = &kd_arch_arm64,
	.saved_pc = saved_pc,
	.fault_class = fault_class,
	.describe = kd_vcpu_arm64_describe,
	.second_stage = second_stage,
};
