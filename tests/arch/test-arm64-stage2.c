/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "arch/arm64.h"

#define TABLE 3ULL
#define BLOCK 1ULL
#define PAGE 3ULL
#define AF (1ULL << 10)
#define CONT (1ULL << 52)
#define RW (3ULL << 6)
#define READ_ONLY (1ULL << 6)

/* VTCR_EL2: sizes as exponents, where tables start by SL0's own count. */
#define VTCR(tg, sl0, bits, ps) ((64ULL - (bits)) | (sl0) << 6 | (tg) << 14 | (ps) << 16)
#define TG_4K 0ULL
#define TG_64K 1ULL
#define TG_16K 2ULL
#define TG_RESERVED 3ULL
#define PS_32 0ULL
#define PS_48 5ULL
#define PS_52 6ULL
#define DS (1ULL << 32)
#define SL2 (1ULL << 33)

/* Tables of the rows lie at these places; what no row sets in them reads as zero. */
#define T0 0x40000000ULL
#define T1 0x40100000ULL
#define T2 0x40200000ULL
#define T3 0x40300000ULL
#define T4 0x40400000ULL
#define TABLES_END 0x40500000ULL

#define ENTRIES_MAX 5

typedef struct {
	const char *name;
	uint64_t vtcr, gpa;
	struct {
		uint64_t pa, value;
	} entries[ENTRIES_MAX];
	KdWalkStatus status;
	unsigned nr_levels;
	const char *first_level;
	uint64_t pa, map_size;
	const char *attrs;
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

#define V4K_40 VTCR (TG_4K, 1ULL, 40, PS_48)
#define V16K_40 VTCR (TG_16K, 1ULL, 40, PS_48)
#define V64K_44 VTCR (TG_64K, 1ULL, 44, PS_48)
/* In the second of two first tables; indices by 9 bits below: 145, 325. */
#define G_40 0x8012345678ULL

static const Row rows[] = {
	/* --- 4K --- */
	{"4k-40-concatenated", V4K_40, G_40,
		{{T0 + 512 * 8, T1 | TABLE}, {T1 + 145 * 8, T2 | TABLE},
			{T2 + 325 * 8, 0x50000000 | AF | RW | 0xfULL << 2 | 3ULL << 8 | PAGE}},
		KD_WALK_MAPPED, 3, "level 1", 0x50000678, 4096, "rw x memattr=0xf inner"},
	{"4k-40-first-table", V4K_40, 0x12345678,
		{{T0, T1 | TABLE}, {T1 + 145 * 8, 0x60000000 | AF | READ_ONLY | BLOCK}},
		KD_WALK_MAPPED, 2, "level 1", 0x60145678, 2 << 20,
		"r- x memattr=0x0 non-shareable"},
	{"4k-40-block-level-1", V4K_40, G_40,
		{{T0 + 512 * 8, 0x80000000 | AF | RW | 2ULL << 53 | BLOCK}}, KD_WALK_MAPPED, 1,
		"level 1", 0x92345678, 1 << 30, "rw xn memattr=0x0 non-shareable"},
	{"4k-40-contiguous", V4K_40, G_40,
		{{T0 + 512 * 8, T1 | TABLE}, {T1 + 145 * 8, T2 | TABLE},
			{T2 + 325 * 8, CONT | 0x50005000 | RW | PAGE}},
		KD_WALK_MAPPED, 3, "level 1", 0x50005678, 16 * 4096,
		"rw x memattr=0x0 non-shareable no-af contiguous"},
	{"4k-43-sixteen-first-tables", VTCR (TG_4K, 1ULL, 43, PS_48), 0x7ffc0000123ULL,
		{{T0 + 8191 * 8, 0x40000000 | AF | BLOCK}}, KD_WALK_MAPPED, 1, "level 1",
		0x40000123, 1 << 30, "-- x memattr=0x0 non-shareable"},
	{"4k-48-level-0", VTCR (TG_4K, 2ULL, 48, PS_48), 0x812345678abcULL,
		{{T0 + 258 * 8, T1 | TABLE}, {T1 + 141 * 8, T2 | TABLE}, {T2 + 43 * 8, T3 | TABLE},
			{T3 + 120 * 8, 1ULL << 55 | 0x50000000 | AF | RW | PAGE}},
		KD_WALK_MAPPED, 4, "level 0", 0x50000abc, 4096,
		"rw x memattr=0x0 non-shareable software=0x1"},
	{"4k-52-lpa2-level-minus-1", VTCR (TG_4K, 0ULL, 52, PS_52) | DS | SL2, 0x0812345678abcULL,
		{{T0, T1 | TABLE}, {T1 + 258 * 8, T2 | TABLE}, {T2 + 141 * 8, T3 | TABLE},
			{T3 + 43 * 8, T4 | TABLE},
			{T4 + 120 * 8, 0x3000050000000 | 2ULL << 8 | AF | RW | PAGE}},
		KD_WALK_MAPPED, 5, "level -1", 0xb000050000abc, 4096, "rw x memattr=0x0"},
	/* Tables of stage 2 restrict nothing: bits that would in stage 1. */
	{"4k-40-no-hierarchy", V4K_40, G_40,
		{{T0 + 512 * 8, 0xfULL << 59 | T1 | TABLE},
			{T1 + 145 * 8, 0x60000000 | AF | RW | BLOCK}},
		KD_WALK_MAPPED, 2, "level 1", 0x60145678, 2 << 20,
		"rw x memattr=0x0 non-shareable"},
	/* --- 16K --- */
	{"16k-40-concatenated", V16K_40, 0x2012345678ULL,
		{{T0 + 4105 * 8, T1 | TABLE}, {T1 + 209 * 8, 0x50004000 | AF | RW | PAGE}},
		KD_WALK_MAPPED, 2, "level 2", 0x50005678, 16384, "rw x memattr=0x0 non-shareable"},
	{"16k-40-block-contiguous", V16K_40, 0x2012345678ULL,
		{{T0 + 4105 * 8, CONT | 0x80000000 | AF | RW | BLOCK}}, KD_WALK_MAPPED, 1,
		"level 2", 0x80345678, 32ULL * (32 << 20),
		"rw x memattr=0x0 non-shareable contiguous"},
	{"16k-47-block-level-1-reserved", VTCR (TG_16K, 2ULL, 47, PS_48), 0,
		{{T0, 0x1000000000 | AF | BLOCK}}, KD_WALK_RESERVED, 1, "level 1", 0, 0, NULL},
	/* --- 64K --- */
	{"64k-44-concatenated", V64K_44, 0x80012345678ULL,
		{{T0 + 16384 * 8, T1 | TABLE}, {T1 + 0x1234 * 8, 0x50010000 | AF | RW | PAGE}},
		KD_WALK_MAPPED, 2, "level 2", 0x50015678, 65536, "rw x memattr=0x0 non-shareable"},
	{"64k-44-block-contiguous", V64K_44, 0x80012345678ULL,
		{{T0 + 16384 * 8, CONT | 0x80000000 | AF | RW | BLOCK}}, KD_WALK_MAPPED, 1,
		"level 2", 0x92345678, 32ULL * (512 << 20),
		"rw x memattr=0x0 non-shareable contiguous"},
	{"64k-52-lpa-page", VTCR (TG_64K, 2ULL, 52, PS_52), 0x0811234567abcULL,
		{{T0 + 32 * 8, T1 | TABLE}, {T1 + 0x891 * 8, T2 | TABLE},
			{T2 + 0x1456 * 8, 0x50010000 | 0xaULL << 12 | AF | RW | PAGE}},
		KD_WALK_MAPPED, 3, "level 1", 0xa000050017abcULL, 65536,
		"rw x memattr=0x0 non-shareable"},
	/* --- what no walk follows --- */
	{"beyond-input-size", V4K_40, 1ULL << 40, {{0, 0}}, KD_WALK_NONCANONICAL, 0, NULL, 0, 0,
		NULL},
	/* KVM marks pages of other owners in entries that are not valid. */
	{"annotated", V4K_40, G_40, {{T0 + 512 * 8, 2ULL << 2}}, KD_WALK_ABSENT, 1, "level 1", 0, 0,
		NULL},
	{"level-3-reserved", V4K_40, G_40,
		{{T0 + 512 * 8, T1 | TABLE}, {T1 + 145 * 8, T2 | TABLE},
			{T2 + 325 * 8, 0x50000000 | AF | RW | BLOCK}},
		KD_WALK_RESERVED, 3, "level 1", 0, 0, NULL},
	{"table-nowhere", V4K_40, G_40, {{T0 + 512 * 8, 0x990000000 | TABLE}}, KD_WALK_UNREADABLE,
		2, "level 1", 0, 0, NULL},
	{"table-beyond-pa", VTCR (TG_4K, 1ULL, 40, PS_32), G_40,
		{{T0 + 512 * 8, 0x990000000 | TABLE}}, KD_WALK_RESERVED, 1, "level 1", 0, 0, NULL},
	{"block-beyond-pa", VTCR (TG_4K, 1ULL, 40, PS_32), G_40,
		{{T0 + 512 * 8, 0x1000000000 | AF | BLOCK}}, KD_WALK_RESERVED, 1, "level 1", 0, 0,
		NULL},
};

static void
test_row (gconstpointer data)
{
	const Row *row = data;
	g_autofree char *attrs = NULL;
	KdRegime regime;
	KdWalk walk;

	g_assert_true (kd_arm64_regime_from_vtcr (T0, row->vtcr, &regime));
	kd_arch_arm64.walk (&regime, row->gpa, read_phys, (void *)row, &walk);
	g_assert_cmpint (walk.status, ==, row->status);
	g_assert_cmpuint (walk.nr_levels, ==, row->nr_levels);
	if (row->first_level)
		g_assert_cmpstr (walk.levels[0].name, ==, row->first_level);
	if (row->status != KD_WALK_MAPPED)
		return;
	g_assert_cmphex (walk.pa, ==, row->pa);
	g_assert_cmphex (walk.map_size, ==, row->map_size);
	attrs = kd_arch_arm64.describe_leaf (&regime, &walk);
	g_assert_cmpstr (attrs, ==, row->attrs);
}

static const struct {
	const char *name;
	uint64_t vtcr;
} refused[] = {
	{"granule-reserved", VTCR (TG_RESERVED, 1ULL, 40, PS_48)},
	{"more-than-sixteen-tables", VTCR (TG_4K, 1ULL, 44, PS_48)},
	{"too-small-for-level", VTCR (TG_4K, 2ULL, 39, PS_48)},
	{"input-of-53-bits", VTCR (TG_4K, 0ULL, 53, PS_52) | DS | SL2},
	{"input-of-15-bits", VTCR (TG_4K, 3ULL, 15, PS_48)},
	{"level-minus-1-and-sl0", VTCR (TG_4K, 1ULL, 52, PS_52) | DS | SL2},
	{"64k-smaller-than-a-page", VTCR (TG_64K, 0ULL, 16, PS_48)},
	{"zero", 0},
	{"all-ones", UINT64_MAX},
};

static void
test_refused (gconstpointer data)
{
	KdRegime regime = {.root = 1};

	g_assert_false (kd_arm64_regime_from_vtcr (T0, *(const uint64_t *)data, &regime));
	g_assert_cmphex (regime.root, ==, 1);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *path = g_strdup_printf ("/arm64-stage2/%s", rows[i].name);

		g_test_add_data_func (path, &rows[i], test_row);
	}
	for (size_t i = 0; i < G_N_ELEMENTS (refused); i++) {
		g_autofree char *path =
			g_strdup_printf ("/arm64-stage2/refused/%s", refused[i].name);

		g_test_add_data_func (path, &refused[i].vtcr, test_refused);
	}
	return g_test_run();
}
