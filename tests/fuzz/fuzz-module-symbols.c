/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-kernel.h"
#include "fuzz.h"
#include "kernel/module-symbols.h"

/* Two bytes say how many symbols there are, two where their names begin; all lies in one piece. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	KdModuleSymbols *symbols;
	KdKernelSymbol symbol;
	const KdKernelSymbol *all;
	KdKernel *kernel;
	unsigned nr;

	if (size < 4 || size > 1U << 16)
		return 0;
	kernel = fake_kernel_new();
	fake_kernel_map (kernel, FAKE_HEAP, size);
	fake_kernel_write (kernel, FAKE_HEAP, data, size);
	symbols = kd_module_symbols_read (kernel, "m", FAKE_HEAP + 4,
		(uint64_t)(data[0] | data[1] << 8), FAKE_HEAP + (uint64_t)(data[2] | data[3] << 8),
		size > 64 ? FAKE_HEAP : 0, NULL);
	if (symbols) {
		all = kd_module_symbols_all (symbols, &nr);
		for (unsigned i = 0; i < nr; i++) {
			g_assert_true (kd_module_symbols_by_name (symbols, all[i].name, &symbol));
			kd_module_symbols_by_addr (symbols, all[i].addr, &symbol);
			kd_module_symbols_by_addr (symbols, all[i].addr + all[i].size, &symbol);
		}
		kd_module_symbols_free (symbols);
	}
	kd_kernel_free (kernel);
	return 0;
}
