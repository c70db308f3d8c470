/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/object.h"

/* Characters of one expression, and levels of parentheses and unary operators in it. */
#define KD_EXPR_LENGTH_MAX 4096
#define KD_EXPR_DEPTH_MAX 64

/*
 * C-like expressions over the kernel at hand: literals, symbols with their types, enumerators,
 * $registers of `cpu`, casts, sizeof, unary and binary operators with C's precedence and pointer
 * arithmetic, member access, indices, and per_cpu(sym, cpu), this_cpu(sym), container_of(ptr, type,
 * member), offsetof(type, member). No operator writes. Errors name the column (from 1): SYNTAX,
 * NOT_FOUND with the nearest names, TYPE, RANGE (division by zero, index), and whatever reading
 * memory says; behind it stands the expression with a '^' at that place.
 */
gboolean kd_expr_eval (
	KdKernel *kernel, unsigned cpu, const char *text, KdObject *ret_object, GError **error);

/* The same where no kernel is known, or no machine: either may be NULL, and errors say what is
 * missing. Without a kernel a number in hand has no type. */
gboolean kd_expr_eval_on (KdTarget *target, KdKernel *kernel, unsigned cpu, const char *text,
	KdObject *ret_object, GError **error);

/* The type an expression would have, with no memory read. NULL: it has none, or does not parse. */
const KdType *kd_expr_type_of (KdKernel *kernel, const char *text);

/*
 * The address a command is given: "SPACE:EXPR" or EXPR (kernel space). A variable or a function
 * stands for where it lies, and "SYMBOL+N" for N bytes behind that; a pointer or an integer that is
 * not just a symbol for its value. Registers are those of `cpu`, or of the CPU of "cpu:N:".
 * `kernel` may be NULL: then numbers and registers are all there is.
 */
gboolean kd_expr_eval_addr (KdTarget *target, KdKernel *kernel, unsigned cpu, const char *text,
	KdAddr *ret_addr, GError **error);
