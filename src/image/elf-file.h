/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <string.h>
#include <stdint.h>

/*
 * The outside of a 64-bit ELF file: header, sections, build-id. Every offset and size was checked
 * against the file when kd_elf_init() said yes. Owns only its section table; the bytes are the
 * caller's (a mapping).
 */
#define KD_BUILD_ID_MAX 64

typedef struct {
	const char *name; /* inside the file; "" when damaged */
	uint32_t type;
	uint64_t flags;
	uint64_t addr;
	uint64_t offset;
	uint64_t size;
	uint32_t link;
	uint32_t info;
	uint64_t align;
	uint64_t entsize;
} KdElfSection;

typedef struct {
	const uint8_t *data;
	size_t len;
	gboolean big_endian;
	uint16_t machine;
	uint16_t type;
	uint64_t section_table; /* file offset */
	KdElfSection *sections; /* [0] is the null section */
	unsigned nr_sections;
	uint8_t build_id[KD_BUILD_ID_MAX];
	size_t build_id_len; /* 0: none */
} KdElf;

/*
 * NOT_ELF with the reason and the offset where the file contradicts itself. A relocatable file's
 * sections (a kernel module's) are laid out one behind the other, always the same way, so that each
 * has addresses of its own.
 */
gboolean kd_elf_init (KdElf *elf, const void *data, size_t len, GError **error);
void kd_elf_clear (KdElf *elf);

/*
 * Writes the addresses of that layout into a relocatable file's debug sections; `data` is what
 * kd_elf_init() was given, writable. Relocations of other kinds than plain addresses and offsets,
 * and those that point outside, are left alone.
 */
void kd_elf_relocate_debug (const KdElf *elf, uint8_t *data);

/* What is to be written at one place of a relocatable file's section. */
typedef struct {
	uint64_t offset; /* in the section */
	uint32_t type;   /* the instruction set's */
	uint64_t addend;
	const char *symbol;    /* "": a section's own, or damaged */
	gboolean is_undefined; /* another file's */
	gboolean is_absolute;  /* `value` is no address */
	uint64_t value;        /* in this file's layout */
} KdElfRelocation;

typedef void (*KdElfRelocationFunc) (const KdElfRelocation *relocation, void *data);
void kd_elf_relocations_foreach (
	const KdElf *elf, const KdElfSection *section, KdElfRelocationFunc func, void *data);

/* NULL: no such section. */
const KdElfSection *kd_elf_section (const KdElf *elf, const char *name);
const KdElfSection *kd_elf_section_of_type (const KdElf *elf, uint32_t type);

/* The section's bytes in the file; NULL when it has none (NOBITS) or they are compressed. */
const uint8_t *kd_elf_section_bytes (const KdElf *elf, const KdElfSection *section);

/* Section of the running kernel's memory that holds `addr`; NULL: none. */
const KdElfSection *kd_elf_section_at (const KdElf *elf, uint64_t addr);

static inline uint16_t
kd_elf_u16 (const KdElf *elf, const uint8_t *p)
{
	uint16_t v;
	memcpy (&v, p, sizeof v);
	return elf->big_endian ? GUINT16_FROM_BE (v) : GUINT16_FROM_LE (v);
}

static inline uint32_t
kd_elf_u32 (const KdElf *elf, const uint8_t *p)
{
	uint32_t v;
	memcpy (&v, p, sizeof v);
	return elf->big_endian ? GUINT32_FROM_BE (v) : GUINT32_FROM_LE (v);
}

static inline uint64_t
kd_elf_u64 (const KdElf *elf, const uint8_t *p)
{
	uint64_t v;
	memcpy (&v, p, sizeof v);
	return elf->big_endian ? GUINT64_FROM_BE (v) : GUINT64_FROM_LE (v);
}
