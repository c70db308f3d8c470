/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/qmp-link.h"

#include "proto/qmp.h"
#include "target/target.h"

#define EVENTS_MAX 10000 /* without an answer among them */

struct KdQmpLink {
	KdTransport *transport;
	KdQmpClient *client;
	KdSilence *silence;
	gint64 greeting_us; /* that the greeting may take: one that serves another client is silent
			     */
	unsigned nr_events; /* since the last answer */
	gboolean closed;
	char *given_up;
};

void
kd_qmp_link_free (KdQmpLink *link)
{
	if (!link)
		return;
	kd_transport_free (link->transport);
	kd_qmp_client_free (link->client);
	g_free (link->given_up);
	g_free (link);
}

void
kd_qmp_link_set_cancellable (KdQmpLink *link, GCancellable *cancellable)
{
	kd_transport_set_cancellable (link->transport, cancellable);
}

int
kd_qmp_link_peer_pid (const KdQmpLink *link)
{
	return kd_transport_peer_pid (link->transport);
}

const char *
kd_qmp_link_given_up (const KdQmpLink *link)
{
	return link->given_up;
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
	if (link->given_up)
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_PROTOCOL, "the monitor %s",
			link->given_up);
	else
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST,
			"QEMU has closed the QMP connection");
	return FALSE;
}

/* It cannot be relied on any more; takes `why`. */
static gboolean
give_up (KdQmpLink *link, char *why, GError **error)
{
	g_free (link->given_up);
	link->given_up = why;
	return closed (link, error);
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

/*
 * What no monitor says. The answer that is waited for was among it, or will not be known from other
 * lines: no more is asked.
 */
static gboolean
garbage (KdQmpLink *link, GError *why, GError **error)
{
	g_autoptr (GError) owned = why;

	if (kd_qmp_client_is_ready (link->client))
		return give_up (link,
			g_strdup_printf ("has sent what no QMP monitor sends (%s)", owned->message),
			error);
	link->closed = TRUE;
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_PROTOCOL, "no QMP monitor: %s",
		owned->message);
	return FALSE;
}

static gboolean
silent (KdQmpLink *link, gint64 waited_us, GError **error)
{
	gboolean ready = kd_qmp_client_is_ready (link->client);
	g_autofree char *text = kd_silence_text (ready ? link->silence->monitor_us : waited_us);

	if (ready)
		return give_up (link, g_strdup_printf ("has not answered for %s", text), error);
	link->closed = TRUE;
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
		"silent for %s: it serves another client, or is no QMP monitor", text);
	return FALSE;
}

/* One round of writing, waiting and reading. FALSE with *error unset: time is up. */
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
	return FALSE;
}

/* Waits for READY (`id` 0) or for the reply to `id`. FALSE with *error unset: time is up. */
static gboolean
await_until (KdQmpLink *link, guint64 id, gint64 deadline_us, KdQmpMessage *ret_msg, GError **error)
{
	for (gboolean woken = FALSE;; woken = TRUE) {
		GError *why = NULL;
		Step step = feed (link, ret_msg, &why);

		switch (step) {
		case STEP_MESSAGE:
			if (ret_msg->id == id && ret_msg->kind != KD_QMP_EVENT) {
				link->nr_events = 0;
				return TRUE;
			}
			kd_qmp_message_clear (ret_msg);
			if (link->nr_events++ < EVENTS_MAX)
				break;
			g_set_error (&why, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE,
				"events without end");
			return garbage (link, why, error);
		case STEP_FAILED:
			return garbage (link, why, error);
		case STEP_NOTHING:
			break;
		}
		/* Events without end are no answer, nor are bytes without end. */
		if (woken && g_get_monotonic_time() >= deadline_us)
			return FALSE;
		if (step == STEP_NOTHING && !exchange (link, deadline_us, error))
			return FALSE;
	}
}

static gboolean
await (KdQmpLink *link, guint64 id, KdQmpMessage *ret_msg, GError **error)
{
	gint64 start_us = g_get_monotonic_time();
	gint64 left_us = kd_silence_left (link->silence, KD_SILENCE_MONITOR);
	GError *why = NULL;
	gboolean ok;

	if (id == 0)
		left_us = MIN (left_us, link->greeting_us);
	ok = await_until (link, id, start_us + left_us, ret_msg, &why);
	kd_silence_charge (link->silence, KD_SILENCE_MONITOR, start_us, ok);
	if (!ok && !why)
		return silent (link, left_us, error);
	if (why)
		g_propagate_error (error, why);
	return ok;
}

KdQmpLink *
kd_qmp_link_new (KdTransport *transport, KdSilence *silence, int greeting_ms,
	GCancellable *cancellable, GError **error)
{
	g_autoptr (KdQmpLink) link = g_new0 (KdQmpLink, 1);
	g_auto (KdQmpMessage) msg = {0};

	link->transport = transport;
	link->client = kd_qmp_client_new();
	link->silence = silence;
	link->greeting_us = (gint64)greeting_ms * 1000;
	kd_transport_set_cancellable (transport, cancellable);
	return await (link, 0, &msg, error) ? g_steal_pointer (&link) : NULL;
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
