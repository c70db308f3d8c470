/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>
#include <stdint.h>

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

typedef enum {
	KD_TRANSPORT_OK,
	KD_TRANSPORT_WOULD_BLOCK,
	KD_TRANSPORT_EOF, /* closed or reset by the peer: nothing more will come or go */
} KdTransportResult;

/* Neither blocks. *ret_len is set for OK only. */
KdTransportResult kd_transport_read (
	KdTransport *transport, void *buf, size_t len, size_t *ret_len);
KdTransportResult kd_transport_write (
	KdTransport *transport, const void *buf, size_t len, size_t *ret_len);

typedef enum {
	KD_WAIT_READY,
	KD_WAIT_TIMEOUT,
	KD_WAIT_CANCELLED,
} KdWait;

/*
 * Until there is something to read (or the end), or room to write if `want_write`. `deadline_us` on
 * g_get_monotonic_time()'s clock, -1: none. `cancellable` may be NULL.
 */
KdWait kd_transport_wait (
	KdTransport *transport, gboolean want_write, gint64 deadline_us, GCancellable *cancellable);
