/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "image/image-private.h"

/*
 * Which DIE defines a name. The kernel's DWARF has no .debug_names, so the first question walks the
 * top level of all units once (two seconds for a kernel) and the answer goes to the cache.
 */

struct KdDwarfNames {
	KdIndex index;
};

/* `kind`: STRUCT, UNION, ENUM, TYPEDEF (also base types) or KD_INDEX_DIE_SYMBOL. 0: none. */
uint64_t kd_dwarf_name_find (KdImage *image, unsigned kind, const char *name);
gboolean kd_dwarf_name_foreach (KdImage *image,
	gboolean (*func) (KdTypeKind kind, const char *name, void *data), void *data);
void kd_dwarf_names_free (KdDwarfNames *names);
