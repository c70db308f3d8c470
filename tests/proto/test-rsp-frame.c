/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/rsp-frame.h"

#include <string.h>

/* Feeds `bytes` in chunks of `chunk`; one line of text per outcome: what the client would see. */
static char *
run (KdRspDecoder *dec, const char *bytes, size_t len, size_t chunk)
{
	GString *log = g_string_new (NULL);

	for (size_t at = 0; at < len;) {
		size_t part = MIN (chunk, len - at), used = 0;
		/* A copy of its own size, so that reading past it is seen. */
		g_autofree char *copy = g_memdup2 (bytes + at, part);
		g_autoptr (GError) error = NULL;
		KdRspFrame frame = {0};

		switch (kd_rsp_decoder_feed (dec, copy, part, &used, &frame, &error)) {
		case KD_DECODE_MORE:
			g_assert_cmpuint (used, ==, part);
			g_assert_no_error (error);
			break;
		case KD_DECODE_MESSAGE:
			g_assert_no_error (error);
			g_assert_cmpint (frame.payload[frame.len], ==, '\0');
			g_string_append_printf (log, "%c[%.*s] ", "P%+-I"[frame.kind],
				(int)frame.len, frame.payload);
			break;
		case KD_DECODE_FAILED:
			g_assert_true (error && error->domain == KD_PROTO_ERROR);
			g_assert_null (frame.payload);
			g_string_append_printf (log, "!%d ", error->code);
			break;
		}
		g_assert_cmpuint (used, <=, part);
		at += used;
	}
	return g_string_free (log, FALSE);
}

#define BAD_SUM "!1 "
#define MALFORMED "!0 "
#define CUT_OFF "!2 "

G_STATIC_ASSERT (KD_PROTO_ERROR_MALFORMED == 0 && KD_PROTO_ERROR_CHECKSUM == 1 &&
		 KD_PROTO_ERROR_TRUNCATED == 2);

static const struct {
	const char *name, *bytes, *log;
	size_t junk;
} rows[] = {
	{"plain", "$OK#9a", "P[OK] ", 0},
	{"empty", "$#00", "P[] ", 0},
	{"upper-case-sum", "$OK#9A", "P[OK] ", 0},
	{"acks-around", "+$OK#9a-+", "+[] P[OK] -[] +[] ", 0},
	{"interrupt", "\x03+", "I[] +[] ", 0},
	{"notification", "%Stop:T05#99", "%[Stop:T05] ", 0},
	{"two", "$OK#9a$E14#aa", "P[OK] P[E14] ", 0},
	{"junk-between", "xy\r\n$OK#9a z", "P[OK] ", 6},
	{"run", "$0* #7a", "P[0000] ", 0},
	{"run-of-long", "$x*\"y#3d", "P[xxxxxxy] ", 0},
	{"escape", "$}\x03}\x04}]}\x0a#62", "P[#$}*] ", 0},
	{"escaped-star-is-no-run",
		"$a}\x0a"
		"b#4a",
		"P[a*b] ", 0},
	{"run-of-escaped", "$}\x03*!#cb", "P[#####] ", 0},
	{"bad-checksum", "$OK#9b$OK#9a", BAD_SUM "P[OK] ", 0},
	{"checksum-not-hex", "$OK#9g+", MALFORMED "+[] ", 0},
	{"cut-off-in-body", "$T05thr$OK#9a", CUT_OFF "P[OK] ", 0},
	{"cut-off-in-checksum", "$T05#$OK#9a", CUT_OFF "P[OK] ", 0},
	{"cut-off-in-checksum-2", "$T05#b$OK#9a", CUT_OFF "P[OK] ", 0},
	{"cut-off-in-escape", "$a}$OK#9a", CUT_OFF "P[OK] ", 0},
	{"cut-off-in-run", "$a*$OK#9a", CUT_OFF "P[OK] ", 0},
	{"run-without-a-byte", "$* #4a+", MALFORMED "+[] ", 0},
	{"run-count-too-small", "$a*\x1f#aa+", MALFORMED "+[] ", 0},
	{"run-without-a-count", "$a*#8b+", MALFORMED "+[] ", 0},
	{"escape-at-the-end", "$a}#de+", MALFORMED "+[] ", 0},
};

static void
test_row (gconstpointer data)
{
	const typeof (rows[0]) *row = data;
	size_t len = strlen (row->bytes);

	for (size_t chunk = 1; chunk <= len; chunk++) {
		g_autoptr (KdRspDecoder) dec = kd_rsp_decoder_new();
		g_autofree char *log = run (dec, row->bytes, len, chunk);

		g_assert_cmpstr (log, ==, row->log);
		g_assert_cmpuint (kd_rsp_decoder_get_junk (dec), ==, row->junk);
		g_assert_false (kd_rsp_decoder_in_packet (dec));
	}
}

/* Every byte value at every place of the fast path comes back as it was. */
static void
test_round_trip (void)
{
	uint8_t bytes[600];

	for (size_t len = 0; len <= sizeof bytes; len += len < 40 ? 1 : 37) {
		g_autoptr (GByteArray) out = g_byte_array_new();
		g_autoptr (KdRspDecoder) dec = kd_rsp_decoder_new();
		KdRspFrame frame = {0};
		size_t used = 0;

		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)(i * 7 + len);
		kd_rsp_frame_encode (out, bytes, len);
		g_assert_cmpint (
			kd_rsp_decoder_feed (dec, out->data, out->len, &used, &frame, NULL), ==,
			KD_DECODE_MESSAGE);
		g_assert_cmpuint (used, ==, out->len);
		g_assert_cmpmem (frame.payload, frame.len, bytes, len);
	}
}

static void
test_encode (void)
{
	g_autoptr (GByteArray) out = g_byte_array_new();

	kd_rsp_frame_encode (out, "OK", 2);
	kd_rsp_frame_encode (out, "a#$}*b", 6);
	g_assert_cmpmem (out->data, out->len,
		"$OK#9a$a}\x03}\x04}]}\x0a"
		"b#25",
		6 + 14);
}

/* Too large by run lengths as by bytes; what follows the packet is read. */
static void
test_too_large (void)
{
	static const char *const units[] = {"0*~", "0123456789abcdef", "}\x03"};

	for (size_t i = 0; i < G_N_ELEMENTS (units); i++) {
		g_autoptr (KdRspDecoder) dec = kd_rsp_decoder_new();
		g_autoptr (GString) text = g_string_new ("$");
		g_autofree char *log = NULL;
		g_autofree char *want = g_strdup_printf (
			"!%d P[OK] !%d P[OK] ", KD_PROTO_ERROR_TOO_LARGE, KD_PROTO_ERROR_TOO_LARGE);

		while (text->len < KD_RSP_PAYLOAD_MAX * (i == 2 ? 2 : 1) + 100)
			g_string_append (text, units[i]);
		g_string_append (text, "#00$OK#9a");
		/* And one whose end never comes. */
		g_string_append_len (text, text->str, (gssize)text->len - 9);
		g_string_append (text, "$OK#9a");
		log = run (dec, text->str, text->len, 4096);
		g_assert_cmpstr (log, ==, want);
	}
}

static void
test_largest (void)
{
	g_autofree char *bytes = g_strnfill (KD_RSP_PAYLOAD_MAX, 'a');
	g_autoptr (GByteArray) out = g_byte_array_new();
	g_autoptr (KdRspDecoder) dec = kd_rsp_decoder_new();
	KdRspFrame frame;
	size_t used;

	kd_rsp_frame_encode (out, bytes, KD_RSP_PAYLOAD_MAX);
	g_assert_cmpint (kd_rsp_decoder_feed (dec, out->data, out->len, &used, &frame, NULL), ==,
		KD_DECODE_MESSAGE);
	g_assert_cmpuint (frame.len, ==, KD_RSP_PAYLOAD_MAX);
}

static void
test_reset (void)
{
	g_autoptr (KdRspDecoder) dec = kd_rsp_decoder_new();
	g_autofree char *first = run (dec, "$T05th", 6, 6);
	g_autofree char *second = NULL;

	g_assert_true (kd_rsp_decoder_in_packet (dec));
	kd_rsp_decoder_reset (dec);
	second = run (dec, "+$OK#9a", 7, 7);
	g_assert_cmpstr (second, ==, "+[] P[OK] ");
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *path = g_strdup_printf ("/rsp-frame/%s", rows[i].name);

		g_test_add_data_func (path, &rows[i], test_row);
	}
	g_test_add_func ("/rsp-frame/round-trip", test_round_trip);
	g_test_add_func ("/rsp-frame/encode", test_encode);
	g_test_add_func ("/rsp-frame/too-large", test_too_large);
	g_test_add_func ("/rsp-frame/largest", test_largest);
	g_test_add_func ("/rsp-frame/reset", test_reset);
	return g_test_run();
}
