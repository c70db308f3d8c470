/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/hex.h"
#include "image/dwarf-file.h"
#include "image/dwarf-names.h"
#include "image/elf-write.h"
#include "image/image-private.h"

G_DEFINE_QUARK (kd - image - error - quark, kd_image_error)

static gboolean
map_file (KdImage *image, GError **error)
{
	image->file = kd_file_map_open (image->path, 0, error);
	if (!image->file)
		return FALSE;
	if (image->from_memory &&
		(image->file->st.st_uid != geteuid() || (image->file->st.st_mode & 022))) {
		g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_MISMATCH, "another user's");
		return FALSE;
	}
	image->mapping = image->file->data;
	image->mapping_len = image->file->len;
	return TRUE;
}

static gboolean
check_build_id (const KdElf *elf, const KdImageOptions *options, GError **error)
{
	if (!options->build_id || options->build_id_len == 0)
		return TRUE;
	if (elf->build_id_len == options->build_id_len &&
		memcmp (elf->build_id, options->build_id, elf->build_id_len) == 0)
		return TRUE;
	g_autofree char *have = kd_hex_to_string (elf->build_id, elf->build_id_len);
	g_autofree char *want = kd_hex_to_string (options->build_id, options->build_id_len);
	g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_MISMATCH, "build-id %s, wanted %s",
		have[0] ? have : "(none)", want);
	return FALSE;
}

static gboolean
check_seal (const KdImage *image, GError **error)
{
	if (!image->from_memory || kd_elf_is_as_written (image->mapping, image->mapping_len))
		return TRUE;
	g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_MISMATCH, "damaged");
	return FALSE;
}

/* Bytes of a section that is there and not compressed; NULL: none. */
static const uint8_t *
named_bytes (const KdImage *image, const char *name, size_t *ret_len)
{
	const KdElfSection *section = kd_elf_section (&image->elf, name);
	if (!section)
		return NULL;
	*ret_len = (size_t)section->size;
	return kd_elf_section_bytes (&image->elf, section);
}

/* Builds the index; `image->btf` is then the walked one. */
static GByteArray *
build_index (KdImage *image, const KdIndexKey *key)
{
	GArray *tables[KD_INDEX_NR_TABLES] = {0};
	size_t len;
	const uint8_t *btf = image->elf.type != ET_REL ? named_bytes (image, ".BTF", &len) : NULL;

	kd_symbols_index (&image->elf, &tables[KD_INDEX_SYMBOLS], &tables[KD_INDEX_SYMBOL_HASH]);
	g_autoptr (KdBtf) walked = btf ? kd_btf_new (btf, len, NULL, NULL) : NULL;
	if (walked) {
		tables[KD_INDEX_BTF_TYPES] = g_array_ref (kd_btf_types_table (walked));
		tables[KD_INDEX_BTF_HASH] = g_array_ref (kd_btf_hash_table (walked));
	}
	tables[KD_INDEX_FDES] = kd_cfi_index (image);
	tables[KD_INDEX_UNITS] = kd_units_index (image);

	GByteArray *block = kd_index_pack (key, tables);
	for (unsigned i = 0; i < KD_INDEX_NR_TABLES; i++)
		if (tables[i])
			g_array_unref (tables[i]);
	return block;
}

static void
load_index (KdImage *image)
{
	KdIndexKey key;
	/* Without a build-id nothing says that a file of the same size is the same. */
	gboolean use_cache = image->cache_dir && image->elf.build_id_len > 0;

	kd_index_key_init (&key, &image->elf, KD_INDEX_MAIN);
	if (use_cache && kd_index_load (&image->index, image->cache_dir, &key))
		return;
	GByteArray *block = build_index (image, &key);
	if (use_cache)
		kd_index_store (block, image->cache_dir, &key);
	gboolean good = kd_index_init (&image->index, block->data, block->len, &key);
	g_assert (good);
	image->index.built = block;
}

static void
choose_types (KdImage *image, gboolean no_btf)
{
	size_t len;
	const uint8_t *btf = no_btf ? NULL : named_bytes (image, ".BTF", &len);

	/* Damaged BTF leaves the table empty: then DWARF is the source. */
	if (btf && image->index.tables[KD_INDEX_BTF_TYPES].nr > 0)
		image->btf = kd_btf_new_indexed (btf, len, &image->index.tables[KD_INDEX_BTF_TYPES],
			&image->index.tables[KD_INDEX_BTF_HASH], NULL);
	if (image->btf)
		image->types = &kd_btf_type_source;
	else if (kd_elf_section (&image->elf, ".debug_info"))
		image->types = &kd_dwarf_type_source;
}

static KdImage *
image_new (void)
{
	KdImage *image = g_new0 (KdImage, 1);
	kd_types_init (image);
	return image;
}

static KdImage *
open_path (const char *path, const KdImageOptions *options, GError **error)
{
	g_autoptr (KdImage) image = image_new();

	image->path = g_strdup (path);
	image->from_memory = options->from_memory;
	if (!options->no_cache)
		image->cache_dir = options->cache_dir ? g_strdup (options->cache_dir)
						      : g_build_filename (g_get_user_cache_dir(),
								"kvmdbg", NULL);
	if (!map_file (image, error) ||
		!kd_elf_init (&image->elf, image->mapping, image->mapping_len, error) ||
		!check_build_id (&image->elf, options, error) || !check_seal (image, error)) {
		g_prefix_error (error, "%s: ", path);
		return NULL;
	}
	kd_elf_relocate_debug (&image->elf, image->mapping);
	load_index (image);
	kd_symbols_init (image);
	choose_types (image, options->no_btf);
	if (!kd_image_symbols_from (image) && !image->types) {
		g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NO_INFO,
			"%s: stripped: no symbol table, no BTF, no DWARF", path);
		return NULL;
	}
	return g_steal_pointer (&image);
}

/* The file given is stripped; its build-id may lead to one that is not. */
static KdImage *
open_debug_file (const char *path, const KdImageOptions *options)
{
	g_autoptr (KdImage) stripped = image_new();

	stripped->path = g_strdup (path);
	if (!map_file (stripped, NULL) ||
		!kd_elf_init (&stripped->elf, stripped->mapping, stripped->mapping_len, NULL) ||
		stripped->elf.build_id_len == 0)
		return NULL;
	KdImageOptions wanted = *options;

	wanted.build_id = stripped->elf.build_id;
	wanted.build_id_len = stripped->elf.build_id_len;
	g_autofree char *found = kd_image_find (&wanted, NULL);
	return found && strcmp (found, path) != 0 ? open_path (found, options, NULL) : NULL;
}

KdImage *
kd_image_open (const KdImageOptions *options, GError **error)
{
	g_autoptr (GError) local = NULL;

	if (!options->path) {
		g_autofree char *path = kd_image_find (options, error);

		return path ? open_path (path, options, error) : NULL;
	}
	KdImage *image = open_path (options->path, options, &local);
	if (!image && g_error_matches (local, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NO_INFO))
		image = open_debug_file (options->path, options);
	if (!image)
		g_propagate_error (error, g_steal_pointer (&local));
	return image;
}

KdImage *
kd_image_open_module (const char *module, const KdImageOptions *options, GError **error)
{
	g_autofree char *path = kd_image_find_module (module, options, error);

	/* Its BTF goes on where the kernel's ends, and is read from memory with that. */
	KdImageOptions dwarf = *options;

	dwarf.no_btf = TRUE;
	return path ? open_path (path, &dwarf, error) : NULL;
}

KdImage *
kd_image_open_btf (const void *btf, size_t len, KdImage *base, GError **error)
{
	g_autoptr (KdImage) image = image_new();

	if (base && !base->btf) {
		g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NO_INFO,
			"split BTF, but the kernel's own types are not from BTF");
		return NULL;
	}
	image->mapping_len = len;
	image->mapping = image->copy = g_try_malloc (MAX (len, 1));
	if (!image->copy) {
		g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_BAD_INFO,
			"BTF: no memory for 0x%zx bytes", len);
		return NULL;
	}
	if (len)
		memcpy (image->mapping, btf, len);
	image->base = base;
	image->btf = kd_btf_new (image->mapping, len, base ? base->btf : NULL, error);
	if (!image->btf)
		return NULL;
	image->types = &kd_btf_type_source;
	return g_steal_pointer (&image);
}

void
kd_image_free (KdImage *image)
{
	if (!image)
		return;
	kd_image_free (image->dwarf_view);
	kd_types_clear (image);
	kd_dwarf_names_free (image->dwarf_names);
	kd_dwarf_free (image->dwarf);
	kd_btf_free (image->btf);
	kd_index_clear (&image->index);
	kd_elf_clear (&image->elf);
	kd_file_map_free (image->file);
	g_free (image->copy);
	g_free (image->cache_dir);
	g_free (image->path);
	g_free (image);
}

KdImage *
kd_image_dwarf_view (KdImage *image)
{
	if (!image->dwarf_view && !image->dwarf_view_failed && kd_image_path (image)) {
		KdImageOptions options = {.path = image->path,
			.cache_dir = image->cache_dir,
			.no_cache = image->cache_dir == NULL,
			.no_btf = TRUE};

		image->dwarf_view = kd_image_open (&options, NULL);
		image->dwarf_view_failed = image->dwarf_view == NULL;
	}
	return image->dwarf_view;
}

const char *
kd_image_path (const KdImage *image)
{
	return image->from_memory ? NULL : image->path;
}

const char *
kd_image_changed (const KdImage *image)
{
	const KdIndex *const indexes[] = {
		&image->index, image->dwarf_names ? &image->dwarf_names->index : NULL};

	/* Each attach touches one that was made from memory, and only we write those. */
	if (image->file && (image->from_memory ? kd_file_map_is_torn (image->file)
					       : kd_file_map_has_changed (image->file)))
		return image->path;
	for (unsigned i = 0; i < G_N_ELEMENTS (indexes); i++)
		/* kvmdbg writes them whole, as new files. */
		if (indexes[i] && indexes[i]->file && kd_file_map_has_changed (indexes[i]->file))
			return indexes[i]->file->path;
	return image->dwarf_view ? kd_image_changed (image->dwarf_view) : NULL;
}

const char *
kd_image_name (const KdImage *image)
{
	return image->path && !image->from_memory ? image->path : "the kernel's memory";
}

uint16_t
kd_image_machine (const KdImage *image)
{
	return image->elf.machine;
}

const uint8_t *
kd_image_build_id (const KdImage *image, size_t *ret_len)
{
	*ret_len = image->elf.build_id_len;
	return image->elf.build_id_len ? image->elf.build_id : NULL;
}

const char *
kd_image_symbols_from (const KdImage *image)
{
	if (!image->index.tables[KD_INDEX_SYMBOLS].nr)
		return NULL;
	return image->from_memory ? "kallsyms" : "elf";
}

const char *
kd_image_types_from (const KdImage *image)
{
	return image->types ? image->types->name : NULL;
}

const char *
kd_image_lines_from (const KdImage *image)
{
	return kd_elf_section (&image->elf, ".debug_line") &&
			       kd_elf_section (&image->elf, ".debug_info")
		       ? "dwarf"
		       : NULL;
}

const char *
kd_image_cfi_from (const KdImage *image)
{
	return image->index.tables[KD_INDEX_FDES].nr ? "dwarf" : NULL;
}

const void *
kd_image_bytes (KdImage *image, uint64_t addr, size_t len)
{
	const KdElfSection *section = kd_elf_section_at (&image->elf, addr);
	const uint8_t *bytes = section ? kd_elf_section_bytes (&image->elf, section) : NULL;

	if (!bytes || len > section->size - (addr - section->addr))
		return NULL;
	return bytes + (addr - section->addr);
}

gboolean
kd_image_section (const KdImage *image, const char *name, uint64_t *ret_addr, uint64_t *ret_size)
{
	const KdElfSection *section = kd_elf_section (&image->elf, name);

	if (!section || !(section->flags & SHF_ALLOC))
		return FALSE;
	*ret_addr = section->addr;
	*ret_size = section->size;
	return TRUE;
}

/* A linker may flag .data as code: nothing is written to that. */
static gboolean
is_code (const KdElfSection *section)
{
	return (section->flags & (SHF_EXECINSTR | SHF_WRITE)) == SHF_EXECINSTR;
}

void
kd_image_code_sections (const KdImage *image, KdSectionFunc func, void *data)
{
	for (unsigned i = 0; i < image->elf.nr_sections; i++) {
		const KdElfSection *section = &image->elf.sections[i];

		if ((section->flags & SHF_ALLOC) && is_code (section) && section->size &&
			section->type != SHT_NOBITS)
			func (section->name, section->addr, section->size, data);
	}
}

void
kd_image_relocations_foreach (
	const KdImage *image, uint64_t addr, KdElfRelocationFunc func, void *data)
{
	const KdElfSection *section = kd_elf_section_at (&image->elf, addr);

	if (section)
		kd_elf_relocations_foreach (&image->elf, section, func, data);
}

gboolean
kd_image_section_is_code (const KdImage *image, uint64_t addr)
{
	const KdElfSection *section = kd_elf_section_at (&image->elf, addr);

	return section && is_code (section);
}

const char *
kd_image_section_name (const KdImage *image, uint64_t addr)
{
	const KdElfSection *section = kd_elf_section_at (&image->elf, addr);
	return section ? section->name : NULL;
}
