/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvmdbg/kvmdbg.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * libkvmdbg against a scripted daemon: it accepts one connection, checks the request, answers with
 * given bytes in chunks of a given size, and closes.
 */
typedef struct {
	const char *name;
	const char *reply;
	const char *result; /* NULL: fails */
	KvmdbgError code;
	const char *message;
	const char *events; /* "name:params;" of each */
} Row;

#define ERROR_REPLY(class)                                                                         \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"no: why\","             \
	"\"data\":{\"class\":\"" class "\"}}}\n"

#define GONE                                                                                       \
	"the daemon went away: it closed the connection without an answer (if it has ended, so "   \
	"have its sessions: attach again)"

static const Row rows[] = {
	{"result", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":[1,\"\xc3\xa9\"]}}\n",
		"{\"a\":[1,\"\xc3\xa9\"]}"},
	{"null-result", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}\n", "null"},
	{"event-before",
		"{\"jsonrpc\":\"2.0\",\"method\":\"stopped\",\"params\":{\"session\":\"s\"}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n",
		"1", 0, NULL, "stopped:{\"session\":\"s\"};"},
	{"event-without-params",
		"{\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"
		"1}\n",
		"1", 0, NULL, "x:{};"},
	{"other-id",
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":7}\n{\"jsonrpc\":\"2.0\",\"id\":\"1\","
		"\"result\":8}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n",
		"1"},
	{"request-of-the-daemon",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"what\"}\n{\"jsonrpc\":\"2.0\",\"id\":1,"
		"\"result\":1}\n",
		"1"},
	{"error-failed", ERROR_REPLY ("failed"), NULL, KVMDBG_ERROR_FAILED, "no: why"},
	{"error-usage", ERROR_REPLY ("usage"), NULL, KVMDBG_ERROR_USAGE, "no: why"},
	{"error-no-session", ERROR_REPLY ("no-session"), NULL, KVMDBG_ERROR_NO_SESSION, "no: why"},
	{"error-lost", ERROR_REPLY ("lost"), NULL, KVMDBG_ERROR_LOST, "no: why"},
	{"error-cancelled", ERROR_REPLY ("cancelled"), NULL, KVMDBG_ERROR_CANCELLED, "no: why"},
	{"error-of-no-class", ERROR_REPLY ("new"), NULL, KVMDBG_ERROR_FAILED, "no: why"},
	{"error-without-data",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"no: why\"}}\n",
		NULL, KVMDBG_ERROR_FAILED, "no: why"},
	{"closes-in-mid-answer", "{\"jsonrpc\":\"2.0\",\"id\":1,\"res", NULL, KVMDBG_ERROR_DAEMON,
		GONE},
	{"refused",
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"full\"}}"
		"\n",
		NULL, KVMDBG_ERROR_DAEMON, "full"},
	/* Not asked again: nobody listens, so that would be NO_SESSION. */
	{"dies-of-it", "", NULL, KVMDBG_ERROR_DAEMON, GONE},
	{"garbage", "HTTP/1.1 400 Bad Request\n", NULL, KVMDBG_ERROR_DAEMON, NULL},
};

static const size_t chunks[] = {1, 3, 4096};

typedef struct {
	int listener;
	const char *reply;
	size_t chunk;
	GString *request;
} Script;

static int
listen_at (const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_assert_cmpuint (g_strlcpy (address.sun_path, path, sizeof (address.sun_path)), <,
		sizeof (address.sun_path));
	g_unlink (path);
	g_assert_cmpint (bind (fd, (struct sockaddr *)&address, sizeof (address)), ==, 0);
	g_assert_cmpint (listen (fd, 1), ==, 0);
	return fd;
}

static gpointer
serve (gpointer data)
{
	Script *script = data;
	int fd = accept (script->listener, NULL, NULL);
	const char *p = script->reply;
	char byte;

	while (read (fd, &byte, 1) == 1 && byte != '\n')
		g_string_append_c (script->request, byte);
	while (*p) {
		size_t len = MIN (script->chunk, strlen (p));

		if (send (fd, p, len, MSG_NOSIGNAL) < 0)
			break;
		p += len;
	}
	close (fd);
	return NULL;
}

static void
collect_event (const char *event, const char *params_json, void *data)
{
	g_string_append_printf (data, "%s:%s;", event, params_json);
}

static void
check_call (const Row *row, size_t chunk)
{
	g_autofree char *path =
		g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "kvmdbg", "kvmdbgd.sock", NULL);
	Script script = {listen_at (path), row->reply, chunk, g_string_new (NULL)};
	g_autoptr (GThread) thread = g_thread_new ("daemon", serve, &script);
	g_autoptr (GString) events = g_string_new (NULL);
	g_autoptr (GError) error = NULL;
	g_autoptr (KvmdbgConnection) connection = kvmdbg_connect (FALSE, &error);
	g_autofree char *result = NULL;
	g_autofree char *error_json = NULL;

	g_assert_no_error (error);
	kvmdbg_connection_set_event_handler (connection, collect_event, events);
	result = kvmdbg_call (connection, "vms", "{\"session\":\"s\"}", &error_json, NULL, &error);
	g_thread_join (g_steal_pointer (&thread));
	g_assert_cmpstr (script.request->str, ==,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"vms\",\"params\":{\"session\":\"s\"}}");
	g_assert_cmpstr (result, ==, row->result);
	g_assert_cmpstr (events->str, ==, row->events ? row->events : "");
	if (row->result)
		g_assert_no_error (error);
	else
		g_assert_error (error, KVMDBG_ERROR, (gint)row->code);
	if (row->message)
		g_assert_cmpstr (error->message, ==, row->message);
	/* The error object is told when the daemon sent one. */
	g_assert_cmpint (error_json != NULL, ==, error && row->code != KVMDBG_ERROR_DAEMON);
	g_string_free (script.request, TRUE);
	close (script.listener);
}

static void
test_call (gconstpointer data)
{
	for (guint i = 0; i < G_N_ELEMENTS (chunks); i++)
		check_call (data, chunks[i]);
}

/* A daemon that ends before it reads a word: the next one is asked, and here there is none. */
static void
test_closes_at_once (void)
{
	g_autofree char *path =
		g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "kvmdbg", "kvmdbgd.sock", NULL);
	int listener = listen_at (path), fd;
	g_autoptr (KvmdbgConnection) connection = kvmdbg_connect (FALSE, NULL);
	g_autoptr (GError) error = NULL;

	fd = accept (listener, NULL, NULL);
	close (fd);
	close (listener);
	g_assert_null (kvmdbg_call (connection, "vms", NULL, NULL, NULL, &error));
	g_assert_error (error, KVMDBG_ERROR, KVMDBG_ERROR_NO_SESSION);
	g_assert_nonnull (strstr (error->message, "nothing is attached"));
}

/* A daemon that says why before anything is asked, and closes: that is what is told. */
static void
test_refused_at_once (void)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,"
				   "\"message\":\"full\"}}\n";
	g_autofree char *path =
		g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "kvmdbg", "kvmdbgd.sock", NULL);
	int listener = listen_at (path), fd;
	g_autoptr (KvmdbgConnection) connection = kvmdbg_connect (FALSE, NULL);
	g_autoptr (GError) error = NULL;

	fd = accept (listener, NULL, NULL);
	g_assert_cmpint (write (fd, line, strlen (line)), ==, strlen (line));
	close (fd);
	g_assert_null (kvmdbg_call (connection, "vms", NULL, NULL, NULL, &error));
	g_assert_error (error, KVMDBG_ERROR, KVMDBG_ERROR_DAEMON);
	g_assert_cmpstr (error->message, ==, "full");
	close (listener);
}

/* Nothing listens: told at once, and nothing is started. */
static void
test_no_daemon (void)
{
	g_autofree char *path =
		g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "kvmdbg", "kvmdbgd.sock", NULL);
	g_autoptr (GError) error = NULL;

	g_unlink (path);
	g_assert_null (kvmdbg_connect (FALSE, &error));
	g_assert_error (error, KVMDBG_ERROR, KVMDBG_ERROR_NO_SESSION);
}

static void
test_bad_params (void)
{
	g_autofree char *path =
		g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "kvmdbg", "kvmdbgd.sock", NULL);
	int listener = listen_at (path);
	g_autoptr (KvmdbgConnection) connection = kvmdbg_connect (FALSE, NULL);
	g_autoptr (GError) error = NULL;

	g_assert_null (kvmdbg_call (connection, "vms", "{", NULL, NULL, &error));
	g_assert_error (error, KVMDBG_ERROR, KVMDBG_ERROR_USAGE);
	close (listener);
}

int
main (int argc, char **argv)
{
	g_autofree char *dir = g_dir_make_tmp ("kvmdbg-client.XXXXXX", NULL);
	g_autofree char *inner = g_build_filename (dir, "kvmdbg", NULL);
	g_autofree char *path = g_build_filename (inner, "kvmdbgd.sock", NULL);
	int status;

	g_test_init (&argc, &argv, NULL);
	g_assert_cmpint (g_mkdir (inner, 0700), ==, 0);
	g_setenv ("XDG_RUNTIME_DIR", dir, TRUE);
	for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *name = g_strdup_printf ("/connection/call/%s", rows[i].name);

		g_test_add_data_func (name, &rows[i], test_call);
	}
	g_test_add_func ("/connection/closes-at-once", test_closes_at_once);
	g_test_add_func ("/connection/refused-at-once", test_refused_at_once);
	g_test_add_func ("/connection/no-daemon", test_no_daemon);
	g_test_add_func ("/connection/bad-params", test_bad_params);
	status = g_test_run();
	g_unlink (path);
	g_rmdir (inner);
	g_rmdir (dir);
	return status;
}
