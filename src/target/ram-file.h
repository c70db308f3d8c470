/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "target/ram-map.h"

/*
 * QEMU's RAM where it is a shared file (memory-backend-memfd, or memory-backend-file with
 * share=on). Read with pread() and not through a mapping: touching a hole of a mapped tmpfs file
 * allocates its page, and touching what is behind the end of a truncated one is SIGBUS.
 */
#define KD_RAM_FILES_MAX 64

/* Array of open files, elements cleared (closed). */
GArray *kd_ram_files_new (void);

/*
 * Finds the file behind `block`, whose hva is known, and says so in the block. `maps`: the text of
 * /proc/PID/maps. FALSE: private memory, no permission, or a file that cannot be read.
 */
gboolean kd_ram_file_find (GArray *files, int pid, const char *maps, KdRamBlock *block);

/* FALSE and errno: EIO when the file ends before that. */
gboolean kd_ram_file_read (const KdRamBlock *block, uint64_t pa, void *buf, size_t len);
