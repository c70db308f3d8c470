/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "debug/backtrace.h"

/* A frame that holds a lock, proven by its function's code (lock-flow.h). */
typedef struct {
	unsigned cpu;
	unsigned frame; /* KdFrame.n */
	char *function; /* as the frame names it */
	uint64_t function_addr;
	uint64_t pc;            /* of the frame */
	uint64_t taken_at;      /* the instruction that took the lock */
	uint64_t given_back_at; /* what will give it back; 0: nothing that is seen */
	gboolean by_memory;     /* the lock's address is read where the code had read it */
	char *argument;         /* where the lock's address came from, in words */
} KdLockHolder;

/* What was found of functions; as long as the machine is stopped. */
typedef struct KdLockFlows KdLockFlows;
KdLockFlows *kd_lock_flows_new (void);
void kd_lock_flows_free (KdLockFlows *flows);

/* "0x… (sb_lock)", or the address alone; new string. */
char *kd_lock_name (KdKernel *kernel, uint64_t lock);

void kd_lock_holder_clear (KdLockHolder *holder);

/*
 * Who of a CPU's frames holds the lock at `lock`: the innermost whose code has taken it and not
 * given it back, whichever way it went, and which none of the frames it called gave back either.
 * If it has called others in between, it must go on to give the lock back: else one of them may
 * have.
 * FALSE: none is shown to.
 */
gboolean kd_lock_holder_find (KdKernel *kernel, KdLockFlows *flows, const KdBacktrace *trace,
	uint64_t lock, KdLockHolder *ret_holder);

/* What the function of frame `index` was given as its first argument; FALSE: nothing tells. */
gboolean kd_lock_holder_argument (KdKernel *kernel, KdLockFlows *flows, const KdBacktrace *trace,
	guint index, uint64_t *ret_value);
