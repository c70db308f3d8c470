/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "proto/rsp-client.h"

/* Everything the decoder says of the bytes, fed in chunks of `chunk`. */
static GString *
decode (const uint8_t *data, size_t size, size_t chunk)
{
	g_autoptr (KdRspDecoder) dec = kd_rsp_decoder_new();
	GString *log = g_string_new (NULL);

	for (size_t at = 0; at < size;) {
		g_autoptr (GError) error = NULL;
		KdRspFrame frame;
		size_t used;
		KdDecode outcome = kd_rsp_decoder_feed (
			dec, data + at, MIN (chunk, size - at), &used, &frame, &error);

		at += used;
		if (outcome == KD_DECODE_FAILED)
			g_string_append_printf (log, "!%d", error->code);
		if (outcome != KD_DECODE_MESSAGE)
			continue;
		g_string_append_printf (log, "<%d %zu ", frame.kind, frame.len);
		g_string_append_len (log, frame.payload, (gssize)frame.len);
	}
	return log;
}

/*
 * The client never runs out of its bounds, whatever it waits for: another thing with each request,
 * and the length says which is the first.
 */
static void
run_client (const uint8_t *data, size_t size)
{
	g_autoptr (KdRspClient) client = kd_rsp_client_new();
	g_auto (KdRspRequest) req = {0};
	size_t expect = size;

	kd_rsp_request_init (&req);
	g_string_assign (req.payload, "qC");
	for (size_t at = 0; at < size;) {
		g_autoptr (GError) error = NULL;
		KdRspEvent event;
		size_t used, len;

		req.expect = (KdRspExpect)(expect % (KD_RSP_EXPECT_NO_ACK + 1));
		if (kd_rsp_client_send (client, &req, NULL))
			expect++;
		kd_rsp_client_feed (client, data + at, size - at, &used, &event, &error);
		at += used;
		kd_out_queue_peek (kd_rsp_client_out (client), &len);
		g_assert_cmpuint (len, <=, 64 * (size + 1));
		kd_out_queue_written (kd_rsp_client_out (client), len);
	}
	kd_rsp_client_eof (client, NULL);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autoptr (GString) whole = decode (data, size, MAX (size, 1));
	g_autoptr (GString) bytes = decode (data, size, 1);
	g_autoptr (GByteArray) framed = g_byte_array_new();
	g_autoptr (KdRspDecoder) dec = kd_rsp_decoder_new();
	KdRspFrame frame;
	size_t used;

	g_assert_true (g_string_equal (whole, bytes));
	if (size <= KD_RSP_PAYLOAD_MAX) {
		kd_rsp_frame_encode (framed, data, size);
		g_assert_cmpint (
			kd_rsp_decoder_feed (dec, framed->data, framed->len, &used, &frame, NULL),
			==, KD_DECODE_MESSAGE);
		g_assert_cmpmem (frame.payload, frame.len, data, size);
	}
	run_client (data, size);
	return 0;
}
