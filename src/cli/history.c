/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

#include <readline/history.h>

#define HISTORY_MAX 5000

static char *path; /* NULL: nowhere to keep it */

void
kd_history_load (void)
{
	g_autofree char *dir = g_build_filename (g_get_user_state_dir(), "kvmdbg", NULL);
	int fd;

	using_history();
	stifle_history (HISTORY_MAX);
	if (g_mkdir_with_parents (dir, 0700) < 0)
		return;
	path = g_build_filename (dir, "history", NULL);
	/* append_history() wants a file that is there, and private as a shell's is. */
	fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		g_clear_pointer (&path, g_free);
		return;
	}
	close (fd);
	read_history (path);
	history_truncate_file (path, HISTORY_MAX);
}

void
kd_history_add (const char *line)
{
	HIST_ENTRY *last = history_length ? history_get (history_base + history_length - 1) : NULL;

	if (last && g_strcmp0 (last->line, line) == 0)
		return;
	add_history (line);
	if (path)
		append_history (1, path);
}
