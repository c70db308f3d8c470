/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/ftrace.h"

#include <inttypes.h>

#include "kernel/containers.h"
#include "kernel/kernel-private.h"
#include "kernel/object.h"

/* Tracers, perf events and live patches at once: tens. */
#define OPS_MAX 4096
/* FTRACE_HASH_MAX_BITS is 12; the kernel has fewer functions than this. */
#define HASH_BITS_MAX 20
#define HASH_MAX (1U << 18)

struct KdFtrace {
	GArray *ops; /* of KdFtraceOps, true for `generation` */
	uint64_t generation;
	char *why; /* the list ends early; NULL: it does not */
};

static void
ops_clear (void *data)
{
	KdFtraceOps *ops = data;

	g_clear_pointer (&ops->filter, g_array_unref);
	g_clear_pointer (&ops->notrace, g_array_unref);
}

void
kd_ftrace_free (KdFtrace *ftrace)
{
	if (!ftrace)
		return;
	g_array_unref (ftrace->ops);
	g_free (ftrace->why);
	g_free (ftrace);
}

typedef struct {
	KdKernel *kernel;
	GArray *ips;
} Hash;

static gboolean
add_entry (uint64_t node, void *data)
{
	const Hash *hash = data;
	KdObject entry;
	uint64_t ip;

	if (hash->ips->len < HASH_MAX &&
		kd_object_container_of (
			hash->kernel, node, "struct ftrace_func_entry", "hlist", &entry, NULL) &&
		kd_object_member_u64 (&entry, "ip", &ip, NULL))
		g_array_append_val (hash->ips, ip);
	return TRUE;
}

static int
compare_ips (const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* "filter_hash" or "notrace_hash" */
static GArray *
read_hash (KdKernel *kernel, uint64_t ops, const char *which, GError **error)
{
	g_autofree char *path = g_strconcat ("func_hash.", which, NULL);
	g_autoptr (GArray) ips = g_array_new (FALSE, FALSE, sizeof (uint64_t));
	const KdType *head = kd_kernel_type (kernel, "struct hlist_head");
	uint64_t addr, bits, count, buckets, size = head ? kd_type_size (head) : 0;
	Hash hash = {kernel, ips};
	KdObject object;

	if (!kd_object_at_named (kernel, "struct ftrace_ops", ops, &object, error) ||
		!kd_object_member_u64 (&object, path, &addr, error))
		return NULL;
	if (!addr)
		return g_steal_pointer (&ips);
	if (!kd_object_at_named (kernel, "struct ftrace_hash", addr, &object, error) ||
		!kd_object_member_u64 (&object, "size_bits", &bits, error) ||
		!kd_object_member_u64 (&object, "count", &count, error) ||
		!kd_object_member_u64 (&object, "buckets", &buckets, error))
		return NULL;
	if (bits > HASH_BITS_MAX) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
			"ftrace_hash at 0x%" PRIx64 ": 2^%" PRIu64 " buckets", addr, bits);
		return NULL;
	}
	for (uint64_t i = 0; count && size && i < 1ULL << bits; i++)
		if (!kd_hlist_foreach_node (
			    kernel, buckets + i * size, HASH_MAX, add_entry, &hash, error))
			return NULL;
	g_array_sort (ips, compare_ips);
	return g_steal_pointer (&ips);
}

static gboolean
add_ops (KdFtrace *ftrace, const KdObject *object, GError **error)
{
	KdFtraceOps ops = {.addr = object->addr.value};
	const struct {
		const char *member;
		uint64_t *ret;
		gboolean optional; /* as the kernel's configuration has it */
	} rows[] = {
		{"func", &ops.func, FALSE},
		{"flags", &ops.flags, FALSE},
		{"saved_func", &ops.saved, TRUE},
		{"trampoline", &ops.trampoline, TRUE},
		{"trampoline_size", &ops.trampoline_size, TRUE},
		{"direct_call", &ops.direct, TRUE},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
		if ((!rows[i].optional || kd_object_has_member (object, rows[i].member)) &&
			!kd_object_member_u64 (object, rows[i].member, rows[i].ret, error))
			return FALSE;
	ops.filter = read_hash (object->kernel, ops.addr, "filter_hash", NULL);
	ops.notrace = read_hash (object->kernel, ops.addr, "notrace_hash", NULL);
	g_array_append_val (ftrace->ops, ops);
	return TRUE;
}

/* ftrace_ops_list: linked by `next`, down to ftrace_list_end. */
static gboolean
read_ops (KdKernel *kernel, KdFtrace *ftrace, GError **error)
{
	uint64_t addr, end = 0;
	KdObject pointer, ops;
	KdSymbol symbol;

	if (!kd_image_symbol_by_name (kernel->image, "ftrace_ops_list", &symbol))
		return TRUE;
	if (!kd_object_symbol (kernel, "ftrace_ops_list", "struct ftrace_ops *", &pointer, error))
		return FALSE;
	kd_kernel_symbol_addr (kernel, "ftrace_list_end", &end, NULL);
	for (unsigned i = 0; i < OPS_MAX; i++) {
		if (!kd_object_u64 (&pointer, &addr, error))
			return FALSE;
		if (addr == 0 || addr == end)
			return TRUE;
		if (!kd_object_deref (&pointer, &ops, error) || !add_ops (ftrace, &ops, error) ||
			!kd_object_member (&ops, "next", &pointer, error))
			return FALSE;
	}
	g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
		"ftrace_ops_list: no end after %d", OPS_MAX);
	return FALSE;
}

const GArray *
kd_ftrace_ops (KdKernel *kernel, char **ret_why)
{
	uint64_t generation = kd_target_memory_generation (kernel->target);
	g_autoptr (GError) error = NULL;

	if (!kernel->ftrace) {
		kernel->ftrace = g_new0 (KdFtrace, 1);
		kernel->ftrace->ops = g_array_new (FALSE, FALSE, sizeof (KdFtraceOps));
		g_array_set_clear_func (kernel->ftrace->ops, ops_clear);
		kernel->ftrace->generation = generation - 1;
	}
	if (kernel->ftrace->generation != generation) {
		g_array_set_size (kernel->ftrace->ops, 0);
		g_clear_pointer (&kernel->ftrace->why, g_free);
		if (!read_ops (kernel, kernel->ftrace, &error))
			kernel->ftrace->why = g_strdup (error->message);
	}
	kernel->ftrace->generation = generation;
	if (ret_why)
		*ret_why = g_strdup (kernel->ftrace->why);
	return kernel->ftrace->ops;
}

static gboolean
has_ip (const GArray *ips, uint64_t ip)
{
	return g_array_binary_search ((GArray *)ips, &ip, compare_ips, NULL);
}

gboolean
kd_ftrace_wants (const KdFtraceOps *ops, uint64_t ip)
{
	return ops->filter && ops->notrace && (!ops->filter->len || has_ip (ops->filter, ip)) &&
	       !has_ip (ops->notrace, ip);
}

gboolean
kd_ftrace_is_ops (KdKernel *kernel, uint64_t addr)
{
	static const char *const own[] = {"ftrace_nop_ops", "ftrace_list_ops", "ftrace_list_end"};
	const GArray *ops = kd_ftrace_ops (kernel, NULL);
	KdKernelSymbol symbol;

	for (guint i = 0; i < ops->len; i++)
		if (g_array_index (ops, KdFtraceOps, i).addr == addr)
			return TRUE;
	for (size_t i = 0; i < G_N_ELEMENTS (own); i++)
		if (kd_kernel_symbol (kernel, own[i], &symbol) && symbol.addr == addr)
			return TRUE;
	return FALSE;
}

gboolean
kd_ftrace_is_direct (KdKernel *kernel, uint64_t record_flags)
{
	int64_t direct;

	return kd_image_enumerator (kernel->image, "FTRACE_FL_DIRECT", &direct) &&
	       (record_flags & (uint64_t)direct);
}

gboolean
kd_ftrace_origin (KdKernel *kernel, uint64_t addr, uint64_t *ret_origin)
{
	const GArray *all = kd_ftrace_ops (kernel, NULL);
	int64_t save_regs = 0;
	uint64_t origin;

	for (guint i = 0; i < all->len; i++) {
		const KdFtraceOps *ops = &g_array_index (all, KdFtraceOps, i);

		if (!ops->trampoline || addr < ops->trampoline ||
			addr - ops->trampoline >= ops->trampoline_size)
			continue;
		kd_image_enumerator (kernel->image, "FTRACE_OPS_FL_SAVE_REGS", &save_regs);
		if (!kd_kernel_symbol_addr (kernel,
			    ops->flags & (uint64_t)save_regs ? "ftrace_regs_caller"
							     : "ftrace_caller",
			    &origin, NULL))
			return FALSE;
		*ret_origin = origin + (addr - ops->trampoline);
		return TRUE;
	}
	return FALSE;
}
