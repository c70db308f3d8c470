/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/session.h"

static void
test_table (void)
{
	static const char *const headings[] = {"NAME", "SIZE", "NOTE", NULL};
	g_autofree char *got = NULL;
	KdText *text = kd_text_new (FALSE, 80);

	kd_text_table_begin (text, headings);
	kd_text_table_cell (text, KD_STYLE_SYMBOL, "kvm");
	kd_text_table_cell (text, KD_STYLE_NUMBER, "4096");
	kd_text_table_cell (text, KD_STYLE_PLAIN, NULL);
	kd_text_table_end_row (text);
	kd_text_table_cell (text, KD_STYLE_SYMBOL, "größer");
	kd_text_table_cellf (text, KD_STYLE_NUMBER, "%d", 8);
	kd_text_table_cell (text, KD_STYLE_PLAIN, "two\nlines");
	kd_text_table_end_row (text);
	kd_text_table_cell (text, KD_STYLE_SYMBOL, "short");
	kd_text_table_end_row (text);
	kd_text_table_end (text);
	got = kd_text_finish (text);
	g_assert_cmpstr (got, ==,
		"NAME    SIZE  NOTE\n"
		"kvm     4096\n"
		"größer     8  two lines\n"
		"short\n");
}

static void
test_hostile (void)
{
	g_autofree char *got = NULL;
	KdText *text = kd_text_new (FALSE, 80);

	kd_text_add (text, KD_STYLE_STRING, "a\033[2J\r\x7f\n\tb\xc2\x9b\xff");
	got = kd_text_finish (text);
	g_assert_cmpstr (got, ==, "a\\x1b[2J\\x0d\\x7f\n\tb\\x9b\\xff");
}

static void
test_color (void)
{
	g_autofree char *got = NULL;
	KdText *text = kd_text_new (TRUE, 80);

	kd_text_add (text, KD_STYLE_TYPE, "int");
	kd_text_add (text, KD_STYLE_PLAIN, " x");
	kd_text_add (text, KD_STYLE_TYPE, "");
	kd_text_table_begin (text, NULL);
	kd_text_table_cell (text, KD_STYLE_STRING, "a");
	kd_text_table_cell (text, KD_STYLE_PLAIN, "b");
	kd_text_table_end_row (text);
	kd_text_table_cell (text, KD_STYLE_STRING, "aa");
	kd_text_table_end_row (text);
	/* An open table is ended, not lost. */
	got = kd_text_finish (text);
	g_assert_cmpstr (got, ==, "\033[36mint\033[0m x\033[32ma\033[0m   b\n\033[32maa\033[0m\n");
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/text/table", test_table);
	g_test_add_func ("/text/hostile", test_hostile);
	g_test_add_func ("/text/color", test_color);
	return g_test_run();
}
