/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arch.h"

static const KdArch *const arches[] = {&kd_arch_arm64, &kd_arch_x86_64};

const KdArch *
kd_arch_by_gdb_name (const char *gdb_architecture)
{
	for (size_t i = 0; i < G_N_ELEMENTS (arches); i++)
		if (g_strcmp0 (arches[i]->gdb_architecture, gdb_architecture) == 0)
			return arches[i];
	return NULL;
}

const KdArch *
kd_arch_by_elf_machine (uint16_t elf_machine)
{
	for (size_t i = 0; i < G_N_ELEMENTS (arches); i++)
		if (arches[i]->elf_machine == elf_machine)
			return arches[i];
	return NULL;
}
