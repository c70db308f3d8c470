/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/kvm-isa.h"

#include "arch/arm64.h"

gboolean
kd_kvm_isa_saved_pc (const KdObject *vcpu, uint64_t *ret_pc)
{
	static const char *const paths[] = {
		"arch.ctxt.regs.pc",         /* arm64 since 5.9 */
		"arch.ctxt.gp_regs.regs.pc", /* arm64 before */
		"arch.regs[16]",             /* x86: VCPU_REGS_RIP */
	};

	for (size_t i = 0; i < G_N_ELEMENTS (paths); i++)
		if (kd_object_has_member (vcpu, paths[i]))
			return kd_object_member_u64 (vcpu, paths[i], ret_pc, NULL);
	return FALSE;
}

const char *
kd_kvm_isa_fault_class (const KdObject *vcpu, uint64_t *ret_syndrome)
{
	uint64_t esr;

	if (!kd_object_has_member (vcpu, "arch.fault.esr_el2") ||
		!kd_object_member_u64 (vcpu, "arch.fault.esr_el2", &esr, NULL) || esr == 0)
		return NULL;
	*ret_syndrome = esr;
	return kd_arm64_exception_class (esr);
}
