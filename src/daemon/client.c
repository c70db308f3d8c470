/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/client.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_CHUNK (16 * 1024)

struct KdClient {
	int fd;
	guint64 number;
	const KdClientFuncs *funcs;
	void *data;
	KdJsonrpcDecoder *decoder;
	size_t message_len; /* fed of the message that is on its way */
	KdClientQueued queued;
	gboolean gone;
	gboolean eof; /* it asks nothing more, but may still read its answers */

	GQueue out;         /* GBytes, whole lines */
	size_t out_written; /* of the first line */
	size_t out_bytes;   /* waiting */
	guint read_source, write_source;

	char in[READ_CHUNK]; /* read, and not heard before the client has read its answers */
	size_t in_at, in_len;
};

void
kd_client_drop (KdClient *client, const char *why)
{
	if (client->gone)
		return;
	client->gone = TRUE;
	g_clear_handle_id (&client->read_source, g_source_remove);
	g_clear_handle_id (&client->write_source, g_source_remove);
	client->funcs->gone (client, why, client->data);
}

/* --- writing --- */

/* TRUE: nothing is left. FALSE: the socket is full, or the client was dropped. */
static gboolean
flush (KdClient *client)
{
	while (!g_queue_is_empty (&client->out)) {
		gsize len;
		const char *line = g_bytes_get_data (g_queue_peek_head (&client->out), &len);
		size_t left = len - client->out_written;
		ssize_t n = send (client->fd, line + client->out_written, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return FALSE;
		if (n < 0) {
			kd_client_drop (client, g_strerror (errno));
			return FALSE;
		}
		client->out_bytes -= (size_t)n;
		client->out_written += (size_t)n;
		if ((size_t)n == left) {
			client->out_written = 0;
			g_bytes_unref (g_queue_pop_head (&client->out));
		}
	}
	return TRUE;
}

/* A peer that closed its sending half stays until it has its answers. */
static void
end_if_served (KdClient *client)
{
	if (client->eof && client->queued.nr == 0 && g_queue_is_empty (&client->out))
		kd_client_drop (client, "closed");
}

static void resume_reading (KdClient *client);

static gboolean
on_writable (int fd, GIOCondition condition, gpointer data)
{
	KdClient *client = data;
	gboolean all = flush (client);

	if (client->gone)
		return G_SOURCE_REMOVE;
	if (all)
		client->write_source = 0;
	resume_reading (client);
	if (!all)
		return G_SOURCE_CONTINUE;
	end_if_served (client);
	return G_SOURCE_REMOVE;
}

void
kd_client_send (KdClient *client, char *line)
{
	gboolean idle;
	size_t len;

	if (!line || client->gone) {
		g_free (line);
		end_if_served (client);
		return;
	}
	len = strlen (line);
	if (client->out_bytes + len > KD_CLIENT_OUTPUT_MAX) {
		g_free (line);
		kd_client_drop (client, "reads too slowly");
		return;
	}
	idle = g_queue_is_empty (&client->out);
	client->out_bytes += len;
	g_queue_push_tail (&client->out, g_bytes_new_take (line, len));
	if (idle && !flush (client) && !client->gone)
		client->write_source = g_unix_fd_add (client->fd, G_IO_OUT, on_writable, client);
	end_if_served (client);
}

void
kd_client_send_event (KdClient *client, const char *line)
{
	if (client->out_bytes > KD_CLIENT_EVENTS_MAX)
		kd_client_drop (client, "does not read its events");
	else
		kd_client_send (client, g_strdup (line));
}

size_t
kd_client_unread (const KdClient *client)
{
	return client->out_bytes;
}

/* --- reading --- */

static void
handle_failure (KdClient *client, KdJsonrpcCode code, JsonNode *id, GError *error)
{
	kd_client_send (client, kd_jsonrpc_build_error (id, code, error->message, NULL));
}

static gboolean
is_heard (const KdClient *client)
{
	return !client->gone && client->out_bytes <= KD_CLIENT_UNREAD_MAX;
}

/* All that was read, or as much of it as may be answered before the client reads. */
static void
feed (KdClient *client)
{
	while (client->in_at < client->in_len && is_heard (client)) {
		g_auto (KdJsonrpcMessage) msg = {0};
		g_autoptr (GError) error = NULL;
		g_autoptr (JsonNode) id = NULL;
		KdJsonrpcCode code = KD_JSONRPC_PARSE_ERROR;
		size_t used = 0, len;
		KdDecode decoded =
			kd_jsonrpc_decoder_feed (client->decoder, client->in + client->in_at,
				client->in_len - client->in_at, &used, &msg, &code, &id, &error);

		client->in_at += used;
		len = client->message_len += used;
		if (decoded == KD_DECODE_MORE)
			continue;
		client->message_len = 0;
		if (decoded == KD_DECODE_FAILED)
			handle_failure (client, code, id, error);
		/* Answers to nothing we asked are ignored. */
		else if (msg.kind == KD_JSONRPC_REQUEST || msg.kind == KD_JSONRPC_NOTIFICATION)
			client->funcs->request (client, &msg, len, client->data);
	}
}

static gboolean
on_hangup (int fd, GIOCondition condition, gpointer data)
{
	KdClient *client = data;

	client->read_source = 0;
	kd_client_drop (client, "closed");
	return G_SOURCE_REMOVE;
}

static gboolean
on_readable (int fd, GIOCondition condition, gpointer data)
{
	KdClient *client = data;
	ssize_t n;

	if (!is_heard (client)) {
		client->read_source = 0;
		return G_SOURCE_REMOVE;
	}
	n = recv (fd, client->in, sizeof (client->in), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n == 0 && !(condition & G_IO_HUP)) {
		client->eof = TRUE;
		client->read_source = g_unix_fd_add (fd, G_IO_HUP | G_IO_ERR, on_hangup, client);
		end_if_served (client);
		return G_SOURCE_REMOVE;
	}
	if (n <= 0) {
		client->read_source = 0;
		kd_client_drop (client, n < 0 ? g_strerror (errno) : "closed");
		return G_SOURCE_REMOVE;
	}
	client->in_at = 0;
	client->in_len = (size_t)n;
	feed (client);
	if (is_heard (client))
		return G_SOURCE_CONTINUE;
	client->read_source = 0;
	return G_SOURCE_REMOVE;
}

/* Whatever is not heard waits to be written to: on_writable() comes by. */
static void
resume_reading (KdClient *client)
{
	if (client->eof || client->read_source)
		return;
	feed (client);
	if (is_heard (client))
		client->read_source = g_unix_fd_add (
			client->fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, client);
}

KdClient *
kd_client_new (int fd, guint64 number, const KdClientFuncs *funcs, void *data)
{
	KdClient *client = g_new0 (KdClient, 1);

	client->fd = fd;
	client->number = number;
	client->funcs = funcs;
	client->data = data;
	client->decoder = kd_jsonrpc_decoder_new (KD_JSONRPC_REQUEST_MAX);
	g_queue_init (&client->out);
	resume_reading (client);
	return client;
}

void
kd_client_free (KdClient *client)
{
	if (!client)
		return;
	g_clear_handle_id (&client->read_source, g_source_remove);
	g_clear_handle_id (&client->write_source, g_source_remove);
	g_queue_clear_full (&client->out, (GDestroyNotify)g_bytes_unref);
	kd_jsonrpc_decoder_free (client->decoder);
	close (client->fd);
	g_free (client);
}

guint64
kd_client_number (const KdClient *client)
{
	return client->number;
}

KdClientQueued *
kd_client_queued (KdClient *client)
{
	return &client->queued;
}

void
kd_client_refuse (int fd, const char *why)
{
	g_autofree char *line = kd_jsonrpc_build_error (NULL, KD_JSONRPC_REFUSED, why, NULL);

	/* A new socket has room for that. */
	if (send (fd, line, strlen (line), MSG_NOSIGNAL) < 0)
		g_debug ("a client was refused: %s", g_strerror (errno));
	close (fd);
}
