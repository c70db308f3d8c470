/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>

#include "arch/arm64-insn.h"

/* Relocations of a module's code: ELF for the Arm 64-bit Architecture, 5.7. */

static uint32_t
get_u32 (const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void
put (uint8_t *bytes, size_t width, uint64_t value)
{
	for (size_t i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

static gboolean
fits (int64_t value, unsigned bits)
{
	return value >= -(1LL << (bits - 1)) && value < 1LL << (bits - 1);
}

/* Bits [low + bits) of an instruction become those of `value` from `shift` on. */
static void
put_field (uint8_t *bytes, unsigned low, unsigned bits, uint64_t value)
{
	uint32_t mask = ((1u << bits) - 1) << low;

	put (bytes, 4, (get_u32 (bytes) & ~mask) | ((uint32_t)(value << low) & mask));
}

/* ADR and ADRP: the low two bits are apart. */
static gboolean
put_adr (uint8_t *bytes, int64_t value)
{
	if (!fits (value, 21))
		return FALSE;
	put_field (bytes, 29, 2, (uint64_t)value);
	put_field (bytes, 5, 19, (uint64_t)value >> 2);
	return TRUE;
}

static gboolean
put_branch (uint8_t *bytes, unsigned low, unsigned bits, int64_t offset)
{
	if (!fits (offset, bits + 2) || (offset & 3))
		return FALSE;
	put_field (bytes, low, bits, (uint64_t)offset >> 2);
	return TRUE;
}

static gboolean
put_data (uint32_t type, uint8_t *bytes, size_t len, uint64_t place, uint64_t value)
{
	switch (type) {
	case R_AARCH64_PREL64:
	case R_AARCH64_ABS64:
		if (len < 8)
			return FALSE;
		put (bytes, 8, type == R_AARCH64_PREL64 ? value - place : value);
		return TRUE;
	case R_AARCH64_PREL32:
		if (!fits ((int64_t)(value - place), 32))
			return FALSE;
		put (bytes, 4, value - place);
		return TRUE;
	case R_AARCH64_ABS32:
		put (bytes, 4, value);
		return TRUE;
	default:
		return FALSE;
	}
}

gboolean
kd_arm64_relocate (uint32_t type, uint8_t *bytes, size_t len, uint64_t place, uint64_t value)
{
	static const struct {
		uint32_t type;
		unsigned shift; /* of the low twelve bits */
	} lows[] = {
		{R_AARCH64_ADD_ABS_LO12_NC, 0},
		{R_AARCH64_LDST8_ABS_LO12_NC, 0},
		{R_AARCH64_LDST16_ABS_LO12_NC, 1},
		{R_AARCH64_LDST32_ABS_LO12_NC, 2},
		{R_AARCH64_LDST64_ABS_LO12_NC, 3},
		{R_AARCH64_LDST128_ABS_LO12_NC, 4},
	};

	if (len < 4)
		return FALSE;
	for (size_t i = 0; i < G_N_ELEMENTS (lows); i++)
		if (type == lows[i].type) {
			put_field (bytes, 10, 12, (value & 0xfff) >> lows[i].shift);
			return TRUE;
		}
	switch (type) {
	case R_AARCH64_CALL26:
	case R_AARCH64_JUMP26:
		return put_branch (bytes, 0, 26, (int64_t)(value - place));
	case R_AARCH64_CONDBR19:
		return put_branch (bytes, 5, 19, (int64_t)(value - place));
	case R_AARCH64_TSTBR14:
		return put_branch (bytes, 5, 14, (int64_t)(value - place));
	case R_AARCH64_ADR_PREL_LO21:
		return put_adr (bytes, (int64_t)(value - place));
	case R_AARCH64_ADR_PREL_PG_HI21:
	case R_AARCH64_ADR_PREL_PG_HI21_NC:
		return put_adr (bytes, (int64_t)((value & ~0xfffULL) - (place & ~0xfffULL)) >> 12);
	default:
		return put_data (type, bytes, len, place, value);
	}
}

/*
 * A call that does not reach goes through a few instructions of the module's own:
 * ADRP x16, ADD x16, BR x16 (arch/arm64/kernel/module-plts.c), BTI in front perhaps.
 */
gboolean
kd_arm64_veneer_target (const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_target)
{
	uint32_t adrp, add;
	int64_t page;

	if (len >= 16 && get_u32 (code) == 0xd503245f) { /* BTI c */
		code += 4;
		addr += 4;
		len -= 4;
	}
	if (len < 12)
		return FALSE;
	adrp = get_u32 (code);
	add = get_u32 (code + 4);
	if ((adrp & 0x9f00001f) != 0x90000010 || (add & 0xffc003ff) != 0x91000210 ||
		get_u32 (code + 8) != 0xd61f0200)
		return FALSE;
	page = (int64_t)((uint64_t)(adrp >> 5 & 0x7ffff) << 45) >> 31;
	page |= (int64_t)(adrp >> 29 & 3) << 12;
	*ret_target = (addr & ~0xfffULL) + (uint64_t)page + (add >> 10 & 0xfff);
	return TRUE;
}
