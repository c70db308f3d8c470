/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "debug/lock-flow.h"

/* The instructions of one function, and what is known in front of each: lock-flow.h's own. */
typedef struct KdLockCode KdLockCode;

/* From an instruction, by falling on or by a jump; what is known on it is counted, and shared. */
typedef struct {
	unsigned from;
	gboolean jumped;
	KdLockState *state;
} KdLockWay;

typedef struct {
	uint64_t addr;
	KdFlowInsn flow;
	GArray *ways;        /* of KdLockWay: those that lead here; NULL: none is known */
	KdLockState *state;  /* in front of it: what they have in common */
	KdLockState *values; /* the same, as far as it was found first */
	gboolean waiting;    /* to be gone through again */
} KdLockInsn;

struct KdLockCode {
	const KdFlow *flow;
	const KdLockFlowOps *ops;
	void *data;
	uint64_t entry, size;
	GArray *insns;     /* of KdLockInsn */
	GHashTable *index; /* address → its place + 1 */
	unsigned nr_ways;  /* compared */
	gboolean settles;  /* names of values are not taken back any more */
	gboolean too_long;
};

/* Ends what kd_lock_code_init() began. */
void kd_lock_code_init (KdLockCode *code, const KdFlow *flow, const KdLockFlowOps *ops, void *data,
	uint64_t entry, uint64_t size);
void kd_lock_code_clear (KdLockCode *code);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdLockCode, kd_lock_code_clear)

static inline KdLockInsn *
kd_lock_code_at (const KdLockCode *code, unsigned i)
{
	return &g_array_index (code->insns, KdLockInsn, i);
}

gboolean kd_lock_code_find (const KdLockCode *code, uint64_t addr, unsigned *ret_index);
/* All instructions that direct ways from `start` lead to. */
void kd_lock_code_add (KdLockCode *code, uint64_t start);
/* What only a table's jump leads to: one instruction behind the other. */
void kd_lock_code_add_all (KdLockCode *code);
/*
 * The instructions (unsigned) in an order in which each comes, but in loops, behind all that lead
 * to it.
 */
void kd_lock_code_order (const KdLockCode *code, GArray *order);

void kd_lock_insn_clear_ways (KdLockInsn *insn);
/* Where it leads, by itself: how many. The next instruction first. */
unsigned kd_lock_insn_next (const KdLockInsn *insn, uint64_t ret_next[2]);
/* What it calls does that to a lock; FALSE: none. */
gboolean kd_lock_insn_call (const KdLockCode *code, const KdLockInsn *insn, KdLockCall *ret_call);
/* The value of what it gives back, in front of it; FALSE: it gives none back. */
gboolean kd_lock_insn_releases (const KdLockCode *code, const KdLockInsn *insn,
	const KdLockState *state, KdFlowValue *ret_lock);
/* What instruction `i` does, its way on apart. */
void kd_lock_insn_apply (const KdLockCode *code, KdLockState *state, unsigned i);

/* A register's value; a register that is none: zero. */
KdFlowValue kd_lock_state_reg (const KdLockState *state, unsigned reg);
/* TRUE: the value is what an operation of that kind left. */
gboolean kd_lock_code_made_by (
	const KdLockCode *code, KdFlowValue value, KdFlowKind a, KdFlowKind b);
