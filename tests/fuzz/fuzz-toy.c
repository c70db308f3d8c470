/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz-toy.h"

#include <string.h>

KdKernel *
fuzz_toy_kernel (void)
{
	static KdKernel *kernel;

	if (!kernel)
		kernel = kd_kernel_open (toy_machine_new (TOY_KERNEL),
			&(KdKernelOptions){.vmlinux = TOY_KERNEL}, NULL);
	g_assert_nonnull (kernel);
	return kernel;
}

static uint64_t
decode (KdTarget *target, const FuzzToyPiece *pieces, unsigned nr_pieces, const uint8_t *data,
	size_t size)
{
	uint8_t bytes[8] = {0};
	uint64_t word;

	memcpy (bytes, data, MIN (size, sizeof bytes));
	memcpy (&word, bytes, sizeof word);
	word = GUINT64_FROM_LE (word);
	if (word >> 32 != FUZZ_TOY_POINTER)
		return word;
	return toy_va (target, pieces[(word >> 28 & 15) % nr_pieces].symbol) +
	       (word & 0xfffffff) % 4096;
}

void
fuzz_toy_place (const FuzzToyPiece *pieces, unsigned nr_pieces, const uint8_t *data, size_t size)
{
	KdKernel *kernel = fuzz_toy_kernel();
	KdTarget *target = kd_kernel_target (kernel);

	for (unsigned i = 0; i < nr_pieces; i++) {
		uint64_t pa = toy_pa (target, pieces[i].symbol);
		size_t len = pieces[i].len;
		KdKernelSymbol symbol;

		g_assert_true (kd_kernel_symbol (kernel, pieces[i].symbol, &symbol));
		len = len ? len : (size_t)symbol.size;
		for (size_t at = 0; at < len; at += 8) {
			size_t part = MIN (len - at, 8), have = MIN (part, size);
			uint64_t word =
				GUINT64_TO_LE (decode (target, pieces, nr_pieces, data, have));

			toy_write (target, pa + at, &word, part);
			data += have;
			size -= have;
		}
	}
	toy_next_stop (target);
}
