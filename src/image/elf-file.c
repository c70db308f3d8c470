/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/elf-file.h"

#include <elf.h>
#include <inttypes.h>

#include "base/cursor.h"
#include "image/image.h"

#define SECTIONS_MAX (1u << 17)
#define NOTES_MAX 4096
/* Where the layout of a relocatable file begins: 0 would make its first symbol look like none. */
#define LAYOUT_BASE 0x10000
#define LAYOUT_ALIGN_MAX 0x10000

static gboolean fail (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
fail (GError **error, const char *format, ...)
{
	va_list args;
	va_start (args, format);
	g_autofree char *message = g_strdup_vprintf (format, args);
	va_end (args);
	g_set_error_literal (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_ELF, message);
	return FALSE;
}

/* A person who gives the boot image should be told so, since it lies next to the right file. */
static const char *
other_format (const uint8_t *data, size_t len)
{
	if (len >= 2 && data[0] == 'M' && data[1] == 'Z')
		return "a boot image (use the vmlinux of the kernel's debug package)";
	if (len >= 2 && data[0] == 0x1f && data[1] == 0x8b)
		return "gzip-compressed (a boot image? use the vmlinux of the kernel's debug "
		       "package)";
	if (len >= 4 && memcmp (data, "\x28\xb5\x2f\xfd", 4) == 0)
		return "zstd-compressed (unpack it first)";
	if (len >= 6 && memcmp (data,
				"\xfd"
				"7zXZ",
				5) == 0)
		return "xz-compressed (unpack it first)";
	return NULL;
}

static gboolean
read_section (const KdElf *elf, KdCursor *cursor, KdElfSection *ret, uint32_t *ret_name)
{
	const uint8_t *p;
	if (!kd_cursor_next_bytes (cursor, sizeof (Elf64_Shdr), &p))
		return FALSE;
	*ret_name = kd_elf_u32 (elf, p + offsetof (Elf64_Shdr, sh_name));
	*ret = (KdElfSection){
		.name = "",
		.type = kd_elf_u32 (elf, p + offsetof (Elf64_Shdr, sh_type)),
		.flags = kd_elf_u64 (elf, p + offsetof (Elf64_Shdr, sh_flags)),
		.addr = kd_elf_u64 (elf, p + offsetof (Elf64_Shdr, sh_addr)),
		.offset = kd_elf_u64 (elf, p + offsetof (Elf64_Shdr, sh_offset)),
		.size = kd_elf_u64 (elf, p + offsetof (Elf64_Shdr, sh_size)),
		.link = kd_elf_u32 (elf, p + offsetof (Elf64_Shdr, sh_link)),
		.info = kd_elf_u32 (elf, p + offsetof (Elf64_Shdr, sh_info)),
		.align = kd_elf_u64 (elf, p + offsetof (Elf64_Shdr, sh_addralign)),
		.entsize = kd_elf_u64 (elf, p + offsetof (Elf64_Shdr, sh_entsize)),
	};
	return TRUE;
}

static gboolean
check_extent (const KdElf *elf, const KdElfSection *section, unsigned index, GError **error)
{
	if (section->type == SHT_NOBITS || section->type == SHT_NULL)
		return TRUE;
	if (section->offset > elf->len || section->size > elf->len - section->offset)
		return fail (error,
			"truncated: section %u needs 0x%" PRIx64 " bytes at 0x%" PRIx64
			" but the file ends at 0x%zx",
			index, section->size, section->offset, elf->len);
	return TRUE;
}

static gboolean
read_sections (KdElf *elf, uint16_t shentsize, uint32_t nr, uint32_t names_index, GError **error)
{
	KdCursor cursor = kd_cursor_init (elf->data, elf->len, elf->big_endian);
	KdElfSection first;
	uint32_t name;

	if (elf->section_table == 0)
		return TRUE;
	if (shentsize != sizeof (Elf64_Shdr))
		return fail (error, "section headers of %u bytes", shentsize);
	if (elf->section_table > elf->len ||
		!kd_cursor_seek (&cursor, (size_t)elf->section_table) ||
		!read_section (elf, &cursor, &first, &name))
		return fail (error,
			"truncated: section headers at 0x%" PRIx64 " but the file ends at 0x%zx",
			elf->section_table, elf->len);

	/* Numbers that do not fit the header are in the first section (gABI, "e_shnum"). */
	if (nr == 0)
		nr = (uint32_t)MIN (first.size, SECTIONS_MAX + 1);
	if (names_index == SHN_XINDEX)
		names_index = first.link;
	if (nr > SECTIONS_MAX)
		return fail (error, "more than %u sections", SECTIONS_MAX);
	if (!kd_cursor_seek (&cursor, (size_t)elf->section_table) ||
		kd_cursor_left (&cursor) / sizeof (Elf64_Shdr) < nr)
		return fail (error,
			"truncated: %u section headers at 0x%" PRIx64 " but the file ends at 0x%zx",
			nr, elf->section_table, elf->len);

	g_autofree uint32_t *names = g_new0 (uint32_t, nr + 1);
	elf->sections = g_new0 (KdElfSection, nr + 1);
	elf->nr_sections = nr;
	for (unsigned i = 0; i < nr; i++) {
		if (!read_section (elf, &cursor, &elf->sections[i], &names[i]))
			return fail (error, "truncated: section header %u", i);
		if (i > 0 && !check_extent (elf, &elf->sections[i], i, error))
			return FALSE;
	}
	if (names_index == 0 || names_index >= nr)
		return TRUE;

	size_t strings_len = (size_t)elf->sections[names_index].size;
	const uint8_t *strings = kd_elf_section_bytes (elf, &elf->sections[names_index]);
	for (unsigned i = 1; strings && i < nr; i++) {
		KdCursor at = kd_cursor_init (strings, strings_len, elf->big_endian);
		const char *text;
		if (kd_cursor_seek (&at, names[i]) && kd_cursor_next_cstr (&at, &text))
			elf->sections[i].name = text;
	}
	return TRUE;
}

static gboolean
find_build_id_in (KdElf *elf, const uint8_t *bytes, size_t len)
{
	KdCursor cursor = kd_cursor_init (bytes, len, elf->big_endian);

	for (unsigned i = 0; i < NOTES_MAX; i++) {
		uint32_t name_len, desc_len, type;
		const uint8_t *name, *desc;
		if (!kd_cursor_next_u32 (&cursor, &name_len) ||
			!kd_cursor_next_u32 (&cursor, &desc_len) ||
			!kd_cursor_next_u32 (&cursor, &type) ||
			!kd_cursor_next_bytes (&cursor, name_len, &name) ||
			!kd_cursor_align (&cursor, 4) ||
			!kd_cursor_next_bytes (&cursor, desc_len, &desc))
			return FALSE;
		if (type == NT_GNU_BUILD_ID && name_len == 4 && memcmp (name, "GNU", 4) == 0 &&
			desc_len > 0 && desc_len <= KD_BUILD_ID_MAX) {
			memcpy (elf->build_id, desc, desc_len);
			elf->build_id_len = desc_len;
			return TRUE;
		}
		if (!kd_cursor_align (&cursor, 4))
			return FALSE;
	}
	return FALSE;
}

static void
find_build_id (KdElf *elf)
{
	for (unsigned i = 1; i < elf->nr_sections; i++) {
		const KdElfSection *section = &elf->sections[i];
		const uint8_t *bytes = kd_elf_section_bytes (elf, section);
		if (section->type == SHT_NOTE && bytes &&
			find_build_id_in (elf, bytes, (size_t)section->size))
			return;
	}
}

static gboolean
lay_out (KdElf *elf, GError **error)
{
	uint64_t at = LAYOUT_BASE;

	for (unsigned i = 1; i < elf->nr_sections; i++) {
		KdElfSection *section = &elf->sections[i];
		uint64_t align = CLAMP (section->align, 1, LAYOUT_ALIGN_MAX);

		if (!(section->flags & SHF_ALLOC))
			continue;
		at = (at + align - 1) / align * align;
		section->addr = at;
		/* Those without bytes in the file may claim any size. */
		if (section->size > G_MAXINT32)
			return fail (error, "section %u of 0x%" PRIx64 " bytes", i, section->size);
		/* The next one's patchable entries, or a label at this one's end, are not its. */
		at += section->size + 1;
	}
	return TRUE;
}

gboolean
kd_elf_init (KdElf *elf, const void *data, size_t len, GError **error)
{
	const uint8_t *bytes = data;
	*elf = (KdElf){.data = bytes, .len = len};

	if (len < SELFMAG || memcmp (bytes, ELFMAG, SELFMAG) != 0) {
		const char *other = other_format (bytes, len);
		return other ? fail (error, "not ELF: it is %s", other) : fail (error, "not ELF");
	}
	if (len < sizeof (Elf64_Ehdr))
		return fail (error, "truncated: %zu bytes, less than an ELF header", len);
	if (bytes[EI_CLASS] != ELFCLASS64)
		return fail (error, "not a 64-bit ELF file (class %u)", bytes[EI_CLASS]);
	if (bytes[EI_DATA] != ELFDATA2LSB && bytes[EI_DATA] != ELFDATA2MSB)
		return fail (error, "ELF data encoding %u", bytes[EI_DATA]);

	elf->big_endian = bytes[EI_DATA] == ELFDATA2MSB;
	elf->machine = kd_elf_u16 (elf, bytes + offsetof (Elf64_Ehdr, e_machine));
	elf->type = kd_elf_u16 (elf, bytes + offsetof (Elf64_Ehdr, e_type));
	elf->section_table = kd_elf_u64 (elf, bytes + offsetof (Elf64_Ehdr, e_shoff));
	if (!read_sections (elf, kd_elf_u16 (elf, bytes + offsetof (Elf64_Ehdr, e_shentsize)),
		    kd_elf_u16 (elf, bytes + offsetof (Elf64_Ehdr, e_shnum)),
		    kd_elf_u16 (elf, bytes + offsetof (Elf64_Ehdr, e_shstrndx)), error)) {
		kd_elf_clear (elf);
		return FALSE;
	}
	if (elf->type == ET_REL && !lay_out (elf, error)) {
		kd_elf_clear (elf);
		return FALSE;
	}
	find_build_id (elf);
	return TRUE;
}

/* --- relocation --- */

/* Bytes that a relocation fills with symbol + addend; 0: of another kind. */
static unsigned
plain_width (uint16_t machine, uint32_t type)
{
	static const struct {
		uint16_t machine;
		uint32_t type;
		unsigned width;
	} rows[] = {
		{EM_X86_64, R_X86_64_64, 8},
		{EM_X86_64, R_X86_64_32, 4},
		{EM_X86_64, R_X86_64_32S, 4},
		{EM_AARCH64, R_AARCH64_ABS64, 8},
		{EM_AARCH64, R_AARCH64_ABS32, 4},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
		if (rows[i].machine == machine && rows[i].type == type)
			return rows[i].width;
	return 0;
}

static gboolean
symbol_value (const KdElf *elf, const KdElfSection *symtab, uint64_t index, uint64_t *ret_value)
{
	const uint8_t *p = kd_elf_section_bytes (elf, symtab);
	uint16_t shndx;

	if (!p || index >= symtab->size / sizeof (Elf64_Sym))
		return FALSE;
	p += index * sizeof (Elf64_Sym);
	shndx = kd_elf_u16 (elf, p + offsetof (Elf64_Sym, st_shndx));
	*ret_value = kd_elf_u64 (elf, p + offsetof (Elf64_Sym, st_value));
	if (shndx < elf->nr_sections && (elf->sections[shndx].flags & SHF_ALLOC))
		*ret_value += elf->sections[shndx].addr;
	return TRUE;
}

/* Empty where the file has no plain bytes of it. */
static KdCursor
section_cursor (const KdElf *elf, const KdElfSection *section)
{
	const uint8_t *bytes = kd_elf_section_bytes (elf, section);

	return kd_cursor_init (bytes, bytes ? (size_t)section->size : 0, elf->big_endian);
}

static void
relocate_section (const KdElf *elf, uint8_t *data, const KdElfSection *rela)
{
	const KdElfSection *symtab = &elf->sections[rela->link], *target;
	KdCursor cursor = section_cursor (elf, rela);
	const uint8_t *p;

	target = &elf->sections[rela->info];
	while (kd_cursor_next_bytes (&cursor, sizeof (Elf64_Rela), &p)) {
		uint64_t offset = kd_elf_u64 (elf, p + offsetof (Elf64_Rela, r_offset));
		uint64_t info = kd_elf_u64 (elf, p + offsetof (Elf64_Rela, r_info)), value;
		unsigned width = plain_width (elf->machine, ELF64_R_TYPE (info));

		if (!width || offset > target->size || width > target->size - offset ||
			!symbol_value (elf, symtab, ELF64_R_SYM (info), &value))
			continue;
		value += kd_elf_u64 (elf, p + offsetof (Elf64_Rela, r_addend));
		for (unsigned i = 0; i < width; i++)
			data[target->offset + offset + (elf->big_endian ? width - 1 - i : i)] =
				(uint8_t)(value >> 8 * i);
	}
}

static void
read_symbol (
	const KdElf *elf, const KdElfSection *symtab, uint64_t index, KdElfRelocation *relocation)
{
	const uint8_t *p = kd_elf_section_bytes (elf, symtab);
	const KdElfSection *strtab =
		symtab->link < elf->nr_sections ? &elf->sections[symtab->link] : NULL;
	const char *names = strtab ? (const char *)kd_elf_section_bytes (elf, strtab) : NULL;
	uint32_t name;
	uint16_t shndx;

	p += index * sizeof (Elf64_Sym);
	name = kd_elf_u32 (elf, p + offsetof (Elf64_Sym, st_name));
	shndx = kd_elf_u16 (elf, p + offsetof (Elf64_Sym, st_shndx));
	relocation->is_undefined = shndx == SHN_UNDEF;
	relocation->is_absolute = shndx == SHN_ABS;
	if (names && name < strtab->size && memchr (names + name, 0, strtab->size - name))
		relocation->symbol = names + name;
}

static void
foreach_in (const KdElf *elf, const KdElfSection *rela, KdElfRelocationFunc func, void *data)
{
	const KdElfSection *symtab = &elf->sections[rela->link];
	KdCursor cursor = section_cursor (elf, rela);
	const uint8_t *p;

	while (kd_cursor_next_bytes (&cursor, sizeof (Elf64_Rela), &p)) {
		uint64_t info = kd_elf_u64 (elf, p + offsetof (Elf64_Rela, r_info));
		KdElfRelocation relocation = {
			.offset = kd_elf_u64 (elf, p + offsetof (Elf64_Rela, r_offset)),
			.type = ELF64_R_TYPE (info),
			.addend = kd_elf_u64 (elf, p + offsetof (Elf64_Rela, r_addend)),
			.symbol = ""};

		if (!symbol_value (elf, symtab, ELF64_R_SYM (info), &relocation.value))
			continue;
		read_symbol (elf, symtab, ELF64_R_SYM (info), &relocation);
		func (&relocation, data);
	}
}

void
kd_elf_relocations_foreach (
	const KdElf *elf, const KdElfSection *section, KdElfRelocationFunc func, void *data)
{
	if (elf->type != ET_REL)
		return;
	for (unsigned i = 1; i < elf->nr_sections; i++) {
		const KdElfSection *rela = &elf->sections[i];

		if (rela->type == SHT_RELA && rela->link < elf->nr_sections &&
			rela->info < elf->nr_sections && &elf->sections[rela->info] == section &&
			elf->sections[rela->link].type == SHT_SYMTAB)
			foreach_in (elf, rela, func, data);
	}
}

void
kd_elf_relocate_debug (const KdElf *elf, uint8_t *data)
{
	if (elf->type != ET_REL)
		return;
	for (unsigned i = 1; i < elf->nr_sections; i++) {
		const KdElfSection *rela = &elf->sections[i];

		if (rela->type != SHT_RELA || rela->info == 0 || rela->info >= elf->nr_sections ||
			rela->link == 0 || rela->link >= elf->nr_sections ||
			elf->sections[rela->link].type != SHT_SYMTAB ||
			!g_str_has_prefix (elf->sections[rela->info].name, ".debug_") ||
			!kd_elf_section_bytes (elf, &elf->sections[rela->info]))
			continue;
		relocate_section (elf, data, rela);
	}
}

void
kd_elf_clear (KdElf *elf)
{
	g_clear_pointer (&elf->sections, g_free);
	elf->nr_sections = 0;
}

const KdElfSection *
kd_elf_section (const KdElf *elf, const char *name)
{
	for (unsigned i = 1; i < elf->nr_sections; i++)
		if (strcmp (elf->sections[i].name, name) == 0)
			return &elf->sections[i];
	return NULL;
}

const KdElfSection *
kd_elf_section_of_type (const KdElf *elf, uint32_t type)
{
	for (unsigned i = 1; i < elf->nr_sections; i++)
		if (elf->sections[i].type == type)
			return &elf->sections[i];
	return NULL;
}

const uint8_t *
kd_elf_section_bytes (const KdElf *elf, const KdElfSection *section)
{
	if (section->type == SHT_NOBITS || section->type == SHT_NULL ||
		(section->flags & SHF_COMPRESSED))
		return NULL;
	return elf->data + section->offset;
}

const KdElfSection *
kd_elf_section_at (const KdElf *elf, uint64_t addr)
{
	for (unsigned i = 1; i < elf->nr_sections; i++) {
		const KdElfSection *section = &elf->sections[i];
		if ((section->flags & SHF_ALLOC) && addr >= section->addr &&
			addr - section->addr < section->size)
			return section;
	}
	return NULL;
}
