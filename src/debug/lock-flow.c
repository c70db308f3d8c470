/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/lock-flow.h"

#include <string.h>

/* Instructions of a function, and how often all are gone through before it is given up. */
#define INSNS_MAX 4096
#define ROUNDS_MAX 128
#define ROUNDS_FREE 16
/* Ways that are compared, in all: code that jumps by tables has many. */
#define WAYS_MAX 200000
#define INSN_BYTES 16
/* A frame is not larger, nor what one instruction writes whose size is not known. */
#define FRAME_MAX 65536
#define STORE_MAX 64
/* queued_spin_lock(), queued_write_lock(): what is written where there was zero. */
#define SPIN_LOCKED 1
#define WRITE_LOCKED 0xff

/* From an instruction, by falling on or by a jump; what is known on it is counted, and shared. */
typedef struct {
	unsigned from;
	gboolean jumped;
	KdLockState *state;
} Way;

typedef struct {
	uint64_t addr;
	KdFlowInsn flow;
	GArray *ways;        /* of Way: those that lead here; NULL: none is known */
	KdLockState *state;  /* in front of it: what they have in common */
	KdLockState *values; /* the same, as far as it was found first */
	gboolean waiting;    /* to be gone through again */
} Insn;

typedef struct {
	const KdFlow *flow;
	const KdLockFlowOps *ops;
	void *data;
	uint64_t entry, size;
	GArray *insns;     /* of Insn */
	GHashTable *index; /* address → its place + 1 */
	unsigned nr_ways;  /* compared */
	gboolean settles;  /* names of values are not taken back any more */
	gboolean too_long;
} Analysis;

static void
clear_ways (Insn *insn)
{
	for (guint i = 0; insn->ways && i < insn->ways->len; i++)
		g_rc_box_release (g_array_index (insn->ways, Way, i).state);
	g_clear_pointer (&insn->ways, g_array_unref);
}

static void
insn_clear (void *data)
{
	Insn *insn = data;

	clear_ways (insn);
	g_free (insn->state);
	g_free (insn->values);
}

static Insn *
insn_at (const Analysis *analysis, unsigned i)
{
	return &g_array_index (analysis->insns, Insn, i);
}

static gboolean
find_insn (const Analysis *analysis, uint64_t addr, unsigned *ret_index)
{
	gpointer place = g_hash_table_lookup (analysis->index, &addr);

	if (!place)
		return FALSE;
	*ret_index = GPOINTER_TO_UINT (place) - 1;
	return TRUE;
}

/* --- the code --- */

static gboolean
is_inside (const Analysis *analysis, uint64_t addr)
{
	return addr - analysis->entry < analysis->size ||
	       (analysis->ops->is_part && analysis->ops->is_part (analysis->data, addr));
}

/* TRUE: there is an instruction at `addr`, now known. */
static gboolean
add_insn (Analysis *analysis, uint64_t addr)
{
	uint8_t code[INSN_BYTES];
	Insn insn = {.addr = addr};
	size_t len = sizeof code;
	uint64_t *key;

	/* The last one may lie in front of what is not there. */
	while (len && !analysis->ops->read (analysis->data, addr, code, len))
		len /= 2;
	if (len == 0 || !analysis->flow->decode (code, len, addr, &insn.flow))
		return FALSE;
	if (analysis->insns->len >= INSNS_MAX) {
		analysis->too_long = TRUE;
		return FALSE;
	}
	g_array_append_val (analysis->insns, insn);
	key = g_memdup2 (&addr, sizeof addr);
	g_hash_table_insert (analysis->index, key, GUINT_TO_POINTER (analysis->insns->len));
	return TRUE;
}

static unsigned
next_addrs (const Insn *insn, uint64_t ret_next[2])
{
	uint64_t behind = insn->addr + insn->flow.size;

	switch (insn->flow.end) {
	case KD_FLOW_JUMP:
		ret_next[0] = insn->flow.target;
		return 1;
	case KD_FLOW_BRANCH:
		ret_next[0] = behind;
		ret_next[1] = insn->flow.target;
		return 2;
	case KD_FLOW_INDIRECT:
	case KD_FLOW_STOP:
		return 0;
	default:
		ret_next[0] = behind;
		return 1;
	}
}

/* All instructions that direct ways from `start` lead to. */
static void
discover (Analysis *analysis, uint64_t start)
{
	g_autoptr (GArray) todo = g_array_new (FALSE, FALSE, sizeof (uint64_t));

	g_array_append_val (todo, start);
	while (todo->len && !analysis->too_long) {
		uint64_t addr = g_array_index (todo, uint64_t, todo->len - 1), next[2];
		unsigned i, nr;

		g_array_set_size (todo, todo->len - 1);
		if (find_insn (analysis, addr, &i) || !is_inside (analysis, addr) ||
			!add_insn (analysis, addr))
			continue;
		nr = next_addrs (insn_at (analysis, analysis->insns->len - 1), next);
		g_array_append_vals (todo, next, nr);
	}
}

/* What only a table's jump leads to: one instruction behind the other. */
static void
discover_all (Analysis *analysis)
{
	uint64_t addr = analysis->entry;
	unsigned i;

	while (addr - analysis->entry < analysis->size && !analysis->too_long) {
		if (!find_insn (analysis, addr, &i)) {
			discover (analysis, addr);
			if (!find_insn (analysis, addr, &i))
				return;
		}
		addr += insn_at (analysis, i)->flow.size;
	}
}

/* --- values --- */

static KdFlowValue
number (int64_t value)
{
	return (KdFlowValue){KD_FLOW_NUMBER, value};
}

static KdFlowValue
reg_value (const KdLockState *state, unsigned reg)
{
	return reg < KD_FLOW_REGS_MAX ? state->regs[reg] : number (0);
}

static KdFlowValue
place_of (const KdLockState *state, const KdFlowOp *op)
{
	return kd_flow_value_add (reg_value (state, op->rn), op->imm);
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
static const Insn *
maker_of (const Analysis *analysis, KdFlowValue value, unsigned *ret_reg)
{
	unsigned i = value.base / 128;

	*ret_reg = value.base % 128;
	if (value.base == KD_FLOW_UNKNOWN || i == 0 || i > analysis->insns->len ||
		*ret_reg >= KD_FLOW_REGS_MAX)
		return NULL;
	return insn_at (analysis, i - 1);
}

static gboolean
made_by (const Analysis *analysis, KdFlowValue value, KdFlowKind a, KdFlowKind b)
{
	unsigned reg;
	const Insn *maker = maker_of (analysis, value, &reg);

	for (unsigned k = 0; maker && k < maker->flow.nr_ops; k++) {
		const KdFlowOp *op = &maker->flow.ops[k];

		if ((op->kind == a || op->kind == b) && op->rd == reg)
			return TRUE;
	}
	return FALSE;
}

/* 32 bits of it are all of it: it was read as so many. */
static gboolean
is_word (const Analysis *analysis, KdFlowValue value)
{
	return value.offset == 0 && made_by (analysis, value, KD_FLOW_SWAP, KD_FLOW_LOAD_EXCLUSIVE);
}

static void
copy32 (const Analysis *analysis, KdLockState *state, unsigned i, unsigned reg, KdFlowValue value)
{
	if (value.base == KD_FLOW_NUMBER)
		put (state, i, reg, number ((int64_t)(uint32_t)value.offset));
	else if (is_word (analysis, value))
		put (state, i, reg, value);
	else
		define (state, i, reg);
}

/* --- memory of the frame --- */

/* A register as the caller left it, put where only the function's end looks. */
static gboolean
is_saved (const Analysis *analysis, const KdLockSlot *slot)
{
	uint32_t base = slot->value.base;

	return base >= KD_FLOW_ENTRY (0) && base < KD_FLOW_ENTRY (KD_FLOW_REGS_MAX) &&
	       slot->value.offset == 0 &&
	       (analysis->flow->callee_saved >> (base - KD_FLOW_ENTRY (0)) & 1);
}

/* What others may write. */
static void
forget_escaped (const Analysis *analysis, KdLockState *state)
{
	for (unsigned i = state->nr_slots; i-- > 0;)
		if (state->slots[i].offset >= state->escaped &&
			!is_saved (analysis, &state->slots[i]))
			state->slots[i] = state->slots[--state->nr_slots];
}

static void
escape (const Analysis *analysis, KdLockState *state, KdFlowValue value)
{
	if (value.base == KD_FLOW_ENTRY (analysis->flow->sp))
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
store (const Analysis *analysis, KdLockState *state, const KdFlowOp *op)
{
	KdFlowValue place = place_of (state, op), value = {KD_FLOW_UNKNOWN, 0};

	if (!op->unknown)
		value = reg_value (state, op->rd);
	if (place.base == KD_FLOW_ENTRY (analysis->flow->sp))
		store_slot (state, op, place.offset, value);
	else
		forget_escaped (analysis, state);
	escape (analysis, state, value);
	if (op->releases && analysis->ops->byte_releases) {
		kd_lock_state_release (state, place, analysis->flow->sp);
		return;
	}
	/* Whatever writes to a lock that is held gives it back. */
	for (unsigned i = 0; i < state->nr_held; i++)
		if (kd_flow_value_equal (state->held[i].lock, place)) {
			kd_lock_state_release (state, place, analysis->flow->sp);
			return;
		}
}

static void
load (const Analysis *analysis, KdLockState *state, unsigned i, const KdFlowOp *op)
{
	KdFlowValue place = place_of (state, op);

	if (place.base == KD_FLOW_ENTRY (analysis->flow->sp))
		for (unsigned k = 0; k < state->nr_slots; k++)
			if (state->slots[k].offset == place.offset) {
				put (state, i, op->rd, state->slots[k].value);
				return;
			}
	define (state, i, op->rd);
}

/* --- words of locks --- */

static gboolean
locks (KdFlowValue value)
{
	return is_number (value, SPIN_LOCKED) || is_number (value, WRITE_LOCKED);
}

static void
begin_try (KdLockState *state, unsigned i, const Insn *insn, const KdFlowOp *op, KdTryState try)
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
swap (KdLockState *state, unsigned i, const Insn *insn, const KdFlowOp *op)
{
	if (is_number (reg_value (state, op->rd), 0) && locks (reg_value (state, op->rm)))
		begin_try (state, i, insn, op, KD_TRY_IF_ZERO);
	else
		define (state, i, op->rd);
}

static void
store_exclusive (KdLockState *state, unsigned i, const KdFlowOp *op)
{
	KdFlowValue place = place_of (state, op);
	gboolean taken = locks (reg_value (state, op->rm));

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
apply_xor (const Analysis *analysis, KdLockState *state, unsigned i, const KdFlowOp *op)
{
	KdFlowValue a = reg_value (state, op->rn), b = reg_value (state, op->rm);

	if (is_number (a, 0))
		copy32 (analysis, state, i, op->rd, b);
	else if (is_number (b, 0))
		copy32 (analysis, state, i, op->rd, a);
	else
		define (state, i, op->rd);
}

static void
apply (const Analysis *analysis, KdLockState *state, unsigned i, const Insn *insn,
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
		copy32 (analysis, state, i, op->rd, reg_value (state, op->rn));
		break;
	case KD_FLOW_XOR32:
		apply_xor (analysis, state, i, op);
		break;
	case KD_FLOW_LOAD:
		load (analysis, state, i, op);
		break;
	case KD_FLOW_STORE:
		store (analysis, state, op);
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
		state->flags = reg_value (state, op->rn);
		break;
	case KD_FLOW_NO_FLAGS:
		state->flags = (KdFlowValue){KD_FLOW_UNKNOWN, 0};
		break;
	}
}

static gboolean
lock_call (const Analysis *analysis, const Insn *insn, KdLockCall *ret_call)
{
	return insn->flow.end == KD_FLOW_CALL && insn->flow.target &&
	       analysis->ops->lock_call (analysis->data, insn->flow.target, ret_call);
}

/* What a call leaves: not the frame's part below the stack pointer, nor what it was told of. */
static void
forget_called (const Analysis *analysis, KdLockState *state, unsigned i)
{
	const KdFlow *flow = analysis->flow;
	KdFlowValue sp = state->regs[flow->sp];

	for (unsigned reg = 0; reg < KD_FLOW_REGS_MAX; reg++)
		if (flow->call_changes >> reg & 1)
			escape (analysis, state, state->regs[reg]);
	forget_escaped (analysis, state);
	for (unsigned k = state->nr_slots; k-- > 0;)
		if (sp.base == KD_FLOW_ENTRY (flow->sp) ? state->slots[k].offset < sp.offset
							: !is_saved (analysis, &state->slots[k]))
			state->slots[k] = state->slots[--state->nr_slots];
	for (unsigned reg = 0; reg < KD_FLOW_REGS_MAX; reg++)
		if (flow->call_changes >> reg & 1)
			define (state, i, reg);
	state->flags = (KdFlowValue){KD_FLOW_UNKNOWN, 0};
}

static void
apply_call (const Analysis *analysis, KdLockState *state, unsigned i, const Insn *insn)
{
	const KdFlow *flow = analysis->flow;
	KdFlowValue lock = state->regs[flow->first_arg];
	KdLockCall call;

	if (insn->flow.target && analysis->ops->keeps_registers &&
		analysis->ops->keeps_registers (analysis->data, insn->flow.target))
		return;
	forget_called (analysis, state, i);
	if (!lock_call (analysis, insn, &call))
		return;
	/* In a loop: what came of the same call before. */
	if (call.of_result)
		lock = state->regs[flow->result];
	else if (lock.base >> 7 == KD_FLOW_DEFINED (i, 0) >> 7)
		lock = (KdFlowValue){KD_FLOW_UNKNOWN, 0};
	lock = kd_flow_value_add (lock, call.offset);
	switch (call.effect) {
	case KD_LOCK_TAKES:
		kd_lock_state_take (state, lock, insn->addr);
		break;
	case KD_LOCK_TRIES:
		kd_lock_state_try (
			state, &(KdLockTry){KD_TRY_IF_NOT_ZERO, lock,
				       KD_FLOW_DEFINED (i, flow->result), 0, insn->addr});
		break;
	case KD_LOCK_RELEASES:
		kd_lock_state_release (state, lock, flow->sp);
		break;
	}
}

/* --- all of them --- */

/* TRUE: that is news. */
static gboolean
set_way (Insn *insn, unsigned from, gboolean jumped, KdLockState *state)
{
	Way way = {from, jumped, g_rc_box_acquire (state)};

	if (!insn->ways)
		insn->ways = g_array_new (FALSE, FALSE, sizeof (Way));
	for (guint i = 0; i < insn->ways->len; i++) {
		Way *old = &g_array_index (insn->ways, Way, i);
		gboolean same;

		if (old->from != from || old->jumped != jumped)
			continue;
		same = kd_lock_state_equal (old->state, state);
		g_rc_box_release (old->state);
		*old = way;
		return !same;
	}
	g_array_append_val (insn->ways, way);
	return TRUE;
}

static void
meet_ways (const Analysis *analysis, Insn *insn, unsigned i, KdLockState *ret_state)
{
	g_autofree KdLockState **states = g_new (KdLockState *, insn->ways->len);

	for (guint k = 0; k < insn->ways->len; k++)
		states[k] = g_array_index (insn->ways, Way, k).state;
	kd_lock_state_meet (states, insn->ways->len, i, insn->values,
		analysis->settles ? insn->state : NULL, ret_state);
}

/* `state` is of g_rc_box_new(). */
static void
reach (Analysis *analysis, unsigned from, gboolean jumped, uint64_t addr, KdLockState *state)
{
	KdLockState met;
	unsigned i;
	Insn *insn;

	if (!find_insn (analysis, addr, &i))
		return;
	insn = insn_at (analysis, i);
	if (!set_way (insn, from, jumped, state))
		return;
	analysis->nr_ways += insn->ways->len;
	if (analysis->nr_ways > WAYS_MAX) {
		analysis->too_long = TRUE;
		return;
	}
	meet_ways (analysis, insn, i, &met);
	if (!insn->state)
		insn->state = g_new (KdLockState, 1);
	else if (kd_lock_state_equal (insn->state, &met))
		return;
	*insn->state = met;
	insn->waiting = TRUE;
}

/*
 * TRUE: an indirect jump that leaves the function, as a return does: the stack is the caller's, and
 * where it goes was not computed.
 */
static gboolean
leaves (const Analysis *analysis, const Insn *insn, const KdLockState *state)
{
	const KdFlowValue entry_sp = {KD_FLOW_ENTRY (analysis->flow->sp), 0};
	KdFlowValue target;

	if (!kd_flow_value_equal (state->regs[analysis->flow->sp], entry_sp) ||
		insn->flow.reg == KD_FLOW_NO_REG)
		return FALSE;
	target = reg_value (state, insn->flow.reg);
	return target.base < KD_FLOW_DEFINED (0, 0) ||
	       made_by (analysis, target, KD_FLOW_LOAD, KD_FLOW_LOAD);
}

static void
go_on (Analysis *analysis, unsigned from, const Insn *insn, KdLockState *state)
{
	KdFlowValue tested =
		insn->flow.reg == KD_FLOW_NO_REG ? state->flags : reg_value (state, insn->flow.reg);
	uint64_t next[2];
	unsigned nr;

	if (insn->flow.end == KD_FLOW_INDIRECT && !leaves (analysis, insn, state)) {
		discover_all (analysis);
		for (unsigned i = 0; i < analysis->insns->len && !analysis->too_long; i++)
			reach (analysis, from, FALSE, insn_at (analysis, i)->addr, state);
		return;
	}
	nr = next_addrs (insn, next);
	if (nr == 2) {
		KdLockState *taken = g_rc_box_dup (sizeof *state, state);

		if (insn->flow.test != KD_FLOW_TEST_NONE) {
			gboolean if_zero = insn->flow.test == KD_FLOW_TEST_ZERO;

			kd_lock_state_learn (taken, tested, if_zero);
			kd_lock_state_learn (state, tested, !if_zero);
		}
		reach (analysis, from, TRUE, next[1], taken);
		g_rc_box_release (taken);
	}
	if (nr)
		reach (analysis, from, FALSE, next[0], state);
}

static void
go_through (Analysis *analysis, unsigned i)
{
	/* A copy: more instructions may be found on the way. */
	Insn insn = *insn_at (analysis, i);
	KdLockState *state = g_rc_box_dup (sizeof *state, insn.state);

	for (unsigned k = 0; k < insn.flow.nr_ops; k++)
		apply (analysis, state, i, &insn, &insn.flow.ops[k]);
	if (insn.flow.end == KD_FLOW_CALL)
		apply_call (analysis, state, i, &insn);
	go_on (analysis, i, &insn, state);
	g_rc_box_release (state);
}

/*
 * The instructions in an order in which each comes, but in loops, behind all that lead to it: a
 * walk into the depth, backwards.
 */
static void
order_insns (const Analysis *analysis, GArray *order)
{
	guint nr = analysis->insns->len, left = nr;
	g_autofree guint8 *ways_gone = g_malloc0 (nr);
	g_autoptr (GArray) path = g_array_new (FALSE, FALSE, sizeof (unsigned));

	g_array_set_size (order, nr);
	for (unsigned start = 0; start < nr; start++) {
		if (!ways_gone[start])
			g_array_append_val (path, start);
		while (path->len) {
			unsigned at = g_array_index (path, unsigned, path->len - 1), to;
			const Insn *insn = insn_at (analysis, at);
			uint64_t next[2];
			unsigned nr_next = next_addrs (insn, next);

			/* Counted from 1: 0 is one that was not come to. */
			if (ways_gone[at] <= nr_next && ways_gone[at]++ < nr_next) {
				if (find_insn (analysis, next[ways_gone[at] - 1], &to) &&
					!ways_gone[to])
					g_array_append_val (path, to);
				continue;
			}
			g_array_set_size (path, path->len - 1);
			if (ways_gone[at] != UINT8_MAX) {
				ways_gone[at] = UINT8_MAX;
				g_array_index (order, unsigned, --left) = at;
			}
		}
	}
}

/* FALSE: it takes too long. */
static gboolean
run_once (Analysis *analysis)
{
	KdLockState *state = g_rc_box_new (KdLockState);
	g_autoptr (GArray) order = g_array_new (FALSE, FALSE, sizeof (unsigned));
	gboolean again = TRUE;

	kd_lock_state_init (state);
	reach (analysis, G_MAXUINT, FALSE, analysis->entry, state);
	g_rc_box_release (state);
	for (unsigned round = 0; again && round < ROUNDS_MAX; round++) {
		again = FALSE;
		analysis->settles = round >= ROUNDS_FREE;
		if (order->len != analysis->insns->len)
			order_insns (analysis, order);
		for (guint k = 0; k < order->len && !analysis->too_long; k++) {
			unsigned i = g_array_index (order, unsigned, k);

			if (!insn_at (analysis, i)->waiting)
				continue;
			insn_at (analysis, i)->waiting = FALSE;
			go_through (analysis, i);
			again = TRUE;
		}
	}
	return !again && !analysis->too_long;
}

/* First values, then the locks by them. */
static gboolean
run (Analysis *analysis)
{
	if (!run_once (analysis))
		return FALSE;
	for (guint i = 0; i < analysis->insns->len; i++) {
		Insn *insn = insn_at (analysis, i);

		clear_ways (insn);
		insn->values = g_steal_pointer (&insn->state);
	}
	return run_once (analysis);
}

/* What is known at `pc`; FALSE: nothing. */
static gboolean
look (const Analysis *analysis, uint64_t pc, gboolean live, KdLockState *ret_state)
{
	const KdFlow *flow = analysis->flow;
	KdLockCall call;
	unsigned i;

	for (i = 0; i < analysis->insns->len; i++) {
		const Insn *insn = insn_at (analysis, i);

		if (insn->state && (live ? insn->addr == pc
					 : insn->flow.end == KD_FLOW_CALL &&
							   insn->addr + insn->flow.size == pc))
			break;
	}
	if (i == analysis->insns->len)
		return FALSE;
	*ret_state = *insn_at (analysis, i)->state;
	/* While it gives a lock back, who knows. */
	if (!live && lock_call (analysis, insn_at (analysis, i), &call) &&
		call.effect == KD_LOCK_RELEASES)
		kd_lock_state_release (ret_state,
			kd_flow_value_add (ret_state->regs[flow->first_arg], call.offset),
			flow->sp);
	return TRUE;
}

gboolean
kd_lock_flow (const KdFlow *flow, const KdLockFlowOps *ops, void *data, uint64_t entry,
	uint64_t size, uint64_t pc, gboolean live, KdLockState *ret_state)
{
	g_autoptr (GArray) insns = g_array_new (FALSE, FALSE, sizeof (Insn));
	g_autoptr (GHashTable) index =
		g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
	Analysis analysis = {flow, ops, data, entry, size, insns, index, 0, FALSE, FALSE};
	gboolean done;

	g_array_set_clear_func (insns, insn_clear);
	discover (&analysis, entry);
	done = run (&analysis) && look (&analysis, pc, live, ret_state);
	return done;
}
