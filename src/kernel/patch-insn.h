/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/* One instruction, as far as it matters to someone who asks how it was patched. */
typedef struct {
	char *text; /* NULL: none */
	uint64_t addr;
	size_t len;
	const uint8_t *code;
	gboolean is_nop, is_break, is_return, is_fence;
	gboolean is_jump, is_call; /* to `target` */
	gboolean is_indirect;      /* jump or call */
	uint64_t target;
	uint64_t operand; /* address of memory that it names by itself; 0: none */
} KdPatchInsn;

void kd_patch_insn_clear (KdPatchInsn *insn);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdPatchInsn, kd_patch_insn_clear)

/* The instruction at the start of `code`, which is borrowed. FALSE: there is none. */
gboolean kd_patch_insn_init (
	KdPatchInsn *insn, const KdArch *arch, const uint8_t *code, size_t len, uint64_t addr);
/*
 * TRUE: they do the same, though one was moved: by the same text, where `want` may name addresses
 * of the image as it was linked, `offset` below.
 */
gboolean kd_patch_insn_equal (const KdPatchInsn *now, const KdPatchInsn *want, uint64_t offset);
