/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/gdb-monitor.h"
#include "daemon/gdb-stub.h"
#include "fake-stub.h"
#include "fuzz.h"
#include "proto/rsp-server.h"

/*
 * What a debugger sends, served from a stub of our own: whatever it was, the machine is left
 * without breakpoints, and nothing was said to it that no stub may be told.
 */
static const FakeScript script = {.name = "fuzz"};

static void
serve (KdSession *session, KdGdbStub *stub, KdRspServer *server)
{
	const KdRspCall *call = kd_rsp_server_call (server);
	g_autoptr (GString) reply = g_string_new (NULL);

	/* kvmdbg's commands are not what is tried here, and some wait. */
	if ((call->kind != KD_RSP_CALL_MONITOR || !kd_gdb_monitor_command (call->text->str)) &&
		kd_gdb_stub_call (stub, session, call, reply) != KD_GDB_OUTPUT)
		g_assert_cmpuint (reply->len, <=, KD_GDB_PACKET_SIZE);
	kd_rsp_server_answer (server, reply->str, reply->len);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autoptr (FakeStub) fake = fake_stub_new (&script);
	g_autoptr (KdSession) session = kd_session_new ("fuzz");
	g_autoptr (KdRspServer) server = kd_rsp_server_new();
	KdTargetOptions options = {
		.address = fake_stub_address (fake), .timeout_ms = 2000, .no_direct = TRUE};
	KdGdbStub *stub = kd_gdb_stub_new();

	session->target = kd_target_open_qemu (&options, NULL, NULL);
	g_assert_nonnull (session->target);
	for (size_t at = 0, used; at < size; at += used) {
		KdRspServerEvent event;
		KdDecode outcome =
			kd_rsp_server_feed (server, data + at, size - at, &used, &event, NULL);

		if (outcome == KD_DECODE_FAILED)
			break;
		if (outcome == KD_DECODE_MESSAGE && event == KD_RSP_SERVER_CALL)
			serve (session, stub, server);
	}
	g_assert_true (kd_gdb_stub_leave (stub, session, FALSE));
	kd_gdb_stub_free (stub);
	g_assert_cmpuint (fake_stub_breaks (fake), ==, 0);
	g_assert_cmpuint (fake_stub_bytes_while_running (fake), ==, 0);
	return 0;
}
