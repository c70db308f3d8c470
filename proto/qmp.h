/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "proto/out-queue.h"
#include "proto/proto.h"

/*
 * QEMU's machine protocol, client side, without IO. The greeting is answered with qmp_capabilities
 * by itself; calls may be made once READY was seen. Every call has an id; replies are matched by
 * it, in any order. Source: QEMU docs/interop/qmp-spec.
 */
#define KD_QMP_LINE_MAX (16 * 1024 * 1024)
#define KD_QMP_PENDING_MAX 256

typedef enum {
	KD_QMP_READY,  /* negotiated; `version` is set */
	KD_QMP_RETURN, /* `id`, `value` */
	KD_QMP_ERROR,  /* `id`, `error`: REMOTE ("Class: description"; kd_qmp_error_class) or CLOSED
			*/
	KD_QMP_EVENT,  /* `name`, `data` */
} KdQmpKind;

typedef struct {
	KdQmpKind kind;
	guint64 id;          /* of the call; 0 for READY and EVENT */
	JsonNode *value;     /* RETURN */
	GError *error;       /* ERROR */
	char *error_class;   /* ERROR from the peer: "GenericError", "CommandNotFound", … */
	char *name;          /* EVENT: "STOP", … */
	JsonObject *data;    /* EVENT: may be NULL */
	gint64 timestamp_us; /* EVENT: host wall clock, or -1 */
} KdQmpMessage;

void kd_qmp_message_clear (KdQmpMessage *msg);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdQmpMessage, kd_qmp_message_clear)

typedef struct KdQmpClient KdQmpClient;

KdQmpClient *kd_qmp_client_new (void);
void kd_qmp_client_free (KdQmpClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdQmpClient, kd_qmp_client_free)

/* "7.2.22" as the greeting said, or NULL before it; with the distribution's package in brackets
 * when it has one. */
const char *kd_qmp_client_get_version (const KdQmpClient *client);
gboolean kd_qmp_client_is_ready (const KdQmpClient *client);

/* Queues a command; takes `args` (may be NULL). STATE before READY, TOO_LARGE with
 * KD_QMP_PENDING_MAX unanswered. */
gboolean kd_qmp_client_call (KdQmpClient *client, const char *command, JsonObject *args,
	guint64 *ret_id, GError **error);

/* human-monitor-command; the RETURN's value goes through kd_qmp_parse_hmp. `cpu` -1: the monitor's
 * own choice. */
gboolean kd_qmp_client_call_hmp (
	KdQmpClient *client, const char *line, int cpu, guint64 *ret_id, GError **error);

/* New string with '\n' line ends, or NULL with MALFORMED. */
char *kd_qmp_parse_hmp (JsonNode *value, GError **error);

/* The call's answer will be dropped when it comes (a cancelled command). */
void kd_qmp_client_forget (KdQmpClient *client, guint64 id);
guint kd_qmp_client_n_pending (const KdQmpClient *client);

KdOutQueue *kd_qmp_client_out (KdQmpClient *client);

/*
 * FAILED: MALFORMED or TOO_LARGE: bytes that are no QMP, a reply to no call of ours, or negotiation
 * refused. Replies to pending calls can still come. On MESSAGE the caller clears *ret_msg.
 */
KdDecode kd_qmp_client_feed (KdQmpClient *client, const void *data, size_t len, size_t *ret_used,
	KdQmpMessage *ret_msg, GError **error);

/* End of file: TRUE gives one more pending call as KD_QMP_ERROR (CLOSED); call until FALSE. */
gboolean kd_qmp_client_eof (KdQmpClient *client, KdQmpMessage *ret_msg);
