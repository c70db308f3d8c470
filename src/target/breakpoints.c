/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/target-private.h"

#include <inttypes.h>

#define BREAKS_MAX 256

static gboolean
is_watch (KdBreakKind kind)
{
	return kind >= KD_WATCH_WRITE;
}

/* RSP's Z types are in the order of ours. */
static gboolean
ask_once (KdTarget *target, gboolean insert, const KdBreak *point, GError **error)
{
	KdRspRequest *request = kd_rsp_link_request (target->rsp);
	KdRspBreak type = (KdRspBreak)point->kind;
	/* A breakpoint's length is its kind: gdb says 4 for arm64, 1 for x86. */
	uint64_t len = is_watch (point->kind) ? point->len : target->arch->insn_align;

	if (insert)
		kd_rsp_request_insert_break (request, type, point->va, len);
	else
		kd_rsp_request_remove_break (request, type, point->va, len);
	return kd_target_result (target, kd_rsp_link_ask_ok (target->rsp, error));
}

/*
 * KVM's software breakpoint is written through the tables of the CPU that Hc names (7.2
 * kvm-all.c, kvm_insert_breakpoint): one that is in user mode or in a guest may have no such
 * address, and another has.
 */
gboolean
kd_target_break_ask (KdTarget *target, gboolean insert, const KdBreak *point, GError **error)
{
	g_autoptr (GError) why = NULL;

	if (ask_once (target, insert, point, &why))
		return TRUE;
	for (unsigned cpu = 0;
		kd_target_has_accel (target, "kvm") && point->kind == KD_BREAK_SOFTWARE &&
		g_error_matches (why, KD_TARGET_ERROR, KD_TARGET_ERROR_REMOTE) &&
		cpu < target->threads->len;
		cpu++)
		if (kd_target_name_cpu (target, cpu, NULL) &&
			ask_once (target, insert, point, NULL))
			return TRUE;
	g_propagate_error (error, g_steal_pointer (&why));
	return FALSE;
}

/* The stub counts nothing: two of the same at one place are one to it. */
static gboolean
is_shared (const KdTarget *target, const KdBreak *point)
{
	for (guint i = 0; i < target->breaks->len; i++) {
		const KdBreak *other = &g_array_index (target->breaks, KdBreak, i);

		if (other->number != point->number && other->inserted &&
			other->kind == point->kind && other->va == point->va &&
			other->len == point->len)
			return TRUE;
	}
	return FALSE;
}

static gboolean
check (const KdTarget *target, const KdBreak *point, GError **error)
{
	if (target->breaks->len == BREAKS_MAX)
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED,
			"there are %u breakpoints already", BREAKS_MAX);
	else if (is_watch (point->kind) && (point->len == 0 || point->va + point->len < point->va))
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED,
			"cannot watch 0x%" PRIx64 " bytes at 0x%" PRIx64, point->len, point->va);
	else if (!is_watch (point->kind) && point->va % target->arch->insn_align)
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED,
			"no instruction starts at 0x%" PRIx64 ": not a multiple of %u", point->va,
			target->arch->insn_align);
	else
		return TRUE;
	return FALSE;
}

/*
 * KVM's software breakpoint is an instruction written into the kernel's text, which the kernel
 * patches itself (jump labels, ftrace, alternatives) and would lose it: there a register of the CPU
 * is taken as long as there is one. TCG writes nothing.
 */
static gboolean
insert (KdTarget *target, KdBreak *point, GError **error)
{
	gboolean chosen = point->kind == KD_BREAK_SOFTWARE && kd_target_has_accel (target, "kvm");

	if (chosen) {
		point->kind = KD_BREAK_HARDWARE;
		point->chosen = TRUE;
		if (is_shared (target, point) || kd_target_break_ask (target, TRUE, point, NULL))
			return TRUE;
		point->kind = KD_BREAK_SOFTWARE;
		point->chosen = FALSE;
	}
	if (is_shared (target, point) || kd_target_break_ask (target, TRUE, point, error))
		return TRUE;
	if (chosen)
		g_prefix_error (error, "KVM has no breakpoint register left, and memory takes no "
				       "instruction there: ");
	else if (kd_target_has_accel (target, "kvm"))
		g_prefix_error (error, "KVM has no register left for it, or none that does this: ");
	return FALSE;
}

int
kd_target_break_insert (KdTarget *target, KdBreakKind kind, uint64_t va, uint64_t len,
	const char *text, GError **error)
{
	KdBreak point = {.number = text ? target->next_break : -(target->nr_hidden_breaks + 1),
		.kind = kind,
		.va = va,
		.len = len};

	if (!kd_target_check_stopped (target, error) || !check (target, &point, error) ||
		!kd_target_note_write (target, &point, error))
		return 0;
	if (!insert (target, &point, error)) {
		g_prefix_error (error, "breakpoint at 0x%" PRIx64 ": ", va);
		return 0;
	}
	point.inserted = TRUE;
	for (guint cpu = 0; cpu < target->threads->len; cpu++)
		target->regs[cpu].untold = FALSE;
	point.text = g_strdup (text);
	g_array_append_val (target->breaks, point);
	if (text)
		target->next_break++;
	else
		target->nr_hidden_breaks++;
	return point.number;
}

static void
forget (KdTarget *target, guint index)
{
	g_free ((char *)g_array_index (target->breaks, KdBreak, index).text);
	g_array_remove_index (target->breaks, index);
	/* One that tells of too many does no harm. */
	kd_target_note_write (target, NULL, NULL);
}

static gboolean
delete_break (KdTarget *target, int number, GError **error)
{
	for (guint i = 0; i < target->breaks->len; i++) {
		KdBreak *point = &g_array_index (target->breaks, KdBreak, i);
		g_autoptr (GError) why = NULL;

		if (point->number != number)
			continue;
		if (target->state == KD_TARGET_STOPPED &&
			!kd_target_hot_drop (target, point, error))
			return FALSE;
		if (point->inserted && !is_shared (target, point)) {
			if (!kd_target_check_stopped (target, error))
				return FALSE;
			/* Before it goes QEMU reports what it keeps of it. */
			if (is_watch (point->kind))
				kd_target_settle_all (target);
			if (!kd_target_break_ask (target, FALSE, point, &why)) {
				/* KVM's, when the kernel has patched over it: it will not go
				 * another time either. */
				if (g_error_matches (why, KD_TARGET_ERROR, KD_TARGET_ERROR_REMOTE))
					forget (target, i);
				g_propagate_prefixed_error (error, g_steal_pointer (&why),
					"breakpoint %d is not there any more, or stays: ", number);
				return FALSE;
			}
		}
		forget (target, i);
		return TRUE;
	}
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND, "no breakpoint %d", number);
	return FALSE;
}

gboolean
kd_target_break_delete (KdTarget *target, int number, GError **error)
{
	gboolean ok;

	kd_target_block_cancel (target);
	ok = delete_break (target, number, error);
	kd_target_unblock_cancel (target);
	return ok;
}

const KdBreak *
kd_target_breaks (const KdTarget *target, unsigned *ret_nr)
{
	*ret_nr = target->breaks->len;
	return (const KdBreak *)(void *)target->breaks->data;
}

gboolean
kd_target_has_watches (const KdTarget *target)
{
	for (guint i = 0; i < target->breaks->len; i++) {
		const KdBreak *point = &g_array_index (target->breaks, KdBreak, i);

		if (point->inserted && is_watch (point->kind))
			return TRUE;
	}
	return FALSE;
}

gboolean
kd_target_breaks_remove_all (KdTarget *target, GError **error)
{
	g_autoptr (GError) first = NULL;
	unsigned nr_left = 0;
	gboolean ok = TRUE;

	kd_target_block_cancel (target);
	if (target->state == KD_TARGET_STOPPED && kd_target_has_watches (target))
		kd_target_settle_all (target);
	for (guint i = 0; i < target->breaks->len; i++) {
		KdBreak *point = &g_array_index (target->breaks, KdBreak, i);

		if (target->state == KD_TARGET_STOPPED)
			ok = kd_target_hot_drop (target, point, ok ? error : NULL) && ok;
		if (point->inserted && !is_shared (target, point) &&
			(target->state != KD_TARGET_STOPPED ||
				!kd_target_break_ask (target, FALSE, point, first ? NULL : &first)))
			nr_left++;
		point->inserted = FALSE;
	}
	kd_target_unblock_cancel (target);
	if (!ok)
		return FALSE;
	kd_target_breaks_clear (target);
	if (first)
		g_propagate_prefixed_error (error, g_steal_pointer (&first),
			"%u breakpoint%s not removed: ", nr_left, nr_left == 1 ? " was" : "s were");
	return nr_left == 0;
}

void
kd_target_breaks_clear (KdTarget *target)
{
	for (guint i = 0; i < target->breaks->len; i++)
		g_free ((char *)g_array_index (target->breaks, KdBreak, i).text);
	g_array_set_size (target->breaks, 0);
	target->nr_armed = 0;
}

gboolean
kd_target_breaks_at (const KdTarget *target, uint64_t va)
{
	for (guint i = 0; i < target->breaks->len; i++) {
		const KdBreak *point = &g_array_index (target->breaks, KdBreak, i);

		if (point->inserted && !is_watch (point->kind) && point->va == va)
			return TRUE;
	}
	return FALSE;
}

gboolean
kd_target_watch_pending (const KdTarget *target, unsigned cpu, uint64_t pc)
{
	return target->watch_cpu == (int)cpu && target->watch_pc == pc;
}

gboolean
kd_target_breaks_lift (
	KdTarget *target, uint64_t va, gboolean watches, gboolean lift, GError **error)
{
	gboolean ok = TRUE;

	for (guint i = 0; i < target->breaks->len; i++) {
		KdBreak *point = &g_array_index (target->breaks, KdBreak, i);
		gboolean is_one = is_watch (point->kind) ? watches : point->va == va;

		if (!is_one || point->inserted != lift)
			continue;
		/* Of several at one place the stub has one. One that it does not find is lifted. */
		if (!is_shared (target, point) &&
			!kd_target_break_ask (target, !lift, point, lift || !ok ? NULL : error) &&
			!lift)
			ok = FALSE;
		else
			point->inserted = !lift;
	}
	if (!ok)
		g_prefix_error (error, "breakpoint at 0x%" PRIx64 " is lost: ", va);
	return ok;
}

static gboolean
is_watching (const KdBreak *point, uint64_t va)
{
	return is_watch (point->kind) && va >= point->va && va - point->va < point->len;
}

gboolean
kd_target_breaks_watch (const KdTarget *target, uint64_t va)
{
	for (guint i = 0; i < target->breaks->len; i++) {
		const KdBreak *point = &g_array_index (target->breaks, KdBreak, i);

		if (point->watched ? va == point->va : is_watching (point, va))
			return TRUE;
	}
	return FALSE;
}

/* Is it the one that stopped the machine? */
static gboolean
is_hit (const KdTarget *target, const KdBreak *point, uint64_t pc)
{
	if (target->stop.reason == KD_STOP_WATCHPOINT)
		return is_watching (point, target->stop.watch_addr.value);
	return !is_watch (point->kind) && point->va == pc;
}

void
kd_target_breaks_judge (KdTarget *target)
{
	unsigned cpu = target->stop.cpu < 0 ? 0 : (unsigned)target->stop.cpu;
	uint64_t pc = 0;

	if (!kd_target_reg_get (target, cpu, target->arch->pc, &pc, NULL))
		return;
	if (target->stop.reason == KD_STOP_WATCHPOINT && kd_target_has_accel (target, "kvm") &&
		target->arch->watch_before) {
		target->watch_cpu = (int)cpu;
		target->watch_pc = pc;
	}
	for (guint i = 0; i < target->breaks->len; i++) {
		KdBreak *point = &g_array_index (target->breaks, KdBreak, i);

		if (!is_hit (target, point, pc))
			continue;
		point->hits++;
		/* The first of several at one place names the stop. */
		if (target->stop.breakpoint == 0)
			target->stop.breakpoint = point->number;
		if (target->stop.reason == KD_STOP_SIGNAL)
			target->stop.reason = KD_STOP_BREAKPOINT;
	}
}
