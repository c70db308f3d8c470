/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "words.h"

#include <string.h>

#include "fuzz.h"

/* A line as it is typed in the shell. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup ((const char *)data, size), *why = NULL;
	g_auto (KdLine) line = {0};
	size_t total = 0;

	if (!kd_line_parse (text, &line, &why)) {
		g_assert_nonnull (why);
		return 0;
	}
	g_assert_null (why);
	for (char **word = line.words; *word; word++)
		total += strlen (*word);
	g_assert_cmpuint (total + (line.pipe ? strlen (line.pipe) : 0), <=, size);
	return 0;
}
