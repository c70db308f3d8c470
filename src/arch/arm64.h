/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "arch/arch.h"

/* KdRegime.flags: 52-bit addresses with 4K and 16K pages (FEAT_LPA2, TCR.DS). */
#define KD_ARM64_REGIME_LPA2 (1ULL << 0)

/*
 * A regime from TTBRx and TCR_ELx. `one_half`: TCR_EL2 without E2H, which has one half and its
 * fields elsewhere. FALSE: reserved granule, size out of range, or walks of that half are off
 * (EPD).
 */
gboolean kd_arm64_regime_from_tcr (
	uint64_t ttbr, uint64_t tcr, gboolean upper, gboolean one_half, KdRegime *ret_regime);

/* KdArch.walk and KdArch.describe_leaf: VMSAv8-64 stage 1, Arm ARM D8. */
void kd_arm64_walk (
	const KdRegime *regime, uint64_t va, KdPhysReadFunc read, void *data, KdWalk *ret_walk);
char *kd_arm64_describe_leaf (const KdRegime *regime, const KdWalk *walk);

extern const KdArchLinux kd_arm64_linux;

/*
 * Name of ESR_ELx's exception class as the Arm ARM's table of EC has it ("SVC (AArch64)", "data
 * abort from a lower level"); NULL for one that is unallocated. Static.
 */
const char *kd_arm64_exception_class (uint64_t esr);
