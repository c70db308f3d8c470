/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/x86-64.h"

#define ENTRY_PRESENT (1ULL << 0)
#define ENTRY_RW (1ULL << 1)
#define ENTRY_USER (1ULL << 2)
#define ENTRY_PWT (1ULL << 3)
#define ENTRY_PCD (1ULL << 4)
#define ENTRY_ACCESSED (1ULL << 5)
#define ENTRY_DIRTY (1ULL << 6)
#define ENTRY_PS (1ULL << 7) /* PAT in the last level */
#define ENTRY_GLOBAL (1ULL << 8)
#define ENTRY_PAT_LARGE (1ULL << 12)
#define ENTRY_NX (1ULL << 63)
#define ENTRY_ADDRESS 0xffffffffff000ULL

/* EPT's entries, SDM 3C tables 29-1 to 29-7; PS and the address are where they are above. */
#define EPT_READ (1ULL << 0)
#define EPT_WRITE (1ULL << 1)
#define EPT_EXECUTE (1ULL << 2)
#define EPT_RIGHTS (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_MEMTYPE(entry) ((unsigned)((entry) >> 3 & 7))
#define EPT_IGNORE_PAT (1ULL << 6)
#define EPT_ACCESSED (1ULL << 8)
#define EPT_DIRTY (1ULL << 9)
/* Reserved where an entry leads to a table; PS aside. */
#define EPT_TABLE_RESERVED (15ULL << 3)

#define MASK(bits) ((bits) >= 64 ? ~0ULL : (1ULL << (bits)) - 1)

/* By the number of levels below. */
static const char *const level_names[] = {"PT", "PD", "PDPT", "PML4", "PML5"};

/* Memory types; NULL ones are reserved. */
static const char *const ept_memtypes[8] = {
	[0] = "uc", [1] = "wc", [4] = "wt", [5] = "wp", [6] = "wb"};

static gboolean
is_canonical (const KdRegime *regime, uint64_t va)
{
	uint64_t high = va >> (regime->va_bits - 1);

	if (regime->flags & KD_X86_64_REGIME_NESTED)
		return va >> regime->va_bits == 0;
	return high == 0 || high == MASK (65 - regime->va_bits);
}

/* What the levels above allow limits what the leaf allows, SDM 3A 4.6. */
static uint64_t
fold (const KdRegime *regime, uint64_t leaf, uint64_t all, uint64_t any)
{
	if (regime->flags & KD_X86_64_REGIME_EPT)
		return leaf & (~EPT_RIGHTS | all);
	leaf &= ~(ENTRY_RW | ENTRY_USER) | (all & (ENTRY_RW | ENTRY_USER));
	return leaf | (any & ENTRY_NX);
}

static void
finish_leaf (const KdRegime *regime, unsigned below, uint64_t va, uint64_t entry, KdWalk *walk)
{
	unsigned shift = regime->page_shift + 9 * below;

	uint64_t pat = regime->flags & KD_X86_64_REGIME_EPT ? 0 : ENTRY_PAT_LARGE;

	/* Of a large page only the PAT bit may be set below its address; EPT has none there. */
	if (below && (entry & ENTRY_ADDRESS & MASK (shift) & ~pat)) {
		walk->status = KD_WALK_RESERVED;
		return;
	}
	walk->pa = (entry & ENTRY_ADDRESS & ~MASK (shift)) | (va & MASK (shift));
	if (walk->pa >> regime->pa_bits) {
		walk->status = KD_WALK_RESERVED;
		return;
	}
	walk->status = KD_WALK_MAPPED;
	walk->map_size = 1ULL << shift;
}

static gboolean
is_present (const KdRegime *regime, uint64_t entry)
{
	return (entry & (regime->flags & KD_X86_64_REGIME_EPT ? EPT_RIGHTS : ENTRY_PRESENT)) != 0;
}

/* What makes a CPU fault with "reserved bit", and EPT's misconfigurations (SDM 3C 29.3.3.1). */
static gboolean
is_reserved (const KdRegime *regime, unsigned below, uint64_t entry)
{
	/* Pages of 512 GiB there are none. */
	if (below > 2 && (entry & ENTRY_PS))
		return TRUE;
	if (!(regime->flags & KD_X86_64_REGIME_EPT))
		return (entry & ENTRY_NX) && (regime->flags & KD_X86_64_REGIME_NO_NX);
	/* Execute-only there is, on CPUs that say so. */
	if ((entry & (EPT_READ | EPT_WRITE)) == EPT_WRITE)
		return TRUE;
	return below == 0 || (entry & ENTRY_PS) ? !ept_memtypes[EPT_MEMTYPE (entry)]
						: (entry & EPT_TABLE_RESERVED) != 0;
}

void
kd_x86_64_walk (
	const KdRegime *regime, uint64_t va, KdPhysReadFunc read, void *data, KdWalk *ret_walk)
{
	uint64_t table = regime->root, all = ~0ULL, any = 0;

	*ret_walk = (KdWalk){.status = KD_WALK_NONCANONICAL};
	if (regime->va_bits < 48 || regime->va_bits > 57 || !is_canonical (regime, va))
		return;
	for (unsigned below = (regime->va_bits - regime->page_shift) / 9; below-- > 0;) {
		KdWalkLevel *step = &ret_walk->levels[ret_walk->nr_levels++];
		uint8_t bytes[8];

		*step = (KdWalkLevel){.name = level_names[below],
			.table = table,
			.index = (unsigned)(va >> (regime->page_shift + 9 * below)) & 511};
		step->entry_pa = table + step->index * 8ULL;
		if (!read (data, step->entry_pa, bytes, sizeof bytes, NULL)) {
			ret_walk->status = KD_WALK_UNREADABLE;
			return;
		}
		for (unsigned i = 0; i < 8; i++)
			step->entry |= (uint64_t)bytes[i] << (8 * i);
		if (!is_present (regime, step->entry)) {
			ret_walk->status = KD_WALK_ABSENT;
			return;
		}
		if (is_reserved (regime, below, step->entry)) {
			ret_walk->status = KD_WALK_RESERVED;
			return;
		}
		all &= step->entry;
		any |= step->entry;
		if (below == 0 || (step->entry & ENTRY_PS)) {
			ret_walk->leaf = fold (regime, step->entry, all, any);
			finish_leaf (regime, below, va, step->entry, ret_walk);
			return;
		}
		table = step->entry & ENTRY_ADDRESS;
		if (table >> regime->pa_bits) {
			ret_walk->status = KD_WALK_RESERVED;
			return;
		}
	}
}

static char *
describe_ept (const KdRegime *regime, uint64_t leaf)
{
	const char *memtype = ept_memtypes[EPT_MEMTYPE (leaf)];
	GString *text = g_string_new (leaf & EPT_READ ? "r" : "-");

	g_string_append (text, leaf & EPT_WRITE ? "w" : "-");
	g_string_append (text, leaf & EPT_EXECUTE ? "x" : "-");
	g_string_append_printf (text, " %s", memtype ? memtype : "reserved");
	if (leaf & EPT_IGNORE_PAT)
		g_string_append (text, " ignore-pat");
	if (!(regime->flags & KD_X86_64_REGIME_EPT_NO_AD)) {
		g_string_append (text, leaf & EPT_ACCESSED ? " accessed" : " not-accessed");
		if (leaf & EPT_DIRTY)
			g_string_append (text, " dirty");
	}
	return g_string_free (text, FALSE);
}

char *
kd_x86_64_describe_leaf (const KdRegime *regime, const KdWalk *walk)
{
	gboolean large = walk->map_size > 1ULL << regime->page_shift;
	uint64_t leaf = walk->leaf;
	unsigned pat = (leaf & ENTRY_PWT ? 1 : 0) | (leaf & ENTRY_PCD ? 2 : 0) |
		       (leaf & (large ? ENTRY_PAT_LARGE : ENTRY_PS) ? 4 : 0);
	GString *text;

	if (regime->flags & KD_X86_64_REGIME_EPT)
		return describe_ept (regime, leaf);
	text = g_string_new (leaf & ENTRY_RW ? "rw" : "ro");
	g_string_append (text, leaf & ENTRY_USER ? " user" : " kernel");
	g_string_append (text, leaf & ENTRY_NX ? " nx" : " x");
	/* What an index of the PAT stands for is in an MSR. */
	g_string_append_printf (text, " pat%u", pat);
	if (leaf & ENTRY_GLOBAL)
		g_string_append (text, " global");
	g_string_append (text, leaf & ENTRY_ACCESSED ? " accessed" : " not-accessed");
	if (leaf & ENTRY_DIRTY)
		g_string_append (text, " dirty");
	return g_string_free (text, FALSE);
}

KdRegime
kd_x86_64_nested_regime (uint64_t ncr3, const KdRegime *host)
{
	return (KdRegime){.root = ncr3 & ENTRY_ADDRESS,
		.va_bits = host->va_bits,
		.pa_bits = host->pa_bits,
		.page_shift = 12,
		.flags = KD_X86_64_REGIME_NESTED};
}

KdRegime
kd_x86_64_ept_regime (uint64_t root, unsigned levels, gboolean ad, const KdRegime *host)
{
	return (KdRegime){.root = root & ENTRY_ADDRESS,
		.va_bits = 12 + 9 * CLAMP (levels, 4, 5),
		.pa_bits = host->pa_bits,
		.page_shift = 12,
		.flags = KD_X86_64_REGIME_NESTED | KD_X86_64_REGIME_EPT |
			 (ad ? 0 : KD_X86_64_REGIME_EPT_NO_AD)};
}
