/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "proto/rsp-packet.h"

/* Stop replies: S, T, W, X, N. Source: GDB manual, "Stop Reply Packets". */
#define KD_STOP_REPLY_REGS_MAX 256

typedef enum {
	KD_STOP_REPLY_SIGNAL,     /* S, T */
	KD_STOP_REPLY_EXITED,     /* W: `signal` is the exit status */
	KD_STOP_REPLY_TERMINATED, /* X: by `signal` */
	KD_STOP_REPLY_NO_THREADS, /* N */
} KdStopReplyKind;

typedef enum {
	KD_STOP_REPLY_REASON_NONE, /* nothing but the signal */
	KD_STOP_REPLY_REASON_WATCH,
	KD_STOP_REPLY_REASON_RWATCH,
	KD_STOP_REPLY_REASON_AWATCH,
	KD_STOP_REPLY_REASON_SWBREAK,
	KD_STOP_REPLY_REASON_HWBREAK,
	KD_STOP_REPLY_REASON_OTHER, /* named in `text` (library, replaylog, fork, …) */
} KdStopReplyReason;

typedef struct {
	guint regnum;
	guint8 *bytes;
	size_t len;
} KdStopReg;

typedef struct {
	KdStopReplyKind kind;
	guint signal; /* GDB's numbers: 2 INT, 5 TRAP */
	gboolean has_thread;
	KdRspThread thread;
	KdStopReplyReason reason;
	guint64 watch_addr; /* WATCH, RWATCH, AWATCH */
	gint64 core;        /* -1: not said */
	char *text;         /* OTHER: "key" or "key:value", escaped; else NULL */
	GArray *regs;       /* of KdStopReg: expedited registers, target byte order */
} KdStopReply;

/* TRUE for a payload of a stop reply's form; the client uses it to know one that nobody asked for.
 */
gboolean kd_stop_reply_matches (const char *payload, size_t len);

/* NULL with KD_PROTO_ERROR_MALFORMED, _TOO_LARGE, _REMOTE ("E.."), _UNSUPPORTED (empty). */
KdStopReply *kd_stop_reply_parse (const char *payload, size_t len, GError **error);
void kd_stop_reply_free (KdStopReply *stop);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdStopReply, kd_stop_reply_free)

/* "breakpoint", "watchpoint", "interrupt", "signal 11", …: a word for `status`. Static or interned.
 */
const char *kd_stop_reply_word (const KdStopReply *stop);
