/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "proto/rsp-client.h"
#include "proto/stop-reply.h"
#include "target/silence.h"
#include "target/transport.h"

/*
 * The RSP client over a socket, one request and its answer at a time or several reads at once.
 * Errors are KD_TARGET_ERROR: LOST (closed, or given up because it was silent for longer than it
 * may be), PROTOCOL (no RSP), RUNNING (a byte sent now would stop the machine and be lost),
 * UNSUPPORTED, REMOTE; and G_IO_ERROR_CANCELLED. A request that was cancelled is waited for, and
 * its answer dropped, before the next.
 */
typedef struct KdRspLink KdRspLink;

/*
 * A stop reply: the answer to a resume, or (`asked` FALSE) one that nobody asked for. NULL: it has
 * a stop reply's first letter and no more sense; the machine is stopped all the same.
 */
typedef void (*KdRspLinkStopFunc) (const KdStopReply *stop, gboolean asked, void *data);

/* Takes the transport; `silence` is borrowed. The first answer may take `first_ms` and no more. */
KdRspLink *kd_rsp_link_new (KdTransport *transport, KdSilence *silence, int first_ms);
void kd_rsp_link_free (KdRspLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdRspLink, kd_rsp_link_free)

void kd_rsp_link_set_cancellable (KdRspLink *link, GCancellable *cancellable);
void kd_rsp_link_set_stop_func (KdRspLink *link, KdRspLinkStopFunc func, void *data);

/*
 * Should the link be closed while the stub does not answer, or has not even accepted it: a detach
 * is left there, which it finds when it goes on. QEMU would else stop the machine, for nobody. Not
 * where one has been sent.
 */
void kd_rsp_link_set_leaves_detach (KdRspLink *link, gboolean on);
/* Ends the connection; the link then answers LOST to everything. */
void kd_rsp_link_close (KdRspLink *link);

int kd_rsp_link_fd (const KdRspLink *link);
int kd_rsp_link_peer_pid (const KdRspLink *link);
const KdRspFeatures *kd_rsp_link_features (const KdRspLink *link);
/* A good packet came at some time: the peer is a stub. */
gboolean kd_rsp_link_is_stub (const KdRspLink *link);
gboolean kd_rsp_link_is_closed (const KdRspLink *link);
/* By the other end. */
gboolean kd_rsp_link_peer_closed (const KdRspLink *link);
/* It was we who closed it, for it was silent or flooded us: its machine may still be there. */
gboolean kd_rsp_link_is_given_up (const KdRspLink *link);
/* Of a closed one: "the gdb stub has not answered for 30 s: connection given up". */
const char *kd_rsp_link_why_closed (const KdRspLink *link);
/* A resume is unanswered: nothing but the interrupt may be sent. */
gboolean kd_rsp_link_is_running (const KdRspLink *link);
/* Lets reads of memory go out without waiting for each other's answers. */
void kd_rsp_link_set_pipelined (KdRspLink *link, gboolean on);
gboolean kd_rsp_link_is_pipelined (const KdRspLink *link);

/* To be built on for the next request; each builder starts it anew. */
KdRspRequest *kd_rsp_link_request (KdRspLink *link);

typedef struct {
	const char *payload; /* NUL-terminated behind `len`; valid until the next request */
	size_t len;
} KdRspAnswer;

/* A client before this one may have left the stub's `m` physical: it is put back first. */
void kd_rsp_link_doubt_phys (KdRspLink *link);

/* Sends what was built on kd_rsp_link_request() and waits for its answer. */
gboolean kd_rsp_link_ask (KdRspLink *link, KdRspAnswer *ret_answer, GError **error);
/* The same, and the answer must be "OK". */
gboolean kd_rsp_link_ask_ok (KdRspLink *link, GError **error);
/* qRcmd; output and answer together as text, new string. */
char *kd_rsp_link_monitor (KdRspLink *link, const char *command, GError **error);

/*
 * Sends the resume built on kd_rsp_link_request(); its stop comes to the stop function. `first`,
 * on a pipelined link only, is a request that goes out in the same write before it: its answer is
 * what kd_rsp_link_answer() waits for.
 */
gboolean kd_rsp_link_resume (KdRspLink *link, const KdRspRequest *first, GError **error);
gboolean kd_rsp_link_answer (KdRspLink *link, KdRspAnswer *ret_answer, GError **error);
gboolean kd_rsp_link_interrupt (KdRspLink *link, GError **error);
/*
 * Until a stop (TRUE; the stop function was called), with deadline as kd_transport_wait().
 * G_IO_ERROR_TIMED_OUT, G_IO_ERROR_CANCELLED, or LOST. With `asked_only` one that nobody asked for
 * does not end it.
 */
gboolean kd_rsp_link_wait_stop (
	KdRspLink *link, gboolean asked_only, gint64 deadline_us, GError **error);
/* The stop that kd_rsp_link_interrupt() has asked for is owed as an answer is. */
gboolean kd_rsp_link_await_stop (KdRspLink *link, GError **error);
/* Takes what has arrived without waiting. FALSE: LOST. */
gboolean kd_rsp_link_dispatch (KdRspLink *link, GError **error);

/*
 * Reads as many bytes as there are with `m` from whatever `m` means now (`phys`: physical memory,
 * switched on for these reads and off behind them). *ret_got is set also on failure: bytes read up
 * to the first that could not be. FAULT for an E.. answer.
 */
gboolean kd_rsp_link_read_memory (KdRspLink *link, gboolean phys, uint64_t addr, uint8_t *buf,
	size_t len, size_t *ret_got, GError **error);
gboolean kd_rsp_link_write_memory (KdRspLink *link, gboolean phys, uint64_t addr,
	const uint8_t *buf, size_t len, GError **error);

/* A KD_PROTO_ERROR as a KD_TARGET_ERROR of the kind above; frees `proto`. */
void kd_rsp_link_propagate (GError **error, GError *proto);
