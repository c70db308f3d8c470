/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/lock-code.h"

/* A frame is not larger, nor what one instruction writes whose size is not known. */
#define FRAME_MAX 65536
#define STORE_MAX 64
/* queued_spin_lock(), queued_write_lock(): what is written where there was zero. */
#define SPIN_LOCKED 1
#define WRITE_LOCKED 0xff

/* --- values --- */

static KdFlowValue
number (int64_t value)
{
	return (KdFlowValue){KD_FLOW_NUMBER, value};
}

KdFlowValue
kd_lock_state_reg (const KdLockState *state, unsigned reg)
{
	return reg < KD_FLOW_REGS_MAX ? state->regs[reg] : number (0);
}

static KdFlowValue
place_of (const KdLockState *state, const KdFlowOp *op)
{
	return kd_flow_value_add (kd_lock_state_reg (state, op->rn), op->imm);
}

/* Something new. */
static void
define (KdLockState *state, unsigned i, unsigned reg)
{
	if (reg >= KD_FLOW_REGS_MAX)
		return;
	kd_lock_state_forget (state, KD_FLOW_DEFINED (i, reg));
	state->regs[reg] = (KdFlowValue){KD_FLOW_DEFINED (i, reg), 0};
}

static void
put (KdLockState *state, unsigned i, unsigned reg, KdFlowValue value)
{
	if (reg >= KD_FLOW_REGS_MAX)
		return;
	if (value.base == KD_FLOW_UNKNOWN)
		define (state, i, reg);
	else
		state->regs[reg] = value;
}

static gboolean
is_number (KdFlowValue value, uint32_t wanted)
{
	return value.base == KD_FLOW_NUMBER && (uint32_t)value.offset == wanted;
}

/* The instruction that defined the value, and its register; NULL: none did. */
static const KdLockInsn *
maker_of (const KdLockCode *code, KdFlowValue value, unsigned *ret_reg)
{
	unsigned i = value.base / 128;

	*ret_reg = value.base % 128;
	if (value.base == KD_FLOW_UNKNOWN || i == 0 || i > code->insns->len ||
		*ret_reg >= KD_FLOW_REGS_MAX)
		return NULL;
	return kd_lock_code_at (code, i - 1);
}

gboolean
kd_lock_code_made_by (const KdLockCode *code, KdFlowValue value, KdFlowKind a, KdFlowKind b)
{
	unsigned reg;
	const KdLockInsn *maker = maker_of (code, value, &reg);

	for (unsigned k = 0; maker && k < maker->flow.nr_ops; k++) {
		const KdFlowOp *op = &maker->flow.ops[k];

		if ((op->kind == a || op->kind == b) && op->rd == reg)
			return TRUE;
	}
	return FALSE;
}

/* 32 bits of it are all of it: it was read as so many. */
static gboolean
is_word (const KdLockCode *code, KdFlowValue value)
{
	return value.offset == 0 &&
	       kd_lock_code_made_by (code, value, KD_FLOW_SWAP, KD_FLOW_LOAD_EXCLUSIVE);
}

static void
copy32 (const KdLockCode *code, KdLockState *state, unsigned i, unsigned reg, KdFlowValue value)
{
	if (value.base == KD_FLOW_NUMBER)
		put (state, i, reg, number ((int64_t)(uint32_t)value.offset));
	else if (is_word (code, value))
		put (state, i, reg, value);
	else
		define (state, i, reg);
}

/* --- memory of the frame --- */

/* A register as the caller left it, put where only the function's end looks. */
static gboolean
is_saved (const KdLockCode *code, const KdLockSlot *slot)
{
	uint32_t base = slot->value.base;

	return base >= KD_FLOW_ENTRY (0) && base < KD_FLOW_ENTRY (KD_FLOW_REGS_MAX) &&
	       slot->value.offset == 0 &&
	       (code->flow->callee_saved >> (base - KD_FLOW_ENTRY (0)) & 1);
}

/* What others may write. */
static void
forget_escaped (const KdLockCode *code, KdLockState *state)
{
	for (unsigned i = state->nr_slots; i-- > 0;)
		if (state->slots[i].offset >= state->escaped && !is_saved (code, &state->slots[i]))
			state->slots[i] = state->slots[--state->nr_slots];
}

static void
escape (const KdLockCode *code, KdLockState *state, KdFlowValue value)
{
	if (value.base == KD_FLOW_ENTRY (code->flow->sp))
		state->escaped = MIN (state->escaped, value.offset);
}

static void
store_slot (KdLockState *state, const KdFlowOp *op, int64_t at, KdFlowValue value)
{
	int64_t bytes = op->bytes ? op->bytes : STORE_MAX;

	if (at < -FRAME_MAX || at > FRAME_MAX)
		return;
	for (unsigned i = state->nr_slots; i-- > 0;)
		if (state->slots[i].offset < at + bytes && at < state->slots[i].offset + 8)
			state->slots[i] = state->slots[--state->nr_slots];
	if (op->bytes == 8 && value.base != KD_FLOW_UNKNOWN && state->nr_slots < KD_LOCK_SLOTS_MAX)
		state->slots[state->nr_slots++] = (KdLockSlot){at, value};
}

static void
store (const KdLockCode *code, KdLockState *state, const KdFlowOp *op)
{
	KdFlowValue place = place_of (state, op), value = {KD_FLOW_UNKNOWN, 0};

	if (!op->unknown)
		value = kd_lock_state_reg (state, op->rd);
	if (place.base == KD_FLOW_ENTRY (code->flow->sp))
		store_slot (state, op, place.offset, value);
	else
		forget_escaped (code, state);
	escape (code, state, value);
	if (op->releases && code->ops->byte_releases) {
		kd_lock_state_release (state, place, code->flow->sp);
		return;
	}
	/* Whatever writes to a lock that is held gives it back. */
	for (unsigned i = 0; i < state->nr_held; i++)
		if (kd_flow_value_equal (state->held[i].lock, place)) {
			kd_lock_state_release (state, place, code->flow->sp);
			return;
		}
}

static void
load (const KdLockCode *code, KdLockState *state, unsigned i, const KdFlowOp *op)
{
	KdFlowValue place = place_of (state, op);

	if (place.base == KD_FLOW_ENTRY (code->flow->sp))
		for (unsigned k = 0; k < state->nr_slots; k++)
			if (state->slots[k].offset == place.offset) {
				put (state, i, op->rd, state->slots[k].value);
				return;
			}
	define (state, i, op->rd);
	kd_lock_state_load (state, KD_FLOW_DEFINED (i, op->rd), place);
}

/* --- words of locks --- */

static gboolean
locks (KdFlowValue value)
{
	return is_number (value, SPIN_LOCKED) || is_number (value, WRITE_LOCKED);
}

static void
begin_try (
	KdLockState *state, unsigned i, const KdLockInsn *insn, const KdFlowOp *op, KdTryState try)
{
	KdLockTry one = {.state = try,
		.lock = place_of (state, op),
		.word = KD_FLOW_DEFINED (i, op->rd),
		.at = insn->addr};

	if (one.lock.base == one.word)
		return;
	define (state, i, op->rd);
	kd_lock_state_try (state, &one);
}

static void
swap (KdLockState *state, unsigned i, const KdLockInsn *insn, const KdFlowOp *op)
{
	if (is_number (kd_lock_state_reg (state, op->rd), 0) &&
		locks (kd_lock_state_reg (state, op->rm)))
		begin_try (state, i, insn, op, KD_TRY_IF_ZERO);
	else
		define (state, i, op->rd);
}

static void
store_exclusive (KdLockState *state, unsigned i, const KdFlowOp *op)
{
	KdFlowValue place = place_of (state, op);
	gboolean taken = locks (kd_lock_state_reg (state, op->rm));

	define (state, i, op->rd);
	for (unsigned k = 0; taken && k < state->nr_tries; k++) {
		KdLockTry *try = &state->tries[k];

		if (try->state != KD_TRY_ZERO || !kd_flow_value_equal (try->lock, place))
			continue;
		try->state = KD_TRY_STORED;
		try->status = KD_FLOW_DEFINED (i, op->rd);
	}
}

/* --- an instruction --- */

static void
apply_xor (const KdLockCode *code, KdLockState *state, unsigned i, const KdFlowOp *op)
{
	KdFlowValue a = kd_lock_state_reg (state, op->rn), b = kd_lock_state_reg (state, op->rm);

	if (is_number (a, 0))
		copy32 (code, state, i, op->rd, b);
	else if (is_number (b, 0))
		copy32 (code, state, i, op->rd, a);
	else
		define (state, i, op->rd);
}

static void
apply (const KdLockCode *code, KdLockState *state, unsigned i, const KdLockInsn *insn,
	const KdFlowOp *op)
{
	switch (op->kind) {
	case KD_FLOW_CHANGE:
		for (unsigned reg = 0; reg < KD_FLOW_REGS_MAX; reg++)
			if (op->mask >> reg & 1)
				define (state, i, reg);
		break;
	case KD_FLOW_SET:
		put (state, i, op->rd, number (op->imm));
		break;
	case KD_FLOW_ADD:
		put (state, i, op->rd, place_of (state, op));
		break;
	case KD_FLOW_COPY32:
		copy32 (code, state, i, op->rd, kd_lock_state_reg (state, op->rn));
		break;
	case KD_FLOW_XOR32:
		apply_xor (code, state, i, op);
		break;
	case KD_FLOW_LOAD:
		load (code, state, i, op);
		break;
	case KD_FLOW_STORE:
		store (code, state, op);
		break;
	case KD_FLOW_SWAP:
		swap (state, i, insn, op);
		break;
	case KD_FLOW_LOAD_EXCLUSIVE:
		begin_try (state, i, insn, op, KD_TRY_LOADED);
		break;
	case KD_FLOW_STORE_EXCLUSIVE:
		store_exclusive (state, i, op);
		break;
	case KD_FLOW_TEST:
		state->flags = kd_lock_state_reg (state, op->rn);
		break;
	case KD_FLOW_NO_FLAGS:
		state->flags = (KdFlowValue){KD_FLOW_UNKNOWN, 0};
		break;
	}
}

gboolean
kd_lock_insn_call (const KdLockCode *code, const KdLockInsn *insn, KdLockCall *ret_call)
{
	return insn->flow.end == KD_FLOW_CALL && insn->flow.target &&
	       code->ops->lock_call (code->data, insn->flow.target, ret_call);
}

/* What a call leaves: not the frame's part below the stack pointer, nor what it was told of. */
static void
forget_called (const KdLockCode *code, KdLockState *state, unsigned i)
{
	const KdFlow *flow = code->flow;
	KdFlowValue sp = state->regs[flow->sp];

	for (unsigned reg = 0; reg < KD_FLOW_REGS_MAX; reg++)
		if (flow->call_changes >> reg & 1)
			escape (code, state, state->regs[reg]);
	forget_escaped (code, state);
	for (unsigned k = state->nr_slots; k-- > 0;)
		if (sp.base == KD_FLOW_ENTRY (flow->sp) ? state->slots[k].offset < sp.offset
							: !is_saved (code, &state->slots[k]))
			state->slots[k] = state->slots[--state->nr_slots];
	for (unsigned reg = 0; reg < KD_FLOW_REGS_MAX; reg++)
		if (flow->call_changes >> reg & 1)
			define (state, i, reg);
	state->flags = (KdFlowValue){KD_FLOW_UNKNOWN, 0};
}

static void
apply_call (const KdLockCode *code, KdLockState *state, unsigned i, const KdLockInsn *insn)
{
	const KdFlow *flow = code->flow;
	KdFlowValue lock = state->regs[flow->first_arg], pointer;
	KdLockCall call;

	if (insn->flow.target && code->ops->keeps_registers &&
		code->ops->keeps_registers (code->data, insn->flow.target))
		return;
	forget_called (code, state, i);
	if (!kd_lock_insn_call (code, insn, &call)) {
		/* It may be one that gives a lock of its caller's back. */
		for (unsigned k = 0; k < state->nr_held; k++)
			state->held[k].called = TRUE;
		return;
	}
	/* In a loop: what came of the same call before. */
	if (lock.base >> 7 == KD_FLOW_DEFINED (i, 0) >> 7)
		lock = (KdFlowValue){KD_FLOW_UNKNOWN, 0};
	pointer = lock;
	if (call.of_result)
		lock = state->regs[flow->result];
	lock = kd_flow_value_add (lock, call.offset);
	pointer = kd_flow_value_add (pointer, call.pointer_offset);
	call.has_pointer &= pointer.base != KD_FLOW_UNKNOWN;
	switch (call.effect) {
	case KD_LOCK_TAKES:
		kd_lock_state_take (state, lock, call.has_pointer ? &pointer : NULL, insn->addr);
		break;
	case KD_LOCK_TRIES:
		kd_lock_state_try (state,
			&(KdLockTry){KD_TRY_IF_NOT_ZERO, lock, KD_FLOW_DEFINED (i, flow->result), 0,
				insn->addr, call.has_pointer, pointer});
		break;
	case KD_LOCK_RELEASES:
		kd_lock_state_release (state, lock, flow->sp);
		break;
	}
}

void
kd_lock_insn_apply (const KdLockCode *code, KdLockState *state, unsigned i)
{
	const KdLockInsn *insn = kd_lock_code_at (code, i);

	for (unsigned k = 0; k < insn->flow.nr_ops; k++)
		apply (code, state, i, insn, &insn->flow.ops[k]);
	if (insn->flow.end == KD_FLOW_CALL)
		apply_call (code, state, i, insn);
}

gboolean
kd_lock_insn_releases (const KdLockCode *code, const KdLockInsn *insn, const KdLockState *state,
	KdFlowValue *ret_lock)
{
	const KdFlowOp *op = insn->flow.nr_ops ? &insn->flow.ops[0] : NULL;
	KdLockCall call;

	/* A function's last call may be a jump. */
	if ((insn->flow.end == KD_FLOW_CALL || insn->flow.end == KD_FLOW_JUMP) &&
		insn->flow.target && code->ops->lock_call (code->data, insn->flow.target, &call) &&
		call.effect == KD_LOCK_RELEASES) {
		*ret_lock = kd_flow_value_add (state->regs[code->flow->first_arg], call.offset);
		return TRUE;
	}
	if (!op || op->kind != KD_FLOW_STORE || !op->releases || !code->ops->byte_releases)
		return FALSE;
	*ret_lock = place_of (state, op);
	return TRUE;
}
