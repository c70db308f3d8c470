/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/stepper.h"

#include <inttypes.h>
#include <string.h>

#include "arch/disasm.h"
#include "debug/backtrace.h"
#include "debug/vectors.h"

#define STEP_REGS_MAX 16
#define STEP_FIELDS_MAX 4
#define PAGE 4096U
/* A sequence of instructions, and the interrupts that come on the way. */
#define EXCLUSIVE_MS 2000
/* Of a function that enters guests. */
#define ENTRY_CODE_MAX 4096

struct KdStepper {
	KdTarget *target;
	KdKernel *kernel;
	const KdArch *arch;
	unsigned cpu;
	KdStepPlace here;
	KdInsnKind last_kind;
	uint64_t regs[STEP_REGS_MAX];
	uint16_t known; /* bit N: regs[N] is known */
	uint64_t fields[STEP_FIELDS_MAX];
	uint8_t known_fields; /* bit N: fields[N] is known */
	gboolean ran;         /* the last step was a run, to where it was to end */
	char *file;           /* of the last kd_stepper_line() */
	/* Where gates lead → their names; NULL: the architecture's tables are code. */
	GHashTable *gates;
};

void
kd_step_place_clear (KdStepPlace *place)
{
	g_clear_pointer (&place->symbol, g_free);
	g_clear_pointer (&place->insn, g_free);
	g_clear_pointer (&place->changes, g_array_unref);
}

/* As the CPU sees it: also a guest's code, and a user's. */
static size_t
read_code (KdStepper *stepper, uint64_t pc, uint8_t buf[KD_INSN_BYTES_MAX])
{
	size_t len = MIN (KD_INSN_BYTES_MAX, PAGE - pc % PAGE);

	if (stepper->arch->insn_align == 4)
		len = 4;
	for (unsigned i = 0; i < 2; i++, len = KD_INSN_BYTES_MAX) {
		gboolean ok = stepper->kernel && stepper->here.state.mode == KD_CPU_MODE_KERNEL
				      ? kd_kernel_read (stepper->kernel, kd_addr_kernel (pc), buf,
						len, NULL)
				      : kd_target_read_cpu (
						stepper->target, stepper->cpu, pc, buf, len, NULL);

		if (!ok)
			return 0;
		/* An instruction that goes on in the next page. */
		if (len == KD_INSN_BYTES_MAX || stepper->arch->insn_align == 4 ||
			(stepper->here.insn = kd_disassemble (
				 stepper->arch, buf, len, pc, &stepper->here.insn_len)))
			return len;
	}
	return 0;
}

static char *
symbol_of (KdStepper *stepper, uint64_t pc)
{
	KdKernelSymbol symbol;
	uint64_t va;

	if (!stepper->kernel ||
		!kd_kernel_pc (stepper->kernel, stepper->here.state.mode, pc, &va) ||
		!kd_kernel_symbol_at (stepper->kernel, va, &symbol))
		return NULL;
	return kd_kernel_symbolize (stepper->kernel, va);
}

static void
note_change (KdStepper *stepper, const char *name, uint64_t from, uint64_t to)
{
	KdStepChange change = {name, from, to};

	if (from != to)
		g_array_append_val (stepper->here.changes, change);
}

static void
read_regs (KdStepper *stepper)
{
	const char *const *name = stepper->arch->step_regs;
	KdTargetCpu regs = {stepper->target, stepper->cpu};

	for (unsigned i = 0; name && name[i] && i < STEP_REGS_MAX; i++) {
		uint64_t value;

		if (!kd_target_cpu_reg (&regs, name[i], &value))
			continue;
		if (stepper->known >> i & 1)
			note_change (stepper, name[i], stepper->regs[i], value);
		stepper->regs[i] = value;
		stepper->known |= (uint16_t)(1U << i);
	}
}

static void
read_fields (KdStepper *stepper)
{
	const KdStepField *field = stepper->arch->step_fields;
	KdTargetCpu regs = {stepper->target, stepper->cpu};
	uint64_t value;

	for (unsigned i = 0; field && field[i].name && i < STEP_FIELDS_MAX; i++) {
		if (!kd_target_cpu_reg (&regs, field[i].reg, &value))
			continue;
		value &= field[i].mask;
		if (stepper->known_fields >> i & 1)
			note_change (stepper, field[i].name, stepper->fields[i], value);
		stepper->fields[i] = value;
		stepper->known_fields |= (uint8_t)(1U << i);
	}
}

static GHashTable *
read_gates (KdStepper *stepper)
{
	GHashTable *gates = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
	g_autoptr (GArray) tables = kd_vector_tables (stepper->kernel);

	for (guint i = 0; i < tables->len; i++) {
		const GArray *entries = g_array_index (tables, KdVectorTable, i).entries;

		for (guint k = 0; k < entries->len; k++) {
			const KdVectorEntry *entry = &g_array_index (entries, KdVectorEntry, k);
			const char *name = entry->name ? entry->name : "interrupt";

			g_hash_table_insert (gates,
				g_memdup2 (&entry->target, sizeof entry->target), (gpointer)name);
		}
	}
	return gates;
}

static const char *
vector_at (KdStepper *stepper, uint64_t pc)
{
	KdTargetCpu regs = {stepper->target, stepper->cpu};

	if (stepper->arch->vector_at)
		return stepper->arch->vector_at (kd_target_cpu_reg, &regs, pc);
	return stepper->gates && stepper->here.state.mode == KD_CPU_MODE_KERNEL
		       ? g_hash_table_lookup (stepper->gates, &pc)
		       : NULL;
}

/* What only an instruction for it can have changed is not asked for again. */
static void
assume_regs (KdStepper *stepper)
{
	const char *const *name = stepper->arch->step_regs;

	for (unsigned i = 0; name && name[i] && i < STEP_REGS_MAX; i++)
		if (stepper->known >> i & 1)
			kd_target_reg_assume (
				stepper->target, stepper->cpu, name[i], stepper->regs[i]);
}

/* Fills `here` anew; `all`: whatever the last instruction was, any register may have changed. */
static gboolean
look (KdStepper *stepper, gboolean all, GError **error)
{
	KdCpuState before = stepper->here.state;
	uint8_t code[KD_INSN_BYTES_MAX];
	gboolean quiet; /* what was executed changed none of step_regs */
	size_t len;

	kd_step_place_clear (&stepper->here);
	stepper->here = (KdStepPlace){
		.changes = g_array_new (FALSE, FALSE, sizeof (KdStepChange)), .state = before};
	if (!kd_target_reg_fetch_many (stepper->target, stepper->cpu, error))
		return FALSE;
	/* At EL0 the stack pointer is one of them. */
	quiet = stepper->last_kind == KD_INSN_OTHER || stepper->last_kind == KD_INSN_JUMP;
	if (!all && quiet && before.el > 0)
		assume_regs (stepper);
	if (!kd_target_reg_get (
		    stepper->target, stepper->cpu, stepper->arch->pc, &stepper->here.pc, error))
		return FALSE;
	stepper->here.state = stepper->kernel ? kd_kernel_cpu_state (stepper->kernel, stepper->cpu)
					      : kd_target_cpu_state (stepper->target, stepper->cpu);
	stepper->here.vector = vector_at (stepper, stepper->here.pc);
	if (all || !quiet || stepper->here.vector || stepper->here.state.mode != before.mode ||
		stepper->here.state.el != before.el)
		read_regs (stepper);
	read_fields (stepper);
	len = read_code (stepper, stepper->here.pc, code);
	if (len && !stepper->here.insn)
		stepper->here.insn = kd_disassemble (
			stepper->arch, code, len, stepper->here.pc, &stepper->here.insn_len);
	if (stepper->here.insn)
		stepper->here.kind = kd_insn_kind (stepper->arch, stepper->here.insn);
	stepper->here.symbol = symbol_of (stepper, stepper->here.pc);
	return TRUE;
}

KdStepper *
kd_stepper_new (KdTarget *target, KdKernel *kernel, unsigned cpu, GError **error)
{
	g_autoptr (KdStepper) stepper = g_new0 (KdStepper, 1);

	stepper->target = target;
	stepper->kernel = kernel;
	stepper->arch = kd_target_arch (target);
	stepper->cpu = cpu;
	if (kernel && stepper->arch->vectors->gate)
		stepper->gates = read_gates (stepper);
	return look (stepper, TRUE, error) ? g_steal_pointer (&stepper) : NULL;
}

void
kd_stepper_free (KdStepper *stepper)
{
	if (!stepper)
		return;
	kd_step_place_clear (&stepper->here);
	g_free (stepper->file);
	g_clear_pointer (&stepper->gates, g_hash_table_unref);
	g_free (stepper);
}

const KdStepPlace *
kd_stepper_here (const KdStepper *stepper)
{
	return &stepper->here;
}

unsigned
kd_stepper_cpu (const KdStepper *stepper)
{
	return stepper->cpu;
}

KdInsnKind
kd_stepper_last_kind (const KdStepper *stepper)
{
	return stepper->last_kind;
}

gboolean
kd_stepper_interrupted (const KdStepper *stepper)
{
	const KdStop *stop = kd_target_last_stop (stepper->target);

	return stop && stop->reason != KD_STOP_STEP && !stepper->ran;
}

/*
 * A step is an exception, and clears the CPU's exclusive monitor: such a sequence is run to its
 * end, or it would never come there. FALSE: here is none.
 */
static gboolean
exclusive_run (KdStepper *stepper, KdRunTo *ret_run)
{
	uint8_t code[KD_EXCLUSIVE_BYTES];

	*ret_run = (KdRunTo){.alone = TRUE, .any_mode = TRUE, .timeout_ms = EXCLUSIVE_MS};
	if (stepper->here.kind != KD_INSN_EXCLUSIVE || !stepper->arch->exclusive_ends ||
		!kd_target_read_cpu (
			stepper->target, stepper->cpu, stepper->here.pc, code, sizeof code, NULL) ||
		!kd_target_reg_get (
			stepper->target, stepper->cpu, stepper->arch->sp, &ret_run->sp, NULL))
		return FALSE;
	ret_run->nr = stepper->arch->exclusive_ends (code, stepper->here.pc, ret_run->addrs);
	return ret_run->nr > 0;
}

/* The function that `addr` is in; 0: none that is known. */
static uint64_t
function_of (const KdStepper *stepper, uint64_t addr)
{
	KdKernelSymbol symbol;

	return stepper->kernel && kd_kernel_symbol_at (stepper->kernel, addr, &symbol) ? symbol.addr
										       : 0;
}

gboolean
kd_stepper_call_may_drop (KdStepper *stepper)
{
	const KdArch *arch = stepper->arch;
	uint64_t pc = stepper->here.pc, behind = pc + stepper->here.insn_len;
	uint64_t function = function_of (stepper, pc);
	uint8_t before[KD_CALL_BYTES_MAX] = {0}, code[KD_INSN_BYTES_MAX];
	size_t len = stepper->here.insn_len;
	g_autofree char *next = NULL;
	KdCall call = {0};

	if (arch->lr || stepper->here.kind != KD_INSN_CALL || len > sizeof before ||
		!kd_target_read_cpu (
			stepper->target, stepper->cpu, pc, before + sizeof before - len, len, NULL))
		return FALSE;
	arch->call_before (before, behind, &call);
	/* Where no function is known, as in a process, nothing is said of it. */
	if (function && call.kind == KD_CALL_DIRECT && call.addr == pc && call.target != function &&
		function_of (stepper, call.target) == function)
		return TRUE;
	if (!kd_target_read_cpu (stepper->target, stepper->cpu, behind, code, sizeof code, NULL))
		return FALSE;
	next = kd_disassemble (arch, code, sizeof code, behind, &len);
	return next && (g_str_has_prefix (next, arch->break_word) ||
			       (arch->trap_word && g_str_has_prefix (next, arch->trap_word)));
}

gboolean
kd_stepper_step (KdStepper *stepper, GError **error)
{
	g_autoptr (GError) why = NULL;
	KdRunTo run;

	stepper->ran = FALSE;
	if (exclusive_run (stepper, &run)) {
		stepper->last_kind = KD_INSN_EXCLUSIVE;
		stepper->ran = kd_stepper_run_to (stepper, &run, &why);
		/* Something else on the way ends a step as it ends any. */
		if (stepper->ran || g_error_matches (why, KD_DEBUG_ERROR, KD_DEBUG_ERROR_STOPPED))
			return TRUE;
		g_propagate_error (error, g_steal_pointer (&why));
		return FALSE;
	}
	if (!kd_target_step (stepper->target, stepper->cpu, error))
		return FALSE;
	stepper->last_kind = stepper->here.kind;
	return look (stepper, FALSE, error);
}

/* --- running to a place --- */

static gboolean
is_there (KdStepper *stepper, const KdRunTo *run, unsigned cpu)
{
	uint64_t pc, sp;
	KdCpuState state;
	gboolean found = FALSE;

	if ((cpu != stepper->cpu && !run->sp) ||
		!kd_target_reg_get (stepper->target, cpu, stepper->arch->pc, &pc, NULL))
		return FALSE;
	for (unsigned i = 0; i < run->nr; i++)
		found = found || run->addrs[i] == pc;
	if (!found || (run->sp && (!kd_target_reg_get (
					   stepper->target, cpu, stepper->arch->sp, &sp, NULL) ||
					  sp != run->sp)))
		return FALSE;
	state = stepper->kernel ? kd_kernel_cpu_state (stepper->kernel, cpu)
				: kd_target_cpu_state (stepper->target, cpu);
	return run->any_mode || state.mode == KD_CPU_MODE_KERNEL || state.mode == KD_CPU_MODE_HYP;
}

/* The task that is followed runs here now. */
static void
move_to (KdStepper *stepper, unsigned cpu)
{
	if (cpu == stepper->cpu)
		return;
	stepper->cpu = cpu;
	stepper->known = 0;
	stepper->known_fields = 0;
}

static gboolean
is_ours (const KdStop *stop, const int *numbers, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		if (stop->breakpoint == numbers[i])
			return TRUE;
	return FALSE;
}

static gboolean
run_and_wait (KdStepper *stepper, const KdRunTo *run, gint64 end_us, GError **error)
{
	gint64 left_ms = MAX (0, (end_us - g_get_monotonic_time()) / 1000);
	GError *why = NULL;

	if ((run->alone ? kd_target_cont_cpu (stepper->target, stepper->cpu, &why)
			: kd_target_cont (stepper->target, &why)) &&
		kd_target_wait (stepper->target, run->timeout_ms < 0 ? -1 : (int)left_ms, &why))
		return TRUE;
	if (run->timeout_ms >= 0 && g_error_matches (why, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)) {
		g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "not there after %d ms",
			run->timeout_ms);
		g_error_free (why);
	} else
		g_propagate_error (error, why);
	return FALSE;
}

/* Until the machine stops for another reason than that somebody else came by. */
static gboolean
run_until_there (KdStepper *stepper, const KdRunTo *run, const int *numbers, GError **error)
{
	gint64 end_us = g_get_monotonic_time() + (gint64)run->timeout_ms * 1000;

	for (;;) {
		const KdStop *stop;

		if (!run_and_wait (stepper, run, end_us, error))
			return FALSE;
		stop = kd_target_last_stop (stepper->target);
		if (stop->cpu >= 0 && is_there (stepper, run, (unsigned)stop->cpu)) {
			move_to (stepper, (unsigned)stop->cpu);
			return TRUE;
		}
		if (stop->reason != KD_STOP_BREAKPOINT || !is_ours (stop, numbers, run->nr)) {
			g_set_error (error, KD_DEBUG_ERROR, KD_DEBUG_ERROR_STOPPED,
				stop->breakpoint > 0 ? "breakpoint %d stopped the machine before"
						     : "the machine was stopped before",
				stop->breakpoint);
			return FALSE;
		}
	}
}

gboolean
kd_stepper_run_to (KdStepper *stepper, const KdRunTo *run, GError **error)
{
	int numbers[KD_RUN_TO_MAX];
	unsigned nr = 0;
	gboolean ok = TRUE;
	g_autoptr (GError) why = NULL;
	g_autoptr (GCancellable) cancellable = NULL;

	for (; ok && nr < run->nr; nr++) {
		numbers[nr] = kd_target_break_insert (
			stepper->target, KD_BREAK_SOFTWARE, run->addrs[nr], 0, NULL, &why);
		ok = numbers[nr] != 0;
	}
	if (!ok)
		nr--;
	ok = ok && run_until_there (stepper, run, numbers, &why);
	/* Also when the run was cancelled. */
	cancellable = kd_target_cancellable (stepper->target);
	if (cancellable)
		g_object_ref (cancellable);
	kd_target_set_cancellable (stepper->target, NULL);
	if (kd_target_state (stepper->target) == KD_TARGET_RUNNING &&
		!kd_target_stop (stepper->target, ok ? &why : NULL))
		ok = FALSE;
	for (unsigned i = 0; i < nr; i++)
		kd_target_break_delete (stepper->target, numbers[i], NULL);
	if (kd_target_state (stepper->target) == KD_TARGET_STOPPED &&
		!look (stepper, TRUE, ok ? &why : NULL))
		ok = FALSE;
	kd_target_set_cancellable (stepper->target, cancellable);
	if (!ok)
		g_propagate_error (error, g_steal_pointer (&why));
	return ok;
}

/* --- guests --- */

static void
add (KdRunTo *run, uint64_t addr)
{
	for (unsigned i = 0; i < run->nr; i++)
		if (run->addrs[i] == addr)
			return;
	if (run->nr < KD_RUN_TO_MAX)
		run->addrs[run->nr++] = addr;
}

/* Instructions of `kind` in a function; or what is behind them. */
static void
add_kind (KdStepper *stepper, const KdKernelSymbol *function, KdInsnKind kind, gboolean behind,
	KdRunTo *run)
{
	size_t len = MIN (function->size ? function->size : PAGE, ENTRY_CODE_MAX), at = 0, insn_len;
	g_autofree uint8_t *code = g_malloc (len);

	if (!kd_kernel_read (stepper->kernel, kd_addr_kernel (function->addr), code, len, NULL))
		return;
	while (at < len) {
		g_autofree char *insn = kd_disassemble (
			stepper->arch, code + at, len - at, function->addr + at, &insn_len);

		if (!insn)
			insn_len = stepper->arch->insn_align;
		else if (kd_insn_kind (stepper->arch, insn) == kind)
			add (run, function->addr + at + (behind ? insn_len : 0));
		at += insn_len;
	}
}

static gboolean
entries (KdStepper *stepper, gboolean behind, KdRunTo *ret_run, GError **error)
{
	const char *const *names = stepper->arch->linux_layout->guest_entry_symbols;
	KdKernelSymbol symbol;
	uint64_t hyp;

	ret_run->nr = 0;
	for (; stepper->kernel && *names; names++) {
		unsigned before = ret_run->nr;

		if (!kd_kernel_symbol (stepper->kernel, *names, &symbol))
			continue;
		add_kind (stepper, &symbol, KD_INSN_ENTER_GUEST, behind, ret_run);
		if (ret_run->nr > before || behind)
			continue;
		add (ret_run, symbol.addr);
		/* The same code at EL2's own addresses. */
		if (kd_kernel_to_hyp (stepper->kernel, symbol.addr, &hyp))
			add (ret_run, hyp);
	}
	if (ret_run->nr)
		return TRUE;
	g_set_error (error, KD_DEBUG_ERROR, KD_DEBUG_ERROR_UNSUPPORTED,
		stepper->kernel ? "no code that enters guests (is KVM loaded?)"
				: "no kernel is known");
	return FALSE;
}

gboolean
kd_stepper_guest_entries (KdStepper *stepper, KdRunTo *ret_run, GError **error)
{
	return entries (stepper, FALSE, ret_run, error);
}

gboolean
kd_stepper_guest_exits (KdStepper *stepper, KdRunTo *ret_run, GError **error)
{
	KdTargetCpu regs = {stepper->target, stepper->cpu};
	uint64_t addrs[KD_EXIT_VECTORS_MAX];

	if (!stepper->arch->exit_vectors)
		return entries (stepper, TRUE, ret_run, error);
	ret_run->nr = 0;
	for (unsigned nr = stepper->arch->exit_vectors (kd_target_cpu_reg, &regs, addrs); nr-- > 0;)
		add (ret_run, addrs[nr]);
	if (!ret_run->nr)
		g_set_error (error, KD_DEBUG_ERROR, KD_DEBUG_ERROR_NO_REGS,
			"where a guest exits to is not known: no vector base");
	return ret_run->nr > 0;
}

gboolean
kd_stepper_caller (KdStepper *stepper, KdRunTo *ret_run, GError **error)
{
	g_auto (KdBacktrace) trace = {0};

	if (!stepper->kernel || !kd_backtrace_cpu (stepper->kernel, stepper->cpu, &trace, error)) {
		if (!stepper->kernel)
			g_set_error (error, KD_DEBUG_ERROR, KD_DEBUG_ERROR_UNSUPPORTED,
				"no kernel is known");
		return FALSE;
	}
	for (guint i = 1; i < trace.frames->len; i++) {
		const KdFrame *frame = &g_array_index (trace.frames, KdFrame, i);

		if (g_array_index (trace.frames, KdFrame, i - 1).inlined)
			continue;
		ret_run->nr = 0;
		add (ret_run, frame->pc);
		/* Another call of the same function has another. */
		ret_run->sp = frame->has_sp ? frame->sp : 0;
		return TRUE;
	}
	g_set_error (error, KD_DEBUG_ERROR, KD_DEBUG_ERROR_UNSUPPORTED,
		"nothing called this, or the stack cannot be followed: %s",
		trace.end_text ? trace.end_text : kd_end_name (trace.end));
	return FALSE;
}

gboolean
kd_stepper_line (KdStepper *stepper, const char **ret_file, int *ret_line)
{
	g_autoptr (GArray) lines = NULL;
	uint64_t link, va = stepper->here.pc;
	KdImage *image;
	const KdLine *line;

	if (!stepper->here.symbol)
		return FALSE;
	if (stepper->here.state.mode == KD_CPU_MODE_HYP &&
		!kd_kernel_from_hyp (stepper->kernel, va, &va))
		return FALSE;
	image = kd_kernel_image_at (stepper->kernel, va, &link);
	lines = image ? kd_image_lines_at (image, link) : NULL;
	if (!lines || !lines->len)
		return FALSE;
	line = &g_array_index (lines, KdLine, 0);
	if (!line->file)
		return FALSE;
	g_free (stepper->file);
	stepper->file = g_strdup (line->file);
	*ret_file = stepper->file;
	*ret_line = line->line;
	return TRUE;
}
