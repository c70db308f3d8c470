/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "image/image-private.h"

/*
 * libdw on the image's own mapping: nothing is copied, a unit is read when it is asked for. Opened
 * at first use, since an attach that needs no DWARF should not pay for it.
 */
typedef struct {
	Dwarf_Off offset;
	Dwarf_Die die;
	GArray *functions; /* of KdFunctionRange, by start */
} KdUnit;

typedef struct {
	uint64_t start;
	uint64_t end;
	Dwarf_Off die;
} KdFunctionRange;

struct KdDwarf {
	Elf *elf;
	Dwarf *dwarf;
	GHashTable *units; /* offset in the KdUnit → KdUnit */
};

/* NULL: no DWARF, or libdw refuses it. */
KdDwarf *kd_image_dwarf (KdImage *image);
void kd_dwarf_free (KdDwarf *dwarf);

/*
 * The unit whose header is at `offset` of .debug_info, with its functions. NULL: damaged. Owned by
 * `dwarf`.
 */
KdUnit *kd_dwarf_unit (KdDwarf *dwarf, Dwarf_Off offset);

/*
 * dwarf_child() and dwarf_siblingof() that only go forward: DW_AT_sibling of a hostile file may
 * point back, and the walk would never end.
 */
gboolean kd_dwarf_first_child (Dwarf_Die *die, Dwarf_Die *ret);
gboolean kd_dwarf_next_sibling (Dwarf_Die *die);
