/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/lock-flow.h"

#include "debug/lock-code.h"

/* How often a function is gone through before it is given up, and with names that come and go. */
#define ROUNDS_MAX 128
#define ROUNDS_FREE 16
/* Ways that are compared, in all: code that jumps by tables has many. */
#define WAYS_MAX 200000

/* --- ways --- */

/* TRUE: that is news. */
static gboolean
set_way (KdLockInsn *insn, unsigned from, gboolean jumped, KdLockState *state)
{
	KdLockWay way = {from, jumped, g_rc_box_acquire (state)};

	if (!insn->ways)
		insn->ways = g_array_new (FALSE, FALSE, sizeof (KdLockWay));
	for (guint i = 0; i < insn->ways->len; i++) {
		KdLockWay *old = &g_array_index (insn->ways, KdLockWay, i);
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
meet_ways (const KdLockCode *code, KdLockInsn *insn, unsigned i, KdLockState *ret_state)
{
	g_autofree KdLockState **states = g_new (KdLockState *, insn->ways->len);

	for (guint k = 0; k < insn->ways->len; k++)
		states[k] = g_array_index (insn->ways, KdLockWay, k).state;
	kd_lock_state_meet (states, insn->ways->len, i, insn->values,
		code->settles ? insn->state : NULL, ret_state);
}

/* `state` is of g_rc_box_new(). */
static void
reach (KdLockCode *code, unsigned from, gboolean jumped, uint64_t addr, KdLockState *state)
{
	KdLockState met;
	unsigned i;
	KdLockInsn *insn;

	if (!kd_lock_code_find (code, addr, &i))
		return;
	insn = kd_lock_code_at (code, i);
	if (!set_way (insn, from, jumped, state))
		return;
	code->nr_ways += insn->ways->len;
	if (code->nr_ways > WAYS_MAX) {
		code->too_long = TRUE;
		return;
	}
	meet_ways (code, insn, i, &met);
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
leaves (const KdLockCode *code, const KdLockInsn *insn, const KdLockState *state)
{
	const KdFlowValue entry_sp = {KD_FLOW_ENTRY (code->flow->sp), 0};
	KdFlowValue target;

	if (!kd_flow_value_equal (state->regs[code->flow->sp], entry_sp) ||
		insn->flow.reg == KD_FLOW_NO_REG)
		return FALSE;
	target = kd_lock_state_reg (state, insn->flow.reg);
	return target.base < KD_FLOW_DEFINED (0, 0) ||
	       kd_lock_code_made_by (code, target, KD_FLOW_LOAD, KD_FLOW_LOAD);
}

static void
go_on (KdLockCode *code, unsigned from, const KdLockInsn *insn, KdLockState *state)
{
	KdFlowValue tested = insn->flow.reg == KD_FLOW_NO_REG
				     ? state->flags
				     : kd_lock_state_reg (state, insn->flow.reg);
	uint64_t next[2];
	unsigned nr;

	if (insn->flow.end == KD_FLOW_INDIRECT && !leaves (code, insn, state)) {
		kd_lock_code_add_all (code);
		for (unsigned i = 0; i < code->insns->len && !code->too_long; i++)
			reach (code, from, FALSE, kd_lock_code_at (code, i)->addr, state);
		return;
	}
	nr = kd_lock_insn_next (insn, next);
	if (nr == 2) {
		KdLockState *taken = g_rc_box_dup (sizeof *state, state);

		if (insn->flow.test != KD_FLOW_TEST_NONE) {
			gboolean if_zero = insn->flow.test == KD_FLOW_TEST_ZERO;

			kd_lock_state_learn (taken, tested, if_zero);
			kd_lock_state_learn (state, tested, !if_zero);
		}
		reach (code, from, TRUE, next[1], taken);
		g_rc_box_release (taken);
	}
	if (nr)
		reach (code, from, FALSE, next[0], state);
}

static void
go_through (KdLockCode *code, unsigned i)
{
	/* A copy: more instructions may be found on the way. */
	KdLockInsn insn = *kd_lock_code_at (code, i);
	KdLockState *state = g_rc_box_dup (sizeof *state, insn.state);

	kd_lock_insn_apply (code, state, i);
	go_on (code, i, &insn, state);
	g_rc_box_release (state);
}

/* FALSE: it takes too long. */
static gboolean
run_once (KdLockCode *code)
{
	KdLockState *state = g_rc_box_new (KdLockState);
	g_autoptr (GArray) order = g_array_new (FALSE, FALSE, sizeof (unsigned));
	gboolean again = TRUE;

	kd_lock_state_init (state);
	reach (code, G_MAXUINT, FALSE, code->entry, state);
	g_rc_box_release (state);
	for (unsigned round = 0; again && round < ROUNDS_MAX; round++) {
		again = FALSE;
		code->settles = round >= ROUNDS_FREE;
		if (order->len != code->insns->len)
			kd_lock_code_order (code, order);
		for (guint k = 0; k < order->len && !code->too_long; k++) {
			unsigned i = g_array_index (order, unsigned, k);

			if (!kd_lock_code_at (code, i)->waiting)
				continue;
			kd_lock_code_at (code, i)->waiting = FALSE;
			go_through (code, i);
			again = TRUE;
		}
	}
	return !again && !code->too_long;
}

/* First values, then the locks by them. */
static gboolean
run (KdLockCode *code)
{
	if (!run_once (code))
		return FALSE;
	for (guint i = 0; i < code->insns->len; i++) {
		KdLockInsn *insn = kd_lock_code_at (code, i);

		kd_lock_insn_clear_ways (insn);
		insn->values = g_steal_pointer (&insn->state);
	}
	return run_once (code);
}

/* --- what comes after --- */

/* TRUE: instruction `i` gives the lock back, or one that may be it and is no other that is held. */
static gboolean
gives_back (const KdLockCode *code, unsigned i, KdFlowValue lock)
{
	const KdLockInsn *insn = kd_lock_code_at (code, i);
	KdFlowValue given;

	if (!kd_lock_insn_releases (code, insn, insn->state, &given))
		return FALSE;
	return kd_flow_value_equal (given, lock) ||
	       (!kd_lock_state_find (insn->state, given) &&
		       !kd_flow_value_differ (given, lock, KD_FLOW_ENTRY (code->flow->sp)));
}

/*
 * Where the lock that is held in front of `start` (behind it, if `is_past`) is given back by what
 * comes then; 0: nowhere.
 */
static uint64_t
find_giving_back (const KdLockCode *code, unsigned start, gboolean is_past, KdFlowValue lock)
{
	g_autofree gboolean *seen = g_new0 (gboolean, code->insns->len);
	g_autoptr (GArray) todo = g_array_new (FALSE, FALSE, sizeof (unsigned));

	g_array_append_val (todo, start);
	while (todo->len) {
		unsigned i = g_array_index (todo, unsigned, todo->len - 1), to, nr;
		const KdLockInsn *insn = kd_lock_code_at (code, i);
		gboolean first = i == start && !seen[i];
		uint64_t next[2];

		g_array_set_size (todo, todo->len - 1);
		seen[i] = TRUE;
		if (!first && (!insn->state || !kd_lock_state_find (insn->state, lock)))
			continue;
		if (!(first && is_past) && gives_back (code, i, lock))
			return insn->addr;
		/* Defined again, it is another. */
		if (!first && lock.base / 128 == i + 1)
			continue;
		nr = kd_lock_insn_next (insn, next);
		for (unsigned k = 0; k < nr; k++)
			if (kd_lock_code_find (code, next[k], &to) && !seen[to])
				g_array_append_val (todo, to);
	}
	return 0;
}

/* What is known at `pc`; FALSE: nothing. */
static gboolean
look (const KdLockCode *code, uint64_t pc, gboolean live, KdLockState *ret_state)
{
	const KdLockInsn *insn;
	KdFlowValue given;
	unsigned i;

	for (i = 0; i < code->insns->len; i++) {
		insn = kd_lock_code_at (code, i);
		if (insn->state && (live ? insn->addr == pc
					 : insn->flow.end == KD_FLOW_CALL &&
							   insn->addr + insn->flow.size == pc))
			break;
	}
	if (i == code->insns->len)
		return FALSE;
	*ret_state = *insn->state;
	/* While it gives a lock back, who knows. */
	if (!live && kd_lock_insn_releases (code, insn, insn->state, &given))
		kd_lock_state_release (ret_state, given, code->flow->sp);
	for (unsigned k = 0; k < ret_state->nr_held; k++)
		ret_state->held[k].given_back_at =
			find_giving_back (code, i, !live, ret_state->held[k].lock);
	return TRUE;
}

gboolean
kd_lock_flow (const KdFlow *flow, const KdLockFlowOps *ops, void *data, uint64_t entry,
	uint64_t size, uint64_t pc, gboolean live, KdLockState *ret_state)
{
	g_auto (KdLockCode) code;

	kd_lock_code_init (&code, flow, ops, data, entry, size);
	kd_lock_code_add (&code, entry);
	return run (&code) && look (&code, pc, live, ret_state);
}
