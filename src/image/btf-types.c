/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/btf.h>
#include <string.h>

#include "image/image-private.h"

/* The graph of types, out of BTF. A reference is a type id; 0 is void. */

#define KIND_TYPE_TAG 18
#define KIND_ENUM64 19
/* Chains of things that are no type of their own (tags, declarations). */
#define SKIP_MAX 32

/* Modules' BTF goes on where the kernel's ends, and such types are the kernel image's own. */
static KdImage *
owner_of (KdImage *image, uint32_t id)
{
	while (image->base && image->base->btf && id < kd_btf_first_id (image->btf))
		image = image->base;
	return image;
}

/* Passes tags and turns a declaration into its definition where there is one. */
static uint32_t
skip_to_type (const KdBtf *btf, uint32_t id, KdBtfType *ret)
{
	for (unsigned i = 0; i < SKIP_MAX; i++) {
		uint32_t full;
		if (!kd_btf_type (btf, id, ret))
			return 0;
		switch (ret->kind) {
		case KIND_TYPE_TAG:
		case BTF_KIND_VAR:
		case BTF_KIND_FUNC:
			id = ret->size_or_type;
			break;
		case BTF_KIND_FWD:
			full = kd_btf_find (
				btf, ret->flag ? BTF_KIND_UNION : BTF_KIND_STRUCT, ret->name);
			return full && kd_btf_type (btf, full, ret) ? full : id;
		default:
			return id;
		}
	}
	return 0;
}

static void
init_int (KdType *node, const KdBtfType *type)
{
	uint32_t info = 0;
	KdCursor extra = type->extra;

	kd_cursor_next_u32 (&extra, &info);
	uint32_t encoding = info >> 24 & 0xf;
	/* At most __int128; a larger one would be read into values that cannot hold it. */
	node->size = MIN (type->size_or_type, 16u);
	node->is_signed = (encoding & BTF_INT_SIGNED) != 0;
	node->kind = kd_type_int_kind (type->name, node->size, (encoding & BTF_INT_BOOL) != 0,
		(encoding & BTF_INT_CHAR) != 0);
}

static KdTypeKind
aggregate_kind (uint32_t kind)
{
	switch (kind) {
	case BTF_KIND_STRUCT:
		return KD_TYPE_STRUCT;
	case BTF_KIND_UNION:
		return KD_TYPE_UNION;
	case BTF_KIND_ENUM:
	case KIND_ENUM64:
		return KD_TYPE_ENUM;
	case BTF_KIND_FWD:
		return KD_TYPE_FWD;
	case BTF_KIND_PTR:
		return KD_TYPE_POINTER;
	case BTF_KIND_TYPEDEF:
		return KD_TYPE_TYPEDEF;
	case BTF_KIND_CONST:
		return KD_TYPE_CONST;
	case BTF_KIND_VOLATILE:
		return KD_TYPE_VOLATILE;
	case BTF_KIND_RESTRICT:
		return KD_TYPE_RESTRICT;
	case BTF_KIND_FUNC_PROTO:
		return KD_TYPE_FUNC;
	case BTF_KIND_ARRAY:
		return KD_TYPE_ARRAY;
	case BTF_KIND_FLOAT:
		return KD_TYPE_FLOAT;
	case BTF_KIND_INT:
		return KD_TYPE_INT;
	default:
		return KD_TYPE_VOID; /* DATASEC, DECL_TAG: nothing has such a type */
	}
}

static const KdType *
btf_by_ref (KdImage *image, uint64_t ref)
{
	KdBtfType type;
	uint32_t id = ref <= UINT32_MAX ? (uint32_t)ref : 0;

	image = owner_of (image, id);
	KdType *node = id ? kd_type_lookup_ref (image, id) : image->void_type;
	if (node)
		return node;
	uint32_t real = skip_to_type (image->btf, id, &type);
	KdTypeKind kind = real ? aggregate_kind (type.kind) : KD_TYPE_VOID;
	if (kind == KD_TYPE_VOID)
		return image->void_type;
	if (real != id)
		return btf_by_ref (image, real);

	node = kd_type_new (image, kind, id);
	node->name = type.name[0] ? type.name : NULL;
	switch (kind) {
	case KD_TYPE_INT:
		init_int (node, &type);
		break;
	case KD_TYPE_FLOAT:
	case KD_TYPE_STRUCT:
	case KD_TYPE_UNION:
		node->size = type.size_or_type;
		break;
	case KD_TYPE_ENUM:
		node->size = MIN (type.size_or_type, 8u);
		node->is_signed = type.flag;
		break;
	case KD_TYPE_FWD:
		/* So that its spelling says which: size stays 0. */
		node->nr_elements = type.flag;
		break;
	case KD_TYPE_POINTER:
		node->size = 8;
		node->target_ref = type.size_or_type;
		break;
	case KD_TYPE_ARRAY: {
		uint32_t element = 0, index_type, nr = 0;
		kd_cursor_next_u32 (&type.extra, &element);
		kd_cursor_next_u32 (&type.extra, &index_type);
		kd_cursor_next_u32 (&type.extra, &nr);
		node->target_ref = element;
		node->nr_elements = nr;
		break;
	}
	default:
		node->target_ref = type.size_or_type;
		break;
	}
	return node;
}

/*
 * Before kind_flag, a bit-field was a plain offset and an integer type of fewer bits than its size
 * (pahole < 1.13 and hand-made BTF).
 */
static void
narrow_int (const KdBtf *btf, uint32_t id, KdMember *member)
{
	KdBtfType type;
	uint32_t info;

	if (!skip_to_type (btf, id, &type) || type.kind != BTF_KIND_INT ||
		!kd_cursor_next_u32 (&type.extra, &info))
		return;
	uint32_t bits = info & 0xff, shift = info >> 16 & 0xff;
	if (bits != 0 && bits < type.size_or_type * 8) {
		member->bit_offset += shift;
		member->bit_size = bits;
	}
}

static void
expand_members (KdType *node, KdBtfType *type)
{
	KdImage *image = node->image;
	uint32_t name, id, offset;

	node->members = g_new0 (KdMember, type->vlen);
	while (node->nr_members < type->vlen && kd_cursor_next_u32 (&type->extra, &name) &&
		kd_cursor_next_u32 (&type->extra, &id) &&
		kd_cursor_next_u32 (&type->extra, &offset)) {
		KdMember *member = &node->members[node->nr_members++];
		const char *text = kd_btf_string (image->btf, name);
		member->name = text[0] ? text : NULL;
		member->bit_offset = type->flag ? offset & 0xffffff : offset;
		member->bit_size = type->flag ? offset >> 24 : 0;
		if (!type->flag)
			narrow_int (image->btf, id, member);
		member->type = btf_by_ref (image, id);
	}
}

static void
expand_parameters (KdType *node, KdBtfType *type)
{
	KdImage *image = node->image;
	uint32_t name, id;

	node->members = g_new0 (KdMember, type->vlen);
	for (uint32_t i = 0; i < type->vlen && kd_cursor_next_u32 (&type->extra, &name) &&
			     kd_cursor_next_u32 (&type->extra, &id);
		i++) {
		if (id == 0 && i == type->vlen - 1) {
			node->is_variadic = TRUE;
			break;
		}
		const char *text = kd_btf_string (image->btf, name);
		node->members[node->nr_members++] =
			(KdMember){text[0] ? text : NULL, btf_by_ref (image, id), 0, 0};
	}
}

static void
expand_enumerators (KdType *node, KdBtfType *type)
{
	uint32_t name, low, high = 0;

	node->enumerators = g_new0 (KdEnumerator, type->vlen);
	while (node->nr_members < type->vlen && kd_cursor_next_u32 (&type->extra, &name) &&
		kd_cursor_next_u32 (&type->extra, &low)) {
		if (type->kind == KIND_ENUM64 && !kd_cursor_next_u32 (&type->extra, &high))
			break;
		int64_t value = type->kind == KIND_ENUM64 ? (int64_t)((uint64_t)high << 32 | low)
				: type->flag              ? (int32_t)low
							  : (int64_t)low;
		node->enumerators[node->nr_members++] =
			(KdEnumerator){kd_btf_string (node->image->btf, name), value};
	}
}

static void
btf_expand (KdType *node)
{
	KdBtfType type;

	if (!kd_btf_type (node->image->btf, (uint32_t)node->ref, &type))
		return;
	if (type.kind == BTF_KIND_STRUCT || type.kind == BTF_KIND_UNION)
		expand_members (node, &type);
	else if (type.kind == BTF_KIND_FUNC_PROTO)
		expand_parameters (node, &type);
	else if (type.kind == BTF_KIND_ENUM || type.kind == KIND_ENUM64)
		expand_enumerators (node, &type);
}

static const KdType *
btf_by_name (KdImage *image, KdTypeKind kind, const char *name)
{
	static const struct {
		KdTypeKind kind;
		uint32_t btf;
	} order[] = {{KD_TYPE_STRUCT, BTF_KIND_STRUCT}, {KD_TYPE_UNION, BTF_KIND_UNION},
		{KD_TYPE_ENUM, BTF_KIND_ENUM}, {KD_TYPE_ENUM, KIND_ENUM64},
		{KD_TYPE_TYPEDEF, BTF_KIND_TYPEDEF}, {KD_TYPE_TYPEDEF, BTF_KIND_INT},
		{KD_TYPE_TYPEDEF, BTF_KIND_FLOAT}};

	for (unsigned i = 0; i < G_N_ELEMENTS (order); i++) {
		uint32_t id =
			order[i].kind == kind ? kd_btf_find (image->btf, order[i].btf, name) : 0;
		if (id)
			return btf_by_ref (image, id);
	}
	/* Declared only: a pointer to it can still be spelled. */
	if (kind == KD_TYPE_STRUCT || kind == KD_TYPE_UNION) {
		KdBtfType type;
		uint32_t id = kd_btf_find (image->btf, BTF_KIND_FWD, name);
		if (id && kd_btf_type (image->btf, id, &type) &&
			type.flag == (kind == KD_TYPE_UNION))
			return btf_by_ref (image, id);
	}
	return NULL;
}

static const KdType *
btf_of_symbol (KdImage *image, const char *symbol)
{
	uint32_t id = kd_btf_find (image->btf, BTF_KIND_VAR, symbol);
	if (!id)
		id = kd_btf_find (image->btf, BTF_KIND_FUNC, symbol);
	if (!id)
		return NULL;
	const KdType *type = btf_by_ref (image, id);
	return type->kind == KD_TYPE_VOID ? NULL : type;
}

static gboolean
btf_foreach (KdImage *image, gboolean (*func) (KdTypeKind kind, const char *name, void *data),
	void *data)
{
	KdBtfType type;

	for (uint32_t id = kd_btf_first_id (image->btf); id < kd_btf_end_id (image->btf); id++) {
		if (!kd_btf_type (image->btf, id, &type) || type.name[0] == '\0')
			continue;
		KdTypeKind kind = aggregate_kind (type.kind);
		if (kind == KD_TYPE_INT || kind == KD_TYPE_FLOAT)
			kind = KD_TYPE_TYPEDEF;
		if (kind != KD_TYPE_STRUCT && kind != KD_TYPE_UNION && kind != KD_TYPE_ENUM &&
			kind != KD_TYPE_TYPEDEF)
			continue;
		if (!func (kind, type.name, data))
			return FALSE;
	}
	return TRUE;
}

/* A walk over all enumerations: a millisecond, and only somebody's typed expression asks. */
static const KdType *
btf_enumerator (KdImage *image, const char *name, int64_t *ret_value)
{
	KdBtfType type;

	for (uint32_t id = kd_btf_first_id (image->btf); id < kd_btf_end_id (image->btf); id++) {
		uint32_t offset, low, high;

		if (!kd_btf_type (image->btf, id, &type) ||
			(type.kind != BTF_KIND_ENUM && type.kind != KIND_ENUM64))
			continue;
		while (kd_cursor_next_u32 (&type.extra, &offset) &&
			kd_cursor_next_u32 (&type.extra, &low) &&
			(type.kind == BTF_KIND_ENUM || kd_cursor_next_u32 (&type.extra, &high)))
			if (strcmp (kd_btf_string (image->btf, offset), name) == 0) {
				const KdType *found = btf_by_ref (image, id);

				return kd_type_enumerator (found, name, ret_value) ? found : NULL;
			}
	}
	return NULL;
}

const KdTypeSource kd_btf_type_source = {
	.name = "btf",
	.by_name = btf_by_name,
	.of_symbol = btf_of_symbol,
	.by_ref = btf_by_ref,
	.expand = btf_expand,
	.foreach = btf_foreach,
	.enumerator = btf_enumerator,
};

/* --- variables of a section --- */

void
kd_image_section_variables (
	KdImage *image, const char *section, KdSectionVariableFunc func, void *data)
{
	uint32_t id = image->btf ? kd_btf_find (image->btf, BTF_KIND_DATASEC, section) : 0;
	uint32_t var, offset, size;
	KdBtfType type, variable;

	if (!id || !kd_btf_type (image->btf, id, &type))
		return;
	/* struct btf_var_secinfo of <linux/btf.h> */
	while (kd_cursor_next_u32 (&type.extra, &var) &&
		kd_cursor_next_u32 (&type.extra, &offset) &&
		kd_cursor_next_u32 (&type.extra, &size))
		if (kd_btf_type (image->btf, var, &variable) && variable.kind == BTF_KIND_VAR &&
			variable.name[0])
			func (variable.name, offset, size, data);
}
