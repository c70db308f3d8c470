/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

/* How outcomes look on the wire. */

/* How a client wants its result. */
typedef struct {
	gboolean text;  /* "render": "text" or "text-only" */
	gboolean value; /* the tree too: all but "text-only" */
	gboolean color;
	unsigned columns;
} KdRenderOptions;

gboolean kd_answer_render_options (
	JsonObject *params, KdRenderOptions *ret_options, GError **error);

/*
 * `value` as the client wants it: bare, or {"text", "value"?}. Takes `value`; new. Either thread.
 */
JsonNode *kd_answer_render (
	const KdCommand *command, const KdRenderOptions *options, JsonNode *value);

/* One line each, new. The error's data has "class": "usage", "failed", "no-session", "lost",
 * "cancelled", "needs-stop" or "needs-kernel". */
char *kd_answer_result (JsonNode *id, JsonNode *result);
char *kd_answer_error (JsonNode *id, const GError *error);
/* The error object alone, as JSON text. */
char *kd_answer_error_object (const GError *error);
