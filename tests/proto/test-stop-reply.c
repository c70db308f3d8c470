/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/stop-reply.h"

#include <string.h>

static char *
describe (const KdStopReply *stop)
{
	GString *out = g_string_new (NULL);

	g_string_append_printf (
		out, "%c%u %s", "TWXN"[stop->kind], stop -> signal, kd_stop_reply_word (stop));
	if (stop->has_thread)
		g_string_append_printf (out, " %" G_GINT64_FORMAT ".%" G_GINT64_FORMAT,
			stop->thread.pid, stop->thread.tid);
	if (stop->watch_addr)
		g_string_append_printf (out, " @%" G_GINT64_MODIFIER "x", stop->watch_addr);
	if (stop->core >= 0)
		g_string_append_printf (out, " core%" G_GINT64_FORMAT, stop->core);
	if (stop->text)
		g_string_append_printf (out, " (%s)", stop->text);
	for (guint i = 0; i < stop->regs->len; i++) {
		KdStopReg *reg = &g_array_index (stop->regs, KdStopReg, i);

		g_string_append_printf (out, " r%u/%zu", reg->regnum, reg->len);
	}
	return g_string_free (out, FALSE);
}

static const struct {
	const char *name, *payload, *result;
	int code;
} rows[] = {
	{"qemu", "T05thread:p01.02;", "T5 trap 1.2", 0},
	{"connected-10.0", "T00thread:p01.01;", "T0 interrupt 1.1", 0},
	{"interrupt", "T02thread:01;", "T2 interrupt 0.1", 0},
	{"signal", "S0b", "T11 signal-11", 0},
	{"signal-only", "T05", "T5 trap", 0},
	{"watch", "T05thread:p1.1;watch:ffff800008121d44;", "T5 watchpoint 1.1 @ffff800008121d44",
		0},
	{"rwatch", "T05rwatch:10;", "T5 watchpoint @10", 0},
	{"awatch", "T05awatch:10;", "T5 watchpoint @10", 0},
	{"swbreak", "T05swbreak:;thread:p1.-1;", "T5 breakpoint 1.-1", 0},
	{"hwbreak", "T05hwbreak:;core:1;", "T5 breakpoint core1", 0},
	{"registers", "T0506:0000;20:0011223344556677;7:xxxx;", "T5 trap r6/2 r32/8", 0},
	{"other", "T05library:x;replaylog:begin;", "T5 trap (library:x)", 0},
	{"other-escaped", "T05lib\x1b:\n;", "T5 trap (lib\\x1b:\\n)", 0},
	{"no-last-semicolon", "T05thread:1", "T5 trap 0.1", 0},
	{"exited", "W2a", "W42 exited", 0},
	{"exited-process", "W00;process:1", "W0 exited", 0},
	{"terminated", "X09", "X9 terminated", 0},
	{"no-threads", "N", "N0 no-threads", 0},
	{"empty", "", NULL, KD_PROTO_ERROR_UNSUPPORTED},
	{"error", "E22", NULL, KD_PROTO_ERROR_REMOTE},
	{"ok", "OK", NULL, KD_PROTO_ERROR_MALFORMED},
	{"no-signal", "T", NULL, KD_PROTO_ERROR_MALFORMED},
	{"bad-signal", "T0g", NULL, KD_PROTO_ERROR_MALFORMED},
	{"no-colon", "T05thread", NULL, KD_PROTO_ERROR_MALFORMED},
	{"no-key", "T05:1;", NULL, KD_PROTO_ERROR_MALFORMED},
	{"empty-pair", "T05thread:1;;", NULL, KD_PROTO_ERROR_MALFORMED},
	{"bad-thread", "T05thread:x;", NULL, KD_PROTO_ERROR_MALFORMED},
	{"thread-and-more", "T05thread:1x;", NULL, KD_PROTO_ERROR_MALFORMED},
	{"watch-nowhere", "T05watch:;", NULL, KD_PROTO_ERROR_MALFORMED},
	{"watch-too-long", "T05watch:10000000000000000;", NULL, KD_PROTO_ERROR_MALFORMED},
	{"odd-register", "T0506:000;", NULL, KD_PROTO_ERROR_MALFORMED},
	{"bad-register", "T0506:0g;", NULL, KD_PROTO_ERROR_MALFORMED},
	{"register-number", "T05ffffff:00;", NULL, KD_PROTO_ERROR_MALFORMED},
	{"bad-core", "T05core:-1;", NULL, KD_PROTO_ERROR_MALFORMED},
	{"signal-and-more", "S05x", NULL, KD_PROTO_ERROR_MALFORMED},
	{"file-io", "Fopen,1,2,3", NULL, KD_PROTO_ERROR_MALFORMED},
};

static void
test_row (gconstpointer data)
{
	const typeof (rows[0]) *row = data;
	size_t len = strlen (row->payload);
	g_autofree char *payload = g_memdup2 (row->payload, len + 1);
	g_autoptr (GError) error = NULL;
	g_autoptr (KdStopReply) stop = kd_stop_reply_parse (payload, len, &error);
	g_autofree char *text = stop ? describe (stop) : NULL;

	g_assert_cmpstr (text, ==, row->result);
	if (!row->result)
		g_assert_error (error, KD_PROTO_ERROR, row->code);
}

static void
test_register_bytes (void)
{
	g_autoptr (KdStopReply) stop = kd_stop_reply_parse ("T0506:01ff;", 11, NULL);

	g_assert_nonnull (stop);
	g_assert_cmpmem (g_array_index (stop->regs, KdStopReg, 0).bytes, 2, "\x01\xff", 2);
}

static void
test_too_many_registers (void)
{
	g_autoptr (GString) text = g_string_new ("T05");
	g_autoptr (GError) error = NULL;

	for (guint i = 0; i <= KD_STOP_REPLY_REGS_MAX; i++)
		g_string_append_printf (text, "%x:00;", i);
	g_assert_null (kd_stop_reply_parse (text->str, text->len, &error));
	g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED);
}

/* Answers of other requests are never taken for a stop. */
static void
test_matches (void)
{
	static const char *const others[] = {"", "OK", "E14", "deadbeef", "mp01.01", "l", "QC1",
		"1", "T", "T5", "S5", "S055", "Target", "W", "vCont;c;s", "PacketSize=1000",
		"T05 text"};

	for (size_t i = 0; i < G_N_ELEMENTS (others); i++)
		g_assert_false (kd_stop_reply_matches (others[i], strlen (others[i])));
	g_assert_true (kd_stop_reply_matches ("T05thread:p01.01;", 17));
	g_assert_true (kd_stop_reply_matches ("S05", 3));
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *path = g_strdup_printf ("/stop-reply/%s", rows[i].name);

		g_test_add_data_func (path, &rows[i], test_row);
	}
	g_test_add_func ("/stop-reply/register-bytes", test_register_bytes);
	g_test_add_func ("/stop-reply/too-many-registers", test_too_many_registers);
	g_test_add_func ("/stop-reply/matches", test_matches);
	return g_test_run();
}
