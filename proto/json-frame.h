/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "proto/proto.h"

/*
 * Cuts a byte stream into JSON objects by counting brackets, each byte once, with limits on size
 * and depth before anything is parsed. Shared by QMP and JSON-RPC.
 */
typedef struct KdJsonFramer KdJsonFramer;

/*
 * `one_line`: a newline inside an object is an error (JSON-RPC here); without it objects may span
 * lines (QEMU's pretty=on monitors).
 */
KdJsonFramer *kd_json_framer_new (size_t size_max, guint depth_max, gboolean one_line);
void kd_json_framer_free (KdJsonFramer *framer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdJsonFramer, kd_json_framer_free)

/*
 * MESSAGE: *ret_object is new (json_object_unref). FAILED: MALFORMED or TOO_LARGE; what follows is
 * skipped up to the next newline. Anything but '{' and white space between objects is MALFORMED.
 */
KdDecode kd_json_framer_feed (KdJsonFramer *framer, const void *data, size_t len, size_t *ret_used,
	JsonObject **ret_object, GError **error);
