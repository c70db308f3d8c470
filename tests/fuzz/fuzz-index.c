/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "image/image-private.h"

/*
 * A cache file with a true checksum and any contents: its readers must check every number in it.
 * What it indexes is small and fixed.
 */
static const char strings[] = "\0outer\0inner\0middle";

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autofree uint8_t *copy = g_memdup2 (data, size);
	KdImage image = {.strings = strings, .strings_len = sizeof strings};
	KdIndexKey key;
	KdSymbol symbol;
	KdCfiRow row;

	kd_index_reseal (copy, size);
	if (!kd_index_claimed_key (copy, size, &key) ||
		!kd_index_init (&image.index, copy, size, &key))
		return 0;
	for (unsigned i = 0; i < KD_INDEX_NR_TABLES; i++)
		g_assert_true (
			image.index.tables[i].nr == 0 ||
			((const uint8_t *)image.index.tables[i].entries >= copy &&
				(const uint8_t *)image.index.tables[i].entries < copy + size));
	kd_image_symbol_by_name (&image, "inner", &symbol);
	for (uint64_t addr = 0x400000; addr < 0x400400; addr += 16) {
		kd_image_symbol_by_addr (&image, addr, &symbol);
		kd_image_cfi_at (&image, addr, &row);
		g_array_unref (kd_image_lines_at (&image, addr));
	}
	kd_image_symbol_by_addr (&image, UINT64_MAX, &symbol);
	g_array_unref (kd_image_symbols_by_name (&image, "outer"));
	return 0;
}
