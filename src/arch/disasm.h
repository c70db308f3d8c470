/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "arch/arch.h"

/*
 * The instruction at the start of `code`, which lies at `addr`, in the assembler's words. New
 * string; NULL: it is none. *ret_len, where not NULL, is set to its bytes. Cheap: what capstone
 * needs is kept for each thread.
 */
char *kd_disassemble (
	const KdArch *arch, const uint8_t *code, size_t len, uint64_t addr, size_t *ret_len);

/* What the instruction that kd_disassemble() wrote is to someone who steps. */
KdInsnKind kd_insn_kind (const KdArch *arch, const char *insn);
