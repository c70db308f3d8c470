/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm64.h"

#include <string.h>

#define TABLE 3ULL
#define BLOCK 1ULL
#define PAGE 3ULL
#define AF (1ULL << 10)
#define CONT (1ULL << 52)

/* Tables of the rows lie at these places; what no row sets in them reads as zero. */
#define T0 0x40000000ULL
#define T1 0x40010000ULL
#define T2 0x40020000ULL
#define T3 0x40030000ULL
#define T4 0x40040000ULL
#define TABLES_END 0x40050000ULL

#define ENTRIES_MAX 5

typedef struct {
	const char *name;
	KdRegime regime;
	uint64_t va;
	struct {
		uint64_t pa, value;
	} entries[ENTRIES_MAX];
	KdWalkStatus status;
	unsigned nr_levels;
	const char *first_level;
	uint64_t pa, map_size;
} Row;

static gboolean
read_phys (void *data, uint64_t pa, void *buf, size_t len, GError **error)
{
	const Row *row = data;
	uint64_t value = 0;

	g_assert_cmpuint (len, ==, 8);
	if (pa < T0 || pa >= TABLES_END)
		return FALSE;
	for (unsigned i = 0; i < ENTRIES_MAX; i++)
		if (row->entries[i].pa == pa)
			value = row->entries[i].value;
	value = GUINT64_TO_LE (value);
	memcpy (buf, &value, 8);
	return TRUE;
}

#define REGIME(shift, va, pa, ...)                                                                 \
	{                                                                                          \
		.root = T0, .page_shift = shift, .va_bits = va, .pa_bits = pa, __VA_ARGS__         \
	}
#define UPPER .upper = TRUE
#define LPA2 .flags = KD_ARM64_REGIME_LPA2
#define V_48 0xffff812345678abcULL /* indices by 9 bits: 258, 141, 43, 120 */

static const Row rows[] = {
	{"64k-level-minus-1", REGIME (16, 52, 52, .flags = KD_ARM64_REGIME_STAGE2), 0x1000,
		{{0, 0}}, KD_WALK_NONCANONICAL, 0, NULL, 0, 0},
	{"64k-69-bits", REGIME (16, 69, 52), 0x1000, {{0, 0}}, KD_WALK_NONCANONICAL, 0, NULL, 0, 0},
	{"no-regime", {.root = T0}, 0, {{0, 0}}, KD_WALK_NONCANONICAL, 0, NULL, 0, 0},
	/* --- 4K --- */
	{"4k-48-page", REGIME (12, 48, 48, UPPER), V_48,
		{{T0 + 258 * 8, T1 | TABLE}, {T1 + 141 * 8, T2 | TABLE}, {T2 + 43 * 8, T3 | TABLE},
			{T3 + 120 * 8, 0x50000000 | AF | PAGE}},
		KD_WALK_MAPPED, 4, "level 0", 0x50000abc, 4096},
	{"4k-48-page-contiguous", REGIME (12, 48, 48, UPPER), V_48,
		{{T0 + 258 * 8, T1 | TABLE}, {T1 + 141 * 8, T2 | TABLE}, {T2 + 43 * 8, T3 | TABLE},
			{T3 + 120 * 8, CONT | 0x50008000 | AF | PAGE}},
		KD_WALK_MAPPED, 4, "level 0", 0x50008abc, 16 * 4096},
	{"4k-48-block-level-2", REGIME (12, 48, 48, UPPER), V_48,
		{{T0 + 258 * 8, T1 | TABLE}, {T1 + 141 * 8, T2 | TABLE},
			{T2 + 43 * 8, 0x60000000 | AF | BLOCK}},
		KD_WALK_MAPPED, 3, "level 0", 0x60078abc, 2 << 20},
	{"4k-48-block-level-2-contiguous", REGIME (12, 48, 48, UPPER), V_48,
		{{T0 + 258 * 8, T1 | TABLE}, {T1 + 141 * 8, T2 | TABLE},
			{T2 + 43 * 8, CONT | 0x60000000 | AF | BLOCK}},
		KD_WALK_MAPPED, 3, "level 0", 0x60078abc, 32 << 20},
	{"4k-48-block-level-1", REGIME (12, 48, 48, UPPER), V_48,
		{{T0 + 258 * 8, T1 | TABLE}, {T1 + 141 * 8, 0x40000000 | AF | BLOCK}},
		KD_WALK_MAPPED, 2, "level 0", 0x45678abc, 1 << 30},
	{"4k-48-block-level-0-reserved", REGIME (12, 48, 48, UPPER), V_48,
		{{T0 + 258 * 8, 0x40000000 | AF | BLOCK}}, KD_WALK_RESERVED, 1, "level 0", 0, 0},
	{"4k-48-level-3-reserved", REGIME (12, 48, 48, UPPER), V_48,
		{{T0 + 258 * 8, T1 | TABLE}, {T1 + 141 * 8, T2 | TABLE}, {T2 + 43 * 8, T3 | TABLE},
			{T3 + 120 * 8, 0x50000000 | AF | BLOCK}},
		KD_WALK_RESERVED, 4, "level 0", 0, 0},
	{"4k-48-absent-level-0", REGIME (12, 48, 48, UPPER), V_48, {{0, 0}}, KD_WALK_ABSENT, 1,
		"level 0", 0, 0},
	{"4k-48-absent-level-3", REGIME (12, 48, 48, UPPER), V_48,
		{{T0 + 258 * 8, T1 | TABLE}, {T1 + 141 * 8, T2 | TABLE}, {T2 + 43 * 8, T3 | TABLE},
			{T3 + 120 * 8, 0x50000000 | AF | 2}},
		KD_WALK_ABSENT, 4, "level 0", 0, 0},
	{"4k-48-table-nowhere", REGIME (12, 48, 48, UPPER), V_48,
		{{T0 + 258 * 8, 0x990000000 | TABLE}}, KD_WALK_UNREADABLE, 2, "level 0", 0, 0},
	{"4k-48-table-beyond-pa", REGIME (12, 48, 32, UPPER), V_48,
		{{T0 + 258 * 8, 0x990000000 | TABLE}}, KD_WALK_RESERVED, 1, "level 0", 0, 0},
	{"4k-48-page-beyond-pa", REGIME (12, 48, 40, UPPER), V_48,
		{{T0 + 258 * 8, T1 | TABLE}, {T1 + 141 * 8, T2 | TABLE}, {T2 + 43 * 8, T3 | TABLE},
			{T3 + 120 * 8, 0x10000000000 | AF | PAGE}},
		KD_WALK_RESERVED, 4, "level 0", 0, 0},
	{"4k-48-upper-noncanonical", REGIME (12, 48, 48, UPPER), 0x0000812345678abcULL, {{0, 0}},
		KD_WALK_NONCANONICAL, 0, NULL, 0, 0},
	{"4k-48-lower-noncanonical", REGIME (12, 48, 48), V_48, {{0, 0}}, KD_WALK_NONCANONICAL, 0,
		NULL, 0, 0},
	{"4k-48-tag-ignored", REGIME (12, 48, 48, .tbi = 8), 0xab00000000001234ULL,
		{{T0, T1 | TABLE}, {T1, T2 | TABLE}, {T2, T3 | TABLE},
			{T3 + 8, 0x50000000 | AF | PAGE}},
		KD_WALK_MAPPED, 4, "level 0", 0x50000234, 4096},
	{"4k-48-tag-counts", REGIME (12, 48, 48), 0xab00000000001234ULL, {{0, 0}},
		KD_WALK_NONCANONICAL, 0, NULL, 0, 0},
	{"4k-39-page", REGIME (12, 39, 48, UPPER), 0xffffffc012345678ULL,
		{{T0 + 256 * 8, T1 | TABLE}, {T1 + 145 * 8, T2 | TABLE},
			{T2 + 325 * 8, 0x7000 | AF | PAGE}},
		KD_WALK_MAPPED, 3, "level 1", 0x7678, 4096},
	{"4k-39-hole", REGIME (12, 39, 48, UPPER), 0xffff808012345678ULL, {{0, 0}},
		KD_WALK_NONCANONICAL, 0, NULL, 0, 0},
	{"4k-52-lpa2-level-minus-1", REGIME (12, 52, 52, UPPER, LPA2), 0xfff0812345678abcULL,
		{{T0, T1 | TABLE}, {T1 + 258 * 8, T2 | TABLE}, {T2 + 141 * 8, T3 | TABLE},
			{T3 + 43 * 8, T4 | TABLE},
			/* PA 51:50 in 9:8, 49:48 in place */
			{T4 + 120 * 8, 0x3000050000000 | 2ULL << 8 | AF | PAGE}},
		KD_WALK_MAPPED, 5, "level -1", 0xb000050000abc, 4096},
	{"4k-52-lpa2-block-level-0", REGIME (12, 52, 52, UPPER, LPA2), 0xfff0812345678abcULL,
		{{T0, T1 | TABLE}, {T1 + 258 * 8, 0x8000000000 | AF | BLOCK}}, KD_WALK_MAPPED, 2,
		"level -1", 0x8000000000 | 0x2345678abc, 512ULL << 30},
	/* --- 16K: 11 bits a level --- */
	{"16k-47-page", REGIME (14, 47, 48, UPPER), 0xffffc12345678abcULL,
		{{T0 + 1042 * 8, T1 | TABLE}, {T1 + 418 * 8, T2 | TABLE},
			{T2 + 1438 * 8, 0x50004000 | AF | PAGE}},
		KD_WALK_MAPPED, 3, "level 1", 0x50004abc, 16384},
	{"16k-47-page-contiguous", REGIME (14, 47, 48, UPPER), 0xffffc12345678abcULL,
		{{T0 + 1042 * 8, T1 | TABLE}, {T1 + 418 * 8, T2 | TABLE},
			{T2 + 1438 * 8, CONT | 0x50004000 | AF | PAGE}},
		KD_WALK_MAPPED, 3, "level 1", 0x50004abc, 128 * 16384},
	{"16k-47-block-level-2", REGIME (14, 47, 48, UPPER), 0xffffc12345678abcULL,
		{{T0 + 1042 * 8, T1 | TABLE}, {T1 + 418 * 8, 0x80000000 | AF | BLOCK}},
		KD_WALK_MAPPED, 2, "level 1", 0x81678abc, 32 << 20},
	{"16k-47-block-level-1-reserved", REGIME (14, 47, 48, UPPER), 0xffffc12345678abcULL,
		{{T0 + 1042 * 8, 0x1000000000 | AF | BLOCK}}, KD_WALK_RESERVED, 1, "level 1", 0, 0},
	{"16k-48-two-entry-root", REGIME (14, 48, 48, UPPER), 0xffffc12345678abcULL,
		{{T0 + 1 * 8, T1 | TABLE}, {T1 + 1042 * 8, T2 | TABLE}, {T2 + 418 * 8, T3 | TABLE},
			{T3 + 1438 * 8, 0x50004000 | AF | PAGE}},
		KD_WALK_MAPPED, 4, "level 0", 0x50004abc, 16384},
	{"16k-52-lpa2-block-level-1", REGIME (14, 52, 52, UPPER, LPA2), 0xffffc12345678abcULL,
		{{T0 + 31 * 8, T1 | TABLE}, {T1 + 1042 * 8, 0x2000000000 | 1ULL << 8 | AF | BLOCK}},
		KD_WALK_MAPPED, 2, "level 0", 0x4000000000000 | 0x2000000000 | 0x345678abc,
		64ULL << 30},
	/* --- 64K --- */
	{"64k-48-page", REGIME (16, 48, 48, UPPER), 0xfffffc1234567abcULL,
		{{T0 + 63 * 8, T1 | TABLE}, {T1 + 145 * 8, T2 | TABLE},
			{T2 + 0x1456 * 8, 0x50010000 | AF | PAGE}},
		KD_WALK_MAPPED, 3, "level 1", 0x50017abc, 65536},
	{"64k-42-page-contiguous", REGIME (16, 42, 48, UPPER), 0xfffffe1234567abcULL,
		{{T0 + 0x1091 * 8, T1 | TABLE}, {T1 + 0x1456 * 8, CONT | 0x50010000 | AF | PAGE}},
		KD_WALK_MAPPED, 2, "level 2", 0x50017abc, 32 * 65536},
	{"64k-42-block-level-2", REGIME (16, 42, 48, UPPER), 0xfffffe1234567abcULL,
		{{T0 + 0x1091 * 8, 0x80000000 | AF | BLOCK}}, KD_WALK_MAPPED, 1, "level 2",
		0x94567abc, 512 << 20},
	{"64k-48-block-level-1-reserved", REGIME (16, 48, 48, UPPER), 0xfffffc1234567abcULL,
		{{T0 + 63 * 8, 0x40000000000 | AF | BLOCK}}, KD_WALK_RESERVED, 1, "level 1", 0, 0},
	{"64k-52-lpa-page", REGIME (16, 52, 52, UPPER), 0xfff0811234567abcULL,
		/* PA 51:48 in 15:12 */
		{{T0 + 32 * 8, T1 | TABLE}, {T1 + 0x891 * 8, T2 | TABLE},
			{T2 + 0x1456 * 8, 0x50010000 | 0xaULL << 12 | AF | PAGE}},
		KD_WALK_MAPPED, 3, "level 1", 0xa000050017abcULL, 65536},
	{"64k-52-lpa-block-level-1", REGIME (16, 52, 52, UPPER), 0xfff0811234567abcULL,
		{{T0 + 32 * 8, 0xc0000000000 | AF | BLOCK}}, KD_WALK_MAPPED, 1, "level 1",
		0xc0000000000 | 0x11234567abcULL, 4ULL << 40},
};

static void
test_row (gconstpointer data)
{
	const Row *row = data;
	KdWalk walk;

	kd_arch_arm64.walk (&row->regime, row->va, read_phys, (void *)row, &walk);
	g_assert_cmpint (walk.status, ==, row->status);
	g_assert_cmpuint (walk.nr_levels, ==, row->nr_levels);
	if (row->first_level)
		g_assert_cmpstr (walk.levels[0].name, ==, row->first_level);
	if (row->status != KD_WALK_MAPPED)
		return;
	g_assert_cmphex (walk.pa, ==, row->pa);
	g_assert_cmphex (walk.map_size, ==, row->map_size);
	g_assert_cmphex (
		walk.levels[walk.nr_levels - 1].entry, ==, row->entries[row->nr_levels - 1].value);
}

/* What tables above forbid, the leaf must not give. */
static void
test_hierarchy (void)
{
	const Row row = {"hierarchy", REGIME (12, 39, 48), 0x1000,
		{{T0, T1 | TABLE | 1ULL << 59 | 1ULL << 61}, {T1, T2 | TABLE | 1ULL << 62},
			{T2 + 8, 0x50000000 | 1ULL << 6 | AF | PAGE}}};
	g_autofree char *text = NULL;
	KdWalk walk;

	kd_arch_arm64.walk (&row.regime, row.va, read_phys, (void *)&row, &walk);
	g_assert_cmpint (walk.status, ==, KD_WALK_MAPPED);
	g_assert_cmphex (walk.leaf, ==, 0x50000000 | 1ULL << 7 | 1ULL << 53 | AF | PAGE);
	text = kd_arch_arm64.describe_leaf (&row.regime, &walk);
	g_assert_cmpstr (text, ==, "ro kernel pxn ux attr0 non-shareable global");
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *path = g_strdup_printf ("/arm64-walk/%s", rows[i].name);

		g_test_add_data_func (path, &rows[i], test_row);
	}
	g_test_add_func ("/arm64-walk/hierarchy", test_hierarchy);
	return g_test_run();
}
