/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/kvm-isa.h"

const KdKvmIsa *
kd_kvm_isa (KdKernel *kernel)
{
	static const KdKvmIsa none;
	static const KdKvmIsa *const all[] = {&kd_kvm_isa_arm64, &kd_kvm_isa_x86_64};
	const KdArch *arch = kd_target_arch (kd_kernel_target (kernel));

	for (size_t i = 0; i < G_N_ELEMENTS (all); i++)
		if (all[i]->arch == arch)
			return all[i];
	return &none;
}
