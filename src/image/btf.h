/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "base/cursor.h"
#include "image/index.h"

/*
 * Raw BTF (Documentation/bpf/btf.rst in the kernel), read in place. libbpf's btf__new() takes 17 to
 * 25 ms for a kernel's 4 MB, as much as the rest of an attach, because it copies and walks
 * everything; here the walk's result lies in the index and one type costs one type. libbpf is the
 * witness in the tests.
 */
typedef struct KdBtf KdBtf;

typedef struct {
	const char *name; /* "" when it has none */
	uint32_t kind;    /* BTF_KIND_* */
	uint32_t vlen;
	gboolean flag;
	uint32_t size_or_type;
	KdCursor extra; /* what follows the type, whole for its vlen */
} KdBtfType;

/*
 * Checks the header and walks all types: each must have a known kind and lie whole inside the type
 * section, so that no later one is misread. Borrows `data` and `base` (split BTF of a module; else
 * NULL). BAD_INFO with the offset where it contradicts itself.
 */
KdBtf *kd_btf_new (const void *data, size_t len, const KdBtf *base, GError **error);

/*
 * The same with the walk's result out of an index; types are then checked one by one when asked
 * for. NULL: header damaged.
 */
KdBtf *kd_btf_new_indexed (const void *data, size_t len, const KdIndexArray *types,
	const KdIndexArray *hash, GError **error);
void kd_btf_free (KdBtf *btf);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdBtf, kd_btf_free)

/* The walk's result, to be kept in an index. Borrowed. */
GArray *kd_btf_types_table (const KdBtf *btf);
GArray *kd_btf_hash_table (const KdBtf *btf);

/* Ids run from 1 to below this. */
uint32_t kd_btf_end_id (const KdBtf *btf);
uint32_t kd_btf_first_id (const KdBtf *btf); /* 1, or behind the base's */
/* FALSE: no such id (0 is void and no type), or the entry is damaged. */
gboolean kd_btf_type (const KdBtf *btf, uint32_t id, KdBtfType *ret);
/* "" for an offset outside the strings. */
const char *kd_btf_string (const KdBtf *btf, uint32_t offset);
/* First type of that kind and name, in the base first; 0: none. */
uint32_t kd_btf_find (const KdBtf *btf, uint32_t kind, const char *name);
