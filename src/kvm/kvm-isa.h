/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "kernel/object.h"
#include "kvm/kvm.h"

/*
 * What of a vCPU differs by instruction set: one record each, found by the architecture of the
 * machine, so that no caller needs to know. Members that one has none of are NULL.
 */
typedef struct {
	const KdArch *arch;

	/* Guest pc as saved at the last exit. FALSE: a layout not known here. */
	gboolean (*saved_pc) (const KdObject *vcpu, uint64_t *ret_pc);
	/* What the guest last left for, and the syndrome it is read from; NULL unknown. Static. */
	const char *(*fault_class) (const KdObject *vcpu, uint64_t *ret_syndrome);
	/*
	 * Groups and lists of the vCPU's state, as kvm/vcpu-state.h builds them, into
	 * `state`. What cannot be read is left out and said there; an error only where nothing can
	 * be.
	 */
	gboolean (*describe) (
		const KdObject *vcpu, const KdVcpu *summary, KdVcpuState *state, GError **error);
	/*
	 * Tables that map guest-physical addresses: those of `vcpu`, or of the VM where that is
	 * NULL. For KdArch.walk() and describe_leaf().
	 */
	gboolean (*second_stage) (
		const KdObject *kvm, const KdObject *vcpu, KdRegime *ret_regime, GError **error);
	/* What KVM means by an entry of these that maps nothing; a new string, or NULL. */
	char *(*entry_words) (const KdObject *kvm, uint64_t entry);
} KdKvmIsa;

extern const KdKvmIsa kd_kvm_isa_arm64;
extern const KdKvmIsa kd_kvm_isa_x86_64;

/* Never NULL: a record without functions for an instruction set that has none here. */
const KdKvmIsa *kd_kvm_isa (KdKernel *kernel);
