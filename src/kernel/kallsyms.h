/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/*
 * The kernel's own symbol table as it lies in its memory (kernel/kallsyms.c, scripts/kallsyms.c):
 * names packed by 256 tokens, addresses as 32-bit offsets. Nothing says where the tables are and
 * their order has changed, so they are found by their shape: each must agree with the others.
 */
typedef struct {
	uint64_t addr;
	uint32_t name; /* offset in the strings */
	char kind;     /* nm's letter */
	/* Not from kallsyms itself (data-symbols.h): then its size, 0 if that is unknown. */
	gboolean is_added;
	uint32_t size;
} KdKallsymsEntry;

/* Bytes of the view that hold tables; len 0: none. */
typedef struct {
	size_t start, len;
} KdKallsymsExtent;

typedef struct {
	GArray *symbols;     /* KdKallsymsEntry, by address; the best of equal ones first */
	GByteArray *strings; /* NUL-terminated; starts with an empty one */
	/* The tables, without what KASLR writes to (the relative base). */
	KdKallsymsExtent packed, offsets;
} KdKallsyms;

/*
 * Where the tokens of the digits stand in `view` at or behind `from`: the first thing to look for.
 * They are KD_KALLSYMS_DIGITS_LEN bytes. FALSE: nowhere.
 */
#define KD_KALLSYMS_DIGITS_LEN 20
gboolean kd_kallsyms_find_digits (const void *view, size_t len, size_t from, size_t *ret_at);

/* How far it came: later ones are more likely to be what was looked for. */
typedef enum {
	KD_KALLSYMS_NO_TOKENS,
	KD_KALLSYMS_NO_NAMES,
	KD_KALLSYMS_NO_ADDRESSES,
	KD_KALLSYMS_FOUND,
} KdKallsymsStage;

/*
 * Decodes the tables around the digits at `digits`. All of them must be in the view, which begins
 * at a multiple of 8. `view_va` is the run-time address of its first byte, 0 if that is not known:
 * newer tables count addresses from themselves. CORRUPT: no such tables, or they contradict each
 * other (the message says how).
 */
KdKallsyms *kd_kallsyms_decode (const void *view, size_t len, size_t digits, uint64_t view_va,
	KdKallsymsStage *ret_stage, GError **error);
void kd_kallsyms_free (KdKallsyms *kallsyms);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdKallsyms, kd_kallsyms_free)

/* Address of the first symbol of that name. FALSE: none. Reads all of the table. */
gboolean kd_kallsyms_addr (const KdKallsyms *kallsyms, const char *name, uint64_t *ret_addr);
