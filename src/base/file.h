/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/* All `len` bytes of `fd` from `offset` on. FALSE: errno says why, EIO where the file ends before
 * that. */
gboolean kd_read_at (int fd, uint64_t offset, void *buf, size_t len);
