/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/object.h"

typedef struct {
	uint64_t task; /* address of the task_struct */
	int pid;       /* thread id, as the kernel's `pid` */
	int tgid;
	char comm[64];  /* escaped; a kernel thread's full name where it is cut in the kernel */
	char state;     /* as ps: R S D T t Z X I P */
	int cpu;        /* last or current CPU; -1 unknown */
	uint64_t stack; /* lowest address of its stack; 0 if freed */
	uint64_t stack_size;
	gboolean on_cpu; /* running on `cpu` at this moment */
	gboolean is_kernel_thread;
	uint64_t mm; /* mm_struct; 0: a kernel thread, or exited */
} KdTask;

/* All threads of all processes (swapper of each CPU first). FALSE from `func` ends. Bounded. */
typedef gboolean (*KdTaskFunc) (const KdTask *task, void *data);
gboolean kd_task_foreach (KdKernel *kernel, KdTaskFunc func, void *data, GError **error);
gboolean kd_task_at (KdKernel *kernel, uint64_t task, KdTask *ret_task, GError **error);
/* NOT_FOUND when no thread has that id. */
gboolean kd_task_by_pid (KdKernel *kernel, int pid, KdTask *ret_task, GError **error);
/* What runs on `cpu`, from the run queue and not from registers (which may hold a guest's values).
 */
gboolean kd_task_current (KdKernel *kernel, unsigned cpu, KdTask *ret_task, GError **error);
/* The tables of the task's user half. NOT_FOUND: a kernel thread, or exited. */
gboolean kd_task_user_regime (
	KdKernel *kernel, const KdTask *task, KdRegime *ret_regime, GError **error);
