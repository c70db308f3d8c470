/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdint.h>

#include "base/error.h"

/*
 * JSON with checks. json-glib's own getters return 0 with a CRITICAL for a member of the wrong
 * kind, and its parser overflows the stack on deep nesting (1.6.6: 100,000 '['), so everything that
 * came from outside is parsed and read through here.
 */
typedef struct {
	size_t size_max; /* bytes */
	guint depth_max; /* nested arrays and objects */
} KdJsonLimits;

#define KD_JSON_DEPTH_MAX 64

/*
 * Parses one JSON value. Returns it, or NULL with KD_BASE_ERROR_SYNTAX, _TOO_LARGE, or _RANGE (an
 * integer of more than 64 bits signed). `limits` may be NULL: 64 MiB and KD_JSON_DEPTH_MAX. Free
 * with json_node_unref.
 */
JsonNode *kd_json_parse (const char *text, size_t len, const KdJsonLimits *limits, GError **error);

/* The node's object, or NULL with KD_BASE_ERROR_KIND. Borrowed. */
JsonObject *kd_json_node_object (JsonNode *node, GError **error);
JsonArray *kd_json_node_array (JsonNode *node, GError **error);

/*
 * Typed members. An absent or null member is KD_BASE_ERROR_MISSING when `required`; else the call
 * succeeds and leaves *ret as it was, so that the caller's default stands. Strings, objects and
 * arrays are borrowed from `obj`. `obj` may be NULL and is then empty.
 */
gboolean kd_json_get_string (
	JsonObject *obj, const char *name, gboolean required, const char **ret, GError **error);
gboolean kd_json_get_int (
	JsonObject *obj, const char *name, gboolean required, gint64 *ret, GError **error);
gboolean kd_json_get_uint (
	JsonObject *obj, const char *name, gboolean required, guint64 *ret, GError **error);
gboolean kd_json_get_bool (
	JsonObject *obj, const char *name, gboolean required, gboolean *ret, GError **error);
gboolean kd_json_get_object (
	JsonObject *obj, const char *name, gboolean required, JsonObject **ret, GError **error);
gboolean kd_json_get_array (
	JsonObject *obj, const char *name, gboolean required, JsonArray **ret, GError **error);

/* A string "0x…" or decimal, or a non-negative integer. */
gboolean kd_json_get_address (
	JsonObject *obj, const char *name, gboolean required, guint64 *ret, GError **error);

/* Element `index` of an array, checked. Borrowed. */
gboolean kd_json_array_object (JsonArray *array, guint index, JsonObject **ret, GError **error);
gboolean kd_json_array_string (JsonArray *array, guint index, const char **ret, GError **error);
gboolean kd_json_array_int (JsonArray *array, guint index, gint64 *ret, GError **error);

/* Building results. Addresses are strings "0x…", counts and sizes numbers. */
void kd_json_set_hex (JsonObject *obj, const char *name, guint64 value);
void kd_json_set_int (JsonObject *obj, const char *name, gint64 value);
void kd_json_set_bool (JsonObject *obj, const char *name, gboolean value);

/*
 * Bytes that are not UTF-8 are replaced, since JSON has none and json-glib does not check. NULL
 * sets JSON null.
 */
void kd_json_set_string (JsonObject *obj, const char *name, const char *value);
void kd_json_set_printf (JsonObject *obj, const char *name, const char *format, ...)
	G_GNUC_PRINTF (3, 4);

/* Above G_MAXINT64 a "0x…" string: json-glib has no unsigned kind. */
void kd_json_set_uint (JsonObject *obj, const char *name, guint64 value);

/* New empty member; borrowed, owned by the parent. */
JsonObject *kd_json_add_object (JsonObject *obj, const char *name);
JsonArray *kd_json_add_array (JsonObject *obj, const char *name);
JsonObject *kd_json_array_add_object (JsonArray *array);

/* Takes the object or array. Free with json_node_unref. */
JsonNode *kd_json_object_node (JsonObject *obj);
JsonNode *kd_json_array_node (JsonArray *array);

/*
 * New string. Not pretty: one line, without a newline anywhere (strings hold \n escaped), whole for
 * integers of 64 bits. Pretty: two spaces of indent.
 */
char *kd_json_to_string (JsonNode *node, gboolean pretty);
