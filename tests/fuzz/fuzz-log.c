/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz-toy.h"
#include "fuzz.h"
#include "kernel/log.h"

/* The ring buffer of printk, its descriptors, infos and text. */
static gboolean
see (const KdLogRecord *record, void *data)
{
	g_assert_cmpuint (record->level, <=, 7);
	g_assert_true (g_utf8_validate (record->text, -1, NULL));
	/* Nothing in it moves a terminal's cursor. */
	for (const char *c = record->text; *c; c = g_utf8_next_char (c))
		g_assert_true (*c == '\n' || *c == '\t' || g_unichar_isprint (g_utf8_get_char (c)));
	return ++*(unsigned *)data < 64;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	static const FuzzToyPiece pieces[] = {
		{"printk_rb_static", 0}, {"toy_descs", 0}, {"toy_infos", 0}, {"toy_text", 0}};
	unsigned all = 0, last = 0;

	fuzz_toy_place (pieces, G_N_ELEMENTS (pieces), data, size);
	for (unsigned i = 0; i < 2; i++) {
		g_autoptr (GError) error = NULL;
		uint64_t skipped;

		g_assert_true (kd_log_foreach (fuzz_toy_kernel(), i ? 3 : 0, see, i ? &last : &all,
				       &skipped, &error) == !error);
	}
	g_assert_cmpuint (last, <=, 3);
	return 0;
}
