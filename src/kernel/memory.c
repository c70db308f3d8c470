/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "kernel/kernel-private.h"
#include "kernel/task.h"

/* In search of an address: EL2's tables map little but the image. */
#define HYP_WALKS_MAX (1U << 20)

/* Memory by space: each space ends in physical reads through one set of tables or another. */

static gboolean
hyp_regime (KdKernel *kernel, KdRegime *ret_regime)
{
	/* EL2's registers read the same whatever level a CPU is at. */
	for (unsigned cpu = 0; cpu < kd_target_nr_cpus (kernel->target); cpu++)
		if (kd_target_cpu_regime (kernel->target, cpu, KD_REGIME_HYP, ret_regime, NULL))
			return TRUE;
	return FALSE;
}

static gboolean
user_regime (KdKernel *kernel, int pid, KdRegime *ret_regime, GError **error)
{
	uint64_t generation = kd_target_memory_generation (kernel->target);
	KdTask task;

	if (!kernel->user.valid || kernel->user.pid != pid ||
		kernel->user.generation != generation ||
		kd_target_state (kernel->target) == KD_TARGET_RUNNING) {
		kernel->user.valid = FALSE;
		if (!kd_task_by_pid (kernel, pid, &task, error) ||
			!kd_task_user_regime (kernel, &task, &kernel->user.regime, error))
			return FALSE;
		kernel->user.pid = pid;
		kernel->user.generation = generation;
		kernel->user.valid = TRUE;
	}
	*ret_regime = kernel->user.regime;
	return TRUE;
}

static gboolean
space_regime (KdKernel *kernel, KdSpace space, KdRegime *ret_regime, GError **error)
{
	switch (space.kind) {
	case KD_SPACE_KERNEL:
		*ret_regime = kernel->place.regime;
		return TRUE;
	case KD_SPACE_USER:
		return user_regime (kernel, space.id, ret_regime, error);
	case KD_SPACE_HYP:
		if (hyp_regime (kernel, ret_regime))
			return TRUE;
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"no hyp space: the hypervisor has no tables of its own (the host runs in "
			"VHE mode, or KVM is off)");
		return FALSE;
	case KD_SPACE_PHYS:
	case KD_SPACE_VM:
	case KD_SPACE_CPU:
		break;
	}
	g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE,
		"addresses of this space are not translated by tables kvmdbg walks");
	return FALSE;
}

/* A range of one VM's memory as the pieces of its process's. */
static gboolean
locate_vm (KdKernel *kernel, KdAddr addr, size_t len, KdAddr *ret_addr, size_t *ret_len,
	GError **error)
{
	uint64_t extent;

	if (!kernel->vm_locate) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"VM %d: this kernel's VMs are not known", addr.space.id);
		return FALSE;
	}
	if (!kernel->vm_locate (kernel, addr.space.id, addr.value, ret_addr, &extent, error))
		return FALSE;
	*ret_len = (size_t)MIN (len, extent);
	return TRUE;
}

static gboolean
prefix_vm (KdAddr addr, GError **error)
{
	g_prefix_error (error, "VM %d, guest-physical 0x%" PRIx64 ": ", addr.space.id, addr.value);
	return FALSE;
}

static gboolean
read_vm (KdKernel *kernel, KdAddr addr, uint8_t *buf, size_t len, GError **error)
{
	while (len > 0) {
		KdAddr at;
		size_t part;

		if (!locate_vm (kernel, addr, len, &at, &part, error))
			return FALSE;
		if (!kd_kernel_read (kernel, at, buf, part, error))
			return prefix_vm (addr, error);
		addr.value += part;
		buf += part;
		len -= part;
	}
	return TRUE;
}

gboolean
kd_kernel_read (KdKernel *kernel, KdAddr addr, void *buf, size_t len, GError **error)
{
	KdRegime regime;

	switch (addr.space.kind) {
	case KD_SPACE_KERNEL:
		return kd_target_read_virt (
			kernel->target, &kernel->place.regime, addr.value, buf, len, error);
	case KD_SPACE_PHYS:
		return kd_target_read_phys (kernel->target, addr.value, buf, len, error);
	case KD_SPACE_CPU:
		if (addr.space.id < 0 ||
			(unsigned)addr.space.id >= kd_target_nr_cpus (kernel->target)) {
			g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE, "no CPU %d",
				addr.space.id);
			return FALSE;
		}
		return kd_target_read_cpu (
			kernel->target, (unsigned)addr.space.id, addr.value, buf, len, error);
	case KD_SPACE_VM:
		return read_vm (kernel, addr, buf, len, error);
	case KD_SPACE_USER:
	case KD_SPACE_HYP:
		break;
	}
	return space_regime (kernel, addr.space, &regime, error) &&
	       kd_target_read_virt (kernel->target, &regime, addr.value, buf, len, error);
}

/* --- writing --- */

/* TRUE: `walk` ends in a page of zeros that every process has until it writes (mm/memory.c). */
static gboolean
is_zero_page (KdKernel *kernel, const KdWalk *walk)
{
	const KdRegime *regime = &kernel->place.regime;
	KdKernelSymbol symbol;
	uint64_t pfn;
	KdWalk zero;

	if (kd_kernel_symbol (kernel, "empty_zero_page", &symbol)) {
		kd_target_walk (kernel->target, regime, symbol.addr, &zero);
		if (zero.status == KD_WALK_MAPPED &&
			zero.pa >> regime->page_shift == walk->pa >> regime->page_shift)
			return TRUE;
	}
	/* All ones until there is one. */
	return kd_kernel_symbol (kernel, "huge_zero_pfn", &symbol) &&
	       kd_kernel_read_u64 (kernel, symbol.addr, &pfn, NULL) &&
	       pfn <= UINT64_MAX >> regime->page_shift &&
	       walk->pa - (pfn << regime->page_shift) < walk->map_size;
}

static gboolean
check_zero_page (KdKernel *kernel, const KdRegime *regime, uint64_t va, size_t len, GError **error)
{
	uint64_t page = UINT64_C (1) << regime->page_shift;
	KdWalk walk;

	for (uint64_t at = va & ~(page - 1); at - (va & ~(page - 1)) < len + (va & (page - 1));
		at += page) {
		kd_target_walk (kernel->target, regime, at, &walk);
		if (walk.status != KD_WALK_MAPPED || !is_zero_page (kernel, &walk))
			continue;
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE,
			"0x%" PRIx64
			" is not written: the process has the page of zeros there that "
			"all processes share",
			MAX (at, va));
		return FALSE;
	}
	return TRUE;
}

static gboolean
write_vm (KdKernel *kernel, KdAddr addr, const uint8_t *buf, size_t len, GError **error)
{
	while (len > 0) {
		KdAddr at;
		size_t part;

		if (!locate_vm (kernel, addr, len, &at, &part, error))
			return FALSE;
		if (!kd_kernel_write (kernel, at, buf, part, error))
			return prefix_vm (addr, error);
		addr.value += part;
		buf += part;
		len -= part;
	}
	return TRUE;
}

gboolean
kd_kernel_write (KdKernel *kernel, KdAddr addr, const void *buf, size_t len, GError **error)
{
	KdRegime regime;

	/* What was derived from memory may not be so any more. */
	kernel->user.valid = FALSE;
	switch (addr.space.kind) {
	case KD_SPACE_PHYS:
		return kd_target_write_phys (kernel->target, addr.value, buf, len, error);
	case KD_SPACE_VM:
		return write_vm (kernel, addr, buf, len, error);
	case KD_SPACE_CPU:
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE,
			"a CPU's own view has devices in it: write to a kernel, user or phys "
			"address");
		return FALSE;
	case KD_SPACE_KERNEL:
	case KD_SPACE_USER:
	case KD_SPACE_HYP:
		break;
	}
	return space_regime (kernel, addr.space, &regime, error) &&
	       (addr.space.kind != KD_SPACE_USER ||
		       check_zero_page (kernel, &regime, addr.value, len, error)) &&
	       kd_target_write_virt (kernel->target, &regime, addr.value, buf, len, error);
}

gboolean
kd_kernel_read_u64 (KdKernel *kernel, uint64_t va, uint64_t *ret_value, GError **error)
{
	uint64_t value;

	if (!kd_kernel_read (kernel, kd_addr_kernel (va), &value, sizeof value, error))
		return FALSE;
	*ret_value = GUINT64_FROM_LE (value);
	return TRUE;
}

gboolean
kd_kernel_read_ptr (KdKernel *kernel, uint64_t va, uint64_t *ret_value, GError **error)
{
	return kd_kernel_read_u64 (kernel, va, ret_value, error);
}

char *
kd_kernel_read_cstring (KdKernel *kernel, uint64_t va, size_t max, GError **error)
{
	g_autoptr (GString) string = g_string_new (NULL);

	while (string->len < max) {
		uint64_t at = va + string->len;
		char chunk[256];
		/* Never into the next page: nothing may be mapped there. */
		size_t len = MIN (sizeof chunk - at % sizeof chunk, max - string->len), used;

		if (!kd_kernel_read (kernel, kd_addr_kernel (at), chunk, len, error))
			return NULL;
		used = strnlen (chunk, len);
		g_string_append_len (string, chunk, (gssize)used);
		if (used < len)
			break;
	}
	return g_string_free (g_steal_pointer (&string), FALSE);
}

gboolean
kd_kernel_walk (
	KdKernel *kernel, KdAddr addr, KdWalk *ret_walk, KdRegime *ret_regime, GError **error)
{
	if (!space_regime (kernel, addr.space, ret_regime, error))
		return FALSE;
	kd_target_walk (kernel->target, ret_regime, addr.value, ret_walk);
	return TRUE;
}

gboolean
kd_kernel_from_hyp (KdKernel *kernel, uint64_t hyp, uint64_t *ret_va)
{
	uint64_t offset;
	KdRegime regime;
	KdWalk walk;

	if (!hyp_regime (kernel, &regime))
		return FALSE;
	kd_target_walk (kernel->target, &regime, hyp, &walk);
	offset = walk.pa - kernel->place.phys_base;
	if (walk.status != KD_WALK_MAPPED || walk.pa < kernel->place.phys_base ||
		offset >= kernel->link_end - kernel->link_base)
		return FALSE;
	*ret_va = kernel->place.virt_base + offset;
	return TRUE;
}

/* The byte of the trampoline that is mapped at `addr` too. */
static gboolean
from_trampoline (KdKernel *kernel, uint64_t addr, uint64_t *ret_va)
{
	const KdArchLinux *layout = kernel->arch->linux_layout;
	KdKernelSymbol start, end, symbol;
	KdWalk walk;
	uint64_t link;

	/* The image is asked for first: it has most, and this is asked for each frame. */
	if (!layout->trampoline_start || kd_kernel_link_addr (kernel, addr, &link) ||
		kd_kernel_symbol_at (kernel, addr, &symbol) ||
		!kd_kernel_symbol (kernel, layout->trampoline_start, &start) ||
		!kd_kernel_symbol (kernel, layout->trampoline_end, &end))
		return FALSE;
	kd_target_walk (kernel->target, kd_kernel_regime (kernel), addr, &walk);
	*ret_va = kernel->place.virt_base + (walk.pa - kernel->place.phys_base);
	return walk.status == KD_WALK_MAPPED && *ret_va >= start.addr && *ret_va < end.addr;
}

gboolean
kd_kernel_pc (KdKernel *kernel, KdCpuMode mode, uint64_t pc, uint64_t *ret_va)
{
	if (mode == KD_CPU_MODE_HYP)
		return kd_kernel_from_hyp (kernel, pc, ret_va);
	if (mode != KD_CPU_MODE_KERNEL)
		return FALSE;
	if (!from_trampoline (kernel, pc, ret_va))
		*ret_va = pc;
	return TRUE;
}

gboolean
kd_kernel_to_hyp (KdKernel *kernel, uint64_t va, uint64_t *ret_hyp)
{
	uint64_t pa = kernel->place.phys_base + (va - kernel->place.virt_base), at = 0, end;
	KdRegime regime;
	unsigned stride, nr_levels;
	KdWalk walk;

	if (!hyp_regime (kernel, &regime))
		return FALSE;
	stride = regime.page_shift - 3;
	nr_levels = (regime.va_bits - regime.page_shift + stride - 1) / stride;
	end = UINT64_C (1) << regime.va_bits;
	for (unsigned i = 0; at < end && i < HYP_WALKS_MAX; i++) {
		uint64_t size, start;

		kd_target_walk (kernel->target, &regime, at, &walk);
		if (walk.nr_levels == 0 || walk.nr_levels > nr_levels)
			return FALSE;
		size = walk.status == KD_WALK_MAPPED
			       ? walk.map_size
			       : UINT64_C (1) << (regime.page_shift +
						  (nr_levels - walk.nr_levels) * stride);
		at &= ~(size - 1);
		start = walk.pa & ~(size - 1);
		if (walk.status == KD_WALK_MAPPED && pa >= start && pa - start < size) {
			*ret_hyp = at + (pa - start);
			return TRUE;
		}
		at += size;
	}
	return FALSE;
}

void
kd_kernel_set_vm_locator (KdKernel *kernel, KdVmLocateFunc func)
{
	kernel->vm_locate = func;
}
