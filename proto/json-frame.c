/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/json-frame.h"

#include <string.h>

#include "base/json.h"

typedef enum {
	STATE_BETWEEN,
	STATE_INSIDE,
	STATE_STRING,
	STATE_ESCAPE,
	STATE_SKIP, /* to the next newline */
} State;

struct KdJsonFramer {
	State state;
	size_t size_max;
	guint depth_max;
	gboolean one_line;
	guint depth;
	GByteArray *object; /* what is read of it */
};

KdJsonFramer *
kd_json_framer_new (size_t size_max, guint depth_max, gboolean one_line)
{
	KdJsonFramer *framer = g_new0 (KdJsonFramer, 1);

	framer->size_max = size_max;
	framer->depth_max = depth_max;
	framer->one_line = one_line;
	framer->object = g_byte_array_new();
	return framer;
}

void
kd_json_framer_free (KdJsonFramer *framer)
{
	if (!framer)
		return;
	g_byte_array_unref (framer->object);
	g_free (framer);
}

typedef enum { SCAN_ON, SCAN_END, SCAN_NEWLINE, SCAN_DEEP } Scan;

/* One byte inside an object. */
static Scan
scan (KdJsonFramer *framer, uint8_t byte)
{
	/* A newline can stand in no JSON string, so it always ends a line. */
	if (byte == '\n' && (framer->one_line || framer->state != STATE_INSIDE))
		return SCAN_NEWLINE;
	if (framer->state == STATE_ESCAPE) {
		framer->state = STATE_STRING;
	} else if (framer->state == STATE_STRING) {
		if (byte == '\\')
			framer->state = STATE_ESCAPE;
		else if (byte == '"')
			framer->state = STATE_INSIDE;
	} else if (byte == '"') {
		framer->state = STATE_STRING;
	} else if (byte == '{' || byte == '[') {
		if (++framer->depth > framer->depth_max)
			return SCAN_DEEP;
	} else if (byte == '}' || byte == ']') {
		if (--framer->depth == 0)
			return SCAN_END;
	}
	return SCAN_ON;
}

static KdDecode
fail (KdJsonFramer *framer, State next, KdProtoError code, const char *what, GError **error)
{
	framer->state = next;
	/* Another peer's 16 MiB are not to be kept for nothing. */
	if (framer->object->len > 64 * 1024) {
		g_byte_array_unref (framer->object);
		framer->object = g_byte_array_new();
	}
	g_set_error (error, KD_PROTO_ERROR, (int)code, "%s", what);
	return KD_DECODE_FAILED;
}

static KdDecode
finish (KdJsonFramer *framer, JsonObject **ret_object, GError **error)
{
	KdJsonLimits limits = {framer->size_max, framer->depth_max};
	g_autoptr (JsonNode) node = NULL;
	g_autoptr (GError) why = NULL;
	JsonObject *object;

	framer->state = STATE_BETWEEN;
	node = kd_json_parse (
		(const char *)framer->object->data, framer->object->len, &limits, &why);
	object = node ? kd_json_node_object (node, &why) : NULL;
	if (!object)
		return fail (framer, STATE_SKIP, KD_PROTO_ERROR_MALFORMED, why->message, error);
	*ret_object = json_object_ref (object);
	return KD_DECODE_MESSAGE;
}

/* FALSE: not the start of an object nor white space. */
static gboolean
begin (KdJsonFramer *framer, uint8_t byte)
{
	if (byte == '{') {
		framer->state = STATE_INSIDE;
		framer->depth = 0;
		g_byte_array_set_size (framer->object, 0);
		return TRUE;
	}
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

KdDecode
kd_json_framer_feed (KdJsonFramer *framer, const void *data, size_t len, size_t *ret_used,
	JsonObject **ret_object, GError **error)
{
	const uint8_t *bytes = data;
	size_t i = 0, start;
	Scan outcome = SCAN_ON;

	while (i < len && framer->state == STATE_SKIP)
		if (bytes[i++] == '\n')
			framer->state = STATE_BETWEEN;
	while (i < len && framer->state == STATE_BETWEEN) {
		if (!begin (framer, bytes[i])) {
			*ret_used = i + 1;
			return fail (framer, STATE_SKIP, KD_PROTO_ERROR_MALFORMED,
				"not a JSON object", error);
		}
		/* The bracket itself is scanned below. */
		if (framer->state == STATE_BETWEEN)
			i++;
	}
	start = i;
	while (i < len && outcome == SCAN_ON)
		outcome = scan (framer, bytes[i++]);
	*ret_used = i;
	if (outcome == SCAN_NEWLINE)
		return fail (framer, STATE_BETWEEN, KD_PROTO_ERROR_MALFORMED,
			"a JSON object is cut off by a newline", error);
	if (outcome == SCAN_DEEP)
		return fail (framer, STATE_SKIP, KD_PROTO_ERROR_TOO_LARGE,
			"a JSON object nests too deep", error);
	if (i - start > framer->size_max - framer->object->len)
		return fail (framer, outcome == SCAN_END ? STATE_BETWEEN : STATE_SKIP,
			KD_PROTO_ERROR_TOO_LARGE, "a JSON object is too large", error);
	if (i > start)
		g_byte_array_append (framer->object, bytes + start, (guint)(i - start));
	return outcome == SCAN_END ? finish (framer, ret_object, error) : KD_DECODE_MORE;
}
