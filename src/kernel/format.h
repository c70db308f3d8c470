/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "kernel/object.h"

#define KD_FORMAT_DEPTH 20  /* by default; at most KD_FORMAT_DEPTH_MAX */
#define KD_FORMAT_LIMIT 200 /* by default; at most KD_FORMAT_LIMIT_MAX */
#define KD_FORMAT_DEPTH_MAX 64
#define KD_FORMAT_LIMIT_MAX 100000

typedef struct {
	char format;    /* 0: by the type. x d o t c s: integers so; s also bytes as text */
	unsigned depth; /* aggregates inside each other that are shown; 0: default */
	unsigned limit; /* elements of an array and bytes of a string shown; 0: default */
} KdFormatOptions;

typedef struct {
	/*
	 * Structures are objects, members of anonymous ones among those of what holds them. Arrays
	 * end in {"omitted": N} where cut. Pointers are "0x…", enumerators their names, text
	 * escaped; integers numbers, and strings beyond 2^53. What cannot be read is {"unreadable":
	 * "0x…"}.
	 */
	JsonNode *json;
	/* As C would initialise it. Lines but the first are indented; no newline at the end. */
	char *text;
	/* Something was cut or could not be read. */
	gboolean partial;
} KdFormatted;

/*
 * Reads the whole object. FALSE: nothing of it could be read, or it is of no type that has a value;
 * memory that is partly there is marked in place instead.
 */
gboolean kd_format_object (const KdObject *object, const KdFormatOptions *options,
	KdFormatted *ret_formatted, GError **error);
void kd_formatted_clear (KdFormatted *formatted);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdFormatted, kd_formatted_clear)
