/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <capstone/capstone.h>

#include "arch/flow.h"

/* DWARF numbers: System V ABI, AMD64 supplement, figure 3.36. */
#define RAX 0
#define RDI 5
#define RBP 6
#define RSP 7
#define NR_REGS 16
#define CALLEE_SAVED (1u << 3 | 1u << RBP | 0xfu << 12)

typedef struct {
	csh handle;
	cs_insn *insn;
} Decoder;

static void
decoder_free (void *data)
{
	Decoder *decoder = data;

	cs_free (decoder->insn, 1);
	cs_close (&decoder->handle);
	g_free (decoder);
}

static const Decoder *
get_decoder (void)
{
	static GPrivate key = G_PRIVATE_INIT (decoder_free);
	Decoder *decoder = g_private_get (&key);

	if (decoder)
		return decoder;
	decoder = g_new0 (Decoder, 1);
	if (cs_open (CS_ARCH_X86, CS_MODE_64, &decoder->handle) != CS_ERR_OK) {
		g_free (decoder);
		return NULL;
	}
	cs_option (decoder->handle, CS_OPT_DETAIL, CS_OPT_ON);
	decoder->insn = cs_malloc (decoder->handle);
	g_private_set (&key, decoder);
	return decoder;
}

/* The register that `reg` is or is a part of; KD_FLOW_NO_REG: none of the general ones. */
static unsigned
general (unsigned reg)
{
	static const uint16_t names[NR_REGS][5] = {
		{X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH},
		{X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH},
		{X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH},
		{X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH},
		{X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL},
		{X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL},
		{X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL},
		{X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL},
		{X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B},
		{X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B},
		{X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B},
		{X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B},
		{X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B},
		{X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B},
		{X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B},
		{X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B},
	};

	for (unsigned i = 0; i < NR_REGS; i++)
		for (unsigned j = 0; j < G_N_ELEMENTS (names[i]); j++)
			if (reg != X86_REG_INVALID && names[i][j] == reg)
				return i;
	return KD_FLOW_NO_REG;
}

static KdFlowOp *
add_op (KdFlowInsn *flow, KdFlowKind kind, unsigned rd, unsigned rn, int64_t imm)
{
	KdFlowOp *op = &flow->ops[flow->nr_ops++];

	*op = (KdFlowOp){.kind = kind,
		.rd = (uint8_t)rd,
		.rn = (uint8_t)rn,
		.rm = KD_FLOW_NO_REG,
		.imm = imm};
	return op;
}

/* A place in memory that is a register (or none) and a number. */
static gboolean
simple_place (
	const cs_insn *insn, const cs_x86_op *operand, unsigned *ret_base, int64_t *ret_offset)
{
	if (operand->type != X86_OP_MEM || operand->mem.index != X86_REG_INVALID ||
		operand->mem.segment == X86_REG_GS || operand->mem.segment == X86_REG_FS)
		return FALSE;
	*ret_base = general (operand->mem.base);
	*ret_offset = operand->mem.disp;
	if (operand->mem.base == X86_REG_RIP)
		*ret_offset += (int64_t)(insn->address + insn->size);
	else if (operand->mem.base != X86_REG_INVALID && *ret_base == KD_FLOW_NO_REG)
		return FALSE;
	return TRUE;
}

static gboolean
is_reg (const cs_x86_op *operand, unsigned size)
{
	return operand->type == X86_OP_REG && operand->size == size &&
	       general (operand->reg) != KD_FLOW_NO_REG;
}

/* --- anything --- */

static gboolean
only_reads (unsigned id)
{
	switch (id) {
	case X86_INS_CMP:
	case X86_INS_TEST:
	case X86_INS_PUSH:
	case X86_INS_BT:
	case X86_INS_NOP:
	case X86_INS_OUT:
		return TRUE;
	default:
		return FALSE;
	}
}

/* All that the instruction may write, by what capstone says and by its operands. */
static void
add_unknown (const Decoder *decoder, KdFlowInsn *flow)
{
	const cs_insn *insn = decoder->insn;
	const cs_x86 *detail = &insn->detail->x86;
	uint8_t nr_read, nr_write;
	cs_regs reads, writes;
	uint64_t mask = 0;
	unsigned base;
	int64_t offset;

	if (cs_regs_access (decoder->handle, insn, reads, &nr_read, writes, &nr_write) == CS_ERR_OK)
		for (unsigned i = 0; i < nr_write; i++)
			if (general (writes[i]) != KD_FLOW_NO_REG)
				mask |= UINT64_C (1) << general (writes[i]);
	for (unsigned i = 0; i < detail->op_count && !only_reads (insn->id); i++) {
		const cs_x86_op *operand = &detail->operands[i];
		/* XCHG, XADD, MUL: the second one too. */
		gboolean written = i == 0 || operand->access & CS_AC_WRITE ||
				   insn->id == X86_INS_XCHG || insn->id == X86_INS_XADD;

		if (operand->type == X86_OP_REG && written &&
			general (operand->reg) != KD_FLOW_NO_REG)
			mask |= UINT64_C (1) << general (operand->reg);
	}
	if (insn->id == X86_INS_CMPXCHG)
		mask |= 1u << RAX;
	/* A place that it changes. */
	if (detail->op_count && !only_reads (insn->id) &&
		simple_place (insn, &detail->operands[0], &base, &offset)) {
		KdFlowOp *op = add_op (flow, KD_FLOW_STORE, KD_FLOW_NO_REG, base, offset);

		op->unknown = TRUE;
		op->bytes = detail->operands[0].size;
	}
	if (mask)
		add_op (flow, KD_FLOW_CHANGE, KD_FLOW_NO_REG, KD_FLOW_NO_REG, 0)->mask = mask;
	/* MOV, LEA and their like leave the flags; that is not asked, for it costs little. */
	add_op (flow, KD_FLOW_NO_FLAGS, KD_FLOW_NO_REG, KD_FLOW_NO_REG, 0);
}

/* --- what is known: TRUE --- */

static gboolean
decode_move (const cs_insn *insn, KdFlowInsn *flow)
{
	const cs_x86_op *to = &insn->detail->x86.operands[0];
	const cs_x86_op *from = &insn->detail->x86.operands[1];
	unsigned base;
	int64_t offset;

	if (is_reg (to, 8) || is_reg (to, 4)) {
		unsigned rd = general (to->reg);

		if (from->type == X86_OP_IMM)
			add_op (flow, KD_FLOW_SET, rd, KD_FLOW_NO_REG,
				to->size == 8 ? from->imm : (int64_t)(uint32_t)from->imm);
		else if (is_reg (from, 8))
			add_op (flow, KD_FLOW_ADD, rd, general (from->reg), 0);
		else if (is_reg (from, 4))
			add_op (flow, KD_FLOW_COPY32, rd, general (from->reg), 0);
		else if (to->size == 8 && simple_place (insn, from, &base, &offset))
			add_op (flow, KD_FLOW_LOAD, rd, base, offset)->bytes = 8;
		else
			return FALSE;
		return TRUE;
	}
	if (simple_place (insn, to, &base, &offset)) {
		gboolean whole = is_reg (from, 8);
		KdFlowOp *op = add_op (flow, KD_FLOW_STORE,
			whole ? general (from->reg) : KD_FLOW_NO_REG, base, offset);

		op->bytes = to->size;
		op->unknown = !whole && (from->type != X86_OP_IMM || from->imm != 0);
		op->releases = to->size == 1 && !op->unknown;
		return TRUE;
	}
	return FALSE;
}

static gboolean
decode_lea (const cs_insn *insn, KdFlowInsn *flow)
{
	const cs_x86_op *to = &insn->detail->x86.operands[0];
	unsigned base;
	int64_t offset;

	if (!is_reg (to, 8) || !simple_place (insn, &insn->detail->x86.operands[1], &base, &offset))
		return FALSE;
	add_op (flow, base == KD_FLOW_NO_REG ? KD_FLOW_SET : KD_FLOW_ADD, general (to->reg), base,
		offset);
	return TRUE;
}

static gboolean
decode_sum (const cs_insn *insn, KdFlowInsn *flow)
{
	const cs_x86_op *to = &insn->detail->x86.operands[0];
	const cs_x86_op *from = &insn->detail->x86.operands[1];

	if (!is_reg (to, 8) || from->type != X86_OP_IMM)
		return FALSE;
	add_op (flow, KD_FLOW_ADD, general (to->reg), general (to->reg),
		insn->id == X86_INS_SUB ? -from->imm : from->imm);
	add_op (flow, KD_FLOW_NO_FLAGS, KD_FLOW_NO_REG, KD_FLOW_NO_REG, 0);
	return TRUE;
}

static gboolean
decode_stack (const cs_insn *insn, KdFlowInsn *flow)
{
	const cs_x86_op *operand = &insn->detail->x86.operands[0];
	KdFlowOp *op;

	switch (insn->id) {
	case X86_INS_PUSH:
	case X86_INS_PUSHFQ:
		add_op (flow, KD_FLOW_ADD, RSP, RSP, -8);
		op = add_op (flow, KD_FLOW_STORE, KD_FLOW_NO_REG, RSP, 0);
		op->bytes = 8;
		if (insn->id == X86_INS_PUSH && is_reg (operand, 8) &&
			general (operand->reg) != RSP)
			op->rd = (uint8_t)general (operand->reg);
		else
			op->unknown = TRUE;
		return TRUE;
	case X86_INS_POP:
		if (!is_reg (operand, 8) || general (operand->reg) == RSP)
			return FALSE;
		add_op (flow, KD_FLOW_LOAD, general (operand->reg), RSP, 0)->bytes = 8;
		add_op (flow, KD_FLOW_ADD, RSP, RSP, 8);
		return TRUE;
	case X86_INS_POPFQ:
		add_op (flow, KD_FLOW_ADD, RSP, RSP, 8);
		add_op (flow, KD_FLOW_NO_FLAGS, KD_FLOW_NO_REG, KD_FLOW_NO_REG, 0);
		return TRUE;
	case X86_INS_LEAVE:
		add_op (flow, KD_FLOW_ADD, RSP, RBP, 0);
		add_op (flow, KD_FLOW_LOAD, RBP, RSP, 0)->bytes = 8;
		add_op (flow, KD_FLOW_ADD, RSP, RSP, 8);
		return TRUE;
	default:
		return FALSE;
	}
}

/* TEST of a register with itself, CMP with 0, XOR of one with itself. */
static gboolean
decode_test (const cs_insn *insn, KdFlowInsn *flow)
{
	const cs_x86_op *a = &insn->detail->x86.operands[0], *b = &insn->detail->x86.operands[1];
	gboolean same = a->type == X86_OP_REG && b->type == X86_OP_REG && a->reg == b->reg;

	if (!is_reg (a, 4) && !is_reg (a, 8))
		return FALSE;
	if (insn->id == X86_INS_XOR) {
		if (!same)
			return FALSE;
		add_op (flow, KD_FLOW_SET, general (a->reg), KD_FLOW_NO_REG, 0);
		add_op (flow, KD_FLOW_NO_FLAGS, KD_FLOW_NO_REG, KD_FLOW_NO_REG, 0);
		return TRUE;
	}
	if (insn->id == X86_INS_TEST ? !same : b->type != X86_OP_IMM || b->imm != 0)
		return FALSE;
	add_op (flow, KD_FLOW_TEST, KD_FLOW_NO_REG, general (a->reg), 0);
	return TRUE;
}

static gboolean
decode_value (const cs_insn *insn, KdFlowInsn *flow)
{
	switch (insn->id) {
	case X86_INS_MOV:
	case X86_INS_MOVABS:
		return decode_move (insn, flow);
	case X86_INS_LEA:
		return decode_lea (insn, flow);
	case X86_INS_ADD:
	case X86_INS_SUB:
		return decode_sum (insn, flow);
	case X86_INS_TEST:
	case X86_INS_CMP:
	case X86_INS_XOR:
		return decode_test (insn, flow);
	case X86_INS_NOP:
	case X86_INS_UD2: /* of WARN(): goes on */
		return TRUE;
	default:
		return decode_stack (insn, flow);
	}
}

/* --- ways on --- */

static gboolean
decode_way_on (const Decoder *decoder, KdFlowInsn *flow)
{
	const cs_insn *insn = decoder->insn;
	const cs_x86_op *operand = &insn->detail->x86.operands[0];
	gboolean direct = insn->detail->x86.op_count == 1 && operand->type == X86_OP_IMM;

	switch (insn->id) {
	case X86_INS_CALL:
		flow->end = KD_FLOW_CALL;
		break;
	case X86_INS_JMP:
		flow->end = direct ? KD_FLOW_JUMP : KD_FLOW_INDIRECT;
		if (!direct && is_reg (operand, 8))
			flow->reg = (uint8_t)general (operand->reg);
		break;
	case X86_INS_RET:
	case X86_INS_RETF:
	case X86_INS_RETFQ:
	case X86_INS_IRETQ:
	case X86_INS_SYSRET:
	case X86_INS_SYSEXIT:
	case X86_INS_INT3:
		flow->end = KD_FLOW_STOP;
		break;
	default:
		if (!cs_insn_group (decoder->handle, insn, X86_GRP_JUMP) &&
			insn->id != X86_INS_LOOP)
			return FALSE;
		flow->end = KD_FLOW_BRANCH;
		if (insn->id == X86_INS_JE)
			flow->test = KD_FLOW_TEST_ZERO;
		else if (insn->id == X86_INS_JNE)
			flow->test = KD_FLOW_TEST_NOT_ZERO;
		break;
	}
	if (direct)
		flow->target = (uint64_t)operand->imm;
	return TRUE;
}

static gboolean
decode (const uint8_t *code, size_t len, uint64_t addr, KdFlowInsn *ret_insn)
{
	const Decoder *decoder = get_decoder();
	KdFlowInsn flow = {.reg = KD_FLOW_NO_REG};

	if (!decoder || !cs_disasm_iter (decoder->handle, &code, &len, &addr, decoder->insn))
		return FALSE;
	flow.size = decoder->insn->size;
	if (!decode_way_on (decoder, &flow) && !decode_value (decoder->insn, &flow))
		add_unknown (decoder, &flow);
	*ret_insn = flow;
	return TRUE;
}

const KdFlow kd_x86_64_flow = {
	.sp = RSP,
	.first_arg = RDI,
	.result = RAX,
	.call_changes = 0xf37, /* RAX, RDX, RCX, RSI, RDI, R8 to R11 */
	.callee_saved = CALLEE_SAVED,
	.decode = decode,
};
