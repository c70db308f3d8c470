/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "arch/arch.h"

/* The monitor's name for what the stub does not have. */
#define KD_X86_64_IDT_BASE "idt_base"

/* KdRegime.flags: what is translated are guest-physical addresses (nested paging). */
#define KD_X86_64_REGIME_NESTED (1ULL << 0)
/* EFER.NXE is clear: bit 63 of an entry is reserved. */
#define KD_X86_64_REGIME_NO_NX (1ULL << 1)
/* With NESTED: the tables are EPT's, SDM 3C 29.3. */
#define KD_X86_64_REGIME_EPT (1ULL << 2)
/* With EPT: the CPU keeps no accessed and dirty bits (bit 6 of the EPTP is clear). */
#define KD_X86_64_REGIME_EPT_NO_AD (1ULL << 3)

/* KdArch.walk and KdArch.describe_leaf: 4- and 5-level paging, SDM 3A 4.5. */
void kd_x86_64_walk (
	const KdRegime *regime, uint64_t va, KdPhysReadFunc read, void *data, KdWalk *ret_walk);
char *kd_x86_64_describe_leaf (const KdRegime *regime, const KdWalk *walk);

/*
 * The tables of SVM's nested paging, whose root a VMCB has as nCR3 (APM 2, 15.25.5): the host's
 * format, and as many levels as the host's own tables have.
 */
KdRegime kd_x86_64_nested_regime (uint64_t ncr3, const KdRegime *host);

/* Of EPT, whose number of levels the EPTP has: its own, whatever the host's tables have. */
KdRegime kd_x86_64_ept_regime (uint64_t root, unsigned levels, gboolean ad, const KdRegime *host);

/* The call that returns to `return_addr` and the jump at `addr`: see KdArch. */
void kd_x86_64_call_before (
	const uint8_t code[KD_CALL_BYTES_MAX], uint64_t return_addr, KdCall *ret_call);
gboolean kd_x86_64_jump_at (const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_target);
gboolean kd_x86_64_branch_at (const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_target);
gboolean kd_x86_64_indirect_jump_at (const uint8_t *code, size_t len);
gboolean kd_x86_64_nop_at (const uint8_t *code, size_t len);
gboolean kd_x86_64_relocate (
	uint32_t type, uint8_t *bytes, size_t len, uint64_t place, uint64_t value);
gboolean kd_x86_64_const_at (
	const uint8_t *now, const uint8_t *file, size_t len, uint64_t *ret_value);
gboolean kd_x86_64_far_jump_before (const uint8_t code[KD_CALL_BYTES_MAX]);

/* --- words for numbers; new strings --- */
/*
 * Names of the bits of "CR0", "CR3", "CR4", "CR8", "EFER", "RFLAGS", "DR6", "DR7", "SELECTOR" (any
 * segment's), "PF_ERROR" (also an NPF's EXITINFO1), "SVM_EVENT" (EVENTINJ, EXITINTINFO),
 * "SVM_INT_CTL", "SVM_INT_STATE", "SVM_NESTED_CTL", "SVM_VIRT_EXT", "VMX_INTR_INFO",
 * "VMX_EPT_VIOLATION". NULL: no such register here.
 */
char *kd_x86_64_bits_to_string (const char *reg, uint64_t value);
/* The same bits themselves; NULL: as above. */
const KdBitField *kd_x86_64_bits (const char *reg);
/* "#PF"; NULL: none of that number. Static. */
const char *kd_x86_64_exception_name (unsigned vector);
/* "NPF", "WRITE_CR0"; NULL: not known here. */
char *kd_svm_exit_to_string (uint64_t code);
char *kd_vmx_exit_to_string (uint64_t reason);
/* What an exit qualification says for that reason; NULL: nothing that is known here. */
char *kd_vmx_qualification_to_string (uint64_t reason, uint64_t qualification);

extern const KdArchLinux kd_x86_64_linux;
extern const KdSysregs kd_x86_64_sysregs;
