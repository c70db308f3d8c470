/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/*
 * Where the kernel makes a copy of its ftrace entry code for each user of it (x86): the address in
 * the image that the code at `addr` is a copy of. FALSE: no copy is there.
 */
gboolean kd_ftrace_origin (KdKernel *kernel, uint64_t addr, uint64_t *ret_origin);
