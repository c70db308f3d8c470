/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "command/address.h"

static const KdArg args[] = {
	{"address", 0, KD_ARG_EXPR, KD_ARG_REQUIRED, TRUE, "ADDR",
		"expression, with a space: “user:PID:0x…”, “cpu:N:0x…”, …"},
	{NULL},
};

static const char *
status_text (KdWalkStatus status)
{
	switch (status) {
	case KD_WALK_MAPPED:
		return "mapped";
	case KD_WALK_ABSENT:
		return "not mapped";
	case KD_WALK_RESERVED:
		return "an entry that no table may hold";
	case KD_WALK_NONCANONICAL:
		return "outside of what the tables resolve";
	case KD_WALK_UNREADABLE:
		return "a table lies where no memory is";
	}
	return "unknown";
}

static JsonObject *
walk_json (KdSession *session, KdAddr addr, const KdRegime *regime, const KdWalk *walk)
{
	const KdArch *arch = kd_target_arch (session->target);
	g_autofree char *space = kd_space_to_string (addr.space);
	g_autofree char *attrs = NULL;
	JsonObject *obj = json_object_new();
	JsonArray *levels;

	kd_json_set_hex (obj, "va", addr.value);
	kd_json_set_string (obj, "space", space);
	kd_json_set_hex (obj, "root", regime->root);
	levels = kd_json_add_array (obj, "levels");
	for (unsigned i = 0; i < MIN (walk->nr_levels, KD_WALK_LEVELS_MAX); i++) {
		JsonObject *level = kd_json_array_add_object (levels);

		kd_json_set_string (level, "name", walk->levels[i].name);
		kd_json_set_hex (level, "table", walk->levels[i].table);
		kd_json_set_int (level, "index", walk->levels[i].index);
		kd_json_set_hex (level, "entry_pa", walk->levels[i].entry_pa);
		kd_json_set_hex (level, "entry", walk->levels[i].entry);
	}
	kd_json_set_string (obj, "status", status_text (walk->status));
	if (walk->status != KD_WALK_MAPPED) {
		json_object_set_null_member (obj, "pa");
		json_object_set_null_member (obj, "attrs");
		return obj;
	}
	attrs = arch->describe_leaf (regime, walk);
	kd_json_set_hex (obj, "pa", walk->pa);
	kd_json_set_uint (obj, "map_size", walk->map_size);
	kd_json_set_string (obj, "attrs", attrs);
	return obj;
}

/* Without a kernel the tables that the CPU of the last stop uses. */
static gboolean
walk_address (
	KdSession *session, KdAddr addr, KdWalk *ret_walk, KdRegime *ret_regime, GError **error)
{
	const KdStop *stop = kd_target_last_stop (session->target);
	unsigned cpu = stop && stop->cpu >= 0 ? (unsigned)stop->cpu : 0;

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
render_levels (JsonArray *levels, KdText *text)
{
	static const char *const headings[] = {"LEVEL", "TABLE", "INDEX", "ENTRY", NULL};

	kd_text_table_begin (text, headings);
	for (guint i = 0; i < json_array_get_length (levels); i++) {
		const char *name = NULL, *table = NULL, *entry = NULL;
		JsonObject *level = NULL;
		gint64 index = 0;

		if (!kd_json_array_object (levels, i, &level, NULL))
			continue;
		kd_json_get_string (level, "name", FALSE, &name, NULL);
		kd_json_get_string (level, "table", FALSE, &table, NULL);
		kd_json_get_string (level, "entry", FALSE, &entry, NULL);
		kd_json_get_int (level, "index", FALSE, &index, NULL);
		kd_text_table_cell (text, KD_STYLE_PLAIN, name);
		kd_text_table_cell (text, KD_STYLE_ADDRESS, table);
		kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" PRId64, index);
		kd_text_table_cell (text, KD_STYLE_ADDRESS, entry);
		kd_text_table_end_row (text);
	}
	kd_text_table_end (text);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *va = "", *space = "", *pa = NULL, *attrs = "", *status = "";
	JsonArray *levels = NULL;
	guint64 size = 0;

	kd_json_get_string (obj, "va", FALSE, &va, NULL);
	kd_json_get_string (obj, "space", FALSE, &space, NULL);
	kd_json_get_string (obj, "pa", FALSE, &pa, NULL);
	kd_json_get_string (obj, "attrs", FALSE, &attrs, NULL);
	kd_json_get_string (obj, "status", FALSE, &status, NULL);
	kd_json_get_uint (obj, "map_size", FALSE, &size, NULL);
	if (kd_json_get_array (obj, "levels", FALSE, &levels, NULL) && levels)
		render_levels (levels, text);
	kd_text_printf (text, KD_STYLE_PLAIN, "%s:", space);
	kd_text_add (text, KD_STYLE_ADDRESS, va);
	if (!pa) {
		kd_text_printf (text, KD_STYLE_WARN, " %s\n", status);
		return;
	}
	kd_text_add (text, KD_STYLE_PLAIN, " → phys:");
	kd_text_add (text, KD_STYLE_ADDRESS, pa);
	kd_text_printf (text, KD_STYLE_PLAIN, ", %" PRIu64 " KiB mapped, %s\n", size >> 10, attrs);
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
