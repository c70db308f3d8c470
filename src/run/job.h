/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* A job of `kvmdbg run`: what its file says, before anything is done. */

typedef enum {
	KD_JOB_ERROR_FILE,    /* the file, or what was set for it, is wrong */
	KD_JOB_ERROR_FAILED,  /* a step did not do what it was to */
	KD_JOB_ERROR_BROKEN,  /* the job could not be run: no kernel, QEMU ended, … */
	KD_JOB_ERROR_SKIPPED, /* what it needs is not here */
} KdJobError;

#define KD_JOB_ERROR (kd_job_error_quark())
GQuark kd_job_error_quark (void);

typedef enum {
	KD_STEP_RUN,   /* a kvmdbg command */
	KD_STEP_WAIT,  /* for the console, an event, a condition */
	KD_STEP_SEND,  /* a line to the console */
	KD_STEP_SHELL, /* a command in the shell on the console */
	KD_STEP_GDB,   /* a script that gdb runs */
} KdStepKind;

typedef struct {
	char *name;
	KdStepKind kind;
	char *text;        /* what follows run, wait, … ; with ${…} still in it */
	GPtrArray *expect; /* strings */
	GPtrArray *save;   /* NAME and PATH in turn */
	guint timeout_s;
	int status;
} KdJobStep;

typedef struct {
	char *path, *dir, *name; /* `name`: of the file, without .job, with what --matrix chose */
	GKeyFile *file;
	GHashTable *variables; /* string → string */
	GPtrArray *steps;      /* KdJobStep */
	guint timeout_s;
} KdJob;

void kd_job_free (KdJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdJob, kd_job_free)

/* NULL: KD_JOB_ERROR_FILE, with the file's name and the nearest known key. */
KdJob *kd_job_load (const char *path, GError **error);
/* Another value for a variable of the file's [set]. */
gboolean kd_job_set (KdJob *job, const char *name, const char *value, GError **error);

/* A value of the file with its ${NAME} replaced; NULL without error: it has no such key. */
char *kd_job_value (KdJob *job, const char *group, const char *key, GError **error);
/* ${NAME} → its value; “$${” is “${”. */
char *kd_job_expand (KdJob *job, const char *text, GError **error);
/* A value that is a path, from the job's folder; NULL without error: none given. */
char *kd_job_path (KdJob *job, const char *group, const char *key, GError **error);
gboolean kd_job_flag (KdJob *job, const char *group, const char *key);
/* Seconds; `otherwise` where the file says nothing. Checked by kd_job_load(). */
guint kd_job_seconds (KdJob *job, const char *group, const char *key, guint otherwise);
