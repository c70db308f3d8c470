/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * Guest and peer strings for one line of output: control characters, backslash and bytes that are
 * not UTF-8 become \n, \t, \r, \\ or \xNN. New string of at most `max` source bytes ("…" appended
 * when cut); stops at a NUL. `len` may be -1 for a NUL-terminated string.
 */
char *kd_escape (const char *text, gssize len, size_t max);

/* Appends the same to `out`. */
void kd_escape_append (GString *out, const char *text, gssize len, size_t max);
