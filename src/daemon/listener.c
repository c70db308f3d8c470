/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/runtime-dir.h"

#define BACKLOG 64

struct KdListener {
	char *socket_path;
	int lock_fd;
	int fd;
	KdAcceptor *acceptor;
	KdAcceptorFunc accepted;
	void *data;
};

static gboolean
set_errno (GError **error, const char *what)
{
	int code = errno;

	g_set_error (
		error, G_IO_ERROR, g_io_error_from_errno (code), "%s: %s", what, g_strerror (code));
	return FALSE;
}

static gboolean
fill_address (const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	return g_strlcpy (ret->sun_path, path, sizeof (ret->sun_path)) < sizeof (ret->sun_path);
}

/* Somebody answers behind the socket. */
static gboolean
is_served (const char *path)
{
	struct sockaddr_un address;
	gboolean served;
	int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || !fill_address (path, &address))
		return FALSE;
	/* EAGAIN: its backlog is full, so it lives. */
	served =
		connect (fd, (struct sockaddr *)&address, sizeof (address)) == 0 || errno == EAGAIN;
	close (fd);
	return served;
}

static gboolean
take_lock (KdListener *listener, const char *runtime_dir, GError **error)
{
	g_autofree char *path = g_build_filename (runtime_dir, "kvmdbgd.lock", NULL);

	listener->lock_fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (listener->lock_fd < 0)
		return set_errno (error, path);
	if (flock (listener->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return TRUE;
	if (errno != EWOULDBLOCK)
		return set_errno (error, path);
	if (is_served (listener->socket_path)) {
		g_set_error (error, G_IO_ERROR, G_IO_ERROR_BUSY, "a daemon already serves %s",
			listener->socket_path);
		return FALSE;
	}
	/* Its owner has removed its socket and is letting machines go, or is about to bind. */
	while (flock (listener->lock_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return set_errno (error, path);
	return TRUE;
}

/* --- connections --- */

static gboolean
start_listening (KdListener *listener, GError **error)
{
	struct sockaddr_un address;
	mode_t old_mask;
	int bound;

	listener->fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0 || !fill_address (listener->socket_path, &address))
		return set_errno (error, listener->socket_path);
	unlink (listener->socket_path);
	old_mask = umask (0177);
	bound = bind (listener->fd, (struct sockaddr *)&address, sizeof (address));
	umask (old_mask);
	if (bound < 0 || listen (listener->fd, BACKLOG) < 0) {
		set_errno (error, listener->socket_path);
		close (listener->fd);
		listener->fd = -1;
		return FALSE;
	}
	/* Only this user and root, whatever the folder's mode is worth on this system. */
	listener->acceptor =
		kd_acceptor_new (listener->fd, FALSE, listener->accepted, listener->data);
	return TRUE;
}

void
kd_listener_close (KdListener *listener)
{
	if (listener->fd < 0)
		return;
	g_clear_pointer (&listener->acceptor, kd_acceptor_free);
	unlink (listener->socket_path);
	close (listener->fd);
	listener->fd = -1;
}

gboolean
kd_listener_close_if_quiet (KdListener *listener)
{
	gboolean quiet = TRUE;
	g_autoptr (GError) error = NULL;

	/* After the unlink nobody new can connect; who did before waits in the backlog. */
	unlink (listener->socket_path);
	while (kd_acceptor_take_one (listener->acceptor))
		quiet = FALSE;
	kd_listener_close (listener);
	if (quiet)
		return TRUE;
	if (!start_listening (listener, &error))
		g_warning ("%s", error->message);
	return FALSE;
}

KdListener *
kd_listener_new (const char *runtime_dir, KdAcceptorFunc accepted, void *data, GError **error)
{
	KdListener *listener = g_new0 (KdListener, 1);

	listener->fd = listener->lock_fd = -1;
	listener->accepted = accepted;
	listener->data = data;
	listener->socket_path = kd_runtime_socket_path (error);
	if (!listener->socket_path || !take_lock (listener, runtime_dir, error) ||
		!start_listening (listener, error)) {
		kd_listener_free (listener);
		return NULL;
	}
	return listener;
}

void
kd_listener_free (KdListener *listener)
{
	if (!listener)
		return;
	kd_listener_close (listener);
	/* The lock file stays: removing it would let two daemons hold a lock each. */
	if (listener->lock_fd >= 0)
		close (listener->lock_fd);
	g_free (listener->socket_path);
	g_free (listener);
}
