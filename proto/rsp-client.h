/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "proto/out-queue.h"
#include "proto/rsp-frame.h"
#include "proto/rsp-packet.h"

/*
 * The client's half of RSP as a machine without IO: requests in, bytes out; bytes in, events out.
 * All-stop: one request in flight; while the machine runs only the interrupt may be sent.
 *
 * Use: build a KdRspRequest, kd_rsp_client_send (), write what kd_rsp_client_out () shows, read,
 * kd_rsp_client_feed () until an event is the answer. After each feed there may be bytes to write
 * (acks, retransmissions).
 */
#define KD_RSP_RETRIES_MAX 5 /* for one request or one reply, each direction */
#define KD_RSP_WINDOW_MAX 32 /* requests in flight at once */

typedef enum {
	KD_RSP_EVENT_REPLY, /* ends the request in flight; payload for the parser of that request */
	KD_RSP_EVENT_STOP, /* a stop reply that answers no request (QEMU sends one after connecting)
			    */
	KD_RSP_EVENT_OUTPUT, /* console output: payload is decoded bytes */
	KD_RSP_EVENT_NOTIFICATION,
	KD_RSP_EVENT_STRAY, /* a packet that answers nothing and is no stop reply: to be ignored */
} KdRspEventKind;

typedef struct {
	KdRspEventKind kind;
	const char *payload; /* NUL-terminated behind `len`; valid until the next feed */
	size_t len;
} KdRspEvent;

typedef struct KdRspClient KdRspClient;

KdRspClient *kd_rsp_client_new (void);
void kd_rsp_client_free (KdRspClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdRspClient, kd_rsp_client_free)

/* What the stub advertised so far. Kept up to date from the answers. */
const KdRspFeatures *kd_rsp_client_get_features (const KdRspClient *client);

/*
 * How many requests may be in flight, 1 (as the protocol has it) to KD_RSP_WINDOW_MAX. More only
 * for a stub known to take them: QEMU's reads the next request as the ack of its last answer
 * (7.2 gdbstub.c, gdb_read_byte). Nothing can be sent again then: a damaged packet with several in
 * flight fails all of them, and the connection is of no more use.
 */
void kd_rsp_client_set_window (KdRspClient *client, guint window);

/*
 * Queues a request. KD_PROTO_ERROR_STATE when the window is full, when this request or the one in
 * flight expects more than one packet of reply, or behind one that resumes the machine (which may
 * itself go out behind others: the stub has taken them all before it runs); TOO_LARGE when it is
 * over the stub's packet size. The expected answer is the builder's. Answers come in the order of
 * the requests.
 */
gboolean kd_rsp_client_send (KdRspClient *client, const KdRspRequest *req, GError **error);

/*
 * Queues the one request in flight again, for a caller who knows that its first byte was lost: QEMU
 * takes a byte that comes while the machine runs as a wish to stop. FALSE: the stub has said that
 * it got the request, or there is none, or several.
 */
gboolean kd_rsp_client_resend (KdRspClient *client);

/* Queues the interrupt byte; STATE unless the machine was resumed by our request. The stop comes as
 * that request's REPLY. */
gboolean kd_rsp_client_interrupt (KdRspClient *client, GError **error);

/* A request is in flight (also while running) / the next answer is that of one that resumed the
 * machine. */
gboolean kd_rsp_client_is_busy (const KdRspClient *client);
gboolean kd_rsp_client_is_running (const KdRspClient *client);

/*
 * Bytes to write now. After a REPLY they are its ack, which may wait and ride with the next
 * request: one write less for each, which is most of what a request costs.
 */
KdOutQueue *kd_rsp_client_out (KdRspClient *client);

/*
 * MESSAGE: one event. FAILED: the request in flight has failed and is over (RETRIES, TOO_LARGE,
 * CHECKSUM in no-ack mode, a malformed answer to a feature question), or, with none in flight, the
 * peer talks something else than RSP (MALFORMED). A single damaged packet is no failure: it is
 * asked for again.
 */
KdDecode kd_rsp_client_feed (KdRspClient *client, const void *data, size_t len, size_t *ret_used,
	KdRspEvent *ret_event, GError **error);

/* End of file: sets *error (CLOSED) and returns FALSE when a request was in flight; it is over
 * then. */
gboolean kd_rsp_client_eof (KdRspClient *client, GError **error);
