/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "run/expect.h"

#define JOB_TIMEOUT_S 600
#define STEP_TIMEOUT_S 60
#define SECONDS_MAX 86400
#define DEPTH_MAX 8
#define FILE_MAX (1 << 20)
#define VALUE_MAX (1 << 20)  /* with its variables */
#define REFERENCES_MAX 10000 /* in it and in what they stand for: they may stand for nothing */

G_DEFINE_QUARK (kd - job - error - quark, kd_job_error)

/* Keys that end in "." are beginnings: “expect.cpu”. */
static const char *const job_keys[] = {"description", "timeout", "needs", NULL};
static const char *const prepare_keys[] = {"run", "timeout", NULL};
static const char *const machine_keys[] = {"qemu", "options", "kernel", "initrd", "append",
	"vmlinux", "debug-dir", "attach-options", "ready", "timeout", "keep-on-failure", NULL};
static const char *const step_keys[] = {"run", "wait", "send", "shell", "gdb", "expect", "expect.",
	"save.", "timeout", "status", NULL};
static const char *const collect_keys[] = {"on-failure", NULL};

static const struct {
	const char *group;
	const char *const *keys; /* NULL: any */
} groups[] = {
	{"job", job_keys},
	{"set", NULL},
	{"prepare", prepare_keys},
	{"machine", machine_keys},
	{"collect", collect_keys},
};

#define STEP_PREFIX "step "
static const char *const group_names[] = {
	"job", "set", "prepare", "machine", "collect", "step NAME", NULL};

static void
step_free (gpointer data)
{
	KdJobStep *step = data;

	g_free (step->name);
	g_free (step->text);
	g_ptr_array_unref (step->expect);
	g_ptr_array_unref (step->save);
	g_free (step);
}

void
kd_job_free (KdJob *job)
{
	if (!job)
		return;
	g_free (job->path);
	g_free (job->dir);
	g_free (job->name);
	g_clear_pointer (&job->file, g_key_file_unref);
	g_clear_pointer (&job->variables, g_hash_table_unref);
	g_clear_pointer (&job->steps, g_ptr_array_unref);
	g_free (job);
}

static gboolean refuse (GError **error, const KdJob *job, const char *group, const char *format,
	...) G_GNUC_PRINTF (4, 5);

static gboolean
refuse (GError **error, const KdJob *job, const char *group, const char *format, ...)
{
	g_autofree char *why = NULL;
	va_list ap;

	va_start (ap, format);
	why = g_strdup_vprintf (format, ap);
	va_end (ap);
	g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "%s: [%s]: %s", job->path, group, why);
	return FALSE;
}

/* --- values --- */

static gboolean
is_name (const char *text)
{
	return *text && !text[strspn (text, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_.")];
}

static const char *
variable (KdJob *job, const char *name, GError **error)
{
	const char *value = g_hash_table_lookup (job->variables, name);
	g_autofree const char **names = NULL;
	g_autofree char *hint = NULL;

	if (value)
		return value;
	names = (const char **)g_hash_table_get_keys_as_array (job->variables, NULL);
	hint = kd_nearest_hint_strv (name, names);
	g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "%s: nothing sets ${%s}%s", job->path,
		name, hint);
	return NULL;
}

/* Values may hold ${…} themselves. */
static char *
expand (KdJob *job, const char *text, int depth, unsigned *left, GError **error)
{
	g_autoptr (GString) out = g_string_new (NULL);

	if (depth > DEPTH_MAX) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "%s: %s is made of itself",
			job->path, text);
		return NULL;
	}
	while (*text) {
		const char *end = g_str_has_prefix (text, "${") ? strchr (text, '}') : NULL, *value;
		g_autofree char *name = NULL, *whole = NULL;

		if (g_str_has_prefix (text, "$${")) {
			g_string_append (out, "${");
			text += strlen ("$${");
			continue;
		}
		if (!end) {
			g_string_append_c (out, *text++);
			continue;
		}
		if ((*left)-- == 0) {
			g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE,
				"%s: a value made of more than %d others", job->path,
				REFERENCES_MAX);
			return NULL;
		}
		name = g_strndup (text + 2, (gsize)(end - text - 2));
		value = variable (job, name, error);
		whole = value ? expand (job, value, depth + 1, left, error) : NULL;
		if (!whole)
			return NULL;
		g_string_append (out, whole);
		text = end + 1;
		if (out->len > VALUE_MAX) {
			g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE,
				"%s: a value of more than %d bytes", job->path, VALUE_MAX);
			return NULL;
		}
	}
	return g_string_free (g_steal_pointer (&out), FALSE);
}

char *
kd_job_expand (KdJob *job, const char *text, GError **error)
{
	unsigned left = REFERENCES_MAX;

	return expand (job, text, 0, &left, error);
}

char *
kd_job_value (KdJob *job, const char *group, const char *key, GError **error)
{
	/* Not g_key_file_get_string(): its backslashes are in the way of regular expressions. */
	g_autofree char *raw = g_key_file_get_value (job->file, group, key, NULL);

	return raw ? kd_job_expand (job, raw, error) : NULL;
}

char *
kd_job_path (KdJob *job, const char *group, const char *key, GError **error)
{
	g_autofree char *value = kd_job_value (job, group, key, error);

	return value && *value ? g_canonicalize_filename (value, job->dir) : NULL;
}

gboolean
kd_job_flag (KdJob *job, const char *group, const char *key)
{
	return g_key_file_get_boolean (job->file, group, key, NULL);
}

guint
kd_job_seconds (KdJob *job, const char *group, const char *key, guint otherwise)
{
	int value = g_key_file_get_integer (job->file, group, key, NULL);

	return value > 0 ? (guint)value : otherwise;
}

gboolean
kd_job_set (KdJob *job, const char *name, const char *value, GError **error)
{
	g_auto (GStrv) keys = NULL;
	g_autofree char *hint = NULL;

	if (g_key_file_has_key (job->file, "set", name, NULL)) {
		g_hash_table_replace (job->variables, g_strdup (name), g_strdup (value));
		return TRUE;
	}
	keys = g_key_file_get_keys (job->file, "set", NULL, NULL);
	hint = keys ? kd_nearest_hint_strv (name, (const char *const *)keys) : g_strdup ("");
	return refuse (error, job, "set", "has no “%s” to set%s", name, hint);
}

/* --- the file --- */

static const char *const *
keys_of (const char *group, gboolean *ret_known)
{
	*ret_known = TRUE;
	if (g_str_has_prefix (group, STEP_PREFIX))
		return step_keys;
	for (guint i = 0; i < G_N_ELEMENTS (groups); i++)
		if (strcmp (group, groups[i].group) == 0)
			return groups[i].keys;
	*ret_known = FALSE;
	return NULL;
}

static gboolean
key_known (const char *key, const char *const *keys)
{
	for (; *keys; keys++)
		if (g_str_has_suffix (*keys, ".")
				? g_str_has_prefix (key, *keys) && key[strlen (*keys)]
				: strcmp (key, *keys) == 0)
			return TRUE;
	return FALSE;
}

static gboolean
check_number (
	KdJob *job, const char *group, const char *key, gint64 min, gint64 max, GError **error)
{
	g_autofree char *text = g_key_file_get_value (job->file, group, key, NULL);
	gint64 value;

	if (!text || g_ascii_string_to_signed (text, 10, min, max, &value, NULL))
		return TRUE;
	return refuse (error, job, group,
		"%s=%s is not a number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, key, text,
		min, max);
}

static gboolean
check_group (KdJob *job, const char *group, GError **error)
{
	g_auto (GStrv) keys = g_key_file_get_keys (job->file, group, NULL, NULL);
	g_autoptr (GError) why = NULL;
	const char *const *known;
	gboolean is_known;

	known = keys_of (group, &is_known);
	if (!is_known) {
		g_autofree char *hint = kd_nearest_hint_strv (group, group_names);

		return refuse (error, job, group, "is no group of a job%s", hint);
	}
	for (char **key = keys; key && *key; key++) {
		g_autofree char *hint = NULL;

		if (!known && !is_name (*key))
			return refuse (error, job, group, "“%s” is no name", *key);
		if (!known || key_known (*key, known))
			continue;
		hint = kd_nearest_hint_strv (*key, known);
		return refuse (error, job, group, "unknown key “%s”%s", *key, hint);
	}
	if (known && g_key_file_has_key (job->file, group, "keep-on-failure", NULL)) {
		g_key_file_get_boolean (job->file, group, "keep-on-failure", &why);
		if (why)
			return refuse (
				error, job, group, "keep-on-failure is neither true nor false");
	}
	return !known || (check_number (job, group, "timeout", 1, SECONDS_MAX, error) &&
				 check_number (job, group, "status", 0, 255, error));
}

static void
add_check (KdJob *job, KdJobStep *step, const char *group, const char *key)
{
	g_autofree char *value = g_key_file_get_value (job->file, group, key, NULL);

	if (g_str_has_prefix (key, "save.")) {
		g_ptr_array_add (step->save, g_strdup (key + strlen ("save.")));
		g_ptr_array_add (step->save, g_steal_pointer (&value));
	} else if (g_str_has_prefix (key, "expect"))
		g_ptr_array_add (step->expect, g_steal_pointer (&value));
}

static gboolean
add_step (KdJob *job, const char *group, GError **error)
{
	static const char *const kinds[] = {
		[KD_STEP_RUN] = "run",
		[KD_STEP_WAIT] = "wait",
		[KD_STEP_SEND] = "send",
		[KD_STEP_SHELL] = "shell",
		[KD_STEP_GDB] = "gdb",
	};
	g_auto (GStrv) keys = g_key_file_get_keys (job->file, group, NULL, NULL);
	KdJobStep *step = g_new0 (KdJobStep, 1);

	step->name = g_strdup (group + strlen (STEP_PREFIX));
	step->expect = g_ptr_array_new_with_free_func (g_free);
	step->save = g_ptr_array_new_with_free_func (g_free);
	step->timeout_s = kd_job_seconds (job, group, "timeout", STEP_TIMEOUT_S);
	step->status = g_key_file_get_integer (job->file, group, "status", NULL);
	g_ptr_array_add (job->steps, step);
	for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
		if (!g_key_file_has_key (job->file, group, kinds[i], NULL))
			continue;
		if (step->text)
			return refuse (error, job, group,
				"both “%s” and “%s”: a step does one thing", kinds[step->kind],
				kinds[i]);
		step->kind = i;
		step->text = g_key_file_get_value (job->file, group, kinds[i], NULL);
	}
	if (!step->text)
		return refuse (error, job, group, "has none of run, wait, send, shell, gdb");
	for (char **key = keys; *key; key++)
		add_check (job, step, group, *key);
	for (guint i = 0; i < step->expect->len; i++) {
		g_autoptr (GError) why = NULL;
		const char *text = step->expect->pdata[i];

		/* One with variables is looked at when they are known. */
		if (!strstr (text, "${") && !kd_expect_check (text, &why))
			return refuse (error, job, group, "%s", why->message);
	}
	return TRUE;
}

static void
set_variables (KdJob *job)
{
	g_auto (GStrv) keys = g_key_file_get_keys (job->file, "set", NULL, NULL);

	g_hash_table_insert (job->variables, g_strdup ("job.dir"), g_strdup (job->dir));
	for (char **key = keys; key && *key; key++)
		g_hash_table_insert (job->variables, g_strdup (*key),
			g_key_file_get_value (job->file, "set", *key, NULL));
}

/* GLib's key files and regular expressions take for granted that text is UTF-8. */
static gboolean
check_text (const char *text, gsize len, GError **error)
{
	const char *bad;
	guint line = 1;

	if (len > FILE_MAX) {
		g_set_error (
			error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "more than %d bytes", FILE_MAX);
		return FALSE;
	}
	if (g_utf8_validate_len (text, len, &bad))
		return TRUE;
	for (const char *at = text; at < bad; at++)
		line += *at == '\n';
	g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "line %u is no UTF-8 text", line);
	return FALSE;
}

static gboolean
load_text (KdJob *job, GError **error)
{
	g_autofree char *text = g_malloc (FILE_MAX + 1);
	FILE *file = fopen (job->path, "re");
	gsize len = file ? fread (text, 1, FILE_MAX + 1, file) : 0;
	int failed = !file || ferror (file) ? errno : 0;

	if (file)
		fclose (file);
	if (failed) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "%s", g_strerror (failed));
		return FALSE;
	}
	return check_text (text, len, error) &&
	       g_key_file_load_from_data (job->file, text, len, G_KEY_FILE_NONE, error);
}

static gboolean
read_file (KdJob *job, GError **error)
{
	g_auto (GStrv) names = NULL;
	g_autoptr (GError) why = NULL;

	if (!load_text (job, &why)) {
		g_set_error (
			error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "%s: %s", job->path, why->message);
		return FALSE;
	}
	names = g_key_file_get_groups (job->file, NULL);
	for (char **name = names; *name; name++) {
		if (!check_group (job, *name, error))
			return FALSE;
		if (g_str_has_prefix (*name, STEP_PREFIX) && !add_step (job, *name, error))
			return FALSE;
	}
	if (!g_key_file_has_key (job->file, "machine", "qemu", NULL))
		return refuse (error, job, "machine", "qemu is missing: the program to run");
	if (!job->steps->len)
		return refuse (
			error, job, "step NAME", "there is none: the job would show nothing");
	return TRUE;
}

KdJob *
kd_job_load (const char *path, GError **error)
{
	g_autofree char *absolute = g_canonicalize_filename (path, NULL);
	g_autoptr (KdJob) job = g_new0 (KdJob, 1);
	char *suffix;

	job->path = g_strdup (path);
	job->dir = g_path_get_dirname (absolute);
	job->name = g_path_get_basename (path);
	suffix = strrchr (job->name, '.');
	if (suffix && strcmp (suffix, ".job") == 0)
		*suffix = '\0';
	job->file = g_key_file_new();
	job->variables = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
	job->steps = g_ptr_array_new_with_free_func (step_free);
	if (!read_file (job, error))
		return NULL;
	job->timeout_s = kd_job_seconds (job, "job", "timeout", JOB_TIMEOUT_S);
	set_variables (job);
	return g_steal_pointer (&job);
}
