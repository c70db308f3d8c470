/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "debug/unwind.h"

/* Functions are searched for a jump to the callee up to this length. */
#define JUMP_SEARCH_MAX 16384

/*
 * "foo" of "foo", "foo.cold", "foo.isra.0.part.1": gcc splits functions and names the parts so; one
 * may be called and another be where execution stands.
 */
static gboolean
same_function (const char *a, const char *b)
{
	size_t len_a = strcspn (a, "."), len_b = strcspn (b, ".");

	return len_a == len_b && strncmp (a, b, len_a) == 0;
}

/* How far a call is followed through functions that end by jumping to another. */
#define JUMPS_MAX 4
#define ANYWHERE_JUMPS_MAX 3
#define JUMP_FUNCTIONS_MAX 1024

typedef struct {
	KdUnwind *unwind;
	const KdKernelSymbol *to;
	unsigned left;     /* functions that may still be read */
	gboolean anywhere; /* one of them jumps to where a register or memory says */
} JumpSearch;

/* TRUE: code of `function` jumps to the one wanted, or to one that does: a tail call, or a common
 * end. */
static gboolean
reaches (JumpSearch *search, const KdKernelSymbol *function, unsigned depth)
{
	KdUnwind *unwind = search->unwind;
	const KdArch *arch = unwind->isa->arch;
	size_t len = (size_t)MIN (function->size, JUMP_SEARCH_MAX);
	g_autofree uint8_t *code = NULL;
	g_autoptr (GArray) others = g_array_new (FALSE, FALSE, sizeof (KdKernelSymbol));

	if (len == 0 || arch->insn_align < 1 || search->left == 0)
		return FALSE;
	search->left--;
	code = g_malloc (len);
	if (!unwind->ops->read (unwind->data, KD_SPACE_KERNEL, function->addr, code, len))
		return FALSE;
	for (size_t at = 0; at + arch->insn_align <= len; at += arch->insn_align) {
		KdKernelSymbol other;
		uint64_t target;

		search->anywhere |=
			arch->indirect_jump_at && arch->indirect_jump_at (code + at, len - at);
		/* Bytes inside other instructions read as one too: only to the very start. */
		if (arch->branch_at &&
			arch->branch_at (code + at, len - at, function->addr + at, &target) &&
			target == search->to->addr)
			return TRUE;
		if (!arch->jump_at (code + at, len - at, function->addr + at, &target))
			continue;
		if (target >= search->to->addr &&
			target - search->to->addr < MAX (search->to->size, 1))
			return TRUE;
		if (target - function->addr < function->size ||
			!unwind->ops->symbol_at (unwind->data, target, &other) ||
			other.addr != target)
			continue;
		if (arch->thunk_prefix && g_str_has_prefix (other.name, arch->thunk_prefix))
			search->anywhere = TRUE;
		else if (depth > 1)
			g_array_append_val (others, other);
	}
	/* The end of one falls into the other. */
	if (function->addr + function->size == search->to->addr)
		return TRUE;
	for (guint i = 0; i < others->len; i++)
		if (reaches (search, &g_array_index (others, KdKernelSymbol, i), depth - 1))
			return TRUE;
	return FALSE;
}

static gboolean
jumps_to (KdUnwind *unwind, const KdKernelSymbol *function, const KdKernelSymbol *to,
	gboolean *ret_anywhere)
{
	*ret_anywhere = FALSE;
	/* The shortest way first: a function may jump to hundreds. */
	for (unsigned depth = 1; depth <= JUMPS_MAX; depth++) {
		JumpSearch search = {unwind, to, JUMP_FUNCTIONS_MAX, FALSE};

		if (reaches (&search, function, depth))
			return TRUE;
		*ret_anywhere |= depth <= ANYWHERE_JUMPS_MAX && search.anywhere;
	}
	return FALSE;
}

/* Where ftrace's entry code calls the tracer: the kernel changes it while CPUs are inside. */
static gboolean
is_ftrace_site (KdUnwind *unwind, uint64_t addr)
{
	static const char *const sites[] = {"ftrace_call", "ftrace_regs_call", "ftrace_graph_call"};
	uint64_t place = addr;

	unwind->ops->image_addr (unwind->data, KD_SPACE_KERNEL, addr, &place);
	for (size_t i = 0; i < G_N_ELEMENTS (sites); i++) {
		KdKernelSymbol site;

		if (unwind->ops->symbol (unwind->data, sites[i], &site) && site.addr == place)
			return TRUE;
	}
	return FALSE;
}

static void
prove_direct (
	KdUnwind *unwind, const KdUnwindFrame *callee, const KdCall *call, KdUnwindFrame *next)
{
	const KdKernelSymbol *wanted = &callee->symbol;
	KdKernelSymbol target;
	const char *thunk;
	gboolean anywhere;

	uint64_t place = call->target;

	/* A copy of the tracer's entry code stands for what it is a copy of. */
	unwind->ops->image_addr (unwind->data, KD_SPACE_KERNEL, call->target, &place);
	if (!unwind->ops->symbol_at (unwind->data, place, &target)) {
		next->note = g_strdup_printf ("the call at 0x%" PRIx64 " is of 0x%" PRIx64
					      ", which is no function",
			call->addr, call->target);
		return;
	}
	if (!callee->has_symbol) {
		next->note = g_strdup_printf ("call of %s at 0x%" PRIx64, target.name, call->addr);
		return;
	}
	if (target.addr == wanted->addr || same_function (target.name, wanted->name)) {
		next->proof = KD_PROOF_CALL;
		next->note = g_strdup_printf ("call of %s at 0x%" PRIx64, wanted->name, call->addr);
		return;
	}
	thunk = unwind->isa->arch->thunk_prefix;
	if (thunk && g_str_has_prefix (target.name, thunk)) {
		next->proof = KD_PROOF_INDIRECT;
		next->note = g_strdup_printf (
			"indirect call at 0x%" PRIx64 " by %s", call->addr, target.name);
		return;
	}
	if (jumps_to (unwind, &target, wanted, &anywhere)) {
		next->proof = KD_PROOF_CALL;
		next->note = g_strdup_printf ("call of %s at 0x%" PRIx64 ", which jumps to %s",
			target.name, call->addr, wanted->name);
		return;
	}
	if (is_ftrace_site (unwind, call->addr)) {
		next->proof = KD_PROOF_INDIRECT;
		next->note = g_strdup_printf ("call at 0x%" PRIx64
					      ", which ftrace patches: of %s by now",
			call->addr, target.name);
		return;
	}
	if (anywhere) {
		next->proof = KD_PROOF_INDIRECT;
		next->note = g_strdup_printf ("call of %s at 0x%" PRIx64
					      ", which jumps to where a pointer says",
			target.name, call->addr);
		return;
	}
	next->note = g_strdup_printf ("the call at 0x%" PRIx64 " is of %s, not of %s", call->addr,
		target.name, wanted->name);
}

/* What the code in front of a return address is; *ret_old: only the file still has it. */
static gboolean
find_call (KdUnwind *unwind, uint64_t addr, KdCall *ret_call, gboolean *ret_far, gboolean *ret_old)
{
	const KdArch *arch = unwind->isa->arch;
	uint8_t code[KD_CALL_BYTES_MAX];
	gboolean known = FALSE;

	*ret_far = *ret_old = FALSE;
	*ret_call = (KdCall){.kind = KD_CALL_NONE};
	if (addr < sizeof code)
		return FALSE;
	/* Calls are read where the image has them: a hypervisor's own view of it is the same code.
	 * Code that was only for the boot is gone from memory, or something else by now. */
	for (unsigned pass = 0; pass < 2; pass++) {
		if (!(pass ? unwind->ops->read_file (
				     unwind->data, addr - sizeof code, code, sizeof code)
			   : unwind->ops->read (unwind->data, KD_SPACE_KERNEL, addr - sizeof code,
				     code, sizeof code)))
			continue;
		known = TRUE;
		arch->call_before (code, addr, ret_call);
		*ret_far = arch->far_jump_before && arch->far_jump_before (code);
		*ret_old = pass == 1;
		if (ret_call->kind != KD_CALL_NONE || *ret_far)
			return TRUE;
	}
	*ret_old = FALSE;
	return known;
}

void
kd_unwind_prove (KdUnwind *unwind, const KdUnwindFrame *callee, KdUnwindFrame *next)
{
	gboolean is_far, is_old;
	uint64_t addr;
	KdCall call;

	next->proof = KD_PROOF_NONE;
	g_clear_pointer (&next->note, g_free);
	addr = next->regs.space == KD_SPACE_KERNEL ? next->regs.pc : next->image_pc;
	if (!find_call (unwind, addr, &call, &is_far, &is_old)) {
		next->note = g_strdup ("the code before this address cannot be read");
		return;
	}
	switch (call.kind) {
	case KD_CALL_NONE:
		if (is_far) {
			next->proof = KD_PROOF_ENTRY;
			next->note = g_strdup_printf (
				"boot code goes on by a far return before 0x%" PRIx64,
				next->image_pc);
			break;
		}
		next->note = g_strdup_printf ("no call in front of 0x%" PRIx64, next->image_pc);
		break;
	case KD_CALL_INDIRECT:
		next->proof = KD_PROOF_INDIRECT;
		next->note = g_strdup_printf ("indirect call at 0x%" PRIx64, call.addr);
		break;
	case KD_CALL_DIRECT:
		prove_direct (unwind, callee, &call, next);
		if (next->proof != KD_PROOF_NONE || !call.maybe_indirect)
			break;
		next->proof = KD_PROOF_INDIRECT;
		g_free (next->note);
		next->note = g_strdup_printf ("indirect call before 0x%" PRIx64, next->image_pc);
		break;
	}
	if (is_old && next->note && next->proof != KD_PROOF_NONE) {
		g_autofree char *note = g_steal_pointer (&next->note);

		next->note = g_strconcat (note, " (in the file: memory has it no more)", NULL);
	}
}
