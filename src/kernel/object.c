/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/object.h"

#include <string.h>

#define NAME_MAX_LEN 256
/* A bit-field of 64 bits that does not start at a byte. */
#define SCALAR_BYTES_MAX 9

/* "struct kvm", "void *": for messages; new string. */
static char *
type_text (const KdType *type)
{
	return type ? kd_type_declare (type, "") : g_strdup ("void");
}

static const KdType *
stripped (const KdObject *object)
{
	return object->type ? kd_type_strip (object->type) : NULL;
}

static KdTypeKind
kind_of (const KdObject *object)
{
	const KdType *type = stripped (object);

	return type ? kd_type_kind (type) : KD_TYPE_VOID;
}

/* --- making --- */

KdObject
kd_object_at (KdKernel *kernel, const KdType *type, uint64_t va)
{
	return (KdObject){
		.kernel = kernel, .type = type, .is_lvalue = TRUE, .addr = kd_addr_kernel (va)};
}

KdObject
kd_object_in_hand (KdKernel *kernel, const KdType *type, uint64_t value)
{
	return (KdObject){.kernel = kernel, .type = type, .value = value};
}

static const KdType *
find_type (KdKernel *kernel, const char *spelling, GError **error)
{
	const KdType *type = kd_kernel_type (kernel, spelling);

	if (!type)
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"no type \"%s\" in this kernel", spelling);
	return type;
}

gboolean
kd_object_at_named (
	KdKernel *kernel, const char *type, uint64_t va, KdObject *ret_object, GError **error)
{
	const KdType *found = find_type (kernel, type, error);

	if (found)
		*ret_object = kd_object_at (kernel, found, va);
	return found != NULL;
}

/* "extern const char linux_banner[]": as long as the symbol is. */
static const KdType *
sized_array (KdKernel *kernel, const char *symbol, const KdType *type)
{
	const KdType *array = kd_type_strip (type);
	KdKernelSymbol found;
	uint64_t size;

	if (kd_type_kind (array) != KD_TYPE_ARRAY || kd_type_nr_elements (array) != 0)
		return type;
	size = kd_type_size (kd_type_target (array));
	if (size == 0 || !kd_kernel_symbol (kernel, symbol, &found) || found.size < size)
		return type;
	return kd_image_type_array_of (
		kd_kernel_image (kernel), kd_type_target (array), found.size / size);
}

static gboolean
symbol_type (KdKernel *kernel, const char *symbol, const char *fallback_type,
	const KdType **ret_type, GError **error)
{
	/* Whoever knows the type does not wait for DWARF. */
	*ret_type = kd_kernel_type_of_symbol (kernel, symbol, fallback_type == NULL);
	if (*ret_type)
		*ret_type = sized_array (kernel, symbol, *ret_type);
	if (*ret_type || !fallback_type)
		return TRUE;
	*ret_type = find_type (kernel, fallback_type, error);
	return *ret_type != NULL;
}

gboolean
kd_object_symbol (KdKernel *kernel, const char *symbol, const char *fallback_type,
	KdObject *ret_object, GError **error)
{
	const KdType *type;
	uint64_t addr;

	if (!kd_kernel_symbol_addr (kernel, symbol, &addr, error) ||
		!symbol_type (kernel, symbol, fallback_type, &type, error))
		return FALSE;
	*ret_object = kd_object_at (kernel, type, addr);
	return TRUE;
}

gboolean
kd_object_percpu (KdKernel *kernel, const char *symbol, const char *fallback_type, unsigned cpu,
	KdObject *ret_object, GError **error)
{
	KdObject object;
	uint64_t offset;

	if (!kd_object_symbol (kernel, symbol, fallback_type, &object, error) ||
		!kd_kernel_percpu_offset (kernel, cpu, &offset, error))
		return FALSE;
	object.addr.value += offset;
	*ret_object = object;
	return TRUE;
}

/* --- reading --- */

gboolean
kd_object_read_bytes (const KdObject *object, void *buf, size_t len, GError **error)
{
	if (!object->is_lvalue) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE,
			"a value in hand lies at no address");
		return FALSE;
	}
	return kd_kernel_read (object->kernel, object->addr, buf, len, error);
}

static uint64_t
extend (uint64_t value, unsigned bits, gboolean is_signed)
{
	if (bits == 0 || bits >= 64)
		return value;
	value &= (1ULL << bits) - 1;
	if (is_signed && value >> (bits - 1))
		value |= ~0ULL << bits;
	return value;
}

/* Bytes that hold the object; 0 and TYPE when no 64-bit integer holds it. */
static size_t
scalar_len (const KdObject *object, GError **error)
{
	uint64_t size = kd_type_size (object->type);
	size_t len = object->bit_size ? (object->bit_offset + object->bit_size + 7) / 8
				      : (size_t)MIN (size, 16);

	if (size == 0 || size > 8 || object->bit_size > 64 || len > SCALAR_BYTES_MAX) {
		g_autofree char *name = type_text (object->type);

		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE,
			"%s of %" G_GUINT64_FORMAT " bytes is no integer kvmdbg can hold", name,
			size);
		return 0;
	}
	return len;
}

static gboolean
is_scalar (const KdObject *object, gboolean *ret_is_signed)
{
	switch (kind_of (object)) {
	case KD_TYPE_INT:
	case KD_TYPE_CHAR:
	case KD_TYPE_ENUM:
		*ret_is_signed = kd_type_is_signed (stripped (object));
		return TRUE;
	case KD_TYPE_BOOL:
	case KD_TYPE_POINTER:
		*ret_is_signed = FALSE;
		return TRUE;
	default:
		return FALSE;
	}
}

static gboolean
set_no_scalar (const KdObject *object, GError **error)
{
	g_autofree char *name = type_text (object->type);

	g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE,
		"%s is no integer, pointer or enumeration", name);
	return FALSE;
}

gboolean
kd_object_decode (const KdObject *object, const uint8_t *bytes, size_t len, uint64_t *ret_value,
	GError **error)
{
	size_t wanted = scalar_len (object, error);
	gboolean is_signed;
	uint64_t value = 0;

	if (wanted == 0)
		return FALSE;
	if (!is_scalar (object, &is_signed) || len < wanted)
		return set_no_scalar (object, error);
	for (size_t i = MIN (wanted, 8); i-- > 0;)
		value = value << 8 | bytes[i];
	if (object->bit_offset) {
		value >>= object->bit_offset;
		if (wanted > 8)
			value |= (uint64_t)bytes[8] << (64 - object->bit_offset);
	}
	*ret_value = extend (
		value, object->bit_size ? object->bit_size : (unsigned)wanted * 8, is_signed);
	return TRUE;
}

static gboolean
read_scalar (const KdObject *object, uint64_t *ret_value, GError **error)
{
	uint8_t bytes[SCALAR_BYTES_MAX];
	size_t len = scalar_len (object, error);

	return len > 0 && kd_object_read_bytes (object, bytes, len, error) &&
	       kd_object_decode (object, bytes, len, ret_value, error);
}

gboolean
kd_object_u64 (const KdObject *object, uint64_t *ret_value, GError **error)
{
	KdTypeKind kind = kind_of (object);
	gboolean is_signed;

	/* Arrays and functions decay to their address, as in C. */
	if ((kind == KD_TYPE_ARRAY || kind == KD_TYPE_FUNC) && object->is_lvalue) {
		*ret_value = object->addr.value;
		return TRUE;
	}
	if (!is_scalar (object, &is_signed))
		return set_no_scalar (object, error);
	if (object->is_lvalue)
		return read_scalar (object, ret_value, error);
	*ret_value = extend (
		object->value, (unsigned)MIN (kd_type_size (object->type), 8) * 8, is_signed);
	return TRUE;
}

gboolean
kd_object_i64 (const KdObject *object, int64_t *ret_value, GError **error)
{
	uint64_t value;

	if (!kd_object_u64 (object, &value, error))
		return FALSE;
	*ret_value = (int64_t)value;
	return TRUE;
}

/* A structure that is only there to be another type than what it holds: atomic_t, refcount_t. */
static void
unwrap (KdObject *object)
{
	const KdMember *only;
	unsigned nr;

	while (kind_of (object) == KD_TYPE_STRUCT && object->is_lvalue) {
		only = kd_type_members (stripped (object), &nr);
		if (nr != 1 || only->bit_size ||
			kd_type_size (only->type) != kd_type_size (object->type))
			return;
		object->type = only->type;
	}
}

gboolean
kd_object_member_u64 (const KdObject *object, const char *path, uint64_t *ret_value, GError **error)
{
	KdObject member;

	if (!kd_object_member (object, path, &member, error))
		return FALSE;
	unwrap (&member);
	return kd_object_u64 (&member, ret_value, error);
}

char *
kd_object_string (const KdObject *object, size_t max, GError **error)
{
	KdTypeKind kind = kind_of (object);
	uint64_t addr;

	if (kind == KD_TYPE_ARRAY && object->is_lvalue) {
		size_t len = (size_t)MIN (kd_type_size (object->type), max);
		g_autofree char *text = g_malloc (len + 1);

		if (!kd_object_read_bytes (object, text, len, error))
			return NULL;
		text[len] = '\0';
		return g_steal_pointer (&text);
	}
	if (kind != KD_TYPE_POINTER) {
		g_autofree char *name = type_text (object->type);

		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE, "%s is no string", name);
		return NULL;
	}
	return kd_object_u64 (object, &addr, error)
		       ? kd_kernel_read_cstring (object->kernel, addr, max, error)
		       : NULL;
}

/* --- going on --- */

gboolean
kd_object_deref (const KdObject *pointer, KdObject *ret_target, GError **error)
{
	const KdType *type = stripped (pointer);
	KdObject target;
	uint64_t addr;

	if (!type ||
		(kd_type_kind (type) != KD_TYPE_POINTER && kd_type_kind (type) != KD_TYPE_ARRAY)) {
		g_autofree char *name = type_text (pointer->type);

		g_set_error (
			error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE, "%s is no pointer", name);
		return FALSE;
	}
	if (!kd_object_u64 (pointer, &addr, error))
		return FALSE;
	target = kd_object_at (pointer->kernel, kd_type_target (type), addr);
	if (target.kernel && target.type)
		target.type = kd_kernel_complete_type (target.kernel, target.type);
	/* An array stays in its space; a pointer read from anywhere in the kernel points into the
	 * kernel's. */
	if (pointer->is_lvalue &&
		(kd_type_kind (type) == KD_TYPE_ARRAY || pointer->addr.space.kind == KD_SPACE_USER))
		target.addr.space = pointer->addr.space;
	*ret_target = target; /* which may be `pointer` */
	return TRUE;
}

gboolean
kd_object_index (
	const KdObject *array_or_pointer, int64_t index, KdObject *ret_element, GError **error)
{
	const KdType *type = stripped (array_or_pointer);
	uint64_t size, nr;
	KdObject first;

	if (!kd_object_deref (array_or_pointer, &first, error))
		return FALSE;
	nr = kd_type_kind (type) == KD_TYPE_ARRAY ? kd_type_nr_elements (type) : 0;
	/* [0] and [1] at the end of a structure stand for arrays of any length. */
	if (nr > 1 && (index < 0 || (uint64_t)index >= nr)) {
		g_autofree char *name = type_text (array_or_pointer->type);

		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE,
			"index %" G_GINT64_FORMAT " is outside %s", index, name);
		return FALSE;
	}
	size = first.type ? MIN (kd_type_size (first.type), (uint64_t)G_MAXINT64) : 1;
	if (size == 0 && index != 0) {
		g_autofree char *name = type_text (first.type);

		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE,
			"%s has no size to index by", name);
		return FALSE;
	}
	/* No object spans half of all addresses. */
	if (size && (index > G_MAXINT64 / (int64_t)size || index < G_MININT64 / (int64_t)size)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE,
			"index %" G_GINT64_FORMAT " of elements of %" G_GUINT64_FORMAT
			" bytes is outside all memory",
			index, size);
		return FALSE;
	}
	first.addr.value += (uint64_t)index * size;
	*ret_element = first;
	return TRUE;
}

static gboolean
set_no_member (const KdObject *object, const char *name, const char *why, GError **error)
{
	g_autofree char *type = type_text (object->type);

	if (why)
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND, "%s", why);
	else
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"%s has no member %s", type, name);
	return FALSE;
}

/* One name, through anonymous members; the object is a structure or a union. */
static gboolean
one_member (const KdObject *object, const char *name, KdObject *ret_member, GError **error)
{
	g_autofree char *bad = NULL;
	KdMember member;

	if (!object->type || !kd_type_member (object->type, name, &member, &bad))
		return set_no_member (object, name, bad, error);
	*ret_member = *object;
	ret_member->type = member.type;
	ret_member->addr.value = object->addr.value + member.bit_offset / 8;
	ret_member->bit_offset = member.bit_size ? (unsigned)(member.bit_offset % 8) : 0;
	ret_member->bit_size = member.bit_size;
	return TRUE;
}

static gboolean
set_bad_path (const char *path, GError **error)
{
	g_set_error (
		error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_SYNTAX, "\"%s\" is no member path", path);
	return FALSE;
}

/* The next part of a path: a name into `name`, or an index. Returns behind it, NULL on bad syntax.
 */
static const char *
next_part (const char *at, char name[NAME_MAX_LEN], gint64 *ret_index)
{
	if (*at == '[') {
		char *end;

		*ret_index = g_ascii_strtoll (at + 1, &end, 0);
		name[0] = '\0';
		return end > at + 1 && *end == ']' ? end + 1 : NULL;
	}
	at += at[0] == '.' ? 1 : at[0] == '-' && at[1] == '>' ? 2 : 0;
	size_t len = strspn (at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	if (len == 0 || len >= NAME_MAX_LEN)
		return NULL;
	memcpy (name, at, len);
	name[len] = '\0';
	return at + len;
}

gboolean
kd_object_member (const KdObject *object, const char *path, KdObject *ret_member, GError **error)
{
	KdObject at = *object;
	char name[NAME_MAX_LEN];
	gint64 index = 0;

	for (const char *rest = path; *rest;) {
		rest = next_part (rest, name, &index);
		if (!rest)
			return set_bad_path (path, error);
		if (!name[0]) {
			if (!kd_object_index (&at, index, &at, error))
				return FALSE;
			continue;
		}
		if (kind_of (&at) == KD_TYPE_POINTER && !kd_object_deref (&at, &at, error))
			return FALSE;
		if (!at.is_lvalue)
			return set_no_member (&at, name, NULL, error);
		if (!one_member (&at, name, &at, error))
			return FALSE;
	}
	*ret_member = at;
	return TRUE;
}

gboolean
kd_object_has_member (const KdObject *object, const char *path)
{
	const KdType *type = object->type;
	char name[NAME_MAX_LEN];
	gint64 index = 0;

	for (const char *rest = path; *rest;) {
		KdMember member;

		rest = next_part (rest, name, &index);
		if (!rest || !type)
			return FALSE;
		type = kd_type_strip (type);
		if (!type)
			return FALSE;
		if (!name[0] || kd_type_kind (type) == KD_TYPE_POINTER)
			type = kd_type_target (type);
		if (!name[0])
			continue;
		if (!type || !kd_type_member (type, name, &member, NULL))
			return FALSE;
		type = member.type;
	}
	return type != NULL;
}

gboolean
kd_object_cast (const KdObject *object, const char *type, KdObject *ret_object, GError **error)
{
	const KdType *found = find_type (object->kernel, type, error);

	return found && kd_object_cast_to (object, found, ret_object, error);
}

gboolean
kd_object_cast_to (const KdObject *object, const KdType *type, KdObject *ret_object, GError **error)
{
	KdObject as_type = {.kernel = object->kernel, .type = type};
	KdTypeKind kind = kind_of (&as_type);
	uint64_t value;

	if (kind == KD_TYPE_STRUCT || kind == KD_TYPE_UNION || kind == KD_TYPE_ARRAY) {
		/* As gdb has it: the same bytes seen as another aggregate. */
		if (!object->is_lvalue || object->bit_size) {
			g_autofree char *name = type_text (type);

			g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE,
				"a value cannot become %s; cast a pointer to it", name);
			return FALSE;
		}
		*ret_object = *object;
		ret_object->type = type;
		return TRUE;
	}
	if (!kd_object_u64 (object, &value, error))
		return FALSE;
	as_type.value = value;
	if (kind == KD_TYPE_BOOL)
		as_type.value = value != 0;
	else if (kind != KD_TYPE_VOID)
		return kd_object_u64 (&as_type, &as_type.value, error) &&
		       (*ret_object = as_type, TRUE);
	*ret_object = as_type;
	return TRUE;
}

gboolean
kd_object_container_of (KdKernel *kernel, uint64_t va, const char *type, const char *path,
	KdObject *ret_object, GError **error)
{
	const KdType *found = find_type (kernel, type, error);
	g_autofree char *bad = NULL;
	KdMember member;

	if (!found)
		return FALSE;
	if (!kd_type_member (found, path, &member, &bad)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND, "%s",
			bad ? bad : "no such member");
		return FALSE;
	}
	*ret_object = kd_object_at (kernel, found, va - member.bit_offset / 8);
	return TRUE;
}
