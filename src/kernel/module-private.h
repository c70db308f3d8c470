/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel-private.h"
#include "kernel/module-symbols.h"
#include "kernel/module.h"

/* One section of the module's file. */
typedef struct {
	uint64_t addr, size; /* where it was loaded */
	uint64_t link;       /* in the file's layout */
} KdPlaced;

/* Why something could not be read, and at which stop: the next may show it. */
typedef struct {
	GError *error;
	uint64_t generation;
} KdModuleFailure;

struct KdModule {
	KdKernel *kernel;
	uint64_t addr;
	char *name;
	char *build_id; /* with build_id_known; NULL: none */
	gboolean build_id_known;
	uint8_t id[KD_BUILD_ID_MAX];
	size_t id_len;
	uint64_t state;
	uint64_t base, size;
	GArray *ranges; /* KdModuleRange */
	uint64_t kallsyms, sections;
	uint64_t percpu, percpu_size; /* what __per_cpu_offset[] is added to */
	uint64_t num_orcs, orc, orc_ip;

	KdModuleSymbols *symbols;
	KdModuleFailure symbols_failure;
	KdImage *btf;
	KdModuleFailure btf_failure;
	KdImage *image;
	GError *image_error;
	GArray *placed; /* KdPlaced: of the file's sections; NULL not asked */
	KdOrcTable *orc_table;
	uint8_t *orc_bytes;
	KdModuleFailure orc_failure;
};

/*
 * Its file's sections, as they were loaded; NULL where no file was found, or (unless `search`) was
 * looked for yet.
 */
const GArray *kd_module_placed (KdModule *module, gboolean search, GError **error);
/* TRUE: nothing is wrong with what was read; it was interrupted, or the machine went away. */
gboolean kd_module_is_interruption (const GError *error);
/* What is owned by one module; for kd_modules_free(). */
void kd_module_forget (KdModule *module);
