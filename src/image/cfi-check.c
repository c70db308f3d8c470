/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/cfi-check.h"

#include <dwarf.h>
#include <string.h>

#include "image/image.h"

#define REMEMBERED_MAX 64
#define PRIMARY_MASK 0xc0 /* the other bits are an operand */

/* Operands, in order: of DWARF 5, 6.4.2, and of the GNU extensions that libdw knows. */
typedef enum {
	NOTHING,
	REG,
	NUMBER, /* LEB128: signed ones are as long */
	BLOCK,
	FIXED, /* that many bytes */
} OperandKind;

typedef struct {
	uint8_t opcode;
	OperandKind operands[2];
	uint8_t fixed;
} Instruction;

static const Instruction instructions[] = {
	{DW_CFA_nop},
	{DW_CFA_set_loc, {FIXED}, 8},
	{DW_CFA_advance_loc1, {FIXED}, 1},
	{DW_CFA_advance_loc2, {FIXED}, 2},
	{DW_CFA_advance_loc4, {FIXED}, 4},
	{DW_CFA_offset_extended, {REG, NUMBER}},
	{DW_CFA_restore_extended, {REG}},
	{DW_CFA_undefined, {REG}},
	{DW_CFA_same_value, {REG}},
	{DW_CFA_register, {REG, REG}},
	{DW_CFA_remember_state},
	{DW_CFA_restore_state},
	{DW_CFA_def_cfa, {REG, NUMBER}},
	{DW_CFA_def_cfa_register, {REG}},
	{DW_CFA_def_cfa_offset, {NUMBER}},
	{DW_CFA_def_cfa_expression, {BLOCK}},
	{DW_CFA_expression, {REG, BLOCK}},
	{DW_CFA_offset_extended_sf, {REG, NUMBER}},
	{DW_CFA_def_cfa_sf, {REG, NUMBER}},
	{DW_CFA_def_cfa_offset_sf, {NUMBER}},
	{DW_CFA_val_offset, {REG, NUMBER}},
	{DW_CFA_val_offset_sf, {REG, NUMBER}},
	{DW_CFA_val_expression, {REG, BLOCK}},
	{DW_CFA_GNU_window_save}, /* arm64: DW_CFA_AARCH64_negate_ra_state */
	{DW_CFA_GNU_args_size, {NUMBER}},
	{DW_CFA_GNU_negative_offset_extended, {REG, NUMBER}},
};

static gboolean
skip_number (KdCursor *cursor)
{
	uint8_t byte;

	do {
		if (!kd_cursor_next_u8 (cursor, &byte))
			return FALSE;
	} while (byte & 0x80);
	return TRUE;
}

static gboolean
skip_operand (KdCursor *cursor, OperandKind kind, unsigned fixed)
{
	uint64_t value;

	switch (kind) {
	case NOTHING:
		return TRUE;
	case REG:
		return kd_cursor_next_uleb (cursor, &value) && value < KD_CFI_REGS_MAX;
	case NUMBER:
		return skip_number (cursor);
	case BLOCK:
		return kd_cursor_next_uleb (cursor, &value) && value <= kd_cursor_left (cursor) &&
		       kd_cursor_skip (cursor, (size_t)value);
	case FIXED:
		return kd_cursor_skip (cursor, fixed);
	}
	return FALSE;
}

static const Instruction *
find_instruction (uint8_t opcode)
{
	for (size_t i = 0; i < G_N_ELEMENTS (instructions); i++)
		if (instructions[i].opcode == opcode)
			return &instructions[i];
	return NULL;
}

static gboolean
instructions_are_sane (KdCursor *cursor)
{
	unsigned remembered = 0;
	uint8_t opcode;

	while (kd_cursor_next_u8 (cursor, &opcode)) {
		const Instruction *known;

		if (opcode & PRIMARY_MASK) {
			/* The register of DW_CFA_offset and DW_CFA_restore has six bits. */
			if ((opcode & PRIMARY_MASK) == DW_CFA_offset && !skip_number (cursor))
				return FALSE;
			continue;
		}
		known = find_instruction (opcode);
		if (!known || !skip_operand (cursor, known->operands[0], known->fixed) ||
			!skip_operand (cursor, known->operands[1], known->fixed) ||
			(opcode == DW_CFA_remember_state && ++remembered > REMEMBERED_MAX))
			return FALSE;
	}
	return TRUE;
}

gboolean
kd_cfi_cie_is_sane (KdCursor cie)
{
	const char *augmentation;
	uint8_t version, reg;

	/* Of the letters that bring data with them none is of .debug_frame: "S" marks the frame of
	 * a signal, "B" the key that return addresses are signed with. */
	if (!kd_cursor_next_u8 (&cie, &version) || !kd_cursor_next_cstr (&cie, &augmentation) ||
		augmentation[strspn (augmentation, "SB")] ||
		(version >= 4 && !kd_cursor_skip (&cie, 2)) || !skip_number (&cie) ||
		!skip_number (&cie))
		return FALSE;
	/* One byte, and since version 3 a number. */
	if (version == 1 ? !kd_cursor_next_u8 (&cie, &reg) : !skip_operand (&cie, REG, 0))
		return FALSE;
	return instructions_are_sane (&cie);
}

gboolean
kd_cfi_fde_is_sane (KdCursor fde)
{
	/* Where its code begins, and how long it is. */
	return kd_cursor_skip (&fde, 16) && instructions_are_sane (&fde);
}
