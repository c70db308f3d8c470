/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/object.h"

/*
 * The kernel's containers, as they lie in memory that may be damaged or change under us. Each walk
 * is bounded and checked for loops; CORRUPT names the container and the node. What was called
 * before an error was seen stays seen: the caller marks its answer partial.
 */

/* Nodes are given by address. FALSE ends the walk (which then succeeds). */
typedef gboolean (*KdNodeFunc) (uint64_t node, void *data);
/* Elements are given as objects. */
typedef gboolean (*KdObjectFunc) (const KdObject *element, void *data);

/* list_head at `head` (not itself an element): at most `max` nodes, then CORRUPT. */
gboolean kd_list_foreach_node (
	KdKernel *kernel, uint64_t head, unsigned max, KdNodeFunc func, void *data, GError **error);
/* The same as objects of `type` linked by `member`. */
gboolean kd_object_list_foreach (KdKernel *kernel, uint64_t head, const char *type,
	const char *member, unsigned max, KdObjectFunc func, void *data, GError **error);
/* hlist_head at `head`. */
gboolean kd_hlist_foreach_node (
	KdKernel *kernel, uint64_t head, unsigned max, KdNodeFunc func, void *data, GError **error);
/* rb_root (or rb_root_cached) at `root`, in order. */
gboolean kd_rbtree_foreach_node (
	KdKernel *kernel, uint64_t root, unsigned max, KdNodeFunc func, void *data, GError **error);

/* struct xarray at `xarray`: entries in order of index; internal and zero entries are left out. */
typedef gboolean (*KdXarrayFunc) (uint64_t index, uint64_t entry, void *data);
gboolean kd_xarray_foreach (KdKernel *kernel, uint64_t xarray, unsigned max, KdXarrayFunc func,
	void *data, GError **error);
