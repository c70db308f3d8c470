/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "command/command.h"
#include "kernel/containers.h"
#include "kernel/expr.h"
#include "kernel/format.h"

#define STRING_MAX 4096
#define LIST_MAX 1000000

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
		"elements of an array and characters of a string that are shown (default 200); of "
		"a "
		"list (default: all)"},
	{"list", 'L', KD_ARG_STRING, 0, FALSE, "TYPE.MEMBER",
		"EXPR is the head of a list of TYPE linked by MEMBER: show each element"},
	{"member", 'm', KD_ARG_STRING, KD_ARG_REPEATED, FALSE, "PATH",
		"with --list: only this member of each element"},
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
	if (!kd_args_string (given, "list") && kd_args_uint (given, "limit", &number))
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

/* --- lists --- */

typedef struct {
	const KdArgs *given;
	const KdFormatOptions *options;
	GCancellable *cancellable;
	JsonArray *elements;
	KdMember *members; /* of the paths, found once; type NULL: it goes through a pointer */
	uint64_t left;     /* elements still to be shown */
	gboolean partial;
	GError *error;
} List;

/* Memory that is not there is said in its place; a member that is not there ends the list. */
static gboolean
get_member (const KdObject *element, const char *path, const KdMember *known, KdObject *ret_member,
	GError **error)
{
	if (!known->type)
		return kd_object_member (element, path, ret_member, error);
	*ret_member = kd_object_at (
		element->kernel, known->type, element->addr.value + known->bit_offset / 8);
	ret_member->bit_offset = known->bit_size ? (unsigned)(known->bit_offset % 8) : 0;
	ret_member->bit_size = known->bit_size;
	return TRUE;
}

static gboolean
add_member (const KdObject *element, const char *path, const KdMember *known, List *list,
	JsonObject *members, GString *text)
{
	g_auto (KdFormatted) formatted = {0};
	g_autoptr (GError) why = NULL;
	KdObject member;

	if (!get_member (element, path, known, &member, &why)) {
		if (!g_error_matches (why, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT)) {
			g_propagate_error (&list->error, g_steal_pointer (&why));
			return FALSE;
		}
	} else if (kd_format_object (&member, list->options, &formatted, &why)) {
		g_string_append_printf (
			text, "%s%s = %s", text->len ? ", " : "", path, formatted.text);
		json_object_set_member (members, path, g_steal_pointer (&formatted.json));
		list->partial |= formatted.partial;
		return TRUE;
	}
	g_string_append_printf (text, "%s%s = <%s>", text->len ? ", " : "", path, why->message);
	list->partial = TRUE;
	return TRUE;
}

static gboolean
add_element (const KdObject *element, void *data)
{
	List *list = data;
	const char *const *paths = kd_args_list (list->given, "member");
	g_autoptr (GString) text = g_string_new (NULL);
	JsonObject *obj, *members;

	if (list->left == 0) {
		list->partial = TRUE;
		return FALSE;
	}
	list->left--;
	if (g_cancellable_set_error_if_cancelled (list->cancellable, &list->error))
		return FALSE;
	obj = kd_json_array_add_object (list->elements);
	kd_json_set_hex (obj, "address", element->addr.value);
	if (*paths) {
		members = kd_json_add_object (obj, "value");
		for (unsigned i = 0; paths[i]; i++)
			if (!add_member (element, paths[i], &list->members[i], list, members, text))
				return FALSE;
	} else {
		g_auto (KdFormatted) formatted = {0};

		if (!kd_format_object (element, list->options, &formatted, &list->error))
			return FALSE;
		g_string_append (text, formatted.text);
		json_object_set_member (obj, "value", g_steal_pointer (&formatted.json));
		list->partial |= formatted.partial;
	}
	kd_json_set_string (obj, "text", text->str);
	return TRUE;
}

/* A pointer to a list_head, or one itself. */
static gboolean
head_of (const KdObject *object, uint64_t *ret_head, GError **error)
{
	if (object->type && kind_of (object) != KD_TYPE_STRUCT)
		return kd_object_u64 (object, ret_head, error);
	*ret_head = object->is_lvalue ? object->addr.value : object->value;
	return TRUE;
}

static gboolean
set_list (KdSession *session, const KdArgs *given, const KdObject *object,
	const KdFormatOptions *options, JsonObject *obj, GError **error)
{
	const char *place = kd_args_string (given, "list");
	g_auto (GStrv) parts = g_strsplit (place, ".", 2);
	g_autofree char *type = NULL;
	g_autoptr (GError) why = NULL;
	const char *const *paths = kd_args_list (given, "member");
	g_autofree KdMember *members = g_new0 (KdMember, g_strv_length ((char **)paths) + 1);
	List list = {given, options, session->cancellable, kd_json_add_array (obj, "elements"),
		members, LIST_MAX, FALSE, NULL};
	const KdType *element;
	uint64_t head;

	if (!session->kernel || !parts[0] || !parts[1])
		return set_usage (error, "a list is TYPE.MEMBER of a known kernel", place);
	type = strchr (parts[0], ' ') || kd_kernel_type (session->kernel, parts[0])
		       ? g_strdup (parts[0])
		       : g_strconcat ("struct ", parts[0], NULL);
	element = kd_kernel_type (session->kernel, type);
	for (unsigned i = 0; element && paths[i]; i++)
		if (!kd_type_member (element, paths[i], &members[i], NULL))
			members[i] = (KdMember){0};
	/* Of the elements, and not of what is inside them. */
	kd_args_uint (given, "limit", &list.left);
	if (!head_of (object, &head, error))
		return FALSE;
	/* What was found before a list turned out to be broken is still true. */
	if (!kd_object_list_foreach (
		    session->kernel, head, type, parts[1], LIST_MAX, add_element, &list, &why) &&
		!g_error_matches (why, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT) &&
		!g_error_matches (why, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT)) {
		g_propagate_error (error, g_steal_pointer (&why));
		return FALSE;
	}
	if (list.error) {
		g_propagate_error (error, list.error);
		return FALSE;
	}
	kd_json_set_string (obj, "type", type);
	kd_json_set_uint (obj, "count", json_array_get_length (list.elements));
	kd_json_set_bool (obj, "partial", list.partial || why);
	if (why)
		kd_json_set_string (obj, "why", why->message);
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	g_autoptr (JsonObject) obj = json_object_new();
	uint64_t cpu = kd_session_stopped_cpu (session);
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
	if (kd_args_string (given, "list")) {
		if (!set_list (session, given, &object, &options, obj, error)) {
			g_prefix_error (error, "print: %s: ", text);
			return NULL;
		}
	} else if (!object.type && !object.is_lvalue) {
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
	const char *value = "", *why = NULL;
	JsonArray *elements = NULL;

	if (kd_json_get_array (obj, "elements", FALSE, &elements, NULL) && elements) {
		for (guint i = 0; i < json_array_get_length (elements); i++) {
			JsonObject *element = NULL;
			const char *address = "";

			if (!kd_json_array_object (elements, i, &element, NULL))
				continue;
			kd_json_get_string (element, "address", FALSE, &address, NULL);
			kd_json_get_string (element, "text", FALSE, &value, NULL);
			kd_text_printf (text, KD_STYLE_ADDRESS, "%s", address);
			kd_text_printf (text, KD_STYLE_PLAIN, "  %s\n", value);
		}
		kd_json_get_string (obj, "why", FALSE, &why, NULL);
		if (why)
			kd_text_printf (text, KD_STYLE_WARN, "(not whole: %s)\n", why);
		return;
	}
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
		   "~0xfff' --cpu 1\n"
		   "kvmdbg print --list task_struct.tasks -m comm -m pid init_task.tasks",
	.args = args,
	.run = run,
	.render = render,
};
