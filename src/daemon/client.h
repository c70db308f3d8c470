/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "proto/jsonrpc.h"

/*
 * One connection of the control socket: bytes ⇄ messages, in the main loop. It reads what arrives,
 * and keeps what the peer is too slow to take, up to a limit.
 */
typedef struct KdClient KdClient;

#define KD_CLIENT_OUTPUT_MAX (256 * 1024 * 1024) /* answers kept for a slow reader, bytes */
#define KD_CLIENT_EVENTS_MAX (4 * 1024 * 1024)   /* kept bytes above which no event is added */
#define KD_CLIENT_REQUESTS_MAX 64                /* unanswered at once */

typedef struct {
	/* A request or notification of the peer; borrowed. */
	void (*request) (KdClient *client, KdJsonrpcMessage *msg, void *data);
	/* The peer is gone, or was too slow. The client is to be freed, though not in this call. */
	void (*gone) (KdClient *client, const char *why, void *data);
} KdClientFuncs;

/* Takes the non-blocking socket `fd`. `number` tells this client from all others, ever. */
KdClient *kd_client_new (int fd, guint64 number, const KdClientFuncs *funcs, void *data);
void kd_client_free (KdClient *client);

guint64 kd_client_number (const KdClient *client);
/* Requests not answered yet: the server counts them here. */
unsigned *kd_client_nr_requests (KdClient *client);

/* Sends one whole line, which it takes; NULL is ignored. An event is dropped, and the client with
 * it, when too much is waiting. */
void kd_client_send (KdClient *client, char *line);
void kd_client_send_event (KdClient *client, const char *line);
/* TRUE while something waits to be written. */
gboolean kd_client_has_output (const KdClient *client);
