/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/orc.h"

#include <inttypes.h>
#include <string.h>

#include "base/cursor.h"

/* Without types: since 6.4, and before (`signal` was between type and end in 6.2 and 6.3). */
static const KdOrcLayout with_header = {8, 3, 11, -1};
static const KdOrcLayout before_header = {8, 2, -1, 10};

/* ORC_REG_* until 7.0, and since they were numbered anew in 7.1. */
static const KdOrcReg first_regs[16] = {KD_ORC_REG_UNDEFINED, KD_ORC_REG_PREV_SP, KD_ORC_REG_DX,
	KD_ORC_REG_DI, KD_ORC_REG_BP, KD_ORC_REG_SP, KD_ORC_REG_R10, KD_ORC_REG_R13,
	KD_ORC_REG_BP_INDIRECT, KD_ORC_REG_SP_INDIRECT, [10 ... 15] = KD_ORC_REG_UNKNOWN};
static const KdOrcReg second_regs[16] = {KD_ORC_REG_UNDEFINED, KD_ORC_REG_UNKNOWN, KD_ORC_REG_DX,
	KD_ORC_REG_SP, KD_ORC_REG_BP, KD_ORC_REG_DI, KD_ORC_REG_R10, KD_ORC_REG_R13,
	KD_ORC_REG_PREV_SP, KD_ORC_REG_SP_INDIRECT, KD_ORC_REG_BP_INDIRECT,
	[11 ... 15] = KD_ORC_REG_UNKNOWN};

/* Bit of a member in the last 16 bits of an entry; FALSE: no such member there. */
static gboolean
member_bits (const KdType *type, const char *name, int *ret_shift, unsigned *ret_size)
{
	const uint64_t flags = (KD_ORC_ENTRY_SIZE - 2) * 8;
	g_autofree char *bad = NULL;
	KdMember member;

	if (!kd_type_member (type, name, &member, &bad) || member.bit_size == 0 ||
		member.bit_offset < flags || member.bit_offset + member.bit_size > flags + 16)
		return FALSE;
	*ret_shift = (int)(member.bit_offset - flags);
	*ret_size = member.bit_size;
	return TRUE;
}

KdOrcLayout
kd_orc_layout (KdImage *types, gboolean has_header)
{
	const KdType *type = types ? kd_image_type_by_name (types, "struct orc_entry") : NULL;
	KdOrcLayout layout = {.signal_bit = -1, .end_bit = -1};
	unsigned size;
	int shift;

	if (!type || kd_type_size (type) != KD_ORC_ENTRY_SIZE ||
		!member_bits (type, "type", &shift, &layout.type_bits))
		return has_header ? with_header : before_header;
	layout.type_shift = (unsigned)shift;
	if (member_bits (type, "signal", &shift, &size))
		layout.signal_bit = shift;
	if (member_bits (type, "end", &shift, &size))
		layout.end_bit = shift;
	return layout;
}

/* `i` is one of the table's. */
static uint64_t
ip_at (const KdOrcTable *table, size_t i)
{
	const uint8_t *bytes = table->ips + i * KD_ORC_IP_SIZE;
	uint32_t value = bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;

	return table->ips_addr + i * KD_ORC_IP_SIZE + (uint64_t)(int64_t)(int32_t)value;
}

/* Nearly all rules count from SP, and next to none from DI. */
static const KdOrcReg *
regs_of (const uint8_t *entries, size_t nr)
{
	size_t seen[16] = {0};

	for (size_t i = 0; i < nr; i++)
		seen[entries[i * KD_ORC_ENTRY_SIZE + KD_ORC_ENTRY_SIZE - 2] & 15]++;
	return seen[3] > seen[5] ? second_regs : first_regs;
}

gboolean
kd_orc_init (KdOrcTable *table, const void *ips, size_t ips_len, const void *entries,
	size_t entries_len, uint64_t ips_addr, const KdOrcLayout *layout, GError **error)
{
	KdOrcTable init = {ips, entries, ips_len / KD_ORC_IP_SIZE, ips_addr, *layout, first_regs};

	if (ips_len % KD_ORC_IP_SIZE || entries_len % KD_ORC_ENTRY_SIZE ||
		entries_len / KD_ORC_ENTRY_SIZE != init.nr) {
		g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_BAD_INFO,
			"ORC: %zu bytes of addresses and %zu of rules do not match", ips_len,
			entries_len);
		return FALSE;
	}
	for (size_t i = 1; i < init.nr; i++) {
		if (ip_at (&init, i - 1) <= ip_at (&init, i))
			continue;
		g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_BAD_INFO,
			"ORC: entry %zu (0x%" PRIx64 ") is out of order", i, ip_at (&init, i));
		return FALSE;
	}
	init.regs = regs_of (init.entries, init.nr);
	*table = init;
	return TRUE;
}

/* Entries that carry `end` say so in another way since they have a type for it. */
static KdOrcKind
kind_of (const KdOrcLayout *layout, unsigned flags)
{
	unsigned type = flags >> layout->type_shift & ((1U << layout->type_bits) - 1);

	if (layout->end_bit < 0)
		return type <= KD_ORC_REGS_PARTIAL ? (KdOrcKind)type : KD_ORC_UNDEFINED;
	if (flags >> layout->end_bit & 1)
		return KD_ORC_END;
	/* UNWIND_HINT_TYPE_CALL, _REGS, _REGS_PARTIAL. */
	return type <= 2 ? (KdOrcKind)(type + KD_ORC_CALL) : KD_ORC_UNDEFINED;
}

static void
decode (const KdOrcTable *table, size_t i, KdOrcEntry *ret_entry)
{
	KdCursor cursor =
		kd_cursor_init (table->entries + i * KD_ORC_ENTRY_SIZE, KD_ORC_ENTRY_SIZE, FALSE);
	const KdOrcLayout *layout = &table->layout;
	uint16_t sp_offset = 0, bp_offset = 0, flags = 0;

	kd_cursor_next_u16 (&cursor, &sp_offset);
	kd_cursor_next_u16 (&cursor, &bp_offset);
	kd_cursor_next_u16 (&cursor, &flags);
	*ret_entry = (KdOrcEntry){.kind = kind_of (layout, flags),
		.sp_reg = table->regs[flags & 15],
		.bp_reg = table->regs[flags >> 4 & 15],
		.sp_offset = (int16_t)sp_offset,
		.bp_offset = (int16_t)bp_offset};
	/* Before there was such a bit only registers at an exception were that. */
	ret_entry->signal =
		layout->signal_bit >= 0
			? (flags >> layout->signal_bit & 1) != 0
			: ret_entry->kind == KD_ORC_REGS || ret_entry->kind == KD_ORC_REGS_PARTIAL;
	/* A terminator: code that has no rules follows. */
	if (ret_entry->sp_reg == KD_ORC_REG_UNDEFINED && ret_entry->kind != KD_ORC_END)
		ret_entry->kind = KD_ORC_UNDEFINED;
}

gboolean
kd_orc_find (const KdOrcTable *table, uint64_t pc, KdOrcEntry *ret_entry)
{
	size_t low = 0, high = table->nr;

	/* The last whose address is not above. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ip_at (table, middle) <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return FALSE;
	decode (table, low - 1, ret_entry);
	return TRUE;
}
