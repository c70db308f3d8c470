/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run/report.h"

#include <string.h>

#include "base/json.h"

enum {
	EXIT_PASSED = 0,
	EXIT_FAILED = 1,
	EXIT_SKIPPED = 77,
	EXIT_BROKEN = 125,
};

const char *
kd_outcome_name (KdOutcome outcome)
{
	static const char *const names[] = {
		[KD_OUTCOME_PASSED] = "passed",
		[KD_OUTCOME_FAILED] = "failed",
		[KD_OUTCOME_SKIPPED] = "skipped",
		[KD_OUTCOME_BROKEN] = "could not be run",
		[KD_OUTCOME_NOT_REACHED] = "not reached",
	};

	return names[outcome];
}

int
kd_report_exit_status (GPtrArray *results)
{
	guint nr[KD_OUTCOME_NOT_REACHED + 1] = {0};

	for (guint i = 0; i < results->len; i++)
		nr[((const KdJobResult *)results->pdata[i])->outcome]++;
	if (nr[KD_OUTCOME_FAILED])
		return EXIT_FAILED;
	if (nr[KD_OUTCOME_BROKEN])
		return EXIT_BROKEN;
	return nr[KD_OUTCOME_PASSED] ? EXIT_PASSED : EXIT_SKIPPED;
}

/* --- results --- */

static void
step_result_free (gpointer data)
{
	KdStepResult *step = data;

	g_free (step->name);
	g_free (step->why);
	g_free (step);
}

KdJobResult *
kd_job_result_new (const char *name)
{
	KdJobResult *result = g_new0 (KdJobResult, 1);

	result->name = g_strdup (name);
	result->steps = g_ptr_array_new_with_free_func (step_result_free);
	return result;
}

void
kd_job_result_free (KdJobResult *result)
{
	if (!result)
		return;
	g_free (result->name);
	g_free (result->artefacts);
	g_ptr_array_unref (result->steps);
	g_free (result);
}

void
kd_job_result_add (
	KdJobResult *result, const char *name, KdOutcome outcome, char *why, double seconds)
{
	KdStepResult *step = g_new0 (KdStepResult, 1);

	step->name = g_strdup (name);
	step->outcome = outcome;
	step->why = why;
	step->seconds = seconds;
	g_ptr_array_add (result->steps, step);
	if (result->outcome == KD_OUTCOME_PASSED && outcome != KD_OUTCOME_NOT_REACHED)
		result->outcome = outcome;
}

/* --- TAP --- */

/* A "#" would begin a directive, and a line's end the next line. */
static char *
tap_text (const char *text)
{
	char *safe = g_strdup (text);

	return g_strdelimit (safe, "#\n\r", ' ');
}

static void
tap_comment (const char *text, FILE *out)
{
	g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

	for (char **line = lines; *line; line++)
		fprintf (out, "# %s\n", *line);
}

void
kd_report_tap (const KdJobResult *result, guint *nr, FILE *out)
{
	for (guint i = 0; i < result->steps->len; i++) {
		const KdStepResult *step = result->steps->pdata[i];
		gboolean bad =
			step->outcome == KD_OUTCOME_FAILED || step->outcome == KD_OUTCOME_BROKEN;
		gboolean skipped = step->outcome == KD_OUTCOME_SKIPPED ||
				   step->outcome == KD_OUTCOME_NOT_REACHED;
		g_autofree char *name = tap_text (step->name);
		g_autofree char *why =
			tap_text (step->why ? step->why : kd_outcome_name (step->outcome));

		fprintf (out, "%s %u - %s: %s%s%s\n", bad ? "not ok" : "ok", ++*nr, result->name,
			name, skipped ? " # SKIP " : "", skipped ? why : "");
		if (bad && step->why)
			tap_comment (step->why, out);
	}
	fprintf (out, "# %s: %s, %.1f s", result->name, kd_outcome_name (result->outcome),
		result->seconds);
	if (result->artefacts)
		fprintf (out, ", artefacts in %s", result->artefacts);
	fputc ('\n', out);
	fflush (out);
}

/* --- JUnit --- */

/* As an attribute's value or text: XML 1.0 has no control characters, escaped or not. */
static char *
xml (const char *text)
{
	g_autofree char *valid = g_utf8_make_valid (text, -1);

	for (char *c = valid; *c; c++)
		if (g_ascii_iscntrl (*c) && *c != '\n' && *c != '\t')
			*c = '?';
	return g_markup_escape_text (valid, -1);
}

static void
junit_step (const KdJobResult *result, const KdStepResult *step, GString *out)
{
	static const char *const elements[] = {
		[KD_OUTCOME_FAILED] = "failure",
		[KD_OUTCOME_SKIPPED] = "skipped",
		[KD_OUTCOME_BROKEN] = "error",
		[KD_OUTCOME_NOT_REACHED] = "skipped",
	};
	g_autofree char *job = xml (result->name), *name = xml (step->name);
	g_autofree char *why = xml (step->why ? step->why : kd_outcome_name (step->outcome));
	char seconds[G_ASCII_DTOSTR_BUF_SIZE];

	g_ascii_formatd (seconds, sizeof (seconds), "%.3f", step->seconds);
	g_string_append_printf (
		out, "    <testcase classname=\"%s\" name=\"%s\" time=\"%s\"", job, name, seconds);
	if (step->outcome == KD_OUTCOME_PASSED)
		g_string_append (out, "/>\n");
	else
		g_string_append_printf (out, ">\n      <%s message=\"%s\"/>\n    </testcase>\n",
			elements[step->outcome], why);
}

static guint
count (const KdJobResult *result, KdOutcome outcome)
{
	guint nr = 0;

	for (guint i = 0; i < result->steps->len; i++)
		nr += ((const KdStepResult *)result->steps->pdata[i])->outcome == outcome;
	return nr;
}

char *
kd_report_junit (GPtrArray *results)
{
	GString *out = g_string_new ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");

	for (guint i = 0; i < results->len; i++) {
		const KdJobResult *result = results->pdata[i];
		g_autofree char *name = xml (result->name);
		char seconds[G_ASCII_DTOSTR_BUF_SIZE];

		g_ascii_formatd (seconds, sizeof (seconds), "%.3f", result->seconds);
		g_string_append_printf (out,
			"  <testsuite name=\"%s\" tests=\"%u\" failures=\"%u\" errors=\"%u\" "
			"skipped=\"%u\" time=\"%s\">\n",
			name, result->steps->len, count (result, KD_OUTCOME_FAILED),
			count (result, KD_OUTCOME_BROKEN),
			count (result, KD_OUTCOME_SKIPPED) + count (result, KD_OUTCOME_NOT_REACHED),
			seconds);
		for (guint n = 0; n < result->steps->len; n++)
			junit_step (result, result->steps->pdata[n], out);
		g_string_append (out, "  </testsuite>\n");
	}
	g_string_append (out, "</testsuites>\n");
	return g_string_free (out, FALSE);
}

/* --- JSON --- */

JsonNode *
kd_report_json (GPtrArray *results)
{
	JsonArray *array = json_array_new();

	for (guint i = 0; i < results->len; i++) {
		const KdJobResult *result = results->pdata[i];
		JsonObject *obj = kd_json_array_add_object (array);
		JsonArray *steps;

		kd_json_set_string (obj, "name", result->name);
		kd_json_set_string (obj, "outcome", kd_outcome_name (result->outcome));
		json_object_set_double_member (obj, "seconds", result->seconds);
		kd_json_set_string (obj, "artefacts", result->artefacts);
		steps = kd_json_add_array (obj, "steps");
		for (guint n = 0; n < result->steps->len; n++) {
			const KdStepResult *step = result->steps->pdata[n];
			JsonObject *row = kd_json_array_add_object (steps);

			kd_json_set_string (row, "name", step->name);
			kd_json_set_string (row, "outcome", kd_outcome_name (step->outcome));
			kd_json_set_string (row, "why", step->why);
			json_object_set_double_member (row, "seconds", step->seconds);
		}
	}
	return kd_json_array_node (array);
}
