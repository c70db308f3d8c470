/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-kernel.h"
#include "fuzz.h"
#include "kernel/containers.h"

/* One page at FAKE_HEAP that is the head of every container there is. */
#define NODES_MAX 300

typedef struct {
	unsigned nr;
	GHashTable *seen;
} Walk;

static gboolean
see_node (uint64_t node, void *data)
{
	Walk *walk = data;

	/* None is told twice. */
	g_assert_true (g_hash_table_add (walk->seen, GSIZE_TO_POINTER (node)));
	return ++walk->nr < NODES_MAX;
}

static gboolean
see_object (const KdObject *element, void *data)
{
	return see_node (element->addr.value, data);
}

static gboolean
see_entry (uint64_t index, uint64_t entry, void *data)
{
	g_assert_cmphex (entry & 3, !=, 2);
	return ++((Walk *)data)->nr < NODES_MAX;
}

static void
walk (KdKernel *kernel, unsigned kind)
{
	g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
	g_autoptr (GError) error = NULL;
	Walk data = {0, seen};
	gboolean ok;

	switch (kind) {
	case 0:
		ok = kd_list_foreach_node (kernel, FAKE_HEAP, NODES_MAX, see_node, &data, &error);
		break;
	case 1:
		ok = kd_hlist_foreach_node (kernel, FAKE_HEAP, NODES_MAX, see_node, &data, &error);
		break;
	case 2:
		ok = kd_rbtree_foreach_node (kernel, FAKE_HEAP, NODES_MAX, see_node, &data, &error);
		break;
	case 3:
		ok = kd_object_list_foreach (kernel, FAKE_HEAP, "struct item", "link", NODES_MAX,
			see_object, &data, &error);
		break;
	default:
		ok = kd_xarray_foreach (kernel, FAKE_HEAP, NODES_MAX, see_entry, &data, &error);
	}
	g_assert_true (ok == !error);
	g_assert_cmpuint (data.nr, <=, NODES_MAX);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	static const uint8_t nothing[4096];
	static KdKernel *kernel;

	if (!kernel) {
		kernel = fake_kernel_new();
		fake_kernel_map (kernel, FAKE_HEAP, sizeof nothing);
	}
	fake_kernel_write (kernel, FAKE_HEAP, nothing, sizeof nothing);
	fake_kernel_write (kernel, FAKE_HEAP, data, MIN (size, sizeof nothing));
	for (unsigned kind = 0; kind < 5; kind++)
		walk (kernel, kind);
	return 0;
}
