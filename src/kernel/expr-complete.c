/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/expr-complete.h"

#include <string.h>

#include "kernel/expr-ops.h"
#include "kernel/expr.h"

#define DEPTH_MAX 16
#define CANDIDATES_MAX 2000

static gboolean
is_name_char (char c)
{
	return g_ascii_isalnum (c) || c == '_';
}

/* All scanning goes backwards: `end` is one behind what is looked at. */
static size_t
back_over_spaces (const char *text, size_t end)
{
	while (end > 0 && g_ascii_isspace (text[end - 1]))
		end--;
	return end;
}

static size_t
back_over_name (const char *text, size_t end)
{
	while (end > 0 && is_name_char (text[end - 1]))
		end--;
	return end;
}

/* From behind a ')' or ']' to its opening one; G_MAXSIZE: there is none. */
static size_t
back_over_brackets (const char *text, size_t end)
{
	unsigned open = 0;

	while (end > 0) {
		char c = text[--end];

		if (c == ')' || c == ']')
			open++;
		else if ((c == '(' || c == '[') && --open == 0)
			return end;
	}
	return G_MAXSIZE;
}

/* "." or "->" that ends at `end`: where it starts, else `end`. */
static size_t
back_over_arrow (const char *text, size_t end)
{
	if (end > 0 && text[end - 1] == '.')
		return end - 1;
	if (end > 1 && text[end - 1] == '>' && text[end - 2] == '-')
		return end - 2;
	return end;
}

/* Start of the postfix expression that ends at `end`: "a->b[1].c", "per_cpu (x, 1)", "((T *)0)". */
static size_t
back_over_postfix (const char *text, size_t end)
{
	for (;;) {
		end = back_over_spaces (text, end);
		while (end > 0 && (text[end - 1] == ')' || text[end - 1] == ']')) {
			end = back_over_brackets (text, end);
			if (end == G_MAXSIZE)
				return end;
			end = back_over_spaces (text, end);
		}
		end = back_over_name (text, end);
		if (end > 0 && text[end - 1] == '$')
			end--;
		size_t before = back_over_spaces (text, end);
		size_t arrow = back_over_arrow (text, before);
		if (arrow == before)
			return end;
		end = arrow;
	}
}

static void
offer (GPtrArray *candidates, const char *word, const char *name)
{
	if (candidates->len < CANDIDATES_MAX && g_str_has_prefix (name, word))
		g_ptr_array_add (candidates, g_strdup (name));
}

static void
offer_members (const KdType *type, const char *word, unsigned depth, GPtrArray *candidates)
{
	unsigned nr;
	const KdMember *members;

	type = kd_type_strip (type);
	if (kd_type_kind (type) != KD_TYPE_STRUCT && kd_type_kind (type) != KD_TYPE_UNION)
		return;
	members = kd_type_members (type, &nr);
	for (unsigned i = 0; i < nr && candidates->len < CANDIDATES_MAX; i++) {
		if (members[i].name && *members[i].name)
			offer (candidates, word, members[i].name);
		else if (depth < DEPTH_MAX)
			offer_members (members[i].type, word, depth + 1, candidates);
	}
}

static void
complete_member (
	KdKernel *kernel, const char *text, size_t end, const char *word, GPtrArray *candidates)
{
	size_t start = back_over_postfix (text, end);
	g_autofree char *left = start < end ? g_strndup (text + start, end - start) : NULL;
	const KdType *type = left ? kd_expr_type_of (kernel, left) : NULL;

	if (type)
		type = kd_type_strip (type);
	if (type &&
		(kd_type_kind (type) == KD_TYPE_POINTER || kd_type_kind (type) == KD_TYPE_ARRAY))
		type = kd_type_target (type);
	if (type)
		offer_members (type, word, 0, candidates);
}

static void
complete_register (KdKernel *kernel, const char *word, GPtrArray *candidates)
{
	unsigned nr;
	const KdRegInfo *infos = kd_target_reg_infos (kd_kernel_target (kernel), &nr);

	for (unsigned i = 0; i < nr; i++)
		offer (candidates, word, infos[i].name);
	offer (candidates, word, "fp");
	offer (candidates, word, "lr");
}

typedef struct {
	const char *tag; /* "struct "; NULL: what needs none */
	const char *word;
	GPtrArray *candidates;
} Types;

static gboolean
offer_type (const char *spelling, void *data)
{
	const Types *types = data;

	if (types->tag && !g_str_has_prefix (spelling, types->tag))
		return TRUE;
	offer (types->candidates, types->word, spelling + (types->tag ? strlen (types->tag) : 0));
	return types->candidates->len < CANDIDATES_MAX;
}

/* FALSE: what stands left of the word is no tag. */
static gboolean
complete_tag (
	KdKernel *kernel, const char *text, size_t end, const char *word, GPtrArray *candidates)
{
	static const char *const tags[] = {"struct ", "union ", "enum "};
	size_t start = back_over_name (text, end);

	for (size_t i = 0; i < G_N_ELEMENTS (tags); i++) {
		Types types = {tags[i], word, candidates};
		size_t len = strlen (tags[i]) - 1;

		if (end - start != len || strncmp (text + start, tags[i], len) != 0)
			continue;
		kd_kernel_types_foreach (kernel, offer_type, &types);
		return TRUE;
	}
	return FALSE;
}

static gboolean
offer_symbol (const KdKernelSymbol *symbol, void *data)
{
	const Types *names = data;

	offer (names->candidates, names->word, symbol->name);
	return names->candidates->len < CANDIDATES_MAX;
}

static void
complete_name (KdKernel *kernel, gboolean in_parentheses, const char *word, GPtrArray *candidates)
{
	static const char *const words[] = {
		"container_of", "offsetof", "per_cpu", "per_cpu_ptr", "sizeof", "this_cpu"};
	Types names = {NULL, word, candidates};

	for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
		offer (candidates, word, words[i]);
	if (in_parentheses) {
		offer (candidates, word, "struct");
		offer (candidates, word, "union");
		offer (candidates, word, "enum");
	}
	/* All that a kernel has is no help to anybody. */
	if (strlen (word) < 2)
		return;
	kd_kernel_symbols_foreach (kernel, offer_symbol, &names);
	if (in_parentheses)
		kd_kernel_types_foreach (kernel, offer_type, &names);
}

void
kd_expr_complete (KdKernel *kernel, const char *text, GPtrArray *ret_candidates)
{
	size_t len = strlen (text), start = back_over_name (text, len), left;
	const char *word = text + start;

	if (len > KD_EXPR_LENGTH_MAX)
		return;
	if (start > 0 && text[start - 1] == '$') {
		complete_register (kernel, word, ret_candidates);
		return;
	}
	left = back_over_spaces (text, start);
	size_t arrow = back_over_arrow (text, left);
	if (arrow != left)
		complete_member (kernel, text, arrow, word, ret_candidates);
	else if (left == start || !complete_tag (kernel, text, left, word, ret_candidates))
		complete_name (kernel, left > 0 && text[left - 1] == '(', word, ret_candidates);
}
