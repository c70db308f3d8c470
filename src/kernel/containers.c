/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/containers.h"

/* include/linux/xarray.h: XA_CHUNK_SHIFT is 6 (4 with CONFIG_BASE_SMALL); the array in xa_node says
 * which. */
#define XARRAY_DEPTH_MAX 16
#define RBTREE_DEPTH_MAX 128

static gboolean
set_corrupt (const char *what, uint64_t head, uint64_t node, const char *why, GError **error)
{
	g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
		"%s 0x%" G_GINT64_MODIFIER "x: node 0x%" G_GINT64_MODIFIER "x: %s", what, head,
		node, why);
	return FALSE;
}

static gboolean
read_node (KdKernel *kernel, const char *what, uint64_t head, uint64_t node, uint64_t *ret_next,
	GError **error)
{
	g_autoptr (GError) why = NULL;

	if (kd_kernel_read_ptr (kernel, node, ret_next, &why))
		return TRUE;
	if (g_error_matches (why, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT))
		return set_corrupt (what, head, node, why->message, error);
	g_propagate_error (error, g_steal_pointer (&why));
	return FALSE;
}

/* Nodes already met, so that none is told twice before a loop shows. */
typedef GHashTable Seen;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Seen, g_hash_table_unref)

static Seen *
seen_new (void)
{
	return g_hash_table_new (g_direct_hash, g_direct_equal);
}

static gboolean
is_new (Seen *seen, uint64_t node)
{
	return g_hash_table_add (seen, (gpointer)(uintptr_t)node);
}

/* A singly linked walk that ends at `end`. *ret_last is the node before that. */
static gboolean
chain_foreach (KdKernel *kernel, const char *what, uint64_t head, uint64_t end, unsigned max,
	KdNodeFunc func, void *data, uint64_t *ret_last, GError **error)
{
	g_autoptr (Seen) seen = seen_new();
	uint64_t node, last = head;

	*ret_last = 0;
	if (!read_node (kernel, what, head, head, &node, error))
		return FALSE;
	for (unsigned n = 0; node != end; n++) {
		uint64_t next;

		if (node == 0)
			return set_corrupt (what, head, node, "null pointer in the chain", error);
		if (!is_new (seen, node))
			return set_corrupt (what, head, node, "the chain loops here", error);
		if (n >= max)
			return set_corrupt (
				what, head, node, "more nodes than there can be", error);
		/* Before the element is looked at: it may be the last readable thing. */
		if (!read_node (kernel, what, head, node, &next, error))
			return FALSE;
		if (!func (node, data))
			return TRUE;
		last = node;
		node = next;
	}
	*ret_last = last;
	return TRUE;
}

gboolean
kd_list_foreach_node (
	KdKernel *kernel, uint64_t head, unsigned max, KdNodeFunc func, void *data, GError **error)
{
	uint64_t last, prev;

	/* list_head and hlist_node both begin with `next`. */
	if (!chain_foreach (kernel, "list", head, head, max, func, data, &last, error))
		return FALSE;
	if (last == 0)
		return TRUE;
	/* A chain cut short ends like a whole one: only the head's `prev` tells. */
	if (!read_node (kernel, "list", head, head + 8, &prev, error))
		return FALSE;
	if (prev == last)
		return TRUE;
	g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
		"list 0x%" G_GINT64_MODIFIER "x: ends with node 0x%" G_GINT64_MODIFIER
		"x, but its prev is 0x%" G_GINT64_MODIFIER "x: damaged, or just being changed",
		head, last, prev);
	return FALSE;
}

gboolean
kd_hlist_foreach_node (
	KdKernel *kernel, uint64_t head, unsigned max, KdNodeFunc func, void *data, GError **error)
{
	uint64_t last;

	return chain_foreach (kernel, "hlist", head, 0, max, func, data, &last, error);
}

typedef struct {
	KdKernel *kernel;
	const KdType *type;
	uint64_t offset;
	KdObjectFunc func;
	void *data;
} ListElements;

static gboolean
list_element (uint64_t node, void *data)
{
	const ListElements *elements = data;
	KdObject element = kd_object_at (elements->kernel, elements->type, node - elements->offset);

	return elements->func (&element, elements->data);
}

gboolean
kd_object_list_foreach (KdKernel *kernel, uint64_t head, const char *type, const char *member,
	unsigned max, KdObjectFunc func, void *data, GError **error)
{
	ListElements elements = {.kernel = kernel, .func = func, .data = data};
	KdObject first;

	/* Of an element whose node were at 0. */
	if (!kd_object_container_of (kernel, 0, type, member, &first, error))
		return FALSE;
	elements.type = first.type;
	elements.offset = 0 - first.addr.value;
	return kd_list_foreach_node (kernel, head, max, list_element, &elements, error);
}

/* --- red-black trees --- */

typedef struct {
	uint64_t left;
	uint64_t right;
} RbOffsets;

static gboolean
rb_offsets (KdKernel *kernel, RbOffsets *ret_offsets, GError **error)
{
	KdObject node, child;

	if (!kd_object_at_named (kernel, "struct rb_node", 0, &node, error) ||
		!kd_object_member (&node, "rb_left", &child, error))
		return FALSE;
	ret_offsets->left = child.addr.value;
	if (!kd_object_member (&node, "rb_right", &child, error))
		return FALSE;
	ret_offsets->right = child.addr.value;
	return TRUE;
}

gboolean
kd_rbtree_foreach_node (
	KdKernel *kernel, uint64_t root, unsigned max, KdNodeFunc func, void *data, GError **error)
{
	uint64_t stack[RBTREE_DEPTH_MAX], node;
	unsigned depth = 0, nr = 0;
	g_autoptr (Seen) seen = seen_new();
	RbOffsets offsets;

	/* struct rb_root and rb_root_cached both begin with the root node. */
	if (!rb_offsets (kernel, &offsets, error) ||
		!read_node (kernel, "rbtree", root, root, &node, error))
		return FALSE;
	while (node || depth) {
		uint64_t next;

		if (node) {
			if (!is_new (seen, node))
				return set_corrupt ("rbtree", root, node,
					"more than one way leads here", error);
			if (depth == RBTREE_DEPTH_MAX)
				return set_corrupt (
					"rbtree", root, node, "deeper than a tree can be", error);
			stack[depth++] = node;
			if (!read_node (kernel, "rbtree", root, node + offsets.left, &node, error))
				return FALSE;
			continue;
		}
		node = stack[--depth];
		if (nr++ >= max)
			return set_corrupt (
				"rbtree", root, node, "more nodes than there can be", error);
		if (!read_node (kernel, "rbtree", root, node + offsets.right, &next, error))
			return FALSE;
		if (!func (node, data))
			return TRUE;
		node = next;
	}
	return TRUE;
}

/* --- xarray --- */

typedef struct {
	KdKernel *kernel;
	uint64_t xarray;
	uint64_t slots_offset, shift_offset;
	unsigned nr_slots;
	unsigned left; /* nodes and entries still allowed */
	KdXarrayFunc func;
	void *data;
} XarrayWalk;

static gboolean
xarray_is_node (uint64_t entry)
{
	/* xa_is_node(): internal (low bits 10) and above the range of small internal entries. */
	return (entry & 3) == 2 && entry > 4096;
}

/* *ret_go FALSE: the caller's function wants no more. */
static gboolean
xarray_entry (XarrayWalk *walk, uint64_t entry, uint64_t index, unsigned depth, gboolean *ret_go,
	GError **error)
{
	uint64_t node = entry - 2;
	uint8_t shift;

	if (walk->left-- == 0)
		return set_corrupt (
			"xarray", walk->xarray, entry, "more entries than there can be", error);
	if (!xarray_is_node (entry)) {
		if ((entry & 3) != 2)
			*ret_go = walk->func (index, entry, walk->data);
		return TRUE;
	}
	if (depth == XARRAY_DEPTH_MAX)
		return set_corrupt (
			"xarray", walk->xarray, node, "deeper than an array can be", error);
	if (!kd_kernel_read (
		    walk->kernel, kd_addr_kernel (node + walk->shift_offset), &shift, 1, error))
		return FALSE;
	if (shift > 60)
		return set_corrupt ("xarray", walk->xarray, node, "shift out of range", error);
	for (unsigned i = 0; i < walk->nr_slots && *ret_go; i++) {
		uint64_t slot;

		if (!read_node (walk->kernel, "xarray", walk->xarray,
			    node + walk->slots_offset + i * 8ULL, &slot, error))
			return FALSE;
		if (slot && !xarray_entry (walk, slot, index + ((uint64_t)i << shift), depth + 1,
				    ret_go, error))
			return FALSE;
	}
	return TRUE;
}

gboolean
kd_xarray_foreach (KdKernel *kernel, uint64_t xarray, unsigned max, KdXarrayFunc func, void *data,
	GError **error)
{
	XarrayWalk walk = {
		.kernel = kernel, .xarray = xarray, .left = max, .func = func, .data = data};
	KdObject array, node, member;
	gboolean go = TRUE;
	uint64_t head;

	if (!kd_object_at_named (kernel, "struct xarray", xarray, &array, error) ||
		!kd_object_at_named (kernel, "struct xa_node", 0, &node, error) ||
		!kd_object_member (&node, "shift", &member, error))
		return FALSE;
	walk.shift_offset = member.addr.value;
	if (!kd_object_member (&node, "slots", &member, error))
		return FALSE;
	walk.slots_offset = member.addr.value;
	walk.nr_slots = (unsigned)MIN (kd_type_nr_elements (kd_type_strip (member.type)), 64);
	if (!kd_object_member_u64 (&array, "xa_head", &head, error))
		return FALSE;
	return head == 0 || xarray_entry (&walk, head, 0, 0, &go, error);
}
