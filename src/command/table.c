/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/json.h"
#include "base/nearest.h"
#include "command/command.h"

/* command-rows.h is made by meson.build from its list: one KD_ROW (name) a command. */
#define KD_ROW(row) extern const KdCommand kd_command_##row;
#include "command-rows.h"
#undef KD_ROW

static const KdCommand *const commands[] = {
#define KD_ROW(row) &kd_command_##row,
#include "command-rows.h"
#undef KD_ROW
	NULL};

const KdCommand *const *
kd_commands (void)
{
	return commands;
}

const KdCommand *
kd_command_by_name (const char *name)
{
	for (const KdCommand *const *command = commands; *command; command++)
		if (strcmp ((*command)->name, name) == 0)
			return *command;
	return NULL;
}

const KdCommand *
kd_command_find (const char *name, GError **error)
{
	const KdCommand *command = kd_command_by_name (name);
	g_autoptr (KdNearest) nearest = NULL;
	g_autofree char *hint = NULL;

	if (command)
		return command;
	nearest = kd_nearest_new (name);
	for (const KdCommand *const *row = commands; *row; row++)
		kd_nearest_offer (nearest, (*row)->name);
	hint = kd_nearest_hint (nearest);
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE, "unknown command “%s”%s",
		name, *hint ? hint : " (“help” lists them)");
	return NULL;
}

static gboolean
is_lost (const KdSession *session)
{
	return session && session->target && kd_target_state (session->target) == KD_TARGET_LOST;
}

static gboolean
set_lost (const KdCommand *command, const KdSession *session, GError **error)
{
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST,
		"%s: %s%s (“detach”, then attach again)", command->name,
		kd_target_is_given_up (session->target) ? "" : "the machine is gone: ",
		kd_target_lost_why (session->target));
	return FALSE;
}

static gboolean
check_session (const KdCommand *command, const KdSession *session, GError **error)
{
	KdTargetState state;

	if (command->flags & (KD_COMMAND_NO_SESSION | KD_COMMAND_ENDS))
		return TRUE;
	if (!session || !session->target) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NO_SESSION,
			"%s: no machine is attached (“attach ADDR” first)", command->name);
		return FALSE;
	}
	state = kd_target_state (session->target);
	if (state == KD_TARGET_LOST && !(command->flags & KD_COMMAND_ALWAYS))
		return set_lost (command, session, error);
	if (command->flags & KD_COMMAND_NEEDS_STOP && state == KD_TARGET_RUNNING) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NEEDS_STOP,
			"%s: the machine is running (“stop” first)", command->name);
		return FALSE;
	}
	if (command->flags & KD_COMMAND_NEEDS_KERNEL && !session->kernel) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NEEDS_KERNEL,
			"%s: no kernel is known: %s", command->name,
			session->kernel_error
				? session->kernel_error->message
				: "none found (attach with --vmlinux FILE or --debug-dir DIR)");
		return FALSE;
	}
	return TRUE;
}

/* What a file says that has changed since is not told, and no breakpoint is set by it. */
static gboolean
check_files (const KdCommand *command, const KdSession *session, GError **error)
{
	const char *path = NULL;

	if (!(command->flags & (KD_COMMAND_NO_SESSION | KD_COMMAND_NO_IMAGE)) && session->kernel)
		path = kd_kernel_changed_file (session->kernel);
	if (path)
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
			"%s: %s was written to while it was in use (“detach”, then attach again)",
			command->name, path);
	return path == NULL;
}

JsonNode *
kd_command_execute (
	const KdCommand *command, KdSession *session, const KdArgs *args, GError **error)
{
	gboolean was_lost = is_lost (session);
	g_autoptr (JsonNode) result = NULL;
	g_autoptr (GError) why = NULL;

	if (!check_session (command, session, error) || !check_files (command, session, error))
		return NULL;
	g_return_val_if_fail (command->run, NULL);
	result = command->run (session, args, &why);
	/* What a command found before its machine went away is no answer to what was asked. */
	if (!was_lost && is_lost (session) && !(command->flags & KD_COMMAND_ALWAYS) &&
		!g_error_matches (why, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
		set_lost (command, session, error);
		return NULL;
	}
	if (!why && !check_files (command, session, error))
		return NULL;
	if (why) {
		g_propagate_error (error, g_steal_pointer (&why));
		return NULL;
	}
	return g_steal_pointer (&result);
}

char *
kd_command_render (const KdCommand *command, JsonNode *result, gboolean color, unsigned columns)
{
	KdText *text;

	if (!command->render) {
		g_autofree char *json = kd_json_to_string (result, TRUE);

		return g_strconcat (json, "\n", NULL);
	}
	text = kd_text_new (color, columns);
	command->render (result, text);
	return kd_text_finish (text);
}
