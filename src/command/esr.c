/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"
#include "command/address.h"
#include "command/command.h"

static const KdArg args[] = {
	{"value", 0, KD_ARG_EXPR, KD_ARG_REQUIRED, TRUE, "VALUE",
		"a number, a register ($ESR_EL2) or an expression"},
	{NULL},
};

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	const KdArch *arch = kd_target_arch (session->target);
	const char *class = NULL;
	g_autofree char *text = NULL;
	JsonObject *obj;
	KdAddr value;

	if (!kd_command_address (session, kd_args_string (given, "value"), &value, error)) {
		g_prefix_error (error, "esr: ");
		return NULL;
	}
	if (value.space.kind != KD_SPACE_KERNEL) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"esr: “%s” is an address of another space, not a value",
			kd_args_string (given, "value"));
		return NULL;
	}
	text = arch->syndrome_to_string (value.value, &class);
	obj = json_object_new();
	kd_json_set_hex (obj, "value", value.value);
	kd_json_set_string (obj, "kind", arch->syndrome_name);
	kd_json_set_string (obj, "class", class);
	kd_json_set_string (obj, "text", text);
	return kd_json_object_node (obj);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *kind = NULL, *words = NULL;
	guint64 value = 0;

	kd_json_get_string (obj, "kind", FALSE, &kind, NULL);
	kd_json_get_string (obj, "text", FALSE, &words, NULL);
	kd_json_get_address (obj, "value", FALSE, &value, NULL);
	kd_text_printf (text, KD_STYLE_ADDRESS, "0x%" G_GINT64_MODIFIER "x", value);
	kd_text_printf (text, KD_STYLE_DIM, "  %s  ", kind ? kind : "?");
	kd_text_printf (text, KD_STYLE_PLAIN, "%s\n", words ? words : "?");
}

const KdCommand kd_command_esr = {
	.name = "esr",
	.group = "machine",
	.summary = "what an exception's syndrome says, in words",
	.help = "On arm64 ESR_ELx: the class, and what the syndrome of that class has: access, "
		"kind "
		"and level of a fault, the register of a trapped system instruction, what a BRK "
		"means to Linux. On x86-64 the error code of a page fault.\n\n"
		"JSON: {value, kind (\"ESR\"), class (null where there is none), text}.",
	.example = "esr 0x96000045\nesr '$ESR_EL2'",
	.args = args,
	.run = run,
	.render = render,
};
