/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/index.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hex.h"

#define MAGIC "kvmdbgix"
/* Raise it whenever a table's structure, its order or its meaning changes. */
#define VERSION 2u
#define ENDIAN_MARK 0x01020304u
/* Far above any kernel's (4 MB); a larger file is not ours. */
#define BLOCK_MAX (512u << 20)

typedef struct {
	char magic[8];
	uint32_t version;
	uint32_t endian;
	uint64_t checksum; /* of everything behind it */
	uint64_t block_len;
	uint64_t file_len;
	uint64_t layout;
	uint32_t build_id_len;
	uint32_t nr_tables;
	uint8_t build_id[KD_BUILD_ID_MAX];
	struct {
		uint64_t offset;
		uint64_t nr;
	} tables[KD_INDEX_NR_TABLES];
} Header;

static const size_t entry_sizes[KD_INDEX_NR_TABLES] = {
	[KD_INDEX_SYMBOLS] = sizeof (KdIndexSymbol),
	[KD_INDEX_SYMBOL_HASH] = sizeof (uint32_t),
	[KD_INDEX_BTF_TYPES] = sizeof (uint32_t),
	[KD_INDEX_BTF_HASH] = sizeof (uint32_t),
	[KD_INDEX_FDES] = sizeof (KdIndexFde),
	[KD_INDEX_UNITS] = sizeof (KdIndexUnit),
	[KD_INDEX_DIES] = sizeof (KdIndexDie),
	[KD_INDEX_DIE_HASH] = sizeof (uint32_t),
};

/*
 * Four independent lanes of multiply and rotate: at memory speed, so that a warm attach can afford
 * to check the whole file. It finds accidents, not attackers.
 */
uint64_t
kd_index_checksum (const uint8_t *data, size_t len)
{
	uint64_t lane[4] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, len};
	size_t i = 0;

	for (; i + 32 <= len; i += 32) {
		for (unsigned k = 0; k < 4; k++) {
			uint64_t word;
			memcpy (&word, data + i + 8 * k, 8);
			lane[k] = (lane[k] ^ word) * 0x9e3779b97f4a7c15;
			lane[k] = lane[k] << 29 | lane[k] >> 35;
		}
	}
	for (; i < len; i++)
		lane[0] = (lane[0] ^ data[i]) * 0x100000001b3;
	for (unsigned k = 1; k < 4; k++)
		lane[0] = (lane[0] ^ lane[k]) * 0xbf58476d1ce4e5b9;
	return lane[0] ^ lane[0] >> 31;
}

static uint64_t
block_checksum (const uint8_t *data, size_t len)
{
	const size_t from = offsetof (Header, checksum) + sizeof (uint64_t);
	return kd_index_checksum (data + from, len - from);
}

void
kd_index_key_init (KdIndexKey *key, const KdElf *elf, KdIndexFlavour flavour)
{
	*key = (KdIndexKey){.build_id_len = (uint32_t)elf->build_id_len, .file_len = elf->len};
	memcpy (key->build_id, elf->build_id, elf->build_id_len);
	key->layout = kd_index_checksum (elf->data, sizeof (Elf64_Ehdr)) + flavour;
	if (elf->nr_sections)
		key->layout ^= kd_index_checksum (
			elf->data + elf->section_table, elf->nr_sections * sizeof (Elf64_Shdr));
}

gboolean
kd_index_init (KdIndex *index, const void *data, size_t len, const KdIndexKey *key)
{
	Header header;

	*index = (KdIndex){0};
	if (len < sizeof header || len > BLOCK_MAX)
		return FALSE;
	memcpy (&header, data, sizeof header);
	if (memcmp (header.magic, MAGIC, sizeof header.magic) != 0 || header.version != VERSION ||
		header.endian != ENDIAN_MARK || header.nr_tables != KD_INDEX_NR_TABLES ||
		header.block_len != len)
		return FALSE;
	if (header.file_len != key->file_len || header.layout != key->layout ||
		header.build_id_len != key->build_id_len ||
		memcmp (header.build_id, key->build_id, KD_BUILD_ID_MAX) != 0)
		return FALSE;
	if (header.checksum != block_checksum (data, len))
		return FALSE;

	for (unsigned i = 0; i < KD_INDEX_NR_TABLES; i++) {
		uint64_t offset = header.tables[i].offset, nr = header.tables[i].nr;
		if (offset % 8 != 0 || offset < sizeof header || offset > len ||
			nr > (len - offset) / entry_sizes[i])
			return FALSE;
		index->tables[i] = (KdIndexArray){(const uint8_t *)data + offset, (size_t)nr};
	}
	/* Probing masks with the number of slots. */
	static const KdIndexTable hashes[] = {
		KD_INDEX_SYMBOL_HASH, KD_INDEX_BTF_HASH, KD_INDEX_DIE_HASH};
	for (unsigned i = 0; i < G_N_ELEMENTS (hashes); i++) {
		size_t slots = index->tables[hashes[i]].nr;
		if ((slots & (slots - 1)) != 0)
			return FALSE;
	}
	return TRUE;
}

void
kd_index_clear (KdIndex *index)
{
	g_clear_pointer (&index->file, kd_file_map_free);
	g_clear_pointer (&index->built, g_byte_array_unref);
	*index = (KdIndex){0};
}

GByteArray *
kd_index_pack (const KdIndexKey *key, GArray *const tables[KD_INDEX_NR_TABLES])
{
	Header header = {
		.version = VERSION,
		.endian = ENDIAN_MARK,
		.file_len = key->file_len,
		.layout = key->layout,
		.build_id_len = key->build_id_len,
		.nr_tables = KD_INDEX_NR_TABLES,
	};
	uint64_t end = sizeof header;

	G_STATIC_ASSERT (sizeof header % 8 == 0);
	/* Without its NUL. */
	memcpy (header.magic, MAGIC, sizeof header.magic);
	memcpy (header.build_id, key->build_id, KD_BUILD_ID_MAX);
	for (unsigned i = 0; i < KD_INDEX_NR_TABLES; i++) {
		header.tables[i].offset = end;
		header.tables[i].nr = tables[i] ? tables[i]->len : 0;
		end += header.tables[i].nr * entry_sizes[i];
		end = (end + 7) & ~UINT64_C (7);
	}
	header.block_len = end;

	GByteArray *block = g_byte_array_sized_new ((guint)end);
	g_byte_array_append (block, (const guint8 *)&header, sizeof header);
	for (unsigned i = 0; i < KD_INDEX_NR_TABLES; i++) {
		static const guint8 zeros[8] = {0};
		if (tables[i] && tables[i]->len)
			g_byte_array_append (block, (const guint8 *)tables[i]->data,
				(guint)(tables[i]->len * entry_sizes[i]));
		g_byte_array_append (block, zeros, (8 - block->len % 8) % 8);
	}
	kd_index_reseal (block->data, block->len);
	return block;
}

void
kd_index_reseal (void *data, size_t len)
{
	if (len < sizeof (Header))
		return;
	uint64_t sum = block_checksum (data, len);
	memcpy ((uint8_t *)data + offsetof (Header, checksum), &sum, sizeof sum);
}

gboolean
kd_index_claimed_key (const void *data, size_t len, KdIndexKey *ret_key)
{
	Header header;

	if (len < sizeof header)
		return FALSE;
	memcpy (&header, data, sizeof header);
	*ret_key = (KdIndexKey){.build_id_len = header.build_id_len,
		.file_len = header.file_len,
		.layout = header.layout};
	memcpy (ret_key->build_id, header.build_id, KD_BUILD_ID_MAX);
	return TRUE;
}

static char *
cache_path (const char *cache_dir, const KdIndexKey *key)
{
	g_autofree char *id = kd_hex_to_string (key->build_id, key->build_id_len);
	/* Two files of one build-id (with and without DWARF) have two indexes. */
	return g_strdup_printf ("%s/%s-%08x.index", cache_dir, id,
		(unsigned)(key->layout ^ key->layout >> 32 ^ key->file_len));
}

gboolean
kd_index_load (KdIndex *index, const char *cache_dir, const KdIndexKey *key)
{
	g_autofree char *path = cache_path (cache_dir, key);
	g_autoptr (KdFileMap) file = kd_file_map_open (path, O_NOFOLLOW, NULL);

	/* Of somebody else's the checksum proves nothing. */
	if (!file || file->st.st_uid != geteuid() || (file->st.st_mode & 022) != 0 ||
		file->len > BLOCK_MAX)
		return FALSE;
	/* All of it is read now; where the kernel cannot (before 5.14), page by page. */
	madvise (file->data, file->len, MADV_POPULATE_READ);
	if (!kd_index_init (index, file->data, file->len, key)) {
		*index = (KdIndex){0};
		return FALSE;
	}
	index->file = g_steal_pointer (&file);
	return TRUE;
}

static gboolean
write_all (int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write (fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return FALSE;
		data += n;
		len -= (size_t)n;
	}
	return TRUE;
}

void
kd_index_store (const GByteArray *block, const char *cache_dir, const KdIndexKey *key)
{
	if (g_mkdir_with_parents (cache_dir, 0700) != 0)
		return;
	g_autofree char *path = cache_path (cache_dir, key);
	g_autofree char *temporary = g_strdup_printf ("%s.XXXXXX", path);
	int fd = g_mkstemp_full (temporary, O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	/* No fsync: after a crash the checksum tells, and building again takes 100 ms. */
	gboolean written = write_all (fd, block->data, block->len);
	if (close (fd) != 0)
		written = FALSE;
	if (!written || g_rename (temporary, path) != 0)
		g_unlink (temporary);
}

uint32_t
kd_index_hash (const char *name)
{
	uint32_t hash = 2166136261u;
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		hash = (hash ^ *p) * 16777619u;
	return hash ^ hash >> 15;
}

GArray *
kd_index_hash_table_new (size_t nr)
{
	size_t slots = 16;
	while (slots < nr + nr / 2)
		slots *= 2;
	GArray *table = g_array_sized_new (FALSE, TRUE, sizeof (uint32_t), (guint)slots);
	g_array_set_size (table, (guint)slots);
	return table;
}

void
kd_index_hash_table_add (GArray *table, uint32_t hash, uint32_t value)
{
	uint32_t *slots = (uint32_t *)(void *)table->data;
	size_t at = hash & (table->len - 1);
	while (slots[at] != 0)
		at = (at + 1) & (table->len - 1);
	slots[at] = value;
}

KdIndexProbe
kd_index_probe (const KdIndexArray *table, uint32_t hash)
{
	size_t nr = table->nr;
	return (KdIndexProbe){table->entries, nr, nr ? hash & (nr - 1) : 0, nr};
}

uint32_t
kd_index_probe_next (KdIndexProbe *probe)
{
	if (probe->left == 0)
		return 0;
	uint32_t value = probe->slots[probe->at];
	probe->left = value ? probe->left - 1 : 0;
	probe->at = (probe->at + 1) & (probe->nr - 1);
	return value;
}
