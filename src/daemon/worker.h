/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/job.h"

/*
 * One session's thread: takes jobs from its queue one at a time and runs them in plain synchronous
 * C; idle, it waits for the queue and for the target, whose news become events. What it has to tell
 * goes to the main context it was made in.
 */
typedef struct KdWorker KdWorker;

/* What the main loop may know of a session without asking its thread. Strings are never NULL. */
typedef struct {
	const char *state;   /* as kd_session_state_name() */
	const char *address; /* of the stub, "" before attach */
	const char *release; /* of the kernel, "" when unknown */
	unsigned nr_cpus;
} KdWorkerInfo;

typedef struct {
	/* The job is done: takes it. The worker's info is already the one after it. */
	void (*done) (KdWorker *worker, KdJob *job, void *data);
	/* "stopped", "running", "target-lost"; `params` is borrowed. */
	void (*event) (KdWorker *worker, const char *name, JsonNode *params, void *data);
	/* The thread has ended (after KD_JOB_QUIT): kd_worker_free() is due. */
	void (*ended) (KdWorker *worker, void *data);
} KdWorkerFuncs;

/* Calls come in the main context, from kd_worker_new() on. `funcs` is borrowed. */
KdWorker *kd_worker_new (const char *name, const KdWorkerFuncs *funcs, void *data, GError **error);
/* Only after `ended`. */
void kd_worker_free (KdWorker *worker);

/* Where debuggers reach the session (KdSession.gdb); takes it. Before the first job. */
void kd_worker_set_gdb (KdWorker *worker, char **addresses);
const char *kd_worker_name (const KdWorker *worker);
const KdWorkerInfo *kd_worker_info (const KdWorker *worker);
/* Takes the job. */
void kd_worker_push (KdWorker *worker, KdJob *job);
/* Asks the thread to detach and end, cancelling what runs; `ended` follows. Once. */
void kd_worker_quit (KdWorker *worker);
/* Jobs pushed and not yet done, oldest first; main loop only. Elements may be read and cancelled
 * but not freed. */
GQueue *kd_worker_jobs (KdWorker *worker);
