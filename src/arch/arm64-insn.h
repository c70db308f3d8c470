/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * The A64 instructions that tell where a function came from and where its registers are: branches,
 * moves of the stack pointer, saving and loading of general registers. Arm ARM C4.1.
 */
typedef enum {
	KD_ARM64_OTHER,        /* `writes` holds what it may change */
	KD_ARM64_B,            /* target */
	KD_ARM64_BL,           /* target */
	KD_ARM64_BRANCH_MAYBE, /* B.cond, CBZ, TBZ and their like: target */
	KD_ARM64_BR,           /* rn */
	KD_ARM64_BLR,          /* rn */
	KD_ARM64_RET,          /* rn */
	KD_ARM64_ERET,
	KD_ARM64_HVC,
	KD_ARM64_ADD,     /* rd = rn + imm; 31 is SP; also MOV to and from SP, and SUB */
	KD_ARM64_ADD_REG, /* rd = rn + rm; 31 is SP for rd and rn */
	KD_ARM64_SUB_REG, /* rd = rn - rm */
	KD_ARM64_MOV,     /* rd = rm; 31 is zero */
	KD_ARM64_STORE,   /* rt [, rt2] at rn + imm, 64 bits each; 31 is zero */
	KD_ARM64_LOAD,
	KD_ARM64_MSR, /* sysreg = rt */
	KD_ARM64_MRS, /* rt = sysreg */
} KdArm64Kind;

typedef enum {
	KD_ARM64_OFFSET,     /* base stays */
	KD_ARM64_PRE_INDEX,  /* base += imm, then access at base */
	KD_ARM64_POST_INDEX, /* access at base, then base += imm */
} KdArm64Index;

/* (op0, op1, CRn, CRm, op2) as in bits 20:5 of MSR and MRS. */
#define KD_ARM64_SYSREG(op0, op1, crn, crm, op2)                                                   \
	((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define KD_ARM64_SP_EL0 KD_ARM64_SYSREG (3, 0, 4, 1, 0)
#define KD_ARM64_SPSR_EL1 KD_ARM64_SYSREG (3, 0, 4, 0, 0)
#define KD_ARM64_ELR_EL1 KD_ARM64_SYSREG (3, 0, 4, 0, 1)
#define KD_ARM64_SPSR_EL2 KD_ARM64_SYSREG (3, 4, 4, 0, 0)
#define KD_ARM64_ELR_EL2 KD_ARM64_SYSREG (3, 4, 4, 0, 1)

#define KD_ARM64_NO_REG 255

typedef struct {
	KdArm64Kind kind;
	uint8_t rd, rn, rm; /* rd is also rt */
	uint8_t rt2;        /* KD_ARM64_NO_REG: one register */
	KdArm64Index index;
	int64_t imm;
	uint64_t target;
	unsigned sysreg;
	uint32_t writes; /* general registers that change, bit 31: SP */
} KdArm64Insn;

/* Never fails: what is not known is OTHER with all it could change in `writes`. */
void kd_arm64_decode (uint32_t insn, uint64_t addr, KdArm64Insn *ret_insn);

/* See KdArch.relocate and KdArch.veneer_target. */
gboolean kd_arm64_relocate (
	uint32_t type, uint8_t *bytes, size_t len, uint64_t place, uint64_t value);
gboolean kd_arm64_veneer_target (
	const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_target);
/* See KdArch.callback_insn. */
gboolean kd_arm64_callback_insn (const uint8_t *now, const uint8_t *file);
/* See KdArch.const_at: MOVZ and three MOVK, LSR, or UBFX from bit 0. */
gboolean kd_arm64_const_at (
	const uint8_t *now, const uint8_t *file, size_t len, uint64_t *ret_value);

/*
 * The addresses that code names by itself (ADRP and what adds to it), as far as that is seen
 * without following branches: how many of at most `max`. Some may be none that it uses.
 */
unsigned kd_arm64_data_refs (
	const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_refs, unsigned max);

/* See KdArch.disassemble_more: Arm ARM C3.2.12 to C3.2.14, atomics of FEAT_LSE. */
char *kd_arm64_atomic_to_string (const uint8_t *code, size_t len);
