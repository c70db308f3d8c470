/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/ram-map.h"

/* As QEMU 7.2 prints it, shortened. */
static const char mtree[] =
	"FlatView #0\n"
	" AS \"I/O\", root: io\n"
	" Root memory region: io\n"
	"  0000000000000000-000000000000ffff (prio 0, ram): io.ram\n"
	"\n"
	"FlatView #1\n"
	" AS \"memory\", root: system\n"
	" AS \"cpu-memory-0\", root: system\n"
	" Root memory region: system\n"
	"  0000000000000000-0000000003ffffff (prio 0, romd): virt.flash0\n"
	"  0000000009000000-0000000009000fff (prio 0, i/o): pl011\n"
	"  0000000080000000-00000000bfffffff (prio 0, ram): pc.ram @0000000040000000 KVM\n"
	"  0000000040000000-000000007fffffff (prio 0, ram): mach-virt.ram KVM\n"
	"  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios\n"
	"  00000000c0000000-00000000c0000fff (prio 0, ramd): vfio bar\n"
	"\n"
	"FlatView #2\n"
	" AS \"cpu-secure-memory-0\", root: secure-memory\n"
	"  000000000e000000-000000000effffff (prio 0, ram): virt.secure-ram\n";

static void
test_parse (void)
{
	g_autoptr (GArray) map = kd_mtree_parse (mtree);
	const KdRamBlock *block;

	g_assert_cmpuint (map->len, ==, 3);
	block = &g_array_index (map, KdRamBlock, 0);
	g_assert_cmphex (block->pa, ==, 0x40000000);
	g_assert_cmphex (block->size, ==, 0x40000000);
	g_assert_cmpstr (block->name, ==, "mach-virt.ram");
	block = &g_array_index (map, KdRamBlock, 1);
	g_assert_cmphex (block->pa, ==, 0x80000000);
	g_assert_cmpstr (block->name, ==, "pc.ram");
	g_assert_cmpstr (g_array_index (map, KdRamBlock, 2).name, ==, "pc.bios");
}

static void
test_find (void)
{
	g_autoptr (GArray) map = kd_mtree_parse (mtree);

	g_assert_null (kd_ram_map_find (map, 0x3fffffff));
	g_assert_nonnull (kd_ram_map_find (map, 0x40000000));
	g_assert_cmphex (kd_ram_map_find (map, 0xbfffffff)->pa, ==, 0x80000000);
	g_assert_null (kd_ram_map_find (map, 0xc0000000));
	g_assert_null (kd_ram_map_find (map, G_MAXUINT64));
	/* Two blocks side by side, then a hole. */
	g_assert_cmphex (kd_ram_map_extent (map, 0x7ffffff0, 0x100), ==, 0x100);
	g_assert_cmphex (kd_ram_map_extent (map, 0xbffffff0, 0x100), ==, 0x10);
	g_assert_cmphex (kd_ram_map_extent (map, 0, 0x100), ==, 0);
}

typedef struct {
	const char *name, *text;
	guint blocks;
} Row;

#define HEAD "FlatView #0\n AS \"memory\", root: system\n"

static const Row rows[] = {
	{"empty", "", 0},
	{"unknown-command", "unknown command: 'info mtree'\n", 0},
	{"no-memory-view",
		"FlatView #0\n AS \"I/O\", root: io\n  0000000000000000-000000000000ffff (prio 0, "
		"ram): io.ram\n",
		0},
	{"end-before-start", HEAD "  0000000000001000-0000000000000fff (prio 0, ram): a\n", 0},
	{"whole-space", HEAD "  0000000000000000-ffffffffffffffff (prio 0, ram): a\n", 0},
	{"up-to-the-top", HEAD "  0000000000001000-ffffffffffffffff (prio 0, ram): a\n", 0},
	{"above-any-address", HEAD "  0100000000000000-0100000000000fff (prio 0, ram): a\n", 0},
	{"highest", HEAD "  00fffffffffff000-00ffffffffffffff (prio 0, ram): a\n", 1},
	{"inside-a-page", HEAD "  0000000000000001-0000000000000002 (prio 0, ram): a\n", 1},
	{"no-kind", HEAD "  0000000000001000-0000000000001fff (prio 0\n", 0},
	{"no-end", HEAD "  0000000000001000-", 0},
	{"not-hex", HEAD "  zzzz-0000000000001fff (prio 0, ram): a\n", 0},
	{"overlap",
		HEAD "  0000000000001000-0000000000002fff (prio 0, ram): a\n"
		     "  0000000000002000-0000000000003fff (prio 0, ram): b\n",
		1},
	{"no-last-newline", HEAD "  0000000000001000-0000000000001fff (prio 0, ram): a", 1},
};

static void
test_row (gconstpointer data)
{
	const Row *row = data;
	g_autoptr (GArray) map = kd_mtree_parse (row->text);

	g_assert_cmpuint (map->len, ==, row->blocks);
}

static void
test_many (void)
{
	g_autoptr (GString) text = g_string_new (HEAD);
	g_autoptr (GArray) map = NULL;

	for (unsigned i = 0; i < 2 * KD_RAM_RANGES_MAX; i++)
		g_string_append_printf (
			text, "  %016x-%016x (prio 0, ram): a\n", i * 0x1000, i * 0x1000 + 0xfff);
	map = kd_mtree_parse (text->str);
	g_assert_cmpuint (map->len, ==, KD_RAM_RANGES_MAX);
}

static void
test_pages (void)
{
	static const struct {
		uint64_t pa, size, want_pa, want_size; /* 0: none */
	} pages[] = {
		{0x1000, 0x1000, 0x1000, 0x1000},
		{0x1001, 2, 0, 0},
		{0x1ff0, 0x1000, 0, 0},
		{0x1ff0, 0x1010, 0x2000, 0x1000},
		{0x1001, 0x2fff, 0x2000, 0x2000},
		{0xfffffffffff000, 0x1000, 0xfffffffffff000, 0x1000},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (pages); i++) {
		const KdRamBlock block = {.pa = pages[i].pa, .size = pages[i].size};
		uint64_t pa = 5, size = 6;

		if (kd_ram_block_pages (&block, &pa, &size)) {
			g_assert_cmphex (pa, ==, pages[i].want_pa);
			g_assert_cmphex (size, ==, pages[i].want_size);
		} else {
			g_assert_cmphex (pages[i].want_size, ==, 0);
			g_assert_true (pa == 5 && size == 6);
		}
	}
}

static void
test_gpa2hva (void)
{
	uint64_t hva = 5;

	g_assert_true (kd_gpa2hva_parse (
		"Host virtual address for 0x40000000 (mach-virt.ram) is 0x7f2d8be00000\n", &hva));
	g_assert_cmphex (hva, ==, 0x7f2d8be00000);
	hva = 5;
	g_assert_false (kd_gpa2hva_parse ("No memory is mapped at address 0x10\n", &hva));
	g_assert_false (kd_gpa2hva_parse ("Host virtual address for 0x0 (a) is 0x0", &hva));
	g_assert_false (kd_gpa2hva_parse ("Host virtual address for 0x0 (a) is 0x", &hva));
	g_assert_false (kd_gpa2hva_parse ("", &hva));
	g_assert_cmphex (hva, ==, 5);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/ram-map/parse", test_parse);
	g_test_add_func ("/ram-map/find", test_find);
	g_test_add_func ("/ram-map/more-than-the-limit", test_many);
	g_test_add_func ("/ram-map/pages", test_pages);
	g_test_add_func ("/ram-map/gpa2hva", test_gpa2hva);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *name = g_strconcat ("/ram-map/parse/", rows[i].name, NULL);

		g_test_add_data_func (name, &rows[i], test_row);
	}
	return g_test_run();
}
