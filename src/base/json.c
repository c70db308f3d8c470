/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "base/json-scan.h"

static const KdJsonLimits default_limits = {64 * 1024 * 1024, KD_JSON_DEPTH_MAX};

JsonNode *
kd_json_parse (const char *text, size_t len, const KdJsonLimits *limits, GError **error)
{
	g_autoptr (JsonParser) parser = NULL;
	g_autoptr (GError) why = NULL;
	JsonNode *root;

	if (!kd_json_scan (text, len, limits ? limits : &default_limits, error))
		return NULL;
	parser = json_parser_new_immutable();
	if (!json_parser_load_from_data (parser, text, (gssize)len, &why)) {
		g_set_error (
			error, KD_BASE_ERROR, KD_BASE_ERROR_SYNTAX, "not JSON: %s", why->message);
		return NULL;
	}
	root = json_parser_get_root (parser);
	if (!root) {
		g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_SYNTAX, "no JSON value");
		return NULL;
	}
	return json_node_ref (root);
}

static const char *
kind_name (JsonNode *node)
{
	if (JSON_NODE_HOLDS_OBJECT (node))
		return "an object";
	if (JSON_NODE_HOLDS_ARRAY (node))
		return "an array";
	if (JSON_NODE_HOLDS_NULL (node))
		return "null";
	switch (json_node_get_value_type (node)) {
	case G_TYPE_STRING:
		return "a string";
	case G_TYPE_BOOLEAN:
		return "a boolean";
	default:
		return "a number";
	}
}

static gboolean
wrong_kind (JsonNode *node, const char *name, const char *wanted, GError **error)
{
	g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_KIND, "%s is %s, not %s", name,
		kind_name (node), wanted);
	return FALSE;
}

JsonObject *
kd_json_node_object (JsonNode *node, GError **error)
{
	if (node && JSON_NODE_HOLDS_OBJECT (node))
		return json_node_get_object (node);
	if (node)
		wrong_kind (node, "value", "an object", error);
	else
		g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_MISSING, "no object");
	return NULL;
}

JsonArray *
kd_json_node_array (JsonNode *node, GError **error)
{
	if (node && JSON_NODE_HOLDS_ARRAY (node))
		return json_node_get_array (node);
	if (node)
		wrong_kind (node, "value", "an array", error);
	else
		g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_MISSING, "no array");
	return NULL;
}

/* FALSE: failed. TRUE with NULL in *ret: absent and not required. */
static gboolean
find (JsonObject *obj, const char *name, gboolean required, JsonNode **ret, GError **error)
{
	JsonNode *node = obj ? json_object_get_member (obj, name) : NULL;

	*ret = NULL;
	if (node && !JSON_NODE_HOLDS_NULL (node)) {
		*ret = node;
		return TRUE;
	}
	if (!required)
		return TRUE;
	g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_MISSING, "%s is missing", name);
	return FALSE;
}

static gboolean
holds (JsonNode *node, GType type)
{
	return JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == type;
}

gboolean
kd_json_get_string (
	JsonObject *obj, const char *name, gboolean required, const char **ret, GError **error)
{
	JsonNode *node;

	if (!find (obj, name, required, &node, error))
		return FALSE;
	if (!node)
		return TRUE;
	if (!holds (node, G_TYPE_STRING))
		return wrong_kind (node, name, "a string", error);
	*ret = json_node_get_string (node);
	return TRUE;
}

gboolean
kd_json_get_int (JsonObject *obj, const char *name, gboolean required, gint64 *ret, GError **error)
{
	JsonNode *node;

	if (!find (obj, name, required, &node, error))
		return FALSE;
	if (!node)
		return TRUE;
	if (!holds (node, G_TYPE_INT64))
		return wrong_kind (node, name, "an integer", error);
	*ret = json_node_get_int (node);
	return TRUE;
}

gboolean
kd_json_get_uint (
	JsonObject *obj, const char *name, gboolean required, guint64 *ret, GError **error)
{
	gint64 value = 0;
	JsonNode *node;

	if (!find (obj, name, required, &node, error))
		return FALSE;
	if (!node)
		return TRUE;
	if (!kd_json_get_int (obj, name, TRUE, &value, error))
		return FALSE;
	if (value < 0) {
		g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_RANGE, "%s is negative", name);
		return FALSE;
	}
	*ret = (guint64)value;
	return TRUE;
}

gboolean
kd_json_get_bool (
	JsonObject *obj, const char *name, gboolean required, gboolean *ret, GError **error)
{
	JsonNode *node;

	if (!find (obj, name, required, &node, error))
		return FALSE;
	if (!node)
		return TRUE;
	if (!holds (node, G_TYPE_BOOLEAN))
		return wrong_kind (node, name, "a boolean", error);
	*ret = json_node_get_boolean (node);
	return TRUE;
}

gboolean
kd_json_get_object (
	JsonObject *obj, const char *name, gboolean required, JsonObject **ret, GError **error)
{
	JsonNode *node;

	if (!find (obj, name, required, &node, error))
		return FALSE;
	if (!node)
		return TRUE;
	if (!JSON_NODE_HOLDS_OBJECT (node))
		return wrong_kind (node, name, "an object", error);
	*ret = json_node_get_object (node);
	return TRUE;
}

gboolean
kd_json_get_array (
	JsonObject *obj, const char *name, gboolean required, JsonArray **ret, GError **error)
{
	JsonNode *node;

	if (!find (obj, name, required, &node, error))
		return FALSE;
	if (!node)
		return TRUE;
	if (!JSON_NODE_HOLDS_ARRAY (node))
		return wrong_kind (node, name, "an array", error);
	*ret = json_node_get_array (node);
	return TRUE;
}

gboolean
kd_json_get_address (
	JsonObject *obj, const char *name, gboolean required, guint64 *ret, GError **error)
{
	JsonNode *node;

	if (!find (obj, name, required, &node, error))
		return FALSE;
	if (!node)
		return TRUE;
	if (holds (node, G_TYPE_INT64))
		return kd_json_get_uint (obj, name, TRUE, ret, error);
	if (!holds (node, G_TYPE_STRING))
		return wrong_kind (node, name, "an address", error);
	if (!kd_parse_u64 (json_node_get_string (node), ret)) {
		g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_SYNTAX,
			"%s is not a number of 64 bits (0x… or decimal)", name);
		return FALSE;
	}
	return TRUE;
}

static JsonNode *
element (JsonArray *array, guint index, GError **error)
{
	if (index < json_array_get_length (array))
		return json_array_get_element (array, index);
	g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_MISSING, "element %u is missing", index);
	return NULL;
}

static gboolean
wrong_element (JsonNode *node, guint index, const char *wanted, GError **error)
{
	g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_KIND, "element %u is %s, not %s", index,
		kind_name (node), wanted);
	return FALSE;
}

gboolean
kd_json_array_object (JsonArray *array, guint index, JsonObject **ret, GError **error)
{
	JsonNode *node = element (array, index, error);

	if (!node)
		return FALSE;
	if (!JSON_NODE_HOLDS_OBJECT (node))
		return wrong_element (node, index, "an object", error);
	*ret = json_node_get_object (node);
	return TRUE;
}

gboolean
kd_json_array_string (JsonArray *array, guint index, const char **ret, GError **error)
{
	JsonNode *node = element (array, index, error);

	if (!node)
		return FALSE;
	if (!holds (node, G_TYPE_STRING))
		return wrong_element (node, index, "a string", error);
	*ret = json_node_get_string (node);
	return TRUE;
}

gboolean
kd_json_array_int (JsonArray *array, guint index, gint64 *ret, GError **error)
{
	JsonNode *node = element (array, index, error);

	if (!node)
		return FALSE;
	if (!holds (node, G_TYPE_INT64))
		return wrong_element (node, index, "an integer", error);
	*ret = json_node_get_int (node);
	return TRUE;
}

void
kd_json_set_hex (JsonObject *obj, const char *name, guint64 value)
{
	char text[24];

	g_snprintf (text, sizeof text, "0x%" PRIx64, value);
	json_object_set_string_member (obj, name, text);
}

void
kd_json_set_int (JsonObject *obj, const char *name, gint64 value)
{
	json_object_set_int_member (obj, name, value);
}

void
kd_json_set_bool (JsonObject *obj, const char *name, gboolean value)
{
	json_object_set_boolean_member (obj, name, value);
}

void
kd_json_set_string (JsonObject *obj, const char *name, const char *value)
{
	g_autofree char *valid = NULL;

	if (!value) {
		json_object_set_null_member (obj, name);
		return;
	}
	if (!g_utf8_validate (value, -1, NULL))
		value = valid = g_utf8_make_valid (value, -1);
	json_object_set_string_member (obj, name, value);
}

void
kd_json_set_printf (JsonObject *obj, const char *name, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start (args, format);
	text = g_strdup_vprintf (format, args);
	va_end (args);
	kd_json_set_string (obj, name, text);
}

void
kd_json_set_uint (JsonObject *obj, const char *name, guint64 value)
{
	if (value > G_MAXINT64)
		kd_json_set_hex (obj, name, value);
	else
		json_object_set_int_member (obj, name, (gint64)value);
}

JsonObject *
kd_json_add_object (JsonObject *obj, const char *name)
{
	JsonObject *child = json_object_new();

	json_object_set_object_member (obj, name, child);
	return child;
}

JsonArray *
kd_json_add_array (JsonObject *obj, const char *name)
{
	JsonArray *child = json_array_new();

	json_object_set_array_member (obj, name, child);
	return child;
}

JsonObject *
kd_json_array_add_object (JsonArray *array)
{
	JsonObject *child = json_object_new();

	json_array_add_object_element (array, child);
	return child;
}

JsonNode *
kd_json_object_node (JsonObject *obj)
{
	JsonNode *node = json_node_new (JSON_NODE_OBJECT);

	json_node_take_object (node, obj);
	return node;
}

JsonNode *
kd_json_array_node (JsonArray *array)
{
	JsonNode *node = json_node_new (JSON_NODE_ARRAY);

	json_node_take_array (node, array);
	return node;
}

char *
kd_json_to_string (JsonNode *node, gboolean pretty)
{
	return json_to_string (node, pretty);
}
