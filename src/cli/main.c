/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "gdb.h"
#include "interrupt.h"
#include "kvmdbg/kvmdbg.h"
#include "run/run.h"
#include "shell.h"

/* Becomes the daemon's program with these arguments: it has the table of commands. */
static int
exec_daemon (const char *const *args)
{
	g_autoptr (GError) error = NULL;
	g_autofree char *program = kvmdbg_find_daemon (&error);
	g_autoptr (GPtrArray) argv = g_ptr_array_new();

	if (!program) {
		fprintf (stderr, "kvmdbg: %s\n", error->message);
		return KD_EXIT_FAILED;
	}
	g_ptr_array_add (argv, program);
	for (; *args; args++)
		g_ptr_array_add (argv, (gpointer)*args);
	g_ptr_array_add (argv, NULL);
	execv (program, (char **)argv->pdata);
	fprintf (stderr, "kvmdbg: %s: %s\n", program, g_strerror (errno));
	return KD_EXIT_FAILED;
}

static int
print_help (const char *command)
{
	const char *args[] = {"--print-help", command, NULL};

	return exec_daemon (args);
}

/* Without a daemon there is no session; but a wrong command line is told as such first. */
static int
refuse_without_daemon (const KdCliOptions *options, char **words)
{
	g_autoptr (GPtrArray) args = g_ptr_array_new();

	g_ptr_array_add (args, (gpointer) "--refuse");
	if (options->json)
		g_ptr_array_add (args, (gpointer) "--json");
	g_ptr_array_add (args, (gpointer) "--");
	for (; *words; words++)
		g_ptr_array_add (args, *words);
	g_ptr_array_add (args, NULL);
	return exec_daemon ((const char *const *)args->pdata);
}

/* For the completion of bash: candidates one a line; nothing means file names. */
static int
complete (const KdCliOptions *options, char **words)
{
	g_autoptr (KvmdbgConnection) connection = NULL;
	g_autoptr (JsonNode) result = NULL;
	const char *line = words[0] ? words[0] : "";
	JsonObject *params;
	JsonArray *array;
	const char *args[] = {"--complete", line, NULL};

	connection = kvmdbg_connect (FALSE, NULL);
	if (!connection)
		return exec_daemon (args);
	params = json_object_new();
	json_object_set_string_member (params, "line", line);
	if (options->session)
		json_object_set_string_member (params, "session", options->session);
	result = kd_call_quiet (connection, "complete", params, NULL);
	if (!result || !JSON_NODE_HOLDS_OBJECT (result) ||
		!json_object_has_member (json_node_get_object (result), "candidates"))
		return KD_EXIT_FAILED;
	array = json_object_get_array_member (json_node_get_object (result), "candidates");
	for (guint i = 0; i < json_array_get_length (array); i++)
		puts (json_array_get_string_element (array, i));
	return KD_EXIT_DONE;
}

static int
run_command (const KdCliOptions *options, char **words)
{
	gboolean starts = strcmp (words[0], "attach") == 0 || strcmp (words[0], "open") == 0;
	g_autoptr (GError) error = NULL;
	g_autoptr (KvmdbgConnection) connection = kvmdbg_connect (starts, &error);

	if (!connection && !starts &&
		g_error_matches (error, KVMDBG_ERROR, KVMDBG_ERROR_NO_SESSION))
		return refuse_without_daemon (options, words);
	if (!connection) {
		kd_call_print_error (options, error, NULL, stdout);
		return kvmdbg_exit_status (NULL, error);
	}
	kd_interrupt_init();
	return kd_call_command (connection, options, (const char *const *)words, stdout);
}

int
main (int argc, char **argv)
{
	g_auto (GStrv) words = g_strdupv (argv + 1);
	g_autofree char *why = NULL;
	KdCliOptions options = {0};
	int status;

	setlocale (LC_ALL, "");
	if (!kd_cli_options_take (&options, words, &why)) {
		fprintf (stderr, "kvmdbg: %s\n", why);
		status = KD_EXIT_USAGE;
	} else if (options.complete)
		status = complete (&options, words);
	else if (options.version) {
		puts ("kvmdbg " KVMDBG_VERSION);
		status = KD_EXIT_DONE;
	} else if (options.help)
		status = print_help (words[0]);
	else if (!words[0] || strcmp (words[0], "shell") == 0)
		status = kd_shell_run (&options);
	else if (strcmp (words[0], "gdb") == 0)
		status = kd_gdb_run (&options, (const char *const *)words + 1);
	else if (strcmp (words[0], "run") == 0)
		status = kd_run_main (words, options.json);
	else if (strcmp (words[0], "help") == 0)
		status = print_help (words[1]);
	else
		status = run_command (&options, words);
	kd_cli_options_clear (&options);
	return status;
}
