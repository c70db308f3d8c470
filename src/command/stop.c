/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/run-state.h"

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	if (kd_target_state (session->target) == KD_TARGET_RUNNING &&
		!kd_target_stop (session->target, error)) {
		g_prefix_error (error, "stop: ");
		return NULL;
	}
	return kd_run_state_json (session);
}

const KdCommand kd_command_stop = {
	.name = "stop",
	.group = "run",
	.summary = "stop the machine",
	.flags = KD_COMMAND_NO_IMAGE | KD_COMMAND_INTERRUPTS | KD_COMMAND_CHANGES,
	.run = run,
	.render = kd_run_state_render,
};
