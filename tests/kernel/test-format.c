/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/json.h"
#include "fake-kernel.h"
#include "kernel/expr.h"
#include "kernel/format.h"

static const struct {
	const char *name, *expression;
	KdFormatOptions options;
	const char *text, *json;
	gboolean partial;
} rows[] = {
	{"int", "the_item.value", {0}, "-7", "-7", FALSE},
	{"unsigned-64", "the_item.big", {0}, "18446744073709551615", "\"0xffffffffffffffff\"",
		FALSE},
	{"bit-field", "the_item.high", {0}, "-2", "-2", FALSE},
	{"bool", "the_item.on", {0}, "true", "true", FALSE},
	{"enum", "the_item.color", {0}, "BLUE", "\"BLUE\"", FALSE},
	{"enum-unknown", "(enum color)3", {0}, "3", "3", FALSE},
	{"enum-flags", "the_item.flags", {0}, "F_A | F_C", "\"F_A | F_C\"", FALSE},
	{"char", "the_item.name[0]", {0}, "115 's'", "115", FALSE},
	{"string", "the_item.name", {0}, "\"swap\\\"per\\n\"", "\"swap\\\"per\\\\n\"", FALSE},
	{"string-cut", "the_item.name", {.limit = 4}, "\"swap\"...", "\"swap\"", TRUE},
	{"string-of-symbol-size", "unsized", {0}, "\"a label\"", "\"a label\"", FALSE},
	{"pc", "$pc", {0}, "0xffff800000001000 <do_thing>", "\"0xffff800000001000\"", FALSE},
	{"pointer-symbol", "the_item.next_item", {0}, "0xffff000000010000 <the_item>",
		"\"0xffff000000010000\"", FALSE},
	{"pointer-offset", "&the_item.link", {0}, "0xffff000000010038 <the_item+0x38>",
		"\"0xffff000000010038\"", FALSE},
	{"function-pointer", "the_item.fn", {0}, "0xffff800000001000 <do_thing>",
		"\"0xffff800000001000\"", FALSE},
	{"char-pointer", "the_item.label", {0}, "0xffff000000010200 <unsized> \"a label\"",
		"\"0xffff000000010200\"", FALSE},
	{"null", "(struct item *)0", {0}, "0x0", "\"0x0\"", FALSE},
	{"function", "do_thing", {0}, "{int (int n)} 0xffff800000001000 <do_thing>",
		"\"0xffff800000001000\"", FALSE},
	{"array", "the_item.table", {0}, "{ 0, 10, 20, 30 }", "[0,10,20,30]", FALSE},
	{"array-cut", "the_item.table", {.limit = 2}, "{ 0, 10, ... }", "[0,10,{\"omitted\":2}]",
		TRUE},
	{"array-folded", "numbers", {.limit = 3}, "{ 0 <repeats 40 times> }",
		"[0,0,0,{\"omitted\":37}]", FALSE},
	{"array-of-bytes", "the_item.raw", {0}, "{ 1, 1, 1, 1, 1, 1, 1, 1 }", "[1,1,1,1,1,1,1,1]",
		FALSE},
	{"array-of-structures", "*(struct list_head (*)[3])&numbers", {0},
		"{ { next = 0x0, prev = 0x0 } <repeats 3 times> }",
		"[{\"next\":\"0x0\",\"prev\":\"0x0\"},{\"next\":\"0x0\",\"prev\":\"0x0\"},"
		"{\"next\":\"0x0\",\"prev\":\"0x0\"}]",
		FALSE},
	{"list-empty", "the_item.link", {0},
		"{\n  next = 0xffff000000010038 <the_item+0x38>,\n"
		"  prev = 0xffff000000010038 <the_item+0x38>,\n} (empty)",
		"{\"next\":\"0xffff000000010038\",\"prev\":\"0xffff000000010038\"}", FALSE},
	{"int128", "*(u128 *)&the_item.table", {0}, "0x1e000000140000000a00000000",
		"\"0x1e000000140000000a00000000\"", FALSE},
	{"format-x", "the_item.value", {.format = 'x'}, "0xfffffff9", "\"0xfffffff9\"", FALSE},
	{"format-x-bit-field", "the_item.high", {.format = 'x'}, "0x1e", "\"0x1e\"", FALSE},
	{"format-d", "the_item.big", {.format = 'd'}, "-1", "-1", FALSE},
	{"format-o", "the_item.table[1]", {.format = 'o'}, "012", "\"012\"", FALSE},
	{"format-t", "the_item.low", {.format = 't'}, "0b101", "\"0b101\"", FALSE},
	{"format-c", "the_item.table[1]", {.format = 'c'}, "10 '\\n'", "\"10 '\\\\n'\"", FALSE},
	{"format-s", "*(unsigned char (*)[7])the_item.label", {.format = 's'}, "\"a label\"",
		"\"a label\"", FALSE},
	{"format-x-inside", "the_item.table", {.format = 'x'}, "{ 0x0, 0xa, 0x14, 0x1e }",
		"[\"0x0\",\"0xa\",\"0x14\",\"0x1e\"]", FALSE},
};

static KdFormatted
format (KdKernel *kernel, const char *expression, const KdFormatOptions *options)
{
	g_autoptr (GError) error = NULL;
	KdFormatted formatted = {0};
	KdObject object;

	kd_expr_eval (kernel, 0, expression, &object, &error);
	g_assert_no_error (error);
	kd_format_object (&object, options, &formatted, &error);
	g_assert_no_error (error);
	return formatted;
}

static void
test_value (gconstpointer data)
{
	guint row = GPOINTER_TO_UINT (data);
	g_autoptr (KdKernel) kernel = fake_kernel_new();
	g_auto (KdFormatted) formatted = {0};
	g_autofree char *json = NULL;

	fake_kernel_fill_item (kernel);
	formatted = format (kernel, rows[row].expression, &rows[row].options);
	json = kd_json_to_string (formatted.json, FALSE);
	g_assert_cmpstr (formatted.text, ==, rows[row].text);
	g_assert_cmpstr (json, ==, rows[row].json);
	g_assert_cmpint (formatted.partial, ==, rows[row].partial);
}

static const char item_text[] = "{\n"
				"  name = \"swap\\\"per\\n\",\n"
				"  value = -7,\n"
				"  low = 5,\n"
				"  high = -2,\n"
				"  on = true,\n"
				"  color = BLUE,\n"
				"  flags = F_A | F_C,\n"
				"  { whole = 8589934593, { lo = 1, hi = 2 } },\n"
				"  next_item = 0xffff000000010000 <the_item>,\n"
				"  link = {\n"
				"    next = 0xffff000000010038 <the_item+0x38>,\n"
				"    prev = 0xffff000000010038 <the_item+0x38>,\n"
				"  } (empty),\n"
				"  fn = 0xffff800000001000 <do_thing>,\n"
				"  label = 0xffff000000010200 <unsized> \"a label\",\n"
				"  table = { 0, 10, 20, 30 },\n"
				"  raw = { 1, 1, 1, 1, 1, 1, 1, 1 },\n"
				"  big = 18446744073709551615,\n"
				"}";

static void
test_structure (void)
{
	g_autoptr (KdKernel) kernel = fake_kernel_new();
	g_auto (KdFormatted) formatted = {0};
	g_auto (KdFormatted) shallow = {0};
	JsonObject *obj;

	fake_kernel_fill_item (kernel);
	formatted = format (kernel, "the_item", NULL);
	g_assert_cmpstr (formatted.text, ==, item_text);
	g_assert_false (formatted.partial);
	obj = json_node_get_object (formatted.json);
	/* Members of what has no name are the structure's own. */
	g_assert_cmpint (json_object_get_int_member (obj, "hi"), ==, 2);
	g_assert_cmpstr (json_object_get_string_member (obj, "color"), ==, "BLUE");

	shallow = format (kernel, "the_item", &(KdFormatOptions){.depth = 1});
	g_assert_nonnull (strstr (shallow.text, "link = {...},"));
	g_assert_true (shallow.partial);
}

/* The second page is not there: what lies in it is marked, the rest shown. */
static void
test_half_unreadable (void)
{
	g_autoptr (KdKernel) kernel = fake_kernel_new();
	g_auto (KdFormatted) formatted = {0};

	formatted = format (kernel, "*(struct page_wide *)0xffff000000010000", NULL);
	g_assert_nonnull (strstr (formatted.text, "first = 0,"));
	g_assert_nonnull (strstr (formatted.text, "second = <unreadable: 0xffff000000011000>"));
	g_assert_true (formatted.partial);
}

static void
test_bad (void)
{
	g_autoptr (KdKernel) kernel = fake_kernel_new();
	g_autoptr (GError) error = NULL;
	KdFormatted formatted = {.partial = 42};
	KdObject object;

	g_assert_true (kd_expr_eval (kernel, 0, "*(struct item *)0x10", &object, &error));
	g_assert_false (kd_format_object (&object, NULL, &formatted, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT);
	g_clear_error (&error);
	g_assert_true (kd_expr_eval (kernel, 0, "untyped", &object, &error));
	g_assert_false (kd_format_object (&object, NULL, &formatted, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE);
	g_assert_cmpint (formatted.partial, ==, 42);
}

/* An array that no answer may hold: bounded whatever the type says. */
static void
test_huge (void)
{
	g_autoptr (KdKernel) kernel = fake_kernel_new();
	g_auto (KdFormatted) formatted = {0};

	formatted = format (kernel, "*(struct item (*)[100000000])0xffff000000010000",
		&(KdFormatOptions){.limit = KD_FORMAT_LIMIT_MAX});
	g_assert_true (formatted.partial);
	g_assert_cmpuint (strlen (formatted.text), <, 20 << 20);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *path = g_strconcat ("/format/value/", rows[i].name, NULL);

		g_test_add_data_func (path, GUINT_TO_POINTER (i), test_value);
	}
	g_test_add_func ("/format/structure", test_structure);
	g_test_add_func ("/format/half-unreadable", test_half_unreadable);
	g_test_add_func ("/format/bad", test_bad);
	g_test_add_func ("/format/huge", test_huge);
	return g_test_run();
}
