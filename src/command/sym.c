/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "command/address.h"

/* Matches of a pattern that are told. */
#define MATCHES_MAX 10000

/* --- the tree --- */

static JsonObject *
add_plain_symbol (KdKernel *kernel, JsonArray *array, const KdKernelSymbol *symbol, uint64_t offset)
{
	JsonObject *obj = kd_json_array_add_object (array);

	kd_json_set_string (obj, "name", symbol->name);
	kd_json_set_hex (obj, "addr", symbol->addr);
	kd_json_set_uint (obj, "offset", offset);
	/* The kernel's own table has no sizes: only how far it is to the next symbol. */
	if (symbol->module || kd_image_path (kd_kernel_image (kernel)))
		kd_json_set_uint (obj, "size", symbol->size);
	else
		json_object_set_null_member (obj, "size");
	kd_json_set_printf (obj, "kind", "%c", symbol->kind);
	kd_json_set_string (obj, "module", symbol->module);
	return obj;
}

/* `offset`: from the symbol's start to what was asked about. */
static void
add_symbol (KdKernel *kernel, JsonArray *array, const KdKernelSymbol *symbol, uint64_t offset)
{
	JsonObject *obj = add_plain_symbol (kernel, array, symbol, offset);
	KdImage *image;
	uint64_t link;

	image = kd_kernel_image_at (kernel, symbol->addr + offset, &link);
	if (!image)
		return;
	kd_json_set_string (obj, "section", kd_image_section_name (image, link));
	g_autoptr (GArray) lines = kd_image_lines_at (image, link);
	if (lines->len == 0)
		return;
	/* Innermost first: the place, then who it was inlined into. */
	JsonArray *frames = kd_json_add_array (obj, "lines");
	for (guint i = 0; i < lines->len; i++) {
		const KdLine *line = &g_array_index (lines, KdLine, i);
		JsonObject *frame = kd_json_array_add_object (frames);
		kd_json_set_string (frame, "function", line->function);
		kd_json_set_string (frame, "file", line->file);
		kd_json_set_int (frame, "line", line->line);
		kd_json_set_bool (frame, "inlined", line->inlined);
	}
	kd_json_set_string (obj, "file", g_array_index (lines, KdLine, 0).file);
	kd_json_set_int (obj, "line", g_array_index (lines, KdLine, 0).line);
}

static KdKernelSymbol
at_run_time (KdKernel *kernel, const KdSymbol *symbol)
{
	/* An absolute symbol is a number, which KASLR does not move. */
	uint64_t moved =
		g_ascii_toupper (symbol->kind) == 'A' ? 0 : kd_kernel_kaslr_offset (kernel);
	return (KdKernelSymbol){
		symbol->name, symbol->addr + moved, symbol->size, symbol->kind, NULL};
}

/* All of that name in the image (statics repeat), else what a module has. FALSE: none. */
static gboolean
add_by_name (KdKernel *kernel, JsonArray *array, const char *name, uint64_t offset)
{
	g_autoptr (GArray) found = kd_image_symbols_by_name (kd_kernel_image (kernel), name);
	KdKernelSymbol symbol;

	for (guint i = 0; i < found->len; i++) {
		symbol = at_run_time (kernel, &g_array_index (found, KdSymbol, i));
		add_symbol (kernel, array, &symbol, offset);
	}
	if (found->len > 0)
		return TRUE;
	if (!kd_kernel_symbol (kernel, name, &symbol))
		return FALSE;
	add_symbol (kernel, array, &symbol, offset);
	return TRUE;
}

static gboolean
add_one (KdKernel *kernel, JsonArray *array, const char *word, GError **error)
{
	KdKernelSymbol symbol;
	uint64_t addr, offset = 0;

	if (kd_parse_u64 (word, &addr)) {
		if (!kd_kernel_symbol_at (kernel, addr, &symbol)) {
			g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
				"sym: nothing known is at 0x%" G_GINT64_MODIFIER "x", addr);
			return FALSE;
		}
		add_symbol (kernel, array, &symbol, addr - symbol.addr);
		return TRUE;
	}
	if (add_by_name (kernel, array, word, 0))
		return TRUE;
	const char *plus = strchr (word, '+');
	if (plus && kd_parse_u64 (plus + 1, &offset)) {
		g_autofree char *name = g_strndup (word, (gsize)(plus - word));
		if (add_by_name (kernel, array, name, offset))
			return TRUE;
	}
	/* For its words and its nearest names. */
	if (kd_kernel_symbol_addr (kernel, word, &addr, error))
		return TRUE;
	g_prefix_error (error, "sym: ");
	return FALSE;
}

typedef struct {
	KdKernel *kernel;
	GRegex *regex;
	JsonArray *array;
} Search;

static gboolean
match_one (const KdKernelSymbol *symbol, void *data)
{
	Search *search = data;

	if (!g_regex_match (search->regex, symbol->name, 0, NULL))
		return TRUE;
	add_plain_symbol (search->kernel, search->array, symbol, 0);
	return json_array_get_length (search->array) < MATCHES_MAX;
}

static gboolean
search (KdKernel *kernel, JsonObject *obj, JsonArray *array, const char *pattern, GError **error)
{
	g_autoptr (GError) local = NULL;
	g_autoptr (GRegex) regex = g_regex_new (pattern, G_REGEX_RAW | G_REGEX_OPTIMIZE, 0, &local);

	if (!regex) {
		g_set_error (
			error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE, "sym: %s", local->message);
		return FALSE;
	}
	Search state = {kernel, regex, array};
	kd_kernel_symbols_foreach (kernel, match_one, &state);
	if (json_array_get_length (array) == MATCHES_MAX)
		kd_json_set_bool (obj, "partial", TRUE);
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	const char *pattern = kd_args_string (args, "regex");
	const char *const *words = kd_args_list (args, "what");
	JsonObject *obj = json_object_new();
	g_autoptr (JsonNode) node = kd_json_object_node (obj);
	JsonArray *array = kd_json_add_array (obj, "symbols");

	if (!pattern && !*words) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"sym: a name, an address or -r REGEX is needed");
		return NULL;
	}
	if (pattern && !search (session->kernel, obj, array, pattern, error))
		return NULL;
	for (; *words; words++)
		if (!add_one (session->kernel, array, *words, error))
			return NULL;
	return g_steal_pointer (&node);
}

/* --- text --- */

static void
render_lines (JsonObject *obj, KdText *text)
{
	JsonArray *lines = NULL;
	JsonObject *frame;

	kd_json_get_array (obj, "lines", FALSE, &lines, NULL);
	for (guint i = 0; lines && i < json_array_get_length (lines); i++) {
		const char *function = NULL, *file = NULL;
		gint64 line = 0;
		gboolean inlined = FALSE;
		if (!kd_json_array_object (lines, i, &frame, NULL))
			continue;
		kd_json_get_string (frame, "function", FALSE, &function, NULL);
		kd_json_get_string (frame, "file", FALSE, &file, NULL);
		kd_json_get_int (frame, "line", FALSE, &line, NULL);
		kd_json_get_bool (frame, "inlined", FALSE, &inlined, NULL);
		if (!file)
			continue;
		kd_text_printf (text, KD_STYLE_DIM, "    %s:%" G_GINT64_FORMAT, file, line);
		if (inlined)
			kd_text_printf (
				text, KD_STYLE_DIM, " in %s (inlined)", function ? function : "?");
		kd_text_add (text, KD_STYLE_PLAIN, "\n");
	}
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL), *symbol;
	JsonArray *symbols = NULL;
	gboolean partial = FALSE;

	kd_json_get_array (obj, "symbols", FALSE, &symbols, NULL);
	kd_json_get_bool (obj, "partial", FALSE, &partial, NULL);
	for (guint i = 0; symbols && i < json_array_get_length (symbols); i++) {
		const char *name = "?", *kind = "?", *section = NULL, *module = NULL;
		guint64 addr = 0, offset = 0, size = 0;
		if (!kd_json_array_object (symbols, i, &symbol, NULL))
			continue;
		kd_json_get_string (symbol, "name", FALSE, &name, NULL);
		kd_json_get_string (symbol, "kind", FALSE, &kind, NULL);
		kd_json_get_string (symbol, "section", FALSE, &section, NULL);
		kd_json_get_string (symbol, "module", FALSE, &module, NULL);
		kd_json_get_address (symbol, "addr", FALSE, &addr, NULL);
		kd_json_get_uint (symbol, "offset", FALSE, &offset, NULL);
		kd_json_get_uint (symbol, "size", FALSE, &size, NULL);
		kd_text_printf (
			text, KD_STYLE_ADDRESS, "%016" G_GINT64_MODIFIER "x", addr + offset);
		kd_text_printf (text, KD_STYLE_DIM, " %s ", kind);
		kd_text_add (text, KD_STYLE_SYMBOL, name);
		if (offset)
			kd_text_printf (text, KD_STYLE_PLAIN, "+0x%" G_GINT64_MODIFIER "x", offset);
		if (size)
			kd_text_printf (
				text, KD_STYLE_DIM, "  size 0x%" G_GINT64_MODIFIER "x", size);
		if (module || section)
			kd_text_printf (text, KD_STYLE_DIM, "  %s%s%s", module ? "[" : "",
				module ? module : section, module ? "]" : "");
		kd_text_add (text, KD_STYLE_PLAIN, "\n");
		render_lines (symbol, text);
	}
	if (symbols && json_array_get_length (symbols) == 0)
		kd_text_add (text, KD_STYLE_DIM, "no symbol matches\n");
	if (partial)
		kd_text_add (text, KD_STYLE_WARN, "(cut: more match)\n");
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	if (strcmp (arg_name, "what") == 0)
		kd_command_complete_symbol (session, word, ret_candidates);
}

static const KdArg args[] = {
	{"what", 0, KD_ARG_EXPR, KD_ARG_REPEATED, TRUE, "NAME|ADDR",
		"symbols, symbol+offset, or addresses"},
	{"regex", 'r', KD_ARG_STRING, 0, FALSE, "REGEX", "all symbols whose name matches"},
	{NULL},
};

const KdCommand kd_command_sym = {
	.name = "sym",
	.group = "symbols",
	.summary = "symbol of an address, address of a symbol, with file and line",
	.example = "sym kvm_vcpu_ioctl\nsym 0xffff800008049550\nsym -r ^kvm_arch_vcpu",
	.args = args,
	.flags = KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
	.complete = complete,
};
