/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * What the daemon serves: clients, sessions, and which request of whom goes to which session. Main
 * loop only.
 */
typedef struct KdServer KdServer;

#define KD_SERVER_CLIENTS_MAX 64
#define KD_SERVER_SESSIONS_MAX 16                /* those whose thread is about to end too */
#define KD_SERVER_OUTPUT_MAX (256 * 1024 * 1024) /* kept for all clients that do not read */
#define KD_SERVER_TIMEOUT_MAX_S 86400            /* of a command's peers */

/* `idle` is called when there has been neither client nor live session for `idle_ms` (0: never). */
KdServer *kd_server_new (
	const char *runtime_dir, unsigned idle_ms, void (*idle) (void *data), void *data);
void kd_server_free (KdServer *server);

/* As KdAcceptorFunc. Who comes when there are KD_SERVER_CLIENTS_MAX is told so. */
void kd_server_adopt (KdServer *server, int fd, gboolean crowded);
/* TRUE when there is neither client nor live session. */
gboolean kd_server_is_idle (const KdServer *server);
/* Lets all machines go as they were found and calls `done` when all threads have ended. */
void kd_server_shutdown (KdServer *server, void (*done) (void *data), void *data);
