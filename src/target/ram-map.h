/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * The machine's RAM as QEMU's human monitor tells it. Only that is ever read: physical mode answers
 * zeros for holes and reaches devices, whose registers change by being read.
 */
#define KD_RAM_RANGES_MAX 1024
/* More than any CPU's physical address has bits (arm64 with 128-bit descriptors: 56). */
#define KD_RAM_PA_BITS 56
#define KD_RAM_PAGE UINT64_C (4096)

typedef struct {
	uint64_t pa, size;
	char *name;   /* of the memory region: "mach-virt.ram" */
	uint64_t hva; /* in QEMU's process; 0: unknown */
	/* A shared file holds it: see ram-file.h, to which the descriptor belongs. */
	gboolean in_file;
	int fd;
	uint64_t file_offset;
} KdRamBlock;

/* Array of KdRamBlock by rising address, elements cleared. */
GArray *kd_ram_map_new (void);

/*
 * `info mtree -f`: the ranges "ram" and "rom" of the flat view of address space "memory", sorted,
 * not overlapping, below 1 << KD_RAM_PA_BITS. New array; empty when the text has none.
 */
GArray *kd_mtree_parse (const char *text);

/* `gpa2hva`'s answer. FALSE: it is an error's text. */
gboolean kd_gpa2hva_parse (const char *text, uint64_t *ret_hva);

/* The whole pages that are in the block. FALSE: it has none. */
gboolean kd_ram_block_pages (const KdRamBlock *block, uint64_t *ret_pa, uint64_t *ret_size);

/* The block that holds `pa`, or NULL. */
const KdRamBlock *kd_ram_map_find (const GArray *map, uint64_t pa);
/* How many of the `len` bytes from `pa` are RAM without a hole. */
uint64_t kd_ram_map_extent (const GArray *map, uint64_t pa, uint64_t len);
