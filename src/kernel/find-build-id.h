/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "base/cursor.h"
#include "target/target.h"

#define KD_BUILD_ID_MAX 64

/* A build-id note as it lies in a machine's memory. */
typedef struct {
	uint8_t id[KD_BUILD_ID_MAX];
	size_t len;
	uint64_t pa;     /* of the first byte of the id */
	gboolean sure;   /* notes that only a kernel or a module has stand beside it */
	gboolean before; /* and in front of it, which no module has */
} KdMemoryBuildId;

typedef struct {
	GArray *ids;   /* KdMemoryBuildId, likeliest first */
	char *release; /* out of a kernel's banner; NULL: none was seen */
} KdMemoryNotes;

void kd_memory_notes_clear (KdMemoryNotes *notes);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdMemoryNotes, kd_memory_notes_clear)

/* One ELF note, little endian, and its place in what the cursor goes over. */
typedef struct {
	const uint8_t *name;
	uint32_t name_len, type; /* name_len with its end */
	size_t desc;
	uint32_t desc_len;
} KdNote;

/* Moves past the note; what follows is on the next multiple of 4. FALSE: it is not whole. */
gboolean kd_note_next (KdCursor *cursor, KdNote *ret_note);

/*
 * The build-id note in ELF notes: offset and length of the id itself. FALSE: there is none, or the
 * notes contradict themselves before it.
 */
gboolean kd_notes_find_build_id (
	const void *notes, size_t len, size_t *ret_offset, size_t *ret_len);

/* Adds what lies in [pa, pa + size), as far as that is RAM. Blocks while reading all of it. */
void kd_memory_notes_scan (KdMemoryNotes *notes, KdTarget *target, uint64_t pa, uint64_t size);
