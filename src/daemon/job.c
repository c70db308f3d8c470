/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/job.h"

KdJob *
kd_job_new (KdJobKind kind)
{
	KdJob *job = g_new0 (KdJob, 1);

	job->kind = kind;
	job->cancellable = g_cancellable_new();
	return job;
}

void
kd_job_free (KdJob *job)
{
	if (!job)
		return;
	g_clear_pointer (&job->args, kd_args_free);
	g_free (job->line);
	g_object_unref (job->cancellable);
	g_clear_pointer (&job->id, json_node_unref);
	g_clear_pointer (&job->result, json_node_unref);
	g_clear_error (&job->error);
	g_free (job);
}

void
kd_job_abandon (KdJob *job, gboolean begun)
{
	unsigned flags = job->command ? job->command->flags : 0;

	if (!begun || !(flags & KD_COMMAND_CHANGES) || flags & KD_COMMAND_WAITS)
		g_cancellable_cancel (job->cancellable);
}

gboolean
kd_job_take (KdJob *job, KdJobState state)
{
	return g_atomic_int_compare_and_exchange (&job->state, KD_JOB_QUEUED, (gint)state);
}
