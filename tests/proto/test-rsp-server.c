/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/rsp-server.h"

#include <string.h>

#include "base/hex.h"

/* One line for a call: its kind and whatever it carries. */
static char *
describe (const KdRspCall *call)
{
	GString *out = g_string_new (NULL);

	g_string_append_printf (out, "%d", call->kind);
	if (call->op)
		g_string_append_printf (out, " %c", call->op);
	if (call->features)
		g_string_append_printf (out, " features=%x", call->features);
	if (call->thread.tid || call->thread.pid)
		g_string_append_printf (out, " p%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT,
			call->thread.pid, call->thread.tid);
	if (call->number)
		g_string_append_printf (out, " number=%u", call->number);
	if (call->addr || call->len)
		g_string_append_printf (out, " %" G_GINT64_MODIFIER "x+%" G_GINT64_MODIFIER "x",
			call->addr, call->len);
	if (call->text->len)
		g_string_append_printf (out, " “%s”", call->text->str);
	if (call->annex->len)
		g_string_append_printf (out, " annex=%s", call->annex->str);
	for (guint i = 0; i < call->nr_rows; i++)
		g_string_append_printf (out, " %c%s%" G_GINT64_FORMAT, call->rows[i].action,
			call->rows[i].all ? "*" : ":", call->rows[i].thread.tid);
	if (call->has_addr)
		g_string_append (out, " at");
	if (call->bytes->len) {
		g_autofree char *hex = kd_hex_to_string (call->bytes->data, call->bytes->len);

		g_string_append_printf (out, " bytes=%s", hex);
	}
	return g_string_free (out, FALSE);
}

static const struct {
	const char *name, *payload;
	KdRspCallKind kind;
	const char *rest; /* of describe() */
} rows[] = {
	{"reason", "?", KD_RSP_CALL_STOP_REASON, ""},
	{"supported", "qSupported:multiprocess+;swbreak+;hwbreak-;xmlRegisters=i386",
		KD_RSP_CALL_SUPPORTED, " features=3"},
	{"thread-g", "Hg2", KD_RSP_CALL_SET_THREAD, " g p0.2"},
	{"thread-c-all", "Hcp1.-1", KD_RSP_CALL_SET_THREAD, " c p1.-1"},
	{"thread-bad-op", "Hx1", KD_RSP_CALL_BAD, ""},
	{"alive", "Tp1.2", KD_RSP_CALL_THREAD_ALIVE, " p1.2"},
	{"extra", "qThreadExtraInfo,2", KD_RSP_CALL_THREAD_EXTRA, " p0.2"},
	{"read-reg", "p1f", KD_RSP_CALL_READ_REG, " number=31"},
	{"read-reg-bad", "p", KD_RSP_CALL_BAD, ""},
	{"read-reg-huge", "p10000", KD_RSP_CALL_BAD, ""},
	{"write-reg", "P1f=0102", KD_RSP_CALL_WRITE_REG, " number=31 bytes=0102"},
	{"write-reg-odd", "P1f=012", KD_RSP_CALL_BAD, " number=31"},
	{"read", "mffff800008000000,40", KD_RSP_CALL_READ_MEM, " ffff800008000000+40"},
	{"read-too-much", "m0,10001", KD_RSP_CALL_BAD, " 0+10001"},
	{"read-no-length", "m0,", KD_RSP_CALL_BAD, ""},
	{"read-17-digits", "m11112222333344445,4", KD_RSP_CALL_BAD, ""},
	{"read-binary", "x10,0", KD_RSP_CALL_READ_MEM, " 10+0"},
	{"write", "M10,2:abcd", KD_RSP_CALL_WRITE_MEM, " 10+2 bytes=abcd"},
	{"write-short", "M10,3:abcd", KD_RSP_CALL_BAD, " 10+3 bytes=abcd"},
	{"write-binary", "X10,2:#*", KD_RSP_CALL_WRITE_MEM, " 10+2 bytes=232a"},
	{"write-binary-long", "X10,1:ab", KD_RSP_CALL_BAD, " 10+1"},
	{"write-probe", "X0,0:", KD_RSP_CALL_WRITE_MEM, ""},
	{"break", "Z1,10,4", KD_RSP_CALL_INSERT, " 10+4"},
	{"break-condition", "Z0,10,4;X3,220027", KD_RSP_CALL_BAD, " 10+4"},
	{"break-type-5", "Z5,10,4", KD_RSP_CALL_BAD, ""},
	{"watch-off", "z4,10,8", KD_RSP_CALL_REMOVE, " 10+8"},
	{"vcont", "vCont;s:p1.1;c", KD_RSP_CALL_RESUME, " s:1 c*-1"},
	{"vcont-signal", "vCont;C05:2;S02", KD_RSP_CALL_RESUME, " c:2 s*-1"},
	{"vcont-all", "vCont;c:p1.-1", KD_RSP_CALL_RESUME, " c*-1"},
	{"vcont-range", "vCont;r10,20:1", KD_RSP_CALL_BAD, ""},
	{"vcont-empty", "vCont;", KD_RSP_CALL_BAD, ""},
	{"vcont-trailing", "vCont;c;", KD_RSP_CALL_BAD, " c*-1"},
	{"cont", "c", KD_RSP_CALL_RESUME, " c:0"},
	{"cont-at", "c10", KD_RSP_CALL_RESUME, " 10+0 c:0 at"},
	{"step-signal", "S05", KD_RSP_CALL_RESUME, " s:0"},
	{"xfer", "qXfer:features:read:target.xml:0,ffb", KD_RSP_CALL_XFER,
		" 0+ffb “features” annex=target.xml"},
	{"xfer-no-annex", "qXfer:threads:read::10,1000", KD_RSP_CALL_XFER, " 10+1000 “threads”"},
	{"xfer-write", "qXfer:features:write:x:0:a", KD_RSP_CALL_BAD, " “features”"},
	{"monitor", "qRcmd,6b76", KD_RSP_CALL_MONITOR, " “kv” bytes=6b76"},
	{"monitor-nul", "qRcmd,6b00", KD_RSP_CALL_BAD, " bytes=6b00"},
	{"detach", "D;1", KD_RSP_CALL_DETACH, ""},
	{"kill", "vKill;1", KD_RSP_CALL_KILL, ""},
	{"unknown", "vMustReplyEmpty", KD_RSP_CALL_UNKNOWN, ""},
	{"empty", "", KD_RSP_CALL_UNKNOWN, ""},
};

static void
test_row (gconstpointer data)
{
	const typeof (rows[0]) *row = data;
	g_autofree char *want = g_strdup_printf ("%d%s", row->kind, row->rest);
	g_autoptr (GByteArray) framed = g_byte_array_new();

	kd_rsp_frame_encode (framed, row->payload, strlen (row->payload));
	for (size_t chunk = 1; chunk <= framed->len; chunk++) {
		g_autoptr (KdRspServer) server = kd_rsp_server_new();
		KdDecode outcome = KD_DECODE_MORE;
		KdRspServerEvent event;
		g_autofree char *got = NULL;

		for (size_t at = 0, used; at < framed->len; at += used) {
			g_assert_cmpint (outcome, ==, KD_DECODE_MORE);
			outcome = kd_rsp_server_feed (server, framed->data + at,
				MIN (chunk, framed->len - at), &used, &event, NULL);
		}
		g_assert_cmpint (outcome, ==, KD_DECODE_MESSAGE);
		g_assert_cmpint (event, ==, KD_RSP_SERVER_CALL);
		got = describe (kd_rsp_server_call (server));
		g_assert_cmpstr (got, ==, want);
	}
}

/*
 * A conversation: what the client sends, and what is written then. Each call is answered "OK" at
 * once unless `lazy`.
 */
static const struct {
	const char *name, *in, *out;
	gboolean lazy;
	int error; /* KdProtoError that ends it, -1: none */
} talks[] = {
	{"acks", "+$?#3f+", "+$OK#9a", FALSE, -1},
	{"damaged", "$?#3e$?#3f+", "-+$OK#9a", FALSE, -1},
	{"damaged-too-often", "$?#3e$?#3e$?#3e$?#3e$?#3e$?#3e", "-----", FALSE,
		KD_PROTO_ERROR_RETRIES},
	{"cut-off", "$m10,$?#3f", "+$OK#9a", FALSE, -1},
	{"half", "$m10,", "", FALSE, -1},
	{"asked-again", "$?#3f-", "+$OK#9a$OK#9a", FALSE, -1},
	{"asked-again-too-often", "$?#3f------", "+$OK#9a$OK#9a$OK#9a$OK#9a$OK#9a$OK#9a", FALSE,
		KD_PROTO_ERROR_RETRIES},
	{"asked-again-between-acks", "$?#3f+-+-+-+-+-+-+", "+$OK#9a$OK#9a$OK#9a$OK#9a$OK#9a$OK#9a",
		FALSE, KD_PROTO_ERROR_RETRIES},
	{"nack-of-nothing", "+-", "", FALSE, -1},
	{"no-ack", "$QStartNoAckMode#b0+$?#3f", "+$OK#9a$OK#9a", FALSE, -1},
	{"no-ack-damaged", "$QStartNoAckMode#b0$?#3e", "+$OK#9a", FALSE, KD_PROTO_ERROR_CHECKSUM},
	{"interrupt", "$c#63\x03", "+<int>", TRUE, -1},
	{"too-early", "$c#63$g#67", "+", TRUE, KD_PROTO_ERROR_STATE},
	{"notification", "+%Stop:T05#99$?#3f", "+$OK#9a", FALSE, -1},
	/* Nothing of what others send first is heard. */
	{"begins-with-http", "POST / HTTP/1.1\r\n\r\n+$?#3f", "", FALSE, KD_PROTO_ERROR_MALFORMED},
	{"begins-with-tls", "\x16\x03\x01\x02+$?#3f", "", FALSE, KD_PROTO_ERROR_MALFORMED},
	{"begins-with-line", "\r\n$?#3f", "", FALSE, KD_PROTO_ERROR_MALFORMED},
	{"begins-with-nack", "-$?#3f", "", FALSE, KD_PROTO_ERROR_MALFORMED},
	{"begins-with-break", "\xff\xf3g+$?#3f", "", FALSE, KD_PROTO_ERROR_MALFORMED},
	{"interrupt-on-connect", "\x03\x03+$?#3f", "+$OK#9a", FALSE, -1},
	{"interrupt-then-http", "\x03GET /+$?#3f", "", FALSE, KD_PROTO_ERROR_MALFORMED},
};

static void
test_talk (gconstpointer data)
{
	const typeof (talks[0]) *row = data;
	g_autoptr (KdRspServer) server = kd_rsp_server_new();
	g_autoptr (GString) out = g_string_new (NULL);
	g_autoptr (GError) error = NULL;
	size_t len = strlen (row->in);

	for (size_t at = 0, used, n; at < len && !error; at += used) {
		KdRspServerEvent event;
		const uint8_t *bytes;

		if (kd_rsp_server_feed (server, row->in + at, 1, &used, &event, &error) ==
			KD_DECODE_MESSAGE) {
			if (event == KD_RSP_SERVER_INTERRUPT)
				g_string_append (out, "<int>");
			else if (!row->lazy)
				kd_rsp_server_answer (server, "OK", 2);
		}
		bytes = kd_out_queue_peek (kd_rsp_server_out (server), &n);
		g_string_append_len (out, (const char *)bytes, (gssize)n);
		kd_out_queue_written (kd_rsp_server_out (server), n);
	}
	g_assert_cmpstr (out->str, ==, row->out);
	g_assert_cmpint (error ? error->code : -1, ==, row->error);
}

static void
test_limits (void)
{
	g_autofree char *junk = g_strnfill (KD_RSP_SERVER_JUNK_MAX + 2, 'x');
	g_autofree char *large = g_strnfill (KD_RSP_PAYLOAD_MAX + 2, '$');
	g_autoptr (KdRspServer) server = kd_rsp_server_new();
	g_autoptr (GString) rows_many = g_string_new ("vCont");
	g_autoptr (GError) error = NULL;
	KdRspServerEvent event;
	KdRspCall call;
	size_t used;

	junk[0] = '+';
	g_assert_cmpint (
		kd_rsp_server_feed (server, junk, strlen (junk) - 1, &used, &event, &error), ==,
		KD_DECODE_MORE);
	g_assert_cmpint (
		kd_rsp_server_feed (server, "x", 1, &used, &event, &error), ==, KD_DECODE_FAILED);
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED);
	g_clear_error (&error);
	/* Who has sent so much is not heard again. */
	kd_rsp_server_free (server);
	server = kd_rsp_server_new();
	memset (large + 1, 'a', KD_RSP_PAYLOAD_MAX + 1);
	g_assert_cmpint (kd_rsp_server_feed (server, large, strlen (large), &used, &event, &error),
		==, KD_DECODE_FAILED);
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE);
	kd_rsp_call_init (&call);
	for (int i = 0; i <= KD_RSP_CALL_ROWS_MAX; i++)
		g_string_append (rows_many, ";c:1");
	kd_rsp_call_parse (&call, rows_many->str, rows_many->len);
	g_assert_cmpint (call.kind, ==, KD_RSP_CALL_BAD);
	kd_rsp_call_clear (&call);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *path = g_strdup_printf ("/rsp-server/call/%s", rows[i].name);

		g_test_add_data_func (path, &rows[i], test_row);
	}
	for (size_t i = 0; i < G_N_ELEMENTS (talks); i++) {
		g_autofree char *path = g_strdup_printf ("/rsp-server/talk/%s", talks[i].name);

		g_test_add_data_func (path, &talks[i], test_talk);
	}
	g_test_add_func ("/rsp-server/limits", test_limits);
	return g_test_run();
}
