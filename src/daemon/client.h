/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "proto/jsonrpc.h"

/*
 * One connection of the control socket: bytes ⇄ messages, in the main loop. It reads what arrives,
 * and keeps what the peer is too slow to take, up to a limit.
 */
typedef struct KdClient KdClient;

#define KD_CLIENT_OUTPUT_MAX (128 * 1024 * 1024)  /* answers kept for a slow reader, bytes */
#define KD_CLIENT_EVENTS_MAX (4 * 1024 * 1024)    /* kept bytes above which no event is added */
#define KD_CLIENT_UNREAD_MAX (1024 * 1024)        /* kept bytes above which it is not heard */
#define KD_CLIENT_REQUESTS_MAX 64                 /* in queues at once, notifications too */
#define KD_CLIENT_REQUEST_BYTES_MAX (1024 * 1024) /* of them, where they are several */

/* What a client has in the sessions' queues: the server counts here. */
typedef struct {
	unsigned nr;
	size_t bytes;
} KdClientQueued;

typedef struct {
	/* A request or notification of the peer, which was `len` bytes; borrowed. */
	void (*request) (KdClient *client, KdJsonrpcMessage *msg, size_t len, void *data);
	/* The peer is gone, or was too slow. The client is to be freed, though not in this call. */
	void (*gone) (KdClient *client, const char *why, void *data);
} KdClientFuncs;

/* Takes the non-blocking socket `fd`. `number` tells this client from all others, ever. */
KdClient *kd_client_new (int fd, guint64 number, const KdClientFuncs *funcs, void *data);
void kd_client_free (KdClient *client);

guint64 kd_client_number (const KdClient *client);
KdClientQueued *kd_client_queued (KdClient *client);
/* Closes a connection that is not served, and says why. Takes `fd`. */
void kd_client_refuse (int fd, const char *why);

/* Sends one whole line, which it takes; NULL: a notification was served. An event is dropped, and
 * the client with it, when too much is waiting. */
void kd_client_send (KdClient *client, char *line);
void kd_client_send_event (KdClient *client, const char *line);
/* Bytes that wait to be written. */
size_t kd_client_unread (const KdClient *client);
/* Ends the connection: `gone` is called. */
void kd_client_drop (KdClient *client, const char *why);
