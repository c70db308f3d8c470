/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/lock-state.h"

#include <string.h>

static const KdFlowValue unknown = {KD_FLOW_UNKNOWN, 0};

gboolean
kd_flow_value_equal (KdFlowValue a, KdFlowValue b)
{
	return a.base == b.base && a.offset == b.offset;
}

KdFlowValue
kd_flow_value_add (KdFlowValue value, int64_t offset)
{
	if (value.base == KD_FLOW_UNKNOWN)
		return unknown;
	return (KdFlowValue){value.base, (int64_t)((uint64_t)value.offset + (uint64_t)offset)};
}

void
kd_lock_state_init (KdLockState *state)
{
	*state = (KdLockState){.flags = unknown, .escaped = G_MAXINT64};
	for (unsigned reg = 0; reg < KD_FLOW_REGS_MAX; reg++)
		state->regs[reg] = (KdFlowValue){KD_FLOW_ENTRY (reg), 0};
}

/* --- a list without one of its elements --- */

static void
remove_slot (KdLockState *state, unsigned i)
{
	state->slots[i] = state->slots[--state->nr_slots];
}

static void
remove_held (KdLockState *state, unsigned i)
{
	state->held[i] = state->held[--state->nr_held];
}

static void
remove_released (KdLockState *state, unsigned i)
{
	state->released[i] = state->released[--state->nr_released];
}

static void
remove_load (KdLockState *state, unsigned i)
{
	/* In their order: the oldest goes when there is no more room. */
	memmove (state->loads + i, state->loads + i + 1,
		(--state->nr_loads - i) * sizeof state->loads[0]);
}

static void
remove_try (KdLockState *state, unsigned i)
{
	state->tries[i] = state->tries[--state->nr_tries];
}

/* --- locks --- */

static KdHeldLock *
find_held (KdLockState *state, KdFlowValue lock)
{
	for (unsigned i = 0; i < state->nr_held; i++)
		if (kd_flow_value_equal (state->held[i].lock, lock))
			return &state->held[i];
	return NULL;
}

static gboolean
find_released (const KdLockState *state, KdFlowValue lock, unsigned *ret_index)
{
	for (*ret_index = 0; *ret_index < state->nr_released; ++*ret_index)
		if (kd_flow_value_equal (state->released[*ret_index], lock))
			return TRUE;
	return FALSE;
}

const KdHeldLock *
kd_lock_state_find (const KdLockState *state, KdFlowValue lock)
{
	return find_held ((KdLockState *)state, lock);
}

void
kd_lock_state_load (KdLockState *state, uint32_t base, KdFlowValue place)
{
	if (place.base == base || place.base == KD_FLOW_UNKNOWN)
		return;
	if (state->nr_loads == KD_LOCK_LOADS_MAX)
		remove_load (state, 0);
	state->loads[state->nr_loads++] = (KdLockLoad){base, place};
}

static const KdFlowValue *
find_load (const KdLockState *state, uint32_t base)
{
	for (unsigned i = 0; i < state->nr_loads; i++)
		if (state->loads[i].base == base)
			return &state->loads[i].place;
	return NULL;
}

void
kd_lock_state_take (KdLockState *state, KdFlowValue lock, const KdFlowValue *pointer, uint64_t at)
{
	KdHeldLock held = {.lock = lock, .taken_at = at};
	unsigned i;

	if (lock.base == KD_FLOW_UNKNOWN || find_held (state, lock))
		return;
	if (find_released (state, lock, &i))
		remove_released (state, i);
	if (!pointer)
		pointer = find_load (state, lock.base);
	if (pointer && pointer->base != KD_FLOW_UNKNOWN) {
		held.has_pointer = TRUE;
		held.pointer = *pointer;
	}
	/* More than fit are not shown to be held. */
	if (state->nr_held < KD_LOCKS_MAX)
		state->held[state->nr_held++] = held;
}

gboolean
kd_flow_value_differ (KdFlowValue a, KdFlowValue b, uint32_t stack)
{
	if (a.base == b.base)
		return a.base != KD_FLOW_UNKNOWN && a.offset != b.offset;
	return (a.base == KD_FLOW_NUMBER && b.base == stack) ||
	       (b.base == KD_FLOW_NUMBER && a.base == stack);
}

static void
add_released (KdLockState *state, KdFlowValue lock)
{
	unsigned i;

	if (state->any_released || find_released (state, lock, &i))
		return;
	if (lock.base == KD_FLOW_UNKNOWN || state->nr_released == KD_LOCKS_MAX)
		state->any_released = TRUE;
	else
		state->released[state->nr_released++] = lock;
}

static void
doubt (KdHeldLock *held, KdFlowValue value)
{
	/* One is kept: two are anything. */
	if (held->has_doubt && !kd_flow_value_equal (held->doubt, value))
		value = unknown;
	held->doubt = value;
	held->has_doubt = TRUE;
}

void
kd_lock_state_release (KdLockState *state, KdFlowValue lock, unsigned sp)
{
	KdHeldLock *same = lock.base != KD_FLOW_UNKNOWN ? find_held (state, lock) : NULL;

	if (same) {
		remove_held (state, (unsigned)(same - state->held));
		return;
	}
	for (unsigned i = 0; i < state->nr_held; i++)
		if (!kd_flow_value_differ (state->held[i].lock, lock, KD_FLOW_ENTRY (sp)))
			doubt (&state->held[i], lock);
	add_released (state, lock);
}

void
kd_lock_state_try (KdLockState *state, const KdLockTry *try)
{
	const KdFlowValue *pointer = find_load (state, try->lock.base);
	KdLockTry *added;

	if (try->lock.base == KD_FLOW_UNKNOWN || state->nr_tries == KD_LOCK_TRIES_MAX)
		return;
	added = &state->tries[state->nr_tries++];
	*added = *try;
	if (!added->has_pointer && pointer) {
		added->has_pointer = TRUE;
		added->pointer = *pointer;
	}
}

/* FALSE: it comes to nothing. */
static gboolean
learn_try (KdLockState *state, KdLockTry *try, uint32_t base, gboolean is_zero)
{
	if (try->state == KD_TRY_STORED && try->status == base) {
		try->state = KD_TRY_IF_ZERO;
		return is_zero;
	}
	if (try->word != base)
		return TRUE;
	switch (try->state) {
	case KD_TRY_LOADED:
		/* Not zero: that it is held if it was zero holds, for it was not. */
		try->state = is_zero ? KD_TRY_ZERO : KD_TRY_IF_ZERO;
		return TRUE;
	case KD_TRY_IF_ZERO:
		if (is_zero)
			kd_lock_state_take (
				state, try->lock, try->has_pointer ? &try->pointer : NULL, try->at);
		return FALSE;
	case KD_TRY_IF_NOT_ZERO:
		if (!is_zero)
			kd_lock_state_take (
				state, try->lock, try->has_pointer ? &try->pointer : NULL, try->at);
		return FALSE;
	case KD_TRY_ZERO:
	case KD_TRY_STORED:
		break;
	}
	return is_zero;
}

void
kd_lock_state_learn (KdLockState *state, KdFlowValue value, gboolean is_zero)
{
	if (value.base == KD_FLOW_UNKNOWN || value.base == KD_FLOW_NUMBER || value.offset != 0)
		return;
	for (unsigned i = state->nr_tries; i-- > 0;)
		if (!learn_try (state, &state->tries[i], value.base, is_zero))
			remove_try (state, i);
}

/* --- what is lost --- */

static void
forget_value (KdFlowValue *value, uint32_t base)
{
	if (value->base == base)
		*value = unknown;
}

static void
forget_locks (KdLockState *state, uint32_t base)
{
	for (unsigned i = state->nr_held; i-- > 0;) {
		if (state->held[i].lock.base == base)
			remove_held (state, i);
		else if (state->held[i].has_doubt)
			forget_value (&state->held[i].doubt, base);
	}
	for (unsigned i = 0; i < state->nr_held; i++)
		if (state->held[i].pointer.base == base)
			state->held[i].has_pointer = FALSE;
	for (unsigned i = 0; i < state->nr_tries; i++)
		if (state->tries[i].pointer.base == base)
			state->tries[i].has_pointer = FALSE;
	for (unsigned i = state->nr_loads; i-- > 0;)
		if (state->loads[i].base == base || state->loads[i].place.base == base)
			remove_load (state, i);
	for (unsigned i = state->nr_released; i-- > 0;) {
		if (state->released[i].base != base)
			continue;
		state->any_released = TRUE;
		remove_released (state, i);
	}
	for (unsigned i = state->nr_tries; i-- > 0;)
		if (state->tries[i].lock.base == base || state->tries[i].word == base ||
			state->tries[i].status == base)
			remove_try (state, i);
}

void
kd_lock_state_forget (KdLockState *state, uint32_t base)
{
	for (unsigned reg = 0; reg < KD_FLOW_REGS_MAX; reg++)
		forget_value (&state->regs[reg], base);
	forget_value (&state->flags, base);
	for (unsigned i = state->nr_slots; i-- > 0;)
		if (state->slots[i].value.base == base)
			remove_slot (state, i);
	forget_locks (state, base);
}

/* --- ways that meet --- */

static const KdLockSlot *
find_slot (const KdLockState *state, int64_t offset)
{
	for (unsigned i = 0; i < state->nr_slots; i++)
		if (state->slots[i].offset == offset)
			return &state->slots[i];
	return NULL;
}

static void
meet_slots (KdLockState *state, const KdLockState *other)
{
	for (unsigned i = state->nr_slots; i-- > 0;) {
		const KdLockSlot *slot = find_slot (other, state->slots[i].offset);

		if (!slot || !kd_flow_value_equal (slot->value, state->slots[i].value))
			remove_slot (state, i);
	}
}

/* A register's value: what all ways have but those that come from here with it as it was. */
static KdFlowValue
meet_register (KdLockState *const *ways, unsigned nr_ways, unsigned insn, unsigned reg)
{
	const KdFlowValue here = {KD_FLOW_MET (insn, reg), 0};
	KdFlowValue value = here;

	for (unsigned i = 0; i < nr_ways; i++) {
		if (kd_flow_value_equal (ways[i]->regs[reg], here))
			continue;
		if (!kd_flow_value_equal (value, here) &&
			!kd_flow_value_equal (value, ways[i]->regs[reg]))
			return here;
		value = ways[i]->regs[reg];
	}
	return value;
}

/* The registers that have met here: what came of what they had here before does not come of this.
 */
static void
forget_met (KdLockState *way, unsigned insn, const KdFlowValue *regs)
{
	for (unsigned reg = 0; reg < KD_FLOW_REGS_MAX; reg++) {
		KdFlowValue here = {KD_FLOW_MET (insn, reg), 0};

		if (kd_flow_value_equal (regs[reg], here) &&
			!kd_flow_value_equal (way->regs[reg], here))
			kd_lock_state_forget (way, here.base);
	}
}

static void
meet_values (KdLockState *const *ways, unsigned nr_ways, unsigned insn, const KdLockState *kept,
	KdLockState *state)
{
	KdFlowValue regs[KD_FLOW_REGS_MAX];

	for (unsigned reg = 0; reg < KD_FLOW_REGS_MAX; reg++)
		regs[reg] = kept && kept->regs[reg].base == KD_FLOW_MET (insn, reg)
				    ? kept->regs[reg]
				    : meet_register (ways, nr_ways, insn, reg);
	for (unsigned i = 0; i < nr_ways; i++) {
		KdLockState way = *ways[i];

		forget_met (&way, insn, regs);
		if (i == 0) {
			*state = way;
			continue;
		}
		if (!kd_flow_value_equal (state->flags, way.flags))
			state->flags = unknown;
		meet_slots (state, &way);
		state->escaped = MIN (state->escaped, way.escaped);
	}
	memcpy (state->regs, regs, sizeof regs);
	state->nr_held = state->nr_released = state->nr_tries = state->nr_loads = 0;
	state->any_released = FALSE;
}

static void
meet_locks (KdLockState *state, KdLockState *other)
{
	for (unsigned i = state->nr_held; i-- > 0;) {
		const KdHeldLock *held = find_held (other, state->held[i].lock);

		if (!held)
			remove_held (state, i);
		else if (held->has_doubt)
			doubt (&state->held[i], held->doubt);
		if (held && held->called)
			state->held[i].called = TRUE;
		if (held && !(held->has_pointer &&
				    kd_flow_value_equal (held->pointer, state->held[i].pointer)))
			state->held[i].has_pointer = FALSE;
	}
	for (unsigned i = 0; i < other->nr_released; i++)
		add_released (state, other->released[i]);
	state->any_released |= other->any_released;
}

static gboolean
try_equal (const KdLockTry *a, const KdLockTry *b)
{
	return a->state == b->state && a->word == b->word && a->has_pointer == b->has_pointer &&
	       (!a->has_pointer || kd_flow_value_equal (a->pointer, b->pointer)) &&
	       (a->state != KD_TRY_STORED || a->status == b->status) &&
	       kd_flow_value_equal (a->lock, b->lock);
}

static void
meet_tries (KdLockState *state, const KdLockState *other)
{
	for (unsigned i = state->nr_loads; i-- > 0;) {
		const KdFlowValue *place = find_load (other, state->loads[i].base);

		if (!place || !kd_flow_value_equal (*place, state->loads[i].place))
			remove_load (state, i);
	}
	for (unsigned i = state->nr_tries; i-- > 0;) {
		gboolean found = FALSE;

		for (unsigned j = 0; j < other->nr_tries; j++)
			found |= try_equal (&state->tries[i], &other->tries[j]);
		if (!found)
			remove_try (state, i);
	}
}

void
kd_lock_state_meet (KdLockState *const *ways, unsigned nr_ways, unsigned insn,
	const KdLockState *values, const KdLockState *kept, KdLockState *ret_state)
{
	if (!values) {
		meet_values (ways, nr_ways, insn, kept, ret_state);
		return;
	}
	for (unsigned i = 0; i < nr_ways; i++) {
		KdLockState way = *ways[i];

		forget_met (&way, insn, values->regs);
		if (i == 0) {
			*ret_state = way;
			continue;
		}
		meet_locks (ret_state, &way);
		meet_tries (ret_state, &way);
	}
	memcpy (ret_state->regs, values->regs, sizeof values->regs);
	memcpy (ret_state->slots, values->slots, sizeof values->slots);
	ret_state->nr_slots = values->nr_slots;
	ret_state->flags = values->flags;
	ret_state->escaped = values->escaped;
}

static gboolean
held_equal (const KdHeldLock *a, const KdHeldLock *b)
{
	return kd_flow_value_equal (a->lock, b->lock) && a->has_doubt == b->has_doubt &&
	       a->has_pointer == b->has_pointer &&
	       (!a->has_pointer || kd_flow_value_equal (a->pointer, b->pointer)) &&
	       a->called == b->called &&
	       (!a->has_doubt || kd_flow_value_equal (a->doubt, b->doubt));
}

gboolean
kd_lock_state_equal (const KdLockState *a, const KdLockState *b)
{
	gboolean equal = kd_flow_value_equal (a->flags, b->flags) && a->escaped == b->escaped &&
			 a->nr_slots == b->nr_slots && a->nr_held == b->nr_held &&
			 a->nr_released == b->nr_released && a->any_released == b->any_released &&
			 a->nr_tries == b->nr_tries && a->nr_loads == b->nr_loads;

	for (unsigned i = 0; i < KD_FLOW_REGS_MAX && equal; i++)
		equal = kd_flow_value_equal (a->regs[i], b->regs[i]);
	for (unsigned i = 0; equal && i < a->nr_slots; i++)
		equal = a->slots[i].offset == b->slots[i].offset &&
			kd_flow_value_equal (a->slots[i].value, b->slots[i].value);
	for (unsigned i = 0; equal && i < a->nr_held; i++)
		equal = held_equal (&a->held[i], &b->held[i]);
	for (unsigned i = 0; equal && i < a->nr_released; i++)
		equal = kd_flow_value_equal (a->released[i], b->released[i]);
	for (unsigned i = 0; equal && i < a->nr_loads; i++)
		equal = a->loads[i].base == b->loads[i].base &&
			kd_flow_value_equal (a->loads[i].place, b->loads[i].place);
	for (unsigned i = 0; equal && i < a->nr_tries; i++)
		equal = try_equal (&a->tries[i], &b->tries[i]);
	return equal;
}
