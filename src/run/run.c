/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run/run.h"

#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "kvmdbg/kvmdbg.h"
#include "run/process.h"
#include "run/runner.h"

#define EXIT_USAGE 2
#define EXIT_BROKEN 125
#define DAEMON_TIMEOUT_MS 10000
#define POLL_US 5000
#define JOBS_MAX 256 /* machines that --matrix may ask for */

typedef struct {
	KdRunOptions options;
	GPtrArray *jobs;    /* KdJob; NULL once it has been taken */
	GPtrArray *results; /* KdJobResult, as the jobs end */
	GMainLoop *loop;
	GCancellable *cancellable;
	gboolean json;
	guint nr_points;
} Runs;

/* --- jobs of a command line --- */

static GPtrArray *
new_jobs (void)
{
	return g_ptr_array_new_with_free_func ((GDestroyNotify)kd_job_free);
}

/* "KEY=VALUE" to its two halves. */
static gboolean
split (const char *text, char **ret_name, const char **ret_value, GError **error)
{
	const char *equals = strchr (text, '=');

	if (equals && equals > text) {
		*ret_name = g_strndup (text, (gsize)(equals - text));
		*ret_value = equals + 1;
		return TRUE;
	}
	g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "“%s” is not KEY=VALUE", text);
	return FALSE;
}

/* One file's job, or with --matrix one for each choice; `choices` has what each KEY takes. */
static gboolean
add_jobs (GPtrArray *jobs, const char *path, char **sets, char **matrix, GError **error)
{
	guint nr = 1;

	for (char **row = matrix; row && *row; row++) {
		guint commas = 1;

		for (const char *c = *row; *c; c++)
			commas += *c == ',';
		nr *= commas;
		if (nr > JOBS_MAX) {
			g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE,
				"--matrix asks for more than %d machines", JOBS_MAX);
			return FALSE;
		}
	}
	for (guint i = 0; i < nr; i++) {
		g_autoptr (KdJob) job = kd_job_load (path, error);
		guint rest = i;

		for (char **set = sets; job && set && *set; set++) {
			g_autofree char *name = NULL;
			const char *value;

			if (!split (*set, &name, &value, error) ||
				!kd_job_set (job, name, value, error))
				return FALSE;
		}
		for (char **row = matrix; job && row && *row; row++) {
			g_autofree char *name = NULL, *longer = NULL;
			g_auto (GStrv) values = NULL;
			const char *text;
			guint chosen;

			if (!split (*row, &name, &text, error))
				return FALSE;
			values = g_strsplit (text, ",", -1);
			chosen = rest % MAX (g_strv_length (values), 1);
			rest /= MAX (g_strv_length (values), 1);
			if (!kd_job_set (job, name, values[chosen] ? values[chosen] : "", error))
				return FALSE;
			longer = g_strdup_printf (
				"%s.%s-%s", job->name, name, values[chosen] ? values[chosen] : "");
			g_free (job->name);
			job->name = g_steal_pointer (&longer);
		}
		if (!job)
			return FALSE;
		g_ptr_array_add (jobs, g_steal_pointer (&job));
	}
	return TRUE;
}

/* Names are those of sessions and folders. */
static void
make_unique (GPtrArray *jobs)
{
	g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

	for (guint i = 0; i < jobs->len; i++) {
		KdJob *job = jobs->pdata[i];

		g_strcanon (job->name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_.", '-');
		for (guint nr = 2; g_hash_table_contains (seen, job->name); nr++) {
			char *stem = g_strndup (job->name, strcspn (job->name, "~"));

			g_free (job->name);
			job->name = g_strdup_printf ("%s~%u", stem, nr);
			g_free (stem);
		}
		g_hash_table_add (seen, job->name);
	}
}

/* --- running --- */

typedef struct {
	Runs *runs;
	KdJobResult *result;
} Ended;

/* In the main thread. */
static gboolean
on_ended (gpointer data)
{
	g_autofree Ended *ended = data;
	Runs *runs = ended->runs;

	g_ptr_array_add (runs->results, ended->result);
	if (!runs->json)
		kd_report_tap (ended->result, &runs->nr_points, stdout);
	if (runs->results->len == runs->jobs->len)
		g_main_loop_quit (runs->loop);
	return G_SOURCE_REMOVE;
}

static void
run_one (gpointer data, gpointer user_data)
{
	KdJob *job = data;
	Runs *runs = user_data;
	Ended *ended = g_new0 (Ended, 1);

	ended->runs = runs;
	if (g_cancellable_is_cancelled (runs->cancellable)) {
		ended->result = kd_job_result_new (job->name);
		kd_job_result_add (
			ended->result, "start", KD_OUTCOME_BROKEN, g_strdup ("interrupted"), 0);
	} else
		ended->result = kd_job_run (job, &runs->options, runs->cancellable);
	g_idle_add (on_ended, ended);
}

static gboolean
on_signal (gpointer data)
{
	g_cancellable_cancel (data);
	return G_SOURCE_CONTINUE;
}

/* A daemon of this run's own: nobody's sessions are touched, and none are left. */
static GPid
start_daemon (const char *scratch, GError **error)
{
	g_autofree char *program = kvmdbg_find_daemon (error);
	g_autofree char *log = g_build_filename (scratch, "kvmdbgd.log", NULL);
	const char *argv[] = {program, "--idle-timeout", "0", NULL};
	gint64 end = g_get_monotonic_time() + DAEMON_TIMEOUT_MS * 1000;
	GPid pid = program ? kd_process_start (argv, log, error) : 0;

	while (pid) {
		g_autoptr (GError) why = NULL;
		g_autoptr (KvmdbgConnection) connection = kvmdbg_connect (FALSE, &why);

		if (connection)
			return pid;
		if (g_get_monotonic_time() > end) {
			g_propagate_error (error, g_steal_pointer (&why));
			kd_process_kill (pid, SIGKILL);
			return 0;
		}
		g_usleep (POLL_US);
	}
	return 0;
}

static void
remove_folder (const char *path)
{
	g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name (dir))) {
		g_autofree char *inner = g_build_filename (path, name, NULL);

		if (g_file_test (inner, G_FILE_TEST_IS_DIR) &&
			!g_file_test (inner, G_FILE_TEST_IS_SYMLINK))
			remove_folder (inner);
		else
			g_unlink (inner);
	}
	g_rmdir (path);
}

static gboolean
run_all (Runs *runs, guint nr_threads, GError **error)
{
	GThreadPool *pool;
	GPid daemon = start_daemon (runs->options.scratch, error);
	guint sigint, sigterm, sighup;

	if (!daemon)
		return FALSE;
	runs->loop = g_main_loop_new (NULL, FALSE);
	sigint = g_unix_signal_add (SIGINT, on_signal, runs->cancellable);
	sigterm = g_unix_signal_add (SIGTERM, on_signal, runs->cancellable);
	sighup = g_unix_signal_add (SIGHUP, on_signal, runs->cancellable);
	/* Exclusive: what a thread started ends with it, so none may be taken away before. */
	pool = g_thread_pool_new (run_one, runs, (int)nr_threads, TRUE, error);
	for (guint i = 0; pool && i < runs->jobs->len; i++)
		g_thread_pool_push (pool, runs->jobs->pdata[i], NULL);
	if (pool) {
		g_main_loop_run (runs->loop);
		g_thread_pool_free (pool, FALSE, TRUE);
	}
	g_source_remove (sigint);
	g_source_remove (sigterm);
	g_source_remove (sighup);
	g_main_loop_unref (runs->loop);
	kd_process_kill (daemon, SIGTERM);
	return pool != NULL;
}

static gboolean
write_junit (const char *path, GPtrArray *results, GError **error)
{
	g_autofree char *text = kd_report_junit (results);

	return g_file_set_contents (path, text, -1, error);
}

static void
finish (Runs *runs)
{
	if (runs->json) {
		g_autoptr (JsonNode) node = kd_report_json (runs->results);
		g_autofree char *text = kd_json_to_string (node, isatty (STDOUT_FILENO));

		puts (text);
	} else
		printf ("1..%u\n", runs->nr_points);
	fflush (stdout);
}

static int refuse (int status, const char *format, ...) G_GNUC_PRINTF (2, 3);

static int
refuse (int status, const char *format, ...)
{
	va_list ap;

	fputs ("kvmdbg: run: ", stderr);
	va_start (ap, format);
	vfprintf (stderr, format, ap);
	va_end (ap);
	fputc ('\n', stderr);
	return status;
}

static char *
default_artefacts (void)
{
	g_autoptr (GDateTime) now = g_date_time_new_now_local();
	g_autofree char *stamp = g_date_time_format (now, "%Y%m%d-%H%M%S");
	g_autofree char *name = g_strdup_printf ("%s-%d", stamp, (int)getpid());

	return g_build_filename (g_get_user_state_dir(), "kvmdbg", "runs", name, NULL);
}

static int
run_jobs (GPtrArray *jobs, const char *artefacts, const char *junit, guint nr_threads,
	gboolean keep, gboolean json)
{
	g_autofree char *given =
		artefacts ? g_canonicalize_filename (artefacts, NULL) : default_artefacts();
	g_autofree char *scratch = g_dir_make_tmp ("kvmdbg-run.XXXXXX", NULL);
	g_autoptr (GPtrArray) results =
		g_ptr_array_new_with_free_func ((GDestroyNotify)kd_job_result_free);
	g_autoptr (GCancellable) cancellable = g_cancellable_new();
	g_autoptr (GError) error = NULL;
	Runs runs = {
		.options = {.scratch = scratch, .artefacts = given, .keep = keep},
		.jobs = jobs,
		.results = results,
		.cancellable = cancellable,
		.json = json,
	};
	gboolean done;

	if (!scratch)
		return refuse (EXIT_BROKEN, "no folder for sockets");
	/* Before the first thread. */
	g_setenv ("XDG_RUNTIME_DIR", scratch, TRUE);
	done = run_all (&runs, nr_threads, &error);
	remove_folder (scratch);
	if (!done)
		return refuse (EXIT_BROKEN, "%s", error->message);
	finish (&runs);
	if (junit && !write_junit (junit, results, &error))
		return refuse (EXIT_BROKEN, "%s", error->message);
	return kd_report_exit_status (results);
}

int
kd_run_main (char **words, gboolean json)
{
	g_auto (GStrv) sets = NULL, matrix = NULL, files = NULL;
	g_autofree char *artefacts = NULL, *junit = NULL;
	gboolean keep = FALSE, check = FALSE;
	int nr_threads = 1;
	const GOptionEntry entries[] = {
		{"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &sets, NULL, NULL},
		{"matrix", 'm', 0, G_OPTION_ARG_STRING_ARRAY, &matrix, NULL, NULL},
		{"jobs", 'j', 0, G_OPTION_ARG_INT, &nr_threads, NULL, NULL},
		{"junit", 0, 0, G_OPTION_ARG_FILENAME, &junit, NULL, NULL},
		{"artefacts", 0, 0, G_OPTION_ARG_FILENAME, &artefacts, NULL, NULL},
		{"keep", 0, 0, G_OPTION_ARG_NONE, &keep, NULL, NULL},
		{"check", 0, 0, G_OPTION_ARG_NONE, &check, NULL, NULL},
		{G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, NULL, NULL},
		{NULL},
	};
	g_autoptr (GOptionContext) context = g_option_context_new (NULL);
	g_autoptr (GPtrArray) jobs = new_jobs();
	g_autoptr (GError) error = NULL;
	g_auto (GStrv) argv = g_strdupv (words);

	g_option_context_set_help_enabled (context, FALSE);
	g_option_context_add_main_entries (context, entries, NULL);
	if (!g_option_context_parse_strv (context, &argv, &error))
		return refuse (EXIT_USAGE, "%s (“kvmdbg run --help”)", error->message);
	if (!files)
		return refuse (EXIT_USAGE, "no job file (“kvmdbg run --help”)");
	if (nr_threads < 1 || nr_threads > JOBS_MAX)
		return refuse (EXIT_USAGE, "--jobs %d: from 1 to %d", nr_threads, JOBS_MAX);
	for (char **file = files; *file; file++)
		if (!add_jobs (jobs, *file, sets, matrix, &error))
			return refuse (EXIT_BROKEN, "%s", error->message);
	make_unique (jobs);
	if (check)
		return 0;
	return run_jobs (jobs, artefacts, junit, (guint)nr_threads, keep, json);
}
