/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kvm/vcpu-state.h"

/* What the files on one x86 vCPU share. */
typedef struct {
	KdKernel *kernel;
	const KdObject *vcpu; /* struct kvm_vcpu */
	KdVcpuState *state;
	gboolean loaded, in_guest;
	unsigned cpu; /* with loaded */
} KdX86Vcpu;

/*
 * How a member is told: what it says in words (new string; NULL: nothing), the register of the CPU
 * that has it while the guest runs (NULL: none), and whether the CPU changes memory's copy of it
 * meanwhile. Rows end with a NULL name.
 */
typedef struct {
	const char *name;
	char *(*words) (uint64_t value);
	const char *bits; /* instead of words: kd_x86_64_bits_to_string()'s register */
	const char *reg;
	gboolean moves;
} KdX86Field;

/* Value of a register of the CPU it is loaded on, where that is the guest's now. */
gboolean kd_x86_vcpu_guest_reg (const KdX86Vcpu *vcpu, const char *name, uint64_t *ret_value);

/* A value, with what `row` (may be NULL) has to say of it. `on_cpu`: the CPU may have a newer one.
 */
void kd_x86_vcpu_add (const KdX86Vcpu *vcpu, JsonObject *group, const char *name, uint64_t value,
	const KdX86Field *row, gboolean on_cpu);

/*
 * All members of a structure that hold numbers, down through structures inside it
 * ("nested.ctl.asid") and small arrays; reserved ones are left out. `skip`: names not wanted, ends
 * with NULL.
 */
void kd_x86_vcpu_add_struct (const KdX86Vcpu *vcpu, JsonObject *group, const KdObject *object,
	const KdX86Field *rows, const char *const *skip, gboolean on_cpu);
/* One member by path, where there is one. FALSE: there is none, or it is not to be read. */
gboolean kd_x86_vcpu_add_path (const KdX86Vcpu *vcpu, JsonObject *group, const KdObject *object,
	const char *path, const KdX86Field *rows, gboolean on_cpu);

/* Groups of the two kinds of hardware; the vCPU is the first member of either structure. */
void kd_vcpu_svm_describe (const KdX86Vcpu *vcpu);
void kd_vcpu_vmx_describe (const KdX86Vcpu *vcpu);
/* Why it last left the guest; NULL: not known. Static. */
const char *kd_vcpu_svm_last_exit (const KdObject *vcpu, uint64_t *ret_code);
const char *kd_vcpu_vmx_last_exit (const KdObject *vcpu, uint64_t *ret_reason);

gboolean kd_vcpu_x86_describe (
	const KdObject *vcpu, const KdVcpu *summary, KdVcpuState *state, GError **error);
/* Where struct kvm_vcpu keeps the guest's general register `name`, or "rip": a path, new string;
 * NULL: it has none. */
char *kd_vcpu_x86_reg_path (const KdObject *vcpu, const char *name);
/* TRUE: VMX; FALSE: SVM, or neither is known. */
gboolean kd_vcpu_x86_is_vmx (KdKernel *kernel);
