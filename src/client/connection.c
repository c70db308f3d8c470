/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvmdbg/kvmdbg.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "client/spawn.h"
#include "proto/jsonrpc.h"

#define READ_CHUNK (256 * 1024)
#define DYING_US (100 * 1000) /* more than a killed process takes to close what it had open */

GQuark
kvmdbg_error_quark (void)
{
	return g_quark_from_static_string ("kvmdbg-error-quark");
}

struct KvmdbgConnection {
	int fd;
	KdJsonrpcDecoder *decoder;
	gint64 next_id;
	KvmdbgEventFunc event_func;
	void *event_data;
	char *buf; /* read but not fed yet: from pos to len */
	size_t pos, len;
	gboolean lost;
	gboolean start;  /* as it was connected */
	gboolean proven; /* the daemon has said something, or taken what was asked */
	gboolean unsent; /* of what was asked last, a part at least */
};

KvmdbgConnection *
kvmdbg_connect (gboolean start, GError **error)
{
	int fd = kd_spawn_connect (start, error);
	KvmdbgConnection *connection;

	if (fd < 0)
		return NULL;
	connection = g_new0 (KvmdbgConnection, 1);
	connection->fd = fd;
	connection->start = start;
	connection->decoder = kd_jsonrpc_decoder_new (KD_JSONRPC_LINE_MAX);
	connection->next_id = 1;
	connection->buf = g_malloc (READ_CHUNK);
	return connection;
}

void
kvmdbg_connection_free (KvmdbgConnection *connection)
{
	if (!connection)
		return;
	close (connection->fd);
	kd_jsonrpc_decoder_free (connection->decoder);
	g_free (connection->buf);
	g_free (connection);
}

void
kvmdbg_connection_set_event_handler (KvmdbgConnection *connection, KvmdbgEventFunc func, void *data)
{
	connection->event_func = func;
	connection->event_data = data;
}

int
kvmdbg_connection_get_fd (KvmdbgConnection *connection)
{
	return connection->fd;
}

static gboolean
went_away (KvmdbgConnection *connection, const char *why, GError **error)
{
	connection->lost = TRUE;
	g_set_error (error, KVMDBG_ERROR, KVMDBG_ERROR_DAEMON, "the daemon went away: %s", why);
	return FALSE;
}

static gboolean
send_line (KvmdbgConnection *connection, const char *line, GError **error)
{
	size_t left = strlen (line);

	connection->unsent = FALSE;
	while (left) {
		ssize_t n = send (connection->fd, line, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		/* What a daemon says before it closes is still to be read, and its end behind it.
		 */
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
			connection->unsent = TRUE;
			return TRUE;
		}
		if (n < 0)
			return went_away (connection, g_strerror (errno), error);
		line += n;
		left -= (size_t)n;
	}
	return TRUE;
}

/* Reads once; `flags` may say MSG_DONTWAIT. *ret_any: something came. */
static gboolean
read_more (KvmdbgConnection *connection, int flags, gboolean *ret_any, GError **error)
{
	ssize_t n = recv (connection->fd, connection->buf, READ_CHUNK, flags);

	*ret_any = FALSE;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return TRUE;
	if (n < 0)
		return went_away (connection, g_strerror (errno), error);
	if (n == 0) {
		/* What it had not read would have made this ECONNRESET: unix(7). */
		connection->proven |= !connection->unsent;
		return went_away (connection,
			"it closed the connection without an answer (if it has ended, so have its "
			"sessions: attach again)",
			error);
	}
	connection->pos = 0;
	connection->len = (size_t)n;
	connection->proven = TRUE;
	*ret_any = TRUE;
	return TRUE;
}

static void
tell_event (KvmdbgConnection *connection, const KdJsonrpcMessage *msg)
{
	g_autofree char *params = NULL;

	if (!connection->event_func)
		return;
	params = msg->params ? kd_json_to_string (msg->params, FALSE) : g_strdup ("{}");
	connection->event_func (msg->method, params, connection->event_data);
}

typedef enum {
	TAKE_NONE,  /* all that was read has been used */
	TAKE_REPLY, /* *ret_msg is an answer: the caller clears it */
	TAKE_FAILED,
} Take;

/* Uses what was read up to the next answer; events on the way go to their handler. */
static Take
take_reply (KvmdbgConnection *connection, KdJsonrpcMessage *ret_msg, GError **error)
{
	while (connection->pos < connection->len) {
		KdJsonrpcMessage msg = {0};
		g_autoptr (GError) why = NULL;
		KdJsonrpcCode code;
		size_t used = 0;
		KdDecode decoded = kd_jsonrpc_decoder_feed (connection->decoder,
			connection->buf + connection->pos, connection->len - connection->pos, &used,
			&msg, &code, NULL, &why);

		connection->pos += used;
		if (decoded == KD_DECODE_FAILED) {
			went_away (connection, why->message, error);
			return TAKE_FAILED;
		}
		if (decoded == KD_DECODE_MORE)
			return TAKE_NONE;
		if (msg.kind == KD_JSONRPC_RESPONSE || msg.kind == KD_JSONRPC_ERROR) {
			*ret_msg = msg;
			return TAKE_REPLY;
		}
		if (msg.kind == KD_JSONRPC_NOTIFICATION)
			tell_event (connection, &msg);
		kd_jsonrpc_message_clear (&msg);
	}
	return TAKE_NONE;
}

gboolean
kvmdbg_connection_dispatch (KvmdbgConnection *connection, GError **error)
{
	gboolean any = TRUE;

	if (connection->lost)
		return went_away (connection, "it closed the connection", error);
	do {
		g_auto (KdJsonrpcMessage) msg = {0};

		/* An answer that nobody waits for is dropped. */
		if (take_reply (connection, &msg, error) == TAKE_FAILED)
			return FALSE;
		if (connection->pos < connection->len)
			continue;
		if (!read_more (connection, MSG_DONTWAIT, &any, error))
			return FALSE;
	} while (any);
	return TRUE;
}

/* --- calls --- */

static KvmdbgError
class_of (JsonNode *data)
{
	static const struct {
		const char *name;
		KvmdbgError code;
	} classes[] = {
		{"usage", KVMDBG_ERROR_USAGE},
		{"no-session", KVMDBG_ERROR_NO_SESSION},
		{"lost", KVMDBG_ERROR_LOST},
		{"cancelled", KVMDBG_ERROR_CANCELLED},
	};
	const char *name = NULL;
	JsonObject *obj = data ? kd_json_node_object (data, NULL) : NULL;

	if (obj)
		kd_json_get_string (obj, "class", FALSE, &name, NULL);
	for (guint i = 0; i < G_N_ELEMENTS (classes); i++)
		if (g_strcmp0 (name, classes[i].name) == 0)
			return classes[i].code;
	return KVMDBG_ERROR_FAILED;
}

static char *
error_json (const KdJsonrpcMessage *msg)
{
	JsonObject *obj = json_object_new();
	g_autoptr (JsonNode) node = NULL;

	kd_json_set_int (obj, "code", msg->code);
	kd_json_set_string (obj, "message", msg->message);
	if (msg->data)
		json_object_set_member (obj, "data", json_node_copy (msg->data));
	node = kd_json_object_node (obj);
	return kd_json_to_string (node, FALSE);
}

/* Blocks until something was read; a cancel is passed on once, and the answer still waited for. */
static gboolean
wait_more (KvmdbgConnection *connection, gint64 id, GCancellable *cancellable,
	gboolean *cancel_sent, GError **error)
{
	struct pollfd fds[2] = {{connection->fd, POLLIN, 0}, {-1, POLLIN, 0}};
	gboolean any = FALSE;
	int n;

	if (cancellable && !*cancel_sent)
		fds[1].fd = g_cancellable_get_fd (cancellable);
	n = poll (fds, 2, -1);
	if (fds[1].fd >= 0)
		g_cancellable_release_fd (cancellable);
	if (n < 0 && errno != EINTR)
		return went_away (connection, g_strerror (errno), error);
	if (cancellable && !*cancel_sent && g_cancellable_is_cancelled (cancellable)) {
		g_autofree char *line =
			g_strdup_printf ("{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{"
					 "\"id\":%" G_GINT64_FORMAT "}}\n",
				id);

		*cancel_sent = TRUE;
		if (!send_line (connection, line, error))
			return FALSE;
	}
	return n <= 0 || !fds[0].revents || read_more (connection, MSG_DONTWAIT, &any, error);
}

/* An error of no request: the daemon serves this connection no more. */
static gboolean
refused (KvmdbgConnection *connection, const KdJsonrpcMessage *msg, GError **error)
{
	connection->lost = TRUE;
	g_set_error (error, KVMDBG_ERROR, KVMDBG_ERROR_DAEMON, "%s", msg->message);
	return FALSE;
}

static gboolean
wait_reply (KvmdbgConnection *connection, gint64 id, GCancellable *cancellable,
	KdJsonrpcMessage *ret_msg, GError **error)
{
	gboolean cancel_sent = FALSE;

	for (;;) {
		g_auto (KdJsonrpcMessage) msg = {0};
		gint64 reply_id;

		switch (take_reply (connection, &msg, error)) {
		case TAKE_FAILED:
			return FALSE;
		case TAKE_REPLY:
			if (msg.kind == KD_JSONRPC_ERROR && JSON_NODE_HOLDS_NULL (msg.id))
				return refused (connection, &msg, error);
			if (!kd_jsonrpc_message_get_id (&msg, &reply_id) || reply_id != id)
				break;
			*ret_msg = msg;
			msg = (KdJsonrpcMessage){0};
			return TRUE;
		case TAKE_NONE:
			if (!wait_more (connection, id, cancellable, &cancel_sent, error))
				return FALSE;
			break;
		}
	}
}

/*
 * A daemon that was killed keeps its socket for the moment its process takes to end. Who connected
 * in that moment is as well off with the next daemon, or with being told that there is none. But
 * what a daemon has read is not asked again: it may have ended because of it.
 */
static gboolean
connect_again (KvmdbgConnection *connection, GError **error)
{
	int fd;

	g_usleep (DYING_US);
	fd = kd_spawn_connect (connection->start, error);
	if (fd < 0)
		return FALSE;
	close (connection->fd);
	connection->fd = fd;
	connection->lost = FALSE;
	connection->proven = TRUE; /* once is enough */
	return TRUE;
}

static gboolean
ask (KvmdbgConnection *connection, gint64 id, const char *line, GCancellable *cancellable,
	KdJsonrpcMessage *ret_msg, GError **error)
{
	gboolean first = !connection->proven;
	g_autoptr (GError) why = NULL;

	if (send_line (connection, line, &why) &&
		wait_reply (connection, id, cancellable, ret_msg, &why))
		return TRUE;
	if (first && !connection->proven && connection->lost)
		return connect_again (connection, error) && send_line (connection, line, error) &&
		       wait_reply (connection, id, cancellable, ret_msg, error);
	g_propagate_error (error, g_steal_pointer (&why));
	return FALSE;
}

char *
kvmdbg_call (KvmdbgConnection *connection, const char *method, const char *params_json,
	char **ret_error_json, GCancellable *cancellable, GError **error)
{
	g_auto (KdJsonrpcMessage) msg = {0};
	g_autoptr (JsonNode) params = NULL;
	g_autofree char *line = NULL;
	gint64 id = connection->next_id++;

	if (connection->lost) {
		went_away (connection, "it closed the connection", error);
		return NULL;
	}
	if (params_json) {
		g_autoptr (GError) why = NULL;

		params = kd_json_parse (params_json, strlen (params_json), NULL, &why);
		if (!params) {
			g_set_error (error, KVMDBG_ERROR, KVMDBG_ERROR_USAGE, "parameters: %s",
				why->message);
			return NULL;
		}
	}
	line = kd_jsonrpc_build_request (id, method, params);
	if (strlen (line) > KD_JSONRPC_REQUEST_MAX) {
		g_set_error (error, KVMDBG_ERROR, KVMDBG_ERROR_USAGE,
			"%s: a request of %zu bytes is over the limit of %d", method, strlen (line),
			KD_JSONRPC_REQUEST_MAX);
		return NULL;
	}
	if (!ask (connection, id, line, cancellable, &msg, error))
		return NULL;
	if (msg.kind == KD_JSONRPC_RESPONSE)
		return kd_json_to_string (msg.result, FALSE);
	g_set_error (error, KVMDBG_ERROR, (gint)class_of (msg.data), "%s", msg.message);
	if (ret_error_json)
		*ret_error_json = error_json (&msg);
	return NULL;
}

static int
status_of_error (const GError *error)
{
	if (!error || error->domain != KVMDBG_ERROR)
		return error ? 1 : 0;
	switch ((KvmdbgError)error->code) {
	case KVMDBG_ERROR_USAGE:
		return 2;
	case KVMDBG_ERROR_NO_SESSION:
	case KVMDBG_ERROR_LOST:
	case KVMDBG_ERROR_DAEMON:
		return 3;
	case KVMDBG_ERROR_FAILED:
	case KVMDBG_ERROR_CANCELLED:
		return 1;
	}
	return 1;
}

int
kvmdbg_exit_status (const char *result_json, const GError *error)
{
	g_autoptr (JsonNode) node = NULL;
	gboolean ok = TRUE;

	if (!result_json)
		return status_of_error (error);
	/* Results are long, and few of them have an answer to parse them for. */
	if (!strstr (result_json, "\"ok\":false"))
		return 0;
	node = kd_json_parse (result_json, strlen (result_json), NULL, NULL);
	if (node && JSON_NODE_HOLDS_OBJECT (node))
		kd_json_get_bool (json_node_get_object (node), "ok", FALSE, &ok, NULL);
	return ok ? 0 : 1;
}
