/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "run/process.h"
#include "run/run-private.h"

#define CONDITION_POLL_US (100 * 1000)

/* --- the daemon --- */

void
kd_job_run_on_event (const char *event, const char *params_json, void *data)
{
	KdJobRun *run = data;
	g_autoptr (JsonNode) params = kd_json_parse (params_json, strlen (params_json), NULL, NULL);
	JsonObject *obj = params ? kd_json_node_object (params, NULL) : NULL;
	const char *session = NULL;

	kd_json_get_string (obj, "session", FALSE, &session, NULL);
	if (g_strcmp0 (session, run->job->name) != 0)
		return;
	g_queue_push_tail (&run->events, g_strdup (event));
	g_queue_push_tail (&run->events, g_steal_pointer (&params));
}

/* The next event of that name, taken with those before it: its parameters, or NULL. */
static JsonNode *
take_event (KdJobRun *run, const char *wanted)
{
	while (!g_queue_is_empty (&run->events)) {
		g_autofree char *name = g_queue_pop_head (&run->events);
		g_autoptr (JsonNode) params = g_queue_pop_head (&run->events);

		if (!wanted || strcmp (name, wanted) == 0)
			return g_steal_pointer (&params);
	}
	return NULL;
}

void
kd_job_run_forget_events (KdJobRun *run)
{
	JsonNode *params;

	while ((params = take_event (run, NULL)))
		json_node_unref (params);
}

/*
 * One kvmdbg command. Its result, or the error object as JSON; `text`
 * asks for what people see, as a string.
 */
JsonNode *
kd_job_run_command (
	KdJobRun *run, const char *const *words, gboolean text, int *ret_status, GError **error)
{
	JsonObject *params = json_object_new();
	g_autoptr (JsonNode) node = kd_json_object_node (params);
	JsonArray *argv = kd_json_add_array (params, "argv");
	g_autofree char *json = NULL, *result = NULL, *error_json = NULL;
	g_autoptr (GError) why = NULL;

	for (guint i = 1; words[i]; i++) {
		g_autofree char *word = g_utf8_make_valid (words[i], -1);

		json_array_add_string_element (argv, word);
	}
	kd_json_set_string (params, "session", run->job->name);
	kd_json_set_string (params, "cwd", run->job->dir);
	if (text) {
		kd_json_set_string (params, "render", "text-only");
		kd_json_set_int (params, "columns", 120);
	}
	json = kd_json_to_string (node, FALSE);
	result = kvmdbg_call (run->connection, words[0], json, &error_json, run->step, &why);
	*ret_status = kvmdbg_exit_status (result, why);
	if (!result && kd_job_run_cancelled (run)) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED, "%s: %s", words[0],
			kd_job_run_cancelled (run));
		return NULL;
	}
	if (!result && !error_json) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s", why->message);
		return NULL;
	}
	if (!result)
		result = g_steal_pointer (&error_json);
	return kd_json_parse (result, strlen (result), NULL, error);
}

JsonNode *
kd_job_run_command_line (
	KdJobRun *run, const char *line, gboolean text, int *ret_status, GError **error)
{
	g_auto (GStrv) words = NULL;
	g_autoptr (GError) why = NULL;

	if (!g_shell_parse_argv (line, NULL, &words, &why)) {
		g_set_error (
			error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "“%s”: %s", line, why->message);
		return NULL;
	}
	return kd_job_run_command (run, (const char *const *)words, text, ret_status, error);
}

const char *
kd_job_run_message (JsonNode *result)
{
	const char *message = NULL;

	kd_json_get_string (kd_json_node_object (result, NULL), "message", FALSE, &message, NULL);
	return message ? message : "the answer is no";
}

/* --- steps --- */

static JsonNode *
do_run (KdJobRun *run, const KdJobStep *step, const char *text, GError **error)
{
	g_autoptr (JsonNode) result = NULL;
	int status = 0;

	kvmdbg_connection_dispatch (run->connection, NULL);
	kd_job_run_forget_events (run);
	result = kd_job_run_command_line (run, text, FALSE, &status, error);
	if (!result || status == step->status)
		return g_steal_pointer (&result);
	g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED, "%s: status %d, wanted %d%s%s", text,
		status, step->status, status ? ": " : "",
		status ? kd_job_run_message (result) : "");
	return NULL;
}

static JsonNode *
text_result (const char *name, const char *text)
{
	JsonObject *obj = json_object_new();

	kd_json_set_string (obj, name, text);
	return kd_json_object_node (obj);
}

static gboolean
sleep_on (KdJobRun *run, GError **error)
{
	const char *why = kd_job_run_cancelled (run);

	if (!why && kd_machine_check (run->machine, error)) {
		g_usleep (CONDITION_POLL_US);
		return TRUE;
	}
	if (why)
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED, "%s", why);
	return FALSE;
}

JsonNode *
kd_job_run_wait_console (KdJobRun *run, const char *pattern, GError **error)
{
	g_autoptr (GError) why = NULL;
	g_autoptr (GRegex) regex = g_regex_new (pattern, G_REGEX_RAW | G_REGEX_MULTILINE, 0, &why);
	g_autofree char *match = NULL, *valid = NULL;

	if (!regex) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "%s", why->message);
		return NULL;
	}
	match = kd_machine_console_wait (run->machine, regex, &run->mark, run->step, &why);
	if (!match && kd_job_run_cancelled (run))
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED,
			"%s: the console did not say “%s”", kd_job_run_cancelled (run), pattern);
	else if (!match)
		g_propagate_error (error, g_steal_pointer (&why));
	valid = match ? g_utf8_make_valid (match, -1) : NULL;
	return match ? text_result ("match", valid) : NULL;
}

static JsonNode *
wait_event (KdJobRun *run, const char *name, GError **error)
{
	static const char *const names[] = {"stopped", "running", "target-lost", "detached", NULL};

	if (!g_strv_contains (names, name)) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE,
			"“%s” is no event (stopped, running, target-lost, detached)", name);
		return NULL;
	}
	for (;;) {
		JsonNode *params = take_event (run, name);
		g_autoptr (GError) why = NULL;

		if (params)
			return params;
		if (!kvmdbg_connection_dispatch (run->connection, &why)) {
			g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s", why->message);
			return NULL;
		}
		if (g_queue_is_empty (&run->events) && !sleep_on (run, error)) {
			g_prefix_error (error, "no event “%s”: ", name);
			return NULL;
		}
	}
}

static JsonNode *
wait_condition (KdJobRun *run, const char *expression, GError **error)
{
	g_autofree char *truth = g_strdup_printf ("(%s) != 0", expression);
	const char *words[] = {"print", truth, NULL};

	for (;;) {
		int status = 0;
		g_autoptr (JsonNode) result =
			kd_job_run_command (run, words, FALSE, &status, error);
		guint64 value = 0;

		if (!result)
			return NULL;
		if (status) {
			g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED, "%s",
				kd_job_run_message (result));
			return NULL;
		}
		if (!kd_json_get_address (
			    kd_json_node_object (result, NULL), "value", TRUE, &value, error))
			return NULL;
		if (value)
			return text_result ("condition", expression);
		if (!sleep_on (run, error)) {
			g_prefix_error (error, "“%s” is still 0: ", expression);
			return NULL;
		}
	}
}

static JsonNode *
do_wait (KdJobRun *run, const char *text, GError **error)
{
	static const struct {
		const char *kind;
		JsonNode *(*wait) (KdJobRun *run, const char *text, GError **error);
	} kinds[] = {
		{"console ", kd_job_run_wait_console},
		{"event ", wait_event},
		{"condition ", wait_condition},
	};

	for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
		if (g_str_has_prefix (text, kinds[i].kind))
			return kinds[i].wait (run, text + strlen (kinds[i].kind), error);
	g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE,
		"wait=%s: wait for “console REGEX”, “event NAME” or “condition EXPR”", text);
	return NULL;
}

static JsonNode *
do_shell (KdJobRun *run, const KdJobStep *step, const char *text, GError **error)
{
	g_autoptr (GError) why = NULL;
	int status = 0;
	g_autofree char *output = kd_machine_shell (run->machine, text, &status, run->step, &why);
	JsonNode *result;

	if (!output && kd_job_run_cancelled (run)) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED,
			"%s: no answer from the shell: %s", kd_job_run_cancelled (run), text);
		return NULL;
	}
	if (!output) {
		g_propagate_error (error, g_steal_pointer (&why));
		return NULL;
	}
	if (status != step->status) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED,
			"%s: status %d, wanted %d: %s", text, status, step->status, output);
		return NULL;
	}
	result = text_result ("output", output);
	kd_json_set_int (kd_json_node_object (result, NULL), "status", status);
	return result;
}

/* The script is gdb's; ours is where it connects to. */
static JsonNode *
do_gdb (KdJobRun *run, const KdJobStep *step, const char *text, GError **error)
{
	g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
	g_autofree char *script = g_canonicalize_filename (text, run->job->dir);
	g_autofree char *log = g_build_filename (run->result->artefacts, "gdb.log", NULL);
	g_autofree char *output = NULL, *valid = NULL;
	const char *argv[] = {self ? self : "kvmdbg", "--session", run->job->name, "gdb", "-nx",
		"-batch", "-x", script, NULL};
	JsonNode *result;
	int status;

	if (access (script, R_OK) != 0) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s: %s", script,
			g_strerror (errno));
		return NULL;
	}
	status = kd_process_run (argv, run->job->dir, log, &output, run->step, error);
	if (status < 0 && kd_job_run_cancelled (run)) {
		g_clear_error (error);
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED, "%s: %s", text,
			kd_job_run_cancelled (run));
	}
	if (status < 0)
		return NULL;
	valid = g_utf8_make_valid (output, -1);
	if (status != step->status) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED,
			"%s: gdb ended with status %d, wanted %d; %s has its errors, and it "
			"said:\n%s",
			text, status, step->status, log, valid);
		return NULL;
	}
	result = text_result ("output", valid);
	kd_json_set_int (kd_json_node_object (result, NULL), "status", status);
	return result;
}

JsonNode *
kd_job_run_do (KdJobRun *run, const KdJobStep *step, const char *text, GError **error)
{
	switch (step->kind) {
	case KD_STEP_RUN:
		return do_run (run, step, text, error);
	case KD_STEP_WAIT:
		return do_wait (run, text, error);
	case KD_STEP_SEND:
		return kd_machine_send (run->machine, text, error) ? text_result ("sent", text)
								   : NULL;
	case KD_STEP_SHELL:
		return do_shell (run, step, text, error);
	case KD_STEP_GDB:
		return do_gdb (run, step, text, error);
	}
	return NULL;
}
