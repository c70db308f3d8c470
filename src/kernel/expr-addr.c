/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hex.h"
#include "kernel/expr-ops.h"
#include "kernel/expr.h"

/*
 * "SYMBOL", "SYMBOL+0x10", "SYMBOL-16": the symbol's address whatever its type, in bytes. Also for
 * names that are none in C ("do_exit.cold", "f.isra.0"). FALSE: not of that form.
 */
static gboolean
symbol_with_offset (KdKernel *kernel, const char *text, uint64_t *ret_value)
{
	g_autofree char *trimmed = g_strstrip (g_strdup (text));
	char *sign = strpbrk (trimmed, "+-");
	KdKernelSymbol found;
	uint64_t offset = 0;

	if (sign && !kd_parse_u64 (g_strstrip (sign + 1), &offset))
		return FALSE;
	if (sign && *sign == '-')
		offset = 0 - offset;
	if (sign)
		*sign = '\0';
	if (!kd_kernel_symbol (kernel, g_strchomp (trimmed), &found))
		return FALSE;
	*ret_value = found.addr + offset;
	return TRUE;
}

/* What lies somewhere and is no number stands for where it lies. */
static gboolean
value_as_address (const KdObject *object, uint64_t *ret_value, GError **error)
{
	switch (kd_expr_kind (object)) {
	case KD_TYPE_VOID:
	case KD_TYPE_STRUCT:
	case KD_TYPE_UNION:
	case KD_TYPE_ARRAY:
	case KD_TYPE_FUNC:
	case KD_TYPE_FWD:
		if (object->is_lvalue) {
			*ret_value = object->addr.value;
			return TRUE;
		}
		break;
	default:
		break;
	}
	/* Arithmetic without a kernel has no type. */
	if (!object->type && !object->is_lvalue) {
		*ret_value = object->value;
		return TRUE;
	}
	if (kd_object_u64 (object, ret_value, error))
		return TRUE;
	g_prefix_error (error, "column 1: ");
	return FALSE;
}

gboolean
kd_expr_eval_addr (KdTarget *target, KdKernel *kernel, unsigned cpu, const char *text,
	KdAddr *ret_addr, GError **error)
{
	const char *rest;
	KdObject object;
	uint64_t value;
	KdSpace space;

	/* A ':' may also be part of ?:, which no space's name can be mistaken for. */
	if (!kd_space_parse_prefix (text, &space, &rest)) {
		if (strchr (text, '?') == NULL) {
			g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_SYNTAX,
				"\"%s\": no such address space (there are kernel:, phys:, "
				"user:PID:, hyp:, vm:N:, cpu:N:)",
				text);
			return FALSE;
		}
		space = (KdSpace){KD_SPACE_KERNEL, 0};
		rest = text;
	}
	if (space.kind == KD_SPACE_CPU)
		cpu = (unsigned)space.id;
	if (!kernel || !symbol_with_offset (kernel, rest, &value)) {
		if (!kd_expr_eval_on (target, kernel, cpu, rest, &object, error) ||
			!value_as_address (&object, &value, error))
			return FALSE;
	}
	*ret_addr = (KdAddr){space, value};
	return TRUE;
}
