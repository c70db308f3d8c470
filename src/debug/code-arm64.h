/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "debug/unwind.h"

/*
 * What A64 code does to registers and the stack, followed instruction by instruction: for assembly,
 * which has no unwind rules, and for code whose rules are not at hand. Nothing is executed: memory
 * is read, and what is not known stays unknown.
 */
typedef enum {
	KD_CODE_RETURNS, /* at a RET: pc is where it goes */
	KD_CODE_ERETS,   /* at an ERET: pc is ELR if the code set it, else 0 */
	KD_CODE_UNKNOWN, /* jumps elsewhere, or too long */
} KdCodeOutcome;

typedef struct {
	KdRegSet regs;       /* pc 0: not known */
	unsigned return_reg; /* RETURNS: the register that held pc */
} KdCodeResult;

/*
 * Follows the code at image address `pc` to its end with the registers and the stack of `regs`.
 * Conditional branches are taken to fall through: whichever way a function goes, it leaves its
 * caller's registers as they were.
 */
KdCodeOutcome kd_code_arm64_forward (
	KdUnwind *unwind, const KdRegSet *regs, uint64_t pc, KdCodeResult *ret_result);

/*
 * Undoes the code from image address `entry` up to `pc` (which has not run): *ret_regs is what the
 * registers were at `entry`. FALSE: no straight way leads from `entry` to `pc` within `size` bytes.
 */
gboolean kd_code_arm64_backward (KdUnwind *unwind, const KdRegSet *regs, uint64_t entry,
	uint64_t size, uint64_t pc, KdRegSet *ret_regs);

/* KdUnwindIsa.by_code */
gboolean kd_code_arm64_step (KdUnwind *unwind, const KdUnwindFrame *from, KdRegSet *ret_next);
