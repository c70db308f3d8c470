/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "fuzz.h"
#include "run/expect.h"

/* A file that `kvmdbg run --check` is given: read, every value of it expanded, every expectation
 * held against a result. */
static const char result_text[] =
	"{\"n\": 5, \"hex\": \"0xffff000000000000\", \"yes\": true, \"none\": null, \"list\": [], "
	"\"rows\": [{\"id\": \"a\", \"cpu\": 0}, {\"id\": \"b\\u001b[2J\", \"cpu\": -1}]}";

static void
check_error (gboolean ok, const GError *error)
{
	g_assert_true (ok == !error);
	g_assert_true (!error || error->domain == KD_JOB_ERROR);
}

static void
expand_values (KdJob *job)
{
	g_auto (GStrv) groups = g_key_file_get_groups (job->file, NULL);

	for (char **group = groups; *group; group++) {
		g_auto (GStrv) keys = g_key_file_get_keys (job->file, *group, NULL, NULL);

		for (char **key = keys; key && *key; key++) {
			g_autoptr (GError) error = NULL;
			g_autofree char *value = kd_job_value (job, *group, *key, &error);
			g_autofree char *path = NULL;

			check_error (value != NULL, error);
			path = kd_job_path (job, *group, *key, NULL);
			g_assert_true (!path || g_path_is_absolute (path));
		}
	}
}

static void
hold (KdJob *job, const char *text, JsonNode *result)
{
	g_autoptr (GError) error = NULL;
	g_autofree char *expanded = kd_job_expand (job, text, NULL);
	gboolean holds;

	if (!expanded)
		return;
	holds = kd_expect_holds (expanded, result, &error);
	check_error (holds, error);
}

static void
run_steps (KdJob *job)
{
	g_autoptr (JsonNode) result =
		kd_json_parse (result_text, sizeof result_text - 1, NULL, NULL);

	g_assert_nonnull (result);
	for (guint i = 0; i < job->steps->len; i++) {
		const KdJobStep *step = job->steps->pdata[i];

		for (guint e = 0; e < step->expect->len; e++)
			hold (job, step->expect->pdata[e], result);
		for (guint s = 0; s + 1 < step->save->len; s += 2) {
			g_autoptr (GError) error = NULL;
			g_autofree char *value =
				kd_expect_value (step->save->pdata[s + 1], result, &error);

			check_error (value != NULL, error);
		}
	}
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	int fd = memfd_create ("fuzz.job", MFD_CLOEXEC);
	g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
	g_autoptr (GError) error = NULL;
	g_autoptr (KdJob) job = NULL;

	if (fd < 0 || write (fd, data, size) != (gssize)size)
		return 0;
	job = kd_job_load (path, &error);
	close (fd);
	check_error (job != NULL, error);
	if (job) {
		expand_values (job);
		run_steps (job);
	}
	return 0;
}
