/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>
#include <stdint.h>

#include "proto/out-queue.h"

/*
 * A non-blocking stream socket with deadlines, whose waits end at once when cancelled. It knows
 * nothing of what is said over it.
 */
typedef struct KdTransport KdTransport;

typedef enum {
	KD_TRANSPORT_TCP,
	KD_TRANSPORT_UNIX,
} KdTransportKind;

/* Where a peer listens. */
typedef struct {
	KdTransportKind kind;
	char *host; /* TCP */
	uint16_t port;
	char *path; /* UNIX */
} KdPeer;

/*
 * ":PORT", "PORT", "HOST:PORT", "[V6]:PORT", each with "tcp:" or not; "unix:PATH", or a path with a
 * slash in it. FALSE and KD_TARGET_ERROR_CONNECT for anything else.
 */
gboolean kd_peer_parse (const char *text, KdPeer *ret_peer, GError **error);
void kd_peer_clear (KdPeer *peer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdPeer, kd_peer_clear)
/* "HOST:PORT" or "unix:PATH" with the path made absolute: one name for one peer. New string. */
char *kd_peer_to_string (const KdPeer *peer);

/*
 * Connects within `timeout_ms`. Errors: KD_TARGET_ERROR_CONNECT (nothing listens, no such path, the
 * queue of those who wait is full), G_IO_ERROR_CANCELLED.
 */
KdTransport *kd_transport_connect (
	const KdPeer *peer, int timeout_ms, GCancellable *cancellable, GError **error);
/* Takes over a connected socket (tests). */
KdTransport *kd_transport_from_fd (int fd);
void kd_transport_free (KdTransport *transport);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdTransport, kd_transport_free)
/* Closes the socket and keeps the rest. */
void kd_transport_close (KdTransport *transport);

int kd_transport_fd (const KdTransport *transport);
/* Process at the other end of a UNIX socket: the one that made it listen. 0: unknown, or TCP. */
int kd_transport_peer_pid (const KdTransport *transport);

/* Ends kd_transport_send() and kd_transport_exchange(). Takes a reference; NULL: nothing does. */
void kd_transport_set_cancellable (KdTransport *transport, GCancellable *cancellable);
GCancellable *kd_transport_cancellable (const KdTransport *transport);

typedef enum {
	KD_IO_DONE,
	KD_IO_WOULD_BLOCK,
	KD_IO_EOF, /* closed or reset by the peer: nothing more will come or go */
	KD_IO_TIMEOUT,
	KD_IO_CANCELLED,
} KdIo;

/* What has been read and not been used. Valid until the next fill or exchange. */
const uint8_t *kd_transport_in (const KdTransport *transport, size_t *ret_len);
void kd_transport_in_used (KdTransport *transport, size_t len);

/* Neither blocks: DONE (all of `out` written; something read), WOULD_BLOCK or EOF. */
KdIo kd_transport_flush (KdTransport *transport, KdOutQueue *out);
/* DONE too, and nothing read, while something is unused. */
KdIo kd_transport_fill (KdTransport *transport);

/*
 * With a deadline on g_get_monotonic_time()'s clock, -1: none. The first writes all of `out`; the
 * second writes of it what it can and waits for one reading: WOULD_BLOCK means that it was woken
 * only to write more.
 */
KdIo kd_transport_send (KdTransport *transport, KdOutQueue *out, gint64 deadline_us);
KdIo kd_transport_exchange (KdTransport *transport, KdOutQueue *out, gint64 deadline_us);
