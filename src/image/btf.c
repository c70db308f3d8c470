/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/btf.h"

#include <linux/btf.h>
#include <stdarg.h>

#include "image/image.h"

/* Kinds newer than the build machine's header; the values are ABI. */
enum {
	KIND_DECL_TAG = 17,
	KIND_TYPE_TAG = 18,
	KIND_ENUM64 = 19,
	KIND_MAX = 19,
};

/* The kernel's own limits (BTF_MAX_TYPE, BTF_MAX_NAME_OFFSET) are 2^20 and 2^24. */
#define TYPES_MAX (1u << 24)

struct KdBtf {
	const KdBtf *base;
	KdCursor types;
	const char *strings; /* ends with NUL */
	uint32_t strings_len;
	uint32_t first_id;
	uint32_t first_string;
	KdIndexArray offsets;
	KdIndexArray hash;
	GArray *own_offsets;
	GArray *own_hash;
};

static gboolean fail (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
fail (GError **error, const char *format, ...)
{
	va_list args;
	va_start (args, format);
	g_autofree char *message = g_strdup_vprintf (format, args);
	va_end (args);
	g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_BAD_INFO, "BTF: %s", message);
	return FALSE;
}

static gboolean
read_header (KdBtf *btf, const void *data, size_t len, GError **error)
{
	KdCursor cursor = kd_cursor_init (data, len, FALSE);
	uint16_t magic;
	uint8_t version, flags;
	uint32_t header_len, type_off, type_len, string_off, string_len;
	const uint8_t *types, *strings;

	if (!kd_cursor_next_u16 (&cursor, &magic))
		return fail (error, "%zu bytes", len);
	if (magic == GUINT16_SWAP_LE_BE_CONSTANT (BTF_MAGIC))
		cursor.big_endian = TRUE;
	else if (magic != BTF_MAGIC)
		return fail (error, "magic 0x%04x", magic);
	if (!kd_cursor_next_u8 (&cursor, &version) || !kd_cursor_next_u8 (&cursor, &flags) ||
		!kd_cursor_next_u32 (&cursor, &header_len) ||
		!kd_cursor_next_u32 (&cursor, &type_off) ||
		!kd_cursor_next_u32 (&cursor, &type_len) ||
		!kd_cursor_next_u32 (&cursor, &string_off) ||
		!kd_cursor_next_u32 (&cursor, &string_len))
		return fail (error, "truncated header");
	if (version != BTF_VERSION)
		return fail (error, "version %u", version);
	/* Newer ones have more: what is read above is in all. */
	if (header_len < cursor.pos || header_len > len)
		return fail (error, "header of %u bytes", header_len);
	if (!kd_cursor_seek (&cursor, header_len) || !kd_cursor_skip (&cursor, type_off) ||
		type_off % 4 != 0 || !kd_cursor_next_bytes (&cursor, type_len, &types))
		return fail (error, "types at 0x%x of 0x%x bytes", type_off, type_len);
	if (!kd_cursor_seek (&cursor, header_len) || !kd_cursor_skip (&cursor, string_off) ||
		!kd_cursor_next_bytes (&cursor, string_len, &strings))
		return fail (error, "strings at 0x%x of 0x%x bytes", string_off, string_len);
	if (string_len == 0 || strings[string_len - 1] != '\0' ||
		(!btf->base && strings[0] != '\0'))
		return fail (error, "strings do not begin and end with NUL");

	btf->types = kd_cursor_init (types, type_len, cursor.big_endian);
	btf->strings = (const char *)strings;
	btf->strings_len = string_len;
	return TRUE;
}

/* Bytes behind the fixed part; FALSE: no such kind. */
static gboolean
extra_len (uint32_t kind, uint32_t vlen, size_t *ret)
{
	switch (kind) {
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case KIND_TYPE_TAG:
		*ret = 0;
		return TRUE;
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case KIND_DECL_TAG:
		*ret = 4;
		return TRUE;
	case BTF_KIND_ARRAY:
		*ret = sizeof (struct btf_array);
		return TRUE;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		*ret = vlen * sizeof (struct btf_member);
		return TRUE;
	case BTF_KIND_ENUM:
		*ret = vlen * sizeof (struct btf_enum);
		return TRUE;
	case BTF_KIND_FUNC_PROTO:
		*ret = vlen * sizeof (struct btf_param);
		return TRUE;
	case BTF_KIND_DATASEC:
		*ret = vlen * sizeof (struct btf_var_secinfo);
		return TRUE;
	case KIND_ENUM64:
		*ret = (size_t)vlen * 12;
		return TRUE;
	default:
		return FALSE;
	}
}

/* The type at the cursor, which moves behind it. */
static gboolean
next_type (const KdBtf *btf, KdCursor *cursor, KdBtfType *ret)
{
	KdCursor at = *cursor;
	uint32_t name, info;
	size_t extra;

	if (!kd_cursor_next_u32 (&at, &name) || !kd_cursor_next_u32 (&at, &info) ||
		!kd_cursor_next_u32 (&at, &ret->size_or_type))
		return FALSE;
	ret->kind = info >> 24 & 0x1f;
	ret->vlen = info & 0xffff;
	ret->flag = info >> 31;
	if (!extra_len (ret->kind, ret->vlen, &extra) ||
		!kd_cursor_next_sub (&at, extra, &ret->extra))
		return FALSE;
	ret->name = kd_btf_string (btf, name);
	*cursor = at;
	return TRUE;
}

static gboolean
walk (KdBtf *btf, GError **error)
{
	KdCursor cursor = btf->types;
	KdBtfType type;

	btf->own_offsets = g_array_sized_new (
		FALSE, FALSE, sizeof (uint32_t), (guint)(kd_cursor_left (&cursor) / 30));
	g_autoptr (GArray) hashes = g_array_sized_new (
		FALSE, FALSE, sizeof (uint32_t), (guint)(kd_cursor_left (&cursor) / 30));
	while (!kd_cursor_at_end (&cursor)) {
		uint32_t offset = (uint32_t)cursor.pos;
		if (!next_type (btf, &cursor, &type))
			return fail (error, "damaged type %u at 0x%x",
				btf->first_id + btf->own_offsets->len, offset);
		if (btf->own_offsets->len == TYPES_MAX)
			return fail (error, "more than %u types", TYPES_MAX);
		uint32_t hash = type.name[0] ? kd_index_hash (type.name) : 0;
		g_array_append_val (btf->own_offsets, offset);
		g_array_append_val (hashes, hash);
	}

	size_t nr_named = 0;
	for (guint i = 0; i < hashes->len; i++)
		nr_named += g_array_index (hashes, uint32_t, i) != 0;
	btf->own_hash = kd_index_hash_table_new (nr_named);
	for (guint i = 0; i < hashes->len; i++)
		if (g_array_index (hashes, uint32_t, i))
			kd_index_hash_table_add (btf->own_hash, g_array_index (hashes, uint32_t, i),
				btf->first_id + i);
	btf->offsets = (KdIndexArray){btf->own_offsets->data, btf->own_offsets->len};
	btf->hash = (KdIndexArray){btf->own_hash->data, btf->own_hash->len};
	return TRUE;
}

KdBtf *
kd_btf_new (const void *data, size_t len, const KdBtf *base, GError **error)
{
	g_autoptr (KdBtf) btf = g_new0 (KdBtf, 1);

	btf->base = base;
	btf->first_id = base ? kd_btf_end_id (base) : 1;
	btf->first_string = base ? base->first_string + base->strings_len : 0;
	if (!read_header (btf, data, len, error) || !walk (btf, error))
		return NULL;
	return g_steal_pointer (&btf);
}

KdBtf *
kd_btf_new_indexed (const void *data, size_t len, const KdIndexArray *types,
	const KdIndexArray *hash, GError **error)
{
	g_autoptr (KdBtf) btf = g_new0 (KdBtf, 1);

	btf->first_id = 1;
	btf->offsets = *types;
	btf->hash = *hash;
	if (types->nr > TYPES_MAX || !read_header (btf, data, len, error))
		return NULL;
	return g_steal_pointer (&btf);
}

void
kd_btf_free (KdBtf *btf)
{
	if (!btf)
		return;
	g_clear_pointer (&btf->own_offsets, g_array_unref);
	g_clear_pointer (&btf->own_hash, g_array_unref);
	g_free (btf);
}

GArray *
kd_btf_types_table (const KdBtf *btf)
{
	return btf->own_offsets;
}

GArray *
kd_btf_hash_table (const KdBtf *btf)
{
	return btf->own_hash;
}

uint32_t
kd_btf_end_id (const KdBtf *btf)
{
	return btf->first_id + (uint32_t)btf->offsets.nr;
}

uint32_t
kd_btf_first_id (const KdBtf *btf)
{
	return btf->first_id;
}

gboolean
kd_btf_type (const KdBtf *btf, uint32_t id, KdBtfType *ret)
{
	if (btf->base && id < btf->first_id)
		return kd_btf_type (btf->base, id, ret);
	if (id < btf->first_id || id - btf->first_id >= btf->offsets.nr)
		return FALSE;
	KdCursor cursor = btf->types;
	uint32_t offset = ((const uint32_t *)btf->offsets.entries)[id - btf->first_id];
	KdBtfType type;
	if (!kd_cursor_seek (&cursor, offset) || !next_type (btf, &cursor, &type))
		return FALSE;
	*ret = type;
	return TRUE;
}

const char *
kd_btf_string (const KdBtf *btf, uint32_t offset)
{
	if (btf->base && offset < btf->first_string)
		return kd_btf_string (btf->base, offset);
	offset -= btf->first_string;
	return offset < btf->strings_len ? btf->strings + offset : "";
}

uint32_t
kd_btf_find (const KdBtf *btf, uint32_t kind, const char *name)
{
	uint32_t id, best = btf->base ? kd_btf_find (btf->base, kind, name) : 0;
	KdIndexProbe probe = kd_index_probe (&btf->hash, kd_index_hash (name));
	KdBtfType type;

	if (best)
		return best;
	/* Several of one kind and name exist; the lowest is what `bpftool` and libbpf answer. */
	while ((id = kd_index_probe_next (&probe)) != 0)
		if ((best == 0 || id < best) && id >= btf->first_id &&
			kd_btf_type (btf, id, &type) && type.kind == kind &&
			strcmp (type.name, name) == 0)
			best = id;
	return best;
}
