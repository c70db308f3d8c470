/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "target/ram-map.h"
#include "arch/arch.h"

/* What a human monitor answers, to every reader of such text. */
static void
read_mtree (const char *text)
{
	g_autoptr (GArray) map = kd_mtree_parse (text);
	uint64_t end = 0;

	g_assert_cmpuint (map->len, <=, KD_RAM_RANGES_MAX);
	for (guint i = 0; i < map->len; i++) {
		const KdRamBlock *block = &g_array_index (map, KdRamBlock, i);

		g_assert_cmpuint (block->size, >, 0);
		g_assert_nonnull (block->name);
		g_assert_cmpuint (block->size - 1, <=, G_MAXUINT64 - block->pa);
		if (i > 0)
			g_assert_cmphex (block->pa, >, end);
		end = block->pa + (block->size - 1);
		g_assert_true (kd_ram_map_find (map, block->pa) == block);
		g_assert_true (kd_ram_map_find (map, end) == block);
		g_assert_cmpuint (kd_ram_map_extent (map, end, 1), ==, 1);
		g_assert_cmpuint (
			kd_ram_map_extent (map, block->pa, 4096), >=, MIN (block->size, 4096));
	}
}

static void
read_registers (const KdArch *arch, const char *text)
{
	static const char *const names[] = {"idt_base", "idt_limit", "gdt_base", "gdt_limit", "tr",
		"tr_base", "ldtr", "dr7", "x"};
	uint64_t value;

	for (unsigned cpu = 0; cpu < 12; cpu += 1 + cpu)
		for (size_t i = 0; i < G_N_ELEMENTS (names) && arch->monitor_reg; i++)
			arch->monitor_reg (text, cpu, names[i], &value);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup ((const char *)data, size);
	uint64_t hva;

	read_mtree (text);
	if (kd_gpa2hva_parse (text, &hva))
		g_assert_cmphex (hva, !=, 0);
	read_registers (&kd_arch_x86_64, text);
	read_registers (&kd_arch_arm64, text);
	return 0;
}
