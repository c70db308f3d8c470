/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/qmp.h"

#include <string.h>

#include "base/json.h"

#define GREETING                                                                                   \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "         \
	"\"package\": \"Debian 1:7.2\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define NEGOTIATED "{\"return\": {}, \"id\": 1}\r\n"

/* Feeds in chunks; what came of it, as text: ready, RID=value, EID=Class, event NAME@time, !code.
 */
static void
qemu_says (KdQmpClient *client, const char *bytes, size_t chunk, const char *expected)
{
	g_autoptr (GString) log = g_string_new (NULL);
	size_t len = strlen (bytes);

	for (size_t at = 0; at < len;) {
		size_t part = MIN (chunk, len - at), used = 0;
		g_autofree char *copy = g_memdup2 (bytes + at, part);
		g_auto (KdQmpMessage) msg = {0};
		g_autoptr (GError) error = NULL;
		g_autofree char *value = NULL;
		KdDecode outcome = kd_qmp_client_feed (client, copy, part, &used, &msg, &error);

		at += used;
		if (outcome == KD_DECODE_FAILED) {
			g_assert_true (error && error->domain == KD_PROTO_ERROR);
			g_string_append_printf (log, "!%d ", error->code);
		}
		if (outcome != KD_DECODE_MESSAGE)
			continue;
		value = msg.value ? kd_json_to_string (msg.value, FALSE) : NULL;
		if (msg.kind == KD_QMP_READY)
			g_string_append (log, "ready ");
		else if (msg.kind == KD_QMP_RETURN)
			g_string_append_printf (log, "R%" G_GUINT64_FORMAT "=%s ", msg.id, value);
		else if (msg.kind == KD_QMP_ERROR)
			g_string_append_printf (
				log, "E%" G_GUINT64_FORMAT "=%s ", msg.id, msg.error_class);
		else
			g_string_append_printf (
				log, "event %s@%" G_GINT64_FORMAT " ", msg.name, msg.timestamp_us);
	}
	g_assert_cmpstr (log->str, ==, expected);
}

static void
wrote (KdQmpClient *client, const char *expected)
{
	size_t len;
	const uint8_t *out = kd_out_queue_peek (kd_qmp_client_out (client), &len);

	g_assert_cmpmem (out, len, expected, strlen (expected));
	kd_out_queue_written (kd_qmp_client_out (client), len);
}

static KdQmpClient *
ready_client (void)
{
	KdQmpClient *client = kd_qmp_client_new();

	qemu_says (client, GREETING NEGOTIATED, 1000, "ready ");
	wrote (client, "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
	return client;
}

static guint64
call (KdQmpClient *client, const char *command)
{
	guint64 id = 0;

	g_assert_true (kd_qmp_client_call (client, command, NULL, &id, NULL));
	return id;
}

/* A whole talk, with replies out of order and events between, in every chunk size; and as a
 * pretty=on monitor writes. */
static void
test_talk (void)
{
	static const char talk[] =
		"{\"timestamp\": {\"seconds\": 1795203955, \"microseconds\": 61837}, \"event\": "
		"\"STOP\"}\r\n"
		"{\"return\": {\"running\": false}, \"id\": 3}\r\n"
		"{\r\n    \"id\": 2,\r\n    \"error\": {\r\n        \"class\": "
		"\"CommandNotFound\",\r\n"
		"        \"desc\": \"The command bogus has not been found\"\r\n    }\r\n}\r\n"
		"{\"event\": \"RESUME\", \"timestamp\": {\"seconds\": -1, \"microseconds\": -1}}"
		"{\"return\": \"VM status: paused}\\r\\n\", \"id\": 4}\r\n";

	for (size_t chunk = 1; chunk < sizeof talk; chunk++) {
		g_autoptr (KdQmpClient) client = kd_qmp_client_new();
		guint64 id;

		qemu_says (client, GREETING, chunk, "");
		g_assert_cmpstr (kd_qmp_client_get_version (client), ==, "7.2.22 (Debian 1:7.2)");
		g_assert_false (kd_qmp_client_is_ready (client));
		qemu_says (client, NEGOTIATED, chunk, "ready ");
		wrote (client, "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
		g_assert_cmpuint (call (client, "bogus"), ==, 2);
		g_assert_cmpuint (call (client, "query-status"), ==, 3);
		g_assert_true (kd_qmp_client_call_hmp (client, "info \"status\"", 1, &id, NULL));
		wrote (client,
			"{\"execute\":\"bogus\",\"id\":2}\n{\"execute\":\"query-status\",\"id\":3}"
			"\n"
			"{\"execute\":\"human-monitor-command\",\"arguments\":{"
			"\"command-line\":\"info \\\"status\\\"\",\"cpu-index\":1},\"id\":4}\n");
		qemu_says (client, talk, chunk,
			"event STOP@1795203955061837 R3={\"running\":false} E2=CommandNotFound "
			"event RESUME@-1 R4=\"VM status: paused}\\r\\n\" ");
		g_assert_cmpuint (kd_qmp_client_n_pending (client), ==, 0);
	}
}

static void
test_before_ready (void)
{
	g_autoptr (KdQmpClient) client = kd_qmp_client_new();
	g_autoptr (GError) error = NULL;
	guint64 id = 42;

	g_assert_false (kd_qmp_client_call (client, "stop", json_object_new(), &id, &error));
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_STATE);
	g_assert_cmpuint (id, ==, 42);
	wrote (client, "");
}

static const struct {
	const char *name, *bytes, *result;
} greetings[] = {
	{"gdb-stub", "+$T05thread:p01.01;#06", "!0 "},
	{"http", "HTTP/1.1 400 Bad Request\r\n", "!0 "},
	{"empty-object", "{}\r\n", "!0 "},
	{"no-version", "{\"QMP\": {}}\r\n", "!0 "},
	{"version-kind", "{\"QMP\": {\"version\": {\"qemu\": {\"major\": \"7\", \"minor\": 2}}}}",
		"!0 "},
	{"version-range", "{\"QMP\": {\"version\": {\"qemu\": {\"major\": -7, \"minor\": 2}}}}",
		"!0 "},
	{"event-first", "{\"event\": \"STOP\"}", "!0 "},
	{"refused",
		GREETING
		"{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n",
		"!5 "},
	{"no-package",
		"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2}}}}" NEGOTIATED,
		"ready "},
};

static void
test_greeting (gconstpointer data)
{
	const typeof (greetings[0]) *row = data;

	for (size_t chunk = 1; chunk <= strlen (row->bytes); chunk++) {
		g_autoptr (KdQmpClient) client = kd_qmp_client_new();

		qemu_says (client, row->bytes, chunk, row->result);
		g_assert_cmpint (
			kd_qmp_client_is_ready (client), ==, strcmp (row->result, "ready ") == 0);
	}
}

/* Each is told, and the reply that follows still arrives. */
static const struct {
	const char *name, *bytes;
	int code;
} bad[] = {
	{"not-json", "hello\r\n", KD_PROTO_ERROR_MALFORMED},
	{"array", "[1]\r\n", KD_PROTO_ERROR_MALFORMED},
	{"lax-json", "{'return': 1, 'id': 2}\r\n", KD_PROTO_ERROR_MALFORMED},
	{"cut-string", "{\"return\": \"abc\r\n", KD_PROTO_ERROR_MALFORMED},
	{"crossed", "{\"return\": [}]\r\n\r\n", KD_PROTO_ERROR_MALFORMED},
	{"neither", "{\"id\": 2}\r\n", KD_PROTO_ERROR_MALFORMED},
	{"no-id", "{\"return\": {}}\r\n", KD_PROTO_ERROR_MALFORMED},
	{"no-id-error",
		"{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\r\n",
		KD_PROTO_ERROR_MALFORMED},
	{"id-kind", "{\"return\": {}, \"id\": \"2\"}\r\n", KD_PROTO_ERROR_MALFORMED},
	{"id-negative", "{\"return\": {}, \"id\": -2}\r\n", KD_PROTO_ERROR_MALFORMED},
	{"id-unknown", "{\"return\": {}, \"id\": 77}\r\n", KD_PROTO_ERROR_MALFORMED},
	{"error-kind", "{\"error\": \"no\", \"id\": 2}\r\n", KD_PROTO_ERROR_MALFORMED},
	{"error-class", "{\"error\": {\"desc\": \"no\"}, \"id\": 2}\r\n", KD_PROTO_ERROR_MALFORMED},
	{"event-kind", "{\"event\": 1}\r\n", KD_PROTO_ERROR_MALFORMED},
	{"event-data-kind", "{\"event\": \"X\", \"data\": []}\r\n", KD_PROTO_ERROR_MALFORMED},
};

static void
test_bad (gconstpointer data)
{
	const typeof (bad[0]) *row = data;
	g_autofree char *bytes = g_strconcat (row->bytes, "{\"return\": 5, \"id\": 2}\r\n", NULL);
	g_autofree char *result = g_strdup_printf ("!%d R2=5 ", row->code);

	for (size_t chunk = 1; chunk <= strlen (bytes); chunk++) {
		g_autoptr (KdQmpClient) client = ready_client();

		call (client, "query-status");
		qemu_says (client, bytes, chunk, result);
	}
}

static void
test_limits (void)
{
	g_autoptr (KdQmpClient) client = ready_client();
	g_autoptr (GString) deep = g_string_new ("{\"return\":");
	g_autoptr (GString) huge = g_string_new ("{\"return\":\"");
	g_autoptr (GError) error = NULL;
	guint64 id = 42;

	for (int i = 0; i < 100000; i++)
		g_string_append_c (deep, '[');
	g_string_append (deep, "\n");
	qemu_says (client, deep->str, 4096, "!3 ");
	while (huge->len < KD_QMP_LINE_MAX)
		g_string_append (huge, "0123456789abcdef");
	g_string_append (huge, "\"}\n{\"event\": \"X\"}\n");
	qemu_says (client, huge->str, 65536, "!3 event X@-1 ");
	for (guint i = 0; i < KD_QMP_PENDING_MAX; i++)
		call (client, "stop");
	g_assert_false (kd_qmp_client_call (client, "stop", NULL, &id, &error));
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE);
	g_assert_cmpuint (id, ==, 42);
}

static void
test_forget (void)
{
	g_autoptr (KdQmpClient) client = ready_client();
	guint64 first = call (client, "pmemsave");

	call (client, "stop");
	kd_qmp_client_forget (client, first);
	kd_qmp_client_forget (client, 99);
	qemu_says (client, "{\"return\": {}, \"id\": 2}{\"return\": {}, \"id\": 3}", 7, "R3={} ");
	g_assert_cmpuint (kd_qmp_client_n_pending (client), ==, 0);
}

/* Every pending call fails, each once; forgotten ones do not show. */
static void
test_eof (void)
{
	g_autoptr (KdQmpClient) client = ready_client();
	guint64 seen = 0, id;

	for (int i = 0; i < 4; i++)
		call (client, "stop");
	kd_qmp_client_forget (client, 3);
	for (int i = 0; i < 3; i++) {
		g_auto (KdQmpMessage) msg = {0};

		g_assert_true (kd_qmp_client_eof (client, &msg));
		g_assert_cmpint (msg.kind, ==, KD_QMP_ERROR);
		g_assert_error (msg.error, KD_PROTO_ERROR, KD_PROTO_ERROR_CLOSED);
		seen |= 1u << msg.id;
	}
	g_assert_cmphex (seen, ==, 1 << 2 | 1 << 4 | 1 << 5);

	g_auto (KdQmpMessage) last = {0};

	g_assert_false (kd_qmp_client_eof (client, &last));
	g_assert_false (kd_qmp_client_call (client, "stop", NULL, &id, NULL));
}

static void
test_hmp (void)
{
	g_autoptr (JsonNode) text = json_node_init_string (json_node_alloc(), "a\r\nb\rc\n");
	g_autoptr (JsonNode) number = json_node_init_int (json_node_alloc(), 1);
	g_autofree char *out = kd_qmp_parse_hmp (text, NULL);
	g_autoptr (GError) error = NULL;

	g_assert_cmpstr (out, ==, "a\nb\rc\n");
	g_assert_null (kd_qmp_parse_hmp (number, &error));
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED);
	g_assert_null (kd_qmp_parse_hmp (NULL, NULL));
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/qmp/talk", test_talk);
	g_test_add_func ("/qmp/before-ready", test_before_ready);
	for (size_t i = 0; i < G_N_ELEMENTS (greetings); i++) {
		g_autofree char *path = g_strdup_printf ("/qmp/greeting/%s", greetings[i].name);

		g_test_add_data_func (path, &greetings[i], test_greeting);
	}
	for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
		g_autofree char *path = g_strdup_printf ("/qmp/bad/%s", bad[i].name);

		g_test_add_data_func (path, &bad[i], test_bad);
	}
	g_test_add_func ("/qmp/limits", test_limits);
	g_test_add_func ("/qmp/forget", test_forget);
	g_test_add_func ("/qmp/eof", test_eof);
	g_test_add_func ("/qmp/hmp", test_hmp);
	return g_test_run();
}
