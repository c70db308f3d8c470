/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm64-insn.h"
#include "arch/flow.h"

#define SP 31
#define CALL_CHANGES 0x4007ffffu /* X0 to X18 and X30, AAPCS64 6.1.1 */

static unsigned
field (uint32_t insn, unsigned low, unsigned bits)
{
	return insn >> low & ((1u << bits) - 1);
}

static KdFlowOp *
add_op (KdFlowInsn *flow, KdFlowKind kind, unsigned rd, unsigned rn)
{
	KdFlowOp *op = &flow->ops[flow->nr_ops++];

	*op = (KdFlowOp){.kind = kind, .rd = (uint8_t)rd, .rn = (uint8_t)rn, .rm = KD_FLOW_NO_REG};
	return op;
}

static void
add_change (KdFlowInsn *flow, uint64_t mask)
{
	if (mask)
		add_op (flow, KD_FLOW_CHANGE, KD_FLOW_NO_REG, KD_FLOW_NO_REG)->mask = mask;
}

static void
add_set (KdFlowInsn *flow, unsigned rd, uint64_t value)
{
	if (rd != 31)
		add_op (flow, KD_FLOW_SET, rd, KD_FLOW_NO_REG)->imm = (int64_t)value;
}

static void
add_add (KdFlowInsn *flow, unsigned rd, unsigned rn, int64_t imm)
{
	add_op (flow, KD_FLOW_ADD, rd, rn)->imm = imm;
}

/* --- of 64 bits --- */

static void
add_access (KdFlowInsn *flow, KdFlowKind kind, unsigned reg, unsigned base, int64_t imm)
{
	KdFlowOp *op;

	if (kind == KD_FLOW_LOAD && reg == 31)
		return;
	op = add_op (flow, kind, reg == 31 ? KD_FLOW_NO_REG : reg, base);
	op->imm = imm;
	op->bytes = 8;
}

static void
decode_access (const KdArm64Insn *insn, KdFlowInsn *flow)
{
	KdFlowKind kind = insn->kind == KD_ARM64_LOAD ? KD_FLOW_LOAD : KD_FLOW_STORE;
	gboolean pair = insn->rt2 != KD_ARM64_NO_REG;
	int64_t imm = insn->index == KD_ARM64_OFFSET ? insn->imm : 0;

	if (insn->index == KD_ARM64_PRE_INDEX)
		add_add (flow, insn->rn, insn->rn, insn->imm);
	/* The base may be one of those loaded: that one last. */
	if (pair && insn->rd == insn->rn && kind == KD_FLOW_LOAD) {
		add_access (flow, kind, insn->rt2, insn->rn, imm + 8);
		add_access (flow, kind, insn->rd, insn->rn, imm);
	} else {
		add_access (flow, kind, insn->rd, insn->rn, imm);
		if (pair)
			add_access (flow, kind, insn->rt2, insn->rn, imm + 8);
	}
	if (insn->index == KD_ARM64_POST_INDEX)
		add_add (flow, insn->rn, insn->rn, insn->imm);
}

/* --- of fewer --- */

/* Exclusives, compare-and-swap, store-release: C4.1, loads and stores. */
static gboolean
decode_exclusive (uint32_t word, KdFlowInsn *flow)
{
	unsigned rt = field (word, 0, 5), rn = field (word, 5, 5), rs = field (word, 16, 5);
	KdFlowOp *op;

	if ((word & 0xffe07c00) == 0x88e07c00) { /* CASA, CASAL, 32 bits */
		if (rs == 31)
			return FALSE;
		op = add_op (flow, KD_FLOW_SWAP, rs, rn);
	} else if ((word & 0xffff7c00) == 0x885f7c00) { /* LDXR, LDAXR */
		if (rt == 31)
			return FALSE;
		add_op (flow, KD_FLOW_LOAD_EXCLUSIVE, rt, rn);
		return TRUE;
	} else if ((word & 0xffe07c00) == 0x88007c00) { /* STXR, STLXR */
		if (rs == 31)
			return FALSE;
		op = add_op (flow, KD_FLOW_STORE_EXCLUSIVE, rs, rn);
	} else if ((word & 0xfffffc00) == 0x089ffc00) { /* STLRB */
		op = add_op (flow, KD_FLOW_STORE, rt == 31 ? KD_FLOW_NO_REG : rt, rn);
		op->bytes = 1;
		op->releases = TRUE;
		return TRUE;
	} else {
		return FALSE;
	}
	op->rm = (uint8_t)(rt == 31 ? KD_FLOW_NO_REG : rt);
	return TRUE;
}

static gboolean
decode_narrow_store (uint32_t word, KdFlowInsn *flow)
{
	unsigned size = 1u << field (word, 30, 2), rn = field (word, 5, 5);
	KdFlowOp *op;
	int64_t imm;

	if (size == 8)
		return FALSE;
	if ((word & 0x3fc00000) == 0x39000000) /* unsigned offset */
		imm = (int64_t)field (word, 10, 12) * size;
	else if ((word & 0x3fe00c00) == 0x38000000) /* unscaled */
		imm = (int64_t)((uint64_t)field (word, 12, 9) << 55) >> 55;
	else
		return FALSE;
	op = add_op (flow, KD_FLOW_STORE, KD_FLOW_NO_REG, rn);
	op->imm = imm;
	op->bytes = (uint8_t)size;
	op->unknown = field (word, 0, 5) != 31;
	return TRUE;
}

/* STP of 32-bit registers, with an offset. */
static gboolean
decode_narrow_pair (uint32_t word, KdFlowInsn *flow)
{
	KdFlowOp *op;

	if ((word & 0xffc00000) != 0x29000000)
		return FALSE;
	op = add_op (flow, KD_FLOW_STORE, KD_FLOW_NO_REG, field (word, 5, 5));
	op->imm = ((int64_t)((uint64_t)field (word, 15, 7) << 57) >> 57) * 4;
	op->bytes = 8;
	op->unknown = TRUE;
	return TRUE;
}

/* Atomics, exclusives and stores with release that are none of those above: they write somewhere.
 */
static void
add_hidden_store (uint32_t word, KdFlowInsn *flow)
{
	gboolean is_atomic = (word & 0x3f200c00) == 0x38200000;
	gboolean is_exclusive = (word & 0x3f000000) == 0x08000000;
	/* LDXR, LDAR. */
	gboolean only_loads = is_exclusive && field (word, 22, 1) && !field (word, 21, 1);
	KdFlowOp *op;

	if (!is_atomic && (!is_exclusive || only_loads))
		return;
	op = add_op (flow, KD_FLOW_STORE, KD_FLOW_NO_REG, field (word, 5, 5));
	op->bytes = 16;
	op->unknown = TRUE;
}

/* --- numbers --- */

static gboolean
decode_number (uint32_t word, uint64_t addr, KdFlowInsn *flow)
{
	unsigned rd = field (word, 0, 5);

	if ((word & 0x1f000000) == 0x10000000) { /* ADR, ADRP */
		uint64_t imm = (uint64_t)field (word, 5, 19) << 2 | field (word, 29, 2);

		imm = (uint64_t)((int64_t)(imm << 43) >> 43);
		add_set (flow, rd,
			word >> 31 ? (addr & ~UINT64_C (0xfff)) + (imm << 12) : addr + imm);
		return TRUE;
	}
	if ((word & 0x3f800000) == 0x12800000) { /* MOVN, MOVZ */
		uint64_t value = (uint64_t)field (word, 5, 16) << 16 * field (word, 21, 2);

		if (!field (word, 30, 1))
			value = ~value;
		add_set (flow, rd, word >> 31 ? value : (uint32_t)value);
		return TRUE;
	}
	if ((word & 0xffe0ffe0) == 0x2a0003e0) { /* MOV wd, wm */
		if (field (word, 16, 5) == 31)
			add_set (flow, rd, 0);
		else if (rd != 31)
			add_op (flow, KD_FLOW_COPY32, rd, field (word, 16, 5));
		return TRUE;
	}
	if ((word & 0xffe0fc00) == 0x4a000000 && rd != 31 && field (word, 5, 5) != 31 &&
		field (word, 16, 5) != 31) { /* EOR wd, wn, wm */
		add_op (flow, KD_FLOW_XOR32, rd, field (word, 5, 5))->rm =
			(uint8_t)field (word, 16, 5);
		return TRUE;
	}
	return FALSE;
}

/* --- all --- */

static void
decode_way_on (uint32_t word, const KdArm64Insn *insn, KdFlowInsn *flow)
{
	switch (insn->kind) {
	case KD_ARM64_B:
		flow->end = KD_FLOW_JUMP;
		break;
	case KD_ARM64_BL:
	case KD_ARM64_BLR:
		flow->end = KD_FLOW_CALL;
		break;
	case KD_ARM64_BRANCH_MAYBE:
		flow->end = KD_FLOW_BRANCH;
		if ((word & 0x7e000000) == 0x34000000 && field (word, 0, 5) != 31) {
			flow->test =
				field (word, 24, 1) ? KD_FLOW_TEST_NOT_ZERO : KD_FLOW_TEST_ZERO;
			flow->reg = (uint8_t)field (word, 0, 5);
		}
		break;
	case KD_ARM64_BR:
		flow->end = KD_FLOW_INDIRECT;
		flow->reg = insn->rn;
		break;
	default: /* RET, ERET */
		flow->end = KD_FLOW_STOP;
		break;
	}
	flow->target = insn->target;
}

static gboolean
decode (const uint8_t *code, size_t len, uint64_t addr, KdFlowInsn *ret_insn)
{
	KdFlowInsn flow = {.size = 4, .reg = KD_FLOW_NO_REG};
	KdArm64Insn insn;
	uint32_t word;

	if (len < 4 || addr % 4)
		return FALSE;
	word = code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24;
	if (word >> 16 == 0) /* UDF */
		return FALSE;
	kd_arm64_decode (word, addr, &insn);
	switch (insn.kind) {
	case KD_ARM64_B:
	case KD_ARM64_BL:
	case KD_ARM64_BLR:
	case KD_ARM64_BRANCH_MAYBE:
	case KD_ARM64_BR:
	case KD_ARM64_RET:
	case KD_ARM64_ERET:
		decode_way_on (word, &insn, &flow);
		break;
	case KD_ARM64_HVC:
		add_change (&flow, CALL_CHANGES);
		break;
	case KD_ARM64_ADD:
		add_add (&flow, insn.rd, insn.rn, insn.imm);
		break;
	case KD_ARM64_MOV:
		if (insn.rm == 31)
			add_set (&flow, insn.rd, 0);
		else if (insn.rd != 31)
			add_add (&flow, insn.rd, insn.rm, 0);
		break;
	case KD_ARM64_LOAD:
	case KD_ARM64_STORE:
		decode_access (&insn, &flow);
		break;
	case KD_ARM64_OTHER:
		if (decode_exclusive (word, &flow) || decode_narrow_store (word, &flow) ||
			decode_narrow_pair (word, &flow) || decode_number (word, addr, &flow))
			break;
		/* fall through */
	default:
		add_hidden_store (word, &flow);
		/* A BRK of WARN() goes on: what it may change is nothing. */
		if ((word & 0xffe0001f) != 0xd4200000)
			add_change (&flow, insn.writes);
		break;
	}
	*ret_insn = flow;
	return TRUE;
}

const KdFlow kd_arm64_flow = {
	.sp = SP,
	.first_arg = 0,
	.result = 0,
	.call_changes = CALL_CHANGES,
	.callee_saved = 0x3ff80000, /* X19 to X29 */
	.decode = decode,
};
