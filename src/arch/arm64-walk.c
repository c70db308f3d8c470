/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm64.h"

#define DESC_VALID (1ULL << 0)
#define DESC_TABLE (1ULL << 1) /* level 3: page */
#define LEAF_AP_USER (1ULL << 6)
#define LEAF_AP_RDONLY (1ULL << 7)
#define LEAF_AF (1ULL << 10)
#define LEAF_NG (1ULL << 11)
#define LEAF_GP (1ULL << 50)
#define LEAF_DBM (1ULL << 51)
#define LEAF_CONT (1ULL << 52)
#define LEAF_PXN (1ULL << 53)
#define LEAF_UXN (1ULL << 54)
#define TABLE_PXN (1ULL << 59)
#define TABLE_UXN (1ULL << 60)
#define TABLE_AP_NO_USER (1ULL << 61)
#define TABLE_AP_RDONLY (1ULL << 62)

/* Stage 2. */
#define LEAF_S2_READ (1ULL << 6)
#define LEAF_S2_WRITE (1ULL << 7)

#define VTCR_DS (1ULL << 32)
#define VTCR_SL2 (1ULL << 33)
#define CONCATENATED_BITS_MAX 4

#define BITS(value, high, low) (((value) >> (low)) & ((1ULL << ((high) - (low) + 1)) - 1))
#define MASK(bits) ((bits) >= 64 ? ~0ULL : (1ULL << (bits)) - 1)

static const char *const level_names[] = {"level -1", "level 0", "level 1", "level 2", "level 3"};

/* Address in a descriptor: of the next table, or of the block or page. */
static uint64_t
output_address (const KdRegime *regime, uint64_t entry, unsigned shift)
{
	if (regime->flags & KD_ARM64_REGIME_LPA2)
		return (entry & MASK (50) & ~MASK (shift)) | ((entry >> 8) & 3) << 50;
	if (regime->page_shift == 16 && regime->pa_bits == 52)
		return (entry & MASK (48) & ~MASK (shift)) | ((entry >> 12) & 0xf) << 48;
	return entry & MASK (48) & ~MASK (shift);
}

static gboolean
block_allowed (const KdRegime *regime, int level)
{
	gboolean lpa2 = (regime->flags & KD_ARM64_REGIME_LPA2) != 0;

	switch (regime->page_shift) {
	case 12:
		return level == 2 || level == 1 || (level == 0 && lpa2);
	case 14:
		return level == 2 || (level == 1 && lpa2);
	default:
		return level == 2 || (level == 1 && regime->pa_bits == 52);
	}
}

/* Entries that one contiguous hint joins, Arm ARM table D8-97. */
static unsigned
contiguous_entries (const KdRegime *regime, int level)
{
	switch (regime->page_shift) {
	case 12:
		return 16;
	case 14:
		return level == 3 ? 128 : 32;
	default:
		return 32;
	}
}

static gboolean
is_canonical (const KdRegime *regime, uint64_t va)
{
	uint64_t high = MASK (64 - regime->tbi) & ~MASK (regime->va_bits);

	return (va & high) == (regime->upper ? high : 0);
}

static void
finish_leaf (const KdRegime *regime, int level, unsigned shift, uint64_t va, uint64_t entry,
	uint64_t hierarchy, KdWalk *walk)
{
	walk->pa = output_address (regime, entry, shift) | (va & MASK (shift));
	if (regime->pa_bits < 64 && walk->pa >> regime->pa_bits) {
		walk->status = KD_WALK_RESERVED;
		return;
	}
	walk->status = KD_WALK_MAPPED;
	walk->map_size = 1ULL << shift;
	if (entry & LEAF_CONT)
		walk->map_size *= contiguous_entries (regime, level);
	walk->leaf = entry;
	/* Stage 2 tables restrict nothing. */
	if (regime->flags & KD_ARM64_REGIME_STAGE2)
		return;
	if (hierarchy & TABLE_PXN)
		walk->leaf |= LEAF_PXN;
	if (hierarchy & TABLE_UXN)
		walk->leaf |= LEAF_UXN;
	if (hierarchy & TABLE_AP_NO_USER)
		walk->leaf &= ~LEAF_AP_USER;
	if (hierarchy & TABLE_AP_RDONLY)
		walk->leaf |= LEAF_AP_RDONLY;
}

void
kd_arm64_walk (
	const KdRegime *regime, uint64_t va, KdPhysReadFunc read, void *data, KdWalk *ret_walk)
{
	const unsigned stride = regime->page_shift - 3;
	const int nr_levels = (int)((regime->va_bits - regime->page_shift + stride - 1) / stride);
	const int start = regime->flags & KD_ARM64_REGIME_STAGE2
				  ? KD_ARM64_REGIME_START_LEVEL (regime->flags)
				  : 4 - nr_levels;
	uint64_t table = regime->root, hierarchy = 0;

	*ret_walk = (KdWalk){.status = KD_WALK_NONCANONICAL};
	/* Level -1 resolves bits that only 4K pages have. */
	if (start < -1 || regime->page_shift + (3 - start) * (int)stride >= 64 ||
		!is_canonical (regime, va))
		return;
	for (int level = start; level <= 3; level++) {
		unsigned shift = regime->page_shift + (unsigned)(3 - level) * stride;
		/* Up to 16 first tables of stage 2 stand behind each other, as one. */
		unsigned bits = level == start ? regime->va_bits - shift : stride;
		KdWalkLevel *step = &ret_walk->levels[ret_walk->nr_levels++];
		uint8_t bytes[8];

		*step = (KdWalkLevel){.name = level_names[level + 1],
			.table = table,
			.index = (unsigned)((va >> shift) & MASK (bits))};
		step->entry_pa = table + step->index * 8ULL;
		if (!read (data, step->entry_pa, bytes, sizeof bytes, NULL)) {
			ret_walk->status = KD_WALK_UNREADABLE;
			return;
		}
		for (unsigned i = 0; i < 8; i++)
			step->entry |= (uint64_t)bytes[i] << (8 * i);
		if (!(step->entry & DESC_VALID)) {
			ret_walk->status = KD_WALK_ABSENT;
			return;
		}
		if (level == 3 || !(step->entry & DESC_TABLE)) {
			if (level == 3 ? !(step->entry & DESC_TABLE)
				       : !block_allowed (regime, level))
				ret_walk->status = KD_WALK_RESERVED;
			else
				finish_leaf (
					regime, level, shift, va, step->entry, hierarchy, ret_walk);
			return;
		}
		hierarchy |= step->entry;
		table = output_address (regime, step->entry, regime->page_shift);
		if (table >> regime->pa_bits) {
			ret_walk->status = KD_WALK_RESERVED;
			return;
		}
	}
}

gboolean
kd_arm64_regime_from_vtcr (uint64_t root, uint64_t vtcr, KdRegime *ret_regime)
{
	static const unsigned pa_bits[] = {32, 36, 40, 42, 44, 48, 52, 52};
	static const unsigned page_shifts[] = {12, 16, 14, 0};
	/* SL0 counts up from level 2 with 4K pages, from level 3 with others. */
	static const int levels_4k[] = {2, 1, 0, 3};
	unsigned sl0 = BITS (vtcr, 7, 6), tsz = BITS (vtcr, 5, 0), stride, shift;
	gboolean ds = (vtcr & VTCR_DS) != 0;
	KdRegime regime = {.page_shift = page_shifts[BITS (vtcr, 15, 14)],
		.va_bits = 64 - tsz,
		.pa_bits = pa_bits[BITS (vtcr, 18, 16)],
		.root = root,
		.flags = KD_ARM64_REGIME_STAGE2};
	int start;

	if (regime.page_shift == 0 || tsz < 12 || tsz > 48)
		return FALSE;
	if (ds && regime.page_shift != 16)
		regime.flags |= KD_ARM64_REGIME_LPA2;
	start = regime.page_shift == 12 ? levels_4k[sl0] : 3 - (int)sl0;
	if (regime.page_shift == 12 && ds && (vtcr & VTCR_SL2)) {
		if (sl0 != 0)
			return FALSE;
		start = -1;
	}
	stride = regime.page_shift - 3;
	shift = regime.page_shift + (unsigned)(3 - start) * stride;
	if (regime.va_bits <= shift || regime.va_bits - shift > stride + CONCATENATED_BITS_MAX)
		return FALSE;
	regime.flags |= (uint64_t)(start + 1) << KD_ARM64_REGIME_START_SHIFT;
	*ret_regime = regime;
	return TRUE;
}

static char *
describe_stage2 (const KdRegime *regime, uint64_t leaf)
{
	static const char *const shareability[] = {"non-shareable", "reserved", "outer", "inner"};
	/* FEAT_XNX; without it bit 53 is 0. */
	static const char *const execute[] = {"x", "ux", "xn", "px"};
	GString *text = g_string_new (NULL);

	g_string_append_c (text, leaf & LEAF_S2_READ ? 'r' : '-');
	g_string_append_c (text, leaf & LEAF_S2_WRITE ? 'w' : '-');
	g_string_append_printf (text, " %s memattr=0x%x", execute[BITS (leaf, 54, 53)],
		(unsigned)BITS (leaf, 5, 2));
	if (!(regime->flags & KD_ARM64_REGIME_LPA2))
		g_string_append_printf (text, " %s", shareability[BITS (leaf, 9, 8)]);
	if (!(leaf & LEAF_AF))
		g_string_append (text, " no-af");
	if (leaf & LEAF_DBM)
		g_string_append (text, " dbm");
	if (leaf & LEAF_CONT)
		g_string_append (text, " contiguous");
	if (BITS (leaf, 58, 55))
		g_string_append_printf (text, " software=0x%x", (unsigned)BITS (leaf, 58, 55));
	return g_string_free (text, FALSE);
}

char *
kd_arm64_describe_leaf (const KdRegime *regime, const KdWalk *walk)
{
	static const char *const shareability[] = {"non-shareable", "reserved", "outer", "inner"};
	uint64_t leaf = walk->leaf;
	GString *text;

	if (regime->flags & KD_ARM64_REGIME_STAGE2)
		return describe_stage2 (regime, leaf);
	text = g_string_new (leaf & LEAF_AP_RDONLY ? "ro" : "rw");

	g_string_append_printf (text, " %s", leaf & LEAF_AP_USER ? "user" : "kernel");
	g_string_append (text, leaf & LEAF_PXN ? " pxn" : " px");
	g_string_append (text, leaf & LEAF_UXN ? " uxn" : " ux");
	g_string_append_printf (text, " attr%u", (unsigned)(leaf >> 2) & 7);
	/* With LPA2 the shareability bits hold address; it is then in TCR. */
	if (!(regime->flags & KD_ARM64_REGIME_LPA2))
		g_string_append_printf (text, " %s", shareability[(leaf >> 8) & 3]);
	g_string_append (text, leaf & LEAF_NG ? " ng" : " global");
	if (!(leaf & LEAF_AF))
		g_string_append (text, " no-af");
	if (leaf & LEAF_DBM)
		g_string_append (text, " dbm");
	if (leaf & LEAF_GP)
		g_string_append (text, " gp");
	if (leaf & LEAF_CONT)
		g_string_append (text, " contiguous");
	return g_string_free (text, FALSE);
}
