/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/graph-stack.h"

#include "kernel/object.h"

/* FTRACE_RETFUNC_DEPTH is 50; 6.12's stack is one page of words. */
#define ENTRIES_MAX 512
/* 6.12, kernel/trace/fgraph.c: FGRAPH_FRAME_OFFSET_BITS. */
#define FRAME_OFFSET_MASK 0x3ff

typedef struct {
	uint64_t ret, fp;
} Entry;

struct KdGraphStack {
	GArray *entries; /* of Entry, top first */
	gboolean has_popped;
	Entry popped;
};

static gboolean
read_entry (const KdObject *object, Entry *ret_entry)
{
	Entry entry = {0, 0};

	if (!kd_object_member_u64 (object, "ret", &entry.ret, NULL))
		return FALSE;
	/* The caller's frame pointer, under one name or the other (both are the same on arm64). */
	if (!kd_object_has_member (object, "fp") ||
		!kd_object_member_u64 (object, "fp", &entry.fp, NULL))
		kd_object_member_u64 (object, "retp", &entry.fp, NULL);
	*ret_entry = entry;
	return TRUE;
}

/* An array of struct ftrace_ret_stack; curr_ret_stack is the index of the top, -1: empty. */
static void
read_array (KdGraphStack *stack, const KdObject *pointer, int64_t top)
{
	KdObject object;
	Entry entry;

	if (top >= ENTRIES_MAX)
		return;
	if (kd_object_index (pointer, top + 1, &object, NULL))
		stack->has_popped = read_entry (&object, &stack->popped);
	for (int64_t i = top; i >= 0; i--) {
		if (!kd_object_index (pointer, i, &object, NULL) || !read_entry (&object, &entry))
			return;
		g_array_append_val (stack->entries, entry);
	}
}

/*
 * Since 6.11 ("function_graph: Convert ret_stack to a series of longs"): words, on top of each
 * entry one whose low bits say how many words down the entry starts.
 */
static void
read_words (KdGraphStack *stack, KdKernel *kernel, uint64_t base, int64_t top)
{
	const KdType *type =
		kd_image_type_by_name (kd_kernel_image (kernel), "struct ftrace_ret_stack");
	KdObject object;
	Entry entry;

	if (!type || top > ENTRIES_MAX)
		return;
	/* An entry that was popped has nothing but its words left, and it is as large as any. */
	object = kd_object_at (kernel, type, base + (uint64_t)top * 8);
	stack->has_popped = read_entry (&object, &stack->popped);
	while (top > 0) {
		uint64_t word, down;

		if (!kd_kernel_read_u64 (kernel, base + (uint64_t)(top - 1) * 8, &word, NULL))
			return;
		down = word & FRAME_OFFSET_MASK;
		if (down == 0 || down > (uint64_t)top - 1)
			return;
		top -= 1 + (int64_t)down;
		object = kd_object_at (kernel, type, base + (uint64_t)top * 8);
		if (!read_entry (&object, &entry))
			return;
		g_array_append_val (stack->entries, entry);
	}
}

KdGraphStack *
kd_graph_stack_new (KdKernel *kernel, uint64_t task)
{
	KdGraphStack *stack = g_new0 (KdGraphStack, 1);
	KdObject object, pointer, top_object;
	const KdType *element;
	uint64_t base;
	int64_t top;

	stack->entries = g_array_new (FALSE, FALSE, sizeof (Entry));
	if (!kd_object_at_named (kernel, "struct task_struct", task, &object, NULL) ||
		!kd_object_has_member (&object, "ret_stack") ||
		!kd_object_member (&object, "ret_stack", &pointer, NULL) ||
		!kd_object_u64 (&pointer, &base, NULL) || base == 0 ||
		!kd_object_member (&object, "curr_ret_stack", &top_object, NULL) ||
		!kd_object_i64 (&top_object, &top, NULL) || top < -1)
		return stack;
	element = kd_type_target (kd_type_strip (pointer.type));
	if (element && kd_type_kind (kd_type_strip (element)) == KD_TYPE_STRUCT)
		read_array (stack, &pointer, top);
	else
		read_words (stack, kernel, base, top);
	return stack;
}

void
kd_graph_stack_free (KdGraphStack *stack)
{
	if (!stack)
		return;
	g_array_unref (stack->entries);
	g_free (stack);
}

gboolean
kd_graph_stack_find (const KdGraphStack *stack, unsigned index, uint64_t fp, uint64_t *ret_addr,
	unsigned *ret_index)
{
	const Entry *entry;
	unsigned found = index;

	if (fp != 0) {
		while (found < stack->entries->len &&
			g_array_index (stack->entries, Entry, found).fp != fp)
			found++;
		if (found == stack->entries->len) {
			if (index == 0 && stack->has_popped && stack->popped.fp == fp) {
				*ret_addr = stack->popped.ret;
				*ret_index = 0;
				return TRUE;
			}
			found = index;
		}
	}
	if (found >= stack->entries->len)
		return FALSE;
	entry = &g_array_index (stack->entries, Entry, found);
	*ret_addr = entry->ret;
	*ret_index = found + 1;
	return TRUE;
}
