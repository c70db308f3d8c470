/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/json.h"
#include "command/address.h"

#define SOURCE_MAX (16u << 20)
#define LINES_DEFAULT 11
#define LINES_MAX 2000

/* Where the file is on this machine: as named, in a given tree, beside the vmlinux. NULL: nowhere.
 */
static char *
find_source (KdImage *image, const char *tree, const char *file)
{
	g_autofree char *beside =
		kd_image_path (image) ? g_path_get_dirname (kd_image_path (image)) : NULL;
	const char *const roots[] = {tree, beside};

	/* A kernel built elsewhere names a folder that is not here: the tail is tried under the
	 * tree. */
	for (unsigned i = 0; i < G_N_ELEMENTS (roots); i++) {
		const char *tail = file;
		while (roots[i] && tail) {
			g_autofree char *path = g_build_filename (roots[i], tail, NULL);
			if (g_file_test (path, G_FILE_TEST_IS_REGULAR))
				return g_steal_pointer (&path);
			tail = strchr (tail, '/');
			if (tail)
				tail++;
			if (i > 0)
				break;
		}
	}
	return g_path_is_absolute (file) && g_file_test (file, G_FILE_TEST_IS_REGULAR)
		       ? g_strdup (file)
		       : NULL;
}

static void
add_source (JsonObject *obj, const char *path, int line, uint64_t count)
{
	struct stat st;
	g_autofree char *contents = NULL;

	if (stat (path, &st) != 0 || st.st_size > SOURCE_MAX ||
		!g_file_get_contents (path, &contents, NULL, NULL))
		return;
	int first = MAX (line - (int)(count / 2), 1), last = first + (int)count - 1, at = 1;
	JsonArray *array = kd_json_add_array (obj, "lines");
	for (char *p = contents; p && *p && at <= last; at++) {
		char *end = strchr (p, '\n');
		if (end)
			*end = '\0';
		if (at >= first) {
			JsonObject *row = kd_json_array_add_object (array);
			kd_json_set_int (row, "line", at);
			kd_json_set_string (row, "text", p);
		}
		p = end ? end + 1 : NULL;
	}
	kd_json_set_string (obj, "path", path);
}

/* "FILE:LINE"; TRUE and both parts. */
static gboolean
split_place (const char *word, char **ret_file, uint64_t *ret_line)
{
	const char *colon = strrchr (word, ':');

	if (!colon || colon == word || !kd_parse_u64 (colon + 1, ret_line) || *ret_line > G_MAXINT)
		return FALSE;
	*ret_file = g_strndup (word, (gsize)(colon - word));
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	KdKernel *kernel = session->kernel;
	KdImage *image = kd_kernel_image (kernel);
	const char *word = kd_args_string (args, "where");
	uint64_t addr = 0, link, line = 0, count = LINES_DEFAULT;
	g_autofree char *file = NULL;
	g_autoptr (JsonNode) node = kd_json_object_node (json_object_new());
	JsonObject *obj = json_node_get_object (node);

	kd_args_uint (args, "lines", &count);
	count = CLAMP (count, 1, LINES_MAX);
	if (!split_place (word, &file, &line)) {
		KdAddr place;
		if (!kd_command_address (session, word, &place, error))
			return NULL;
		addr = place.value;
		g_autoptr (GArray) lines = NULL;
		KdImage *holder = kd_kernel_image_at (kernel, addr, &link);

		if (holder)
			lines = kd_image_lines_at (holder, link);
		if (!lines || lines->len == 0 || !g_array_index (lines, KdLine, 0).file) {
			g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
				"list: no line is known for 0x%" G_GINT64_MODIFIER "x", addr);
			return NULL;
		}
		const KdLine *first = &g_array_index (lines, KdLine, 0);
		file = g_strdup (first->file);
		line = (uint64_t)first->line;
		kd_json_set_hex (obj, "addr", addr);
		kd_json_set_string (obj, "function", first->function);
		kd_json_set_bool (obj, "inlined", first->inlined);
	}
	kd_json_set_string (obj, "file", file);
	kd_json_set_uint (obj, "line", line);
	g_autofree char *path = find_source (image, kd_args_string (args, "source"), file);
	if (path)
		add_source (obj, path, (int)line, count);
	return g_steal_pointer (&node);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL), *row;
	const char *file = "?", *function = NULL;
	JsonArray *lines = NULL;
	gint64 line = 0;

	kd_json_get_string (obj, "file", FALSE, &file, NULL);
	kd_json_get_string (obj, "function", FALSE, &function, NULL);
	kd_json_get_int (obj, "line", FALSE, &line, NULL);
	kd_json_get_array (obj, "lines", FALSE, &lines, NULL);
	kd_text_printf (text, KD_STYLE_HEADING, "%s:%" G_GINT64_FORMAT, file, line);
	if (function)
		kd_text_printf (text, KD_STYLE_PLAIN, " in %s", function);
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
	for (guint i = 0; lines && i < json_array_get_length (lines); i++) {
		const char *source = "";
		gint64 n = 0;
		if (!kd_json_array_object (lines, i, &row, NULL))
			continue;
		kd_json_get_string (row, "text", FALSE, &source, NULL);
		kd_json_get_int (row, "line", FALSE, &n, NULL);
		kd_text_printf (text, n == line ? KD_STYLE_GOOD : KD_STYLE_DIM,
			"%s%5" G_GINT64_FORMAT "  ", n == line ? ">" : " ", n);
		kd_text_printf (text, KD_STYLE_PLAIN, "%s\n", source);
	}
	if (!lines)
		kd_text_add (text, KD_STYLE_DIM,
			"(the source is not here; --source DIR says where the kernel's tree is)\n");
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	if (strcmp (arg_name, "where") == 0)
		kd_command_complete_symbol (session, word, ret_candidates);
}

static const KdArg args[] = {
	{"where", 0, KD_ARG_EXPR, KD_ARG_REQUIRED, TRUE, "NAME|ADDR|FILE:LINE",
		"function, symbol+offset, address, or a place in a file"},
	{"lines", 'n', KD_ARG_UINT, 0, FALSE, "N", "how many lines (11)"},
	{"source", 0, KD_ARG_FILE, 0, FALSE, "DIR", "the kernel's source tree"},
	{NULL},
};

const KdCommand kd_command_list = {
	.name = "list",
	.group = "symbols",
	.summary = "show the source at an address, or its file and line",
	.example = "list kvm_vcpu_ioctl\nlist schedule+0x40 --source /usr/src/linux",
	.args = args,
	.flags = KD_COMMAND_NEEDS_KERNEL | KD_COMMAND_FILES,
	.run = run,
	.render = render,
	.complete = complete,
};
