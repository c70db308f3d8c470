/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "image/elf-file.h"
#include "image/file-map.h"

/*
 * What is slow to find in a vmlinux, found once: sorted symbols, where each BTF type is, which FDE
 * and which compilation unit covers an address. It is one flat block, the same whether it lies in a
 * cache file or was just built, so both ways run the same code. It holds no strings: names stay in
 * the image.
 *
 * The tables are arrays of the structures below in this machine's byte order. They are read in
 * place, which a cursor would make too slow for a binary search; kd_index_init() has checked that
 * each table lies aligned inside the block, and whoever follows a number found in an entry checks
 * it again, since a checksum proves only that nobody damaged the file by accident.
 */
typedef enum {
	KD_INDEX_SYMBOLS,     /* KdIndexSymbol, by address then rank */
	KD_INDEX_SYMBOL_HASH, /* uint32_t: symbol index + 1, by kd_index_hash of the name */
	KD_INDEX_BTF_TYPES,   /* uint32_t: offset in BTF's type section, by id - 1 */
	KD_INDEX_BTF_HASH,    /* uint32_t: type id, by kd_index_hash of the name */
	KD_INDEX_FDES,        /* KdIndexFde, by address */
	KD_INDEX_UNITS,       /* KdIndexUnit, by address */
	KD_INDEX_DIES,        /* KdIndexDie: first of each name, in order of the file */
	KD_INDEX_DIE_HASH,    /* uint32_t: index + 1, by kd_index_hash of the name */
	KD_INDEX_NR_TABLES,
} KdIndexTable;

typedef struct {
	uint64_t addr;
	uint32_t size;
	uint32_t name;  /* offset in .strtab */
	uint32_t outer; /* index + 1 of the nearest earlier symbol that covers this one's start */
	uint16_t section;
	uint8_t kind; /* nm's letter */
	uint8_t rank; /* the lower, the better a name for its address */
} KdIndexSymbol;

typedef struct {
	uint64_t start;
	uint64_t end;
	uint32_t fde; /* offsets in .debug_frame */
	uint32_t cie;
} KdIndexFde;

typedef struct {
	uint64_t start;
	uint64_t end;
	uint64_t unit; /* offset in .debug_info */
} KdIndexUnit;

typedef struct {
	uint64_t offset; /* in .debug_info */
	uint32_t kind;   /* of KdTypeKind; KD_INDEX_DIE_SYMBOL: variable or function */
	uint32_t zero;
} KdIndexDie;

#define KD_INDEX_DIE_SYMBOL 0xffu

/* Where the entries of one table are. */
typedef struct {
	const void *entries;
	size_t nr;
} KdIndexArray;

typedef struct {
	KdIndexArray tables[KD_INDEX_NR_TABLES];
	KdFileMap *file;   /* of the cache, or */
	GByteArray *built; /* made here; both NULL: none */
} KdIndex;

/* Which image a block belongs to. */
typedef struct {
	uint8_t build_id[KD_BUILD_ID_MAX];
	uint32_t build_id_len;
	uint64_t file_len;
	uint64_t layout; /* hash of the ELF header and the section table */
} KdIndexKey;

/*
 * An image has two blocks, since one costs seconds and few need it: MAIN, and the names of DWARF's
 * types, DIES. The tables of the other are empty.
 */
typedef enum {
	KD_INDEX_MAIN,
	KD_INDEX_OF_DIES,
} KdIndexFlavour;

void kd_index_key_init (KdIndexKey *key, const KdElf *elf, KdIndexFlavour flavour);

/*
 * Points `index` at the tables of a block. FALSE: another version, another machine's, for another
 * file, damaged, or tables out of bounds. Borrows `data`, which must be aligned to 8.
 */
gboolean kd_index_init (KdIndex *index, const void *data, size_t len, const KdIndexKey *key);
void kd_index_clear (KdIndex *index);

/* Lays out a block. Each array holds entries of its table's structure; NULL: empty. */
GByteArray *kd_index_pack (const KdIndexKey *key, GArray *const tables[KD_INDEX_NR_TABLES]);

/*
 * For fuzzing the readers behind the header: makes its checksum true again, and tells for which
 * image the block says it was made (FALSE: no header).
 */
void kd_index_reseal (void *data, size_t len);
gboolean kd_index_claimed_key (const void *data, size_t len, KdIndexKey *ret_key);

/*
 * The cache: a file named after the build-id, written beside and renamed over, so a reader sees a
 * whole one or none. Load FALSE: none that is usable. Store failing is no error for anybody.
 */
gboolean kd_index_load (KdIndex *index, const char *cache_dir, const KdIndexKey *key);
void kd_index_store (const GByteArray *block, const char *cache_dir, const KdIndexKey *key);

/* At memory speed; finds accidents, not attackers. */
uint64_t kd_index_checksum (const uint8_t *data, size_t len);

uint32_t kd_index_hash (const char *name);

/* Fills a power-of-two table of at least 1.5 * nr slots. */
GArray *kd_index_hash_table_new (size_t nr);
void kd_index_hash_table_add (GArray *table, uint32_t hash, uint32_t value);

/* Walks the values under one hash; 0 ends. Bounded by the table's size. */
typedef struct {
	const uint32_t *slots;
	size_t nr;
	size_t at;
	size_t left;
} KdIndexProbe;

KdIndexProbe kd_index_probe (const KdIndexArray *table, uint32_t hash);
uint32_t kd_index_probe_next (KdIndexProbe *probe);

static inline const KdIndexSymbol *
kd_index_symbols (const KdIndex *index, size_t *ret_nr)
{
	*ret_nr = index->tables[KD_INDEX_SYMBOLS].nr;
	return index->tables[KD_INDEX_SYMBOLS].entries;
}
