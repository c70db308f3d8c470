/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "command/command.h"
#include "kernel/find-build-id.h"

static const char *const formats[] = {"elf", "kdump-zlib", "kdump-lzo", "kdump-snappy", NULL};

static const KdArg args[] = {
	{"format", 'f', KD_ARG_STRING, 0, FALSE, "FORMAT",
		"elf (default), kdump-zlib, kdump-lzo or kdump-snappy"},
	{"file", 0, KD_ARG_FILE, KD_ARG_REQUIRED, TRUE, "FILE", "a new file"},
	{NULL},
};

#define NOTES_MAX (16U << 20)
#define HEADERS_MAX 4096

/* --- QEMU's mistake --- */

static gboolean
is_of_dump (const KdNote *note)
{
	static const char *const names[] = {"CORE", "LINUX", "QEMU", "VMCOREINFO"};

	for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
		if (note->name_len == strlen (names[i]) + 1 &&
			memcmp (note->name, names[i], note->name_len) == 0)
			return TRUE;
	return FALSE;
}

/* How many bytes at the start of `data` are notes of a dump. */
static size_t
notes_len (const uint8_t *data, size_t len)
{
	KdCursor cursor = kd_cursor_init (data, len, FALSE);
	KdNote note;
	size_t end = 0;

	while (kd_note_next (&cursor, &note) && is_of_dump (&note) && kd_cursor_align (&cursor, 4))
		end = cursor.pos;
	return end;
}

static gboolean
read_at (int fd, void *buf, size_t len, uint64_t offset)
{
	return pread (fd, buf, len, (off_t)offset) == (ssize_t)len;
}

static gboolean
write_at (int fd, const void *buf, size_t len, uint64_t offset)
{
	return pwrite (fd, buf, len, (off_t)offset) == (ssize_t)len;
}

/* All that begins at `from` or behind is `by` bytes further on than the headers say (or not so far,
 * below 0). */
static gboolean
move_headers (int fd, const Elf64_Ehdr *head, uint64_t from, int64_t by)
{
	for (unsigned i = 0; i < head->e_phnum; i++) {
		uint64_t place = head->e_phoff + i * sizeof (Elf64_Phdr);
		Elf64_Phdr segment;

		if (!read_at (fd, &segment, sizeof segment, place))
			return FALSE;
		if (segment.p_type == PT_NOTE) {
			segment.p_filesz += (uint64_t)by;
			segment.p_memsz += (uint64_t)by;
		} else if (segment.p_offset >= from)
			segment.p_offset += (uint64_t)by;
		if (!write_at (fd, &segment, sizeof segment, place))
			return FALSE;
	}
	for (unsigned i = 0; head->e_shoff && i < head->e_shnum; i++) {
		uint64_t place = head->e_shoff + i * sizeof (Elf64_Shdr);
		Elf64_Shdr section;

		if (!read_at (fd, &section, sizeof section, place))
			return FALSE;
		if (section.sh_offset >= from)
			section.sh_offset += (uint64_t)by;
		if (!write_at (fd, &section, sizeof section, place))
			return FALSE;
	}
	return TRUE;
}

/*
 * For the notes' length QEMU asks one CPU, and writes for each what that has: with SVE, vectors of
 * the length in force there (7.2 and 10.0, target/arm/arch_dump.c). Where CPUs differ, all behind
 * the notes is not where the headers say. TRUE: the file is good, *ret_moved bytes were wrong.
 */
static gboolean
repair (const char *path, int64_t *ret_moved)
{
	g_autofree uint8_t *notes = g_malloc (NOTES_MAX);
	int fd = open (path, O_RDWR | O_CLOEXEC);
	Elf64_Ehdr head;
	Elf64_Phdr note = {0};
	gboolean ok;
	ssize_t len;
	size_t real;

	*ret_moved = 0;
	ok = fd >= 0 && read_at (fd, &head, sizeof head, 0) &&
	     memcmp (head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_phnum < HEADERS_MAX &&
	     head.e_shnum < HEADERS_MAX;
	for (unsigned i = 0; ok && note.p_type != PT_NOTE && i < head.e_phnum; i++)
		ok = read_at (fd, &note, sizeof note, head.e_phoff + i * sizeof note);
	if (ok && note.p_type == PT_NOTE && note.p_filesz < NOTES_MAX) {
		len = pread (fd, notes, NOTES_MAX, (off_t)note.p_offset);
		real = len > 0 ? notes_len (notes, (size_t)len) : 0;
		*ret_moved = (int64_t)real - (int64_t)note.p_filesz;
		ok = real > 0 &&
		     (*ret_moved == 0 ||
			     move_headers (fd, &head, note.p_offset + note.p_filesz, *ret_moved));
	}
	if (fd >= 0)
		close (fd);
	return ok;
}

/* --- the command --- */

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	const char *path = kd_args_string (given, "file");
	const char *format = kd_args_string (given, "format");
	JsonObject *result;
	GStatBuf st = {0};
	int64_t moved = 0;

	format = format ? format : formats[0];
	if (!g_strv_contains (formats, format)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"dump: no format “%s” (elf, kdump-zlib, kdump-lzo, kdump-snappy)", format);
		return NULL;
	}
	if (g_file_test (path, G_FILE_TEST_EXISTS)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
			"dump: %s is there already", path);
		return NULL;
	}
	if (!kd_target_dump (session->target, path, format, error)) {
		g_prefix_error (error, "dump: %s: ", path);
		return NULL;
	}
	if (strcmp (format, formats[0]) == 0 && !repair (path, &moved)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
			"dump: %s: QEMU wrote it, but its headers do not fit what it holds", path);
		return NULL;
	}
	g_stat (path, &st);
	result = json_object_new();
	kd_json_set_string (result, "file", path);
	kd_json_set_string (result, "format", format);
	kd_json_set_uint (result, "size", (guint64)st.st_size);
	kd_json_set_int (result, "moved", moved);
	return kd_json_object_node (result);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *file = "", *format = "";
	g_autofree char *shown = NULL;
	guint64 size = 0;

	kd_json_get_string (obj, "file", FALSE, &file, NULL);
	kd_json_get_string (obj, "format", FALSE, &format, NULL);
	kd_json_get_uint (obj, "size", FALSE, &size, NULL);
	shown = g_format_size_full (size, G_FORMAT_SIZE_IEC_UNITS);
	kd_text_printf (text, KD_STYLE_PLAIN, "%s: %s, %s\n", file, shown, format);
}

const KdCommand kd_command_dump = {
	.name = "dump",
	.group = "machine",
	.summary = "write the machine's memory and CPUs to a file",
	.help = "QEMU writes it (its dump-guest-memory), so the file is made with QEMU's rights: a "
		"vmcore "
		"with physical addresses, as crash and drgn read; kdump formats are flattened, as "
		"makedumpfile -F does. Ctrl-C stops the waiting, not "
		"QEMU.\n\n"
		"JSON: {file, format, size (bytes), moved (bytes by which QEMU's headers were "
		"wrong, and are no "
		"longer)}.",
	.example = "dump /tmp/vmcore\ndump --format kdump-zlib /tmp/vmcore",
	.args = args,
	.flags = KD_COMMAND_NEEDS_STOP | KD_COMMAND_CHANGES | KD_COMMAND_FILES,
	.run = run,
	.render = render,
};
