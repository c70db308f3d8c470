/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "debug/unwind.h"

/* Where arm64 Linux keeps the registers that unwinding starts from or goes on with. */

/* KdUnwindIsa.stacks */
void kd_arm64_stacks (
	KdKernel *kernel, unsigned cpu, uint64_t task_stack_size, KdStackFunc add, void *data);
/* Of a task that is not on a CPU. */
gboolean kd_arm64_task_regs (KdKernel *kernel, uint64_t task, KdRegSet *ret_regs, GError **error);
/* KdUnwindOps.saved_context of CPU `cpu`. */
gboolean kd_arm64_saved_context (KdKernel *kernel, unsigned cpu, gboolean el1, KdRegSet *ret_regs);
/* The instruction at which the host left for the guest that the CPU is in. */
gboolean kd_arm64_guest_entry (KdUnwind *unwind, KdRegSet *ret_regs);
