/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/rsp-frame.h"

#include <string.h>

#include "base/hex.h"

typedef enum {
	STATE_IDLE,
	STATE_BODY,
	STATE_ESCAPE, /* after '}' */
	STATE_RUN,    /* after '*' */
	STATE_SUM1,
	STATE_SUM2,
	STATE_SKIP,  /* a packet too large: to its '#' */
	STATE_SKIP1, /* its checksum digits */
	STATE_SKIP2,
} State;

struct KdRspDecoder {
	State state;
	KdRspFrameKind kind;
	GByteArray *payload;
	uint8_t sum;      /* of the bytes as sent, run lengths and escapes unexpanded */
	uint8_t sum_sent; /* its first digit */
	gboolean bad;     /* an escape or run length was wrong; told at the packet's end */
	size_t junk;
};

KdRspDecoder *
kd_rsp_decoder_new (void)
{
	KdRspDecoder *dec = g_new0 (KdRspDecoder, 1);

	dec->payload = g_byte_array_new();
	return dec;
}

void
kd_rsp_decoder_free (KdRspDecoder *dec)
{
	if (!dec)
		return;
	g_byte_array_unref (dec->payload);
	g_free (dec);
}

void
kd_rsp_decoder_reset (KdRspDecoder *dec)
{
	dec->state = STATE_IDLE;
}

size_t
kd_rsp_decoder_get_junk (const KdRspDecoder *dec)
{
	return dec->junk;
}

gboolean
kd_rsp_decoder_in_packet (const KdRspDecoder *dec)
{
	return dec->state != STATE_IDLE;
}

static void
start (KdRspDecoder *dec, KdRspFrameKind kind)
{
	dec->state = STATE_BODY;
	dec->kind = kind;
	dec->sum = 0;
	dec->bad = FALSE;
	g_byte_array_set_size (dec->payload, 0);
}

/* One byte between packets. TRUE: it is a message by itself. */
static gboolean
feed_idle (KdRspDecoder *dec, uint8_t byte, KdRspFrameKind *ret_kind)
{
	switch (byte) {
	case '$':
		start (dec, KD_RSP_FRAME_PACKET);
		return FALSE;
	case '%':
		start (dec, KD_RSP_FRAME_NOTIFICATION);
		return FALSE;
	case '+':
		*ret_kind = KD_RSP_FRAME_ACK;
		return TRUE;
	case '-':
		*ret_kind = KD_RSP_FRAME_NACK;
		return TRUE;
	case 0x03:
		*ret_kind = KD_RSP_FRAME_INTERRUPT;
		return TRUE;
	default:
		dec->junk++;
		return FALSE;
	}
}

static gboolean
append (KdRspDecoder *dec, const void *bytes, size_t len)
{
	if (len > KD_RSP_PAYLOAD_MAX - dec->payload->len)
		return FALSE;
	g_byte_array_append (dec->payload, bytes, (guint)len);
	return TRUE;
}

#define LANES(b) (UINT64_C (0x0101010101010101) * (b))

static uint64_t
has_byte (uint64_t word, uint8_t byte)
{
	uint64_t x = word ^ LANES (byte);

	return (x - LANES (1)) & ~x & LANES (0x80);
}

/*
 * How many of the next bytes stand for themselves; their sum is added. Eight at a time: a memory
 * read is thousands of plain digits.
 */
static size_t
scan_plain (const uint8_t *data, size_t len, uint8_t *sum)
{
	const uint64_t even = UINT64_C (0x00ff00ff00ff00ff);
	unsigned total = *sum;
	size_t i = 0;

	while (i + 8 <= len) {
		/* Lanes of 16 bits hold 64 words of 2 * 255 without overflow. */
		size_t end = MIN (len - 7, i + 64 * 8);
		uint64_t lanes = 0, word;
		size_t before = i;

		for (; i < end; i += 8) {
			memcpy (&word, data + i, sizeof word);
			if (has_byte (word, '#') | has_byte (word, '$') | has_byte (word, '*') |
				has_byte (word, '}'))
				break;
			lanes += (word & even) + (word >> 8 & even);
		}
		total += (unsigned)((lanes & 0xffff) + (lanes >> 16 & 0xffff) +
				    (lanes >> 32 & 0xffff) + (lanes >> 48));
		if (i == before || i < end)
			break;
	}
	for (; i < len; i++) {
		uint8_t byte = data[i];

		if (byte == '#' || byte == '$' || byte == '*' || byte == '}')
			break;
		total += byte;
	}
	*sum = (uint8_t)total;
	return i;
}

static gboolean
feed_run (KdRspDecoder *dec, uint8_t byte)
{
	uint8_t run[128], last;
	size_t n;

	dec->sum += byte;
	dec->state = STATE_BODY;
	/* The count is a printable character, 29 above the number of repeats; '#' and '$' cannot
	 * stand here. */
	if (byte < ' ' || byte > '~' || dec->payload->len == 0) {
		dec->bad = TRUE;
		return TRUE;
	}
	n = byte - 29;
	last = dec->payload->data[dec->payload->len - 1];
	memset (run, last, n);
	return append (dec, run, n);
}

static KdDecode
fail (KdRspDecoder *dec, KdProtoError code, const char *what, GError **error)
{
	g_set_error (error, KD_PROTO_ERROR, (int)code, "%s: %s",
		dec->kind == KD_RSP_FRAME_NOTIFICATION ? "RSP notification" : "RSP packet", what);
	return KD_DECODE_FAILED;
}

/* The second checksum digit came: the packet is whole. */
static KdDecode
finish (KdRspDecoder *dec, uint8_t byte, KdRspFrame *ret_frame, GError **error)
{
	int high = kd_hex_digit ((char)dec->sum_sent), low = kd_hex_digit ((char)byte);

	dec->state = STATE_IDLE;
	if (high < 0 || low < 0)
		return fail (
			dec, KD_PROTO_ERROR_MALFORMED, "checksum is not two hex digits", error);
	if ((high << 4 | low) != dec->sum) {
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_CHECKSUM,
			"RSP packet: checksum %02x, its bytes sum to %02x",
			(unsigned)(high << 4 | low), dec->sum);
		return KD_DECODE_FAILED;
	}
	if (dec->bad)
		return fail (dec, KD_PROTO_ERROR_MALFORMED, "bad escape or run length", error);
	g_byte_array_append (dec->payload, (const guint8 *)"", 1);
	*ret_frame =
		(KdRspFrame){dec->kind, (const char *)dec->payload->data, dec->payload->len - 1};
	return KD_DECODE_MESSAGE;
}

static gboolean
feed_escape (KdRspDecoder *dec, uint8_t byte)
{
	uint8_t plain = byte ^ 0x20;

	dec->sum += byte;
	dec->state = STATE_BODY;
	return append (dec, &plain, 1);
}

/* A byte in any state but IDLE, BODY and SUM2. FALSE: the payload is too large. */
static gboolean
feed_byte (KdRspDecoder *dec, uint8_t byte)
{
	switch (dec->state) {
	case STATE_ESCAPE:
	case STATE_RUN:
		if (byte != '#')
			return dec->state == STATE_ESCAPE ? feed_escape (dec, byte)
							  : feed_run (dec, byte);
		dec->bad = TRUE;
		dec->state = STATE_SUM1;
		break;
	case STATE_SUM1:
		dec->sum_sent = byte;
		dec->state = STATE_SUM2;
		break;
	case STATE_SKIP:
		if (byte == '#')
			dec->state = STATE_SKIP1;
		break;
	case STATE_SKIP1:
		dec->state = STATE_SKIP2;
		break;
	case STATE_SKIP2:
		dec->state = STATE_IDLE;
		break;
	case STATE_IDLE:
	case STATE_BODY:
	case STATE_SUM2:
		g_assert_not_reached();
	}
	return TRUE;
}

/* Part of the packet's body from `data`. FALSE: the payload is too large. */
static gboolean
feed_body (KdRspDecoder *dec, const uint8_t *data, size_t len, size_t *ret_used)
{
	size_t plain = scan_plain (data, len, &dec->sum);

	if (plain > 0) {
		*ret_used = plain;
		return append (dec, data, plain);
	}
	*ret_used = 1;
	if (data[0] == '#') {
		dec->state = STATE_SUM1;
	} else {
		dec->sum += data[0];
		dec->state = data[0] == '}' ? STATE_ESCAPE : STATE_RUN;
	}
	return TRUE;
}

KdDecode
kd_rsp_decoder_feed (KdRspDecoder *dec, const void *data, size_t len, size_t *ret_used,
	KdRspFrame *ret_frame, GError **error)
{
	const uint8_t *bytes = data;
	size_t i = 0;

	while (i < len) {
		uint8_t byte = bytes[i];
		KdRspFrameKind kind;
		size_t used = 1;
		gboolean fits;

		/* A packet never holds '$': one that does was cut off by another's start. */
		if (byte == '$' && dec->state != STATE_IDLE) {
			gboolean told = dec->state >= STATE_SKIP;

			dec->state = STATE_IDLE;
			if (told)
				continue;
			*ret_used = i;
			return fail (
				dec, KD_PROTO_ERROR_TRUNCATED, "cut off by the next one", error);
		}
		if (dec->state == STATE_IDLE) {
			i++;
			if (!feed_idle (dec, byte, &kind))
				continue;
			*ret_frame = (KdRspFrame){kind, "", 0};
			*ret_used = i;
			return KD_DECODE_MESSAGE;
		}
		if (dec->state == STATE_SUM2) {
			*ret_used = i + 1;
			return finish (dec, byte, ret_frame, error);
		}
		if (dec->state == STATE_BODY)
			fits = feed_body (dec, bytes + i, len - i, &used);
		else
			fits = feed_byte (dec, byte);
		i += used;
		if (!fits) {
			dec->state = STATE_SKIP;
			*ret_used = i;
			return fail (dec, KD_PROTO_ERROR_TOO_LARGE, "payload over 1 MiB", error);
		}
	}
	*ret_used = len;
	return KD_DECODE_MORE;
}

void
kd_rsp_frame_encode (GByteArray *out, const void *payload, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = payload;
	uint8_t sum = 0, tail[3];

	g_byte_array_append (out, (const guint8 *)"$", 1);
	for (size_t i = 0; i < len;) {
		size_t plain = scan_plain (bytes + i, len - i, &sum);

		g_byte_array_append (out, bytes + i, (guint)plain);
		i += plain;
		if (i < len) {
			uint8_t escaped[2] = {'}', bytes[i++] ^ 0x20};

			sum += escaped[0];
			sum += escaped[1];
			g_byte_array_append (out, escaped, sizeof escaped);
		}
	}
	tail[0] = '#';
	tail[1] = (uint8_t)digits[sum >> 4];
	tail[2] = (uint8_t)digits[sum & 0xf];
	g_byte_array_append (out, tail, sizeof tail);
}
