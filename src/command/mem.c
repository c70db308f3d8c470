/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "command/address.h"
#include "command/memory.h"
#include "proto/jsonrpc.h"

#define DEFAULT_LEN 128
#define BYTES_A_LINE 16
/* A line in colours, as JSON has it: 82 characters, 20 more for each "\u001b", and 16 times "\\".
 */
#define LINE_JSON_MAX 192
/* With the bytes themselves, in hex: less than what a client takes from its daemon. */
#define LEN_MAX (4 * 1024 * 1024)
G_STATIC_ASSERT (LEN_MAX / BYTES_A_LINE * (LINE_JSON_MAX + 2 * BYTES_A_LINE) < KD_JSONRPC_LINE_MAX);

static const KdArg args[] = {
	{"size", 's', KD_ARG_UINT, 0, FALSE, "1|2|4|8", "show units of so many bytes (default: 1)"},
	{"address", 0, KD_ARG_EXPR, KD_ARG_REQUIRED, TRUE, "ADDR",
		"expression, with a space: “phys:0x…”, “user:PID:0x…”, “vm:N:0x…”, “cpu:N:0x…”"},
	{"len", 0, KD_ARG_UINT, 0, TRUE, NULL, "bytes (default: 128)"},
	{NULL},
};

static void
add_hole (JsonArray *holes, uint64_t addr, uint64_t len)
{
	JsonObject *last = NULL, *obj;
	guint nr = json_array_get_length (holes);
	guint64 last_addr = 0, last_len = 0;

	/* One hole for pages that follow each other. */
	if (nr > 0 && kd_json_array_object (holes, nr - 1, &last, NULL) &&
		kd_json_get_address (last, "addr", TRUE, &last_addr, NULL) &&
		kd_json_get_uint (last, "len", TRUE, &last_len, NULL) &&
		last_addr + last_len == addr) {
		kd_json_set_uint (last, "len", last_len + len);
		return;
	}
	obj = kd_json_array_add_object (holes);
	kd_json_set_hex (obj, "addr", addr);
	kd_json_set_uint (obj, "len", len);
}

/* Bytes that are not there stay zero and are told as holes. All of it missing is an error. */
static gboolean
read_with_holes (
	KdSession *session, KdAddr addr, uint8_t *buf, size_t len, JsonArray *holes, GError **error)
{
	g_autoptr (GError) first = NULL;
	gboolean any = FALSE;
	size_t done = 0;

	if (kd_command_read (session, addr, buf, len, NULL))
		return TRUE;
	while (done < len) {
		KdAddr at = {addr.space, addr.value + done};
		size_t left = KD_COMMAND_PAGE - (size_t)(at.value % KD_COMMAND_PAGE);
		size_t step = MIN (left, len - done);
		g_autoptr (GError) why = NULL;

		if (kd_command_read (session, at, buf + done, step, &why))
			any = TRUE;
		else if (!kd_command_is_hole (why)) {
			g_propagate_error (error, g_steal_pointer (&why));
			return FALSE;
		} else {
			memset (buf + done, 0, step);
			add_hole (holes, at.value, step);
			if (!first)
				first = g_steal_pointer (&why);
		}
		done += step;
	}
	if (any)
		return TRUE;
	g_propagate_error (error, g_steal_pointer (&first));
	return FALSE;
}

static gboolean
check_args (const KdArgs *given, uint64_t *ret_len, uint64_t *ret_size, GError **error)
{
	*ret_len = DEFAULT_LEN;
	*ret_size = 1;
	kd_args_uint (given, "len", ret_len);
	kd_args_uint (given, "size", ret_size);
	if (*ret_len == 0 || *ret_len > LEN_MAX) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"mem: 1 to %d bytes can be read at once", LEN_MAX);
		return FALSE;
	}
	if (*ret_size != 1 && *ret_size != 2 && *ret_size != 4 && *ret_size != 8) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"mem: --size is 1, 2, 4 or 8");
		return FALSE;
	}
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	g_autoptr (JsonArray) holes = json_array_new();
	g_autofree uint8_t *buf = NULL;
	g_autofree char *space = NULL;
	g_autofree char *hex = NULL;
	uint64_t len, size;
	JsonObject *result;
	KdAddr addr;

	if (!check_args (given, &len, &size, error))
		return NULL;
	if (!kd_command_address (session, kd_args_string (given, "address"), &addr, error)) {
		g_prefix_error (error, "mem: ");
		return NULL;
	}
	buf = g_try_malloc0 (len);
	if (!buf || addr.value + (len - 1) < addr.value) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"mem: %" PRIu64 " bytes at 0x%" PRIx64 " are beyond the end of memory", len,
			addr.value);
		return NULL;
	}
	if (!read_with_holes (session, addr, buf, len, holes, error)) {
		g_prefix_error (error, "mem: ");
		return NULL;
	}
	result = json_object_new();
	space = kd_space_to_string (addr.space);
	hex = kd_hex_to_string (buf, len);
	kd_json_set_hex (result, "addr", addr.value);
	kd_json_set_string (result, "space", space);
	kd_json_set_uint (result, "size", size);
	kd_json_set_string (result, "bytes", hex);
	json_object_set_array_member (result, "holes", g_steal_pointer (&holes));
	return kd_json_object_node (result);
}

/* --- text --- */

typedef struct {
	uint64_t addr;
	const uint8_t *bytes;
	size_t len;
	unsigned size;
	JsonArray *holes;
} Dump;

static gboolean
in_hole (const Dump *dump, uint64_t addr)
{
	for (guint i = 0; i < json_array_get_length (dump->holes); i++) {
		JsonObject *hole = NULL;
		guint64 start = 0, len = 0;

		if (kd_json_array_object (dump->holes, i, &hole, NULL) &&
			kd_json_get_address (hole, "addr", TRUE, &start, NULL) &&
			kd_json_get_uint (hole, "len", TRUE, &len, NULL) && addr - start < len)
			return TRUE;
	}
	return FALSE;
}

static void
render_unit (const Dump *dump, size_t pos, size_t end, KdText *text)
{
	g_autoptr (GString) digits = g_string_new (" ");

	/* Little-endian units read as numbers. */
	for (size_t i = dump->size; i-- > 0;) {
		if (pos + i >= end)
			g_string_append (digits, "  ");
		else if (in_hole (dump, dump->addr + pos + i))
			g_string_append (digits, "??");
		else
			g_string_append_printf (digits, "%02x", dump->bytes[pos + i]);
	}
	kd_text_add (text, KD_STYLE_PLAIN, digits->str);
}

static void
render_line (const Dump *dump, size_t pos, KdText *text)
{
	char ascii[BYTES_A_LINE + 1] = "";
	size_t end = MIN (pos + BYTES_A_LINE, dump->len);

	kd_text_printf (text, KD_STYLE_ADDRESS, "%016" PRIx64, dump->addr + pos);
	kd_text_add (text, KD_STYLE_PLAIN, " ");
	for (size_t i = pos; i < pos + BYTES_A_LINE; i += dump->size) {
		if (i == pos + BYTES_A_LINE / 2)
			kd_text_add (text, KD_STYLE_PLAIN, " ");
		render_unit (dump, i, end, text);
	}
	for (size_t i = pos; i < end; i++)
		ascii[i - pos] = g_ascii_isprint (dump->bytes[i]) ? (char)dump->bytes[i] : '.';
	kd_text_printf (text, KD_STYLE_STRING, "  %s\n", ascii);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	g_autofree uint8_t *bytes = NULL;
	const char *hex = NULL;
	guint64 size = 1;
	Dump dump = {0};

	if (!kd_json_get_address (obj, "addr", TRUE, &dump.addr, NULL) ||
		!kd_json_get_string (obj, "bytes", TRUE, &hex, NULL) ||
		!kd_json_get_array (obj, "holes", TRUE, &dump.holes, NULL) ||
		!kd_json_get_uint (obj, "size", FALSE, &size, NULL))
		return;
	dump.len = strlen (hex) / 2;
	dump.bytes = bytes = g_malloc (dump.len);
	dump.size = (unsigned)CLAMP (size, 1, 8);
	if (!kd_hex_decode (hex, dump.len, bytes))
		return;
	for (size_t pos = 0; pos < dump.len; pos += BYTES_A_LINE)
		render_line (&dump, pos, text);
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	if (strcmp (arg_name, "address") == 0)
		kd_command_complete_symbol (session, word, ret_candidates);
}

const KdCommand kd_command_mem = {
	.name = "mem",
	.group = "machine",
	.summary = "memory, by any address space",
	.help = "Kernel addresses are walked from the kernel's own tables, so they read the same "
		"whatever the CPUs are doing. Pages that are not there show as “??”.",
	.example = "kvmdbg mem init_task 64 --size 8\nkvmdbg mem phys:0x40000000\n"
		   "kvmdbg mem vm:0:0x80000000 4096",
	.args = args,
	.run = run,
	.render = render,
	.complete = complete,
};
