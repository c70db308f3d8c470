/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "arch/disasm.h"
#include "base/hex.h"
#include "base/json.h"
#include "command/address.h"
#include "command/memory.h"
#include "kernel/expr.h"
#include "kernel/kernel-orc.h"
#include "kernel/patch-check.h"

#define COUNT_DEFAULT 16
#define COUNT_MAX 10000
/* A whole function, when it is named, unless it is longer. */
#define FUNCTION_MAX 2000
/* Instructions in front of the pc. */
#define BEFORE 4

static const KdArg args[] = {
	{"count", 'n', KD_ARG_UINT, 0, FALSE, "N",
		"so many instructions (default: a function that is named whole, else 16)"},
	{"address", 0, KD_ARG_EXPR, 0, TRUE, "ADDR",
		"0x…, a symbol, any expression; with a space before it (“vm:0:0x…”) that "
		"memory (default: where the CPU that stopped is)"},
	{NULL},
};

typedef struct {
	KdSession *session;
	const KdArch *arch;
	KdAddr start;
	uint64_t count;
	uint64_t end; /* behind the function; 0: `count` ends it */
	uint64_t pc;
	unsigned cpu; /* whose pc that is */
	gboolean has_pc;
	JsonArray *insns;
	uint64_t was_end;          /* behind vmlinux's last instruction that is another here */
	const KdPatchSites *sites; /* NULL: not the kernel's code */
	gboolean has_orc;          /* its kernel has unwind rules of that kind */
	char *place;               /* source line of the last instruction */
} Listing;

/* The last number of the operands that is a kernel's address: of a branch, or of data. */
static gboolean
target_of (const char *insn, uint64_t *ret_target)
{
	gboolean found = FALSE;

	for (const char *at = strstr (insn, "0x"); at; at = strstr (at + 2, "0x")) {
		uint64_t value = g_ascii_strtoull (at + 2, NULL, 16);

		if (value >> 63) {
			*ret_target = value;
			found = TRUE;
		}
	}
	return found;
}

static void
add_line (Listing *listing, uint64_t addr, JsonObject *insn)
{
	g_autoptr (GArray) lines = NULL;
	g_autofree char *place = NULL;
	KdImage *image;
	uint64_t link;
	const KdLine *line;

	if (listing->start.space.kind != KD_SPACE_KERNEL || !listing->session->kernel)
		return;
	image = kd_kernel_image_at (listing->session->kernel, addr, &link);
	lines = image ? kd_image_lines_at (image, link) : NULL;
	if (!lines || !lines->len)
		return;
	line = &g_array_index (lines, KdLine, 0);
	if (!line->file)
		return;
	place = g_strdup_printf ("%s:%d", line->file, line->line);
	if (g_strcmp0 (place, listing->place) == 0)
		return;
	kd_json_set_string (insn, "file", line->file);
	kd_json_set_int (insn, "line", line->line);
	if (line->inlined)
		kd_json_set_string (insn, "inlined", line->function);
	g_free (listing->place);
	listing->place = g_steal_pointer (&place);
}

/* KASLR moves the image, and with it absolute addresses of 4 or 8 bytes in its code. */
static gboolean
is_relocated (const uint8_t *now, const uint8_t *file, size_t len, uint64_t offset)
{
	for (size_t at = 0; at < len; at++) {
		uint32_t a, b;

		if (now[at] == file[at])
			continue;
		/* The low bytes of an offset may be zero: the number begins before the first that
		 * differs. */
		for (size_t back = 0; back < 4 && back <= at; back++) {
			size_t start = at - back;

			if (start + 4 > len)
				continue;
			memcpy (&a, now + start, 4);
			memcpy (&b, file + start, 4);
			if (GUINT32_FROM_LE (a) - GUINT32_FROM_LE (b) == (uint32_t)offset)
				return memcmp (now + start + 4, file + start + 4,
					       len - start - 4) == 0;
		}
		return FALSE;
	}
	return TRUE;
}

/* The instruction that vmlinux has here, if the kernel has put another in its place. */
static void
add_was (Listing *listing, uint64_t addr, const uint8_t *code, size_t len, JsonObject *insn)
{
	KdKernel *kernel = listing->session->kernel;
	g_autofree char *text = NULL, *bytes = NULL;
	const uint8_t *file, *more;
	size_t was_len = len;
	uint64_t link;

	if (!kd_kernel_link_addr (kernel, addr, &link) || kd_kernel_image_why (kernel))
		return;
	file = kd_image_bytes (kd_kernel_image (kernel), link, len);
	if (!file || is_relocated (code, file, len, kd_kernel_kaslr_offset (kernel)))
		return;
	if (addr < listing->was_end) {
		kd_json_set_string (insn, "was", "(part of the one above)");
		return;
	}
	/* It may have been longer. */
	while (len < KD_INSN_BYTES_MAX &&
		(more = kd_image_bytes (kd_kernel_image (kernel), link, len + 1))) {
		file = more;
		len++;
	}
	text = kd_disassemble (listing->arch, file, len, addr, &was_len);
	if (!text) {
		bytes = kd_hex_to_string (file, was_len);
		text = g_strconcat ("bytes ", bytes, NULL);
	}
	listing->was_end = addr + was_len;
	kd_json_set_string (insn, "was", text);
}

/* What the kernel may patch that begins in this instruction. */
static void
add_sites (const Listing *listing, uint64_t addr, size_t len, JsonObject *insn)
{
	KdKernel *kernel = listing->session->kernel;
	const KdPatchSites *sites = listing->sites;
	JsonArray *array = NULL;

	for (int i = kd_patch_sites_from (sites, addr); i >= 0; i++) {
		const KdPatchSite *site;
		JsonObject *obj;
		g_autofree char *detail = NULL;

		if ((unsigned)i >= kd_patch_sites_nr (sites))
			return;
		site = kd_patch_site (sites, (unsigned)i);
		if (site->addr >= addr + len)
			return;
		if (!array)
			array = kd_json_add_array (insn, "sites");
		obj = kd_json_array_add_object (array);
		detail = kd_patch_site_describe (kernel, site);
		kd_json_set_string (obj, "cause", kd_patch_kind_name (site->kind));
		kd_json_set_string (obj, "detail", detail);
		kd_json_set_uint (obj, "length", site->len);
	}
}

/*
 * The operand of an indirect call or jump as an expression of ours: “$x8”, “*(unsigned long *)($rbx
 * + 0x348)”. NULL: not known. `next` is where the next instruction is.
 */
static char *
operand_expr (const char *insn, uint64_t next)
{
	const char *at = strchr (insn, ' '), *bracket = strchr (insn, '[');
	g_autoptr (GString) out = g_string_new (bracket ? "*(unsigned long *)(" : NULL);

	/* A segment's base is nothing that expressions know. */
	if (!at || strchr (insn, ':'))
		return NULL;
	for (at = bracket ? bracket + 1 : at + 1; *at && *at != ']' && *at != ','; at++) {
		size_t len = strcspn (at, " +-*],");

		if (g_str_has_prefix (at, "rip"))
			g_string_append_printf (out, "0x%" PRIx64, next);
		else if (g_ascii_isalpha (*at))
			g_string_append_printf (out, "$%.*s", (int)len, at);
		else {
			g_string_append_len (out, at, len ? (gssize)len : 1);
			len = MAX (len, 1);
		}
		at += MAX (len, 1) - 1;
	}
	if (bracket)
		g_string_append_c (out, ')');
	return g_string_free (g_steal_pointer (&out), FALSE);
}

/* Where an indirect call or jump at the pc will go: there registers are what the instruction will
 * find. */
static gboolean
indirect_target (Listing *listing, const char *insn, uint64_t next, uint64_t *ret_target)
{
	KdInsnKind kind = kd_insn_kind (listing->arch, insn);
	g_autofree char *expr = NULL;
	KdObject object;

	if (kind != KD_INSN_CALL && kind != KD_INSN_JUMP)
		return FALSE;
	expr = operand_expr (insn, next);
	return expr &&
	       kd_expr_eval_on (listing->session->target, listing->session->kernel, listing->cpu,
		       expr, &object, NULL) &&
	       kd_object_u64 (&object, ret_target, NULL);
}

/* What a call through a thunk leads to, where registers are what it will find. */
static void
add_thunk (Listing *listing, const char *symbol, JsonObject *insn)
{
	const char *reg = listing->arch->thunk_reg ? listing->arch->thunk_reg (symbol) : NULL;
	g_autofree char *name = NULL;
	uint64_t value;

	if (!reg || !kd_target_reg_get (listing->session->target, listing->cpu, reg, &value, NULL))
		return;
	name = kd_kernel_symbolize (listing->session->kernel, value);
	kd_json_set_hex (insn, "leads_to", value);
	kd_json_set_string (insn, "leads_to_symbol", name);
}

/* Where objtool found no rule, or could not tell, no stack can be unwound by rules. */
static void
add_orc_hole (const Listing *listing, uint64_t addr, JsonObject *insn)
{
	KdOrcEntry entry;

	if (!kd_kernel_orc_at (listing->session->kernel, addr, &entry) ||
		entry.kind == KD_ORC_UNDEFINED)
		kd_json_set_bool (insn, "orc_hole", TRUE);
}

static size_t
add_insn (Listing *listing, uint64_t addr, const uint8_t *code, size_t len)
{
	KdKernel *kernel = listing->session->kernel;
	gboolean is_kernels = kernel && listing->start.space.kind == KD_SPACE_KERNEL;
	JsonObject *obj = kd_json_array_add_object (listing->insns);
	size_t insn_len = listing->arch->insn_align;
	g_autofree char *text = kd_disassemble (listing->arch, code, len, addr, &insn_len);
	g_autofree char *bytes = kd_hex_to_string (code, insn_len);
	g_autofree char *symbol = is_kernels ? kd_kernel_symbolize (kernel, addr) : NULL;
	uint64_t target;

	kd_json_set_hex (obj, "addr", addr);
	kd_json_set_string (obj, "symbol", symbol);
	kd_json_set_string (obj, "bytes", bytes);
	kd_json_set_string (obj, "insn", text);
	kd_json_set_bool (obj, "pc", listing->has_pc && listing->pc == addr);
	if (text && is_kernels &&
		(target_of (text, &target) ||
			(listing->has_pc && listing->pc == addr &&
				indirect_target (listing, text, addr + insn_len, &target)))) {
		g_autofree char *name = NULL;

		name = kd_kernel_symbolize (kernel, target);
		kd_json_set_hex (obj, "target", target);
		kd_json_set_string (
			obj, "target_symbol", g_str_has_prefix (name, "0x") ? NULL : name);
		if (listing->has_pc && listing->pc == addr)
			add_thunk (listing, name, obj);
	}
	if (is_kernels)
		add_was (listing, addr, code, MIN (insn_len, len), obj);
	if (listing->sites)
		add_sites (listing, addr, insn_len, obj);
	if (listing->has_orc)
		add_orc_hole (listing, addr, obj);
	add_line (listing, addr, obj);
	return insn_len;
}

static gboolean
list (Listing *listing, GError **error)
{
	uint64_t at = listing->start.value;

	/* Once: while the machine runs they are read anew each time. */
	if (listing->session->kernel && listing->start.space.kind == KD_SPACE_KERNEL)
		listing->sites = kd_kernel_patch_sites (listing->session->kernel);
	listing->has_orc = listing->sites && kd_kernel_has_orc (listing->session->kernel);

	for (uint64_t n = 0;
		listing->end ? at < listing->end && n < FUNCTION_MAX : n < listing->count; n++) {
		size_t in_page = KD_COMMAND_PAGE - (size_t)(at % KD_COMMAND_PAGE);
		uint8_t code[KD_INSN_BYTES_MAX];
		size_t len = sizeof code;
		KdAddr addr = {listing->start.space, at};

		/* The page behind may not be there. */
		if (!kd_command_read (listing->session, addr, code, len, NULL)) {
			len = MIN (len, in_page);
			if (!kd_command_read (listing->session, addr, code, len, n ? NULL : error))
				return n > 0;
		}
		at += add_insn (listing, at, code, len);
	}
	return TRUE;
}

/* Where the listing begins for a pc: some instructions before it, if they can be found. */
static void
begin_before (Listing *listing, const KdKernelSymbol *function)
{
	uint64_t at = function->addr, starts[BEFORE];
	unsigned nr = 0;

	if (listing->arch->insn_align > 1)
		at = MAX (at, listing->pc - MIN (listing->pc, BEFORE * listing->arch->insn_align));
	while (at < listing->pc) {
		size_t len = listing->arch->insn_align;
		uint8_t code[KD_INSN_BYTES_MAX];
		g_autofree char *text = NULL;

		if (!kd_command_read (
			    listing->session, kd_addr_kernel (at), code, sizeof code, NULL))
			return;
		text = kd_disassemble (listing->arch, code, sizeof code, at, &len);
		starts[nr++ % BEFORE] = at;
		at += len;
	}
	/* Instructions of any length: only those that lead to the pc. */
	if (at == listing->pc && nr > 0)
		listing->start.value = starts[nr >= BEFORE ? nr % BEFORE : 0];
}

static gboolean
find_start (Listing *listing, const char *text, GError **error)
{
	KdSession *session = listing->session;
	unsigned cpu = kd_session_stopped_cpu (session);
	KdKernelSymbol symbol;
	KdCpuState state;

	listing->cpu = cpu;
	if (kd_target_state (session->target) == KD_TARGET_STOPPED)
		listing->has_pc = kd_target_reg_get (
			session->target, cpu, listing->arch->pc, &listing->pc, NULL);
	if (text) {
		if (!kd_command_address (session, text, &listing->start, error))
			return FALSE;
		if (!listing->count && session->kernel &&
			listing->start.space.kind == KD_SPACE_KERNEL &&
			kd_kernel_symbol_at (session->kernel, listing->start.value, &symbol) &&
			symbol.addr == listing->start.value && symbol.size)
			listing->end = symbol.addr + symbol.size;
		return TRUE;
	}
	if (!listing->has_pc) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NEEDS_STOP,
			"the machine is running: say what to show, or stop it");
		return FALSE;
	}
	listing->start = kd_addr_kernel (listing->pc);
	state = session->kernel ? kd_kernel_cpu_state (session->kernel, cpu)
				: kd_target_cpu_state (session->target, cpu);
	/* A guest's, a user's or nVHE's code: as the CPU sees it. */
	if (state.mode != KD_CPU_MODE_KERNEL)
		listing->start.space = (KdSpace){KD_SPACE_CPU, (int32_t)cpu};
	else if (session->kernel && kd_kernel_symbol_at (session->kernel, listing->pc, &symbol))
		begin_before (listing, &symbol);
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	g_autoptr (JsonArray) insns = json_array_new();
	Listing listing = {
		.session = session, .arch = kd_target_arch (session->target), .insns = insns};
	g_autofree char *space = NULL;
	JsonObject *result;
	gboolean ok;

	if (kd_args_uint (given, "count", &listing.count) &&
		(listing.count == 0 || listing.count > COUNT_MAX)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"dis: 1 to %d instructions at once", COUNT_MAX);
		return NULL;
	}
	ok = find_start (&listing, kd_args_string (given, "address"), error);
	if (!listing.count)
		listing.count = COUNT_DEFAULT;
	ok = ok && list (&listing, error);
	g_free (listing.place);
	if (!ok) {
		g_prefix_error (error, "dis: ");
		return NULL;
	}
	space = kd_space_to_string (listing.start.space);
	result = json_object_new();
	kd_json_set_string (result, "space", space);
	json_object_set_array_member (result, "insns", g_steal_pointer (&insns));
	return kd_json_object_node (result);
}

static void
render_sites (JsonArray *sites, KdText *text)
{
	for (guint i = 0; i < json_array_get_length (sites); i++) {
		const char *cause = "", *detail = NULL;
		JsonObject *site = NULL;

		if (!kd_json_array_object (sites, i, &site, NULL))
			continue;
		kd_json_get_string (site, "cause", FALSE, &cause, NULL);
		kd_json_get_string (site, "detail", FALSE, &detail, NULL);
		kd_text_printf (text, KD_STYLE_DIM, "  {%s%s%s}", cause, detail ? ": " : "",
			detail ? detail : "");
	}
}

static void
render_insn (JsonObject *insn, KdText *text)
{
	const char *addr = "", *symbol = NULL, *words = NULL, *bytes = "", *target = NULL;
	const char *file = NULL, *inlined = NULL, *was = NULL, *leads_to = NULL;
	gboolean pc = FALSE;
	gint64 line = 0;
	JsonArray *sites = NULL;

	kd_json_get_string (insn, "addr", FALSE, &addr, NULL);
	kd_json_get_string (insn, "symbol", FALSE, &symbol, NULL);
	kd_json_get_string (insn, "insn", FALSE, &words, NULL);
	kd_json_get_string (insn, "bytes", FALSE, &bytes, NULL);
	kd_json_get_string (insn, "target_symbol", FALSE, &target, NULL);
	kd_json_get_string (insn, "leads_to_symbol", FALSE, &leads_to, NULL);
	kd_json_get_string (insn, "file", FALSE, &file, NULL);
	kd_json_get_string (insn, "was", FALSE, &was, NULL);
	kd_json_get_string (insn, "inlined", FALSE, &inlined, NULL);
	kd_json_get_int (insn, "line", FALSE, &line, NULL);
	kd_json_get_bool (insn, "pc", FALSE, &pc, NULL);
	if (file)
		kd_text_printf (text, KD_STYLE_DIM, "%s:%" PRId64 "%s%s\n", file, line,
			inlined ? "  inlined " : "", inlined ? inlined : "");
	kd_text_add (text, KD_STYLE_HEADING, pc ? "=> " : "   ");
	kd_text_add (text, KD_STYLE_ADDRESS, addr);
	if (symbol && strchr (symbol, '+'))
		kd_text_printf (text, KD_STYLE_SYMBOL, " <%s>", strchr (symbol, '+'));
	else if (symbol && !g_str_has_prefix (symbol, "0x"))
		kd_text_printf (text, KD_STYLE_SYMBOL, " <%s>", symbol);
	if (words)
		kd_text_printf (text, KD_STYLE_PLAIN, "\t%s", words);
	else
		kd_text_printf (text, KD_STYLE_WARN, "\tnot known: %s", bytes);
	if (target)
		kd_text_printf (text, KD_STYLE_SYMBOL, "  <%s>", target);
	if (leads_to)
		kd_text_printf (text, KD_STYLE_SYMBOL, " → <%s>", leads_to);
	if (was)
		kd_text_printf (text, KD_STYLE_WARN, "  (patched; vmlinux: %s)", was);
	if (kd_json_get_array (insn, "sites", FALSE, &sites, NULL) && sites)
		render_sites (sites, text);
	if (json_object_has_member (insn, "orc_hole"))
		kd_text_add (text, KD_STYLE_WARN, "  {no ORC rule}");
	kd_text_add (text, KD_STYLE_PLAIN, "\n");
}

static void
render (JsonNode *result, KdText *text)
{
	JsonArray *insns = NULL;

	if (!kd_json_get_array (kd_json_node_object (result, NULL), "insns", TRUE, &insns, NULL))
		return;
	for (guint i = 0; i < json_array_get_length (insns); i++) {
		JsonObject *insn = NULL;

		if (kd_json_array_object (insns, i, &insn, NULL))
			render_insn (insn, text);
	}
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	if (strcmp (arg_name, "address") == 0)
		kd_command_complete_symbol (session, word, ret_candidates);
}

const KdCommand kd_command_dis = {
	.name = "dis",
	.group = "symbols",
	.summary = "disassemble code as it is in memory",
	.help = "Memory is read, and not the file: what the kernel has patched into itself "
		"(ftrace, "
		"jump labels, alternatives) shows as it runs. Source lines stand where they "
		"change, and addresses in operands have their symbols; an indirect call or jump "
		"where "
		"the CPU is has the place it will go to. In braces: what the kernel "
		"may "
		"patch there, and how that stands.\n\n"
		"JSON: {space, insns: [{addr, symbol, bytes, insn (null: none), pc (it is where "
		"the CPU is), target, target_symbol, leads_to and leads_to_symbol (of a "
		"thunk, at the pc), was (what vmlinux has there, where that is "
		"another), sites: [{cause, detail, length}] (what the kernel may patch that begins "
		"here), orc_hole (true: x86-64's unwind rules have none here), file, line, "
		"inlined}]}.",
	.example = "dis\ndis kvm_vcpu_ioctl\ndis vectors+0x200 -n 8\ndis cpu:0:0x40000134",
	.args = args,
	.run = run,
	.render = render,
	.complete = complete,
};
