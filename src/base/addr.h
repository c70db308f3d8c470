/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * An address is never a bare integer across a module boundary: it carries the space it is meant in.
 * Text form is "SPACE:0xVALUE" ("phys:0x40000000", "user:1:0x400000", "vm:0:0x80000000",
 * "cpu:1:0x0"); a bare number means the kernel space.
 */
typedef enum {
	KD_SPACE_KERNEL, /* host kernel virtual, walked from the kernel's own root table */
	KD_SPACE_PHYS,   /* the machine's physical memory */
	KD_SPACE_USER,   /* user virtual of the process whose PID is `id` */
	KD_SPACE_HYP,    /* arm64 nVHE EL2 virtual */
	KD_SPACE_VM,  /* guest-physical memory of the VM whose number (as `vms` shows it) is `id` */
	KD_SPACE_CPU, /* what CPU `id` translates now, asked of the stub */
} KdSpaceKind;

typedef struct {
	KdSpaceKind kind;
	int32_t id; /* PID, VM or CPU number for USER, VM and CPU; 0 otherwise */
} KdSpace;

typedef struct {
	KdSpace space;
	uint64_t value;
} KdAddr;

static inline KdAddr
kd_addr_kernel (uint64_t value)
{
	return (KdAddr){{KD_SPACE_KERNEL, 0}, value};
}

static inline KdAddr
kd_addr_phys (uint64_t value)
{
	return (KdAddr){{KD_SPACE_PHYS, 0}, value};
}

/*
 * Splits a "SPACE:" or "SPACE:ID:" prefix from `text`. Without one the space is the kernel's. On
 * success *ret_rest points into `text` behind the prefix. FALSE: the prefix looks like a space but
 * is not one.
 */
gboolean kd_space_parse_prefix (const char *text, KdSpace *ret_space, const char **ret_rest);

/* "kernel", "phys", "user:12", … New string. */
char *kd_space_to_string (KdSpace space);
