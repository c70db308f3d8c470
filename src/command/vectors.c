/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/vectors.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "command/address.h"
#include "command/command.h"

static const KdArg args[] = {
	{"cpu", 'c', KD_ARG_UINT, 0, FALSE, "N", "what this CPU uses"},
	{"all", 'a', KD_ARG_FLAG, 0, FALSE, NULL,
		"the entries of all tables, not only of those in use"},
	{"name", 0, KD_ARG_STRING, KD_ARG_REPEATED, TRUE, NULL, "only these tables"},
	{NULL},
};

/* --- the tree --- */

static void
set_symbol (KdSession *session, JsonObject *obj, const char *key, uint64_t addr)
{
	g_autofree char *symbol = addr ? kd_kernel_symbolize (session->kernel, addr) : NULL;

	kd_json_set_string (obj, key, symbol);
}

static void
add_table (KdSession *session, JsonArray *array, const KdVectorTable *table, gboolean in_use)
{
	JsonObject *obj = kd_json_array_add_object (array);
	JsonArray *entries = json_array_new();

	kd_json_set_string (obj, "name", table->symbol);
	kd_json_set_uint (obj, "slot", table->slot);
	kd_json_set_hex (obj, "addr", table->addr);
	kd_json_set_bool (obj, "in_use", in_use);
	for (guint i = 0; i < table->entries->len; i++) {
		const KdVectorEntry *entry = &g_array_index (table->entries, KdVectorEntry, i);
		JsonObject *row = kd_json_array_add_object (entries);

		kd_json_set_uint (row, "index", entry->index);
		kd_json_set_hex (row, "addr", entry->addr);
		kd_json_set_string (row, "name", entry->name);
		if (entry->target)
			kd_json_set_hex (row, "target", entry->target);
		set_symbol (session, row, "symbol", entry->target);
		kd_json_set_string (row, "gate", entry->words);
	}
	json_object_set_array_member (obj, "entries", entries);
}

static gboolean
is_wanted (const KdVectorTable *table, const char *const *names)
{
	return !*names || g_strv_contains (names, table->symbol);
}

static gboolean
check_names (const GArray *tables, const char *const *names, GError **error)
{
	for (; *names; names++) {
		g_autoptr (GString) known = g_string_new (NULL);
		gboolean found = FALSE;

		for (guint i = 0; i < tables->len; i++) {
			const KdVectorTable *table = &g_array_index (tables, KdVectorTable, i);

			found = found || strcmp (table->symbol, *names) == 0;
			if (table->slot == 0)
				g_string_append_printf (
					known, "%s%s", known->len ? ", " : "", table->symbol);
		}
		if (!found) {
			g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
				"vectors: no table %s (there are: %s)", *names, known->str);
			return FALSE;
		}
	}
	return TRUE;
}

static void
add_use (JsonArray *cpus, const GArray *tables, const KdVectorUse *use)
{
	JsonObject *obj = kd_json_array_add_object (cpus);

	kd_json_set_int (obj, "cpu", use->cpu);
	kd_json_set_string (obj, "reg", use->reg);
	kd_json_set_string (obj, "alias", use->alias);
	kd_json_set_string (obj, "regime", use->regime);
	kd_json_set_bool (obj, "in_force", use->in_force);
	kd_json_set_hex (obj, "value", use->value);
	if (use->table >= 0) {
		const KdVectorTable *table = &g_array_index (tables, KdVectorTable, use->table);

		kd_json_set_string (obj, "table", table->symbol);
		kd_json_set_uint (obj, "slot", table->slot);
	} else
		json_object_set_null_member (obj, "table");
}

/* Leaves those of one CPU, if one was given. */
static gboolean
choose_cpu (KdSession *session, const KdArgs *given, GArray *uses, GError **error)
{
	uint64_t given_cpu;
	unsigned cpu;

	if (!kd_args_uint (given, "cpu", &given_cpu))
		return TRUE;
	if (!kd_command_cpu (session, given, &cpu, error)) {
		g_prefix_error (error, "vectors: ");
		return FALSE;
	}
	for (guint i = uses->len; i-- > 0;)
		if (g_array_index (uses, KdVectorUse, i).cpu != cpu)
			g_array_remove_index (uses, i);
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	const char *const *names = kd_args_list (given, "name");
	g_autoptr (GArray) tables = kd_vector_tables (session->kernel);
	g_autoptr (GArray) uses = kd_vector_uses (session->kernel, tables);
	JsonObject *result;
	JsonArray *rows, *cpus;

	if (!check_names (tables, names, error) || !choose_cpu (session, given, uses, error))
		return NULL;
	result = json_object_new();
	rows = json_array_new();
	cpus = json_array_new();
	for (guint i = 0; i < tables->len; i++) {
		const KdVectorTable *table = &g_array_index (tables, KdVectorTable, i);
		gboolean in_use = FALSE;

		for (guint k = 0; k < uses->len; k++)
			in_use = in_use || g_array_index (uses, KdVectorUse, k).table == (int)i;
		if (is_wanted (table, names))
			add_table (session, rows, table, in_use);
	}
	for (guint i = 0; i < uses->len; i++)
		add_use (cpus, tables, &g_array_index (uses, KdVectorUse, i));
	kd_json_set_bool (result, "all", kd_args_flag (given, "all") || *names);
	json_object_set_array_member (result, "cpus", cpus);
	json_object_set_array_member (result, "tables", rows);
	return kd_json_object_node (result);
}

/* --- text --- */

static void
render_cpus (JsonArray *cpus, KdText *text)
{
	static const char *const headings[] = {
		"CPU", "REGISTER", "VALUE", "NOW", "REGIME", "TABLE", NULL};

	kd_text_table_begin (text, headings);
	for (guint i = 0; i < json_array_get_length (cpus); i++) {
		const char *reg = NULL, *alias = NULL, *value = NULL, *table = NULL, *regime = NULL;
		gboolean in_force = FALSE;
		gint64 cpu = 0, slot = 0;
		JsonObject *obj = NULL;

		if (!kd_json_array_object (cpus, i, &obj, NULL))
			continue;
		kd_json_get_int (obj, "cpu", FALSE, &cpu, NULL);
		kd_json_get_int (obj, "slot", FALSE, &slot, NULL);
		kd_json_get_string (obj, "reg", FALSE, &reg, NULL);
		kd_json_get_string (obj, "alias", FALSE, &alias, NULL);
		kd_json_get_string (obj, "regime", FALSE, &regime, NULL);
		kd_json_get_bool (obj, "in_force", FALSE, &in_force, NULL);
		kd_json_get_string (obj, "value", FALSE, &value, NULL);
		kd_json_get_string (obj, "table", FALSE, &table, NULL);
		kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" PRId64, cpu);
		if (alias)
			kd_text_table_cellf (text, KD_STYLE_PLAIN, "%s (%s)", reg, alias);
		else
			kd_text_table_cell (text, KD_STYLE_PLAIN, reg);
		kd_text_table_cell (text, KD_STYLE_ADDRESS, value);
		kd_text_table_cell (text, KD_STYLE_PLAIN, in_force ? "in force" : "");
		kd_text_table_cell (text, KD_STYLE_DIM, regime);
		if (slot)
			kd_text_table_cellf (
				text, KD_STYLE_SYMBOL, "%s, slot %" PRId64, table, slot);
		else
			kd_text_table_cell (
				text, KD_STYLE_SYMBOL, table ? table : "none of the host kernel's");
		kd_text_table_end_row (text);
	}
	kd_text_table_end (text);
}

static void
render_table (JsonObject *table, gboolean all, KdText *text)
{
	const char *name = "", *addr = "";
	gboolean in_use = FALSE;
	JsonArray *entries = NULL;
	gint64 slot = 0;

	kd_json_get_string (table, "name", FALSE, &name, NULL);
	kd_json_get_string (table, "addr", FALSE, &addr, NULL);
	kd_json_get_int (table, "slot", FALSE, &slot, NULL);
	kd_json_get_bool (table, "in_use", FALSE, &in_use, NULL);
	kd_text_printf (text, KD_STYLE_HEADING, "\n%s", name);
	if (slot)
		kd_text_printf (text, KD_STYLE_HEADING, ", slot %" PRId64, slot);
	kd_text_printf (text, KD_STYLE_ADDRESS, "  %s", addr);
	kd_text_printf (text, KD_STYLE_DIM, "%s\n", in_use ? "" : "  not in use now");
	if ((!in_use && !all) || !kd_json_get_array (table, "entries", TRUE, &entries, NULL))
		return;
	kd_text_table_begin (text, NULL);
	for (guint i = 0; i < json_array_get_length (entries); i++) {
		const char *at = NULL, *what = NULL, *symbol = NULL, *gate = NULL;
		JsonObject *entry = NULL;
		gint64 index = 0;

		if (!kd_json_array_object (entries, i, &entry, NULL))
			continue;
		kd_json_get_int (entry, "index", FALSE, &index, NULL);
		kd_json_get_string (entry, "addr", FALSE, &at, NULL);
		kd_json_get_string (entry, "name", FALSE, &what, NULL);
		kd_json_get_string (entry, "symbol", FALSE, &symbol, NULL);
		kd_json_get_string (entry, "gate", FALSE, &gate, NULL);
		kd_text_table_cellf (text, KD_STYLE_NUMBER, "  %" PRId64, index);
		kd_text_table_cell (text, KD_STYLE_ADDRESS, at);
		kd_text_table_cell (text, KD_STYLE_PLAIN, what);
		kd_text_table_cell (text, KD_STYLE_SYMBOL, symbol ? symbol : "nowhere else");
		kd_text_table_cell (text, KD_STYLE_DIM, gate);
		kd_text_table_end_row (text);
	}
	kd_text_table_end (text);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	JsonArray *cpus = NULL, *tables = NULL;
	gboolean all = FALSE;

	kd_json_get_bool (obj, "all", FALSE, &all, NULL);
	if (kd_json_get_array (obj, "cpus", TRUE, &cpus, NULL))
		render_cpus (cpus, text);
	if (!kd_json_get_array (obj, "tables", TRUE, &tables, NULL))
		return;
	for (guint i = 0; i < json_array_get_length (tables); i++) {
		JsonObject *table = NULL;

		if (kd_json_array_object (tables, i, &table, NULL))
			render_table (table, all, text);
	}
}

const KdCommand kd_command_vectors = {
	.name = "vectors",
	.group = "machine",
	.summary = "exception vector tables, who uses them, and what each entry leads to",
	.help = "On arm64 the kernel's tables, KVM's of VHE and nVHE and each of their hardening "
		"slots; which of them VBAR points at on each CPU, and which VBAR is in force where "
		"the CPU is now. Under HCR_EL2.E2H EL1's is a guest's, and VBAR_EL12 to code at "
		"EL2. On x86-64 the IDT with its gates.\n\n"
		"JSON: {cpus: [{cpu, reg, alias (null: code calls it the same), regime (null), "
		"in_force, value, table (null: none of the host kernel's), slot}], tables: [{name, "
		"slot, addr, in_use (by these CPUs), entries: [{index, addr, name, target, symbol, "
		"gate}]}]}.",
	.example = "vectors\nvectors --cpu 1\nvectors __kvm_hyp_vector",
	.args = args,
	.flags = KD_COMMAND_NEEDS_STOP | KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
};
