/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/rsp-packet.h"

#include <string.h>

static const KdRspFeatures none = {0, 400};
static const KdRspFeatures qemu = {
	KD_RSP_HAS_XFER_FEATURES | KD_RSP_HAS_VCONT | KD_RSP_HAS_MULTIPROCESS | KD_RSP_HAS_VCONT_C |
		KD_RSP_HAS_VCONT_S | KD_RSP_HAS_QEMU_SSTEP | KD_RSP_HAS_QEMU_PHYS,
	0x1000};

static void
says (const KdRspRequest *req, const char *text, KdRspExpect expect)
{
	g_assert_cmpstr (req->payload->str, ==, text);
	g_assert_cmpint (req->expect, ==, expect);
}

static void
test_requests (void)
{
	static const KdRspResume rows[] = {{'s', FALSE, {1, 2}}, {'c', TRUE, {0, 0}}};
	g_auto (KdRspRequest) req = {0};

	kd_rsp_request_init (&req);
	kd_rsp_request_read_register (&req, 339);
	says (&req, "p153", KD_RSP_EXPECT_REPLY);
	kd_rsp_request_set_thread (&req, &qemu, 'g', (KdRspThread){1, 0x1f});
	says (&req, "Hgp1.1f", KD_RSP_EXPECT_REPLY);
	kd_rsp_request_set_thread (&req, &none, 'c', (KdRspThread){0, -1});
	says (&req, "Hc-1", KD_RSP_EXPECT_REPLY);
	kd_rsp_request_detach (&req, &qemu, 1);
	says (&req, "D;1", KD_RSP_EXPECT_REPLY);
	kd_rsp_request_detach (&req, &none, 1);
	says (&req, "D", KD_RSP_EXPECT_REPLY);
	g_assert_true (kd_rsp_request_read_memory (
		&req, &qemu, G_GUINT64_CONSTANT (0xffff800008121d44), 2048, NULL));
	says (&req, "mffff800008121d44,800", KD_RSP_EXPECT_REPLY);
	g_assert_true (kd_rsp_request_write_memory (&req, &qemu, 0x10, "\xde\xad", 2, NULL));
	says (&req, "M10,2:dead", KD_RSP_EXPECT_REPLY);
	g_assert_true (kd_rsp_request_write_register (&req, &qemu, 32, "\1\2", 2, NULL));
	says (&req, "P20=0102", KD_RSP_EXPECT_REPLY);
	g_assert_true (kd_rsp_request_write_registers (&req, &qemu, "\1\2", 2, NULL));
	says (&req, "G0102", KD_RSP_EXPECT_REPLY);
	g_assert_true (kd_rsp_request_resume (&req, &qemu, rows, 2, NULL));
	says (&req, "vCont;s:p1.2;c", KD_RSP_EXPECT_RESUME);
	g_assert_true (kd_rsp_request_xfer_features (&req, &qemu, "target.xml", 0xff, NULL));
	says (&req, "qXfer:features:read:target.xml:ff,ffb", KD_RSP_EXPECT_REPLY);
	kd_rsp_request_insert_break (&req, KD_RSP_WATCH_ACCESS, 0x1000, 8);
	says (&req, "Z4,1000,8", KD_RSP_EXPECT_REPLY);
	kd_rsp_request_remove_break (&req, KD_RSP_BREAK_SOFT, 0x1000, 4);
	says (&req, "z0,1000,4", KD_RSP_EXPECT_REPLY);
	g_assert_true (kd_rsp_request_monitor (&req, &qemu, "info", NULL));
	says (&req, "qRcmd,696e666f", KD_RSP_EXPECT_MONITOR);
	kd_rsp_request_thread_extra (&req, &qemu, (KdRspThread){1, 2});
	says (&req, "qThreadExtraInfo,p1.2", KD_RSP_EXPECT_REPLY);
	g_assert_true (kd_rsp_request_qemu_set_sstep (&req, &qemu, 7, NULL));
	says (&req, "Qqemu.sstep=7", KD_RSP_EXPECT_REPLY);
	g_assert_true (kd_rsp_request_qemu_set_phys (&req, &qemu, TRUE, NULL));
	says (&req, "Qqemu.PhyMemMode:1", KD_RSP_EXPECT_REPLY);
	kd_rsp_request_stop_reason (&req);
	says (&req, "?", KD_RSP_EXPECT_STOP);
}

/* What the stub did not advertise is not built, and the request stays what it was. */
static void
test_unsupported (void)
{
	static const KdRspResume cont = {'c', TRUE, {0, 0}}, stop = {'t', TRUE, {0, 0}},
				 odd = {'r', TRUE, {0, 0}};
	g_auto (KdRspRequest) req = {0};

	kd_rsp_request_init (&req);
#define REFUSED(call)                                                                              \
	do {                                                                                       \
		g_autoptr (GError) error = NULL;                                                   \
		kd_rsp_request_current_thread (&req);                                              \
		g_assert_false (call);                                                             \
		g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_UNSUPPORTED);                \
		says (&req, "qC", KD_RSP_EXPECT_REPLY);                                            \
	} while (0)
	REFUSED (kd_rsp_request_xfer_features (&req, &none, "target.xml", 0, &error));
	REFUSED (kd_rsp_request_no_ack (&req, &qemu, &error));
	REFUSED (kd_rsp_request_vcont_actions (&req, &none, &error));
	REFUSED (kd_rsp_request_resume (&req, &none, &cont, 1, &error));
	REFUSED (kd_rsp_request_resume (&req, &qemu, &stop, 1, &error));
	REFUSED (kd_rsp_request_resume (&req, &qemu, &odd, 1, &error));
	REFUSED (kd_rsp_request_qemu_sstepbits (&req, &none, &error));
	REFUSED (kd_rsp_request_qemu_get_sstep (&req, &none, &error));
	REFUSED (kd_rsp_request_qemu_set_sstep (&req, &none, 7, &error));
	REFUSED (kd_rsp_request_qemu_get_phys (&req, &none, &error));
	REFUSED (kd_rsp_request_qemu_set_phys (&req, &none, TRUE, &error));
#undef REFUSED
}

static void
test_limits (void)
{
	g_autofree char *bytes = g_strnfill (4096, 'x');
	g_auto (KdRspRequest) req = {0};
	g_autoptr (GError) error = NULL;

	kd_rsp_request_init (&req);
	g_assert_cmpuint (kd_rsp_read_memory_max (&qemu), ==, 2048);
	g_assert_false (kd_rsp_request_read_memory (&req, &qemu, 0, 2049, &error));
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE);
	g_clear_error (&error);
	g_assert_true (kd_rsp_request_write_memory (
		&req, &qemu, G_MAXUINT64, bytes, kd_rsp_write_memory_max (&qemu), NULL));
	g_assert_cmpuint (req.payload->len, <=, qemu.packet_size);
	g_assert_false (kd_rsp_request_write_memory (
		&req, &qemu, 0, bytes, kd_rsp_write_memory_max (&qemu) + 1, &error));
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE);
	g_clear_error (&error);
	g_assert_false (kd_rsp_request_xfer_features (&req, &qemu, "a:b", 0, &error));
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED);
}

/* One shape for all parsers, so that rows can name them. */
typedef gboolean (*Parse) (const char *payload, size_t len, char **ret, GError **error);

static gboolean
parse_ok (const char *payload, size_t len, char **ret, GError **error)
{
	if (!kd_rsp_parse_ok (payload, len, error))
		return FALSE;
	*ret = g_strdup ("yes");
	return TRUE;
}

static gboolean
parse_supported (const char *payload, size_t len, char **ret, GError **error)
{
	KdRspFeatures features = KD_RSP_FEATURES_INIT;
	gboolean ok = kd_rsp_parse_supported (payload, len, &features, error);

	if (ok)
		*ret = g_strdup_printf ("%x/%zu", features.set, features.packet_size);
	else
		g_assert_cmpint (features.set + features.packet_size, ==, 400);
	return ok;
}

static gboolean
parse_vcont (const char *payload, size_t len, char **ret, GError **error)
{
	KdRspFeatures features = KD_RSP_FEATURES_INIT;
	gboolean ok = kd_rsp_parse_vcont_actions (payload, len, &features, error);

	if (ok)
		*ret = g_strdup_printf ("%x", features.set);
	else
		g_assert_cmpint (features.set, ==, 0);
	return ok;
}

static gboolean
parse_qemu (const char *payload, size_t len, char **ret, GError **error)
{
	KdRspFeatures features = KD_RSP_FEATURES_INIT;
	gboolean ok = kd_rsp_parse_qemu_supported (payload, len, &features, error);

	if (ok)
		*ret = g_strdup_printf ("%x", features.set);
	return ok;
}

static gboolean
parse_memory (const char *payload, size_t len, char **ret, GError **error)
{
	uint8_t bytes[4];
	size_t got = 99;
	gboolean ok = kd_rsp_parse_memory (payload, len, sizeof bytes, bytes, &got, error);

	if (ok)
		*ret = g_strdup_printf ("%zu:%02x", got, bytes[0]);
	else
		g_assert_cmpuint (got, ==, 99);
	return ok;
}

static gboolean
parse_registers (const char *payload, size_t len, char **ret, GError **error)
{
	uint8_t bytes[4];
	size_t got = 99;
	gboolean missing = 42;
	gboolean ok =
		kd_rsp_parse_registers (payload, len, sizeof bytes, bytes, &got, &missing, error);

	if (ok)
		*ret = g_strdup_printf ("%zu:%02x%s", got, bytes[0], missing ? " missing" : "");
	else
		g_assert_cmpuint (got + (size_t)missing, ==, 99 + 42);
	return ok;
}

static gboolean
parse_xfer (const char *payload, size_t len, char **ret, GError **error)
{
	g_autoptr (GByteArray) into = g_byte_array_new();
	gboolean last = 42;
	gboolean ok = kd_rsp_parse_xfer (payload, len, into, &last, error);

	if (ok)
		*ret = g_strdup_printf ("%.*s%s", (int)into->len, into->data, last ? "." : "+");
	else
		g_assert_cmpuint (into->len + (guint)last, ==, 42);
	return ok;
}

static gboolean
parse_threads (const char *payload, size_t len, char **ret, GError **error)
{
	g_autoptr (GArray) threads = g_array_new (FALSE, FALSE, sizeof (KdRspThread));
	GString *text;
	gboolean last = 42;

	if (!kd_rsp_parse_thread_info (payload, len, threads, &last, error)) {
		g_assert_cmpuint (threads->len + (guint)last, ==, 42);
		return FALSE;
	}
	text = g_string_new (NULL);
	for (guint i = 0; i < threads->len; i++) {
		KdRspThread *thread = &g_array_index (threads, KdRspThread, i);

		g_string_append_printf (text, "%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT " ",
			thread->pid, thread->tid);
	}
	g_string_append_c (text, last ? '.' : '+');
	*ret = g_string_free (text, FALSE);
	return TRUE;
}

static gboolean
parse_current (const char *payload, size_t len, char **ret, GError **error)
{
	KdRspThread thread = {42, 42};
	gboolean ok = kd_rsp_parse_current_thread (payload, len, &thread, error);

	if (ok)
		*ret = g_strdup_printf (
			"%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT, thread.pid, thread.tid);
	else
		g_assert_cmpint (thread.pid, ==, 42);
	return ok;
}

static gboolean
parse_text (const char *payload, size_t len, char **ret, GError **error)
{
	*ret = kd_rsp_parse_hex_text (payload, len, error);
	return *ret != NULL;
}

static gboolean
parse_monitor (const char *payload, size_t len, char **ret, GError **error)
{
	*ret = kd_rsp_parse_monitor (payload, len, error);
	return *ret != NULL;
}

static gboolean
number (gboolean ok, guint value, char **ret)
{
	if (ok)
		*ret = g_strdup_printf ("%u", value);
	else
		g_assert_cmpuint (value, ==, 42);
	return ok;
}

static gboolean
parse_bits (const char *payload, size_t len, char **ret, GError **error)
{
	guint bits = 42;
	gboolean ok = kd_rsp_parse_qemu_sstepbits (payload, len, &bits, error);

	return number (ok, bits, ret);
}

static gboolean
parse_sstep (const char *payload, size_t len, char **ret, GError **error)
{
	guint bits = 42;
	gboolean ok = kd_rsp_parse_qemu_sstep (payload, len, &bits, error);

	return number (ok, bits, ret);
}

static gboolean
parse_phys (const char *payload, size_t len, char **ret, GError **error)
{
	gboolean on = 42;
	gboolean ok = kd_rsp_parse_qemu_phys (payload, len, &on, error);

	return number (ok, (guint)on, ret);
}

static gboolean
parse_attached (const char *payload, size_t len, char **ret, GError **error)
{
	gboolean on = 42;
	gboolean ok = kd_rsp_parse_attached (payload, len, &on, error);

	return number (ok, (guint)on, ret);
}

#define MALFORMED NULL, KD_PROTO_ERROR_MALFORMED

static const struct {
	const char *name;
	Parse parse;
	const char *payload, *result;
	int code;
} rows[] = {
	{"ok", parse_ok, "OK", "yes", 0},
	{"ok-more", parse_ok, "OKK", MALFORMED},
	{"supported-7.2", parse_supported,
		"PacketSize=1000;qXfer:features:read+;vContSupported+;multiprocess+", "7/4096", 0},
	{"supported-minus", parse_supported, "multiprocess-;QStartNoAckMode?;swbreak+", "10/400",
		0},
	{"supported-huge", parse_supported, "PacketSize=ffffffffffff", "0/524288", 0},
	{"supported-tiny", parse_supported, "multiprocess+;PacketSize=3f", MALFORMED},
	{"supported-no-size", parse_supported, "PacketSize=", MALFORMED},
	{"supported-bad-size", parse_supported, "PacketSize=1k", MALFORMED},
	{"supported-odd", parse_supported, ";;x;=;multiprocess+", "4/400", 0},
	{"vcont", parse_vcont, "vCont;c;C;s;S", "300", 0},
	{"vcont-none", parse_vcont, "vCont", "0", 0},
	{"vcont-other", parse_vcont, "vContc;c", MALFORMED},
	{"qemu", parse_qemu, "sstepbits;sstep;PhyMemMode", "30000", 0},
	{"qemu-user", parse_qemu, "sstepbits;sstep", "10000", 0},
	{"memory", parse_memory, "deadbeef", "4:de", 0},
	{"memory-fewer", parse_memory, "e1", "1:e1", 0},
	{"memory-more", parse_memory, "deadbeef00", MALFORMED},
	{"memory-odd", parse_memory, "dea", MALFORMED},
	{"memory-no-hex", parse_memory, "dexd", MALFORMED},
	{"memory-not-mapped", parse_memory, "E14", NULL, KD_PROTO_ERROR_REMOTE},
	{"memory-not-text", parse_memory, "E.no access", NULL, KD_PROTO_ERROR_REMOTE},
	{"registers", parse_registers, "0102", "2:01", 0},
	{"registers-missing", parse_registers, "xx02", "2:00 missing", 0},
	{"registers-half", parse_registers, "x102", MALFORMED},
	{"registers-too-many", parse_registers, "0102030405", MALFORMED},
	{"xfer-more", parse_xfer, "mabc", "abc+", 0},
	{"xfer-last", parse_xfer, "labc", "abc.", 0},
	{"xfer-end", parse_xfer, "l", ".", 0},
	{"xfer-no-progress", parse_xfer, "m", MALFORMED},
	{"xfer-other", parse_xfer, "xabc", MALFORMED},
	{"xfer-error", parse_xfer, "E00", NULL, KD_PROTO_ERROR_REMOTE},
	{"threads", parse_threads, "mp01.01,p01.02", "1.1 1.2 +", 0},
	{"threads-plain", parse_threads, "m1,2,a", "0.1 0.2 0.10 +", 0},
	{"threads-end", parse_threads, "l", ".", 0},
	{"threads-none", parse_threads, "m", MALFORMED},
	{"threads-all", parse_threads, "mp1.1,-1", MALFORMED},
	{"threads-comma", parse_threads, "m1,", MALFORMED},
	{"threads-bad", parse_threads, "m1,p1.x", MALFORMED},
	{"threads-huge", parse_threads, "mffffffffffffffff", MALFORMED},
	{"current", parse_current, "QCp01.0a", "1.10", 0},
	{"current-plain", parse_current, "QC1", "0.1", 0},
	{"current-short", parse_current, "QC", MALFORMED},
	{"current-more", parse_current, "QC1;", MALFORMED},
	{"text", parse_text, "4350552330", "CPU#0", 0},
	{"text-odd", parse_text, "435", MALFORMED},
	{"monitor-ok", parse_monitor, "OK", "", 0},
	{"monitor-text", parse_monitor, "6f6b0a", "ok\n", 0},
	{"monitor-error", parse_monitor, "E01", NULL, KD_PROTO_ERROR_REMOTE},
	{"sstepbits", parse_bits, "ENABLE=1,NOIRQ=2,NOTIMER=4", "7", 0},
	{"sstepbits-bad", parse_bits, "ENABLE=1,NOIRQ", MALFORMED},
	{"sstep", parse_sstep, "0x7", "7", 0},
	{"sstep-plain", parse_sstep, "3", "3", 0},
	{"sstep-bad", parse_sstep, "0x", MALFORMED},
	{"sstep-large", parse_sstep, "100", MALFORMED},
	{"phys", parse_phys, "1", "1", 0},
	{"phys-bad", parse_phys, "2", MALFORMED},
	{"attached", parse_attached, "1", "1", 0},
};

static void
test_row (gconstpointer data)
{
	const typeof (rows[0]) *row = data;
	g_autoptr (GError) error = NULL;
	g_autofree char *result = NULL;
	size_t len = strlen (row->payload);
	/* As the decoder gives it: a NUL behind, and nothing after that. */
	g_autofree char *payload = g_memdup2 (row->payload, len + 1);

	g_assert_cmpint (row->parse (payload, len, &result, &error), ==, row->result != NULL);
	g_assert_cmpstr (result, ==, row->result);
	if (row->result)
		g_assert_no_error (error);
	else
		g_assert_error (error, KD_PROTO_ERROR, row->code);
}

/* An empty answer means the same to all, and an error too. */
static void
test_common (void)
{
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autoptr (GError) empty = NULL, refused = NULL;
		g_autofree char *result = NULL;

		g_assert_false (rows[i].parse ("", 0, &result, &empty));
		g_assert_error (empty, KD_PROTO_ERROR, KD_PROTO_ERROR_UNSUPPORTED);
		g_assert_false (rows[i].parse ("E1f", 3, &result, &refused));
		g_assert_error (refused, KD_PROTO_ERROR, KD_PROTO_ERROR_REMOTE);
		g_prefix_error (&refused, "while climbing: ");
		g_assert_cmpuint (kd_rsp_error_code (refused), ==, 0x1f);
		g_assert_cmpuint (kd_rsp_error_code (empty), ==, 0);
		g_assert_null (result);
	}
}

static void
test_xfer_endless (void)
{
	g_autoptr (GByteArray) into = g_byte_array_new();
	g_autofree char *piece = g_strnfill (4096, 'm');
	g_autoptr (GError) error = NULL;
	gboolean last;

	while (kd_rsp_parse_xfer (piece, 4096, into, &last, &error))
		g_assert_cmpuint (into->len, <=, KD_RSP_XFER_MAX);
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE);
}

static void
test_threads_endless (void)
{
	g_autoptr (GArray) into = g_array_new (FALSE, FALSE, sizeof (KdRspThread));
	g_autoptr (GError) error = NULL;
	gboolean last = FALSE;

	while (kd_rsp_parse_thread_info ("m1,2,3", 6, into, &last, &error))
		g_assert_cmpuint (into->len, <=, KD_RSP_THREADS_MAX);
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE);
	g_assert_cmpuint (into->len, ==, KD_RSP_THREADS_MAX / 3 * 3);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/rsp-packet/requests", test_requests);
	g_test_add_func ("/rsp-packet/unsupported", test_unsupported);
	g_test_add_func ("/rsp-packet/limits", test_limits);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *path = g_strdup_printf ("/rsp-packet/parse/%s", rows[i].name);

		g_test_add_data_func (path, &rows[i], test_row);
	}
	g_test_add_func ("/rsp-packet/parse/common", test_common);
	g_test_add_func ("/rsp-packet/parse/xfer-endless", test_xfer_endless);
	g_test_add_func ("/rsp-packet/parse/threads-endless", test_threads_endless);
	return g_test_run();
}
