/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/rsp-link-private.h"

#include <inttypes.h>
#include <string.h>

#include "target/target.h"

#define OUTPUT_MAX (4 * 1024 * 1024) /* of one monitor command */
#define NOISE_MAX (16 * 1024 * 1024) /* acks, output, stops nobody asked for, without an answer */
/* After a stop nobody asked for, a request without an answer was eaten by it. */
#define RESEND_US (300 * 1000)

KdRspLink *
kd_rsp_link_new (KdTransport *transport, KdSilence *silence, int first_ms)
{
	KdRspLink *link = g_new0 (KdRspLink, 1);

	link->transport = transport;
	link->client = kd_rsp_client_new();
	link->silence = silence;
	link->first_us = (gint64)first_ms * 1000;
	kd_rsp_request_init (&link->request);
	return link;
}

void
kd_rsp_link_free (KdRspLink *link)
{
	if (!link)
		return;
	kd_rsp_link_close (link);
	kd_transport_free (link->transport);
	kd_rsp_client_free (link->client);
	kd_rsp_request_clear (&link->request);
	g_free (link->why_closed);
	g_free (link);
}

void
kd_rsp_link_set_cancellable (KdRspLink *link, GCancellable *cancellable)
{
	kd_transport_set_cancellable (link->transport, cancellable);
}

void
kd_rsp_link_set_stop_func (KdRspLink *link, KdRspLinkStopFunc func, void *data)
{
	link->stop_func = func;
	link->stop_data = data;
}

void
kd_rsp_link_set_leaves_detach (KdRspLink *link, gboolean on)
{
	link->leaves_detach = on;
}

/*
 * As QEMU (7.2, 10.0) understands it whether or not it was told of "multiprocess" on this
 * connection or an earlier one. A second one would stop the machine.
 */
static void
leave_detach (KdRspLink *link)
{
	static const char packet[] = "$D;1#b0";
	size_t len;

	link->leaves_detach = FALSE;
	kd_out_queue_append (kd_rsp_client_out (link->client), packet, sizeof packet - 1);
	kd_transport_flush (link->transport, kd_rsp_client_out (link->client));
	/* What is unread when a socket is closed resets the connection, with all that it holds. */
	if (kd_transport_fill (link->transport) == KD_IO_DONE) {
		kd_transport_in (link->transport, &len);
		kd_transport_in_used (link->transport, len);
	}
}

void
kd_rsp_link_close (KdRspLink *link)
{
	if (link->leaves_detach && !link->peer_closed)
		leave_detach (link);
	link->closed = TRUE;
	kd_transport_close (link->transport);
}

int
kd_rsp_link_fd (const KdRspLink *link)
{
	return kd_transport_fd (link->transport);
}

int
kd_rsp_link_peer_pid (const KdRspLink *link)
{
	return kd_transport_peer_pid (link->transport);
}

const KdRspFeatures *
kd_rsp_link_features (const KdRspLink *link)
{
	return kd_rsp_client_get_features (link->client);
}

gboolean
kd_rsp_link_is_stub (const KdRspLink *link)
{
	return link->is_stub;
}

gboolean
kd_rsp_link_is_closed (const KdRspLink *link)
{
	return link->closed;
}

gboolean
kd_rsp_link_peer_closed (const KdRspLink *link)
{
	return link->peer_closed;
}

gboolean
kd_rsp_link_is_given_up (const KdRspLink *link)
{
	return link->given_up;
}

const char *
kd_rsp_link_why_closed (const KdRspLink *link)
{
	return link->why_closed ? link->why_closed : "it was let go";
}

gboolean
kd_rsp_link_is_running (const KdRspLink *link)
{
	return kd_rsp_client_is_running (link->client);
}

void
kd_rsp_link_set_pipelined (KdRspLink *link, gboolean on)
{
	link->pipelined = on;
	kd_rsp_client_set_window (link->client, on ? KD_RSP_WINDOW_MAX : 1);
}

gboolean
kd_rsp_link_is_pipelined (const KdRspLink *link)
{
	return link->pipelined;
}

KdRspRequest *
kd_rsp_link_request (KdRspLink *link)
{
	return &link->request;
}

void
kd_rsp_link_propagate (GError **error, GError *proto)
{
	KdTargetError code = KD_TARGET_ERROR_PROTOCOL;

	if (proto->domain != KD_PROTO_ERROR) {
		g_propagate_error (error, proto);
		return;
	}
	if (proto->code == KD_PROTO_ERROR_REMOTE)
		code = KD_TARGET_ERROR_REMOTE;
	else if (proto->code == KD_PROTO_ERROR_UNSUPPORTED)
		code = KD_TARGET_ERROR_UNSUPPORTED;
	else if (proto->code == KD_PROTO_ERROR_CLOSED)
		code = KD_TARGET_ERROR_LOST;
	g_set_error_literal (error, KD_TARGET_ERROR, code, proto->message);
	g_error_free (proto);
}

static gboolean
lost (KdRspLink *link, const char *why, GError **error)
{
	g_autoptr (GError) unanswered = NULL;

	if (!link->why_closed)
		link->why_closed = g_strdup (why);
	kd_rsp_link_close (link);
	kd_rsp_client_eof (link->client, &unanswered);
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST, "%s", link->why_closed);
	return FALSE;
}

static gboolean
give_up (KdRspLink *link, const char *why, GError **error)
{
	link->given_up = TRUE;
	return lost (link, why, error);
}

static gboolean
check_open (KdRspLink *link, GError **error)
{
	return link->closed ? lost (link, kd_rsp_link_why_closed (link), error) : TRUE;
}

/* TRUE: go on. */
static gboolean
check_io (KdRspLink *link, KdIo io, GError **error)
{
	switch (io) {
	case KD_IO_DONE:
	case KD_IO_WOULD_BLOCK:
		return TRUE;
	case KD_IO_EOF:
		link->peer_closed = TRUE;
		return lost (link, "the gdb stub has closed the connection", error);
	case KD_IO_CANCELLED:
		g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "cancelled");
		return FALSE;
	case KD_IO_TIMEOUT:
		break;
	}
	g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "no answer in time");
	return FALSE;
}

static void
take_stop (KdRspLink *link, const KdRspEvent *event, gboolean asked)
{
	g_autoptr (KdStopReply) stop = kd_stop_reply_parse (event->payload, event->len, NULL);

	link->nr_stops++;
	if (asked) {
		link->nr_asked_stops++;
		kd_silence_progress (link->silence);
	} else
		link->stopped_meanwhile = TRUE;
	if (link->stop_func)
		link->stop_func (stop, asked, link->stop_data);
}

typedef enum {
	STEP_NOTHING, /* no event in what has arrived */
	STEP_EVENT,   /* something that was taken care of */
	STEP_REPLY,   /* *ret_answer */
	STEP_FAILED,
} Step;

/* One event out of the bytes that have been read. */
static Step
feed (KdRspLink *link, KdRspAnswer *ret_answer, GError **error)
{
	GError *why = NULL;
	KdRspEvent event;
	gboolean was_running = kd_rsp_client_is_running (link->client);
	gboolean several = link->pipelined && kd_rsp_client_is_busy (link->client);
	size_t len, used;
	const uint8_t *in = kd_transport_in (link->transport, &len);
	KdDecode result;

	if (len == 0)
		return STEP_NOTHING;
	result = kd_rsp_client_feed (link->client, in, len, &used, &event, &why);
	kd_transport_in_used (link->transport, used);
	link->noise += used;
	if (link->noise > NOISE_MAX) {
		g_clear_error (&why);
		give_up (link, "the gdb stub sends without end what answers nothing", error);
		return STEP_FAILED;
	}
	if (result == KD_DECODE_MORE)
		return STEP_NOTHING;
	if (result == KD_DECODE_FAILED) {
		/* What else was in flight is out of step now. */
		if (several)
			lost (link, why->message, NULL);
		kd_rsp_link_propagate (error, why);
		return STEP_FAILED;
	}
	link->is_stub = TRUE;
	switch (event.kind) {
	case KD_RSP_EVENT_REPLY:
		link->noise = 0;
		if (was_running) {
			take_stop (link, &event, TRUE);
			return STEP_EVENT;
		}
		*ret_answer = (KdRspAnswer){event.payload, event.len};
		return STEP_REPLY;
	case KD_RSP_EVENT_STOP:
		take_stop (link, &event, FALSE);
		return STEP_EVENT;
	case KD_RSP_EVENT_OUTPUT:
		if (link->output && event.len <= OUTPUT_MAX - link->output->len)
			g_string_append_len (link->output, event.payload, (gssize)event.len);
		return STEP_EVENT;
	case KD_RSP_EVENT_NOTIFICATION:
	case KD_RSP_EVENT_STRAY:
		return STEP_EVENT;
	}
	return STEP_EVENT;
}

static gboolean
has_passed (gint64 deadline_us)
{
	return deadline_us >= 0 && g_get_monotonic_time() >= deadline_us;
}

/*
 * Reads until one event. The ack of what ended the last call goes out with the next request, in one
 * write: that halves the system calls of a step.
 */
static Step
step_event (KdRspLink *link, gint64 deadline_us, KdRspAnswer *ret_answer, GError **error)
{
	for (gboolean woken = FALSE;; woken = TRUE) {
		Step step = feed (link, ret_answer, error);

		if (step != STEP_NOTHING)
			return step;
		/* Bytes that come for ever and are no packet end nothing. */
		if (woken && has_passed (deadline_us)) {
			check_io (link, KD_IO_TIMEOUT, error);
			return STEP_FAILED;
		}
		if (!check_io (link,
			    kd_transport_exchange (
				    link->transport, kd_rsp_client_out (link->client), deadline_us),
			    error))
			return STEP_FAILED;
	}
}

static gint64
deadline (const KdRspLink *link, gint64 start_us)
{
	return start_us + MIN (kd_silence_left (link->silence, KD_SILENCE_STUB),
				  link->is_stub ? G_MAXINT64 : link->first_us);
}

/*
 * What has been owed since `start_us` has not come. A stub that was too long silent is given up:
 * all that is asked later would only wait again. Everything else is told as it is.
 */
static gboolean
no_answer (KdRspLink *link, gint64 start_us, GError *why, GError **error)
{
	gint64 took_us = g_get_monotonic_time() - start_us, limit_us = link->silence->limit_us;
	g_autofree char *limit = NULL, *text = NULL;

	kd_silence_charge (link->silence, KD_SILENCE_STUB, start_us, FALSE);
	if (!g_error_matches (why, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)) {
		g_propagate_error (error, why);
		return FALSE;
	}
	g_error_free (why);
	limit = kd_silence_text (link->is_stub ? limit_us : MIN (limit_us, link->first_us));
	text = g_strdup_printf ("%s for %s%s",
		link->is_stub ? "the gdb stub has not answered" : "no answer", limit,
		!link->is_stub                ? ""
		: took_us < limit_us / 10 * 9 ? " in all: connection given up"
					      : ": connection given up");
	return give_up (link, text, error);
}

gboolean
kd_rsp_link_await (KdRspLink *link, KdRspAnswer *ret_answer, GError **error)
{
	gint64 start_us = g_get_monotonic_time(), end_us = deadline (link, start_us);

	for (;;) {
		gboolean eaten = link->stopped_meanwhile;
		gint64 soon_us = eaten ? MIN (end_us, g_get_monotonic_time() + RESEND_US) : end_us;
		g_autoptr (GError) why = NULL;

		switch (step_event (link, soon_us, ret_answer, &why)) {
		case STEP_REPLY:
			kd_silence_charge (link->silence, KD_SILENCE_STUB, start_us, TRUE);
			return TRUE;
		case STEP_EVENT:
		case STEP_NOTHING:
			/* A peer that sends other things for ever does not answer either. */
			if (!has_passed (end_us))
				continue;
			check_io (link, KD_IO_TIMEOUT, &why);
			break;
		case STEP_FAILED:
			break;
		}
		if (!eaten || !g_error_matches (why, G_IO_ERROR, G_IO_ERROR_TIMED_OUT) ||
			has_passed (end_us))
			return no_answer (link, start_us, g_steal_pointer (&why), error);
		link->stopped_meanwhile = FALSE;
		kd_rsp_client_resend (link->client);
	}
}

/* Waits for answers that an earlier, cancelled call left behind. */
static gboolean
drain (KdRspLink *link, GError **error)
{
	KdRspAnswer answer;

	while (kd_rsp_client_is_busy (link->client) && !kd_rsp_client_is_running (link->client))
		if (!kd_rsp_link_await (link, &answer, error))
			return FALSE;
	if (!kd_rsp_client_is_running (link->client))
		return TRUE;
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_RUNNING, "the machine is running");
	return FALSE;
}

static gboolean
send_this (KdRspLink *link, const KdRspRequest *request, GError **error)
{
	GError *why = NULL;

	if (!kd_rsp_client_send (link->client, request, &why)) {
		kd_rsp_link_propagate (error, why);
		return FALSE;
	}
	if (request->payload->str[0] == 'D')
		link->leaves_detach = FALSE;
	return TRUE;
}

gboolean
kd_rsp_link_send_request (KdRspLink *link, GError **error)
{
	return send_this (link, &link->request, error);
}

gboolean
kd_rsp_link_ready (KdRspLink *link, GError **error)
{
	if (!check_open (link, error))
		return FALSE;
	if (g_cancellable_set_error_if_cancelled (
		    kd_transport_cancellable (link->transport), error))
		return FALSE;
	return drain (link, error);
}

gboolean
kd_rsp_link_phys_off (KdRspLink *link, GError **error)
{
	g_autoptr (GString) saved = NULL;
	KdRspExpect expect = link->request.expect;
	KdRspAnswer answer;
	gboolean ok;

	if (!link->phys_on)
		return TRUE;
	/* The caller's request is built already. */
	saved = g_string_new_len (link->request.payload->str, (gssize)link->request.payload->len);
	ok = kd_rsp_request_qemu_set_phys (
		     &link->request, kd_rsp_link_features (link), FALSE, NULL) &&
	     kd_rsp_link_send_request (link, error) && kd_rsp_link_await (link, &answer, error);
	link->request.expect = expect;
	g_string_assign (link->request.payload, saved->str);
	if (ok)
		link->phys_on = FALSE;
	return ok;
}

void
kd_rsp_link_doubt_phys (KdRspLink *link)
{
	if (kd_rsp_link_features (link)->set & KD_RSP_HAS_QEMU_PHYS)
		link->phys_on = TRUE;
}

gboolean
kd_rsp_link_ask (KdRspLink *link, KdRspAnswer *ret_answer, GError **error)
{
	if (!kd_rsp_link_ready (link, error) || !kd_rsp_link_phys_off (link, error))
		return FALSE;
	link->stopped_meanwhile = FALSE;
	return kd_rsp_link_send_request (link, error) &&
	       kd_rsp_link_await (link, ret_answer, error);
}

gboolean
kd_rsp_link_ask_ok (KdRspLink *link, GError **error)
{
	KdRspAnswer answer;
	GError *why = NULL;

	if (!kd_rsp_link_ask (link, &answer, error))
		return FALSE;
	if (kd_rsp_parse_ok (answer.payload, answer.len, &why))
		return TRUE;
	kd_rsp_link_propagate (error, why);
	return FALSE;
}

char *
kd_rsp_link_monitor (KdRspLink *link, const char *command, GError **error)
{
	g_autoptr (GString) output = g_string_new (NULL);
	g_autofree char *last = NULL;
	KdRspAnswer answer;
	GError *why = NULL;
	gboolean ok;

	if (!kd_rsp_request_monitor (&link->request, kd_rsp_link_features (link), command, &why)) {
		kd_rsp_link_propagate (error, why);
		return NULL;
	}
	link->output = output;
	ok = kd_rsp_link_ask (link, &answer, error);
	link->output = NULL;
	if (!ok)
		return NULL;
	last = kd_rsp_parse_monitor (answer.payload, answer.len, &why);
	if (!last) {
		kd_rsp_link_propagate (error, why);
		return NULL;
	}
	g_string_append (output, last);
	return g_string_free (g_steal_pointer (&output), FALSE);
}

gboolean
kd_rsp_link_resume (KdRspLink *link, const KdRspRequest *first, GError **error)
{
	gint64 start_us;
	GError *why = NULL;

	if (!kd_rsp_link_ready (link, error) || !kd_rsp_link_phys_off (link, error) ||
		(first && !send_this (link, first, error)) ||
		!kd_rsp_link_send_request (link, error))
		return FALSE;
	link->stopped_meanwhile = FALSE;
	/* Whole, now: what is left of it would be sent to a machine that runs. */
	start_us = g_get_monotonic_time();
	return check_io (link,
		       kd_transport_send (link->transport, kd_rsp_client_out (link->client),
			       deadline (link, start_us)),
		       &why) ||
	       no_answer (link, start_us, why, error);
}

gboolean
kd_rsp_link_answer (KdRspLink *link, KdRspAnswer *ret_answer, GError **error)
{
	return kd_rsp_link_await (link, ret_answer, error);
}

gboolean
kd_rsp_link_interrupt (KdRspLink *link, GError **error)
{
	GError *why = NULL;

	if (!check_open (link, error))
		return FALSE;
	if (!kd_rsp_client_interrupt (link->client, &why)) {
		kd_rsp_link_propagate (error, why);
		return FALSE;
	}
	return check_io (link,
		kd_transport_flush (link->transport, kd_rsp_client_out (link->client)), error);
}

gboolean
kd_rsp_link_wait_stop (KdRspLink *link, gboolean asked_only, gint64 deadline_us, GError **error)
{
	guint stops = link->nr_stops, asked = link->nr_asked_stops;
	KdRspAnswer answer;

	if (!check_open (link, error))
		return FALSE;
	for (gboolean woken = FALSE;
		asked_only ? link->nr_asked_stops == asked : link->nr_stops == stops; woken = TRUE)
		if (g_cancellable_set_error_if_cancelled (
			    kd_transport_cancellable (link->transport), error) ||
			(woken && has_passed (deadline_us) &&
				!check_io (link, KD_IO_TIMEOUT, error)) ||
			step_event (link, deadline_us, &answer, error) == STEP_FAILED)
			return FALSE;
	return TRUE;
}

gboolean
kd_rsp_link_await_stop (KdRspLink *link, GError **error)
{
	gint64 start_us = g_get_monotonic_time();
	GError *why = NULL;

	if (!kd_rsp_link_wait_stop (link, FALSE, deadline (link, start_us), &why))
		return no_answer (link, start_us, why, error);
	kd_silence_charge (link->silence, KD_SILENCE_STUB, start_us, TRUE);
	return TRUE;
}

/* All events in what has been read. FALSE: LOST. */
static gboolean
feed_all (KdRspLink *link, GError **error)
{
	for (;;) {
		g_autoptr (GError) why = NULL;
		KdRspAnswer answer;
		Step step = feed (link, &answer, &why);

		if (step == STEP_NOTHING)
			return TRUE;
		if (step == STEP_FAILED && link->closed) {
			g_propagate_error (error, g_steal_pointer (&why));
			return FALSE;
		}
	}
}

/* One reading: a stub that sends without end must not keep the caller from other work. */
gboolean
kd_rsp_link_dispatch (KdRspLink *link, GError **error)
{
	KdOutQueue *out = kd_rsp_client_out (link->client);

	return check_open (link, error) && feed_all (link, error) &&
	       check_io (link, kd_transport_fill (link->transport), error) &&
	       feed_all (link, error) &&
	       check_io (link, kd_transport_flush (link->transport, out), error);
}
