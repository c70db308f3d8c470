/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm64-insn.h"

#define SP_BIT (1u << 31)

static unsigned
field (uint32_t insn, unsigned low, unsigned bits)
{
	return insn >> low & ((1u << bits) - 1);
}

static int64_t
signed_field (uint32_t insn, unsigned low, unsigned bits)
{
	return (int64_t)((uint64_t)(insn >> low) << (64 - bits)) >> (64 - bits);
}

/* A register number where 31 is the zero register: nothing changes. */
static uint32_t
gpr_bit (unsigned reg)
{
	return reg < 31 ? 1u << reg : 0;
}

static gboolean
decode_branch (uint32_t insn, uint64_t addr, KdArm64Insn *ret)
{
	if ((insn & 0x7c000000) == 0x14000000) {
		ret->kind = insn >> 31 ? KD_ARM64_BL : KD_ARM64_B;
		ret->target = addr + (uint64_t)(signed_field (insn, 0, 26) * 4);
		/* What a callee keeps is the caller's business: only the link register for sure. */
		ret->writes = insn >> 31 ? 1u << 30 : 0;
		return TRUE;
	}
	if ((insn & 0xff000000) == 0x54000000 || (insn & 0x7e000000) == 0x34000000) {
		ret->kind = KD_ARM64_BRANCH_MAYBE;
		ret->target = addr + (uint64_t)(signed_field (insn, 5, 19) * 4);
		return TRUE;
	}
	if ((insn & 0x7e000000) == 0x36000000) {
		ret->kind = KD_ARM64_BRANCH_MAYBE;
		ret->target = addr + (uint64_t)(signed_field (insn, 5, 14) * 4);
		return TRUE;
	}
	if ((insn & 0xfe000000) == 0xd6000000) {
		/* The signed forms (BRAA, RETAA, …) differ in bits this leaves out. */
		switch (field (insn, 21, 4) & 7) {
		case 0:
			ret->kind = KD_ARM64_BR;
			break;
		case 1:
			ret->kind = KD_ARM64_BLR;
			ret->writes = 1u << 30;
			break;
		case 2:
			ret->kind = KD_ARM64_RET;
			break;
		case 4:
			ret->kind = KD_ARM64_ERET;
			break;
		default:
			return FALSE;
		}
		ret->rn = (uint8_t)field (insn, 5, 5);
		/* RETAA and RETAB name no register: it is the link register. */
		if (ret->kind == KD_ARM64_RET && ret->rn == 31)
			ret->rn = 30;
		return TRUE;
	}
	if ((insn & 0xffe0001f) == 0xd4000002) {
		ret->kind = KD_ARM64_HVC;
		return TRUE;
	}
	return FALSE;
}

static gboolean
decode_system (uint32_t insn, KdArm64Insn *ret)
{
	if ((insn & 0xffd00000) != 0xd5100000)
		return FALSE;
	ret->kind = field (insn, 21, 1) ? KD_ARM64_MRS : KD_ARM64_MSR;
	ret->rd = (uint8_t)field (insn, 0, 5);
	ret->sysreg = field (insn, 5, 15) | 1u << 15;
	if (ret->kind == KD_ARM64_MRS)
		ret->writes = gpr_bit (ret->rd);
	return TRUE;
}

static gboolean
decode_arithmetic (uint32_t insn, KdArm64Insn *ret)
{
	ret->rd = (uint8_t)field (insn, 0, 5);
	ret->rn = (uint8_t)field (insn, 5, 5);
	ret->rm = (uint8_t)field (insn, 16, 5);
	if ((insn & 0xbf800000) == 0x91000000) { /* ADD, SUB immediate, 64 bits */
		int64_t imm = (int64_t)field (insn, 10, 12) << (field (insn, 22, 1) ? 12 : 0);

		ret->kind = KD_ARM64_ADD;
		ret->imm = field (insn, 30, 1) ? -imm : imm;
		ret->writes = 1u << ret->rd;
		return TRUE;
	}
	if ((insn & 0xbfe0fc00) == 0x8b206000) { /* extended register, UXTX, no shift */
		ret->kind = field (insn, 30, 1) ? KD_ARM64_SUB_REG : KD_ARM64_ADD_REG;
		ret->writes = 1u << ret->rd;
		return ret->rm != 31;
	}
	if ((insn & 0xbfe0fc00) == 0x8b000000 && ret->rd != 31 && ret->rn != 31 && ret->rm != 31) {
		ret->kind = field (insn, 30, 1) ? KD_ARM64_SUB_REG : KD_ARM64_ADD_REG;
		ret->writes = 1u << ret->rd;
		return TRUE;
	}
	if ((insn & 0xffe0ffe0) == 0xaa0003e0) {
		ret->kind = KD_ARM64_MOV;
		ret->writes = gpr_bit (ret->rd);
		return TRUE;
	}
	return FALSE;
}

static gboolean
decode_memory (uint32_t insn, KdArm64Insn *ret)
{
	gboolean load;

	ret->rd = (uint8_t)field (insn, 0, 5);
	ret->rn = (uint8_t)field (insn, 5, 5);
	ret->rt2 = KD_ARM64_NO_REG;
	load = field (insn, 22, 1);
	if ((insn & 0xfe000000) == 0xa8000000 && field (insn, 23, 2) != 0) { /* LDP, STP */
		static const KdArm64Index index[] = {
			KD_ARM64_OFFSET, KD_ARM64_POST_INDEX, KD_ARM64_OFFSET, KD_ARM64_PRE_INDEX};

		ret->rt2 = (uint8_t)field (insn, 10, 5);
		ret->index = index[field (insn, 23, 2)];
		ret->imm = signed_field (insn, 15, 7) * 8;
	} else if ((insn & 0xff800000) == 0xf9000000) { /* LDR, STR, scaled offset */
		ret->index = KD_ARM64_OFFSET;
		ret->imm = (int64_t)field (insn, 10, 12) * 8;
	} else if ((insn & 0xffa00000) == 0xf8000000 && field (insn, 10, 2) != 2) {
		static const KdArm64Index index[] = {
			KD_ARM64_OFFSET, KD_ARM64_POST_INDEX, KD_ARM64_OFFSET, KD_ARM64_PRE_INDEX};

		ret->index = index[field (insn, 10, 2)];
		ret->imm = signed_field (insn, 12, 9);
	} else {
		return FALSE;
	}
	ret->kind = load ? KD_ARM64_LOAD : KD_ARM64_STORE;
	if (load)
		ret->writes =
			gpr_bit (ret->rd) | (ret->rt2 != KD_ARM64_NO_REG ? gpr_bit (ret->rt2) : 0);
	if (ret->index != KD_ARM64_OFFSET)
		ret->writes |= 1u << ret->rn;
	return TRUE;
}

/* Exclusives, ordered accesses, compare-and-swap: C4.1, by bits o2, L and o1. */
static uint32_t
exclusive_may_write (uint32_t insn)
{
	unsigned rt = field (insn, 0, 5), rs = field (insn, 16, 5);
	gboolean load = field (insn, 22, 1);

	switch (field (insn, 23, 1) << 1 | field (insn, 21, 1)) {
	case 0: /* STXR, LDXR */
		return gpr_bit (load ? rt : rs);
	case 1:
		if (!(insn >> 31)) /* CASP */
			return gpr_bit (rs) | gpr_bit (rs + 1);
		return load ? gpr_bit (rt) | gpr_bit (field (insn, 10, 5)) : gpr_bit (rs);
	case 2: /* STLR, LDAR */
		return load ? gpr_bit (rt) : 0;
	default: /* CAS */
		return gpr_bit (rs);
	}
}

static uint32_t
load_may_write (uint32_t insn)
{
	unsigned rd = field (insn, 0, 5), rn = field (insn, 5, 5);
	gboolean vector = field (insn, 26, 1);
	uint32_t writes = 0;

	if ((insn & 0x38000000) == 0x28000000) { /* pairs */
		if (!vector && field (insn, 22, 1))
			writes |= gpr_bit (rd) | gpr_bit (field (insn, 10, 5));
		if (field (insn, 23, 1))
			writes |= 1u << rn;
		return writes;
	}
	if ((insn & 0x3b000000) == 0x39000000) /* scaled offset */
		return !vector && field (insn, 22, 2) ? gpr_bit (rd) : 0;
	if ((insn & 0x3b200000) == 0x38000000) { /* unscaled, pre, post */
		if (!vector && field (insn, 22, 2))
			writes |= gpr_bit (rd);
		return writes | (field (insn, 10, 1) ? 1u << rn : 0);
	}
	if ((insn & 0x3b200c00) == 0x38200800) /* register offset */
		return !vector && field (insn, 22, 2) ? gpr_bit (rd) : 0;
	if ((insn & 0x3f200c00) == 0x38200000 ||   /* atomics */
		(insn & 0x3f000000) == 0x18000000) /* literal */
		return gpr_bit (rd);
	if ((insn & 0x3f000000) == 0x08000000)
		return exclusive_may_write (insn);
	/* Tags, memory copies and what else: whatever register they name. */
	return gpr_bit (rd) | gpr_bit (rn) | gpr_bit (field (insn, 16, 5)) |
	       gpr_bit (field (insn, 10, 5));
}

/* What an instruction of no kind above may change, by its encoding group (C4.1). */
static uint32_t
may_write (uint32_t insn)
{
	unsigned op0 = field (insn, 25, 4), rd = field (insn, 0, 5);

	if ((op0 & 0xe) == 0x8) { /* data processing, immediate */
		/* 31 is SP but for those that set flags. */
		gboolean flags =
			(insn & 0x3f800000) == 0x31000000 || (insn & 0x7f800000) == 0x72000000;

		return flags ? gpr_bit (rd) : 1u << rd;
	}
	if ((op0 & 0x7) == 0x5) /* data processing, register: only extended ADD and SUB reach SP */
		return rd < 31 ? 1u << rd : (insn & 0x3fe00000) == 0x0b200000 ? SP_BIT : 0;
	if ((op0 & 0x5) == 0x4)
		return load_may_write (insn);
	if ((insn & 0xffc00000) == 0xd5000000) /* barriers, hints, PSTATE, SYS; SYSL writes */
		return (insn & 0xfff80000) == 0xd5280000 ? gpr_bit (rd) : 0;
	if ((op0 & 0x7) == 0x7) /* floating point: FMOV, UMOV to a general register */
		return gpr_bit (rd);
	if ((insn & 0xff000000) == 0xd4000000) /* BRK, SVC, SMC: what a call may change */
		return 0x3ffff;
	return 0;
}

void
kd_arm64_decode (uint32_t insn, uint64_t addr, KdArm64Insn *ret_insn)
{
	KdArm64Insn decoded = {.rt2 = KD_ARM64_NO_REG};

	if (decode_branch (insn, addr, &decoded) || decode_system (insn, &decoded) ||
		decode_arithmetic (insn, &decoded) || decode_memory (insn, &decoded)) {
		*ret_insn = decoded;
		return;
	}
	*ret_insn = (KdArm64Insn){
		.kind = KD_ARM64_OTHER, .rt2 = KD_ARM64_NO_REG, .writes = may_write (insn)};
}

/* --- addresses of data --- */

#define CALLER_SAVED 0x7ffff /* X0 to X18, AAPCS64 6.1.1 */

typedef struct {
	uint64_t value[32];
	uint32_t known;
	uint64_t *refs;
	unsigned nr, max;
} DataRefs;

static void
take_ref (DataRefs *data, uint64_t addr)
{
	if (data->nr < data->max)
		data->refs[data->nr++] = addr;
}

static void
set_value (DataRefs *data, unsigned reg, uint64_t value)
{
	data->value[reg] = value;
	data->known |= gpr_bit (reg);
}

/* `insn` is decoded, and its base register known. */
static void
take_access (DataRefs *data, const KdArm64Insn *insn)
{
	uint64_t base = data->value[insn->rn], next = base + (uint64_t)insn->imm;
	uint64_t at = insn->index == KD_ARM64_POST_INDEX ? base : next;

	take_ref (data, at);
	if (insn->rt2 != KD_ARM64_NO_REG)
		take_ref (data, at + 8);
	data->known &= ~insn->writes;
	if (insn->index != KD_ARM64_OFFSET)
		set_value (data, insn->rn, next);
}

static void
take_decoded (DataRefs *data, const KdArm64Insn *insn)
{
	uint64_t base = data->value[insn->rn], moved = data->value[insn->rm];
	gboolean base_known = data->known & gpr_bit (insn->rn);
	gboolean moved_known = data->known & gpr_bit (insn->rm);

	if (base_known && (insn->kind == KD_ARM64_LOAD || insn->kind == KD_ARM64_STORE)) {
		take_access (data, insn);
		return;
	}
	data->known &= ~insn->writes;
	if (insn->kind == KD_ARM64_BL || insn->kind == KD_ARM64_BLR)
		data->known &= ~CALLER_SAVED;
	if (insn->kind == KD_ARM64_ADD && base_known) {
		set_value (data, insn->rd, base + (uint64_t)insn->imm);
		take_ref (data, base + (uint64_t)insn->imm);
	} else if (insn->kind == KD_ARM64_MOV && moved_known)
		set_value (data, insn->rd, moved);
}

unsigned
kd_arm64_data_refs (
	const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_refs, unsigned max)
{
	DataRefs data = {.refs = ret_refs, .max = max};

	for (size_t at = 0; at + 4 <= len && data.nr < max; at += 4) {
		uint32_t insn = (uint32_t)code[at] | (uint32_t)code[at + 1] << 8 |
				(uint32_t)code[at + 2] << 16 | (uint32_t)code[at + 3] << 24;
		unsigned rn = field (insn, 5, 5);
		KdArm64Insn decoded;

		if ((insn & 0x1f000000) == 0x10000000) { /* ADR, ADRP */
			uint64_t imm =
				(uint64_t)signed_field (insn, 5, 19) << 2 | field (insn, 29, 2);
			gboolean is_page = insn >> 31;
			uint64_t base = is_page ? (addr + at) & ~0xfffULL : addr + at;

			set_value (&data, field (insn, 0, 5), base + (is_page ? imm << 12 : imm));
			if (!is_page)
				take_ref (&data, base + imm);
			continue;
		}
		/* Loads and stores of less than 64 bits, unsigned offset. */
		if ((insn & 0x3f000000) == 0x39000000 && insn >> 30 != 3 &&
			(data.known & gpr_bit (rn)))
			take_ref (&data,
				data.value[rn] + ((uint64_t)field (insn, 10, 12) << (insn >> 30)));
		kd_arm64_decode (insn, addr + at, &decoded);
		take_decoded (&data, &decoded);
	}
	return data.nr;
}

static uint32_t
insn_at (const uint8_t *code)
{
	return code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24;
}

gboolean
kd_arm64_const_at (const uint8_t *now, const uint8_t *file, size_t len, uint64_t *ret_value)
{
	uint64_t value = 0;

	/* UBFM: its immr is of a shift, and without one its imms of a mask. */
	if (len == 4 && !field (insn_at (file), 16, 6)) {
		*ret_value = ~0ULL >> (63 - field (insn_at (now), 10, 6));
		return ((insn_at (now) ^ insn_at (file)) & ~(0x3fu << 10)) == 0;
	}
	if (len == 4) {
		*ret_value = field (insn_at (now), 16, 6);
		return ((insn_at (now) ^ insn_at (file)) & ~(0x3fu << 16)) == 0;
	}
	for (size_t at = 0; at + 4 <= len; at += 4) {
		uint32_t insn = insn_at (now + at);

		if ((insn ^ insn_at (file + at)) & ~(0xffffu << 5))
			return FALSE;
		value |= (uint64_t)field (insn, 5, 16) << 16 * field (insn, 21, 2);
	}
	*ret_value = value;
	return TRUE;
}

/* Another number in the same instruction: kvm/va_layout.c, kernel/proton-pack.c. */
static gboolean
is_other_number (uint32_t now, uint32_t file)
{
	static const struct {
		uint32_t mask, value, number;
	} rows[] = {
		{0x1f800000, 0x12800000, 0xffffu << 5},            /* MOVN, MOVZ, MOVK */
		{0x1f800000, 0x12000000, 0x1fffu << 10},           /* AND, ORR, … */
		{0x1f000000, 0x11000000, 0xfffu << 10 | 1u << 22}, /* ADD, SUB */
		{0x1f800000, 0x13800000, 0x3fu << 10},             /* EXTR: ROR */
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
		if ((file & rows[i].mask) == rows[i].value)
			return ((now ^ file) & ~rows[i].number) == 0;
	return FALSE;
}

#define NOP 0xd503201fu

gboolean
kd_arm64_callback_insn (const uint8_t *now_bytes, const uint8_t *file_bytes)
{
	static const uint32_t in_nops[] = {
		0xd4000002, /* HVC #0 */
		0xd4000003, /* SMC #0 */
		0xd50322df, /* CLRBHB */
		0xd500419f, /* MSR PAN, #1 */
		0xa9bf07e0, /* STP x0, x1, [sp, #-16]!: kvm_patch_vector_branch() */
		0xd61f0000, /* BR x0: the same */
	};
	uint32_t now = insn_at (now_bytes), file = insn_at (file_bytes);

	if (is_other_number (now, file))
		return TRUE;
	/* MOV of another register became one of a number: ORR wd, wzr, #imm. */
	if ((file & 0x7fe0ffe0) == 0x2a0003e0)
		return (now & 0x7f8003ff) == (0x320003e0 | (file & 0x1f));
	if (file != NOP && (file & 0xfc000000) != 0x14000000)
		return FALSE;
	for (size_t i = 0; i < G_N_ELEMENTS (in_nops); i++)
		if (now == in_nops[i])
			return TRUE;
	/* MOVZ and MOVK of x0. */
	return (now & 0xff80001f) == 0xd2800000 || (now & 0xff80001f) == 0xf2800000;
}
