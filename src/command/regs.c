/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/nearest.h"
#include "command/command.h"

static const KdArg args[] = {
	{"cpu", 'c', KD_ARG_UINT, 0, FALSE, "N", "of this CPU only"},
	{"all", 'a', KD_ARG_FLAG, 0, FALSE, NULL, "system, vector and all other registers too"},
	{"name", 0, KD_ARG_STRING, KD_ARG_REPEATED, TRUE, NULL,
		"only these; as kvmdbg or as the stub calls them"},
	{NULL},
};

/* --- the tree --- */

static gboolean
add_register (
	KdSession *session, unsigned cpu, const KdRegInfo *info, JsonObject *regs, GError **error)
{
	g_autoptr (GByteArray) bytes = NULL;
	g_autofree char *text = NULL;
	uint64_t value;

	if (info->bits <= 64) {
		if (!kd_target_reg_get (session->target, cpu, info->name, &value, error))
			return FALSE;
		kd_json_set_hex (regs, info->name, value);
		return TRUE;
	}
	bytes = g_byte_array_new();
	if (!kd_target_reg_get_bytes (session->target, cpu, info->name, bytes, error))
		return FALSE;
	/* Most significant byte first, as a number is written. */
	for (guint i = 0; i < bytes->len / 2; i++) {
		uint8_t low = bytes->data[i];

		bytes->data[i] = bytes->data[bytes->len - 1 - i];
		bytes->data[bytes->len - 1 - i] = low;
	}
	text = kd_hex_to_string (bytes->data, bytes->len);
	kd_json_set_printf (regs, info->name, "0x%s", text);
	return TRUE;
}

/* A register that the stub cannot give is left out of a list, and is an error when asked for. */
static void
add_group (KdSession *session, unsigned cpu, gboolean all, JsonObject *regs)
{
	unsigned nr;
	const KdRegInfo *infos = kd_target_reg_infos (session->target, &nr);

	for (unsigned i = 0; i < nr; i++)
		if (all || g_strcmp0 (infos[i].group, "general") == 0)
			add_register (session, cpu, &infos[i], regs, NULL);
}

static const KdRegInfo *
find_info (KdSession *session, const char *name, GError **error)
{
	g_autoptr (KdNearest) nearest = NULL;
	g_autofree char *hint = NULL;
	unsigned nr;
	const KdRegInfo *infos = kd_target_reg_infos (session->target, &nr);

	for (unsigned i = 0; i < nr; i++)
		if (g_ascii_strcasecmp (infos[i].name, name) == 0 ||
			g_ascii_strcasecmp (infos[i].stub_name, name) == 0)
			return &infos[i];
	nearest = kd_nearest_new (name);
	for (unsigned i = 0; i < nr; i++)
		kd_nearest_offer (nearest, infos[i].name);
	hint = kd_nearest_hint (nearest);
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND, "no register “%s”%s", name,
		hint);
	return NULL;
}

static gboolean
add_cpu (KdSession *session, unsigned cpu, const KdArgs *given, JsonArray *array, GError **error)
{
	const char *const *names = kd_args_list (given, "name");
	KdCpuState state = session->kernel ? kd_kernel_cpu_state (session->kernel, cpu)
					   : kd_target_cpu_state (session->target, cpu);
	JsonObject *obj = kd_json_array_add_object (array);
	JsonObject *regs;

	kd_json_set_int (obj, "cpu", cpu);
	kd_json_set_int (obj, "el", state.el);
	kd_json_set_string (obj, "mode", state.mode_name);
	regs = kd_json_add_object (obj, "regs");
	if (!*names)
		add_group (session, cpu, kd_args_flag (given, "all"), regs);
	for (; *names; names++) {
		const KdRegInfo *info = find_info (session, *names, error);

		if (!info || !add_register (session, cpu, info, regs, error))
			return FALSE;
	}
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	g_autoptr (JsonArray) array = json_array_new();
	unsigned nr_cpus = kd_target_nr_cpus (session->target);
	uint64_t first = 0, end = nr_cpus;

	if (kd_args_uint (given, "cpu", &first)) {
		if (first >= nr_cpus) {
			g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND,
				"regs: no CPU %" G_GUINT64_FORMAT " (there are %u)", first,
				nr_cpus);
			return NULL;
		}
		end = first + 1;
	}
	for (uint64_t cpu = first; cpu < end; cpu++)
		if (!add_cpu (session, (unsigned)cpu, given, array, error)) {
			g_prefix_error (error, "regs: CPU %" G_GUINT64_FORMAT ": ", cpu);
			return NULL;
		}
	return kd_json_array_node (g_steal_pointer (&array));
}

/* --- text --- */

#define CELL_GAP 2

/* In columns, as many as the width allows; wide registers get a line each. */
static void
render_regs (JsonObject *regs, KdText *text)
{
	g_autoptr (GList) names = json_object_get_members (regs);
	size_t name_width = 0;
	const size_t value_width = strlen ("0x0123456789abcdef");
	unsigned per_line, column = 0;

	for (GList *l = names; l; l = l->next)
		name_width = MAX (name_width, strlen (l->data));
	per_line = kd_text_columns (text) / (unsigned)(name_width + 1 + value_width + CELL_GAP);
	per_line = MAX (per_line, 1);
	for (GList *l = names; l; l = l->next) {
		const char *value = "";
		uint64_t number = 0;
		gboolean wide;

		kd_json_get_string (regs, l->data, FALSE, &value, NULL);
		wide = !kd_parse_u64 (value, &number);
		if (column)
			kd_text_add (
				text, KD_STYLE_PLAIN, wide || column == per_line ? "\n" : "  ");
		if (wide || column == per_line)
			column = 0;
		kd_text_printf (text, KD_STYLE_DIM, "%-*s ", (int)name_width, (char *)l->data);
		if (wide)
			kd_text_add (text, KD_STYLE_PLAIN, value);
		else
			kd_text_printf (
				text, KD_STYLE_PLAIN, "0x%016" G_GINT64_MODIFIER "x", number);
		column = wide ? per_line : column + 1;
	}
	if (column)
		kd_text_add (text, KD_STYLE_PLAIN, "\n");
}

static void
render (JsonNode *result, KdText *text)
{
	JsonArray *array = kd_json_node_array (result, NULL);

	for (guint i = 0; array && i < json_array_get_length (array); i++) {
		JsonObject *obj = NULL, *regs = NULL;
		const char *mode = NULL;
		gint64 cpu = 0;

		if (!kd_json_array_object (array, i, &obj, NULL) ||
			!kd_json_get_object (obj, "regs", TRUE, &regs, NULL))
			continue;
		kd_json_get_int (obj, "cpu", FALSE, &cpu, NULL);
		kd_json_get_string (obj, "mode", FALSE, &mode, NULL);
		kd_text_printf (
			text, KD_STYLE_HEADING, "%sCPU %" G_GINT64_FORMAT, i ? "\n" : "", cpu);
		kd_text_printf (text, KD_STYLE_PLAIN, "  %s\n", mode ? mode : "");
		render_regs (regs, text);
	}
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	unsigned nr;
	const KdRegInfo *infos;

	if (strcmp (arg_name, "name") != 0 || !session->target)
		return;
	infos = kd_target_reg_infos (session->target, &nr);
	for (unsigned i = 0; i < nr; i++)
		g_ptr_array_add (ret_candidates, g_strdup (infos[i].name));
}

const KdCommand kd_command_regs = {
	.name = "regs",
	.group = "machine",
	.summary = "registers of the CPUs",
	.help = "Without a name the general registers. Values are those of the stop, whatever the "
		"CPU was in: a guest's registers while it was in a guest.",
	.example = "kvmdbg regs\nkvmdbg regs --cpu 1 pc sp VBAR_EL2",
	.args = args,
	.flags = KD_COMMAND_NEEDS_STOP,
	.run = run,
	.render = render,
	.complete = complete,
};
