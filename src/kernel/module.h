/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "image/orc.h"
#include "kernel/kernel.h"

/*
 * A module of the running kernel. What it is called and where it lies is read when the list is
 * walked; symbols, types and files only when something asks for them. Lives as long as the kernel,
 * also when the machine has unloaded it.
 */
typedef struct KdModule KdModule;

typedef struct {
	uint64_t start, size;
} KdModuleRange;

/*
 * The modules of the present stop, in the kernel's order (the newest first); borrowed, until the
 * next call. Empty where the kernel has no modules. *ret_why, where not NULL, is set to a new
 * string when the list could not be walked to its end: then what was found up to there is given.
 */
const GPtrArray *kd_kernel_modules (KdKernel *kernel, char **ret_why);
/* As kd_kernel_changed_file(), of its modules alone. */
const char *kd_modules_changed_file (const KdKernel *kernel);
/*
 * For the end of a message about a name that nothing has: "; the list of modules: …" where that
 * could not be walked, so that one of those not seen may have it; else "". New string.
 */
char *kd_kernel_modules_hint (KdKernel *kernel);
/* NULL: no module of that name ("-" in it is "_"). */
KdModule *kd_kernel_module_by_name (KdKernel *kernel, const char *name);
/* NULL: in no module. */
KdModule *kd_kernel_module_at (KdKernel *kernel, uint64_t addr);

const char *kd_module_name (const KdModule *module);
uint64_t kd_module_address (const KdModule *module);  /* of its struct module */
uint64_t kd_module_base (const KdModule *module);     /* of its code, as /proc/modules has it */
uint64_t kd_module_size (const KdModule *module);     /* of all it has loaded, without init parts */
const char *kd_module_state (const KdModule *module); /* "live", "coming", "going", "unformed" */
const char *kd_module_build_id (KdModule *module);    /* hex; NULL unknown */
const GArray *kd_module_ranges (const KdModule *module); /* of KdModuleRange */

/* TRUE: `addr` is of the template of its per-CPU variables. */
gboolean kd_module_is_percpu (const KdModule *module, uint64_t addr);

/* From its kallsyms in memory, or NULL: "kallsyms". */
const char *kd_module_symbols_from (KdModule *module);
/* "btf" (in memory), "dwarf" (its file), or NULL; opens what it has to. */
const char *kd_module_types_from (KdModule *module);
/*
 * What has been opened of it, in words: "symbols, types, lines", "symbols, types, no file"; NULL:
 * nothing has been asked for yet. Opens nothing. New string.
 */
char *kd_module_debug_state (const KdModule *module);
/* Why it has none of them; NULL: it has. */
const char *kd_module_symbols_why (KdModule *module);
const char *kd_module_types_why (KdModule *module);
gboolean kd_module_symbol (KdModule *module, const char *name, KdKernelSymbol *ret_symbol);
gboolean kd_module_symbol_at (KdModule *module, uint64_t addr, KdKernelSymbol *ret_symbol);
/* FALSE when `func` said so. */
gboolean kd_module_symbols_foreach (KdModule *module, KdKernelSymbolFunc func, void *data);
/* Its types; NULL: none. */
KdImage *kd_module_types (KdModule *module);
/* Of its function or variable; NULL: unknown. See kd_kernel_type_of_symbol(). */
const KdType *kd_module_type_of_symbol (KdModule *module, const char *symbol, gboolean thorough);
/* Its file; NULL and why. The same answer again without a search. */
KdImage *kd_module_image (KdModule *module, GError **error);
/* Address in that file's layout of the byte that lies at `addr`. FALSE: in none of its sections. */
gboolean kd_module_link_addr (KdModule *module, uint64_t addr, uint64_t *ret_link);
/* The rule that its ORC has for `addr`. FALSE: none. */
gboolean kd_module_orc_at (KdModule *module, uint64_t addr, KdOrcEntry *ret_entry);
