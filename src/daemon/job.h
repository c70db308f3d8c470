/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/answer.h"

/*
 * One request on its way through a session's worker. The main loop makes it, the worker fills in
 * the outcome, the main loop answers and frees it; at any time it has one owner. Only `cancellable`
 * and `state` are touched from both sides.
 */
typedef enum {
	KD_JOB_COMMAND,
	KD_JOB_COMPLETE,
	KD_JOB_FUNC, /* `run` in the worker, then `finished` in the main loop */
	KD_JOB_QUIT, /* detach and end the thread */
} KdJobKind;

/* Who changes it from QUEUED has the job: the thread runs it, the main loop answers for it. */
typedef enum {
	KD_JOB_QUEUED,
	KD_JOB_RUNNING,
	KD_JOB_WITHDRAWN, /* is not run any more */
} KdJobState;

/* `session` is NULL in the main loop. */
typedef void (*KdJobFunc) (KdSession *session, gpointer data);

typedef struct {
	KdJobKind kind;
	const KdCommand *command; /* COMMAND */
	KdArgs *args;             /* COMMAND */
	KdRenderOptions render;   /* COMMAND */
	char *line;               /* COMPLETE */
	size_t point;
	KdJobFunc run, finished; /* FUNC */
	gpointer data;
	GCancellable *cancellable;
	unsigned timeout_ms; /* as in kd_target_begin() */
	gint state;          /* KdJobState, atomic */

	/* Who asked. The number says the client: it may be gone by the time of the answer. */
	guint64 client;
	JsonNode *id;
	size_t len; /* of the request, in bytes */

	/* Outcome. */
	JsonNode *result;
	GError *error;
} KdJob;

KdJob *kd_job_new (KdJobKind kind);
void kd_job_free (KdJob *job);
/*
 * Its client is gone. What has begun to change the machine goes on to its end, unless that is a
 * wait; nobody needs what else it would do. Main loop.
 */
void kd_job_abandon (KdJob *job, gboolean begun);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdJob, kd_job_free)
/* FALSE: the other side has changed it before. */
gboolean kd_job_take (KdJob *job, KdJobState state);
