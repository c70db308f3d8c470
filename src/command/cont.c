/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"
#include "command/run-state.h"

static const KdArg args[] = {
	{"wait", 'w', KD_ARG_FLAG, 0, FALSE, NULL, "wait until the machine stops again"},
	{"timeout-ms", 't', KD_ARG_UINT, 0, FALSE, "MS", "with --wait: no longer than this"},
	{NULL},
};

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	uint64_t timeout_ms = 0;
	gboolean limited = kd_args_uint (given, "timeout-ms", &timeout_ms);
	gboolean wait = limited || kd_args_flag (given, "wait");

	if (kd_target_state (session->target) == KD_TARGET_STOPPED &&
		!kd_target_cont (session->target, error)) {
		g_prefix_error (error, "cont: ");
		return NULL;
	}
	if (wait && !kd_target_wait (session->target,
			    limited ? (int)MIN (timeout_ms, G_MAXINT) : -1, error)) {
		g_prefix_error (error, "cont: ");
		return NULL;
	}
	return kd_run_state_json (session);
}

const KdCommand kd_command_cont = {
	.name = "cont",
	.group = "run",
	.summary = "let the machine run",
	.help = "Returns at once, and the machine runs until a breakpoint is hit or “stop”; with "
		"--wait when it has stopped. What ends the wait (Ctrl-C, a timeout) leaves the "
		"machine running.",
	.example = "kvmdbg cont\nkvmdbg cont --timeout-ms 5000",
	.args = args,
	.flags = KD_COMMAND_WAITS,
	.run = run,
	.render = kd_run_state_render,
};
