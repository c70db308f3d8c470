/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/ftrace.h"

#include "kernel/kernel-private.h"
#include "kernel/object.h"

/* Tracers, perf events and live patches at once: tens. */
#define OPS_MAX 4096

typedef struct {
	uint64_t start, size;
	uint64_t origin; /* ftrace_caller or ftrace_regs_caller */
} Copy;

struct KdFtrace {
	GArray *copies; /* of Copy, true for `generation` */
	uint64_t generation;
};

void
kd_ftrace_free (KdFtrace *ftrace)
{
	if (!ftrace)
		return;
	g_array_unref (ftrace->copies);
	g_free (ftrace);
}

static void
add_copy (KdKernel *kernel, KdFtrace *ftrace, const KdObject *ops)
{
	uint64_t flags = 0;
	int64_t save_regs = 0;
	Copy copy;

	if (!kd_object_member_u64 (ops, "trampoline", &copy.start, NULL) || !copy.start ||
		!kd_object_member_u64 (ops, "trampoline_size", &copy.size, NULL) || !copy.size ||
		!kd_object_member_u64 (ops, "flags", &flags, NULL))
		return;
	kd_image_enumerator (kernel->image, "FTRACE_OPS_FL_SAVE_REGS", &save_regs);
	if (kd_kernel_symbol_addr (kernel,
		    flags & (uint64_t)save_regs ? "ftrace_regs_caller" : "ftrace_caller",
		    &copy.origin, NULL))
		g_array_append_val (ftrace->copies, copy);
}

/* ftrace_ops_list: linked by `next`, down to ftrace_list_end. */
static void
read_copies (KdKernel *kernel, KdFtrace *ftrace)
{
	KdObject pointer, ops;
	uint64_t addr, end = 0;
	KdSymbol symbol;

	g_array_set_size (ftrace->copies, 0);
	if (!kd_image_symbol_by_name (kernel->image, "ftrace_ops_list", &symbol) ||
		!kd_object_symbol (
			kernel, "ftrace_ops_list", "struct ftrace_ops *", &pointer, NULL))
		return;
	kd_kernel_symbol_addr (kernel, "ftrace_list_end", &end, NULL);
	for (unsigned i = 0; i < OPS_MAX; i++) {
		if (!kd_object_u64 (&pointer, &addr, NULL) || addr == 0 || addr == end ||
			!kd_object_deref (&pointer, &ops, NULL) ||
			!kd_object_has_member (&ops, "trampoline"))
			return;
		add_copy (kernel, ftrace, &ops);
		if (!kd_object_member (&ops, "next", &pointer, NULL))
			return;
	}
}

gboolean
kd_ftrace_origin (KdKernel *kernel, uint64_t addr, uint64_t *ret_origin)
{
	uint64_t generation = kd_target_memory_generation (kernel->target);

	if (!kernel->ftrace) {
		kernel->ftrace = g_new0 (KdFtrace, 1);
		kernel->ftrace->copies = g_array_new (FALSE, FALSE, sizeof (Copy));
		kernel->ftrace->generation = generation - 1;
	}
	if (kernel->ftrace->generation != generation)
		read_copies (kernel, kernel->ftrace);
	kernel->ftrace->generation = generation;
	for (guint i = 0; i < kernel->ftrace->copies->len; i++) {
		const Copy *copy = &g_array_index (kernel->ftrace->copies, Copy, i);

		if (addr >= copy->start && addr - copy->start < copy->size) {
			*ret_origin = copy->origin + (addr - copy->start);
			return TRUE;
		}
	}
	return FALSE;
}
