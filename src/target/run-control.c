/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "target/target-private.h"

/* GDB's numbers. */
#define SIGNAL_INT 2
#define SIGNAL_TRAP 5
#define STEP_MAX_US (10 * G_USEC_PER_SEC)
/* QEMU 7.2 gdbstub.c, handle_set_qemu_sstep. */
#define SSTEP_ENABLE 1
#define SSTEP_NO_IRQ 2
#define SSTEP_NO_TIMER 4
/* A step takes a tenth of a millisecond; after this the CPU is asked whether it does anything. */
#define STEP_SLOW_US (500 * 1000)
#define STEP_TRIES 3

gboolean
kd_target_result (KdTarget *target, gboolean ok)
{
	if (!ok && kd_rsp_link_is_closed (target->rsp))
		target->state = KD_TARGET_LOST;
	return ok;
}

gboolean
kd_target_check_stopped (KdTarget *target, GError **error)
{
	KdTargetState state = kd_target_state (target);

	if (state == KD_TARGET_STOPPED)
		return TRUE;
	if (state == KD_TARGET_LOST)
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST,
			"the machine is gone: %s", kd_target_lost_why (target));
	else
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_RUNNING,
			"the machine is running (stop it first)");
	return FALSE;
}

static void
forget_stop (KdTarget *target)
{
	target->generation++;
	kd_target_registers_forget (target);
	kd_target_memory_forget (target);
}

static gboolean
is_watch_reply (const KdStopReply *reply)
{
	return reply && reply->reason != KD_STOP_REPLY_REASON_NONE &&
	       reply->reason <= KD_STOP_REPLY_REASON_AWATCH;
}

static KdStopReason
reason_of (KdTarget *target, const KdStopReply *reply)
{
	if (is_watch_reply (reply) && kd_target_breaks_watch (target, reply->watch_addr))
		return KD_STOP_WATCHPOINT;
	if (reply && reply->signal == SIGNAL_INT) /* vm_stop() by us or by somebody */
		return target->interrupting ? KD_STOP_REQUEST : KD_STOP_PAUSED;
	return target->stepping ? KD_STOP_STEP : KD_STOP_SIGNAL;
}

static int
cpu_of (const KdTarget *target, const KdStopReply *reply)
{
	if (reply && reply->has_thread)
		for (guint i = 0; i < target->threads->len; i++)
			if (g_array_index (target->threads, KdRspThread, i).tid ==
				reply->thread.tid)
				return (int)i;
	return target->threads->len == 1 ? 0 : -1;
}

/* `told`: the CPU that says where it stopped; -1 none. */
static void
note_untold (KdTarget *target, int told)
{
	gboolean alone = target->stepping ? !target->step_others : target->running_cpu >= 0;

	for (guint cpu = 0; target->regs && cpu < target->threads->len; cpu++)
		if ((int)cpu == told) {
			target->regs[cpu].untold = target->regs[cpu].unsettled = FALSE;
		} else if (!alone) {
			target->regs[cpu].untold = TRUE;
			target->regs[cpu].unsettled |= kd_target_has_watches (target);
		}
}

void
kd_target_stop_arrived (const KdStopReply *reply, gboolean asked, void *data)
{
	KdTarget *target = data;

	/*
	 * One more word about the stop we know of (QEMU sends one after connecting), or of one that
	 * followed a resume by somebody else: then nothing that was read before is true.
	 */
	if (!asked && target->state == KD_TARGET_STOPPED) {
		target->hg_cpu = -1;
		target->hc_cpu = -1;
		forget_stop (target);
		return;
	}
	target->stop = (KdStop){.reason = reason_of (target, reply),
		.cpu = cpu_of (target, reply),
		.signal = reply ? (int)reply->signal : 0,
		.watch_addr = kd_addr_kernel (reply ? reply->watch_addr : 0)};
	/* QEMU makes the CPU that trapped the one of `Hg` (7.2 cpus.c, gdb_set_stop_cpu). */
	target->hg_cpu = reply && reply->signal == SIGNAL_TRAP ? target->stop.cpu : -1;
	target->hc_cpu = target->hg_cpu;
	target->state = KD_TARGET_STOPPED;
	note_untold (target, reply && reply->signal == SIGNAL_TRAP ? target->stop.cpu : -1);
	target->stale_watch = is_watch_reply (reply) && target->stop.reason != KD_STOP_WATCHPOINT;
	target->stop_unfinished =
		target->stop.reason == KD_STOP_SIGNAL || target->stop.reason == KD_STOP_WATCHPOINT;
	forget_stop (target);
}

void
kd_target_set_stop_filter (KdTarget *target, KdStopFilterFunc func, void *data)
{
	target->stop_filter = func;
	target->stop_filter_data = data;
}

static gboolean
is_filtered (KdTarget *target)
{
	gboolean goes_on;

	if (!target->stop_filter || target->filtering || target->stepping ||
		target->stop.breakpoint == 0)
		return FALSE;
	target->filtering = TRUE;
	goes_on = target->stop_filter (target, target->stop_filter_data);
	target->filtering = FALSE;
	return goes_on;
}

void
kd_target_block_cancel (KdTarget *target)
{
	if (target->nr_cancel_blocks++ == 0)
		kd_rsp_link_set_cancellable (target->rsp, NULL);
}

void
kd_target_unblock_cancel (KdTarget *target)
{
	if (--target->nr_cancel_blocks == 0)
		kd_rsp_link_set_cancellable (target->rsp, target->cancellable);
}

/* Why it stopped. TRUE: for nobody, and the machine may go on. */
static gboolean
classify_stop (KdTarget *target)
{
	gboolean goes_on = FALSE;

	target->stop_unfinished = FALSE;
	if (target->stop.reason == KD_STOP_WATCHPOINT)
		goes_on = kd_target_hot_judge (target);
	if (!goes_on) {
		kd_target_breaks_judge (target);
		goes_on = is_filtered (target) ||
			  (target->stale_watch && target->stop.reason == KD_STOP_SIGNAL);
	}
	/* It has stopped for us all the same. */
	if (goes_on && target->interrupting) {
		goes_on = FALSE;
		target->stop.reason = KD_STOP_REQUEST;
		target->stop.breakpoint = 0;
	}
	return goes_on;
}

/*
 * Questions that could not be asked in the middle of the stop's arrival. The machine may run again
 * behind this. Not cancelled: what is asked puts the machine's code back.
 */
static void
finish_stop (KdTarget *target)
{
	gboolean goes_on;

	if (target->state != KD_TARGET_STOPPED || target->settling)
		return;
	/* Most steps end here, and there are many of them. */
	if (!target->stop_unfinished && target->nr_armed == 0)
		return;
	kd_target_block_cancel (target);
	if (!kd_target_hot_settle (target, NULL)) {
		for (guint cpu = 0; cpu < target->threads->len; cpu++)
			target->regs[cpu].unsettled = TRUE;
		kd_target_hot_disarm (target, NULL);
	}
	goes_on = target->stop_unfinished && classify_stop (target);
	if (goes_on)
		goes_on = target->running_cpu < 0 ? kd_target_cont (target, NULL)
						  : kd_target_cont_cpu (target,
							    (unsigned)target->running_cpu, NULL);
	/* What fails here is tried again, and told, by what needs the code as it was. */
	if (!goes_on)
		kd_target_hot_disarm (target, NULL);
	kd_target_unblock_cancel (target);
}

/* `first`: as kd_rsp_link_resume() has it. */
static gboolean
resume (KdTarget *target, char action, int cpu, const KdRspRequest *first, GError **error)
{
	KdRspResume rows[2] = {{.action = action, .all = cpu < 0}, {.action = 'c', .all = TRUE}};
	gboolean others = action == 's' && target->step_others;
	GError *why = NULL;

	if (!kd_target_check_stopped (target, error))
		return FALSE;
	if (cpu >= 0)
		rows[0].thread = g_array_index (target->threads, KdRspThread, cpu);
	if (!kd_rsp_request_resume (kd_rsp_link_request (target->rsp),
		    kd_rsp_link_features (target->rsp), rows, others ? 2 : 1, &why)) {
		kd_rsp_link_propagate (error, why);
		return FALSE;
	}
	target->interrupting = FALSE;
	target->stepping = action == 's';
	if (action == 'c')
		target->running_cpu = cpu;
	if (!kd_rsp_link_resume (target->rsp, first, error))
		return kd_target_result (target, FALSE);
	target->state = KD_TARGET_RUNNING;
	forget_stop (target);
	return TRUE;
}

/* --- steps --- */

/* QEMU's word for a CPU that executes nothing: in WFI or HLT, or powered off (7.2 gdbstub.c,
 * handle_query_thread_extra). */
static gboolean
is_halted (KdTarget *target, unsigned cpu)
{
	g_autofree char *text = NULL;
	KdRspAnswer answer;

	kd_rsp_request_thread_extra (kd_rsp_link_request (target->rsp),
		kd_rsp_link_features (target->rsp),
		g_array_index (target->threads, KdRspThread, cpu));
	if (kd_rsp_link_ask (target->rsp, &answer, NULL))
		text = kd_rsp_parse_hex_text (answer.payload, answer.len, NULL);
	return text && strstr (text, "[halted");
}

/*
 * A step that does not end. Whatever the reason, the machine is stopped before it is told, and a
 * CPU that is only slow is made to step again. FALSE: *error is `why`, or what the CPU is in.
 */
static gboolean
step_again (KdTarget *target, unsigned cpu, gint64 deadline_us, GError *why, GError **error)
{
	gboolean slow = g_error_matches (why, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
	g_autoptr (GError) owned = why;

	if (!kd_target_stop (target, NULL)) {
		g_propagate_error (error, g_steal_pointer (&owned));
		return kd_target_result (target, FALSE);
	}
	/* It has ended while it was being stopped. */
	if (slow && target->stop.reason == KD_STOP_STEP)
		return TRUE;
	if (slow && is_halted (target, cpu)) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_HALTED,
			"CPU %u executes nothing: it waits for an interrupt, or is switched off",
			cpu);
		return FALSE;
	}
	if (!slow || g_get_monotonic_time() >= deadline_us) {
		g_propagate_error (error, g_steal_pointer (&owned));
		return FALSE;
	}
	return resume (target, 's', (int)cpu, NULL, error);
}

static gboolean
end_step (KdTarget *target, unsigned cpu, GError **error)
{
	gint64 deadline_us = g_get_monotonic_time() + STEP_MAX_US;

	while (target->state == KD_TARGET_RUNNING) {
		gint64 soon_us = MIN (deadline_us, g_get_monotonic_time() + STEP_SLOW_US);
		GError *why = NULL;

		if (!kd_rsp_link_wait_stop (target->rsp, TRUE, soon_us, &why) &&
			!step_again (target, cpu, deadline_us, why, error))
			return kd_target_result (target, FALSE);
	}
	/* Whatever signal ends it: this was a step, and nobody else moves the machine. */
	if (target->stop.reason == KD_STOP_SIGNAL &&
		(!target->step_others || target->stop.cpu == (int)cpu)) {
		target->stop.reason = KD_STOP_STEP;
		target->stop_unfinished = FALSE;
	}
	if (target->stop.cpu < 0)
		target->stop.cpu = (int)cpu;
	finish_stop (target);
	return TRUE;
}

gboolean
kd_target_check_cpu (const KdTarget *target, unsigned cpu, GError **error)
{
	if (cpu < target->threads->len)
		return TRUE;
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND, "no CPU %u (there are %u)",
		cpu, target->threads->len);
	return FALSE;
}

gboolean
kd_target_name_cpu (KdTarget *target, unsigned cpu, GError **error)
{
	g_autoptr (GError) why = NULL;

	if (target->hc_cpu == (int)cpu)
		return TRUE;
	kd_rsp_request_set_thread (kd_rsp_link_request (target->rsp),
		kd_rsp_link_features (target->rsp), 'c',
		g_array_index (target->threads, KdRspThread, cpu));
	if (kd_rsp_link_ask_ok (target->rsp, &why))
		target->hc_cpu = (int)cpu;
	else if (!g_error_matches (why, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED)) {
		g_propagate_error (error, g_steal_pointer (&why));
		return kd_target_result (target, FALSE);
	}
	return TRUE;
}

/*
 * TCG steps off a breakpoint (7.2 cpu-exec.c, check_for_breakpoints_slow); what KVM steps is the
 * breakpoint's own instruction, and again.
 */
static gboolean
steps_off (const KdTarget *target)
{
	return target->breaks->len == 0 || kd_target_has_accel (target, "tcg");
}

/* KVM cannot stop timers, and holds interrupts off on some CPUs only. */
void
kd_target_learn_stepping (KdTarget *target)
{
	KdRspAnswer answer;

	target->step_bits = SSTEP_ENABLE | SSTEP_NO_IRQ | SSTEP_NO_TIMER;
	if (kd_target_has_accel (target, "kvm") &&
		kd_rsp_request_qemu_sstepbits (kd_rsp_link_request (target->rsp),
			kd_rsp_link_features (target->rsp), NULL) &&
		kd_rsp_link_ask (target->rsp, &answer, NULL))
		kd_rsp_parse_qemu_sstepbits (answer.payload, answer.len, &target->step_bits, NULL);
}

/* TRUE: interrupts come in steps unless the CPU itself is told that it takes none. */
static gboolean
lets_irqs_in (const KdTarget *target)
{
	return !target->step_interrupts && !(target->step_bits & SSTEP_NO_IRQ) &&
	       target->arch->hold_irqs;
}

typedef struct {
	const char *reg;
	uint64_t bits, old, pc;
} KdHeldIrqs;

static gboolean
hold_irqs (KdTarget *target, unsigned cpu, KdHeldIrqs *ret_held)
{
	KdTargetCpu one = {target, cpu};
	uint8_t code[KD_TRIVIAL_INSN_MAX];

	return lets_irqs_in (target) &&
	       kd_target_reg_get (target, cpu, target->arch->pc, &ret_held->pc, NULL) &&
	       kd_target_read_cpu (target, cpu, ret_held->pc, code, sizeof code, NULL) &&
	       target->arch->hold_irqs (
		       kd_target_cpu_reg, &one, code, &ret_held->reg, &ret_held->bits) &&
	       kd_target_reg_get (target, cpu, ret_held->reg, &ret_held->old, NULL) &&
	       kd_target_reg_set (target, cpu, ret_held->reg, ret_held->old | ret_held->bits, NULL);
}

static gboolean
step_once (KdTarget *target, unsigned cpu, GError **error)
{
	return resume (target, 's', (int)cpu, NULL, error) && end_step (target, cpu, error);
}

/*
 * An exception has saved that interrupts were off, and would come back so: the CPU is put before
 * the instruction again, which is stepped as it is.
 */
static gboolean
let_irqs (KdTarget *target, unsigned cpu, const KdHeldIrqs *held, GError **error)
{
	KdTargetCpu one = {target, cpu};
	KdStop stop = target->stop;
	uint64_t pc, now;

	if (!kd_target_reg_get (target, cpu, target->arch->pc, &pc, error) ||
		!kd_target_reg_get (target, cpu, held->reg, &now, error))
		return FALSE;
	if (!target->arch->vector_at || !target->arch->vector_at (kd_target_cpu_reg, &one, pc)) {
		now = (now & ~held->bits) | (held->old & held->bits);
		if (!kd_target_reg_set (target, cpu, held->reg, now, error))
			return FALSE;
		target->stop = stop;
		return TRUE;
	}
	return kd_target_reg_set (target, cpu, held->reg, held->old, error) &&
	       kd_target_reg_set (target, cpu, target->arch->pc, held->pc, error) &&
	       step_once (target, cpu, error);
}

gboolean
kd_target_step_held (KdTarget *target, unsigned cpu, GError **error)
{
	gboolean interrupts = target->step_interrupts, others = target->step_others;
	gboolean stepping = target->stepping, interrupting = target->interrupting;
	gboolean unfinished = target->stop_unfinished, stale = target->stale_watch;
	KdStop stop = target->stop;
	gboolean ok;

	if (!kd_target_set_stepping (target, FALSE, FALSE, error) ||
		!kd_target_name_cpu (target, cpu, error))
		return FALSE;
	target->settling = TRUE;
	/* Ended by a pause, it was none. */
	do
		ok = step_once (target, cpu, error);
	while (ok && target->stop.signal != SIGNAL_TRAP);
	target->settling = FALSE;
	if (target->state != KD_TARGET_STOPPED)
		return FALSE;
	ok = kd_target_set_stepping (target, interrupts, others, ok ? error : NULL) && ok;
	target->regs[cpu].untold = TRUE;
	target->stepping = stepping;
	target->interrupting = interrupting;
	target->stop_unfinished = unfinished;
	target->stale_watch = stale;
	target->stop = stop;
	return ok;
}

static gboolean
settle_cpu (KdTarget *target, unsigned cpu, GError **error)
{
	uint64_t pc;

	if (!target->regs[cpu].unsettled)
		return TRUE;
	if (!kd_target_reg_get (target, cpu, target->arch->pc, &pc, error))
		return FALSE;
	if (kd_target_breaks_at (target, pc) || is_halted (target, cpu)) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_HALTED,
			"CPU %u sleeps, or stands on a breakpoint", cpu);
		return FALSE;
	}
	return kd_target_step_held (target, cpu, error) && !target->regs[cpu].unsettled;
}

gboolean
kd_target_settle_all (KdTarget *target)
{
	gboolean ok = TRUE;

	for (unsigned cpu = 0; kd_target_has_accel (target, "tcg") && cpu < target->threads->len;
		cpu++)
		ok = settle_cpu (target, cpu, NULL) && ok;
	return ok;
}

static gboolean
step (KdTarget *target, unsigned cpu, GError **error)
{
	gboolean lifted = FALSE, watched = FALSE, held, ok;
	KdHeldIrqs irqs;
	uint64_t pc = 0;

	if (!kd_target_hot_disarm (target, error))
		return FALSE;
	kd_target_hot_unwatch (target);
	if (!steps_off (target)) {
		if (!kd_target_reg_get (target, cpu, target->arch->pc, &pc, error))
			return FALSE;
		watched = kd_target_watch_pending (target, cpu, pc);
		lifted = watched || kd_target_breaks_at (target, pc);
	}
	if (lifted)
		kd_target_breaks_lift (target, pc, watched, TRUE, NULL);
	target->watch_cpu = watched ? -1 : target->watch_cpu;
	held = hold_irqs (target, cpu, &irqs);
	/*
	 * When a step is interrupted QEMU ends single-stepping on the CPU that Hc names, whatever
	 * CPU was stepped (7.2 gdbstub.c, gdb_vm_state_change): another would trap as soon as it
	 * runs, and stop a machine that nobody is attached to any more.
	 */
	ok = kd_target_name_cpu (target, cpu, error) && step_once (target, cpu, error);
	if ((lifted || held) && target->state == KD_TARGET_STOPPED) {
		/* Also when the step was cancelled. */
		kd_target_block_cancel (target);
		if (held)
			ok = let_irqs (target, cpu, &irqs, ok ? error : NULL) && ok;
		if (lifted)
			ok = kd_target_breaks_lift (
				     target, pc, watched, FALSE, ok ? error : NULL) &&
			     ok;
		kd_target_unblock_cancel (target);
	}
	return ok;
}

/*
 * TRUE: a step that leaves the CPU at `pc`, where it was before, has not executed anything: QEMU
 * ends it so when an exit is asked of the CPU as it begins (7.2 cpu-exec.c, cpu_tb_exec), for an
 * interrupt that is held off, say. What jumps to itself is stepped twice for that.
 */
static gboolean
is_nothing (KdTarget *target, unsigned cpu, uint64_t pc)
{
	uint8_t code[KD_TRIVIAL_INSN_MAX];

	return !target->arch->repeats ||
	       !kd_target_read_cpu (target, cpu, pc, code, sizeof code, NULL) ||
	       !target->arch->repeats (code);
}

gboolean
kd_target_step (KdTarget *target, unsigned cpu, GError **error)
{
	uint64_t before, pc;

	if (!kd_target_check_cpu (target, cpu, error) || !kd_target_check_stopped (target, error) ||
		!kd_target_reg_get (target, cpu, target->arch->pc, &before, error))
		return FALSE;
	for (unsigned tries = 0; tries < STEP_TRIES; tries++)
		if (!step (target, cpu, error))
			return FALSE;
		else if (target->stop.reason != KD_STOP_STEP ||
			 !kd_target_reg_get (target, cpu, target->arch->pc, &pc, NULL) ||
			 pc != before || !is_nothing (target, cpu, pc))
			break;
	return TRUE;
}

/* The PC after one step and the next step in one write: one round trip for both. */
static gboolean
read_pc_and_step (
	KdTarget *target, unsigned cpu, KdRspRequest *request, uint64_t *ret_pc, GError **error)
{
	KdRspAnswer answer;
	gboolean ok;

	if (!kd_target_pc_request (target, request, error) ||
		!resume (target, 's', (int)cpu, request, error))
		return FALSE;
	ok = kd_rsp_link_answer (target->rsp, &answer, error) &&
	     kd_target_pc_parse (target, &answer, ret_pc, error);
	return end_step (target, cpu, ok ? error : NULL) && ok;
}

gboolean
kd_target_steps (KdTarget *target, unsigned cpu, uint64_t count, GArray *pcs, GError **error)
{
	g_auto (KdRspRequest) request = {0};
	gboolean ok = kd_target_step (target, cpu, error), again = FALSE;
	uint64_t pc = 0, last = 0;

	kd_rsp_request_init (&request);
	/* A watchpoint on the way ends it, as it would end a run. */
	while (ok && count > 1 && target->stop.reason == KD_STOP_STEP) {
		if (kd_rsp_link_is_pipelined (target->rsp) && target->hg_cpu == (int)cpu &&
			steps_off (target) && !lets_irqs_in (target))
			ok = read_pc_and_step (target, cpu, &request, &pc, error);
		else
			ok = kd_target_reg_get (target, cpu, target->arch->pc, &pc, error) &&
			     kd_target_step (target, cpu, error);
		again = ok && !again && pcs->len && pc == last && is_nothing (target, cpu, pc);
		if (!ok || again)
			continue;
		g_array_append_val (pcs, pc);
		last = pc;
		count--;
	}
	ok = ok && kd_target_reg_get (target, cpu, target->arch->pc, &pc, error);
	if (ok && !again && pcs->len && pc == last && target->stop.reason == KD_STOP_STEP &&
		is_nothing (target, cpu, pc))
		ok = kd_target_step (target, cpu, error) &&
		     kd_target_reg_get (target, cpu, target->arch->pc, &pc, error);
	if (ok)
		g_array_append_val (pcs, pc);
	return ok;
}

/* --- running --- */

/* What a step over the instruction at `pc` would do, done by writing registers: a third of its
 * time. */
static gboolean
skip_trivial (KdTarget *target, unsigned cpu, uint64_t pc)
{
	const uint8_t *hot = kd_target_hot_code (target, pc);
	uint8_t code[KD_TRIVIAL_INSN_MAX];
	KdTrivialInsn insn;
	uint64_t value;

	if (!target->arch->trivial_insn)
		return FALSE;
	if (hot)
		memcpy (code, hot, sizeof code);
	else if (!kd_target_read_cpu (target, cpu, pc, code, sizeof code, NULL))
		return FALSE;
	if (!target->arch->trivial_insn (code, &insn))
		return FALSE;
	return (!insn.to || (kd_target_reg_get (target, cpu, insn.from, &value, NULL) &&
				    kd_target_reg_put (target, cpu, insn.to, value, NULL))) &&
	       kd_target_reg_put (target, cpu, target->arch->pc, pc + insn.size, NULL);
}

/*
 * CPUs that stand on a breakpoint of ours are moved off it: QEMU would report it again at once.
 * `only`: of the one that is to run; -1 all.
 */
static gboolean
step_off_breaks (KdTarget *target, int only, GError **error)
{
	for (unsigned cpu = 0; target->breaks->len && cpu < target->threads->len; cpu++) {
		g_autoptr (GError) why = NULL;
		uint64_t pc;

		if (target->regs[cpu].untold || (only >= 0 && (int)cpu != only))
			continue;
		if (!kd_target_reg_get (target, cpu, target->arch->pc, &pc, error))
			return FALSE;
		if (!kd_target_watch_pending (target, cpu, pc) &&
			(!kd_target_breaks_at (target, pc) || skip_trivial (target, cpu, pc)))
			continue;
		if (kd_target_step (target, cpu, &why))
			continue;
		/* One that sleeps there has not come to it yet. */
		if (!g_error_matches (why, KD_TARGET_ERROR, KD_TARGET_ERROR_HALTED)) {
			g_propagate_error (error, g_steal_pointer (&why));
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean
run (KdTarget *target, int cpu, GError **error)
{
	kd_target_block_cancel (target);
	kd_target_hot_arm (target);
	kd_target_unblock_cancel (target);
	if (resume (target, 'c', cpu, NULL, error))
		return TRUE;
	kd_target_hot_disarm (target, NULL);
	return FALSE;
}

gboolean
kd_target_cont (KdTarget *target, GError **error)
{
	return kd_target_check_stopped (target, error) && step_off_breaks (target, -1, error) &&
	       run (target, -1, error);
}

gboolean
kd_target_cont_cpu (KdTarget *target, unsigned cpu, GError **error)
{
	return kd_target_check_cpu (target, cpu, error) &&
	       kd_target_check_stopped (target, error) &&
	       step_off_breaks (target, (int)cpu, error) && run (target, (int)cpu, error);
}

gboolean
kd_target_set_stepping (KdTarget *target, gboolean interrupts, gboolean others, GError **error)
{
	guint bits = SSTEP_ENABLE;
	GError *why = NULL;

	target->step_others = others;
	if (interrupts == target->step_interrupts)
		return TRUE;
	if (!kd_target_check_stopped (target, error))
		return FALSE;
	if (!interrupts)
		bits |= target->step_bits;
	if (!kd_rsp_request_qemu_set_sstep (kd_rsp_link_request (target->rsp),
		    kd_rsp_link_features (target->rsp), bits, &why)) {
		kd_rsp_link_propagate (error, why);
		return FALSE;
	}
	if (!kd_rsp_link_ask_ok (target->rsp, error))
		return kd_target_result (target, FALSE);
	target->step_interrupts = interrupts;
	return TRUE;
}

gboolean
kd_target_wait (KdTarget *target, int timeout_ms, GError **error)
{
	gint64 deadline_us =
		timeout_ms < 0 ? -1 : g_get_monotonic_time() + (gint64)timeout_ms * 1000;

	while (target->state == KD_TARGET_RUNNING) {
		if (!kd_rsp_link_wait_stop (target->rsp, FALSE, deadline_us, error))
			return kd_target_result (target, FALSE);
		finish_stop (target);
	}
	finish_stop (target);
	return target->state == KD_TARGET_STOPPED || kd_target_check_stopped (target, error);
}

gboolean
kd_target_stop (KdTarget *target, GError **error)
{
	gboolean cancelled = g_cancellable_is_cancelled (target->cancellable), ok;
	GError *why = NULL;

	if (target->state == KD_TARGET_STOPPED)
		return TRUE;
	if (target->state == KD_TARGET_LOST)
		return kd_target_check_stopped (target, error);
	/* The stop must come also where it is what cancelling a command asks for. */
	if (cancelled)
		kd_target_block_cancel (target);
	target->interrupting = TRUE;
	ok = kd_rsp_link_interrupt (target->rsp, &why);
	while (ok && target->state == KD_TARGET_RUNNING)
		ok = kd_rsp_link_await_stop (target->rsp, &why);
	if (cancelled)
		kd_target_unblock_cancel (target);
	if (ok) {
		finish_stop (target);
		return TRUE;
	}
	g_propagate_prefixed_error (error, why, "the machine has not stopped: ");
	return kd_target_result (target, FALSE);
}

/* --- while no call is running --- */

unsigned
kd_target_poll_fds (const KdTarget *target, int *ret_fds, unsigned max)
{
	unsigned nr = 0;

	if (target->state == KD_TARGET_LOST)
		return 0;
	if (nr < max)
		ret_fds[nr++] = kd_rsp_link_fd (target->rsp);
	return nr;
}

gboolean
kd_target_dispatch (KdTarget *target, GError **error)
{
	if (!kd_rsp_link_dispatch (target->rsp, error)) {
		target->state = KD_TARGET_LOST;
		return FALSE;
	}
	finish_stop (target);
	return TRUE;
}
