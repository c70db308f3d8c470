/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"
#include "proto/rsp-call.h"

/*
 * What a debugger that speaks RSP asks of a session, answered in the session's worker. One of these
 * for each connection: it knows which breakpoints are this client's, which CPU it looks at.
 */
typedef struct KdGdbStub KdGdbStub;

typedef enum {
	KD_GDB_ANSWER, /* the reply is to be sent */
	KD_GDB_OUTPUT, /* the reply is text for the client's console; "OK" is sent behind it */
	KD_GDB_WAIT,   /* the machine runs: the reply is due when it has stopped */
	KD_GDB_END,    /* the reply is to be sent, and the connection closed */
} KdGdbOutcome;

#define KD_GDB_PACKET_SIZE (64 * 1024)

KdGdbStub *kd_gdb_stub_new (void);
/* After kd_gdb_stub_leave(), or with a session that is gone. */
void kd_gdb_stub_free (KdGdbStub *stub);

/* `monitor` may run KD_COMMAND_FILES, which it may not at first. Before the first call. */
void kd_gdb_stub_allow_files (KdGdbStub *stub, gboolean allowed);

/* Writes the answer to `reply`, which is empty before. Worker thread. */
KdGdbOutcome kd_gdb_stub_call (
	KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply);
/* The stop that a client waits for, once there is one; WAIT when there is none any more. */
KdGdbOutcome kd_gdb_stub_stop_reply (KdGdbStub *stub, KdSession *session, GString *reply);
/*
 * Takes this client's breakpoints away. The machine goes on where this client found it running or
 * has let it run, unless `others` are there who may be looking at it.
 * FALSE: it cannot be stopped now; to be called again at the next stop, if it is there by then.
 */
gboolean kd_gdb_stub_leave (KdGdbStub *stub, KdSession *session, gboolean others);
