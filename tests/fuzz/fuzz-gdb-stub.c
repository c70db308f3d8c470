/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "daemon/gdb-stub.h"
#include "fuzz-gdb-target.h"
#include "fuzz.h"

/*
 * What a debugger asks of a machine that runs, one packet's payload a line, without the framing
 * (that is the target `rsp-server`'s): whatever it was, the machine is left running and without
 * breakpoints, and every answer fits its packet. A line of 0x03 is the interrupt.
 */

/* kvmdbg's own commands are the target `command`'s. */
char *kd_gdb_monitor_run (void);

char *
kd_gdb_monitor_run (void)
{
	g_assert_not_reached();
}

/* FALSE: the answer is due when the machine has stopped. */
static gboolean
serve (KdSession *session, KdGdbStub *stub, const KdRspCall *call)
{
	g_autoptr (GString) reply = g_string_new (NULL);
	KdGdbOutcome outcome = kd_gdb_stub_call (stub, session, call, reply);

	if (outcome == KD_GDB_WAIT) {
		fuzz_gdb_target_hit (session->target);
		outcome = kd_gdb_stub_stop_reply (stub, session, reply);
	}
	g_assert_cmpuint (reply->len, <=, KD_GDB_PACKET_SIZE);
	return outcome != KD_GDB_WAIT;
}

static void
interrupt (KdSession *session, KdGdbStub *stub)
{
	g_autoptr (GString) reply = g_string_new (NULL);

	g_assert_true (kd_target_stop (session->target, NULL));
	g_assert_cmpint (kd_gdb_stub_stop_reply (stub, session, reply), ==, KD_GDB_ANSWER);
}

static void
talk (KdSession *session, KdGdbStub *stub, const char *text, size_t len)
{
	gboolean answered = TRUE;
	KdRspCall call;

	kd_rsp_call_init (&call);
	for (const char *end; len > 0; len -= (size_t)(end - text), text = end) {
		size_t line;

		end = memchr (text, '\n', len);
		line = end ? (size_t)(end - text) : len;
		end = text + line + (end ? 1 : 0);
		if (line == 1 && *text == 0x03) {
			if (!answered)
				interrupt (session, stub);
			answered = TRUE;
			continue;
		}
		/* A server of RSP closes the connection then. */
		if (!answered)
			break;
		kd_rsp_call_parse (&call, text, line);
		if (call.kind != KD_RSP_CALL_MONITOR)
			answered = serve (session, stub, &call);
	}
	kd_rsp_call_clear (&call);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	KdTarget *target = fuzz_gdb_target_new();
	KdSession session = {.target = target, .kernel = (KdKernel *)target};
	KdGdbStub *stub = kd_gdb_stub_new();

	talk (&session, stub, (const char *)data, size);
	g_assert_true (kd_gdb_stub_leave (stub, &session, FALSE));
	kd_gdb_stub_free (stub);
	g_assert_cmpuint (fuzz_gdb_target_nr_breaks (target), ==, 0);
	g_assert_cmpint (kd_target_state (target), ==, KD_TARGET_RUNNING);
	kd_target_free (target);
	return 0;
}
