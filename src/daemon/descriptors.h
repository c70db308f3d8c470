/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * File descriptors: GLib ends the process when it gets none for the cancellable of a job, so some
 * are never given to clients.
 */

/* Allows this process as many as it may have. */
void kd_descriptors_raise_limit (void);

/*
 * `fd` was opened just now: the lowest free number, so that all below are in use. TRUE: so few are
 * left behind it that it has to be closed again; `sessions`: those of one more session are to be
 * left as well.
 */
gboolean kd_descriptors_are_short (int fd, gboolean sessions);
