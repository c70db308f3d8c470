/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/acceptor.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/descriptors.h"
#include "daemon/peer.h"

#define PAUSE_MS 250

struct KdAcceptor {
	int listen_fd;
	gboolean any_user;
	KdAcceptorFunc accepted;
	void *data;
	guint source, pause;
};

static gboolean on_connection (int fd, GIOCondition condition, gpointer data);

static void
watch (KdAcceptor *acceptor)
{
	acceptor->source = g_unix_fd_add (acceptor->listen_fd, G_IO_IN, on_connection, acceptor);
}

static gboolean
on_pause_over (gpointer data)
{
	KdAcceptor *acceptor = data;

	acceptor->pause = 0;
	watch (acceptor);
	return G_SOURCE_REMOVE;
}

gboolean
kd_acceptor_take_one (KdAcceptor *acceptor)
{
	int fd = accept4 (acceptor->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return FALSE;
	if (acceptor->any_user ? kd_peer_is_on_loopback (fd) : kd_peer_is_ours (fd))
		acceptor->accepted (fd, kd_descriptors_are_short (fd, FALSE), acceptor->data);
	else
		close (fd);
	return TRUE;
}

static gboolean
on_connection (int fd, GIOCondition condition, gpointer data)
{
	KdAcceptor *acceptor = data;

	if (kd_acceptor_take_one (acceptor) || errno == EAGAIN || errno == EINTR ||
		errno == ECONNABORTED)
		return G_SOURCE_CONTINUE;
	/* EMFILE, ENFILE, ENOMEM: the connection still waits, and poll would say so at once. */
	acceptor->source = 0;
	acceptor->pause = g_timeout_add (PAUSE_MS, on_pause_over, acceptor);
	return G_SOURCE_REMOVE;
}

KdAcceptor *
kd_acceptor_new (int listen_fd, gboolean any_user, KdAcceptorFunc accepted, void *data)
{
	KdAcceptor *acceptor = g_new0 (KdAcceptor, 1);

	acceptor->listen_fd = listen_fd;
	acceptor->any_user = any_user;
	acceptor->accepted = accepted;
	acceptor->data = data;
	watch (acceptor);
	return acceptor;
}

void
kd_acceptor_free (KdAcceptor *acceptor)
{
	if (!acceptor)
		return;
	g_clear_handle_id (&acceptor->source, g_source_remove);
	g_clear_handle_id (&acceptor->pause, g_source_remove);
	g_free (acceptor);
}
