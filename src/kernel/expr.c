/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/expr.h"

#include <string.h>

#include "base/escape.h"
#include "base/hex.h"
#include "base/nearest.h"
#include "kernel/expr-lexer.h"
#include "kernel/expr-ops.h"
#include "kernel/module.h"

/* Characters shown on each side of the place of an error. */
#define PLACE_WIDTH 60

/*
 * A recursive-descent parser that evaluates as it goes. `skip` counts the branches that C would not
 * evaluate (right of && and ||, the untaken side of ?:): those are parsed, but read no memory and
 * may not fail on values.
 */
typedef struct {
	KdTarget *target;
	KdKernel *kernel; /* may be NULL */
	unsigned cpu;
	const char *text;
	size_t at;
	KdToken token; /* the one to look at */
	unsigned depth;
	unsigned skip;
} Expr;

static gboolean parse_ternary (Expr *e, KdObject *ret, GError **error);
static gboolean parse_unary (Expr *e, KdObject *ret, GError **error);

static gboolean
fail (const Expr *e, const char *why, GError **error)
{
	return kd_expr_fail_at (e->token.start, KD_KERNEL_ERROR_SYNTAX, why, error);
}

/* Puts the column in front of what a lower layer said. */
static gboolean
locate (size_t start, GError **error)
{
	g_prefix_error (error, "column %zu: ", start + 1);
	return FALSE;
}

static gboolean
advance (Expr *e, GError **error)
{
	const char *why = NULL;

	return kd_token_next (e->text, &e->at, &e->token, &why) || fail (e, why, error);
}

static gboolean
is_op (const Expr *e, int op)
{
	return e->token.kind == KD_TOKEN_OP && e->token.op == op;
}

static gboolean
expect (Expr *e, int op, GError **error)
{
	if (!is_op (e, op)) {
		g_autofree char *why = g_strdup_printf (e->token.kind == KD_TOKEN_END
								? "'%c' is missing at the end"
								: "'%c' expected here",
			op);

		return fail (e, why, error);
	}
	return advance (e, error);
}

static char *
token_text (const Expr *e)
{
	return g_strndup (e->text + e->token.start, e->token.len);
}

/* --- values --- */

static gboolean
value_of (const Expr *e, const KdObject *object, size_t start, uint64_t *ret_value, GError **error)
{
	*ret_value = object->value;
	if (e->skip || (!object->is_lvalue && !object->type))
		return TRUE;
	if (object->is_lvalue && !object->type)
		return kd_expr_fail_at (start, KD_KERNEL_ERROR_TYPE,
			"its type is not known: take its address and cast, *(TYPE *)&NAME", error);
	return kd_object_u64 (object, ret_value, error) || locate (start, error);
}

/* --- types in expressions --- */

static const char *const type_words[] = {"struct", "union", "enum", "unsigned", "signed", "const",
	"volatile", "void", "char", "short", "int", "long", "_Bool", "bool", "float", "double"};

static gboolean
is_type_word (const char *word)
{
	for (size_t i = 0; i < G_N_ELEMENTS (type_words); i++)
		if (strcmp (type_words[i], word) == 0)
			return TRUE;
	return FALSE;
}

/* Does a type begin at the current token? A typedef counts unless a symbol has its name. */
static gboolean
at_type (const Expr *e)
{
	g_autofree char *word = NULL;
	KdKernelSymbol symbol;

	if (e->token.kind != KD_TOKEN_NAME || !e->kernel)
		return FALSE;
	word = token_text (e);
	return is_type_word (word) || (!kd_kernel_symbol (e->kernel, word, &symbol) &&
					      kd_expr_type (e->kernel, word) != NULL);
}

static gboolean
offer_type (const char *spelling, void *data)
{
	kd_nearest_offer (data, spelling);
	return TRUE;
}

static gboolean
set_no_type (const Expr *e, size_t start, const char *spelling, GError **error)
{
	/* What it points to is what may be misspelled. */
	g_autofree char *base = g_strchomp (g_strndup (spelling, strcspn (spelling, "*([")));
	g_autoptr (KdNearest) nearest = kd_nearest_new (base);
	g_autofree char *hint = NULL, *cut = kd_kernel_modules_hint (e->kernel);

	kd_kernel_types_foreach (e->kernel, offer_type, nearest);
	hint = kd_nearest_hint (nearest);
	g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
		"column %zu: no type \"%s\"%s%s", start + 1, spelling, hint, cut);
	return FALSE;
}

/* Does the current token go on with the spelling of a type? `open` is how many '(' are unclosed. */
static gboolean
is_in_type (const Expr *e, size_t len, unsigned open)
{
	switch (e->token.kind) {
	case KD_TOKEN_NAME:
	case KD_TOKEN_NUMBER:
		return TRUE;
	case KD_TOKEN_OP:
		return is_op (e, '*') || is_op (e, '[') || is_op (e, ']') ||
		       (is_op (e, '(') && len > 0) || (is_op (e, ')') && open > 0);
	default:
		return FALSE;
	}
}

/* "struct kvm *const *", "u64", "char [16]", "struct list_head (*)[3]": up to what closes it. */
static gboolean
parse_type (Expr *e, const KdType **ret_type, GError **error)
{
	g_autoptr (GString) spelling = g_string_new (NULL);
	size_t start = e->token.start;
	unsigned open = 0;

	while (is_in_type (e, spelling->len, open)) {
		if (is_op (e, '('))
			open++;
		else if (is_op (e, ')'))
			open--;
		if (spelling->len)
			g_string_append_c (spelling, ' ');
		g_string_append_len (spelling, e->text + e->token.start, (gssize)e->token.len);
		if (!advance (e, error))
			return FALSE;
	}
	*ret_type = kd_expr_type (e->kernel, spelling->str);
	return *ret_type || set_no_type (e, start, spelling->str, error);
}

/* --- primary expressions --- */

static gboolean
parse_name_argument (Expr *e, char **ret_name, GError **error)
{
	if (e->token.kind != KD_TOKEN_NAME)
		return fail (e, "name expected", error);
	*ret_name = token_text (e);
	return advance (e, error);
}

static gboolean
percpu (Expr *e, gboolean with_cpu, KdObject *ret, GError **error)
{
	g_autofree char *name = NULL;
	size_t start = e->token.start;
	uint64_t cpu = e->cpu;

	/* The address-of in front is what the kernel's own macro takes. */
	gboolean address = is_op (e, '&');
	if (address && !advance (e, error))
		return FALSE;
	if (!parse_name_argument (e, &name, error))
		return FALSE;
	if (with_cpu) {
		size_t cpu_start;
		KdObject number;

		if (!expect (e, ',', error))
			return FALSE;
		cpu_start = e->token.start;
		if (!parse_ternary (e, &number, error) ||
			!value_of (e, &number, cpu_start, &cpu, error))
			return FALSE;
	}
	if (!expect (e, ')', error))
		return FALSE;
	if (cpu > G_MAXINT)
		return kd_expr_fail_at (start, KD_KERNEL_ERROR_RANGE, "no such CPU", error);
	/* Where it lies is read from memory, what it is is not. */
	if (e->skip ? !kd_object_symbol (e->kernel, name, NULL, ret, error)
		    : !kd_object_percpu (e->kernel, name, NULL, (unsigned)cpu, ret, error))
		return locate (start, error);
	if (address && ret->type)
		*ret = kd_object_in_hand (e->kernel,
			kd_image_type_pointer_to (kd_kernel_image (e->kernel), ret->type),
			ret->addr.value);
	return TRUE;
}

/* The rest of the argument list as a member path: "arch.regs[1].x". */
static gboolean
parse_path (Expr *e, char **ret_path, GError **error)
{
	g_autoptr (GString) path = g_string_new (NULL);

	while (e->token.kind != KD_TOKEN_END && !is_op (e, ')')) {
		g_string_append_len (path, e->text + e->token.start, (gssize)e->token.len);
		if (!advance (e, error))
			return FALSE;
	}
	if (!path->len)
		return fail (e, "member expected", error);
	*ret_path = g_string_free (g_steal_pointer (&path), FALSE);
	return expect (e, ')', error);
}

static gboolean
member_of (Expr *e, size_t start, const KdType *type, const char *path, KdMember *ret_member,
	GError **error)
{
	g_autofree char *bad = NULL;

	return kd_type_member (type, path, ret_member, &bad) ||
	       kd_expr_fail_at (
		       start, KD_KERNEL_ERROR_NOT_FOUND, bad ? bad : "no such member", error);
}

static gboolean
container_of (Expr *e, KdObject *ret, GError **error)
{
	g_autofree char *path = NULL;
	size_t start = e->token.start, path_start;
	const KdType *type;
	KdMember member;
	uint64_t value;
	KdObject node;

	if (!parse_ternary (e, &node, error) || !expect (e, ',', error) ||
		!parse_type (e, &type, error) || !expect (e, ',', error))
		return FALSE;
	path_start = e->token.start;
	if (!parse_path (e, &path, error) ||
		!member_of (e, path_start, type, path, &member, error) ||
		!value_of (e, &node, start, &value, error))
		return FALSE;
	*ret = kd_object_in_hand (e->kernel,
		kd_image_type_pointer_to (kd_kernel_image (e->kernel), type),
		value - member.bit_offset / 8);
	return TRUE;
}

static gboolean
offset_of (Expr *e, KdObject *ret, GError **error)
{
	g_autofree char *path = NULL;
	const KdType *type;
	KdMember member;
	size_t start;

	if (!parse_type (e, &type, error) || !expect (e, ',', error))
		return FALSE;
	start = e->token.start;
	if (!parse_path (e, &path, error) || !member_of (e, start, type, path, &member, error))
		return FALSE;
	*ret = kd_expr_integer (e->kernel, member.bit_offset / 8, TRUE);
	return TRUE;
}

static gboolean
parse_name (Expr *e, KdObject *ret, GError **error)
{
	g_autofree char *name = token_text (e);
	size_t start = e->token.start;

	if (!e->kernel)
		return kd_expr_fail_at (start, KD_KERNEL_ERROR_NOT_FOUND,
			"no kernel is known, so there are no names", error);
	if (!advance (e, error))
		return FALSE;
	if (is_op (e, '(')) {
		if (!advance (e, error))
			return FALSE;
		if (strcmp (name, "per_cpu") == 0 || strcmp (name, "per_cpu_ptr") == 0)
			return percpu (e, TRUE, ret, error);
		if (strcmp (name, "this_cpu") == 0 || strcmp (name, "this_cpu_ptr") == 0)
			return percpu (e, FALSE, ret, error);
		if (strcmp (name, "container_of") == 0)
			return container_of (e, ret, error);
		if (strcmp (name, "offsetof") == 0)
			return offset_of (e, ret, error);
		return kd_expr_fail_at (start, KD_KERNEL_ERROR_SYNTAX,
			"the machine's functions cannot be called (there are per_cpu, this_cpu, "
			"container_of, offsetof)",
			error);
	}
	return kd_expr_symbol (e->kernel, name, e->skip > 0, ret, error) || locate (start, error);
}

static gboolean
parse_register (Expr *e, KdObject *ret, GError **error)
{
	g_autofree char *name = g_strndup (e->text + e->token.start + 1, e->token.len - 1);
	size_t start = e->token.start;
	const KdArch *arch = kd_target_arch (e->target);
	const KdType *pointer = kd_expr_type (e->kernel, "void *");
	const char *role = name;
	uint64_t value;

	/* gdb's names for the roles. */
	if (strcmp (name, "fp") == 0)
		role = arch->fp;
	else if (strcmp (name, "lr") == 0 && arch->lr)
		role = arch->lr;
	else if (strcmp (name, "sp") == 0)
		role = arch->sp;
	else if (strcmp (name, "pc") == 0)
		role = arch->pc;
	if (e->skip)
		value = 0;
	else if (!kd_target_reg_get (e->target, e->cpu, role, &value, error))
		return locate (start, error);
	*ret = kd_expr_integer (e->kernel, value, TRUE);
	/* Those that always hold an address are shown as one. */
	if (pointer && (strcmp (role, arch->pc) == 0 || strcmp (role, arch->sp) == 0 ||
			       strcmp (role, arch->fp) == 0 || g_strcmp0 (role, arch->lr) == 0))
		ret->type = pointer;
	return advance (e, error);
}

static gboolean
parse_primary (Expr *e, KdObject *ret, GError **error)
{
	switch (e->token.kind) {
	case KD_TOKEN_NUMBER:
		*ret = kd_expr_integer (e->kernel, e->token.value, e->token.is_unsigned);
		if (e->token.is_char && kd_expr_type (e->kernel, "char"))
			ret->type = kd_expr_type (e->kernel, "char");
		return advance (e, error);
	case KD_TOKEN_REGISTER:
		if (!e->target)
			return fail (e, "there is no machine whose registers could be read", error);
		return parse_register (e, ret, error);
	case KD_TOKEN_NAME:
		return parse_name (e, ret, error);
	case KD_TOKEN_OP:
		if (!is_op (e, '('))
			return fail (e, "value expected here", error);
		return advance (e, error) && parse_ternary (e, ret, error) &&
		       expect (e, ')', error);
	case KD_TOKEN_END:
		break;
	}
	return fail (e, "the expression ends where a value is expected", error);
}

/* In what C would not evaluate a pointer has a type and no value: nothing is read. */
static void
forget_value (const Expr *e, KdObject *object)
{
	if (e->skip && object->type && kd_expr_kind (object) == KD_TYPE_POINTER)
		*object = kd_object_in_hand (object->kernel, object->type, 0);
}

static gboolean
postfix_member (Expr *e, KdObject *ret, GError **error)
{
	g_autofree char *name = NULL;
	size_t start;

	if (!advance (e, error))
		return FALSE;
	start = e->token.start;
	if (!parse_name_argument (e, &name, error))
		return FALSE;
	if (!ret->type)
		return kd_expr_fail_at (
			start, KD_KERNEL_ERROR_TYPE, "what is left of it has no members", error);
	forget_value (e, ret);
	return kd_object_member (ret, name, ret, error) || locate (start, error);
}

/* `again`: what is left of it is an index too. */
static gboolean
postfix_index (Expr *e, KdObject *ret, gboolean again, GError **error)
{
	g_autoptr (GError) why = NULL;
	size_t start;
	uint64_t index;
	KdObject number;

	if (!advance (e, error))
		return FALSE;
	start = e->token.start;
	if (!parse_ternary (e, &number, error) || !value_of (e, &number, start, &index, error) ||
		!expect (e, ']', error))
		return FALSE;
	if (!ret->type)
		return kd_expr_fail_at (
			start, KD_KERNEL_ERROR_TYPE, "what is left of it is no array", error);
	forget_value (e, ret);
	if (kd_object_index (ret, e->skip ? 0 : (int64_t)index, ret, &why))
		return TRUE;
	/* pahole multiplies the dimensions. */
	if (again && g_error_matches (why, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE))
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE,
			"%s (BTF gives arrays of arrays one dimension)", why->message);
	else
		g_propagate_error (error, g_steal_pointer (&why));
	return locate (start, error);
}

static gboolean
parse_postfix (Expr *e, KdObject *ret, GError **error)
{
	if (!parse_primary (e, ret, error))
		return FALSE;
	for (gboolean again = FALSE;;) {
		if (is_op (e, '.') || is_op (e, KD_OP_ARROW)) {
			if (!postfix_member (e, ret, error))
				return FALSE;
			again = FALSE;
		} else if (is_op (e, '[')) {
			if (!postfix_index (e, ret, again, error))
				return FALSE;
			again = TRUE;
		} else {
			return TRUE;
		}
	}
}

/* --- unary --- */

static gboolean
address_of (Expr *e, KdObject *ret, size_t start, GError **error)
{
	const KdType *pointer;

	if (!ret->is_lvalue)
		return kd_expr_fail_at (
			start, KD_KERNEL_ERROR_TYPE, "a value in hand has no address", error);
	if (ret->bit_size)
		return kd_expr_fail_at (
			start, KD_KERNEL_ERROR_TYPE, "a bit-field has no address", error);
	pointer = ret->type ? kd_image_type_pointer_to (kd_kernel_image (e->kernel), ret->type)
			    : kd_expr_type (e->kernel, "void *");
	*ret = kd_object_in_hand (e->kernel, pointer, ret->addr.value);
	return TRUE;
}

static gboolean
size_of (Expr *e, KdObject *ret, GError **error)
{
	size_t start, before;
	KdToken saved;
	const KdType *type = NULL;
	KdObject object;

	if (!advance (e, error))
		return FALSE;
	start = e->token.start;
	saved = e->token;
	before = e->at;
	if (is_op (e, '(')) {
		if (!advance (e, error))
			return FALSE;
		if (at_type (e)) {
			if (!parse_type (e, &type, error) || !expect (e, ')', error))
				return FALSE;
			*ret = kd_expr_integer (e->kernel, kd_type_size (type), TRUE);
			return TRUE;
		}
		e->token = saved;
		e->at = before;
	}
	e->skip++;
	gboolean ok = parse_unary (e, &object, error);
	e->skip--;
	if (!ok)
		return FALSE;
	if (!object.type)
		return kd_expr_fail_at (start, KD_KERNEL_ERROR_TYPE,
			"its type is not known, so neither is its size", error);
	*ret = kd_expr_integer (e->kernel, kd_type_size (object.type), TRUE);
	return TRUE;
}

static gboolean
parse_cast (Expr *e, KdObject *ret, GError **error)
{
	size_t start;
	const KdType *type;
	uint64_t value;

	if (!parse_type (e, &type, error) || !expect (e, ')', error))
		return FALSE;
	start = e->token.start;
	if (!parse_unary (e, ret, error))
		return FALSE;
	if (!ret->type && !ret->is_lvalue)
		ret->type = kd_expr_type (e->kernel, "unsigned long");
	if (ret->is_lvalue && !ret->type)
		return value_of (e, ret, start, &value, error);
	return kd_object_cast_to (ret, type, ret, error) || locate (start, error);
}

static gboolean
apply_unary (Expr *e, int op, size_t start, KdObject *ret, GError **error)
{
	uint64_t value;

	if (op == '&')
		return address_of (e, ret, start, error);
	if (op == '*') {
		if (!ret->type)
			return kd_expr_fail_at (start, KD_KERNEL_ERROR_TYPE,
				"only a pointer can be followed; cast it", error);
		forget_value (e, ret);
		return kd_object_deref (ret, ret, error) || locate (start, error);
	}
	if (!value_of (e, ret, start, &value, error))
		return FALSE;
	switch (op) {
	case '-':
		value = 0 - value;
		break;
	case '~':
		value = ~value;
		break;
	case '!':
		*ret = kd_expr_integer (e->kernel, !value, FALSE);
		return TRUE;
	default:
		break;
	}
	*ret = kd_expr_integer (e->kernel, value, kd_expr_is_unsigned (ret));
	return TRUE;
}

static gboolean
parse_unary_inner (Expr *e, KdObject *ret, GError **error)
{
	size_t start = e->token.start;
	KdToken saved = e->token;
	size_t before = e->at;

	if (e->token.kind == KD_TOKEN_NAME) {
		g_autofree char *word = token_text (e);

		if (strcmp (word, "sizeof") == 0)
			return e->kernel ? size_of (e, ret, error)
					 : fail (e, "no kernel is known, so there are no types",
						   error);
	}
	if (is_op (e, '(')) {
		if (!advance (e, error))
			return FALSE;
		if (at_type (e))
			return parse_cast (e, ret, error);
		e->token = saved;
		e->at = before;
		return parse_postfix (e, ret, error);
	}
	if (e->token.kind == KD_TOKEN_OP && e->token.op < 256 && strchr ("&*-+~!", e->token.op)) {
		int op = e->token.op;

		return advance (e, error) && parse_unary (e, ret, error) &&
		       apply_unary (e, op, start, ret, error);
	}
	return parse_postfix (e, ret, error);
}

static gboolean
parse_unary (Expr *e, KdObject *ret, GError **error)
{
	gboolean ok;

	if (++e->depth > KD_EXPR_DEPTH_MAX)
		return fail (e, "too deeply nested", error);
	ok = parse_unary_inner (e, ret, error);
	e->depth--;
	return ok;
}

/* --- binary --- */

static const struct {
	int op;
	unsigned precedence;
} binary_ops[] = {
	{'*', 10},
	{'/', 10},
	{'%', 10},
	{'+', 9},
	{'-', 9},
	{KD_OP_SHL, 8},
	{KD_OP_SHR, 8},
	{'<', 7},
	{'>', 7},
	{KD_OP_LE, 7},
	{KD_OP_GE, 7},
	{KD_OP_EQ, 6},
	{KD_OP_NE, 6},
	{'&', 5},
	{'^', 4},
	{'|', 3},
	{KD_OP_AND, 2},
	{KD_OP_OR, 1},
};

static unsigned
precedence (const Expr *e)
{
	if (e->token.kind == KD_TOKEN_OP)
		for (size_t i = 0; i < G_N_ELEMENTS (binary_ops); i++)
			if (binary_ops[i].op == e->token.op)
				return binary_ops[i].precedence;
	return 0;
}

static gboolean
parse_binary (Expr *e, unsigned lowest, KdObject *ret, GError **error)
{
	size_t left_start = e->token.start;

	if (!parse_unary (e, ret, error))
		return FALSE;
	for (unsigned level; (level = precedence (e)) >= lowest;) {
		int op = e->token.op;
		size_t start = e->token.start, right_start;
		gboolean logic = op == KD_OP_AND || op == KD_OP_OR, skip = FALSE;
		KdObject left = *ret, right;
		uint64_t a, b;

		if (!value_of (e, &left, left_start, &a, error) || !advance (e, error))
			return FALSE;
		if (logic)
			skip = op == KD_OP_AND ? a == 0 : a != 0;
		right_start = e->token.start;
		e->skip += skip;
		gboolean ok = parse_binary (e, level + 1, &right, error) &&
			      value_of (e, &right, right_start, &b, error);
		e->skip -= skip;
		if (!ok)
			return FALSE;
		if (logic) {
			*ret = kd_expr_integer (
				e->kernel, op == KD_OP_AND ? a && b : a || b, FALSE);
		} else {
			if (e->skip) /* no real values: none may fail, the types matter to sizeof */
				a = b = 1;
			if (!kd_expr_binary (e->kernel, op, start, &left, &right, a, b, ret, error))
				return FALSE;
		}
	}
	return TRUE;
}

static gboolean
parse_branch (Expr *e, gboolean taken, KdObject *ret, GError **error)
{
	gboolean ok;

	e->skip += !taken;
	ok = parse_ternary (e, ret, error);
	e->skip -= !taken;
	return ok;
}

static gboolean
parse_ternary (Expr *e, KdObject *ret, GError **error)
{
	size_t start = e->token.start;
	KdObject yes, no;
	uint64_t value;

	if (++e->depth > KD_EXPR_DEPTH_MAX)
		return fail (e, "too deeply nested", error);
	if (!parse_binary (e, 1, ret, error))
		return FALSE;
	if (is_op (e, '?')) {
		if (!value_of (e, ret, start, &value, error) || !advance (e, error) ||
			!parse_branch (e, value != 0, &yes, error) || !expect (e, ':', error) ||
			!parse_branch (e, value == 0, &no, error))
			return FALSE;
		*ret = value ? yes : no;
	}
	e->depth--;
	return TRUE;
}

static gboolean
eval (Expr *e, KdObject *ret_object, GError **error)
{
	KdObject object;

	if (strlen (e->text) > KD_EXPR_LENGTH_MAX)
		return kd_expr_fail_at (KD_EXPR_LENGTH_MAX, KD_KERNEL_ERROR_SYNTAX,
			"the expression is too long", error);
	if (!advance (e, error) || !parse_ternary (e, &object, error))
		return FALSE;
	if (e->token.kind != KD_TOKEN_END)
		return fail (e, "nothing of an expression can follow here", error);
	*ret_object = object;
	return TRUE;
}

/* "column N: …" gets the expression with a caret at that place: every message is one line. */
static void
show_place (const char *text, GError **error)
{
	static const char prefix[] = "column ";
	const char *message = error && *error ? (*error)->message : "";
	const char *digits = message + strlen (prefix), *end;
	g_autofree char *number = NULL;
	uint64_t column;

	if (!g_str_has_prefix (message, prefix) || !(end = strchr (digits, ':')))
		return;
	number = g_strndup (digits, (gsize)(end - digits));
	if (!kd_parse_u64 (number, &column) || column == 0 || column - 1 > strlen (text))
		return;
	size_t at = (size_t)column - 1, from = at > PLACE_WIDTH ? at - PLACE_WIDTH : 0;
	g_autofree char *before = kd_escape (text + from, (gssize)(at - from), PLACE_WIDTH);
	g_autofree char *after = kd_escape (text + at, -1, PLACE_WIDTH);
	char *marked = g_strdup_printf ("%s, at %s%s^%s", message, from ? "…" : "", before, after);
	g_free ((*error)->message);
	(*error)->message = marked;
}

gboolean
kd_expr_eval_on (KdTarget *target, KdKernel *kernel, unsigned cpu, const char *text,
	KdObject *ret_object, GError **error)
{
	Expr e = {.target = target, .kernel = kernel, .cpu = cpu, .text = text};

	if (eval (&e, ret_object, error))
		return TRUE;
	show_place (text, error);
	return FALSE;
}

const KdType *
kd_expr_type_of (KdKernel *kernel, const char *text)
{
	Expr e = {.target = kd_kernel_target (kernel), .kernel = kernel, .text = text, .skip = 1};
	KdObject object;

	return eval (&e, &object, NULL) ? object.type : NULL;
}

gboolean
kd_expr_eval (
	KdKernel *kernel, unsigned cpu, const char *text, KdObject *ret_object, GError **error)
{
	return kd_expr_eval_on (kd_kernel_target (kernel), kernel, cpu, text, ret_object, error);
}
