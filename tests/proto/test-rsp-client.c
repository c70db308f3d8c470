/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/rsp-client.h"

#include <string.h>

typedef struct {
	KdRspClient *client;
	KdRspRequest req;
	GString *log; /* events since the last look */
	size_t chunk;
} Fixture;

static void
set_up (Fixture *f, size_t chunk)
{
	f->client = kd_rsp_client_new();
	kd_rsp_request_init (&f->req);
	f->log = g_string_new (NULL);
	f->chunk = chunk;
}

static void
tear_down (Fixture *f)
{
	kd_rsp_client_free (f->client);
	kd_rsp_request_clear (&f->req);
	g_string_free (f->log, TRUE);
}

/* What the client wrote, exactly; it is taken in two parts. */
static void
wrote (Fixture *f, const char *expected)
{
	g_autoptr (GString) all = g_string_new (NULL);
	size_t len = 1;

	while (len > 0) {
		const uint8_t *out = kd_out_queue_peek (kd_rsp_client_out (f->client), &len);
		size_t part = (len + 1) / 2;

		g_string_append_len (all, (const char *)out, (gssize)part);
		kd_out_queue_written (kd_rsp_client_out (f->client), part);
	}
	g_assert_cmpstr (all->str, ==, expected);
}

/* Feeds the stub's bytes; what came of them is R (reply), S (stop), O (output), N, X (stray) or
 * !code. */
static void
stub_says (Fixture *f, const char *bytes, const char *expected)
{
	size_t len = strlen (bytes);

	g_string_truncate (f->log, 0);
	for (size_t at = 0; at < len;) {
		size_t part = MIN (f->chunk, len - at), used = 0;
		g_autofree char *copy = g_memdup2 (bytes + at, part);
		g_autoptr (GError) error = NULL;
		KdRspEvent event = {0};

		switch (kd_rsp_client_feed (f->client, copy, part, &used, &event, &error)) {
		case KD_DECODE_MORE:
			g_assert_cmpuint (used, ==, part);
			break;
		case KD_DECODE_MESSAGE:
			g_string_append_printf (
				f->log, "%c[%s] ", "RSONX"[event.kind], event.payload);
			g_assert_cmpuint (strlen (event.payload), ==, event.len);
			break;
		case KD_DECODE_FAILED:
			g_assert_true (error && error->domain == KD_PROTO_ERROR);
			g_string_append_printf (f->log, "!%d ", error->code);
			break;
		}
		at += used;
	}
	g_assert_cmpstr (f->log->str, ==, expected);
}

static void
ask (Fixture *f)
{
	g_autoptr (GError) error = NULL;

	g_assert_true (kd_rsp_client_send (f->client, &f->req, &error));
	g_assert_no_error (error);
}

static void
ask_text (Fixture *f, const char *payload, KdRspExpect expect)
{
	g_string_assign (f->req.payload, payload);
	f->req.expect = expect;
	ask (f);
}

/* The opening of a session as QEMU 7.2 answers it, with the stop reply nobody asked for. */
static void
talk_qemu (Fixture *f)
{
	static const KdRspResume cont = {'c', TRUE, {0, 0}};
	const KdRspFeatures *features = kd_rsp_client_get_features (f->client);

	stub_says (f, "$T05thread:p01.01;#06", "S[T05thread:p01.01;] ");
	kd_rsp_request_supported (&f->req);
	ask (f);
	wrote (f, "+$qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+#9b");
	stub_says (f, "+$PacketSize=1000;qXfer:features:read+;vContSupported+;multiprocess+#92",
		"R[PacketSize=1000;qXfer:features:read+;vContSupported+;multiprocess+] ");
	g_assert_cmpuint (features->packet_size, ==, 4096);
	g_assert_true (kd_rsp_request_vcont_actions (&f->req, features, NULL));
	ask (f);
	/* The ack rides with the next request. */
	wrote (f, "+$vCont?#49");
	stub_says (f, "+$vCont;c;C;s;S#62", "R[vCont;c;C;s;S] ");
	kd_rsp_request_qemu_supported (&f->req);
	ask (f);
	wrote (f, "+$qqemu.Supported#1d");
	stub_says (f, "+$sstepbits;sstep;PhyMemMode#5b", "R[sstepbits;sstep;PhyMemMode] ");
	g_assert_cmphex (features->set, ==, 0x30307);
	g_assert_true (kd_rsp_request_resume (&f->req, features, &cont, 1, NULL));
	ask (f);
	wrote (f, "+$vCont;c#a8");
	g_assert_true (kd_rsp_client_is_running (f->client));
	stub_says (f, "+$O6869#2c", "O[hi] ");
	g_assert_true (kd_rsp_client_is_running (f->client));
	g_assert_true (kd_rsp_client_interrupt (f->client, NULL));
	wrote (f, "+\x03");
	stub_says (f, "$T02thread:p01.02;#04", "R[T02thread:p01.02;] ");
	g_assert_false (kd_rsp_client_is_busy (f->client));
	wrote (f, "+");
}

static void
test_qemu (void)
{
	for (size_t chunk = 1; chunk < 80; chunk++) {
		Fixture f;

		set_up (&f, chunk);
		talk_qemu (&f);
		tear_down (&f);
	}
}

static void
test_retransmission (void)
{
	Fixture f;

	set_up (&f, 3);
	ask_text (&f, "qC", KD_RSP_EXPECT_REPLY);
	wrote (&f, "$qC#b4");
	stub_says (&f, "-", "");
	wrote (&f, "$qC#b4");
	/* The stub's answer is damaged: asked for again, once each. */
	stub_says (&f, "+$QC1#c6$QC1#zz", "");
	wrote (&f, "--");
	/* Noise after the ack does not run the request twice. */
	stub_says (&f, "-", "");
	wrote (&f, "");
	stub_says (&f, "$QC1#c5", "R[QC1] ");
	wrote (&f, "+");
	stub_says (&f, "-", "");
	wrote (&f, "");
	tear_down (&f);
}

/* After the bounds there is an error, and the client goes on. */
static void
test_retries (void)
{
	Fixture f;

	set_up (&f, 100);
	ask_text (&f, "qC", KD_RSP_EXPECT_REPLY);
	stub_says (&f, "-----", "");
	wrote (&f, "$qC#b4$qC#b4$qC#b4$qC#b4$qC#b4$qC#b4");
	stub_says (&f, "-", "!8 ");
	g_assert_false (kd_rsp_client_is_busy (f.client));
	ask_text (&f, "qC", KD_RSP_EXPECT_REPLY);
	stub_says (&f, "+$#01$#01$#01$#01$#01", "");
	wrote (&f, "$qC#b4-----");
	stub_says (&f, "$#01", "!8 ");
	wrote (&f, "");
	ask_text (&f, "qC", KD_RSP_EXPECT_REPLY);
	stub_says (&f, "+$QC1#c5", "R[QC1] ");
	tear_down (&f);
}

static void
test_no_ack (void)
{
	Fixture f;

	set_up (&f, 1);
	ask_text (&f, "qSupported", KD_RSP_EXPECT_SUPPORTED);
	stub_says (&f, "+$QStartNoAckMode+#db", "R[QStartNoAckMode+] ");
	g_assert_true (kd_rsp_request_no_ack (&f.req, kd_rsp_client_get_features (f.client), NULL));
	ask (&f);
	wrote (&f, "$qSupported#37+$QStartNoAckMode#b0");
	stub_says (&f, "+$OK#9a", "R[OK] ");
	wrote (&f, "+");
	ask_text (&f, "qC", KD_RSP_EXPECT_REPLY);
	stub_says (&f, "$QC1#c5", "R[QC1] ");
	wrote (&f, "$qC#b4");
	/* Nothing can be asked for again here. */
	ask_text (&f, "qC", KD_RSP_EXPECT_REPLY);
	stub_says (&f, "$QC1#c6", "!1 ");
	wrote (&f, "$qC#b4");
	tear_down (&f);
}

static void
test_one_at_a_time (void)
{
	g_autoptr (GError) error = NULL;
	g_autofree char *huge = g_strnfill (401, 'x');
	Fixture f;

	set_up (&f, 100);
	g_assert_false (kd_rsp_client_interrupt (f.client, &error));
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_STATE);
	g_clear_error (&error);
	g_string_assign (f.req.payload, huge);
	g_assert_false (kd_rsp_client_send (f.client, &f.req, &error));
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE);
	g_clear_error (&error);
	ask_text (&f, "qC", KD_RSP_EXPECT_REPLY);
	g_assert_false (kd_rsp_client_send (f.client, &f.req, &error));
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_STATE);
	g_clear_error (&error);
	wrote (&f, "$qC#b4");
	tear_down (&f);
}

/* A resume behind a read, in one write: from then on not even an ack may go out. */
static void
test_resume_behind (void)
{
	Fixture f;

	set_up (&f, 1);
	kd_rsp_client_set_window (f.client, 4);
	ask_text (&f, "p20", KD_RSP_EXPECT_REPLY);
	ask_text (&f, "vCont;s:p1.1", KD_RSP_EXPECT_RESUME);
	g_string_assign (f.req.payload, "p21");
	f.req.expect = KD_RSP_EXPECT_REPLY;
	g_assert_false (kd_rsp_client_send (f.client, &f.req, NULL));
	wrote (&f, "$p20#d2$vCont;s:p1.1#f2");
	stub_says (&f, "+$00#60+", "R[00] ");
	wrote (&f, "");
	g_assert_true (kd_rsp_client_is_running (f.client));
	stub_says (&f, "$T05thread:p01.01;#06", "R[T05thread:p01.01;] ");
	wrote (&f, "+");
	tear_down (&f);
}

/* Which packet answers which request. */
static void
test_routing (void)
{
	static const struct {
		const char *request;
		KdRspExpect expect;
		const char *bytes, *events;
	} rows[] = {
		{"m0,4", KD_RSP_EXPECT_REPLY, "+$T05thread:p01.01;#06$00000000#80",
			"S[T05thread:p01.01;] R[00000000] "},
		{"?", KD_RSP_EXPECT_STOP, "+$T05thread:p01.01;#06$T05thread:p01.01;#06",
			"R[T05thread:p01.01;] S[T05thread:p01.01;] "},
		{"qRcmd,69", KD_RSP_EXPECT_MONITOR, "+$O6869#2c$O0a#e0$OK#9a",
			"O[hi] O[\n] R[OK] "},
		{"vCont;c", KD_RSP_EXPECT_RESUME, "+$E22#a9", "R[E22] "},
		{"vCont;c", KD_RSP_EXPECT_RESUME, "+$#00", "R[] "},
		{"qC", KD_RSP_EXPECT_REPLY, "+%Stop:T05#99$QC1#c5", "N[Stop:T05] R[QC1] "},
		/* Without an ack: the answer is ack enough. */
		{"qC", KD_RSP_EXPECT_REPLY, "$QC1#c5$OK#9a", "R[QC1] X[OK] "},
		{"qSupported", KD_RSP_EXPECT_SUPPORTED, "+$#00", "R[] "},
		{"qSupported", KD_RSP_EXPECT_SUPPORTED, "+$PacketSize=x#a8", "!0 "},
		{"vCont?", KD_RSP_EXPECT_VCONT_ACTIONS, "+$E01#a6", "R[E01] "},
		{"QStartNoAckMode", KD_RSP_EXPECT_NO_ACK, "+$OK+#c5", "!0 "},
		{"qC", KD_RSP_EXPECT_REPLY, "+$QC$QC1#c5", "R[QC1] "},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_test_message ("%s: %s", rows[i].request, rows[i].bytes);
		for (size_t chunk = 1; chunk <= strlen (rows[i].bytes); chunk++) {
			Fixture f;

			set_up (&f, chunk);
			ask_text (&f, rows[i].request, rows[i].expect);
			stub_says (&f, rows[i].bytes, rows[i].events);
			g_assert_false (kd_rsp_client_is_busy (f.client));
			tear_down (&f);
		}
	}
}

/* A peer that is no stub is known after a few bytes, or when it closes. */
static void
test_no_stub (void)
{
	static const char header[] =
		"HTTP/1.1 400 Bad Request\r\nContent-Type: text-html; utf-8\r\n";
	g_autoptr (GString) page = g_string_new (header);
	g_autoptr (GError) error = NULL;
	Fixture f;

	set_up (&f, 20);
	ask_text (&f, "qSupported", KD_RSP_EXPECT_SUPPORTED);
	stub_says (&f, header, "");
	g_assert_false (kd_rsp_client_eof (f.client, &error));
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED);
	tear_down (&f);

	/* Its '-' are no requests to send again. */
	while (page->len < 260)
		g_string_append (page, "<p>Your request is--bad</p>");
	g_string_truncate (page, 260);
	set_up (&f, 260);
	ask_text (&f, "qSupported", KD_RSP_EXPECT_SUPPORTED);
	stub_says (&f, page->str, "!0 ");
	g_assert_false (kd_rsp_client_is_busy (f.client));
	wrote (&f, "$qSupported#37");
	tear_down (&f);
}

static void
test_too_large (void)
{
	g_autofree char *body = g_strnfill (KD_RSP_PAYLOAD_MAX + 1, 'a');
	g_autofree char *packet = g_strconcat ("+$", body, "#00", NULL);
	Fixture f;

	set_up (&f, 65536);
	ask_text (&f, "g", KD_RSP_EXPECT_REPLY);
	stub_says (&f, packet, "!3 ");
	g_assert_false (kd_rsp_client_is_busy (f.client));
	/* Acknowledged all the same, or the stub would send it again. */
	wrote (&f, "$g#67+");
	tear_down (&f);
}

static void
test_eof (void)
{
	g_autoptr (GError) error = NULL;
	Fixture f;

	set_up (&f, 1);
	g_assert_true (kd_rsp_client_eof (f.client, &error));
	ask_text (&f, "qC", KD_RSP_EXPECT_REPLY);
	stub_says (&f, "+$QC", "");
	g_assert_false (kd_rsp_client_eof (f.client, &error));
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_CLOSED);
	g_assert_false (kd_rsp_client_is_busy (f.client));
	tear_down (&f);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/rsp-client/qemu", test_qemu);
	g_test_add_func ("/rsp-client/retransmission", test_retransmission);
	g_test_add_func ("/rsp-client/retries", test_retries);
	g_test_add_func ("/rsp-client/no-ack", test_no_ack);
	g_test_add_func ("/rsp-client/one-at-a-time", test_one_at_a_time);
	g_test_add_func ("/rsp-client/routing", test_routing);
	g_test_add_func ("/rsp-client/resume-behind", test_resume_behind);
	g_test_add_func ("/rsp-client/no-stub", test_no_stub);
	g_test_add_func ("/rsp-client/too-large", test_too_large);
	g_test_add_func ("/rsp-client/eof", test_eof);
	return g_test_run();
}
