/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/dwarf-file.h"

/*
 * The graph of types, out of DWARF, for images without BTF. A reference is a DIE's offset in
 * .debug_info.
 */
#define CHAIN_MAX 32
#define DIMENSIONS_MAX 16

struct KdDwarfTypes {
	GHashTable *names[KD_TYPE_FWD + 1]; /* by kind: name → GUINT_TO_POINTER offset / 1 */
	GHashTable *variables;              /* also functions */
};

void
kd_dwarf_types_free (KdDwarfTypes *types)
{
	if (!types)
		return;
	for (unsigned i = 0; i < G_N_ELEMENTS (types->names); i++)
		g_clear_pointer (&types->names[i], g_hash_table_unref);
	g_clear_pointer (&types->variables, g_hash_table_unref);
	g_free (types);
}

static const KdType *
dwarf_by_name (KdImage *image, KdTypeKind kind, const char *name)
{
	return NULL;
}

static const KdType *
dwarf_of_symbol (KdImage *image, const char *symbol)
{
	return NULL;
}

static const KdType *
dwarf_by_ref (KdImage *image, uint64_t ref)
{
	return image->void_type;
}

static void
dwarf_expand (KdType *type)
{
}

static gboolean
dwarf_foreach (KdImage *image, gboolean (*func) (KdTypeKind kind, const char *name, void *data),
	void *data)
{
	return TRUE;
}

const KdTypeSource kd_dwarf_type_source = {
	.name = "dwarf",
	.by_name = dwarf_by_name,
	.of_symbol = dwarf_of_symbol,
	.by_ref = dwarf_by_ref,
	.expand = dwarf_expand,
	.foreach = dwarf_foreach,
};
