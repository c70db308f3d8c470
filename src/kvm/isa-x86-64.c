/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/x86-64.h"
#include "kvm/kvm-isa.h"

static gboolean
saved_pc (const KdObject *vcpu, uint64_t *ret_pc)
{
	/* VCPU_REGS_RIP */
	return kd_object_has_member (vcpu, "arch.regs") &&
	       kd_object_member_u64 (vcpu, "arch.regs[16]", ret_pc, NULL);
}

const KdKvmIsa kd_kvm_isa_x86_64 = {
	.arch = &kd_arch_x86_64,
	.saved_pc = saved_pc,
};
