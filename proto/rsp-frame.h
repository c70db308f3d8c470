/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "proto/proto.h"

/*
 * The GDB remote serial protocol's framing, either side: "$payload#cc", "%notification#cc", acks,
 * and the interrupt byte. Run lengths and escapes are expanded, checksums checked. Source: GDB
 * manual, "Remote Protocol: Overview" and "Notification Packets".
 */
#define KD_RSP_PAYLOAD_MAX (1024 * 1024) /* after expansion */

typedef enum {
	KD_RSP_FRAME_PACKET,
	KD_RSP_FRAME_NOTIFICATION,
	KD_RSP_FRAME_ACK,
	KD_RSP_FRAME_NACK,
	KD_RSP_FRAME_INTERRUPT, /* byte 0x03 between packets */
} KdRspFrameKind;

typedef struct {
	KdRspFrameKind kind;
	const char *payload; /* PACKET, NOTIFICATION: also NUL-terminated behind `len`; valid until
				the next feed */
	size_t len;
} KdRspFrame;

typedef struct KdRspDecoder KdRspDecoder;

KdRspDecoder *kd_rsp_decoder_new (void);
void kd_rsp_decoder_free (KdRspDecoder *dec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdRspDecoder, kd_rsp_decoder_free)

/* Forgets a packet that is half read. */
void kd_rsp_decoder_reset (KdRspDecoder *dec);

/*
 * Bytes between packets that mean nothing are counted and skipped. FAILED is CHECKSUM, MALFORMED
 * (escape, run length or checksum digit), TOO_LARGE (the rest of that packet is skipped), or
 * TRUNCATED (a '$' inside a packet: the new packet is read from there). `ret_frame` is written for
 * MESSAGE only.
 */
KdDecode kd_rsp_decoder_feed (KdRspDecoder *dec, const void *data, size_t len, size_t *ret_used,
	KdRspFrame *ret_frame, GError **error);

/* How many bytes outside of any frame were skipped so far: a peer that is no stub shows here. */
size_t kd_rsp_decoder_get_junk (const KdRspDecoder *dec);

/* TRUE while a packet is half read. */
gboolean kd_rsp_decoder_in_packet (const KdRspDecoder *dec);

/* Appends "$payload#cc"; '#', '$', '}' and '*' escaped (QEMU expands run lengths in requests too).
 */
void kd_rsp_frame_encode (GByteArray *out, const void *payload, size_t len);
