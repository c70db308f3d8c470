/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/expr-ops.h"

#include "kernel/expr-lexer.h"

gboolean
kd_expr_fail_at (size_t start, int code, const char *why, GError **error)
{
	g_set_error (error, KD_KERNEL_ERROR, code, "column %zu: %s", start + 1, why);
	return FALSE;
}

const KdType *
kd_expr_type (KdKernel *kernel, const char *spelling)
{
	return kernel ? kd_kernel_type (kernel, spelling) : NULL;
}

/* `long`, or `unsigned long`: what arithmetic gives. NULL type (no kernel): an integer all the
 * same. */
KdObject
kd_expr_integer (KdKernel *kernel, uint64_t value, gboolean is_unsigned)
{
	return kd_object_in_hand (
		kernel, kd_expr_type (kernel, is_unsigned ? "unsigned long" : "long"), value);
}

KdTypeKind
kd_expr_kind (const KdObject *object)
{
	const KdType *type = object->type ? kd_type_strip (object->type) : NULL;

	return type ? kd_type_kind (type) : object->is_lvalue ? KD_TYPE_VOID : KD_TYPE_INT;
}

gboolean
kd_expr_is_pointer (const KdObject *object)
{
	KdTypeKind kind = kd_expr_kind (object);

	return kind == KD_TYPE_POINTER || kind == KD_TYPE_ARRAY;
}

gboolean
kd_expr_is_unsigned (const KdObject *object)
{
	const KdType *type = object->type ? kd_type_strip (object->type) : NULL;

	/* Smaller unsigned types are promoted to a signed one that holds all their values. */
	return type && (kd_expr_is_pointer (object) || kd_type_kind (type) == KD_TYPE_FUNC ||
			       (!kd_type_is_signed (type) && kd_type_size (type) == 8));
}

/* Size of what a pointer points to; 1 for void, as gcc has it. */
static uint64_t
step_size (const KdObject *pointer)
{
	const KdType *target = kd_type_target (kd_type_strip (pointer->type));
	uint64_t size = target ? kd_type_size (target) : 1;

	return size ? size : 1;
}

static const KdType *
decayed (KdKernel *kernel, const KdObject *pointer)
{
	const KdType *type = kd_type_strip (pointer->type);

	return kd_type_kind (type) == KD_TYPE_ARRAY
		       ? kd_image_type_pointer_to (kd_kernel_image (kernel), kd_type_target (type))
		       : pointer->type;
}

static gboolean
divide (int op, size_t start, uint64_t a, uint64_t b, gboolean wide, uint64_t *ret, GError **error)
{
	*ret = 0;
	if (b == 0)
		return kd_expr_fail_at (start, KD_KERNEL_ERROR_RANGE, "division by zero", error);
	if (wide)
		*ret = op == '/' ? a / b : a % b;
	else if ((int64_t)b == -1) /* INT64_MIN / -1 traps */
		*ret = op == '/' ? 0 - a : 0;
	else
		*ret = (uint64_t)(op == '/' ? (int64_t)a / (int64_t)b : (int64_t)a % (int64_t)b);
	return TRUE;
}

static uint64_t
compare (int op, uint64_t a, uint64_t b, gboolean wide)
{
	gboolean less = wide ? a < b : (int64_t)a < (int64_t)b;

	switch (op) {
	case '<':
		return less;
	case '>':
		return !less && a != b;
	case KD_OP_LE:
		return less || a == b;
	case KD_OP_GE:
		return !less;
	case KD_OP_EQ:
		return a == b;
	default:
		return a != b;
	}
}

static gboolean
apply_pointer (KdKernel *kernel, int op, const KdObject *left, const KdObject *right, uint64_t a,
	uint64_t b, KdObject *ret)
{
	if (op == '-' && kd_expr_is_pointer (left) && kd_expr_is_pointer (right)) {
		*ret = kd_expr_integer (
			kernel, (uint64_t)((int64_t)(a - b) / (int64_t)step_size (left)), FALSE);
		return TRUE;
	}
	if ((op == '+' || op == '-') && kd_expr_is_pointer (left)) {
		b *= step_size (left);
		*ret = kd_object_in_hand (
			kernel, decayed (kernel, left), op == '+' ? a + b : a - b);
		return TRUE;
	}
	if (op == '+' && kd_expr_is_pointer (right)) {
		*ret = kd_object_in_hand (
			kernel, decayed (kernel, right), b + a * step_size (right));
		return TRUE;
	}
	return FALSE;
}

gboolean
kd_expr_binary (KdKernel *kernel, int op, size_t start, const KdObject *left, const KdObject *right,
	uint64_t a, uint64_t b, KdObject *ret, GError **error)
{
	gboolean wide = kd_expr_is_unsigned (left) || kd_expr_is_unsigned (right);
	uint64_t value = 0;

	if (apply_pointer (kernel, op, left, right, a, b, ret))
		return TRUE;
	switch (op) {
	case '*':
		value = a * b;
		break;
	case '/':
	case '%':
		if (!divide (op, start, a, b, wide, &value, error))
			return FALSE;
		break;
	case '+':
		value = a + b;
		break;
	case '-':
		value = a - b;
		break;
	case KD_OP_SHL:
	case KD_OP_SHR:
		if (b > 63)
			return kd_expr_fail_at (
				start, KD_KERNEL_ERROR_RANGE, "shift by more than 63", error);
		wide = kd_expr_is_unsigned (left);
		b &= 63;
		value = op == KD_OP_SHL ? a << b : wide ? a >> b : (uint64_t)((int64_t)a >> b);
		break;
	case '&':
		value = a & b;
		break;
	case '^':
		value = a ^ b;
		break;
	case '|':
		value = a | b;
		break;
	default:
		value = compare (op, a, b, wide);
		wide = FALSE;
		break;
	}
	*ret = kd_expr_integer (kernel, value, wide);
	return TRUE;
}

/* --- names --- */

/* What lies between these is the template that each CPU's copy was made of, and is freed. */
static gboolean
is_percpu (KdKernel *kernel, const char *name)
{
	KdKernelSymbol found;

	return kd_kernel_symbol (kernel, name, &found) && kd_kernel_is_percpu (kernel, &found);
}

gboolean
kd_expr_symbol (
	KdKernel *kernel, const char *name, gboolean type_only, KdObject *ret, GError **error)
{
	g_autoptr (GError) why = NULL;
	const KdType *type;
	int64_t value;

	if (!type_only && is_percpu (kernel, name)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE,
			"each CPU has its own %s: per_cpu(%s, CPU) or this_cpu(%s)", name, name,
			name);
		return FALSE;
	}
	if (kd_object_symbol (kernel, name, NULL, ret, &why))
		return TRUE;
	type = kd_kernel_enumerator (kernel, name, &value);
	if (type) {
		*ret = kd_object_in_hand (kernel, type, (uint64_t)value);
		return TRUE;
	}
	g_propagate_error (error, g_steal_pointer (&why));
	return FALSE;
}
