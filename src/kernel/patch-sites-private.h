/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel-private.h"
#include "kernel/patch-sites.h"

#define KD_PATCH_SITES_MAX (4U << 20)

struct KdPatchSites {
	GArray *sites; /* KdPatchSite, by address */
	GPtrArray *missing;
	uint64_t generation;
	unsigned nr_files; /* modules whose file was open: their tables are here too */
	unsigned len_max;  /* of any site */
};

/* Leaves out what cannot be: of no length, or where there is no code. */
void kd_patch_sites_add (KdKernel *kernel, KdPatchSites *sites, KdPatchSite site);
/* Says that a table could not be read; takes the error. */
void kd_patch_sites_miss (KdPatchSites *sites, const char *what, GError *error);
/* Bytes of the instruction that the file, or else memory, has at `addr`; 0: none. */
uint16_t kd_patch_insn_len (KdKernel *kernel, uint64_t addr);

/* What changes while the kernel runs: tracer, probes, code that is just being patched. */
void kd_patch_sites_read_tracer (KdKernel *kernel, KdPatchSites *sites);
