/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fake-kernel.h"
#include "kernel/containers.h"

static KdKernel *
new_filled (void)
{
	KdKernel *kernel = fake_kernel_new();

	fake_kernel_fill_item (kernel);
	return kernel;
}

static KdObject
item (KdKernel *kernel)
{
	g_autoptr (GError) error = NULL;
	KdObject object = {0};

	g_assert_true (kd_object_at_named (kernel, "struct item", FAKE_ITEM, &object, &error));
	g_assert_no_error (error);
	return object;
}

/* --- members --- */

static const struct {
	const char *name, *path;
	int64_t value;
} member_rows[] = {
	{"plain", "value", -7},
	{"bit-field", "low", 5},
	{"bit-field-signed", "high", -2},
	{"bool", "on", 1},
	{"enum", "color", 5},
	{"anonymous-union", "whole", INT64_C (0x200000001)},
	{"anonymous-struct", "hi", 2},
	{"arrow", "next_item->value", -7},
	{"dot-through-pointer", "next_item.next_item.low", 5},
	{"index", "table[3]", 30},
	{"index-of-pointed", "next_item->table[2]", 20},
	{"index-of-pointer", "next_item[0].value", -7},
	{"unsigned-64", "big", -1},
};

static void
test_member (gconstpointer data)
{
	g_autoptr (KdKernel) kernel = new_filled();
	g_autoptr (GError) error = NULL;
	KdObject object = item (kernel), member;
	int64_t value = 0;

	g_assert_true (kd_object_has_member (&object, member_rows[GPOINTER_TO_UINT (data)].path));
	kd_object_member (&object, member_rows[GPOINTER_TO_UINT (data)].path, &member, &error);
	g_assert_no_error (error);
	kd_object_i64 (&member, &value, &error);
	g_assert_no_error (error);
	g_assert_cmpint (value, ==, member_rows[GPOINTER_TO_UINT (data)].value);
}

static const struct {
	const char *name, *path;
	int code;
	const char *message;
} bad_rows[] = {
	{"unknown", "valeu", KD_KERNEL_ERROR_NOT_FOUND, "did you mean value"},
	{"unknown-near-anonymous", "whol", KD_KERNEL_ERROR_NOT_FOUND, "did you mean whole"},
	{"of-integer", "value.x", KD_KERNEL_ERROR_NOT_FOUND, "no member"},
	{"index-past-end", "table[4]", KD_KERNEL_ERROR_RANGE, "index 4"},
	{"index-negative", "table[-1]", KD_KERNEL_ERROR_RANGE, "index -1"},
	{"index-overflows", "next_item[0x7fffffffffffffff]", KD_KERNEL_ERROR_RANGE, "index"},
	{"index-of-integer", "value[0]", KD_KERNEL_ERROR_TYPE, "no pointer"},
	{"unclosed", "table[1", KD_KERNEL_ERROR_SYNTAX, "no member path"},
	{"empty-part", "link..next", KD_KERNEL_ERROR_SYNTAX, "no member path"},
	{"aggregate", "link", KD_KERNEL_ERROR_TYPE, "struct list_head is no integer"},
};

static void
test_bad_member (gconstpointer data)
{
	guint row = GPOINTER_TO_UINT (data);
	g_autoptr (KdKernel) kernel = new_filled();
	g_autoptr (GError) error = NULL;
	KdObject object = item (kernel);
	uint64_t value = 42;

	g_assert_false (kd_object_member_u64 (&object, bad_rows[row].path, &value, &error));
	g_assert_error (error, KD_KERNEL_ERROR, bad_rows[row].code);
	g_assert_nonnull (strstr (error->message, bad_rows[row].message));
	g_assert_cmpuint (value, ==, 42);
}

static void
test_has_member (void)
{
	g_autoptr (KdKernel) kernel = new_filled();
	KdObject object = item (kernel);

	g_assert_true (kd_object_has_member (&object, "next_item->link.next"));
	g_assert_false (kd_object_has_member (&object, "next_item->absent"));
	g_assert_false (kd_object_has_member (&object, "value.x"));
	g_assert_false (kd_object_has_member (&object, "link[0]"));
}

static void
test_null_pointer (void)
{
	g_autoptr (KdKernel) kernel = new_filled();
	g_autoptr (GError) error = NULL;
	KdObject object = item (kernel);
	uint64_t value = 42;

	fake_kernel_write_u64 (kernel, FAKE_ITEM + 48, 0);
	g_assert_false (kd_object_member_u64 (&object, "next_item->value", &value, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT);
	g_assert_cmpuint (value, ==, 42);
}

/* 9 bytes hold a field of 64 bits that does not start at a byte. */
static void
test_wide_bit_field (void)
{
	g_autoptr (KdKernel) kernel = new_filled();
	g_autoptr (GError) error = NULL;
	static const uint8_t bytes[9] = {0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12, 0x0f};
	KdObject object = kd_object_at (
		kernel, kd_image_type_by_name (kd_kernel_image (kernel), "u64"), FAKE_ITEM);
	uint64_t value = 0;

	object.bit_offset = 4;
	object.bit_size = 64;
	g_assert_true (kd_object_decode (&object, bytes, sizeof bytes, &value, &error));
	g_assert_no_error (error);
	g_assert_cmphex (value, ==, UINT64_C (0xf123456789abcdef));
}

static void
test_container_of (void)
{
	g_autoptr (KdKernel) kernel = new_filled();
	g_autoptr (GError) error = NULL;
	KdObject object;

	g_assert_true (kd_object_container_of (
		kernel, FAKE_ITEM + 56, "struct item", "link", &object, &error));
	g_assert_cmphex (object.addr.value, ==, FAKE_ITEM);
	g_assert_false (
		kd_object_container_of (kernel, FAKE_ITEM, "struct item", "lnk", &object, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND);
	g_clear_error (&error);
	g_assert_false (kd_object_container_of (
		kernel, FAKE_ITEM, "struct absent", "link", &object, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND);
}

static void
test_percpu (void)
{
	g_autoptr (KdKernel) kernel = new_filled();
	g_autoptr (GError) error = NULL;
	KdObject object;

	g_assert_true (kd_object_percpu (kernel, "cpu_item", NULL, 1, &object, &error));
	g_assert_cmphex (object.addr.value, ==, FAKE_PERCPU + 0x100);
	g_assert_false (kd_object_percpu (kernel, "cpu_item", NULL, 2, &object, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE);
}

/* --- containers --- */

#define NR_NODES 10000
#define NODE(i) (FAKE_HEAP + 0x100 + (uint64_t)(i)*128)

typedef struct {
	unsigned nr;
	uint64_t last;
} Seen;

static gboolean
count_node (uint64_t node, void *data)
{
	Seen *seen = data;

	seen->nr++;
	seen->last = node;
	return TRUE;
}

static gboolean
count_element (const KdObject *element, void *data)
{
	return count_node (element->addr.value, data);
}

/* A head at FAKE_HEAP and NR_NODES items whose `link` is linked, the last to `after`. */
static KdKernel *
new_list (uint64_t after)
{
	KdKernel *kernel = fake_kernel_new();

	fake_kernel_map (kernel, FAKE_HEAP, 0x100 + NR_NODES * 128);
	fake_kernel_write_u64 (kernel, FAKE_HEAP, NODE (0) + 56);
	fake_kernel_write_u64 (kernel, FAKE_HEAP + 8, NODE (NR_NODES - 1) + 56);
	for (unsigned i = 0; i < NR_NODES; i++)
		fake_kernel_write_u64 (
			kernel, NODE (i) + 56, i + 1 < NR_NODES ? NODE (i + 1) + 56 : after);
	return kernel;
}

static void
test_list (void)
{
	g_autoptr (KdKernel) kernel = new_list (FAKE_HEAP);
	g_autoptr (GError) error = NULL;
	Seen seen = {0};

	g_assert_true (kd_object_list_foreach (
		kernel, FAKE_HEAP, "struct item", "link", NR_NODES, count_element, &seen, &error));
	g_assert_no_error (error);
	g_assert_cmpuint (seen.nr, ==, NR_NODES);
	g_assert_cmphex (seen.last, ==, NODE (NR_NODES - 1));
}

static const struct {
	const char *name;
	uint64_t after;
	unsigned max;
	const char *message;
} list_rows[] = {
	{"loop", NODE (5000) + 56, 1000000, "loops"},
	{"null", 0, 1000000, "null"},
	{"unmapped", UINT64_C (0xdead000000000100), 1000000, "not mapped"},
	{"too-many", FAKE_HEAP, NR_NODES - 1, "more nodes"},
};

static void
test_bad_list (gconstpointer data)
{
	guint row = GPOINTER_TO_UINT (data);
	g_autoptr (KdKernel) kernel = new_list (list_rows[row].after);
	g_autofree char *head = g_strdup_printf ("0x%" G_GINT64_MODIFIER "x", FAKE_HEAP);
	g_autoptr (GError) error = NULL;
	Seen seen = {0};

	g_assert_false (kd_object_list_foreach (kernel, FAKE_HEAP, "struct item", "link",
		list_rows[row].max, count_element, &seen, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT);
	g_assert_nonnull (strstr (error->message, list_rows[row].message));
	g_assert_nonnull (strstr (error->message, head));
	/* None twice. */
	g_assert_cmpuint (seen.nr, <=, NR_NODES);
}

/* A head that points at itself is an empty list, unless its prev knows better. */
static void
test_cut_list (void)
{
	g_autoptr (KdKernel) kernel = new_list (FAKE_HEAP);
	g_autoptr (GError) error = NULL;
	Seen seen = {0};

	fake_kernel_write_u64 (kernel, NODE (10) + 56, FAKE_HEAP);
	g_assert_false (kd_object_list_foreach (
		kernel, FAKE_HEAP, "struct item", "link", NR_NODES, count_element, &seen, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT);
	g_assert_cmpuint (seen.nr, ==, 11);
	g_clear_error (&error);
	fake_kernel_write_u64 (kernel, FAKE_HEAP, FAKE_HEAP);
	g_assert_false (kd_object_list_foreach (
		kernel, FAKE_HEAP, "struct item", "link", NR_NODES, count_element, &seen, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT);
	g_clear_error (&error);
	fake_kernel_write_u64 (kernel, FAKE_HEAP + 8, FAKE_HEAP);
	g_assert_true (kd_object_list_foreach (
		kernel, FAKE_HEAP, "struct item", "link", NR_NODES, count_element, &seen, &error));
	g_assert_no_error (error);
	g_assert_cmpuint (seen.nr, ==, 11);
}

static void
test_hlist (void)
{
	g_autoptr (KdKernel) kernel = fake_kernel_new();
	g_autoptr (GError) error = NULL;
	Seen seen = {0};

	fake_kernel_map (kernel, FAKE_HEAP, 0x1000);
	fake_kernel_write_u64 (kernel, FAKE_HEAP, FAKE_HEAP + 0x10);
	fake_kernel_write_u64 (kernel, FAKE_HEAP + 0x10, FAKE_HEAP + 0x20);
	g_assert_true (kd_hlist_foreach_node (kernel, FAKE_HEAP, 10, count_node, &seen, &error));
	g_assert_no_error (error);
	g_assert_cmpuint (seen.nr, ==, 2);
}

/* 1 at the left, 2 in the root, 3 at the right, 24 bytes each. */
static void
test_rbtree (void)
{
	g_autoptr (KdKernel) kernel = fake_kernel_new();
	g_autoptr (GError) error = NULL;
	uint64_t node = FAKE_HEAP + 0x100;
	Seen seen = {0};

	fake_kernel_map (kernel, FAKE_HEAP, 0x1000);
	fake_kernel_write_u64 (kernel, FAKE_HEAP, node);
	fake_kernel_write_u64 (kernel, node + 8, node + 0x40);
	fake_kernel_write_u64 (kernel, node + 16, node + 0x80);
	g_assert_true (kd_rbtree_foreach_node (kernel, FAKE_HEAP, 10, count_node, &seen, &error));
	g_assert_no_error (error);
	g_assert_cmpuint (seen.nr, ==, 3);
	g_assert_cmphex (seen.last, ==, node + 0x40);

	/* The right child's right child is the root again; then the left chain never ends. */
	fake_kernel_write_u64 (kernel, node + 0x40 + 8, node);
	g_assert_false (
		kd_rbtree_foreach_node (kernel, FAKE_HEAP, 1000, count_node, &seen, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT);
	g_clear_error (&error);
	fake_kernel_write_u64 (kernel, node + 0x80 + 16, node);
	g_assert_false (
		kd_rbtree_foreach_node (kernel, FAKE_HEAP, 1000, count_node, &seen, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT);
}

typedef struct {
	unsigned nr;
	uint64_t index, entry;
} Entries;

static gboolean
count_entry (uint64_t index, uint64_t entry, void *data)
{
	Entries *entries = data;

	*entries = (Entries){entries->nr + 1, index, entry};
	return TRUE;
}

static void
test_xarray (void)
{
	g_autoptr (KdKernel) kernel = fake_kernel_new();
	g_autoptr (GError) error = NULL;
	uint64_t top = FAKE_HEAP + 0x100, leaf = FAKE_HEAP + 0x200;
	uint8_t shift = 2;
	Entries entries = {0};

	fake_kernel_map (kernel, FAKE_HEAP, 0x1000);
	fake_kernel_write_u64 (kernel, FAKE_HEAP + 8, FAKE_ITEM);
	g_assert_true (kd_xarray_foreach (kernel, FAKE_HEAP, 10, count_entry, &entries, &error));
	g_assert_cmpuint (entries.nr, ==, 1);
	g_assert_cmphex (entries.entry, ==, FAKE_ITEM);

	fake_kernel_write_u64 (kernel, FAKE_HEAP + 8, top + 2);
	fake_kernel_write (kernel, top, &shift, 1);
	fake_kernel_write_u64 (kernel, top + 8 + 8 * 3, leaf + 2);
	fake_kernel_write_u64 (kernel, leaf + 8 + 8 * 1, FAKE_ITEM);
	entries.nr = 0;
	g_assert_true (kd_xarray_foreach (kernel, FAKE_HEAP, 10, count_entry, &entries, &error));
	g_assert_no_error (error);
	g_assert_cmpuint (entries.nr, ==, 1);
	g_assert_cmpuint (entries.index, ==, 3 << 2 | 1);

	/* A node that holds itself. */
	fake_kernel_write_u64 (kernel, leaf + 8, top + 2);
	g_assert_false (
		kd_xarray_foreach (kernel, FAKE_HEAP, 100000, count_entry, &entries, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT);
}

#define ADD_ROWS(prefix, rows, func)                                                               \
	for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {                                          \
		g_autofree char *path = g_strconcat (prefix, rows[i].name, NULL);                  \
		g_test_add_data_func (path, GUINT_TO_POINTER (i), func);                           \
	}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	ADD_ROWS ("/object/member/", member_rows, test_member);
	ADD_ROWS ("/object/bad-member/", bad_rows, test_bad_member);
	ADD_ROWS ("/object/bad-list/", list_rows, test_bad_list);
	g_test_add_func ("/object/has-member", test_has_member);
	g_test_add_func ("/object/null-pointer", test_null_pointer);
	g_test_add_func ("/object/wide-bit-field", test_wide_bit_field);
	g_test_add_func ("/object/container-of", test_container_of);
	g_test_add_func ("/object/percpu", test_percpu);
	g_test_add_func ("/object/list", test_list);
	g_test_add_func ("/object/list/cut", test_cut_list);
	g_test_add_func ("/object/hlist", test_hlist);
	g_test_add_func ("/object/rbtree", test_rbtree);
	g_test_add_func ("/object/xarray", test_xarray);
	return g_test_run();
}
