/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/breaks.h"

#include <inttypes.h>

#include "base/json.h"
#include "command/address.h"

static const char *
kind_name (KdBreakKind kind)
{
	switch (kind) {
	case KD_BREAK_SOFTWARE:
		return "breakpoint";
	case KD_BREAK_HARDWARE:
		return "hardware breakpoint";
	case KD_WATCH_WRITE:
		return "write watchpoint";
	case KD_WATCH_READ:
		return "read watchpoint";
	case KD_WATCH_ACCESS:
		return "access watchpoint";
	}
	return "breakpoint";
}

JsonObject *
kd_breaks_json (KdSession *session, const KdBreak *brk)
{
	JsonObject *obj = json_object_new();
	g_autofree char *symbol =
		session->kernel ? kd_kernel_symbolize (session->kernel, brk->va) : NULL;

	kd_json_set_int (obj, "number", brk->number);
	kd_json_set_string (obj, "kind", kind_name (brk->kind));
	kd_json_set_hex (obj, "addr", brk->va);
	kd_json_set_string (obj, "symbol", symbol);
	if (brk->kind != KD_BREAK_SOFTWARE && brk->kind != KD_BREAK_HARDWARE)
		kd_json_set_uint (obj, "len", brk->len);
	kd_json_set_uint (obj, "hits", brk->hits);
	kd_json_set_string (obj, "text", brk->text);
	return obj;
}

JsonNode *
kd_breaks_insert (
	KdSession *session, KdBreakKind kind, const char *text, uint64_t len, GError **error)
{
	const KdBreak *breaks;
	unsigned nr;
	KdAddr addr;
	int number;

	if (!kd_command_address (session, text, &addr, error))
		return NULL;
	if (addr.space.kind != KD_SPACE_KERNEL) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"%s: only kernel addresses can have breakpoints", text);
		return NULL;
	}
	number = kd_target_break_insert (session->target, kind, addr.value, len, text, error);
	if (number <= 0) {
		g_prefix_error (error, "%s: ", text);
		return NULL;
	}
	breaks = kd_target_breaks (session->target, &nr);
	for (unsigned i = 0; i < nr; i++)
		if (breaks[i].number == number)
			return kd_json_object_node (kd_breaks_json (session, &breaks[i]));
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
		"%s: breakpoint %d vanished at once", text, number);
	return NULL;
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	JsonArray *array = json_array_new();
	const KdBreak *breaks;
	unsigned nr;

	breaks = kd_target_breaks (session->target, &nr);
	for (unsigned i = 0; i < nr; i++)
		if (breaks[i].number > 0)
			json_array_add_object_element (array, kd_breaks_json (session, &breaks[i]));
	return kd_json_array_node (array);
}

static void
render (JsonNode *result, KdText *text)
{
	static const char *const headings[] = {
		"NUMBER", "KIND", "ADDRESS", "SYMBOL", "HITS", "AS GIVEN", NULL};
	JsonArray *array = kd_json_node_array (result, NULL);
	guint nr = array ? json_array_get_length (array) : 0;

	if (nr == 0) {
		kd_text_add (text, KD_STYLE_DIM, "no breakpoints\n");
		return;
	}
	kd_text_table_begin (text, headings);
	for (guint i = 0; i < nr; i++) {
		const char *kind = NULL, *addr = NULL, *symbol = NULL, *given = NULL;
		gint64 number = 0, hits = 0;
		JsonObject *obj = NULL;

		if (!kd_json_array_object (array, i, &obj, NULL))
			continue;
		kd_json_get_int (obj, "number", FALSE, &number, NULL);
		kd_json_get_int (obj, "hits", FALSE, &hits, NULL);
		kd_json_get_string (obj, "kind", FALSE, &kind, NULL);
		kd_json_get_string (obj, "addr", FALSE, &addr, NULL);
		kd_json_get_string (obj, "symbol", FALSE, &symbol, NULL);
		kd_json_get_string (obj, "text", FALSE, &given, NULL);
		kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" PRId64, number);
		kd_text_table_cell (text, KD_STYLE_PLAIN, kind);
		kd_text_table_cell (text, KD_STYLE_ADDRESS, addr);
		kd_text_table_cell (text, KD_STYLE_SYMBOL, symbol);
		kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" PRId64, hits);
		kd_text_table_cell (text, KD_STYLE_PLAIN, given);
		kd_text_table_end_row (text);
	}
	kd_text_table_end (text);
}

void
kd_breaks_render_one (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *kind = "", *addr = "", *symbol = NULL;
	gint64 number = 0;

	kd_json_get_int (obj, "number", FALSE, &number, NULL);
	kd_json_get_string (obj, "kind", FALSE, &kind, NULL);
	kd_json_get_string (obj, "addr", FALSE, &addr, NULL);
	kd_json_get_string (obj, "symbol", FALSE, &symbol, NULL);
	kd_text_printf (text, KD_STYLE_PLAIN, "%s %" PRId64 " at ", kind, number);
	kd_text_add (text, KD_STYLE_ADDRESS, addr);
	if (symbol && g_strcmp0 (symbol, addr) != 0)
		kd_text_printf (text, KD_STYLE_SYMBOL, " %s", symbol);
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
}

const KdCommand kd_command_breaks = {
	.name = "breaks",
	.group = "run",
	.summary = "list breakpoints and watchpoints",
	.run = run,
	.render = render,
};
