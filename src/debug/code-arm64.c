/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/code-arm64.h"

#include "arch/arm64-insn.h"

#define SP 31
#define FP 29
#define LR 30
#define FORWARD_MAX 384
#define BACKWARD_MAX 512
#define OVERLAY_MAX 64
#define CALL_CHANGES 0x4007ffff /* x0 to x18 and x30, AAPCS64 6.1.1 */
#define SCRATCH 0x3fe00u        /* x9 to x17: the tracer's entry code does not give them back */
#define CALLEE_SAVED 0x3ff80000 /* x19 to x29 */

typedef struct {
	KdUnwind *unwind;
	KdRegSet regs; /* numbers 0..30 and SP */
	gboolean elr_set, elr_known;
	uint64_t elr;
	/* Stores made on the way, which memory does not have. */
	struct {
		uint64_t addr, value;
		gboolean known;
	} overlay[OVERLAY_MAX];
	unsigned nr_overlay;
} State;

static gboolean
read_insn (KdUnwind *unwind, uint64_t addr, KdArm64Insn *ret_insn, uint32_t *ret_word)
{
	uint8_t code[4];
	uint32_t word;

	if (addr & 3 || !unwind->ops->read (unwind->data, KD_SPACE_KERNEL, addr, code, 4))
		return FALSE;
	word = code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24;
	kd_arm64_decode (word, addr, ret_insn);
	if (ret_word)
		*ret_word = word;
	return TRUE;
}

static void
forget_mask (KdRegSet *regs, uint32_t mask)
{
	regs->known &= ~(uint64_t)mask;
}

/* --- forward --- */

static gboolean
load (State *state, uint64_t addr, uint64_t *ret_value)
{
	for (unsigned i = state->nr_overlay; i-- > 0;) {
		if (state->overlay[i].addr != addr)
			continue;
		*ret_value = state->overlay[i].value;
		return state->overlay[i].known;
	}
	return kd_unwind_read_u64 (state->unwind, state->regs.space, addr, ret_value);
}

static void
load_reg (State *state, unsigned reg, gboolean addr_known, uint64_t addr)
{
	uint64_t value;

	if (reg >= 31)
		return;
	if (addr_known && load (state, addr, &value))
		kd_reg_set_put (&state->regs, reg, value);
	else
		kd_reg_set_forget (&state->regs, reg);
}

static void
store_reg (State *state, unsigned reg, gboolean addr_known, uint64_t addr)
{
	uint64_t value = 0;
	gboolean known = reg == 31 || kd_reg_set_get (&state->regs, reg, &value);

	if (!addr_known || state->nr_overlay >= OVERLAY_MAX)
		return;
	state->overlay[state->nr_overlay].addr = addr;
	state->overlay[state->nr_overlay].value = value;
	state->overlay[state->nr_overlay].known = known;
	state->nr_overlay++;
}

static void
forward_memory (State *state, const KdArm64Insn *insn)
{
	uint64_t base = 0, addr;
	gboolean known = kd_reg_set_get (&state->regs, insn->rn, &base);

	addr = insn->index == KD_ARM64_POST_INDEX ? base : base + (uint64_t)insn->imm;
	if (insn->kind == KD_ARM64_STORE) {
		store_reg (state, insn->rd, known, addr);
		if (insn->rt2 != KD_ARM64_NO_REG)
			store_reg (state, insn->rt2, known, addr + 8);
	} else {
		load_reg (state, insn->rd, known, addr);
		if (insn->rt2 != KD_ARM64_NO_REG)
			load_reg (state, insn->rt2, known, addr + 8);
	}
	if (insn->index != KD_ARM64_OFFSET && known)
		kd_reg_set_put (&state->regs, insn->rn, base + (uint64_t)insn->imm);
}

static void
forward_data (State *state, const KdArm64Insn *insn)
{
	KdRegSet *regs = &state->regs;
	uint64_t a = 0, b = 0;

	switch (insn->kind) {
	case KD_ARM64_ADD:
		if (kd_reg_set_get (regs, insn->rn, &a)) {
			kd_reg_set_put (regs, insn->rd, a + (uint64_t)insn->imm);
			return;
		}
		break;
	case KD_ARM64_ADD_REG:
	case KD_ARM64_SUB_REG:
		if (kd_reg_set_get (regs, insn->rn, &a) && kd_reg_set_get (regs, insn->rm, &b)) {
			kd_reg_set_put (
				regs, insn->rd, insn->kind == KD_ARM64_ADD_REG ? a + b : a - b);
			return;
		}
		break;
	case KD_ARM64_MOV:
		if (insn->rd == 31)
			return;
		if (insn->rm == 31 || kd_reg_set_get (regs, insn->rm, &a)) {
			kd_reg_set_put (regs, insn->rd, a);
			return;
		}
		break;
	case KD_ARM64_MSR:
		if (insn->sysreg == KD_ARM64_ELR_EL1 || insn->sysreg == KD_ARM64_ELR_EL2) {
			state->elr_set = TRUE;
			state->elr_known = kd_reg_set_get (regs, insn->rd, &state->elr);
		}
		return;
	default:
		break;
	}
	forget_mask (regs, insn->writes);
}

KdCodeOutcome
kd_code_arm64_forward (
	KdUnwind *unwind, const KdRegSet *regs, uint64_t pc, KdCodeResult *ret_result)
{
	State state = {.unwind = unwind, .regs = *regs};
	KdArm64Insn insn;
	uint32_t word;
	uint64_t target;

	for (unsigned i = 0; i < FORWARD_MAX; i++, pc += 4) {
		if (!read_insn (unwind, pc, &insn, &word))
			return KD_CODE_UNKNOWN;
		/* UDF and BRK: code does not go on here. */
		if (word == 0 || (word & 0xffe0001f) == 0xd4200000)
			return KD_CODE_UNKNOWN;
		switch (insn.kind) {
		case KD_ARM64_RET:
			if (!kd_reg_set_get (&state.regs, insn.rn, &target))
				target = 0;
			state.regs.pc = target;
			*ret_result = (KdCodeResult){state.regs, insn.rn};
			return KD_CODE_RETURNS;
		case KD_ARM64_ERET:
			state.regs.pc = state.elr_set && state.elr_known ? state.elr : 0;
			*ret_result = (KdCodeResult){state.regs, KD_ARM64_NO_REG};
			return KD_CODE_ERETS;
		case KD_ARM64_BR:
			return KD_CODE_UNKNOWN;
		case KD_ARM64_B:
			pc = insn.target - 4;
			break;
		case KD_ARM64_BL:
		case KD_ARM64_BLR:
		case KD_ARM64_HVC:
			forget_mask (&state.regs, CALL_CHANGES);
			break;
		case KD_ARM64_BRANCH_MAYBE:
			break;
		case KD_ARM64_LOAD:
		case KD_ARM64_STORE:
			forward_memory (&state, &insn);
			break;
		default:
			forward_data (&state, &insn);
			break;
		}
	}
	return KD_CODE_UNKNOWN;
}

/* --- backward --- */

static void
undo_memory (KdUnwind *unwind, KdRegSet *regs, const KdArm64Insn *insn)
{
	uint64_t base = 0, addr, value;
	gboolean known = kd_reg_set_get (regs, insn->rn, &base);

	/* `base` is what it was after the access. */
	addr = insn->index == KD_ARM64_OFFSET      ? base + (uint64_t)insn->imm
	       : insn->index == KD_ARM64_PRE_INDEX ? base
						   : base - (uint64_t)insn->imm;
	if (insn->index != KD_ARM64_OFFSET && known)
		kd_reg_set_put (regs, insn->rn, base - (uint64_t)insn->imm);
	if (insn->kind == KD_ARM64_LOAD) {
		uint32_t loaded = insn->writes;

		if (insn->index != KD_ARM64_OFFSET)
			loaded &= ~(1u << insn->rn);
		forget_mask (regs, loaded);
		return;
	}
	/* What was stored is what the register held. */
	for (unsigned i = 0; i < 2; i++) {
		unsigned reg = i ? insn->rt2 : insn->rd;

		if (reg < 31 && known &&
			kd_unwind_read_u64 (unwind, regs->space, addr + 8 * i, &value))
			kd_reg_set_put (regs, reg, value);
	}
}

static void
undo_data (KdRegSet *regs, const KdArm64Insn *insn)
{
	uint64_t a, b;
	gboolean known;

	switch (insn->kind) {
	case KD_ARM64_ADD:
		known = kd_reg_set_get (regs, insn->rd, &a);
		if (insn->rd != insn->rn)
			kd_reg_set_forget (regs, insn->rd);
		if (known && (insn->rd == insn->rn || !kd_reg_set_get (regs, insn->rn, &b)))
			kd_reg_set_put (regs, insn->rn, a - (uint64_t)insn->imm);
		return;
	case KD_ARM64_ADD_REG: /* rd = rn + rm */
		if (insn->rd == insn->rn && insn->rd != insn->rm &&
			kd_reg_set_get (regs, insn->rd, &a) &&
			kd_reg_set_get (regs, insn->rm, &b)) {
			kd_reg_set_put (regs, insn->rd, a - b);
			return;
		}
		break;
	case KD_ARM64_SUB_REG: /* rd = rn - rm */
		if (insn->rd == insn->rn && insn->rd != insn->rm &&
			kd_reg_set_get (regs, insn->rd, &a) &&
			kd_reg_set_get (regs, insn->rm, &b)) {
			kd_reg_set_put (regs, insn->rd, a + b);
			return;
		}
		if (insn->rd == insn->rm && insn->rd != insn->rn &&
			kd_reg_set_get (regs, insn->rd, &a) &&
			kd_reg_set_get (regs, insn->rn, &b)) {
			kd_reg_set_put (regs, insn->rd, b - a);
			return;
		}
		break;
	case KD_ARM64_MOV:
		known = kd_reg_set_get (regs, insn->rd, &a) && insn->rd != 31;
		if (insn->rd != insn->rm)
			kd_reg_set_forget (regs, insn->rd);
		if (known && insn->rm < 31)
			kd_reg_set_put (regs, insn->rm, a);
		return;
	case KD_ARM64_BL:
	case KD_ARM64_BLR:
	case KD_ARM64_HVC:
		forget_mask (regs, CALL_CHANGES);
		return;
	default:
		break;
	}
	forget_mask (regs, insn->writes);
}

/*
 * The shortest way through the code from `entry` to `pc`: came_from[i] is the index of the
 * instruction before instruction i. FALSE: there is none.
 */
static gboolean
find_way (KdUnwind *unwind, uint64_t entry, unsigned nr_insns, unsigned wanted,
	int16_t came_from[BACKWARD_MAX])
{
	uint16_t queue[BACKWARD_MAX];
	unsigned head = 0, tail = 0;

	for (unsigned i = 0; i < BACKWARD_MAX; i++)
		came_from[i] = -1;
	came_from[0] = 0;
	queue[tail++] = 0;
	while (head < tail && came_from[wanted] < 0) {
		unsigned at = queue[head++];
		uint64_t next[2] = {at + 1, UINT64_MAX}, target;
		KdArm64Insn insn;

		if (!read_insn (unwind, entry + at * UINT64_C (4), &insn, NULL))
			return FALSE;
		target = (insn.target - entry) / 4;
		switch (insn.kind) {
		case KD_ARM64_B:
			next[0] = target;
			break;
		case KD_ARM64_BRANCH_MAYBE:
			next[1] = target;
			break;
		case KD_ARM64_RET:
		case KD_ARM64_ERET:
		case KD_ARM64_BR:
			continue;
		default:
			break;
		}
		for (unsigned i = 0; i < 2; i++) {
			if (next[i] >= nr_insns || came_from[next[i]] >= 0)
				continue;
			came_from[next[i]] = (int16_t)at;
			queue[tail++] = (uint16_t)next[i];
		}
	}
	return came_from[wanted] >= 0;
}

gboolean
kd_code_arm64_backward (KdUnwind *unwind, const KdRegSet *regs, uint64_t entry, uint64_t size,
	uint64_t pc, KdRegSet *ret_regs)
{
	int16_t came_from[BACKWARD_MAX];
	unsigned nr_insns = (unsigned)MIN (size / 4, BACKWARD_MAX - 1) + 1, at;
	KdRegSet state = *regs;

	if (pc < entry || pc & 3 || (pc - entry) / 4 >= nr_insns)
		return FALSE;
	at = (unsigned)((pc - entry) / 4);
	if (!find_way (unwind, entry, nr_insns, at, came_from))
		return FALSE;
	while (at != 0) {
		KdArm64Insn insn;

		at = (unsigned)came_from[at];
		if (!read_insn (unwind, entry + at * UINT64_C (4), &insn, NULL))
			return FALSE;
		if (insn.kind == KD_ARM64_LOAD || insn.kind == KD_ARM64_STORE)
			undo_memory (unwind, &state, &insn);
		else
			undo_data (&state, &insn);
	}
	*ret_regs = state;
	return TRUE;
}

/* --- a step --- */

/* The caller's registers out of those at a return: what a call keeps. */
static void
as_returned (const KdRegSet *at_return, uint64_t pc, unsigned return_reg, KdRegSet *ret_next)
{
	KdRegSet next = *at_return;

	next.pc = pc;
	/*
	 * A return through another register is a trampoline's: it goes back into the middle of a
	 * function whose own link register is loaded again.
	 */
	next.live = return_reg != LR;
	if (!next.live)
		next.known &= CALLEE_SAVED | 1u << SP;
	*ret_next = next;
}

/*
 * Where the registers are those of: behind a call that left the link register alone (the tracer's,
 * which gives all back) at the call, else at `pc`.
 */
static uint64_t
before_traced_call (KdUnwind *unwind, const KdRegSet *regs, uint64_t pc)
{
	KdArm64Insn insn;
	uint64_t lr;

	return kd_reg_set_get (regs, LR, &lr) && kd_unwind_strip (unwind, lr) != regs->pc &&
			       read_insn (unwind, pc - 4, &insn, NULL) && insn.kind == KD_ARM64_BL
		       ? pc - 4
		       : pc;
}

/* What held at the function's first instruction: the link register is the return address. */
static gboolean
step_back (KdUnwind *unwind, const KdUnwindFrame *from, const KdRegSet *regs, uint64_t pc,
	KdRegSet *ret_next)
{
	KdRegSet entry;
	uint64_t lr;

	if (!regs->live || !from->has_symbol ||
		!kd_code_arm64_backward (
			unwind, regs, from->symbol.addr, from->symbol.size, pc, &entry) ||
		!kd_reg_set_get (&entry, LR, &lr))
		return FALSE;
	as_returned (&entry, kd_unwind_strip (unwind, lr), LR, ret_next);
	return TRUE;
}

gboolean
kd_code_arm64_step (KdUnwind *unwind, const KdUnwindFrame *from, KdRegSet *ret_next)
{
	uint64_t pc = from->image_pc ? from->image_pc : from->regs.pc;
	uint64_t before = from->regs.live ? before_traced_call (unwind, &from->regs, pc) : pc;
	KdRegSet regs = from->regs;
	KdCodeResult result;

	/* The tracer's own stack is where the function will put what it loads at its end. */
	regs.known &= ~SCRATCH;
	if (before != pc && step_back (unwind, from, &regs, before, ret_next))
		return TRUE;
	if (kd_code_arm64_forward (unwind, &from->regs, pc, &result) == KD_CODE_RETURNS &&
		result.regs.pc != 0 && (result.regs.known >> SP & 1)) {
		as_returned (&result.regs, kd_unwind_strip (unwind, result.regs.pc),
			result.return_reg, ret_next);
		return TRUE;
	}
	return step_back (unwind, from, &from->regs, pc, ret_next);
}
