/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/*
 * One CPU, instruction by instruction, and what each one did; or run up to a place, with
 * breakpoints that nobody else sees. The machine is stopped before and after each call. Worker
 * thread.
 */
typedef struct KdStepper KdStepper;

typedef struct {
	const char *name; /* as the stub calls it, or "DAIF" and its like; static */
	uint64_t from, to;
} KdStepChange;

/* Where the CPU stands, and what the step before changed of KdArch.step_regs. */
typedef struct {
	uint64_t pc;
	KdCpuState state;
	char *symbol; /* NULL: no kernel's code */
	char *insn;   /* at `pc`, not executed yet; NULL: not readable, or no instruction */
	size_t insn_len;
	KdInsnKind kind;    /* of `insn` */
	const char *vector; /* the exception vector that begins here; NULL: none. Static */
	GArray *changes;    /* of KdStepChange */
} KdStepPlace;

void kd_step_place_clear (KdStepPlace *place);

/* `kernel` may be NULL. */
KdStepper *kd_stepper_new (KdTarget *target, KdKernel *kernel, unsigned cpu, GError **error);
void kd_stepper_free (KdStepper *stepper);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdStepper, kd_stepper_free)

/* Valid until the next call. */
const KdStepPlace *kd_stepper_here (const KdStepper *stepper);
/* The CPU: another than at first where a task that was followed has moved. */
unsigned kd_stepper_cpu (const KdStepper *stepper);
/* What was executed last; OTHER before the first step. */
KdInsnKind kd_stepper_last_kind (const KdStepper *stepper);
/* TRUE: the last step did not end as one, but at a breakpoint or watchpoint somewhere. */
gboolean kd_stepper_interrupted (const KdStepper *stepper);

gboolean kd_stepper_step (KdStepper *stepper, GError **error);

/*
 * TRUE: what the call here leads to may take the return address off the stack instead of returning:
 * it is code of the same function, as where the kernel fills the return-stack buffer, or nothing
 * but a trap stands behind the call. FALSE too where calls leave nothing on the stack.
 */
gboolean kd_stepper_call_may_drop (KdStepper *stepper);

#define KD_RUN_TO_MAX 64

typedef struct {
	uint64_t addrs[KD_RUN_TO_MAX];
	unsigned nr;
	gboolean alone; /* the other CPUs are held */
	/*
	 * The stack pointer must be this, which then may be so on another CPU: tasks move. 0:
	 * wherever, on this CPU.
	 */
	uint64_t sp;
	gboolean any_mode; /* else only in the host's own code */
	int timeout_ms;    /* < 0: none */
} KdRunTo;

/*
 * TRUE: the CPU has come to one of these. STOPPED where something else stopped the machine before:
 * a user's breakpoint; G_IO_ERROR_TIMED_OUT.
 */
gboolean kd_stepper_run_to (KdStepper *stepper, const KdRunTo *run, GError **error);

/* The instructions that enter a guest on this kernel, or the functions that do, as breakpoints. */
gboolean kd_stepper_guest_entries (KdStepper *stepper, KdRunTo *ret_run, GError **error);
/* The places where this CPU, now in a guest, comes out of it. */
gboolean kd_stepper_guest_exits (KdStepper *stepper, KdRunTo *ret_run, GError **error);
/* Where the function the CPU is in returns to, and the stack pointer it will have at least. */
gboolean kd_stepper_caller (KdStepper *stepper, KdRunTo *ret_run, GError **error);
/* Source line of here; FALSE: unknown. `file` is valid until the next call. */
gboolean kd_stepper_line (KdStepper *stepper, const char **ret_file, int *ret_line);
