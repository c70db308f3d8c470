/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kvm/vcpu-state.h"

/* One vCPU that is being described, and where its registers are at this stop. */
typedef struct {
	const KdObject *vcpu; /* struct kvm_vcpu */
	KdVcpuState *state;
	KdTarget *target;
	unsigned cpu;        /* host CPU, when it is loaded on one */
	gboolean loaded;     /* between vcpu_load() and vcpu_put() */
	gboolean in_guest;   /* the CPU executes it: its general registers are the guest's */
	gboolean e2h;        /* the host kernel is at EL2 */
	gboolean el1_on_cpu; /* the EL1 registers of the CPU are the guest's */
	/* It just left the guest: the guest's pc and pstate are in ELR_EL2 and SPSR_EL2, all others
	 * are where they were. */
	gboolean in_vector;
	/* The CPU is in the assembly that moves the registers between guest and memory. */
	gboolean moving;
	uint64_t hcr; /* HCR_EL2 as KVM has it for this vCPU */
} KdArm64Vcpu;

/* KdKvmIsa.describe */
gboolean kd_vcpu_arm64_describe (
	const KdObject *vcpu, const KdVcpu *summary, KdVcpuState *state, GError **error);

/* Value of a CPU register while the vCPU is on a CPU; FALSE: the stub has none of that name. */
gboolean kd_vcpu_arm64_reg (const KdArm64Vcpu *vcpu, const char *name, uint64_t *ret_value);
/*
 * The guest's own NAME_EL1 or NAME_EL0 in the CPU, which at EL2 with E2H is under NAME_EL12 or
 * NAME_EL02.
 */
gboolean kd_vcpu_arm64_guest_reg (const KdArm64Vcpu *vcpu, const char *name, uint64_t *ret_value);
/*
 * Adds a value KVM has in memory as `memory`: with the CPU's, where `on_cpu` says that the CPU has
 * a newer one, which `reg` (NULL: not to be had) names. Returns what was added.
 */
JsonObject *kd_vcpu_arm64_add (const KdArm64Vcpu *vcpu, JsonObject *group, const char *name,
	uint64_t memory, gboolean on_cpu, const char *reg);

/* System registers by the names of the kernel's enum vcpu_sysreg. */
void kd_vcpu_arm64_add_sysregs (const KdArm64Vcpu *vcpu);
/* Value of one in memory by that name. */
gboolean kd_vcpu_arm64_sysreg (const KdObject *vcpu, const char *name, uint64_t *ret_value);

/* The interrupt controller's list registers and pending interrupts, and the timers. */
void kd_vcpu_arm64_add_vgic (const KdArm64Vcpu *vcpu);
void kd_vcpu_arm64_add_timers (const KdArm64Vcpu *vcpu);
