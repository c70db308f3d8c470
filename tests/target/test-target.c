/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The live target against a stub of our own: what it makes of it, and what it sends. */
#include <string.h>

#include "fake-stub.h"
#include "target/target-private.h"

static KdTarget *
open_with (FakeStub *stub, GError **error)
{
	KdTargetOptions options = {
		.address = fake_stub_address (stub), .timeout_ms = 1000, .no_direct = TRUE};

	return kd_target_open_qemu (&options, NULL, error);
}

static KdTarget *
open_ok (FakeStub *stub)
{
	g_autoptr (GError) error = NULL;
	KdTarget *target = open_with (stub, &error);

	g_assert_no_error (error);
	g_assert_nonnull (target);
	kd_target_begin (target, 0);
	return target;
}

/* Only what the base protocol has and what this stub said it takes. */
static void
assert_polite (FakeStub *stub)
{
	static const char *const never[] = {"bc", "bs", "X", "x", "vAttach", "vKill", "k", "R", "C",
		"c", "s", "QStartNoAckMode", "QNonStop"};

	for (size_t i = 0; i < G_N_ELEMENTS (never); i++)
		g_assert_cmpuint (fake_stub_count (stub, never[i]), ==, 0);
	g_assert_cmpuint (fake_stub_bytes_while_running (stub), ==, 0);
}

static uint64_t
reg (KdTarget *target, unsigned cpu, const char *name)
{
	g_autoptr (GError) error = NULL;
	uint64_t value = 0;

	kd_target_reg_get (target, cpu, name, &value, &error);
	g_assert_no_error (error);
	return value;
}

/* --- attaching --- */

static const FakeScript good[] = {
	{.name = "plain"},
	{.name = "byte-at-a-time", .chunk = 1},
	{.name = "seven-bytes-at-a-time", .chunk = 7},
	{.name = "stop-nobody-asked-for", .greeting = "$T02thread:p01.01;#04"},
	{.name = "stop-before-an-answer", .stop_at = "qfThreadInfo"},
	{.name = "silent-on-p-before-xml", .p_needs_xml = TRUE},
	{.name = "not-qemu", .at = "qqemu.", .answer = ""},
	{.name = "no-monitor", .at = "qRcmd", .answer = ""},
};

static void
test_attach (gconstpointer data)
{
	g_autoptr (FakeStub) stub = fake_stub_new (data);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	g_autofree char *last = NULL;

	g_assert_cmpint (kd_target_state (target), ==, KD_TARGET_STOPPED);
	g_assert_cmpint (kd_target_last_stop (target)->reason, ==, KD_STOP_ATTACH);
	g_assert_cmpuint (kd_target_nr_cpus (target), ==, 2);
	g_assert_cmpstr (kd_target_arch (target)->name, ==, "arm64");
	g_assert_cmphex (reg (target, 0, "pc"), ==, fake_reg (0, 2));
	g_assert_cmphex (reg (target, 1, "pc"), ==, fake_reg (1, 2));
	g_assert_true (kd_target_detach (target, TRUE, &error));
	g_assert_no_error (error);
	g_assert_cmpint (kd_target_state (target), ==, KD_TARGET_LOST);
	last = fake_stub_last (stub);
	g_assert_cmpstr (last, ==, "D;1");
	assert_polite (stub);
}

/* What a client that was killed has set in QEMU itself. */
static void
test_left_modes (void)
{
	const FakeScript script = {.name = "left-modes", .left_phys = TRUE};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	uint8_t byte = 0;
	size_t got;

	g_assert_false (fake_stub_is_phys (stub));
	g_assert_true (kd_rsp_link_read_memory (target->rsp, FALSE, 0x7123, &byte, 1, &got, NULL));
	g_assert_cmphex (byte, ==, fake_virt_byte (0, 0x7123));
	g_assert_cmpuint (fake_stub_count (stub, "Qqemu.sstep=7"), ==, 1);
}

typedef struct {
	FakeScript script;
	int code;
	gboolean let_go; /* one that we have stopped, or will, and cannot use is sent D */
} BadRow;

static const BadRow bad[] = {
	{{.name = "silent", .silent = TRUE}, KD_TARGET_ERROR_CONNECT, TRUE},
	{{.name = "http",
		 .silent = TRUE,
		 .greeting = "HTTP/1.1 400 Bad Request\r\nContent-Type: "
			     "text/html\r\nConnection: close\r\nContent-Length: "
			     "120\r\n\r\n<html><head><title>Bad "
			     "request</title></head><body>Your browser sent a request that this "
			     "server could not "
			     "understand.</body></html>"},
		KD_TARGET_ERROR_CONNECT, TRUE},
	{{.name = "dies-in-first-packet", .die_at = "qSupported"}, KD_TARGET_ERROR_CONNECT},
	{{.name = "dies-in-threads", .die_at = "qfThreadInfo"}, KD_TARGET_ERROR_LOST},
	{{.name = "dies-in-xml", .die_at = "qXfer"}, KD_TARGET_ERROR_LOST},
	{{.name = "no-features", .at = "qSupported", .answer = ""}, KD_TARGET_ERROR_UNSUPPORTED,
		TRUE},
	{{.name = "no-cpus", .at = "qfThreadInfo", .answer = "l"}, KD_TARGET_ERROR_PROTOCOL, TRUE},
	{{.name = "bad-threads", .at = "qfThreadInfo", .answer = "mp01.zz"},
		KD_TARGET_ERROR_PROTOCOL, TRUE},
	{{.name = "bad-xml", .at = "qXfer", .answer = "l<target><"}, KD_TARGET_ERROR_PROTOCOL,
		TRUE},
	{{.name = "xml-without-end", .at = "qXfer", .answer = "m"}, KD_TARGET_ERROR_PROTOCOL, TRUE},
	{{.name = "another-architecture",
		 .at = "qXfer",
		 .answer = "l<target><architecture>riscv:rv64</architecture><feature "
			   "name=\"a\"><reg name=\"pc\" "
			   "bitsize=\"64\"/></feature></target>"},
		KD_TARGET_ERROR_UNSUPPORTED, TRUE},
	{{.name = "error-for-a-stop", .at = "?", .answer = "E01"}, KD_TARGET_ERROR_REMOTE, TRUE},
};

static void
test_bad (gconstpointer data)
{
	const BadRow *row = data;
	g_autoptr (FakeStub) stub = fake_stub_new (&row->script);
	g_autoptr (GError) error = NULL;

	g_assert_null (open_with (stub, &error));
	g_assert_error (error, KD_TARGET_ERROR, row->code);
	g_assert_null (strchr (error->message, '\n'));
	/* What is left on a link that is closed comes a little later. */
	for (int i = 0; i < 2000 && row->let_go && fake_stub_count (stub, "D") == 0; i++)
		g_usleep (1000);
	g_assert_cmpuint (fake_stub_count (stub, "D"), ==, row->let_go ? 1 : 0);
	assert_polite (stub);
}

static void
test_nothing_listens (void)
{
	KdTargetOptions options = {.address = "unix:/nonexistent/gdb.sock"};
	g_autoptr (GError) error = NULL;

	g_assert_null (kd_target_open_qemu (&options, NULL, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT);
}

/* --- memory --- */

static void
test_memory (gconstpointer data)
{
	const FakeScript script = {.name = "memory", .chunk = GPOINTER_TO_SIZE (data)};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	const size_t len = 70000;
	g_autofree uint8_t *buf = g_malloc0 (len);
	uint8_t few[4] = {9, 9, 9, 9};

	g_assert_cmpstr (kd_target_memory_path (target).path, ==, "rsp");
	g_assert_true (kd_target_read_phys (target, 0x40000123, buf, len, &error));
	g_assert_no_error (error);
	for (size_t i = 0; i < len; i++)
		g_assert_cmphex (buf[i], ==, fake_phys_byte (0x40000123 + i));
	g_assert_true (kd_target_read_phys (target, 0x40000ffe, few, 4, &error));
	for (size_t i = 0; i < 4; i++)
		g_assert_cmphex (few[i], ==, fake_phys_byte (0x40000ffe + i));
	/* Whoever comes next finds `m` as it was. */
	g_assert_false (fake_stub_is_phys (stub));
	g_assert_true (kd_target_read_cpu (target, 1, 0x2000, few, 4, &error));
	for (size_t i = 0; i < 4; i++)
		g_assert_cmphex (few[i], ==, fake_virt_byte (1, 0x2000 + i));
	g_assert_false (kd_target_read_cpu (target, 0, 0x10, few, 4, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT);
	g_clear_error (&error);
	g_assert_false (kd_target_read_phys (target, G_MAXUINT64 - 1, few, 4, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT);
	g_assert_cmpint (kd_target_state (target), ==, KD_TARGET_STOPPED);
	assert_polite (stub);
}

static void
test_memory_dies (void)
{
	const FakeScript script = {.name = "dies", .die_at = "m"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	uint8_t buf[64];

	g_assert_false (kd_target_read_phys (target, 0x40000000, buf, sizeof buf, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST);
	g_assert_cmpint (kd_target_state (target), ==, KD_TARGET_LOST);
	g_clear_error (&error);
	g_assert_false (kd_target_cont (target, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST);
}

/* --- registers --- */

static void
test_registers (void)
{
	const FakeScript script = {.name = "registers"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	uint64_t value = 77;
	unsigned asked;

	/* 7.2's name, and the canonical one. */
	g_assert_cmphex (reg (target, 0, "VBAR"), ==, fake_reg (0, 4));
	g_assert_cmphex (reg (target, 0, "VBAR_EL1"), ==, fake_reg (0, 4));
	g_assert_cmphex (reg (target, 0, "vbar_el1"), ==, fake_reg (0, 4));
	asked = fake_stub_count (stub, "p") + fake_stub_count (stub, "g");
	reg (target, 0, "VBAR");
	g_assert_cmpuint (fake_stub_count (stub, "p") + fake_stub_count (stub, "g"), ==, asked);
	g_assert_false (kd_target_reg_get (target, 0, "nothing", &value, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND);
	g_clear_error (&error);
	g_assert_false (kd_target_reg_get (target, 2, "pc", &value, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND);
	g_assert_cmpuint (value, ==, 77);
	g_clear_error (&error);
	g_assert_true (kd_target_reg_set (target, 1, "x0", 0x1234, &error));
	g_assert_cmphex (reg (target, 1, "x0"), ==, 0x1234);
	g_assert_cmphex (reg (target, 0, "x0"), ==, fake_reg (0, 0));
}

static void
test_dropped_write (void)
{
	const FakeScript script = {.name = "dropped", .drops_writes = TRUE};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;

	g_assert_false (kd_target_reg_set (target, 0, "VBAR", 1, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_REMOTE);
}

/* The CPU that was stepped is the one the stub's Hg means afterwards. */
static void
test_step (void)
{
	const FakeScript script = {.name = "step"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	uint64_t generation = kd_target_generation (target);

	g_assert_cmphex (reg (target, 0, "x0"), ==, fake_reg (0, 0));
	g_assert_true (kd_target_step (target, 1, &error));
	g_assert_no_error (error);
	g_assert_cmphex (reg (target, 0, "x0"), ==, fake_reg (0, 0));
	g_assert_cmphex (reg (target, 1, "pc"), ==, fake_reg (1, 2) + 4);
	g_assert_cmpint (kd_target_last_stop (target)->reason, ==, KD_STOP_STEP);
	g_assert_cmpint (kd_target_last_stop (target)->cpu, ==, 1);
	g_assert_cmpuint (kd_target_generation (target), >, generation);
	g_assert_cmpuint (fake_stub_count (stub, "vCont;s:p1.2"), ==, 1);
	g_assert_false (kd_target_step (target, 7, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND);
}

static const FakeScript steps[] = {
	{.name = "pipelined"},
	{.name = "one-by-one", .at = "qqemu.", .answer = ""},
	{.name = "lazy", .lazy = TRUE},
	{.name = "lazy-one-by-one", .lazy = TRUE, .at = "qqemu.", .answer = ""},
};

/* As many as were asked for, each of them made. */
static void
test_steps (gconstpointer data)
{
	g_autoptr (FakeStub) stub = fake_stub_new (data);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GArray) pcs = g_array_new (FALSE, FALSE, sizeof (uint64_t));
	g_autoptr (GError) error = NULL;

	g_assert_true (kd_target_steps (target, 1, 100, pcs, &error));
	g_assert_no_error (error);
	g_assert_cmpuint (pcs->len, ==, 100);
	for (guint i = 0; i < pcs->len; i++)
		g_assert_cmphex (
			g_array_index (pcs, uint64_t, i), ==, fake_reg (1, 2) + 4 * (i + 1));
	g_assert_cmpint (kd_target_last_stop (target)->reason, ==, KD_STOP_STEP);
	g_assert_cmphex (reg (target, 0, "x0"), ==, fake_reg (0, 0));
	assert_polite (stub);
}

/* Of CPUs that stand on breakpoints only the one that is to run is moved off it. */
static void
test_run_alone (void)
{
	const FakeScript script = {.name = "alone"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;

	for (unsigned cpu = 0; cpu < 2; cpu++)
		g_assert_cmpint (kd_target_break_insert (target, KD_BREAK_SOFTWARE,
					 reg (target, cpu, "pc"), 0, "a", &error),
			>, 0);
	g_assert_true (kd_target_cont_cpu (target, 0, &error));
	g_assert_no_error (error);
	g_assert_cmpuint (fake_stub_count (stub, "vCont;s:p1.1"), ==, 1);
	g_assert_cmpuint (fake_stub_count (stub, "vCont;s:p1.2"), ==, 0);
	g_assert_true (kd_target_stop (target, &error));
}

/* A CPU that sleeps: told soon, and nothing runs afterwards. */
static void
test_step_asleep (void)
{
	const FakeScript script = {.name = "asleep", .sleeps = TRUE};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	gint64 start = g_get_monotonic_time();

	g_assert_false (kd_target_step (target, 1, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_HALTED);
	g_clear_error (&error);
	g_assert_cmpint (g_get_monotonic_time() - start, <, 3 * G_USEC_PER_SEC);
	g_assert_cmpint (kd_target_state (target), ==, KD_TARGET_STOPPED);
	g_assert_false (fake_stub_is_running (stub));
	g_assert_false (fake_stub_is_stepping (stub));
	g_assert_true (kd_target_step (target, 0, &error));
	/* It stands on a breakpoint, and has not come to it. */
	kd_target_break_insert (target, KD_BREAK_SOFTWARE, reg (target, 1, "pc"), 0, "a", &error);
	g_assert_true (kd_target_cont (target, &error));
	g_assert_no_error (error);
	g_assert_cmpint (kd_target_state (target), ==, KD_TARGET_RUNNING);
	g_assert_true (kd_target_stop (target, &error));
	assert_polite (stub);
}

/* --- running --- */

static void
test_run (void)
{
	const FakeScript script = {.name = "run"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	uint64_t value;
	uint8_t byte;

	g_assert_true (kd_target_cont (target, &error));
	g_assert_cmpint (kd_target_state (target), ==, KD_TARGET_RUNNING);
	g_assert_null (kd_target_last_stop (target));
	/* None of these may reach a machine that runs. */
	g_assert_false (kd_target_reg_get (target, 0, "pc", &value, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_RUNNING);
	g_clear_error (&error);
	g_assert_false (kd_target_read_cpu (target, 0, 0x2000, &byte, 1, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_RUNNING);
	g_clear_error (&error);
	g_assert_cmpint (
		kd_target_break_insert (target, KD_BREAK_SOFTWARE, 0x3000, 0, "x", &error), ==, 0);
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_RUNNING);
	g_clear_error (&error);
	g_assert_false (kd_target_wait (target, 50, &error));
	g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
	g_clear_error (&error);
	g_assert_true (kd_target_dispatch (target, &error));
	g_assert_true (fake_stub_is_running (stub));
	g_assert_true (kd_target_stop (target, &error));
	g_assert_no_error (error);
	g_assert_cmpint (kd_target_last_stop (target)->reason, ==, KD_STOP_REQUEST);
	assert_polite (stub);
}

static void
test_cancel (void)
{
	const FakeScript script = {.name = "cancel"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GCancellable) cancellable = g_cancellable_new();
	g_autoptr (GError) error = NULL;

	g_assert_true (kd_target_cont (target, &error));
	kd_target_set_cancellable (target, cancellable);
	g_cancellable_cancel (cancellable);
	g_assert_false (kd_target_wait (target, -1, &error));
	g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
	g_clear_error (&error);
	/* It runs on, and can be stopped even so. */
	g_assert_cmpint (kd_target_state (target), ==, KD_TARGET_RUNNING);
	g_assert_true (kd_target_stop (target, &error));
	g_assert_no_error (error);
}

static void
test_killed (gconstpointer data)
{
	const FakeScript script = {.name = "killed"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	uint64_t value;

	if (GPOINTER_TO_INT (data)) {
		g_assert_true (kd_target_cont (target, &error));
		fake_stub_kill (stub);
		g_assert_false (kd_target_wait (target, -1, &error));
	} else {
		fake_stub_kill (stub);
		g_assert_false (kd_target_reg_get (target, 0, "pc", &value, &error));
	}
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST);
	g_assert_cmpint (kd_target_state (target), ==, KD_TARGET_LOST);
}

/* --- breakpoints --- */

static void
test_breaks (void)
{
	const FakeScript script = {.name = "breaks", .run_stop = "T05thread:p01.02;"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	uint64_t pc = fake_reg (1, 2);
	const KdBreak *breaks;
	unsigned nr;

	g_assert_cmpint (
		kd_target_break_insert (target, KD_BREAK_SOFTWARE, pc + 4, 0, "a", &error), ==, 1);
	g_assert_cmpint (
		kd_target_break_insert (target, KD_BREAK_SOFTWARE, pc + 4, 0, "b", &error), ==, 2);
	g_assert_cmpint (
		kd_target_break_insert (target, KD_WATCH_WRITE, 0x3000, 8, "c", &error), ==, 3);
	/* The machine has one for two at the same place. */
	g_assert_cmpuint (fake_stub_breaks (stub), ==, 2);
	g_assert_true (kd_target_step (target, 1, &error));
	g_assert_cmphex (reg (target, 1, "pc"), ==, pc + 4);
	g_assert_true (kd_target_break_delete (target, 1, &error));
	g_assert_cmpuint (fake_stub_breaks (stub), ==, 2);
	/* CPU 1 stands on it: it is stepped off first. */
	g_assert_true (kd_target_cont (target, &error));
	g_assert_no_error (error);
	g_assert_cmpuint (fake_stub_count (stub, "vCont;s:p1.2"), ==, 2);
	/* KVM would step the breakpoint: it is lifted meanwhile, once for two of ours. */
	g_assert_cmpuint (fake_stub_count (stub, "z0,"), ==, 1);
	g_assert_cmpuint (fake_stub_breaks (stub), ==, 2);
	g_assert_true (kd_target_wait (target, 1000, &error));
	g_assert_no_error (error);
	g_assert_cmpint (kd_target_last_stop (target)->cpu, ==, 1);
	g_assert_false (kd_target_break_delete (target, 1, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND);
	g_clear_error (&error);
	g_assert_cmpint (
		kd_target_break_insert (target, KD_BREAK_SOFTWARE, pc + 2, 0, "d", &error), ==, 0);
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED);
	g_clear_error (&error);
	breaks = kd_target_breaks (target, &nr);
	g_assert_cmpuint (nr, ==, 2);
	g_assert_cmpstr (breaks[0].text, ==, "b");
	g_assert_true (kd_target_detach (target, TRUE, &error));
	g_assert_cmpuint (fake_stub_breaks (stub), ==, 0);
	assert_polite (stub);
}

/* KVM's software breakpoints are instructions in memory: they come last. `data`: no register is
 * free. */
static void
test_breaks_kvm (gconstpointer data)
{
	gboolean full = GPOINTER_TO_INT (data);
	const FakeScript script = {.name = "kvm", .at = full ? "Z1" : "none", .answer = "E22"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	const KdBreak *breaks;
	unsigned nr;

	target->accel = g_strdup ("kvm");
	g_assert_cmpint (
		kd_target_break_insert (target, KD_BREAK_SOFTWARE, 0x3000, 0, "a", &error), ==, 1);
	g_assert_no_error (error);
	breaks = kd_target_breaks (target, &nr);
	g_assert_cmpint (breaks[0].kind, ==, full ? KD_BREAK_SOFTWARE : KD_BREAK_HARDWARE);
	g_assert_cmpint (breaks[0].chosen, ==, !full);
	g_assert_cmpuint (fake_stub_count (stub, full ? "Z0,3000,4" : "Z1,3000,4"), ==, 1);
	g_assert_cmpuint (fake_stub_breaks (stub), ==, 1);
	g_assert_true (kd_target_break_delete (target, 1, &error));
	g_assert_cmpuint (fake_stub_breaks (stub), ==, 0);
}

typedef struct {
	const char *name, *reply;
	KdStopReason reason;
	int breakpoint;
} StopRow;

static const StopRow stops[] = {
	{"breakpoint", "T05thread:p01.02;", KD_STOP_BREAKPOINT, 1},
	{"watchpoint", "T05thread:p01.02;watch:3004;", KD_STOP_WATCHPOINT, 2},
	/* What QEMU kept of a watchpoint that is gone says nothing. */
	{"watch-that-is-gone", "T05thread:p01.02;watch:9000;", KD_STOP_BREAKPOINT, 1},
	{"trap-elsewhere", "T05thread:p01.01;", KD_STOP_SIGNAL, 0},
	{"paused-by-others", "T02thread:p01.01;", KD_STOP_PAUSED, 0},
	{"no-thread", "S05", KD_STOP_SIGNAL, 0},
	{"no-sense", "T05thread:what;", KD_STOP_SIGNAL, 0},
};

static void
test_stop (gconstpointer data)
{
	const StopRow *row = data;
	const FakeScript script = {.name = row->name, .run_stop = row->reply};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	const KdStop *stop;
	unsigned nr;

	/* Where CPU 1 gets to. */
	kd_target_break_insert (target, KD_BREAK_HARDWARE, fake_reg (1, 2) + 8, 0, "b", &error);
	kd_target_break_insert (target, KD_WATCH_WRITE, 0x3000, 8, "w", &error);
	g_assert_true (kd_target_cont (target, &error));
	g_assert_true (kd_target_wait (target, 1000, &error));
	g_assert_no_error (error);
	stop = kd_target_last_stop (target);
	g_assert_nonnull (stop);
	g_assert_cmpint (stop->reason, ==, row->reason);
	g_assert_cmpint (stop->breakpoint, ==, row->breakpoint);
	if (row->breakpoint)
		g_assert_cmpuint (kd_target_breaks (target, &nr)[row->breakpoint - 1].hits, ==, 1);
}

/* The hit of a watchpoint that is gone stops the machine for nobody. */
static void
test_stale_watch (void)
{
	const FakeScript script = {.name = "stale", .run_stop = "T05thread:p01.01;watch:9000;"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;

	g_assert_true (kd_target_cont (target, &error));
	g_assert_false (kd_target_wait (target, 200, &error));
	g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
	g_assert_cmpuint (fake_stub_count (stub, "vCont;c"), >, 1);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (good); i++) {
		g_autofree char *name = g_strconcat ("/target/attach/", good[i].name, NULL);

		g_test_add_data_func (name, &good[i], test_attach);
	}
	for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
		g_autofree char *name = g_strconcat ("/target/bad/", bad[i].script.name, NULL);

		g_test_add_data_func (name, &bad[i], test_bad);
	}
	g_test_add_func ("/target/attach/left-modes", test_left_modes);
	g_test_add_func ("/target/bad/nothing-listens", test_nothing_listens);
	g_test_add_data_func ("/target/memory/whole", GSIZE_TO_POINTER (0), test_memory);
	g_test_add_data_func ("/target/memory/in-pieces", GSIZE_TO_POINTER (997), test_memory);
	g_test_add_func ("/target/memory/dies-in-mid-packet", test_memory_dies);
	g_test_add_func ("/target/registers/names-and-cache", test_registers);
	g_test_add_func ("/target/registers/dropped-write", test_dropped_write);
	g_test_add_func ("/target/run/step", test_step);
	for (size_t i = 0; i < G_N_ELEMENTS (steps); i++) {
		g_autofree char *name = g_strconcat ("/target/steps/", steps[i].name, NULL);

		g_test_add_data_func (name, &steps[i], test_steps);
	}
	g_test_add_func ("/target/run/alone", test_run_alone);
	g_test_add_func ("/target/step-asleep", test_step_asleep);
	g_test_add_func ("/target/run/cont-and-stop", test_run);
	g_test_add_func ("/target/run/cancel", test_cancel);
	g_test_add_data_func ("/target/run/killed-stopped", GINT_TO_POINTER (0), test_killed);
	g_test_add_data_func ("/target/run/killed-running", GINT_TO_POINTER (1), test_killed);
	g_test_add_func ("/target/breaks/table", test_breaks);
	g_test_add_data_func ("/target/breaks-kvm", GINT_TO_POINTER (FALSE), test_breaks_kvm);
	g_test_add_data_func ("/target/breaks-kvm-full", GINT_TO_POINTER (TRUE), test_breaks_kvm);
	g_test_add_func ("/target/stop/stale-watch", test_stale_watch);
	for (size_t i = 0; i < G_N_ELEMENTS (stops); i++) {
		g_autofree char *name = g_strconcat ("/target/stop/", stops[i].name, NULL);

		g_test_add_data_func (name, &stops[i], test_stop);
	}
	return g_test_run();
}
