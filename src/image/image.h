/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>
#include <stdint.h>

#include "arch/arch.h"
#include "image/elf-file.h"

/*
 * What a kernel's file says: symbols, types, lines, unwind rules, all at link-time addresses (the
 * caller adds the KASLR offset). Opening is cheap: symbols and types come from an index cache keyed
 * by build-id; DWARF is read lazily for the one unit asked about.
 */
typedef struct KdImage KdImage;
typedef struct KdType KdType;

#define KD_IMAGE_ERROR (kd_image_error_quark())
GQuark kd_image_error_quark (void);

typedef enum {
	KD_IMAGE_ERROR_NOT_FOUND, /* no file for this build-id, or no such file */
	KD_IMAGE_ERROR_NOT_ELF,   /* not ELF, truncated, or damaged: message says where */
	KD_IMAGE_ERROR_NO_INFO,   /* stripped: no symbols, no types */
	KD_IMAGE_ERROR_MISMATCH,  /* other machine or other build-id */
	KD_IMAGE_ERROR_BAD_INFO,  /* BTF or DWARF that contradicts itself */
} KdImageError;

typedef struct {
	const char *path;        /* vmlinux, or NULL: look for build_id */
	const uint8_t *build_id; /* NULL: any */
	size_t build_id_len;
	const char *const *debug_dirs; /* NULL-terminated, before /usr/lib/debug; may be NULL */
	const char *cache_dir;         /* NULL: ${XDG_CACHE_HOME:-~/.cache}/kvmdbg */
	gboolean no_cache;
	/* `path` was made by kd_elf_write() out of memory: a damaged one is MISMATCH, and
	 * kd_image_path() does not tell it. */
	gboolean from_memory;
	gboolean no_debuginfod;    /* asks no server, DEBUGINFOD_URLS or not */
	GCancellable *cancellable; /* of waiting for one; may be NULL */
	gboolean no_btf;           /* types from DWARF though BTF is there (tests) */
} KdImageOptions;

KdImage *kd_image_open (const KdImageOptions *options, GError **error);
/*
 * The file of a kernel module: by build-id as for a kernel, else DIR/NAME.ko or DIR/NAME.ko.debug
 * of options->debug_dirs, where "-" in a file's name is "_" in the module's. Its addresses are
 * those of a layout of its sections, see kd_image_section(). MISMATCH: only files of that name with
 * another build-id are there.
 */
KdImage *kd_image_open_module (const char *module, const KdImageOptions *options, GError **error);
void kd_image_free (KdImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdImage, kd_image_free)

/*
 * An image of types alone, out of raw BTF as it lies in guest memory (copied). `base` is the
 * kernel's image when this is a module's split BTF (borrowed: must live longer), else NULL.
 * BAD_INFO: the bytes contradict themselves.
 */
KdImage *kd_image_open_btf (const void *btf, size_t len, KdImage *base, GError **error);

const char *kd_image_path (const KdImage *image); /* NULL: from memory */
/*
 * The path of its file when somebody has truncated that or written to it since it was opened, so
 * that answers may be wrong; NULL: it is as it was.
 */
const char *kd_image_changed (const KdImage *image);
const char *kd_image_name (const KdImage *image); /* its path, or for a message what it is */
uint16_t kd_image_machine (const KdImage *image);
const uint8_t *kd_image_build_id (const KdImage *image, size_t *ret_len);
/* "elf" or "kallsyms" (from memory), "btf" or "dwarf", "dwarf"; NULL where there is none. Static.
 */
const char *kd_image_symbols_from (const KdImage *image);
const char *kd_image_types_from (const KdImage *image);
const char *kd_image_lines_from (const KdImage *image);
const char *kd_image_cfi_from (const KdImage *image);
/* Bytes of a loaded section or range at link-time address, as in the file; NULL where the file has
 * none. */
const void *kd_image_bytes (KdImage *image, uint64_t addr, size_t len);

/* Where a loaded section lies. FALSE: no such section, or not loaded. */
gboolean kd_image_section (
	const KdImage *image, const char *name, uint64_t *ret_addr, uint64_t *ret_size);
/* The loaded sections of code, which nothing is written to, in the file's order; link-time
 * addresses. */
typedef void (*KdSectionFunc) (const char *name, uint64_t addr, uint64_t size, void *data);
void kd_image_code_sections (const KdImage *image, KdSectionFunc func, void *data);
/* What a module's loader writes into the section that begins at `addr`; nothing in other files. */
void kd_image_relocations_foreach (
	const KdImage *image, uint64_t addr, KdElfRelocationFunc func, void *data);
/* TRUE: `addr` is in a section of code. */
gboolean kd_image_section_is_code (const KdImage *image, uint64_t addr);
/* Name of the section that holds `addr`; NULL: none. */
const char *kd_image_section_name (const KdImage *image, uint64_t addr);

/* --- symbols --- */
typedef struct {
	const char *name;
	uint64_t addr;
	uint64_t size; /* 0 unknown */
	char kind;     /* nm's letter: T t D d B b R r A W V … */
} KdSymbol;

/* First global, else first local of that name. FALSE: none. */
gboolean kd_image_symbol_by_name (const KdImage *image, const char *name, KdSymbol *ret_symbol);
/* Symbol that covers `addr` (its size, or up to the next symbol of the same section). FALSE: none.
 */
gboolean kd_image_symbol_by_addr (const KdImage *image, uint64_t addr, KdSymbol *ret_symbol);
/* All symbols of that name; array of KdSymbol. */
GArray *kd_image_symbols_by_name (const KdImage *image, const char *name);
/* Calls for each symbol until FALSE is returned; for completion, `sym -r`, nearest names. */
typedef gboolean (*KdSymbolFunc) (const KdSymbol *symbol, void *data);
void kd_image_symbols_foreach (
	const KdImage *image, const char *prefix, KdSymbolFunc func, void *data);

/* --- types: one graph whatever the source; nodes live as long as the image --- */
typedef enum {
	KD_TYPE_VOID,
	KD_TYPE_INT,
	KD_TYPE_BOOL,
	KD_TYPE_CHAR,
	KD_TYPE_FLOAT,
	KD_TYPE_ENUM,
	KD_TYPE_STRUCT,
	KD_TYPE_UNION,
	KD_TYPE_POINTER,
	KD_TYPE_ARRAY,
	KD_TYPE_FUNC,
	KD_TYPE_TYPEDEF,
	KD_TYPE_CONST,
	KD_TYPE_VOLATILE,
	KD_TYPE_RESTRICT,
	KD_TYPE_FWD, /* declared only */
} KdTypeKind;

typedef struct {
	const char *name; /* NULL or "" for an anonymous member or parameter */
	const KdType *type;
	uint64_t bit_offset; /* from the start of the aggregate */
	unsigned bit_size;   /* of a bit-field; 0 otherwise */
} KdMember;

typedef struct {
	const char *name;
	int64_t value; /* unsigned 64-bit enumerators as their bit pattern */
} KdEnumerator;

KdTypeKind kd_type_kind (const KdType *type);
const char *kd_type_name (
	const KdType *type); /* NULL if anonymous; "list_head", not "struct list_head" */
uint64_t kd_type_size (const KdType *type);      /* bytes, through typedefs and qualifiers */
gboolean kd_type_is_signed (const KdType *type); /* INT, CHAR, ENUM */
const KdType *kd_type_target (
	const KdType *type); /* of pointer, array, typedef, qualifier; result of FUNC */
uint64_t kd_type_nr_elements (const KdType *type); /* ARRAY; 0: flexible or unknown */
const KdMember *kd_type_members (
	const KdType *type, unsigned *ret_nr);     /* STRUCT, UNION; FUNC: parameters */
gboolean kd_type_is_variadic (const KdType *type); /* FUNC that ends in "..." */
const KdEnumerator *kd_type_enumerators (const KdType *type, unsigned *ret_nr);
/* FALSE: no such enumerator in that type. */
gboolean kd_type_enumerator (const KdType *type, const char *name, int64_t *ret_value);
/* Behind typedefs and qualifiers. */
const KdType *kd_type_strip (const KdType *type);
/* C spelling with `declarator` in place ("int (*name)[4]"); new string. */
char *kd_type_declare (const KdType *type, const char *declarator);

/*
 * "struct list_head", "union x", "enum y", "u64", "unsigned long", "struct kvm *", "char [16]".
 * NULL: none of that name (kd_image_types_foreach gives what there is).
 */
const KdType *kd_image_type_by_name (KdImage *image, const char *spelling);
const KdType *kd_image_type_pointer_to (KdImage *image, const KdType *type);
const KdType *kd_image_type_array_of (KdImage *image, const KdType *type, uint64_t nr_elements);
/* The enumeration that has an enumerator of that name, with its value; NULL: none. */
const KdType *kd_image_enumerator (KdImage *image, const char *name, int64_t *ret_value);
typedef gboolean (*KdTypeFunc) (const char *spelling, void *data);
void kd_image_types_foreach (KdImage *image, KdTypeFunc func, void *data);
/*
 * Type of a function or per-CPU variable by symbol name, from the types at hand: cheap. NULL: they
 * do not say (BTF has no other variables).
 */
const KdType *kd_image_type_of_symbol (KdImage *image, const char *symbol);
/*
 * The same for any variable: where BTF says nothing DWARF is asked, which takes seconds the first
 * time for a kernel, and then comes from the cache. NULL: unknown.
 */
const KdType *kd_image_type_of_variable (KdImage *image, const char *symbol);
/* The variables that BTF says are in a section, where from its start and how large. */
typedef void (*KdSectionVariableFunc) (
	const char *name, uint64_t offset, uint64_t size, void *data);
void kd_image_section_variables (
	KdImage *image, const char *section, KdSectionVariableFunc func, void *data);
/*
 * Finds a member by path "a.b[3].c", through anonymous structs and unions. FALSE: `*ret_bad` (new
 * string) says which part has no such member, and of which type.
 */
gboolean kd_type_member (
	const KdType *type, const char *path, KdMember *ret_member, char **ret_bad);

/* --- lines and inlined frames (DWARF, lazily for one unit) --- */
typedef struct {
	char *function; /* NULL: use the symbol */
	char *file;
	int line;
	gboolean inlined; /* this function was inlined into the next of the array */
} KdLine;

/* Innermost first; the last is the real function. Empty array: unknown. Array of KdLine, elements
 * cleared. */
GArray *kd_image_lines_at (KdImage *image, uint64_t addr);

/* --- CFI --- */
typedef enum {
	KD_CFI_UNDEFINED,
	KD_CFI_SAME,
	KD_CFI_CFA_OFFSET, /* saved at CFA + offset */
	KD_CFI_VAL_OFFSET, /* value is CFA + offset */
	KD_CFI_REGISTER,   /* value is in register `reg` */
	KD_CFI_EXPR,       /* cannot be evaluated: unwinding by CFI ends here */
} KdCfiRuleKind;

typedef struct {
	KdCfiRuleKind kind;
	int64_t offset;
	unsigned reg;
} KdCfiRule;

#define KD_CFI_REGS_MAX 96

typedef struct {
	KdCfiRule cfa;   /* REGISTER with offset: CFA = reg + offset; EXPR: unusable */
	unsigned ra_reg; /* DWARF number of the return address column */
	gboolean signal_frame;
	KdCfiRule regs[KD_CFI_REGS_MAX];
} KdCfiRow;

/* FALSE: no CFI covers `addr`. */
gboolean kd_image_cfi_at (KdImage *image, uint64_t addr, KdCfiRow *ret_row);
