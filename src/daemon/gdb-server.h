/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/worker.h"

/*
 * The gdb server of one session: sockets that debuggers connect to. Main loop only: it moves
 * bytes, and each request is a job in the session's queue beside everybody else's.
 */
typedef struct KdGdbServer KdGdbServer;

#define KD_GDB_CLIENTS_MAX 16

/* What a port gives besides, each to be asked for. A socket of UNIX has `files`. */
typedef struct {
	gboolean any_user; /* not only this user and root */
	gboolean files;    /* `monitor` runs KD_COMMAND_FILES */
} KdGdbAccess;

/* Listens nowhere yet. `worker` is borrowed; what clients ask comes behind the jobs it has. */
KdGdbServer *kd_gdb_server_new (KdWorker *worker);
/* As kd_gdb_listener_open(). */
gboolean kd_gdb_server_listen (
	KdGdbServer *server, const char *address, KdGdbAccess access, GError **error);
/* Where it listens, in the order it was told to; new. */
char **kd_gdb_server_addresses (const KdGdbServer *server);
/* The machine stopped, or is lost: told to who waits for that. */
void kd_gdb_server_stopped (KdGdbServer *server);
/* Takes no more clients and drops those there are; no job is pushed any more. */
void kd_gdb_server_close (KdGdbServer *server);
/* Only when the worker's thread has ended. */
void kd_gdb_server_free (KdGdbServer *server);
