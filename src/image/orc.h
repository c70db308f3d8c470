/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "image/image.h"

/*
 * ORC, the kernel's own unwind rules (arch/x86/include/asm/orc_types.h): a sorted table of code
 * addresses and, beside it, one rule each. It works on bytes that the caller has: of a file, or of
 * memory.
 */

/* Where a rule counts from: ORC_REG_*, whose numbers are not the same in all kernels. */
typedef enum {
	KD_ORC_REG_UNDEFINED,
	KD_ORC_REG_PREV_SP,
	KD_ORC_REG_DX,
	KD_ORC_REG_DI,
	KD_ORC_REG_BP,
	KD_ORC_REG_SP,
	KD_ORC_REG_R10,
	KD_ORC_REG_R13,
	KD_ORC_REG_BP_INDIRECT,
	KD_ORC_REG_SP_INDIRECT,
	KD_ORC_REG_UNKNOWN, /* a number that is nobody's */
} KdOrcReg;

typedef enum {
	KD_ORC_UNDEFINED,    /* objtool could not tell */
	KD_ORC_END,          /* nothing calls this */
	KD_ORC_CALL,         /* a function's frame */
	KD_ORC_REGS,         /* struct pt_regs lies where the stack would go on */
	KD_ORC_REGS_PARTIAL, /* only what the CPU pushes at an exception does */
} KdOrcKind;

typedef struct {
	KdOrcKind kind;
	KdOrcReg sp_reg, bp_reg;
	int16_t sp_offset, bp_offset;
	gboolean signal; /* what lies above was interrupted, not called */
} KdOrcEntry;

#define KD_ORC_IP_SIZE 4
#define KD_ORC_ENTRY_SIZE 6

/*
 * How the bits behind the registers are laid out: changed in 6.4 ("x86,orc: Introduce
 * ORC_TYPE_UNDEFINED"). A bit of -1 is not there.
 */
typedef struct {
	unsigned type_shift, type_bits; /* in the last 16 bits of an entry */
	int signal_bit, end_bit;
} KdOrcLayout;

/*
 * By the members of struct orc_entry; without types (`types` NULL, or has none such) by whether
 * there is an `.orc_header`, which came right after the change.
 */
KdOrcLayout kd_orc_layout (KdImage *types, gboolean has_header);

typedef struct {
	const uint8_t *ips, *entries;
	size_t nr;
	uint64_t ips_addr; /* where ips[] lies: they are relative to their own places */
	KdOrcLayout layout;
	const KdOrcReg *regs; /* by number, 16 */
} KdOrcTable;

/*
 * How the registers are numbered is told by the rules themselves. Borrows both. BAD_INFO: the
 * tables are of different lengths, or addresses out of order; the message says where.
 */
gboolean kd_orc_init (KdOrcTable *table, const void *ips, size_t ips_len, const void *entries,
	size_t entries_len, uint64_t ips_addr, const KdOrcLayout *layout, GError **error);

/* The rule for `pc`. FALSE: it lies before the first. */
gboolean kd_orc_find (const KdOrcTable *table, uint64_t pc, KdOrcEntry *ret_entry);
