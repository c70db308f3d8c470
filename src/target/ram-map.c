/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/ram-map.h"

#include <string.h>

#include "base/hex.h"

static void
block_clear (gpointer data)
{
	g_free (((KdRamBlock *)data)->name);
}

GArray *
kd_ram_map_new (void)
{
	GArray *map = g_array_new (FALSE, TRUE, sizeof (KdRamBlock));

	g_array_set_clear_func (map, block_clear);
	return map;
}

static gboolean
skip (const char **text, const char *what)
{
	size_t len = strlen (what);

	if (strncmp (*text, what, len) != 0)
		return FALSE;
	*text += len;
	return TRUE;
}

/* Length of a region's name: up to " @OFFSET", " KVM" (7.2 softmmu/memory.c, mtree_print_flatview).
 */
static size_t
name_length (const char *name, size_t len)
{
	static const char *const tails[] = {" @", " KVM", " owner:", " parent:"};

	for (size_t i = 0; i < len; i++)
		for (size_t t = 0; t < G_N_ELEMENTS (tails); t++)
			if (len - i >= strlen (tails[t]) &&
				memcmp (name + i, tails[t], strlen (tails[t])) == 0)
				return i;
	return len;
}

/* "  0000000040000000-000000007fffffff (prio 0, ram): mach-virt.ram @0 KVM" */
static gboolean
parse_range (const char *line, size_t len, KdRamBlock *ret_block)
{
	g_autofree char *copy = g_strndup (line, len);
	const char *rest = copy;
	uint64_t start, end;
	size_t used;

	while (*rest == ' ')
		rest++;
	if (!kd_hex_parse_prefix (rest, strlen (rest), &start, &used))
		return FALSE;
	rest += used;
	if (!skip (&rest, "-") || !kd_hex_parse_prefix (rest, strlen (rest), &end, &used))
		return FALSE;
	rest += used;
	if (!skip (&rest, " (prio ") || end < start || end >> KD_RAM_PA_BITS)
		return FALSE;
	rest = strchr (rest, ',');
	if (!rest || !(skip (&rest, ", ram): ") || skip (&rest, ", rom): ")))
		return FALSE;
	*ret_block = (KdRamBlock){.pa = start,
		.size = end - start + 1,
		.name = g_strndup (rest, name_length (rest, strlen (rest)))};
	return TRUE;
}

static int
compare_blocks (gconstpointer a, gconstpointer b)
{
	const KdRamBlock *x = a, *y = b;

	return x->pa < y->pa ? -1 : x->pa > y->pa;
}

/* A flat view has no overlaps; a text that has some is not believed there. */
static void
drop_overlaps (GArray *map)
{
	g_array_sort (map, compare_blocks);
	for (guint i = 1; i < map->len;) {
		const KdRamBlock *before = &g_array_index (map, KdRamBlock, i - 1);
		const KdRamBlock *block = &g_array_index (map, KdRamBlock, i);

		if (block->pa - before->pa < before->size)
			g_array_remove_index (map, i);
		else
			i++;
	}
}

GArray *
kd_mtree_parse (const char *text)
{
	GArray *map = kd_ram_map_new();
	gboolean wanted = FALSE;

	while (*text && map->len < KD_RAM_RANGES_MAX) {
		const char *end = strchr (text, '\n');
		size_t len = end ? (size_t)(end - text) : strlen (text);
		KdRamBlock block;

		/* Views are told once for all address spaces that share them. */
		if (len >= 8 && memcmp (text, "FlatView", 8) == 0) {
			if (map->len > 0)
				break;
			wanted = FALSE;
		} else if (g_strstr_len (text, (gssize)len, "AS \"memory\",")) {
			wanted = TRUE;
		} else if (wanted && parse_range (text, len, &block)) {
			g_array_append_val (map, block);
		}
		text += len + (end ? 1 : 0);
	}
	drop_overlaps (map);
	return map;
}

gboolean
kd_gpa2hva_parse (const char *text, uint64_t *ret_hva)
{
	/* "Host virtual address for 0x40000000 (mach-virt.ram) is 0x7f2d8be00000" */
	const char *is = g_strrstr (text, " is 0x");
	uint64_t hva;
	size_t used;

	if (!g_str_has_prefix (text, "Host virtual address for") || !is ||
		!kd_hex_parse_prefix (is + 6, strlen (is + 6), &hva, &used) || hva == 0)
		return FALSE;
	*ret_hva = hva;
	return TRUE;
}

gboolean
kd_ram_block_pages (const KdRamBlock *block, uint64_t *ret_pa, uint64_t *ret_size)
{
	uint64_t start = (block->pa + KD_RAM_PAGE - 1) & ~(KD_RAM_PAGE - 1);
	uint64_t end = (block->pa + block->size) & ~(KD_RAM_PAGE - 1);

	if (end <= start)
		return FALSE;
	*ret_pa = start;
	*ret_size = end - start;
	return TRUE;
}

const KdRamBlock *
kd_ram_map_find (const GArray *map, uint64_t pa)
{
	guint low = 0, high = map->len;

	while (low < high) {
		guint mid = (low + high) / 2;
		const KdRamBlock *block = &g_array_index (map, KdRamBlock, mid);

		if (pa < block->pa)
			high = mid;
		else if (pa - block->pa < block->size)
			return block;
		else
			low = mid + 1;
	}
	return NULL;
}

uint64_t
kd_ram_map_extent (const GArray *map, uint64_t pa, uint64_t len)
{
	uint64_t done = 0;

	while (done < len) {
		const KdRamBlock *block = kd_ram_map_find (map, pa + done);

		if (!block)
			break;
		done += MIN (len - done, block->size - (pa + done - block->pa));
	}
	return done;
}
