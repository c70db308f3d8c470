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
	/* A libdw of its own that knows this unit alone: see kd_dwarf_unit(). Without `elf` it is
	 * the image's, borrowed (compressed sections). */
	Elf *elf;
	Dwarf *dwarf;
	Dwarf_Die die;
	GArray *functions; /* of KdFunctionRange, by start */
} KdUnit;

typedef struct {
	uint64_t start;
	uint64_t end;
	Dwarf_Off die; /* for dwarf_offdie() on the unit's own Dwarf */
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
 * the image's KdDwarf.
 *
 * libdw walks all unit headers up to the one asked for; the kernel's 2,700 lie on as many places of
 * 175 MB, and each costs 64 KiB of page tables' fault-around: 80 MB of resident memory and a
 * millisecond or two. So each unit gets a libdw that sees a .debug_info of this unit alone.
 * References to other units (LTO) then lead nowhere, and a name is missing.
 */
KdUnit *kd_dwarf_unit (KdImage *image, Dwarf_Off offset);

/*
 * dwarf_child() and dwarf_siblingof() that only go forward: DW_AT_sibling of a hostile file may
 * point back, and the walk would never end.
 */
gboolean kd_dwarf_first_child (Dwarf_Die *die, Dwarf_Die *ret);
gboolean kd_dwarf_next_sibling (Dwarf_Die *die);
