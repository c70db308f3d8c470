/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gstdio.h>
#include <string.h>

#include "base/json.h"
#include "run/expect.h"
#include "run/report.h"

/* --- files --- */

static char *
write_job (const char *text)
{
	char *path = NULL;
	int fd = g_file_open_tmp ("kvmdbg-XXXXXX.job", &path, NULL);

	g_assert_cmpint (fd, >=, 0);
	g_close (fd, NULL);
	g_assert_true (g_file_set_contents (path, text, -1, NULL));
	return path;
}

static KdJob *
load (const char *text, GError **error)
{
	g_autofree char *path = write_job (text);
	KdJob *job = kd_job_load (path, error);

	g_assert_cmpint (g_unlink (path), ==, 0);
	return job;
}

#define MACHINE "[machine]\nqemu=/bin/true\n"
#define STEP "[step one]\nrun=status\n"

static const struct {
	const char *name, *text, *message;
} bad_files[] = {
	{"no machine", STEP, "qemu is missing"},
	{"no steps", MACHINE, "there is none"},
	{"unknown group", MACHINE STEP "[machines]\nx=1\n", "did you mean machine?"},
	{"unknown key", MACHINE "kernal=x\n" STEP, "unknown key “kernal” (did you mean kernel?)"},
	{"unknown key of a step", MACHINE "[step a]\nruns=x\n", "did you mean run?"},
	{"nothing to do", MACHINE "[step a]\nexpect=$ exists\n", "has none of run"},
	{"two things to do", MACHINE "[step a]\nrun=a\nsend=b\n", "both “run” and “send”"},
	{"no number", MACHINE "timeout=soon\n" STEP, "timeout=soon is not a number"},
	{"a timeout of 0", "[job]\ntimeout=0\n" MACHINE STEP, "is not a number from 1"},
	{"a status that none is", MACHINE STEP "status=256\n", "from 0 to 255"},
	{"neither true nor false", MACHINE "keep-on-failure=maybe\n" STEP,
		"neither true nor false"},
	{"no path", MACHINE STEP "expect=findings == 1\n", "is no path"},
	{"half a path", MACHINE STEP "expect=$.a[ == 1\n", "is no path"},
	{"an index that none is", MACHINE STEP "expect=$.a[x] == 1\n", "is no path"},
	{"no operator", MACHINE STEP "expect=$.a is 1\n", "“is” is no operator"},
	{"no value", MACHINE STEP "expect.x=$.a ==\n", "a value is missing"},
	{"a value too many", MACHINE STEP "expect.x=$.a absent 1\n", "nothing may follow"},
	{"a bad regular expression", MACHINE STEP "expect.x=$.a ~ (\n", "“$.a ~ (”"},
	{"no key file", "run=x\n", "Key file"},
	{"an expectation that is no UTF-8", MACHINE STEP "expect=$.a ~ \xb0+\n",
		"line 5 is no UTF-8"},
	{"a group that is no UTF-8", "[\xff]\n" MACHINE STEP, "line 1 is no UTF-8"},
};

static void
test_bad_files (void)
{
	for (gsize i = 0; i < G_N_ELEMENTS (bad_files); i++) {
		g_autoptr (GError) error = NULL;
		g_autoptr (KdJob) job = load (bad_files[i].text, &error);

		g_test_message ("%s: %s", bad_files[i].name, error ? error->message : "no error");
		g_assert_null (job);
		g_assert_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE);
		g_assert_nonnull (strstr (error->message, bad_files[i].message));
	}
}

static void
test_variables (void)
{
	g_autoptr (GError) error = NULL;
	g_autoptr (KdJob) job = load (
		"[set]\na=1\nb=<${a}>\nc=${c}\n" MACHINE "options=${b} $${a} $x0\n" STEP, &error);
	g_autofree char *before = NULL, *after = NULL, *none = NULL;

	g_assert_no_error (error);
	before = kd_job_value (job, "machine", "options", &error);
	g_assert_cmpstr (before, ==, "<1> ${a} $x0");
	g_assert_true (kd_job_set (job, "a", "two", &error));
	after = kd_job_value (job, "machine", "options", &error);
	g_assert_cmpstr (after, ==, "<two> ${a} $x0");
	none = kd_job_value (job, "machine", "append", &error);
	g_assert_no_error (error);
	g_assert_null (none);

	g_assert_null (kd_job_expand (job, "${c}", &error));
	g_assert_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE);
	g_clear_error (&error);
	g_assert_null (kd_job_expand (job, "${job.dirr}", &error));
	g_assert_nonnull (strstr (error->message, "did you mean job.dir?"));
	g_clear_error (&error);
	g_assert_false (kd_job_set (job, "d", "", &error));
	g_assert_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE);
}

/* Each value is a hundred times the next: too long, or made of too many that are nothing. */
static void
test_variables_multiply (void)
{
	static const struct {
		const char *last;
		guint fill; /* bytes of it */
		const char *message;
	} rows[] = {{"c", 1024, "of more than 1048576 bytes"},
		{"h", 1, "of more than 10000 others"}, {"h", 0, "of more than 10000 others"}};

	for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autoptr (GString) text = g_string_new ("[set]\n");
		g_autofree char *fill = g_strnfill (rows[i].fill, 'x');
		g_autoptr (GError) error = NULL;
		g_autoptr (KdJob) job = NULL;

		for (char c = 'a'; c < *rows[i].last; c++) {
			g_string_append_printf (text, "%c=", c);
			for (int n = 0; n < 100; n++)
				g_string_append_printf (text, "${%c}", c + 1);
			g_string_append_c (text, '\n');
		}
		g_string_append_printf (text, "%s=%s\n" MACHINE STEP, rows[i].last, fill);
		job = load (text->str, &error);
		g_assert_no_error (error);
		g_assert_null (kd_job_expand (job, "${a}", &error));
		g_assert_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE);
		g_assert_nonnull (strstr (error->message, rows[i].message));
	}
}

/* --- expectations --- */

#define RESULT                                                                                     \
	"{\"n\": 5, \"hex\": \"0xffff000000000000\", \"yes\": true, \"none\": null, \"list\": "    \
	"[], "                                                                                     \
	"\"rows\": [{\"id\": \"a\", \"cpu\": 0}, {\"id\": \"b\", \"cpu\": -1}]}"

static const struct {
	const char *text;
	gboolean holds;
} expectations[] = {
	{"$.n == 5", TRUE},
	{"$.n == 0x5", TRUE},
	{"$.n == 6", FALSE},
	{"$.n != 6", TRUE},
	{"$.n < 10", TRUE},
	{"$.n > 10", FALSE},
	{"$.n <= 5", TRUE},
	{"$.n >= 6", FALSE},
	{"$.hex > 0x1000", TRUE},
	{"$.hex == 18446462598732840960", FALSE}, /* not of 64 bits with a sign: compared as text */
	{"$.yes == true", TRUE},
	{"$.none == null", TRUE},
	{"$.n exists", TRUE},
	{"$.m exists", FALSE},
	{"$.m absent", TRUE},
	{"$.n absent", FALSE},
	{"$.m == 5", FALSE},
	{"$.m != 5", TRUE},
	{"$.list[*] absent", TRUE},
	{"$.rows[*].id == b", TRUE},
	{"$.rows[*].id != b", FALSE},
	{"$.rows[*].id ~ ^[bc]$", TRUE},
	{"$.rows[*].id !~ ^[cd]$", TRUE},
	{"$.rows[*].cpu < 0", TRUE},
	{"$.rows[0].cpu == 0", TRUE},
	{"$..id == b", TRUE},
	{"$..id == 5", FALSE},
	{"$.*[*].id == b", TRUE},
	{"$['rows'][-1]['id'] == b", TRUE},
	{"$.rows[2] absent", TRUE},
	{"$.rows[-3] absent", TRUE},
	{"$.n[0] absent", TRUE},
	{"$ exists", TRUE},
};

static void
test_expectations (void)
{
	g_autoptr (JsonNode) result = kd_json_parse (RESULT, strlen (RESULT), NULL, NULL);

	for (gsize i = 0; i < G_N_ELEMENTS (expectations); i++) {
		g_autoptr (GError) error = NULL;
		gboolean holds = kd_expect_holds (expectations[i].text, result, &error);

		g_test_message ("%s: %s", expectations[i].text, error ? error->message : "holds");
		g_assert_cmpint (holds, ==, expectations[i].holds);
		if (!holds)
			g_assert_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED);
	}
}

/* As a variable from the command line brings it. */
static void
test_not_utf8 (void)
{
	g_autoptr (GError) error = NULL;

	g_assert_false (kd_expect_check ("$.a ~ \xb0+", &error));
	g_assert_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE);
	g_assert_true (g_utf8_validate (error->message, -1, NULL));
	g_clear_error (&error);
	g_assert_false (kd_expect_check ("$.\xff == 1", &error));
	g_assert_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE);
}

static void
test_value (void)
{
	g_autoptr (JsonNode) result = kd_json_parse (RESULT, strlen (RESULT), NULL, NULL);
	g_autoptr (GError) error = NULL;
	g_autofree char *id = kd_expect_value ("$.rows[1].id", result, &error);
	g_autofree char *number = kd_expect_value ("$.n", result, &error);

	g_assert_cmpstr (id, ==, "b");
	g_assert_cmpstr (number, ==, "5");
	g_assert_null (kd_expect_value ("$.rows[2].id", result, &error));
	g_assert_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED);
}

/* --- reports --- */

static const struct {
	const char *name;
	KdOutcome outcomes[3];
	int status;
} ends[] = {
	{"all passed", {KD_OUTCOME_PASSED, KD_OUTCOME_PASSED, KD_OUTCOME_PASSED}, 0},
	{"one skipped", {KD_OUTCOME_PASSED, KD_OUTCOME_SKIPPED, KD_OUTCOME_PASSED}, 0},
	{"all skipped", {KD_OUTCOME_SKIPPED, KD_OUTCOME_SKIPPED, KD_OUTCOME_SKIPPED}, 77},
	{"one broken", {KD_OUTCOME_PASSED, KD_OUTCOME_BROKEN, KD_OUTCOME_SKIPPED}, 125},
	{"one failed", {KD_OUTCOME_PASSED, KD_OUTCOME_BROKEN, KD_OUTCOME_FAILED}, 1},
};

static void
test_exit_status (void)
{
	for (gsize i = 0; i < G_N_ELEMENTS (ends); i++) {
		g_autoptr (GPtrArray) results =
			g_ptr_array_new_with_free_func ((GDestroyNotify)kd_job_result_free);

		for (gsize n = 0; n < G_N_ELEMENTS (ends[i].outcomes); n++) {
			KdJobResult *result = kd_job_result_new ("x");

			kd_job_result_add (result, "s", ends[i].outcomes[n], NULL, 0);
			kd_job_result_add (result, "t", KD_OUTCOME_NOT_REACHED, NULL, 0);
			g_ptr_array_add (results, result);
		}
		g_test_message ("%s", ends[i].name);
		g_assert_cmpint (kd_report_exit_status (results), ==, ends[i].status);
	}
}

static void
test_junit (void)
{
	g_autoptr (GPtrArray) results =
		g_ptr_array_new_with_free_func ((GDestroyNotify)kd_job_result_free);
	KdJobResult *result = kd_job_result_new ("a<b");
	g_autofree char *text = NULL;

	kd_job_result_add (result, "one", KD_OUTCOME_PASSED, NULL, 1.5);
	kd_job_result_add (result, "two", KD_OUTCOME_FAILED, g_strdup ("\033[1m\"x\" & \377"), 0);
	kd_job_result_add (result, "three", KD_OUTCOME_NOT_REACHED, NULL, 0);
	g_ptr_array_add (results, result);
	text = kd_report_junit (results);
	g_assert_true (g_utf8_validate (text, -1, NULL));
	g_assert_nonnull (strstr (text, "<testsuite name=\"a&lt;b\" tests=\"3\" failures=\"1\" "
					"errors=\"0\" skipped=\"1\""));
	g_assert_nonnull (strstr (text, "name=\"one\" time=\"1.500\"/>"));
	g_assert_nonnull (
		strstr (text, "<failure message=\"?[1m&quot;x&quot; &amp; \357\277\275\"/>"));
	g_assert_nonnull (strstr (text, "<skipped message=\"not reached\"/>"));
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/job/bad-files", test_bad_files);
	g_test_add_func ("/job/variables", test_variables);
	g_test_add_func ("/job/variables-multiply", test_variables_multiply);
	g_test_add_func ("/job/expectations", test_expectations);
	g_test_add_func ("/job/not-utf8", test_not_utf8);
	g_test_add_func ("/job/value", test_value);
	g_test_add_func ("/job/exit-status", test_exit_status);
	g_test_add_func ("/job/junit", test_junit);
	return g_test_run();
}
