/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"
#include "command/run-state.h"

static const KdArg args[] = {
	{"wait", 'w', KD_ARG_FLAG, 0, FALSE, NULL, "wait until the machine stops again"},
	{"timeout-ms", 't', KD_ARG_UINT, 0, FALSE, "MS", "with --wait: no longer than this"},
	{NULL},
};

static gboolean
wait_stop (KdSession *session, gboolean limited, uint64_t timeout_ms, GError **error)
{
	int limit = limited ? (int)MIN (timeout_ms, G_MAXINT) : -1;
	g_autoptr (GError) why = NULL;

	if (kd_target_wait (session->target, limit, &why))
		return TRUE;
	if (limited && g_error_matches (why, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
			"the machine still runs after %d ms", limit);
	else
		g_propagate_error (error, g_steal_pointer (&why));
	return FALSE;
}

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
	if (wait && !wait_stop (session, limited, timeout_ms, error)) {
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
	.flags = KD_COMMAND_NO_IMAGE | KD_COMMAND_WAITS,
	.run = run,
	.render = kd_run_state_render,
};
