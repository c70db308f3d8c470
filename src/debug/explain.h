/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "debug/backtrace.h"
#include "debug/lock-holder.h"

/*
 * Known trouble, looked for in a stopped machine. A finding is one function in one table
 * (debug/explain.c): it looks at one CPU, and adds what it found with the evidence, each piece with
 * the command that shows it.
 */
typedef enum {
	KD_SEVERITY_FATAL,   /* the machine cannot go on from this */
	KD_SEVERITY_ERROR,   /* wrong, and will be fatal */
	KD_SEVERITY_WARNING, /* wrong if it stays so */
} KdSeverity;

typedef struct {
	char *text;
	char *command; /* NULL: none shows it */
} KdEvidence;

typedef struct {
	const char *id; /* "host-current": static */
	KdSeverity severity;
	int cpu; /* -1: none in particular */
	char *title;
	GArray *evidence; /* of KdEvidence */
	gboolean has_lock;
	uint64_t lock; /* that is waited for */
	gboolean has_holder;
	KdLockHolder holder;
} KdFinding;

const char *kd_severity_name (KdSeverity severity);

/* All findings, worst first; array of KdFinding, elements cleared. `ret_ids`: what was looked for,
 * NULL-terminated, static; may be NULL. */
GArray *kd_explain (KdKernel *kernel, const char *const **ret_ids);

/* --- for findings --- */
typedef struct KdExplain KdExplain;

KdKernel *kd_explain_kernel (const KdExplain *explain);
/* What the CPU does; NULL: not known. Kept. */
const KdBacktrace *kd_explain_backtrace (KdExplain *explain, unsigned cpu);
/* What was found of functions and locks. */
KdLockFlows *kd_explain_lock_flows (KdExplain *explain);
/* TRUE if that function is among the frames; *ret_index is its place. */
gboolean kd_explain_in (const KdBacktrace *trace, const char *function, guint *ret_index);
/* The finding stays the list's; valid until the next is added. */
KdFinding *kd_explain_add (KdExplain *explain, const char *id, KdSeverity severity, int cpu,
	const char *format, ...) G_GNUC_PRINTF (5, 6);
/* `command` is taken; may be NULL. */
void kd_finding_add (KdFinding *finding, char *command, const char *format, ...)
	G_GNUC_PRINTF (3, 4);

/* explain-arm64.c */
void kd_explain_host_current (KdExplain *explain, unsigned cpu);
void kd_explain_vector_loop (KdExplain *explain, unsigned cpu);
void kd_explain_hyp_panic (KdExplain *explain, unsigned cpu);
/* explain-cpus.c */
void kd_explain_off_stack (KdExplain *explain, unsigned cpu);
/* In the vectors of arm64, which keep a sum in the stack pointer while they look for an overflow.
 */
gboolean kd_explain_bends_sp (KdExplain *explain, unsigned cpu);
void kd_explain_csd (KdExplain *explain, unsigned cpu);
void kd_explain_spinlock (KdExplain *explain, unsigned cpu);
void kd_explain_panic (KdExplain *explain, unsigned cpu);
