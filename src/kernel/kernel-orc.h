/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "image/orc.h"
#include "kernel/kernel.h"

/*
 * The kernel's own unwind rule for run-time address `addr`, out of its file or, without one, out of
 * its memory. FALSE: it has none there. Blocks while the table is read, once.
 */
gboolean kd_kernel_orc_at (KdKernel *kernel, uint64_t addr, KdOrcEntry *ret_entry);
/* TRUE: the kernel was built with such rules. */
gboolean kd_kernel_has_orc (const KdKernel *kernel);
