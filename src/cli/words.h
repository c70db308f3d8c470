/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * A line of the shell: words with quotes ('…', "…", \x) and, behind a "|" that stands outside of
 * quotes and of parentheses, a command for the system's shell. (A "|" inside of parentheses is
 * C's.)
 */
typedef struct {
	char **words;
	char *pipe; /* NULL: none */
} KdLine;

void kd_line_clear (KdLine *line);
/* FALSE: *ret_why (new) says what is wrong. */
gboolean kd_line_parse (const char *text, KdLine *ret_line, char **ret_why);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdLine, kd_line_clear)
