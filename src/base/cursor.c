/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cursor.h"

#include <string.h>

gboolean
kd_cursor_next_uint (KdCursor *cursor, size_t size, uint64_t *ret)
{
	uint64_t value = 0;

	if (size < 1 || size > 8 || kd_cursor_left (cursor) < size)
		return FALSE;
	for (size_t i = 0; i < size; i++) {
		uint64_t byte = cursor->data[cursor->pos + i];

		value |= byte << 8 * (cursor->big_endian ? size - 1 - i : i);
	}
	cursor->pos += size;
	*ret = value;
	return TRUE;
}

gboolean
kd_cursor_next_u8 (KdCursor *cursor, uint8_t *ret)
{
	if (kd_cursor_left (cursor) < 1)
		return FALSE;
	*ret = cursor->data[cursor->pos++];
	return TRUE;
}

gboolean
kd_cursor_next_u16 (KdCursor *cursor, uint16_t *ret)
{
	uint64_t value;

	if (!kd_cursor_next_uint (cursor, 2, &value))
		return FALSE;
	*ret = (uint16_t)value;
	return TRUE;
}

gboolean
kd_cursor_next_u32 (KdCursor *cursor, uint32_t *ret)
{
	uint64_t value;

	if (!kd_cursor_next_uint (cursor, 4, &value))
		return FALSE;
	*ret = (uint32_t)value;
	return TRUE;
}

gboolean
kd_cursor_next_u64 (KdCursor *cursor, uint64_t *ret)
{
	return kd_cursor_next_uint (cursor, 8, ret);
}

gboolean
kd_cursor_next_uleb (KdCursor *cursor, uint64_t *ret)
{
	uint64_t value = 0;
	guint shift = 0;

	for (size_t pos = cursor->pos; pos < cursor->len; pos++, shift += 7) {
		uint64_t bits = cursor->data[pos] & 0x7f;

		/* Padding with zero groups is allowed by DWARF, bits beyond 64 are not. */
		if (shift >= 64 ? bits != 0 : bits << shift >> shift != bits)
			return FALSE;
		if (shift < 64)
			value |= bits << shift;
		else
			shift = 64;
		if (!(cursor->data[pos] & 0x80)) {
			cursor->pos = pos + 1;
			*ret = value;
			return TRUE;
		}
	}
	return FALSE;
}

gboolean
kd_cursor_next_sleb (KdCursor *cursor, int64_t *ret)
{
	uint64_t value = 0;
	guint shift = 0;

	for (size_t pos = cursor->pos; pos < cursor->len; pos++, shift += 7) {
		uint8_t byte = cursor->data[pos];
		uint64_t bits = byte & 0x7f;

		if (shift == 63 && bits != 0 && bits != 0x7f)
			return FALSE;
		if (shift > 63) {
			/* Only copies of the sign. */
			if (bits != (value >> 63 ? 0x7fu : 0u))
				return FALSE;
			shift = 64;
		} else {
			value |= bits << shift;
		}
		if (!(byte & 0x80)) {
			if (shift < 57 && byte & 0x40)
				value |= UINT64_MAX << (shift + 7);
			cursor->pos = pos + 1;
			*ret = (int64_t)value;
			return TRUE;
		}
	}
	return FALSE;
}

gboolean
kd_cursor_next_bytes (KdCursor *cursor, size_t len, const uint8_t **ret)
{
	if (kd_cursor_left (cursor) < len)
		return FALSE;
	*ret = cursor->data + cursor->pos;
	cursor->pos += len;
	return TRUE;
}

gboolean
kd_cursor_next_cstr (KdCursor *cursor, const char **ret)
{
	const uint8_t *start, *nul;

	if (kd_cursor_at_end (cursor))
		return FALSE;
	start = cursor->data + cursor->pos;
	nul = memchr (start, '\0', kd_cursor_left (cursor));
	if (!nul)
		return FALSE;
	cursor->pos += (size_t)(nul - start) + 1;
	*ret = (const char *)start;
	return TRUE;
}

gboolean
kd_cursor_skip (KdCursor *cursor, size_t len)
{
	if (kd_cursor_left (cursor) < len)
		return FALSE;
	cursor->pos += len;
	return TRUE;
}

gboolean
kd_cursor_seek (KdCursor *cursor, size_t pos)
{
	if (pos > cursor->len)
		return FALSE;
	cursor->pos = pos;
	return TRUE;
}

gboolean
kd_cursor_align (KdCursor *cursor, size_t align)
{
	return kd_cursor_skip (cursor, -cursor->pos & (align - 1));
}

gboolean
kd_cursor_next_sub (KdCursor *cursor, size_t len, KdCursor *ret)
{
	const uint8_t *bytes;

	if (!kd_cursor_next_bytes (cursor, len, &bytes))
		return FALSE;
	*ret = kd_cursor_init (bytes, len, cursor->big_endian);
	return TRUE;
}
