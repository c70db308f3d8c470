/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/nearest.h"

#include "base/escape.h"

static void
test_names (void)
{
	static const char *const names[] = {"attach", "detach", "status", "stop", "step", "vms",
		"vm", "vcpus", "vcpu", "memslots", "gpa", "print", "backtrace", NULL};
	static const struct {
		const char *wanted, *hint;
	} rows[] = {
		{"atach", " (did you mean attach or detach?)"},
		{"ATTACH", " (did you mean attach or detach?)"},
		{"setp", " (did you mean step or stop?)"},
		{"vcpsu", " (did you mean vcpus or vcpu?)"},
		{"mem", " (did you mean memslots?)"},
		{"xyzzy", ""},
		{"", ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *hint = kd_nearest_hint_strv (rows[i].wanted, names);

		g_test_message ("%s", rows[i].wanted);
		g_assert_cmpstr (hint, ==, rows[i].hint);
	}
}

/* The best three of many, each once, however they come; hostile lengths cost nothing. */
static void
test_best_of_many (void)
{
	g_autoptr (KdNearest) nearest = kd_nearest_new ("memslots");
	g_autofree char *huge = g_strnfill (1000000, 'm');
	g_auto (GStrv) names = NULL;

	kd_nearest_offer (nearest, huge);
	kd_nearest_offer (nearest, "memslos");
	kd_nearest_offer (nearest, "mmslos");
	kd_nearest_offer (nearest, "memslot");
	kd_nearest_offer (nearest, "memslot");
	kd_nearest_offer (nearest, "memsolts");
	kd_nearest_offer (nearest, "memslots");
	names = kd_nearest_names (nearest);
	g_assert_cmpuint (g_strv_length (names), ==, KD_NEAREST_MAX);
	g_assert_cmpstr (names[0], ==, "memslots");
	g_assert_cmpstr (names[1], ==, "memslos");
	g_assert_cmpstr (names[2], ==, "memslot");
}

static void
test_escape (void)
{
	static const struct {
		const char *text;
		gssize len;
		size_t max;
		const char *escaped;
	} rows[] = {
		{"plain ä", -1, 100, "plain ä"},
		{"a\nb\tc\rd\\e", -1, 100, "a\\nb\\tc\\rd\\\\e"},
		{"\x1b[31mred", -1, 100, "\\x1b[31mred"},
		{"\xff\xfe", -1, 100, "\\xff\\xfe"},
		{"cut\xc3", -1, 100, "cut\\xc3"},
		{"right\xe2\x80\xaeleft", -1, 100, "right\\xe2\\x80\\xaeleft"},
		{"long", -1, 2, "lo…"},
		{"a\0b", 3, 100, "a"},
		{"abc", 2, 100, "ab"},
		{"", -1, 0, ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *escaped = kd_escape (rows[i].text, rows[i].len, rows[i].max);

		g_assert_cmpstr (escaped, ==, rows[i].escaped);
	}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/nearest/names", test_names);
	g_test_add_func ("/nearest/best-of-many", test_best_of_many);
	g_test_add_func ("/escape/rows", test_escape);
	return g_test_run();
}
