/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "target/target-private.h"

/*
 * Breakpoints that are hit far more often than told. QEMU under TCG drops all the code it has
 * translated whenever a breakpoint or a step stops it (7.2 gdbstub.c, 10.0 gdbstub/system.c,
 * gdb_vm_state_change), and to translate that again is nearly all of what such a hit costs; when a
 * watchpoint stops it, nothing is dropped. So where the instruction's work can be done by writing
 * registers, one that only loads itself stands in its place while the machine runs, and a
 * watchpoint waits for the load. Others who read the place come to the watchpoint as well, before
 * they have read: the true code is put back for them, and the breakpoint is an ordinary one from
 * then on.
 */

static KdBreak *
break_of (KdTarget *target, int number)
{
	for (guint i = 0; i < target->breaks->len; i++)
		if (g_array_index (target->breaks, KdBreak, i).number == number)
			return &g_array_index (target->breaks, KdBreak, i);
	return NULL;
}

gboolean
kd_target_has_hot_breaks (const KdTarget *target)
{
	return target->arch->self_load && target->arch->trivial_insn &&
	       kd_target_has_accel (target, "tcg") && target->ram->len;
}

void
kd_target_break_set_hot (KdTarget *target, int number, uint64_t pa)
{
	KdBreak *point = break_of (target, number);

	if (!point || point->kind != KD_BREAK_SOFTWARE || !kd_target_has_hot_breaks (target))
		return;
	point->hot = TRUE;
	point->pa = pa;
}

/* What the stub is asked for the load at `point`. */
static gboolean
watch (KdTarget *target, KdBreak *point, gboolean insert)
{
	KdBreak load = {.kind = KD_WATCH_READ, .va = point->va, .len = target->arch->self_load_len};

	if (!kd_target_break_ask (target, insert, &load, NULL))
		return FALSE;
	point->watched = insert;
	return TRUE;
}

/* Not kd_target_write_phys(): for whoever reads through us the code is what it was. */
static gboolean
put_code (KdTarget *target, const KdBreak *point, const uint8_t *code)
{
	gboolean ok =
		kd_target_result (target, kd_rsp_link_write_memory (target->rsp, TRUE, point->pa,
						  code, target->arch->self_load_len, NULL));

	kd_target_memory_forget (target);
	return ok;
}

/* All that is at the load's place are such as it, which one load serves. */
static gboolean
is_among_hot (const KdTarget *target, const KdBreak *point)
{
	uint64_t len = target->arch->self_load_len;

	for (guint i = 0; i < target->breaks->len; i++) {
		const KdBreak *other = &g_array_index (target->breaks, KdBreak, i);

		if (other->inserted && other->va < point->va + len &&
			point->va < other->va + MAX (other->len, 1) &&
			(!other->hot || other->va != point->va))
			return FALSE;
	}
	return TRUE;
}

/*
 * Of CPUs that come to a watchpoint at once QEMU tells one. What it still knows of another it tells
 * with that one's next stop, which would come some instructions behind a load, and of freed memory
 * where the watchpoint is gone. So nobody comes to a load, and no watchpoint goes, until all who
 * may be such have been told of, at a breakpoint.
 */
static void
find_late (KdTarget *target, const KdBreak *point)
{
	for (unsigned cpu = 0; point->watched && cpu < target->threads->len; cpu++) {
		uint64_t pc;

		if (target->regs[cpu].untold && !target->regs[cpu].late &&
			kd_target_reg_get (target, cpu, target->arch->pc, &pc, NULL) &&
			pc == point->va)
			target->regs[cpu].late = TRUE;
	}
}

static unsigned
count_late (const KdTarget *target)
{
	unsigned nr = 0;

	for (unsigned cpu = 0; cpu < target->threads->len; cpu++)
		nr += target->regs[cpu].late;
	return nr;
}

static void
arm (KdTarget *target, KdBreak *point)
{
	const KdArch *arch = target->arch;
	uint8_t code[KD_TRIVIAL_INSN_MAX];
	KdTrivialInsn insn;

	if (!kd_target_read_phys (target, point->pa, code, sizeof code, NULL) ||
		!arch->trivial_insn (code, &insn) || insn.size != arch->self_load_len)
		return;
	if (memcmp (code, point->code, insn.size) != 0) {
		memcpy (point->code, code, insn.size);
		/* Before the code is replaced: it must be known if this process dies. */
		kd_target_note_write (target);
	}
	if (!point->watched && !watch (target, point, TRUE)) {
		point->hot = FALSE;
		return;
	}
	if (!put_code (target, point, arch->self_load))
		return;
	point->armed = TRUE;
	target->nr_armed++;
	kd_target_break_ask (target, FALSE, point, NULL);
}

/* FALSE: the kernel has put something else there. */
static gboolean
is_load_there (KdTarget *target, const KdBreak *point)
{
	uint8_t code[KD_TRIVIAL_INSN_MAX];
	unsigned nr_armed = target->nr_armed;
	gboolean ok;

	target->nr_armed = 0;
	ok = kd_target_read_phys (target, point->pa, code, target->arch->self_load_len, NULL);
	target->nr_armed = nr_armed;
	return ok && memcmp (code, target->arch->self_load, target->arch->self_load_len) == 0;
}

static void
disarm (KdTarget *target, KdBreak *point, gboolean wholly)
{
	unsigned late;

	if (point->armed) {
		point->hot = is_load_there (target, point);
		if (point->hot)
			put_code (target, point, point->code);
		point->armed = FALSE;
		target->nr_armed--;
		point->inserted = kd_target_break_ask (target, TRUE, point, NULL);
	}
	if (!point->watched)
		return;
	find_late (target, point);
	late = count_late (target);
	if (late && !wholly)
		return;
	target->nr_gone += late;
	watch (target, point, FALSE);
}

void
kd_target_hot_arm (KdTarget *target)
{
	for (guint i = 0; i < target->breaks->len; i++) {
		KdBreak *point = &g_array_index (target->breaks, KdBreak, i);

		if (!point->hot || !point->inserted || !is_among_hot (target, point))
			continue;
		find_late (target, point);
		if (count_late (target))
			disarm (target, point, FALSE);
		else if (!kd_target_hot_code (target, point->va))
			arm (target, point);
	}
}

gboolean
kd_target_hot_is_gone (KdTarget *target, uint64_t va)
{
	if (target->nr_gone == 0 || kd_target_breaks_watch (target, va))
		return FALSE;
	target->nr_gone--;
	return TRUE;
}

void
kd_target_hot_disarm (KdTarget *target, gboolean wholly)
{
	if (target->state != KD_TARGET_STOPPED)
		return;
	for (guint i = 0; i < target->breaks->len; i++)
		disarm (target, &g_array_index (target->breaks, KdBreak, i), wholly);
}

void
kd_target_hot_drop (KdTarget *target, KdBreak *point)
{
	disarm (target, point, TRUE);
	point->hot = FALSE;
}

void
kd_target_hot_restore (KdTarget *target, uint64_t pa, const uint8_t *code)
{
	KdBreak left = {.pa = pa};

	if (is_load_there (target, &left))
		put_code (target, &left, code);
}

const uint8_t *
kd_target_hot_code (const KdTarget *target, uint64_t va)
{
	for (guint i = 0; target->nr_armed && i < target->breaks->len; i++) {
		const KdBreak *point = &g_array_index (target->breaks, KdBreak, i);

		if (point->armed && point->va == va)
			return point->code;
	}
	return NULL;
}

void
kd_target_hot_hide (const KdTarget *target, gboolean virt, uint64_t addr, void *buf, size_t len)
{
	for (guint i = 0; target->nr_armed && i < target->breaks->len; i++) {
		const KdBreak *point = &g_array_index (target->breaks, KdBreak, i);
		uint64_t at = virt ? point->va : point->pa;

		for (unsigned byte = 0; point->armed && byte < target->arch->self_load_len; byte++)
			if (at + byte - addr < len)
				((uint8_t *)buf)[at + byte - addr] = point->code[byte];
	}
}

gboolean
kd_target_hot_judge (KdTarget *target)
{
	KdStop *stop = &target->stop;
	uint64_t pc;

	for (guint i = 0; i < target->breaks->len; i++) {
		KdBreak *point = &g_array_index (target->breaks, KdBreak, i);

		if (!point->watched || point->va != stop->watch_addr.value)
			continue;
		if (stop->cpu < 0 || !kd_target_reg_get (target, (unsigned)stop->cpu,
					     target->arch->pc, &pc, NULL))
			return FALSE;
		/* A CPU that two such stops met at once has done its load. */
		if (pc == point->va + target->arch->self_load_len &&
			kd_target_reg_set (
				target, (unsigned)stop->cpu, target->arch->pc, point->va, NULL))
			pc = point->va;
		stop->watch_addr = kd_addr_kernel (0);
		stop->reason = KD_STOP_SIGNAL;
		if (pc == point->va)
			return FALSE;
		kd_target_hot_drop (target, point);
		return TRUE;
	}
	return FALSE;
}
