/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/patch-check.h"

#include <inttypes.h>
#include <string.h>

#include "kernel/ftrace.h"
#include "kernel/module.h"
#include "kernel/object.h"
#include "kernel/patch-insn.h"
#include "kernel/patch-sites-private.h"

/* In front of a function, for what may be put there (call depth, CFI). */
#define PADDING_MAX 64
#define POINTER_SIZE 8
/* Of a function that does one thing. */
#define ENTRY_MAX 48

typedef struct {
	KdKernel *kernel;
	const KdPatchSite *site;
	const uint8_t *now, *file;
	size_t len;  /* of both */
	char *words; /* NULL: nothing to add */
} Check;

/* Where nothing is to be done for long, the kernel jumps over breakpoints. */
static void
skip_breaks (const Check *check, const uint8_t *code, size_t at, KdPatchInsn *insn)
{
	uint64_t end = check->site->addr + check->site->len;
	size_t behind = at + insn->len;

	if (!insn->is_jump || insn->target <= insn->addr + insn->len || insn->target > end ||
		insn->target - check->site->addr > check->len)
		return;
	while (check->site->addr + behind < insn->target) {
		g_auto (KdPatchInsn) next = {0};

		if (!kd_patch_insn_init (&next, check->kernel->arch, code + behind,
			    check->len - behind, check->site->addr + behind) ||
			!next.is_break)
			return;
		behind += next.len;
	}
	insn->len = behind - at;
	insn->is_nop = TRUE;
	insn->is_jump = FALSE;
}

static gboolean
insn_at (const Check *check, const uint8_t *code, size_t at, KdPatchInsn *insn)
{
	if (at >= check->len || !kd_patch_insn_init (insn, check->kernel->arch, code + at,
					check->len - at, check->site->addr + at))
		return FALSE;
	skip_breaks (check, code, at, insn);
	return TRUE;
}

static void
say (Check *check, const char *what, uint64_t addr)
{
	g_autofree char *name = addr ? kd_kernel_symbolize (check->kernel, addr) : NULL;

	g_free (check->words);
	check->words = g_strconcat (what, name ? " " : NULL, name, NULL);
}

/* From `at` to the end of the site there is nothing that runs, or that does anything. */
static gboolean
rest_is_nops (const Check *check, size_t at, gboolean dead)
{
	while (at < check->site->len) {
		g_auto (KdPatchInsn) insn = {0};

		if (!insn_at (check, check->now, at, &insn) ||
			!(insn.is_nop || (dead && insn.is_break)))
			return FALSE;
		at += insn.len;
	}
	return at == check->site->len;
}

static gboolean
is_function (KdKernel *kernel, uint64_t addr)
{
	KdKernelSymbol symbol;

	return kd_kernel_symbol_at (kernel, addr, &symbol) && symbol.addr == addr;
}

static gboolean
symbol_points_to (KdKernel *kernel, const char *name, uint64_t addr)
{
	KdKernelSymbol symbol;
	uint64_t value;

	return name && kd_kernel_symbol (kernel, name, &symbol) &&
	       kd_kernel_read_ptr (kernel, symbol.addr, &value, NULL) && value == addr;
}

/* Whatever other names there are of that address. */
static gboolean
symbol_is_at (KdKernel *kernel, const char *name, uint64_t addr)
{
	KdKernelSymbol symbol;

	return name && kd_kernel_symbol (kernel, name, &symbol) && symbol.addr == addr;
}

static gboolean
is_named (KdKernel *kernel, uint64_t addr, const char *prefix)
{
	KdKernelSymbol symbol;

	return prefix && kd_kernel_symbol_at (kernel, addr, &symbol) &&
	       g_str_has_prefix (symbol.name, prefix);
}

/* To the function, or to the code in front of it that counts calls. */
static gboolean
leads_to (const Check *check, uint64_t target, uint64_t func)
{
	return target == func ||
	       (check->kernel->arch->call_thunk && target < func && func - target <= PADDING_MAX);
}

/* --- the tracer --- */

/* A module's call may not reach: where it goes in the end. */
static uint64_t
behind_veneer (KdKernel *kernel, uint64_t addr)
{
	uint8_t code[KD_INSN_BYTES_MAX];
	uint64_t target;

	return kernel->arch->veneer_target && kd_kernel_module_at (kernel, addr) &&
			       kd_kernel_read (
				       kernel, kd_addr_kernel (addr), code, sizeof code, NULL) &&
			       kernel->arch->veneer_target (code, sizeof code, addr, &target)
		       ? target
		       : addr;
}

static gboolean
check_ftrace (Check *check)
{
	const KdArch *arch = check->kernel->arch;
	g_auto (KdPatchInsn) first = {0}, call = {0};
	uint64_t origin;

	if (arch->ftrace_before &&
		(!insn_at (check, check->now, 0, &first) ||
			!(first.is_nop || strcmp (first.text, arch->ftrace_entry) == 0)))
		return FALSE;
	if (rest_is_nops (check, arch->ftrace_before, FALSE)) {
		say (check, "off", 0);
		return TRUE;
	}
	if (!insn_at (check, check->now, arch->ftrace_before, &call) || !call.is_call)
		return FALSE;
	call.target = behind_veneer (check->kernel, call.target);
	say (check, "calls",
		kd_ftrace_origin (check->kernel, call.target, &origin) ? origin : call.target);
	return (is_function (check->kernel, call.target) &&
		       is_named (check->kernel, call.target, "ftrace_")) ||
	       (kd_ftrace_origin (check->kernel, call.target, &origin) &&
		       is_function (check->kernel, origin)) ||
	       kd_ftrace_is_direct (check->kernel, check->site->value);
}

gboolean
kd_patch_ftrace_call (KdKernel *kernel, const KdPatchSite *site, uint64_t *ret_target)
{
	size_t before = kernel->arch->ftrace_before;
	uint8_t code[KD_INSN_BYTES_MAX];
	g_auto (KdPatchInsn) insn = {0};

	if (site->len > sizeof code || site->len <= before ||
		!kd_kernel_read (kernel, kd_addr_kernel (site->addr), code, site->len, NULL) ||
		kernel->arch->nop_at (code + before, site->len - before) ||
		!kd_patch_insn_init (&insn, kernel->arch, code + before, site->len - before,
			site->addr + before) ||
		!insn.is_call)
		return FALSE;
	*ret_target = behind_veneer (kernel, insn.target);
	return TRUE;
}

static gboolean
check_ftrace_ops (Check *check)
{
	uint64_t ops;

	memcpy (&ops, check->now, POINTER_SIZE);
	ops = GUINT64_FROM_LE (ops);
	say (check, "its ops are", ops);
	return kd_ftrace_is_ops (check->kernel, ops);
}

static gboolean
check_ftrace_code (Check *check)
{
	g_auto (KdPatchInsn) insn = {0};

	if (rest_is_nops (check, 0, FALSE)) {
		say (check, "off", 0);
		return TRUE;
	}
	if (!insn_at (check, check->now, 0, &insn) || !(insn.is_call || insn.is_jump))
		return FALSE;
	say (check, insn.is_call ? "calls" : "jumps to", insn.target);
	return is_function (check->kernel, insn.target);
}

/* --- branches --- */

static gboolean
check_jump_label (Check *check)
{
	g_auto (KdPatchInsn) insn = {0};

	if (rest_is_nops (check, 0, FALSE))
		say (check, check->site->is_branch ? "on" : "off", 0);
	else if (insn_at (check, check->now, 0, &insn) && insn.is_jump &&
		 insn.target == check->site->target && rest_is_nops (check, insn.len, FALSE))
		say (check, check->site->is_branch ? "off" : "on", 0);
	else
		return FALSE;
	return TRUE;
}

/* The last number of an instruction's text: where any branch goes. */
static uint64_t
last_number (const char *text)
{
	const char *at = g_strrstr (text, "0x");

	return at ? g_ascii_strtoull (at + 2, NULL, 16) : 0;
}

/* The text without what only makes an instruction longer. */
static char *
plain_text (const KdPatchInsn *insn)
{
	g_auto (GStrv) parts = g_strsplit (insn->text, "ds:", -1);

	return g_strjoinv ("", parts);
}

/*
 * TRUE: `insn` is what the function does before it returns, behind its entry; or what the one does
 * that it calls, when it only saves registers around that.
 */
static gboolean
is_only_work (const Check *check, const KdPatchInsn *insn, uint64_t func, gboolean is_wrapped)
{
	uint8_t code[ENTRY_MAX];
	g_autofree char *want = plain_text (insn);
	gboolean found = FALSE;

	if (!kd_kernel_read (check->kernel, kd_addr_kernel (func), code, sizeof code, NULL))
		return FALSE;
	for (size_t at = 0; at < sizeof code;) {
		g_auto (KdPatchInsn) next = {0};
		g_autofree char *text = NULL;

		if (!kd_patch_insn_init (
			    &next, check->kernel->arch, code + at, sizeof code - at, func + at))
			return FALSE;
		if (found || next.is_return)
			return found &&
			       (next.is_return || symbol_points_to (check->kernel,
							  check->kernel->arch->return_thunk_pointer,
							  next.target));
		if (next.is_call && !is_wrapped && is_only_work (check, insn, next.target, TRUE))
			return TRUE;
		text = plain_text (&next);
		found = strcmp (text, want) == 0;
		at += next.len;
	}
	return FALSE;
}

static gboolean
check_static_call (Check *check)
{
	KdKernel *kernel = check->kernel;
	g_auto (KdPatchInsn) insn = {0};
	uint8_t code[KD_INSN_BYTES_MAX];
	uint64_t func;
	KdObject key;

	if (!kd_object_at_named (
		    kernel, "struct static_call_key", check->site->value, &key, NULL) ||
		!kd_object_member_u64 (&key, "func", &func, NULL) ||
		!insn_at (check, check->now, 0, &insn))
		return FALSE;
	say (check, func ? "to" : "to nothing", func);
	if (!func && (rest_is_nops (check, 0, FALSE) ||
			     (insn.is_return && rest_is_nops (check, insn.len, TRUE))))
		return TRUE;
	if (func && leads_to (check, last_number (insn.text), func))
		return TRUE;
	/* A jump to nothing is a return, by the thunk where returns are; a conditional one's needs
	 * an address in any case. */
	if (!func && (symbol_points_to (kernel, kernel->arch->return_thunk_pointer,
			      last_number (insn.text)) ||
			     is_named (kernel, last_number (insn.text), "__static_call_return")))
		return TRUE;
	/* A call of what traps became the trap that it has (asm/bug.h, __WARN_trap). */
	if (func && check->site->len <= sizeof code &&
		kd_kernel_read (kernel, kd_addr_kernel (func), code, check->site->len, NULL) &&
		memcmp (check->now, code, check->site->len) == 0)
		return TRUE;
	/* A call of what does one thing became that (kernel/static_call.c: to return 0, to unlock).
	 */
	return func && !insn.is_call && !insn.is_jump && insn.len == check->site->len &&
	       is_only_work (check, &insn, func, FALSE);
}

static gboolean
check_kprobe (Check *check)
{
	g_auto (KdPatchInsn) insn = {0};

	if (!insn_at (check, check->now, 0, &insn))
		return FALSE;
	say (check, insn.is_jump ? "optimized" : "breakpoint", 0);
	return insn.is_break || insn.is_jump;
}

static gboolean
check_poke (Check *check)
{
	g_auto (KdPatchInsn) insn = {0};

	return insn_at (check, check->now, 0, &insn) && insn.is_break;
}

/* Through a register, with a fence perhaps; or by a thunk of another kind. */
static gboolean
check_retpoline (Check *check)
{
	unsigned branches = 0;
	gboolean dead = FALSE;

	for (size_t at = 0; at < check->site->len;) {
		g_auto (KdPatchInsn) insn = {0};

		if (!insn_at (check, check->now, at, &insn))
			return FALSE;
		if (insn.is_indirect || insn.is_jump || insn.is_call) {
			if (!insn.is_indirect && !is_named (check->kernel, insn.target,
							 check->kernel->arch->thunk_prefix))
				return FALSE;
			branches++;
			dead = insn.is_jump || !insn.is_call;
		} else if (!insn.is_nop && !insn.is_fence && !(insn.is_break && dead) &&
			   /* Around an indirect jump, where the thunk's was conditional. */
			   !(at == 0 &&
				   last_number (insn.text) == check->site->addr + check->site->len))
			return FALSE;
		at += insn.len;
	}
	return branches == 1;
}

static gboolean
check_return (Check *check)
{
	g_auto (KdPatchInsn) insn = {0};

	if (!insn_at (check, check->now, 0, &insn))
		return FALSE;
	if (insn.is_return)
		return rest_is_nops (check, insn.len, TRUE);
	say (check, "jumps to", insn.target);
	return insn.is_jump && symbol_points_to (check->kernel,
				       check->kernel->arch->return_thunk_pointer, insn.target);
}

/* Call depth tracking: to the code in front of the function that was called. */
static gboolean
check_call (Check *check)
{
	g_auto (KdPatchInsn) now = {0}, file = {0};

	if (!insn_at (check, check->now, 0, &now) || !insn_at (check, check->file, 0, &file))
		return FALSE;
	return now.is_call && file.is_call && leads_to (check, now.target, file.target);
}

static gboolean
check_lock (Check *check)
{
	const char *prefixes = check->kernel->arch->lock_prefixes;

	return prefixes && memchr (prefixes, check->now[0], strlen (prefixes)) &&
	       memchr (prefixes, check->file[0], strlen (prefixes));
}

/*
 * A call through a pointer became one of the function (6.1: paravirt_patch(); later an alternative
 * with ALT_FLAG_DIRECT_CALL): of what the pointer has now, or of nothing.
 */
static gboolean
is_direct_of (Check *check)
{
	g_auto (KdPatchInsn) file = {0}, now = {0};
	uint64_t func;

	if (!insn_at (check, check->file, 0, &file) || !file.is_indirect || !file.operand ||
		!insn_at (check, check->now, 0, &now))
		return FALSE;
	if (rest_is_nops (check, 0, FALSE))
		return TRUE;
	if (!now.is_call || !kd_kernel_read_ptr (check->kernel, file.operand, &func, NULL))
		return FALSE;
	say (check, "calls", func);
	return leads_to (check, now.target, func) && rest_is_nops (check, now.len, FALSE);
}

/* --- alternatives --- */

/* What the thunks' calls become in the replacement, before that is put in its place. */
static gboolean
is_thunk_of (Check *check, const KdPatchInsn *now, const KdPatchInsn *want)
{
	const char *prefix = check->kernel->arch->thunk_prefix;

	if (!want->is_jump && !want->is_call)
		return FALSE;
	if (is_named (check->kernel, want->target, prefix))
		return now->is_indirect;
	if (want->is_call && now->is_call)
		return leads_to (check, now->target, want->target);
	return want->is_jump &&
	       symbol_is_at (check->kernel, check->kernel->arch->return_thunk, want->target) &&
	       (now->is_return ||
		       (now->is_jump &&
			       symbol_points_to (check->kernel,
				       check->kernel->arch->return_thunk_pointer, now->target)));
}

/* TRUE: memory has the code `want`, but for what does nothing. */
static gboolean
is_code (Check *check, const uint8_t *want, size_t want_len, uint64_t want_addr)
{
	size_t at = 0, want_at = 0;
	gboolean dead = FALSE;

	for (;;) {
		g_auto (KdPatchInsn) now = {0}, next = {0};

		while (at < check->site->len) {
			if (!insn_at (check, check->now, at, &now))
				return FALSE;
			if (!now.is_nop && !now.is_fence && !(now.is_break && dead))
				break;
			at += now.len;
			kd_patch_insn_clear (&now);
		}
		while (want_at < want_len) {
			if (!kd_patch_insn_init (&next, check->kernel->arch, want + want_at,
				    want_len - want_at, want_addr + want_at))
				return FALSE;
			if (!next.is_nop && !next.is_fence && !(next.is_break && dead))
				break;
			want_at += next.len;
			kd_patch_insn_clear (&next);
		}
		if (!now.text || !next.text)
			return !now.text && !next.text;
		if (!kd_patch_insn_equal (&now, &next, kd_kernel_kaslr_offset (check->kernel)) &&
			!is_thunk_of (check, &now, &next))
			return FALSE;
		at += now.len;
		want_at += next.len;
		dead = now.is_jump || now.is_return || (now.is_indirect && !now.is_call);
	}
}

static gboolean
check_alternative (Check *check)
{
	const KdPatchSite *site = check->site;
	g_auto (KdPatchInsn) first = {0};
	uint8_t code[256];
	const uint8_t *want = code;
	size_t len = MIN (site->target_len, sizeof code);
	uint64_t link;

	/* The original, with its padding made one. */
	if (is_code (check, check->file, site->len, site->addr)) {
		say (check, "not chosen", 0);
		return TRUE;
	}
	if (kd_kernel_link_addr (check->kernel, site->target, &link))
		want = kd_image_bytes (check->kernel->image, link, len);
	else if (!kd_kernel_read (check->kernel, kd_addr_kernel (site->target), code, len, NULL))
		want = NULL;
	if (!want)
		return FALSE;
	g_free (check->words);
	check->words = g_strdup_printf ("feature %" PRIu64, site->value & 0xffff);
	if (is_code (check, want, len, site->target))
		return TRUE;
	return len && kd_patch_insn_init (&first, check->kernel->arch, want, len, site->target) &&
	       first.is_call && is_named (check->kernel, first.target, "BUG_func") &&
	       is_direct_of (check);
}

/* What such a function writes depends on the machine: at least what kind of code it can be. */
static gboolean
check_callback (Check *check)
{
	const KdArch *arch = check->kernel->arch;
	gboolean only_nops = is_named (check->kernel, check->site->target, arch->nops_callback);

	say (check, "by", check->site->target);
	if (!is_function (check->kernel, check->site->target))
		return FALSE;
	for (size_t at = 0; at < check->site->len;) {
		g_auto (KdPatchInsn) now = {0}, file = {0};

		if (!insn_at (check, check->now, at, &now) ||
			!insn_at (check, check->file, at, &file))
			return FALSE;
		if (!now.is_nop &&
			(only_nops || (!kd_patch_insn_equal (&now, &file, 0) &&
					      (!arch->callback_insn ||
						      !arch->callback_insn (now.code, file.code)))))
			return FALSE;
		at += now.len;
	}
	return TRUE;
}

/* Where there was nothing; a copy of what `target` has. */
static gboolean
check_thunk (Check *check)
{
	Check before = *check;
	uint8_t want[KD_INSN_BYTES_MAX];

	before.now = check->file;
	return check->site->len <= sizeof want && rest_is_nops (&before, 0, FALSE) &&
	       kd_kernel_read (check->kernel, kd_addr_kernel (check->site->target), want,
		       check->site->len, NULL) &&
	       is_code (check, want, check->site->len, check->site->target);
}

/* The constant that the kernel has at the first of its places. */
static gboolean
first_const (const Check *check, uint64_t *ret_value)
{
	KdKernel *kernel = check->kernel;
	uint8_t now[KD_INSN_BYTES_MAX];
	const uint8_t *file;
	uint64_t link;

	return check->site->len <= sizeof now &&
	       kd_kernel_link_addr (kernel, check->site->value, &link) &&
	       (file = kd_image_bytes (kernel->image, link, check->site->len)) &&
	       kd_kernel_read (
		       kernel, kd_addr_kernel (check->site->value), now, check->site->len, NULL) &&
	       kernel->arch->const_at (now, file, check->site->len, ret_value);
}

/* As wide as its variable, or narrower; where that is left out, the same at all its places. */
static gboolean
check_const (Check *check)
{
	KdKernel *kernel = check->kernel;
	uint64_t value, wanted, mask = ~0ULL;
	KdKernelSymbol symbol;

	if (!kernel->arch->const_at ||
		!kernel->arch->const_at (check->now, check->file, check->site->len, &value))
		return FALSE;
	if (!check->site->target) {
		say (check, "the same as at", check->site->value);
		return first_const (check, &wanted) && value == wanted;
	}
	if (!kd_kernel_read_u64 (kernel, check->site->target, &wanted, NULL))
		return FALSE;
	if (kd_kernel_symbol_at (kernel, check->site->target, &symbol) && symbol.size &&
		symbol.size < sizeof wanted)
		mask >>= 8 * (sizeof wanted - symbol.size);
	say (check, "value of", check->site->target);
	return value == (wanted & mask);
}

/* The file's address, relocated, where nVHE has it mapped. */
static gboolean
check_hyp (Check *check)
{
	uint64_t now, file, va;

	memcpy (&now, check->now, sizeof now);
	memcpy (&file, check->file, sizeof file);
	now = check->kernel->arch->big_endian ? GUINT64_FROM_BE (now) : GUINT64_FROM_LE (now);
	file = check->kernel->arch->big_endian ? GUINT64_FROM_BE (file) : GUINT64_FROM_LE (file);
	say (check, "of", file);
	return kd_kernel_from_hyp (check->kernel, now, &va) && va == file;
}

static gboolean
check_endbr (Check *check)
{
	return rest_is_nops (check, 0, FALSE);
}

static gboolean (*const checks[KD_PATCH_NR_KINDS]) (Check *check) = {
	[KD_PATCH_FTRACE] = check_ftrace,
	[KD_PATCH_FTRACE_OPS] = check_ftrace_ops,
	[KD_PATCH_FTRACE_CODE] = check_ftrace_code,
	[KD_PATCH_JUMP_LABEL] = check_jump_label,
	[KD_PATCH_ALTERNATIVE] = check_alternative,
	[KD_PATCH_CALLBACK] = check_callback,
	[KD_PATCH_STATIC_CALL] = check_static_call,
	[KD_PATCH_KPROBE] = check_kprobe,
	[KD_PATCH_PARAVIRT] = is_direct_of,
	[KD_PATCH_RETPOLINE] = check_retpoline,
	[KD_PATCH_RETURN] = check_return,
	[KD_PATCH_CALL] = check_call,
	[KD_PATCH_ENDBR] = check_endbr,
	[KD_PATCH_LOCK] = check_lock,
	[KD_PATCH_CONST] = check_const,
	[KD_PATCH_HYP] = check_hyp,
	[KD_PATCH_THUNK] = check_thunk,
	[KD_PATCH_POKE] = check_poke,
};

gboolean
kd_patch_site_allows (KdKernel *kernel, const KdPatchBytes *bytes, char **ret_words)
{
	Check check = {.kernel = kernel,
		.site = bytes->site,
		.now = bytes->now,
		.file = bytes->file,
		.len = bytes->len};
	gboolean allowed = bytes->len >= bytes->site->len && checks[bytes->site->kind](&check);

	if (allowed)
		*ret_words = g_steal_pointer (&check.words);
	g_free (check.words);
	return allowed;
}
