/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "debug/kernel-x86-64.h"
#include "debug/unwind.h"

/* DWARF numbers. */
#define RDX 1
#define RCX 2
#define RDI 5
#define RBP 6
#define RSP 7
#define R10 10
#define R13 13
/* RSB_CLEAR_LOOPS of the kernel is 32. */
#define STUFFED_MAX 64
/* Of what the function that enters a guest pushes. */
#define ENTRY_FRAME_MAX 256
#define CALLEE_SAVED (1u << 3 | 1u << RBP | 0xfu << 12)

/* --- the kernel's rules --- */

static gboolean
orc_at (KdUnwind *unwind, const KdUnwindFrame *from, KdOrcEntry *ret_entry)
{
	return unwind->ops->orc_at && from->image_pc != 0 &&
	       unwind->ops->orc_at (unwind->data,
		       from->regs.live ? from->image_pc : from->image_pc - 1, ret_entry);
}

/* Where the stack of the caller goes on, as unwind_next_frame() in unwind_orc.c finds it. */
static gboolean
orc_sp (KdUnwind *unwind, const KdRegSet *regs, const KdOrcEntry *entry, uint64_t *ret_sp)
{
	static const unsigned plain[] = {[KD_ORC_REG_DX] = RDX,
		[KD_ORC_REG_DI] = RDI,
		[KD_ORC_REG_BP] = RBP,
		[KD_ORC_REG_SP] = RSP,
		[KD_ORC_REG_R10] = R10,
		[KD_ORC_REG_R13] = R13};
	const uint64_t offset = (uint64_t)(int64_t)entry->sp_offset;
	uint64_t value;

	switch (entry->sp_reg) {
	case KD_ORC_REG_BP:
	case KD_ORC_REG_SP:
		if (!kd_reg_set_get (regs, plain[entry->sp_reg], &value))
			return FALSE;
		*ret_sp = value + offset;
		return TRUE;
	case KD_ORC_REG_DX:
	case KD_ORC_REG_DI:
	case KD_ORC_REG_R10:
	case KD_ORC_REG_R13:
		return kd_reg_set_get (regs, plain[entry->sp_reg], ret_sp);
	case KD_ORC_REG_BP_INDIRECT:
		return kd_reg_set_get (regs, RBP, &value) &&
		       kd_unwind_read_u64 (unwind, regs->space, value + offset, ret_sp);
	case KD_ORC_REG_SP_INDIRECT:
		if (!kd_reg_set_get (regs, RSP, &value) ||
			!kd_unwind_read_u64 (unwind, regs->space, value, &value))
			return FALSE;
		*ret_sp = value + offset;
		return TRUE;
	default:
		return FALSE;
	}
}

/* rbp of the caller. Where the rule says nothing it is what it was. */
static void
orc_bp (KdUnwind *unwind, const KdRegSet *regs, const KdOrcEntry *entry, uint64_t sp,
	KdRegSet *next)
{
	const uint64_t offset = (uint64_t)(int64_t)entry->bp_offset;
	uint64_t base = sp, value;

	switch (entry->bp_reg) {
	case KD_ORC_REG_PREV_SP:
		break;
	case KD_ORC_REG_BP:
		if (kd_reg_set_get (regs, RBP, &base))
			break;
		kd_reg_set_forget (next, RBP);
		return;
	case KD_ORC_REG_UNDEFINED:
		return;
	default:
		kd_reg_set_forget (next, RBP);
		return;
	}
	if (kd_unwind_read_u64 (unwind, regs->space, base + offset, &value))
		kd_reg_set_put (next, RBP, value);
	else
		kd_reg_set_forget (next, RBP);
}

/*
 * How far down the stack the one lies that the rule is for: code against speculation fills the
 * return stack buffer with calls inside a function, whose return addresses no rule knows.
 */
static uint64_t
stuffed (KdUnwind *unwind, const KdUnwindFrame *from)
{
	const KdArch *arch = unwind->isa->arch;
	const KdKernelSymbol *function = &from->symbol;
	uint64_t sp, words = 0;

	if (!from->regs.live || !from->has_symbol || !kd_reg_set_get (&from->regs, RSP, &sp))
		return 0;
	for (; words < STUFFED_MAX; words++) {
		uint8_t code[KD_CALL_BYTES_MAX];
		uint64_t value;
		KdCall call;

		if (!kd_unwind_read_u64 (unwind, from->regs.space, sp + 8 * words, &value) ||
			value - function->addr >= function->size ||
			!unwind->ops->read (unwind->data, KD_SPACE_KERNEL, value - sizeof code,
				code, sizeof code))
			break;
		arch->call_before (code, value, &call);
		if (call.kind != KD_CALL_DIRECT || call.target <= function->addr ||
			call.target - function->addr >= function->size)
			break;
	}
	return 8 * words;
}

/*
 * Around the entry of a guest the rules do not hold: rbp is the guest's, though they count from it
 * (since 6.9), and code against speculation has variants of which the rules are of any (6.1). The
 * return address is the first above the stack pointer that a call of the function left, and what is
 * below it rbp as it was. So too wherever the return stack buffer is being filled.
 */
static gboolean
by_entry (KdUnwind *unwind, const KdUnwindFrame *from, KdRegSet *next)
{
	const KdArch *arch = unwind->isa->arch;
	const char *name = from->symbol.name;
	uint64_t sp, value;

	if (!from->regs.live || !from->has_symbol || !kd_reg_set_get (&from->regs, RSP, &sp))
		return FALSE;
	if (!((g_str_has_prefix (name, "__svm_") || g_str_has_prefix (name, "__vmx_")) &&
		    g_str_has_suffix (name, "vcpu_run")) &&
		stuffed (unwind, from) == 0)
		return FALSE;
	for (uint64_t at = sp; at < sp + ENTRY_FRAME_MAX; at += 8) {
		uint8_t code[KD_CALL_BYTES_MAX];
		KdCall call;

		if (!kd_unwind_read_u64 (unwind, from->regs.space, at, &next->pc))
			return FALSE;
		if (next->pc >> 63 == 0 || !unwind->ops->read (unwind->data, KD_SPACE_KERNEL,
						   next->pc - sizeof code, code, sizeof code))
			continue;
		arch->call_before (code, next->pc, &call);
		if (call.kind != KD_CALL_DIRECT || call.target != from->symbol.addr)
			continue;
		kd_reg_set_put (next, RSP, at + 8);
		if (at > sp && kd_unwind_read_u64 (unwind, from->regs.space, at - 8, &value))
			kd_reg_set_put (next, RBP, value);
		return TRUE;
	}
	return FALSE;
}

/* TRUE: the instruction in front of `pc` is "mov %reg, (%rsp)". */
static gboolean
has_put_target (KdUnwind *unwind, uint64_t pc)
{
	uint8_t code[4];

	return unwind->ops->read (
		       unwind->data, KD_SPACE_KERNEL, pc - sizeof code, code, sizeof code) &&
	       (code[0] & 0xfb) == 0x48 && code[1] == 0x89 && (code[2] & 0xc7) == 0x04 &&
	       code[3] == 0x24;
}

/*
 * A thunk for indirect calls is a jump, or a return to an address that it puts in the place of a
 * return address of its own. It has no rule until then, and one that takes that address for a
 * caller's behind.
 */
static gboolean
by_thunk (KdUnwind *unwind, const KdUnwindFrame *from, const KdOrcEntry *entry, KdRegSet *ret_next)
{
	const char *prefix = unwind->isa->arch->thunk_prefix;
	KdRegSet next = from->regs;
	gboolean put;
	uint64_t sp;

	if (!prefix || !from->regs.live || !from->has_symbol ||
		!g_str_has_prefix (from->symbol.name, prefix) ||
		!kd_reg_set_get (&from->regs, RSP, &sp))
		return FALSE;
	put = has_put_target (unwind, from->regs.pc);
	if (entry->kind != KD_ORC_UNDEFINED && !put)
		return FALSE;
	sp += put ? 8 : stuffed (unwind, from);
	if (!kd_unwind_read_u64 (unwind, next.space, sp, &next.pc))
		return FALSE;
	next.live = FALSE;
	kd_reg_set_put (&next, RSP, sp + 8);
	*ret_next = next;
	return TRUE;
}

static gboolean
by_orc (KdUnwind *unwind, const KdUnwindFrame *from, KdRegSet *ret_next)
{
	KdRegSet next = {.space = from->regs.space};
	KdOrcEntry entry;
	uint64_t sp, value;

	if (!orc_at (unwind, from, &entry))
		return FALSE;
	if (by_thunk (unwind, from, &entry, ret_next))
		return TRUE;
	if (entry.kind != KD_ORC_CALL)
		return FALSE;
	if (by_entry (unwind, from, &next)) {
		*ret_next = next;
		return TRUE;
	}
	if (!orc_sp (unwind, &from->regs, &entry, &sp))
		return FALSE;
	if (entry.sp_reg == KD_ORC_REG_SP)
		sp += stuffed (unwind, from);
	if (!kd_unwind_read_u64 (unwind, next.space, sp - 8, &next.pc))
		return FALSE;
	if (kd_reg_set_get (&from->regs, RBP, &value))
		kd_reg_set_put (&next, RBP, value);
	orc_bp (unwind, &from->regs, &entry, sp, &next);
	kd_reg_set_put (&next, RSP, sp);
	*ret_next = next;
	return TRUE;
}

/* --- exceptions: struct pt_regs --- */

/* Members of struct pt_regs by DWARF number. */
static const char *const pt_regs_names[] = {"ax", "dx", "cx", "bx", "si", "di", "bp", "sp", "r8",
	"r9", "r10", "r11", "r12", "r13", "r14", "r15"};

static gboolean
read_member (KdUnwind *unwind, uint64_t at, const char *member, uint64_t *ret_value)
{
	int64_t offset = unwind->ops->offset_of (unwind->data, "struct pt_regs", member);

	return offset >= 0 &&
	       kd_unwind_read_u64 (unwind, KD_SPACE_KERNEL, at + (uint64_t)offset, ret_value);
}

/* What the CPU itself pushes: enough to go on. */
static gboolean
read_iret_frame (KdUnwind *unwind, uint64_t at, KdRegSet *regs)
{
	uint64_t sp, cs;

	if (!read_member (unwind, at, "ip", &regs->pc) || !read_member (unwind, at, "cs", &cs) ||
		!read_member (unwind, at, "sp", &sp))
		return FALSE;
	kd_reg_set_put (regs, RSP, sp);
	regs->space = (cs & 3) == 3 ? KD_SPACE_USER : KD_SPACE_KERNEL;
	regs->live = TRUE;
	return TRUE;
}

static int
step_regs (KdUnwind *unwind, const KdUnwindFrame *from, const KdOrcEntry *entry, uint64_t sp,
	KdUnwindFrame *next)
{
	gboolean partial = entry->kind == KD_ORC_REGS_PARTIAL;
	KdRegSet regs = {.space = KD_SPACE_KERNEL};
	uint64_t at = sp, value;

	if (partial) {
		int64_t offset = unwind->ops->offset_of (unwind->data, "struct pt_regs", "ip");

		if (offset < 0)
			return KD_STEP_NOT_MINE;
		at -= (uint64_t)offset;
		/* Entry code has changed none yet, but calls may have. */
		regs = from->regs;
		if (!from->regs.live)
			regs.known &= CALLEE_SAVED;
		orc_bp (unwind, &from->regs, entry, sp, &regs);
	} else {
		for (unsigned reg = 0; reg < G_N_ELEMENTS (pt_regs_names); reg++)
			if (reg != RSP && read_member (unwind, at, pt_regs_names[reg], &value))
				kd_reg_set_put (&regs, reg, value);
	}
	if (!read_iret_frame (unwind, at, &regs))
		return KD_STEP_NOT_MINE;
	next->regs = regs;
	next->how = KD_HOW_PT_REGS;
	next->proof = KD_PROOF_ENTRY;
	next->note = g_strdup_printf ("registers saved at 0x%" PRIx64, partial ? sp : at);
	kd_unwind_name (unwind, next);
	return KD_STEP_NEXT;
}

/* --- where stacks end --- */

/*
 * On the first instructions of a system call, and on the last, nothing is saved: the CPU itself
 * keeps the user's pc in rcx (SDM 2B, SYSCALL).
 */
static int
step_syscall (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next)
{
	uint64_t pc, sp;

	if (!from->regs.live || !kd_reg_set_get (&from->regs, RCX, &pc))
		return KD_STEP_NOT_MINE;
	next->regs = from->regs;
	next->regs.pc = pc;
	next->regs.space = KD_SPACE_USER;
	kd_reg_set_forget (&next->regs, RCX);
	/* The kernel's own, once it was switched to. */
	if (kd_reg_set_get (&from->regs, RSP, &sp) && sp >> 63)
		kd_reg_set_forget (&next->regs, RSP);
	next->how = KD_HOW_REGS;
	next->proof = KD_PROOF_ENTRY;
	next->note = g_strdup ("pc as SYSCALL left it in rcx");
	kd_unwind_name (unwind, next);
	return KD_STEP_NEXT;
}

static int
step_end (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next, KdEnd *ret_end)
{
	const char *name = from->symbol.name;

	if (g_str_has_prefix (name, "entry_SYSCALL") || g_str_has_prefix (name, "entry_SYSRET"))
		return step_syscall (unwind, from, next);
	*ret_end = g_str_has_prefix (name, "ret_from_fork") ? KD_END_THREAD : KD_END_BOOT;
	return KD_STEP_END;
}

/*
 * The instruction behind the call that saves the registers still has the rule of those in front of
 * it (asm_sysvec_… in entry_64.S): all of pt_regs lies where the stack pointer is.
 */
static gboolean
is_after_error_entry (KdUnwind *unwind, const KdUnwindFrame *from)
{
	uint8_t code[KD_CALL_BYTES_MAX];
	KdKernelSymbol target;
	KdCall call;

	if (!from->regs.live || !unwind->ops->read (unwind->data, KD_SPACE_KERNEL,
					from->regs.pc - sizeof code, code, sizeof code))
		return FALSE;
	unwind->isa->arch->call_before (code, from->regs.pc, &call);
	return call.kind == KD_CALL_DIRECT &&
	       unwind->ops->symbol_at (unwind->data, call.target, &target) &&
	       target.addr == call.target && g_str_has_suffix (target.name, "error_entry");
}

static int
special (KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next, KdEnd *ret_end)
{
	KdOrcEntry entry;
	uint64_t sp;

	if (!from->has_symbol || !orc_at (unwind, from, &entry))
		return KD_STEP_NOT_MINE;
	switch (entry.kind) {
	case KD_ORC_REGS:
	case KD_ORC_REGS_PARTIAL:
		if (entry.kind == KD_ORC_REGS_PARTIAL && is_after_error_entry (unwind, from) &&
			kd_reg_set_get (&from->regs, RSP, &sp)) {
			entry.kind = KD_ORC_REGS;
			return step_regs (unwind, from, &entry, sp, next);
		}
		if (!orc_sp (unwind, &from->regs, &entry, &sp))
			return KD_STEP_NOT_MINE;
		return step_regs (unwind, from, &entry, sp, next);
	case KD_ORC_END:
		return step_end (unwind, from, next, ret_end);
	case KD_ORC_UNDEFINED:
	case KD_ORC_CALL:
		break;
	}
	return KD_STEP_NOT_MINE;
}

const KdUnwindIsa kd_unwind_x86_64 = {
	.arch = &kd_arch_x86_64,
	.sp = RSP,
	.fp = RBP,
	.lr = G_MAXUINT,
	.callee_saved = CALLEE_SAVED,
	.record_ends_frame = TRUE,
	.special = special,
	.by_orc = by_orc,
	.stacks = kd_x86_64_stacks,
	.task_regs = kd_x86_64_task_regs,
	.saved_context = kd_x86_64_saved_context,
	.guest_entry = kd_x86_64_guest_entry,
};
