/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "arch/arm64-insn.h"
#include "debug/code-arm64.h"
#include "debug/kernel-arm64.h"
#include "debug/unwind.h"

#define FP 29
#define LR 30
#define X0 0
#define SP 31
#define VECTORS_SIZE 0x800
#define VECTOR_SIZE 0x80
#define SCAN_MAX 512 /* instructions of one assembly function */

/* --- exceptions: struct pt_regs --- */

typedef struct {
	int64_t regs, sp, pc, pstate, stackframe;
	uint64_t size;
} PtRegs;

/* FALSE: the kernel's types have no such structure. stackframe is -1 before 5.11. */
static gboolean
pt_regs_layout (KdUnwind *unwind, PtRegs *ret)
{
	const KdUnwindOps *ops = unwind->ops;

	ret->regs = ops->offset_of (unwind->data, "struct pt_regs", "regs");
	ret->sp = ops->offset_of (unwind->data, "struct pt_regs", "sp");
	ret->pc = ops->offset_of (unwind->data, "struct pt_regs", "pc");
	ret->pstate = ops->offset_of (unwind->data, "struct pt_regs", "pstate");
	ret->stackframe = ops->offset_of (unwind->data, "struct pt_regs", "stackframe");
	ret->size = ops->size_of (unwind->data, "struct pt_regs");
	return ret->regs >= 0 && ret->sp >= 0 && ret->pc >= 0 && ret->pstate >= 0 && ret->size > 0;
}

/* TRUE: PSTATE is of a process: EL0, or any AArch32 mode. */
static gboolean
is_user_pstate (uint64_t pstate)
{
	return pstate & 1 << 4 || (pstate & 0xf) == 0;
}

static gboolean
read_pt_regs (KdUnwind *unwind, const PtRegs *layout, uint64_t at, KdRegSet *ret_regs)
{
	KdRegSet regs = {.space = KD_SPACE_KERNEL, .live = TRUE};
	uint64_t value, pstate;

	for (unsigned i = 0; i < 31; i++) {
		if (!kd_unwind_read_u64 (
			    unwind, KD_SPACE_KERNEL, at + (uint64_t)layout->regs + 8 * i, &value))
			return FALSE;
		kd_reg_set_put (&regs, i, value);
	}
	if (!kd_unwind_read_u64 (unwind, KD_SPACE_KERNEL, at + (uint64_t)layout->sp, &value) ||
		!kd_unwind_read_u64 (
			unwind, KD_SPACE_KERNEL, at + (uint64_t)layout->pc, &regs.pc) ||
		!kd_unwind_read_u64 (
			unwind, KD_SPACE_KERNEL, at + (uint64_t)layout->pstate, &pstate))
		return FALSE;
	kd_reg_set_put (&regs, SP, value);
	if (is_user_pstate (pstate))
		regs.space = KD_SPACE_USER;
	*ret_regs = regs;
	return TRUE;
}

/* Registers saved at an exception are where entry code put the frame record, and at sp. */
static gboolean
find_pt_regs (KdUnwind *unwind, const KdRegSet *regs, const PtRegs *layout, uint64_t *ret_at)
{
	uint64_t sp = 0, fp;
	gboolean has_sp = kd_reg_set_get (regs, SP, &sp);

	if (!regs->live && layout->stackframe >= 0 && kd_reg_set_get (regs, FP, &fp) &&
		fp > (uint64_t)layout->stackframe) {
		fp -= (uint64_t)layout->stackframe;
		/* Below sp it is of a frame that is gone. */
		if (!has_sp || (fp >= sp && fp - sp < layout->size)) {
			*ret_at = fp;
			return TRUE;
		}
	}
	*ret_at = sp;
	return has_sp;
}

static int
step_pt_regs (KdUnwind *unwind, uint64_t at, const PtRegs *layout, KdUnwindFrame *next)
{
	if (!read_pt_regs (unwind, layout, at, &next->regs))
		return KD_STEP_NOT_MINE;
	next->how = KD_HOW_PT_REGS;
	next->proof = KD_PROOF_ENTRY;
	next->note = g_strdup_printf ("registers saved at 0x%" PRIx64, at);
	kd_unwind_name (unwind, next);
	return KD_STEP_NEXT;
}

/* Where an exception was taken from while nothing is saved yet, or all is restored: ELR has it. */
static int
step_elr (KdUnwind *unwind, const KdRegSet *regs, KdUnwindFrame *next)
{
	const char *elr_name = "ELR_EL2", *spsr_name = "SPSR_EL2";
	uint64_t cpsr = 0, spsr;

	if (unwind->ops->sysreg (unwind->data, "cpsr", &cpsr) && (cpsr >> 2 & 3) == 1) {
		elr_name = "ELR_EL1";
		spsr_name = "SPSR_EL1";
	}
	next->regs = *regs;
	next->regs.live = TRUE;
	if (!unwind->ops->sysreg (unwind->data, elr_name, &next->regs.pc))
		return KD_STEP_NOT_MINE;
	if (unwind->ops->sysreg (unwind->data, spsr_name, &spsr) && is_user_pstate (spsr)) {
		uint64_t sp;

		next->regs.space = KD_SPACE_USER;
		kd_reg_set_forget (&next->regs, SP);
		if (unwind->ops->sysreg (unwind->data, "SP_EL0", &sp))
			kd_reg_set_put (&next->regs, SP, sp);
	}
	next->how = KD_HOW_REGS;
	next->proof = KD_PROOF_ENTRY;
	next->note = g_strdup_printf ("%s", elr_name);
	kd_unwind_name (unwind, next);
	return KD_STEP_NEXT;
}

/* --- exception entry and exit --- */

static gboolean
is_exception_entry (const char *name)
{
	static const char *const prefixes[] = {"el1t_64_", "el1h_64_", "el0t_64_", "el0t_32_"};
	static const char *const kinds[] = {"sync", "irq", "fiq", "error"};

	for (size_t i = 0; i < G_N_ELEMENTS (prefixes); i++)
		for (size_t j = 0; j < G_N_ELEMENTS (kinds); j++)
			if (g_str_has_prefix (name, prefixes[i]) &&
				strcmp (name + strlen (prefixes[i]), kinds[j]) == 0)
				return TRUE;
	/* Before 5.11 the entry points had other names. */
	return strcmp (name, "__bad_stack") == 0 || strcmp (name, "el1_sync") == 0 ||
	       strcmp (name, "el1_irq") == 0 || strcmp (name, "el0_sync") == 0 ||
	       strcmp (name, "el0_irq") == 0;
}

static gboolean
read_code (KdUnwind *unwind, uint64_t addr, KdArm64Insn *ret_insn)
{
	uint8_t code[4];

	if (!unwind->ops->read (unwind->data, KD_SPACE_KERNEL, addr, code, 4))
		return FALSE;
	kd_arm64_decode (
		code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24, addr, ret_insn);
	return TRUE;
}

/* TRUE: an instruction of [from, to) is of `kind` and has `rd` and, if not NO_REG, `rn`. */
static gboolean
code_has (KdUnwind *unwind, uint64_t from, uint64_t to, KdArm64Kind kind, unsigned rd, unsigned rn,
	gboolean base_is_sp)
{
	KdArm64Insn insn;

	for (unsigned i = 0; from < to && i < SCAN_MAX; from += 4, i++)
		if (read_code (unwind, from, &insn) && insn.kind == kind && insn.rd == rd &&
			(rn == KD_ARM64_NO_REG || insn.rt2 == rn) && (insn.rn == SP) == base_is_sp)
			return TRUE;
	return FALSE;
}

/* TRUE: the code of [from, to) has stored the exception's pc in the pt_regs at sp. */
static gboolean
has_saved_pc (KdUnwind *unwind, uint64_t from, uint64_t to, const PtRegs *layout)
{
	KdArm64Insn insn;

	for (unsigned i = 0; from < to && i < SCAN_MAX; from += 4, i++)
		if (read_code (unwind, from, &insn) && insn.kind == KD_ARM64_STORE &&
			insn.rn == SP && insn.imm <= layout->pc &&
			layout->pc < insn.imm + (insn.rt2 == KD_ARM64_NO_REG ? 8 : 16))
			return TRUE;
	return FALSE;
}

/* TRUE: the code of [from, to) still has to take pt_regs off the stack. */
static gboolean
will_pop (KdUnwind *unwind, uint64_t from, uint64_t to, const PtRegs *layout)
{
	KdArm64Insn insn;

	for (unsigned i = 0; from < to && i < SCAN_MAX; from += 4, i++)
		if (read_code (unwind, from, &insn) && insn.kind == KD_ARM64_ADD && insn.rd == SP &&
			insn.rn == SP && insn.imm == (int64_t)layout->size)
			return TRUE;
	return FALSE;
}

static int
step_exception (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next)
{
	uint64_t pc = from->image_pc, start = from->symbol.addr, at, sp;
	uint64_t end = start + from->symbol.size;
	PtRegs layout;
	KdRegSet regs;

	if (!pt_regs_layout (unwind, &layout))
		return KD_STEP_NOT_MINE;
	if (kd_unwind_in (from, "vectors")) {
		/* The kernel's own vectors: room for pt_regs is made, a full stack looked for. */
		start += (pc - start) / VECTOR_SIZE * VECTOR_SIZE;
		if (kd_code_arm64_backward (unwind, &from->regs, start, VECTOR_SIZE, pc, &regs))
			return step_elr (unwind, &regs, next);
		/* KPTI's trampoline comes in behind a branch over what gets LR back. */
		if (!kd_code_arm64_backward (
			    unwind, &from->regs, start + 4, VECTOR_SIZE - 4, pc, &regs))
			return KD_STEP_NOT_MINE;
		kd_reg_set_forget (&regs, LR);
		return step_elr (unwind, &regs, next);
	}
	if (kd_unwind_in (from, "ret_to_kernel") || kd_unwind_in (from, "ret_to_user")) {
		if (from->regs.live && !will_pop (unwind, pc, end, &layout))
			return step_elr (unwind, &from->regs, next);
	} else if (from->regs.live && !has_saved_pc (unwind, start, pc, &layout)) {
		if (!kd_code_arm64_backward (
			    unwind, &from->regs, start, from->symbol.size, pc, &regs))
			return KD_STEP_NOT_MINE;
		if (kd_reg_set_get (&regs, SP, &sp))
			kd_reg_set_put (&regs, SP, sp + layout.size);
		return step_elr (unwind, &regs, next);
	}
	if (!find_pt_regs (unwind, &from->regs, &layout, &at))
		return KD_STEP_NOT_MINE;
	return step_pt_regs (unwind, at, &layout, next);
}

/* A task's first function: behind it a user's registers, or nothing for a kernel thread. */
static int
step_ret_from_fork (
	KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next, KdEnd *ret_end)
{
	PtRegs layout;
	uint64_t at;

	*ret_end = KD_END_THREAD;
	if (!pt_regs_layout (unwind, &layout) ||
		!find_pt_regs (unwind, &from->regs, &layout, &at) ||
		!read_pt_regs (unwind, &layout, at, &next->regs) ||
		next->regs.space != KD_SPACE_USER || next->regs.pc == 0)
		return KD_STEP_END;
	return step_pt_regs (unwind, at, &layout, next);
}

/* --- into and out of guests and the hypervisor: arch/arm64/kvm/hyp --- */

/* The name without the prefix of nVHE's copies. */
static const char *
hyp_name (const char *name)
{
	return g_str_has_prefix (name, "__kvm_nvhe_") ? name + strlen ("__kvm_nvhe_") : name;
}

/* Goes on with the code that called __guest_enter, whose registers `next` has. */
static int
step_guest_enter_return (
	KdUnwind *unwind, const KdUnwindFrame *from, KdHow how, KdUnwindFrame *next)
{
	KdUnwindFrame enter = *from;
	const char *name =
		from->regs.space == KD_SPACE_HYP ? "__kvm_nvhe___guest_enter" : "__guest_enter";
	uint64_t lr;

	if (!kd_reg_set_get (&next->regs, LR, &lr) ||
		!unwind->ops->symbol (unwind->data, name, &enter.symbol))
		return KD_STEP_NOT_MINE;
	enter.has_symbol = TRUE;
	kd_reg_set_forget (&next->regs, LR);
	next->regs.pc = kd_unwind_strip (unwind, lr);
	next->regs.live = FALSE;
	next->how = how;
	kd_unwind_name (unwind, next);
	if (!next->has_symbol)
		return KD_STEP_NOT_MINE;
	kd_unwind_prove (unwind, &enter, next);
	return KD_STEP_NEXT;
}

/* With what __guest_enter saved. */
static int
step_guest_enter_caller (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next)
{
	return unwind->ops->saved_context (unwind->data, FALSE, &next->regs)
		       ? step_guest_enter_return (unwind, from, KD_HOW_PT_REGS, next)
		       : KD_STEP_NOT_MINE;
}

/* An exception taken while the guest's vectors are in place and the CPU already is at EL2. */
static int
step_el2_exception (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next)
{
	KdCodeResult result;

	if (kd_code_arm64_forward (unwind, &from->regs, from->image_pc, &result) != KD_CODE_ERETS)
		return KD_STEP_NOT_MINE;
	return step_elr (unwind, &result.regs, next);
}

/* A CPU that stands in a vector of KVM's, at `offset` of its table. */
static int
step_kvm_vector (KdUnwind *unwind, const KdUnwindFrame *from, uint64_t table, KdUnwindFrame *next)
{
	uint64_t start = table + ((from->image_pc - table) / VECTOR_SIZE * VECTOR_SIZE);
	KdRegSet regs;

	if (start - table >= VECTORS_SIZE / 2)
		return step_guest_enter_caller (unwind, from, next);
	if (!kd_code_arm64_backward (
		    unwind, &from->regs, start, VECTOR_SIZE, from->image_pc, &regs))
		return KD_STEP_NOT_MINE;
	return step_elr (unwind, &regs, next);
}

/*
 * KPTI's way in and out, live: the CPU's registers are the user's, but for LR, which the way in has
 * put away to have one of its own.
 */
static int
step_trampoline (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next)
{
	KdRegSet regs = from->regs;

	if (!regs.live)
		return KD_STEP_NOT_MINE;
	kd_reg_set_forget (&regs, LR);
	return step_elr (unwind, &regs, next);
}

/* The host's EL1 state behind the hypervisor that it called or trapped into. */
static int
step_el1_host (KdUnwind *unwind, KdUnwindFrame *next)
{
	if (!unwind->ops->saved_context (unwind->data, TRUE, &next->regs))
		return KD_STEP_NOT_MINE;
	next->how = KD_HOW_PT_REGS;
	next->proof = KD_PROOF_ENTRY;
	next->note = g_strdup ("EL1 as saved on the way to EL2");
	kd_unwind_name (unwind, next);
	return KD_STEP_NEXT;
}

/* The host's EL1 state while nothing of it is saved, or all is back. */
static int
step_el1_live (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next)
{
	uint64_t sp;
	int done = step_elr (unwind, &from->regs, next);

	if (done != KD_STEP_NEXT)
		return done;
	if (next->regs.space == KD_SPACE_HYP)
		next->regs.space = KD_SPACE_KERNEL;
	kd_reg_set_forget (&next->regs, SP);
	if (unwind->ops->sysreg (unwind->data, "SP_EL1", &sp))
		kd_reg_set_put (&next->regs, SP, sp);
	kd_unwind_name (unwind, next);
	return KD_STEP_NEXT;
}

/*
 * Where the code that `from` is in begins, by the kernel's own symbols: those have labels inside
 * functions of assembly too, which hide the function. *ret_name: the function's, static.
 */
static uint64_t
hyp_start (KdUnwind *unwind, const KdUnwindFrame *from, const char **ret_name)
{
	static const struct {
		const char *label, *function;
	} labels[] = {{"__skip_pauth_save", "__host_exit"},
		{"__skip_pauth_restore", "__host_enter_restore_full"},
		{"abort_guest_exit_start", "__guest_exit"},
		{"abort_guest_exit_end", "__guest_exit"}};
	const char *name = hyp_name (from->symbol.name);

	*ret_name = name;
	for (size_t i = 0; i < G_N_ELEMENTS (labels); i++) {
		g_autofree char *function = g_strdup_printf ("%.*s%s",
			(int)(name - from->symbol.name), from->symbol.name, labels[i].function);
		KdKernelSymbol symbol;

		if (strcmp (name, labels[i].label) != 0 ||
			!unwind->ops->symbol (unwind->data, function, &symbol) ||
			symbol.addr > from->symbol.addr)
			continue;
		*ret_name = labels[i].function;
		return symbol.addr;
	}
	return from->symbol.addr;
}

static int
step_kvm (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next)
{
	static const char *const guest_traps[] = {"el1_sync", "el1_trap", "el1_irq", "el1_fiq",
		"el1_error", "wa_epilogue", "__guest_exit_panic",
		"__guest_exit_restore_elr_and_panic"};
	const char *name;
	uint64_t pc = from->image_pc, start = hyp_start (unwind, from, &name);
	uint64_t end = from->symbol.addr + from->symbol.size;

	if (strcmp (name, "__guest_enter") == 0)
		/* Until the host's registers are put away they are where they always are. */
		return code_has (unwind, start, pc, KD_ARM64_STORE, FP, LR, FALSE)
			       ? step_guest_enter_caller (unwind, from, next)
			       : KD_STEP_NOT_MINE;
	if (strcmp (name, "__guest_exit") == 0 && from->regs.live) {
		if (code_has (unwind, pc, end, KD_ARM64_LOAD, FP, LR, FALSE))
			return step_guest_enter_caller (unwind, from, next);
		/* They are back, and it returns in __guest_enter's place. */
		next->regs = from->regs;
		return step_guest_enter_return (unwind, from, KD_HOW_FP, next);
	}
	if (strcmp (name, "__kvm_hyp_vector") == 0)
		return step_kvm_vector (unwind, from, start, next);
	if (strcmp (name, "__bp_harden_hyp_vecs") == 0)
		return step_kvm_vector (
			unwind, from, start + ((pc - start) / VECTORS_SIZE * VECTORS_SIZE), next);
	if (strcmp (name, "el2_sync") == 0 || strcmp (name, "el2_error") == 0)
		return step_el2_exception (unwind, from, next);
	if (strcmp (name, "__host_exit") == 0)
		return from->regs.live &&
				       !code_has (unwind, start, pc, KD_ARM64_STORE, FP, LR, FALSE)
			       ? step_el1_live (unwind, from, next)
			       : step_el1_host (unwind, next);
	if (g_str_has_prefix (name, "__host_enter"))
		return code_has (unwind, pc, end, KD_ARM64_LOAD, FP, LR, FALSE)
			       ? step_el1_host (unwind, next)
			       : step_el1_live (unwind, from, next);
	if (strcmp (name, "__kvm_hyp_host_vector") == 0 || strcmp (name, "__host_hvc") == 0)
		return step_el1_live (unwind, from, next);
	for (size_t i = 0; i < G_N_ELEMENTS (guest_traps); i++)
		if (strcmp (name, guest_traps[i]) == 0 && from->regs.live)
			return step_guest_enter_caller (unwind, from, next);
	return KD_STEP_NOT_MINE;
}

/* --- other code that no rules describe --- */

/* The SDEI entry makes a frame record of the interrupted pc (arch/arm64/kernel/entry.S). */
static int
step_sdei (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next)
{
	KdRegSet regs = {.space = from->regs.space};
	uint64_t fp, value;

	if (!kd_reg_set_get (&from->regs, FP, &fp) ||
		!kd_unwind_read_u64 (unwind, regs.space, fp, &value) ||
		!kd_unwind_read_u64 (unwind, regs.space, fp + 8, &regs.pc))
		return KD_STEP_NOT_MINE;
	kd_reg_set_put (&regs, FP, value);
	next->regs = regs;
	next->how = KD_HOW_FP;
	next->proof = KD_PROOF_ENTRY;
	next->note = g_strdup ("interrupted by firmware (SDEI)");
	kd_unwind_name (unwind, next);
	return next->has_symbol ? KD_STEP_NEXT : KD_STEP_NOT_MINE;
}

/*
 * ftrace_return_to_handler() gives back where its caller is to go. Once it has popped that from
 * function_graph's stack, an interrupt's functions put theirs in the place: only its registers have
 * it.
 */
static void
note_graph_target (KdUnwind *unwind, const KdUnwindFrame *from)
{
	KdCodeResult result;

	unwind->graph_target = 0;
	if (kd_code_arm64_forward (unwind, &from->regs, from->image_pc, &result) == KD_CODE_RETURNS)
		kd_reg_set_get (&result.regs, X0, &unwind->graph_target);
}

/* function_graph's own return path: where it goes is what it put aside. */
static int
step_return_to_handler (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next)
{
	unsigned index = unwind->graph_index;
	uint64_t fp = 0, target, entry = 0;
	KdCodeResult result;
	gboolean on_stack;

	if (kd_code_arm64_forward (unwind, &from->regs, from->image_pc, &result) != KD_CODE_RETURNS)
		return KD_STEP_NOT_MINE;
	next->regs = result.regs;
	next->regs.live = FALSE;
	kd_reg_set_forget (&next->regs, LR);
	kd_reg_set_get (&next->regs, FP, &fp);
	target = next->regs.pc ? next->regs.pc : unwind->graph_target;
	unwind->graph_target = 0;
	on_stack = unwind->ops->graph_return (unwind->data, index, fp, &entry, &index);
	if (!target && !on_stack)
		return KD_STEP_NOT_MINE;
	/* What was popped already is no entry to be passed. */
	if (on_stack && (!target || entry == target))
		unwind->graph_index = index;
	next->regs.pc = kd_unwind_strip (unwind, target ? target : entry);
	next->how = KD_HOW_GRAPH;
	kd_unwind_name (unwind, next);
	if (!next->has_symbol)
		return KD_STEP_NOT_MINE;
	/* The function that has just returned is the one called; it is no longer on the stack. */
	kd_unwind_prove (unwind, from, next);
	if (next->proof == KD_PROOF_NONE) {
		next->proof = KD_PROOF_ENTRY;
		g_free (next->note);
		next->note = g_strdup ("return from a traced function");
	}
	return KD_STEP_NEXT;
}

static gboolean
is_boot (const char *name)
{
	static const char *const names[] = {"__primary_switched", "__secondary_switched",
		"primary_entry", "secondary_startup", "secondary_entry", "__enable_mmu"};

	for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
		if (strcmp (name, names[i]) == 0)
			return TRUE;
	return FALSE;
}

static int
special (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next, KdEnd *ret_end)
{
	const char *name = from->has_symbol ? from->symbol.name : "";
	int done;

	if (!from->has_symbol || from->symbol.module)
		return KD_STEP_NOT_MINE;
	done = step_kvm (unwind, from, next);
	if (done != KD_STEP_NOT_MINE)
		return done;
	if (is_exception_entry (name) || strcmp (name, "vectors") == 0 ||
		strcmp (name, "ret_to_kernel") == 0 || strcmp (name, "ret_to_user") == 0)
		return step_exception (unwind, from, next);
	if (g_str_has_prefix (name, "tramp_"))
		return step_trampoline (unwind, from, next);
	if (strcmp (name, "ret_from_fork") == 0)
		return step_ret_from_fork (unwind, from, next, ret_end);
	if (strcmp (name, "ftrace_return_to_handler") == 0)
		note_graph_target (unwind, from);
	if (strcmp (name, "return_to_handler") == 0)
		return step_return_to_handler (unwind, from, next);
	if (strcmp (name, "__sdei_asm_handler") == 0)
		return step_sdei (unwind, from, next);
	if (is_boot (name)) {
		*ret_end = KD_END_BOOT;
		return KD_STEP_END;
	}
	return KD_STEP_NOT_MINE;
}

const KdUnwindIsa kd_unwind_arm64 = {
	.arch = &kd_arch_arm64,
	.sp = SP,
	.fp = FP,
	.lr = LR,
	.callee_saved = 0x3ff80000, /* x19 to x29 */
	.special = special,
	.by_code = kd_code_arm64_step,
	.stacks = kd_arm64_stacks,
	.task_regs = kd_arm64_task_regs,
	.saved_context = kd_arm64_saved_context,
	.guest_entry = kd_arm64_guest_entry,
};
