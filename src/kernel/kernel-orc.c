/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kernel-orc.h"

#include <string.h>

#include "kernel/kernel-private.h"
#include "kernel/module.h"

/* Rules of one kernel: a quarter to half a million in kernels seen. */
#define RULES_MAX (8U << 20)

struct KdKernelOrc {
	KdOrcTable table;       /* of run-time addresses; nr 0: none */
	uint8_t *ips, *entries; /* what is not the file's */
};

void
kd_kernel_orc_free (KdKernelOrc *orc)
{
	if (!orc)
		return;
	g_free (orc->ips);
	g_free (orc->entries);
	g_free (orc);
}

/* What lies between two symbols: in the file, else copied from memory to *ret_copy. */
static const uint8_t *
section (KdKernel *kernel, const char *start, const char *stop, uint64_t *ret_addr, size_t *ret_len,
	uint8_t **ret_copy)
{
	KdKernelSymbol from, to;
	const uint8_t *bytes;
	uint64_t link;

	if (!kd_kernel_symbol (kernel, start, &from) || !kd_kernel_symbol (kernel, stop, &to) ||
		to.addr <= from.addr || to.addr - from.addr > RULES_MAX * KD_ORC_ENTRY_SIZE)
		return NULL;
	*ret_addr = from.addr;
	*ret_len = (size_t)(to.addr - from.addr);
	if (kernel->image && kd_kernel_link_addr (kernel, from.addr, &link) &&
		(bytes = kd_image_bytes (kernel->image, link, *ret_len)))
		return bytes;
	*ret_copy = g_try_malloc (*ret_len);
	return *ret_copy && kd_kernel_read (
				    kernel, kd_addr_kernel (from.addr), *ret_copy, *ret_len, NULL)
		       ? *ret_copy
		       : NULL;
}

static KdKernelOrc *
load (KdKernel *kernel)
{
	KdKernelOrc *orc = g_new0 (KdKernelOrc, 1);
	KdKernelSymbol header;
	KdOrcLayout layout = kd_orc_layout (
		kernel->image, kd_kernel_symbol (kernel, "__start_orc_header", &header));
	uint64_t ips_addr, entries_addr;
	size_t ips_len, entries_len;
	const uint8_t *ips = section (kernel, "__start_orc_unwind_ip", "__stop_orc_unwind_ip",
		&ips_addr, &ips_len, &orc->ips);
	const uint8_t *entries = ips ? section (kernel, "__start_orc_unwind", "__stop_orc_unwind",
					       &entries_addr, &entries_len, &orc->entries)
				     : NULL;
	g_autoptr (GError) error = NULL;

	if (entries && !kd_orc_init (&orc->table, ips, ips_len, entries, entries_len, ips_addr,
			       &layout, &error))
		g_debug ("kernel: %s", error->message);
	return orc;
}

gboolean
kd_kernel_orc_at (KdKernel *kernel, uint64_t addr, KdOrcEntry *ret_entry)
{
	uint64_t link;

	if (!kd_kernel_link_addr (kernel, addr, &link)) {
		KdModule *module = kd_kernel_module_at (kernel, addr);

		return module && kd_module_orc_at (module, addr, ret_entry);
	}
	if (!kernel->orc)
		kernel->orc = load (kernel);
	return kd_orc_find (&kernel->orc->table, addr, ret_entry);
}

gboolean
kd_kernel_has_orc (const KdKernel *kernel)
{
	KdSymbol symbol;

	return kd_image_symbol_by_name (kernel->image, "__start_orc_unwind", &symbol);
}
