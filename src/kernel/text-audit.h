/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/patch-sites.h"

/* What a piece of code that is not as in its file was changed by. */
typedef enum {
	KD_TEXT_UNEXPLAINED,
	KD_TEXT_PATCHED,   /* by `kind` */
	KD_TEXT_RELOCATED, /* KASLR moved what it points to */
} KdTextCause;

typedef struct {
	KdTextCause cause;
	KdPatchKind kind;  /* PATCHED; UNEXPLAINED: a site is there, but for something else */
	gboolean has_site; /* UNEXPLAINED: `kind` is set */
	const char *words; /* NULL: none */
	uint64_t addr;
	size_t len;
	const uint8_t *now, *file; /* `len` bytes */
} KdTextDifference;

/* "ftrace", "relocation", "unexplained"; static. */
const char *kd_text_cause_name (const KdTextDifference *difference);

typedef void (*KdTextFunc) (const KdTextDifference *difference, void *data);

typedef struct {
	uint64_t bytes; /* compared */
	uint64_t nr_unexplained, nr_relocated;
	uint64_t nr_patched[KD_PATCH_NR_KINDS];
} KdTextCounts;

/*
 * Compares code of the kernel or a module, one section's in [start, end), with its file and calls
 * for each difference, in order. Adds to *counts. FALSE: memory could not be read, or there is no
 * file.
 */
gboolean kd_text_audit (KdKernel *kernel, uint64_t start, uint64_t end, KdTextFunc func, void *data,
	KdTextCounts *counts, GError **error);
typedef struct {
	uint64_t start, end; /* run time */
	const char *module;  /* NULL: the kernel */
} KdTextRange;

/*
 * Where the kernel's code lies that it keeps after the boot, and its modules'; array of
 * KdTextRange. *ret_missing: of modules that there is nothing to compare with, in words; array of
 * char *.
 */
GArray *kd_text_ranges (KdKernel *kernel, GPtrArray **ret_missing);
