/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/find-build-id.h"

#include <elf.h>
#include <string.h>

#define CHUNK (1U << 20)
/* x86: about 400 bytes. */
#define NOTES_BEFORE_MAX 1024
#define IDS_MAX 256
#define PAGE 4096U
#define RELEASE_MAX 64

/* Elf64_Nhdr and name of a build-id note, little endian, with the length left out. */
static const uint8_t gnu_name[4] = {'G', 'N', 'U', 0};
static const char banner_start[] = "Linux version ";

void
kd_memory_notes_clear (KdMemoryNotes *notes)
{
	g_clear_pointer (&notes->ids, g_array_unref);
	g_clear_pointer (&notes->release, g_free);
}

gboolean
kd_note_next (KdCursor *cursor, KdNote *ret_note)
{
	if (!kd_cursor_next_u32 (cursor, &ret_note->name_len) ||
		!kd_cursor_next_u32 (cursor, &ret_note->desc_len) ||
		!kd_cursor_next_u32 (cursor, &ret_note->type) ||
		!kd_cursor_next_bytes (cursor, ret_note->name_len, &ret_note->name) ||
		!kd_cursor_align (cursor, 4))
		return FALSE;
	ret_note->desc = cursor->pos;
	return kd_cursor_skip (cursor, ret_note->desc_len);
}

static gboolean
has_name (const KdNote *note, const void *name, size_t len)
{
	return note->name_len == len && memcmp (note->name, name, len) == 0;
}

gboolean
kd_notes_find_build_id (const void *notes, size_t len, size_t *ret_offset, size_t *ret_len)
{
	KdCursor cursor = kd_cursor_init (notes, len, FALSE);
	KdNote note;

	while (kd_note_next (&cursor, &note)) {
		if (note.type == NT_GNU_BUILD_ID && has_name (&note, gnu_name, sizeof gnu_name) &&
			note.desc_len > 0 && note.desc_len <= KD_BUILD_ID_MAX) {
			*ret_offset = note.desc;
			*ret_len = note.desc_len;
			return TRUE;
		}
		if (!kd_cursor_align (&cursor, 4))
			break;
	}
	return FALSE;
}

/* The vDSO and programs in the page cache carry build-ids too, on the first page of an ELF file. */
static gboolean
is_in_elf_file (const uint8_t *data, size_t offset)
{
	size_t page = offset & ~(size_t)(PAGE - 1);

	if (memcmp (data + page, ELFMAG, SELFMAG) == 0)
		return TRUE;
	return page >= PAGE && memcmp (data + page - PAGE, ELFMAG, SELFMAG) == 0;
}

/* include/linux/build-salt.h, elfnote-lto.h: notes of a kernel, or of a module. */
static gboolean
kernel_note_follows (const uint8_t *data, size_t len, size_t offset)
{
	KdCursor cursor = kd_cursor_init (data, len, FALSE);
	KdNote note;

	return kd_cursor_seek (&cursor, offset) && kd_cursor_align (&cursor, 4) &&
	       kd_note_next (&cursor, &note) && has_name (&note, "Linux", sizeof "Linux") &&
	       (note.type == 0x100 || note.type == 0x101);
}

/* An x86 kernel has its id behind all of its other notes, which no module has: "Xen" and "Linux".
 */
static gboolean
kernel_notes_precede (const uint8_t *data, size_t len, size_t at)
{
	for (size_t back = 16; back <= MIN (at, NOTES_BEFORE_MAX); back += 4) {
		KdCursor cursor = kd_cursor_init (data, len, FALSE);
		gboolean known = FALSE;
		KdNote note;

		if (!kd_cursor_seek (&cursor, at - back))
			return FALSE;
		while (cursor.pos < at && kd_note_next (&cursor, &note) &&
			kd_cursor_align (&cursor, 4)) {
			known = has_name (&note, "Xen", sizeof "Xen") ||
				has_name (&note, "Linux", sizeof "Linux");
			if (!known)
				break;
		}
		if (known && cursor.pos == at)
			return TRUE;
	}
	return FALSE;
}

static void
add_id (KdMemoryNotes *notes, const uint8_t *data, size_t len, size_t at, uint64_t pa)
{
	size_t offset, id_len;
	KdMemoryBuildId found = {0};

	if (notes->ids->len >= IDS_MAX ||
		!kd_notes_find_build_id (data + at, MIN (len - at, 128), &offset, &id_len) ||
		offset != 16 || is_in_elf_file (data, at))
		return;
	memcpy (found.id, data + at + offset, id_len);
	found.len = id_len;
	found.pa = pa + at + offset;
	found.before = kernel_notes_precede (data, len, at);
	found.sure = found.before || kernel_note_follows (data, len, at + offset + id_len);
	for (guint i = 0; i < notes->ids->len; i++)
		if (g_array_index (notes->ids, KdMemoryBuildId, i).pa == found.pa)
			return;
	if (found.sure)
		g_array_prepend_val (notes->ids, found);
	else
		g_array_append_val (notes->ids, found);
}

static void
add_release (KdMemoryNotes *notes, const uint8_t *data, size_t len)
{
	const size_t start_len = sizeof banner_start - 1;
	const uint8_t *at = data;

	while (!notes->release &&
		(at = memmem (at, len - (size_t)(at - data), banner_start, start_len))) {
		size_t left, n = 0;

		at += start_len;
		left = MIN (len - (size_t)(at - data), RELEASE_MAX);
		while (n < left && g_ascii_isgraph (at[n]))
			n++;
		if (n < left && at[n] == ' ' && g_ascii_isdigit (at[0]))
			notes->release = g_strndup ((const char *)at, n);
	}
}

static void
scan_chunk (KdMemoryNotes *notes, const uint8_t *data, size_t len, uint64_t pa)
{
	const uint8_t *at = data, *end = data + len;

	while ((at = memmem (at, (size_t)(end - at), gnu_name, sizeof gnu_name))) {
		size_t offset = (size_t)(at - data);

		if (offset >= 12 && offset % 4 == 0)
			add_id (notes, data, len, offset - 12, pa);
		at++;
	}
	add_release (notes, data, len);
}

void
kd_memory_notes_scan (KdMemoryNotes *notes, KdTarget *target, uint64_t pa, uint64_t size)
{
	unsigned nr;
	const KdRamRange *ram = kd_target_ram (target, &nr);
	/* A page before each chunk, for what starts there. */
	g_autofree uint8_t *data = g_malloc (PAGE + CHUNK);
	uint64_t end = pa + size < pa ? G_MAXUINT64 : pa + size;

	if (!notes->ids)
		notes->ids = g_array_new (FALSE, FALSE, sizeof (KdMemoryBuildId));
	for (unsigned i = 0; i < nr; i++) {
		uint64_t from = MAX (pa, ram[i].pa) & ~(uint64_t)(PAGE - 1);
		uint64_t to = MIN (end, ram[i].pa + ram[i].size);

		for (uint64_t at = from; at < to; at += CHUNK) {
			uint64_t before = at > from ? PAGE : 0;
			size_t len = (size_t)(MIN (CHUNK, to - at) + before);

			if (!kd_target_read_phys (target, at - before, data, len, NULL))
				break;
			scan_chunk (notes, data, len, at - before);
		}
	}
}
