/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/qmp-link.h"

#include "proto/qmp.h"
#include "target/target.h"

struct KdQmpLink {
	KdTransport *transport;
	KdQmpClient *client;
	int timeout_ms;
	gboolean closed;
};

void
kd_qmp_link_free (KdQmpLink *link)
{
	if (!link)
		return;
	kd_transport_free (link->transport);
	kd_qmp_client_free (link->client);
	g_free (link);
}

void
kd_qmp_link_set_cancellable (KdQmpLink *link, GCancellable *cancellable)
{
	kd_transport_set_cancellable (link->transport, cancellable);
}

void
kd_qmp_link_set_timeout (KdQmpLink *link, int timeout_ms)
{
	link->timeout_ms = timeout_ms;
}

int
kd_qmp_link_peer_pid (const KdQmpLink *link)
{
	return kd_transport_peer_pid (link->transport);
}

gboolean
kd_qmp_link_is_closed (const KdQmpLink *link)
{
	return link->closed;
}

const char *
kd_qmp_link_version (const KdQmpLink *link)
{
	return kd_qmp_client_get_version (link->client);
}

static gboolean
closed (KdQmpLink *link, GError **error)
{
	link->closed = TRUE;
	g_set_error (
		error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST, "QEMU has closed the QMP connection");
	return FALSE;
}

typedef enum {
	STEP_NOTHING,
	STEP_MESSAGE, /* *ret_msg is to be cleared; events were handed over */
	STEP_FAILED,
} Step;

static Step
feed (KdQmpLink *link, KdQmpMessage *ret_msg, GError **error)
{
	size_t len, used;
	const uint8_t *in = kd_transport_in (link->transport, &len);
	KdDecode result;

	if (len == 0)
		return STEP_NOTHING;
	result = kd_qmp_client_feed (link->client, in, len, &used, ret_msg, error);
	kd_transport_in_used (link->transport, used);
	switch (result) {
	case KD_DECODE_MORE:
		return STEP_NOTHING;
	case KD_DECODE_MESSAGE:
		return STEP_MESSAGE;
	case KD_DECODE_FAILED:
		break;
	}
	return STEP_FAILED;
}

/* What a monitor should not have said. Goes on with the next, unless it never was a monitor. */
static gboolean
garbage (KdQmpLink *link, GError *why, GError **error)
{
	g_autoptr (GError) owned = why;

	if (kd_qmp_client_is_ready (link->client))
		return TRUE;
	link->closed = TRUE;
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_PROTOCOL, "no QMP monitor: %s",
		owned->message);
	return FALSE;
}

/* One round of writing, waiting and reading. */
static gboolean
exchange (KdQmpLink *link, gint64 deadline_us, GError **error)
{
	switch (kd_transport_exchange (
		link->transport, kd_qmp_client_out (link->client), deadline_us)) {
	case KD_IO_DONE:
	case KD_IO_WOULD_BLOCK:
		return TRUE;
	case KD_IO_EOF:
		return closed (link, error);
	case KD_IO_CANCELLED:
		g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "cancelled");
		return FALSE;
	case KD_IO_TIMEOUT:
		break;
	}
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_PROTOCOL,
		"QMP has not answered for %d ms", link->timeout_ms);
	return FALSE;
}

/* Waits for READY (`id` 0) or for the reply to `id`. */
static gboolean
await (KdQmpLink *link, guint64 id, KdQmpMessage *ret_msg, GError **error)
{
	gint64 deadline_us = g_get_monotonic_time() + (gint64)link->timeout_ms * 1000;

	for (;;) {
		GError *why = NULL;

		switch (feed (link, ret_msg, &why)) {
		case STEP_MESSAGE:
			if (ret_msg->id == id && ret_msg->kind != KD_QMP_EVENT)
				return TRUE;
			kd_qmp_message_clear (ret_msg);
			/* Events without end are no answer. */
			if (g_get_monotonic_time() < deadline_us)
				continue;
			break;
		case STEP_FAILED:
			if (!garbage (link, why, error))
				return FALSE;
			continue;
		case STEP_NOTHING:
			break;
		}
		if (!exchange (link, deadline_us, error))
			return FALSE;
	}
}

KdQmpLink *
kd_qmp_link_new (KdTransport *transport, int timeout_ms, GCancellable *cancellable, GError **error)
{
	g_autoptr (KdQmpLink) link = g_new0 (KdQmpLink, 1);
	g_auto (KdQmpMessage) msg = {0};
	GError *why = NULL;

	link->transport = transport;
	link->client = kd_qmp_client_new();
	link->timeout_ms = timeout_ms;
	kd_transport_set_cancellable (transport, cancellable);
	if (await (link, 0, &msg, &why))
		return g_steal_pointer (&link);
	if (why->domain == KD_TARGET_ERROR && why->code == KD_TARGET_ERROR_PROTOCOL &&
		!link->closed)
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
			"silent for %d ms: it serves another client, or is no QMP monitor",
			timeout_ms);
	else
		g_propagate_error (error, g_steal_pointer (&why));
	g_clear_error (&why);
	return NULL;
}

static JsonNode *
take_reply (KdQmpMessage *msg, GError **error)
{
	if (msg->kind == KD_QMP_RETURN)
		return msg->value ? json_node_ref (msg->value) : json_node_new (JSON_NODE_NULL);
	g_set_error (error, KD_TARGET_ERROR,
		msg->error_class ? KD_TARGET_ERROR_REMOTE : KD_TARGET_ERROR_LOST, "%s",
		msg->error ? msg->error->message : "failed");
	return NULL;
}

/* Sends what was queued as call `id` and waits. */
static JsonNode *
finish_call (KdQmpLink *link, guint64 id, const char *what, GError **error)
{
	g_auto (KdQmpMessage) msg = {0};
	JsonNode *value = NULL;

	if (await (link, id, &msg, error))
		value = take_reply (&msg, error);
	else if (!link->closed)
		kd_qmp_client_forget (link->client, id);
	if (!value)
		g_prefix_error (error, "QMP %s: ", what);
	return value;
}

static void
refused (GError *why, GError **error)
{
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_PROTOCOL, "QMP: %s", why->message);
	g_error_free (why);
}

JsonNode *
kd_qmp_link_call (KdQmpLink *link, const char *command, JsonObject *args, GError **error)
{
	GError *why = NULL;
	guint64 id;

	if (link->closed) {
		g_clear_pointer (&args, json_object_unref);
		closed (link, error);
		return NULL;
	}
	if (!kd_qmp_client_call (link->client, command, args, &id, &why)) {
		refused (why, error);
		return NULL;
	}
	return finish_call (link, id, command, error);
}

char *
kd_qmp_link_hmp (KdQmpLink *link, const char *line, GError **error)
{
	g_autoptr (JsonNode) value = NULL;
	GError *why = NULL;
	char *text;
	guint64 id;

	if (link->closed) {
		closed (link, error);
		return NULL;
	}
	if (!kd_qmp_client_call_hmp (link->client, line, -1, &id, &why)) {
		refused (why, error);
		return NULL;
	}
	value = finish_call (link, id, line, error);
	if (!value)
		return NULL;
	text = kd_qmp_parse_hmp (value, &why);
	if (!text)
		refused (why, error);
	return text;
}
