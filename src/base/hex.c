/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hex.h"

#include <string.h>

/* A digit's value with DIGIT set; 0 for what is no digit. */
#define DIGIT 0x10
#define D(c, v) [c] = DIGIT | (v)

static const uint8_t digits_of[256] = {D ('0', 0), D ('1', 1), D ('2', 2), D ('3', 3), D ('4', 4),
	D ('5', 5), D ('6', 6), D ('7', 7), D ('8', 8), D ('9', 9), D ('a', 10), D ('b', 11),
	D ('c', 12), D ('d', 13), D ('e', 14), D ('f', 15), D ('A', 10), D ('B', 11), D ('C', 12),
	D ('D', 13), D ('E', 14), D ('F', 15)};

int
kd_hex_digit (char c)
{
	uint8_t digit = digits_of[(uint8_t)c];

	return digit ? digit & 0xf : -1;
}

static gboolean
decode_plain (const uint8_t *in, size_t len, uint8_t *out)
{
	unsigned good = DIGIT;

	/* No branch per digit: the flag is looked at once, in the end. */
	for (size_t i = 0; i < len; i++) {
		unsigned high = digits_of[in[2 * i]];
		unsigned low = digits_of[in[2 * i + 1]];

		good &= high & low;
		out[i] = (uint8_t)(high << 4 | (low & 0xf));
	}
	return good != 0;
}

#if G_BYTE_ORDER == G_LITTLE_ENDIAN
typedef uint8_t Vec8 __attribute__ ((vector_size (16)));
typedef uint16_t Vec16 __attribute__ ((vector_size (16)));
typedef uint8_t Half8 __attribute__ ((vector_size (8)));

/* Sixteen digits to eight bytes at a time; the compilers' own vectors, so that each machine gets
 * its SIMD. */
static size_t
decode_vectors (const uint8_t *in, size_t len, uint8_t *out, gboolean *ret_good)
{
	Vec8 bad = {0};
	uint64_t bad_halves[2];
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		Vec8 c, number, letter, is_number, is_letter;
		Vec16 pairs;
		Half8 bytes;

		memcpy (&c, in + 2 * i, sizeof c);
		number = c - '0';
		letter = (c | 0x20) - 'a';
		is_number = (Vec8)(number < 10);
		is_letter = (Vec8)(letter < 6);
		bad |= ~(is_number | is_letter);
		pairs = (Vec16)((number & is_number) | ((letter + 10) & is_letter));
		/* The first digit is the lane's low byte and the value's high half. */
		bytes = __builtin_convertvector((pairs << 4 | pairs >> 8) & 0xff, Half8);
		memcpy (out + i, &bytes, sizeof bytes);
	}
	memcpy (bad_halves, &bad, sizeof bad);
	*ret_good = !(bad_halves[0] | bad_halves[1]);
	return i;
}
#else
static size_t
decode_vectors (const uint8_t *in, size_t len, uint8_t *out, gboolean *ret_good)
{
	*ret_good = TRUE;
	return 0;
}
#endif

gboolean
kd_hex_decode (const char *hex, size_t len, uint8_t *ret_bytes)
{
	const uint8_t *in = (const uint8_t *)hex;
	gboolean good;
	size_t done = decode_vectors (in, len, ret_bytes, &good);

	return decode_plain (in + 2 * done, len - done, ret_bytes + done) && good;
}

void
kd_hex_encode (const void *bytes, size_t len, char *ret_hex)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = bytes;

	for (size_t i = 0; i < len; i++) {
		ret_hex[2 * i] = digits[in[i] >> 4];
		ret_hex[2 * i + 1] = digits[in[i] & 0xf];
	}
}

void
kd_hex_append (GString *out, const void *bytes, size_t len)
{
	gsize at = out->len;

	g_string_set_size (out, at + 2 * len);
	kd_hex_encode (bytes, len, out->str + at);
}

char *
kd_hex_to_string (const void *bytes, size_t len)
{
	char *hex = g_malloc (2 * len + 1);

	kd_hex_encode (bytes, len, hex);
	hex[2 * len] = '\0';
	return hex;
}

gboolean
kd_hex_parse_prefix (const char *text, size_t len, uint64_t *ret, size_t *ret_used)
{
	uint64_t value = 0;
	size_t used = 0;

	for (; used < len; used++) {
		int digit = kd_hex_digit (text[used]);

		if (digit < 0)
			break;
		if (value >> 60)
			return FALSE;
		value = value << 4 | (unsigned)digit;
	}
	if (used == 0)
		return FALSE;
	*ret = value;
	*ret_used = used;
	return TRUE;
}

gboolean
kd_hex_parse_u64 (const char *text, size_t len, uint64_t *ret)
{
	uint64_t value;
	size_t used;

	if (!kd_hex_parse_prefix (text, len, &value, &used) || used != len)
		return FALSE;
	*ret = value;
	return TRUE;
}

gboolean
kd_parse_u64 (const char *text, uint64_t *ret)
{
	uint64_t value = 0;

	if (!text || !*text)
		return FALSE;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return kd_hex_parse_u64 (text + 2, strlen (text + 2), ret);
	for (; *text; text++) {
		unsigned digit = (unsigned)(uint8_t)*text - '0';

		if (digit > 9 || __builtin_mul_overflow (value, 10, &value) ||
			__builtin_add_overflow (value, digit, &value))
			return FALSE;
	}
	*ret = value;
	return TRUE;
}

gboolean
kd_parse_i64 (const char *text, int64_t *ret)
{
	gboolean negative = text && *text == '-';
	uint64_t value;

	if (!kd_parse_u64 (negative ? text + 1 : text, &value) ||
		value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return FALSE;
	*ret = negative ? (int64_t)(0 - value) : (int64_t)value;
	return TRUE;
}
