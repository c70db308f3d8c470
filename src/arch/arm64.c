/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm64.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <string.h>

#include "arch/arm64-insn.h"

#define HCR_VM (1ULL << 0)
#define HCR_IMO (1ULL << 4)
#define HCR_TGE (1ULL << 27)
#define HCR_E2H (1ULL << 34)
#define SCTLR_M (1ULL << 0)

#define BITS(value, high, low) (((value) >> (low)) & ((1ULL << ((high) - (low) + 1)) - 1))

/* QEMU's stub names some registers as AArch32 does (7.2 and 10.0, target/arm/helper.c). */
static const struct {
	const char *stub;
	const char *canonical;
} renamed[] = {
	{"SCTLR", "SCTLR_EL1"},
	{"VBAR", "VBAR_EL1"},
	{"CPACR", "CPACR_EL1"},
	{"CNTKCTL", "CNTKCTL_EL1"},
	{"AMAIR0", "AMAIR_EL1"},
	{"CSSELR", "CSSELR_EL1"},
	{"CLIDR", "CLIDR_EL1"},
	{"AIDR", "AIDR_EL1"},
	{"ID_PFR0", "ID_PFR0_EL1"},
	{"ID_PFR2", "ID_PFR2_EL1"},
	{"ID_DFR0", "ID_DFR0_EL1"},
	{"ID_DFR1", "ID_DFR1_EL1"},
	{"ID_AFR0", "ID_AFR0_EL1"},
	{"ID_MMFR0", "ID_MMFR0_EL1"},
	{"ID_MMFR1", "ID_MMFR1_EL1"},
	{"ID_MMFR2", "ID_MMFR2_EL1"},
	{"ID_MMFR3", "ID_MMFR3_EL1"},
	{"ID_MMFR4", "ID_MMFR4_EL1"},
	{"ID_MMFR5", "ID_MMFR5_EL1"},
	{"ID_ISAR0", "ID_ISAR0_EL1"},
	{"ID_ISAR1", "ID_ISAR1_EL1"},
	{"ID_ISAR2", "ID_ISAR2_EL1"},
	{"ID_ISAR3", "ID_ISAR3_EL1"},
	{"ID_ISAR4", "ID_ISAR4_EL1"},
	{"ID_ISAR5", "ID_ISAR5_EL1"},
	{"ID_ISAR6", "ID_ISAR6_EL1"},
	/* 7.2 calls reserved what the architecture named since. */
	{"ID_AA64PFR2_EL1_RESERVED", "ID_AA64PFR2_EL1"},
	{"ID_AA64DFR2_EL1_RESERVED", "ID_AA64DFR2_EL1"},
	{"ID_AA64ISAR2_EL1_RESERVED", "ID_AA64ISAR2_EL1"},
	{"ID_AA64ISAR3_EL1_RESERVED", "ID_AA64ISAR3_EL1"},
	{"ID_AA64MMFR3_EL1_RESERVED", "ID_AA64MMFR3_EL1"},
	{"ID_AA64MMFR4_EL1_RESERVED", "ID_AA64MMFR4_EL1"},
};

static const char *
canonical_name (const char *stub_name)
{
	for (size_t i = 0; i < G_N_ELEMENTS (renamed); i++)
		if (strcmp (renamed[i].stub, stub_name) == 0)
			return renamed[i].canonical;
	return stub_name;
}

static const char *
dwarf_reg_name (unsigned dwarf_reg)
{
	/* DWARF for the Arm 64-bit architecture, 4.1. */
	static const char *const names[] = {"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8",
		"x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20",
		"x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp", "pc"};

	return dwarf_reg < G_N_ELEMENTS (names) ? names[dwarf_reg] : NULL;
}

/* What functions begin with where they can be traced: NOP, and MOV between general registers. */
static gboolean
trivial_insn (const uint8_t code[KD_TRIVIAL_INSN_MAX], KdTrivialInsn *ret_insn)
{
	uint32_t word = code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24;
	unsigned to = word & 31, from = word >> 16 & 31;

	*ret_insn = (KdTrivialInsn){.size = 4};
	if (word == 0xd503201f)
		return TRUE;
	if ((word & 0xffe0ffe0) != 0xaa0003e0 || to == 31 || from == 31)
		return FALSE;
	ret_insn->to = dwarf_reg_name (to);
	ret_insn->from = dwarf_reg_name (from);
	return TRUE;
}

/* Arm ARM C4.1.94, "Loads and Stores": all have their base in Rn, but for literals. */
static gboolean
access_base (const uint8_t code[KD_TRIVIAL_INSN_MAX], const char **ret_base, const char **ret_index)
{
	uint32_t word = code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24;
	unsigned base = word >> 5 & 31, index = word >> 16 & 31;
	gboolean has_index = (word & 0x3b200c00) == 0x38200800;

	if ((word & 0x0a000000) != 0x08000000 || (word & 0x3b000000) == 0x18000000)
		return FALSE;
	/* DWARF's 31 is SP, as it is for a base; as an index it is zero. */
	*ret_base = dwarf_reg_name (base);
	*ret_index = has_index && index != 31 ? dwarf_reg_name (index) : NULL;
	return TRUE;
}

/* ldr wzr, . */
static const uint8_t self_load[] = {0x1f, 0x00, 0x00, 0x18};

static uint64_t
get_or_zero (KdRegGetFunc get, void *data, const char *name)
{
	uint64_t value = 0;

	return get (data, name, &value) ? value : 0;
}

gboolean
kd_arm64_is_guest_loaded (uint64_t hcr)
{
	if (!(hcr & HCR_VM))
		return FALSE;
	return hcr & HCR_E2H ? !(hcr & HCR_TGE) : (hcr & HCR_IMO) != 0;
}

static KdCpuState
cpu_state (KdRegGetFunc get, void *data)
{
	static const char *const names[4][2] = {
		{"EL0t", "EL0t"}, {"EL1t", "EL1h"}, {"EL2t", "EL2h"}, {"EL3t", "EL3h"}};
	uint64_t hcr = get_or_zero (get, data, "HCR_EL2");
	KdCpuState state = {KD_CPU_MODE_UNKNOWN, -1, "unknown"};
	uint64_t cpsr;

	if (!get (data, "cpsr", &cpsr))
		return state;
	if (cpsr & (1 << 4)) {
		state.el = (cpsr & 0xf) == 0 ? 0 : 1;
		state.mode_name = "AArch32";
	} else {
		state.el = (int)BITS (cpsr, 3, 2);
		state.mode_name = names[state.el][cpsr & 1];
	}
	if (state.el == 3)
		state.mode = KD_CPU_MODE_FIRMWARE;
	else if (state.el == 2)
		state.mode = hcr & HCR_E2H ? KD_CPU_MODE_KERNEL : KD_CPU_MODE_HYP;
	else if (kd_arm64_is_guest_loaded (hcr))
		state.mode = KD_CPU_MODE_GUEST;
	else
		state.mode = state.el == 0 ? KD_CPU_MODE_USER : KD_CPU_MODE_KERNEL;
	return state;
}

/* TCR_ELx.IPS and PS, Arm ARM D19.2.139. */
static unsigned
pa_bits_of (uint64_t field)
{
	static const unsigned bits[] = {32, 36, 40, 42, 44, 48, 52, 52};

	return bits[field & 7];
}

/* FALSE: a granule size the encoding reserves. */
static gboolean
page_shift_of (uint64_t tg, gboolean upper, unsigned *ret_shift)
{
	static const unsigned lower_shifts[] = {12, 16, 14, 0};
	static const unsigned upper_shifts[] = {0, 14, 12, 16};

	*ret_shift = upper ? upper_shifts[tg & 3] : lower_shifts[tg & 3];
	return *ret_shift != 0;
}

gboolean
kd_arm64_regime_from_tcr (
	uint64_t ttbr, uint64_t tcr, gboolean upper, gboolean one_half, KdRegime *ret_regime)
{
	uint64_t tsz = upper ? BITS (tcr, 21, 16) : BITS (tcr, 5, 0);
	gboolean ds = (tcr & (one_half ? 1ULL << 32 : 1ULL << 59)) != 0;
	KdRegime regime = {.upper = upper};
	uint64_t root = ttbr & 0xfffffffffffeULL;

	if (!page_shift_of (
		    upper ? BITS (tcr, 31, 30) : BITS (tcr, 15, 14), upper, &regime.page_shift))
		return FALSE;
	if (!one_half && (tcr & (upper ? 1ULL << 23 : 1ULL << 7)))
		return FALSE; /* EPD: walks of this half are off */
	if (tsz < 12 || tsz > 48)
		return FALSE;
	regime.va_bits = (unsigned)(64 - tsz);
	regime.pa_bits = pa_bits_of (one_half ? BITS (tcr, 18, 16) : BITS (tcr, 34, 32));
	if (ds && regime.page_shift != 16)
		regime.flags |= KD_ARM64_REGIME_LPA2;
	if (regime.pa_bits == 52 && (regime.page_shift == 16 || ds))
		root = (root & ~0x3fULL) | BITS (ttbr, 5, 2) << 48;
	regime.root = root;
	regime.tbi = (tcr & (one_half ? 1ULL << 20 : upper ? 1ULL << 38 : 1ULL << 37)) ? 8 : 0;
	*ret_regime = regime;
	return TRUE;
}

/* EL1's copy of a register: while the CPU is at EL2 with E2H later QEMUs give EL2's under the plain
 * name. */
static gboolean
get_el1 (KdRegGetFunc get, void *data, const char *name, uint64_t *ret_value)
{
	g_autofree char *alias = g_strdup_printf ("%s_EL12", name);
	g_autofree char *plain = g_strdup_printf ("%s_EL1", name);

	return get (data, alias, ret_value) || get (data, plain, ret_value);
}

static gboolean
regime (KdRegimeKind kind, KdRegGetFunc get, void *data, KdRegime *ret_regime)
{
	uint64_t hcr = get_or_zero (get, data, "HCR_EL2");
	gboolean e2h = (hcr & HCR_E2H) != 0;
	gboolean guest_loaded = kd_arm64_is_guest_loaded (hcr);
	gboolean upper = kind == KD_REGIME_KERNEL || kind == KD_REGIME_GUEST_KERNEL;
	uint64_t sctlr, tcr, ttbr;

	switch (kind) {
	case KD_REGIME_HYP:
		return !e2h && get (data, "SCTLR_EL2", &sctlr) && (sctlr & SCTLR_M) &&
		       get (data, "TCR_EL2", &tcr) && get (data, "TTBR0_EL2", &ttbr) &&
		       kd_arm64_regime_from_tcr (ttbr, tcr, FALSE, TRUE, ret_regime);
	case KD_REGIME_KERNEL:
	case KD_REGIME_USER:
		if (e2h)
			return get (data, "SCTLR_EL2", &sctlr) && (sctlr & SCTLR_M) &&
			       get (data, "TCR_EL2", &tcr) &&
			       get (data, upper ? "TTBR1_EL2" : "TTBR0_EL2", &ttbr) &&
			       kd_arm64_regime_from_tcr (ttbr, tcr, upper, FALSE, ret_regime);
		if (guest_loaded)
			return FALSE;
		break;
	case KD_REGIME_GUEST_KERNEL:
	case KD_REGIME_GUEST_USER:
		if (!guest_loaded)
			return FALSE;
		break;
	}
	return get_el1 (get, data, "SCTLR", &sctlr) && (sctlr & SCTLR_M) &&
	       get_el1 (get, data, "TCR", &tcr) &&
	       get_el1 (get, data, upper ? "TTBR1" : "TTBR0", &ttbr) &&
	       kd_arm64_regime_from_tcr (ttbr, tcr, upper, FALSE, ret_regime);
}

static uint64_t
pac_mask (unsigned va_bits)
{
	/* Kernel pointers have TBI off for instructions: bits 63..56 and 54..VA hold the code, 55
	 * picks the half. */
	return va_bits >= 64 ? 0 : (~0ULL << va_bits) & ~(1ULL << 55);
}

static uint64_t
strip_pac (uint64_t value, uint64_t mask)
{
	return value & (1ULL << 55) ? value | mask : value & ~mask;
}

/* GDB manual, "AArch64 Features". User space has its top byte for itself. */
static const KdArchGdbPac gdb_pac = {"org.gnu.gdb.aarch64.pauth_v2",
	{{"pauth_dmask", UINT64_MAX >> 8}, {"pauth_cmask", UINT64_MAX >> 8},
		{"pauth_dmask_high", UINT64_MAX}, {"pauth_cmask_high", UINT64_MAX}}};

static uint32_t
insn_at (const uint8_t *code)
{
	return code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24;
}

static void
call_before (const uint8_t code[KD_CALL_BYTES_MAX], uint64_t return_addr, KdCall *ret_call)
{
	KdArm64Insn insn;

	kd_arm64_decode (insn_at (code + KD_CALL_BYTES_MAX - 4), return_addr - 4, &insn);
	*ret_call = (KdCall){.kind = insn.kind == KD_ARM64_BL    ? KD_CALL_DIRECT
				     : insn.kind == KD_ARM64_BLR ? KD_CALL_INDIRECT
								 : KD_CALL_NONE,
		.addr = return_addr - 4,
		.target = insn.target};
}

static gboolean
jump_at (const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_target)
{
	KdArm64Insn insn;

	if (len < 4)
		return FALSE;
	kd_arm64_decode (insn_at (code), addr, &insn);
	if (insn.kind != KD_ARM64_B)
		return FALSE;
	*ret_target = insn.target;
	return TRUE;
}

static char *
syndrome_to_string (uint64_t syndrome, const char **ret_class)
{
	*ret_class = kd_arm64_exception_class (syndrome);
	return kd_arm64_syndrome_to_string (syndrome);
}

/* --- stepping --- */

static const char *const step_regs[] = {"VBAR_EL1", "VBAR_EL2", "HCR_EL2", "SP_EL0", "TTBR0_EL1",
	"TTBR1_EL1", "TTBR0_EL2", "TTBR1_EL2", "VTTBR_EL2", NULL};

/* Loads and stores, exclusive, of registers and pairs, but no CAS or CASP. */
static gboolean
is_store_exclusive (uint32_t word)
{
	return (word & 0x3fc00000) == 0x08000000 && (word >> 31 || !(word & 0x00200000));
}

static unsigned
exclusive_ends (const uint8_t code[KD_EXCLUSIVE_BYTES], uint64_t addr,
	uint64_t ret_ends[KD_EXCLUSIVE_ENDS_MAX])
{
	uint64_t targets[KD_EXCLUSIVE_ENDS_MAX - 1];
	unsigned nr_targets = 0, nr = 0;

	for (unsigned at = 4; at < KD_EXCLUSIVE_BYTES; at += 4) {
		KdArm64Insn insn;

		if (is_store_exclusive (insn_at (code + at))) {
			ret_ends[nr++] = addr + at + 4;
			/* A branch that stays inside comes to the store all the same. */
			for (unsigned i = 0; i < nr_targets; i++)
				if (targets[i] <= addr || targets[i] > addr + at + 4)
					ret_ends[nr++] = targets[i];
			return nr;
		}
		kd_arm64_decode (insn_at (code + at), addr + at, &insn);
		switch (insn.kind) {
		case KD_ARM64_BRANCH_MAYBE:
			if (nr_targets == G_N_ELEMENTS (targets))
				return 0;
			targets[nr_targets++] = insn.target;
			break;
		case KD_ARM64_B:
		case KD_ARM64_BL:
		case KD_ARM64_BLR:
		case KD_ARM64_BR:
		case KD_ARM64_RET:
		case KD_ARM64_ERET:
		case KD_ARM64_HVC:
			return 0;
		default:
			break;
		}
	}
	return 0;
}

/* As capstone spells them. */
/* As MRS reads it. */
static const KdStepField step_fields[] = {{"DAIF", "cpsr", 0x3c0}, {NULL}};

/* Hints that capstone 4 has no names for: Arm ARM C6.2, HINT. */
static const KdInsnName insn_names[] = {
	{"hint #0x7", "xpaclri"},
	{"hint #0x10", "esb"},
	{"hint #0x12", "tsb csync"},
	{"hint #0x14", "csdb"},
	{"hint #0x16", "clrbhb"},
	{"hint #0x18", "paciaz"},
	{"hint #0x19", "paciasp"},
	{"hint #0x1a", "pacibz"},
	{"hint #0x1b", "pacibsp"},
	{"hint #0x1c", "autiaz"},
	{"hint #0x1d", "autiasp"},
	{"hint #0x1e", "autibz"},
	{"hint #0x1f", "autibsp"},
	{"hint #0x20", "bti"},
	{"hint #0x22", "bti c"},
	{"hint #0x24", "bti j"},
	{"hint #0x26", "bti jc"},
	{NULL},
};

/* As capstone spells them. */
static const KdInsnWord insn_words[] = {
	{"bl", KD_INSN_CALL},
	{"blr", KD_INSN_CALL},
	{"blraa", KD_INSN_CALL},
	{"blraaz", KD_INSN_CALL},
	{"blrab", KD_INSN_CALL},
	{"blrabz", KD_INSN_CALL},
	{"br", KD_INSN_JUMP},
	{"braa", KD_INSN_JUMP},
	{"braaz", KD_INSN_JUMP},
	{"brab", KD_INSN_JUMP},
	{"brabz", KD_INSN_JUMP},
	{"msr", KD_INSN_SYSTEM},
	{"eret", KD_INSN_RETURN},
	{"eretaa", KD_INSN_RETURN},
	{"eretab", KD_INSN_RETURN},
	{"ldxr", KD_INSN_EXCLUSIVE},
	{"ldxrb", KD_INSN_EXCLUSIVE},
	{"ldxrh", KD_INSN_EXCLUSIVE},
	{"ldxp", KD_INSN_EXCLUSIVE},
	{"ldaxr", KD_INSN_EXCLUSIVE},
	{"ldaxrb", KD_INSN_EXCLUSIVE},
	{"ldaxrh", KD_INSN_EXCLUSIVE},
	{"ldaxp", KD_INSN_EXCLUSIVE},
	{NULL, KD_INSN_OTHER},
};

#define VECTOR_SIZE 0x80
#define VECTORS 16
#define LOWER_EL 8

/* Arm ARM D1.3.1, table of exception vectors. */
static const char *
vector_name (unsigned index)
{
	static const char *const names[VECTORS] = {"synchronous, current EL with SP_EL0",
		"IRQ, current EL with SP_EL0", "FIQ, current EL with SP_EL0",
		"SError, current EL with SP_EL0", "synchronous, current EL", "IRQ, current EL",
		"FIQ, current EL", "SError, current EL", "synchronous, lower EL", "IRQ, lower EL",
		"FIQ, lower EL", "SError, lower EL", "synchronous, lower EL in AArch32",
		"IRQ, lower EL in AArch32", "FIQ, lower EL in AArch32",
		"SError, lower EL in AArch32"};

	return index < VECTORS ? names[index] : NULL;
}

static const char *
vector_at (KdRegGetFunc get, void *data, uint64_t pc)
{
	uint64_t cpsr, vbar;
	unsigned el;

	if (pc % VECTOR_SIZE || !get (data, "cpsr", &cpsr))
		return NULL;
	el = (unsigned)BITS (cpsr, 3, 2);
	if ((el != 1 && el != 2) || !get (data, el == 1 ? "VBAR_EL1" : "VBAR_EL2", &vbar) ||
		pc < vbar || pc - vbar >= VECTORS * VECTOR_SIZE)
		return NULL;
	return vector_name ((unsigned)((pc - vbar) / VECTOR_SIZE));
}

/* PSTATE.I. */
static gboolean
irqs_off (KdRegGetFunc get, void *data)
{
	return (get_or_zero (get, data, "cpsr") >> 7 & 1) != 0;
}

/* DAIF, by MRS, MSR and MSR (immediate); WFE, WFI; what makes or leaves an exception. */
static gboolean
minds_irqs (uint32_t insn)
{
	static const struct {
		uint32_t mask, value;
	} rows[] = {
		{0xffdfffe0, 0xd51b4220}, /* MSR, MRS DAIF */
		{0xfffff0df, 0xd50340df}, /* MSR DAIFSet, DAIFClr */
		{0xffffffdf, 0xd503205f}, /* WFE, WFI */
		{0xff000000, 0xd4000000}, /* SVC, HVC, SMC, BRK, HLT */
		{0xff9ff000, 0xd69f0000}, /* ERET and its like, DRPS */
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
		if ((insn & rows[i].mask) == rows[i].value)
			return TRUE;
	return FALSE;
}

#define PSTATE_I ((uint64_t)1 << 7)
#define PSTATE_F ((uint64_t)1 << 6)

static gboolean
hold_irqs (KdRegGetFunc get, void *data, const uint8_t code[KD_TRIVIAL_INSN_MAX],
	const char **ret_reg, uint64_t *ret_bits)
{
	uint32_t insn = code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24;
	uint64_t cpsr;

	/* EL1h or EL2h: exceptions leave the stack pointer as it is. */
	if (!get (data, "cpsr", &cpsr) || cpsr & PSTATE_I ||
		((cpsr & 0x1f) != 5 && (cpsr & 0x1f) != 9) || minds_irqs (insn))
		return FALSE;
	*ret_reg = "cpsr";
	*ret_bits = PSTATE_I | PSTATE_F;
	return TRUE;
}

static gboolean
vmid (KdRegGetFunc get, void *data, unsigned *ret_vmid)
{
	uint64_t vttbr;

	if (!get (data, "VTTBR_EL2", &vttbr))
		return FALSE;
	*ret_vmid = (unsigned)BITS (vttbr, 63, 48);
	return TRUE;
}

static unsigned
exit_vectors (KdRegGetFunc get, void *data, uint64_t ret_addrs[KD_EXIT_VECTORS_MAX])
{
	uint64_t vbar;

	if (!get (data, "VBAR_EL2", &vbar))
		return 0;
	for (unsigned i = 0; i < VECTORS - LOWER_EL; i++)
		ret_addrs[i] = vbar + (LOWER_EL + i) * VECTOR_SIZE;
	return VECTORS - LOWER_EL;
}

static const char *const vector_regs[] = {"VBAR_EL1", "VBAR_EL2", NULL};
/* entry.S, kvm/hyp; those of hyp/nvhe/hyp-init.S are used while EL2 is set up. */
static const char *const vector_tables[] = {"vectors", "__bp_harden_el1_vectors", "tramp_vectors",
	"__kvm_hyp_vector", "__bp_harden_hyp_vecs", "__kvm_nvhe___kvm_hyp_host_vector",
	"__kvm_nvhe___kvm_hyp_vector", "__kvm_nvhe___bp_harden_hyp_vecs",
	"__kvm_nvhe___kvm_hyp_init", "__kvm_nvhe___hyp_stub_vectors", "__hyp_stub_vectors", NULL};

/* EL0's go to EL2 under a VHE host (TGE), else to EL1. Arm ARM D1.3.6. */
static const char *
vectors_in_force (const KdCpuState *state, KdRegGetFunc get, void *data)
{
	if (state->el == 0)
		return get_or_zero (get, data, "HCR_EL2") & HCR_TGE ? "VBAR_EL2" : "VBAR_EL1";
	return state->el == 1 ? "VBAR_EL1" : state->el == 2 ? "VBAR_EL2" : NULL;
}

/* At EL2 with E2H the plain name is EL2's own. */
static const char *
vectors_alias (const char *reg, KdRegGetFunc get, void *data)
{
	gboolean e2h = (get_or_zero (get, data, "HCR_EL2") & HCR_E2H) != 0;

	return e2h && strcmp (reg, "VBAR_EL1") == 0 ? "VBAR_EL12" : NULL;
}

static const KdVectorLayout vectors = {.nr = VECTORS,
	.size = VECTOR_SIZE,
	.symbols = vector_tables,
	.regs = vector_regs,
	.in_force = vectors_in_force,
	.alias = vectors_alias,
	.name = vector_name};

static gboolean
nop_at (const uint8_t *code, size_t len)
{
	return len == 4 && memcmp (code, "\x1f\x20\x03\xd5", 4) == 0;
}

static const KdFeatureNames feature_names[] = {
	{"cpucap_ptrs", "struct arm64_cpu_capabilities", "desc"},
	{"cpu_hwcaps_ptrs", "struct arm64_cpu_capabilities", "desc"}, {NULL}};

static const char *const veneer_sections[] = {".plt", ".init.plt", ".text.ftrace_trampoline", NULL};

const KdArch kd_arch_arm64 = {
	.name = "arm64",
	.gdb_architecture = "aarch64",
	.elf_machine = EM_AARCH64,
	.pointer_size = 8,
	.big_endian = FALSE,
	.pc = "pc",
	.sp = "sp",
	.fp = "x29",
	.lr = "x30",
	.nr_dwarf_regs = 33,
	.canonical_name = canonical_name,
	.dwarf_reg_name = dwarf_reg_name,
	.cpu_state = cpu_state,
	.regime = regime,
	.walk = kd_arm64_walk,
	.describe_leaf = kd_arm64_describe_leaf,
	.pac_mask = pac_mask,
	.strip_pac = strip_pac,
	.gdb_pac = &gdb_pac,
	.linux_layout = &kd_arm64_linux,
	.call_before = call_before,
	.disasm_arch = CS_ARCH_ARM64,
	.disasm_mode = CS_MODE_LITTLE_ENDIAN,
	.syndrome_to_string = syndrome_to_string,
	.syndrome_name = "ESR",
	.jump_at = jump_at,
	.data_refs = kd_arm64_data_refs,
	.insn_align = 4,
	.irqs_off = irqs_off,
	.vmid = vmid,
	.trivial_insn = trivial_insn,
	.access_base = access_base,
	.self_load = self_load,
	.self_load_len = sizeof self_load,
	.hold_irqs = hold_irqs,
	.watch_before = TRUE,
	.exclusive_ends = exclusive_ends,
	.step_regs = step_regs,
	.step_fields = step_fields,
	.insn_names = insn_names,
	.disassemble_more = kd_arm64_atomic_to_string,
	.insn_words = insn_words,
	.ftrace_before = 4,
	.ftrace_len = 4,
	.nop_at = nop_at,
	.break_word = "brk",
	.return_word = "ret",
	.ftrace_entry = "mov x9, x30",
	.relocate = kd_arm64_relocate,
	.veneer_target = kd_arm64_veneer_target,
	.veneer_sections = veneer_sections,
	.feature_names = feature_names,
	.const_ptr_len = 16,
	.const_shift_len = 4,
	.const_mask_len = 4,
	.const_at = kd_arm64_const_at,
	.nops_callback = "alt_cb_patch_nops",
	.callback_insn = kd_arm64_callback_insn,
	.vectors = &vectors,
	.vector_at = vector_at,
	.exit_vectors = exit_vectors,
	.sysregs = &kd_arm64_sysregs,
	.flow = &kd_arm64_flow,
};
