/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/module-symbols.h"

#include <elf.h>
#include <string.h>

#include "base/cursor.h"

/* amdgpu has 60,000 and 2 MiB of names. */
#define SYMBOLS_MAX (1U << 20)
#define STRINGS_MAX (64U << 20)
#define NAME_MAX_LEN 512 /* KSYM_NAME_LEN */
/* Symbols in front of an address that may cover it. */
#define LOOK_BACK_MAX 64

struct KdModuleSymbols {
	GArray *all; /* of KdKernelSymbol, by address */
	char *strings;
	GHashTable *by_name; /* first of each name: index + 1 */
};

void
kd_module_symbols_free (KdModuleSymbols *symbols)
{
	if (!symbols)
		return;
	g_clear_pointer (&symbols->by_name, g_hash_table_unref);
	g_clear_pointer (&symbols->all, g_array_unref);
	g_free (symbols->strings);
	g_free (symbols);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdModuleSymbols, kd_module_symbols_free)

/* Functions and objects before labels, of those the larger first. */
static int
compare (const void *a, const void *b)
{
	const KdKernelSymbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->size < y->size ? 1 : x->size > y->size ? -1 : strcmp (x->name, y->name);
}

/* arm64's $x and $d, which say code or data and name nothing. */
static gboolean
is_mapping_symbol (const char *name)
{
	return name[0] == '$' && name[1] && strchr ("xd", name[1]) &&
	       (name[2] == '\0' || name[2] == '.');
}

typedef struct {
	uint32_t name;
	uint8_t info;
	uint16_t shndx;
	uint64_t value, size;
} Symbol;

static gboolean
next_symbol (KdCursor *cursor, Symbol *ret)
{
	uint8_t other;

	return kd_cursor_next_u32 (cursor, &ret->name) && kd_cursor_next_u8 (cursor, &ret->info) &&
	       kd_cursor_next_u8 (cursor, &other) && kd_cursor_next_u16 (cursor, &ret->shndx) &&
	       kd_cursor_next_u64 (cursor, &ret->value) && kd_cursor_next_u64 (cursor, &ret->size);
}

/* All names in one piece; its length without the NUL that was added. */
static char *
read_strings (KdKernel *kernel, const char *module, KdCursor table, uint64_t strtab,
	size_t *ret_len, GError **error)
{
	g_autofree char *strings = NULL, *last = NULL;
	uint32_t highest = 0;
	size_t tail;
	Symbol symbol;

	while (next_symbol (&table, &symbol))
		highest = MAX (highest, symbol.name);
	if (highest > STRINGS_MAX) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
			"module %s: a symbol's name lies 0x%x bytes into its strings", module,
			highest);
		return NULL;
	}
	/* Where the table ends is told nowhere: the last name is read up to its NUL. */
	last = kd_kernel_read_cstring (kernel, strtab + highest, NAME_MAX_LEN, error);
	if (!last)
		return NULL;
	tail = strlen (last);
	strings = g_malloc (highest + tail + 1);
	if (!kd_kernel_read (kernel, kd_addr_kernel (strtab), strings, highest, error))
		return NULL;
	memcpy (strings + highest, last, tail + 1);
	*ret_len = highest + tail;
	return g_steal_pointer (&strings);
}

static char
letter_of (const Symbol *symbol, const uint8_t *types, size_t index)
{
	char letter = types && g_ascii_isalpha (types[index])
			      ? (char)types[index]
			      : (ELF64_ST_TYPE (symbol->info) == STT_FUNC ? 't' : 'd');

	return ELF64_ST_BIND (symbol->info) == STB_LOCAL ? g_ascii_tolower (letter)
							 : g_ascii_toupper (letter);
}

static void
fill (KdModuleSymbols *symbols, const char *module, KdCursor table, size_t strings_len,
	const uint8_t *types)
{
	Symbol symbol;

	for (size_t i = 0; next_symbol (&table, &symbol); i++) {
		const char *name = symbols->strings + symbol.name;

		if (symbol.shndx == SHN_UNDEF || symbol.name >= strings_len || !*name ||
			is_mapping_symbol (name))
			continue;
		KdKernelSymbol found = {.name = name,
			.addr = symbol.value,
			.size = symbol.size,
			.kind = letter_of (&symbol, types, i),
			.module = module};
		g_array_append_val (symbols->all, found);
	}
	g_array_sort (symbols->all, compare);
	for (guint i = 0; i < symbols->all->len; i++) {
		const KdKernelSymbol *found = &g_array_index (symbols->all, KdKernelSymbol, i);

		if (!g_hash_table_contains (symbols->by_name, found->name))
			g_hash_table_insert (
				symbols->by_name, (gpointer)found->name, GUINT_TO_POINTER (i + 1));
	}
}

KdModuleSymbols *
kd_module_symbols_read (KdKernel *kernel, const char *module, uint64_t symtab, uint64_t nr,
	uint64_t strtab, uint64_t typetab, GError **error)
{
	g_autoptr (KdModuleSymbols) symbols = g_new0 (KdModuleSymbols, 1);
	g_autofree uint8_t *bytes = NULL, *types = NULL;
	size_t strings_len = 0;
	KdCursor table;

	if (nr > SYMBOLS_MAX) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
			"module %s claims %" G_GUINT64_FORMAT " symbols", module, nr);
		return NULL;
	}
	symbols->all = g_array_new (FALSE, FALSE, sizeof (KdKernelSymbol));
	symbols->by_name = g_hash_table_new (g_str_hash, g_str_equal);
	bytes = g_malloc (MAX (nr, 1) * sizeof (Elf64_Sym));
	if (!kd_kernel_read (
		    kernel, kd_addr_kernel (symtab), bytes, nr * sizeof (Elf64_Sym), error)) {
		g_prefix_error (error, "module %s: its symbols: ", module);
		return NULL;
	}
	table = kd_cursor_init (bytes, nr * sizeof (Elf64_Sym), FALSE);
	symbols->strings = read_strings (kernel, module, table, strtab, &strings_len, error);
	if (!symbols->strings) {
		g_prefix_error (error, "module %s: names of its symbols: ", module);
		return NULL;
	}
	types = typetab ? g_malloc (MAX (nr, 1)) : NULL;
	if (types && !kd_kernel_read (kernel, kd_addr_kernel (typetab), types, nr, NULL))
		g_clear_pointer (&types, g_free);
	fill (symbols, module, table, strings_len, types);
	return g_steal_pointer (&symbols);
}

gboolean
kd_module_symbols_by_name (
	const KdModuleSymbols *symbols, const char *name, KdKernelSymbol *ret_symbol)
{
	guint found = GPOINTER_TO_UINT (g_hash_table_lookup (symbols->by_name, name));

	if (found)
		*ret_symbol = g_array_index (symbols->all, KdKernelSymbol, found - 1);
	return found != 0;
}

gboolean
kd_module_symbols_by_addr (
	const KdModuleSymbols *symbols, uint64_t addr, KdKernelSymbol *ret_symbol)
{
	const KdKernelSymbol *all, *label = NULL;
	unsigned nr, low = 0, high;

	all = kd_module_symbols_all (symbols, &nr);
	high = nr;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (all[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	for (unsigned i = 0; low > 0 && i < LOOK_BACK_MAX; i++, low--) {
		const KdKernelSymbol *at = &all[low - 1];

		if (addr - at->addr < at->size) {
			/* The first of those at this place is the best name. */
			while (low > 1 && all[low - 2].addr == at->addr && all[low - 2].size)
				at = &all[--low - 1];
			*ret_symbol = *at;
			return TRUE;
		}
		if (at->size == 0 && !label && g_ascii_tolower (at->kind) == 't')
			label = at;
	}
	/* None with a size covers it: a label of assembly reaches up to the next symbol. */
	if (label)
		*ret_symbol = *label;
	return label != NULL;
}

const KdKernelSymbol *
kd_module_symbols_all (const KdModuleSymbols *symbols, unsigned *ret_nr)
{
	*ret_nr = symbols->all->len;
	return (const KdKernelSymbol *)(void *)symbols->all->data;
}
