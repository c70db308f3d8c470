/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/*
 * The private folder of this user where the daemon's socket and lock are:
 * $XDG_RUNTIME_DIR/kvmdbg, or where that is unset /run/user/UID/kvmdbg when that is ours, else
 * /tmp/kvmdbg-UID. Made with mode 0700 when missing. Refused (G_IO_ERROR_PERMISSION_DENIED) when it
 * is a symbolic link, belongs to somebody else, or others may enter it. New string.
 */
char *kd_runtime_dir (GError **error);

/*
 * The private folder of this user for what must be found again whatever XDG_RUNTIME_DIR says then,
 * notes and locks of machines: /tmp/kvmdbg-UID; kd_runtime_dir() where somebody else has taken that
 * name. New string.
 */
char *kd_note_dir (GError **error);

/* The daemon's socket inside of it; G_IO_ERROR_FILENAME_TOO_LONG when no socket can have that path.
 */
char *kd_runtime_socket_path (GError **error);
