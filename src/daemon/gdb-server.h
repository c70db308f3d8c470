/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/worker.h"

/*
 * The gdb server of one session: a UNIX socket that debuggers connect to. Main loop only: it moves
 * bytes, and each request is a job in the session's queue beside everybody else's.
 */
typedef struct KdGdbServer KdGdbServer;

#define KD_GDB_CLIENTS_MAX 16

/* Listens at RUNTIME_DIR/gdb-SESSION.sock. `worker` is borrowed. */
KdGdbServer *kd_gdb_server_new (const char *runtime_dir, KdWorker *worker, GError **error);
/* The machine stopped, or is lost: told to who waits for that. */
void kd_gdb_server_stopped (KdGdbServer *server);
/* Takes no more clients and drops those there are; no job is pushed any more. */
void kd_gdb_server_close (KdGdbServer *server);
/* Only when the worker's thread has ended. */
void kd_gdb_server_free (KdGdbServer *server);
