/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/x86-64.h"

#include <elf.h>
#include <string.h>

#define OPCODE_CALL 0xe8
#define OPCODE_JMP 0xe9
#define PREFIX_CS 0x2e
#define OPCODE_JMP_SHORT 0xeb
#define OPCODE_GROUP5 0xff /* /2: near indirect call */

static int32_t
s32_at (const uint8_t *bytes)
{
	return (int32_t)(bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24);
}

/* Bytes of FF /2 with this ModRM (and SIB) byte; 0: no call. SDM 2A, table 2-2. */
static unsigned
indirect_length (const uint8_t *insn)
{
	uint8_t mod = insn[1] >> 6, rm = insn[1] & 7;
	unsigned len = 2;

	if (insn[0] != OPCODE_GROUP5 || (insn[1] >> 3 & 7) != 2)
		return 0;
	if (mod == 3)
		return len;
	if (rm == 4) {
		len++;
		if (mod == 0 && (insn[2] & 7) == 5)
			return len + 4;
	}
	if (mod == 0)
		return rm == 5 ? len + 4 : len;
	return len + (mod == 1 ? 1 : 4);
}

/* The start of an indirect call that ends where the code does: 0: there is none. */
static unsigned
indirect_before (const uint8_t code[KD_CALL_BYTES_MAX])
{
	for (unsigned len = 2; len < KD_CALL_BYTES_MAX; len++) {
		const uint8_t *at = code + KD_CALL_BYTES_MAX - len;

		if (indirect_length (at) != len)
			continue;
		/* A REX prefix names the upper half of the registers. */
		return (at[-1] & 0xf0) == 0x40 ? len + 1 : len;
	}
	return 0;
}

void
kd_x86_64_call_before (
	const uint8_t code[KD_CALL_BYTES_MAX], uint64_t return_addr, KdCall *ret_call)
{
	unsigned indirect = indirect_before (code);
	const uint8_t *direct = code + KD_CALL_BYTES_MAX - 5;

	/*
	 * Instructions are of any length, so bytes may read as one thing or the other: a direct
	 * call is the commoner, and its target can be checked.
	 */
	if (*direct == OPCODE_CALL)
		*ret_call = (KdCall){.kind = KD_CALL_DIRECT,
			.addr = return_addr - 5,
			.target = return_addr + (uint64_t)(int64_t)s32_at (direct + 1),
			.maybe_indirect = indirect != 0};
	else
		*ret_call = (KdCall){.kind = indirect ? KD_CALL_INDIRECT : KD_CALL_NONE,
			.addr = return_addr - indirect};
}

gboolean
kd_x86_64_jump_at (const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_target)
{
	/* Compilers put a CS prefix in front of jumps to thunks, so that there is room. */
	if (len >= 6 && code[0] == PREFIX_CS && code[1] == OPCODE_JMP) {
		*ret_target = addr + 6 + (uint64_t)(int64_t)s32_at (code + 2);
		return TRUE;
	}
	if (len >= 5 && code[0] == OPCODE_JMP) {
		*ret_target = addr + 5 + (uint64_t)(int64_t)s32_at (code + 1);
		return TRUE;
	}
	if (len >= 2 && code[0] == OPCODE_JMP_SHORT) {
		*ret_target = addr + 2 + (uint64_t)(int64_t)(int8_t)code[1];
		return TRUE;
	}
	return FALSE;
}

/* Jcc: 7x rel8, 0F 8x rel32. */
gboolean
kd_x86_64_branch_at (const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_target)
{
	if (len >= 6 && code[0] == 0x0f && (code[1] & 0xf0) == 0x80) {
		*ret_target = addr + 6 + (uint64_t)(int64_t)s32_at (code + 2);
		return TRUE;
	}
	if (len >= 2 && (code[0] & 0xf0) == 0x70) {
		*ret_target = addr + 2 + (uint64_t)(int64_t)(int8_t)code[1];
		return TRUE;
	}
	return FALSE;
}

/* FF /4, whatever its operand; behind REX where that is one of the upper registers. */
gboolean
kd_x86_64_indirect_jump_at (const uint8_t *code, size_t len)
{
	if (len >= 3 && (code[0] & 0xf0) == 0x40) {
		code++;
		len--;
	}
	return len >= 2 && code[0] == OPCODE_GROUP5 && (code[1] >> 3 & 7) == 4;
}

/* head_64.S pushes where to go on and where to go, and returns there: 48 CB. */
gboolean
kd_x86_64_far_jump_before (const uint8_t code[KD_CALL_BYTES_MAX])
{
	return code[KD_CALL_BYTES_MAX - 2] == 0x48 && code[KD_CALL_BYTES_MAX - 1] == 0xcb;
}

/* Immediate operands by themselves. */
gboolean
kd_x86_64_const_at (const uint8_t *now, const uint8_t *file, size_t len, uint64_t *ret_value)
{
	*ret_value = 0;
	for (size_t i = len; i-- > 0;)
		*ret_value = *ret_value << 8 | now[i];
	return TRUE;
}

/* asm/nops.h: 90, or 0F 1F with an operand of no displacement, behind operand-size and CS prefixes.
 */
gboolean
kd_x86_64_nop_at (const uint8_t *code, size_t len)
{
	/* The third is what a sealed ENDBR became (asm/ibt.h, gen_endbr_poison()). */
	static const char *const operands[] = {"\x00", "\x40\x00", "\x40\xd6", "\x44\x00\x00",
		"\x80\x00\x00\x00\x00", "\x84\x00\x00\x00\x00\x00"};
	static const size_t lens[] = {1, 2, 2, 3, 5, 6};

	while (len > 1 && (*code == 0x66 || *code == 0x2e)) {
		code++;
		len--;
	}
	if (len == 1)
		return *code == 0x90;
	if (len < 3 || code[0] != 0x0f || code[1] != 0x1f)
		return FALSE;
	for (size_t i = 0; i < G_N_ELEMENTS (lens); i++)
		if (len - 2 == lens[i] && memcmp (code + 2, operands[i], lens[i]) == 0)
			return TRUE;
	return FALSE;
}

/* arch/x86/kernel/module.c, __write_relocate_add() */
gboolean
kd_x86_64_relocate (uint32_t type, uint8_t *bytes, size_t len, uint64_t place, uint64_t value)
{
	size_t width = 4;

	switch (type) {
	case R_X86_64_64:
		width = 8;
		break;
	case R_X86_64_PC64:
		width = 8;
		value -= place;
		break;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		value -= place;
		break;
	case R_X86_64_32:
	case R_X86_64_32S:
		break;
	default:
		return FALSE;
	}
	if (len < width)
		return FALSE;
	for (size_t i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	return TRUE;
}
