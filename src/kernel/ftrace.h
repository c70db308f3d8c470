/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/* One user of the function tracer (struct ftrace_ops), as it is registered now. */
typedef struct {
	uint64_t addr;
	uint64_t func;  /* what is called */
	uint64_t saved; /* the function that `func` stands in front of, where it does; 0 */
	uint64_t flags;
	uint64_t trampoline, trampoline_size; /* its own copy of the entry code; 0: it has none */
	uint64_t direct; /* what is called in place of the tracer's code; 0: nothing */
	/* Addresses of records (struct dyn_ftrace), sorted uint64_t; NULL: not readable. */
	GArray *filter, *notrace; /* no filter: all functions */
} KdFtraceOps;

/*
 * Those of the present stop, in the kernel's order; borrowed until the next call. Empty where the
 * kernel has no function tracer. *ret_why (may be NULL; new string): the list ends early, and why.
 */
const GArray *kd_ftrace_ops (KdKernel *kernel, char **ret_why);
/* TRUE: it wants the function whose record is at `ip`. */
gboolean kd_ftrace_wants (const KdFtraceOps *ops, uint64_t ip);
/* TRUE: `addr` is one of them, or one of those that the kernel itself puts where none is. */
gboolean kd_ftrace_is_ops (KdKernel *kernel, uint64_t addr);
/* TRUE: a record with these flags (dyn_ftrace.flags) calls something that is no tracer. */
gboolean kd_ftrace_is_direct (KdKernel *kernel, uint64_t record_flags);
/*
 * Where the kernel makes a copy of its ftrace entry code for each user of it (x86): the address in
 * the image that the code at `addr` is a copy of. FALSE: no copy is there.
 */
gboolean kd_ftrace_origin (KdKernel *kernel, uint64_t addr, uint64_t *ret_origin);
