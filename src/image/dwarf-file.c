/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/dwarf-file.h"

#include <elf.h>
#include <string.h>

static void
unit_free (gpointer data)
{
	KdUnit *unit = data;
	g_clear_pointer (&unit->functions, g_array_unref);
	if (unit->elf && unit->dwarf)
		dwarf_end (unit->dwarf);
	if (unit->elf)
		elf_end (unit->elf);
	g_free (unit);
}

KdDwarf *
kd_image_dwarf (KdImage *image)
{
	if (image->dwarf || image->dwarf_failed)
		return image->dwarf;
	image->dwarf_failed = TRUE;
	if (!kd_elf_section (&image->elf, ".debug_info"))
		return NULL;

	KdDwarf *dwarf = g_new0 (KdDwarf, 1);
	elf_version (EV_CURRENT);
	dwarf->elf = elf_memory (image->mapping, image->mapping_len);
	dwarf->dwarf = dwarf->elf ? dwarf_begin_elf (dwarf->elf, DWARF_C_READ, NULL) : NULL;
	dwarf->units = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, unit_free);
	if (!dwarf->dwarf) {
		kd_dwarf_free (dwarf);
		return NULL;
	}
	image->dwarf_failed = FALSE;
	image->dwarf = dwarf;
	return dwarf;
}

void
kd_dwarf_free (KdDwarf *dwarf)
{
	if (!dwarf)
		return;
	g_clear_pointer (&dwarf->units, g_hash_table_unref);
	if (dwarf->dwarf)
		dwarf_end (dwarf->dwarf);
	if (dwarf->elf)
		elf_end (dwarf->elf);
	g_free (dwarf);
}

gboolean
kd_dwarf_first_child (Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Die child;
	if (dwarf_child (die, &child) != 0 || dwarf_dieoffset (&child) <= dwarf_dieoffset (die))
		return FALSE;
	*ret = child;
	return TRUE;
}

gboolean
kd_dwarf_next_sibling (Dwarf_Die *die)
{
	Dwarf_Die next;
	if (dwarf_siblingof (die, &next) != 0 || dwarf_dieoffset (&next) <= dwarf_dieoffset (die))
		return FALSE;
	*die = next;
	return TRUE;
}

static int
compare_functions (gconstpointer a, gconstpointer b)
{
	const KdFunctionRange *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* Top-level subprograms only: C has no others. */
static void
collect_functions (KdUnit *unit)
{
	Dwarf_Die die;

	unit->functions = g_array_new (FALSE, FALSE, sizeof (KdFunctionRange));
	gboolean more = kd_dwarf_first_child (&unit->die, &die);
	for (; more; more = kd_dwarf_next_sibling (&die)) {
		Dwarf_Addr base, start, end;
		ptrdiff_t at = 0;
		if (dwarf_tag (&die) != DW_TAG_subprogram)
			continue;
		while ((at = dwarf_ranges (&die, at, &base, &start, &end)) > 0) {
			KdFunctionRange range = {start, end, dwarf_dieoffset (&die)};
			if (start < end)
				g_array_append_val (unit->functions, range);
		}
	}
	g_array_sort (unit->functions, compare_functions);
}

/* Where the file's header of .debug_info is; NULL where it cannot be edited for a moment. */
static uint8_t *
info_header (KdImage *image)
{
	const KdElfSection *info = kd_elf_section (&image->elf, ".debug_info");

	/* A compressed section is unpacked by libdw as a whole. */
	if (!info || (info->flags & SHF_COMPRESSED) || image->mapping != image->elf.data)
		return NULL;
	/* The mapping is private: nothing of this reaches the file. */
	return (uint8_t *)image->mapping + image->elf.section_table +
	       (uint64_t)(info - image->elf.sections) * sizeof (Elf64_Shdr);
}

static void
put_u64 (const KdElf *elf, uint8_t *p, uint64_t value)
{
	value = elf->big_endian ? GUINT64_TO_BE (value) : GUINT64_TO_LE (value);
	memcpy (p, &value, sizeof value);
}

/* Opens libdw on the image with .debug_info cut to [offset, offset + len). FALSE: not possible. */
static gboolean
open_alone (KdImage *image, KdUnit *unit, uint64_t len)
{
	uint8_t *header = info_header (image), saved[sizeof (Elf64_Shdr)];
	uint8_t *sh_offset, *sh_size;

	if (!header)
		return FALSE;
	memcpy (saved, header, sizeof saved);
	sh_offset = header + offsetof (Elf64_Shdr, sh_offset);
	sh_size = header + offsetof (Elf64_Shdr, sh_size);
	put_u64 (&image->elf, sh_offset, kd_elf_u64 (&image->elf, sh_offset) + unit->offset);
	put_u64 (&image->elf, sh_size, len);
	unit->elf = elf_memory (image->mapping, image->mapping_len);
	/* Takes where each section lies once, here. */
	unit->dwarf = unit->elf ? dwarf_begin_elf (unit->elf, DWARF_C_READ, NULL) : NULL;
	memcpy (header, saved, sizeof saved);
	return unit->dwarf != NULL;
}

KdUnit *
kd_dwarf_unit (KdImage *image, Dwarf_Off offset)
{
	KdDwarf *dwarf = kd_image_dwarf (image);
	KdUnit *unit = dwarf ? g_hash_table_lookup (dwarf->units, &offset) : NULL;
	Dwarf_Off next, abbrev;
	size_t header;
	uint8_t address_size, offset_size;

	if (unit || !dwarf)
		return unit;
	/* Reads the one header and remembers nothing. */
	if (dwarf_nextcu (dwarf->dwarf, offset, &next, &header, &abbrev, &address_size,
		    &offset_size) != 0 ||
		next <= offset)
		return NULL;
	unit = g_new0 (KdUnit, 1);
	unit->offset = offset;
	gboolean alone = open_alone (image, unit, next - offset);

	if (!alone) {
		g_clear_pointer (&unit->elf, elf_end);
		unit->dwarf = dwarf->dwarf;
	}
	if (!dwarf_offdie (unit->dwarf, alone ? header : offset + header, &unit->die)) {
		unit_free (unit);
		return NULL;
	}
	collect_functions (unit);
	g_hash_table_insert (dwarf->units, &unit->offset, unit);
	return unit;
}
