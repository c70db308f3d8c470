/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixsocketaddress.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/hex.h"
#include "target/target.h"

#define READ_SIZE (128 * 1024)

struct KdTransport {
	int fd;
	GCancellable *cancellable;
	int cancel_fd; /* held as long as that: each wait would make and close one */
	size_t in_len, in_pos;
	uint8_t in[READ_SIZE];
};

static gboolean
bad_address (const char *text, GError **error)
{
	g_autofree char *shown = kd_escape (text, -1, 200);

	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
		"“%s” is no address (give :PORT, HOST:PORT, or the path of a UNIX socket)", shown);
	return FALSE;
}

static gboolean
parse_path (const char *text, const char *path, KdPeer *ret_peer, GError **error)
{
	g_autofree char *full = g_canonicalize_filename (path, NULL);
	struct sockaddr_un addr;

	if (!*path)
		return bad_address (text, error);
	if (strlen (full) >= sizeof addr.sun_path) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
			"%s: longer than a UNIX socket's path may be (%zu)", full,
			sizeof addr.sun_path - 1);
		return FALSE;
	}
	*ret_peer = (KdPeer){KD_TRANSPORT_UNIX, NULL, 0, g_steal_pointer (&full)};
	return TRUE;
}

gboolean
kd_peer_parse (const char *text, KdPeer *ret_peer, GError **error)
{
	const char *rest = text, *colon, *host, *host_end;
	uint64_t port;

	if (g_str_has_prefix (text, "unix:"))
		return parse_path (text, text + 5, ret_peer, error);
	if (g_str_has_prefix (text, "tcp:"))
		rest = text + 4;
	else if (strchr (text, '/'))
		return parse_path (text, text, ret_peer, error);
	colon = strrchr (rest, ':');
	host = rest;
	host_end = colon ? colon : rest;
	/* The port alone, with or without its colon, is on this machine, as in gdb. */
	if (!kd_parse_u64 (colon ? colon + 1 : rest, &port) || port == 0 || port > G_MAXUINT16)
		return bad_address (text, error);
	if (*host == '[' && host_end > host && host_end[-1] == ']') {
		host++;
		host_end--;
	}
	*ret_peer = (KdPeer){KD_TRANSPORT_TCP,
		host_end > host ? g_strndup (host, (gsize)(host_end - host))
				: g_strdup ("localhost"),
		(uint16_t)port, NULL};
	return TRUE;
}

void
kd_peer_clear (KdPeer *peer)
{
	g_clear_pointer (&peer->host, g_free);
	g_clear_pointer (&peer->path, g_free);
}

char *
kd_peer_to_string (const KdPeer *peer)
{
	if (peer->kind == KD_TRANSPORT_UNIX)
		return g_strdup_printf ("unix:%s", peer->path);
	return g_strdup_printf (
		strchr (peer->host, ':') ? "[%s]:%u" : "%s:%u", peer->host, peer->port);
}

static KdTransport *
new_transport (int fd)
{
	KdTransport *transport = g_new0 (KdTransport, 1);

	transport->fd = fd;
	transport->cancel_fd = -1;
	return transport;
}

KdTransport *
kd_transport_from_fd (int fd)
{
	int flags = fcntl (fd, F_GETFL);

	fcntl (fd, F_SETFL, flags | O_NONBLOCK);
	return new_transport (fd);
}

void
kd_transport_free (KdTransport *transport)
{
	if (!transport)
		return;
	kd_transport_close (transport);
	kd_transport_set_cancellable (transport, NULL);
	g_free (transport);
}

void
kd_transport_close (KdTransport *transport)
{
	if (transport->fd >= 0)
		close (transport->fd);
	transport->fd = -1;
}

int
kd_transport_fd (const KdTransport *transport)
{
	return transport->fd;
}

int
kd_transport_peer_pid (const KdTransport *transport)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt (transport->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 || cred.pid <= 0)
		return 0;
	return cred.pid;
}

void
kd_transport_set_cancellable (KdTransport *transport, GCancellable *cancellable)
{
	if (transport->cancellable == cancellable)
		return;
	if (transport->cancel_fd >= 0)
		g_cancellable_release_fd (transport->cancellable);
	g_set_object (&transport->cancellable, cancellable);
	transport->cancel_fd = g_cancellable_get_fd (cancellable);
}

GCancellable *
kd_transport_cancellable (const KdTransport *transport)
{
	return transport->cancellable;
}

/* Polls both; DONE: `fd` is ready. */
static KdIo
wait_fd (int fd, short events, gint64 deadline_us, GCancellable *cancellable, int cancel_fd)
{
	struct pollfd fds[2] = {{fd, events, 0}, {cancel_fd, POLLIN, 0}};

	for (;;) {
		gint64 left_us = deadline_us < 0 ? -1 : deadline_us - g_get_monotonic_time();
		/* Rounded up: a deadline must have passed when it is reported so. */
		int left_ms = deadline_us < 0 ? -1
			      : left_us <= 0  ? 0
					      : (int)MIN ((left_us + 999) / 1000, G_MAXINT);
		int n = poll (fds, 2, left_ms);

		if (n < 0 && errno == EINTR)
			continue;
		if (g_cancellable_is_cancelled (cancellable))
			return KD_IO_CANCELLED;
		return n > 0 && fds[0].revents ? KD_IO_DONE : KD_IO_TIMEOUT;
	}
}

static KdIo
wait_ready (const KdTransport *transport, short events, gint64 deadline_us)
{
	return wait_fd (
		transport->fd, events, deadline_us, transport->cancellable, transport->cancel_fd);
}

const uint8_t *
kd_transport_in (const KdTransport *transport, size_t *ret_len)
{
	*ret_len = transport->in_len - transport->in_pos;
	return transport->in + transport->in_pos;
}

void
kd_transport_in_used (KdTransport *transport, size_t len)
{
	g_return_if_fail (len <= transport->in_len - transport->in_pos);
	transport->in_pos += len;
}

/* Of a recv() or send(). */
static KdIo
io_of (ssize_t n)
{
	if (n > 0)
		return KD_IO_DONE;
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? KD_IO_WOULD_BLOCK : KD_IO_EOF;
}

KdIo
kd_transport_fill (KdTransport *transport)
{
	ssize_t n;
	KdIo io;

	if (transport->in_pos < transport->in_len)
		return KD_IO_DONE;
	do
		n = recv (transport->fd, transport->in, sizeof transport->in, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	io = io_of (n);
	if (io == KD_IO_DONE) {
		transport->in_len = (size_t)n;
		transport->in_pos = 0;
	}
	return io;
}

KdIo
kd_transport_flush (KdTransport *transport, KdOutQueue *out)
{
	const uint8_t *bytes;
	KdIo io = KD_IO_DONE;
	size_t len;

	while (io == KD_IO_DONE && (bytes = kd_out_queue_peek (out, &len))) {
		ssize_t n = send (transport->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		io = io_of (n);
		if (io == KD_IO_DONE)
			kd_out_queue_written (out, (size_t)n);
	}
	return io;
}

KdIo
kd_transport_send (KdTransport *transport, KdOutQueue *out, gint64 deadline_us)
{
	for (;;) {
		KdIo io = kd_transport_flush (transport, out);

		if (io == KD_IO_WOULD_BLOCK)
			io = wait_ready (transport, POLLOUT, deadline_us);
		if (io != KD_IO_DONE || kd_out_queue_is_empty (out))
			return io;
	}
}

KdIo
kd_transport_exchange (KdTransport *transport, KdOutQueue *out, gint64 deadline_us)
{
	KdIo io = kd_transport_flush (transport, out);

	if (io == KD_IO_EOF)
		return io;
	io = wait_ready (transport, io == KD_IO_DONE ? POLLIN : POLLIN | POLLOUT, deadline_us);
	return io == KD_IO_DONE ? kd_transport_fill (transport) : io;
}

static gboolean
connect_failed (const KdPeer *peer, int err, GError **error)
{
	g_autofree char *name = kd_peer_to_string (peer);

	if (err == ECONNREFUSED || err == ENOENT)
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
			"%s: nothing listens there (%s)", name, g_strerror (err));
	else if (err == ETIMEDOUT || err == EAGAIN)
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
			"%s: connection not taken in time", name);
	else
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT, "%s: %s", name,
			g_strerror (err));
	return FALSE;
}

/* One address. 0, or an errno; ECANCELED when cancelled. */
static int
connect_fd (int fd, const struct sockaddr *addr, socklen_t addr_len, gint64 deadline_us,
	GCancellable *cancellable, int cancel_fd)
{
	int err = 0;
	socklen_t err_len = sizeof err;

	while (connect (fd, addr, addr_len) != 0) {
		/* A UNIX socket whose queue is full says EAGAIN, and poll() does not tell when it
		 * has room. */
		if (errno == EAGAIN) {
			gint64 again = g_get_monotonic_time() + 50 * 1000;

			if (wait_fd (-1, 0, MIN (again, deadline_us), cancellable, cancel_fd) ==
				KD_IO_CANCELLED)
				return ECANCELED;
			if (g_get_monotonic_time() >= deadline_us)
				return EAGAIN;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EINPROGRESS)
			return errno;
		switch (wait_fd (fd, POLLOUT, deadline_us, cancellable, cancel_fd)) {
		case KD_IO_CANCELLED:
			return ECANCELED;
		case KD_IO_TIMEOUT:
			return ETIMEDOUT;
		default:
			break;
		}
		if (getsockopt (fd, SOL_SOCKET, SO_ERROR, &err, &err_len) != 0)
			return errno;
		return err;
	}
	return 0;
}

static KdTransport *
connect_address (const KdPeer *peer, const struct sockaddr *addr, socklen_t addr_len,
	gint64 deadline_us, GCancellable *cancellable, GError **error)
{
	int fd = socket (addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	int err, cancel_fd;

	if (fd < 0) {
		connect_failed (peer, errno, error);
		return NULL;
	}
	cancel_fd = g_cancellable_get_fd (cancellable);
	err = connect_fd (fd, addr, addr_len, deadline_us, cancellable, cancel_fd);
	if (cancel_fd >= 0)
		g_cancellable_release_fd (cancellable);
	if (err) {
		close (fd);
		if (err == ECANCELED)
			g_cancellable_set_error_if_cancelled (cancellable, error);
		else
			connect_failed (peer, err, error);
		return NULL;
	}
	/* Requests are small and each waits for its answer. */
	if (addr->sa_family != AF_UNIX)
		setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return new_transport (fd);
}

static KdTransport *
connect_tcp (const KdPeer *peer, gint64 deadline_us, GCancellable *cancellable, GError **error)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
	g_autofree char *port = g_strdup_printf ("%u", peer->port);
	KdTransport *transport = NULL;
	g_autoptr (GError) first = NULL;
	int err = getaddrinfo (peer->host, port, &hints, &list);

	if (err) {
		g_autofree char *host = kd_escape (peer->host, -1, 200);

		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT, "%s: %s", host,
			gai_strerror (err));
		return NULL;
	}
	for (struct addrinfo *info = list; info && !transport; info = info->ai_next) {
		g_autoptr (GError) why = NULL;

		transport = connect_address (
			peer, info->ai_addr, info->ai_addrlen, deadline_us, cancellable, &why);
		if (!transport &&
			(!first || g_error_matches (why, G_IO_ERROR, G_IO_ERROR_CANCELLED))) {
			g_clear_error (&first);
			first = g_steal_pointer (&why);
		}
	}
	freeaddrinfo (list);
	if (!transport)
		g_propagate_error (error, g_steal_pointer (&first));
	return transport;
}

KdTransport *
kd_transport_connect (const KdPeer *peer, int timeout_ms, GCancellable *cancellable, GError **error)
{
	gint64 deadline_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (g_cancellable_set_error_if_cancelled (cancellable, error))
		return NULL;
	if (peer->kind == KD_TRANSPORT_TCP)
		return connect_tcp (peer, deadline_us, cancellable, error);
	g_strlcpy (addr.sun_path, peer->path, sizeof addr.sun_path);
	return connect_address (
		peer, (const struct sockaddr *)&addr, sizeof addr, deadline_us, cancellable, error);
}
