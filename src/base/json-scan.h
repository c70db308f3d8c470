/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "base/json.h"

#define KD_JSON_SCAN_DEPTH_MAX 256

/*
 * Checks that the text is one JSON value as RFC 8259 has it, within the limits, without recursing.
 * KD_BASE_ERROR_SYNTAX, _TOO_LARGE, or _RANGE for a number that json-glib would silently turn into
 * another one.
 */
gboolean kd_json_scan (const char *text, size_t len, const KdJsonLimits *limits, GError **error);
