/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/gdb-listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "command/session.h"
#include "target/transport.h"

#define BACKLOG 8
#define STREAM (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

static gboolean
fail (int code, const char *name, GError **error)
{
	g_set_error (error, G_IO_ERROR, (int)g_io_error_from_errno (code), "%s: %s", name,
		g_strerror (code));
	return FALSE;
}

/* --- UNIX --- */

/* TRUE: a socket is there, and nobody behind it. */
static gboolean
is_stale (const struct sockaddr_un *address)
{
	int fd = socket (AF_UNIX, STREAM, 0);
	gboolean refused = fd >= 0 &&
			   connect (fd, (const struct sockaddr *)address, sizeof (*address)) < 0 &&
			   errno == ECONNREFUSED;
	struct stat what;

	if (fd >= 0)
		close (fd);
	return refused && lstat (address->sun_path, &what) == 0 && S_ISSOCK (what.st_mode);
}

static gboolean
bind_unix (KdGdbListener *listener, const KdPeer *peer, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t old_mask;
	int bound, code;

	/* kd_peer_parse() has looked at its length. */
	g_strlcpy (address.sun_path, peer->path, sizeof (address.sun_path));
	listener->name = g_strdup (peer->path);
	listener->fd = socket (AF_UNIX, STREAM, 0);
	if (listener->fd < 0)
		return fail (errno, peer->path, error);
	if (is_stale (&address))
		unlink (peer->path);
	old_mask = umask (0177);
	bound = bind (listener->fd, (struct sockaddr *)&address, sizeof (address));
	code = errno;
	umask (old_mask);
	if (bound < 0)
		return fail (code, peer->path, error);
	listener->path = g_strdup (peer->path);
	return TRUE;
}

/* --- TCP --- */

static gboolean
bind_tcp (KdGdbListener *listener, const KdPeer *peer, GError **error)
{
	const char *host =
		*peer->host && strcmp (peer->host, "localhost") != 0 ? peer->host : "127.0.0.1";
	g_autoptr (GInetAddress) inet = g_inet_address_new_from_string (host);
	g_autoptr (GSocketAddress) address = NULL;
	struct sockaddr_storage storage;
	const int one = 1;

	listener->name = g_strdup_printf (
		strchr (host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)peer->port);
	if (!inet || !g_inet_address_get_is_loopback (inet)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"%s: not an address of loopback (a debugger elsewhere forwards the port)",
			listener->name);
		return FALSE;
	}
	address = g_inet_socket_address_new (inet, peer->port);
	if (!g_socket_address_to_native (address, &storage, sizeof (storage), error))
		return FALSE;
	listener->fd = socket (storage.ss_family, STREAM, 0);
	if (listener->fd < 0 ||
		setsockopt (listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof (one)) < 0 ||
		bind (listener->fd, (struct sockaddr *)&storage,
			(socklen_t)g_socket_address_get_native_size (address)) < 0)
		return fail (errno, listener->name, error);
	return TRUE;
}

/* --- both --- */

KdGdbListener *
kd_gdb_listener_open (const char *address, GError **error)
{
	g_autoptr (KdGdbListener) listener = g_new0 (KdGdbListener, 1);
	g_auto (KdPeer) peer = {0};

	listener->fd = -1;
	if (!kd_peer_parse (address, &peer, error) ||
		!(peer.kind == KD_TRANSPORT_UNIX ? bind_unix (listener, &peer, error)
						 : bind_tcp (listener, &peer, error)))
		return NULL;
	if (listen (listener->fd, BACKLOG) < 0) {
		fail (errno, listener->name, error);
		return NULL;
	}
	return g_steal_pointer (&listener);
}

void
kd_gdb_listener_close (KdGdbListener *listener)
{
	if (!listener)
		return;
	if (listener->path)
		unlink (listener->path);
	if (listener->fd >= 0)
		close (listener->fd);
	g_free (listener->name);
	g_free (listener->path);
	g_free (listener);
}
