/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/*
 * Stands in for src/target: a stopped machine of two CPUs and 8 MiB of RAM, with toy-kernel.c
 * loaded at a place KASLR chose, its tables built and its tasks, log and list of modules (two:
 * beta, alpha) filled in.
 */
#define TOY_RAM UINT64_C (0x40000000)
#define TOY_RAM_SIZE (8U << 20)
#define TOY_PHYS UINT64_C (0x40130000)
#define TOY_KASLR UINT64_C (0x1234560000)
#define TOY_MODULES UINT64_C (0xffff800002000000)
#define TOY_USER_VA UINT64_C (0x400000)

KdTarget *toy_machine_new (const char *vmlinux);
/* With nothing in memory. */
KdTarget *toy_machine_new_empty (void);

/* Value 0 takes the register away: the CPU has none. */
void toy_set_reg (KdTarget *target, unsigned cpu, const char *name, uint64_t value);
void toy_clear_regs (KdTarget *target);
/* CPUs as they are in the kernel of a VHE host. */
void toy_set_vhe_regs (KdTarget *target);

/* Run-time address of a symbol. */
uint64_t toy_va (KdTarget *target, const char *symbol);
uint64_t toy_pa (KdTarget *target, const char *symbol);
/* Writes into a variable: `path` of `type` at the symbol's place plus `offset`. */
void toy_poke (KdTarget *target, const char *symbol, uint64_t offset, const char *type,
	const char *path, uint64_t value);
void toy_write (KdTarget *target, uint64_t pa, const void *data, size_t len);
void toy_write_u64 (KdTarget *target, uint64_t pa, uint64_t value);
/* Tables of four levels of 4K pages at `root`: one page. */
void toy_map (KdTarget *target, uint64_t root, uint64_t va, uint64_t pa);

/* What was read of memory before is of another stop. */
void toy_next_stop (KdTarget *target);

uint64_t toy_task (KdTarget *target, unsigned index);
/* task_struct `index` (of toy_tasks) as a thread of `signal`, linked nowhere yet. */
void toy_set_task (KdTarget *target, unsigned index, int pid, int tgid, const char *comm,
	unsigned signal, uint64_t flags);
/* list_heads at these addresses, in a ring; ends with 0. */
void toy_link (KdTarget *target, const uint64_t *nodes);
uint64_t toy_member (KdTarget *target, const char *type, const char *path);

/* Record `id` (0…7) with its text at `at` of the ring. */
void toy_log (KdTarget *target, unsigned id, unsigned state, unsigned level, uint64_t begin,
	uint64_t next, const char *text);
