/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * A bounded reader over bytes that somebody else owns. Each next_* either advances and returns
 * TRUE, or returns FALSE and leaves the cursor and the output as they were.
 */
typedef struct {
	const uint8_t *data;
	size_t len;
	size_t pos; /* <= len, always */
	gboolean big_endian;
} KdCursor;

static inline KdCursor
kd_cursor_init (const void *data, size_t len, gboolean big_endian)
{
	return (KdCursor){data, len, 0, big_endian};
}

static inline size_t
kd_cursor_left (const KdCursor *cursor)
{
	return cursor->len - cursor->pos;
}

static inline gboolean
kd_cursor_at_end (const KdCursor *cursor)
{
	return cursor->pos == cursor->len;
}

gboolean kd_cursor_next_u8 (KdCursor *cursor, uint8_t *ret);
gboolean kd_cursor_next_u16 (KdCursor *cursor, uint16_t *ret);
gboolean kd_cursor_next_u32 (KdCursor *cursor, uint32_t *ret);
gboolean kd_cursor_next_u64 (KdCursor *cursor, uint64_t *ret);

/* An unsigned integer of `size` bytes, 1 to 8. */
gboolean kd_cursor_next_uint (KdCursor *cursor, size_t size, uint64_t *ret);

/* LEB128 as in DWARF; a value that does not fit 64 bits is refused. */
gboolean kd_cursor_next_uleb (KdCursor *cursor, uint64_t *ret);
gboolean kd_cursor_next_sleb (KdCursor *cursor, int64_t *ret);

/* A pointer to `len` bytes inside the cursor's data. */
gboolean kd_cursor_next_bytes (KdCursor *cursor, size_t len, const uint8_t **ret);

/* A NUL-terminated string inside the cursor's data; FALSE when no NUL is left. */
gboolean kd_cursor_next_cstr (KdCursor *cursor, const char **ret);

gboolean kd_cursor_skip (KdCursor *cursor, size_t len);
gboolean kd_cursor_seek (KdCursor *cursor, size_t pos);

/* Moves to the next multiple of `align` (a power of two) from the data's start. */
gboolean kd_cursor_align (KdCursor *cursor, size_t align);

/* A cursor of its own over the next `len` bytes, which this one moves past. */
gboolean kd_cursor_next_sub (KdCursor *cursor, size_t len, KdCursor *ret);
