/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/rsp-client.h"

#include <string.h>

#include "base/hex.h"
#include "proto/stop-reply.h"

/* Bytes that are no RSP before the first packet came: then the peer is no stub (an HTTP server's
 * greeting). */
#define JUNK_MAX 200

struct KdRspClient {
	KdRspDecoder *dec;
	KdRspFeatures features;
	KdOutQueue out;
	GByteArray *last;   /* the request in flight, framed, for retransmission */
	GByteArray *output; /* decoded text of an OUTPUT event */
	KdRspExpect expects[KD_RSP_WINDOW_MAX]; /* of the requests in flight, a ring */
	guint first, n_flight;
	guint window;
	guint unacked; /* of them the stub has not said '+' to */
	gboolean no_ack;
	gboolean seen_packet; /* a good packet came at some time */
	guint sent;           /* times `last` was sent */
	guint nacked;         /* replies refused since the last good one */
};

KdRspClient *
kd_rsp_client_new (void)
{
	KdRspClient *client = g_new0 (KdRspClient, 1);

	client->dec = kd_rsp_decoder_new();
	client->features = KD_RSP_FEATURES_INIT;
	kd_out_queue_init (&client->out);
	client->last = g_byte_array_new();
	client->output = g_byte_array_new();
	client->window = 1;
	return client;
}

void
kd_rsp_client_free (KdRspClient *client)
{
	if (!client)
		return;
	kd_rsp_decoder_free (client->dec);
	kd_out_queue_clear (&client->out);
	g_byte_array_unref (client->last);
	g_byte_array_unref (client->output);
	g_free (client);
}

const KdRspFeatures *
kd_rsp_client_get_features (const KdRspClient *client)
{
	return &client->features;
}

gboolean
kd_rsp_client_is_busy (const KdRspClient *client)
{
	return client->n_flight > 0;
}

gboolean
kd_rsp_client_is_running (const KdRspClient *client)
{
	return client->n_flight > 0 && client->expects[client->first] == KD_RSP_EXPECT_RESUME;
}

/* The last request in flight resumes the machine: nothing may follow it. */
static gboolean
is_resumed (const KdRspClient *client)
{
	guint last = client->first + client->n_flight - 1;

	return client->n_flight > 0 &&
	       client->expects[last % KD_RSP_WINDOW_MAX] == KD_RSP_EXPECT_RESUME;
}

void
kd_rsp_client_set_window (KdRspClient *client, guint window)
{
	client->window = CLAMP (window, 1, KD_RSP_WINDOW_MAX);
}

/* No request is in flight any more. */
static void
give_up (KdRspClient *client)
{
	client->n_flight = 0;
	client->unacked = 0;
}

KdOutQueue *
kd_rsp_client_out (KdRspClient *client)
{
	return &client->out;
}

gboolean
kd_rsp_client_send (KdRspClient *client, const KdRspRequest *req, GError **error)
{
	if (client->n_flight > 0 && (client->n_flight >= client->window || is_resumed (client) ||
					    client->expects[client->first] != KD_RSP_EXPECT_REPLY ||
					    (req->expect != KD_RSP_EXPECT_REPLY &&
						    req->expect != KD_RSP_EXPECT_RESUME))) {
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_STATE,
			kd_rsp_client_is_running (client)
				? "the machine is running"
				: "a request to the stub is still unanswered");
		return FALSE;
	}
	if (req->payload->len > client->features.packet_size) {
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE,
			"request of %zu bytes is over the stub's packet size of %zu",
			(size_t)req->payload->len, client->features.packet_size);
		return FALSE;
	}
	g_byte_array_set_size (client->last, 0);
	kd_rsp_frame_encode (client->last, req->payload->str, req->payload->len);
	kd_out_queue_append (&client->out, client->last->data, client->last->len);
	client->expects[(client->first + client->n_flight) % KD_RSP_WINDOW_MAX] = req->expect;
	client->n_flight++;
	if (!client->no_ack)
		client->unacked++;
	client->sent = 1;
	client->nacked = 0;
	return TRUE;
}

gboolean
kd_rsp_client_resend (KdRspClient *client)
{
	if (client->n_flight != 1 || client->unacked != 1)
		return FALSE;
	client->sent++;
	kd_out_queue_append (&client->out, client->last->data, client->last->len);
	return TRUE;
}

gboolean
kd_rsp_client_interrupt (KdRspClient *client, GError **error)
{
	if (!is_resumed (client)) {
		g_set_error (
			error, KD_PROTO_ERROR, KD_PROTO_ERROR_STATE, "the machine is not running");
		return FALSE;
	}
	kd_out_queue_append (&client->out, "\x03", 1);
	return TRUE;
}

/* What came so far looks like another protocol. */
static gboolean
is_no_stub (const KdRspClient *client)
{
	return !client->seen_packet && kd_rsp_decoder_get_junk (client->dec) > 0;
}

static gboolean
no_stub (KdRspClient *client, GError **error)
{
	give_up (client);
	g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED,
		"the peer does not speak the GDB remote protocol");
	return FALSE;
}

/* '-': the stub got our request damaged. */
static gboolean
retransmit (KdRspClient *client, GError **error)
{
	/* After its '+' a '-' is line noise: sending again would run the request twice. */
	if (client->unacked == 0 || is_no_stub (client))
		return TRUE;
	if (client->n_flight > 1 || client->sent > KD_RSP_RETRIES_MAX) {
		give_up (client);
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_RETRIES,
			"the stub refused a request %u times", client->sent);
		return FALSE;
	}
	client->sent++;
	kd_out_queue_append (&client->out, client->last->data, client->last->len);
	return TRUE;
}

/* A packet came damaged (`why`). TRUE: asked for again, go on. FALSE: *error says what is over. */
static gboolean
damaged (KdRspClient *client, const GError *why, GError **error)
{
	gboolean hopeless =
		why->code == KD_PROTO_ERROR_TOO_LARGE || client->no_ack || client->n_flight > 1;

	/* The packet that cut it off follows. */
	if (why->code == KD_PROTO_ERROR_TRUNCATED && client->n_flight <= 1)
		return TRUE;
	if (!client->no_ack && why->code == KD_PROTO_ERROR_TOO_LARGE)
		kd_out_queue_append (&client->out, "+", 1);
	if (!hopeless && client->nacked++ < KD_RSP_RETRIES_MAX) {
		kd_out_queue_append (&client->out, "-", 1);
		return TRUE;
	}
	give_up (client);
	client->nacked = 0;
	if (hopeless)
		g_propagate_error (error, g_error_copy (why));
	else
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_RETRIES,
			"the stub's answer came damaged %u times: %s", KD_RSP_RETRIES_MAX + 1,
			why->message);
	return FALSE;
}

/* "O" and hex: the stub's console output. */
static gboolean
take_output (KdRspClient *client, const KdRspFrame *frame)
{
	size_t len = (frame->len - 1) / 2;

	if (frame->len < 3 || frame->payload[0] != 'O' || frame->len % 2 == 0)
		return FALSE;
	g_byte_array_set_size (client->output, (guint)len + 1);
	if (!kd_hex_decode (frame->payload + 1, len, client->output->data))
		return FALSE;
	client->output->data[len] = '\0';
	return TRUE;
}

/* Questions about features answer themselves here. An empty answer is a no, not a failure. */
static gboolean
take_answer (KdRspClient *client, KdRspExpect expect, const KdRspFrame *frame, GError **error)
{
	g_autoptr (GError) why = NULL;
	gboolean ok = TRUE;

	switch (expect) {
	case KD_RSP_EXPECT_SUPPORTED:
		ok = kd_rsp_parse_supported (frame->payload, frame->len, &client->features, &why);
		break;
	case KD_RSP_EXPECT_VCONT_ACTIONS:
		ok = kd_rsp_parse_vcont_actions (
			frame->payload, frame->len, &client->features, &why);
		break;
	case KD_RSP_EXPECT_QEMU_SUPPORTED:
		ok = kd_rsp_parse_qemu_supported (
			frame->payload, frame->len, &client->features, &why);
		break;
	case KD_RSP_EXPECT_NO_ACK:
		/* The answer itself is still acknowledged. */
		client->no_ack = kd_rsp_parse_ok (frame->payload, frame->len, &why);
		ok = client->no_ack;
		break;
	default:
		break;
	}
	if (ok || why->code != KD_PROTO_ERROR_MALFORMED)
		return TRUE;
	g_propagate_error (error, g_steal_pointer (&why));
	return FALSE;
}

static KdDecode
take_packet (KdRspClient *client, const KdRspFrame *frame, KdRspEvent *ret_event, GError **error)
{
	gboolean is_stop = kd_stop_reply_matches (frame->payload, frame->len);
	KdRspExpect expect = client->expects[client->first];
	KdRspEventKind kind;

	client->seen_packet = TRUE;
	client->nacked = 0;
	/* A resume that follows is the ack: now the machine runs, and a byte would stop it. */
	if (!client->no_ack && !(client->n_flight > 1 && is_resumed (client)))
		kd_out_queue_append (&client->out, "+", 1);
	if (take_output (client, frame)) {
		*ret_event = (KdRspEvent){KD_RSP_EVENT_OUTPUT, (const char *)client->output->data,
			client->output->len - 1};
		return KD_DECODE_MESSAGE;
	}
	if (client->n_flight == 0)
		kind = is_stop ? KD_RSP_EVENT_STOP : KD_RSP_EVENT_STRAY;
	else if (is_stop && expect != KD_RSP_EXPECT_STOP && expect != KD_RSP_EXPECT_RESUME)
		kind = KD_RSP_EVENT_STOP;
	else
		kind = KD_RSP_EVENT_REPLY;
	if (kind == KD_RSP_EVENT_REPLY) {
		client->first = (client->first + 1) % KD_RSP_WINDOW_MAX;
		client->n_flight--;
		/* An answer says that the request came, whatever became of its '+'. */
		client->unacked = MIN (client->unacked, client->n_flight);
		if (!take_answer (client, expect, frame, error))
			return KD_DECODE_FAILED;
	}
	*ret_event = (KdRspEvent){kind, frame->payload, frame->len};
	return KD_DECODE_MESSAGE;
}

/* MORE: nothing for the caller in it. */
static KdDecode
take_frame (KdRspClient *client, const KdRspFrame *frame, KdRspEvent *ret_event, GError **error)
{
	switch (frame->kind) {
	case KD_RSP_FRAME_PACKET:
		return take_packet (client, frame, ret_event, error);
	case KD_RSP_FRAME_NOTIFICATION:
		*ret_event = (KdRspEvent){KD_RSP_EVENT_NOTIFICATION, frame->payload, frame->len};
		return KD_DECODE_MESSAGE;
	case KD_RSP_FRAME_ACK:
		if (client->unacked > 0)
			client->unacked--;
		return KD_DECODE_MORE;
	case KD_RSP_FRAME_NACK:
		return retransmit (client, error) ? KD_DECODE_MORE : KD_DECODE_FAILED;
	case KD_RSP_FRAME_INTERRUPT:
		return KD_DECODE_MORE;
	}
	g_assert_not_reached();
}

KdDecode
kd_rsp_client_feed (KdRspClient *client, const void *data, size_t len, size_t *ret_used,
	KdRspEvent *ret_event, GError **error)
{
	const uint8_t *bytes = data;
	size_t done = 0;

	while (done < len) {
		g_autoptr (GError) why = NULL;
		KdDecode outcome;
		KdRspFrame frame;
		size_t used;

		outcome = kd_rsp_decoder_feed (
			client->dec, bytes + done, len - done, &used, &frame, &why);
		done += used;
		if (outcome == KD_DECODE_MESSAGE)
			outcome = take_frame (client, &frame, ret_event, error);
		else if (outcome == KD_DECODE_FAILED)
			outcome = damaged (client, why, error) ? KD_DECODE_MORE : outcome;
		if (outcome == KD_DECODE_MORE && is_no_stub (client) &&
			kd_rsp_decoder_get_junk (client->dec) > JUNK_MAX) {
			no_stub (client, error);
			*ret_used = len;
			return KD_DECODE_FAILED;
		}
		if (outcome != KD_DECODE_MORE) {
			*ret_used = done;
			return outcome;
		}
	}
	*ret_used = len;
	return KD_DECODE_MORE;
}

gboolean
kd_rsp_client_eof (KdRspClient *client, GError **error)
{
	gboolean busy = client->n_flight > 0;

	give_up (client);
	kd_rsp_decoder_reset (client->dec);
	if (!busy)
		return TRUE;
	if (is_no_stub (client))
		return no_stub (client, error);
	g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_CLOSED,
		"the stub closed the connection with a request unanswered");
	return FALSE;
}
