/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * What instructions do to values that can be followed through a function: copies, sums with a
 * number, loads and stores by a register and a number, and the ways on from them. An instruction is
 * a few such operations, one after the other, and then a way on. Registers have DWARF numbers.
 */
#define KD_FLOW_NO_REG 255
#define KD_FLOW_OPS_MAX 4
#define KD_FLOW_REGS_MAX 33

typedef enum {
	KD_FLOW_CHANGE, /* each register of `mask` becomes something else */
	KD_FLOW_SET,    /* rd = imm */
	KD_FLOW_ADD,    /* rd = rn + imm; also a copy */
	KD_FLOW_COPY32, /* rd = the low 32 bits of rn */
	KD_FLOW_XOR32,  /* rd = rn ^ rm, 32 bits */
	KD_FLOW_LOAD,   /* rd = 64 bits at rn + imm */
	/* `bytes` at rn + imm = rd; rd none: zero, or something unknown (`unknown`). */
	KD_FLOW_STORE,
	/* Compares 32 bits at rn with rd, stores rm there if they are equal; rd = what was there.
	 * Acquires. */
	KD_FLOW_SWAP,
	KD_FLOW_LOAD_EXCLUSIVE,  /* rd = 32 bits at rn */
	KD_FLOW_STORE_EXCLUSIVE, /* 32 bits at rn = rm, or not; rd = 0 if they are */
	KD_FLOW_TEST,            /* the flags say whether rn is zero */
	KD_FLOW_NO_FLAGS,        /* they say something else */
} KdFlowKind;

typedef struct {
	KdFlowKind kind;
	uint8_t rd, rn, rm; /* KD_FLOW_NO_REG: none; as a base: zero */
	uint8_t bytes;
	gboolean unknown;
	gboolean releases; /* a store that nothing before it may be seen after */
	int64_t imm;
	uint64_t mask;
} KdFlowOp;

typedef enum {
	KD_FLOW_FALL,     /* the next instruction */
	KD_FLOW_JUMP,     /* `target` */
	KD_FLOW_BRANCH,   /* `target` or the next */
	KD_FLOW_CALL,     /* the next, behind a call of `target` (0: not known) */
	KD_FLOW_INDIRECT, /* where `reg` says (none: memory) */
	KD_FLOW_STOP,     /* a return */
} KdFlowEnd;

typedef enum {
	KD_FLOW_TEST_NONE,
	KD_FLOW_TEST_ZERO,     /* a BRANCH is taken if the tested value is zero */
	KD_FLOW_TEST_NOT_ZERO, /* … if it is not */
} KdFlowTest;

typedef struct {
	unsigned size;
	unsigned nr_ops;
	KdFlowOp ops[KD_FLOW_OPS_MAX];
	KdFlowEnd end;
	uint64_t target;
	KdFlowTest test;
	uint8_t reg; /* tested; KD_FLOW_NO_REG: the flags are */
} KdFlowInsn;

typedef struct KdFlow KdFlow;
struct KdFlow {
	unsigned sp, first_arg, result;
	uint64_t call_changes; /* registers */
	uint64_t callee_saved; /* registers */
	/* FALSE: no instruction. What is not known is a CHANGE of all it may write. */
	gboolean (*decode) (const uint8_t *code, size_t len, uint64_t addr, KdFlowInsn *ret_insn);
};

extern const KdFlow kd_arm64_flow, kd_x86_64_flow;
