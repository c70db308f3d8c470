/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/jsonrpc.h"

#include <string.h>

#include "base/json.h"

static char *
to_text (JsonNode *node)
{
	return node ? kd_json_to_string (node, FALSE) : g_strdup ("-");
}

/* What comes of the bytes, as text. */
static char *
run (const char *bytes, size_t chunk, size_t line_max)
{
	g_autoptr (KdJsonrpcDecoder) dec = kd_jsonrpc_decoder_new (line_max);
	GString *log = g_string_new (NULL);
	size_t len = strlen (bytes);

	for (size_t at = 0; at < len;) {
		size_t part = MIN (chunk, len - at), used = 0;
		g_autofree char *copy = g_memdup2 (bytes + at, part);
		g_autofree char *id = NULL, *params = NULL, *result = NULL, *data = NULL;
		g_auto (KdJsonrpcMessage) msg = {0};
		g_autoptr (JsonNode) bad_id = NULL;
		g_autoptr (GError) error = NULL;
		KdJsonrpcCode code = 0;
		KdDecode outcome = kd_jsonrpc_decoder_feed (
			dec, copy, part, &used, &msg, &code, &bad_id, &error);

		at += used;
		if (outcome == KD_DECODE_FAILED) {
			g_assert_true (error && error->domain == KD_PROTO_ERROR);
			g_assert_null (msg.id);
			id = to_text (bad_id);
			g_string_append_printf (log, "!%d/%s ", code, id);
		}
		if (outcome != KD_DECODE_MESSAGE)
			continue;
		g_assert_cmpint (code, ==, 0);
		id = to_text (msg.id);
		params = to_text (msg.params);
		result = to_text (msg.result);
		data = to_text (msg.data);
		if (msg.kind == KD_JSONRPC_REQUEST)
			g_string_append_printf (log, "call %s %s(%s) ", id, msg.method, params);
		else if (msg.kind == KD_JSONRPC_NOTIFICATION)
			g_string_append_printf (log, "tell %s(%s) ", msg.method, params);
		else if (msg.kind == KD_JSONRPC_RESPONSE)
			g_string_append_printf (log, "done %s=%s ", id, result);
		else
			g_string_append_printf (
				log, "fail %s=%d %s %s ", id, (int)msg.code, msg.message, data);
	}
	return g_string_free (log, FALSE);
}

#define V "\"jsonrpc\":\"2.0\""

static const struct {
	const char *name, *bytes, *result;
} rows[] = {
	{"request", "{" V ",\"id\":1,\"method\":\"vms\"}\n", "call 1 vms(-) "},
	{"request-params", "{" V ",\"id\":\"a\",\"method\":\"bt\",\"params\":{\"cpu\":1}}\r\n",
		"call \"a\" bt({\"cpu\":1}) "},
	{"array-params", "{" V ",\"id\":null,\"method\":\"x\",\"params\":[1]}\n",
		"call null x([1]) "},
	{"notification", "{" V ",\"method\":\"stopped\",\"params\":{}}\n", "tell stopped({}) "},
	{"response", "{" V ",\"id\":1,\"result\":null}\n", "done 1=null "},
	{"error", "{" V ",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no\",\"data\":[2]}}\n",
		"fail 1=-32601 no [2] "},
	{"error-null-id", "{" V ",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"no\"}}\n",
		"fail null=-32700 no - "},
	{"two", "{" V ",\"method\":\"a\"}\n\n{" V ",\"method\":\"b\"}\n", "tell a(-) tell b(-) "},
	{"not-json", "hello\n{" V ",\"method\":\"b\"}\n", "!-32700/- tell b(-) "},
	{"lines-broken", "{\n" V ",\"method\":\"a\"}\n{" V ",\"method\":\"b\"}\n",
		"!-32700/- !-32700/- tell b(-) "},
	{"bad-json", "{" V ",\"method\":}\n{" V ",\"method\":\"b\"}\n", "!-32700/- tell b(-) "},
	{"batch", "[{" V ",\"method\":\"a\"}]\n", "!-32700/- "},
	{"no-version", "{\"id\":7,\"method\":\"a\"}\n", "!-32600/7 "},
	{"other-version", "{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"a\"}\n", "!-32600/7 "},
	{"version-kind", "{\"jsonrpc\":2.0,\"id\":7,\"method\":\"a\"}\n", "!-32600/7 "},
	{"method-kind", "{" V ",\"id\":7,\"method\":1}\n", "!-32600/7 "},
	{"params-kind", "{" V ",\"id\":7,\"method\":\"a\",\"params\":1}\n", "!-32600/7 "},
	{"id-kind", "{" V ",\"id\":{},\"method\":\"a\"}\n", "!-32600/- "},
	{"id-bool", "{" V ",\"id\":true,\"method\":\"a\"}\n", "!-32600/- "},
	{"nothing", "{" V ",\"id\":7}\n", "!-32600/7 "},
	{"result-no-id", "{" V ",\"result\":1}\n", "!-32600/- "},
	{"result-and-error", "{" V ",\"id\":7,\"result\":1,\"error\":{}}\n", "!-32600/7 "},
	{"error-kind", "{" V ",\"id\":7,\"error\":1}\n", "!-32600/7 "},
	{"error-no-code", "{" V ",\"id\":7,\"error\":{\"message\":\"no\"}}\n", "!-32600/7 "},
	{"error-code-kind", "{" V ",\"id\":7,\"error\":{\"code\":\"1\",\"message\":\"no\"}}\n",
		"!-32600/7 "},
};

static void
test_row (gconstpointer data)
{
	const typeof (rows[0]) *row = data;

	for (size_t chunk = 1; chunk <= strlen (row->bytes); chunk++) {
		g_autofree char *result = run (row->bytes, chunk, 4096);

		g_assert_cmpstr (result, ==, row->result);
	}
}

/* Over the limit by one, and at it; the next line is read. */
static void
test_limit (void)
{
	static const char line[] = "{" V ",\"method\":\"abc\"}";
	g_autofree char *bytes = g_strconcat (line, "\n{" V ",\"method\":\"a\"}\n", NULL);
	g_autofree char *deep = g_strnfill (100000, '[');
	g_autofree char *nested =
		g_strconcat ("{\"a\":", deep, "\n{" V ",\"method\":\"a\"}\n", NULL);
	g_autofree char *result = NULL;

	for (size_t chunk = 1; chunk <= strlen (bytes); chunk++) {
		g_autofree char *over = run (bytes, chunk, strlen (line) - 1);
		g_autofree char *at = run (bytes, chunk, strlen (line));

		g_assert_cmpstr (over, ==, "!-32700/- tell a(-) ");
		g_assert_cmpstr (at, ==, "tell abc(-) tell a(-) ");
	}
	result = run (nested, 4096, 1000000);
	g_assert_cmpstr (result, ==, "!-32700/- tell a(-) ");
}

/* What we build, we read; each is one line. */
static void
test_build (void)
{
	JsonObject *obj = json_object_new();
	g_autoptr (JsonNode) node = kd_json_object_node (obj);
	g_autoptr (JsonNode) id = json_node_init_int (json_node_alloc(), 7);
	g_autoptr (GString) all = g_string_new (NULL);
	g_autofree char *result = NULL;
	char *lines[6];

	kd_json_set_string (obj, "k", "a\nb");
	lines[0] = kd_jsonrpc_build_request (7, "vms", NULL);
	lines[1] = kd_jsonrpc_build_request (G_MAXINT64, "bt", node);
	lines[2] = kd_jsonrpc_build_notification ("stopped", node);
	lines[3] = kd_jsonrpc_build_response (id, node);
	lines[4] = kd_jsonrpc_build_response (NULL, NULL);
	lines[5] = kd_jsonrpc_build_error (id, KD_JSONRPC_METHOD_NOT_FOUND, "bad \xff", node);
	for (size_t i = 0; i < G_N_ELEMENTS (lines); i++) {
		g_assert_true (strchr (lines[i], '\n') == lines[i] + strlen (lines[i]) - 1);
		g_string_append (all, lines[i]);
		g_free (lines[i]);
	}
	result = run (all->str, 10, 4096);
	g_assert_cmpstr (result, ==,
		"call 7 vms(-) call 9223372036854775807 bt({\"k\":\"a\\nb\"}) "
		"tell stopped({\"k\":\"a\\nb\"}) done 7={\"k\":\"a\\nb\"} done null=null "
		"fail 7=-32601 bad \xef\xbf\xbd {\"k\":\"a\\nb\"} ");
}

static void
test_accessors (void)
{
	g_autoptr (KdJsonrpcDecoder) dec = kd_jsonrpc_decoder_new (4096);
	static const char bytes[] = "{" V ",\"id\":\"a\",\"method\":\"x\",\"params\":[]}"
				    "{" V ",\"id\":5,\"method\":\"x\",\"params\":{}}";
	g_auto (KdJsonrpcMessage) first = {0}, second = {0};
	JsonObject *params = NULL;
	KdJsonrpcCode code;
	gint64 id = 42;
	size_t used, more;

	g_assert_cmpint (kd_jsonrpc_decoder_feed (
				 dec, bytes, sizeof bytes - 1, &used, &first, &code, NULL, NULL),
		==, KD_DECODE_MESSAGE);
	g_assert_cmpint (kd_jsonrpc_decoder_feed (dec, bytes + used, sizeof bytes - 1 - used, &more,
				 &second, &code, NULL, NULL),
		==, KD_DECODE_MESSAGE);
	g_assert_false (kd_jsonrpc_message_get_id (&first, &id));
	g_assert_false (kd_jsonrpc_message_get_params (&first, &params));
	g_assert_cmpint (id, ==, 42);
	g_assert_true (kd_jsonrpc_message_get_id (&second, &id));
	g_assert_cmpint (id, ==, 5);
	g_assert_true (kd_jsonrpc_message_get_params (&second, &params));
	g_assert_nonnull (params);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *path = g_strdup_printf ("/jsonrpc/%s", rows[i].name);

		g_test_add_data_func (path, &rows[i], test_row);
	}
	g_test_add_func ("/jsonrpc/limit", test_limit);
	g_test_add_func ("/jsonrpc/build", test_build);
	g_test_add_func ("/jsonrpc/accessors", test_accessors);
	return g_test_run();
}
