/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/format.h"

/* Shared by format.c and format-scalar.c. All return a new one-line string and a new node. */

/* Integer, enumeration, bool, character or pointer of value `value` (extended by its type). */
char *kd_format_scalar (const KdObject *object, uint64_t value, const KdFormatOptions *options,
	JsonNode **ret_json);
/* What no 64-bit integer holds: floating point and 128 bits, from its bytes. */
char *kd_format_wide (const KdType *type, const uint8_t *bytes, size_t len, JsonNode **ret_json);
/* Quoted text; `more`: it goes on behind what is shown. */
char *kd_format_string (const char *bytes, size_t len, gboolean more, JsonNode **ret_json);

JsonNode *kd_format_json_string (const char *text);
JsonNode *kd_format_json_hex (uint64_t value);
