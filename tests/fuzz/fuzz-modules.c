/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "kernel/module.h"
#include "toy-machine.h"

/* In an input: a pointer to the head (bit 31 of the lower half), or so far into the modules. */
#define POINTER UINT32_C (0x6d6f6475)

static void
place (KdTarget *target, const uint8_t *data, size_t size, const char *symbol, size_t room)
{
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t word;

		memcpy (&word, data + i, sizeof word);
		word = GUINT64_FROM_LE (word);
		if (word >> 32 == POINTER)
			word = word >> 31 & 1 ? toy_va (target, "modules")
					      : toy_va (target, "toy_modules") +
							(word & 0xffffffff) % room;
		toy_write_u64 (target, toy_pa (target, symbol) + i, word);
	}
}

/* The head of the list and the modules behind it, which its pointers may lead back into. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	static KdTarget *target;
	static KdKernel *kernel;
	static size_t room;
	g_autofree char *why = NULL;
	const GPtrArray *modules;

	if (!kernel) {
		target = toy_machine_new (TOY_KERNEL);
		kernel = kd_kernel_open (target, &(KdKernelOptions){.vmlinux = TOY_KERNEL}, NULL);
		room = 4 * kd_type_size (kd_image_type_by_name (
				   kd_kernel_image (kernel), "struct module"));
	}
	if (size < 16 || size - 16 > room)
		return 0;
	place (target, data, 16, "modules", room);
	place (target, data + 16, size - 16, "toy_modules", room);
	toy_next_stop (target);
	modules = kd_kernel_modules (kernel, &why);
	g_assert_cmpuint (modules->len, <=, 4096);
	for (guint i = 0; i < modules->len; i++) {
		KdModule *module = g_ptr_array_index (modules, i);
		const GArray *ranges = kd_module_ranges (module);

		g_assert_true (g_utf8_validate (kd_module_name (module), -1, NULL));
		kd_module_state (module);
		kd_module_build_id (module);
		kd_module_symbols_why (module);
		kd_module_types_why (module);
		for (guint j = 0; j < ranges->len; j++)
			g_assert_nonnull (kd_kernel_module_at (
				kernel, g_array_index (ranges, KdModuleRange, j).start));
	}
	kd_kernel_module_at (kernel, TOY_MODULES);
	return 0;
}
