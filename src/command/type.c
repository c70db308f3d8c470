/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/json.h"
#include "base/nearest.h"
#include "command/command.h"
#include "kernel/module.h"

/* A hostile type may contain itself; the kernel's own stay far below. */
#define DEPTH_MAX 16
#define MEMBERS_MAX 50000

/* --- the tree --- */

static const char *
kind_name (const KdType *type)
{
	static const char *const names[] = {
		[KD_TYPE_VOID] = "void",
		[KD_TYPE_INT] = "int",
		[KD_TYPE_BOOL] = "bool",
		[KD_TYPE_CHAR] = "char",
		[KD_TYPE_FLOAT] = "float",
		[KD_TYPE_ENUM] = "enum",
		[KD_TYPE_STRUCT] = "struct",
		[KD_TYPE_UNION] = "union",
		[KD_TYPE_POINTER] = "pointer",
		[KD_TYPE_ARRAY] = "array",
		[KD_TYPE_FUNC] = "function",
		[KD_TYPE_TYPEDEF] = "typedef",
		[KD_TYPE_CONST] = "const",
		[KD_TYPE_VOLATILE] = "volatile",
		[KD_TYPE_RESTRICT] = "restrict",
		[KD_TYPE_FWD] = "declaration",
	};
	return names[kd_type_kind (type)];
}

static void
set_type (JsonObject *obj, const KdType *type)
{
	g_autofree char *spelling = kd_type_declare (type, NULL);

	kd_json_set_string (obj, "type", spelling);
	kd_json_set_uint (obj, "size", kd_type_size (type));
}

/* What a declaration ends in, behind pointers, arrays and qualifiers but not behind a typedef. */
static const KdType *
base_of (const KdType *type)
{
	for (unsigned i = 0; i < 64; i++) {
		KdTypeKind kind = kd_type_kind (type);
		if (kind != KD_TYPE_POINTER && kind != KD_TYPE_ARRAY && kind != KD_TYPE_CONST &&
			kind != KD_TYPE_VOLATILE && kind != KD_TYPE_RESTRICT)
			break;
		type = kd_type_target (type);
	}
	return type;
}

static void add_members (
	JsonObject *obj, const KdType *type, uint64_t base_bits, unsigned depth, unsigned *budget);

/* Members or enumerators, whichever the type has. */
static void
add_inside (
	JsonObject *obj, const KdType *type, uint64_t base_bits, unsigned depth, unsigned *budget)
{
	unsigned nr;

	if (kd_type_kind (type) == KD_TYPE_STRUCT || kd_type_kind (type) == KD_TYPE_UNION)
		add_members (obj, type, base_bits, depth, budget);
	const KdEnumerator *values = kd_type_enumerators (type, &nr);
	if (kd_type_kind (type) != KD_TYPE_ENUM)
		return;
	JsonArray *array = kd_json_add_array (obj, "enumerators");
	for (unsigned i = 0; i < nr; i++) {
		JsonObject *value = kd_json_array_add_object (array);
		kd_json_set_string (value, "name", values[i].name);
		if (kd_type_is_signed (type))
			kd_json_set_int (value, "value", values[i].value);
		else
			kd_json_set_uint (value, "value", (uint64_t)values[i].value);
	}
}

static void
set_member (JsonObject *obj, const KdMember *member, uint64_t base_bits, unsigned depth,
	unsigned *budget)
{
	g_autofree char *declaration = kd_type_declare (member->type, member->name);
	uint64_t bits = base_bits + member->bit_offset;
	const KdType *base = base_of (member->type);

	kd_json_set_string (obj, "name", member->name);
	set_type (obj, member->type);
	kd_json_set_string (obj, "declaration", declaration);
	kd_json_set_uint (obj, "offset", bits / 8);
	if (member->bit_size) {
		kd_json_set_int (obj, "bit_offset", bits % 8);
		kd_json_set_int (obj, "bit_size", member->bit_size);
	}
	/* What has no name of its own can only be shown here. Behind a pointer it starts anew. */
	if (!kd_type_name (base) && depth < DEPTH_MAX)
		add_inside (obj, base,
			kd_type_kind (kd_type_strip (member->type)) == KD_TYPE_POINTER ? 0 : bits,
			depth + 1, budget);
}

static void
add_members (
	JsonObject *obj, const KdType *type, uint64_t base_bits, unsigned depth, unsigned *budget)
{
	unsigned nr;
	const KdMember *members = kd_type_members (type, &nr);
	JsonArray *array = kd_json_add_array (obj, "members");

	for (unsigned i = 0; i<nr && * budget> 0; i++) {
		--*budget;
		set_member (
			kd_json_array_add_object (array), &members[i], base_bits, depth, budget);
	}
}

static JsonObject *
describe (const KdType *type)
{
	JsonObject *obj = json_object_new();
	g_autofree char *spelling = kd_type_declare (type, NULL);
	unsigned budget = MEMBERS_MAX;

	kd_json_set_string (obj, "name", spelling);
	kd_json_set_string (obj, "kind", kind_name (type));
	kd_json_set_uint (obj, "size", kd_type_size (type));
	if (kd_type_kind (type) == KD_TYPE_TYPEDEF) {
		g_autofree char *text =
			kd_type_declare (kd_type_target (type), kd_type_name (type));
		kd_json_set_string (obj, "declaration", text);
		const KdType *base = base_of (kd_type_target (type));
		if (!kd_type_name (base))
			add_inside (obj, base, 0, 0, &budget);
	} else {
		add_inside (obj, type, 0, 0, &budget);
	}
	if (budget == 0)
		kd_json_set_bool (obj, "partial", TRUE);
	return obj;
}

/* --- finding --- */

/* "kvm" of "struct kvm"; *ret_tag_len: of "struct ", or 0. */
static const char *
bare_name (const char *spelling, size_t *ret_tag_len)
{
	static const char *const tags[] = {"struct ", "union ", "enum "};

	*ret_tag_len = 0;
	for (unsigned i = 0; i < G_N_ELEMENTS (tags); i++)
		if (g_str_has_prefix (spelling, tags[i]))
			*ret_tag_len = strlen (tags[i]);
	return spelling + *ret_tag_len;
}

typedef struct {
	const char *wanted;
	size_t tag_len;
	KdNearest *nearest;
} Offer;

/* Names are compared without their tag, which would make all structures look alike. */
static gboolean
offer_spelling (const char *spelling, void *data)
{
	const Offer *offer = data;
	size_t tag_len;
	const char *name = bare_name (spelling, &tag_len);

	if (offer->tag_len == 0 ||
		(tag_len == offer->tag_len && strncmp (spelling, offer->wanted, tag_len) == 0))
		kd_nearest_offer (offer->nearest, name);
	return TRUE;
}

static char *
nearest_hint (KdKernel *kernel, const char *wanted)
{
	Offer offer = {.wanted = wanted};
	const char *name = bare_name (wanted, &offer.tag_len);
	g_autoptr (KdNearest) nearest = kd_nearest_new (name);

	offer.nearest = nearest;
	kd_kernel_types_foreach (kernel, offer_spelling, &offer);
	return kd_nearest_hint (nearest);
}

/* C's spelling, or a bare tag as crash takes it. NULL: none. */
static const KdType *
lookup (KdKernel *kernel, const char *spelling)
{
	static const char *const tags[] = {"struct ", "union ", "enum "};
	const KdType *type = kd_kernel_type (kernel, spelling);

	for (unsigned i = 0; !type && i < G_N_ELEMENTS (tags); i++) {
		g_autofree char *tagged = g_strconcat (tags[i], spelling, NULL);
		type = kd_kernel_type (kernel, tagged);
	}
	return type;
}

/* "struct kvm", or with a member behind a dot or a space; *ret_path is NULL or inside `text`. */
static const KdType *
lookup_with_path (KdKernel *kernel, char *text, const char **ret_path)
{
	const KdType *type = lookup (kernel, text);
	char *split = strchr (text, '.');

	*ret_path = NULL;
	if (type)
		return type;
	if (!split)
		split = strrchr (text, ' ');
	if (!split)
		return NULL;
	char separator = *split;
	*split = '\0';
	type = lookup (kernel, text);
	if (type)
		*ret_path = split + 1;
	else
		*split = separator;
	return type;
}

static JsonNode *
describe_symbol (KdKernel *kernel, const char *name)
{
	const KdType *type = kd_kernel_type_of_symbol (kernel, name, TRUE);
	if (!type)
		return NULL;
	JsonObject *obj = json_object_new();
	g_autofree char *declaration = kd_type_declare (type, name);
	kd_json_set_string (obj, "name", name);
	kd_json_set_string (
		obj, "kind", kd_type_kind (type) == KD_TYPE_FUNC ? "function" : "variable");
	set_type (obj, type);
	kd_json_set_string (obj, "declaration", declaration);
	return kd_json_object_node (obj);
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	KdKernel *kernel = session->kernel;
	g_autofree char *text = g_strstrip (g_strdup (kd_args_string (args, "name")));
	const char *path;
	const KdType *type = lookup_with_path (kernel, text, &path);

	if (!type) {
		JsonNode *symbol = describe_symbol (kernel, text);
		if (symbol)
			return symbol;
		g_autofree char *hint = nearest_hint (kernel, text);
		g_autofree char *cut = kd_kernel_modules_hint (kernel);
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
			"type: no type “%s”%s%s", text, hint, cut);
		return NULL;
	}
	JsonObject *obj;
	if (path) {
		KdMember member;
		g_autofree char *bad = NULL;
		unsigned budget = MEMBERS_MAX;
		if (!kd_type_member (type, path, &member, &bad)) {
			g_set_error (
				error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED, "type: %s", bad);
			return NULL;
		}
		g_autofree char *spelling = kd_type_declare (type, NULL);
		obj = json_object_new();
		kd_json_set_string (obj, "name", spelling);
		kd_json_set_string (obj, "kind", kind_name (kd_type_strip (type)));
		kd_json_set_uint (obj, "size", kd_type_size (type));
		kd_json_set_string (obj, "path", path);
		member.name = path;
		set_member (kd_json_array_add_object (kd_json_add_array (obj, "members")), &member,
			0, 0, &budget);
	} else {
		obj = describe (type);
	}
	kd_json_set_bool (obj, "offsets", kd_args_flag (args, "offsets") || path);
	return kd_json_object_node (obj);
}

/* --- text --- */

typedef struct {
	KdText *text;
	gboolean offsets;
	int width; /* of "[0x…]" */
} Printer;

static int
offset_width (JsonObject *obj)
{
	guint64 size = 0;
	kd_json_get_uint (obj, "size", FALSE, &size, NULL);
	g_autofree char *widest = g_strdup_printf ("[0x%" G_GINT64_MODIFIER "x]", size);
	return (int)strlen (widest);
}

static void
print_offset (const Printer *printer, JsonObject *member)
{
	guint64 offset = 0;
	gint64 bit;
	if (!printer->offsets)
		return;
	kd_json_get_uint (member, "offset", FALSE, &offset, NULL);
	g_autofree char *cell =
		json_object_has_member (member, "bit_size") &&
				kd_json_get_int (member, "bit_offset", TRUE, &bit, NULL)
			? g_strdup_printf ("[0x%" G_GINT64_MODIFIER "x:%d]", offset, (int)bit)
			: g_strdup_printf ("[0x%" G_GINT64_MODIFIER "x]", offset);
	kd_text_printf (printer->text, KD_STYLE_NUMBER, "%*s ", printer->width + 2, cell);
}

static void print_inside (const Printer *printer, JsonObject *obj, unsigned depth);

/* "struct {...} name[2]" with what is inside, or as it is. */
static void
print_declaration (const Printer *printer, JsonObject *obj, unsigned depth)
{
	const char *declaration = "?";
	gint64 bits = 0;

	kd_json_get_string (obj, "declaration", FALSE, &declaration, NULL);
	kd_json_get_int (obj, "bit_size", FALSE, &bits, NULL);
	const char *dots = strstr (declaration, "{...}");
	gboolean inside = json_object_has_member (obj, "members") ||
			  json_object_has_member (obj, "enumerators");
	if (dots && inside) {
		kd_text_printf (printer->text, KD_STYLE_PLAIN, "%.*s{\n", (int)(dots - declaration),
			declaration);
		print_inside (printer, obj, depth + 1);
		if (printer->offsets)
			kd_text_printf (
				printer->text, KD_STYLE_PLAIN, "%*s", printer->width + 3, "");
		kd_text_printf (
			printer->text, KD_STYLE_PLAIN, "%*s}%s", (int)depth * 4, "", dots + 5);
	} else {
		kd_text_add (printer->text, KD_STYLE_PLAIN, declaration);
	}
	if (bits)
		kd_text_printf (printer->text, KD_STYLE_PLAIN, " : %d", (int)bits);
	kd_text_add (printer->text, KD_STYLE_PLAIN, ";\n");
}

static void
print_inside (const Printer *printer, JsonObject *obj, unsigned depth)
{
	JsonArray *members = NULL, *values = NULL;
	JsonObject *item;

	kd_json_get_array (obj, "members", FALSE, &members, NULL);
	kd_json_get_array (obj, "enumerators", FALSE, &values, NULL);
	for (guint i = 0; members && i < json_array_get_length (members); i++) {
		if (!kd_json_array_object (members, i, &item, NULL))
			continue;
		print_offset (printer, item);
		kd_text_printf (printer->text, KD_STYLE_PLAIN, "%*s", (int)depth * 4, "");
		print_declaration (printer, item, depth);
	}
	for (guint i = 0; values && i < json_array_get_length (values); i++) {
		const char *name = "?";
		gint64 value = 0;
		const char *large = NULL;
		if (!kd_json_array_object (values, i, &item, NULL))
			continue;
		kd_json_get_string (item, "name", FALSE, &name, NULL);
		if (printer->offsets)
			kd_text_printf (
				printer->text, KD_STYLE_PLAIN, "%*s", printer->width + 3, "");
		kd_text_printf (
			printer->text, KD_STYLE_PLAIN, "%*s%s = ", (int)depth * 4, "", name);
		if (kd_json_get_int (item, "value", TRUE, &value, NULL))
			kd_text_printf (printer->text, KD_STYLE_NUMBER, "%" G_GINT64_FORMAT, value);
		else if (kd_json_get_string (item, "value", TRUE, &large, NULL))
			kd_text_add (printer->text, KD_STYLE_NUMBER, large);
		kd_text_add (printer->text, KD_STYLE_PLAIN, ",\n");
	}
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	Printer printer = {text, FALSE, 0};
	const char *name = "?", *kind = "";
	guint64 size = 0;
	gboolean partial = FALSE;

	kd_json_get_string (obj, "name", FALSE, &name, NULL);
	kd_json_get_string (obj, "kind", FALSE, &kind, NULL);
	kd_json_get_uint (obj, "size", FALSE, &size, NULL);
	kd_json_get_bool (obj, "offsets", FALSE, &printer.offsets, NULL);
	kd_json_get_bool (obj, "partial", FALSE, &partial, NULL);
	printer.width = offset_width (obj);

	if (json_object_has_member (obj, "declaration")) {
		if (strcmp (kind, "typedef") == 0)
			kd_text_add (text, KD_STYLE_PLAIN, "typedef ");
		print_declaration (&printer, obj, 0);
	} else if (json_object_has_member (obj, "members") ||
		   json_object_has_member (obj, "enumerators")) {
		kd_text_add (text, KD_STYLE_TYPE, name);
		kd_text_add (text, KD_STYLE_PLAIN, " {\n");
		print_inside (&printer, obj, printer.offsets ? 0 : 1);
		kd_text_add (text, KD_STYLE_PLAIN, "}\n");
	} else {
		kd_text_printf (text, KD_STYLE_TYPE, "%s;\n", name);
	}
	if (strcmp (kind, "function") != 0)
		kd_text_printf (text, KD_STYLE_PLAIN, "SIZE: %" G_GUINT64_FORMAT "\n", size);
	if (partial)
		kd_text_add (text, KD_STYLE_WARN, "(cut: too many members)\n");
}

typedef struct {
	const char *word;
	GPtrArray *candidates;
} Completion;

static gboolean
complete_one (const char *spelling, void *data)
{
	Completion *completion = data;
	size_t tag_len;
	/* Only the last word is being typed, so the tag has been typed before it. */
	const char *name = bare_name (spelling, &tag_len);

	if (g_str_has_prefix (name, completion->word))
		g_ptr_array_add (completion->candidates, g_strdup (name));
	return completion->candidates->len < 2000;
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	Completion completion = {word, ret_candidates};

	if (session && session->kernel && strcmp (arg_name, "name") == 0)
		kd_kernel_types_foreach (session->kernel, complete_one, &completion);
}

static const KdArg args[] = {
	{"name", 0, KD_ARG_REST, KD_ARG_REQUIRED, TRUE, "TYPE",
		"a type as C spells it, a bare tag, or a variable; then .MEMBER or a member"},
	{"offsets", 'o', KD_ARG_FLAG, 0, FALSE, NULL, "show the offset of each member"},
	{NULL},
};

const KdCommand kd_command_type = {
	.name = "type",
	.group = "symbols",
	.summary = "show a type with its members, offsets and size",
	.help = "Prints the type as C declares it, anonymous members expanded where they stand. "
		"With "
		"-o each\nmember has its offset in bytes in front; a bit-field has byte:bit.",
	.example = "type -o struct list_head\ntype kvm_vcpu.arch.ctxt\ntype vm_list",
	.args = args,
	.flags = KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
	.complete = complete,
};
