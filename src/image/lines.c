/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/cursor.h"
#include "image/dwarf-file.h"

/* Nested blocks and inlined calls; gcc stays far below. */
#define SCOPES_MAX 256
#define DWARF64_MARK 0xffffffffu

/* --- which unit covers an address --- */

static int
compare_units (gconstpointer a, gconstpointer b)
{
	const KdIndexUnit *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/* One set of .debug_aranges (DWARF 5, 6.1.2). FALSE: damaged, or not as expected. */
static gboolean
read_aranges_set (KdCursor *cursor, size_t set_start, unsigned offset_size, GArray *units)
{
	uint16_t version;
	uint8_t address_size, segment_size;
	uint64_t unit, start, len;

	if (!kd_cursor_next_u16 (cursor, &version) || version != 2 ||
		!kd_cursor_next_uint (cursor, offset_size, &unit) ||
		!kd_cursor_next_u8 (cursor, &address_size) || address_size != 8 ||
		!kd_cursor_next_u8 (cursor, &segment_size) || segment_size != 0)
		return FALSE;
	/* Tuples are aligned to their size from the start of the set. */
	size_t header = cursor->pos - set_start;
	if (!kd_cursor_skip (cursor, (16 - header % 16) % 16))
		return FALSE;
	while (kd_cursor_next_u64 (cursor, &start) && kd_cursor_next_u64 (cursor, &len)) {
		if (start == 0 && len == 0)
			break;
		KdIndexUnit entry = {start, start + len, unit};
		if (len > 0 && entry.end > start)
			g_array_append_val (units, entry);
	}
	return TRUE;
}

static void
read_aranges (const KdElf *elf, const KdElfSection *section, GArray *units)
{
	KdCursor cursor = kd_cursor_init (
		kd_elf_section_bytes (elf, section), (size_t)section->size, elf->big_endian);

	while (!kd_cursor_at_end (&cursor)) {
		size_t set_start = cursor.pos;
		uint32_t short_len;
		uint64_t len;
		if (!kd_cursor_next_u32 (&cursor, &short_len))
			return;
		len = short_len;
		if (short_len == DWARF64_MARK && !kd_cursor_next_u64 (&cursor, &len))
			return;
		if (len > kd_cursor_left (&cursor))
			return;
		size_t end = cursor.pos + (size_t)len;
		KdCursor set = cursor;
		set.len = end;
		read_aranges_set (&set, set_start, short_len == DWARF64_MARK ? 8 : 4, units);
		if (!kd_cursor_seek (&cursor, end))
			return;
	}
}

/* clang writes no .debug_aranges by default: every unit is then asked, once. */
static void
ask_units (KdDwarf *dwarf, GArray *units)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;

	while (dwarf_get_units (dwarf->dwarf, cu, &cu, NULL, NULL, &die, NULL) == 0) {
		Dwarf_Addr base, start, end;
		Dwarf_Off offset = dwarf_dieoffset (&die) - dwarf_cuoffset (&die);
		ptrdiff_t at = 0;
		while ((at = dwarf_ranges (&die, at, &base, &start, &end)) > 0) {
			KdIndexUnit entry = {start, end, offset};
			if (start < end)
				g_array_append_val (units, entry);
		}
	}
}

GArray *
kd_units_index (KdImage *image)
{
	GArray *units = g_array_new (FALSE, FALSE, sizeof (KdIndexUnit));
	const KdElfSection *section = kd_elf_section (&image->elf, ".debug_aranges");
	KdDwarf *dwarf;

	if (section && kd_elf_section_bytes (&image->elf, section))
		read_aranges (&image->elf, section, units);
	if (units->len == 0 && (dwarf = kd_image_dwarf (image)) != NULL)
		ask_units (dwarf, units);
	g_array_sort (units, compare_units);
	return units;
}

static gboolean
find_unit (const KdImage *image, uint64_t addr, Dwarf_Off *ret)
{
	const KdIndexUnit *units = image->index.tables[KD_INDEX_UNITS].entries;
	size_t nr = image->index.tables[KD_INDEX_UNITS].nr, low = 0, high = nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (units[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0 && addr < units[low - 1].end)
		*ret = units[low - 1].unit;
	else if (low < nr && units[low].start - addr <= KD_PATCHABLE_ENTRY_MAX)
		*ret = units[low].unit; /* the patchable entry of its first function */
	else
		return FALSE;
	return TRUE;
}

/* --- what an address is --- */

static void
line_clear (gpointer data)
{
	KdLine *line = data;
	g_clear_pointer (&line->function, g_free);
	g_clear_pointer (&line->file, g_free);
}

/* "arch/arm64/kvm/../../../virt/kvm/x.c" is how kbuild called the compiler: "virt/kvm/x.c". */
static char *
clean_path (const char *path)
{
	g_auto (GStrv) parts = g_strsplit (path, "/", -1);
	g_autoptr (GPtrArray) kept = g_ptr_array_new();

	for (char **part = parts; *part; part++) {
		gboolean at_start = part == parts;
		const char *last = kept->len ? g_ptr_array_index (kept, kept->len - 1) : NULL;
		if (strcmp (*part, ".") == 0 || (!at_start && **part == '\0'))
			continue;
		if (strcmp (*part, "..") == 0 && last && strcmp (last, "..") != 0 && *last)
			g_ptr_array_set_size (kept, (gint)kept->len - 1);
		else
			g_ptr_array_add (kept, *part);
	}
	g_ptr_array_add (kept, NULL);
	return g_strjoinv ("/", (char **)kept->pdata);
}

static const char *
compile_dir (KdUnit *unit)
{
	Dwarf_Attribute attribute;

	return dwarf_attr (&unit->die, DW_AT_comp_dir, &attribute) ? dwarf_formstring (&attribute)
								   : NULL;
}

/* The folder where the tree of the sources was, when C files are named by their place in it. */
static char *
source_root (KdImage *image, KdUnit *unit)
{
	/* What the kernel, and nearly every module, has in C. */
	static const char *const in_c[] = {"start_kernel", "init_module", "cleanup_module"};
	const char *dir = compile_dir (unit), *c_dir;
	gboolean found = FALSE;
	Dwarf_Off offset;
	KdSymbol symbol;
	KdUnit *c_unit;

	for (size_t i = 0; !found && i < G_N_ELEMENTS (in_c); i++)
		found = kd_image_symbol_by_name (image, in_c[i], &symbol);
	if (!dir || !found || !find_unit (image, symbol.addr, &offset) ||
		!(c_unit = kd_dwarf_unit (image, offset)) || !(c_dir = compile_dir (c_unit)))
		return NULL;
	if (*c_dir == '/')
		return g_strdup (c_dir);
	if (strcmp (c_dir, ".") == 0)
		return g_strdup (dir);
	g_autofree char *end = g_strconcat ("/", c_dir, NULL);
	return g_str_has_suffix (dir, end) ? g_strndup (dir, strlen (dir) - strlen (end)) : NULL;
}

/*
 * -ffile-prefix-map= takes the folder of the sources off what the C compiler writes, but kbuild
 * gives it to no assembler: that is undone here, so that all names are of one kind.
 */
static char *
source_path (KdImage *image, KdUnit *unit, const char *path)
{
	if (*path == '/') {
		g_autofree char *root = source_root (image, unit);
		size_t len = root ? strlen (root) : 0;

		if (len > 1 && strncmp (path, root, len) == 0 && path[len] == '/')
			path += len + 1;
	}
	return clean_path (path);
}

/*
 * The function at *addr. gcc lets a function's range begin behind its patchable entry (see cfi.c),
 * and the line table then has the previous function's last line for it: *addr moves to the range's
 * start.
 */
static gboolean
find_function (KdImage *image, const KdUnit *unit, uint64_t *addr, Dwarf_Die *ret)
{
	const KdFunctionRange *ranges = (const KdFunctionRange *)(void *)unit->functions->data;
	guint low = 0, high = unit->functions->len;
	KdSymbol symbol;

	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (ranges[middle].start <= *addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0 && *addr < ranges[low - 1].end)
		return dwarf_offdie (unit->dwarf, ranges[low - 1].die, ret) != NULL;
	if (low < unit->functions->len && ranges[low].start - *addr <= KD_PATCHABLE_ENTRY_MAX &&
		kd_image_symbol_by_addr (image, *addr, &symbol) &&
		ranges[low].start - symbol.addr < symbol.size) {
		*addr = ranges[low].start;
		return dwarf_offdie (unit->dwarf, ranges[low].die, ret) != NULL;
	}
	return FALSE;
}

/* The function and the inlined calls around `addr`, outermost first. */
static GArray *
find_scopes (Dwarf_Die function, uint64_t addr)
{
	GArray *scopes = g_array_new (FALSE, FALSE, sizeof (Dwarf_Die));
	Dwarf_Die die = function;

	g_array_append_val (scopes, function);
	for (unsigned depth = 0; depth < SCOPES_MAX; depth++) {
		Dwarf_Die child;
		gboolean more = kd_dwarf_first_child (&die, &child);
		for (; more; more = kd_dwarf_next_sibling (&child)) {
			int tag = dwarf_tag (&child);
			if ((tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block) &&
				dwarf_haspc (&child, addr) == 1)
				break;
		}
		if (!more)
			break;
		if (dwarf_tag (&child) == DW_TAG_inlined_subroutine)
			g_array_append_val (scopes, child);
		die = child;
	}
	return scopes;
}

static gboolean
attribute_number (Dwarf_Die *die, unsigned name, Dwarf_Word *ret)
{
	Dwarf_Attribute attribute;
	return dwarf_attr (die, name, &attribute) && dwarf_formudata (&attribute, ret) == 0;
}

/* Where an inlined call was written. */
static void
call_site (const KdUnit *unit, Dwarf_Die *inlined, KdLine *line)
{
	Dwarf_Die cu = unit->die;
	Dwarf_Word file = 0, number = 0;
	Dwarf_Files *files;
	size_t nr_files;

	if (attribute_number (inlined, DW_AT_call_line, &number) && number <= G_MAXINT)
		line->line = (int)number;
	if (!attribute_number (inlined, DW_AT_call_file, &file) ||
		dwarf_getsrcfiles (&cu, &files, &nr_files) != 0 || file >= nr_files)
		return;
	const char *path = dwarf_filesrc (files, (size_t)file, NULL, NULL);
	line->file = path ? clean_path (path) : NULL;
}

GArray *
kd_image_lines_at (KdImage *image, uint64_t addr)
{
	GArray *lines = g_array_new (FALSE, TRUE, sizeof (KdLine));
	Dwarf_Off offset;
	Dwarf_Die function;
	KdUnit *unit;
	KdLine line = {0};

	g_array_set_clear_func (lines, line_clear);
	if (!find_unit (image, addr, &offset) || !(unit = kd_dwarf_unit (image, offset)))
		return lines;

	gboolean in_function = find_function (image, unit, &addr, &function);
	Dwarf_Die cu = unit->die;
	Dwarf_Line *source = dwarf_getsrc_die (&cu, addr);
	const char *path = source ? dwarf_linesrc (source, NULL, NULL) : NULL;
	if (path) {
		line.file = source_path (image, unit, path);
		dwarf_lineno (source, &line.line);
	}
	if (!in_function) {
		/* Assembly, and what gcc made of several identical functions, have lines alone. */
		KdSymbol symbol;
		if (kd_image_symbol_by_addr (image, addr, &symbol))
			line.function = g_strdup (symbol.name);
		if (path || line.function)
			g_array_append_val (lines, line);
		return lines;
	}
	g_autoptr (GArray) scopes = find_scopes (function, addr);
	for (guint i = scopes->len; i-- > 0;) {
		Dwarf_Die *scope = &g_array_index (scopes, Dwarf_Die, i);
		line.function = g_strdup (dwarf_diename (scope));
		line.inlined = i > 0;
		g_array_append_val (lines, line);
		line = (KdLine){0};
		if (i > 0)
			call_site (unit, scope, &line);
	}
	return lines;
}
