/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/* The symbol table that the kernel keeps of one module (`struct mod_kallsyms`), copied. */
typedef struct KdModuleSymbols KdModuleSymbols;

/*
 * `symtab`: `nr` Elf64_Sym in memory; `strtab`: their strings; `typetab`: nm's letters, or 0 where
 * the kernel has none. CORRUPT with the reason. Values are run-time addresses.
 */
KdModuleSymbols *kd_module_symbols_read (KdKernel *kernel, const char *module, uint64_t symtab,
	uint64_t nr, uint64_t strtab, uint64_t typetab, GError **error);
void kd_module_symbols_free (KdModuleSymbols *symbols);

gboolean kd_module_symbols_by_name (
	const KdModuleSymbols *symbols, const char *name, KdKernelSymbol *ret_symbol);
gboolean kd_module_symbols_by_addr (
	const KdModuleSymbols *symbols, uint64_t addr, KdKernelSymbol *ret_symbol);
/* All, by address. */
const KdKernelSymbol *kd_module_symbols_all (const KdModuleSymbols *symbols, unsigned *ret_nr);
