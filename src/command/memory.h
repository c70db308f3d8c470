/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

#define KD_COMMAND_PAGE 4096 /* no translation has smaller pages */

/* Reads memory of any space; without a kernel what the stub can give. All of `len`, or an error. */
gboolean kd_command_read (KdSession *session, KdAddr addr, void *buf, size_t len, GError **error);
/* The same for writing to a stopped machine's RAM; nothing is written when a part is not there. */
gboolean kd_command_write_memory (
	KdSession *session, KdAddr addr, const void *buf, size_t len, GError **error);
/* The error says that nothing is there, and not that something went wrong. */
gboolean kd_command_is_hole (const GError *error);
