/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <string.h>

#include "fake-kernel.h"
#include "kernel/module-symbols.h"
#include "target/target.h"

#define SYMTAB FAKE_HEAP
#define STRTAB (FAKE_HEAP + 0x1000)
#define TYPETAB (FAKE_HEAP + 0x2000)
#define TEXT UINT64_C (0xffff800001000000)

typedef struct {
	const char *name;
	uint64_t addr, size;
	unsigned bind;
	uint16_t shndx;
	char type;
} Row;

static const Row rows[] = {
	{"", 0, 0, STB_LOCAL, SHN_UNDEF, '\0'},
	{"outer", TEXT, 0x100, STB_LOCAL, 1, 't'},
	{"alias", TEXT, 0x80, STB_GLOBAL, 1, 't'},
	{"$x", TEXT, 0, STB_LOCAL, 1, 't'},
	{"inner_label", TEXT + 0x20, 0, STB_LOCAL, 1, 't'},
	{"second", TEXT + 0x200, 0x40, STB_GLOBAL, 1, 't'},
	{"assembly", TEXT + 0x300, 0, STB_LOCAL, 1, 't'},
	{"data", TEXT + 0x1000, 8, STB_GLOBAL, 2, 'd'},
	{"elsewhere", 0, 0, STB_GLOBAL, SHN_UNDEF, 'U'},
};

static KdKernel *
make (void)
{
	KdKernel *kernel = fake_kernel_new();
	uint32_t at = 1;

	fake_kernel_map (kernel, FAKE_HEAP, 0x3000);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		Elf64_Sym symbol = {.st_name = *rows[i].name ? at : 0,
			.st_info = ELF64_ST_INFO (rows[i].bind, STT_FUNC),
			.st_shndx = rows[i].shndx,
			.st_value = rows[i].addr,
			.st_size = rows[i].size};

		fake_kernel_write (kernel, SYMTAB + i * sizeof symbol, &symbol, sizeof symbol);
		fake_kernel_write (kernel, TYPETAB + i, &rows[i].type, 1);
		if (!*rows[i].name)
			continue;
		fake_kernel_write (kernel, STRTAB + at, rows[i].name, strlen (rows[i].name) + 1);
		at += (uint32_t)strlen (rows[i].name) + 1;
	}
	return kernel;
}

static void
test_lookup (void)
{
	static const struct {
		uint64_t addr;
		const char *name; /* NULL: nothing covers it */
		char kind;
	} wanted[] = {
		{TEXT, "outer", 't'},
		{TEXT + 0xff, "outer", 't'},
		{TEXT + 0x30, "outer", 't'},
		{TEXT + 0x200, "second", 'T'},
		{TEXT + 0x23f, "second", 'T'},
		{TEXT + 0x304, "assembly", 't'},
		{TEXT + 0x1007, "data", 'D'},
		{TEXT - 1, NULL, 0},
	};
	g_autoptr (GError) error = NULL;
	KdKernel *kernel = make();
	KdModuleSymbols *symbols = kd_module_symbols_read (
		kernel, "mod", SYMTAB, G_N_ELEMENTS (rows), STRTAB, TYPETAB, &error);
	KdKernelSymbol symbol;
	unsigned nr;

	g_assert_no_error (error);
	for (size_t i = 0; i < G_N_ELEMENTS (wanted); i++) {
		gboolean found = kd_module_symbols_by_addr (symbols, wanted[i].addr, &symbol);

		g_test_message ("0x%" G_GINT64_MODIFIER "x", wanted[i].addr);
		g_assert_cmpstr (found ? symbol.name : NULL, ==, wanted[i].name);
		if (found)
			g_assert_cmpint (symbol.kind, ==, wanted[i].kind);
	}
	g_assert_true (kd_module_symbols_by_name (symbols, "alias", &symbol));
	g_assert_cmphex (symbol.addr, ==, TEXT);
	g_assert_cmpstr (symbol.module, ==, "mod");
	g_assert_false (kd_module_symbols_by_name (symbols, "$x", &symbol));
	g_assert_false (kd_module_symbols_by_name (symbols, "elsewhere", &symbol));
	kd_module_symbols_all (symbols, &nr);
	g_assert_cmpuint (nr, ==, 6);
	kd_module_symbols_free (symbols);
	kd_kernel_free (kernel);
}

static void
test_damaged (void)
{
	static const struct {
		const char *name;
		uint64_t symtab, nr, strtab;
		uint32_t first_name;
		GQuark (*domain) (void);
		int code;
	} damaged[] = {
		{"claims a billion", SYMTAB, 1U << 30, STRTAB, 0, kd_kernel_error_quark,
			KD_KERNEL_ERROR_CORRUPT},
		{"table nowhere", 0x1000, 4, STRTAB, 0, kd_target_error_quark,
			KD_TARGET_ERROR_FAULT},
		{"strings nowhere", SYMTAB, 4, 0x1000, 0, kd_target_error_quark,
			KD_TARGET_ERROR_FAULT},
		{"table runs out", SYMTAB, 0x1000, STRTAB, 0, kd_target_error_quark,
			KD_TARGET_ERROR_FAULT},
		{"name far outside", SYMTAB, 4, STRTAB, 0xfffffff0, kd_kernel_error_quark,
			KD_KERNEL_ERROR_CORRUPT},
		{"name outside", SYMTAB, 4, STRTAB, 0x100000, kd_target_error_quark,
			KD_TARGET_ERROR_FAULT},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (damaged); i++) {
		KdKernel *kernel = make();
		GError *error = NULL;

		g_test_message ("%s", damaged[i].name);
		if (damaged[i].first_name)
			fake_kernel_write (kernel, SYMTAB + sizeof (Elf64_Sym),
				&damaged[i].first_name, sizeof damaged[i].first_name);
		g_assert_null (kd_module_symbols_read (kernel, "mod", damaged[i].symtab,
			damaged[i].nr, damaged[i].strtab, 0, &error));
		g_assert_error (error, damaged[i].domain(), damaged[i].code);
		g_clear_error (&error);
		kd_kernel_free (kernel);
	}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/module-symbols/lookup", test_lookup);
	g_test_add_func ("/module-symbols/damaged", test_damaged);
	return g_test_run();
}
