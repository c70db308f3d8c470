/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "arch/arm64.h"
#include "arch/x86-64.h"
#include "base/cursor.h"
#include "fuzz.h"

/*
 * Page walks by tables that the machine may have filled with anything, under registers that it may
 * have set to anything: four numbers (which walk, two registers, an address), then the memory,
 * which repeats for ever.
 */
typedef struct {
	const uint8_t *bytes;
	size_t size;
	unsigned nr_reads;
} Memory;

static gboolean
read_phys (void *data, uint64_t pa, void *buf, size_t len, GError **error)
{
	Memory *memory = data;

	g_assert_cmpuint (++memory->nr_reads, <=, KD_WALK_LEVELS_MAX);
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = memory->bytes[(pa + i) % memory->size];
	/* There is a hole. */
	return pa >> 12 != 0x666;
}

static void
walk (const KdArch *arch, const KdRegime *regime, uint64_t va, Memory *memory)
{
	KdWalk walked;
	g_autofree char *leaf = NULL;

	memory->nr_reads = 0;
	arch->walk (regime, va, read_phys, memory, &walked);
	g_assert_cmpuint (walked.nr_levels, <=, KD_WALK_LEVELS_MAX);
	for (unsigned i = 0; i < walked.nr_levels; i++)
		g_assert_nonnull (walked.levels[i].name);
	if (walked.status != KD_WALK_MAPPED)
		return;
	g_assert_cmpuint (walked.nr_levels, >, 0);
	g_assert_cmphex (walked.map_size & (walked.map_size - 1), ==, 0);
	g_assert_cmphex (walked.map_size, >=, 4096);
	/* The byte asked for, in what is mapped. */
	g_assert_cmphex (walked.pa % 4096, ==, va % 4096);
	leaf = arch->describe_leaf (regime, &walked);
	g_assert_nonnull (leaf);
}

static uint64_t
take_u64 (KdCursor *cursor)
{
	uint64_t value = 0;

	kd_cursor_next_u64 (cursor, &value);
	return value;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	KdCursor cursor;
	uint64_t kind, one, two, va;
	KdRegime regime;
	Memory memory;

	if (size < 4 * 8 + 8)
		return 0;
	cursor = kd_cursor_init (data, 4 * 8, FALSE);
	kind = take_u64 (&cursor);
	one = take_u64 (&cursor);
	two = take_u64 (&cursor);
	va = take_u64 (&cursor);
	memory = (Memory){data + 4 * 8, size - 4 * 8, 0};
	switch (kind % 4) {
	case 0:
		if (kd_arm64_regime_from_tcr (one, two, kind >> 2 & 1, kind >> 3 & 1, &regime))
			walk (&kd_arch_arm64, &regime, va, &memory);
		break;
	case 1:
		if (kd_arm64_regime_from_vtcr (one, two, &regime))
			walk (&kd_arch_arm64, &regime, va, &memory);
		break;
	case 2:
		regime = (KdRegime){.root = one,
			.va_bits = two & 1 ? 57 : 48,
			.pa_bits = 52,
			.page_shift = 12,
			.upper = va >> 63,
			.flags = two & KD_X86_64_REGIME_NO_NX};
		walk (&kd_arch_x86_64, &regime, va, &memory);
		regime = kd_x86_64_nested_regime (one, &regime);
		walk (&kd_arch_x86_64, &regime, va, &memory);
		break;
	default:
		regime = (KdRegime){.va_bits = 48, .pa_bits = 52, .page_shift = 12};
		regime = kd_x86_64_ept_regime (one, kind >> 2 & 7, kind >> 5 & 1, &regime);
		walk (&kd_arch_x86_64, &regime, va, &memory);
	}
	return 0;
}
