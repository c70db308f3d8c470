/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/find-kernel.h"

/*
 * The image of a kernel that there is no file of, out of the machine's memory: its symbols from
 * kallsyms, its types from BTF, its notes. It is written to a file that is opened like any other,
 * and kept in `cache_dir` (NULL: the user's) by build-id, or lives as long as the image where there
 * is no id or no cache. Its addresses are link-time ones as far as the kernel itself tells the
 * offset (vmcoreinfo). Errors: NO_KERNEL, CORRUPT (kallsyms contradicts itself), cancelled, lost.
 */
KdImage *kd_memory_image_make (KdTarget *target, const char *cache_dir, GError **error);

/*
 * One that was made before, of the kernel whose vectors the CPUs have. NULL: none; not searched for
 * further.
 */
KdImage *kd_memory_image_cached (KdTarget *target, const char *cache_dir);
