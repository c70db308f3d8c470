/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/json.h"
#include "fuzz.h"
#include "proto/jsonrpc.h"

/* A request that was read can be written and read again, the same. */
static void
check_again (const KdJsonrpcMessage *msg)
{
	g_autoptr (KdJsonrpcDecoder) dec = kd_jsonrpc_decoder_new (KD_JSONRPC_LINE_MAX);
	g_auto (KdJsonrpcMessage) again = {0};
	g_autofree char *line = NULL;
	KdJsonrpcCode code;
	size_t used;

	if (msg->kind == KD_JSONRPC_NOTIFICATION)
		line = kd_jsonrpc_build_notification (msg->method, msg->params);
	else if (msg->kind == KD_JSONRPC_RESPONSE)
		line = kd_jsonrpc_build_response (msg->id, msg->result);
	else if (msg->kind == KD_JSONRPC_ERROR)
		line = kd_jsonrpc_build_error (msg->id, msg->code, msg->message, msg->data);
	else
		return;
	g_assert_true (strchr (line, '\n') == line + strlen (line) - 1);
	g_assert_cmpint (kd_jsonrpc_decoder_feed (
				 dec, line, strlen (line), &used, &again, &code, NULL, NULL),
		==, KD_DECODE_MESSAGE);
	g_assert_cmpint (again.kind, ==, msg->kind);
	g_assert_cmpstr (again.method, ==, msg->method);
	g_assert_cmpint (again.code, ==, msg->code);
}

static GString *
run (const uint8_t *data, size_t size, size_t chunk)
{
	g_autoptr (KdJsonrpcDecoder) dec = kd_jsonrpc_decoder_new (KD_JSONRPC_REQUEST_MAX);
	GString *log = g_string_new (NULL);

	for (size_t at = 0; at < size;) {
		g_auto (KdJsonrpcMessage) msg = {0};
		g_autoptr (JsonNode) id = NULL;
		g_autoptr (GError) error = NULL;
		KdJsonrpcCode code = 0;
		JsonObject *params;
		size_t used;
		gint64 number;
		KdDecode outcome = kd_jsonrpc_decoder_feed (
			dec, data + at, MIN (chunk, size - at), &used, &msg, &code, &id, &error);

		at += used;
		if (outcome == KD_DECODE_FAILED) {
			g_autofree char *line =
				kd_jsonrpc_build_error (id, code, error->message, NULL);

			g_string_append (log, line);
		}
		if (outcome != KD_DECODE_MESSAGE)
			continue;
		g_string_append_printf (log, "<%d %s", msg.kind, msg.method);
		kd_jsonrpc_message_get_id (&msg, &number);
		kd_jsonrpc_message_get_params (&msg, &params);
		check_again (&msg);
	}
	return log;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autoptr (GString) whole = run (data, size, MAX (size, 1));
	g_autoptr (GString) bytes = run (data, size, 1);

	g_assert_true (g_string_equal (whole, bytes));
	return 0;
}
