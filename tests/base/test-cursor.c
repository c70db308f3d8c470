/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cursor.h"

#include <string.h>

static void
test_integers (void)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	KdCursor little = kd_cursor_init (bytes, sizeof bytes, FALSE);
	KdCursor big = kd_cursor_init (bytes, sizeof bytes, TRUE);
	uint8_t u8 = 0;
	uint16_t u16 = 0;
	uint32_t u32 = 0;
	uint64_t u64 = 0;

	g_assert_true (kd_cursor_next_u8 (&little, &u8));
	g_assert_cmphex (u8, ==, 1);
	g_assert_true (kd_cursor_next_u16 (&little, &u16));
	g_assert_cmphex (u16, ==, 0x0302);
	g_assert_true (kd_cursor_next_u32 (&little, &u32));
	g_assert_cmphex (u32, ==, 0x07060504);
	g_assert_true (kd_cursor_next_u64 (&little, &u64));
	g_assert_cmphex (u64, ==, 0x0f0e0d0c0b0a0908);
	g_assert_true (kd_cursor_at_end (&little));

	g_assert_true (kd_cursor_next_uint (&big, 3, &u64));
	g_assert_cmphex (u64, ==, 0x010203);
	g_assert_true (kd_cursor_next_u32 (&big, &u32));
	g_assert_cmphex (u32, ==, 0x04050607);
}

/* Every way of reading, one byte short: nothing moves, nothing is written. */
static void
test_short (void)
{
	static const uint8_t bytes[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const uint8_t *at = bytes;
	const char *text = "untouched";
	uint64_t u64 = 0x5a;
	int64_t s64 = 0x5a;
	uint32_t u32 = 0x5a;
	uint16_t u16 = 0x5a;
	uint8_t u8 = 0x5a;
	KdCursor sub = {0};

	for (size_t len = 0; len <= sizeof bytes; len++) {
		KdCursor cursor = kd_cursor_init (bytes, len, FALSE);

		g_assert_false (kd_cursor_next_u64 (&cursor, &u64));
		g_assert_false (kd_cursor_next_uint (&cursor, len + 1, &u64));
		g_assert_false (kd_cursor_next_uint (&cursor, 0, &u64));
		g_assert_false (kd_cursor_next_uint (&cursor, 9, &u64));
		g_assert_false (kd_cursor_next_uleb (&cursor, &u64));
		g_assert_false (kd_cursor_next_sleb (&cursor, &s64));
		g_assert_false (kd_cursor_next_bytes (&cursor, len + 1, &at));
		g_assert_false (kd_cursor_next_bytes (&cursor, SIZE_MAX, &at));
		g_assert_false (kd_cursor_next_cstr (&cursor, &text));
		g_assert_false (kd_cursor_skip (&cursor, len + 1));
		g_assert_false (kd_cursor_seek (&cursor, len + 1));
		g_assert_false (kd_cursor_next_sub (&cursor, len + 1, &sub));
		g_assert_cmpuint (cursor.pos, ==, 0);
		if (len < 4)
			g_assert_false (kd_cursor_next_u32 (&cursor, &u32));
		if (len < 2)
			g_assert_false (kd_cursor_next_u16 (&cursor, &u16));
		if (len < 1)
			g_assert_false (kd_cursor_next_u8 (&cursor, &u8));
		g_assert_cmpuint (cursor.pos, ==, 0);
	}
	g_assert_cmphex (u64, ==, 0x5a);
	g_assert_cmphex (s64, ==, 0x5a);
	g_assert_cmphex (u32, ==, 0x5a);
	g_assert_cmphex (u16, ==, 0x5a);
	g_assert_cmphex (u8, ==, 0x5a);
	g_assert_true (at == bytes);
	g_assert_cmpstr (text, ==, "untouched");
	g_assert_null (sub.data);
}

static void
test_leb (void)
{
	static const struct {
		const char *name;
		uint8_t bytes[12];
		size_t len;
		gboolean u_ok, s_ok;
		uint64_t u;
		int64_t s;
	} rows[] = {
		{"zero", {0}, 1, TRUE, TRUE, 0, 0},
		{"two bytes", {0x80, 0x01}, 2, TRUE, TRUE, 128, 128},
		{"minus one", {0x7f}, 1, TRUE, TRUE, 127, -1},
		{"minus 128", {0x80, 0x7f}, 2, TRUE, TRUE, 0x3f80, -128},
		{"padded", {0x81, 0x80, 0x80, 0x00}, 4, TRUE, TRUE, 1, 1},
		{"all ones", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 10, TRUE,
			FALSE, UINT64_MAX, 0},
		{"most negative", {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f}, 10,
			FALSE, TRUE, 0, INT64_MIN},
		{"padded beyond 64 bits",
			{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00},
			12, TRUE, TRUE, 0, 0},
		{"65 bits", {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02}, 10, FALSE,
			FALSE, 0, 0},
		{"beyond", {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 11,
			FALSE, FALSE, 0, 0},
		{"cut off", {0x80, 0x80}, 2, FALSE, FALSE, 0, 0},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		KdCursor u_cursor = kd_cursor_init (rows[i].bytes, rows[i].len, FALSE);
		KdCursor s_cursor = u_cursor;
		uint64_t u = 0;
		int64_t s = 0;

		g_test_message ("%s", rows[i].name);
		g_assert_cmpint (kd_cursor_next_uleb (&u_cursor, &u), ==, rows[i].u_ok);
		g_assert_cmpuint (u, ==, rows[i].u);
		g_assert_cmpuint (u_cursor.pos, ==, rows[i].u_ok ? rows[i].len : 0);
		g_assert_cmpint (kd_cursor_next_sleb (&s_cursor, &s), ==, rows[i].s_ok);
		g_assert_cmpint (s, ==, rows[i].s);
		g_assert_cmpuint (s_cursor.pos, ==, rows[i].s_ok ? rows[i].len : 0);
	}
}

static void
test_strings_and_parts (void)
{
	static const char bytes[] = "one\0\0three\0\1\2\3\4";
	KdCursor cursor = kd_cursor_init (bytes, sizeof bytes - 1, TRUE), sub;
	const char *text;
	uint16_t u16;

	g_assert_true (kd_cursor_next_cstr (&cursor, &text));
	g_assert_cmpstr (text, ==, "one");
	g_assert_true (kd_cursor_next_cstr (&cursor, &text));
	g_assert_cmpstr (text, ==, "");
	g_assert_true (kd_cursor_next_cstr (&cursor, &text));
	g_assert_cmpstr (text, ==, "three");
	g_assert_false (kd_cursor_next_cstr (&cursor, &text));
	g_assert_true (kd_cursor_next_sub (&cursor, 2, &sub));
	g_assert_true (kd_cursor_next_u16 (&sub, &u16));
	g_assert_cmphex (u16, ==, 0x0102);
	g_assert_false (kd_cursor_next_u16 (&sub, &u16));
	g_assert_true (kd_cursor_next_u16 (&cursor, &u16));
	g_assert_cmphex (u16, ==, 0x0304);

	g_assert_true (kd_cursor_seek (&cursor, 5));
	g_assert_true (kd_cursor_align (&cursor, 8));
	g_assert_cmpuint (cursor.pos, ==, 8);
	g_assert_true (kd_cursor_align (&cursor, 8));
	g_assert_cmpuint (cursor.pos, ==, 8);
	g_assert_true (kd_cursor_skip (&cursor, 6));
	g_assert_false (kd_cursor_align (&cursor, 16));
	g_assert_cmpuint (cursor.pos, ==, 14);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/cursor/integers", test_integers);
	g_test_add_func ("/cursor/short", test_short);
	g_test_add_func ("/cursor/leb", test_leb);
	g_test_add_func ("/cursor/strings-and-parts", test_strings_and_parts);
	return g_test_run();
}
