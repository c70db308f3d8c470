/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"
#include "command/command.h"

static const KdArg args[] = {
	{"stopped", 's', KD_ARG_FLAG, 0, FALSE, NULL, "leave the machine stopped"},
	{NULL},
};

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	gboolean lost = kd_target_state (session->target) == KD_TARGET_LOST;
	gboolean resume = !kd_args_flag (given, "stopped");
	gboolean runs = resume && kd_target_runs_after_detach (session->target);
	JsonObject *result = json_object_new();
	gboolean ok;

	kd_json_set_string (result, "session", session->name);
	kd_json_set_string (result, "address", kd_target_qemu_info (session->target).stub);
	kd_json_set_string (result, "machine",
		lost     ? "gone"
		: runs   ? "running"
		: resume ? "paused as it was found"
			 : "stopped");
	ok = kd_target_detach (session->target, resume, error);
	if (!ok)
		g_prefix_error (error, "detach: ");
	/* The session is over all the same. */
	g_clear_pointer (&session->kernel, kd_kernel_free);
	g_clear_pointer (&session->target, kd_target_free);
	if (ok)
		return kd_json_object_node (result);
	json_object_unref (result);
	return NULL;
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *address = "", *machine = "";

	kd_json_get_string (obj, "address", FALSE, &address, NULL);
	kd_json_get_string (obj, "machine", FALSE, &machine, NULL);
	kd_text_printf (
		text, KD_STYLE_PLAIN, "detached from %s, the machine is %s\n", address, machine);
}

const KdCommand kd_command_detach = {
	.name = "detach",
	.group = "session",
	.summary = "let the machine go: breakpoints removed, running as it was",
	.args = args,
	.flags = KD_COMMAND_NO_IMAGE | KD_COMMAND_RUNS_LOST | KD_COMMAND_INTERRUPTS |
		 KD_COMMAND_CHANGES,
	.run = run,
	.render = render,
};
