/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * Writes an ELF file of what was found in a machine's memory, so that a kernel without files is
 * read, indexed and cached as one that has them.
 */
typedef struct {
	const char *name;
	uint32_t type; /* SHT_… */
	uint64_t flags;
	uint64_t addr;
	const void *bytes; /* borrowed; NULL: an empty section, there for its flags */
	size_t len;
	uint32_t link, info;
} KdElfPart;

/*
 * Section i + 1 of the file is parts[i]. The file is ended by a checksum of itself. NOT_ELF with
 * libelf's words, or what the system says.
 */
gboolean kd_elf_write (
	int fd, uint16_t machine, const KdElfPart *parts, unsigned nr_parts, GError **error);
/* TRUE: the file is as kd_elf_write() left it. */
gboolean kd_elf_is_as_written (const void *data, size_t len);
