/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/elf-write.h"

#include <errno.h>
#include <libelf.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "image/image.h"
#include "image/index.h"

/* Raise its number whenever what is written changes: files of before are then made again. */
#define SEAL_MAGIC "kvmdbge2"

/* Behind everything that ELF knows of. */
typedef struct {
	char magic[8];
	uint64_t checksum; /* of all that stands before */
} Seal;

typedef Elf ElfWriter;

static void
elf_writer_end (ElfWriter *elf)
{
	elf_end (elf);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ElfWriter, elf_writer_end)

static gboolean
fail_elf (GError **error)
{
	g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_ELF, "libelf: %s", elf_errmsg (-1));
	return FALSE;
}

static gboolean
fail_errno (GError **error)
{
	g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_ELF, "%s", g_strerror (errno));
	return FALSE;
}

static gboolean
add_section (ElfWriter *elf, uint32_t type, const void *bytes, size_t len, Elf64_Shdr **ret_header)
{
	Elf_Scn *section = elf_newscn (elf);
	Elf_Data *data = section && bytes ? elf_newdata (section) : NULL;

	*ret_header = section ? elf64_getshdr (section) : NULL;
	if (!*ret_header || (bytes && !data))
		return FALSE;
	(*ret_header)->sh_type = type;
	if (data) {
		data->d_buf = (void *)bytes;
		data->d_size = len;
		data->d_align = type == SHT_NOTE ? 4 : 8;
		data->d_type = type == SHT_SYMTAB ? ELF_T_SYM : ELF_T_BYTE;
		data->d_version = EV_CURRENT;
	}
	return TRUE;
}

static gboolean
add_parts (ElfWriter *elf, const KdElfPart *parts, unsigned nr_parts, GString *names)
{
	for (unsigned i = 0; i < nr_parts; i++) {
		const KdElfPart *part = &parts[i];
		Elf64_Shdr *header;

		if (!add_section (elf, part->type, part->bytes, part->len, &header))
			return FALSE;
		header->sh_name = (Elf64_Word)names->len;
		header->sh_flags = part->flags;
		header->sh_addr = part->addr;
		header->sh_link = part->link;
		header->sh_info = part->info;
		header->sh_entsize = part->type == SHT_SYMTAB ? sizeof (Elf64_Sym) : 0;
		g_string_append_len (names, part->name, (gssize)strlen (part->name) + 1);
	}
	return TRUE;
}

static gboolean
write_elf (int fd, uint16_t machine, const KdElfPart *parts, unsigned nr_parts, GError **error)
{
	g_autoptr (GString) names = g_string_new_len ("", 1);
	g_autoptr (ElfWriter) elf = NULL;
	Elf64_Ehdr *header;
	Elf64_Shdr *names_header;

	elf_version (EV_CURRENT);
	if (!(elf = elf_begin (fd, ELF_C_WRITE, NULL)) || !(header = elf64_newehdr (elf)))
		return fail_elf (error);
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_type = ET_EXEC;
	header->e_machine = machine;
	header->e_shstrndx = (Elf64_Half)(nr_parts + 1);
	if (!add_parts (elf, parts, nr_parts, names))
		return fail_elf (error);
	const char own_name[] = ".shstrtab";
	size_t own = names->len;

	g_string_append_len (names, own_name, sizeof own_name);
	if (!add_section (elf, SHT_STRTAB, names->str, names->len, &names_header))
		return fail_elf (error);
	names_header->sh_name = (Elf64_Word)own;
	return elf_update (elf, ELF_C_WRITE) >= 0 || fail_elf (error);
}

gboolean
kd_elf_write (int fd, uint16_t machine, const KdElfPart *parts, unsigned nr_parts, GError **error)
{
	Seal seal;
	g_autofree uint8_t *whole = NULL;
	off_t end;

	if (!write_elf (fd, machine, parts, nr_parts, error))
		return FALSE;
	end = lseek (fd, 0, SEEK_END);
	whole = end > 0 ? g_try_malloc ((size_t)end) : NULL;
	if (!whole || !kd_read_at (fd, 0, whole, (size_t)end))
		return fail_errno (error);
	/* Without its NUL. */
	memcpy (seal.magic, SEAL_MAGIC, sizeof seal.magic);
	seal.checksum = kd_index_checksum (whole, (size_t)end);
	return write (fd, &seal, sizeof seal) == (ssize_t)sizeof seal || fail_errno (error);
}

gboolean
kd_elf_is_as_written (const void *data, size_t len)
{
	Seal seal;

	if (len < sizeof seal)
		return FALSE;
	memcpy (&seal, (const uint8_t *)data + len - sizeof seal, sizeof seal);
	return memcmp (seal.magic, SEAL_MAGIC, sizeof seal.magic) == 0 &&
	       seal.checksum == kd_index_checksum (data, len - sizeof seal);
}
