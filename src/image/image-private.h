/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "image/btf.h"
#include "image/elf-file.h"
#include "image/file-map.h"
#include "image/image.h"
#include "image/index.h"

/*
 * Shared by the files of this layer only. A KdImage is used from one thread: its const accessors
 * fill caches.
 */
/* Bytes a function may have in front of what its debug information covers. */
#define KD_PATCHABLE_ENTRY_MAX 32

typedef struct KdTypeSource KdTypeSource;
typedef struct KdDwarf KdDwarf;
typedef struct KdDwarfNames KdDwarfNames;

struct KdImage {
	char *path;
	gboolean from_memory; /* `path` is ours, made of a machine's memory */
	KdFileMap *file;      /* NULL: none */
	uint8_t *copy;        /* of what kd_image_open_btf() was given; NULL: nothing */
	void *mapping;        /* one of these two */
	size_t mapping_len;
	KdElf elf; /* no sections when there is no file */
	KdIndex index;
	char *cache_dir; /* NULL: no cache */

	const char *strings; /* .strtab, ends with NUL; NULL without symbols */
	size_t strings_len;

	KdBtf *btf;
	KdDwarf *dwarf; /* NULL until something asked for DWARF */
	gboolean dwarf_failed;
	KdDwarfNames *dwarf_names;
	/* The same file with its types from DWARF, for variables that BTF leaves out; or NULL. */
	KdImage *dwarf_view;
	gboolean dwarf_view_failed;

	const KdTypeSource *types;
	KdImage *base;        /* borrowed: image whose BTF this one's refers to */
	GHashTable *by_ref;   /* uint64_t * in the node → KdType * */
	GHashTable *pointers; /* KdType * → KdType * made on request */
	GPtrArray *arrays;    /* KdType * of arrays made on request */
	GPtrArray *nodes;     /* owns every KdType */
	KdType *void_type;
};

struct KdType {
	KdImage *image;
	KdTypeKind kind;
	const char *name;
	uint64_t size;
	uint64_t ref;        /* BTF id or DIE offset; 0: made by us */
	uint64_t target_ref; /* meaningful until target is set */
	const KdType *target;
	uint64_t nr_elements;
	KdMember *members;
	KdEnumerator *enumerators;
	unsigned nr_members; /* or enumerators */
	gboolean is_signed;
	gboolean is_variadic;
	gboolean expanded; /* members and enumerators are there */
};

/* Where types come from. All may be asked for anything; absent is NULL. */
struct KdTypeSource {
	const char *name; /* "btf", "dwarf" */
	/* STRUCT, UNION, ENUM by tag; TYPEDEF: any ordinary type name. */
	const KdType *(*by_name) (KdImage *image, KdTypeKind kind, const char *name);
	const KdType *(*of_symbol) (KdImage *image, const char *symbol);
	/* The node of a reference; never NULL (void when the reference is bad). */
	const KdType *(*by_ref) (KdImage *image, uint64_t ref);
	/* Fills members or enumerators. */
	void (*expand) (KdType *type);
	/* func gets kind (STRUCT, UNION, ENUM, TYPEDEF) and name. */
	gboolean (*foreach) (KdImage *image,
		gboolean (*func) (KdTypeKind kind, const char *name, void *data), void *data);
	/* The enumeration that has an enumerator of that name; NULL: no such function, or none. */
	const KdType *(*enumerator) (KdImage *image, const char *name, int64_t *ret_value);
};

extern const KdTypeSource kd_btf_type_source;
extern const KdTypeSource kd_dwarf_type_source;

/* --- image.c --- */
/* NULL: no DWARF. Owned by `image`. */
KdImage *kd_image_dwarf_view (KdImage *image);

/* --- types.c --- */
void kd_types_init (KdImage *image);
void kd_types_clear (KdImage *image);
/* New node owned by the image; remembered under `ref` unless that is 0. */
KdType *kd_type_new (KdImage *image, KdTypeKind kind, uint64_t ref);
KdType *kd_type_lookup_ref (KdImage *image, uint64_t ref);
/* Kind for an integer by its encoding and name. */
KdTypeKind kd_type_int_kind (const char *name, uint64_t size, gboolean is_bool, gboolean is_char);

/* --- symbols.c --- */
/* Adds SYMBOLS and SYMBOL_HASH; both stay empty when there is no symbol table. */
void kd_symbols_index (const KdElf *elf, GArray **ret_symbols, GArray **ret_hash);
void kd_symbols_init (KdImage *image);

/* --- cfi.c --- */
GArray *kd_cfi_index (KdImage *image);

/* --- lines.c --- */
GArray *kd_units_index (KdImage *image);

/* --- find.c --- */
/*
 * Path of a file that has options->build_id, or NULL and NOT_FOUND with the places looked at. New
 * string. May block on the network only when DEBUGINFOD_URLS is set.
 */
char *kd_image_find (const KdImageOptions *options, GError **error);
/* The same for a module's file; MISMATCH: there is only one of another build. */
char *kd_image_find_module (const char *module, const KdImageOptions *options, GError **error);
