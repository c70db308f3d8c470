/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/gdb-server.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/acceptor.h"
#include "daemon/gdb-listener.h"
#include "daemon/gdb-monitor.h"
#include "daemon/gdb-stub.h"
#include "proto/rsp-server.h"

#define READ_CHUNK (16 * 1024)
#define REFUSED_MAX 16 /* over KD_GDB_CLIENTS_MAX, connected so that they can be told */

struct KdGdbServer {
	KdWorker *worker;
	gboolean closed;
	GPtrArray *doors;   /* Door */
	GPtrArray *clients; /* Client */
};

/*
 * While one of its jobs is on its way the worker has `stub`, `reply` and the call, and the main
 * loop leaves them alone: the protocol has one call at a time.
 */
typedef struct {
	KdGdbServer *server;
	int fd; /* -1: gone; freed behind its last job */
	KdRspServer *rsp;
	KdGdbStub *stub;
	GString *reply;
	KdGdbOutcome outcome;
	KdJob *call;           /* the call's, while it is on its way; borrowed */
	gboolean waiting;      /* for a stop */
	gboolean others;       /* for that job: it is not the only one */
	gboolean left;         /* nothing of it is in the machine: by that job */
	gboolean refused;      /* one too many: that is all it is answered */
	gboolean interrupting; /* an interrupt is on its way: more of them are the same one */
	unsigned nr_jobs;
	guint read_source, write_source;
} Client;

static void
client_free (gpointer data)
{
	Client *client = data;

	g_clear_handle_id (&client->read_source, g_source_remove);
	g_clear_handle_id (&client->write_source, g_source_remove);
	if (client->fd >= 0)
		close (client->fd);
	kd_rsp_server_free (client->rsp);
	kd_gdb_stub_free (client->stub);
	g_string_free (client->reply, TRUE);
	g_free (client);
}

/* --- jobs --- */

static KdJob *
push (Client *client, KdJobFunc run, KdJobFunc finished)
{
	KdJob *job = kd_job_new (KD_JOB_FUNC);

	job->run = run;
	job->finished = finished;
	job->data = client;
	client->nr_jobs++;
	kd_worker_push (client->server->worker, job);
	return job;
}

/* Worker. */
static void
run_leave (KdSession *session, gpointer data)
{
	Client *client = data;

	client->left = kd_gdb_stub_leave (client->stub, session, client->others);
}

/* Frees one that is gone, has left nothing behind and has no job. TRUE: it did. */
static gboolean
free_if_done (Client *client)
{
	if (client->fd >= 0 || client->nr_jobs > 0 || (!client->left && !client->server->closed))
		return FALSE;
	g_ptr_array_remove (client->server->clients, client);
	return TRUE;
}

static void
finish_other (KdSession *session, gpointer data)
{
	Client *client = data;

	client->nr_jobs--;
	free_if_done (client);
}

static gboolean
is_served (const Client *client)
{
	return client->fd >= 0 && !client->refused;
}

static unsigned
nr_connected (const KdGdbServer *server)
{
	unsigned nr = 0;

	for (guint i = 0; i < server->clients->len; i++)
		nr += is_served (g_ptr_array_index (server->clients, i));
	return nr;
}

static void
drop (Client *client, const char *why)
{
	if (client->fd < 0)
		return;
	g_debug ("gdb server: client dropped: %s", why);
	g_clear_handle_id (&client->read_source, g_source_remove);
	g_clear_handle_id (&client->write_source, g_source_remove);
	close (client->fd);
	client->fd = -1;
	client->waiting = FALSE;
	/* A packet of the debugger's is done with at once; a command may be long. */
	if (client->call && client->call->command)
		kd_job_abandon (client->call, client->call == g_queue_peek_head (kd_worker_jobs (
								      client->server->worker)));
	if (client->server->closed || client->refused)
		return;
	client->others = nr_connected (client->server) > 0;
	push (client, run_leave, finish_other);
}

static gboolean on_readable (int fd, GIOCondition condition, gpointer data);
static void flush (Client *client);

static void
watch (Client *client)
{
	client->read_source = g_unix_fd_add (client->fd, G_IO_IN | G_IO_HUP, on_readable, client);
}

static gboolean
on_writable (int fd, GIOCondition condition, gpointer data)
{
	Client *client = data;

	client->write_source = 0;
	flush (client);
	if (client->fd >= 0 && !client->write_source && !client->read_source)
		watch (client);
	return G_SOURCE_REMOVE;
}

/* Who does not read what it was answered is not heard: one answer is all that is ever kept. */
static void
flush (Client *client)
{
	KdOutQueue *out = kd_rsp_server_out (client->rsp);
	const uint8_t *bytes;
	size_t len;

	while (client->fd >= 0 && (bytes = kd_out_queue_peek (out, &len)) && len) {
		ssize_t n = send (client->fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			drop (client, g_strerror (errno));
		} else if (n < 0) {
			g_clear_handle_id (&client->read_source, g_source_remove);
			if (!client->write_source)
				client->write_source =
					g_unix_fd_add (client->fd, G_IO_OUT, on_writable, client);
			return;
		} else
			kd_out_queue_written (out, (size_t)n);
	}
}

/* Worker. */
static void
run_call (KdSession *session, gpointer data)
{
	Client *client = data;

	g_string_truncate (client->reply, 0);
	client->outcome = kd_gdb_stub_call (
		client->stub, session, kd_rsp_server_call (client->rsp), client->reply);
	/* Who hears that it is detached finds the machine so. */
	if (client->outcome == KD_GDB_END)
		run_leave (session, client);
}

static void
run_stop_reply (KdSession *session, gpointer data)
{
	Client *client = data;

	g_string_truncate (client->reply, 0);
	client->outcome = kd_gdb_stub_stop_reply (client->stub, session, client->reply);
}

static void
finish_call (KdSession *session, gpointer data)
{
	Client *client = data;

	client->nr_jobs--;
	client->call = NULL;
	if (free_if_done (client) || client->fd < 0)
		return;
	client->waiting = client->outcome == KD_GDB_WAIT;
	if (client->waiting)
		return;
	if (client->outcome == KD_GDB_OUTPUT) {
		kd_rsp_server_output (client->rsp, client->reply->str, client->reply->len);
		kd_rsp_server_answer (client->rsp, "OK", 2);
		/* Texts are much longer than packets. */
		g_string_free (client->reply, TRUE);
		client->reply = g_string_new (NULL);
	} else
		kd_rsp_server_answer (client->rsp, client->reply->str, client->reply->len);
	flush (client);
	if (client->outcome == KD_GDB_END)
		drop (client, "detached");
}

/* Worker: Ctrl-C. The stop is told as any other. */
static void
run_interrupt (KdSession *session, gpointer data)
{
	g_autoptr (GError) error = NULL;

	if (session->target && kd_target_state (session->target) == KD_TARGET_RUNNING &&
		!kd_target_stop (session->target, &error))
		g_info ("gdb server: %s", error->message);
}

static void
finish_interrupt (KdSession *session, gpointer data)
{
	Client *client = data;

	client->interrupting = FALSE;
	finish_other (session, client);
}

/* What waits for the machine in front of us would wait for ever. */
static void
cancel_waits (KdWorker *worker)
{
	for (GList *l = kd_worker_jobs (worker)->head; l; l = l->next) {
		KdJob *job = l->data;

		if (job->command && job->command->flags & KD_COMMAND_WAITS)
			g_cancellable_cancel (job->cancellable);
	}
}

static void
push_call (Client *client, KdJobFunc run)
{
	client->waiting = FALSE;
	client->others = nr_connected (client->server) > 1;
	client->call = push (client, run, finish_call);
}

void
kd_gdb_server_stopped (KdGdbServer *server)
{
	if (server->closed)
		return;
	for (guint i = 0; i < server->clients->len; i++) {
		Client *client = g_ptr_array_index (server->clients, i);

		if (client->fd >= 0 && client->waiting && !client->call)
			push_call (client, run_stop_reply);
		/* The machine could not be stopped when it went. */
		else if (client->fd < 0 && client->nr_jobs == 0 && !client->left)
			push (client, run_leave, finish_other);
	}
}

/* --- reading --- */

static void
interrupt (Client *client)
{
	if (client->call && client->call->command) {
		g_cancellable_cancel (client->call->cancellable);
		return;
	}
	if (client->interrupting)
		return;
	cancel_waits (client->server->worker);
	client->interrupting = TRUE;
	push (client, run_interrupt, finish_interrupt);
}

/*
 * gdb 13 shows what comes behind "E." and closes: it would not show it were the connection closed
 * before it could acknowledge it.
 */
static void
refuse (Client *client)
{
	static const char text[] =
		"E.kvmdbg: " G_STRINGIFY (KD_GDB_CLIENTS_MAX) " debuggers are connected, the most";

	kd_rsp_server_answer (client->rsp, text, strlen (text));
}

static void
take (Client *client, KdRspServerEvent event)
{
	const KdRspCall *call = kd_rsp_server_call (client->rsp);

	if (event == KD_RSP_SERVER_INTERRUPT) {
		if (!client->refused)
			interrupt (client);
		return;
	}
	if (client->refused) {
		refuse (client);
		return;
	}
	if (call->kind == KD_RSP_CALL_STOP_REASON)
		cancel_waits (client->server->worker);
	push_call (client, run_call);
	if (call->kind == KD_RSP_CALL_MONITOR)
		client->call->command = kd_gdb_monitor_command (call->text->str);
}

static gboolean
on_readable (int fd, GIOCondition condition, gpointer data)
{
	Client *client = data;
	char buf[READ_CHUNK];
	ssize_t n = recv (fd, buf, sizeof (buf), 0);
	size_t at = 0, used;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n <= 0) {
		client->read_source = 0;
		drop (client, n < 0 ? g_strerror (errno) : "closed");
		return G_SOURCE_REMOVE;
	}
	while (at < (size_t)n && client->fd >= 0) {
		g_autoptr (GError) error = NULL;
		KdRspServerEvent event;
		KdDecode outcome = kd_rsp_server_feed (
			client->rsp, buf + at, (size_t)n - at, &used, &event, &error);

		at += used;
		if (outcome == KD_DECODE_MESSAGE)
			take (client, event);
		flush (client);
		if (outcome == KD_DECODE_FAILED) {
			client->read_source = 0;
			drop (client, error->message);
			return G_SOURCE_REMOVE;
		}
	}
	return client->fd >= 0 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* --- the sockets --- */

typedef struct {
	KdGdbServer *server;
	KdGdbListener *listener;
	KdGdbAccess access;
	KdAcceptor *acceptor;
} Door;

static void
door_free (gpointer data)
{
	Door *door = data;

	kd_acceptor_free (door->acceptor);
	kd_gdb_listener_close (door->listener);
	g_free (door);
}

static void
on_accepted (int fd, gboolean crowded, void *data)
{
	Door *door = data;
	KdGdbServer *server = door->server;
	const int one = 1;
	Client *client;

	for (guint i = server->clients->len; i-- > 0;)
		free_if_done (g_ptr_array_index (server->clients, i));
	if (crowded || server->clients->len >= KD_GDB_CLIENTS_MAX + REFUSED_MAX) {
		close (fd);
		return;
	}
	if (!door->listener->path) /* without: a packet waits for the ack of the one before */
		setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof (one));
	client = g_new0 (Client, 1);
	client->server = server;
	client->fd = fd;
	client->rsp = kd_rsp_server_new();
	client->stub = kd_gdb_stub_new();
	kd_gdb_stub_allow_files (client->stub, door->access.files || door->listener->path != NULL);
	client->reply = g_string_new (NULL);
	client->refused = client->left = nr_connected (server) >= KD_GDB_CLIENTS_MAX;
	watch (client);
	g_ptr_array_add (server->clients, client);
}

gboolean
kd_gdb_server_listen (KdGdbServer *server, const char *address, KdGdbAccess access, GError **error)
{
	KdGdbListener *listener = kd_gdb_listener_open (address, error);
	Door *door;

	if (!listener) {
		g_prefix_error (error, "gdb server: ");
		return FALSE;
	}
	door = g_new0 (Door, 1);
	door->server = server;
	door->listener = listener;
	door->access = access;
	door->acceptor = kd_acceptor_new (
		listener->fd, access.any_user && !listener->path, on_accepted, door);
	g_ptr_array_add (server->doors, door);
	return TRUE;
}

char **
kd_gdb_server_addresses (const KdGdbServer *server)
{
	char **names = g_new0 (char *, server->doors->len + 1);

	for (guint i = 0; i < server->doors->len; i++)
		names[i] =
			g_strdup (((Door *)g_ptr_array_index (server->doors, i))->listener->name);
	return names;
}

KdGdbServer *
kd_gdb_server_new (KdWorker *worker)
{
	KdGdbServer *server = g_new0 (KdGdbServer, 1);

	server->worker = worker;
	server->doors = g_ptr_array_new_with_free_func (door_free);
	server->clients = g_ptr_array_new_with_free_func (client_free);
	return server;
}

void
kd_gdb_server_close (KdGdbServer *server)
{
	if (server->closed)
		return;
	server->closed = TRUE;
	g_ptr_array_set_size (server->doors, 0);
	for (guint i = 0; i < server->clients->len; i++)
		drop (g_ptr_array_index (server->clients, i), "the session is over");
}

void
kd_gdb_server_free (KdGdbServer *server)
{
	if (!server)
		return;
	kd_gdb_server_close (server);
	g_ptr_array_unref (server->clients);
	g_ptr_array_unref (server->doors);
	g_free (server);
}
