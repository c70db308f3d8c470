/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/* One socket that debuggers connect to: a UNIX socket of ours alone, or a port of loopback. */
typedef struct {
	int fd;
	char *name; /* what a debugger connects to: a path, or "HOST:PORT" */
	char *path; /* UNIX: unlinked when closed */
} KdGdbListener;

/*
 * `address` as kd_peer_parse() has it. A socket file that nobody listens on any more is replaced.
 * Errors: KD_COMMAND_ERROR_USAGE for what is not loopback, KD_TARGET_ERROR_CONNECT for no address,
 * G_IO_ERROR. NULL or new.
 */
KdGdbListener *kd_gdb_listener_open (const char *address, GError **error);
void kd_gdb_listener_close (KdGdbListener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdGdbListener, kd_gdb_listener_close)
