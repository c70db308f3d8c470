/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "proto/proto.h"

/*
 * Requests and replies of the GDB remote serial protocol, client side. A request builder checks
 * what the stub advertised and refuses with KD_PROTO_ERROR_UNSUPPORTED otherwise: QEMU 7.2 aborts
 * on some packets it did not advertise. Reply parsers take the payload of KdRspEvent. All of them
 * answer an empty payload with UNSUPPORTED, "E.." with REMOTE and anything else unexpected with
 * MALFORMED; outputs are written on success only. Source: GDB manual, appendix "GDB Remote Serial
 * Protocol"; qqemu.*: QEMU docs/system/gdb.rst.
 */

/* Process and thread number; -1 all, 0 any. `pid` is 0 where the stub does not speak multiprocess.
 */
typedef struct {
	gint64 pid, tid;
} KdRspThread;

#define KD_RSP_THREADS_MAX 4096
#define KD_RSP_XFER_MAX (1024 * 1024)       /* one object read in pieces */
#define KD_RSP_ANNEX_MAX 255                /* name of a target description */
#define KD_RSP_PACKET_SIZE_MIN 64           /* a smaller PacketSize is refused */
#define KD_RSP_PACKET_SIZE_MAX (512 * 1024) /* what we use of a stub's PacketSize */

typedef enum {
	KD_RSP_HAS_XFER_FEATURES = 1 << 0, /* qXfer:features:read */
	KD_RSP_HAS_VCONT = 1 << 1,         /* vContSupported */
	KD_RSP_HAS_MULTIPROCESS = 1 << 2,
	KD_RSP_HAS_NO_ACK = 1 << 3, /* QStartNoAckMode */
	KD_RSP_HAS_SWBREAK = 1 << 4,
	KD_RSP_HAS_HWBREAK = 1 << 5,
	/* from `vCont?` */
	KD_RSP_HAS_VCONT_C = 1 << 8,
	KD_RSP_HAS_VCONT_S = 1 << 9,
	KD_RSP_HAS_VCONT_T = 1 << 10,
	/* from `qqemu.Supported` */
	KD_RSP_HAS_QEMU_SSTEP = 1 << 16,
	KD_RSP_HAS_QEMU_PHYS = 1 << 17, /* PhyMemMode */
} KdRspFeature;

typedef struct {
	guint set;          /* KdRspFeature */
	size_t packet_size; /* longest payload the stub takes, bytes; 400 until it says otherwise */
} KdRspFeatures;

#define KD_RSP_FEATURES_INIT ((KdRspFeatures){0, 400})

/* What kind of answer ends a request. */
typedef enum {
	KD_RSP_EXPECT_REPLY,   /* one packet */
	KD_RSP_EXPECT_STOP,    /* `?`: a stop reply, at once */
	KD_RSP_EXPECT_RESUME,  /* vCont: a stop reply, whenever the machine stops */
	KD_RSP_EXPECT_MONITOR, /* qRcmd: console output, then one packet */
	/* as REPLY, and the client takes the answer into its features or its ack mode */
	KD_RSP_EXPECT_SUPPORTED,
	KD_RSP_EXPECT_VCONT_ACTIONS,
	KD_RSP_EXPECT_QEMU_SUPPORTED,
	KD_RSP_EXPECT_NO_ACK,
} KdRspExpect;

/* One request, not yet framed. Reusable: each builder starts it anew. */
typedef struct {
	KdRspExpect expect;
	GString *payload;
} KdRspRequest;

void kd_rsp_request_init (KdRspRequest *req);
void kd_rsp_request_clear (KdRspRequest *req);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdRspRequest, kd_rsp_request_clear)

/* Part of the base protocol, or questions that an ignorant stub answers empty: always buildable. */
void kd_rsp_request_supported (KdRspRequest *req);      /* qSupported:multiprocess+;… */
void kd_rsp_request_stop_reason (KdRspRequest *req);    /* ? */
void kd_rsp_request_qemu_supported (KdRspRequest *req); /* qqemu.Supported */
void kd_rsp_request_read_registers (KdRspRequest *req); /* g */
void kd_rsp_request_read_register (KdRspRequest *req, guint regnum);
void kd_rsp_request_current_thread (KdRspRequest *req); /* qC */
void kd_rsp_request_thread_info (KdRspRequest *req, gboolean first);
void kd_rsp_request_attached (KdRspRequest *req); /* qAttached */
void kd_rsp_request_detach (KdRspRequest *req, const KdRspFeatures *features, gint64 pid);

/* `op` 'g' (registers, memory) or 'c'. */
void kd_rsp_request_set_thread (
	KdRspRequest *req, const KdRspFeatures *features, char op, KdRspThread thread);
void kd_rsp_request_thread_extra (
	KdRspRequest *req, const KdRspFeatures *features, KdRspThread thread);

/* The most bytes one `m` may ask for and one `M` may carry, from the packet size. */
size_t kd_rsp_read_memory_max (const KdRspFeatures *features);
size_t kd_rsp_write_memory_max (const KdRspFeatures *features);

/* TOO_LARGE above those. */
gboolean kd_rsp_request_read_memory (
	KdRspRequest *req, const KdRspFeatures *features, guint64 addr, size_t len, GError **error);
gboolean kd_rsp_request_write_memory (KdRspRequest *req, const KdRspFeatures *features,
	guint64 addr, const void *bytes, size_t len, GError **error);
gboolean kd_rsp_request_write_register (KdRspRequest *req, const KdRspFeatures *features,
	guint regnum, const void *bytes, size_t len, GError **error);
gboolean kd_rsp_request_write_registers (KdRspRequest *req, const KdRspFeatures *features,
	const void *bytes, size_t len, GError **error);

/* A piece of qXfer:features:read, as long as the packet size allows. */
gboolean kd_rsp_request_xfer_features (KdRspRequest *req, const KdRspFeatures *features,
	const char *annex, size_t offset, GError **error);

/* UNSUPPORTED unless the stub said QStartNoAckMode+. */
gboolean kd_rsp_request_no_ack (KdRspRequest *req, const KdRspFeatures *features, GError **error);
gboolean kd_rsp_request_vcont_actions (
	KdRspRequest *req, const KdRspFeatures *features, GError **error); /* vCont? */

typedef struct {
	char action;  /* 'c', 's' or 't' */
	gboolean all; /* the action for every thread not named by an earlier row */
	KdRspThread thread;
} KdRspResume;

/* vCont;ACTION[:THREAD]… The first row that matches a thread holds. UNSUPPORTED for an action not
 * in `vCont?`'s answer. */
gboolean kd_rsp_request_resume (KdRspRequest *req, const KdRspFeatures *features,
	const KdRspResume *rows, size_t n_rows, GError **error);

typedef enum {
	KD_RSP_BREAK_SOFT = 0,
	KD_RSP_BREAK_HARD = 1,
	KD_RSP_WATCH_WRITE = 2,
	KD_RSP_WATCH_READ = 3,
	KD_RSP_WATCH_ACCESS = 4,
} KdRspBreak;

/* Z/z: `len` is the watched length, or the breakpoint's kind (arm64: 4). Parse the reply with
 * kd_rsp_parse_ok. */
void kd_rsp_request_insert_break (KdRspRequest *req, KdRspBreak type, guint64 addr, guint64 len);
void kd_rsp_request_remove_break (KdRspRequest *req, KdRspBreak type, guint64 addr, guint64 len);

/* qRcmd. The stub's output comes as OUTPUT events or as the reply itself (kd_rsp_parse_monitor). */
gboolean kd_rsp_request_monitor (
	KdRspRequest *req, const KdRspFeatures *features, const char *command, GError **error);

/* QEMU's own. `sstep` bits: 1 enable, 2 no IRQs, 4 no timers. */
gboolean kd_rsp_request_qemu_sstepbits (
	KdRspRequest *req, const KdRspFeatures *features, GError **error);
gboolean kd_rsp_request_qemu_get_sstep (
	KdRspRequest *req, const KdRspFeatures *features, GError **error);
gboolean kd_rsp_request_qemu_set_sstep (
	KdRspRequest *req, const KdRspFeatures *features, guint bits, GError **error);
gboolean kd_rsp_request_qemu_get_phys (
	KdRspRequest *req, const KdRspFeatures *features, GError **error);
gboolean kd_rsp_request_qemu_set_phys (
	KdRspRequest *req, const KdRspFeatures *features, gboolean on, GError **error);

/* TRUE for "ENN" and "E.text"; *ret_code is 0 for the latter. Sets nothing else. */
gboolean kd_rsp_is_error (const char *payload, size_t len, guint *ret_code);

/* The "E.." code of a KD_PROTO_ERROR_REMOTE made by a parser here, or 0. E14 is QEMU's "not
 * mapped". */
guint kd_rsp_error_code (const GError *error);

gboolean kd_rsp_parse_ok (const char *payload, size_t len, GError **error);

/* Adds to `features`; unknown names are skipped. */
gboolean kd_rsp_parse_supported (
	const char *payload, size_t len, KdRspFeatures *features, GError **error);
gboolean kd_rsp_parse_vcont_actions (
	const char *payload, size_t len, KdRspFeatures *features, GError **error);
gboolean kd_rsp_parse_qemu_supported (
	const char *payload, size_t len, KdRspFeatures *features, GError **error);

/*
 * `m`: up to `want` bytes into `ret_bytes`; the stub may give fewer. On failure `ret_bytes` is
 * unspecified, *ret_got untouched.
 */
gboolean kd_rsp_parse_memory (const char *payload, size_t len, size_t want, uint8_t *ret_bytes,
	size_t *ret_got, GError **error);

/*
 * `p`, `g`: bytes into `ret_bytes`, room for `max`. Registers the stub cannot give ("xx") read as
 * zero and set *ret_unavailable (may be NULL).
 */
gboolean kd_rsp_parse_registers (const char *payload, size_t len, size_t max, uint8_t *ret_bytes,
	size_t *ret_got, gboolean *ret_unavailable, GError **error);

/*
 * qXfer: appends the piece. A piece without bytes that is not the last is MALFORMED (asking again
 * would never end), more than KD_RSP_XFER_MAX in all TOO_LARGE.
 */
gboolean kd_rsp_parse_xfer (
	const char *payload, size_t len, GByteArray *into, gboolean *ret_last, GError **error);

/* qfThreadInfo, qsThreadInfo: appends KdRspThread; at most KD_RSP_THREADS_MAX in all. */
gboolean kd_rsp_parse_thread_info (
	const char *payload, size_t len, GArray *into, gboolean *ret_last, GError **error);
gboolean kd_rsp_parse_current_thread (
	const char *payload, size_t len, KdRspThread *ret, GError **error);
gboolean kd_rsp_parse_attached (
	const char *payload, size_t len, gboolean *ret_attached, GError **error);

/* qThreadExtraInfo: hex → text (not escaped, NUL-free). New string. */
char *kd_rsp_parse_hex_text (const char *payload, size_t len, GError **error);

/* qRcmd's last packet: "OK" → "", hex → text. New string. */
char *kd_rsp_parse_monitor (const char *payload, size_t len, GError **error);

/* "ENABLE=1,NOIRQ=2,NOTIMER=4" → all the bits together. */
gboolean kd_rsp_parse_qemu_sstepbits (
	const char *payload, size_t len, guint *ret_bits, GError **error);
gboolean kd_rsp_parse_qemu_sstep (const char *payload, size_t len, guint *ret_bits, GError **error);
gboolean kd_rsp_parse_qemu_phys (const char *payload, size_t len, gboolean *ret_on, GError **error);

/* "pX.Y", "pX", "Y"; *ret_used characters. */
gboolean kd_rsp_thread_parse (const char *text, size_t len, KdRspThread *ret, size_t *ret_used);
void kd_rsp_thread_append (GString *out, const KdRspFeatures *features, KdRspThread thread);
