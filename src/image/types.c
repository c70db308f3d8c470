/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "base/hex.h"
#include "base/nearest.h"
#include "image/image-private.h"

/*
 * The graph of types, whatever its source. A hostile source can make any cycle (a typedef of
 * itself, a structure that has itself as anonymous member), so every walk has a limit.
 */
#define STRIP_MAX 64
#define ANONYMOUS_DEPTH_MAX 16
/* Members looked at in one search. The kernel's largest structure has some hundreds. */
#define SEARCH_MAX 200000

typedef struct {
	unsigned depth;
	unsigned budget;
} Search;

void
kd_types_init (KdImage *image)
{
	image->by_ref = g_hash_table_new (g_int64_hash, g_int64_equal);
	image->pointers = g_hash_table_new (NULL, NULL);
	image->nodes = g_ptr_array_new();
	image->arrays = g_ptr_array_new();
	image->void_type = kd_type_new (image, KD_TYPE_VOID, 0);
}

void
kd_types_clear (KdImage *image)
{
	for (guint i = 0; image->nodes && i < image->nodes->len; i++) {
		KdType *type = g_ptr_array_index (image->nodes, i);
		g_free (type->members);
		g_free (type->enumerators);
		g_free (type);
	}
	g_clear_pointer (&image->nodes, g_ptr_array_unref);
	g_clear_pointer (&image->arrays, g_ptr_array_unref);
	g_clear_pointer (&image->by_ref, g_hash_table_unref);
	g_clear_pointer (&image->pointers, g_hash_table_unref);
}

KdType *
kd_type_new (KdImage *image, KdTypeKind kind, uint64_t ref)
{
	KdType *type = g_new0 (KdType, 1);
	type->image = image;
	type->kind = kind;
	type->ref = ref;
	g_ptr_array_add (image->nodes, type);
	if (ref)
		g_hash_table_insert (image->by_ref, &type->ref, type);
	return type;
}

KdType *
kd_type_lookup_ref (KdImage *image, uint64_t ref)
{
	return g_hash_table_lookup (image->by_ref, &ref);
}

KdTypeKind
kd_type_int_kind (const char *name, uint64_t size, gboolean is_bool, gboolean is_char)
{
	if (is_bool || (size == 1 && g_strcmp0 (name, "_Bool") == 0))
		return KD_TYPE_BOOL;
	/* pahole does not set BTF_INT_CHAR, DWARF gives it to u8 also: only plain char is text. */
	if (size == 1 && name && (strcmp (name, "char") == 0 || (is_char && !strchr (name, ' '))))
		return KD_TYPE_CHAR;
	return KD_TYPE_INT;
}

KdTypeKind
kd_type_kind (const KdType *type)
{
	return type->kind;
}

const char *
kd_type_name (const KdType *type)
{
	return type->name;
}

gboolean
kd_type_is_signed (const KdType *type)
{
	return type->is_signed;
}

gboolean
kd_type_is_variadic (const KdType *type)
{
	unsigned nr;
	kd_type_members (type, &nr);
	return type->is_variadic;
}

uint64_t
kd_type_nr_elements (const KdType *type)
{
	return type->kind == KD_TYPE_ARRAY ? type->nr_elements : 0;
}

const KdType *
kd_type_target (const KdType *type)
{
	/* The node is ours; only its caches change. */
	KdType *node = (KdType *)type;

	switch (type->kind) {
	case KD_TYPE_POINTER:
	case KD_TYPE_ARRAY:
	case KD_TYPE_FUNC:
	case KD_TYPE_TYPEDEF:
	case KD_TYPE_CONST:
	case KD_TYPE_VOLATILE:
	case KD_TYPE_RESTRICT:
		if (!node->target)
			node->target = node->image->types->by_ref (node->image, node->target_ref);
		return node->target;
	default:
		return NULL;
	}
}

static gboolean
is_transparent (const KdType *type)
{
	return type->kind == KD_TYPE_TYPEDEF || type->kind == KD_TYPE_CONST ||
	       type->kind == KD_TYPE_VOLATILE || type->kind == KD_TYPE_RESTRICT;
}

const KdType *
kd_type_strip (const KdType *type)
{
	for (unsigned i = 0; i < STRIP_MAX; i++) {
		if (!is_transparent (type))
			return type;
		type = kd_type_target (type);
	}
	return type->image->void_type;
}

uint64_t
kd_type_size (const KdType *type)
{
	uint64_t count = 1, size;

	for (unsigned i = 0; i < STRIP_MAX; i++) {
		type = kd_type_strip (type);
		if (type->kind != KD_TYPE_ARRAY)
			return g_uint64_checked_mul (&size, count, type->size) ? size : 0;
		if (!g_uint64_checked_mul (&count, count, type->nr_elements))
			return 0;
		type = kd_type_target (type);
	}
	return 0;
}

static void
expand (const KdType *type)
{
	KdType *node = (KdType *)type;

	if (node->expanded)
		return;
	node->expanded = TRUE;
	if (node->ref)
		node->image->types->expand (node);
}

const KdMember *
kd_type_members (const KdType *type, unsigned *ret_nr)
{
	*ret_nr = 0;
	if (type->kind != KD_TYPE_STRUCT && type->kind != KD_TYPE_UNION &&
		type->kind != KD_TYPE_FUNC)
		return NULL;
	expand (type);
	*ret_nr = type->nr_members;
	return type->members;
}

const KdEnumerator *
kd_type_enumerators (const KdType *type, unsigned *ret_nr)
{
	*ret_nr = 0;
	if (type->kind != KD_TYPE_ENUM)
		return NULL;
	expand (type);
	*ret_nr = type->nr_members;
	return type->enumerators;
}

gboolean
kd_type_enumerator (const KdType *type, const char *name, int64_t *ret_value)
{
	unsigned nr;
	const KdEnumerator *all = kd_type_enumerators (type, &nr);

	for (unsigned i = 0; i < nr; i++)
		if (strcmp (all[i].name, name) == 0) {
			*ret_value = all[i].value;
			return TRUE;
		}
	return FALSE;
}

const KdType *
kd_image_type_pointer_to (KdImage *image, const KdType *type)
{
	KdType *pointer = g_hash_table_lookup (image->pointers, type);
	if (!pointer) {
		pointer = kd_type_new (image, KD_TYPE_POINTER, 0);
		pointer->size = 8;
		pointer->target = type;
		g_hash_table_insert (image->pointers, (gpointer)type, pointer);
	}
	return pointer;
}

const KdType *
kd_image_type_array_of (KdImage *image, const KdType *type, uint64_t nr_elements)
{
	/* Few are ever made: no table. */
	for (guint i = 0; i < image->arrays->len; i++) {
		const KdType *node = g_ptr_array_index (image->arrays, i);
		if (node->target == type && node->nr_elements == nr_elements)
			return node;
	}
	KdType *array = kd_type_new (image, KD_TYPE_ARRAY, 0);
	array->target = type;
	array->nr_elements = nr_elements;
	g_ptr_array_add (image->arrays, array);
	return array;
}

/* --- members by path --- */

static gboolean
find_member (const KdType *type, const char *name, size_t len, Search *search, KdMember *ret)
{
	unsigned nr;
	type = kd_type_strip (type);
	if (type->kind != KD_TYPE_STRUCT && type->kind != KD_TYPE_UNION)
		return FALSE;
	const KdMember *members = kd_type_members (type, &nr);
	for (unsigned i = 0; i < nr && search->budget > 0; i++) {
		search->budget--;
		const KdMember *member = &members[i];
		if (member->name) {
			if (strncmp (member->name, name, len) == 0 && member->name[len] == '\0') {
				*ret = *member;
				return TRUE;
			}
			continue;
		}
		KdMember inner;
		if (search->depth >= ANONYMOUS_DEPTH_MAX)
			continue;
		search->depth++;
		gboolean found = find_member (member->type, name, len, search, &inner);
		search->depth--;
		if (found) {
			inner.bit_offset += member->bit_offset;
			*ret = inner;
			return TRUE;
		}
	}
	return FALSE;
}

static void
offer_members (const KdType *type, Search *search, KdNearest *nearest)
{
	unsigned nr;
	type = kd_type_strip (type);
	const KdMember *members = kd_type_members (type, &nr);

	if (type->kind != KD_TYPE_STRUCT && type->kind != KD_TYPE_UNION)
		return;
	for (unsigned i = 0; i < nr && search->budget > 0; i++) {
		search->budget--;
		if (members[i].name) {
			kd_nearest_offer (nearest, members[i].name);
		} else if (search->depth < ANONYMOUS_DEPTH_MAX) {
			search->depth++;
			offer_members (members[i].type, search, nearest);
			search->depth--;
		}
	}
}

static char *
describe_absent (const KdType *type, const char *name, size_t len)
{
	g_autofree char *wanted = g_strndup (name, len);
	g_autofree char *spelling = kd_type_declare (type, NULL);
	KdTypeKind kind = kd_type_strip (type)->kind;

	if (kind != KD_TYPE_STRUCT && kind != KD_TYPE_UNION)
		return g_strdup_printf ("%s has no members, so no %s", spelling, wanted);
	g_autoptr (KdNearest) nearest = kd_nearest_new (wanted);
	Search search = {0, SEARCH_MAX};
	offer_members (type, &search, nearest);
	g_autofree char *hint = kd_nearest_hint (nearest);
	return g_strdup_printf ("%s has no member %s%s", spelling, wanted, hint);
}

/* "[N]" at *path; moves behind it. */
static gboolean
enter_index (KdMember *member, const char **path, char **ret_bad)
{
	const KdType *array = kd_type_strip (member->type);
	const char *end = strchr (*path, ']');
	g_autofree char *digits = end ? g_strndup (*path + 1, (gsize)(end - *path - 1)) : NULL;
	uint64_t index, bits;

	if (!digits || !kd_parse_u64 (digits, &index)) {
		*ret_bad = g_strdup_printf ("\"%s\" is no index", *path);
		return FALSE;
	}
	if (array->kind != KD_TYPE_ARRAY) {
		g_autofree char *spelling = kd_type_declare (member->type, NULL);
		*ret_bad = g_strdup_printf ("%s is no array", spelling);
		return FALSE;
	}
	/* Length 0 is a flexible array, whose bound the type does not know. */
	uint64_t nr = array->nr_elements;
	if ((nr != 0 && index >= nr) ||
		!g_uint64_checked_mul (&bits, index, 8 * kd_type_size (kd_type_target (array))) ||
		!g_uint64_checked_add (&bits, bits, member->bit_offset)) {
		*ret_bad = g_strdup_printf (
			"index %" PRIu64 " of an array of %" PRIu64 " elements", index, nr);
		return FALSE;
	}
	member->type = kd_type_target (array);
	member->bit_offset = bits;
	member->bit_size = 0;
	*path = end + 1;
	return TRUE;
}

gboolean
kd_type_member (const KdType *type, const char *path, KdMember *ret_member, char **ret_bad)
{
	KdMember at = {NULL, type, 0, 0};
	g_autofree char *bad = NULL;
	const char *p = path;

	while (!bad) {
		if (*p == '[') {
			if (!enter_index (&at, &p, &bad))
				break;
		} else {
			size_t len = strcspn (p, ".[");
			Search search = {0, SEARCH_MAX};
			KdMember member;
			if (len == 0) {
				bad = g_strdup_printf ("\"%s\" is no member path", path);
				break;
			}
			if (!find_member (at.type, p, len, &search, &member)) {
				bad = describe_absent (at.type, p, len);
				break;
			}
			member.bit_offset += at.bit_offset;
			at = member;
			p += len;
		}
		if (*p == '\0') {
			*ret_member = at;
			return TRUE;
		}
		if (*p == '.')
			p++;
		else if (*p != '[')
			bad = g_strdup_printf ("\"%s\" is no member path", path);
	}
	if (ret_bad)
		*ret_bad = g_steal_pointer (&bad);
	return FALSE;
}
