/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "command/address.h"
#include "kernel/containers.h"
#include "kernel/ftrace.h"
#include "kernel/patch-check.h"

/* Functions that are shown without --all, of a hash or patched. */
#define SHOWN 20
#define INSTANCES_MAX 1024
#define NAME_MAX_LEN 64
#define GRAPHS_MAX 64

static const KdArg args[] = {
	{"all", 'a', KD_ARG_FLAG, 0, FALSE, NULL, "every function, of the hashes and patched"},
	{"function", 0, KD_ARG_EXPR, 0, TRUE, NULL, "this function: its record, and who traces it"},
	{NULL},
};

typedef struct {
	KdKernel *kernel;
	gboolean all;
	const GArray *ops; /* of KdFtraceOps */
} Listing;

static void
set_symbol (KdKernel *kernel, JsonObject *obj, const char *key, uint64_t addr)
{
	g_autofree char *symbol = addr ? kd_kernel_symbolize (kernel, addr) : NULL;

	kd_json_set_string (obj, key, symbol);
}

/* The function that `addr` is in, by its name alone. */
static char *
function_of (KdKernel *kernel, uint64_t addr)
{
	KdKernelSymbol symbol;

	return kd_kernel_symbol_at (kernel, addr, &symbol) ? g_strdup (symbol.name)
							   : kd_kernel_symbolize (kernel, addr);
}

static void
add_function (KdKernel *kernel, JsonObject *obj, const char *key, uint64_t addr)
{
	g_autofree char *name = g_strconcat (key, "_symbol", NULL);

	if (!addr)
		return;
	kd_json_set_hex (obj, key, addr);
	set_symbol (kernel, obj, name, addr);
}

/* "enabled", "regs": the enumerators with `prefix` whose bit is set, of the enumeration that has
 * `one`. */
static void
add_flags (KdKernel *kernel, JsonObject *obj, uint64_t flags, const char *one, const char *prefix)
{
	JsonArray *array = kd_json_add_array (obj, "flag_names");
	int64_t value;
	const KdType *type = kd_kernel_enumerator (kernel, one, &value);
	const KdEnumerator *rows;
	unsigned nr = 0;

	kd_json_set_hex (obj, "flags", flags);
	rows = type ? kd_type_enumerators (type, &nr) : NULL;
	for (unsigned i = 0; i < nr; i++) {
		uint64_t bit = (uint64_t)rows[i].value & 0xffffffff;
		g_autofree char *name = NULL;

		if (!g_str_has_prefix (rows[i].name, prefix) || !bit || (bit & (bit - 1)) ||
			!(flags & bit))
			continue;
		name = g_ascii_strdown (rows[i].name + strlen (prefix), -1);
		json_array_add_string_element (array, name);
	}
}

/* --- tracers --- */

static gboolean
add_instance (const KdObject *instance, void *data)
{
	JsonObject *obj = kd_json_array_add_object (data);
	g_autofree char *tracer = NULL, *name = NULL;
	KdObject object;
	uint64_t addr;

	if (kd_object_member_u64 (instance, "name", &addr, NULL) && addr &&
		kd_object_member (instance, "name", &object, NULL))
		name = kd_object_string (&object, NAME_MAX_LEN, NULL);
	if (kd_object_member (instance, "current_trace->name", &object, NULL))
		tracer = kd_object_string (&object, NAME_MAX_LEN, NULL);
	kd_json_set_string (obj, "instance", name);
	kd_json_set_string (obj, "tracer", tracer);
	return TRUE;
}

static void
add_tracers (KdKernel *kernel, JsonObject *result)
{
	JsonArray *array = kd_json_add_array (result, "tracers");
	g_autoptr (GError) local = NULL;
	KdKernelSymbol list;

	if (!kd_kernel_symbol (kernel, "ftrace_trace_arrays", &list))
		return;
	if (!kd_object_list_foreach (kernel, list.addr, "struct trace_array", "list", INSTANCES_MAX,
		    add_instance, array, &local))
		kd_json_set_string (result, "tracers_error", local->message);
}

/* What function_graph calls: two pointers, or since 6.11 as many pairs as there are users. */
static void
add_graphs (KdKernel *kernel, JsonObject *result)
{
	JsonArray *array = kd_json_add_array (result, "graph");
	uint64_t entry, ret, addr, stub = 0;
	KdKernelSymbol table, from, to;
	KdObject ops;

	kd_kernel_symbol_addr (kernel, "fgraph_stub", &stub, NULL);
	if (kd_kernel_symbol (kernel, "fgraph_array", &table)) {
		for (uint64_t i = 0; i < MIN (table.size / 8, GRAPHS_MAX); i++) {
			JsonObject *obj;

			if (!kd_kernel_read_ptr (kernel, table.addr + i * 8, &addr, NULL) ||
				!addr || addr == stub ||
				!kd_object_at_named (
					kernel, "struct fgraph_ops", addr, &ops, NULL) ||
				!kd_object_member_u64 (&ops, "entryfunc", &entry, NULL) ||
				!kd_object_member_u64 (&ops, "retfunc", &ret, NULL))
				continue;
			obj = kd_json_array_add_object (array);
			add_function (kernel, obj, "entry", entry);
			add_function (kernel, obj, "return", ret);
		}
	} else if (kd_kernel_symbol (kernel, "ftrace_graph_entry", &from) &&
		   kd_kernel_symbol (kernel, "ftrace_graph_return", &to) &&
		   kd_kernel_read_ptr (kernel, from.addr, &entry, NULL) &&
		   kd_kernel_read_ptr (kernel, to.addr, &ret, NULL)) {
		g_autofree char *name = kd_kernel_symbolize (kernel, entry);
		JsonObject *obj;

		if (g_str_has_suffix (name, "_stub"))
			return;
		obj = kd_json_array_add_object (array);
		add_function (kernel, obj, "entry", entry);
		add_function (kernel, obj, "return", ret);
	}
}

/* --- who traces what --- */

static void
add_hash (const Listing *listing, JsonObject *obj, const char *key, const GArray *ips)
{
	g_autofree char *count = g_strconcat ("nr_", key, NULL);
	JsonArray *array;

	if (!ips)
		return;
	kd_json_set_uint (obj, count, ips->len);
	array = kd_json_add_array (obj, key);
	for (guint i = 0; i < (listing->all ? ips->len : MIN (ips->len, SHOWN)); i++) {
		g_autofree char *symbol =
			function_of (listing->kernel, g_array_index (ips, uint64_t, i));

		json_array_add_string_element (array, symbol);
	}
}

static void
add_ops (const Listing *listing, JsonObject *result)
{
	JsonArray *array = kd_json_add_array (result, "ops");

	for (guint i = 0; i < listing->ops->len; i++) {
		const KdFtraceOps *ops = &g_array_index (listing->ops, KdFtraceOps, i);
		JsonObject *obj = kd_json_array_add_object (array);

		kd_json_set_hex (obj, "addr", ops->addr);
		set_symbol (listing->kernel, obj, "symbol", ops->addr);
		add_function (listing->kernel, obj, "func", ops->func);
		if (ops->saved != ops->func)
			add_function (listing->kernel, obj, "saved_func", ops->saved);
		add_function (listing->kernel, obj, "trampoline", ops->trampoline);
		add_function (listing->kernel, obj, "direct", ops->direct);
		add_flags (listing->kernel, obj, ops->flags, "FTRACE_OPS_FL_ENABLED",
			"FTRACE_OPS_FL_");
		add_hash (listing, obj, "filter", ops->filter);
		add_hash (listing, obj, "notrace", ops->notrace);
	}
}

/* --- functions --- */

static void
add_tracing (const Listing *listing, JsonObject *obj, uint64_t ip)
{
	JsonArray *array = kd_json_add_array (obj, "ops");

	for (guint i = 0; i < listing->ops->len; i++) {
		const KdFtraceOps *ops = &g_array_index (listing->ops, KdFtraceOps, i);
		g_autofree char *symbol = NULL;

		if (!kd_ftrace_wants (ops, ip))
			continue;
		symbol = kd_kernel_symbolize (listing->kernel, ops->addr);
		json_array_add_string_element (array, symbol);
	}
}

static void
add_row (const Listing *listing, JsonArray *array, const KdPatchSite *site, uint64_t call)
{
	uint64_t ip =
		site->addr + kd_target_arch (kd_kernel_target (listing->kernel))->ftrace_before;
	g_autofree char *name = function_of (listing->kernel, ip);
	uint64_t origin;
	JsonObject *obj = kd_json_array_add_object (array);

	kd_json_set_hex (obj, "addr", site->addr);
	kd_json_set_string (obj, "symbol", name);
	add_function (listing->kernel, obj, "calls", call);
	/* An ops may have a copy of the entry code of its own. */
	if (call && kd_ftrace_origin (listing->kernel, call, &origin))
		set_symbol (listing->kernel, obj, "calls_symbol", origin);
	add_flags (listing->kernel, obj, site->value, "FTRACE_FL_ENABLED", "FTRACE_FL_");
	if (call)
		add_tracing (listing, obj, ip);
}

static void
add_functions (const Listing *listing, JsonObject *result, const KdKernelSymbol *function)
{
	const KdPatchSites *sites = kd_kernel_patch_sites (listing->kernel);
	JsonArray *array = kd_json_add_array (result, "functions");
	uint64_t nr = 0, patched = 0;

	for (unsigned i = 0; i < kd_patch_sites_nr (sites); i++) {
		const KdPatchSite *site = kd_patch_site (sites, i);
		uint64_t call = 0;

		if (site->kind != KD_PATCH_FTRACE)
			continue;
		nr++;
		if (kd_patch_ftrace_call (listing->kernel, site, &call))
			patched++;
		if (function ? site->addr >= function->addr &&
					site->addr - function->addr < function->size
			     : call && (listing->all || patched <= SHOWN))
			add_row (listing, array, site, call);
	}
	kd_json_set_uint (result, "nr_functions", nr);
	kd_json_set_uint (result, "nr_patched", patched);
}

static gboolean
find_function (KdSession *session, const char *text, KdKernelSymbol *ret_function, GError **error)
{
	KdAddr addr;

	if (!kd_command_address (session, text, &addr, error))
		return FALSE;
	if (addr.space.kind == KD_SPACE_KERNEL &&
		kd_kernel_symbol_at (session->kernel, addr.value, ret_function) &&
		ret_function->size)
		return TRUE;
	g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
		"ftrace: %s: no function of the kernel", text);
	return FALSE;
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	const char *text = kd_args_string (given, "function");
	Listing listing = {.kernel = session->kernel, .all = kd_args_flag (given, "all")};
	KdKernelSymbol function = {0}, records;
	g_autofree char *why = NULL;
	JsonObject *result;

	if (!kd_kernel_symbol (session->kernel, "ftrace_pages_start", &records)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"ftrace: no symbol ftrace_pages_start: the kernel has no function tracer, "
			"or "
			"there is no file to name its data");
		return NULL;
	}
	if (text && !find_function (session, text, &function, error))
		return NULL;
	result = json_object_new();
	listing.ops = kd_ftrace_ops (session->kernel, &why);
	kd_json_set_string (result, "ops_error", why);
	add_tracers (session->kernel, result);
	add_ops (&listing, result);
	add_graphs (session->kernel, result);
	add_functions (&listing, result, text ? &function : NULL);
	return kd_json_object_node (result);
}

/* --- text --- */

static char *
join (JsonObject *obj, const char *key, const char *between)
{
	g_autoptr (GString) out = g_string_new (NULL);
	JsonArray *array = NULL;

	if (!kd_json_get_array (obj, key, FALSE, &array, NULL) || !array)
		return g_string_free (g_steal_pointer (&out), FALSE);
	for (guint i = 0; i < json_array_get_length (array); i++) {
		const char *word = "";

		kd_json_array_string (array, i, &word, NULL);
		g_string_append_printf (out, "%s%s", i ? between : "", word);
	}
	return g_string_free (g_steal_pointer (&out), FALSE);
}

static const char *
string_of (JsonObject *obj, const char *key)
{
	const char *value = NULL;

	kd_json_get_string (obj, key, FALSE, &value, NULL);
	return value;
}

static gint64
int_of (JsonObject *obj, const char *key)
{
	gint64 value = 0;

	kd_json_get_int (obj, key, FALSE, &value, NULL);
	return value;
}

static void
render_hash (JsonObject *ops, const char *key, const char *count_key, KdText *text)
{
	g_autofree char *names = join (ops, key, " ");
	gint64 count = int_of (ops, count_key);

	if (count)
		kd_text_printf (text, KD_STYLE_PLAIN, "    %s %" PRId64 ": %s%s\n", key, count,
			names, count > SHOWN ? " …" : "");
}

static void
render_ops (JsonObject *ops, KdText *text)
{
	g_autofree char *flags = join (ops, "flag_names", " ");
	const char *saved = string_of (ops, "saved_func_symbol");
	const char *direct = string_of (ops, "direct_symbol");

	kd_text_printf (text, KD_STYLE_SYMBOL, "  %s", string_of (ops, "symbol"));
	kd_text_printf (text, KD_STYLE_PLAIN, "  calls %s", string_of (ops, "func_symbol"));
	if (saved)
		kd_text_printf (text, KD_STYLE_PLAIN, " (for %s)", saved);
	if (direct)
		kd_text_printf (text, KD_STYLE_PLAIN, ", directly %s", direct);
	kd_text_printf (text, KD_STYLE_DIM, "  %s\n", flags);
	if (json_object_has_member (ops, "nr_filter") && !int_of (ops, "nr_filter"))
		kd_text_add (text, KD_STYLE_PLAIN, "    all functions\n");
	render_hash (ops, "filter", "nr_filter", text);
	render_hash (ops, "notrace", "nr_notrace", text);
}

static void
render_functions (JsonArray *functions, KdText *text)
{
	static const char *const headings[] = {
		"ADDRESS", "FUNCTION", "CALLS", "OPS", "RECORD", NULL};

	if (!json_array_get_length (functions))
		return;
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
	kd_text_table_begin (text, headings);
	for (guint i = 0; i < json_array_get_length (functions); i++) {
		g_autofree char *flags = NULL, *ops = NULL;
		JsonObject *row = NULL;
		const char *calls;

		if (!kd_json_array_object (functions, i, &row, NULL))
			continue;
		flags = join (row, "flag_names", " ");
		ops = join (row, "ops", " ");
		calls = string_of (row, "calls_symbol");
		kd_text_table_cell (text, KD_STYLE_ADDRESS, string_of (row, "addr"));
		kd_text_table_cell (text, KD_STYLE_SYMBOL, string_of (row, "symbol"));
		kd_text_table_cell (text, KD_STYLE_PLAIN, calls ? calls : "nothing now");
		kd_text_table_cell (text, KD_STYLE_PLAIN, ops);
		kd_text_table_cell (text, KD_STYLE_DIM, flags);
		kd_text_table_end_row (text);
	}
	kd_text_table_end (text);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL), *row = NULL;
	JsonArray *array = NULL;

	if (kd_json_get_array (obj, "tracers", TRUE, &array, NULL))
		for (guint i = 0; i < json_array_get_length (array); i++) {
			const char *name, *tracer;

			if (!kd_json_array_object (array, i, &row, NULL))
				continue;
			name = string_of (row, "instance");
			tracer = string_of (row, "tracer");
			kd_text_printf (text, KD_STYLE_HEADING, "tracer %s",
				tracer ? tracer : "not readable");
			kd_text_printf (text, KD_STYLE_PLAIN, "%s%s\n", name ? ", instance " : "",
				name ? name : "");
		}
	if (kd_json_get_array (obj, "ops", TRUE, &array, NULL)) {
		if (!json_array_get_length (array))
			kd_text_add (text, KD_STYLE_PLAIN, "no ops\n");
		for (guint i = 0; i < json_array_get_length (array); i++)
			if (kd_json_array_object (array, i, &row, NULL))
				render_ops (row, text);
	}
	if (string_of (obj, "ops_error"))
		kd_text_printf (text, KD_STYLE_WARN, "  %s\n", string_of (obj, "ops_error"));
	if (kd_json_get_array (obj, "graph", TRUE, &array, NULL))
		for (guint i = 0; i < json_array_get_length (array); i++)
			if (kd_json_array_object (array, i, &row, NULL))
				kd_text_printf (text, KD_STYLE_PLAIN, "graph: %s, %s\n",
					string_of (row, "entry_symbol"),
					string_of (row, "return_symbol"));
	kd_text_printf (text, KD_STYLE_PLAIN, "%" PRId64 " of %" PRId64 " functions patched now\n",
		int_of (obj, "nr_patched"), int_of (obj, "nr_functions"));
	if (kd_json_get_array (obj, "functions", TRUE, &array, NULL))
		render_functions (array, text);
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	if (strcmp (arg_name, "function") == 0)
		kd_command_complete_symbol (session, word, ret_candidates);
}

const KdCommand kd_command_ftrace = {
	.name = "ftrace",
	.group = "kernel",
	.summary = "the kernel's tracers, who uses them, and which functions are patched now",
	.help = "Which functions are patched is what their code says, not their records. 20 of "
		"them are shown, and of each hash, unless --all. An ops whose filter has nothing "
		"wants all functions.\n\n"
		"JSON: {tracers: [{instance (null: the top one), tracer}], ops: [{addr, symbol, "
		"func, func_symbol, saved_func, trampoline, direct, flags, flag_names, nr_filter, "
		"filter: [symbol], nr_notrace, notrace}], graph: [{entry, return}], nr_functions, "
		"nr_patched, functions: [{addr, symbol, calls, calls_symbol, flags, flag_names, "
		"ops: [symbol]}]}.",
	.example = "ftrace\nftrace kvm_vcpu_ioctl\nftrace --all",
	.args = args,
	.flags = KD_COMMAND_NEEDS_STOP | KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
	.complete = complete,
};
