/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/server.h"

#include <string.h>

#include "base/json.h"
#include "command/complete.h"
#include "command/help.h"
#include "command/status.h"
#include "daemon/client.h"
#include "daemon/gdb-server.h"
#include "daemon/worker.h"

#define DEFAULT_SESSION "default"

struct KdServer {
	char *runtime_dir;
	GHashTable *clients; /* number (guint64 *) → KdClient */
	GPtrArray *sessions; /* KdWorker, in the order they were made */
	GPtrArray *leaving;  /* KdWorker whose thread is about to end */
	GHashTable *gdb;     /* KdWorker → KdGdbServer */
	guint64 next_client;
	unsigned idle_ms;
	guint idle_source;
	void (*idle) (void *data);
	void *data;
	void (*shutdown_done) (void *data);
	void *shutdown_data;
};

static void update_idle (KdServer *server);

/* --- sessions --- */

static KdWorker *
session_by_name (const KdServer *server, const char *name)
{
	for (guint i = 0; i < server->sessions->len; i++) {
		KdWorker *worker = g_ptr_array_index (server->sessions, i);

		if (strcmp (kd_worker_name (worker), name) == 0)
			return worker;
	}
	return NULL;
}

static gboolean
is_lost (const KdWorker *worker)
{
	return strcmp (kd_worker_info (worker)->state, "lost") == 0;
}

/* "default, two" for messages. */
static char *
session_names (const KdServer *server)
{
	GString *out = g_string_new (NULL);

	for (guint i = 0; i < server->sessions->len; i++)
		g_string_append_printf (out, "%s%s", i ? ", " : "",
			kd_worker_name (g_ptr_array_index (server->sessions, i)));
	return g_string_free (out, FALSE);
}

static KdWorker *
find_session (const KdServer *server, const char *name, GError **error)
{
	KdWorker *worker = NULL;
	g_autofree char *names = NULL;

	if (server->sessions->len == 0) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NO_SESSION,
			"no session: nothing is attached (“kvmdbg attach ADDR” first)");
		return NULL;
	}
	if (name)
		worker = session_by_name (server, name);
	else if (server->sessions->len == 1)
		worker = g_ptr_array_index (server->sessions, 0);
	else
		worker = session_by_name (server, DEFAULT_SESSION);
	if (worker)
		return worker;
	names = session_names (server);
	if (name)
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NO_SESSION,
			"no session “%s” (there is %s)", name, names);
	else
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NO_SESSION,
			"which session? (--session NAME, one of: %s)", names);
	return NULL;
}

static gboolean
check_session_name (const char *name, GError **error)
{
	size_t len = strlen (name);

	if (len > 0 && len <= 32 &&
		strspn (name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
			      "UVWXYZ0123456789_.-") == len)
		return TRUE;
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
		"a session's name has 1 to 32 letters, digits, “_”, “.” or “-”");
	return FALSE;
}

/* --- what workers tell --- */

static void
broadcast (KdServer *server, const char *event, JsonNode *params)
{
	g_autofree char *line = kd_jsonrpc_build_notification (event, params);
	g_autoptr (GList) clients = g_hash_table_get_values (server->clients);

	for (GList *l = clients; l; l = l->next)
		kd_client_send_event (l->data, line);
}

static void
leave (KdServer *server, KdWorker *worker)
{
	g_autoptr (JsonNode) node = NULL;
	JsonObject *params;

	if (!g_ptr_array_remove (server->sessions, worker))
		return;
	g_ptr_array_add (server->leaving, worker);
	if (g_hash_table_contains (server->gdb, worker))
		kd_gdb_server_close (g_hash_table_lookup (server->gdb, worker));
	params = json_object_new();
	kd_json_set_string (params, "session", kd_worker_name (worker));
	node = kd_json_object_node (params);
	broadcast (server, "detached", node);
	kd_worker_quit (worker);
}

static void
on_event (KdWorker *worker, const char *name, JsonNode *params, void *data)
{
	KdServer *server = data;
	KdGdbServer *gdb = g_hash_table_lookup (server->gdb, worker);

	broadcast (server, name, params);
	if (gdb && strcmp (name, "running") != 0)
		kd_gdb_server_stopped (gdb);
	update_idle (server);
}

/* One after the other reads too slowly, until what is kept for the rest has room. */
static void
bound_output (KdServer *server)
{
	for (;;) {
		g_autoptr (GList) clients = g_hash_table_get_values (server->clients);
		KdClient *worst = NULL;
		size_t total = 0;

		for (GList *l = clients; l; l = l->next) {
			total += kd_client_unread (l->data);
			if (!worst || kd_client_unread (l->data) > kd_client_unread (worst))
				worst = l->data;
		}
		if (total <= KD_SERVER_OUTPUT_MAX)
			return;
		kd_client_drop (worst, "reads more slowly than all others");
	}
}

/* Whoever asked for the job, of its outcome. */
static void
tell (KdServer *server, const KdJob *job, JsonNode *result, const GError *error)
{
	KdClient *client = g_hash_table_lookup (server->clients, &job->client);
	KdClientQueued *queued;

	if (!client)
		return;
	queued = kd_client_queued (client);
	queued->nr--;
	queued->bytes -= job->len;
	kd_client_send (client, !job->id ? NULL
				: result ? kd_answer_result (job->id, result)
					 : kd_answer_error (job->id, error));
	bound_output (server);
}

static void
on_done (KdWorker *worker, KdJob *job, void *data)
{
	KdServer *server = data;
	gboolean attached = strcmp (kd_worker_info (worker)->state, "none") != 0;

	/* A failed attach, or a detach: the session is over before its answer can be seen. */
	if (!attached)
		leave (server, worker);
	if (job->kind == KD_JOB_FUNC)
		job->finished (NULL, job->data);
	else
		tell (server, job, job->result, job->error);
	kd_job_free (job);
	update_idle (server);
}

static void
on_ended (KdWorker *worker, void *data)
{
	KdServer *server = data;

	g_ptr_array_remove (server->leaving, worker);
	kd_worker_free (worker);
	g_hash_table_remove (server->gdb, worker);
	if (server->shutdown_done && server->leaving->len == 0)
		server->shutdown_done (server->shutdown_data);
	update_idle (server);
}

static const KdWorkerFuncs worker_funcs = {on_done, on_event, on_ended};

/* --- requests --- */

typedef struct {
	KdServer *server;
	KdClient *client;
	JsonNode *id; /* NULL: a notification, which gets no answer */
	const char *method;
	JsonObject *params; /* may be NULL */
	size_t len;         /* in bytes */
} Request;

static void
answer (const Request *request, JsonNode *result)
{
	if (request->id)
		kd_client_send (request->client, kd_answer_result (request->id, result));
	json_node_unref (result);
}

static void
refuse (const Request *request, const GError *error)
{
	if (request->id)
		kd_client_send (request->client, kd_answer_error (request->id, error));
}

static gboolean
is_attach (const KdJob *job)
{
	return job->command && job->command->flags & KD_COMMAND_NO_SESSION;
}

/* Takes the job and sends it off. */
static void
dispatch_job (const Request *request, KdWorker *worker, KdJob *job)
{
	KdClientQueued *queued = kd_client_queued (request->client);

	job->client = kd_client_number (request->client);
	if (request->id)
		job->id = json_node_ref (request->id);
	job->len = request->len;
	queued->nr++;
	queued->bytes += job->len;
	if (job->command && job->command->flags & KD_COMMAND_INTERRUPTS)
		for (GList *l = kd_worker_jobs (worker)->head; l; l = l->next) {
			KdJob *other = l->data;

			if (other->command && (other->command->flags & KD_COMMAND_WAITS ||
						      (job->command->flags & KD_COMMAND_ENDS &&
							      is_attach (other))))
				g_cancellable_cancel (other->cancellable);
		}
	kd_worker_push (worker, job);
}

/* The words of "argv"; NULL and an error when it holds something else. New. */
static char **
argv_from_json (JsonArray *array, GError **error)
{
	g_autoptr (GStrvBuilder) builder = g_strv_builder_new();

	for (guint i = 0; i < json_array_get_length (array); i++) {
		const char *word;

		if (!kd_json_array_string (array, i, &word, error)) {
			g_prefix_error (error, "argv: ");
			return NULL;
		}
		g_strv_builder_add (builder, word);
	}
	return g_strv_builder_end (builder);
}

static KdArgs *
parse_args (const Request *request, const KdCommand *command, GError **error)
{
	JsonArray *array = NULL;
	const char *cwd = "/";
	g_auto (GStrv) argv = NULL;
	KdArgs *args;

	if (!kd_json_get_array (request->params, "argv", FALSE, &array, error) ||
		!kd_json_get_string (request->params, "cwd", FALSE, &cwd, error))
		return NULL;
	if (array && !(argv = argv_from_json (array, error)))
		return NULL;
	args = array ? kd_args_from_argv (command, (const char *const *)argv, error)
		     : kd_args_from_json (command, request->params, error);
	if (args)
		kd_args_resolve_paths (args, g_path_is_absolute (cwd) ? cwd : "/");
	return args;
}

/*
 * Each session serves debuggers: on a socket beside the daemon's, and where the caller asks for it.
 * FALSE: not there.
 */
static gboolean
serve_gdb (KdServer *server, KdWorker *worker, const KdArgs *args, GError **error)
{
	const char *address = kd_args_string (args, "listen");
	KdGdbAccess access = {
		kd_args_flag (args, "listen-any-user"), kd_args_flag (args, "listen-files")};
	g_autofree char *own =
		g_strdup_printf ("%s/gdb-%s.sock", server->runtime_dir, kd_worker_name (worker));
	KdGdbServer *gdb = kd_gdb_server_new (worker);
	g_autoptr (GError) why = NULL;
	gboolean ok;

	g_hash_table_insert (server->gdb, worker, gdb);
	/* Without this one a session is as good for all else. */
	if (!kd_gdb_server_listen (gdb, own, access, &why))
		g_warning ("session %s: %s", kd_worker_name (worker), why->message);
	ok = !address || kd_gdb_server_listen (gdb, address, access, error);
	kd_worker_set_gdb (worker, kd_gdb_server_addresses (gdb));
	return ok;
}

/* The session that attach or open makes. */
static KdWorker *
make_session (KdServer *server, const char *name, const KdArgs *args, GError **error)
{
	KdWorker *old, *worker;

	if (!check_session_name (name, error))
		return NULL;
	old = session_by_name (server, name);
	if (old && !is_lost (old)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
			"session “%s” is taken by %s (--name NAME for one more, or detach it)",
			name,
			*kd_worker_info (old)->address ? kd_worker_info (old)->address
						       : "an attach under way");
		return NULL;
	}
	if (server->sessions->len + server->leaving->len - (old != NULL) >=
		KD_SERVER_SESSIONS_MAX) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
			"%u sessions are the most (detach one)", KD_SERVER_SESSIONS_MAX);
		return NULL;
	}
	if (old)
		leave (server, old);
	worker = kd_worker_new (name, &worker_funcs, server, error);
	if (!worker)
		return NULL;
	g_ptr_array_add (server->sessions, worker);
	if (!serve_gdb (server, worker, args, error)) {
		leave (server, worker);
		return NULL;
	}
	return worker;
}

static JsonNode *
sessions_result (const KdServer *server)
{
	JsonArray *array = json_array_new();

	for (guint i = 0; i < server->sessions->len; i++) {
		KdWorker *worker = g_ptr_array_index (server->sessions, i);
		const KdWorkerInfo *info = kd_worker_info (worker);
		const KdJob *job = g_queue_peek_head (kd_worker_jobs (worker));
		JsonObject *obj = kd_json_array_add_object (array);

		kd_json_set_string (obj, "name", kd_worker_name (worker));
		kd_json_set_string (obj, "state",
			strcmp (info->state, "none") == 0 ? "attaching" : info->state);
		kd_json_set_string (obj, "address", info->address);
		kd_json_set_string (obj, "kernel", *info->release ? info->release : NULL);
		kd_json_set_int (obj, "ncpus", info->nr_cpus);
		kd_json_set_string (
			obj, "running", job && job->command ? job->command->name : NULL);
	}
	return kd_json_array_node (array);
}

/* Of another client: who has sent more behind an attach of its own wants it done in that order. */
static KdJob *
foreign_attach (const Request *request, KdWorker *worker)
{
	KdJob *first = g_queue_peek_head (kd_worker_jobs (worker));

	return first && is_attach (first) && first->client != kd_client_number (request->client)
		       ? first
		       : NULL;
}

/*
 * What concerns the state of a session does not wait for an attach, which may hang: TRUE, answered
 * or *error set.
 */
static gboolean
answer_attaching (const Request *request, const KdCommand *command, KdWorker *worker,
	const KdRenderOptions *render, GError **error)
{
	KdJob *attach = foreign_attach (request, worker);

	if (!attach || command->flags & KD_COMMAND_ENDS ||
		!(command->flags & (KD_COMMAND_ALWAYS | KD_COMMAND_INTERRUPTS)))
		return FALSE;
	if (command->flags & KD_COMMAND_ALWAYS)
		answer (request, kd_answer_render (command, render,
					 kd_status_attaching (kd_worker_name (worker),
						 kd_args_string (attach->args, "address"))));
	else
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
			"%s: session “%s” is still attaching (“detach” cancels that)",
			command->name, kd_worker_name (worker));
	return TRUE;
}

static gboolean
get_timeout (JsonObject *params, unsigned *ret_ms, GError **error)
{
	guint64 seconds = 0;

	if (!kd_json_get_uint (params, "timeout", FALSE, &seconds, error))
		return FALSE;
	if (seconds > KD_SERVER_TIMEOUT_MAX_S) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"parameter “timeout” is in seconds, at most %u", KD_SERVER_TIMEOUT_MAX_S);
		return FALSE;
	}
	*ret_ms = (unsigned)seconds * 1000;
	return TRUE;
}

static gboolean
do_command (const Request *request, const KdCommand *command, GError **error)
{
	KdServer *server = request->server;
	g_autoptr (KdArgs) args = parse_args (request, command, error);
	KdRenderOptions render = {0};
	const char *name = NULL;
	unsigned timeout_ms = 0;
	GError *why = NULL;
	KdWorker *worker;
	KdJob *job;

	if (!args || !get_timeout (request->params, &timeout_ms, error) ||
		!kd_answer_render_options (request->params, &render, error) ||
		!kd_json_get_string (request->params, "session", FALSE, &name, error))
		return FALSE;
	if (command->flags & KD_COMMAND_IN_CLIENT) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"%s is done by the kvmdbg program, not by its daemon", command->name);
		return FALSE;
	}
	if (command->flags & KD_COMMAND_IN_DAEMON) {
		answer (request, kd_answer_render (command, &render, sessions_result (server)));
		return TRUE;
	}
	if (command->flags & KD_COMMAND_NO_SESSION) {
		if (kd_args_string (args, "name"))
			name = kd_args_string (args, "name");
		worker = make_session (server, name ? name : DEFAULT_SESSION, args, error);
	} else
		worker = find_session (server, name, error);
	if (!worker)
		return FALSE;
	if (answer_attaching (request, command, worker, &render, &why)) {
		if (why)
			g_propagate_error (error, why);
		return !why;
	}
	job = kd_job_new (KD_JOB_COMMAND);
	job->command = command;
	job->timeout_ms = timeout_ms;
	job->args = g_steal_pointer (&args);
	job->render = render;
	dispatch_job (request, worker, job);
	return TRUE;
}

/* Without a session, or while its worker is busy, the table alone answers: typing never waits. */
static gboolean
do_complete (const Request *request, GError **error)
{
	const char *line = NULL, *name = NULL;
	guint64 point = G_MAXUINT64;
	KdWorker *worker;
	KdJob *job;

	if (!kd_json_get_string (request->params, "line", TRUE, &line, error) ||
		!kd_json_get_uint (request->params, "point", FALSE, &point, error) ||
		!kd_json_get_string (request->params, "session", FALSE, &name, error))
		return FALSE;
	point = MIN (point, strlen (line));
	worker = find_session (request->server, name, NULL);
	if (!worker || !g_queue_is_empty (kd_worker_jobs (worker))) {
		answer (request, kd_complete (NULL, line, point));
		return TRUE;
	}
	job = kd_job_new (KD_JOB_COMPLETE);
	job->line = g_strdup (line);
	job->point = point;
	dispatch_job (request, worker, job);
	return TRUE;
}

/* One that is not run yet need not wait for its turn to be told that it is cancelled. */
static void
withdraw (KdServer *server, KdWorker *worker, KdJob *job)
{
	g_autoptr (GError) error = NULL;

	if (!kd_job_take (job, KD_JOB_WITHDRAWN))
		return;
	g_cancellable_set_error_if_cancelled (job->cancellable, &error);
	/* An attach: its session is over before the answer can be seen. */
	if (is_attach (job))
		leave (server, worker);
	tell (server, job, NULL, error);
	/* Nobody is told again, and its place in the queue is free. */
	job->client = 0;
}

/* Cancels the caller's own request of that id. */
static gboolean
do_cancel (const Request *request, GError **error)
{
	KdServer *server = request->server;
	JsonNode *id = request->params ? json_object_get_member (request->params, "id") : NULL;
	gboolean found = FALSE;
	JsonObject *result;

	if (!id) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"cancel: parameter “id” is missing");
		return FALSE;
	}
	/* From the last on: a session may leave on the way. */
	for (guint i = server->sessions->len; i-- > 0;) {
		KdWorker *worker = g_ptr_array_index (server->sessions, i);

		for (GList *l = kd_worker_jobs (worker)->head; l; l = l->next) {
			KdJob *job = l->data;

			if (job->client != kd_client_number (request->client) || !job->id ||
				!json_node_equal (job->id, id))
				continue;
			g_cancellable_cancel (job->cancellable);
			withdraw (server, worker, job);
			found = TRUE;
		}
	}
	result = json_object_new();
	kd_json_set_bool (result, "cancelled", found);
	answer (request, kd_json_object_node (result));
	return TRUE;
}

/* The table, or with render the text of --help, of one command where "command" names it. */
static gboolean
do_help (const Request *request, GError **error)
{
	KdRenderOptions render = {0};
	const char *name = NULL;
	const KdCommand *command = NULL;
	g_autofree char *text = NULL;
	JsonObject *result;

	if (!kd_answer_render_options (request->params, &render, error) ||
		!kd_json_get_string (request->params, "command", FALSE, &name, error))
		return FALSE;
	if (name && !(command = kd_command_find (name, error)))
		return FALSE;
	if (!render.text) {
		answer (request, kd_help_json());
		return TRUE;
	}
	text = command ? kd_help_command (command) : kd_help_overview();
	result = json_object_new();
	kd_json_set_string (result, "text", text);
	if (render.value)
		json_object_set_member (result, "value", kd_help_json());
	answer (request, kd_json_object_node (result));
	return TRUE;
}

/* A notification that is refused is dropped: there is no answer to say so in. */
static gboolean
check_queued (const Request *request, GError **error)
{
	const KdClientQueued *queued = kd_client_queued (request->client);

	if (queued->nr == 0 || (queued->nr < KD_CLIENT_REQUESTS_MAX &&
				       queued->bytes + request->len <= KD_CLIENT_REQUEST_BYTES_MAX))
		return TRUE;
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
		"%u requests of %zu bytes are unanswered (wait for their answers)", queued->nr,
		queued->bytes);
	return FALSE;
}

static gboolean
serve (const Request *request, GError **error)
{
	const KdCommand *command;

	if (strcmp (request->method, "cancel") == 0)
		return do_cancel (request, error);
	if (!check_queued (request, error))
		return FALSE;
	if (strcmp (request->method, "complete") == 0)
		return do_complete (request, error);
	if (strcmp (request->method, "help") == 0)
		return do_help (request, error);
	command = kd_command_find (request->method, error);
	return command && do_command (request, command, error);
}

/* --- clients --- */

static void
on_request (KdClient *client, KdJsonrpcMessage *msg, size_t len, void *data)
{
	Request request = {data, client, msg->kind == KD_JSONRPC_REQUEST ? msg->id : NULL,
		msg->method, NULL, len};
	g_autoptr (GError) error = NULL;

	if (!kd_jsonrpc_message_get_params (msg, &request.params)) {
		g_set_error (&error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"params must be an object");
		refuse (&request, error);
		return;
	}
	if (!serve (&request, &error)) {
		/* Our checked getters fail on what the caller sent. */
		if (error->domain == KD_BASE_ERROR) {
			error->domain = KD_COMMAND_ERROR;
			error->code = KD_COMMAND_ERROR_USAGE;
		}
		refuse (&request, error);
	}
	update_idle (data);
}

static gboolean
free_client (gpointer data)
{
	kd_client_free (data);
	return G_SOURCE_REMOVE;
}

static void
on_gone (KdClient *client, const char *why, void *data)
{
	KdServer *server = data;
	guint64 number = kd_client_number (client);

	g_debug ("client %" G_GUINT64_FORMAT ": %s", number, why);
	for (guint i = 0; i < server->sessions->len; i++) {
		KdWorker *worker = g_ptr_array_index (server->sessions, i);

		for (GList *l = kd_worker_jobs (worker)->head; l; l = l->next) {
			KdJob *job = l->data;

			if (job->client == number)
				kd_job_abandon (job, !l->prev);
		}
	}
	g_hash_table_remove (server->clients, &number);
	/* We are inside one of its calls. */
	g_idle_add (free_client, client);
	update_idle (server);
}

static const KdClientFuncs client_funcs = {on_request, on_gone};

void
kd_server_adopt (KdServer *server, int fd, gboolean crowded)
{
	guint64 *number;

	if (crowded || g_hash_table_size (server->clients) >= KD_SERVER_CLIENTS_MAX) {
		g_autofree char *why = g_strdup_printf ("kvmdbgd has %u clients%s",
			g_hash_table_size (server->clients),
			crowded ? " and no file descriptor for one more (ulimit -n)"
				: ", which are the most");

		kd_client_refuse (fd, why);
		return;
	}
	number = g_new (guint64, 1);
	*number = server->next_client++;
	g_hash_table_insert (
		server->clients, number, kd_client_new (fd, *number, &client_funcs, server));
	update_idle (server);
}

/* --- idle, end --- */

gboolean
kd_server_is_idle (const KdServer *server)
{
	if (g_hash_table_size (server->clients) > 0 || server->leaving->len > 0)
		return FALSE;
	for (guint i = 0; i < server->sessions->len; i++)
		if (!is_lost (g_ptr_array_index (server->sessions, i)))
			return FALSE;
	return TRUE;
}

static gboolean
on_idle (gpointer data)
{
	KdServer *server = data;

	server->idle_source = 0;
	if (kd_server_is_idle (server))
		server->idle (server->data);
	return G_SOURCE_REMOVE;
}

static void
update_idle (KdServer *server)
{
	gboolean idle = kd_server_is_idle (server) && !server->shutdown_done;

	if (!idle)
		g_clear_handle_id (&server->idle_source, g_source_remove);
	else if (!server->idle_source && server->idle_ms)
		server->idle_source = g_timeout_add (server->idle_ms, on_idle, server);
}

KdServer *
kd_server_new (const char *runtime_dir, unsigned idle_ms, void (*idle) (void *data), void *data)
{
	KdServer *server = g_new0 (KdServer, 1);

	server->runtime_dir = g_strdup (runtime_dir);
	server->clients = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
	server->sessions = g_ptr_array_new();
	server->leaving = g_ptr_array_new();
	server->gdb = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify)kd_gdb_server_free);
	server->next_client = 1;
	server->idle_ms = idle_ms;
	server->idle = idle;
	server->data = data;
	update_idle (server);
	return server;
}

void
kd_server_shutdown (KdServer *server, void (*done) (void *data), void *data)
{
	if (server->shutdown_done)
		return;
	server->shutdown_done = done;
	server->shutdown_data = data;
	update_idle (server);
	while (server->sessions->len)
		leave (server, g_ptr_array_index (server->sessions, 0));
	if (server->leaving->len == 0)
		done (data);
}

void
kd_server_free (KdServer *server)
{
	g_autoptr (GList) clients = NULL;

	if (!server)
		return;
	g_clear_handle_id (&server->idle_source, g_source_remove);
	clients = g_hash_table_get_values (server->clients);
	g_list_free_full (g_steal_pointer (&clients), (GDestroyNotify)kd_client_free);
	g_hash_table_unref (server->clients);
	g_ptr_array_unref (server->sessions);
	g_ptr_array_unref (server->leaving);
	g_hash_table_unref (server->gdb);
	g_free (server->runtime_dir);
	g_free (server);
}
