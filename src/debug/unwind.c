/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/unwind.h"

#include <inttypes.h>
#include <string.h>

/* How far above a lost frame a return address is looked for. */
#define GUESS_WORDS_MAX 128
/* Steps that leave the stack pointer where it is: leaf functions, entry code. */
#define SAME_SP_MAX 4
#define STACKS_MAX 8

static const char *const how_names[] = {
	[KD_HOW_REGS] = "regs",
	[KD_HOW_CFI] = "cfi",
	[KD_HOW_ORC] = "orc",
	[KD_HOW_FP] = "fp",
	[KD_HOW_PT_REGS] = "pt_regs",
	[KD_HOW_GRAPH] = "graph",
	[KD_HOW_GUESS] = "guess",
};

static const char *const proof_names[] = {
	[KD_PROOF_NONE] = "none",
	[KD_PROOF_CALL] = "call",
	[KD_PROOF_INDIRECT] = "indirect",
	[KD_PROOF_ENTRY] = "entry",
};

static const char *const end_names[] = {
	[KD_END_USER] = "user",
	[KD_END_THREAD] = "thread",
	[KD_END_BOOT] = "boot",
	[KD_END_CODE] = "code",
	[KD_END_LIMIT] = "limit",
	[KD_END_LOOP] = "loop",
	[KD_END_BROKEN] = "broken",
};

const char *
kd_how_name (KdHow how)
{
	return how_names[how];
}

const char *
kd_proof_name (KdProof proof)
{
	return proof_names[proof];
}

const char *
kd_end_name (KdEnd end)
{
	return end_names[end];
}

static void
frame_clear (gpointer data)
{
	g_free (((KdUnwindFrame *)data)->note);
}

void
kd_unwind_result_clear (KdUnwindResult *result)
{
	g_clear_pointer (&result->frames, g_array_unref);
	g_clear_pointer (&result->end_text, g_free);
}

const KdUnwindIsa *
kd_unwind_isa (const KdArch *arch)
{
	static const KdUnwindIsa *const isas[] = {&kd_unwind_arm64, &kd_unwind_x86_64};

	for (size_t i = 0; i < G_N_ELEMENTS (isas); i++)
		if (isas[i]->arch == arch)
			return isas[i];
	return NULL;
}

/* --- small things the per-ISA parts use too --- */

gboolean
kd_unwind_read_u64 (KdUnwind *unwind, KdSpaceKind space, uint64_t va, uint64_t *ret_value)
{
	uint8_t bytes[8];
	uint64_t value = 0;

	if (va & 7 || !unwind->ops->read (unwind->data, space, va, bytes, sizeof bytes))
		return FALSE;
	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | bytes[unwind->isa->arch->big_endian ? i : 7 - i];
	*ret_value = value;
	return TRUE;
}

uint64_t
kd_unwind_strip (KdUnwind *unwind, uint64_t value)
{
	return unwind->isa->arch->strip_pac (value, unwind->pac_mask);
}

gboolean
kd_unwind_in (const KdUnwindFrame *frame, const char *function)
{
	return frame->has_symbol && strcmp (frame->symbol.name, function) == 0;
}

static gboolean
is_text (const KdKernelSymbol *symbol)
{
	return symbol->kind == 'T' || symbol->kind == 't' || symbol->kind == 'W' ||
	       symbol->kind == 'w';
}

void
kd_unwind_name (KdUnwind *unwind, KdUnwindFrame *frame)
{
	const KdRegSet *regs = &frame->regs;
	uint64_t at;

	frame->image_pc = 0;
	frame->has_symbol = FALSE;
	if ((regs->space != KD_SPACE_KERNEL && regs->space != KD_SPACE_HYP) || regs->pc == 0)
		return;
	/* A call can be a function's last instruction: its return address is the next one's. */
	at = regs->live ? regs->pc : regs->pc - 1;
	if (!unwind->ops->image_addr (unwind->data, regs->space, at, &at))
		return;
	frame->image_pc = regs->live ? at : at + 1;
	frame->has_symbol = unwind->ops->symbol_at (unwind->data, at, &frame->symbol) &&
			    is_text (&frame->symbol);
}

/* --- candidates for the next frame --- */

static gboolean
cfi_rule (KdUnwind *unwind, const KdRegSet *regs, const KdCfiRule *rule, uint64_t cfa,
	uint64_t *ret_value)
{
	switch (rule->kind) {
	case KD_CFI_CFA_OFFSET:
		return kd_unwind_read_u64 (
			unwind, regs->space, cfa + (uint64_t)rule->offset, ret_value);
	case KD_CFI_VAL_OFFSET:
		*ret_value = cfa + (uint64_t)rule->offset;
		return TRUE;
	case KD_CFI_REGISTER:
		return kd_reg_set_get (regs, rule->reg, ret_value);
	case KD_CFI_UNDEFINED:
	case KD_CFI_SAME:
	case KD_CFI_EXPR:
		break;
	}
	return FALSE;
}

/*
 * The CFA. Where the stack pointer is not known (a frame found by its frame pointer alone) the
 * frame record tells: it lies where the rules say the frame pointer is saved.
 */
static gboolean
find_cfa (KdUnwind *unwind, const KdUnwindFrame *from, const KdCfiRow *row, uint64_t *ret_cfa)
{
	const KdCfiRule *fp_rule = &row->regs[unwind->isa->fp];
	uint64_t base;

	if (row->cfa.kind == KD_CFI_REGISTER && kd_reg_set_get (&from->regs, row->cfa.reg, &base)) {
		*ret_cfa = base + (uint64_t)row->cfa.offset;
		return TRUE;
	}
	if (!from->regs.live && fp_rule->kind == KD_CFI_CFA_OFFSET &&
		kd_reg_set_get (&from->regs, unwind->isa->fp, &base)) {
		*ret_cfa = base - (uint64_t)fp_rule->offset;
		return TRUE;
	}
	return FALSE;
}

static gboolean
by_cfi (KdUnwind *unwind, const KdUnwindFrame *from, KdRegSet *ret_next)
{
	const KdRegSet *regs = &from->regs;
	KdRegSet next = {.space = regs->space};
	const KdCfiRule *ra_rule;
	KdCfiRow row;
	uint64_t cfa, value;

	if (from->image_pc == 0 ||
		!unwind->ops->cfi_at (
			unwind->data, regs->live ? from->image_pc : from->image_pc - 1, &row) ||
		row.ra_reg >= KD_UNWIND_REGS_MAX || !find_cfa (unwind, from, &row, &cfa))
		return FALSE;
	for (unsigned reg = 0; reg < KD_UNWIND_REGS_MAX; reg++) {
		const KdCfiRule *rule = &row.regs[reg];

		if (!(unwind->isa->callee_saved >> reg & 1))
			continue;
		if (cfi_rule (unwind, regs, rule, cfa, &value) ||
			((rule->kind == KD_CFI_SAME || rule->kind == KD_CFI_UNDEFINED) &&
				kd_reg_set_get (regs, reg, &value)))
			kd_reg_set_put (&next, reg, value);
	}
	ra_rule = &row.regs[row.ra_reg];
	if (ra_rule->kind == KD_CFI_SAME || ra_rule->kind == KD_CFI_UNDEFINED) {
		/* Only a function that has called nothing yet still has it in a register. */
		if (!regs->live || !kd_reg_set_get (regs, row.ra_reg, &value))
			return FALSE;
	} else if (!cfi_rule (unwind, regs, ra_rule, cfa, &value)) {
		return FALSE;
	}
	next.pc = kd_unwind_strip (unwind, value);
	kd_reg_set_put (&next, unwind->isa->sp, cfa);
	*ret_next = next;
	return TRUE;
}

/* The frame record {caller's frame pointer, return address} that the frame pointer points at. */
static gboolean
by_frame_pointer (KdUnwind *unwind, const KdUnwindFrame *from, KdRegSet *ret_next)
{
	const KdRegSet *regs = &from->regs;
	KdRegSet next = {.space = regs->space};
	uint64_t fp, sp, saved_fp, return_addr;

	if (!kd_reg_set_get (regs, unwind->isa->fp, &fp) || fp == 0 ||
		!kd_unwind_read_u64 (unwind, regs->space, fp, &saved_fp) ||
		!kd_unwind_read_u64 (unwind, regs->space, fp + 8, &return_addr))
		return FALSE;
	/* A record below the stack pointer is of a function that has returned. */
	if (kd_reg_set_get (regs, unwind->isa->sp, &sp) && fp < sp) {
		KdStack a, b;

		if (!unwind->ops->stack_at (unwind->data, regs->space, fp, &a) ||
			!unwind->ops->stack_at (unwind->data, regs->space, sp, &b) ||
			a.low == b.low)
			return FALSE;
	}
	next.pc = kd_unwind_strip (unwind, return_addr);
	kd_reg_set_put (&next, unwind->isa->fp, saved_fp);
	if (unwind->isa->record_ends_frame)
		kd_reg_set_put (&next, unwind->isa->sp, fp + 16);
	*ret_next = next;
	return TRUE;
}

/*
 * function_graph replaces return addresses by its own trampoline and keeps the real ones aside; a
 * function that was tail-called has the trampoline in its entry too.
 */
static gboolean
undo_graph (KdUnwind *unwind, KdUnwindFrame *next)
{
	KdKernelSymbol trampoline;
	uint64_t fp = 0, addr = next->regs.pc;
	unsigned index = unwind->graph_index;

	if (next->regs.space != KD_SPACE_KERNEL ||
		!unwind->ops->symbol (unwind->data, "return_to_handler", &trampoline) ||
		next->regs.pc != trampoline.addr)
		return TRUE;
	kd_reg_set_get (&next->regs, unwind->isa->fp, &fp);
	for (unsigned i = 0; i < KD_UNWIND_FRAMES_MAX && addr == trampoline.addr; i++) {
		if (!unwind->ops->graph_return (unwind->data, index, fp, &addr, &index))
			return FALSE;
		addr = kd_unwind_strip (unwind, addr);
	}
	unwind->graph_index = index;
	next->regs.pc = addr;
	next->how = KD_HOW_GRAPH;
	return TRUE;
}

/*
 * Gives `next` its real pc, its name and its proof. TRUE: it is code. The graph's index is put back
 * when it is not.
 */
static gboolean
complete (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next)
{
	unsigned graph_index = unwind->graph_index;

	if (next->regs.pc == 0 || next->regs.pc % unwind->isa->arch->insn_align != 0)
		return FALSE;
	if (undo_graph (unwind, next)) {
		kd_unwind_name (unwind, next);
		if (next->has_symbol) {
			if (next->proof == KD_PROOF_NONE)
				kd_unwind_prove (unwind, from, next);
			return TRUE;
		}
	}
	unwind->graph_index = graph_index;
	return FALSE;
}

static void
take (KdUnwindFrame *to, KdUnwindFrame *from)
{
	g_free (to->note);
	*to = *from;
	*from = (KdUnwindFrame){0};
}

/* Looks upward on the stack for a return address whose call can have led to `from`. */
static gboolean
by_guess (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *ret_next)
{
	uint64_t sp, fp, value;
	KdStack stack;

	if (!kd_reg_set_get (&from->regs, unwind->isa->sp, &sp)) {
		/* Behind the last frame record. */
		if (!kd_reg_set_get (&from->regs, unwind->isa->fp, &fp))
			return FALSE;
		sp = fp;
	}
	sp = (sp + 7) & ~UINT64_C (7);
	if (!unwind->ops->stack_at (unwind->data, from->regs.space, sp, &stack))
		return FALSE;
	for (unsigned i = 0; i < GUESS_WORDS_MAX && sp + 8 <= stack.high; i++, sp += 8) {
		KdUnwindFrame next = {.how = KD_HOW_GUESS, .regs.space = from->regs.space};

		if (!kd_unwind_read_u64 (unwind, from->regs.space, sp, &value))
			return FALSE;
		next.regs.pc = kd_unwind_strip (unwind, value);
		if (!complete (unwind, from, &next)) {
			g_free (next.note);
			continue;
		}
		if (next.proof == KD_PROOF_CALL || next.proof == KD_PROOF_INDIRECT) {
			/* A frame record has the frame pointer in front of the return address. */
			if (kd_unwind_read_u64 (unwind, from->regs.space, sp - 8, &fp) && fp > sp &&
				fp < stack.high)
				kd_reg_set_put (&next.regs, unwind->isa->fp, fp);
			kd_reg_set_put (&next.regs, unwind->isa->sp, sp + 8);
			next.how = KD_HOW_GUESS;
			take (ret_next, &next);
			return TRUE;
		}
		g_free (next.note);
	}
	return FALSE;
}

typedef gboolean (*CandidateFunc) (KdUnwind *unwind, const KdUnwindFrame *from, KdRegSet *ret_next);

/* One step of ordinary code: the first way that is proven, else the first that leads to code. */
static gboolean
step_code (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *ret_next)
{
	const struct {
		CandidateFunc func;
		KdHow how;
	} ways[] = {
		{unwind->isa->by_orc, KD_HOW_ORC},
		{by_cfi, KD_HOW_CFI},
		{unwind->isa->by_code, KD_HOW_FP},
		{by_frame_pointer, KD_HOW_FP},
	};
	KdUnwindFrame unproven = {0};
	gboolean found = FALSE;
	unsigned graph_index = unwind->graph_index, unproven_graph = graph_index;

	for (size_t i = 0; i < G_N_ELEMENTS (ways); i++) {
		KdUnwindFrame next = {.how = ways[i].how};

		unwind->graph_index = graph_index;
		if (!ways[i].func)
			continue;
		if (!ways[i].func (unwind, from, &next.regs) || !complete (unwind, from, &next)) {
			g_free (next.note);
			continue;
		}
		if (next.proof != KD_PROOF_NONE) {
			g_free (unproven.note);
			take (ret_next, &next);
			return TRUE;
		}
		if (found) {
			g_free (next.note);
			continue;
		}
		take (&unproven, &next);
		unproven_graph = unwind->graph_index;
		found = TRUE;
	}
	if (found) {
		unwind->graph_index = unproven_graph;
		take (ret_next, &unproven);
		return TRUE;
	}
	unwind->graph_index = graph_index;
	return by_guess (unwind, from, ret_next);
}

/* --- the walk --- */

/* Stacks already left, and how far the present one has been climbed. */
typedef struct {
	uint64_t left[STACKS_MAX];
	unsigned nr_left;
	KdStack now;
	KdSpaceKind space;
	uint64_t sp;
	unsigned same_sp;
} Progress;

/*
 * TRUE: going to `next` is progress: up the same stack, or to a stack not left before. So no chain
 * in damaged memory is followed for ever.
 */
static gboolean
progresses (Progress *progress, KdUnwind *unwind, const KdRegSet *next, char **ret_why)
{
	KdStack stack = {0, UINT64_MAX, "unknown"};
	uint64_t sp;

	/* After a step by frame pointer alone the record itself is the place. */
	if (!kd_reg_set_get (next, unwind->isa->sp, &sp) &&
		!kd_reg_set_get (next, unwind->isa->fp, &sp))
		return TRUE;
	unwind->ops->stack_at (unwind->data, next->space, sp, &stack);
	if (next->space != progress->space || stack.low != progress->now.low) {
		for (unsigned i = 0; i < progress->nr_left; i++) {
			if (progress->left[i] != stack.low)
				continue;
			*ret_why = g_strdup_printf (
				"0x%" PRIx64 " is on a stack that was left before", sp);
			return FALSE;
		}
		if (progress->nr_left >= STACKS_MAX) {
			*ret_why = g_strdup ("more stacks than there can be");
			return FALSE;
		}
		progress->left[progress->nr_left++] = progress->now.low;
		progress->now = stack;
		progress->space = next->space;
		progress->sp = sp;
		progress->same_sp = 0;
		return TRUE;
	}
	if (sp < progress->sp || (sp == progress->sp && ++progress->same_sp > SAME_SP_MAX)) {
		*ret_why =
			g_strdup_printf ("stack 0x%" PRIx64 " after 0x%" PRIx64, sp, progress->sp);
		return FALSE;
	}
	if (sp > progress->sp)
		progress->same_sp = 0;
	progress->sp = sp;
	return TRUE;
}

/* One step. FALSE: the walk ends, *ret_end and *ret_text say why. */
static gboolean
step (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *ret_next, KdEnd *ret_end,
	char **ret_text)
{
	if (from->regs.space == KD_SPACE_USER) {
		*ret_end = KD_END_USER;
		return FALSE;
	}
	if (from->regs.space == KD_SPACE_VM) {
		*ret_end = KD_END_CODE;
		return FALSE;
	}
	switch (unwind->isa->special (unwind, from, ret_next, ret_end)) {
	case KD_STEP_NEXT:
		return TRUE;
	case KD_STEP_END:
		return FALSE;
	default:
		break;
	}
	if (step_code (unwind, from, ret_next))
		return TRUE;
	*ret_end = KD_END_BROKEN;
	*ret_text = from->has_symbol ? g_strdup_printf ("nothing on the stack leads on from %s",
					       from->symbol.name)
				     : g_strdup_printf ("0x%" PRIx64 " is no code of the kernel",
					       from->regs.pc);
	return FALSE;
}

void
kd_unwind_run (KdUnwind *unwind, const KdRegSet *start, KdUnwindResult *ret_result)
{
	GArray *frames = g_array_new (FALSE, TRUE, sizeof (KdUnwindFrame));
	KdUnwindFrame frame = {.regs = *start, .how = KD_HOW_REGS};
	KdUnwindResult result = {frames, KD_END_LIMIT, NULL};
	Progress progress = {.now = {0, UINT64_MAX, "unknown"}, .space = start->space};
	uint64_t sp;

	g_array_set_clear_func (frames, frame_clear);
	kd_unwind_name (unwind, &frame);
	if (kd_reg_set_get (start, unwind->isa->sp, &sp)) {
		unwind->ops->stack_at (unwind->data, start->space, sp, &progress.now);
		progress.sp = sp;
	}
	g_array_append_val (frames, frame);
	while (frames->len < KD_UNWIND_FRAMES_MAX) {
		KdUnwindFrame from = g_array_index (frames, KdUnwindFrame, frames->len - 1);
		KdUnwindFrame next = {0};

		if (!step (unwind, &from, &next, &result.end, &result.end_text)) {
			g_free (next.note);
			break;
		}
		if (next.regs.space != KD_SPACE_USER && next.regs.space != KD_SPACE_VM &&
			!progresses (&progress, unwind, &next.regs, &result.end_text)) {
			g_free (next.note);
			result.end = KD_END_LOOP;
			break;
		}
		g_array_append_val (frames, next);
	}
	*ret_result = result;
}
