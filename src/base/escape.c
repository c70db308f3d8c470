/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/escape.h"

#include <string.h>

void
kd_escape_append (GString *out, const char *text, gssize len, size_t max)
{
	size_t total = len < 0 ? strlen (text) : strnlen (text, (size_t)len);
	size_t left = MIN (total, max);
	const char *at = text;

	while (left > 0) {
		gunichar c = g_utf8_get_char_validated (at, (gssize)left);
		size_t used = 1;

		if (c == (gunichar)-1 || c == (gunichar)-2) {
			g_string_append_printf (out, "\\x%02x", (unsigned)(guchar)*at);
		} else if (c == '\n') {
			g_string_append (out, "\\n");
		} else if (c == '\t') {
			g_string_append (out, "\\t");
		} else if (c == '\r') {
			g_string_append (out, "\\r");
		} else if (c == '\\') {
			g_string_append (out, "\\\\");
		} else if (c < 0x20 || c == 0x7f) {
			g_string_append_printf (out, "\\x%02x", c);
		} else if (!g_unichar_isprint (c)) {
			/* Also the direction overrides, which could rearrange a line on a terminal.
			 */
			used = (size_t)(g_utf8_next_char (at) - at);
			for (size_t i = 0; i < used; i++)
				g_string_append_printf (out, "\\x%02x", (unsigned)(guchar)at[i]);
		} else {
			used = (size_t)(g_utf8_next_char (at) - at);
			g_string_append_len (out, at, (gssize)used);
		}
		at += used;
		left -= used;
	}
	if (total > max)
		g_string_append (out, "…");
}

char *
kd_escape (const char *text, gssize len, size_t max)
{
	GString *out = g_string_new (NULL);

	kd_escape_append (out, text, len, max);
	return g_string_free (out, FALSE);
}
