/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hex.h"
#include "base/json.h"
#include "command/break-rules.h"

static const KdArg args[] = {
	{"all", 'a', KD_ARG_FLAG, 0, FALSE, NULL, "all of them"},
	{"number", 0, KD_ARG_STRING, KD_ARG_REPEATED, TRUE, NULL, "as “breaks” shows it"},
	{NULL},
};

static gboolean
delete_one (KdSession *session, int number, JsonArray *deleted, GError **error)
{
	if (!kd_target_break_delete (session->target, number, error)) {
		g_prefix_error (error, "delete: ");
		return FALSE;
	}
	kd_break_rules_set (session, number, NULL);
	json_array_add_int_element (deleted, number);
	return TRUE;
}

static gboolean
delete_all (KdSession *session, JsonArray *deleted, GError **error)
{
	for (;;) {
		unsigned nr;
		const KdBreak *breaks = kd_target_breaks (session->target, &nr);

		if (nr == 0)
			return TRUE;
		if (!delete_one (session, breaks[0].number, deleted, error))
			return FALSE;
	}
}

static gboolean
delete_named (KdSession *session, const char *const *numbers, JsonArray *deleted, GError **error)
{
	for (; *numbers; numbers++) {
		uint64_t number;

		if (!kd_parse_u64 (*numbers, &number) || number == 0 || number > G_MAXINT) {
			g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
				"delete: “%s” is not the number of a breakpoint", *numbers);
			return FALSE;
		}
		if (!delete_one (session, (int)number, deleted, error))
			return FALSE;
	}
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	const char *const *numbers = kd_args_list (given, "number");
	gboolean all = kd_args_flag (given, "all");
	g_autoptr (JsonArray) deleted = json_array_new();

	if (all == (*numbers != NULL)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"delete: which? (NUMBER, or --all)");
		return NULL;
	}
	if (all ? !delete_all (session, deleted, error)
		: !delete_named (session, numbers, deleted, error))
		return NULL;
	return kd_json_array_node (g_steal_pointer (&deleted));
}

static void
render (JsonNode *result, KdText *text)
{
	JsonArray *array = kd_json_node_array (result, NULL);
	guint nr = array ? json_array_get_length (array) : 0;

	if (nr == 0)
		kd_text_add (text, KD_STYLE_PLAIN, "there were no breakpoints\n");
	for (guint i = 0; i < nr; i++) {
		gint64 number = 0;

		kd_json_array_int (array, i, &number, NULL);
		kd_text_printf (text, KD_STYLE_PLAIN, "%s%" G_GINT64_FORMAT "%s",
			i ? ", " : "deleted ", number, i + 1 == nr ? "\n" : "");
	}
}

const KdCommand kd_command_delete = {
	.name = "delete",
	.group = "run",
	.summary = "remove breakpoints and watchpoints",
	.example = "kvmdbg delete 1 2\nkvmdbg delete --all",
	.args = args,
	.flags = KD_COMMAND_NO_IMAGE | KD_COMMAND_NEEDS_STOP | KD_COMMAND_CHANGES,
	.run = run,
	.render = render,
};
