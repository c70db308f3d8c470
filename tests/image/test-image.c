/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hex.h"
#include "image/elf-write.h"
#include "image/image.h"

/* argv[1…]: sample.c as compiled for each machine there is a compiler for. */
static const char *sample;

static KdImage *
open_sample (void)
{
	g_autoptr (GError) error = NULL;
	KdImage *image =
		kd_image_open (&(KdImageOptions){.path = sample, .no_cache = TRUE}, &error);
	g_assert_no_error (error);
	return image;
}

/* --- opening --- */

static char *
temporary_file (const void *data, size_t len)
{
	char *path;
	int fd = g_file_open_tmp ("kd-image-XXXXXX", &path, NULL);
	g_assert_cmpint (fd, >=, 0);
	g_assert_cmpint (write (fd, data, len), ==, (gssize)len);
	close (fd);
	return path;
}

static void
assert_refused (const char *path, int code, const char *words)
{
	g_autoptr (GError) error = NULL;
	KdImage *image = kd_image_open (&(KdImageOptions){.path = path, .no_cache = TRUE}, &error);
	g_assert_null (image);
	g_assert_error (error, KD_IMAGE_ERROR, code);
	if (!strstr (error->message, words))
		g_error ("“%s” does not say “%s”", error->message, words);
}

static void
test_refused (void)
{
	g_autofree char *whole = NULL;
	gsize len;
	g_assert_true (g_file_get_contents (sample, &whole, &len, NULL));
	g_autofree char *stripped = g_memdup2 (whole, len);
	g_autofree char *wide = g_memdup2 (whole, len);
	((Elf64_Ehdr *)(void *)stripped)->e_shoff = 0;
	wide[EI_CLASS] = ELFCLASS32;
	const struct {
		const char *name;
		const void *data;
		size_t len;
		int code;
		const char *words;
	} rows[] = {
		{"empty", "", 0, KD_IMAGE_ERROR_NOT_ELF, "empty"},
		{"text", "#!/bin/sh\n", 10, KD_IMAGE_ERROR_NOT_ELF, "not ELF"},
		{"boot image", "MZ@\xfa", 4, KD_IMAGE_ERROR_NOT_ELF, "boot image"},
		{"gzip", "\x1f\x8b\x08", 3, KD_IMAGE_ERROR_NOT_ELF, "gzip"},
		{"header only", whole, 40, KD_IMAGE_ERROR_NOT_ELF, "truncated"},
		{"half", whole, len / 2, KD_IMAGE_ERROR_NOT_ELF, "truncated"},
		{"one byte short", whole, len - 1, KD_IMAGE_ERROR_NOT_ELF, "truncated"},
		{"32-bit", wide, len, KD_IMAGE_ERROR_NOT_ELF, "64-bit"},
		{"stripped", stripped, len, KD_IMAGE_ERROR_NO_INFO, "stripped"},
	};
	for (unsigned i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_test_message ("%s", rows[i].name);
		g_autofree char *path = temporary_file (rows[i].data, rows[i].len);
		assert_refused (path, rows[i].code, rows[i].words);
		g_unlink (path);
	}
	assert_refused ("/nonexistent/vmlinux", KD_IMAGE_ERROR_NOT_FOUND, "/nonexistent/vmlinux");
	assert_refused ("/tmp", KD_IMAGE_ERROR_NOT_ELF, "not a regular file");
}

static void
test_build_id (void)
{
	g_autoptr (KdImage) image = open_sample();
	g_autoptr (GError) error = NULL;
	size_t len;
	const uint8_t *id = kd_image_build_id (image, &len);
	uint8_t other[20] = {0xab};

	g_assert_cmpuint (len, ==, 20);
	g_autoptr (KdImage) same = kd_image_open (
		&(KdImageOptions){
			.path = sample, .build_id = id, .build_id_len = len, .no_cache = TRUE},
		&error);
	g_assert_no_error (error);
	g_assert_nonnull (same);

	g_assert_null (kd_image_open (
		&(KdImageOptions){
			.path = sample, .build_id = other, .build_id_len = 20, .no_cache = TRUE},
		&error));
	g_assert_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_MISMATCH);
	g_autofree char *have = kd_hex_to_string (id, len);
	g_assert_nonnull (strstr (error->message, have));
	g_assert_nonnull (strstr (error->message, "ab000000"));
}

static void
test_find (void)
{
	g_autoptr (KdImage) image = open_sample();
	g_autoptr (GError) error = NULL;
	size_t len;
	const uint8_t *id = kd_image_build_id (image, &len);
	g_autofree char *hex = kd_hex_to_string (id, len);
	g_autofree char *dir = g_dir_make_tmp ("kd-find-XXXXXX", NULL);
	g_autofree char *two = g_strdup_printf ("%s/.build-id/%.2s", dir, hex);
	g_autofree char *byid = g_strdup_printf ("%s/%s.debug", two, hex + 2);
	g_autofree char *boot = g_strdup_printf ("%s/boot", dir);
	g_autofree char *release = g_strdup_printf ("%s/boot/vmlinux-6.1", dir);
	g_autofree char *wrong = g_strdup_printf ("%s/boot/vmlinux-6.0", dir);
	const char *const dirs[] = {dir, NULL};
	const KdImageOptions options = {
		.build_id = id, .build_id_len = len, .debug_dirs = dirs, .no_cache = TRUE};

	g_assert_null (kd_image_open (&options, &error));
	g_assert_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_FOUND);
	g_assert_nonnull (strstr (error->message, hex));
	g_assert_nonnull (strstr (error->message, dir));

	/* A file whose name fits and whose build-id does not is passed over. */
	g_assert_cmpint (g_mkdir_with_parents (boot, 0700), ==, 0);
	g_assert_true (g_file_set_contents (wrong, "not a kernel", -1, NULL));
	g_assert_cmpint (symlink (sample, release), ==, 0);
	g_autoptr (KdImage) by_name = kd_image_open (&options, NULL);
	g_assert_cmpstr (kd_image_path (by_name), ==, release);

	g_assert_cmpint (g_mkdir_with_parents (two, 0700), ==, 0);
	g_assert_cmpint (symlink (sample, byid), ==, 0);
	g_autoptr (KdImage) by_id = kd_image_open (&options, NULL);
	g_assert_cmpstr (kd_image_path (by_id), ==, byid);

	g_autofree char *id_dir = g_path_get_dirname (two);
	g_unlink (byid);
	g_unlink (release);
	g_unlink (wrong);
	g_rmdir (two);
	g_rmdir (id_dir);
	g_rmdir (boot);
	g_rmdir (dir);
}

/* --- symbols --- */

static KdSymbol
symbol_named (KdImage *image, const char *name)
{
	KdSymbol symbol = {0};
	if (!kd_image_symbol_by_name (image, name, &symbol))
		g_error ("no symbol %s", name);
	return symbol;
}

static gboolean
no_mapping_symbol (const KdSymbol *symbol, void *data)
{
	g_assert_cmpint (symbol->name[0], !=, '$');
	++*(unsigned *)data;
	return TRUE;
}

static void
test_symbols (void)
{
	static const struct {
		const char *name;
		char kind;
	} rows[] = {{"outer", 'T'}, {"sample_weak", 'W'}, {"sample_object", 'D'},
		{"sample_pointer", 'B'}, {"sample_constant", 'R'}, {"sample_sink", 'b'},
		{"handmade", 'T'}, {"handmade_frame", 't'}};
	g_autoptr (KdImage) image = open_sample();
	KdSymbol symbol = {.name = "untouched"};
	unsigned nr = 0;

	g_assert_cmpstr (kd_image_symbols_from (image), ==, "elf");
	for (unsigned i = 0; i < G_N_ELEMENTS (rows); i++) {
		symbol = symbol_named (image, rows[i].name);
		g_assert_cmpint (symbol.kind, ==, rows[i].kind);
		g_autoptr (GArray) all = kd_image_symbols_by_name (image, rows[i].name);
		g_assert_cmpuint (all->len, ==, 1);
	}
	symbol.name = "untouched";
	g_assert_false (kd_image_symbol_by_name (image, "innermost", &symbol));
	g_assert_cmpstr (symbol.name, ==, "untouched");

	/* Whole ranges belong to the sized symbol, whatever labels stand inside. */
	KdSymbol frame = symbol_named (image, "handmade_frame");
	KdSymbol outer = symbol_named (image, "outer"), handmade = symbol_named (image, "handmade");
	g_assert_true (kd_image_symbol_by_addr (image, frame.addr, &symbol));
	g_assert_cmpstr (symbol.name, ==, "handmade");
	g_assert_true (kd_image_symbol_by_addr (image, outer.addr + outer.size - 1, &symbol));
	g_assert_cmpstr (symbol.name, ==, "outer");
	g_assert_true (kd_image_symbol_by_addr (image, handmade.addr, &symbol));
	g_assert_cmpstr (symbol.name, ==, "handmade");
	g_assert_false (kd_image_symbol_by_addr (image, 0, &symbol));
	g_assert_false (kd_image_symbol_by_addr (image, UINT64_MAX, &symbol));

	kd_image_symbols_foreach (image, NULL, no_mapping_symbol, &nr);
	g_assert_cmpuint (nr, >, G_N_ELEMENTS (rows));
	nr = 0;
	kd_image_symbols_foreach (image, "sample_", no_mapping_symbol, &nr);
	g_assert_cmpuint (nr, ==, 6);

	symbol = symbol_named (image, "sample_constant");
	static const uint32_t values[4] = {1, 2, 3, 4};
	const void *bytes = kd_image_bytes (image, symbol.addr, sizeof values);
	g_assert_nonnull (bytes);
	g_assert_cmpmem (bytes, sizeof values, values, sizeof values);
	symbol = symbol_named (image, "sample_pointer");
	g_assert_null (kd_image_bytes (image, symbol.addr, 8));
	g_assert_null (kd_image_bytes (image, 0, 1));
}

/* --- lines --- */

static void
assert_line (GArray *lines, guint i, const char *function, const char *file, int line)
{
	const KdLine *have = &g_array_index (lines, KdLine, i);
	g_assert_cmpstr (have->function, ==, function);
	g_assert_true (g_str_has_suffix (have->file, file));
	g_assert_null (strstr (have->file, ".."));
	g_assert_cmpint (have->line, ==, line);
	g_assert_cmpint (have->inlined, ==, i + 1 < lines->len);
}

static void
test_lines (void)
{
	g_autoptr (KdImage) image = open_sample();
	KdSymbol outer = symbol_named (image, "outer");
	gboolean seen = FALSE;

	g_assert_cmpstr (kd_image_lines_from (image), ==, "dwarf");
	for (uint64_t at = outer.addr; at < outer.addr + outer.size; at++) {
		g_autoptr (GArray) lines = kd_image_lines_at (image, at);
		/* The patchable entry too is outer's. */
		g_assert_cmpuint (lines->len, >=, 1);
		g_assert_cmpstr (
			g_array_index (lines, KdLine, lines->len - 1).function, ==, "outer");
		if (lines->len != 3 || g_array_index (lines, KdLine, 0).line != 101)
			continue;
		assert_line (lines, 0, "innermost", "folder/inner.h", 101);
		assert_line (lines, 1, "middle", "middle.h", 201);
		assert_line (lines, 2, "outer", "outer.c", 301);
		seen = TRUE;
	}
	g_assert_true (seen);
	g_autoptr (GArray) none = kd_image_lines_at (image, 16);
	g_assert_cmpuint (none->len, ==, 0);
}

/* --- written out of memory --- */

static char *
write_elf (void)
{
	static const char strings[] = "\0first\0second";
	static const Elf64_Sym symbols[] = {{0},
		{1, ELF64_ST_INFO (STB_LOCAL, STT_FUNC), 0, 1, 0x1000, 16},
		{7, ELF64_ST_INFO (STB_GLOBAL, STT_OBJECT), 0, 2, 0x2000, 0}};
	static const uint8_t notes[] = {4, 0, 0, 0, 4, 0, 0, 0, NT_GNU_BUILD_ID, 0, 0, 0, 'G', 'N',
		'U', 0, 0xde, 0xad, 0xbe, 0xef};
	static const KdElfPart parts[] = {{".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR},
		{".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE},
		{".symtab", SHT_SYMTAB, .bytes = symbols, .len = sizeof symbols, .link = 4,
			.info = 1},
		{".strtab", SHT_STRTAB, .bytes = strings, .len = sizeof strings},
		{".notes", SHT_NOTE, SHF_ALLOC, 0x3000, notes, sizeof notes}};
	g_autoptr (GError) error = NULL;
	char *path;
	int fd = g_file_open_tmp ("kd-image-XXXXXX", &path, NULL);

	g_assert_true (kd_elf_write (fd, EM_AARCH64, parts, G_N_ELEMENTS (parts), &error));
	g_assert_no_error (error);
	close (fd);
	return path;
}

static void
test_written (void)
{
	g_autofree char *path = write_elf(), *whole = NULL;
	const KdImageOptions options = {.path = path, .no_cache = TRUE, .from_memory = TRUE};
	g_autoptr (KdImage) image = kd_image_open (&options, NULL);
	g_autoptr (GError) error = NULL;
	size_t id_len;
	KdSymbol symbol;
	gsize len;

	g_assert_nonnull (image);
	g_assert_null (kd_image_path (image));
	g_assert_cmpstr (kd_image_symbols_from (image), ==, "kallsyms");
	g_assert_null (kd_image_lines_from (image));
	g_assert_cmpuint (kd_image_machine (image), ==, EM_AARCH64);
	g_assert_cmpint (kd_image_build_id (image, &id_len)[3], ==, 0xef);
	g_assert_cmpuint (id_len, ==, 4);
	g_assert_true (kd_image_symbol_by_addr (image, 0x100f, &symbol));
	g_assert_cmpstr (symbol.name, ==, "first");
	g_assert_cmpint (symbol.kind, ==, 't');
	g_assert_false (kd_image_symbol_by_addr (image, 0x1010, &symbol));
	/* No size: known where it begins. */
	g_assert_true (kd_image_symbol_by_addr (image, 0x2000, &symbol));
	g_assert_cmpint (symbol.kind, ==, 'D');
	g_assert_false (kd_image_symbol_by_addr (image, 0x2001, &symbol));
	g_assert_nonnull (kd_image_bytes (image, 0x3000, 20));

	/* One bit anywhere, and its end. */
	g_assert_true (g_file_get_contents (path, &whole, &len, NULL));
	for (gsize i = 0; i < len; i++) {
		whole[i] ^= 4;
		g_assert_false (kd_elf_is_as_written (whole, len));
		whole[i] ^= 4;
	}
	g_assert_true (kd_elf_is_as_written (whole, len));
	g_assert_false (kd_elf_is_as_written (whole, len - 1));
	g_assert_false (kd_elf_is_as_written (whole, 3));
	whole[len / 2] ^= 1;
	g_assert_true (g_file_set_contents (path, whole, (gssize)len, NULL));
	g_assert_null (kd_image_open (&options, &error));
	g_assert_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_MISMATCH);
	unlink (path);
}

/* --- a file that is written to while it is open --- */

static char *
copy_of_sample (void)
{
	g_autofree char *whole = NULL;
	gsize len;

	g_assert_true (g_file_get_contents (sample, &whole, &len, NULL));
	return temporary_file (whole, len);
}

static void
ask_everything (KdImage *image)
{
	KdCfiRow row;
	unsigned nr;
	KdSymbol at = {.addr = 0x400000};

	kd_image_symbol_by_name (image, "outer", &at);
	kd_image_cfi_at (image, at.addr, &row);
	kd_image_bytes (image, at.addr, 16);
	g_autoptr (GArray) lines = kd_image_lines_at (image, at.addr);
	const KdType *type = kd_image_type_of_symbol (image, "outer");
	if (type)
		kd_type_members (type, &nr);
}

static void
test_truncated (void)
{
	for (unsigned asked = 0; asked < 2; asked++) {
		g_autofree char *path = copy_of_sample();
		g_autoptr (GError) error = NULL;
		g_autoptr (KdImage) image =
			kd_image_open (&(KdImageOptions){.path = path, .no_cache = TRUE}, &error);

		g_assert_no_error (error);
		if (asked)
			ask_everything (image);
		g_assert_null (kd_image_changed (image));
		g_assert_cmpint (truncate (path, 100), ==, 0);
		ask_everything (image);
		g_assert_cmpstr (kd_image_changed (image), ==, path);
		/* Longer again is not whole again. */
		g_assert_cmpint (truncate (path, 1 << 20), ==, 0);
		ask_everything (image);
		g_assert_cmpstr (kd_image_changed (image), ==, path);
		g_unlink (path);
		g_assert_cmpstr (kd_image_changed (image), ==, path);
	}
}

/* Another file under its name is none of ours. */
static void
test_replaced (void)
{
	g_autofree char *path = copy_of_sample(), *other = temporary_file ("x", 1);
	g_autoptr (KdImage) image =
		kd_image_open (&(KdImageOptions){.path = path, .no_cache = TRUE}, NULL);
	KdSymbol symbol;

	g_assert_cmpint (g_rename (other, path), ==, 0);
	g_assert_null (kd_image_changed (image));
	g_assert_true (kd_image_symbol_by_name (image, "outer", &symbol));
	g_unlink (path);
	g_assert_null (kd_image_changed (image));
}

/* What is not of a file stays what it was: the end of the process. */
static void
test_other_sigbus (void)
{
	g_autoptr (KdImage) image = open_sample();
	int fd = memfd_create ("short", MFD_CLOEXEC), status = 0;
	const volatile char *map = mmap (NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	pid_t child;

	g_assert_true (map != MAP_FAILED);
	child = fork();
	if (child == 0)
		_exit (map[0]);
	g_assert_cmpint (waitpid (child, &status, 0), ==, child);
	g_assert_true (WIFSIGNALED (status));
	g_assert_cmpint (WTERMSIG (status), ==, SIGBUS);
	munmap ((void *)map, 4096);
	close (fd);
}

/* --- CFI --- */

static void
assert_rule (const KdCfiRule *rule, KdCfiRuleKind kind, unsigned reg, int64_t offset)
{
	g_assert_cmpint (rule->kind, ==, kind);
	g_assert_cmpuint (rule->reg, ==, reg);
	g_assert_cmpint (rule->offset, ==, offset);
}

static void
test_cfi (void)
{
	g_autoptr (KdImage) image = open_sample();
	gboolean arm = kd_image_machine (image) == EM_AARCH64;
	const unsigned sp = arm ? 31 : 7, ra = arm ? 30 : 16;
	KdSymbol at = symbol_named (image, "outer");
	KdCfiRow row;

	/* At its first byte, which is the patchable entry, nothing was pushed. */
	g_assert_true (kd_image_cfi_at (image, at.addr, &row));
	assert_rule (&row.cfa, KD_CFI_REGISTER, sp, arm ? 0 : 8);
	g_assert_cmpuint (row.ra_reg, ==, ra);
	if (arm)
		assert_rule (&row.regs[ra], KD_CFI_SAME, 0, 0);
	else
		assert_rule (&row.regs[ra], KD_CFI_CFA_OFFSET, 0, -8);
	g_assert_false (row.signal_frame);

	at = symbol_named (image, "handmade_frame");
	g_assert_true (kd_image_cfi_at (image, at.addr, &row));
	assert_rule (&row.cfa, KD_CFI_REGISTER, sp, 48);
	assert_rule (&row.regs[3], KD_CFI_CFA_OFFSET, 0, -16);
	assert_rule (&row.regs[12], KD_CFI_VAL_OFFSET, 0, -24);
	assert_rule (&row.regs[13], KD_CFI_REGISTER, 6, 0);
	assert_rule (&row.regs[5], KD_CFI_UNDEFINED, 0, 0);
	assert_rule (&row.regs[14], KD_CFI_SAME, 0, 0);

	at = symbol_named (image, "handmade_register");
	g_assert_true (kd_image_cfi_at (image, at.addr, &row));
	g_assert_cmpint (row.cfa.kind, ==, KD_CFI_EXPR);

	row.ra_reg = 77;
	g_assert_false (kd_image_cfi_at (image, 16, &row));
	g_assert_cmpuint (row.ra_reg, ==, 77);
}

int
main (int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*func) (void);
	} tests[] = {{"refused", test_refused}, {"build-id", test_build_id}, {"find", test_find},
		{"symbols", test_symbols}, {"lines", test_lines}, {"cfi", test_cfi},
		{"written", test_written}, {"truncated", test_truncated},
		{"replaced", test_replaced}, {"other-sigbus", test_other_sigbus}};

	g_test_init (&argc, &argv, NULL);
	g_autofree char *absolute = g_canonicalize_filename (argv[1], NULL);
	sample = absolute;
	for (unsigned i = 0; i < G_N_ELEMENTS (tests); i++) {
		g_autofree char *path = g_strdup_printf ("/image/%s", tests[i].name);
		g_test_add_func (path, tests[i].func);
	}
	return g_test_run();
}
