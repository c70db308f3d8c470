/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"
#include "command/address.h"
#include "command/walk.h"

static const KdArg args[] = {
	{"address", 0, KD_ARG_EXPR, KD_ARG_REQUIRED, TRUE, "ADDR",
		"expression, with a space: “user:PID:0x…”, “cpu:N:0x…”, …"},
	{NULL},
};

static JsonObject *
walk_json (KdSession *session, KdAddr addr, const KdRegime *regime, const KdWalk *walk)
{
	g_autofree char *space = kd_space_to_string (addr.space);
	JsonObject *obj = json_object_new();

	kd_json_set_hex (obj, "va", addr.value);
	kd_json_set_string (obj, "space", space);
	kd_command_walk_json (obj, kd_target_arch (session->target), regime, walk);
	return obj;
}

/* Without a kernel the tables that the CPU of the last stop uses. */
static gboolean
walk_address (
	KdSession *session, KdAddr addr, KdWalk *ret_walk, KdRegime *ret_regime, GError **error)
{
	unsigned cpu = kd_session_stopped_cpu (session);

	if (session->kernel)
		return kd_kernel_walk (session->kernel, addr, ret_walk, ret_regime, error);
	if (addr.space.kind != KD_SPACE_KERNEL) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NEEDS_KERNEL,
			"no kernel is known, so only kernel addresses have tables");
		return FALSE;
	}
	if (!kd_target_cpu_regime (session->target, cpu, KD_REGIME_KERNEL, ret_regime, error))
		return FALSE;
	kd_target_walk (session->target, ret_regime, addr.value, ret_walk);
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	KdRegime regime = {0};
	KdWalk walk = {0};
	KdAddr addr;

	if (!kd_command_address (session, kd_args_string (given, "address"), &addr, error) ||
		!walk_address (session, addr, &walk, &regime, error)) {
		g_prefix_error (error, "translate: ");
		return NULL;
	}
	return kd_json_object_node (walk_json (session, addr, &regime, &walk));
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *va = "", *space = "";

	kd_json_get_string (obj, "va", FALSE, &va, NULL);
	kd_json_get_string (obj, "space", FALSE, &space, NULL);
	kd_command_walk_render_levels (obj, text);
	kd_text_printf (text, KD_STYLE_PLAIN, "%s:", space);
	kd_text_add (text, KD_STYLE_ADDRESS, va);
	kd_command_walk_render_end (obj, text);
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	kd_command_complete_symbol (session, word, ret_candidates);
}

const KdCommand kd_command_translate = {
	.name = "translate",
	.group = "machine",
	.summary = "a virtual address through its tables, level by level",
	.example = "kvmdbg translate init_task\nkvmdbg translate user:1:0x400000",
	.args = args,
	.run = run,
	.render = render,
	.complete = complete,
};
