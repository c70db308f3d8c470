/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/jsonrpc.h"

#include <string.h>

#include "base/json.h"
#include "proto/json-frame.h"

struct KdJsonrpcDecoder {
	KdJsonFramer *framer;
};

KdJsonrpcDecoder *
kd_jsonrpc_decoder_new (size_t line_max)
{
	KdJsonrpcDecoder *dec = g_new0 (KdJsonrpcDecoder, 1);

	dec->framer = kd_json_framer_new (line_max, KD_JSON_DEPTH_MAX, TRUE);
	return dec;
}

void
kd_jsonrpc_decoder_free (KdJsonrpcDecoder *dec)
{
	if (!dec)
		return;
	kd_json_framer_free (dec->framer);
	g_free (dec);
}

void
kd_jsonrpc_message_clear (KdJsonrpcMessage *msg)
{
	g_clear_pointer (&msg->id, json_node_unref);
	g_clear_pointer (&msg->method, g_free);
	g_clear_pointer (&msg->params, json_node_unref);
	g_clear_pointer (&msg->result, json_node_unref);
	g_clear_pointer (&msg->message, g_free);
	g_clear_pointer (&msg->data, json_node_unref);
}

gboolean
kd_jsonrpc_message_get_id (const KdJsonrpcMessage *msg, gint64 *ret_id)
{
	if (!msg->id || !JSON_NODE_HOLDS_VALUE (msg->id) ||
		json_node_get_value_type (msg->id) != G_TYPE_INT64)
		return FALSE;
	*ret_id = json_node_get_int (msg->id);
	return TRUE;
}

gboolean
kd_jsonrpc_message_get_params (const KdJsonrpcMessage *msg, JsonObject **ret_params)
{
	if (msg->params && !JSON_NODE_HOLDS_OBJECT (msg->params))
		return FALSE;
	*ret_params = msg->params ? json_node_get_object (msg->params) : NULL;
	return TRUE;
}

/* Number, string or null. Fractions are allowed by the specification, if not wise. */
static gboolean
is_id (JsonNode *node)
{
	return JSON_NODE_HOLDS_NULL (node) ||
	       (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) != G_TYPE_BOOLEAN);
}

static gboolean
invalid (GError **error, const char *what)
{
	g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED, "JSON-RPC: %s", what);
	return FALSE;
}

static gboolean
read_call (JsonObject *obj, KdJsonrpcMessage *msg, GError **error)
{
	const char *method = NULL;
	JsonNode *params;

	msg->kind = msg->id ? KD_JSONRPC_REQUEST : KD_JSONRPC_NOTIFICATION;
	if (!kd_json_get_string (obj, "method", TRUE, &method, error))
		return FALSE;
	msg->method = g_strdup (method);
	params = json_object_get_member (obj, "params");
	if (!params)
		return TRUE;
	if (!JSON_NODE_HOLDS_OBJECT (params) && !JSON_NODE_HOLDS_ARRAY (params))
		return invalid (error, "params is no object and no array");
	msg->params = json_node_ref (params);
	return TRUE;
}

static gboolean
read_answer (JsonObject *obj, KdJsonrpcMessage *msg, GError **error)
{
	JsonNode *result = json_object_get_member (obj, "result");
	const char *message = NULL;
	JsonObject *inner = NULL;

	if (!msg->id)
		return invalid (error, "an answer without an id");
	if (result) {
		if (json_object_has_member (obj, "error"))
			return invalid (error, "an answer with result and error");
		msg->kind = KD_JSONRPC_RESPONSE;
		msg->result = json_node_ref (result);
		return TRUE;
	}
	msg->kind = KD_JSONRPC_ERROR;
	if (!kd_json_get_object (obj, "error", TRUE, &inner, error) ||
		!kd_json_get_int (inner, "code", TRUE, &msg->code, error) ||
		!kd_json_get_string (inner, "message", TRUE, &message, error))
		return FALSE;
	msg->message = g_strdup (message);
	msg->data = json_object_dup_member (inner, "data");
	return TRUE;
}

static gboolean
read_message (JsonObject *obj, KdJsonrpcMessage *msg, GError **error)
{
	const char *version = NULL;
	JsonNode *id = json_object_get_member (obj, "id");

	/* First, so that a bad request can be answered to its sender. */
	if (id && !is_id (id))
		return invalid (error, "id is no number, string or null");
	msg->id = id ? json_node_ref (id) : NULL;
	if (!kd_json_get_string (obj, "jsonrpc", TRUE, &version, error))
		return FALSE;
	if (strcmp (version, "2.0") != 0)
		return invalid (error, "not version 2.0");
	if (json_object_has_member (obj, "method"))
		return read_call (obj, msg, error);
	if (json_object_has_member (obj, "result") || json_object_has_member (obj, "error"))
		return read_answer (obj, msg, error);
	return invalid (error, "neither a call nor an answer");
}

KdDecode
kd_jsonrpc_decoder_feed (KdJsonrpcDecoder *dec, const void *data, size_t len, size_t *ret_used,
	KdJsonrpcMessage *ret_msg, KdJsonrpcCode *ret_code, JsonNode **ret_id, GError **error)
{
	g_auto (KdJsonrpcMessage) msg = {0};
	g_autoptr (JsonObject) obj = NULL;
	g_autoptr (GError) why = NULL;
	KdDecode outcome;

	outcome = kd_json_framer_feed (dec->framer, data, len, ret_used, &obj, error);
	if (outcome == KD_DECODE_FAILED) {
		g_prefix_error (error, "JSON-RPC: ");
		*ret_code = KD_JSONRPC_PARSE_ERROR;
		if (ret_id)
			*ret_id = NULL;
	}
	if (outcome != KD_DECODE_MESSAGE)
		return outcome;
	if (read_message (obj, &msg, &why)) {
		*ret_msg = msg;
		msg = (KdJsonrpcMessage){0};
		return KD_DECODE_MESSAGE;
	}
	/* One domain for the caller, whichever layer found it. */
	g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED, "%s%s",
		why->domain == KD_PROTO_ERROR ? "" : "JSON-RPC: ", why->message);
	*ret_code = KD_JSONRPC_INVALID_REQUEST;
	if (ret_id)
		*ret_id = g_steal_pointer (&msg.id);
	return KD_DECODE_FAILED;
}

static JsonObject *
message_new (void)
{
	JsonObject *obj = json_object_new();

	json_object_set_string_member (obj, "jsonrpc", "2.0");
	return obj;
}

/* Takes `obj`. */
static char *
finish (JsonObject *obj)
{
	g_autoptr (JsonNode) node = kd_json_object_node (obj);
	g_autofree char *text = kd_json_to_string (node, FALSE);

	return g_strconcat (text, "\n", NULL);
}

static void
set_node (JsonObject *obj, const char *name, JsonNode *node)
{
	if (node)
		json_object_set_member (obj, name, json_node_ref (node));
	else
		json_object_set_null_member (obj, name);
}

static char *
build_call (JsonObject *obj, const char *method, JsonNode *params)
{
	json_object_set_string_member (obj, "method", method);
	if (params)
		set_node (obj, "params", params);
	return finish (obj);
}

char *
kd_jsonrpc_build_request (gint64 id, const char *method, JsonNode *params)
{
	JsonObject *obj = message_new();

	json_object_set_int_member (obj, "id", id);
	return build_call (obj, method, params);
}

char *
kd_jsonrpc_build_notification (const char *method, JsonNode *params)
{
	return build_call (message_new(), method, params);
}

char *
kd_jsonrpc_build_response (JsonNode *id, JsonNode *result)
{
	JsonObject *obj = message_new();

	set_node (obj, "id", id);
	set_node (obj, "result", result);
	return finish (obj);
}

char *
kd_jsonrpc_build_error (JsonNode *id, gint64 code, const char *message, JsonNode *data)
{
	JsonObject *inner, *obj = message_new();

	set_node (obj, "id", id);
	inner = kd_json_add_object (obj, "error");
	kd_json_set_int (inner, "code", code);
	kd_json_set_string (inner, "message", message);
	if (data)
		set_node (inner, "data", data);
	return finish (obj);
}
