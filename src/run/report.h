/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdio.h>

typedef enum {
	KD_OUTCOME_PASSED,
	KD_OUTCOME_FAILED,
	KD_OUTCOME_SKIPPED,
	KD_OUTCOME_BROKEN, /* could not be run */
	KD_OUTCOME_NOT_REACHED,
} KdOutcome;

/* One step, or what comes before the steps ("prepare", "machine"). */
typedef struct {
	char *name;
	KdOutcome outcome;
	char *why; /* NULL where it passed */
	double seconds;
} KdStepResult;

/* How a job ended. */
typedef struct {
	char *name, *artefacts; /* folder; NULL: none was made */
	KdOutcome outcome;
	GPtrArray *steps; /* KdStepResult */
	double seconds;
} KdJobResult;

KdJobResult *kd_job_result_new (const char *name);
void kd_job_result_free (KdJobResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdJobResult, kd_job_result_free)
/* Takes `why`; the job's outcome follows. */
void kd_job_result_add (
	KdJobResult *result, const char *name, KdOutcome outcome, char *why, double seconds);

/* "passed", "failed", "skipped", "could not be run", "not reached" */
const char *kd_outcome_name (KdOutcome outcome);
/* 0 all passed, 1 one failed, 125 one could not be run, 77 all were skipped: as git bisect run and
 * automake have it. */
int kd_report_exit_status (GPtrArray *results);

/* One job's test points, from number *nr on, which it moves. */
void kd_report_tap (const KdJobResult *result, guint *nr, FILE *out);
/* JUnit's XML; new string. */
char *kd_report_junit (GPtrArray *results);
/* [{name, outcome, seconds, artefacts, steps: [{name, outcome, why, seconds}]}] */
JsonNode *kd_report_json (GPtrArray *results);
