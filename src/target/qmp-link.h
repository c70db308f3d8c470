/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "target/silence.h"
#include "target/transport.h"

/*
 * The QMP client over a socket, one command and its reply at a time; events are dropped. Errors are
 * KD_TARGET_ERROR: LOST (QEMU has closed it), PROTOCOL (given up: no answer in time, no QMP),
 * REMOTE; and G_IO_ERROR_CANCELLED.
 */
typedef struct KdQmpLink KdQmpLink;

/*
 * Takes the transport, waits for the greeting and negotiates; `silence` is borrowed. A monitor that
 * serves another client is silent: CONNECT after `greeting_ms`.
 */
KdQmpLink *kd_qmp_link_new (KdTransport *transport, KdSilence *silence, int greeting_ms,
	GCancellable *cancellable, GError **error);
void kd_qmp_link_free (KdQmpLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdQmpLink, kd_qmp_link_free)

void kd_qmp_link_set_cancellable (KdQmpLink *link, GCancellable *cancellable);

int kd_qmp_link_peer_pid (const KdQmpLink *link);
/* Why it was given up: "has not answered for 10 s"; NULL: it was not. */
const char *kd_qmp_link_given_up (const KdQmpLink *link);
/* QEMU's version, "7.2.22". */
const char *kd_qmp_link_version (const KdQmpLink *link);

/* Takes `args` (may be NULL). The reply's value (json_node_unref), or NULL. */
JsonNode *kd_qmp_link_call (KdQmpLink *link, const char *command, JsonObject *args, GError **error);
/* A command of the human monitor; its text, new string. */
char *kd_qmp_link_hmp (KdQmpLink *link, const char *line, GError **error);
