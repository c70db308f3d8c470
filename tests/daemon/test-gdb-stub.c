/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What debuggers ask of a session, on a stub of our own: answers, and what the machine is left
 * with. */
#include <string.h>

#include "base/hex.h"
#include "daemon/gdb-stub.h"
#include "fake-stub.h"

typedef struct {
	FakeStub *fake;
	KdSession *session;
	KdGdbStub *one, *other; /* two clients */
} Fixture;

static Fixture
set_up (const FakeScript *script)
{
	Fixture f = {fake_stub_new (script), kd_session_new ("test"), kd_gdb_stub_new(),
		kd_gdb_stub_new()};
	KdTargetOptions options = {
		.address = fake_stub_address (f.fake), .timeout_ms = 1000, .no_direct = TRUE};
	g_autoptr (GError) error = NULL;

	f.session->target = kd_target_open_qemu (&options, NULL, &error);
	g_assert_no_error (error);
	kd_target_begin (f.session->target, 0);
	return f;
}

static void
tear_down (Fixture *f)
{
	kd_gdb_stub_free (f->one);
	kd_gdb_stub_free (f->other);
	kd_session_free (f->session);
	fake_stub_free (f->fake);
}

static KdGdbOutcome
call (Fixture *f, KdGdbStub *stub, const char *payload, GString *reply)
{
	KdGdbOutcome outcome;
	KdRspCall request;

	kd_rsp_call_init (&request);
	kd_rsp_call_parse (&request, payload, strlen (payload));
	outcome = kd_gdb_stub_call (stub, f->session, &request, reply);
	kd_rsp_call_clear (&request);
	return outcome;
}

static void
expect (Fixture *f, KdGdbStub *stub, const char *payload, const char *answer)
{
	g_autoptr (GString) reply = g_string_new (NULL);

	g_test_message ("%s", payload);
	g_assert_cmpint (call (f, stub, payload, reply), ==, KD_GDB_ANSWER);
	g_assert_cmpstr (reply->str, ==, answer);
}

static KdTargetState
state (Fixture *f)
{
	return kd_target_state (f->session->target);
}

/* --- one client --- */

static void
test_answers (void)
{
	static const char *const rows[][2] = {
		{"?", "T05thread:1;"},
		{"qfThreadInfo", "m1,2"},
		{"qsThreadInfo", "l"},
		{"qC", "QC1"},
		{"qAttached:1", "1"},
		{"vCont?", "vCont;c;C;s;S"},
		{"Hg2", "OK"},
		{"p2", "2020000000000000"},
		{"Hg1", "OK"},
		{"p2", "2010000000000000"},
		/* Not in `g`. */
		{"p28", "4010000000000000"},
		{"p29", "E16"},
		{"Hg3", "E16"},
		{"Hg0", "OK"},
		{"T2", "OK"},
		{"T3", "E16"},
		{"m1000,2", "5554"},
		{"m1000,0", ""},
		{"mzz,2", "E16"},
		{"qXfer:features:read:none.xml:0,10", "E00"},
		{"qXfer:features:read:target.xml:0,5", "m<?xml"},
		{"qXfer:features:read:target.xml:ffffffff,5", "l"},
		{"qOffsets", ""},
		{"qSymbol::", ""},
		{"vMustReplyEmpty", ""},
		{"k", "E01"},
		{"vCont;c:zz", "E16"},
	};
	Fixture f = set_up (&(FakeScript){.name = "plain"});
	g_autoptr (GString) reply = g_string_new (NULL);

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
		expect (&f, f.one, rows[i][0], rows[i][1]);
	g_assert_cmpint (call (&f, f.one, "qRcmd,6e6f6e6573756368", reply), ==, KD_GDB_OUTPUT);
	g_assert_true (g_str_has_prefix (reply->str, "kvmdbg: unknown command"));
	tear_down (&f);
}

static void
expect_monitor (Fixture *f, const char *line, const char *text)
{
	g_autoptr (GString) request = g_string_new ("qRcmd,");
	g_autoptr (GString) reply = g_string_new (NULL);

	kd_hex_append (request, line, strlen (line));
	g_assert_cmpint (call (f, f->one, request->str, reply), ==, KD_GDB_OUTPUT);
	g_test_message ("%s: %s", line, reply->str);
	g_assert_nonnull (strstr (reply->str, text));
}

/* Who came by a port has no file opened, written or found by name. */
static void
test_files (void)
{
	static const char *const lines[] = {"kvmdbg dump /proc/self/nothing",
		"dump --format elf vmcore", "list /etc/passwd:1", "list --source /etc main"};
	Fixture f = set_up (&(FakeScript){.name = "plain"});

	for (size_t i = 0; i < G_N_ELEMENTS (lines); i++)
		expect_monitor (&f, lines[i], "not from a port");
	expect_monitor (&f, "attach :1 --vmlinux /etc/passwd", "not from here");
	expect_monitor (&f, "run /etc/passwd", "not from here");
	expect_monitor (&f, "mem phys:0x1000 2", "0000000000001000");
	kd_gdb_stub_allow_files (f.one, TRUE);
	expect_monitor (&f, "dump /etc/passwd", "/etc/passwd is there already");
	expect_monitor (&f, "dump ../etc/passwd", "/etc/passwd is there already");
	tear_down (&f);
}

static void
test_dropped_write (void)
{
	Fixture f = set_up (&(FakeScript){.name = "plain"});
	Fixture drops = set_up (&(FakeScript){.name = "drops", .drops_writes = TRUE});

	expect (&f, f.one, "P0=0100000000000000", "OK");
	expect (&f, f.one, "p0", "0100000000000000");
	expect (&drops, drops.one, "P0=0100000000000000", "E01");
	expect (&f, f.one, "P0=010000000000000000", "E16");
	expect (&f, f.one, "P99=01", "E16");
	tear_down (&f);
	tear_down (&drops);
}

static void
test_step (void)
{
	Fixture f = set_up (&(FakeScript){.name = "sleeps", .sleeps = TRUE});
	g_autoptr (GString) reply = g_string_new (NULL);

	expect (&f, f.one, "?", "T05thread:1;");
	expect (&f, f.one, "vCont;s:1;c", "T05thread:1;");
	/* gdb asserts that what stops is what it stepped. */
	expect (&f, f.one, "vCont;s:2", "T05thread:2;");
	/* Another client has let it run. */
	g_assert_cmpint (call (&f, f.other, "vCont;c", reply), ==, KD_GDB_WAIT);
	expect (&f, f.one, "vCont;s:1", "T05thread:1;");
	g_assert_cmpint (state (&f), ==, KD_TARGET_STOPPED);
	g_assert_cmpint (kd_gdb_stub_stop_reply (f.other, f.session, reply), ==, KD_GDB_ANSWER);
	g_assert_cmpstr (reply->str, ==, "T05thread:1;");
	tear_down (&f);
}

static void
test_lost (void)
{
	Fixture f = set_up (&(FakeScript){.name = "plain"});
	g_autoptr (GString) reply = g_string_new (NULL);

	expect (&f, f.one, "Z1,1000,4", "OK");
	fake_stub_kill (f.fake);
	expect (&f, f.one, "p28", "E01");
	g_assert_cmpint (call (&f, f.one, "?", reply), ==, KD_GDB_END);
	g_assert_cmpstr (reply->str, ==, "W00");
	g_assert_true (kd_gdb_stub_leave (f.one, f.session, FALSE));
	tear_down (&f);
}

/* --- several --- */

static void
test_breakpoints (void)
{
	Fixture f = set_up (&(FakeScript){.name = "plain"});

	expect (&f, f.one, "Z1,5000,4", "OK");
	expect (&f, f.one, "Z1,5000,4", "OK");
	expect (&f, f.other, "Z1,5000,4", "OK");
	expect (&f, f.other, "Z2,6000,8", "OK");
	g_assert_cmpuint (fake_stub_breaks (f.fake), ==, 2);
	/* One that is not its own, one of another kind. */
	expect (&f, f.one, "z2,6000,8", "OK");
	expect (&f, f.one, "z0,5000,4", "OK");
	g_assert_cmpuint (fake_stub_breaks (f.fake), ==, 2);
	expect (&f, f.one, "z1,5000,4", "OK");
	g_assert_cmpuint (fake_stub_breaks (f.fake), ==, 2);
	g_assert_true (kd_gdb_stub_leave (f.other, f.session, TRUE));
	g_assert_cmpuint (fake_stub_breaks (f.fake), ==, 0);
	g_assert_cmpint (state (&f), ==, KD_TARGET_STOPPED);
	tear_down (&f);
}

static void
test_running (void)
{
	Fixture f = set_up (&(FakeScript){.name = "plain"});
	g_autoptr (GString) reply = g_string_new (NULL);

	g_assert_cmpint (call (&f, f.one, "vCont;c", reply), ==, KD_GDB_WAIT);
	g_assert_cmpint (call (&f, f.other, "c", reply), ==, KD_GDB_WAIT);
	g_assert_cmpint (kd_gdb_stub_stop_reply (f.one, f.session, reply), ==, KD_GDB_WAIT);
	/* Held for a moment each. */
	expect (&f, f.other, "Z1,5000,4", "OK");
	expect (&f, f.other, "p2", "2010000000000000");
	g_assert_cmpint (state (&f), ==, KD_TARGET_RUNNING);
	/* The client that sets breakpoints is gone: the other's machine runs on without them. */
	g_assert_true (kd_gdb_stub_leave (f.other, f.session, TRUE));
	g_assert_cmpint (state (&f), ==, KD_TARGET_RUNNING);
	g_assert_cmpuint (fake_stub_breaks (f.fake), ==, 0);
	g_assert_cmpuint (fake_stub_bytes_while_running (f.fake), ==, 0);
	/* The first question of another stops it, as connecting to any stub does. */
	g_string_truncate (reply, 0);
	g_assert_cmpint (call (&f, f.other, "?", reply), ==, KD_GDB_ANSWER);
	g_assert_cmpstr (reply->str, ==, "T02thread:1;");
	g_string_truncate (reply, 0);
	g_assert_cmpint (kd_gdb_stub_stop_reply (f.one, f.session, reply), ==, KD_GDB_ANSWER);
	g_assert_cmpstr (reply->str, ==, "T02thread:1;");
	/* It goes on when the last of those who found or let it run has left. */
	g_assert_true (kd_gdb_stub_leave (f.other, f.session, TRUE));
	g_assert_cmpint (state (&f), ==, KD_TARGET_STOPPED);
	g_assert_true (kd_gdb_stub_leave (f.one, f.session, FALSE));
	g_assert_cmpint (state (&f), ==, KD_TARGET_RUNNING);
	tear_down (&f);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/gdb-stub/answers", test_answers);
	g_test_add_func ("/gdb-stub/files", test_files);
	g_test_add_func ("/gdb-stub/dropped-write", test_dropped_write);
	g_test_add_func ("/gdb-stub/step", test_step);
	g_test_add_func ("/gdb-stub/lost", test_lost);
	g_test_add_func ("/gdb-stub/breakpoints", test_breakpoints);
	g_test_add_func ("/gdb-stub/running", test_running);
	return g_test_run();
}
