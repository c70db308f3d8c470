/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/log.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "command/command.h"

static const char *const level_names[] = {
	"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"};

typedef struct {
	JsonArray *array;
	unsigned level; /* this and what is graver */
} Listing;

static gboolean
add_record (const KdLogRecord *record, void *data)
{
	const Listing *listing = data;
	JsonObject *obj;

	if (record->level > listing->level)
		return TRUE;
	obj = kd_json_array_add_object (listing->array);
	kd_json_set_uint (obj, "seq", record->seq);
	kd_json_set_uint (obj, "time_ns", record->time_ns);
	kd_json_set_string (obj, "level", level_names[record->level]);
	kd_json_set_int (obj, "facility", record->facility);
	if (record->has_caller)
		kd_json_set_printf (
			obj, "caller", "%c%u", record->caller_is_cpu ? 'C' : 'T', record->caller);
	if (record->is_open)
		kd_json_set_bool (obj, "open", TRUE);
	kd_json_set_string (obj, "text", record->text);
	return TRUE;
}

static gboolean
parse_level (const char *word, unsigned *ret_level, GError **error)
{
	uint64_t number;

	for (unsigned i = 0; i < G_N_ELEMENTS (level_names); i++)
		if (strcmp (word, level_names[i]) == 0) {
			*ret_level = i;
			return TRUE;
		}
	if (kd_parse_u64 (word, &number) && number < G_N_ELEMENTS (level_names)) {
		*ret_level = (unsigned)number;
		return TRUE;
	}
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
		"log: no level “%s” (0 to 7, or emerg alert crit err warn notice info debug)",
		word);
	return FALSE;
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	Listing listing = {json_array_new(), G_N_ELEMENTS (level_names) - 1};
	g_autoptr (JsonNode) node = kd_json_array_node (listing.array);
	const char *level = kd_args_string (args, "level");
	uint64_t last = 0, skipped = 0;
	guint surplus;

	if (level && !parse_level (level, &listing.level, error))
		return NULL;
	kd_args_uint (args, "last", &last);
	/* With a level the last N of that level are meant, so all must be read. */
	if (!kd_log_foreach (
		    session->kernel, level ? 0 : last, add_record, &listing, &skipped, error)) {
		g_prefix_error (error, "log: ");
		return NULL;
	}
	surplus = json_array_get_length (listing.array);
	surplus = last && surplus > last ? surplus - (guint)last : 0;
	if (surplus) {
		JsonArray *tail = json_array_new();

		for (guint i = surplus; i < json_array_get_length (listing.array); i++)
			json_array_add_element (tail, json_array_dup_element (listing.array, i));
		json_node_take_array (node, tail);
		listing.array = tail;
	}
	if (skipped)
		kd_json_set_uint (kd_json_array_add_object (listing.array), "skipped", skipped);
	return g_steal_pointer (&node);
}

/* --- text --- */

static KdStyle
style_of (const char *level)
{
	for (unsigned i = 0; i < G_N_ELEMENTS (level_names); i++)
		if (strcmp (level, level_names[i]) == 0)
			return i <= 3 ? KD_STYLE_BAD : i == 4 ? KD_STYLE_WARN : KD_STYLE_PLAIN;
	return KD_STYLE_PLAIN;
}

static void
render (JsonNode *result, KdText *text)
{
	JsonArray *records = kd_json_node_array (result, NULL);

	for (guint i = 0; records && i < json_array_get_length (records); i++) {
		const char *level = "info", *message = "";
		guint64 time_ns = 0, skipped = 0;
		g_auto (GStrv) lines = NULL;
		JsonObject *record;

		if (!kd_json_array_object (records, i, &record, NULL))
			continue;
		kd_json_get_uint (record, "skipped", FALSE, &skipped, NULL);
		if (skipped) {
			kd_text_printf (text, KD_STYLE_DIM,
				"(%" G_GUINT64_FORMAT
				" more are being written, or were overwritten)\n",
				skipped);
			continue;
		}
		kd_json_get_uint (record, "time_ns", FALSE, &time_ns, NULL);
		kd_json_get_string (record, "level", FALSE, &level, NULL);
		kd_json_get_string (record, "text", FALSE, &message, NULL);
		lines = g_strsplit (message, "\n", -1);
		for (char **line = lines; *line; line++) {
			kd_text_printf (text, KD_STYLE_DIM,
				"[%5" G_GUINT64_FORMAT ".%06" G_GUINT64_FORMAT "] ",
				time_ns / 1000000000, time_ns / 1000 % 1000000);
			kd_text_printf (text, style_of (level), "%s\n", *line);
		}
	}
}

static const KdArg args[] = {
	{"last", 'n', KD_ARG_UINT, 0, FALSE, "N", "the last N records"},
	{"level", 'l', KD_ARG_STRING, 0, FALSE, "LEVEL",
		"this level and graver: 0 to 7, or emerg alert crit err warn notice info debug"},
	{NULL},
};

const KdCommand kd_command_log = {
	.name = "log",
	.group = "kernel",
	.summary = "the kernel's log, out of its ring buffer in memory",
	.example = "log -n 20\nlog --level err",
	.args = args,
	.flags = KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
};
