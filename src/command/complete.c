/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/complete.h"

#include <string.h>

#include "base/json.h"
#include "kernel/expr-complete.h"

typedef struct {
	GPtrArray *words; /* whole words before the one being typed */
	char *word;       /* so far; never NULL */
	size_t start;     /* byte where it starts */
} Typed;

static void
typed_clear (Typed *typed)
{
	g_ptr_array_unref (typed->words);
	g_free (typed->word);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Typed, typed_clear)

/* Words end at blanks; quotes are the client's business when it inserts what is chosen. */
static void
split_typed (const char *line, size_t point, Typed *ret_typed)
{
	size_t pos = 0;

	ret_typed->words = g_ptr_array_new_with_free_func (g_free);
	for (;;) {
		size_t start;

		while (pos < point && g_ascii_isspace (line[pos]))
			pos++;
		start = pos;
		while (pos < point && !g_ascii_isspace (line[pos]))
			pos++;
		if (pos == point) {
			ret_typed->word = g_strndup (line + start, pos - start);
			ret_typed->start = start;
			return;
		}
		g_ptr_array_add (ret_typed->words, g_strndup (line + start, pos - start));
	}
}

/* In an expression, what is being typed is the identifier at its end. */
static void
keep_identifier (Typed *typed)
{
	size_t start = strlen (typed->word);

	while (start > 0 &&
		(g_ascii_isalnum (typed->word[start - 1]) || typed->word[start - 1] == '_'))
		start--;
	memmove (typed->word, typed->word + start, strlen (typed->word + start) + 1);
	typed->start += start;
}

static void
offer (GPtrArray *candidates, const char *word, const char *candidate)
{
	if (candidates->len < KD_COMPLETE_MAX && g_str_has_prefix (candidate, word))
		g_ptr_array_add (candidates, g_strdup (candidate));
}

static const KdArg *
option_of (const KdCommand *command, const char *word)
{
	for (const KdArg *arg = command->args; arg && arg->name; arg++) {
		if (arg->positional)
			continue;
		if (g_str_has_prefix (word, "--") ? strcmp (word + 2, arg->name) == 0
						  : word[0] == '-' && word[1] && !word[2] &&
							    word[1] == arg->short_name)
			return arg;
	}
	return NULL;
}

/* The argument that the word being typed belongs to; NULL: none, or an option's name. */
static const KdArg *
current_arg (const KdCommand *command, const Typed *typed)
{
	const KdArg *pending = NULL, *last = NULL;
	unsigned position = 0;

	for (guint i = 1; i < typed->words->len; i++) {
		const char *word = g_ptr_array_index (typed->words, i);

		if (pending)
			pending = NULL;
		else if (word[0] == '-') {
			pending = option_of (command, word);
			if (pending && pending->kind == KD_ARG_FLAG)
				pending = NULL;
		} else
			position++;
	}
	if (pending || typed->word[0] == '-')
		return pending;
	for (const KdArg *arg = command->args; arg && arg->name; arg++) {
		if (!arg->positional)
			continue;
		last = arg;
		if (position-- == 0)
			return arg;
	}
	return last && (last->kind == KD_ARG_REST || last->flags & KD_ARG_REPEATED) ? last : NULL;
}

static void
complete_commands (const char *word, GPtrArray *candidates)
{
	for (const KdCommand *const *row = kd_commands(); *row; row++)
		offer (candidates, word, (*row)->name);
	offer (candidates, word, "help");
}

static void
complete_options (const KdCommand *command, const char *word, GPtrArray *candidates)
{
	for (const KdArg *arg = command->args; arg && arg->name; arg++)
		if (!arg->positional) {
			g_autofree char *option = g_strconcat ("--", arg->name, NULL);

			offer (candidates, word, option);
		}
	offer (candidates, word, "--help");
}

static void
complete_value (KdSession *session, const KdCommand *command, const KdArg *arg, const char *word,
	GPtrArray *candidates)
{
	g_autoptr (GPtrArray) all = NULL;

	if (!session || !command->complete)
		return;
	all = g_ptr_array_new_with_free_func (g_free);
	command->complete (session, arg->name, word, all);
	for (guint i = 0; i < all->len; i++)
		offer (candidates, word, g_ptr_array_index (all, i));
}

static int
compare_strings (gconstpointer a, gconstpointer b)
{
	return strcmp (*(const char *const *)a, *(const char *const *)b);
}

/* `text`: the line up to the point, of which only the end matters to an expression. */
static void
complete_expression (KdSession *session, const char *text, const char *word, GPtrArray *candidates)
{
	g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_free);

	if (!session || !session->kernel)
		return;
	kd_expr_complete (session->kernel, text, all);
	for (guint i = 0; i < all->len; i++)
		offer (candidates, word, g_ptr_array_index (all, i));
}

JsonNode *
kd_complete (KdSession *session, const char *line, size_t point)
{
	g_auto (Typed) typed = {0};
	g_autoptr (GPtrArray) candidates = g_ptr_array_new_with_free_func (g_free);
	JsonObject *result = json_object_new();
	const KdCommand *command = NULL;
	const KdArg *arg = NULL;
	gboolean files = FALSE;
	JsonArray *array;

	split_typed (line, MIN (point, strlen (line)), &typed);
	if (typed.words->len)
		command = kd_command_by_name (g_ptr_array_index (typed.words, 0));
	if (typed.words->len == 0 ||
		(typed.words->len == 1 && strcmp (g_ptr_array_index (typed.words, 0), "help") == 0))
		complete_commands (typed.word, candidates);
	else if (command) {
		arg = current_arg (command, &typed);
		if (!arg && typed.word[0] == '-')
			complete_options (command, typed.word, candidates);
		else if (arg && (arg->kind == KD_ARG_FILE || arg->kind == KD_ARG_PEER))
			files = TRUE;
		else if (arg) {
			if (arg->kind == KD_ARG_EXPR || arg->kind == KD_ARG_REST)
				keep_identifier (&typed);
			if (arg->flags & KD_ARG_IS_EXPR) {
				g_autofree char *text =
					g_strndup (line, MIN (point, strlen (line)));

				complete_expression (session, text, typed.word, candidates);
			} else
				complete_value (session, command, arg, typed.word, candidates);
		}
	}
	g_ptr_array_sort (candidates, compare_strings);
	kd_json_set_int (result, "start", (gint64)typed.start);
	kd_json_set_bool (result, "files", files);
	array = kd_json_add_array (result, "candidates");
	for (guint i = 0; i < candidates->len; i++)
		json_array_add_string_element (array, g_ptr_array_index (candidates, i));
	return kd_json_object_node (result);
}
