/* SPDX-License-Identifier: GPL-2.0-or-later */
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

const KdKvmIsa kd_kvm_isa_arm64 = {
	.arch = &kd_arch_arm64,
	.saved_pc = saved_pc,
	.fault_class = fault_class,
	.describe = kd_vcpu_arm64_describe,
};
