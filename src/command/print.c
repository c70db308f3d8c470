/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "command/command.h"
#include "kernel/expr.h"
#include "kernel/format.h"

#define STRING_MAX 4096

static const KdArg args[] = {
	{"expression", 0, KD_ARG_REST, KD_ARG_REQUIRED | KD_ARG_IS_EXPR, TRUE, "EXPR",
		"as in C; \"/x EXPR\" is --format x"},
	{"cpu", 'c', KD_ARG_UINT, 0, FALSE, "N",
		"CPU of $registers and this_cpu() (default: the one that stopped)"},
	{"format", 'f', KD_ARG_STRING, 0, FALSE, "F",
		"integers as x (hex), d (signed), o (octal), t (binary), c (character); bytes as s "
		"(text)"},
	{"depth", 'd', KD_ARG_UINT, 0, FALSE, "N",
		"structures inside each other that are shown (default 20)"},
	{"limit", 'l', KD_ARG_UINT, 0, FALSE, "N",
		"elements of an array and characters of a string that are shown (default 200)"},
	{NULL},
};

static gboolean
set_usage (GError **error, const char *what, const char *value)
{
	g_set_error (
		error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE, "print: %s: \"%s\"", what, value);
	return FALSE;
}

/* Takes "/x" off the expression, as gdb has it. */
static gboolean
get_options (
	const KdArgs *given, const char **ret_text, KdFormatOptions *ret_options, GError **error)
{
	const char *text = kd_args_string (given, "expression");
	const char *format = kd_args_string (given, "format");
	g_autofree char *letter = NULL;
	uint64_t number;

	if (text[0] == '/') {
		size_t len = strcspn (text + 1, " ");

		format = letter = g_strndup (text + 1, len);
		text += 1 + len + strspn (text + 1 + len, " ");
	}
	if (format && (strlen (format) != 1 || !strchr ("xdotcs", format[0])))
		return set_usage (error, "format is none of x d o t c s", format);
	if (!*text)
		return set_usage (error, "no expression", kd_args_string (given, "expression"));
	ret_options->format = format ? format[0] : 0;
	if (kd_args_uint (given, "depth", &number))
		ret_options->depth = (unsigned)CLAMP (number, 1, KD_FORMAT_DEPTH_MAX);
	if (kd_args_uint (given, "limit", &number))
		ret_options->limit = (unsigned)CLAMP (number, 1, KD_FORMAT_LIMIT_MAX);
	*ret_text = text;
	return TRUE;
}

static KdTypeKind
kind_of (const KdObject *object)
{
	return kd_type_kind (kd_type_strip (object->type));
}

/* What a pointer is beside its number, for programs; the text has it already. */
static void
add_pointed (JsonObject *obj, const KdObject *object, uint64_t value)
{
	const KdType *target = kd_type_strip (kd_type_target (kd_type_strip (object->type)));
	KdKernelSymbol symbol;

	if (kd_kernel_symbol_at (object->kernel, value, &symbol)) {
		g_autofree char *name = kd_kernel_symbolize (object->kernel, value);

		kd_json_set_string (obj, "symbol", name);
	}
	if (kd_type_kind (target) == KD_TYPE_CHAR) {
		g_autofree char *string =
			kd_kernel_read_cstring (object->kernel, value, STRING_MAX, NULL);
		g_autofree char *escaped = string ? kd_escape (string, -1, STRING_MAX) : NULL;

		if (escaped)
			kd_json_set_string (obj, "string", escaped);
	}
}

/* Text that stands for a number gets the number beside it, where the format was not asked for. */
static char *
whole_text (JsonObject *obj, const KdObject *object, const char *text, char format)
{
	KdTypeKind kind = kind_of (object);
	uint64_t value;

	if (kind == KD_TYPE_ARRAY || kind == KD_TYPE_FUNC || !kd_object_u64 (object, &value, NULL))
		return g_strdup (text);
	if (kind == KD_TYPE_POINTER) {
		g_autofree char *spelling = kd_type_declare (object->type, NULL);

		add_pointed (obj, object, value);
		return format && format != 's' ? g_strdup (text)
					       : g_strdup_printf ("(%s) %s", spelling, text);
	}
	if (kind == KD_TYPE_ENUM) {
		kd_json_set_int (obj, "number", (gint64)value);
		return format ? g_strdup (text) : g_strdup_printf ("%s (%" PRId64 ")", text, value);
	}
	if (kind != KD_TYPE_INT || format || value < 10)
		return g_strdup (text);
	uint64_t bits = object->bit_size ? object->bit_size : kd_type_size (object->type) * 8;
	uint64_t mask = bits >= 64 ? UINT64_MAX : (UINT64_C (1) << bits) - 1;
	return g_strdup_printf ("%s (0x%" PRIx64 ")", text, value & mask);
}

/* Without a kernel there are no types: a number is a number. */
static void
set_plain (JsonObject *obj, uint64_t value)
{
	kd_json_set_hex (obj, "value", value);
	kd_json_set_printf (obj, "text", "%" PRIu64 " (0x%" PRIx64 ")", value, value);
}

static gboolean
set_object (JsonObject *obj, const KdObject *object, const KdFormatOptions *options, GError **error)
{
	g_auto (KdFormatted) formatted = {0};
	g_autofree char *spelling = NULL, *text = NULL;

	if (!kd_format_object (object, options, &formatted, error))
		return FALSE;
	spelling = kd_type_declare (object->type, NULL);
	kd_json_set_string (obj, "type", spelling);
	kd_json_set_uint (obj, "size", kd_type_size (object->type));
	if (object->is_lvalue) {
		g_autofree char *space = kd_space_to_string (object->addr.space);

		kd_json_set_hex (obj, "address", object->addr.value);
		kd_json_set_string (obj, "space", space);
	}
	json_object_set_member (obj, "value", g_steal_pointer (&formatted.json));
	text = whole_text (obj, object, formatted.text, options->format);
	kd_json_set_string (obj, "text", text);
	kd_json_set_bool (obj, "partial", formatted.partial);
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	g_autoptr (JsonObject) obj = json_object_new();
	const KdStop *stop = session->target ? kd_target_last_stop (session->target) : NULL;
	uint64_t cpu = stop && stop->cpu > 0 ? (uint64_t)stop->cpu : 0;
	KdFormatOptions options = {0};
	const char *text;
	KdObject object;

	if (!get_options (given, &text, &options, error))
		return NULL;
	if (kd_args_uint (given, "cpu", &cpu) && session->target &&
		cpu >= kd_target_nr_cpus (session->target)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"print: no CPU %" PRIu64 ": there are %u", cpu,
			kd_target_nr_cpus (session->target));
		return NULL;
	}
	kd_json_set_string (obj, "expression", text);
	if (!kd_expr_eval_on (
		    session->target, session->kernel, (unsigned)cpu, text, &object, error)) {
		g_prefix_error (error, "print: ");
		return NULL;
	}
	if (!object.type && !object.is_lvalue) {
		set_plain (obj, object.value);
	} else if (!set_object (obj, &object, &options, error)) {
		g_prefix_error (error, "print: %s: ", text);
		return NULL;
	}
	return kd_json_object_node (g_steal_pointer (&obj));
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *value = "";

	kd_json_get_string (obj, "text", FALSE, &value, NULL);
	kd_text_printf (text, KD_STYLE_PLAIN, "%s\n", value);
}

const KdCommand kd_command_print = {
	.name = "print",
	.group = "symbols",
	.summary = "show the value of a C expression",
	.help = "The expression may name variables and functions of the kernel, enumerators, "
		"$registers, casts,\nsizeof, members, indices, and per_cpu (VARIABLE, CPU), "
		"this_cpu "
		"(VARIABLE), container_of\n(POINTER, TYPE, MEMBER), offsetof (TYPE, MEMBER). "
		"Nothing "
		"is ever written. Arithmetic is done in 64 bits.\n\nA structure is shown with all "
		"it "
		"holds, memory that is not there marked in place, equal elements\nof an array told "
		"once. Pointers have their symbol, char pointers their text.",
	.example = "kvmdbg print init_task.comm\nkvmdbg print '((struct kvm "
		   "*)0xffff0000c5a3c000)->memslots[0]'\n"
		   "kvmdbg print 'per_cpu (runqueues, 1).curr->comm'\nkvmdbg print /x '$sp & "
		   "~0xfff' --cpu 1",
	.args = args,
	.run = run,
	.render = render,
};
