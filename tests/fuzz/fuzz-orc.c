/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "image/orc.h"

#define BASE 0xffffffff82000000ULL

/* The first byte picks the layout; of the rest four tenths are addresses and six tenths rules. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	KdOrcLayout layout;
	KdOrcTable table;
	KdOrcEntry entry;
	size_t ips_len;

	if (size == 0)
		return 0;
	layout = kd_orc_layout (NULL, data[0] & 1);
	data++;
	size--;
	ips_len = size / 10 * 4;
	if (!kd_orc_init (
		    &table, data, ips_len, data + ips_len, size - ips_len, BASE, &layout, NULL))
		return 0;
	for (uint64_t pc = BASE - 0x1100; pc < BASE + 0x1000; pc += 0x80)
		if (kd_orc_find (&table, pc, &entry))
			g_assert_cmpuint (entry.sp_reg, <=, KD_ORC_REG_UNKNOWN);
	return 0;
}
