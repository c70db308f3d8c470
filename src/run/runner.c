/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run/runner.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "run/expect.h"
#include "run/process.h"
#include "run/run-private.h"

#define PREPARE_TIMEOUT_S 3600
#define BOOT_TIMEOUT_S 300
#define COLLECT_TIMEOUT_S 120
#define KEPT_POLL_US (100 * 1000)
#define FOLDERS_MAX 1000
#define EXIT_SKIP 77 /* as automake and meson have it */

/* --- time --- */

typedef struct {
	GCancellable *cancellable;
	GSource *timer;
	gulong handler;
	gint64 end;
} Limit;

static gboolean
on_timer (gpointer data)
{
	g_cancellable_cancel (data);
	return G_SOURCE_REMOVE;
}

static void
on_all_cancelled (GCancellable *all, gpointer data)
{
	g_cancellable_cancel (data);
}

/* From here on run->step is cancelled after so many seconds, at the job's end, or with the run. */
static Limit
limit_begin (KdJobRun *run, guint seconds)
{
	gint64 now = g_get_monotonic_time();
	Limit limit = {.cancellable = g_cancellable_new()};

	limit.end = MIN (now + (gint64)seconds * G_USEC_PER_SEC, run->job_end);
	limit.timer = g_timeout_source_new ((guint)MAX (limit.end - now, 0) / 1000);
	g_source_set_callback (
		limit.timer, on_timer, g_object_ref (limit.cancellable), g_object_unref);
	g_source_attach (limit.timer, NULL);
	limit.handler = g_cancellable_connect (run->all, G_CALLBACK (on_all_cancelled),
		g_object_ref (limit.cancellable), g_object_unref);
	run->step = limit.cancellable;
	return limit;
}

/* Why it was cancelled; NULL: it was not. */
const char *
kd_job_run_cancelled (const KdJobRun *run)
{
	if (!g_cancellable_is_cancelled (run->step))
		return NULL;
	if (g_cancellable_is_cancelled (run->all))
		return "interrupted";
	return g_get_monotonic_time() >= run->job_end ? "the job's time is over" : "timed out";
}

static void
limit_end (KdJobRun *run, Limit *limit)
{
	g_source_destroy (limit->timer);
	g_source_unref (limit->timer);
	g_cancellable_disconnect (run->all, limit->handler);
	g_clear_object (&limit->cancellable);
	run->step = NULL;
}

/* --- results --- */

static KdOutcome
outcome_of (const GError *error)
{
	if (!error)
		return KD_OUTCOME_PASSED;
	if (error->domain != KD_JOB_ERROR)
		return KD_OUTCOME_FAILED;
	switch ((KdJobError)error->code) {
	case KD_JOB_ERROR_SKIPPED:
		return KD_OUTCOME_SKIPPED;
	case KD_JOB_ERROR_FAILED:
		return KD_OUTCOME_FAILED;
	case KD_JOB_ERROR_FILE:
	case KD_JOB_ERROR_BROKEN:
		break;
	}
	return KD_OUTCOME_BROKEN;
}

/* A file of the artefacts: "03-NAME.SUFFIX", without what file names are better without. */
static char *
artefact (KdJobRun *run, const char *name, const char *suffix)
{
	g_autofree char *safe = g_strdup (name);
	g_autofree char *base = NULL;

	g_strcanon (safe, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_.", '-');
	base = g_strdup_printf ("%02u-%.60s.%s", ++run->nr_files, safe, suffix);
	return g_build_filename (run->result->artefacts, base, NULL);
}

static void
save_text (KdJobRun *run, const char *name, const char *suffix, const char *text)
{
	g_autofree char *path = artefact (run, name, suffix);
	g_autoptr (GError) why = NULL;

	if (!g_file_set_contents (path, text, -1, &why))
		g_warning ("%s", why->message);
}

/* --- steps --- */

static gboolean
check_result (KdJobRun *run, const KdJobStep *step, JsonNode *result, GError **error)
{
	for (guint i = 0; i < step->expect->len; i++) {
		g_autofree char *text = kd_job_expand (run->job, step->expect->pdata[i], error);

		if (!text || !kd_expect_holds (text, result, error))
			return FALSE;
	}
	for (guint i = 0; i + 1 < step->save->len; i += 2) {
		char *value = kd_expect_value (step->save->pdata[i + 1], result, error);

		if (!value)
			return FALSE;
		g_hash_table_replace (run->job->variables, g_strdup (step->save->pdata[i]), value);
	}
	return TRUE;
}

static gboolean
run_step (KdJobRun *run, const KdJobStep *step)
{
	gint64 start = g_get_monotonic_time();
	Limit limit = limit_begin (run, step->timeout_s);
	g_autoptr (GError) error = NULL;
	g_autofree char *text = kd_job_expand (run->job, step->text, &error);
	g_autoptr (JsonNode) result = text ? kd_job_run_do (run, step, text, &error) : NULL;
	g_autofree char *json = NULL;

	limit_end (run, &limit);
	if (result) {
		json = kd_json_to_string (result, TRUE);
		save_text (run, step->name, "json", json);
		check_result (run, step, result, &error);
	}
	/* A QEMU that has ended is why whatever failed did. */
	if (error && error->domain != KD_JOB_ERROR) {
		error->domain = KD_JOB_ERROR;
		error->code = KD_JOB_ERROR_FAILED;
	}
	kd_job_result_add (run->result, step->name, outcome_of (error),
		error ? g_strdup (error->message) : NULL,
		(double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC);
	return !error;
}

/* --- before the steps --- */

static gboolean
check_needs (KdJobRun *run, GError **error)
{
	g_autofree char *text = kd_job_value (run->job, "job", "needs", error);
	g_auto (GStrv) needs = text ? g_strsplit (text, ";", -1) : NULL;

	for (char **need = needs; need && *need; need++) {
		g_autofree char *program = NULL;

		g_strstrip (*need);
		if (!**need)
			continue;
		if (**need == '/' ? access (*need, R_OK) == 0
				  : (program = g_find_program_in_path (*need)) != NULL)
			continue;
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_SKIPPED, "%s is not here", *need);
		return FALSE;
	}
	return !*error;
}

/* Each line "NAME=VALUE" that the job's own program prints sets a variable. */
static void
take_variables (KdJobRun *run, const char *output)
{
	g_auto (GStrv) lines = g_strsplit (output, "\n", -1);

	for (char **line = lines; *line; line++) {
		char *equals = strchr (*line, '=');
		size_t len = strspn (*line, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_.");

		if (equals && equals > *line && *line + len == equals)
			g_hash_table_replace (run->job->variables, g_strndup (*line, len),
				g_utf8_make_valid (equals + 1, -1));
	}
}

static gboolean
prepare (KdJobRun *run, GError **error)
{
	g_autofree char *text = kd_job_value (run->job, "prepare", "run", error);
	const char *argv[] = {"/bin/sh", "-c", text, NULL};
	g_autofree char *log = NULL, *output = NULL;
	int status;

	if (!text)
		return !*error;
	log = g_build_filename (run->result->artefacts, "prepare.log", NULL);
	status = kd_process_run (argv, run->job->dir, log, &output, run->step, error);
	if (status < 0)
		return FALSE;
	if (status == 0) {
		take_variables (run, output);
		return TRUE;
	}
	g_set_error (error, KD_JOB_ERROR,
		status == EXIT_SKIP ? KD_JOB_ERROR_SKIPPED : KD_JOB_ERROR_BROKEN,
		"“%s” ended with status %d (its words are in %s)", text, status, log);
	return FALSE;
}

static void
add_option (GPtrArray *words, const char *name, char *value)
{
	if (!value)
		return;
	g_ptr_array_add (words, g_strdup (name));
	g_ptr_array_add (words, value);
}

static gboolean
attach (KdJobRun *run, GError **error)
{
	g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
	g_autoptr (JsonNode) result = NULL;
	g_autofree char *options = NULL;
	g_auto (GStrv) more = NULL;
	int status = 0;

	g_ptr_array_add (words, g_strdup ("attach"));
	g_ptr_array_add (words, g_strconcat ("unix:", kd_machine_gdb (run->machine), NULL));
	add_option (words, "--name", g_strdup (run->job->name));
	add_option (words, "--qmp", g_strdup (kd_machine_qmp (run->machine)));
	add_option (words, "--vmlinux", kd_job_path (run->job, "machine", "vmlinux", error));
	if (!*error)
		add_option (words, "--debug-dir",
			kd_job_path (run->job, "machine", "debug-dir", error));
	if (!*error)
		options = kd_job_value (run->job, "machine", "attach-options", error);
	if (*error)
		return FALSE;
	if (options && *options && !g_shell_parse_argv (options, NULL, &more, error))
		return FALSE;
	for (char **word = more; word && *word; word++)
		g_ptr_array_add (words, g_strdup (*word));
	g_ptr_array_add (words, NULL);
	result = kd_job_run_command (run, (const char *const *)words->pdata, FALSE, &status, error);
	if (!result)
		return FALSE;
	run->attached = status == 0;
	if (status)
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s",
			kd_job_run_message (result));
	return status == 0;
}

static gboolean
start_machine (KdJobRun *run, GError **error)
{
	g_autofree char *sockets = g_build_filename (run->options->scratch, "XXXXXX", NULL);
	g_autofree char *ready = NULL;
	g_autoptr (JsonNode) match = NULL;

	if (!g_mkdtemp (sockets)) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s: no folder for sockets",
			sockets);
		return FALSE;
	}
	run->machine =
		kd_machine_start (run->job, sockets, run->result->artefacts, run->step, error);
	if (!run->machine)
		return FALSE;
	ready = kd_job_value (run->job, "machine", "ready", error);
	if (*error)
		return FALSE;
	if (ready && !(match = kd_job_run_wait_console (run, ready, error)))
		return FALSE;
	return attach (run, error);
}

static gboolean
before_steps (KdJobRun *run, const char *name, guint seconds,
	gboolean (*func) (KdJobRun *run, GError **error))
{
	gint64 start = g_get_monotonic_time();
	Limit limit = limit_begin (run, seconds);
	g_autoptr (GError) error = NULL;
	gboolean done = func (run, &error);
	const char *why = done ? NULL : kd_job_run_cancelled (run);
	char *text = NULL;

	if (error)
		text = why && !strstr (error->message, why)
			       ? g_strdup_printf ("%s: %s", why, error->message)
			       : g_strdup (error->message);
	limit_end (run, &limit);
	/* Whatever ends here is no answer to what the job asks. */
	if (!done)
		kd_job_result_add (run->result, name,
			g_error_matches (error, KD_JOB_ERROR, KD_JOB_ERROR_SKIPPED)
				? KD_OUTCOME_SKIPPED
				: KD_OUTCOME_BROKEN,
			text, (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC);
	return done;
}

/* --- after them --- */

/* What the job wants to have of a machine on which it failed. */
static void
collect (KdJobRun *run)
{
	g_autofree char *text = kd_job_value (run->job, "collect", "on-failure", NULL);
	g_auto (GStrv) lines = g_strsplit (text ? text : "explain;bt -a;log", ";", -1);
	int status;

	if (!run->attached)
		return;
	for (int i = -1; i < 0 || lines[i]; i++) {
		Limit limit = limit_begin (run, COLLECT_TIMEOUT_S);
		const char *line = i < 0 ? "stop" : g_strstrip (lines[i]);
		g_autoptr (GError) why = NULL;
		g_autoptr (JsonNode) result =
			*line ? kd_job_run_command_line (run, line, TRUE, &status, &why) : NULL;
		const char *shown = NULL;

		limit_end (run, &limit);
		if (result && status == 0)
			kd_json_get_string (
				kd_json_node_object (result, NULL), "text", FALSE, &shown, NULL);
		else if (result)
			shown = kd_job_run_message (result);
		if (i >= 0 && *line)
			save_text (run, line, "txt", shown ? shown : why ? why->message : "");
	}
}

/* A machine that is kept: for whoever is at the terminal, until Ctrl-C. */
static void
keep (KdJobRun *run)
{
	g_autoptr (JsonNode) result = NULL;
	Limit limit = limit_begin (run, COLLECT_TIMEOUT_S);
	int status = 0;

	if (run->attached)
		result = kd_job_run_command_line (run, "detach --stopped", FALSE, &status, NULL);
	limit_end (run, &limit);
	fprintf (stderr,
		"kvmdbg: run: %s: the machine is kept, stopped, until Ctrl-C:\n"
		"  kvmdbg attach %s --qmp %s\n",
		run->job->name, kd_machine_gdb (run->machine), kd_machine_qmp (run->machine));
	while (!g_cancellable_is_cancelled (run->all) && kd_machine_check (run->machine, NULL))
		g_usleep (KEPT_POLL_US);
}

/* A folder of this run's alone: an earlier one's files would be taken for ours. */
static char *
make_folder (const char *parent, const char *name, GError **error)
{
	if (g_mkdir_with_parents (parent, 0777) == 0)
		for (int nr = 1; nr < FOLDERS_MAX; nr++) {
			g_autofree char *numbered =
				nr == 1 ? g_strdup (name) : g_strdup_printf ("%s~%d", name, nr);
			g_autofree char *path = g_build_filename (parent, numbered, NULL);

			if (g_mkdir (path, 0777) == 0)
				return g_steal_pointer (&path);
			if (errno != EEXIST)
				break;
		}
	g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s: no folder for artefacts: %s",
		parent, g_strerror (errno));
	return NULL;
}

static gboolean
open_run (KdJobRun *run, GError **error)
{
	run->result->artefacts = make_folder (run->options->artefacts, run->job->name, error);
	if (!run->result->artefacts)
		return FALSE;
	g_hash_table_replace (
		run->job->variables, g_strdup ("artefacts"), g_strdup (run->result->artefacts));
	run->connection = kvmdbg_connect (FALSE, error);
	if (run->connection)
		kvmdbg_connection_set_event_handler (run->connection, kd_job_run_on_event, run);
	return run->connection && check_needs (run, error);
}

KdJobResult *
kd_job_run (KdJob *job, const KdRunOptions *options, GCancellable *cancellable)
{
	gint64 start = g_get_monotonic_time();
	KdJobRun run = {.job = job, .options = options, .all = cancellable};
	gboolean going;
	guint i = 0;

	run.result = kd_job_result_new (job->name);
	run.job_end = start + (gint64)job->timeout_s * G_USEC_PER_SEC;
	going = before_steps (&run, "start", job->timeout_s, open_run) &&
		before_steps (&run, "prepare",
			kd_job_seconds (job, "prepare", "timeout", PREPARE_TIMEOUT_S), prepare);
	/* What is built first does not count. */
	run.job_end = g_get_monotonic_time() + (gint64)job->timeout_s * G_USEC_PER_SEC;
	going = going &&
		before_steps (&run, "machine",
			kd_job_seconds (job, "machine", "timeout", BOOT_TIMEOUT_S), start_machine);
	while (going && i < job->steps->len)
		going = run_step (&run, job->steps->pdata[i++]);
	for (; i < job->steps->len; i++)
		kd_job_result_add (run.result, ((KdJobStep *)job->steps->pdata[i])->name,
			KD_OUTCOME_NOT_REACHED, NULL, 0);
	run.job_end = G_MAXINT64 / 2;
	if (!going && run.machine && !g_cancellable_is_cancelled (cancellable)) {
		collect (&run);
		if (options->keep || kd_job_flag (job, "machine", "keep-on-failure"))
			keep (&run);
	}
	kd_machine_free (run.machine);
	kd_job_run_forget_events (&run);
	kvmdbg_connection_free (run.connection);
	run.result->seconds = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
	return run.result;
}
