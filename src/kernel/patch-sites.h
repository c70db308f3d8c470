/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/*
 * The places in its own code that the kernel may patch while it boots and runs, by the tables it
 * keeps of them. What is needed of a table after the boot is read from memory; what is freed then,
 * from the file.
 */
typedef enum {
	KD_PATCH_FTRACE,      /* call of the tracer at a function's start; target: struct
				 dyn_ftrace; value: its flags */
	KD_PATCH_FTRACE_OPS,  /* in front of a function: the address of the ftrace_ops it calls */
	KD_PATCH_FTRACE_CODE, /* in the tracer's entry code: which tracer that calls */
	KD_PATCH_JUMP_LABEL,  /* target: where it jumps; value: its static_key */
	KD_PATCH_ALTERNATIVE, /* target: the code to put there; value: number of the feature */
	KD_PATCH_CALLBACK,    /* alternative that a function writes; target: that function */
	KD_PATCH_STATIC_CALL, /* value: its static_call_key */
	KD_PATCH_KPROBE,      /* target: struct kprobe */
	KD_PATCH_PARAVIRT,
	KD_PATCH_RETPOLINE, /* indirect jump or call through a thunk */
	KD_PATCH_RETURN,    /* jump to the return thunk */
	KD_PATCH_CALL,      /* call whose depth may be counted */
	KD_PATCH_ENDBR,     /* landing place of indirect jumps that nothing uses */
	KD_PATCH_LOCK,      /* LOCK prefix, for one CPU alone */
	KD_PATCH_CONST,     /* constant set at boot; target: its variable; value, where there is
				 none: the first of its places */
	KD_PATCH_HYP,       /* address of EL2's code or data, as EL2 sees it */
	KD_PATCH_THUNK,     /* in front of a function: what calls of it go through; in no table */
	KD_PATCH_POKE,      /* being patched at this stop: a breakpoint stands there */
	KD_PATCH_NR_KINDS,
} KdPatchKind;

typedef struct {
	uint64_t addr;
	uint64_t target, value; /* what KdPatchKind says of them; else 0 */
	uint16_t len;           /* bytes that may be patched */
	uint16_t target_len;    /* ALTERNATIVE */
	uint8_t kind;
	gboolean is_branch; /* JUMP_LABEL: jumps while its key is off */
} KdPatchSite;

typedef struct KdPatchSites KdPatchSites;

/*
 * Those of the present stop, of the kernel and its modules; borrowed until the next call. Reads the
 * machine's memory the first time of a stop.
 */
const KdPatchSites *kd_kernel_patch_sites (KdKernel *kernel);
/* A site that covers `addr`, at `from` or behind; its index, for the next call; -1: none more. */
int kd_patch_sites_next (const KdPatchSites *sites, uint64_t addr, unsigned from);
/* The first site that begins at `addr` or behind; -1: none. */
int kd_patch_sites_from (const KdPatchSites *sites, uint64_t addr);
const KdPatchSite *kd_patch_site (const KdPatchSites *sites, unsigned index);
unsigned kd_patch_sites_nr (const KdPatchSites *sites);
/* Tables that could not be read, in words; array of char *, mostly empty. */
const GPtrArray *kd_patch_sites_missing (const KdPatchSites *sites);
/* "ftrace", "jump label", …; static. */
const char *kd_patch_kind_name (KdPatchKind kind);
