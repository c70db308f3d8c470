/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hex.h"

#include <string.h>

/* All lengths around the vectors' width, every byte value, both cases. */
static void
test_round_trip (void)
{
	uint8_t bytes[300], back[300];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 151);
	for (size_t len = 0; len < sizeof bytes; len++) {
		g_autofree char *hex = kd_hex_to_string (bytes, len);
		g_autofree char *upper = g_ascii_strup (hex, -1);

		g_assert_cmpuint (strlen (hex), ==, 2 * len);
		memset (back, 0x5a, sizeof back);
		g_assert_true (kd_hex_decode (hex, len, back));
		g_assert_cmpmem (back, len, bytes, len);
		g_assert_cmphex (back[len], ==, 0x5a);
		g_assert_true (kd_hex_decode (upper, len, back));
		g_assert_cmpmem (back, len, bytes, len);
	}
}

/* A character that is no digit, at every place of runs of every length, is seen. */
static void
test_bad_digit (void)
{
	for (size_t len = 1; len <= 40; len++) {
		char hex[80];
		uint8_t bytes[40];

		memset (hex, '0', sizeof hex);
		for (size_t at = 0; at < 2 * len; at++) {
			for (int c = 0; c < 256; c++) {
				gboolean good = g_ascii_isxdigit ((char)c);

				hex[at] = (char)c;
				g_assert_cmpint (kd_hex_decode (hex, len, bytes), ==, good);
				if (good)
					g_assert_cmpint (bytes[at / 2] >> (at % 2 ? 0 : 4), ==,
						g_ascii_xdigit_value ((char)c));
			}
			hex[at] = '0';
		}
	}
}

static void
test_numbers (void)
{
	static const struct {
		const char *text;
		gboolean ok;
		uint64_t value;
	} rows[] = {
		{"0", TRUE, 0},
		{"007", TRUE, 7},
		{"18446744073709551615", TRUE, UINT64_MAX},
		{"18446744073709551616", FALSE, 0},
		{"99999999999999999999", FALSE, 0},
		{"0x0", TRUE, 0},
		{"0XfF", TRUE, 255},
		{"0xffffffffffffffff", TRUE, UINT64_MAX},
		{"0x00000000000000000000000000000001", TRUE, 1},
		{"0x10000000000000000", FALSE, 0},
		{"", FALSE, 0},
		{"0x", FALSE, 0},
		{"x1", FALSE, 0},
		{"-1", FALSE, 0},
		{"+1", FALSE, 0},
		{" 1", FALSE, 0},
		{"1 ", FALSE, 0},
		{"12a", FALSE, 0},
		{"0x12g", FALSE, 0},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		uint64_t value = 0;

		g_test_message ("\"%s\"", rows[i].text);
		g_assert_cmpint (kd_parse_u64 (rows[i].text, &value), ==, rows[i].ok);
		g_assert_cmphex (value, ==, rows[i].value);
	}
}

static void
test_signed (void)
{
	int64_t value = 42;

	g_assert_false (kd_parse_i64 ("9223372036854775808", &value));
	g_assert_false (kd_parse_i64 ("-9223372036854775809", &value));
	g_assert_false (kd_parse_i64 ("-", &value));
	g_assert_false (kd_parse_i64 ("--1", &value));
	g_assert_false (kd_parse_i64 (NULL, &value));
	g_assert_cmpint (value, ==, 42);
	g_assert_true (kd_parse_i64 ("-9223372036854775808", &value));
	g_assert_cmpint (value, ==, INT64_MIN);
	g_assert_true (kd_parse_i64 ("-0x10", &value));
	g_assert_cmpint (value, ==, -16);
	g_assert_true (kd_parse_i64 ("9223372036854775807", &value));
	g_assert_cmpint (value, ==, INT64_MAX);
}

static void
test_prefix (void)
{
	uint64_t value = 7;
	size_t used = 9;

	g_assert_true (kd_hex_parse_prefix ("1f:", 3, &value, &used));
	g_assert_cmphex (value, ==, 0x1f);
	g_assert_cmpuint (used, ==, 2);
	/* The length bounds it, not the NUL. */
	g_assert_true (kd_hex_parse_prefix ("1234", 2, &value, &used));
	g_assert_cmphex (value, ==, 0x12);
	g_assert_false (kd_hex_parse_prefix (":1", 2, &value, &used));
	g_assert_false (kd_hex_parse_prefix ("1", 0, &value, &used));
	g_assert_false (kd_hex_parse_prefix ("10000000000000000", 17, &value, &used));
	g_assert_cmphex (value, ==, 0x12);
	g_assert_cmpuint (used, ==, 2);
	g_assert_false (kd_hex_parse_u64 ("12:", 3, &value));
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/hex/round-trip", test_round_trip);
	g_test_add_func ("/hex/bad-digit", test_bad_digit);
	g_test_add_func ("/hex/numbers", test_numbers);
	g_test_add_func ("/hex/signed", test_signed);
	g_test_add_func ("/hex/prefix", test_prefix);
	return g_test_run();
}
