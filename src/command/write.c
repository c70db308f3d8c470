/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "command/address.h"
#include "command/memory.h"
#include "kernel/expr.h"

#define LEN_MAX (64 * 1024)
#define BYTES_A_LINE 16

static const KdArg args[] = {
	{"size", 's', KD_ARG_UINT, 0, FALSE, "1|2|4|8", "bytes of each VALUE"},
	{"bytes", 'b', KD_ARG_STRING, 0, FALSE, "HEX", "these bytes, in the order of memory"},
	{"reg", 'r', KD_ARG_STRING, 0, FALSE, "NAME",
		"write VALUE to this register, not to memory"},
	{"cpu", 'c', KD_ARG_UINT, 0, FALSE, "N",
		"CPU of the register, and of $registers (default: the one that stopped)"},
	{"address", 0, KD_ARG_EXPR, 0, TRUE, "ADDR",
		"as for “mem”: expression, with a space: “phys:0x…”, “user:PID:0x…”, “vm:N:0x…”"},
	{"value", 0, KD_ARG_EXPR, KD_ARG_REPEATED, TRUE, NULL,
		"expressions, written one behind the other"},
	{NULL},
};

G_GNUC_PRINTF (2, 3)
static gboolean
usage (GError **error, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list ap;

	va_start (ap, format);
	message = g_strdup_vprintf (format, ap);
	va_end (ap);
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE, "%s", message);
	return FALSE;
}

static gboolean
get_value (KdSession *session, unsigned cpu, const char *text, uint64_t *ret_value, GError **error)
{
	KdObject object;

	return kd_expr_eval_on (session->target, session->kernel, cpu, text, &object, error) &&
	       kd_object_u64 (&object, ret_value, error);
}

/* --- a register --- */

static JsonNode *
write_register (KdSession *session, const KdArgs *given, unsigned cpu, GError **error)
{
	const char *name = kd_args_string (given, "reg");
	const char *const *values = kd_args_list (given, "value");
	/* The only word there is, is the value. */
	const char *text = kd_args_string (given, "address");
	uint64_t old, value;
	JsonObject *result;

	if (!text)
		text = *values++;
	if (!text || *values || kd_args_string (given, "bytes")) {
		usage (error, "--reg NAME wants one VALUE");
		return NULL;
	}
	if (!get_value (session, cpu, text, &value, error) ||
		!kd_target_reg_get (session->target, cpu, name, &old, error) ||
		!kd_target_reg_set (session->target, cpu, name, value, error)) {
		g_prefix_error (error, "CPU %u: ", cpu);
		return NULL;
	}
	result = json_object_new();
	kd_json_set_int (result, "cpu", cpu);
	kd_json_set_string (result, "reg", name);
	kd_json_set_hex (result, "old", old);
	kd_json_set_hex (result, "new", value);
	return kd_json_object_node (result);
}

/* --- memory --- */

/* A number that `size` bytes can hold, signed or not. */
static gboolean
add_value (GByteArray *bytes, const char *text, uint64_t value, unsigned size, GError **error)
{
	uint8_t little[8];
	uint64_t upper = size < 8 ? value >> (8 * size - 1) : 0;

	if (upper > 1 && upper != UINT64_MAX >> (8 * size - 1))
		return usage (error, "%s is 0x%" PRIx64 ": that does not fit --size %u", text,
			value, size);
	for (unsigned i = 0; i < 8; i++)
		little[i] = (uint8_t)(value >> (8 * i));
	g_byte_array_append (bytes, little, size);
	return TRUE;
}

static gboolean
add_hex (GByteArray *bytes, const char *hex, GError **error)
{
	size_t len;

	if (g_str_has_prefix (hex, "0x"))
		hex += 2;
	len = strlen (hex);
	if (len == 0 || len % 2 || len / 2 > LEN_MAX)
		return usage (error, "--bytes wants 1 to %d bytes as pairs of hex digits", LEN_MAX);
	g_byte_array_set_size (bytes, (guint)(len / 2));
	return kd_hex_decode (hex, len / 2, bytes->data) ||
	       usage (error, "--bytes: not hex digits: \"%s\"", hex);
}

static gboolean
get_bytes (KdSession *session, const KdArgs *given, unsigned cpu, GByteArray *bytes,
	uint64_t *ret_size, GError **error)
{
	const char *const *values = kd_args_list (given, "value");
	const char *hex = kd_args_string (given, "bytes");
	gboolean has_size = kd_args_uint (given, "size", ret_size);
	uint64_t value;

	if (hex && (*values || has_size))
		return usage (error, "either --bytes HEX, or --size and VALUEs");
	if (hex) {
		*ret_size = 1;
		return add_hex (bytes, hex, error);
	}
	if (!*values)
		return usage (error, "VALUE is missing (or --bytes HEX)");
	/* No default: one that is too large would destroy what follows. */
	if (!has_size || (*ret_size != 1 && *ret_size != 2 && *ret_size != 4 && *ret_size != 8))
		return usage (error, "say with --size 1, 2, 4 or 8 how many bytes a VALUE has");
	for (; *values; values++)
		if (!get_value (session, cpu, *values, &value, error) ||
			!add_value (bytes, *values, value, (unsigned)*ret_size, error))
			return FALSE;
	return bytes->len <= LEN_MAX || usage (error, "at most %d bytes at once", LEN_MAX);
}

/* Read back: what is no RAM answers OK too. */
static gboolean
write_checked (
	KdSession *session, KdAddr addr, const GByteArray *bytes, uint8_t *old, GError **error)
{
	g_autofree uint8_t *now = g_malloc (bytes->len);

	if (!kd_command_read (session, addr, old, bytes->len, error) ||
		!kd_command_write_memory (session, addr, bytes->data, bytes->len, error) ||
		!kd_command_read (session, addr, now, bytes->len, error))
		return FALSE;
	for (guint i = 0; i < bytes->len; i++) {
		if (now[i] == bytes->data[i])
			continue;
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_REMOTE,
			"the write was dropped: the byte at 0x%" PRIx64 " is 0x%02x, not 0x%02x",
			addr.value + i, now[i], bytes->data[i]);
		return FALSE;
	}
	return TRUE;
}

static JsonNode *
write_memory (KdSession *session, const KdArgs *given, unsigned cpu, GError **error)
{
	g_autoptr (GByteArray) bytes = g_byte_array_new();
	const char *text = kd_args_string (given, "address");
	g_autofree char *space = NULL, *old_hex = NULL, *new_hex = NULL;
	g_autofree uint8_t *old = NULL;
	JsonObject *result;
	uint64_t size;
	KdAddr addr;

	if (!text) {
		usage (error, "ADDR is missing (or --reg NAME)");
		return NULL;
	}
	if (!get_bytes (session, given, cpu, bytes, &size, error) ||
		!kd_command_address (session, text, &addr, error))
		return NULL;
	if (addr.value + (bytes->len - 1) < addr.value) {
		usage (error, "%u bytes at 0x%" PRIx64 " are beyond the end of memory", bytes->len,
			addr.value);
		return NULL;
	}
	old = g_malloc (bytes->len);
	if (!write_checked (session, addr, bytes, old, error))
		return NULL;
	space = kd_space_to_string (addr.space);
	old_hex = kd_hex_to_string (old, bytes->len);
	new_hex = kd_hex_to_string (bytes->data, bytes->len);
	result = json_object_new();
	kd_json_set_hex (result, "addr", addr.value);
	kd_json_set_string (result, "space", space);
	kd_json_set_uint (result, "size", size);
	kd_json_set_string (result, "old", old_hex);
	kd_json_set_string (result, "new", new_hex);
	return kd_json_object_node (result);
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	JsonNode *result = NULL;
	unsigned cpu;

	if (kd_command_cpu (session, given, &cpu, error))
		result = kd_args_string (given, "reg") ? write_register (session, given, cpu, error)
						       : write_memory (session, given, cpu, error);
	if (!result)
		g_prefix_error (error, "write: ");
	return result;
}

/* --- text --- */

/* Units as numbers, single bytes as they stand in memory. */
static void
render_unit (KdText *text, const char *hex, size_t pos, size_t end, size_t size)
{
	if (size == 1) {
		kd_text_printf (
			text, KD_STYLE_NUMBER, "%.*s", (int)(2 * (end - pos)), hex + 2 * pos);
		return;
	}
	kd_text_add (text, KD_STYLE_NUMBER, "0x");
	for (size_t i = end; i-- > pos;)
		kd_text_printf (text, KD_STYLE_NUMBER, "%.2s", hex + 2 * i);
}

static void
render_change (KdText *text)
{
	kd_text_add (text, KD_STYLE_PLAIN, " → ");
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *old = "", *new = "", *space = "", *reg = NULL;
	guint64 addr = 0, size = 1;
	size_t len, step;
	gint64 cpu = 0;

	kd_json_get_string (obj, "old", FALSE, &old, NULL);
	kd_json_get_string (obj, "new", FALSE, &new, NULL);
	kd_json_get_string (obj, "space", FALSE, &space, NULL);
	kd_json_get_string (obj, "reg", FALSE, &reg, NULL);
	kd_json_get_address (obj, "addr", FALSE, &addr, NULL);
	kd_json_get_uint (obj, "size", FALSE, &size, NULL);
	kd_json_get_int (obj, "cpu", FALSE, &cpu, NULL);
	if (reg) {
		kd_text_printf (text, KD_STYLE_PLAIN, "CPU %" PRId64 " %s  ", cpu, reg);
		kd_text_add (text, KD_STYLE_NUMBER, old);
		render_change (text);
		kd_text_add (text, KD_STYLE_NUMBER, new);
		kd_text_add (text, KD_STYLE_PLAIN, "\n");
		return;
	}
	len = MIN (strlen (old), strlen (new)) / 2;
	step = size > 1 ? (size_t)MIN (size, 8) : BYTES_A_LINE;
	for (size_t pos = 0; pos < len; pos += step) {
		size_t end = MIN (pos + step, len);

		kd_text_printf (text, KD_STYLE_PLAIN, "%s:", space);
		kd_text_printf (text, KD_STYLE_ADDRESS, "0x%" PRIx64 "  ", addr + pos);
		render_unit (text, old, pos, end, (size_t)size);
		render_change (text);
		render_unit (text, new, pos, end, (size_t)size);
		kd_text_add (text, KD_STYLE_PLAIN, "\n");
	}
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	unsigned nr;
	const KdRegInfo *infos;

	if (strcmp (arg_name, "address") == 0 || strcmp (arg_name, "value") == 0)
		kd_command_complete_symbol (session, word, ret_candidates);
	if (strcmp (arg_name, "reg") != 0 || !session->target)
		return;
	infos = kd_target_reg_infos (session->target, &nr);
	for (unsigned i = 0; i < nr; i++)
		g_ptr_array_add (ret_candidates, g_strdup (infos[i].name));
}

const KdCommand kd_command_write = {
	.name = "write",
	.group = "machine",
	.summary = "change memory or a register, and show old and new",
	.help = "Only RAM is written, and all of the range or nothing. What was written is read "
		"back: a "
		"write that the machine dropped is an error. A page that several processes share "
		"changes for all of them.",
	.example = "kvmdbg write --size 4 console_printk 7\n"
		   "kvmdbg write user:100:0x400000 --bytes 1f2003d5\n"
		   "kvmdbg write --cpu 1 --reg x0 -1",
	.args = args,
	.flags = KD_COMMAND_NEEDS_STOP | KD_COMMAND_CHANGES,
	.run = run,
	.render = render,
	.complete = complete,
};
