/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* What the program's own options say; they may stand before the command or behind it. */
typedef enum {
	KD_COLOR_AUTO,
	KD_COLOR_ALWAYS,
	KD_COLOR_NEVER,
} KdColorWhen;

typedef struct {
	char *session;      /* NULL: the daemon chooses */
	unsigned timeout_s; /* 0: the daemon's default */
	gboolean json;
	KdColorWhen color;
	gboolean help, version;
	gboolean complete; /* --complete LINE [POINT]: for the shells' completion */
} KdCliOptions;

void kd_cli_options_clear (KdCliOptions *options);
void kd_cli_options_copy (KdCliOptions *to, const KdCliOptions *from);

/*
 * Takes our options out of `words` (freed and moved up); a "--" ends the search and stays, for the
 * command. FALSE: *ret_why (new) says which is wrong.
 */
gboolean kd_cli_options_take (KdCliOptions *options, char **words, char **ret_why);

/* Colour on the stream with descriptor `fd`. */
gboolean kd_cli_options_color (const KdCliOptions *options, int fd);
