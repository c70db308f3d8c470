/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "kernel/kallsyms.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	/* Aligned, and not a byte longer. */
	g_autofree uint8_t *view = g_memdup2 (data, size);
	size_t at = 0;

	for (unsigned i = 0; i < 16 && kd_kallsyms_find_digits (view, size, at, &at); i++, at++) {
		g_autoptr (KdKallsyms) kallsyms =
			kd_kallsyms_decode (view, size, at, G_MAXUINT64 << 32, NULL, NULL);
		uint64_t addr;

		if (!kallsyms)
			continue;
		g_assert_cmpuint (kallsyms->packed.start + kallsyms->packed.len, <=, size);
		g_assert_cmpuint (kallsyms->offsets.start + kallsyms->offsets.len, <=, size);
		for (guint k = 0; k < kallsyms->symbols->len; k++)
			g_assert_cmpuint (
				g_array_index (kallsyms->symbols, KdKallsymsEntry, k).name, <,
				kallsyms->strings->len);
		kd_kallsyms_addr (kallsyms, "_text", &addr);
	}
	return 0;
}
