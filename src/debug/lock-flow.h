/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "debug/lock-state.h"

/*
 * Which locks a function holds at one of its instructions, by its code: all ways from its first
 * instruction to that one are followed together, so that what is said holds on each of them.
 */
typedef enum {
	KD_LOCK_TAKES,
	KD_LOCK_TRIES, /* returns not zero if it took it */
	KD_LOCK_RELEASES,
} KdLockEffect;

/* What a called function does to a lock. */
typedef struct {
	KdLockEffect effect;
	gboolean of_result; /* the lock is at what it returns, not at its first argument */
	int64_t offset;     /* plus this */
	/* What it returns is in memory too: at its first argument plus this. */
	gboolean has_pointer;
	int64_t pointer_offset;
} KdLockCall;

typedef struct {
	/* The code as it is now; FALSE: not there. */
	gboolean (*read) (void *data, uint64_t addr, void *buf, size_t len);
	/* TRUE: code at `addr`, outside of the function's first part, is of the function too. */
	gboolean (*is_part) (void *data, uint64_t addr);
	/* What a call of `target` does to a lock; FALSE: nothing that is known. */
	gboolean (*lock_call) (void *data, uint64_t target, KdLockCall *ret_call);
	/* TRUE: a call of `target` leaves all registers as they are (a tracer's). */
	gboolean (*keeps_registers) (void *data, uint64_t target);
	/* A byte that is written with release may give a lock back: that is inlined. */
	gboolean byte_releases;
} KdLockFlowOps;

/*
 * What is known at `pc` in the function of `size` bytes at `entry`. Not `live`: `pc` is a return
 * address, and the call in front of it is running; its registers are those before it. FALSE: no way
 * leads there, or the function is longer or more involved than is followed.
 */
gboolean kd_lock_flow (const KdFlow *flow, const KdLockFlowOps *ops, void *data, uint64_t entry,
	uint64_t size, uint64_t pc, gboolean live, KdLockState *ret_state);
