/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "image/image-private.h"

/*
 * C's declarators, inside out: "int (*name)[4]". `budget` bounds the work for types that a hostile
 * source made to contain themselves.
 */
#define BUDGET 2000

static char *declare (const KdType *type, const char *declarator, unsigned *budget);

static char *
base_spelling (const KdType *type)
{
	switch (type->kind) {
	case KD_TYPE_VOID:
		return g_strdup ("void");
	case KD_TYPE_STRUCT:
		return g_strdup_printf ("struct %s", type->name ? type->name : "{...}");
	case KD_TYPE_UNION:
		return g_strdup_printf ("union %s", type->name ? type->name : "{...}");
	case KD_TYPE_ENUM:
		return g_strdup_printf ("enum %s", type->name ? type->name : "{...}");
	case KD_TYPE_FWD:
		return g_strdup_printf ("%s %s", type->nr_elements ? "union" : "struct",
			type->name ? type->name : "{...}");
	default:
		return g_strdup (type->name ? type->name : "?");
	}
}

static char *
parameters (const KdType *function, unsigned *budget)
{
	unsigned nr;
	const KdMember *members = kd_type_members (function, &nr);
	GString *text = g_string_new ("(");

	for (unsigned i = 0; i < nr; i++) {
		if (*budget == 0) {
			g_string_append (text, text->len > 1 ? ", …" : "…");
			break;
		}
		g_autofree char *parameter = declare (members[i].type, members[i].name, budget);
		g_string_append_printf (text, "%s%s", i ? ", " : "", parameter);
	}
	if (kd_type_is_variadic (function))
		g_string_append (text, nr ? ", ..." : "...");
	else if (nr == 0)
		g_string_append (text, "void");
	g_string_append_c (text, ')');
	return g_string_free (text, FALSE);
}

static const char *
qualifier (const KdType *type)
{
	switch (type->kind) {
	case KD_TYPE_CONST:
		return "const";
	case KD_TYPE_VOLATILE:
		return "volatile";
	case KD_TYPE_RESTRICT:
		return "restrict";
	default:
		return NULL;
	}
}

/* Wraps `inner` by one level of `type`; NULL when `type` is a base or qualifier. */
static char *
wrap (const KdType *type, const char *inner, unsigned *budget)
{
	KdTypeKind below;

	switch (type->kind) {
	case KD_TYPE_POINTER:
		below = kd_type_target (type)->kind;
		if (below == KD_TYPE_ARRAY || below == KD_TYPE_FUNC)
			return g_strdup_printf ("(*%s)", inner);
		return g_strdup_printf ("*%s", inner);
	case KD_TYPE_ARRAY:
		if (type->nr_elements == 0)
			return g_strdup_printf ("%s[]", inner);
		return g_strdup_printf ("%s[%" PRIu64 "]", inner, type->nr_elements);
	case KD_TYPE_FUNC: {
		g_autofree char *list = parameters (type, budget);
		return g_strdup_printf ("%s%s", inner, list);
	}
	default:
		return NULL;
	}
}

static char *
declare (const KdType *type, const char *declarator, unsigned *budget)
{
	g_autofree char *inner = g_strdup (declarator ? declarator : "");
	g_autoptr (GString) prefix = g_string_new (NULL);

	for (;;) {
		if (*budget == 0 || --*budget == 0)
			return g_strdup_printf ("… %s", inner);
		const char *word = qualifier (type);
		if (word) {
			/* Of a pointer it stands behind the star, of anything else in front. */
			if (kd_type_target (type)->kind == KD_TYPE_POINTER) {
				char *outer = inner[0] ? g_strdup_printf ("%s %s", word, inner)
						       : g_strdup (word);
				g_free (inner);
				inner = outer;
			} else {
				g_string_append_printf (prefix, "%s ", word);
			}
			type = kd_type_target (type);
			continue;
		}
		char *outer = wrap (type, inner, budget);
		if (!outer)
			break;
		g_free (inner);
		inner = outer;
		type = kd_type_target (type);
	}
	g_autofree char *base = base_spelling (type);
	return g_strdup_printf ("%s%s%s%s", prefix->str, base, inner[0] ? " " : "", inner);
}

char *
kd_type_declare (const KdType *type, const char *declarator)
{
	unsigned budget = BUDGET;
	return declare (type, declarator, &budget);
}
