/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "debug/unwind.h"

/* Where x86-64 Linux keeps stacks, and the registers that unwinding starts from or goes on with. */

/* KdUnwindIsa.stacks */
void kd_x86_64_stacks (
	KdKernel *kernel, unsigned cpu, uint64_t task_stack_size, KdStackFunc add, void *data);
/* Of a task that is not on a CPU. */
gboolean kd_x86_64_task_regs (KdKernel *kernel, uint64_t task, KdRegSet *ret_regs, GError **error);
/*
 * KdUnwindIsa.saved_context: the host that a CPU in an SVM guest goes back to. From the area that
 * VMRUN keeps it in, else found on its task's stack, where only pc and sp are known.
 */
gboolean kd_x86_64_saved_context (KdKernel *kernel, unsigned cpu, gboolean el1, KdRegSet *ret_regs);
/* KdUnwindIsa.guest_entry */
gboolean kd_x86_64_guest_entry (KdUnwind *unwind, KdRegSet *ret_regs);
