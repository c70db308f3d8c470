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

/* TRUE: code of `function` jumps to `to`: a tail call, or a common end. */
static gboolean
jumps_to (KdUnwind *unwind, const KdKernelSymbol *function, const KdKernelSymbol *to)
{
	const KdArch *arch = unwind->isa->arch;
	size_t len = (size_t)MIN (function->size, JUMP_SEARCH_MAX);
	g_autofree uint8_t *code = NULL;

	if (len == 0 || arch->insn_align < 1)
		return FALSE;
	code = g_malloc (len);
	if (!unwind->ops->read (unwind->data, KD_SPACE_KERNEL, function->addr, code, len))
		return FALSE;
	for (size_t at = 0; at + arch->insn_align <= len; at += arch->insn_align) {
		uint64_t target;

		if (arch->jump_at (code + at, len - at, function->addr + at, &target) &&
			target >= to->addr && target - to->addr < MAX (to->size, 1))
			return TRUE;
	}
	/* The end of one falls into the other. */
	return function->addr + function->size == to->addr;
}

static void
prove_direct (
	KdUnwind *unwind, const KdUnwindFrame *callee, const KdCall *call, KdUnwindFrame *next)
{
	const KdKernelSymbol *wanted = &callee->symbol;
	KdKernelSymbol target;
	const char *thunk;

	if (!unwind->ops->symbol_at (unwind->data, call->target, &target)) {
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
	if (jumps_to (unwind, &target, wanted)) {
		next->proof = KD_PROOF_CALL;
		next->note = g_strdup_printf ("call of %s at 0x%" PRIx64 ", which jumps to %s",
			target.name, call->addr, wanted->name);
		return;
	}
	next->note = g_strdup_printf ("the call at 0x%" PRIx64 " is of %s, not of %s", call->addr,
		target.name, wanted->name);
}

void
kd_unwind_prove (KdUnwind *unwind, const KdUnwindFrame *callee, KdUnwindFrame *next)
{
	uint8_t code[KD_CALL_BYTES_MAX];
	KdCall call;

	next->proof = KD_PROOF_NONE;
	g_clear_pointer (&next->note, g_free);
	/* Calls are read where the image has them: a hypervisor's own view of it is the same code.
	 */
	if (next->image_pc < sizeof code ||
		(!unwind->ops->read (unwind->data, KD_SPACE_KERNEL, next->image_pc - sizeof code,
			 code, sizeof code) &&
			!unwind->ops->read_file (
				unwind->data, next->image_pc - sizeof code, code, sizeof code))) {
		next->note = g_strdup ("the code before this address cannot be read");
		return;
	}
	unwind->isa->arch->call_before (code, next->image_pc, &call);
	switch (call.kind) {
	case KD_CALL_NONE:
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
}
