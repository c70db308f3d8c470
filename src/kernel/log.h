/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/* A record of the kernel's log. */
typedef struct {
	uint64_t seq;
	uint64_t time_ns; /* since boot, of the log's clock */
	unsigned level;   /* 0 emergency … 7 debug */
	unsigned facility;
	gboolean has_caller;
	gboolean caller_is_cpu; /* logged outside of a task */
	unsigned caller;        /* thread id, or CPU */
	gboolean is_open;       /* its writer may still append to it */
	char *text;             /* escaped but for newlines and tabs */
} KdLogRecord;

/* FALSE ends. */
typedef gboolean (*KdLogFunc) (const KdLogRecord *record, void *data);

/*
 * The printk ring buffer, oldest first: all of it, or the last `last` records when not 0. Records
 * that are being written, or were lost to a full ring, are left out and counted in *ret_skipped.
 * NOT_FOUND: a kernel before 5.10, or without a log. CORRUPT: the ring contradicts itself.
 */
gboolean kd_log_foreach (KdKernel *kernel, uint64_t last, KdLogFunc func, void *data,
	uint64_t *ret_skipped, GError **error);
