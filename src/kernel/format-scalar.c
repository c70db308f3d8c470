/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/format-scalar.h"

#include <inttypes.h>
#include <string.h>

#include "base/escape.h"

/* Integers that every JSON reader keeps whole. */
#define JSON_INTEGER_MAX (INT64_C (1) << 53)
/* Text shown behind a char pointer inside something larger. */
#define POINTED_MAX 200

JsonNode *
kd_format_json_string (const char *text)
{
	return json_node_init_string (json_node_alloc(), text);
}

JsonNode *
kd_format_json_hex (uint64_t value)
{
	g_autofree char *text = g_strdup_printf ("0x%" PRIx64, value);

	return kd_format_json_string (text);
}

static JsonNode *
json_integer (uint64_t value, gboolean is_signed)
{
	g_autofree char *text = NULL;
	int64_t number = (int64_t)value;

	if (is_signed ? number >= -JSON_INTEGER_MAX && number <= JSON_INTEGER_MAX
		      : value <= JSON_INTEGER_MAX)
		return json_node_init_int (json_node_alloc(), number);
	if (!is_signed)
		return kd_format_json_hex (value);
	text = g_strdup_printf ("%" PRId64, number);
	return kd_format_json_string (text);
}

char *
kd_format_string (const char *bytes, size_t len, gboolean more, JsonNode **ret_json)
{
	g_autofree char *escaped = kd_escape (bytes, (gssize)len, len);
	GString *quoted = g_string_new ("\"");

	for (const char *p = escaped; *p; p++) {
		if (*p == '"')
			g_string_append_c (quoted, '\\');
		g_string_append_c (quoted, *p);
	}
	g_string_append (quoted, more ? "\"..." : "\"");
	*ret_json = kd_format_json_string (escaped);
	return g_string_free (quoted, FALSE);
}

static char *
binary_text (uint64_t value)
{
	char digits[65];
	unsigned n = sizeof digits;

	digits[--n] = '\0';
	do {
		digits[--n] = value & 1 ? '1' : '0';
		value >>= 1;
	} while (value);
	return g_strdup_printf ("0b%s", digits + n);
}

/* "65 'A'" */
static char *
character_text (int64_t value)
{
	char c = (char)value;

	if (value == '\'' || value == '\\')
		return g_strdup_printf ("%" PRId64 " '\\%c'", value, c);
	if (value >= ' ' && value < 0x7f)
		return g_strdup_printf ("%" PRId64 " '%c'", value, c);
	if (value == '\n' || value == '\t' || value == '\r')
		return g_strdup_printf ("%" PRId64 " '\\%c'", value,
			value == '\n'   ? 'n'
			: value == '\t' ? 't'
					: 'r');
	return g_strdup_printf ("%" PRId64 " '\\%03o'", value, (unsigned)(value & 0xff));
}

/* The bits the object has, without what sign extension put above them. */
static uint64_t
cut_to_width (const KdObject *object, uint64_t value)
{
	uint64_t bits = object->bit_size ? object->bit_size : kd_type_size (object->type) * 8;

	return bits == 0 || bits >= 64 ? value : value & ((UINT64_C (1) << bits) - 1);
}

/* As --format asks; NULL: the format says nothing of such a value. */
static char *
forced_text (const KdObject *object, uint64_t value, char format, JsonNode **ret_json)
{
	uint64_t cut = cut_to_width (object, value);
	char *text = NULL;

	switch (format) {
	case 'x':
		text = g_strdup_printf ("0x%" PRIx64, cut);
		break;
	case 'o':
		text = g_strdup_printf (cut ? "0%" PRIo64 : "%" PRIo64, cut);
		break;
	case 't':
		text = binary_text (cut);
		break;
	case 'c':
		text = character_text ((int64_t)(int8_t)value);
		break;
	case 'd': {
		unsigned bits = object->bit_size ? object->bit_size
						 : (unsigned)kd_type_size (object->type) * 8;
		int64_t number = bits > 0 && bits < 64
					 ? (int64_t)(value << (64 - bits)) >> (64 - bits)
					 : (int64_t)value;
		*ret_json = json_integer ((uint64_t)number, TRUE);
		return g_strdup_printf ("%" PRId64, number);
	}
	default:
		return NULL;
	}
	*ret_json = kd_format_json_string (text);
	return text;
}

/* "A | B" when the enumerators are bits and cover the value; else NULL. */
static char *
flags_text (const KdEnumerator *values, unsigned nr, uint64_t value)
{
	g_autoptr (GString) text = g_string_new (NULL);
	uint64_t left = value;

	for (unsigned i = 0; i < nr; i++) {
		uint64_t bit = (uint64_t)values[i].value;

		if (bit & (bit - 1))
			return NULL;
		if (bit == 0 || !(left & bit))
			continue;
		g_string_append_printf (text, "%s%s", text->len ? " | " : "", values[i].name);
		left &= ~bit;
	}
	return left || !text->len ? NULL : g_string_free (g_steal_pointer (&text), FALSE);
}

static char *
enum_text (const KdType *type, uint64_t value, JsonNode **ret_json)
{
	unsigned nr;
	const KdEnumerator *values = kd_type_enumerators (type, &nr);
	gboolean is_signed = kd_type_is_signed (type);
	char *text = NULL;

	for (unsigned i = 0; i < nr && !text; i++)
		if ((uint64_t)values[i].value == value)
			text = g_strdup (values[i].name);
	if (!text)
		text = flags_text (values, nr, value);
	if (text) {
		*ret_json = kd_format_json_string (text);
		return text;
	}
	*ret_json = json_integer (value, is_signed);
	return is_signed ? g_strdup_printf ("%" PRId64, (int64_t)value)
			 : g_strdup_printf ("%" PRIu64, value);
}

static gboolean
points_to_text (const KdType *pointer, char format)
{
	const KdType *target = kd_type_strip (kd_type_target (pointer));

	return kd_type_kind (target) == KD_TYPE_CHAR ||
	       (format == 's' && kd_type_kind (target) == KD_TYPE_INT &&
		       kd_type_size (target) == 1);
}

static char *
pointer_text (const KdObject *object, const KdType *type, uint64_t value, char format,
	unsigned limit, JsonNode **ret_json)
{
	GString *text = g_string_new (NULL);
	size_t max = MIN (limit ? limit : KD_FORMAT_LIMIT, POINTED_MAX);
	KdKernelSymbol symbol;

	g_string_printf (text, "0x%" PRIx64, value);
	*ret_json = kd_format_json_string (text->str);
	if (value == 0 || !object->kernel)
		return g_string_free (text, FALSE);
	if (kd_kernel_symbol_at (object->kernel, value, &symbol)) {
		if (symbol.addr == value)
			g_string_append_printf (text, " <%s>", symbol.name);
		else
			g_string_append_printf (
				text, " <%s+0x%" PRIx64 ">", symbol.name, value - symbol.addr);
	}
	if (points_to_text (type, format)) {
		g_autofree char *string = kd_kernel_read_cstring (object->kernel, value, max, NULL);

		if (string) {
			size_t len = strlen (string);
			JsonNode *ignored;
			g_autofree char *quoted =
				kd_format_string (string, len, len == max, &ignored);

			json_node_unref (ignored);
			g_string_append_printf (text, " %s", quoted);
		}
	}
	return g_string_free (text, FALSE);
}

char *
kd_format_scalar (
	const KdObject *object, uint64_t value, const KdFormatOptions *options, JsonNode **ret_json)
{
	const KdType *type = kd_type_strip (object->type);
	gboolean is_signed = kd_type_is_signed (type);
	char *forced = forced_text (object, value, options->format, ret_json);

	if (forced)
		return forced;
	switch (kd_type_kind (type)) {
	case KD_TYPE_POINTER:
		return pointer_text (
			object, type, value, options->format, options->limit, ret_json);
	case KD_TYPE_ENUM:
		return enum_text (type, value, ret_json);
	case KD_TYPE_BOOL:
		if (value > 1)
			break;
		*ret_json = json_node_init_boolean (json_node_alloc(), value != 0);
		return g_strdup (value ? "true" : "false");
	case KD_TYPE_CHAR:
		*ret_json = json_integer (value, is_signed);
		return character_text (is_signed ? (int64_t)(int8_t)value : (int64_t)value);
	default:
		break;
	}
	*ret_json = json_integer (value, is_signed);
	return is_signed ? g_strdup_printf ("%" PRId64, (int64_t)value)
			 : g_strdup_printf ("%" PRIu64, value);
}

char *
kd_format_wide (const KdType *type, const uint8_t *bytes, size_t len, JsonNode **ret_json)
{
	char buf[G_ASCII_DTOSTR_BUF_SIZE];
	GString *text;
	float f;
	double d;

	if (kd_type_kind (type) == KD_TYPE_FLOAT && (len == sizeof f || len == sizeof d)) {
		memcpy (&f, bytes, sizeof f);
		d = (double)f;
		if (len == sizeof d)
			memcpy (&d, bytes, sizeof d);
		g_ascii_formatd (buf, sizeof buf, len == sizeof f ? "%.9g" : "%.17g", d);
		*ret_json = kd_format_json_string (buf);
		return g_strdup (buf);
	}
	/* Little-endian: the last byte is the highest. */
	text = g_string_new ("0x");
	while (len > 1 && bytes[len - 1] == 0)
		len--;
	for (size_t i = len; i-- > 0;)
		g_string_append_printf (text, i == len - 1 ? "%x" : "%02x", bytes[i]);
	*ret_json = kd_format_json_string (text->str);
	return g_string_free (text, FALSE);
}
