/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kvmdbg/kvmdbg.h"
#include "run/machine.h"
#include "run/runner.h"

/* A job that runs: its thread's alone, but for the cancellables. */
typedef struct {
	KdJob *job;
	const KdRunOptions *options;
	KdJobResult *result;
	KdMachine *machine;
	KvmdbgConnection *connection;
	gboolean attached;
	GQueue events; /* "NAME", params in turn; since the last `run` */
	gsize mark;    /* the console's text before it has been waited for */
	guint nr_files;
	GCancellable *all;  /* the whole run's */
	GCancellable *step; /* the present step's */
	gint64 job_end;     /* monotonic */
} KdJobRun;

/* Why the present step was cancelled; NULL: it was not. */
const char *kd_job_run_cancelled (const KdJobRun *run);

/* --- steps.c --- */

/* The connection's event handler; `data` is the KdJobRun. */
void kd_job_run_on_event (const char *event, const char *params_json, void *data);
void kd_job_run_forget_events (KdJobRun *run);
/*
 * One kvmdbg command. Its result, or with a status other than 0 the error object; `text` asks for
 * {text}, what people see. NULL: KD_JOB_ERROR.
 */
JsonNode *kd_job_run_command (
	KdJobRun *run, const char *const *words, gboolean text, int *ret_status, GError **error);
JsonNode *kd_job_run_command_line (
	KdJobRun *run, const char *line, gboolean text, int *ret_status, GError **error);
/* Of an error object. */
const char *kd_job_run_message (JsonNode *result);
/* {match}: what the console said. */
JsonNode *kd_job_run_wait_console (KdJobRun *run, const char *pattern, GError **error);
/* What the step has to be done, `text` is its own with the variables in it: a result for `expect`,
 * or NULL and an error. */
JsonNode *kd_job_run_do (KdJobRun *run, const KdJobStep *step, const char *text, GError **error);
