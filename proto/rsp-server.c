/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/rsp-server.h"

#include <string.h>

#include "base/hex.h"

#define OUTPUT_PIECE 1024 /* bytes of console text in one packet: any client takes that */

struct KdRspServer {
	KdRspDecoder *decoder;
	KdRspCall call;
	KdOutQueue out;
	GByteArray *last; /* the last answer, framed: sent again when it is not acknowledged */
	gboolean begun;   /* the client has shown that it speaks RSP */
	gboolean busy;
	gboolean no_ack;
	guint bad_in;  /* damaged packets in a row */
	guint bad_out; /* how often the last answer was asked for again */
};

KdRspServer *
kd_rsp_server_new (void)
{
	KdRspServer *server = g_new0 (KdRspServer, 1);

	server->decoder = kd_rsp_decoder_new();
	server->last = g_byte_array_new();
	kd_out_queue_init (&server->out);
	kd_rsp_call_init (&server->call);
	return server;
}

void
kd_rsp_server_free (KdRspServer *server)
{
	if (!server)
		return;
	kd_rsp_decoder_free (server->decoder);
	g_byte_array_unref (server->last);
	kd_out_queue_clear (&server->out);
	kd_rsp_call_clear (&server->call);
	g_free (server);
}

const KdRspCall *
kd_rsp_server_call (const KdRspServer *server)
{
	return &server->call;
}

gboolean
kd_rsp_server_is_busy (const KdRspServer *server)
{
	return server->busy;
}

KdOutQueue *
kd_rsp_server_out (KdRspServer *server)
{
	return &server->out;
}

void
kd_rsp_server_answer (KdRspServer *server, const void *payload, size_t len)
{
	server->busy = FALSE;
	server->bad_out = 0;
	g_byte_array_set_size (server->last, 0);
	kd_rsp_frame_encode (server->last, payload, len);
	kd_out_queue_append (&server->out, server->last->data, server->last->len);
}

void
kd_rsp_server_output (KdRspServer *server, const char *text, size_t len)
{
	while (len) {
		g_autoptr (GString) payload = g_string_new ("O");
		g_autoptr (GByteArray) frame = g_byte_array_new();
		size_t part = MIN (len, OUTPUT_PIECE);

		kd_hex_append (payload, text, part);
		kd_rsp_frame_encode (frame, payload->str, payload->len);
		kd_out_queue_append (&server->out, frame->data, frame->len);
		text += part;
		len -= part;
	}
}

static KdDecode
fail (KdProtoError code, const char *what, GError **error)
{
	g_set_error (error, KD_PROTO_ERROR, (int)code, "RSP client: %s", what);
	return KD_DECODE_FAILED;
}

/* A packet that could not be read. MORE: it was asked for again. */
static KdDecode
take_damaged (KdRspServer *server, GError *why, GError **error)
{
	g_autoptr (GError) owned = why;

	/* One that was cut off is followed by another: nothing is to be asked for. */
	if (g_error_matches (why, KD_PROTO_ERROR, KD_PROTO_ERROR_TRUNCATED))
		return KD_DECODE_MORE;
	if (server->no_ack || g_error_matches (why, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE)) {
		g_propagate_error (error, g_steal_pointer (&owned));
		return KD_DECODE_FAILED;
	}
	if (++server->bad_in > KD_RSP_SERVER_RETRIES_MAX)
		return fail (KD_PROTO_ERROR_RETRIES, "one damaged packet after another", error);
	kd_out_queue_append (&server->out, "-", 1);
	return KD_DECODE_MORE;
}

/* MORE: it was dealt with. */
static KdDecode
take_packet (KdRspServer *server, const KdRspFrame *frame, GError **error)
{
	if (server->busy)
		return fail (KD_PROTO_ERROR_STATE, "a request before the last was answered", error);
	server->bad_in = 0;
	if (!server->no_ack)
		kd_out_queue_append (&server->out, "+", 1);
	kd_rsp_call_parse (&server->call, frame->payload, frame->len);
	server->busy = TRUE;
	if (server->call.kind != KD_RSP_CALL_NO_ACK)
		return KD_DECODE_MESSAGE;
	/* The last that is acknowledged is this request; the ack of the answer means nothing. */
	kd_rsp_server_answer (server, "OK", 2);
	server->no_ack = TRUE;
	return KD_DECODE_MORE;
}

static KdDecode
take_frame (
	KdRspServer *server, const KdRspFrame *frame, KdRspServerEvent *ret_event, GError **error)
{
	KdDecode outcome;

	switch (frame->kind) {
	case KD_RSP_FRAME_PACKET:
		outcome = take_packet (server, frame, error);
		if (outcome == KD_DECODE_MESSAGE)
			*ret_event = KD_RSP_SERVER_CALL;
		return outcome;
	case KD_RSP_FRAME_INTERRUPT:
		*ret_event = KD_RSP_SERVER_INTERRUPT;
		return KD_DECODE_MESSAGE;
	case KD_RSP_FRAME_NACK:
		if (server->no_ack || server->busy || server->last->len == 0)
			break;
		if (++server->bad_out > KD_RSP_SERVER_RETRIES_MAX)
			return fail (KD_PROTO_ERROR_RETRIES, "does not take an answer", error);
		kd_out_queue_append (&server->out, server->last->data, server->last->len);
		break;
	case KD_RSP_FRAME_ACK: /* after which the same answer could be asked for without end */
	case KD_RSP_FRAME_NOTIFICATION:
		break;
	}
	return KD_DECODE_MORE;
}

/*
 * A page in a browser can have a body of packets sent to a port, but never the first byte of the
 * connection. gdb 13 and lldb 14 begin with '+', gdb with `interrupt-on-connect` with 0x03 before
 * it: that one is skipped, since the `?` that follows stops the machine as well. *ret_at: where
 * RSP begins, or `len`. FALSE: it does not.
 */
static gboolean
begin (KdRspServer *server, const uint8_t *bytes, size_t len, size_t *ret_at)
{
	size_t at = 0;

	while (at < len && bytes[at] == 0x03)
		at++;
	server->begun = at < len && (bytes[at] == '+' || bytes[at] == '$');
	*ret_at = at;
	return server->begun || at == len;
}

KdDecode
kd_rsp_server_feed (KdRspServer *server, const void *data, size_t len, size_t *ret_used,
	KdRspServerEvent *ret_event, GError **error)
{
	const uint8_t *bytes = data;
	size_t at = 0;

	*ret_used = len;
	if (!server->begun && !begin (server, bytes, len, &at))
		return fail (KD_PROTO_ERROR_MALFORMED, "what it sends first is not RSP", error);
	while (at < len) {
		GError *why = NULL;
		KdRspFrame frame;
		size_t used = 0;
		KdDecode outcome = kd_rsp_decoder_feed (
			server->decoder, bytes + at, len - at, &used, &frame, &why);

		at += used;
		/* Looked at first: the junk stood in front of what was decoded. */
		if (kd_rsp_decoder_get_junk (server->decoder) > KD_RSP_SERVER_JUNK_MAX) {
			g_clear_error (&why);
			outcome =
				fail (KD_PROTO_ERROR_MALFORMED, "what it sends is not RSP", error);
		} else if (outcome == KD_DECODE_FAILED)
			outcome = take_damaged (server, why, error);
		else if (outcome == KD_DECODE_MESSAGE)
			outcome = take_frame (server, &frame, ret_event, error);
		if (outcome != KD_DECODE_MORE) {
			*ret_used = at;
			return outcome;
		}
	}
	return KD_DECODE_MORE;
}
