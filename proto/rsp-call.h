/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "proto/rsp-packet.h"

/* A request of RSP as its server reads it. Source: GDB manual, "Packets", "General Query Packets".
 */
#define KD_RSP_CALL_ROWS_MAX 64           /* actions of one vCont */
#define KD_RSP_CALL_BYTES_MAX (64 * 1024) /* of one read or write of memory, or of registers */

typedef enum {
	KD_RSP_CALL_UNKNOWN, /* to be answered empty */
	KD_RSP_CALL_BAD,     /* known, but its arguments are not: an error */
	KD_RSP_CALL_STOP_REASON,
	KD_RSP_CALL_SUPPORTED, /* features */
	KD_RSP_CALL_NO_ACK,
	KD_RSP_CALL_SET_THREAD, /* op, thread */
	KD_RSP_CALL_THREAD_ALIVE,
	KD_RSP_CALL_CURRENT_THREAD,
	KD_RSP_CALL_THREADS_FIRST,
	KD_RSP_CALL_THREADS_NEXT,
	KD_RSP_CALL_THREAD_EXTRA, /* thread */
	KD_RSP_CALL_READ_REGS,
	KD_RSP_CALL_WRITE_REGS, /* bytes */
	KD_RSP_CALL_READ_REG,   /* number */
	KD_RSP_CALL_WRITE_REG,  /* number, bytes */
	KD_RSP_CALL_READ_MEM,   /* addr, len, binary */
	KD_RSP_CALL_WRITE_MEM,  /* addr, bytes */
	KD_RSP_CALL_INSERT,     /* type, addr, len */
	KD_RSP_CALL_REMOVE,
	KD_RSP_CALL_VCONT_ACTIONS,
	KD_RSP_CALL_RESUME, /* rows: c, s and their kin of every spelling */
	KD_RSP_CALL_DETACH,
	KD_RSP_CALL_KILL,
	KD_RSP_CALL_ATTACHED,
	KD_RSP_CALL_OFFSETS,
	KD_RSP_CALL_XFER,    /* object, annex, addr (offset), len */
	KD_RSP_CALL_MONITOR, /* text */
} KdRspCallKind;

/* What the client said of itself in qSupported. */
typedef enum {
	KD_RSP_CLIENT_MULTIPROCESS = 1 << 0,
	KD_RSP_CLIENT_SWBREAK = 1 << 1,
	KD_RSP_CLIENT_HWBREAK = 1 << 2,
} KdRspClientFeature;

typedef struct {
	KdRspCallKind kind;
	char op;           /* SET_THREAD: 'g' or 'c' */
	gboolean binary;   /* READ_MEM: `x` */
	gboolean has_addr; /* RESUME: at another address, which we refuse */
	guint features;    /* SUPPORTED: KdRspClientFeature */
	KdRspThread thread;
	KdRspBreak type;
	guint number;
	guint64 addr, len;
	GString *text;     /* MONITOR; XFER: "features", "threads" */
	GString *annex;    /* XFER */
	GByteArray *bytes; /* what is written */
	KdRspResume rows[KD_RSP_CALL_ROWS_MAX];
	guint nr_rows;
} KdRspCall;

void kd_rsp_call_init (KdRspCall *call);
void kd_rsp_call_clear (KdRspCall *call);

/* Any bytes are a call, if only an unknown one. */
void kd_rsp_call_parse (KdRspCall *call, const char *payload, size_t len);
