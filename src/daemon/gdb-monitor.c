/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/gdb-monitor.h"

#include <string.h>

#define COLUMNS 100
#define TEXT_MAX (4 * 1024 * 1024) /* it is kept until the debugger has read it */

/* The words behind "kvmdbg"; *ret_argv keeps them. */
static char **
words_of (const char *line, GStrv *ret_argv, GError **error)
{
	if (!g_shell_parse_argv (line, NULL, ret_argv, error))
		return NULL;
	return *ret_argv + (strcmp ((*ret_argv)[0], "kvmdbg") == 0 && (*ret_argv)[1] ? 1 : 0);
}

/*
 * What makes or ends a session, or has none, is not for who is in one; nor are our files for who
 * came by a port, unless that was asked for.
 */
static const KdCommand *
find (const char *name, gboolean files, GError **error)
{
	const KdCommand *command = kd_command_find (name, error);

	if (!command)
		return NULL;
	if (!command->run || command->flags & KD_COMMAND_NO_SESSION ||
		strcmp (command->name, "detach") == 0)
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE, "%s: not from here",
			command->name);
	else if (command->flags & KD_COMMAND_FILES && !files)
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"%s: not from a port, since it opens files (attach --listen-files allows "
			"it)",
			command->name);
	else
		return command;
	return NULL;
}

const KdCommand *
kd_gdb_monitor_command (const char *line)
{
	g_auto (GStrv) argv = NULL;
	char **words = words_of (line, &argv, NULL);

	return words ? find (words[0], TRUE, NULL) : NULL;
}

char *
kd_gdb_monitor_run (KdSession *session, const char *line, gboolean files)
{
	g_auto (GStrv) argv = NULL;
	g_autoptr (GError) error = NULL;
	g_autoptr (KdArgs) args = NULL;
	g_autoptr (JsonNode) value = NULL;
	g_autofree char *text = NULL;
	char **words = words_of (line, &argv, &error);
	const KdCommand *command = words ? find (words[0], files, &error) : NULL;

	if (command)
		args = kd_args_from_argv (command, (const char *const *)words + 1, &error);
	if (args)
		kd_args_resolve_paths (args, "/");
	if (args && !g_cancellable_set_error_if_cancelled (session->cancellable, &error))
		value = kd_command_execute (command, session, args, &error);
	if (value)
		text = kd_command_render (command, value, FALSE, COLUMNS);
	if (text && strlen (text) <= TEXT_MAX)
		return g_steal_pointer (&text);
	if (text)
		return g_strdup_printf (
			"kvmdbg: %s: %zu MiB of text, over the limit of %d (ask for "
			"less at once)\n",
			command->name, strlen (text) >> 20, TEXT_MAX >> 20);
	return g_strdup_printf ("kvmdbg: %s\n", error ? error->message : "failed");
}
