/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"
#include "command/command.h"

static void
render (JsonNode *result, KdText *text)
{
	static const char *const headings[] = {
		"SESSION", "STATE", "ADDRESS", "CPUS", "KERNEL", "RUNNING", NULL};
	JsonArray *array = kd_json_node_array (result, NULL);
	guint nr = array ? json_array_get_length (array) : 0;

	if (nr == 0) {
		kd_text_add (text, KD_STYLE_DIM, "no sessions (“attach ADDR” makes one)\n");
		return;
	}
	kd_text_table_begin (text, headings);
	for (guint i = 0; i < nr; i++) {
		const char *name = "", *state = "", *address = "", *kernel = "–", *running = NULL;
		JsonObject *obj = NULL;
		gint64 nr_cpus = 0;

		if (!kd_json_array_object (array, i, &obj, NULL))
			continue;
		kd_json_get_string (obj, "name", FALSE, &name, NULL);
		kd_json_get_string (obj, "state", FALSE, &state, NULL);
		kd_json_get_string (obj, "address", FALSE, &address, NULL);
		kd_json_get_string (obj, "kernel", FALSE, &kernel, NULL);
		kd_json_get_string (obj, "running", FALSE, &running, NULL);
		kd_json_get_int (obj, "ncpus", FALSE, &nr_cpus, NULL);
		kd_text_table_cell (text, KD_STYLE_PLAIN, name);
		kd_text_table_cell (text, KD_STYLE_PLAIN, state);
		kd_text_table_cell (text, KD_STYLE_PLAIN, address);
		kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" G_GINT64_FORMAT, nr_cpus);
		kd_text_table_cell (text, KD_STYLE_PLAIN, kernel);
		kd_text_table_cell (text, KD_STYLE_PLAIN, running ? running : "");
		kd_text_table_end_row (text);
	}
	kd_text_table_end (text);
}

const KdCommand kd_command_sessions = {
	.name = "sessions",
	.group = "session",
	.summary = "list what is attached",
	.flags = KD_COMMAND_NO_SESSION | KD_COMMAND_IN_DAEMON,
	.render = render,
};
