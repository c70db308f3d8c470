/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/format.h"

#include <inttypes.h>
#include <string.h>

#include "kernel/format-scalar.h"

/* Of an object, what is read at once; behind it each value is read by itself. */
#define BLOCK_MAX (1u << 20)
#define BLOCK_PAGE 4096u
/* Values in one answer. */
#define BUDGET 50000
/* What fits in a line stays on one. */
#define LINE_WIDTH 72
/* Equal elements in a row that are told once: numbers, and anything longer. */
#define REPEATS_SCALAR 10
#define REPEATS_OTHER 2

typedef struct {
	KdFormatOptions options; /* defaults filled in */
	KdAddr base;
	uint8_t *block; /* of the object itself */
	size_t block_len;
	GByteArray *page_valid; /* a byte for each page of the block */
	unsigned budget;
	unsigned nr_read;
	GError *first_error;
	gboolean partial;
} Format;

static void
format_clear (Format *format)
{
	g_free (format->block);
	g_clear_pointer (&format->page_valid, g_byte_array_unref);
	g_clear_error (&format->first_error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Format, format_clear)

static char *format_value (
	Format *format, const KdObject *object, unsigned depth, JsonNode **ret_json);

/* --- memory --- */

/* Keeps the first error, which is the one to tell when nothing else is there. */
static gboolean
read_memory (Format *format, const KdObject *object, KdAddr addr, void *buf, size_t len)
{
	g_autoptr (GError) error = NULL;

	if (kd_kernel_read (object->kernel, addr, buf, len, &error))
		return TRUE;
	if (!format->first_error)
		format->first_error = g_steal_pointer (&error);
	return FALSE;
}

/* Up to the end of the page it starts in, so that a hole costs no more than itself. */
static void
read_block (Format *format, const KdObject *object)
{
	size_t nr_pages;

	format->base = object->addr;
	format->block_len = (size_t)MIN (kd_type_size (object->type), BLOCK_MAX);
	if (format->block_len == 0)
		return;
	/* A page of the block is one of memory, so the first is cut where the object starts. */
	format->base.value &= ~(uint64_t)(BLOCK_PAGE - 1);
	format->block_len += (size_t)(object->addr.value - format->base.value);
	nr_pages = (format->block_len + BLOCK_PAGE - 1) / BLOCK_PAGE;
	format->block = g_malloc0 (format->block_len);
	format->page_valid = g_byte_array_sized_new ((guint)nr_pages);
	g_byte_array_set_size (format->page_valid, (guint)nr_pages);

	size_t skip = (size_t)(object->addr.value - format->base.value);
	gboolean whole = kd_kernel_read (
		object->kernel, object->addr, format->block + skip, format->block_len - skip, NULL);
	memset (format->page_valid->data, whole, nr_pages);
	for (size_t page = 0; !whole && page < nr_pages; page++) {
		size_t start = MAX (page * BLOCK_PAGE, skip);
		size_t end = MIN ((page + 1) * BLOCK_PAGE, format->block_len);
		KdAddr addr = format->base;

		addr.value += start;
		format->page_valid->data[page] =
			read_memory (format, object, addr, format->block + start, end - start);
	}
}

/* The object's bytes in the block, NULL when they are not in it or not readable. */
static const uint8_t *
in_block (const Format *format, KdAddr addr, uint64_t len)
{
	uint64_t offset = addr.value - format->base.value;

	if (!format->block || len == 0 || addr.value < format->base.value ||
		addr.space.kind != format->base.space.kind ||
		addr.space.id != format->base.space.id || len > format->block_len ||
		offset > format->block_len - len)
		return NULL;
	for (uint64_t page = offset / BLOCK_PAGE; page <= (offset + len - 1) / BLOCK_PAGE; page++)
		if (!format->page_valid->data[page])
			return NULL;
	return format->block + offset;
}

/* FALSE: unreadable. */
static gboolean
load (Format *format, const KdObject *object, KdAddr addr, void *buf, size_t len)
{
	const uint8_t *bytes = in_block (format, addr, len);

	if (bytes)
		memcpy (buf, bytes, len);
	else if (!read_memory (format, object, addr, buf, len))
		return FALSE;
	format->nr_read++;
	return TRUE;
}

static char *
unreadable (Format *format, uint64_t addr, JsonNode **ret_json)
{
	JsonObject *obj = json_object_new();

	format->partial = TRUE;
	json_object_set_member (obj, "unreadable", kd_format_json_hex (addr));
	*ret_json = json_node_init_object (json_node_alloc(), obj);
	json_object_unref (obj);
	return g_strdup_printf ("<unreadable: 0x%" PRIx64 ">", addr);
}

/* --- text --- */

static gboolean
is_one_line (const char *text)
{
	return strchr (text, '\n') == NULL;
}

static void
append_indented (GString *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		g_string_append_c (out, *p);
		if (*p == '\n')
			g_string_append (out, "  ");
	}
}

/* "{ a, b }" where it fits, else a line for each; NULL-free array of parts. */
static char *
brace (GPtrArray *parts, gboolean may_fill)
{
	gsize len = 4;
	gboolean one_line = TRUE;
	GString *out;

	if (parts->len == 0)
		return g_strdup ("{}");
	for (guint i = 0; i < parts->len; i++) {
		const char *part = g_ptr_array_index (parts, i);

		len += (gsize)g_utf8_strlen (part, -1) + 2;
		one_line = one_line && is_one_line (part);
	}
	out = g_string_new ("{");
	gboolean fill = one_line && may_fill && len > LINE_WIDTH;
	gsize line_start = 0;
	for (guint i = 0; i < parts->len; i++) {
		const char *part = g_ptr_array_index (parts, i);
		gboolean is_last = i + 1 == parts->len;

		if (one_line && len <= LINE_WIDTH)
			g_string_append_c (out, ' ');
		else if (!fill || i == 0 ||
			 out->len - line_start + strlen (part) + 2 > LINE_WIDTH) {
			g_string_append (out, "\n  ");
			line_start = out->len;
		} else
			g_string_append_c (out, ' ');
		append_indented (out, part);
		if (!is_last || !one_line || len > LINE_WIDTH)
			g_string_append_c (out, ',');
	}
	g_string_append (out, one_line && len <= LINE_WIDTH ? " }" : "\n}");
	return g_string_free (out, FALSE);
}

/* --- structures and unions --- */

static KdObject
member_of (const KdObject *object, const KdMember *member)
{
	KdObject inner = *object;

	inner.type = member->type;
	inner.addr.value += member->bit_offset / 8;
	inner.bit_size = member->bit_size;
	inner.bit_offset = member->bit_size ? (unsigned)(member->bit_offset % 8) : 0;
	return inner;
}

/* Members of what has no name are its holder's, in C and here. */
static void
adopt_members (JsonObject *obj, JsonNode *node)
{
	JsonObject *inner = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
	JsonObjectIter iter;
	const char *name;
	JsonNode *value;

	if (inner) {
		json_object_iter_init (&iter, inner);
		while (json_object_iter_next (&iter, &name, &value))
			if (!json_object_has_member (obj, name))
				json_object_set_member (obj, name, json_node_copy (value));
	}
	json_node_unref (node);
}

static char *
format_members (Format *format, const KdObject *object, const KdType *type, unsigned depth,
	JsonNode **ret_json)
{
	g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_free);
	g_autoptr (JsonObject) obj = json_object_new();
	unsigned nr;
	const KdMember *members = kd_type_members (type, &nr);

	for (unsigned i = 0; i < nr; i++) {
		KdObject inner = member_of (object, &members[i]);
		const char *name = members[i].name;
		g_autofree char *text = NULL;
		JsonNode *json;

		if (format->budget == 0) {
			format->partial = TRUE;
			json_object_set_int_member (obj, "omitted", nr - i);
			g_ptr_array_add (parts, g_strdup ("..."));
			break;
		}
		text = format_value (format, &inner, depth + 1, &json);
		if (!name || !*name || !g_utf8_validate (name, -1, NULL)) {
			adopt_members (obj, json);
			g_ptr_array_add (parts, g_steal_pointer (&text));
			continue;
		}
		json_object_set_member (obj, name, json);
		g_ptr_array_add (parts, g_strdup_printf ("%s = %s", name, text));
	}
	*ret_json = json_node_init_object (json_node_alloc(), obj);
	return brace (parts, FALSE);
}

/* A list_head that points at itself, as it says of itself. */
static gboolean
is_empty_list (Format *format, const KdObject *object, const KdType *type)
{
	uint64_t next;

	return g_strcmp0 (kd_type_name (type), "list_head") == 0 && kd_type_size (type) == 16 &&
	       load (format, object, object->addr, &next, sizeof next) &&
	       GUINT64_FROM_LE (next) == object->addr.value;
}

static char *
format_aggregate (Format *format, const KdObject *object, const KdType *type, unsigned depth,
	JsonNode **ret_json)
{
	g_autofree char *text = NULL;

	if (!object->is_lvalue) {
		*ret_json = json_node_init_null (json_node_alloc());
		return g_strdup ("<a value without an address>");
	}
	if (depth > format->options.depth) {
		format->partial = TRUE;
		*ret_json = kd_format_json_string ("{...}");
		return g_strdup ("{...}");
	}
	text = format_members (format, object, type, depth, ret_json);
	if (is_empty_list (format, object, type))
		return g_strconcat (text, " (empty)", NULL);
	return g_steal_pointer (&text);
}

/* --- arrays --- */

static gboolean
is_text_array (const Format *format, const KdType *element)
{
	KdTypeKind kind = kd_type_kind (element);

	if (format->options.format && format->options.format != 's')
		return FALSE;
	return kind == KD_TYPE_CHAR || (format->options.format == 's' && kind == KD_TYPE_INT &&
					       kd_type_size (element) == 1);
}

/* Text up to its NUL. NULL: not text (it starts with a NUL and goes on behind it) or unreadable. */
static char *
format_text_array (Format *format, const KdObject *object, uint64_t nr, JsonNode **ret_json)
{
	size_t len = (size_t)MIN (nr, format->options.limit), end;
	g_autofree char *bytes = g_malloc0 (len + 1);
	gboolean more;

	if (!load (format, object, object->addr, bytes, len))
		return NULL;
	end = strnlen (bytes, len);
	if (end == 0)
		for (size_t i = 1; i < len; i++)
			if (bytes[i])
				return NULL;
	more = end == len && len < nr;
	format->partial |= more;
	return kd_format_string (bytes, end, more, ret_json);
}

static KdObject
element_of (const KdObject *array, const KdType *type, uint64_t index, uint64_t size)
{
	KdObject element = *array;

	element.type = type;
	element.bit_size = element.bit_offset = 0;
	element.addr.value += index * size;
	return element;
}

/* How many elements from `index` on have the same bytes. */
static uint64_t
count_repeats (const Format *format, const KdObject *first, uint64_t size, uint64_t left)
{
	const uint8_t *bytes = in_block (format, first->addr, size);
	uint64_t n = 1;
	KdAddr next = first->addr;

	for (; bytes && n < left; n++) {
		next.value += size;
		const uint8_t *other = in_block (format, next, size);
		if (!other || memcmp (bytes, other, (size_t)size) != 0)
			break;
	}
	return n;
}

typedef struct {
	GPtrArray *parts;
	JsonArray *json;
	uint64_t omitted; /* elements that stand in JSON neither */
} Elements;

static void
add_element (Format *format, Elements *elements, const KdObject *element, uint64_t repeats,
	unsigned depth)
{
	JsonNode *json;
	char *text = format_value (format, element, depth + 1, &json);
	uint64_t room = format->options.limit -
			MIN (json_array_get_length (elements->json), format->options.limit);
	uint64_t copies = MIN (repeats, room);

	for (uint64_t i = 0; i < copies; i++)
		json_array_add_element (elements->json, json_node_copy (json));
	elements->omitted += repeats - copies;
	json_node_unref (json);
	if (repeats > 1) {
		g_autofree char *once = text;

		text = g_strdup_printf ("%s <repeats %" PRIu64 " times>", once, repeats);
	}
	g_ptr_array_add (elements->parts, text);
}

static char *
format_array (Format *format, const KdObject *object, const KdType *type, unsigned depth,
	JsonNode **ret_json)
{
	const KdType *target = kd_type_target (type), *element_type = kd_type_strip (target);
	uint64_t nr = kd_type_nr_elements (type), size = kd_type_size (target);
	KdTypeKind kind = kd_type_kind (element_type);
	gboolean is_scalar =
		kind != KD_TYPE_STRUCT && kind != KD_TYPE_UNION && kind != KD_TYPE_ARRAY;
	g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_free);
	g_autoptr (JsonArray) array = json_array_new();
	Elements elements = {parts, array, 0};
	char *text = nr && is_text_array (format, element_type)
			     ? format_text_array (format, object, nr, ret_json)
			     : NULL;

	if (text)
		return text;
	/* Elements without a size are all at one place and all alike: empty. */
	for (uint64_t i = 0; i < nr && size > 0;) {
		KdObject element = element_of (object, target, i, size);
		uint64_t repeats = count_repeats (format, &element, size, nr - i);

		if (parts->len >= format->options.limit || format->budget == 0) {
			format->partial = TRUE;
			elements.omitted += nr - i;
			g_ptr_array_add (parts, g_strdup ("..."));
			break;
		}
		if (repeats < (is_scalar ? REPEATS_SCALAR : REPEATS_OTHER))
			repeats = 1;
		add_element (format, &elements, &element, repeats, depth);
		i += repeats;
	}
	if (elements.omitted) {
		JsonObject *last = json_object_new();

		json_object_set_int_member (last, "omitted", (gint64)elements.omitted);
		json_array_add_object_element (array, last);
	}
	*ret_json = json_node_init_array (json_node_alloc(), array);
	return brace (parts, is_scalar);
}

/* --- any value --- */

static char *
format_number (Format *format, const KdObject *object, const KdType *type, JsonNode **ret_json)
{
	uint64_t size = kd_type_size (type), value;
	uint8_t bytes[16] = {0};
	size_t len = object->bit_size ? (object->bit_offset + object->bit_size + 7) / 8
				      : (size_t)MIN (size, sizeof bytes);

	if (!object->is_lvalue)
		return kd_object_u64 (object, &value, NULL)
			       ? kd_format_scalar (object, value, &format->options, ret_json)
			       : unreadable (format, 0, ret_json);
	if (size == 0 || len > sizeof bytes || !load (format, object, object->addr, bytes, len))
		return unreadable (format, object->addr.value, ret_json);
	if (kd_type_kind (type) == KD_TYPE_FLOAT ||
		!kd_object_decode (object, bytes, len, &value, NULL))
		return kd_format_wide (type, bytes, len, ret_json);
	return kd_format_scalar (object, value, &format->options, ret_json);
}

static char *
format_function (const KdObject *object, JsonNode **ret_json)
{
	g_autofree char *spelling = kd_type_declare (object->type, NULL);
	g_autofree char *symbol =
		object->kernel ? kd_kernel_symbolize (object->kernel, object->addr.value) : NULL;

	*ret_json = kd_format_json_hex (object->addr.value);
	return g_strdup_printf (
		"{%s} 0x%" PRIx64 " <%s>", spelling, object->addr.value, symbol ? symbol : "?");
}

static char *
format_value (Format *format, const KdObject *object, unsigned depth, JsonNode **ret_json)
{
	const KdType *type = kd_type_strip (object->type);

	if (format->budget > 0)
		format->budget--;
	switch (kd_type_kind (type)) {
	case KD_TYPE_STRUCT:
	case KD_TYPE_UNION:
		return format_aggregate (format, object, type, depth, ret_json);
	case KD_TYPE_ARRAY:
		if (depth > format->options.depth || !object->is_lvalue) {
			format->partial = TRUE;
			*ret_json = kd_format_json_string ("{...}");
			return g_strdup ("{...}");
		}
		return format_array (format, object, type, depth, ret_json);
	case KD_TYPE_FUNC:
		return format_function (object, ret_json);
	case KD_TYPE_VOID:
	case KD_TYPE_FWD:
		*ret_json = json_node_init_null (json_node_alloc());
		return g_strdup ("<incomplete type>");
	default:
		return format_number (format, object, type, ret_json);
	}
}

/* --- the whole --- */

static gboolean
check_type (const KdObject *object, GError **error)
{
	KdTypeKind kind = object->type ? kd_type_kind (kd_type_strip (object->type)) : KD_TYPE_VOID;
	g_autofree char *spelling = NULL;

	if (kind != KD_TYPE_VOID && kind != KD_TYPE_FWD)
		return TRUE;
	spelling = object->type ? kd_type_declare (object->type, NULL) : g_strdup ("no known type");
	g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE,
		"what is of %s%s has no value to show (cast it: *(TYPE *)&NAME)",
		kind == KD_TYPE_FWD ? "the only declared " : "", spelling);
	return FALSE;
}

gboolean
kd_format_object (const KdObject *object, const KdFormatOptions *options,
	KdFormatted *ret_formatted, GError **error)
{
	g_auto (Format) format = {.budget = BUDGET};
	KdFormatted formatted = {0};

	if (options)
		format.options = *options;
	format.options.depth = format.options.depth
				       ? MIN (format.options.depth, KD_FORMAT_DEPTH_MAX)
				       : KD_FORMAT_DEPTH;
	format.options.limit = format.options.limit
				       ? MIN (format.options.limit, KD_FORMAT_LIMIT_MAX)
				       : KD_FORMAT_LIMIT;
	if (!check_type (object, error))
		return FALSE;
	if (object->is_lvalue && !object->bit_size &&
		kd_type_kind (kd_type_strip (object->type)) != KD_TYPE_FUNC)
		read_block (&format, object);
	formatted.text = format_value (&format, object, 1, &formatted.json);
	formatted.partial = format.partial;
	if (format.nr_read == 0 && format.first_error) {
		kd_formatted_clear (&formatted);
		g_propagate_error (error, g_steal_pointer (&format.first_error));
		return FALSE;
	}
	*ret_formatted = formatted;
	return TRUE;
}

void
kd_formatted_clear (KdFormatted *formatted)
{
	g_clear_pointer (&formatted->json, json_node_unref);
	g_clear_pointer (&formatted->text, g_free);
}
