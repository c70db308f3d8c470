/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/json.h"
#include "command/command.h"
#include "command/complete.h"
#include "fuzz.h"

/* A command line with the real table: its arguments, as JSON-RPC has them too, and what completes
 * it. */
static void
use_args (const KdCommand *command, KdArgs *args)
{
	kd_args_resolve_paths (args, "/cwd");
	for (const KdArg *arg = command->args; arg && arg->name; arg++) {
		const char *const *list = kd_args_list (args, arg->name);
		const char *text = kd_args_string (args, arg->name);
		uint64_t value;

		g_assert_nonnull (list);
		kd_args_uint (args, arg->name, &value);
		if (arg->positional && arg->flags & KD_ARG_REQUIRED)
			g_assert_nonnull (text);
		if (text && arg->kind == KD_ARG_FILE)
			g_assert_cmpint (*text, ==, '/');
	}
}

static void
check (const KdCommand *command, KdArgs *args, const GError *error)
{
	if (args) {
		g_assert_no_error (error);
		use_args (command, args);
		kd_args_free (args);
		return;
	}
	g_assert_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE);
	g_assert_true (g_str_has_prefix (error->message, command->name));
}

static void
from_words (char **words)
{
	g_autoptr (GError) error = NULL;
	const KdCommand *command = kd_command_find (words[0], &error);

	g_assert_true (!command == (error != NULL));
	if (command) {
		KdArgs *args = kd_args_from_argv (command, (const char *const *)words + 1, &error);

		check (command, args, error);
	}
}

/* "NAME {…}" */
static void
from_json (const char *text)
{
	const char *brace = strchr (text, '{');
	g_autofree char *name = brace ? g_strndup (text, (gsize)(brace - text)) : NULL;
	const KdCommand *command = name ? kd_command_by_name (g_strstrip (name)) : NULL;
	g_autoptr (JsonNode) node =
		command ? kd_json_parse (brace, strlen (brace), NULL, NULL) : NULL;
	g_autoptr (GError) error = NULL;

	if (node && JSON_NODE_HOLDS_OBJECT (node)) {
		KdArgs *args = kd_args_from_json (command, json_node_get_object (node), &error);

		check (command, args, error);
	}
}

static void
complete (const char *text, size_t point)
{
	g_autoptr (JsonNode) node = kd_complete (NULL, text, point);
	JsonObject *object = json_node_get_object (node);

	g_assert_cmpint (json_object_get_int_member (object, "start"), <=, (gint64)point);
	g_assert_cmpuint (
		json_array_get_length (json_object_get_array_member (object, "candidates")), <=,
		KD_COMPLETE_MAX);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup ((const char *)data, size);
	g_auto (GStrv) words = NULL;

	if (g_shell_parse_argv (text, NULL, &words, NULL))
		from_words (words);
	from_json (text);
	complete (text, strlen (text));
	complete (text, strlen (text) / 2);
	return 0;
}
