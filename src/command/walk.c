/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/walk.h"

#include <inttypes.h>

#include "base/json.h"

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

void
kd_command_walk_json (
	JsonObject *obj, const KdArch *arch, const KdRegime *regime, const KdWalk *walk)
{
	g_autofree char *attrs = NULL;
	JsonArray *levels;

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
		return;
	}
	attrs = arch->describe_leaf (regime, walk);
	kd_json_set_hex (obj, "pa", walk->pa);
	kd_json_set_uint (obj, "map_size", walk->map_size);
	kd_json_set_string (obj, "attrs", attrs);
}

void
kd_command_walk_render_levels (JsonObject *obj, KdText *text)
{
	static const char *const headings[] = {"LEVEL", "TABLE", "INDEX", "ENTRY", NULL};
	JsonArray *levels = NULL;

	if (!kd_json_get_array (obj, "levels", FALSE, &levels, NULL) || !levels ||
		json_array_get_length (levels) == 0)
		return;
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

void
kd_command_walk_render_end (JsonObject *obj, KdText *text)
{
	const char *pa = NULL, *attrs = "", *status = "";
	guint64 size = 0;

	kd_json_get_string (obj, "pa", FALSE, &pa, NULL);
	kd_json_get_string (obj, "attrs", FALSE, &attrs, NULL);
	kd_json_get_string (obj, "status", FALSE, &status, NULL);
	kd_json_get_uint (obj, "map_size", FALSE, &size, NULL);
	if (!pa) {
		kd_text_printf (text, KD_STYLE_WARN, " %s\n", status);
		return;
	}
	kd_text_add (text, KD_STYLE_PLAIN, " → phys:");
	kd_text_add (text, KD_STYLE_ADDRESS, pa);
	kd_text_printf (text, KD_STYLE_PLAIN, ", %" PRIu64 " KiB mapped, %s\n", size >> 10, attrs);
}
