/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/answer.h"

#include <string.h>

#include "base/json.h"
#include "proto/jsonrpc.h"

#define COLUMNS_MAX 1000

JsonNode *
kd_answer_render (const KdCommand *command, const KdRenderOptions *options, JsonNode *value)
{
	g_autofree char *text = NULL;
	JsonObject *both;
	gboolean ok = TRUE;

	if (!options->text)
		return value;
	text = kd_command_render (command, value, options->color, options->columns);
	both = json_object_new();
	kd_json_set_string (both, "text", text);
	/* Which answer it was: the client's exit status. */
	if (JSON_NODE_HOLDS_OBJECT (value) &&
		kd_json_get_bool (json_node_get_object (value), "ok", TRUE, &ok, NULL) && !ok)
		kd_json_set_bool (both, "ok", FALSE);
	if (options->value)
		json_object_set_member (both, "value", value);
	else
		json_node_unref (value);
	return kd_json_object_node (both);
}

gboolean
kd_answer_render_options (JsonObject *params, KdRenderOptions *ret_options, GError **error)
{
	const char *render = NULL;
	gboolean color = FALSE;
	guint64 columns = 80;

	if (!kd_json_get_string (params, "render", FALSE, &render, error) ||
		!kd_json_get_bool (params, "color", FALSE, &color, error) ||
		!kd_json_get_uint (params, "columns", FALSE, &columns, error))
		return FALSE;
	if (render && strcmp (render, "text") != 0 && strcmp (render, "text-only") != 0) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"parameter “render” can only be “text” or “text-only”");
		return FALSE;
	}
	*ret_options = (KdRenderOptions){
		.text = render != NULL,
		.value = !render || strcmp (render, "text-only") != 0,
		.color = color,
		.columns = (unsigned)MIN (columns, COLUMNS_MAX),
	};
	return TRUE;
}

char *
kd_answer_result (JsonNode *id, JsonNode *result)
{
	g_autofree char *line = kd_jsonrpc_build_response (id, result);
	g_autoptr (GError) error = NULL;

	if (strlen (line) <= KD_JSONRPC_LINE_MAX)
		return g_steal_pointer (&line);
	g_set_error (&error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
		"the result of %zu MiB is over the limit of %d MiB (ask for less at once)",
		strlen (line) >> 20, KD_JSONRPC_LINE_MAX >> 20);
	return kd_answer_error (id, error);
}

static const char *
classify (const GError *error, gint64 *ret_code)
{
	static const struct {
		KdCommandError error;
		const char *name;
		gint64 code;
	} classes[] = {
		{KD_COMMAND_ERROR_USAGE, "usage", KD_JSONRPC_INVALID_PARAMS},
		{KD_COMMAND_ERROR_NO_SESSION, "no-session", 3},
		{KD_COMMAND_ERROR_NEEDS_STOP, "needs-stop", 6},
		{KD_COMMAND_ERROR_NEEDS_KERNEL, "needs-kernel", 7},
	};

	for (guint i = 0; i < G_N_ELEMENTS (classes); i++)
		if (g_error_matches (error, KD_COMMAND_ERROR, (gint)classes[i].error)) {
			*ret_code = classes[i].code;
			return classes[i].name;
		}
	if (g_error_matches (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST)) {
		*ret_code = 4;
		return "lost";
	}
	if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
		*ret_code = 5;
		return "cancelled";
	}
	*ret_code = 1;
	return "failed";
}

char *
kd_answer_error (JsonNode *id, const GError *error)
{
	JsonObject *data = json_object_new();
	g_autoptr (JsonNode) node = NULL;
	gint64 code;

	kd_json_set_string (data, "class", classify (error, &code));
	node = kd_json_object_node (data);
	return kd_jsonrpc_build_error (id, code, error->message, node);
}

char *
kd_answer_error_object (const GError *error)
{
	JsonObject *obj = json_object_new();
	g_autoptr (JsonNode) node = kd_json_object_node (obj);
	gint64 code;

	kd_json_set_string (kd_json_add_object (obj, "data"), "class", classify (error, &code));
	kd_json_set_int (obj, "code", code);
	kd_json_set_string (obj, "message", error->message);
	return kd_json_to_string (node, FALSE);
}
