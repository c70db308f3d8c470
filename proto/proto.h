/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/* What all protocols here share: the outcome of feeding bytes, and the failures. */
typedef enum {
	KD_DECODE_MORE,    /* everything given was taken and no message is complete: feed more */
	KD_DECODE_MESSAGE, /* one message; feed the rest (from *ret_used) for the next */
	KD_DECODE_FAILED,  /* GError set; the decoder is usable: feed the rest */
} KdDecode;

typedef enum {
	KD_PROTO_ERROR_MALFORMED,   /* the peer's bytes are not the protocol */
	KD_PROTO_ERROR_CHECKSUM,    /* RSP: a packet's checksum is wrong */
	KD_PROTO_ERROR_TRUNCATED,   /* RSP: a packet was cut off by the start of another */
	KD_PROTO_ERROR_TOO_LARGE,   /* over a limit of ours or of the peer's */
	KD_PROTO_ERROR_UNSUPPORTED, /* the peer did not advertise it, or answered that it cannot */
	KD_PROTO_ERROR_REMOTE,      /* the peer answered with an error of its own */
	KD_PROTO_ERROR_STATE,  /* not now: a request is in flight, the machine runs, no greeting yet
				*/
	KD_PROTO_ERROR_CLOSED, /* end of file with this call unanswered */
	KD_PROTO_ERROR_RETRIES, /* RSP: given up after retransmissions */
} KdProtoError;

/* Private data of an error, through which kd_rsp_error_code works. */
typedef struct {
	guint rsp_code;
} KdProtoErrorPrivate;

#define KD_PROTO_ERROR (kd_proto_error_quark())
GQuark kd_proto_error_quark (void);

/* Sets KD_PROTO_ERROR_REMOTE with the stub's "E.." code, "stub answered ENN". */
void kd_proto_set_rsp_error (GError **error, guint code, const char *text);
/* That code; 0 for any other error and for errors without a number. */
guint kd_proto_get_rsp_code (const GError *error);
