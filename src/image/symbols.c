/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>

#include "base/cursor.h"
#include "image/image-private.h"

/* A hostile chain of covering symbols is followed no further. */
#define OUTER_MAX 4096

/* --- building --- */

/* As nm, from the section's flags. */
static char
section_letter (const KdElfSection *section)
{
	if (section->flags & SHF_EXECINSTR)
		return 't';
	if (!(section->flags & SHF_ALLOC))
		return g_str_has_prefix (section->name, ".debug") ? 'N' : 'n';
	if (section->type == SHT_NOBITS)
		return 'b';
	return section->flags & SHF_WRITE ? 'd' : 'r';
}

static char
symbol_letter (unsigned bind, unsigned type, uint16_t shndx, const char *letters, unsigned nr)
{
	if (bind == STB_WEAK)
		return type == STT_OBJECT ? 'V' : 'W';
	if (type == STT_GNU_IFUNC)
		return 'i';
	char letter = shndx == SHN_ABS ? 'a' : shndx < nr ? letters[shndx] : '?';
	return bind == STB_LOCAL ? letter : g_ascii_toupper (letter);
}

/* AAELF64 "Mapping symbols": $x and $d, optionally with a suffix, say code or data, and name
 * nothing. */
static gboolean
is_mapping_symbol (const KdElf *elf, const char *name)
{
	if (elf->machine != EM_AARCH64 && elf->machine != EM_ARM)
		return FALSE;
	return name[0] == '$' && name[1] != '\0' && strchr ("xdat", name[1]) &&
	       (name[2] == '\0' || name[2] == '.');
}

static uint8_t
symbol_rank (const char *name, unsigned bind, unsigned type, uint64_t size)
{
	unsigned rank = bind == STB_LOCAL ? 2 : bind == STB_WEAK ? 1 : 0;
	/* What code that runs before relocation calls a function; others know it by its own name.
	 */
	if (g_str_has_prefix (name, "__pi_"))
		rank += 16;
	if (type != STT_FUNC && type != STT_OBJECT)
		rank += 4;
	return (uint8_t)(size == 0 ? rank + 8 : rank);
}

static int
compare_symbols (const void *a, const void *b)
{
	const KdIndexSymbol *x = a, *y = b;
	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	/* Of equal names for one place the first in the file comes last, where lookup starts. */
	return x->outer > y->outer ? -1 : x->outer < y->outer;
}

/* Sets `outer`: a stack of symbols whose range is still open. */
static void
link_outer (KdIndexSymbol *symbols, size_t nr)
{
	g_autoptr (GArray) open = g_array_new (FALSE, FALSE, sizeof (uint32_t));

	for (size_t i = 0; i < nr; i++) {
		while (open->len > 0) {
			const KdIndexSymbol *top =
				&symbols[g_array_index (open, uint32_t, open->len - 1)];
			if (symbols[i].addr - top->addr < top->size)
				break;
			g_array_set_size (open, open->len - 1);
		}
		symbols[i].outer =
			open->len ? g_array_index (open, uint32_t, open->len - 1) + 1 : 0;
		uint32_t self = (uint32_t)i;
		if (symbols[i].size > 0)
			g_array_append_val (open, self);
	}
}

static const char *
string_table (const KdElf *elf, const KdElfSection *symtab, size_t *ret_len)
{
	if (symtab->link == 0 || symtab->link >= elf->nr_sections)
		return NULL;
	const KdElfSection *section = &elf->sections[symtab->link];
	const char *strings = (const char *)kd_elf_section_bytes (elf, section);
	if (!strings || section->size == 0 || strings[section->size - 1] != '\0')
		return NULL;
	*ret_len = (size_t)section->size;
	return strings;
}

static void
collect (const KdElf *elf, const KdElfSection *symtab, const char *strings, size_t strings_len,
	GArray *symbols)
{
	KdCursor cursor = kd_cursor_init (
		kd_elf_section_bytes (elf, symtab), (size_t)symtab->size, elf->big_endian);
	const uint8_t *p;
	g_autofree char *letters = g_malloc (elf->nr_sections);

	for (unsigned i = 0; i < elf->nr_sections; i++)
		letters[i] = section_letter (&elf->sections[i]);
	for (uint32_t n = 0; kd_cursor_next_bytes (&cursor, sizeof (Elf64_Sym), &p); n++) {
		uint32_t name = kd_elf_u32 (elf, p + offsetof (Elf64_Sym, st_name));
		uint8_t info = p[offsetof (Elf64_Sym, st_info)];
		uint16_t shndx = kd_elf_u16 (elf, p + offsetof (Elf64_Sym, st_shndx));
		uint64_t size = kd_elf_u64 (elf, p + offsetof (Elf64_Sym, st_size));
		unsigned type = ELF64_ST_TYPE (info), bind = ELF64_ST_BIND (info);

		if (type == STT_SECTION || type == STT_FILE || shndx == SHN_UNDEF ||
			name >= strings_len || strings[name] == '\0' ||
			is_mapping_symbol (elf, strings + name))
			continue;
		uint64_t in_section = elf->type == ET_REL && shndx < elf->nr_sections
					      ? elf->sections[shndx].addr
					      : 0;
		KdIndexSymbol symbol = {
			.addr = kd_elf_u64 (elf, p + offsetof (Elf64_Sym, st_value)) + in_section,
			.size = (uint32_t)MIN (size, UINT32_MAX),
			.name = name,
			.outer = n, /* order in the file, until link_outer() */
			.section = shndx,
			.kind = (uint8_t)symbol_letter (
				bind, type, shndx, letters, elf->nr_sections),
			.rank = symbol_rank (strings + name, bind, type, size),
		};
		g_array_append_val (symbols, symbol);
	}
}

void
kd_symbols_index (const KdElf *elf, GArray **ret_symbols, GArray **ret_hash)
{
	const KdElfSection *symtab = kd_elf_section_of_type (elf, SHT_SYMTAB);
	size_t strings_len = 0;
	const char *strings = NULL;

	*ret_symbols = g_array_new (FALSE, FALSE, sizeof (KdIndexSymbol));
	if (symtab && kd_elf_section_bytes (elf, symtab))
		strings = string_table (elf, symtab, &strings_len);
	if (strings)
		collect (elf, symtab, strings, strings_len, *ret_symbols);

	GArray *symbols = *ret_symbols;
	KdIndexSymbol *all = (KdIndexSymbol *)(void *)symbols->data;
	if (symbols->len)
		qsort (all, symbols->len, sizeof *all, compare_symbols);
	link_outer (all, symbols->len);
	*ret_hash = kd_index_hash_table_new (symbols->len);
	for (uint32_t i = 0; i < symbols->len; i++)
		kd_index_hash_table_add (*ret_hash, kd_index_hash (strings + all[i].name), i + 1);
}

/* --- asking --- */

void
kd_symbols_init (KdImage *image)
{
	const KdElfSection *symtab = kd_elf_section_of_type (&image->elf, SHT_SYMTAB);
	if (symtab)
		image->strings = string_table (&image->elf, symtab, &image->strings_len);
}

/* FALSE: the entry points outside the string table (a cache that lies). */
static gboolean
symbol_at_index (const KdImage *image, size_t i, KdSymbol *ret)
{
	size_t nr;
	const KdIndexSymbol *symbols = kd_index_symbols (&image->index, &nr);
	if (i >= nr || !image->strings || symbols[i].name >= image->strings_len)
		return FALSE;
	*ret = (KdSymbol){image->strings + symbols[i].name, symbols[i].addr, symbols[i].size,
		(char)symbols[i].kind};
	return TRUE;
}

/* Next symbol of that name after those the probe has seen; index, or -1. */
static gssize
next_named (const KdImage *image, KdIndexProbe *probe, const char *name, KdSymbol *ret)
{
	uint32_t value;
	while ((value = kd_index_probe_next (probe)) != 0)
		if (symbol_at_index (image, value - 1, ret) && strcmp (ret->name, name) == 0)
			return value - 1;
	return -1;
}

gboolean
kd_image_symbol_by_name (const KdImage *image, const char *name, KdSymbol *ret_symbol)
{
	KdIndexProbe probe =
		kd_index_probe (&image->index.tables[KD_INDEX_SYMBOL_HASH], kd_index_hash (name));
	KdSymbol symbol;
	gboolean found = FALSE;

	while (next_named (image, &probe, name, &symbol) >= 0) {
		/* Entries were added in address order, so the first local is the lowest. */
		if (!found || g_ascii_isupper (symbol.kind))
			*ret_symbol = symbol;
		found = TRUE;
		if (g_ascii_isupper (symbol.kind))
			break;
	}
	return found;
}

GArray *
kd_image_symbols_by_name (const KdImage *image, const char *name)
{
	KdIndexProbe probe =
		kd_index_probe (&image->index.tables[KD_INDEX_SYMBOL_HASH], kd_index_hash (name));
	GArray *found = g_array_new (FALSE, FALSE, sizeof (KdSymbol));
	KdSymbol symbol;

	while (next_named (image, &probe, name, &symbol) >= 0)
		g_array_append_val (found, symbol);
	return found;
}

gboolean
kd_image_symbol_by_addr (const KdImage *image, uint64_t addr, KdSymbol *ret_symbol)
{
	size_t nr;
	const KdIndexSymbol *symbols = kd_index_symbols (&image->index, &nr);
	size_t low = 0, high = nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (symbols[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	/* symbols[low - 1] is the best name of the nearest place at or below the address. */
	size_t at = low;
	for (unsigned i = 0; at > 0 && at <= nr && i < OUTER_MAX; i++) {
		const KdIndexSymbol *symbol = &symbols[at - 1];
		if (addr - symbol->addr < symbol->size)
			return symbol_at_index (image, at - 1, ret_symbol);
		if (symbol->outer >= at)
			break;
		at = symbol->outer;
	}
	/* None with a size covers it: labels reach to the next symbol of their section. */
	if (low == 0 || symbols[low - 1].size != 0)
		return FALSE;
	if (symbols[low - 1].addr == addr)
		return symbol_at_index (image, low - 1, ret_symbol);
	const KdElfSection *section = kd_elf_section_at (&image->elf, addr);
	if (!section || section - image->elf.sections != symbols[low - 1].section)
		return FALSE;
	return symbol_at_index (image, low - 1, ret_symbol);
}

void
kd_image_symbols_foreach (const KdImage *image, const char *prefix, KdSymbolFunc func, void *data)
{
	size_t nr, prefix_len = prefix ? strlen (prefix) : 0;
	KdSymbol symbol;

	kd_index_symbols (&image->index, &nr);
	for (size_t i = 0; i < nr; i++) {
		if (!symbol_at_index (image, i, &symbol))
			continue;
		if (prefix_len && strncmp (symbol.name, prefix, prefix_len) != 0)
			continue;
		if (!func (&symbol, data))
			return;
	}
}
