/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/command.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/nearest.h"
#include "target/transport.h"

GQuark
kd_command_error_quark (void)
{
	return g_quark_from_static_string ("kd-command-error-quark");
}

/* What one argument was given as. Strings of all kinds are kept, so that paths can be resolved. */
typedef struct {
	const KdArg *arg;
	GPtrArray *words; /* char *, NULL-terminated; empty for a flag */
	uint64_t uint;    /* of the last word, KD_ARG_UINT */
} Given;

struct KdArgs {
	GHashTable *given; /* name (the row's) → Given */
};

/* Parameters that concern the call and not the command. */
static const char *const call_params[] = {
	"session", "render", "color", "columns", "cwd", "argv", "timeout", NULL};

static void
given_free (gpointer data)
{
	Given *given = data;

	g_ptr_array_unref (given->words);
	g_free (given);
}

static KdArgs *
args_new (void)
{
	KdArgs *args = g_new0 (KdArgs, 1);

	args->given = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, given_free);
	return args;
}

void
kd_args_free (KdArgs *args)
{
	if (!args)
		return;
	g_hash_table_unref (args->given);
	g_free (args);
}

gboolean
kd_args_flag (const KdArgs *args, const char *name)
{
	return g_hash_table_contains (args->given, name);
}

const char *
kd_args_string (const KdArgs *args, const char *name)
{
	Given *given = g_hash_table_lookup (args->given, name);

	if (!given || given->words->len < 2)
		return NULL;
	return g_ptr_array_index (given->words, given->words->len - 2);
}

gboolean
kd_args_uint (const KdArgs *args, const char *name, uint64_t *ret_value)
{
	Given *given = g_hash_table_lookup (args->given, name);

	if (!given || given->arg->kind != KD_ARG_UINT)
		return FALSE;
	*ret_value = given->uint;
	return TRUE;
}

const char *const *
kd_args_list (const KdArgs *args, const char *name)
{
	static const char *const empty[] = {NULL};
	Given *given = g_hash_table_lookup (args->given, name);

	if (!given)
		return empty;
	return (const char *const *)given->words->pdata;
}

/* --- what a row says --- */

static const KdArg *
arg_by_long (const KdCommand *command, const char *name, size_t len)
{
	for (const KdArg *arg = command->args; arg && arg->name; arg++)
		if (!arg->positional && strlen (arg->name) == len &&
			memcmp (arg->name, name, len) == 0)
			return arg;
	return NULL;
}

static const KdArg *
arg_by_short (const KdCommand *command, char c)
{
	for (const KdArg *arg = command->args; arg && arg->name; arg++)
		if (!arg->positional && arg->short_name == c)
			return arg;
	return NULL;
}

static const KdArg *
arg_by_position (const KdCommand *command, unsigned position)
{
	const KdArg *last = NULL;

	for (const KdArg *arg = command->args; arg && arg->name; arg++) {
		if (!arg->positional)
			continue;
		last = arg;
		if (position-- == 0)
			return arg;
	}
	return last && (last->kind == KD_ARG_REST || last->flags & KD_ARG_REPEATED) ? last : NULL;
}

/* "option --cpu", "argument ADDR": how an argument is called in messages. */
static char *
arg_title (const KdArg *arg)
{
	g_autofree char *upper = NULL;

	if (!arg->positional)
		return g_strdup_printf ("option --%s", arg->name);
	upper = g_ascii_strup (arg->meta ? arg->meta : arg->name, -1);
	return g_strdup_printf ("argument %s", upper);
}

G_GNUC_PRINTF (3, 4)
static gboolean
usage (GError **error, const KdCommand *command, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list ap;

	va_start (ap, format);
	message = g_strdup_vprintf (format, ap);
	va_end (ap);
	g_set_error (
		error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE, "%s: %s", command->name, message);
	return FALSE;
}

/* Without "unix:": a slash, or no colon and more than digits; else HOST:PORT or PORT. */
static gboolean
is_socket_path (const char *word)
{
	return strchr (word, '/') || (!strchr (word, ':') && word[strspn (word, "0123456789")]);
}

static gboolean
check_peer (const KdCommand *command, const char *title, const char *word, GError **error)
{
	g_autoptr (GError) why = NULL;
	g_auto (KdPeer) peer = {0};

	/* A path's length counts when it is whole. */
	if ((is_socket_path (word) && *word != '/') || kd_peer_parse (word, &peer, &why))
		return TRUE;
	return usage (error, command, "%s: %s", title, why->message);
}

static gboolean
give (KdArgs *args, const KdCommand *command, const KdArg *arg, const char *word, GError **error)
{
	Given *given = g_hash_table_lookup (args->given, arg->name);
	g_autofree char *title = arg_title (arg);
	uint64_t value = 0;

	if (word && arg->kind == KD_ARG_UINT && !kd_parse_u64 (word, &value))
		return usage (error, command, "%s: “%s” is not a number", title, word);
	if (word && *word == '\0' && arg->kind != KD_ARG_STRING)
		return usage (error, command, "%s: empty", title);
	if (word && arg->kind == KD_ARG_PEER && !check_peer (command, title, word, error))
		return FALSE;
	if (given && arg->kind != KD_ARG_REST && arg->kind != KD_ARG_FLAG &&
		!(arg->flags & KD_ARG_REPEATED))
		return usage (error, command, "%s: given twice", title);
	if (!given) {
		given = g_new0 (Given, 1);
		given->arg = arg;
		given->words = g_ptr_array_new_with_free_func (g_free);
		g_ptr_array_add (given->words, NULL);
		g_hash_table_insert (args->given, (gpointer)arg->name, given);
	}
	given->uint = value;
	if (!word)
		return TRUE;
	if (arg->kind == KD_ARG_REST && given->words->len > 1) {
		char **rest = (char **)&g_ptr_array_index (given->words, 0);
		char *joined = g_strconcat (*rest, " ", word, NULL);

		g_free (*rest);
		*rest = joined;
		return TRUE;
	}
	g_ptr_array_insert (given->words, (gint)given->words->len - 1, g_strdup (word));
	return TRUE;
}

static gboolean
check_required (const KdArgs *args, const KdCommand *command, GError **error)
{
	for (const KdArg *arg = command->args; arg && arg->name; arg++) {
		g_autofree char *title = NULL;

		if (!(arg->flags & KD_ARG_REQUIRED) ||
			g_hash_table_contains (args->given, arg->name))
			continue;
		title = arg_title (arg);
		return usage (
			error, command, "%s is missing (see “help %s”)", title, command->name);
	}
	return TRUE;
}

static char *
option_hint (const KdCommand *command, const char *name)
{
	g_autoptr (KdNearest) nearest = kd_nearest_new (name);

	for (const KdArg *arg = command->args; arg && arg->name; arg++)
		if (!arg->positional) {
			g_autofree char *option = g_strconcat ("--", arg->name, NULL);

			kd_nearest_offer (nearest, option);
		}
	return kd_nearest_hint (nearest);
}

/* --- command lines --- */

typedef struct {
	KdArgs *args;
	const KdCommand *command;
	const char *const *next; /* the word after the one looked at */
	unsigned position;
} Walk;

static gboolean
give_option (Walk *walk, const KdArg *arg, const char *inline_value, GError **error)
{
	g_autofree char *title = arg_title (arg);

	if (arg->kind == KD_ARG_FLAG) {
		if (inline_value)
			return usage (error, walk->command, "%s takes no value", title);
		return give (walk->args, walk->command, arg, NULL, error);
	}
	if (inline_value)
		return give (walk->args, walk->command, arg, inline_value, error);
	if (!*walk->next)
		return usage (error, walk->command, "%s needs a value (%s)", title,
			arg->meta ? arg->meta : "see its help");
	return give (walk->args, walk->command, arg, *walk->next++, error);
}

static gboolean
walk_long (Walk *walk, const char *word, GError **error)
{
	const char *equals = strchr (word, '=');
	size_t len = (equals ? (size_t)(equals - word) : strlen (word)) - 2;
	const KdArg *arg = arg_by_long (walk->command, word + 2, len);
	g_autofree char *name = NULL;
	g_autofree char *hint = NULL;

	if (arg)
		return give_option (walk, arg, equals ? equals + 1 : NULL, error);
	name = g_strndup (word, len + 2);
	hint = option_hint (walk->command, name);
	return usage (error, walk->command, "unknown option %s%s", name, hint);
}

/* "-a", "-ab" of flags, "-c1", "-c 1". */
static gboolean
walk_short (Walk *walk, const char *word, GError **error)
{
	for (const char *c = word + 1; *c; c++) {
		const KdArg *arg = arg_by_short (walk->command, *c);

		if (!arg)
			return usage (error, walk->command, "unknown option -%c", *c);
		if (arg->kind != KD_ARG_FLAG)
			return give_option (walk, arg, c[1] ? c + 1 : NULL, error);
		if (!give_option (walk, arg, NULL, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
walk_positional (Walk *walk, const char *word, GError **error)
{
	const KdArg *arg = arg_by_position (walk->command, walk->position);

	if (!arg)
		return usage (error, walk->command, "unexpected argument “%s”", word);
	walk->position++;
	return give (walk->args, walk->command, arg, word, error);
}

/* Exactly an option of the row: what a word inside a KD_ARG_REST must be to count as one. */
static gboolean
is_own_option (const KdCommand *command, const char *word)
{
	if (word[0] != '-' || word[1] == '\0')
		return FALSE;
	if (word[1] != '-')
		return word[2] == '\0' && arg_by_short (command, word[1]);
	return arg_by_long (command, word + 2, strcspn (word + 2, "=")) != NULL;
}

static gboolean
looks_like_option (const Walk *walk, const char *word)
{
	const KdArg *arg = arg_by_position (walk->command, walk->position);
	gboolean letter = g_ascii_isalpha (word[1]) || word[1] == '-' || word[1] == '?';

	if (word[0] != '-' || !letter)
		return FALSE;
	if (arg && arg->kind == KD_ARG_REST && g_hash_table_contains (walk->args->given, arg->name))
		return is_own_option (walk->command, word);
	return TRUE;
}

KdArgs *
kd_args_from_argv (const KdCommand *command, const char *const *argv, GError **error)
{
	g_autoptr (KdArgs) args = args_new();
	Walk walk = {args, command, argv, 0};
	gboolean options = TRUE;

	while (*walk.next) {
		const char *word = *walk.next++;
		gboolean ok;

		if (options && strcmp (word, "--") == 0) {
			options = FALSE;
			continue;
		}
		if (!options || !looks_like_option (&walk, word))
			ok = walk_positional (&walk, word, error);
		else if (word[1] == '-')
			ok = walk_long (&walk, word, error);
		else
			ok = walk_short (&walk, word, error);
		if (!ok)
			return NULL;
	}
	if (!check_required (args, command, error))
		return NULL;
	return g_steal_pointer (&args);
}

/* --- JSON --- */

static const KdArg *
arg_by_name (const KdCommand *command, const char *name)
{
	for (const KdArg *arg = command->args; arg && arg->name; arg++)
		if (strcmp (arg->name, name) == 0)
			return arg;
	return NULL;
}

static gboolean
give_scalar (
	KdArgs *args, const KdCommand *command, const KdArg *arg, JsonNode *node, GError **error)
{
	g_autofree char *text = NULL;

	if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
		return give (args, command, arg, json_node_get_string (node), error);
	if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_INT64) {
		text = g_strdup_printf ("%" G_GINT64_FORMAT, json_node_get_int (node));
		return give (args, command, arg, text, error);
	}
	return usage (error, command, "parameter “%s” must be %s", arg->name,
		arg->kind == KD_ARG_UINT ? "a number" : "a string");
}

static gboolean
give_node (KdArgs *args, const KdCommand *command, const KdArg *arg, JsonNode *node, GError **error)
{
	JsonArray *array;

	if (JSON_NODE_HOLDS_NULL (node))
		return TRUE;
	if (arg->kind == KD_ARG_FLAG) {
		if (!JSON_NODE_HOLDS_VALUE (node) ||
			json_node_get_value_type (node) != G_TYPE_BOOLEAN)
			return usage (
				error, command, "parameter “%s” must be true or false", arg->name);
		return json_node_get_boolean (node) ? give (args, command, arg, NULL, error) : TRUE;
	}
	if (!(arg->flags & KD_ARG_REPEATED) || !JSON_NODE_HOLDS_ARRAY (node))
		return give_scalar (args, command, arg, node, error);
	array = json_node_get_array (node);
	for (guint i = 0; i < json_array_get_length (array); i++)
		if (!give_scalar (args, command, arg, json_array_get_element (array, i), error))
			return FALSE;
	return TRUE;
}

KdArgs *
kd_args_from_json (const KdCommand *command, JsonObject *params, GError **error)
{
	g_autoptr (KdArgs) args = args_new();
	g_autoptr (GList) names = params ? json_object_get_members (params) : NULL;

	for (GList *l = names; l; l = l->next) {
		const KdArg *arg = arg_by_name (command, l->data);
		JsonNode *node = json_object_get_member (params, l->data);

		if (!arg && g_strv_contains (call_params, l->data))
			continue;
		if (!arg) {
			g_autoptr (KdNearest) nearest = kd_nearest_new (l->data);
			g_autofree char *hint = NULL;

			for (arg = command->args; arg && arg->name; arg++)
				kd_nearest_offer (nearest, arg->name);
			hint = kd_nearest_hint (nearest);
			usage (error, command, "unknown parameter “%s”%s", (char *)l->data, hint);
			return NULL;
		}
		if (!give_node (args, command, arg, node, error))
			return NULL;
	}
	if (!check_required (args, command, error))
		return NULL;
	return g_steal_pointer (&args);
}

/* --- paths --- */

static char *
resolve (const KdArg *arg, const char *word, const char *cwd)
{
	g_autofree char *path = NULL;

	if (arg->kind == KD_ARG_FILE)
		return g_canonicalize_filename (word, cwd);
	if (g_str_has_prefix (word, "unix:")) {
		path = g_canonicalize_filename (word + 5, cwd);
		return g_strconcat ("unix:", path, NULL);
	}
	if (is_socket_path (word))
		return g_canonicalize_filename (word, cwd);
	return g_strdup (word);
}

void
kd_args_resolve_paths (KdArgs *args, const char *cwd)
{
	GHashTableIter iter;
	Given *given;

	g_hash_table_iter_init (&iter, args->given);
	while (g_hash_table_iter_next (&iter, NULL, (gpointer *)&given)) {
		if (given->arg->kind != KD_ARG_FILE && given->arg->kind != KD_ARG_PEER)
			continue;
		for (guint i = 0; i + 1 < given->words->len; i++) {
			char **word = (char **)&g_ptr_array_index (given->words, i);
			char *path = resolve (given->arg, *word, cwd);

			g_free (*word);
			*word = path;
		}
	}
}
