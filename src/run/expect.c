/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run/expect.h"

#include <string.h>

#include "base/json.h"

#define SHOWN_MAX 300 /* characters of what was found */

typedef enum {
	OP_EQUAL,
	OP_NOT_EQUAL,
	OP_LESS_EQUAL,
	OP_LESS,
	OP_GREATER_EQUAL,
	OP_GREATER,
	OP_MATCHES,
	OP_MATCHES_NOT,
	OP_EXISTS,
	OP_ABSENT,
} Op;

static const struct {
	const char *text;
	Op op;
} ops[] = {
	{"==", OP_EQUAL},
	{"!=", OP_NOT_EQUAL},
	{"<=", OP_LESS_EQUAL},
	{"<", OP_LESS},
	{">=", OP_GREATER_EQUAL},
	{">", OP_GREATER},
	{"~", OP_MATCHES},
	{"!~", OP_MATCHES_NOT},
	{"exists", OP_EXISTS},
	{"absent", OP_ABSENT},
};

typedef struct {
	char *path;
	Op op;
	char *value;
	GRegex *regex;
} Expect;

static void
expect_clear (Expect *expect)
{
	g_clear_pointer (&expect->path, g_free);
	g_clear_pointer (&expect->value, g_free);
	g_clear_pointer (&expect->regex, g_regex_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Expect, expect_clear)

/* --- paths --- */

/* Up to one step of a path: ".name", "['name']", "[2]", "[*]", ".*", each of them also behind "..".
 */
typedef struct {
	char *name;   /* NULL: an index, or everything */
	gint64 index; /* from the end where negative */
	gboolean is_index, deep;
} PathStep;

static void
path_step_clear (PathStep *step)
{
	g_clear_pointer (&step->name, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PathStep, path_step_clear)

/* The step that *text begins with, and *text behind it. */
static gboolean
take_path_step (const char **text, PathStep *ret)
{
	const char *at = *text;
	size_t len;

	if (g_str_has_prefix (at, "..")) {
		ret->deep = TRUE;
		at += at[2] == '[' ? 2 : 1;
	}
	if (*at == '.') {
		len = strcspn (++at, ".[");
		ret->name = g_strndup (at, len);
		*text = at + len;
		if (strcmp (ret->name, "*") == 0)
			g_clear_pointer (&ret->name, g_free);
		return len > 0;
	}
	len = *at == '[' ? strcspn (at, "]") : 0;
	if (len < 2 || at[len] != ']')
		return FALSE;
	*text = at + len + 1;
	ret->name = g_strndup (at + 1, len - 1);
	len = strlen (ret->name);
	if (len > 2 && *ret->name == '\'' && ret->name[len - 1] == '\'') {
		memmove (ret->name, ret->name + 1, len);
		ret->name[len - 2] = '\0';
		return TRUE;
	}
	ret->is_index = strcmp (ret->name, "*") != 0;
	if (ret->is_index && !g_ascii_string_to_signed (
				     ret->name, 10, G_MININT32, G_MAXINT32, &ret->index, NULL))
		return FALSE;
	g_clear_pointer (&ret->name, g_free);
	return TRUE;
}

static void find (JsonNode *node, const char *path, GPtrArray *found);

static void
find_in_members (
	JsonNode *node, const PathStep *step, const char *path, const char *rest, GPtrArray *found)
{
	JsonObject *obj = json_node_get_object (node);
	g_autoptr (GList) names = json_object_get_members (obj);

	for (GList *l = names; l; l = l->next) {
		JsonNode *member = json_object_get_member (obj, l->data);

		if (!step->is_index && (!step->name || strcmp (step->name, l->data) == 0))
			find (member, rest, found);
		if (step->deep)
			find (member, path, found);
	}
}

static void
find_in_elements (
	JsonNode *node, const PathStep *step, const char *path, const char *rest, GPtrArray *found)
{
	JsonArray *array = json_node_get_array (node);
	gint64 len = json_array_get_length (array);

	for (gint64 i = 0; i < len; i++) {
		JsonNode *element = json_array_get_element (array, (guint)i);

		if (!step->name && (!step->is_index || step->index == i || step->index == i - len))
			find (element, rest, found);
		if (step->deep)
			find (element, path, found);
	}
}

/*
 * All that `path` (checked) names below the node, in the order of the text. Not json-glib's own
 * JsonPath, for which an index behind an array's end is a programmer's mistake.
 */
static void
find (JsonNode *node, const char *path, GPtrArray *found)
{
	g_auto (PathStep) step = {0};
	const char *rest = path;

	if (!*path)
		g_ptr_array_add (found, node);
	else if (take_path_step (&rest, &step) && JSON_NODE_HOLDS_OBJECT (node))
		find_in_members (node, &step, path, rest, found);
	else if (JSON_NODE_HOLDS_ARRAY (node))
		find_in_elements (node, &step, path, rest, found);
}

static gboolean
check_path (const char *text, GError **error)
{
	const char *rest = text + 1;
	gboolean good = *text == '$';

	while (good && *rest) {
		g_auto (PathStep) step = {0};

		good = take_path_step (&rest, &step);
	}
	if (!good)
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE,
			"“%s” is no path ($.name[0].name, [*], ..name)", text);
	return good;
}

/* --- expectations --- */

static gboolean
parse_op (const char *word, Op *ret)
{
	for (guint i = 0; i < G_N_ELEMENTS (ops); i++)
		if (strcmp (word, ops[i].text) == 0) {
			*ret = ops[i].op;
			return TRUE;
		}
	return FALSE;
}

static gboolean
parse (const char *text, Expect *ret, GError **error)
{
	g_auto (GStrv) words = g_strsplit_set (text, " \t", 2);
	const char *rest = words[0] && words[1] ? g_strchug (words[1]) : "";
	g_autofree char *word = g_strndup (rest, strcspn (rest, " \t"));
	g_autoptr (GError) why = NULL;
	gboolean alone;

	/* A variable's value, from the command line, may be anything. */
	if (!g_utf8_validate (text, -1, NULL)) {
		g_autofree char *valid = g_utf8_make_valid (text, -1);

		g_set_error (
			error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "“%s” is no UTF-8 text", valid);
		return FALSE;
	}
	ret->path = g_strdup (words[0] ? words[0] : "");
	if (!check_path (ret->path, error))
		return FALSE;
	if (!parse_op (word, &ret->op)) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE,
			"“%s”: “%s” is no operator (== != < <= > >= ~ !~ exists absent)", text,
			word);
		return FALSE;
	}
	ret->value = g_strstrip (g_strdup (rest + strlen (word)));
	alone = ret->op == OP_EXISTS || ret->op == OP_ABSENT;
	if (alone != !*ret->value) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "“%s”: %s", text,
			alone ? "nothing may follow" : "a value is missing");
		return FALSE;
	}
	if (ret->op != OP_MATCHES && ret->op != OP_MATCHES_NOT)
		return TRUE;
	ret->regex = g_regex_new (ret->value, 0, 0, &why);
	if (!ret->regex)
		g_set_error (
			error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "“%s”: %s", text, why->message);
	return ret->regex != NULL;
}

gboolean
kd_expect_check (const char *text, GError **error)
{
	g_auto (Expect) expect = {0};

	return parse (text, &expect, error);
}

static char *
value_text (JsonNode *node)
{
	if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
		return json_node_dup_string (node);
	return kd_json_to_string (node, FALSE);
}

static gboolean
parse_number (const char *text, gint64 *ret)
{
	guint64 value;

	if (g_ascii_string_to_signed (text, 10, G_MININT64, G_MAXINT64, ret, NULL))
		return TRUE;
	if (!g_str_has_prefix (text, "0x") ||
		!g_ascii_string_to_unsigned (text + 2, 16, 0, G_MAXUINT64, &value, NULL))
		return FALSE;
	*ret = (gint64)value;
	return TRUE;
}

/* < 0, 0, > 0; addresses are unsigned, and whoever compares with a negative number means that. */
static int
compare (const char *left, const char *right)
{
	gint64 a, b;

	if (!parse_number (left, &a) || !parse_number (right, &b))
		return strcmp (left, right);
	if (*left == '-' || *right == '-')
		return a < b ? -1 : a > b;
	return (guint64)a < (guint64)b ? -1 : (guint64)a > (guint64)b;
}

static gboolean
holds_for (const Expect *expect, const char *value)
{
	int order;

	if (expect->regex)
		return g_regex_match (expect->regex, value, 0, NULL);
	order = compare (value, expect->value);
	switch (expect->op) {
	case OP_LESS:
		return order < 0;
	case OP_LESS_EQUAL:
		return order <= 0;
	case OP_GREATER:
		return order > 0;
	case OP_GREATER_EQUAL:
		return order >= 0;
	default:
		return order == 0;
	}
}

/* The values that the path names. */
static GPtrArray *
matches (const char *path, JsonNode *result)
{
	g_autoptr (GPtrArray) found = g_ptr_array_new();
	GPtrArray *values = g_ptr_array_new_with_free_func (g_free);

	find (result, path + 1, found);
	for (guint i = 0; i < found->len; i++)
		g_ptr_array_add (values, value_text (found->pdata[i]));
	return values;
}

static char *
shown (GPtrArray *values)
{
	GString *text = g_string_new (NULL);

	for (guint i = 0; i < values->len; i++)
		g_string_append_printf (
			text, "%s“%s”", i ? ", " : "", (const char *)values->pdata[i]);
	if (!values->len)
		g_string_append (text, "nothing");
	if (g_utf8_strlen (text->str, -1) > SHOWN_MAX) {
		g_string_truncate (
			text, (gsize)(g_utf8_offset_to_pointer (text->str, SHOWN_MAX) - text->str));
		g_string_append (text, "…");
	}
	return g_string_free (text, FALSE);
}

gboolean
kd_expect_holds (const char *text, JsonNode *result, GError **error)
{
	g_auto (Expect) expect = {0};
	g_autoptr (GPtrArray) values = NULL;
	g_autofree char *found = NULL;
	gboolean any = FALSE, holds;

	if (!parse (text, &expect, error))
		return FALSE;
	values = matches (expect.path, result);
	for (guint i = 0; i < values->len && !any; i++)
		any = holds_for (&expect, values->pdata[i]);
	switch (expect.op) {
	case OP_EXISTS:
		holds = values->len > 0;
		break;
	case OP_ABSENT:
		holds = values->len == 0;
		break;
	case OP_NOT_EQUAL:
	case OP_MATCHES_NOT:
		holds = !any;
		break;
	default:
		holds = any;
	}
	if (holds)
		return TRUE;
	found = shown (values);
	g_set_error (
		error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED, "expected %s; found %s", text, found);
	return FALSE;
}

char *
kd_expect_value (const char *path, JsonNode *result, GError **error)
{
	g_autoptr (GPtrArray) values = check_path (path, error) ? matches (path, result) : NULL;

	if (!values)
		return NULL;
	if (values->len)
		return g_strdup (values->pdata[0]);
	g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FAILED, "the result has no %s", path);
	return NULL;
}
