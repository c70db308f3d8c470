/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cursor.h"
#include "fuzz-ask.h"
#include "fuzz.h"
#include "image/elf-write.h"

/*
 * DWARF and CFI in a file that is whole itself, so that nothing but them is what is damaged: a byte
 * for the machine, then for each section its length in two bytes, and its bytes.
 */
#define TEXT UINT64_C (0x400000)
#define NR_SECTIONS 8
#define FUNCTIONS 4
#define FUNCTION_SIZE 0x80

static const char *const names[NR_SECTIONS] = {".debug_info", ".debug_abbrev", ".debug_str",
	".debug_line", ".debug_line_str", ".debug_frame", ".debug_ranges", ".debug_rnglists"};

static gboolean
write_file (int fd, const uint8_t *data, size_t size)
{
	static const char strings[] = "\0outer\0inner\0handmade\0global";
	static const unsigned string_at[FUNCTIONS] = {1, 7, 13, 22};
	static const uint8_t text[FUNCTIONS * FUNCTION_SIZE];
	Elf64_Sym symbols[FUNCTIONS + 1] = {0};
	KdElfPart parts[NR_SECTIONS + 3] = {
		{".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, TEXT, text, sizeof text, 0, 0},
		{".symtab", SHT_SYMTAB, 0, 0, symbols, sizeof symbols, 3, 1},
		{".strtab", SHT_STRTAB, 0, 0, strings, sizeof strings, 0, 0},
	};
	unsigned nr = 3;
	KdCursor cursor = kd_cursor_init (data, size, FALSE);
	uint8_t machine = 0;
	uint16_t len;

	for (unsigned i = 0; i < FUNCTIONS; i++)
		symbols[i + 1] = (Elf64_Sym){.st_name = string_at[i],
			.st_info = ELF64_ST_INFO (STB_GLOBAL, STT_FUNC),
			.st_shndx = 1,
			.st_value = TEXT + i * FUNCTION_SIZE,
			.st_size = FUNCTION_SIZE};
	kd_cursor_next_u8 (&cursor, &machine);
	for (unsigned i = 0; i < NR_SECTIONS && kd_cursor_next_u16 (&cursor, &len); i++) {
		size_t left = MIN (len, kd_cursor_left (&cursor));
		const uint8_t *bytes = NULL;

		if (left && kd_cursor_next_bytes (&cursor, left, &bytes))
			parts[nr++] = (KdElfPart){names[i], SHT_PROGBITS, 0, 0, bytes, left, 0, 0};
	}
	return kd_elf_write (fd, machine & 1 ? EM_AARCH64 : EM_X86_64, parts, nr, NULL);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	int fd = memfd_create ("vmlinux", MFD_CLOEXEC);
	g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
	g_autoptr (GError) error = NULL;
	g_autoptr (KdImage) image = NULL;

	if (fd < 0)
		return 0;
	if (write_file (fd, data, size)) {
		image = kd_image_open (
			&(KdImageOptions){.path = path, .no_cache = TRUE, .no_btf = TRUE}, &error);
		/* Its symbols are good. */
		g_assert_no_error (error);
		fuzz_ask_image (image);
		kd_image_type_of_symbol (image, "global");
	}
	close (fd);
	return 0;
}
