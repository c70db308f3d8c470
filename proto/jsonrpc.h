/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "proto/proto.h"

/* JSON-RPC 2.0, one object a line, both sides. No batches. Source: jsonrpc.org/specification. */
#define KD_JSONRPC_LINE_MAX (64 * 1024 * 1024) /* what a client takes from its daemon */
#define KD_JSONRPC_REQUEST_MAX (1024 * 1024)   /* what a daemon takes from a client */

typedef enum {
	KD_JSONRPC_PARSE_ERROR = -32700,
	KD_JSONRPC_INVALID_REQUEST = -32600,
	KD_JSONRPC_METHOD_NOT_FOUND = -32601,
	KD_JSONRPC_INVALID_PARAMS = -32602,
	KD_JSONRPC_INTERNAL_ERROR = -32603,
	KD_JSONRPC_REFUSED = -32000, /* without an id: the connection is not served */
} KdJsonrpcCode;

typedef enum {
	KD_JSONRPC_REQUEST,
	KD_JSONRPC_NOTIFICATION,
	KD_JSONRPC_RESPONSE,
	KD_JSONRPC_ERROR,
} KdJsonrpcKind;

typedef struct {
	KdJsonrpcKind kind;
	JsonNode *id; /* REQUEST, RESPONSE, ERROR: number, string, or null; NULL for NOTIFICATION */
	char *method; /* REQUEST, NOTIFICATION */
	JsonNode *params; /* REQUEST, NOTIFICATION: object, array or NULL */
	JsonNode *result; /* RESPONSE */
	gint64 code;      /* ERROR */
	char *message;    /* ERROR */
	JsonNode *data;   /* ERROR: may be NULL */
} KdJsonrpcMessage;

void kd_jsonrpc_message_clear (KdJsonrpcMessage *msg);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdJsonrpcMessage, kd_jsonrpc_message_clear)

/* The id as an integer; FALSE when it is something else. */
gboolean kd_jsonrpc_message_get_id (const KdJsonrpcMessage *msg, gint64 *ret_id);

/* `params` as an object: NULL params give NULL and TRUE, an array FALSE. Borrowed. */
gboolean kd_jsonrpc_message_get_params (const KdJsonrpcMessage *msg, JsonObject **ret_params);

typedef struct KdJsonrpcDecoder KdJsonrpcDecoder;

KdJsonrpcDecoder *kd_jsonrpc_decoder_new (size_t line_max);
void kd_jsonrpc_decoder_free (KdJsonrpcDecoder *dec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdJsonrpcDecoder, kd_jsonrpc_decoder_free)

/*
 * On MESSAGE the caller clears *ret_msg. FAILED: *ret_code is PARSE_ERROR (also: over the limit) or
 * INVALID_REQUEST, to be answered by a server with kd_jsonrpc_build_error and *ret_id (new, or NULL
 * when it could not be read; json_node_unref). ret_id may be NULL.
 */
KdDecode kd_jsonrpc_decoder_feed (KdJsonrpcDecoder *dec, const void *data, size_t len,
	size_t *ret_used, KdJsonrpcMessage *ret_msg, KdJsonrpcCode *ret_code, JsonNode **ret_id,
	GError **error);

/* Each gives one whole line with its newline, as a new string. `params`, `result`, `data` are
 * borrowed and may be NULL. */
char *kd_jsonrpc_build_request (gint64 id, const char *method, JsonNode *params);
char *kd_jsonrpc_build_notification (const char *method, JsonNode *params);

/* `id` as it came in the request (borrowed; NULL means null). */
char *kd_jsonrpc_build_response (JsonNode *id, JsonNode *result);
char *kd_jsonrpc_build_error (JsonNode *id, gint64 code, const char *message, JsonNode *data);
