/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/vectors.h"

#include <string.h>

static void
entry_clear (void *data)
{
	g_free (((KdVectorEntry *)data)->words);
}

static void
table_clear (void *data)
{
	g_array_unref (((KdVectorTable *)data)->entries);
}

/* Where code goes on behind an entry: the first jump that leaves it. */
static uint64_t
jump_out_of (KdKernel *kernel, const KdArch *arch, uint64_t addr, unsigned size)
{
	g_autofree uint8_t *code = g_malloc (size);

	if (!kd_kernel_read (kernel, kd_addr_kernel (addr), code, size, NULL))
		return 0;
	for (unsigned at = 0; at < size; at += arch->insn_align) {
		uint64_t target;

		if (arch->jump_at (code + at, size - at, addr + at, &target) &&
			(target < addr || target - addr >= size))
			return target;
	}
	return 0;
}

static void
read_entries (KdKernel *kernel, const KdArch *arch, KdVectorTable *table)
{
	const KdVectorLayout *layout = arch->vectors;

	for (unsigned i = 0; i < layout->nr; i++) {
		KdVectorEntry entry = {.index = i,
			.addr = table->addr + (uint64_t)i * layout->size,
			.name = layout->name (i)};
		uint8_t bytes[KD_GATE_BYTES_MAX];

		if (!layout->gate)
			entry.target = jump_out_of (kernel, arch, entry.addr, layout->size);
		else if (!kd_kernel_read (kernel, kd_addr_kernel (entry.addr), bytes,
				 MIN (layout->size, sizeof bytes), NULL) ||
			 !layout->gate (bytes, &entry.target, &entry.words))
			continue;
		g_array_append_val (table->entries, entry);
	}
}

GArray *
kd_vector_tables (KdKernel *kernel)
{
	const KdArch *arch = kd_target_arch (kd_kernel_target (kernel));
	const KdVectorLayout *layout = arch->vectors;
	GArray *tables = g_array_new (FALSE, FALSE, sizeof (KdVectorTable));

	g_array_set_clear_func (tables, table_clear);
	for (const char *const *name = layout->symbols; *name; name++) {
		uint64_t size = (uint64_t)layout->nr * layout->size;
		KdKernelSymbol symbol;
		unsigned slots;

		if (!kd_kernel_symbol (kernel, *name, &symbol))
			continue;
		/* Hardening variants stand behind each other; kallsyms has no sizes. */
		slots = symbol.size > size ? (unsigned)MIN (symbol.size / size,
						     arch->linux_layout->vector_slots)
					   : 1;
		for (unsigned slot = 0; slot < slots; slot++) {
			KdVectorTable table = {.symbol = *name,
				.slot = slot,
				.addr = symbol.addr + slot * size,
				.entries = g_array_new (FALSE, FALSE, sizeof (KdVectorEntry))};

			g_array_set_clear_func (table.entries, entry_clear);
			read_entries (kernel, arch, &table);
			g_array_append_val (tables, table);
		}
	}
	return tables;
}

static gboolean
phys_of (KdKernel *kernel, uint64_t va, uint64_t *ret_pa)
{
	KdWalk walk;

	kd_target_walk (kd_kernel_target (kernel), kd_kernel_regime (kernel), va, &walk);
	*ret_pa = walk.pa;
	return walk.status == KD_WALK_MAPPED;
}

/* The same memory may have several addresses: EL2's own, x86's read-only one. */
static int
table_at (KdKernel *kernel, const GArray *tables, uint64_t value)
{
	uint64_t va = value, pa, other;

	kd_kernel_from_hyp (kernel, value, &va);
	if (!phys_of (kernel, va, &pa))
		return -1;
	for (guint i = 0; i < tables->len; i++)
		if (phys_of (kernel, g_array_index (tables, KdVectorTable, i).addr, &other) &&
			other == pa)
			return (int)i;
	return -1;
}

/* A guest may have the same value in a register that is its own now: the same kernel, no KASLR. */
static gboolean
is_hosts (KdTargetCpu *regs, uint64_t value)
{
	const KdArch *arch = kd_target_arch (regs->target);
	KdVectorBase bases[KD_VECTOR_BASES_MAX];
	unsigned nr;

	if (arch->vectors->gate)
		return TRUE;
	nr = arch->linux_layout->vector_bases (
		kd_target_cpu_reg_more, regs, kd_target_phys_read_func, regs->target, bases);
	for (unsigned i = 0; i < nr; i++)
		if (bases[i].va == value)
			return TRUE;
	return FALSE;
}

GArray *
kd_vector_uses (KdKernel *kernel, const GArray *tables)
{
	KdTarget *target = kd_kernel_target (kernel);
	const KdArch *arch = kd_target_arch (target);
	GArray *uses = g_array_new (FALSE, FALSE, sizeof (KdVectorUse));

	for (unsigned cpu = 0; cpu < kd_target_nr_cpus (target); cpu++) {
		KdCpuState state = kd_kernel_cpu_state (kernel, cpu);
		KdTargetCpu regs = {target, cpu};
		const char *in_force =
			arch->vectors->in_force (&state, kd_target_cpu_reg_more, &regs);

		for (const char *const *reg = arch->vectors->regs; *reg; reg++) {
			KdVectorUse use = {.cpu = cpu,
				.reg = *reg,
				.alias = arch->vectors->alias (*reg, kd_target_cpu_reg_more, &regs),
				.regime = arch->sysregs->regime (
					*reg, &state, kd_target_cpu_reg_more, &regs),
				.in_force = g_strcmp0 (*reg, in_force) == 0};

			if (!arch->sysregs->read (*reg, kd_target_cpu_reg_more, &regs, &use.value))
				continue;
			use.table = is_hosts (&regs, use.value)
					    ? table_at (kernel, tables, use.value)
					    : -1;
			g_array_append_val (uses, use);
		}
	}
	return uses;
}
