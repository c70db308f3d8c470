/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "proto/out-queue.h"
#include "proto/rsp-call.h"
#include "proto/rsp-frame.h"

/*
 * The server's half of RSP as a machine without IO: bytes in, calls out; answers in, bytes out.
 * All-stop: one call at a time, and while the machine runs for it only the interrupt may come.
 * Acks, retransmissions and QStartNoAckMode are dealt with here. Source: GDB manual, "Overview",
 * "Packet Acknowledgment".
 *
 * Use: feed what was read; for each CALL give one answer, at once or later; write what
 * kd_rsp_server_out () shows.
 */
#define KD_RSP_SERVER_RETRIES_MAX 5 /* of one packet, each direction */
/* Bytes outside of packets, of one connection, once it has begun with one or an ack: gdb's BREAK
 * sequences are such. */
#define KD_RSP_SERVER_JUNK_MAX 64

typedef enum {
	KD_RSP_SERVER_CALL,      /* kd_rsp_server_call() has it */
	KD_RSP_SERVER_INTERRUPT, /* byte 0x03; answers nothing by itself */
} KdRspServerEvent;

typedef struct KdRspServer KdRspServer;

KdRspServer *kd_rsp_server_new (void);
void kd_rsp_server_free (KdRspServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdRspServer, kd_rsp_server_free)

/*
 * FAILED: the connection is of no more use and is to be closed: a peer that talks something else
 * (MALFORMED; with its first byte already, and nothing is written then), a packet over the limit
 * (TOO_LARGE), one that was damaged too often (RETRIES) or without acks (CHECKSUM), a call before
 * the last one was answered (STATE). A single damaged packet is no failure: it is asked for again.
 */
KdDecode kd_rsp_server_feed (KdRspServer *server, const void *data, size_t len, size_t *ret_used,
	KdRspServerEvent *ret_event, GError **error);

/* The call that waits for its answer, or the one before; valid until the next feed. */
const KdRspCall *kd_rsp_server_call (const KdRspServer *server);
gboolean kd_rsp_server_is_busy (const KdRspServer *server);

/* Answers the call. Binary data is escaped by the framing. */
void kd_rsp_server_answer (KdRspServer *server, const void *payload, size_t len);
/* Console output while a qRcmd waits for its answer. */
void kd_rsp_server_output (KdRspServer *server, const char *text, size_t len);

KdOutQueue *kd_rsp_server_out (KdRspServer *server);
