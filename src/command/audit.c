/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "command/address.h"
#include "kernel/text-audit.h"

/* Rows that are shown; all are counted. */
#define ROWS_MAX 20000

static const KdArg args[] = {
	{"all", 'a', KD_ARG_FLAG, 0, FALSE, NULL, "all code of the kernel (so without FUNCTION)"},
	{"explained", 'e', KD_ARG_FLAG, 0, FALSE, NULL,
		"with FUNCTION always: list also what is explained"},
	{"cause", 0, KD_ARG_STRING, KD_ARG_REPEATED, FALSE, "NAME",
		"list what has this cause (as “ftrace”, “jump label”)"},
	{"function", 0, KD_ARG_EXPR, 0, TRUE, NULL, "only this function's code"},
	{NULL},
};

typedef struct {
	KdKernel *kernel;
	gboolean explained;
	const char *const *causes;
	JsonArray *rows;
	uint64_t hidden; /* of those asked for */
} Listing;

static gboolean
is_wanted (const Listing *listing, const KdTextDifference *difference, const char *cause)
{
	if (*listing->causes)
		return g_strv_contains (listing->causes, cause);
	return listing->explained || difference->cause == KD_TEXT_UNEXPLAINED;
}

static void
add_row (const KdTextDifference *difference, void *data)
{
	Listing *listing = data;
	const char *cause = kd_text_cause_name (difference);
	g_autofree char *symbol = NULL, *was = NULL, *now = NULL;
	JsonObject *row;

	if (!is_wanted (listing, difference, cause))
		return;
	if (json_array_get_length (listing->rows) >= ROWS_MAX) {
		listing->hidden++;
		return;
	}
	row = kd_json_array_add_object (listing->rows);
	symbol = kd_kernel_symbolize (listing->kernel, difference->addr);
	was = kd_hex_to_string (difference->file, difference->len);
	now = kd_hex_to_string (difference->now, difference->len);
	kd_json_set_hex (row, "addr", difference->addr);
	kd_json_set_string (row, "symbol", symbol);
	kd_json_set_uint (row, "length", difference->len);
	kd_json_set_string (row, "was", was);
	kd_json_set_string (row, "now", now);
	kd_json_set_string (row, "cause", cause);
	if (difference->words)
		kd_json_set_string (row, "detail", difference->words);
	else if (difference->has_site)
		kd_json_set_printf (row, "detail", "nothing that the site's %s would put here",
			kd_patch_kind_name (difference->kind));
	kd_json_set_bool (row, "explained", difference->cause != KD_TEXT_UNEXPLAINED);
}

static GArray *
find_function (KdSession *session, const char *text, GError **error)
{
	GArray *ranges;
	KdTextRange range;
	KdKernelSymbol symbol;
	KdAddr addr;

	if (!kd_command_address (session, text, &addr, error))
		return NULL;
	if (addr.space.kind != KD_SPACE_KERNEL ||
		!kd_kernel_symbol_at (session->kernel, addr.value, &symbol) || !symbol.size) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"text: %s: no function of the kernel", text);
		return NULL;
	}
	range = (KdTextRange){symbol.addr, symbol.addr + symbol.size, symbol.module};
	ranges = g_array_new (FALSE, FALSE, sizeof range);
	g_array_append_val (ranges, range);
	return ranges;
}

static void
add_ranges (JsonObject *result, const GArray *ranges)
{
	JsonArray *array = kd_json_add_array (result, "ranges");

	for (guint i = 0; i < ranges->len; i++) {
		const KdTextRange *range = &g_array_index (ranges, KdTextRange, i);
		JsonObject *obj = kd_json_array_add_object (array);

		kd_json_set_hex (obj, "start", range->start);
		kd_json_set_hex (obj, "end", range->end);
		kd_json_set_string (obj, "module", range->module);
	}
}

static void
add_counts (JsonObject *result, const KdTextCounts *counts)
{
	JsonObject *causes = kd_json_add_object (result, "causes");
	uint64_t all = counts->nr_unexplained + counts->nr_relocated;

	if (counts->nr_relocated)
		kd_json_set_uint (causes, "relocation", counts->nr_relocated);
	for (unsigned i = 0; i < KD_PATCH_NR_KINDS; i++) {
		all += counts->nr_patched[i];
		if (counts->nr_patched[i])
			kd_json_set_uint (causes, kd_patch_kind_name (i), counts->nr_patched[i]);
	}
	kd_json_set_uint (result, "bytes", counts->bytes);
	kd_json_set_uint (result, "nr_differences", all);
	kd_json_set_uint (result, "nr_unexplained", counts->nr_unexplained);
}

static void
add_words (JsonObject *result, const char *key, const GPtrArray *words)
{
	JsonArray *array = kd_json_add_array (result, key);

	for (guint i = 0; words && i < words->len; i++)
		json_array_add_string_element (array, g_ptr_array_index (words, i));
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	const char *function = kd_args_string (given, "function");
	Listing listing = {.kernel = session->kernel,
		.explained = function || kd_args_flag (given, "explained"),
		.causes = kd_args_list (given, "cause")};
	KdTextCounts counts = {0};
	g_autoptr (GArray) ranges = NULL;
	g_autoptr (GPtrArray) uncompared = NULL;
	gboolean done = TRUE;
	JsonObject *result;

	if (function && kd_args_flag (given, "all")) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"text: either FUNCTION or --all");
		return NULL;
	}
	if (kd_kernel_image_why (session->kernel)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"text: there is no file to compare with: %s",
			kd_kernel_image_why (session->kernel));
		return NULL;
	}
	ranges = function ? find_function (session, function, error)
			  : kd_text_ranges (session->kernel, &uncompared);
	if (!ranges)
		return NULL;
	listing.rows = json_array_new();
	for (guint i = 0; done && i < ranges->len; i++) {
		const KdTextRange *range = &g_array_index (ranges, KdTextRange, i);

		done = kd_text_audit (session->kernel, range->start, range->end, add_row, &listing,
			&counts, error);
	}
	if (!done) {
		json_array_unref (listing.rows);
		g_prefix_error (error, "text: ");
		return NULL;
	}
	result = json_object_new();
	/* The exit status is that of this answer. */
	kd_json_set_bool (result, "ok", counts.nr_unexplained == 0);
	add_ranges (result, ranges);
	add_counts (result, &counts);
	json_object_set_array_member (result, "differences", listing.rows);
	kd_json_set_uint (result, "nr_hidden", listing.hidden);
	add_words (result, "tables_missing",
		kd_patch_sites_missing (kd_kernel_patch_sites (session->kernel)));
	add_words (result, "not_compared", uncompared);
	return kd_json_object_node (result);
}

/* --- text --- */

static void
render_rows (JsonArray *rows, KdText *text)
{
	static const char *const headings[] = {
		"ADDRESS", "SYMBOL", "WAS", "NOW", "CAUSE", "DETAIL", NULL};

	if (!json_array_get_length (rows))
		return;
	kd_text_table_begin (text, headings);
	for (guint i = 0; i < json_array_get_length (rows); i++) {
		const char *addr = NULL, *symbol = NULL, *was = NULL, *now = NULL, *cause = NULL,
			   *detail = NULL;
		gboolean explained = FALSE;
		JsonObject *row = NULL;

		if (!kd_json_array_object (rows, i, &row, NULL))
			continue;
		kd_json_get_string (row, "addr", FALSE, &addr, NULL);
		kd_json_get_string (row, "symbol", FALSE, &symbol, NULL);
		kd_json_get_string (row, "was", FALSE, &was, NULL);
		kd_json_get_string (row, "now", FALSE, &now, NULL);
		kd_json_get_string (row, "cause", FALSE, &cause, NULL);
		kd_json_get_string (row, "detail", FALSE, &detail, NULL);
		kd_json_get_bool (row, "explained", FALSE, &explained, NULL);
		kd_text_table_cell (text, KD_STYLE_ADDRESS, addr);
		kd_text_table_cell (text, KD_STYLE_SYMBOL, symbol);
		kd_text_table_cell (text, KD_STYLE_PLAIN, was);
		kd_text_table_cell (text, KD_STYLE_PLAIN, now);
		kd_text_table_cell (text, explained ? KD_STYLE_PLAIN : KD_STYLE_BAD, cause);
		kd_text_table_cell (text, KD_STYLE_DIM, detail);
		kd_text_table_end_row (text);
	}
	kd_text_table_end (text);
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
}

static void
render_words (JsonObject *obj, const char *key, const char *what, KdText *text)
{
	JsonArray *array = NULL;
	const char *why = "";

	if (!kd_json_get_array (obj, key, TRUE, &array, NULL))
		return;
	for (guint i = 0; i < json_array_get_length (array); i++)
		if (kd_json_array_string (array, i, &why, NULL))
			kd_text_printf (text, KD_STYLE_WARN, "%s: %s\n", what, why);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL), *causes = NULL;
	gint64 bytes = 0, all = 0, unexplained = 0, hidden = 0;
	g_autoptr (GList) names = NULL;
	JsonArray *array = NULL;

	if (kd_json_get_array (obj, "differences", TRUE, &array, NULL))
		render_rows (array, text);
	kd_json_get_int (obj, "bytes", FALSE, &bytes, NULL);
	kd_json_get_int (obj, "nr_differences", FALSE, &all, NULL);
	kd_json_get_int (obj, "nr_unexplained", FALSE, &unexplained, NULL);
	kd_json_get_int (obj, "nr_hidden", FALSE, &hidden, NULL);
	if (hidden)
		kd_text_printf (text, KD_STYLE_WARN, "%" PRId64 " more rows\n", hidden);
	kd_text_printf (text, KD_STYLE_PLAIN, "%" PRId64 " bytes of code, %" PRId64 " differences",
		bytes, all);
	if (kd_json_get_object (obj, "causes", TRUE, &causes, NULL))
		names = json_object_get_members (causes);
	for (GList *at = names; at; at = at->next) {
		gint64 nr = 0;

		kd_json_get_int (causes, at->data, FALSE, &nr, NULL);
		kd_text_printf (text, KD_STYLE_PLAIN, "%s %" PRId64 " %s", at == names ? ":" : ",",
			nr, (const char *)at->data);
	}
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
	kd_text_printf (text, unexplained ? KD_STYLE_BAD : KD_STYLE_GOOD,
		"%" PRId64 " unexplained\n", unexplained);
	render_words (obj, "tables_missing", "not read", text);
	render_words (obj, "not_compared", "not compared", text);
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	if (strcmp (arg_name, "function") == 0)
		kd_command_complete_symbol (session, word, ret_candidates);
}

const KdCommand kd_command_text = {
	.name = "text",
	.group = "kernel",
	.summary = "compare the kernel's code with its file, and explain what is not the same",
	.help = "Every difference is held against what the kernel keeps of the places it patches: "
		"the tracer's records, jump labels, alternatives, static calls, probes, thunks, "
		"relocation. The bytes must be what such a place may have, and not only lie in "
		"one. What nothing explains is listed, and then the exit status is 1.\n\n"
		"JSON: {ok (nothing is unexplained), ranges: [{start, end, module}], bytes, "
		"nr_differences, "
		"nr_unexplained, causes: {NAME: count}, differences: [{addr, symbol, length, was, "
		"now, "
		"cause, detail, explained}], nr_hidden, tables_missing: [string], not_compared: "
		"[string] (modules without a file)}.",
	.example = "text --all\ntext --all --cause ftrace\ntext kvm_vcpu_ioctl",
	.args = args,
	.flags = KD_COMMAND_NEEDS_STOP | KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
	.complete = complete,
};
