/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <sys/stat.h>

/*
 * A file mapped privately: kernels with debug information have hundreds of megabytes, of which a
 * session reads a few. Others may truncate it or write over it meanwhile. What is gone then reads
 * as zeros and does not end the process (SIGBUS), and kd_file_map_has_changed() tells.
 */
typedef struct {
	/* Writable; nothing of that reaches the file. A page of zeros stands behind the end, so
	 * that strings end. */
	void *data;
	size_t len;
	struct stat st; /* when it was opened */
	char *path;
	struct KdGuardedRange *range;
} KdFileMap;

/* `flags`: O_NOFOLLOW or 0. NULL and KD_IMAGE_ERROR_NOT_FOUND or _NOT_ELF, without the path. */
KdFileMap *kd_file_map_open (const char *path, int flags, GError **error);
void kd_file_map_free (KdFileMap *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdFileMap, kd_file_map_free)
/* TRUE: zeros stood for some of it. */
gboolean kd_file_map_is_torn (const KdFileMap *map);
/* TRUE: that, or it was written to since. */
gboolean kd_file_map_has_changed (const KdFileMap *map);
