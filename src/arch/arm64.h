/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "arch/arch.h"

/* KdRegime.flags: 52-bit addresses with 4K and 16K pages (FEAT_LPA2, TCR.DS). */
#define KD_ARM64_REGIME_LPA2 (1ULL << 0)
/* Tables of stage 2: the level they start at is told, since the first may be up to 16 in a row. */
#define KD_ARM64_REGIME_STAGE2 (1ULL << 1)
#define KD_ARM64_REGIME_START_SHIFT 8
#define KD_ARM64_REGIME_START_LEVEL(flags) ((int)((flags) >> KD_ARM64_REGIME_START_SHIFT & 7) - 1)

/*
 * A regime from TTBRx and TCR_ELx. `one_half`: TCR_EL2 without E2H, which has one half and its
 * fields elsewhere. FALSE: reserved granule, size out of range, or walks of that half are off
 * (EPD).
 */
gboolean kd_arm64_regime_from_tcr (
	uint64_t ttbr, uint64_t tcr, gboolean upper, gboolean one_half, KdRegime *ret_regime);

/*
 * Stage 2 from its root table and VTCR_EL2. FALSE: reserved granule, or a size that tables from
 * the level it names cannot resolve.
 */
gboolean kd_arm64_regime_from_vtcr (uint64_t root, uint64_t vtcr, KdRegime *ret_regime);

/* KdArch.walk and KdArch.describe_leaf: VMSAv8-64 stage 1 and stage 2, Arm ARM D8. */
void kd_arm64_walk (
	const KdRegime *regime, uint64_t va, KdPhysReadFunc read, void *data, KdWalk *ret_walk);
char *kd_arm64_describe_leaf (const KdRegime *regime, const KdWalk *walk);

extern const KdArchLinux kd_arm64_linux;

/*
 * Name of ESR_ELx's exception class as the Arm ARM's table of EC has it ("SVC (AArch64)", "data
 * abort from a lower level"); NULL for one that is unallocated. Static.
 */
const char *kd_arm64_exception_class (uint64_t esr);
/*
 * The whole of ESR_ELx: "data abort from a lower level: write, translation fault, level 2, 4 bytes,
 * w3". New string.
 */
char *kd_arm64_syndrome_to_string (uint64_t esr);
/* The guest-physical address that an abort from a lower level was for; FALSE: none is known. */
gboolean kd_arm64_fault_ipa (uint64_t esr, uint64_t far, uint64_t hpfar, uint64_t *ret_ipa);
/*
 * Bits of a register by its name; "CPTR_EL2 (E2H)", and so with SCTLR, TCR and CNTHCTL, for its
 * layout with HCR_EL2.E2H; "PSTATE" and "PSTATE (AArch32)", of any SPSR too. NULL: no such register
 * here.
 */
const KdBitField *kd_arm64_bits (const char *reg);
/*
 * Names of its set bits: "VM|IMO|BSU=1", "0x…" for what has no name. New string; NULL: as above.
 */
char *kd_arm64_bits_to_string (const char *reg, uint64_t value);
/*
 * A guest's stage 1 and 2 are loaded, by HCR_EL2. VHE: TGE is clear only then. nVHE: pKVM gives its
 * host a stage 2 too, but takes interrupts at EL2 for a guest only (kvm_arm.h, HCR_GUEST_FLAGS).
 */
gboolean kd_arm64_is_guest_loaded (uint64_t hcr);

extern const KdSysregs kd_arm64_sysregs;
