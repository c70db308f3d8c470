/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "proto/rsp-server.h"

/* What the server writes and makes of the bytes is the same in whatever pieces they come. */
static GString *
serve (const uint8_t *data, size_t size, size_t chunk)
{
	g_autoptr (KdRspServer) server = kd_rsp_server_new();
	g_autoptr (GString) out = g_string_new (NULL);
	GString *log = g_string_new (NULL);

	for (size_t at = 0; at < size;) {
		KdRspServerEvent event;
		const uint8_t *bytes;
		size_t used, len;
		KdDecode outcome = kd_rsp_server_feed (
			server, data + at, MIN (chunk, size - at), &used, &event, NULL);
		const KdRspCall *call = kd_rsp_server_call (server);

		at += used;
		if (outcome == KD_DECODE_MESSAGE && event == KD_RSP_SERVER_CALL) {
			g_assert_cmpuint (call->bytes->len, <=, KD_RSP_PAYLOAD_MAX);
			g_assert_cmpuint (call->nr_rows, <=, KD_RSP_CALL_ROWS_MAX);
			g_string_append_printf (log, "<%d %u>", call->kind, call->bytes->len);
			kd_rsp_server_output (server, call->text->str, call->text->len);
			kd_rsp_server_answer (server, call->text->str, call->text->len);
		}
		bytes = kd_out_queue_peek (kd_rsp_server_out (server), &len);
		g_string_append_len (out, (const char *)bytes, (gssize)len);
		kd_out_queue_written (kd_rsp_server_out (server), len);
		/* What was written before it failed counts: an answer to another packet of the same
		 * chunk. */
		if (outcome == KD_DECODE_FAILED)
			break;
	}
	g_string_append_len (log, out->str, (gssize)out->len);
	return log;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autoptr (GString) whole = serve (data, size, MAX (size, 1));
	g_autoptr (GString) bytes = serve (data, size, 1);

	g_assert_true (g_string_equal (whole, bytes));
	return 0;
}
