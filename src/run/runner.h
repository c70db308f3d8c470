/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "run/job.h"
#include "run/report.h"

typedef struct {
	const char *scratch;   /* folder for sockets: a short path */
	const char *artefacts; /* each job has a folder in it */
	gboolean keep;         /* a failed job's machine stays until the run is cancelled */
} KdRunOptions;

/*
 * Runs a job to its end in this thread; the default main context of the process has to run
 * meanwhile, for the timeouts. The daemon of kvmdbg_connect() gets a session of the job's own.
 */
KdJobResult *kd_job_run (KdJob *job, const KdRunOptions *options, GCancellable *cancellable);
