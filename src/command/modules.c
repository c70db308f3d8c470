/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/json.h"
#include "command/command.h"
#include "command/kvm-common.h"
#include "kernel/module.h"

static const KdArg args[] = {
	{"name", 0, KD_ARG_STRING, KD_ARG_REPEATED, TRUE, NULL,
		"only these; their symbols, types and files are looked for"},
	{NULL},
};

/* --- the tree --- */

/* Opens what it has to. */
static void
add_sources (KdModule *module, JsonObject *obj)
{
	g_autoptr (GError) why = NULL;
	KdImage *image;

	kd_json_set_string (obj, "symbols_from", kd_module_symbols_from (module));
	kd_json_set_string (obj, "symbols_why", kd_module_symbols_why (module));
	kd_json_set_string (obj, "types_from", kd_module_types_from (module));
	kd_json_set_string (obj, "types_why", kd_module_types_why (module));
	image = kd_module_image (module, &why);
	kd_json_set_string (obj, "lines_from", image ? kd_image_lines_from (image) : NULL);
	kd_json_set_string (obj, "file", image ? kd_image_path (image) : NULL);
	if (why)
		kd_json_set_string (obj, "why", why->message);
}

static void
add_module (KdModule *module, gboolean whole, JsonArray *array)
{
	JsonObject *obj = kd_json_array_add_object (array);
	const GArray *ranges = kd_module_ranges (module);
	g_autofree char *debug = NULL;
	JsonArray *parts;

	if (whole)
		add_sources (module, obj);
	debug = kd_module_debug_state (module);
	kd_json_set_string (obj, "name", kd_module_name (module));
	kd_json_set_hex (obj, "base", kd_module_base (module));
	kd_json_set_uint (obj, "size", kd_module_size (module));
	kd_json_set_string (obj, "state", kd_module_state (module));
	kd_json_set_hex (obj, "module", kd_module_address (module));
	kd_json_set_string (obj, "build_id", kd_module_build_id (module));
	kd_json_set_string (obj, "debug", debug);
	if (!whole)
		return;
	parts = kd_json_add_array (obj, "ranges");
	for (guint i = 0; i < ranges->len; i++) {
		const KdModuleRange *range = &g_array_index (ranges, KdModuleRange, i);
		JsonObject *part = kd_json_array_add_object (parts);

		kd_json_set_hex (part, "start", range->start);
		kd_json_set_uint (part, "size", range->size);
	}
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	const char *const *names = kd_args_list (given, "name");
	g_autofree char *why = NULL;
	const GPtrArray *modules = kd_kernel_modules (session->kernel, &why);
	g_autoptr (JsonArray) array = json_array_new();
	g_autoptr (GError) partial = NULL;

	for (guint i = 0; !*names && i < modules->len; i++)
		add_module (g_ptr_array_index (modules, i), FALSE, array);
	for (; *names; names++) {
		KdModule *module = kd_kernel_module_by_name (session->kernel, *names);

		if (!module) {
			g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
				"modules: no module “%s” is loaded%s%s", *names, why ? "; " : "",
				why ? why : "");
			return NULL;
		}
		add_module (module, TRUE, array);
	}
	if (why)
		partial = g_error_new_literal (KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED, why);
	return kd_kvm_list_node (g_steal_pointer (&array), partial, error);
}

/* --- text --- */

static void
render_sources (JsonObject *obj, KdText *text)
{
	static const struct {
		const char *key, *label;
		const char *why;
	} rows[] = {{"symbols_from", "symbols", "symbols_why"},
		{"types_from", "types", "types_why"}, {"lines_from", "lines", NULL},
		{"file", "file", NULL}, {"why", "no file", NULL}, {"build_id", "build-id", NULL}};
	const char *name = NULL;

	kd_json_get_string (obj, "name", FALSE, &name, NULL);
	kd_text_printf (text, KD_STYLE_HEADING, "%s\n", name ? name : "?");
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		const char *value = NULL;

		kd_json_get_string (obj, rows[i].key, FALSE, &value, NULL);
		if (!value && i >= 3)
			continue;
		kd_text_printf (text, KD_STYLE_DIM, "  %-9s", rows[i].label);
		kd_text_add (text, KD_STYLE_PLAIN, value ? value : "none");
		value = NULL;
		if (rows[i].why)
			kd_json_get_string (obj, rows[i].why, FALSE, &value, NULL);
		if (value)
			kd_text_printf (text, KD_STYLE_WARN, ": %s", value);
		kd_text_add (text, KD_STYLE_PLAIN, "\n");
	}
}

static void
render (JsonNode *result, KdText *text)
{
	static const char *const headings[] = {
		"MODULE", "BASE", "SIZE", "STATE", "STRUCT MODULE", "DEBUG", NULL};
	JsonArray *array = kd_json_node_array (result, NULL);

	if (!kd_kvm_list_begin (array, headings, "no modules", text))
		return;
	for (guint i = 0; i < json_array_get_length (array); i++) {
		JsonObject *obj = NULL;

		if (!kd_json_array_object (array, i, &obj, NULL))
			continue;
		kd_kvm_cell_string (text, KD_STYLE_SYMBOL, obj, "name");
		kd_kvm_cell_string (text, KD_STYLE_ADDRESS, obj, "base");
		kd_kvm_cell_int (text, obj, "size");
		kd_kvm_cell_string (text, KD_STYLE_PLAIN, obj, "state");
		kd_kvm_cell_string (text, KD_STYLE_ADDRESS, obj, "module");
		kd_kvm_cell_string (text, KD_STYLE_DIM, obj, "debug");
		kd_text_table_end_row (text);
	}
	kd_kvm_list_end (array, text);
	for (guint i = 0; i < json_array_get_length (array); i++) {
		JsonObject *obj = NULL;

		if (kd_json_array_object (array, i, &obj, NULL) &&
			json_object_has_member (obj, "ranges"))
			render_sources (obj, text);
	}
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	const GPtrArray *modules;

	if (!session->kernel)
		return;
	modules = kd_kernel_modules (session->kernel, NULL);
	for (guint i = 0; i < modules->len; i++) {
		const char *name = kd_module_name (g_ptr_array_index (modules, i));

		if (g_str_has_prefix (name, word))
			g_ptr_array_add (ret_candidates, g_strdup (name));
	}
}

const KdCommand kd_command_modules = {
	.name = "modules",
	.group = "symbols",
	.summary = "modules of the kernel, and what is known of them",
	.help = "A module is opened when something in it is asked for: DEBUG tells what has been "
		"so far. Symbols and types come from the machine's memory; lines and inlined "
		"functions "
		"from "
		"a module's file with debug information, found by build-id under --debug-dir and "
		"/usr/lib/debug.",
	.example = "kvmdbg modules\nkvmdbg modules kvm kvm_amd",
	.args = args,
	.flags = KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
	.complete = complete,
};
