/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/* The exception vector tables a CPU can be using, and what each entry leads to. */
typedef struct {
	unsigned index;
	uint64_t addr;
	const char *name; /* "IRQ, lower EL", "page fault": static; NULL: it has none */
	uint64_t target;  /* code that the entry leads to; 0: it leads nowhere else */
	char *words;      /* what else a gate says; NULL: nothing */
} KdVectorEntry;

typedef struct {
	const char *symbol; /* static */
	unsigned slot;      /* of a symbol that is several tables behind each other */
	uint64_t addr;      /* kernel address */
	GArray *entries;    /* of KdVectorEntry, elements cleared */
} KdVectorTable;

typedef struct {
	unsigned cpu;
	const char *reg;    /* as KdArch has it */
	const char *alias;  /* what code calls it now; NULL: the same. Static */
	const char *regime; /* the regime whose exceptions it is for, and whose that is; static or
			       NULL */
	gboolean in_force;  /* an exception that the CPU took to where it is now went by it */
	uint64_t value;
	int table; /* place in the array of tables; -1: none of them (a guest's, firmware's) */
} KdVectorUse;

/* Array of KdVectorTable, elements cleared; empty where the kernel has none of the symbols. */
GArray *kd_vector_tables (KdKernel *kernel);
/* Array of KdVectorUse: the registers of all CPUs. */
GArray *kd_vector_uses (KdKernel *kernel, const GArray *tables);
