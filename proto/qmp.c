/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/qmp.h"

#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "proto/json-frame.h"

#define VERSION_PART_MAX 1000000
#define TEXT_MAX 400

typedef enum { STATE_GREETING, STATE_NEGOTIATING, STATE_READY, STATE_REFUSED } State;

struct KdQmpClient {
	State state;
	KdJsonFramer *framer;
	KdOutQueue out;
	guint64 next_id;
	guint64 negotiation_id;
	GHashTable *pending; /* id (guint64 *) → itself; value NULL: forgotten */
	char *version;
};

KdQmpClient *
kd_qmp_client_new (void)
{
	KdQmpClient *client = g_new0 (KdQmpClient, 1);

	client->framer = kd_json_framer_new (KD_QMP_LINE_MAX, KD_JSON_DEPTH_MAX, FALSE);
	kd_out_queue_init (&client->out);
	client->next_id = 1;
	client->pending = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
	return client;
}

void
kd_qmp_client_free (KdQmpClient *client)
{
	if (!client)
		return;
	kd_json_framer_free (client->framer);
	kd_out_queue_clear (&client->out);
	g_hash_table_unref (client->pending);
	g_free (client->version);
	g_free (client);
}

void
kd_qmp_message_clear (KdQmpMessage *msg)
{
	g_clear_pointer (&msg->value, json_node_unref);
	g_clear_error (&msg->error);
	g_clear_pointer (&msg->error_class, g_free);
	g_clear_pointer (&msg->name, g_free);
	g_clear_pointer (&msg->data, json_object_unref);
}

const char *
kd_qmp_client_get_version (const KdQmpClient *client)
{
	return client->version;
}

gboolean
kd_qmp_client_is_ready (const KdQmpClient *client)
{
	return client->state == STATE_READY;
}

guint
kd_qmp_client_n_pending (const KdQmpClient *client)
{
	return g_hash_table_size (client->pending);
}

KdOutQueue *
kd_qmp_client_out (KdQmpClient *client)
{
	return &client->out;
}

static guint64
queue (KdQmpClient *client, const char *command, JsonObject *args)
{
	JsonObject *obj = json_object_new();
	g_autoptr (JsonNode) node = kd_json_object_node (obj);
	g_autofree char *text = NULL;
	guint64 id = client->next_id++;

	json_object_set_string_member (obj, "execute", command);
	if (args)
		json_object_set_object_member (obj, "arguments", args);
	json_object_set_int_member (obj, "id", (gint64)id);
	text = kd_json_to_string (node, FALSE);
	kd_out_queue_append (&client->out, text, strlen (text));
	kd_out_queue_append (&client->out, "\n", 1);
	return id;
}

gboolean
kd_qmp_client_call (
	KdQmpClient *client, const char *command, JsonObject *args, guint64 *ret_id, GError **error)
{
	g_autoptr (JsonObject) taken = args;
	guint64 id, *key;

	if (client->state != STATE_READY) {
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_STATE, "%s: QMP is not ready",
			command);
		return FALSE;
	}
	if (g_hash_table_size (client->pending) >= KD_QMP_PENDING_MAX) {
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE,
			"%s: %u QMP calls are unanswered", command, KD_QMP_PENDING_MAX);
		return FALSE;
	}
	id = queue (client, command, g_steal_pointer (&taken));
	key = g_new (guint64, 1);
	*key = id;
	g_hash_table_insert (client->pending, key, GINT_TO_POINTER (TRUE));
	*ret_id = id;
	return TRUE;
}

gboolean
kd_qmp_client_call_hmp (
	KdQmpClient *client, const char *line, int cpu, guint64 *ret_id, GError **error)
{
	JsonObject *args = json_object_new();

	json_object_set_string_member (args, "command-line", line);
	if (cpu >= 0)
		json_object_set_int_member (args, "cpu-index", cpu);
	return kd_qmp_client_call (client, "human-monitor-command", args, ret_id, error);
}

char *
kd_qmp_parse_hmp (JsonNode *value, GError **error)
{
	GString *out;

	if (!value || !JSON_NODE_HOLDS_VALUE (value) ||
		json_node_get_value_type (value) != G_TYPE_STRING) {
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED,
			"human-monitor-command did not return a string");
		return NULL;
	}
	out = g_string_new (NULL);
	for (const char *at = json_node_get_string (value); *at; at++)
		if (at[0] != '\r' || at[1] != '\n')
			g_string_append_c (out, *at);
	return g_string_free (out, FALSE);
}

void
kd_qmp_client_forget (KdQmpClient *client, guint64 id)
{
	gpointer key;

	if (!g_hash_table_lookup_extended (client->pending, &id, &key, NULL))
		return;
	g_hash_table_insert (client->pending, g_memdup2 (&id, sizeof id), NULL);
}

static KdDecode
malformed (GError **error, const char *what)
{
	g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED, "QMP: %s", what);
	return KD_DECODE_FAILED;
}

static KdDecode
bad_member (GError **error, GError *why)
{
	g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED, "QMP: %s", why->message);
	return KD_DECODE_FAILED;
}

/* {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": "Debian 1:7.2"},
 * "capabilities": []}} */
static KdDecode
take_greeting (KdQmpClient *client, JsonObject *obj, GError **error)
{
	JsonObject *qmp = NULL, *version = NULL, *qemu = NULL;
	gint64 major = 0, minor = 0, micro = 0;
	const char *package = NULL;
	g_autoptr (GError) why = NULL;

	if (!kd_json_get_object (obj, "QMP", TRUE, &qmp, &why) ||
		!kd_json_get_object (qmp, "version", TRUE, &version, &why) ||
		!kd_json_get_object (version, "qemu", TRUE, &qemu, &why) ||
		!kd_json_get_int (qemu, "major", TRUE, &major, &why) ||
		!kd_json_get_int (qemu, "minor", TRUE, &minor, &why) ||
		!kd_json_get_int (qemu, "micro", FALSE, &micro, &why) ||
		!kd_json_get_string (version, "package", FALSE, &package, &why)) {
		g_prefix_error (&why, "no greeting: ");
		return bad_member (error, why);
	}
	if (MAX (MAX (major, minor), micro) > VERSION_PART_MAX ||
		MIN (MIN (major, minor), micro) < 0)
		return malformed (error, "version out of range in the greeting");
	client->version = g_strdup_printf ("%d.%d.%d", (int)major, (int)minor, (int)micro);
	if (package && *package) {
		g_autofree char *shown = kd_escape (package, -1, TEXT_MAX);
		g_autofree char *bare = client->version;

		client->version = g_strdup_printf ("%s (%s)", bare, shown);
	}
	/* No capability is asked for: out-of-band execution would let replies overtake each other.
	 */
	client->negotiation_id = queue (client, "qmp_capabilities", NULL);
	client->state = STATE_NEGOTIATING;
	return KD_DECODE_MORE;
}

static KdDecode
take_event (JsonObject *obj, KdQmpMessage *ret_msg, GError **error)
{
	g_autoptr (GError) why = NULL;
	JsonObject *data = NULL, *stamp = NULL;
	gint64 seconds = -1, micros = 0;
	const char *name = NULL;

	if (!kd_json_get_string (obj, "event", TRUE, &name, &why) ||
		!kd_json_get_object (obj, "data", FALSE, &data, &why) ||
		!kd_json_get_object (obj, "timestamp", FALSE, &stamp, &why) ||
		!kd_json_get_int (stamp, "seconds", FALSE, &seconds, &why) ||
		!kd_json_get_int (stamp, "microseconds", FALSE, &micros, &why))
		return bad_member (error, why);
	*ret_msg = (KdQmpMessage){.kind = KD_QMP_EVENT, .timestamp_us = -1};
	ret_msg->name = g_strdup (name);
	ret_msg->data = data ? json_object_ref (data) : NULL;
	/* QEMU says -1 when it could not tell the time. */
	if (seconds >= 0 && seconds < G_MAXINT64 / 1000000 - 1 && micros >= 0 && micros < 1000000)
		ret_msg->timestamp_us = seconds * 1000000 + micros;
	return KD_DECODE_MESSAGE;
}

/* The "error" member of a reply, as a GError and the class. */
static gboolean
read_error (JsonObject *obj, GError **ret_error, char **ret_class, GError **error)
{
	const char *class_name = NULL, *desc = "no description";
	g_autofree char *shown_class = NULL, *shown = NULL;
	JsonObject *inner = NULL;

	if (!kd_json_get_object (obj, "error", TRUE, &inner, error) ||
		!kd_json_get_string (inner, "class", TRUE, &class_name, error) ||
		!kd_json_get_string (inner, "desc", FALSE, &desc, error))
		return FALSE;
	shown_class = kd_escape (class_name, -1, 64);
	shown = kd_escape (desc, -1, TEXT_MAX);
	*ret_error =
		g_error_new (KD_PROTO_ERROR, KD_PROTO_ERROR_REMOTE, "%s: %s", shown_class, shown);
	*ret_class = g_strdup (class_name);
	return TRUE;
}

static KdDecode
take_negotiated (KdQmpClient *client, KdQmpMessage *msg, KdQmpMessage *ret_msg, GError **error)
{
	if (msg->kind == KD_QMP_ERROR) {
		client->state = STATE_REFUSED;
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_REMOTE,
			"QMP: negotiation refused: %s", msg->error->message);
		return KD_DECODE_FAILED;
	}
	client->state = STATE_READY;
	*ret_msg = (KdQmpMessage){.kind = KD_QMP_READY, .timestamp_us = -1};
	return KD_DECODE_MESSAGE;
}

static KdDecode
take_reply (KdQmpClient *client, JsonObject *obj, KdQmpMessage *ret_msg, GError **error)
{
	g_auto (KdQmpMessage) msg = {.kind = KD_QMP_RETURN, .timestamp_us = -1};
	g_autoptr (GError) why = NULL;
	gpointer wanted;

	if (json_object_has_member (obj, "error")) {
		msg.kind = KD_QMP_ERROR;
		if (!read_error (obj, &msg.error, &msg.error_class, &why))
			return bad_member (error, why);
	}
	if (!kd_json_get_uint (obj, "id", FALSE, &msg.id, &why))
		return bad_member (error, why);
	if (msg.id == 0) {
		/* QEMU leaves the id out when it could not parse what we sent: the fault is ours,
		 * but of no call. */
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED, "QMP: %s",
			msg.error ? msg.error->message : "a reply without an id");
		return KD_DECODE_FAILED;
	}
	if (client->state == STATE_NEGOTIATING && msg.id == client->negotiation_id)
		return take_negotiated (client, &msg, ret_msg, error);
	if (!g_hash_table_lookup_extended (client->pending, &msg.id, NULL, &wanted))
		return malformed (error, "a reply to no call of ours");
	g_hash_table_remove (client->pending, &msg.id);
	if (!wanted)
		return KD_DECODE_MORE;
	if (msg.kind == KD_QMP_RETURN)
		msg.value = json_object_dup_member (obj, "return");
	*ret_msg = msg;
	msg = (KdQmpMessage){0};
	return KD_DECODE_MESSAGE;
}

static KdDecode
take_object (KdQmpClient *client, JsonObject *obj, KdQmpMessage *ret_msg, GError **error)
{
	if (client->state == STATE_GREETING)
		return take_greeting (client, obj, error);
	if (json_object_has_member (obj, "event"))
		return take_event (obj, ret_msg, error);
	if (json_object_has_member (obj, "return") || json_object_has_member (obj, "error"))
		return take_reply (client, obj, ret_msg, error);
	return malformed (error, "an object that is no reply and no event");
}

KdDecode
kd_qmp_client_feed (KdQmpClient *client, const void *data, size_t len, size_t *ret_used,
	KdQmpMessage *ret_msg, GError **error)
{
	const uint8_t *bytes = data;
	size_t done = 0;

	while (done < len) {
		g_autoptr (JsonObject) obj = NULL;
		KdDecode outcome;
		size_t used;

		outcome = kd_json_framer_feed (
			client->framer, bytes + done, len - done, &used, &obj, error);
		done += used;
		if (outcome == KD_DECODE_FAILED)
			g_prefix_error (error, "QMP: ");
		if (outcome == KD_DECODE_MESSAGE)
			outcome = take_object (client, obj, ret_msg, error);
		if (outcome != KD_DECODE_MORE) {
			*ret_used = done;
			return outcome;
		}
	}
	*ret_used = len;
	return KD_DECODE_MORE;
}

gboolean
kd_qmp_client_eof (KdQmpClient *client, KdQmpMessage *ret_msg)
{
	GHashTableIter iter;
	gpointer key, wanted;

	client->state = STATE_REFUSED;
	g_hash_table_iter_init (&iter, client->pending);
	while (g_hash_table_iter_next (&iter, &key, &wanted)) {
		guint64 id = *(guint64 *)key;

		g_hash_table_iter_remove (&iter);
		if (!wanted)
			continue;
		*ret_msg = (KdQmpMessage){.kind = KD_QMP_ERROR, .id = id, .timestamp_us = -1};
		ret_msg->error = g_error_new (KD_PROTO_ERROR, KD_PROTO_ERROR_CLOSED,
			"QEMU closed its monitor with the call unanswered");
		return TRUE;
	}
	return FALSE;
}
