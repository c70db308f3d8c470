/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/x86-64.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <string.h>

#include "base/hex.h"

#define CR0_PE (1ULL << 0)
#define CR0_PG (1ULL << 31)
#define CR4_LA57 (1ULL << 12)
#define EFER_LMA (1ULL << 10)
#define EFER_NXE (1ULL << 11)
#define EFLAGS_VM (1ULL << 17)
/* Without the PCID, and without the bits above that LAM and SME have use for. */
#define CR3_ROOT 0xffffffffff000ULL

/* QEMU's stub names registers as the manuals do, in lower case. */
static const char *
canonical_name (const char *stub_name)
{
	return stub_name;
}

static const char *
dwarf_reg_name (unsigned dwarf_reg)
{
	/* System V ABI, AMD64 supplement, figure 3.36. */
	static const char *const names[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip"};

	return dwarf_reg < G_N_ELEMENTS (names) ? names[dwarf_reg] : NULL;
}

static KdCpuState
cpu_state (KdRegGetFunc get, void *data)
{
	static const char *const rings[] = {"ring 0", "ring 1", "ring 2", "ring 3"};
	KdCpuState state = {KD_CPU_MODE_UNKNOWN, -1, "unknown"};
	uint64_t cs, cr0, efer = 0, eflags = 0;

	if (!get (data, "cs", &cs) || !get (data, "cr0", &cr0))
		return state;
	get (data, "efer", &efer);
	get (data, "eflags", &eflags);
	if (!(cr0 & CR0_PE) || (!(efer & EFER_LMA) && (eflags & EFLAGS_VM))) {
		state.el = cr0 & CR0_PE ? 3 : 0;
		state.mode_name = cr0 & CR0_PE ? "virtual-8086 mode" : "real mode";
		return state;
	}
	state.el = (int)(cs & 3);
	/* Without long mode this is no 64-bit kernel: it starts, or is in firmware or a guest. */
	if (!(efer & EFER_LMA)) {
		state.mode_name = "protected mode";
		return state;
	}
	state.mode_name = rings[state.el];
	state.mode = state.el == 3 ? KD_CPU_MODE_USER : KD_CPU_MODE_KERNEL;
	return state;
}

static gboolean
regime (KdRegimeKind kind, KdRegGetFunc get, void *data, KdRegime *ret_regime)
{
	uint64_t cr0, cr3, cr4, efer;

	if ((kind != KD_REGIME_KERNEL && kind != KD_REGIME_USER) || !get (data, "cr0", &cr0) ||
		!(cr0 & CR0_PG) || !get (data, "efer", &efer) || !(efer & EFER_LMA) ||
		!get (data, "cr3", &cr3) || !get (data, "cr4", &cr4))
		return FALSE;
	*ret_regime = (KdRegime){.root = cr3 & CR3_ROOT,
		.va_bits = cr4 & CR4_LA57 ? 57 : 48,
		.pa_bits = 52,
		.page_shift = 12,
		.upper = kind == KD_REGIME_KERNEL,
		.flags = efer & EFER_NXE ? 0 : KD_X86_64_REGIME_NO_NX};
	return TRUE;
}

static uint64_t
pac_mask (unsigned va_bits)
{
	return 0;
}

static uint64_t
strip_pac (uint64_t value, uint64_t mask)
{
	return value;
}

/* Behind the `word` that starts a line or follows a space in `text`, before `end`; NULL: none. */
static const char *
find_word (const char *text, const char *end, const char *word)
{
	const char *at = text;

	while ((at = strstr (at, word)) && at < end) {
		if (at == text || at[-1] == '\n' || at[-1] == ' ')
			return at + strlen (word);
		at++;
	}
	return NULL;
}

/* "TR =0040 fffffe0000003000 00004087 00008b00 DPL=0 TSS64-busy" below "CPU#N". */
static gboolean
monitor_reg (const char *text, unsigned cpu, const char *name, uint64_t *ret_value)
{
	static const struct {
		const char *name, *word;
		unsigned column;
	} places[] = {{KD_X86_64_IDT_BASE, "IDT=", 0}, {"idt_limit", "IDT=", 1},
		{"gdt_base", "GDT=", 0}, {"gdt_limit", "GDT=", 1}, {"tr", "TR =", 0},
		{"tr_base", "TR =", 1}, {"ldtr", "LDT=", 0}, {"ldtr_base", "LDT=", 1},
		{"dr0", "DR0=", 0}, {"dr1", "DR1=", 0}, {"dr2", "DR2=", 0}, {"dr3", "DR3=", 0},
		{"dr6", "DR6=", 0}, {"dr7", "DR7=", 0}};
	g_autofree char *title = g_strdup_printf ("CPU#%u", cpu);
	const char *start, *end, *at = NULL;

	start = find_word (text, text + strlen (text), title);
	if (!start || g_ascii_isdigit (*start))
		return FALSE;
	end = strstr (start, "\nCPU#");
	if (!end)
		end = start + strlen (start);
	for (size_t i = 0; i < G_N_ELEMENTS (places) && !at; i++) {
		if (strcmp (places[i].name, name) != 0)
			continue;
		at = find_word (start, end, places[i].word);
		if (!at)
			return FALSE;
		at += strspn (at, " ");
		for (unsigned k = 0; k < places[i].column; k++) {
			at += strspn (at, "0123456789abcdefABCDEF");
			at += strspn (at, " ");
		}
	}
	return at && kd_hex_parse_u64 (at, strspn (at, "0123456789abcdefABCDEF"), ret_value);
}

static char *
syndrome_to_string (uint64_t syndrome, const char **ret_class)
{
	g_autofree char *bits = kd_x86_64_bits_to_string ("PF_ERROR", syndrome);

	*ret_class = NULL;
	/* What is not set says as much. */
	return g_strdup_printf ("%s of a %s page by %s%s%s",
		syndrome >> 4 & 1   ? "fetch"
		: syndrome >> 1 & 1 ? "write"
				    : "read",
		syndrome & 1 ? "present" : "missing", syndrome >> 2 & 1 ? "user" : "kernel",
		bits[0] ? ": " : "", bits);
}

/* --- stepping --- */

/* arch/x86/lib/retpoline.S: a thunk for each register, in an array that begins with RAX's. */
static const char *
thunk_reg (const char *symbol)
{
	static const char start[] = "__x86_indirect_thunk_";

	if (!g_str_has_prefix (symbol, start) || strchr (symbol, '+'))
		return NULL;
	symbol += strlen (start);
	return strcmp (symbol, "array") == 0 ? "rax" : symbol;
}

/* NOPs of several bytes, 0F 1F /0 with or without 66: what is left of a call of ftrace, and of an
 * ENDBR. */
static gboolean
trivial_insn (const uint8_t code[KD_TRIVIAL_INSN_MAX], KdTrivialInsn *ret_insn)
{
	static const uint8_t displacement[] = {0, 1, 4, 0};
	unsigned prefix = code[0] == 0x66, mod = code[prefix + 2] >> 6, rm = code[prefix + 2] & 7;

	*ret_insn = (KdTrivialInsn){
		.size = prefix + 3 + displacement[mod] + (rm == 4) + (mod == 0 && rm == 5 ? 4 : 0)};
	return code[prefix] == 0x0f && code[prefix + 1] == 0x1f &&
	       (code[prefix + 2] >> 3 & 7) == 0 && mod != 3 && (mod != 0 || rm != 4);
}

/* A string instruction with REP or REPNE. */
static gboolean
repeats (const uint8_t code[KD_TRIVIAL_INSN_MAX])
{
	static const char prefixes[] = "\x26\x2e\x36\x3e\x64\x65\x66\x67\xf2\xf3";
	gboolean rep = FALSE;
	unsigned i;

	for (i = 0; i < KD_TRIVIAL_INSN_MAX - 1; i++) {
		gboolean is_rex = (code[i] & 0xf0) == 0x40;

		if (!is_rex && !(code[i] && strchr (prefixes, code[i])))
			break;
		rep = rep || (code[i] & 0xfe) == 0xf2;
	}
	return rep && ((code[i] & 0xfc) == 0xa4 || (code[i] >= 0xaa && code[i] <= 0xaf) ||
			      (code[i] & 0xfc) == 0x6c);
}

static const char *const step_regs[] = {
	"cr0", "cr3", "cr4", "cr8", "efer", "fs_base", "gs_base", "k_gs_base", "cs", "ss", NULL};

static const KdStepField step_fields[] = {{"RFLAGS.IF", "eflags", 1 << 9}, {NULL}};

static const KdInsnWord insn_words[] = {
	{"jmp", KD_INSN_JUMP},
	{"call", KD_INSN_CALL},
	{"lcall", KD_INSN_CALL},
	{"mov cr", KD_INSN_SYSTEM},
	{"lmsw", KD_INSN_SYSTEM},
	{"clts", KD_INSN_SYSTEM},
	{"wrmsr", KD_INSN_SYSTEM},
	{"swapgs", KD_INSN_SYSTEM},
	{"wrgsbase", KD_INSN_SYSTEM},
	{"wrfsbase", KD_INSN_SYSTEM},
	{"syscall", KD_INSN_SYSTEM},
	{"vmload", KD_INSN_SYSTEM},
	{"iret", KD_INSN_RETURN},
	{"iretq", KD_INSN_RETURN},
	{"iretd", KD_INSN_RETURN},
	{"sysret", KD_INSN_RETURN},
	{"sysretq", KD_INSN_RETURN},
	{"sysexit", KD_INSN_RETURN},
	{"vmrun", KD_INSN_ENTER_GUEST},
	{"vmlaunch", KD_INSN_ENTER_GUEST},
	{"vmresume", KD_INSN_ENTER_GUEST},
	{NULL, KD_INSN_OTHER},
};

#define EFLAGS_IF (1ULL << 9)

static gboolean
irqs_off (KdRegGetFunc get, void *data)
{
	uint64_t eflags;

	return get (data, "eflags", &eflags) && !(eflags & EFLAGS_IF);
}

/* SDM 3A, 6.3.1 and 6.14.1. */
static const char *
vector_name (unsigned index)
{
	static const char *const names[] = {"divide error", "debug", "NMI", "breakpoint",
		"overflow", "BOUND range", "invalid opcode", "device not available", "double fault",
		NULL, "invalid TSS", "segment not present", "stack fault", "general protection",
		"page fault", NULL, "x87 error", "alignment check", "machine check", "SIMD error",
		"virtualization",
		"control protection", [29] = "VMM communication", [30] = "security"};

	return index < G_N_ELEMENTS (names) ? names[index] : NULL;
}

static gboolean
gate (const uint8_t *entry, uint64_t *ret_target, char **ret_words)
{
	unsigned ist = entry[4] & 7, type = entry[5] & 0xf, dpl = entry[5] >> 5 & 3;

	if (!(entry[5] & 0x80))
		return FALSE;
	*ret_target = (uint64_t)entry[0] | (uint64_t)entry[1] << 8 | (uint64_t)entry[6] << 16 |
		      (uint64_t)entry[7] << 24 | (uint64_t)entry[8] << 32 |
		      (uint64_t)entry[9] << 40 | (uint64_t)entry[10] << 48 |
		      (uint64_t)entry[11] << 56;
	*ret_words = g_strdup_printf ("%s gate, DPL %u%s%.0u",
		type == 0xe   ? "interrupt"
		: type == 0xf ? "trap"
			      : "other",
		dpl, ist ? ", IST " : "", ist);
	return TRUE;
}

static const char *const vector_regs[] = {KD_X86_64_IDT_BASE, NULL};
static const char *const vector_tables[] = {"idt_table", NULL};

static const char *
vectors_in_force (const KdCpuState *state, KdRegGetFunc get, void *data)
{
	return KD_X86_64_IDT_BASE;
}

static const char *
vectors_alias (const char *reg, KdRegGetFunc get, void *data)
{
	return NULL;
}

static const KdVectorLayout vectors = {.nr = 256,
	.size = 16,
	.symbols = vector_tables,
	.regs = vector_regs,
	.in_force = vectors_in_force,
	.alias = vectors_alias,
	.name = vector_name,
	.gate = gate};

static const KdFeatureNames feature_names[] = {{"x86_cap_flags", NULL, NULL}, {NULL}};

const KdArch kd_arch_x86_64 = {
	.name = "x86_64",
	.gdb_architecture = "i386:x86-64",
	.elf_machine = EM_X86_64,
	.pointer_size = 8,
	.big_endian = FALSE,
	.pc = "rip",
	.sp = "rsp",
	.fp = "rbp",
	.lr = NULL,
	.nr_dwarf_regs = 17,
	.canonical_name = canonical_name,
	.dwarf_reg_name = dwarf_reg_name,
	.cpu_state = cpu_state,
	.regime = regime,
	.walk = kd_x86_64_walk,
	.describe_leaf = kd_x86_64_describe_leaf,
	.pac_mask = pac_mask,
	.strip_pac = strip_pac,
	.linux_layout = &kd_x86_64_linux,
	.call_before = kd_x86_64_call_before,
	.disasm_arch = CS_ARCH_X86,
	.disasm_mode = CS_MODE_64,
	.syndrome_to_string = syndrome_to_string,
	.syndrome_name = "page-fault error code",
	.jump_at = kd_x86_64_jump_at,
	.branch_at = kd_x86_64_branch_at,
	.indirect_jump_at = kd_x86_64_indirect_jump_at,
	.far_jump_before = kd_x86_64_far_jump_before,
	.thunk_prefix = "__x86_indirect_",
	.insn_align = 1,
	.irqs_off = irqs_off,
	.vectors = &vectors,
	.thunk_reg = thunk_reg,
	.trivial_insn = trivial_insn,
	.repeats = repeats,
	.step_regs = step_regs,
	.step_fields = step_fields,
	.insn_words = insn_words,
	.ftrace_len = 5,
	.nop_at = kd_x86_64_nop_at,
	.break_word = "int3",
	.trap_word = "ud2",
	.return_word = "ret",
	.fence_word = "lfence",
	.relocate = kd_x86_64_relocate,
	.feature_names = feature_names,
	.const_ptr_len = 8,
	.const_shift_len = 1,
	.const_mask_len = 4,
	.const_at = kd_x86_64_const_at,
	.lock_prefixes = "\xf0\x3e",
	.call_thunk = "skl_call_thunk_template",
	.call_thunk_end = "skl_call_thunk_tail",
	.return_thunk = "__x86_return_thunk",
	.return_thunk_pointer = "x86_return_thunk",
	.monitor_command = "info registers -a",
	.monitor_reg = monitor_reg,
	.sysregs = &kd_x86_64_sysregs,
	.flow = &kd_x86_64_flow,
};
