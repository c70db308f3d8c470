/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
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

#define SETTLE_TRIES 4
#define IMAGE_MAX ((uint64_t)256 << 20) /* of a kernel, which is in one piece of memory */

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
	return target->arch->self_load && target->arch->trivial_insn && target->arch->access_base &&
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
put_code (KdTarget *target, const KdBreak *point, const uint8_t *code, GError **error)
{
	gboolean ok =
		kd_target_result (target, kd_rsp_link_write_memory (target->rsp, TRUE, point->pa,
						  code, target->arch->self_load_len, error));

	kd_target_memory_forget (target);
	return ok;
}

/* All that are at the load's place are such as it, which one load serves. */
static gboolean
is_among_hot (const KdTarget *target, const KdBreak *point)
{
	uint64_t len = target->arch->self_load_len;

	for (guint i = 0; i < target->breaks->len; i++) {
		const KdBreak *other = &g_array_index (target->breaks, KdBreak, i);

		/* A watchpoint's hits cannot be told from the loads' where CPUs make both. */
		if (other->inserted && other->kind >= KD_WATCH_WRITE)
			return FALSE;
		if (other->inserted && other->va < point->va + len &&
			point->va < other->va + MAX (other->len, 1) &&
			(!other->hot || other->va != point->va))
			return FALSE;
	}
	return TRUE;
}

static gboolean
pass_load (KdTarget *target, unsigned cpu, uint64_t va, GError **error)
{
	uint64_t behind = va + target->arch->self_load_len, pc = 0;

	for (unsigned tries = 0; tries < SETTLE_TRIES; tries++) {
		if (!kd_target_step_held (target, cpu, error) ||
			!kd_target_reg_get (target, cpu, target->arch->pc, &pc, error))
			return FALSE;
		if (pc == va)
			return TRUE;
		/* The debug exit that this pass has asked for is still to come: once more. */
		if (pc != behind || !kd_target_reg_set (target, cpu, target->arch->pc, va, error))
			break;
	}
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_PROTOCOL,
		"CPU %u does not stop at the watched load at 0x%" PRIx64 " (pc 0x%" PRIx64 ")", cpu,
		va, pc);
	return FALSE;
}

/*
 * A CPU that stands at the load may have hit the watchpoint without that QEMU has said so, see
 * kd_target_settle_all(). One step, with the load still there, makes QEMU say it: the CPU is
 * stopped before the load, or has done it and is put back. So it does nothing, and will hit again.
 * Should this process die in between, the CPU goes on from behind the load: so what `code` does is
 * done before, and undone when the CPU is back, from where it is done again.
 */
static gboolean
settle_at_load (KdTarget *target, unsigned cpu, uint64_t va, const uint8_t *code, GError **error)
{
	KdTrivialInsn insn = {0};
	uint64_t value, old;
	gboolean ok;

	if (!target->arch->trivial_insn (code, &insn) || !insn.to)
		return pass_load (target, cpu, va, error);
	ok = kd_target_reg_get (target, cpu, insn.from, &value, error) &&
	     kd_target_reg_get (target, cpu, insn.to, &old, error) &&
	     kd_target_reg_put (target, cpu, insn.to, value, error);
	if (!ok)
		return FALSE;
	ok = pass_load (target, cpu, va, error);
	return kd_target_reg_set (target, cpu, insn.to, old, ok ? error : NULL) && ok;
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
		if (!kd_target_note_write (target, NULL, NULL)) {
			memset (point->code, 0, sizeof point->code);
			return;
		}
	}
	if (!point->watched && !watch (target, point, TRUE)) {
		point->hot = FALSE;
		return;
	}
	/* With loads in its code the machine must not be let run by what is left on the link. */
	kd_rsp_link_set_leaves_detach (target->rsp, FALSE);
	/* Also when the write fails: it may have been made. */
	point->armed = TRUE;
	target->nr_armed++;
	if (put_code (target, point, arch->self_load, NULL))
		kd_target_break_ask (target, FALSE, point, NULL);
}

/* What the kernel reads at `point`. FALSE: it cannot be read. */
static gboolean
is_load_there (KdTarget *target, const KdBreak *point, gboolean *ret_there, GError **error)
{
	uint8_t code[KD_TRIVIAL_INSN_MAX];
	unsigned nr_armed = target->nr_armed;
	gboolean ok;

	target->nr_armed = 0;
	ok = kd_target_read_phys (target, point->pa, code, target->arch->self_load_len, error);
	target->nr_armed = nr_armed;
	*ret_there = ok && memcmp (code, target->arch->self_load, target->arch->self_load_len) == 0;
	return ok;
}

static gboolean
disarm (KdTarget *target, KdBreak *point, GError **error)
{
	gboolean there;

	if (!point->armed)
		return TRUE;
	/* Where it is not, the kernel has put something else there. */
	if (!is_load_there (target, point, &there, error) ||
		(there && !put_code (target, point, point->code, error))) {
		g_prefix_error (error,
			"the kernel's code at 0x%" PRIx64 " (physical 0x%" PRIx64
			") is not put back: ",
			point->va, point->pa);
		return FALSE;
	}
	point->hot = there;
	point->armed = FALSE;
	if (--target->nr_armed == 0)
		kd_rsp_link_set_leaves_detach (
			target->rsp, target->was_running && !kd_target_note_has_code (target));
	point->inserted = kd_target_break_ask (target, TRUE, point, NULL);
	return TRUE;
}

/* TRUE: what `cpu`, at `pc` of the kernel's image, is about to access is near `point`. */
static gboolean
is_reader (KdTarget *target, unsigned cpu, uint64_t pc, const KdBreak *point)
{
	uint8_t code[KD_TRIVIAL_INSN_MAX];
	uint64_t base, index = 0, far = pc - point->va;
	const char *base_reg, *index_reg;

	if (far + IMAGE_MAX > 2 * IMAGE_MAX ||
		!kd_target_read_phys (target, point->pa + far, code, sizeof code, NULL) ||
		!target->arch->access_base (code, &base_reg, &index_reg) ||
		!kd_target_reg_get (target, cpu, base_reg, &base, NULL) ||
		(index_reg && !kd_target_reg_get (target, cpu, index_reg, &index, NULL)))
		return FALSE;
	return base + index - point->va + KD_ACCESS_NEAR < 2 * KD_ACCESS_NEAR;
}

/*
 * One that is about to read the load, as the kernel does before it patches, may have hit the
 * watchpoint unreported as well, and its read would pass: it is stepped with the code as it was.
 */
static gboolean
settle_reader (KdTarget *target, unsigned cpu, uint64_t pc, GError **error)
{
	gboolean reads = FALSE;

	/* All that it may read: which one it is, is not known. */
	for (guint i = 0; i < target->breaks->len; i++) {
		KdBreak *point = &g_array_index (target->breaks, KdBreak, i);

		if (!point->armed || !is_reader (target, cpu, pc, point))
			continue;
		reads = TRUE;
		if (!disarm (target, point, error))
			return FALSE;
	}
	return !reads || kd_target_step_held (target, cpu, error);
}

gboolean
kd_target_hot_settle (KdTarget *target, GError **error)
{
	for (unsigned readers = 0; readers < 2; readers++)
		for (unsigned cpu = 0; target->nr_armed && cpu < target->threads->len; cpu++) {
			const uint8_t *code;
			uint64_t pc;

			if (!target->regs[cpu].untold)
				continue;
			if (!kd_target_reg_get (target, cpu, target->arch->pc, &pc, error))
				return FALSE;
			code = kd_target_hot_code (target, pc);
			if (!readers && code && !settle_at_load (target, cpu, pc, code, error))
				return FALSE;
			if (readers && !code && !settle_reader (target, cpu, pc, error))
				return FALSE;
		}
	return TRUE;
}

static gboolean
drop (KdTarget *target, KdBreak *point, GError **error)
{
	if (!disarm (target, point, error))
		return FALSE;
	if (point->watched)
		watch (target, point, FALSE);
	return TRUE;
}

void
kd_target_hot_unwatch (KdTarget *target)
{
	for (guint i = 0; i < target->breaks->len; i++) {
		KdBreak *point = &g_array_index (target->breaks, KdBreak, i);

		if (point->watched && !point->armed)
			watch (target, point, FALSE);
	}
}

void
kd_target_hot_arm (KdTarget *target)
{
	for (guint i = 0; i < target->breaks->len; i++) {
		KdBreak *point = &g_array_index (target->breaks, KdBreak, i);

		if (point->hot && point->inserted && is_among_hot (target, point) &&
			!kd_target_hot_code (target, point->va) &&
			/* An earlier client's watchpoints may have left something. */
			kd_target_settle_all (target))
			arm (target, point);
	}
	/* While the machine runs, only what is armed is watched. */
	kd_target_hot_unwatch (target);
}

gboolean
kd_target_hot_disarm (KdTarget *target, GError **error)
{
	gboolean ok = TRUE;

	if (target->state != KD_TARGET_STOPPED || target->nr_armed == 0)
		return TRUE;
	kd_target_block_cancel (target);
	for (guint i = 0; i < target->breaks->len; i++)
		ok = disarm (target, &g_array_index (target->breaks, KdBreak, i),
			     ok ? error : NULL) &&
		     ok;
	kd_target_unblock_cancel (target);
	return ok;
}

gboolean
kd_target_hot_drop (KdTarget *target, KdBreak *point, GError **error)
{
	gboolean ok;

	kd_target_block_cancel (target);
	ok = drop (target, point, error);
	kd_target_unblock_cancel (target);
	if (ok)
		point->hot = FALSE;
	return ok;
}

gboolean
kd_target_hot_restore (
	KdTarget *target, uint64_t va, uint64_t pa, const uint8_t *code, GError **error)
{
	KdBreak left = {.pa = pa};
	gboolean there;
	uint64_t pc;

	if (!is_load_there (target, &left, &there, error))
		return FALSE;
	/* Whatever becomes of that: the code must be put back. */
	for (unsigned cpu = 0; there && cpu < target->threads->len; cpu++)
		if (kd_target_reg_get (target, cpu, target->arch->pc, &pc, NULL) && pc == va)
			settle_at_load (target, cpu, va, code, NULL);
	return !there || put_code (target, &left, code, error);
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
		stop->watch_addr = kd_addr_kernel (0);
		stop->reason = KD_STOP_SIGNAL;
		return pc != point->va && kd_target_hot_drop (target, point, NULL);
	}
	return FALSE;
}
