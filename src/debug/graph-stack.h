/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/task.h"

/* The return addresses of one task that function_graph replaced by its own. */
typedef struct KdGraphStack KdGraphStack;

/* Never NULL: empty when the task has none or they cannot be read. */
KdGraphStack *kd_graph_stack_new (KdKernel *kernel, uint64_t task);
void kd_graph_stack_free (KdGraphStack *stack);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdGraphStack, kd_graph_stack_free)

/*
 * The entry for the frame pointer `fp` at or behind the `index`th from the top, else (or for fp 0)
 * the `index`th itself. An entry that was just popped counts for index 0 when only its frame
 * pointer is right. *ret_index is the one behind it. FALSE: there is none.
 */
gboolean kd_graph_stack_find (const KdGraphStack *stack, unsigned index, uint64_t fp,
	uint64_t *ret_addr, unsigned *ret_index);
