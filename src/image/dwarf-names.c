/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/dwarf-names.h"

#include "image/dwarf-file.h"

/* More names than any kernel has of one kind. */
#define NAMES_MAX (1u << 22)

static unsigned
kind_of_tag (int tag)
{
	switch (tag) {
	case DW_TAG_structure_type:
		return KD_TYPE_STRUCT;
	case DW_TAG_union_type:
		return KD_TYPE_UNION;
	case DW_TAG_enumeration_type:
		return KD_TYPE_ENUM;
	case DW_TAG_typedef:
	case DW_TAG_base_type:
		return KD_TYPE_TYPEDEF;
	case DW_TAG_variable:
	case DW_TAG_subprogram:
		return KD_INDEX_DIE_SYMBOL;
	default:
		return KD_TYPE_VOID;
	}
}

typedef struct {
	GArray *dies;
	GArray *hashes;
	GHashTable *seen[KD_INDEX_DIE_SYMBOL + 1];
} Collector;

static void
collect_unit (Collector *collector, Dwarf_Die *unit)
{
	Dwarf_Die die;

	gboolean more = kd_dwarf_first_child (unit, &die);
	for (; more && collector->dies->len < NAMES_MAX; more = kd_dwarf_next_sibling (&die)) {
		unsigned kind = kind_of_tag (dwarf_tag (&die));
		Dwarf_Attribute attribute;
		if (kind == KD_TYPE_VOID)
			continue;
		/* Most DIEs repeat what another unit had: the name first, since it says so. */
		const char *name = dwarf_diename (&die);
		if (!name || !*name || g_hash_table_contains (collector->seen[kind], name))
			continue;
		if (dwarf_attr (&die, DW_AT_declaration, &attribute)) {
			/* For a structure that is defined nowhere: its pointers have a type. */
			if (kind != KD_TYPE_STRUCT && kind != KD_TYPE_UNION)
				continue;
			kind = KD_TYPE_FWD;
			if (g_hash_table_contains (collector->seen[kind], name))
				continue;
		}
		KdIndexDie entry = {dwarf_dieoffset (&die), kind, 0};
		uint32_t hash = kd_index_hash (name);
		g_hash_table_add (collector->seen[kind], (gpointer)name);
		g_array_append_val (collector->dies, entry);
		g_array_append_val (collector->hashes, hash);
	}
}

static GByteArray *
build (KdImage *image, const KdIndexKey *key)
{
	Collector collector = {
		.dies = g_array_new (FALSE, FALSE, sizeof (KdIndexDie)),
		.hashes = g_array_new (FALSE, FALSE, sizeof (uint32_t)),
	};
	GArray *tables[KD_INDEX_NR_TABLES] = {0};
	/* A handle of its own: libdw keeps what it read of every unit until the end. */
	Elf *elf = elf_memory (image->mapping, image->mapping_len);
	Dwarf *dwarf = elf ? dwarf_begin_elf (elf, DWARF_C_READ, NULL) : NULL;
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;

	for (unsigned i = 0; i < G_N_ELEMENTS (collector.seen); i++)
		if (i <= KD_TYPE_FWD || i == KD_INDEX_DIE_SYMBOL)
			collector.seen[i] = g_hash_table_new (g_str_hash, g_str_equal);
	while (dwarf && dwarf_get_units (dwarf, cu, &cu, NULL, NULL, &die, NULL) == 0)
		collect_unit (&collector, &die);

	tables[KD_INDEX_DIES] = collector.dies;
	tables[KD_INDEX_DIE_HASH] = kd_index_hash_table_new (collector.dies->len);
	for (guint i = 0; i < collector.hashes->len; i++)
		kd_index_hash_table_add (tables[KD_INDEX_DIE_HASH],
			g_array_index (collector.hashes, uint32_t, i), i + 1);
	GByteArray *block = kd_index_pack (key, tables);

	for (unsigned i = 0; i < G_N_ELEMENTS (collector.seen); i++)
		g_clear_pointer (&collector.seen[i], g_hash_table_unref);
	g_array_unref (collector.hashes);
	g_array_unref (tables[KD_INDEX_DIES]);
	g_array_unref (tables[KD_INDEX_DIE_HASH]);
	if (dwarf)
		dwarf_end (dwarf);
	if (elf)
		elf_end (elf);
	return block;
}

static const KdIndex *
names_index (KdImage *image)
{
	KdIndexKey key;

	if (image->dwarf_names)
		return &image->dwarf_names->index;
	image->dwarf_names = g_new0 (KdDwarfNames, 1);
	KdIndex *index = &image->dwarf_names->index;
	if (!kd_image_dwarf (image))
		return index;
	gboolean use_cache = image->cache_dir && image->elf.build_id_len > 0;
	kd_index_key_init (&key, &image->elf, KD_INDEX_OF_DIES);
	if (use_cache && kd_index_load (index, image->cache_dir, &key))
		return index;
	GByteArray *block = build (image, &key);
	if (use_cache)
		kd_index_store (block, image->cache_dir, &key);
	gboolean good = kd_index_init (index, block->data, block->len, &key);
	g_assert (good);
	index->built = block;
	return index;
}

/* FALSE: the entry points at something that has no name, or at nothing. */
static gboolean
entry_at (KdImage *image, const KdIndex *index, size_t i, KdIndexDie *ret, const char **ret_name)
{
	const KdIndexDie *dies = index->tables[KD_INDEX_DIES].entries;
	Dwarf_Die die;

	if (i >= index->tables[KD_INDEX_DIES].nr || !image->dwarf ||
		!dwarf_offdie (image->dwarf->dwarf, dies[i].offset, &die))
		return FALSE;
	const char *name = dwarf_diename (&die);
	/* A cache that lies may point between DIEs: what is there must be what it says. */
	unsigned kind = kind_of_tag (dwarf_tag (&die));
	if (dies[i].kind == KD_TYPE_FWD && (kind == KD_TYPE_STRUCT || kind == KD_TYPE_UNION))
		kind = KD_TYPE_FWD;
	if (!name || kind != dies[i].kind)
		return FALSE;
	*ret = dies[i];
	*ret_name = name;
	return TRUE;
}

uint64_t
kd_dwarf_name_find (KdImage *image, unsigned kind, const char *name)
{
	const KdIndex *index = names_index (image);
	KdIndexProbe probe =
		kd_index_probe (&index->tables[KD_INDEX_DIE_HASH], kd_index_hash (name));
	uint32_t value;

	while ((value = kd_index_probe_next (&probe)) != 0) {
		KdIndexDie entry;
		const char *text;
		if (entry_at (image, index, value - 1, &entry, &text) && entry.kind == kind &&
			strcmp (text, name) == 0)
			return entry.offset;
	}
	return 0;
}

gboolean
kd_dwarf_name_foreach (KdImage *image,
	gboolean (*func) (KdTypeKind kind, const char *name, void *data), void *data)
{
	const KdIndex *index = names_index (image);

	for (size_t i = 0; i < index->tables[KD_INDEX_DIES].nr; i++) {
		KdIndexDie entry;
		const char *name;
		if (entry_at (image, index, i, &entry, &name) &&
			entry.kind != KD_INDEX_DIE_SYMBOL && entry.kind != KD_TYPE_FWD &&
			!func ((KdTypeKind)entry.kind, name, data))
			return FALSE;
	}
	return TRUE;
}

void
kd_dwarf_names_free (KdDwarfNames *names)
{
	if (!names)
		return;
	kd_index_clear (&names->index);
	g_free (names);
}
