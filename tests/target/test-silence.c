/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers that do not answer, or not in time: how long that lasts, and what is left of the target. */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake-stub.h"
#include "target/target-private.h"

#define LIMIT_MS 600
#define AT_ONCE_MS 100

static gint64 start_us;

static void
start (void)
{
	start_us = g_get_monotonic_time();
}

static gint64
took_ms (void)
{
	return (g_get_monotonic_time() - start_us) / 1000;
}

static KdTarget *
open_within (FakeStub *stub, const char *qmp, unsigned timeout_ms, GError **error)
{
	KdTargetOptions options = {.address = fake_stub_address (stub),
		.qmp = qmp,
		.no_direct = TRUE,
		.timeout_ms = timeout_ms};

	start();
	return kd_target_open_qemu (&options, NULL, error);
}

static KdTarget *
open_ok (FakeStub *stub)
{
	g_autoptr (GError) error = NULL;
	KdTarget *target = open_within (stub, NULL, 0, &error);

	g_assert_no_error (error);
	kd_target_begin (target, LIMIT_MS);
	return target;
}

static void
assert_given_up (KdTarget *target, GError **error, const char *text)
{
	g_assert_error (*error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST);
	if (!strstr ((*error)->message, text))
		g_error ("%s: not in “%s”", text, (*error)->message);
	g_clear_error (error);
	g_assert_cmpint (kd_target_state (target), ==, KD_TARGET_LOST);
	g_assert_true (kd_target_is_given_up (target));
}

/* --- attaching --- */

typedef struct {
	FakeScript script;
	const char *text; /* in the error */
	gboolean flooded; /* told before the limit */
} AttachRow;

#define SILENT_MS "has not answered for 600 ms"
#define FLOODED "sends without end"

static const AttachRow attaches[] = {
	{{.name = "silent-at-first", .hang_at = "qSupported"}, "no answer for 600 ms"},
	{{.name = "silent-later", .hang_at = "qfThreadInfo"}, SILENT_MS},
	{{.name = "silent-monitor", .hang_at = "qRcmd"}, SILENT_MS},
	{{.name = "slow-answers", .answer_ms = 80}, "has not answered for 600 ms in all"},
	{{.name = "slow-bytes", .chunk = 1, .chunk_ms = 5}, "600 ms"},
	{{.name = "slow-document", .at = "qXfer", .answer = "m ", .answer_ms = 1}, "in all"},
	{{.name = "slow-threads", .at = "qsThreadInfo", .answer = "m1", .answer_ms = 1}, "in all"},
	{{.name = "acks", .hang_at = "qXfer", .flood = "+"}, FLOODED, TRUE},
	{{.name = "notifications", .hang_at = "qXfer", .flood = "%Stop:T05#99"}, FLOODED, TRUE},
	{{.name = "stops", .hang_at = "qXfer", .flood = "$T05#b9"}, FLOODED, TRUE},
	{{.name = "output", .hang_at = "qRcmd", .flood = "$O4141#19"}, FLOODED, TRUE},
};

static void
test_attach (gconstpointer data)
{
	const AttachRow *row = data;
	g_autoptr (FakeStub) stub = fake_stub_new (&row->script);
	g_autoptr (GError) error = NULL;
	unsigned limit_ms = row->flooded ? 60000 : LIMIT_MS;

	g_assert_null (open_within (stub, NULL, limit_ms, &error));
	g_assert_nonnull (error);
	if (!strstr (error->message, row->text))
		g_error ("%s: not in “%s”", row->text, error->message);
	if (row->flooded)
		g_assert_cmpint (took_ms(), <, limit_ms / 2);
	else
		g_assert_cmpint (took_ms(), >=, LIMIT_MS);
}

/* --- later --- */

/* One wait, and everything after it says so at once. */
static void
test_said_once (void)
{
	const FakeScript script = {.name = "hangs", .hang_at = "g"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	uint64_t value;
	uint8_t buf[64];

	start();
	g_assert_false (kd_target_reg_fetch_many (target, 0, &error));
	g_assert_cmpint (took_ms(), >=, LIMIT_MS);
	assert_given_up (target, &error, SILENT_MS);
	start();
	kd_target_begin (target, 0);
	g_assert_false (kd_target_reg_get (target, 1, "pc", &value, &error));
	assert_given_up (target, &error, SILENT_MS);
	g_assert_false (kd_target_read_phys (target, 0x40000000, buf, sizeof buf, &error));
	assert_given_up (target, &error, SILENT_MS);
	g_assert_false (kd_target_cont (target, &error));
	assert_given_up (target, &error, SILENT_MS);
	g_assert_null (kd_target_hmp (target, "info version", &error));
	assert_given_up (target, &error, SILENT_MS);
	g_assert_cmpint (took_ms(), <, AT_ONCE_MS);
}

/* One request. */
static gboolean
ask (KdTarget *target, GError **error)
{
	g_autofree char *text = kd_target_hmp (target, "info version", error);

	return text != NULL;
}

/* The time is of all requests together, and begins anew with each command. */
static void
test_adds_up (void)
{
	const FakeScript script = {.name = "slow", .answer_ms = 120};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	gboolean ok = TRUE;

	for (unsigned command = 0; command < 2; command++) {
		kd_target_begin (target, LIMIT_MS);
		for (unsigned i = 0; i < 4; i++)
			g_assert_true (ask (target, &error));
	}
	for (unsigned i = 0; ok && i < 10; i++)
		ok = ask (target, &error);
	g_assert_false (ok);
	assert_given_up (target, &error, "has not answered for 600 ms in all");
}

/* A hundred answers of a busy machine are no silence. */
static void
test_quick_enough (void)
{
	const FakeScript script = {.name = "busy", .answer_ms = 8};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;

	start();
	for (unsigned i = 0; i < 100; i++)
		g_assert_true (ask (target, &error));
	g_assert_cmpint (took_ms(), >, LIMIT_MS);
}

/* A machine that runs because it shall owes nothing; one that shall stop does. */
static void
test_stop (void)
{
	const FakeScript script = {.name = "runs-on", .hang_at = "\x03"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;

	g_assert_true (kd_target_cont (target, &error));
	g_assert_false (kd_target_wait (target, 2 * LIMIT_MS, &error));
	g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
	g_clear_error (&error);
	g_assert_cmpint (kd_target_state (target), ==, KD_TARGET_RUNNING);
	start();
	g_assert_false (kd_target_stop (target, &error));
	g_assert_cmpint (took_ms(), >=, LIMIT_MS - 100);
	assert_given_up (target, &error, SILENT_MS);
}

/* The breakpoints that stay are told, after one wait. */
static void
test_detach (void)
{
	const FakeScript script = {.name = "keeps", .hang_at = "z0"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;

	for (unsigned i = 0; i < 5; i++)
		g_assert_cmpint (kd_target_break_insert (
					 target, KD_BREAK_SOFTWARE, 0x3000 + 4 * i, 0, "a", &error),
			>, 0);
	start();
	g_assert_false (kd_target_detach (target, TRUE, &error));
	g_assert_cmpint (took_ms(), <, 2 * LIMIT_MS);
	assert_given_up (target, &error, "5 breakpoints were not removed");
}

static void
test_detach_refused (void)
{
	const FakeScript script = {.name = "refuses", .at = "z0", .answer = "E22"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;

	g_assert_cmpint (
		kd_target_break_insert (target, KD_BREAK_SOFTWARE, 0x3000, 0, "a", &error), >, 0);
	g_assert_false (kd_target_detach (target, TRUE, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_REMOTE);
	g_assert_nonnull (strstr (error->message, "1 breakpoint was not removed"));
	g_assert_cmpuint (fake_stub_count (stub, "D"), ==, 1);
}

/* Who cancels a command does not leave the machine as it is in the middle of it. */
static void
test_detach_cancelled (void)
{
	const FakeScript script = {.name = "cancelled"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GCancellable) cancellable = g_cancellable_new();
	g_autoptr (GError) error = NULL;

	g_assert_cmpint (
		kd_target_break_insert (target, KD_BREAK_SOFTWARE, 0x3000, 0, "a", &error), >, 0);
	kd_target_set_cancellable (target, cancellable);
	g_cancellable_cancel (cancellable);
	g_assert_true (kd_target_detach (target, TRUE, &error));
	g_assert_no_error (error);
	g_assert_cmpuint (fake_stub_breaks (stub), ==, 0);
	g_assert_cmpuint (fake_stub_count (stub, "D"), ==, 1);
}

/* What comes without end while no command runs keeps nobody from the next command. */
static void
test_dispatch (void)
{
	const FakeScript script = {.name = "floods", .hang_at = "vCont;c", .flood = "$O4141#19"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = open_ok (stub);
	g_autoptr (GError) error = NULL;
	unsigned nr = 0;

	g_assert_true (kd_target_cont (target, &error));
	for (; nr < 1000000 && kd_target_dispatch (target, &error); nr++)
		;
	g_assert_cmpuint (nr, >, 10);
	assert_given_up (target, &error, FLOODED);
}

/* --- a monitor beside a stub that is well --- */

typedef struct {
	char *dir, *path;
	int listener;
	const char *answer; /* to all calls; NULL: none */
	GThread *thread;
} Monitor;

static gpointer
serve (gpointer data)
{
	static const char greeting[] =
		"{\"QMP\":{\"version\":{\"qemu\":{\"major\":7,\"minor\":2}}}}\r\n"
		"{\"return\":{},\"id\":1}\r\n";
	Monitor *monitor = data;
	int fd;

	while ((fd = accept (monitor->listener, NULL, NULL)) >= 0) {
		char byte = 0;
		unsigned nr_lines = 0;

		send (fd, greeting, strlen (greeting), MSG_NOSIGNAL);
		while (recv (fd, &byte, 1, 0) == 1)
			if (byte == '\n' && nr_lines++ && monitor->answer)
				send (fd, monitor->answer, strlen (monitor->answer), MSG_NOSIGNAL);
		close (fd);
	}
	return NULL;
}

static void
monitor_start (Monitor *monitor)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	monitor->dir = g_dir_make_tmp ("fake-qmp-XXXXXX", NULL);
	monitor->path = g_build_filename (monitor->dir, "qmp.sock", NULL);
	monitor->listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_strlcpy (addr.sun_path, monitor->path, sizeof addr.sun_path);
	g_assert_cmpint (bind (monitor->listener, (struct sockaddr *)&addr, sizeof addr), ==, 0);
	g_assert_cmpint (listen (monitor->listener, 1), ==, 0);
	monitor->thread = g_thread_new ("fake-qmp", serve, monitor);
}

static void
monitor_end (Monitor *monitor)
{
	shutdown (monitor->listener, SHUT_RDWR);
	g_thread_join (monitor->thread);
	close (monitor->listener);
	g_unlink (monitor->path);
	g_rmdir (monitor->dir);
	g_free (monitor->path);
	g_free (monitor->dir);
}

typedef struct {
	const char *name, *answer, *why;
} MonitorRow;

static const MonitorRow monitors[] = {
	{"hangs", NULL, "has not answered for 3"},
	{"no-json", "{\"return\":{\"running\":NaN},\"id\":2}\n", "what no QMP monitor sends"},
	{"comments", "/* x */ {\"return\":{},\"id\":2}\n", "what no QMP monitor sends"},
	{"to-no-call", "{\"return\":{},\"id\":77}\n", "what no QMP monitor sends"},
};

/* A third of the time, once, and the rest goes on without it. */
static void
test_monitor (gconstpointer data)
{
	const MonitorRow *row = data;
	const FakeScript script = {.name = "with-monitor"};
	g_autoptr (FakeStub) stub = fake_stub_new (&script);
	g_autoptr (KdTarget) target = NULL;
	g_autoptr (GError) error = NULL;
	Monitor monitor = {.answer = row->answer};
	const char *why;
	uint8_t buf[16];

	monitor_start (&monitor);
	target = open_within (stub, monitor.path, 900, &error);
	g_assert_no_error (error);
	g_assert_cmpint (took_ms(), <, 800);
	g_assert_null (kd_target_qemu_info (target).qmp);
	why = kd_target_qemu_info (target).qmp_why;
	if (!strstr (why, row->why))
		g_error ("%s: not in “%s”", row->why, why);
	start();
	g_assert_true (kd_target_read_phys (target, 0x40000000, buf, sizeof buf, &error));
	g_assert_false (kd_target_dump (target, "/nonexistent/x", "elf", &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED);
	g_assert_cmpint (took_ms(), <, AT_ONCE_MS);
	g_clear_error (&error);
	g_assert_true (kd_target_detach (target, TRUE, &error));
	monitor_end (&monitor);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (attaches); i++) {
		g_autofree char *name =
			g_strconcat ("/silence/attach/", attaches[i].script.name, NULL);

		g_test_add_data_func (name, &attaches[i], test_attach);
	}
	g_test_add_func ("/silence/said-once", test_said_once);
	g_test_add_func ("/silence/adds-up", test_adds_up);
	g_test_add_func ("/silence/quick-enough", test_quick_enough);
	g_test_add_func ("/silence/stop", test_stop);
	g_test_add_func ("/silence/detach/hangs", test_detach);
	g_test_add_func ("/silence/detach/refused", test_detach_refused);
	g_test_add_func ("/silence/detach/cancelled", test_detach_cancelled);
	g_test_add_func ("/silence/dispatch", test_dispatch);
	for (size_t i = 0; i < G_N_ELEMENTS (monitors); i++) {
		g_autofree char *name = g_strconcat ("/silence/monitor/", monitors[i].name, NULL);

		g_test_add_data_func (name, &monitors[i], test_monitor);
	}
	return g_test_run();
}
