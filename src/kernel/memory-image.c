/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/memory-image.h"

#include <elf.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include "base/hex.h"
#include "image/elf-write.h"
#include "kernel/data-symbols.h"
#include "kernel/kallsyms.h"

#define SUFFIX ".memory.elf"
/* Where the tables of a kernel are, seen from its vectors. */
#define NEAR_MAX (64ULL << 20)
#define CHUNK (1ULL << 20)
/* The tables around their tokens: 1 to 3 MiB in kernels seen. */
#define WINDOW_BEFORE (16ULL << 20)
#define WINDOW_BEHIND (8ULL << 20)
#define PAGE 4096ULL
#define BTF_MAX (64U << 20)
#define NOTES_MAX 4096
#define VMCOREINFO_MAX 65536
/* Where the addresses of kernels begin. */
#define UPPER_HALF (UINT64_C (1) << 63)
/* Kernels of the cache that are tried at the vectors. */
#define CACHED_MAX 16

typedef struct {
	KdTarget *target;
	KdKallsyms *kallsyms;
	KdKernelPlace place; /* virt_base at run time */
	GHashTable *asked;   /* name → address, or NULL: none */
	GHashTable *tried;   /* physical addresses of digits */
	uint64_t end;        /* of the image, at run time */
	uint64_t percpu_start, percpu_end;
	/* The image is mapped in one piece: virtual minus physical addresses, 0 if unknown. */
	uint64_t mapped_by;
	uint64_t shift;        /* run time minus link time */
	GError *error;         /* of the tables that came furthest, the first */
	KdKallsymsStage stage; /* how far those came */
} Maker;

static void
maker_clear (Maker *maker)
{
	g_clear_pointer (&maker->kallsyms, kd_kallsyms_free);
	g_clear_pointer (&maker->asked, g_hash_table_unref);
	g_clear_pointer (&maker->tried, g_hash_table_unref);
	g_clear_error (&maker->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Maker, maker_clear)

/* --- kallsyms in memory --- */

static gboolean
lookup (void *data, const char *name, uint64_t *ret_addr)
{
	Maker *maker = data;
	uint64_t *addr, found;

	if (!g_hash_table_lookup_extended (maker->asked, name, NULL, (void **)&addr)) {
		addr = kd_kallsyms_addr (maker->kallsyms, name, &found)
			       ? g_memdup2 (&found, sizeof found)
			       : NULL;
		g_hash_table_insert (maker->asked, g_strdup (name), addr);
	}
	if (addr)
		*ret_addr = *addr;
	return addr != NULL;
}

/* The whole of what surrounds `pa` in one piece of RAM, at most so far before and behind. */
static uint8_t *
read_around (KdTarget *target, uint64_t pa, uint64_t before, uint64_t behind, uint64_t *ret_start,
	size_t *ret_len, GError **error)
{
	unsigned nr;
	const KdRamRange *ram = kd_target_ram (target, &nr);
	g_autofree uint8_t *bytes = NULL;

	for (unsigned i = 0; i < nr; i++) {
		uint64_t end = ram[i].pa + ram[i].size;

		if (pa < ram[i].pa || pa >= end)
			continue;
		*ret_start = pa - ram[i].pa > before ? pa - before : ram[i].pa;
		/* Down: never behind `pa`, and ranges are whole pages. */
		*ret_start &= ~(PAGE - 1);
		*ret_len = (size_t)(MIN (end - pa, behind) + pa - *ret_start);
		bytes = g_malloc (*ret_len);
		return kd_target_read_phys (target, *ret_start, bytes, *ret_len, error)
			       ? g_steal_pointer (&bytes)
			       : NULL;
	}
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT, "0x%" PRIx64 " is no RAM", pa);
	return NULL;
}

/*
 * The run-time address of a view whose tables count from themselves, when no CPU shows where the
 * image is mapped: decoded as if it were there where it is in physical memory, they say where the
 * kernel keeps that. 0: they do not.
 */
static uint64_t
address_by_tables (const Maker *maker, const uint8_t *view, size_t len, uint64_t start, uint64_t pa)
{
	const KdArchLinux *layout = kd_target_arch (maker->target)->linux_layout;
	g_autoptr (KdKallsyms) kallsyms = kd_kallsyms_decode (
		view, len, (size_t)(pa - start), UPPER_HALF + start, NULL, NULL);
	uint64_t addr, value;

	if (!kallsyms || !layout->voffset_symbol ||
		!kd_kallsyms_addr (kallsyms, layout->voffset_symbol, &addr) ||
		!kd_target_read_phys (maker->target, addr - UPPER_HALF, &value, sizeof value, NULL))
		return 0;
	return layout->virt_of_image (GUINT64_FROM_LE (value), start);
}

/* The tables whose tokens of digits are at `pa` are those of the kernel that runs. */
static gboolean
try_digits (Maker *maker, uint64_t pa, KdKallsymsStage *ret_stage, GError **error)
{
	uint64_t start, va;
	size_t len;
	g_autofree uint8_t *view =
		read_around (maker->target, pa, WINDOW_BEFORE, WINDOW_BEHIND, &start, &len, error);
	uint64_t view_va = maker->mapped_by ? start + maker->mapped_by : 0;

	*ret_stage = KD_KALLSYMS_NO_TOKENS;
	if (view && !view_va)
		view_va = address_by_tables (maker, view, len, start, pa);
	g_clear_pointer (&maker->kallsyms, kd_kallsyms_free);
	g_hash_table_remove_all (maker->asked);
	maker->kallsyms = view ? kd_kallsyms_decode (
					 view, len, (size_t)(pa - start), view_va, ret_stage, error)
			       : NULL;
	/* Without CONFIG_KALLSYMS_ALL it has code only. */
	if (maker->kallsyms && !kd_kallsyms_addr (maker->kallsyms, "linux_banner", &va) &&
		!kd_data_symbols_add (maker->kallsyms, maker->target, pa, error))
		return FALSE;
	return maker->kallsyms &&
	       kd_find_kernel_by_symbols (maker->target, lookup, maker, &maker->place, error);
}

/* Neither lost nor cancelled. */
static gboolean
is_passing (const GError *error)
{
	return error->domain == KD_KERNEL_ERROR ||
	       g_error_matches (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT);
}

/* TRUE: goes on. */
static gboolean
search_chunk (Maker *maker, uint64_t pa, uint64_t size, gboolean *ret_found)
{
	uint64_t start;
	size_t len, at = 0;
	g_autoptr (GError) error = NULL;
	g_autofree uint8_t *bytes = read_around (
		maker->target, pa, 0, size + KD_KALLSYMS_DIGITS_LEN, &start, &len, &error);

	for (; bytes && kd_kallsyms_find_digits (bytes, len, at, &at); at++) {
		uint64_t digits = start + at;
		KdKallsymsStage stage;

		if (!g_hash_table_add (maker->tried, g_memdup2 (&digits, sizeof digits)))
			continue;
		if (try_digits (maker, digits, &stage, &error)) {
			*ret_found = TRUE;
			return FALSE;
		}
		g_debug ("kernel: digits at 0x%" PRIx64 ": %s", digits, error->message);
		if (!is_passing (error))
			break;
		if (!maker->error || stage > maker->stage) {
			g_clear_error (&maker->error);
			maker->error = g_steal_pointer (&error);
			maker->stage = stage;
		}
		g_clear_error (&error);
	}
	if (!error || is_passing (error))
		return TRUE;
	g_clear_error (&maker->error);
	maker->error = g_steal_pointer (&error);
	return FALSE;
}

static gboolean
take_mapping (const KdVectorPlace *vector, void *data)
{
	if (vector->is_kernel_va)
		((Maker *)data)->mapped_by = vector->va - vector->pa;
	return !vector->is_kernel_va;
}

typedef struct {
	Maker *maker;
	gboolean found, more;
} NearSearch;

/* Outwards from the vectors: the tables are 10 to 20 MiB away. */
static gboolean
search_near (const KdVectorPlace *vector, void *data)
{
	NearSearch *search = data;
	uint64_t middle = vector->pa & ~(PAGE - 1);

	for (uint64_t away = 0; search->more && away < NEAR_MAX; away += CHUNK) {
		search->more = search_chunk (search->maker, middle + away, CHUNK, &search->found);
		if (search->more && middle >= away + CHUNK)
			search->more = search_chunk (
				search->maker, middle - away - CHUNK, CHUNK, &search->found);
	}
	return search->more;
}

static gboolean
find_kallsyms (Maker *maker, GError **error)
{
	NearSearch search = {.maker = maker, .more = TRUE};
	const KdRamRange *ram;
	unsigned nr;

	kd_vectors_foreach (maker->target, take_mapping, maker);
	kd_vectors_foreach (maker->target, search_near, &search);
	ram = kd_target_ram (maker->target, &nr);
	for (unsigned i = 0; search.more && i < nr; i++)
		for (uint64_t at = 0; search.more && at < ram[i].size; at += CHUNK)
			search.more = search_chunk (maker, ram[i].pa + at,
				MIN (CHUNK, ram[i].size - at), &search.found);
	if (search.found)
		return TRUE;
	if (maker->error)
		g_propagate_error (error, g_steal_pointer (&maker->error));
	else
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NO_KERNEL,
			"no kallsyms in this machine's memory");
	return FALSE;
}

/* --- what stands beside the symbols --- */

/* Bytes between two symbols of the image; NULL: there is no such range. */
static uint8_t *
read_between (Maker *maker, const char *start, const char *stop, size_t max, uint64_t *ret_va,
	size_t *ret_len)
{
	uint64_t end;
	g_autofree uint8_t *bytes = NULL;

	if (!lookup (maker, start, ret_va) || !lookup (maker, stop, &end) ||
		*ret_va < maker->place.virt_base || end <= *ret_va || end - *ret_va > max)
		return NULL;
	*ret_len = (size_t)(end - *ret_va);
	bytes = g_malloc (*ret_len);
	return kd_target_read_phys (maker->target,
		       maker->place.phys_base + (*ret_va - maker->place.virt_base), bytes, *ret_len,
		       NULL)
		       ? g_steal_pointer (&bytes)
		       : NULL;
}

static gboolean
read_word (Maker *maker, const char *symbol, uint64_t *ret_value)
{
	uint64_t va;

	if (!lookup (maker, symbol, &va) || va < maker->place.virt_base ||
		!kd_target_read_phys (maker->target,
			maker->place.phys_base + (va - maker->place.virt_base), ret_value,
			sizeof *ret_value, NULL))
		return FALSE;
	*ret_value = GUINT64_FROM_LE (*ret_value);
	return TRUE;
}

/*
 * KASLR's offset as the kernel tells it to whoever reads a dump of it (kernel/vmcore_info.c). 0
 * where it does not: then link-time addresses are those of this boot. FALSE: it will, but has not
 * yet; what else it tells then is missing too.
 */
static gboolean
read_shift (Maker *maker, uint64_t *ret_shift)
{
	uint64_t data, size, teller, shift;
	g_autofree char *text = NULL;
	KdWalk walk;
	const char *at;

	*ret_shift = 0;
	if (!lookup (maker, "vmcoreinfo_append_str", &teller))
		return TRUE;
	if (!read_word (maker, "vmcoreinfo_data", &data) ||
		!read_word (maker, "vmcoreinfo_size", &size) || size > VMCOREINFO_MAX)
		return FALSE;
	text = g_malloc0 (size + 1);
	/* Physically contiguous pages. */
	kd_target_walk (maker->target, &maker->place.regime, data, &walk);
	if (walk.status != KD_WALK_MAPPED ||
		!kd_target_read_phys (maker->target, walk.pa, text, size, NULL) ||
		!(at = strstr (text, "\nKERNELOFFSET=")))
		return FALSE;
	shift = g_ascii_strtoull (at + strlen ("\nKERNELOFFSET="), NULL, 16);
	*ret_shift = shift <= maker->place.virt_base ? shift : 0;
	return TRUE;
}

/* --- the file --- */

/* Sections there are for nm's letters only; their order is that of `parts` below. */
enum { IN_TEXT = 1, IN_DATA, IN_BSS, IN_RODATA, IN_PERCPU, NR_SECTIONS };

static gboolean
in_percpu (const Maker *maker, uint64_t addr)
{
	/* Its own border too. */
	return maker->percpu_end && addr >= maker->percpu_start && addr <= maker->percpu_end;
}

static uint16_t
section_of (const Maker *maker, const KdKallsymsEntry *entry)
{
	switch (g_ascii_tolower (entry->kind)) {
	case 't':
	case 'w':
		return IN_TEXT;
	case 'd':
	case 'v':
		return in_percpu (maker, entry->addr) ? IN_PERCPU : IN_DATA;
	case 'b':
		return IN_BSS;
	case 'r':
		return IN_RODATA;
	default:
		/* x86's per-CPU variables have small numbers for addresses. */
		return in_percpu (maker, entry->addr) ? IN_PERCPU : SHN_ABS;
	}
}

/* What the linker's script makes: its place may be another symbol's. */
static gboolean
is_border (const char *name)
{
	return g_str_has_prefix (name, "__start_") || g_str_has_prefix (name, "__stop_") ||
	       g_str_has_prefix (name, "__end_") || g_str_has_suffix (name, "_start") ||
	       g_str_has_suffix (name, "_end") || g_str_has_suffix (name, "_begin");
}

static Elf64_Sym
symbol_of (const Maker *maker, const KdKallsymsEntry *entry, uint64_t next, gboolean is_alias)
{
	const char *name = (const char *)maker->kallsyms->strings->data + entry->name;
	char letter = g_ascii_tolower (entry->kind);
	gboolean is_weak = letter == 'w' || letter == 'v';
	unsigned bind = is_weak ? STB_WEAK : g_ascii_isupper (entry->kind) ? STB_GLOBAL : STB_LOCAL;
	unsigned type = is_alias && is_border (name)     ? STT_NOTYPE
			: letter == 't' || letter == 'w' ? STT_FUNC
							 : STT_OBJECT;
	gboolean in_image = entry->addr >= maker->place.virt_base && entry->addr <= maker->end;
	/* Up to the next one: kallsyms has no sizes. */
	uint64_t size = entry->is_added ? entry->size
			: next > entry->addr && (in_image || in_percpu (maker, entry->addr)) &&
					(!in_image || next <= maker->end)
				? next - entry->addr
				: 0;

	return (Elf64_Sym){.st_name = entry->name,
		.st_info = ELF64_ST_INFO (bind, type),
		.st_shndx = section_of (maker, entry),
		.st_value = entry->addr - (in_image ? maker->shift : 0),
		.st_size = size};
}

static GArray *
make_symtab (const Maker *maker)
{
	const GArray *entries = maker->kallsyms->symbols;
	GArray *symbols = g_array_sized_new (FALSE, FALSE, sizeof (Elf64_Sym), entries->len + 1);
	const Elf64_Sym none = {0};

	g_array_append_val (symbols, none);
	for (guint i = 0, next = 0; i < entries->len; i++) {
		const KdKallsymsEntry *entry = &g_array_index (entries, KdKallsymsEntry, i);
		gboolean is_alias = i > 0 && entry[-1].addr == entry->addr;

		for (; next < entries->len &&
			g_array_index (entries, KdKallsymsEntry, next).addr <= entry->addr;
			next++)
			;
		Elf64_Sym symbol = symbol_of (maker, entry,
			next < entries->len ? g_array_index (entries, KdKallsymsEntry, next).addr
					    : 0,
			is_alias);

		g_array_append_val (symbols, symbol);
	}
	return symbols;
}

static gboolean
write_file (Maker *maker, int fd, GError **error)
{
	g_autoptr (GArray) symbols = make_symtab (maker);
	const GByteArray *strings = maker->kallsyms->strings;
	uint64_t notes_va = 0, btf_va = 0;
	size_t notes_len = 0, btf_len = 0;
	g_autofree uint8_t *notes = read_between (
		maker, "__start_notes", "__stop_notes", NOTES_MAX, &notes_va, &notes_len);
	g_autofree uint8_t *btf =
		read_between (maker, "__start_BTF", "__stop_BTF", BTF_MAX, &btf_va, &btf_len);
	KdElfPart parts[NR_SECTIONS + 3] = {
		{".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR},
		{".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE},
		{".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE},
		{".rodata", SHT_PROGBITS, SHF_ALLOC},
		{".data..percpu", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE},
		{".symtab", SHT_SYMTAB, .bytes = symbols->data,
			.len = symbols->len * sizeof (Elf64_Sym), .link = NR_SECTIONS + 1,
			.info = 1},
		{".strtab", SHT_STRTAB, .bytes = strings->data, .len = strings->len},
	};
	unsigned nr = NR_SECTIONS + 1;

	if (notes)
		parts[nr++] = (KdElfPart){
			".notes", SHT_NOTE, SHF_ALLOC, notes_va - maker->shift, notes, notes_len};
	if (btf)
		parts[nr++] = (KdElfPart){
			".BTF", SHT_PROGBITS, SHF_ALLOC, btf_va - maker->shift, btf, btf_len};
	return kd_elf_write (fd, kd_target_arch (maker->target)->elf_machine, parts, nr, error);
}

static char *
cache_folder (const char *cache_dir)
{
	return cache_dir ? g_strdup (cache_dir)
			 : g_build_filename (g_get_user_cache_dir(), "kvmdbg", NULL);
}

static KdImage *
open_file (const char *path, const char *cache_dir, GError **error)
{
	const KdImageOptions options = {.path = path, .cache_dir = cache_dir, .from_memory = TRUE};

	return kd_image_open (&options, error);
}

/*
 * Written beside its place and renamed, so that a reader sees a whole one or none. What is made
 * while the kernel boots is not kept: it would lack the same later.
 */
static KdImage *
store (Maker *maker, gboolean keep, const char *cache_dir, GError **error)
{
	g_autofree char *folder = cache_folder (cache_dir);
	g_autofree char *id = kd_hex_to_string (maker->place.id, maker->place.id_len);
	g_autofree char *path = g_strconcat (folder, "/", id, SUFFIX, NULL);
	g_autofree char *temporary = g_strconcat (path, ".XXXXXX", NULL);
	KdImage *image = NULL;
	int fd = -1;

	if (keep && maker->place.id_len && g_mkdir_with_parents (folder, 0700) == 0)
		fd = g_mkstemp_full (temporary, O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0) {
		if (write_file (maker, fd, NULL) && g_rename (temporary, path) == 0)
			image = open_file (path, cache_dir, NULL);
		else
			g_unlink (temporary);
		close (fd);
	}
	if (image)
		return image;
	/* Not to be kept, no room, or no cache. */
	fd = memfd_create ("kvmdbg-image", MFD_CLOEXEC);
	path = (g_free (path), g_strdup_printf ("/proc/self/fd/%d", fd));
	if (fd < 0)
		g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_FOUND, "memfd: %s",
			g_strerror (errno));
	else if (fchmod (fd, 0600) == 0 && write_file (maker, fd, error))
		image = open_file (path, cache_dir, error);
	if (fd >= 0)
		close (fd);
	return image;
}

KdImage *
kd_memory_image_make (KdTarget *target, const char *cache_dir, GError **error)
{
	g_auto (Maker) maker = {.target = target,
		.asked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free),
		.tried = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL)};
	gboolean whole;

	if (!find_kallsyms (&maker, error))
		return NULL;
	lookup (&maker, kd_target_arch (target)->linux_layout->end_symbol, &maker.end);
	if (!lookup (&maker, "__per_cpu_start", &maker.percpu_start) ||
		!lookup (&maker, "__per_cpu_end", &maker.percpu_end))
		maker.percpu_end = 0;
	whole = read_shift (&maker, &maker.shift);
	return store (&maker, whole, cache_dir, error);
}

/* --- made before --- */

typedef struct {
	char *path;
	gint64 used;
} Cached;

static void
cached_clear (void *data)
{
	g_free (((Cached *)data)->path);
}

static int
compare_used (const void *a, const void *b)
{
	gint64 x = ((const Cached *)a)->used, y = ((const Cached *)b)->used;

	return x > y ? -1 : x < y;
}

KdImage *
kd_memory_image_cached (KdTarget *target, const char *cache_dir)
{
	g_autofree char *folder = cache_folder (cache_dir);
	g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
	g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (Cached));
	const char *name;

	g_array_set_clear_func (all, cached_clear);
	while (dir && (name = g_dir_read_name (dir))) {
		g_autofree char *path = g_build_filename (folder, name, NULL);
		Cached cached;
		GStatBuf st;

		if (!g_str_has_suffix (name, SUFFIX) || g_stat (path, &st) != 0)
			continue;
		cached = (Cached){g_steal_pointer (&path), (gint64)st.st_mtime};
		g_array_append_val (all, cached);
	}
	g_array_sort (all, compare_used);
	for (guint i = 0; i < MIN (all->len, CACHED_MAX); i++) {
		const char *path = g_array_index (all, Cached, i).path;
		g_autoptr (KdImage) image = open_file (path, cache_dir, NULL);

		if (!image || kd_image_machine (image) != kd_target_arch (target)->elf_machine ||
			!kd_is_kernel_of (target, image))
			continue;
		/* The next attach tries it first. */
		g_utime (path, NULL);
		return g_steal_pointer (&image);
	}
	return NULL;
}
