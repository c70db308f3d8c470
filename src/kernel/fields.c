/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/fields.h"

static gboolean
find_one (const KdType *type, const KdFieldWant *want, KdField *ret_field, char **ret_bad)
{
	const KdType *stripped;
	KdMember member;
	uint64_t size;

	if (!kd_type_member (type, want->path, &member, ret_bad)) {
		if (!want->alt || !kd_type_member (type, want->alt, &member, NULL))
			return FALSE;
		g_clear_pointer (ret_bad, g_free);
	}
	stripped = kd_type_strip (member.type);
	size = kd_type_size (member.type);
	*ret_field = (KdField){.present = TRUE,
		.offset = member.bit_offset / 8,
		.size = (unsigned)MIN (size, KD_FIELD_SPAN_MAX)};
	if (stripped)
		switch (kd_type_kind (stripped)) {
		case KD_TYPE_INT:
		case KD_TYPE_CHAR:
		case KD_TYPE_ENUM:
			ret_field->is_signed = kd_type_is_signed (stripped);
			break;
		default:
			break;
		}
	if (member.bit_size) {
		ret_field->bit_shift = (unsigned)(member.bit_offset % 8);
		ret_field->bit_size = member.bit_size;
		ret_field->size = (ret_field->bit_shift + member.bit_size + 7) / 8;
	}
	return TRUE;
}

gboolean
kd_fields_find (KdKernel *kernel, const char *type, const KdFieldWant *wants, size_t nr,
	KdField *ret_fields, KdFieldSpan *ret_span, GError **error)
{
	const KdType *found = kd_kernel_type (kernel, type);
	uint64_t start = G_MAXUINT64, end = 0;

	if (!found) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"no type \"%s\" in this kernel", type);
		return FALSE;
	}
	for (size_t i = 0; i < nr; i++) {
		g_autofree char *bad = NULL;

		ret_fields[i] = (KdField){0};
		if (find_one (found, &wants[i], &ret_fields[i], &bad)) {
			start = MIN (start, ret_fields[i].offset);
			end = MAX (end, ret_fields[i].offset + ret_fields[i].size);
		} else if (!wants[i].optional) {
			g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND, "%s: %s",
				type, bad ? bad : wants[i].path);
			return FALSE;
		}
	}
	if (end <= start || end - start > KD_FIELD_SPAN_MAX) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE,
			"%s: members lie further apart than any kernel has them", type);
		return FALSE;
	}
	/* Who reads the whole type has them all. */
	if (end > kd_type_size (found)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE,
			"%s: a member lies behind its end", type);
		return FALSE;
	}
	*ret_span = (KdFieldSpan){start, end - start};
	return TRUE;
}

uint64_t
kd_field_get (const KdField *field, const KdFieldSpan *span, const uint8_t *bytes)
{
	unsigned bits = field->bit_size ? field->bit_size : field->size * 8;
	const uint8_t *at;
	uint64_t value = 0;

	/* An absent one has no place in the span. */
	if (!field->present || field->size > 8)
		return 0;
	at = bytes + (field->offset - span->start);
	for (unsigned i = field->size; i-- > 0;)
		value = value << 8 | at[i];
	value >>= field->bit_shift;
	if (bits && bits < 64) {
		value &= (1ULL << bits) - 1;
		if (field->is_signed && value >> (bits - 1))
			value |= ~0ULL << bits;
	}
	return value;
}
