/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/object.h"

/* What operators do to values, apart from how expressions are written. Inside src/kernel/expr.c
 * only. */

/* Sets `code` with "column N: why", N from 1 for `start` 0. Returns FALSE. */
gboolean kd_expr_fail_at (size_t start, int code, const char *why, GError **error);
/* NULL: no kernel, or no such type. */
const KdType *kd_expr_type (KdKernel *kernel, const char *spelling);
/* `long` or `unsigned long`, what arithmetic gives. Without a kernel its type is NULL. */
KdObject kd_expr_integer (KdKernel *kernel, uint64_t value, gboolean is_unsigned);
KdTypeKind kd_expr_kind (const KdObject *object);
gboolean kd_expr_is_pointer (const KdObject *object);
/* After the integer promotions. */
gboolean kd_expr_is_unsigned (const KdObject *object);
/* `a` and `b` are the values of `left` and `right`; `op` is the lexer's, `start` its place. */
gboolean kd_expr_binary (KdKernel *kernel, int op, size_t start, const KdObject *left,
	const KdObject *right, uint64_t a, uint64_t b, KdObject *ret, GError **error);
/* Variable, function or enumerator. `type_only`: where it lies does not matter. */
gboolean kd_expr_symbol (
	KdKernel *kernel, const char *name, gboolean type_only, KdObject *ret, GError **error);
