/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/dwarf-file.h"

static void
unit_free (gpointer data)
{
	KdUnit *unit = data;
	g_clear_pointer (&unit->functions, g_array_unref);
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
	/* Opened for reading, libelf does not write to the memory it is given. */
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

KdUnit *
kd_dwarf_unit (KdDwarf *dwarf, Dwarf_Off offset)
{
	KdUnit *unit = g_hash_table_lookup (dwarf->units, &offset);
	Dwarf_Off next, abbrev;
	size_t header;
	uint8_t address_size, offset_size;

	if (unit)
		return unit;
	if (dwarf_nextcu (dwarf->dwarf, offset, &next, &header, &abbrev, &address_size,
		    &offset_size) != 0)
		return NULL;
	unit = g_new0 (KdUnit, 1);
	unit->offset = offset;
	if (!dwarf_offdie (dwarf->dwarf, offset + header, &unit->die)) {
		g_free (unit);
		return NULL;
	}
	collect_functions (unit);
	g_hash_table_insert (dwarf->units, &unit->offset, unit);
	return unit;
}
