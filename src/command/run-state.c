/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/run-state.h"

#include "base/json.h"

JsonNode *
kd_run_state_json (KdSession *session)
{
	JsonObject *result = json_object_new();
	JsonObject *stop = kd_session_stop_json (session);

	kd_json_set_string (result, "state", kd_session_state_name (session));
	if (stop)
		json_object_set_object_member (result, "stop", stop);
	else
		json_object_set_null_member (result, "stop");
	return kd_json_object_node (result);
}

void
kd_run_state_render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	JsonObject *stop = NULL;
	const char *state = "";
	g_autofree char *stop_text = NULL;

	kd_json_get_string (obj, "state", FALSE, &state, NULL);
	kd_json_get_object (obj, "stop", FALSE, &stop, NULL);
	kd_text_add (text, KD_STYLE_PLAIN, state);
	if (stop) {
		stop_text = kd_session_stop_text (stop);
		kd_text_printf (text, KD_STYLE_PLAIN, ": %s", stop_text);
	}
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
}
