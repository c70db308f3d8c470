/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "arch/flow.h"

/*
 * What is known at one instruction of a function, whichever way led there from the first: values
 * by where they came from, and the locks held. Nothing is executed; a value is a number, or what
 * some place defined (a register as the function was entered, what an instruction left in one, what
 * ways that meet had in one) plus a number.
 */
typedef struct {
	uint32_t base; /* KD_FLOW_NUMBER, KD_FLOW_UNKNOWN, or a place */
	int64_t offset;
} KdFlowValue;

#define KD_FLOW_NUMBER 0
#define KD_FLOW_UNKNOWN UINT32_MAX
#define KD_FLOW_ENTRY(reg) (1 + (uint32_t)(reg))
#define KD_FLOW_DEFINED(insn, reg) (((uint32_t)(insn) + 1) * 128 + (uint32_t)(reg))
#define KD_FLOW_MET(insn, reg) (((uint32_t)(insn) + 1) * 128 + 64 + (uint32_t)(reg))

#define KD_LOCKS_MAX 8
#define KD_LOCK_SLOTS_MAX 40
#define KD_LOCK_TRIES_MAX 4
#define KD_LOCK_LOADS_MAX 8

typedef struct {
	KdFlowValue lock;
	uint64_t taken_at; /* the instruction */
	/* Something was given back since that may be this one. */
	gboolean has_doubt;
	KdFlowValue doubt;
	/* Functions were called since of which it is not known that they leave locks alone. */
	gboolean called;
	/* Where in memory its base was, and is, if nothing wrote there since. */
	gboolean has_pointer;
	KdFlowValue pointer;
	uint64_t given_back_at; /* kd_lock_flow() only: by what comes then; 0: nowhere */
} KdHeldLock;

/* A lock that is taken if a word that was read is (not) zero, and how far that is known. */
typedef enum {
	KD_TRY_LOADED,      /* the word was read */
	KD_TRY_ZERO,        /* … and is zero */
	KD_TRY_STORED,      /* … and was written, if `status` is zero */
	KD_TRY_IF_ZERO,     /* held if it was zero */
	KD_TRY_IF_NOT_ZERO, /* held if what a function returned is not zero */
} KdTryState;

typedef struct {
	KdTryState state;
	KdFlowValue lock;
	uint32_t word, status; /* KdFlowValue.base of them */
	uint64_t at;
	gboolean has_pointer; /* as above */
	KdFlowValue pointer;
} KdLockTry;

typedef struct {
	int64_t offset; /* from the stack pointer at the function's entry */
	KdFlowValue value;
} KdLockSlot;

typedef struct {
	uint32_t base; /* of what was loaded */
	KdFlowValue place;
} KdLockLoad;

typedef struct {
	KdFlowValue regs[KD_FLOW_REGS_MAX];
	KdFlowValue flags; /* what they say is zero or not */
	KdLockSlot slots[KD_LOCK_SLOTS_MAX];
	unsigned nr_slots;
	int64_t escaped; /* memory of the frame from here up may be written by others */
	KdHeldLock held[KD_LOCKS_MAX];
	unsigned nr_held;
	/* Given back and not taken here: all, if `any_released`. */
	KdFlowValue released[KD_LOCKS_MAX];
	unsigned nr_released;
	gboolean any_released;
	KdLockLoad loads[KD_LOCK_LOADS_MAX]; /* the last ones */
	unsigned nr_loads;
	KdLockTry tries[KD_LOCK_TRIES_MAX];
	unsigned nr_tries;
} KdLockState;

gboolean kd_flow_value_equal (KdFlowValue a, KdFlowValue b);
/* They cannot be the same number; `stack` is KD_FLOW_ENTRY() of the stack pointer. */
gboolean kd_flow_value_differ (KdFlowValue a, KdFlowValue b, uint32_t stack);
KdFlowValue kd_flow_value_add (KdFlowValue value, int64_t offset);

/* At the first instruction of a function. */
void kd_lock_state_init (KdLockState *state);
/* What was defined there is defined again: what else came from it is not known any more. */
void kd_lock_state_forget (KdLockState *state, uint32_t base);
/* Among those held; NULL: it is not. */
const KdHeldLock *kd_lock_state_find (const KdLockState *state, KdFlowValue lock);
/* `base` was loaded from there. */
void kd_lock_state_load (KdLockState *state, uint32_t base, KdFlowValue place);
/* `pointer`: where in memory the lock's base is; NULL: where it was loaded from, if it was. */
void kd_lock_state_take (
	KdLockState *state, KdFlowValue lock, const KdFlowValue *pointer, uint64_t at);
void kd_lock_state_release (KdLockState *state, KdFlowValue lock, unsigned sp);
void kd_lock_state_try (KdLockState *state, const KdLockTry *try);
/* The value is zero, or is not. */
void kd_lock_state_learn (KdLockState *state, KdFlowValue value, gboolean is_zero);
gboolean kd_lock_state_equal (const KdLockState *a, const KdLockState *b);
/*
 * What holds at instruction `insn`, to which several ways lead: what all of `ways` have. A register
 * that has another value on each has a new one, its own there.
 *
 * First only values: names of values come and go until all ways are known, and what was said of
 * locks by a name that is none any more would stay. Then, with the values found (`values`, NULL
 * first), the locks. `kept`: a register that once had a value of its own here, in that state, has
 * it for good; NULL: none does.
 */
void kd_lock_state_meet (KdLockState *const *ways, unsigned nr_ways, unsigned insn,
	const KdLockState *values, const KdLockState *kept, KdLockState *ret_state);
