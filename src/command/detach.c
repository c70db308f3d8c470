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
	gboolean resume = !kd_args_flag (given, "stopped"), lost, runs, ok;
	JsonObject *result = json_object_new();
	g_autoptr (GError) why = NULL;

	kd_json_set_string (result, "session", session->name);
	/* The attach in front of us was cancelled, and has put the machine back. */
	if (!session->target) {
		kd_json_set_string (result, "machine", "not attached to");
		return kd_json_object_node (result);
	}
	lost = kd_target_state (session->target) == KD_TARGET_LOST;
	runs = resume && kd_target_runs_after_detach (session->target);
	kd_json_set_string (result, "address", kd_target_qemu_info (session->target).stub);
	/* What fails on the way is told; the session is over all the same. */
	ok = kd_target_detach (session->target, resume, &why);
	kd_json_set_bool (result, "ok", ok);
	kd_json_set_string (result, "machine",
		!ok      ? "unknown"
		: lost   ? "gone"
		: runs   ? "running"
		: resume ? "paused as it was found"
			 : "stopped");
	kd_json_set_string (result, "why", why ? why->message : NULL);
	g_clear_pointer (&session->kernel, kd_kernel_free);
	g_clear_pointer (&session->target, kd_target_free);
	return kd_json_object_node (result);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *address = "", *machine = "", *why = NULL;

	kd_json_get_string (obj, "address", FALSE, &address, NULL);
	kd_json_get_string (obj, "machine", FALSE, &machine, NULL);
	kd_json_get_string (obj, "why", FALSE, &why, NULL);
	if (!*address) {
		kd_text_add (text, KD_STYLE_PLAIN, "the attach was cancelled\n");
		return;
	}
	kd_text_printf (
		text, KD_STYLE_PLAIN, "detached from %s, the machine is %s", address, machine);
	if (why)
		kd_text_printf (text, KD_STYLE_WARN, ": %s", why);
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
}

const KdCommand kd_command_detach = {
	.name = "detach",
	.group = "session",
	.summary = "let the machine go: breakpoints removed, running as it was",
	.help = "Also cancels an attach that is under way. The session is over whatever happens; "
		"the exit status is 1 where the machine could not be put back, or does not tell "
		"whether it was (“machine” is “unknown” then): the next attach on this host does "
		"what is left.",
	.args = args,
	.flags = KD_COMMAND_NO_IMAGE | KD_COMMAND_ALWAYS | KD_COMMAND_ENDS | KD_COMMAND_INTERRUPTS |
		 KD_COMMAND_CHANGES,
	.run = run,
	.render = render,
};
