/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "debug/unwind.h"
#include "kernel/task.h"

/* Backtraces of CPUs and tasks, with source lines and inlined functions. Worker thread. */
#define KD_DEBUG_ERROR (kd_debug_error_quark())
GQuark kd_debug_error_quark (void);

typedef enum {
	KD_DEBUG_ERROR_UNSUPPORTED, /* this architecture's stacks are not known here */
	KD_DEBUG_ERROR_NO_REGS,     /* a CPU's or task's registers cannot be read */
	KD_DEBUG_ERROR_STOPPED,     /* something else stopped the machine before */
} KdDebugError;

typedef struct {
	unsigned n;
	KdSpace space; /* of pc, sp and fp */
	uint64_t pc;
	gboolean has_sp, has_fp;
	uint64_t sp, fp;
	char *symbol;       /* function; NULL: none */
	uint64_t offset;    /* pc minus the function's start; 0 for an inlined function */
	const char *module; /* NULL: the kernel's own image */
	char *file;         /* NULL: unknown */
	int line;
	gboolean inlined; /* into the next frame, which has the same pc */
	KdHow how;
	KdProof proof;
	char *note;    /* NULL: nothing to say */
	KdRegSet regs; /* as far as they are known */
} KdFrame;

typedef struct {
	int cpu; /* -1: not on a CPU */
	int pid; /* -1 unknown */
	char comm[64];
	/* What the CPU was doing: "guest", "user", "kernel", "hyp", "firmware"; "sleeping" for a
	 * task on none. */
	const char *context;
	int vm, vcpu;   /* whose guest code ran (context "guest"); -1 */
	GArray *frames; /* of KdFrame, elements cleared */
	KdEnd end;
	char *end_text; /* NULL: `end` says all */
} KdBacktrace;

void kd_backtrace_clear (KdBacktrace *backtrace);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdBacktrace, kd_backtrace_clear)

/*
 * What CPU `cpu` does, from its registers; the machine must be stopped. A CPU in a guest gives the
 * guest's pc and then the host's stack that entered it. FALSE: no such CPU, or no registers; a
 * stack that cannot be followed is no failure but an `end`.
 */
gboolean kd_backtrace_cpu (
	KdKernel *kernel, unsigned cpu, KdBacktrace *ret_backtrace, GError **error);
/* A task: on a CPU as above, else from where it was switched out. */
gboolean kd_backtrace_task (
	KdKernel *kernel, const KdTask *task, KdBacktrace *ret_backtrace, GError **error);
