/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm64.h"

#include <string.h>

#define VM (1ULL << 0)
#define IMO (1ULL << 4)
#define TGE (1ULL << 27)
#define E2H (1ULL << 34)

#define REGS_MAX 8

typedef struct {
	const char *name;
	uint64_t value;
} Reg;

/* `data` is an array of Reg that a NULL name ends. */
static gboolean
get_reg (void *data, const char *name, uint64_t *ret_value)
{
	for (const Reg *reg = data; reg->name; reg++)
		if (strcmp (reg->name, name) == 0) {
			*ret_value = reg->value;
			return TRUE;
		}
	return FALSE;
}

static const struct {
	const char *name;
	uint64_t cpsr, hcr;
	KdCpuMode mode;
	int el;
	const char *mode_name;
} modes[] = {
	{"vhe-host-kernel", 0x3c9, E2H | TGE, KD_CPU_MODE_KERNEL, 2, "EL2h"},
	{"vhe-host-kernel-guest-loaded", 0x3c9, E2H | VM | IMO, KD_CPU_MODE_KERNEL, 2, "EL2h"},
	{"vhe-host-user", 0x80000000, E2H | TGE, KD_CPU_MODE_USER, 0, "EL0t"},
	{"vhe-guest-kernel", 0x3c5, E2H | VM | IMO, KD_CPU_MODE_GUEST, 1, "EL1h"},
	{"vhe-guest-user", 0, E2H | VM | IMO, KD_CPU_MODE_GUEST, 0, "EL0t"},
	{"vhe-guest-aarch32", 0x1d3, E2H | VM | IMO, KD_CPU_MODE_GUEST, 1, "AArch32"},
	{"vhe-host-user-aarch32", 0x10, E2H | TGE, KD_CPU_MODE_USER, 0, "AArch32"},
	{"nvhe-host-kernel", 0x3c5, 0, KD_CPU_MODE_KERNEL, 1, "EL1h"},
	{"nvhe-host-user", 0, 0, KD_CPU_MODE_USER, 0, "EL0t"},
	{"nvhe-hyp", 0x3c9, VM | IMO, KD_CPU_MODE_HYP, 2, "EL2h"},
	{"nvhe-guest-kernel", 0x3c5, VM | IMO, KD_CPU_MODE_GUEST, 1, "EL1h"},
	{"pkvm-host-kernel", 0x3c5, VM, KD_CPU_MODE_KERNEL, 1, "EL1h"},
	{"firmware", 0x3cd, 0, KD_CPU_MODE_FIRMWARE, 3, "EL3h"},
};

static void
test_modes (void)
{
	for (size_t i = 0; i < G_N_ELEMENTS (modes); i++) {
		const Reg regs[] = {{"cpsr", modes[i].cpsr}, {"HCR_EL2", modes[i].hcr}, {NULL, 0}};
		KdCpuState state = kd_arch_arm64.cpu_state (get_reg, (void *)regs);

		g_test_message ("%s", modes[i].name);
		g_assert_cmpint (state.mode, ==, modes[i].mode);
		g_assert_cmpint (state.el, ==, modes[i].el);
		g_assert_cmpstr (state.mode_name, ==, modes[i].mode_name);
	}
}

static void
test_mode_without_registers (void)
{
	const Reg none[] = {{NULL, 0}};

	g_assert_cmpint (
		kd_arch_arm64.cpu_state (get_reg, (void *)none).mode, ==, KD_CPU_MODE_UNKNOWN);
}

/* TCR fields: T0SZ, EPD0, TG0, T1SZ, EPD1, TG1 (4K is 2), IPS, TBI0, DS. */
#define TCR(t0sz, tg0, t1sz, tg1, ips)                                                             \
	((uint64_t)(t0sz) | (uint64_t)(tg0) << 14 | (uint64_t)(t1sz) << 16 |                       \
		(uint64_t)(tg1) << 30 | (uint64_t)(ips) << 32)
#define EPD1 (1ULL << 23)
#define TBI0 (1ULL << 37)
#define DS (1ULL << 59)

static const struct {
	const char *name;
	uint64_t ttbr, tcr;
	gboolean upper, one_half, ok;
	KdRegime want;
} tcrs[] = {
	{"4k-48-upper", 0x0001000041234001ULL, TCR (16, 0, 16, 2, 5), TRUE, FALSE, TRUE,
		{.root = 0x41234000,
			.va_bits = 48,
			.pa_bits = 48,
			.page_shift = 12,
			.upper = TRUE}},
	{"4k-39-lower-tbi", 0x41234000, TCR (25, 0, 25, 2, 2) | TBI0, FALSE, FALSE, TRUE,
		{.root = 0x41234000, .va_bits = 39, .pa_bits = 40, .page_shift = 12, .tbi = 8}},
	{"16k-47-upper", 0x41234000, TCR (17, 2, 17, 1, 5), TRUE, FALSE, TRUE,
		{.root = 0x41234000,
			.va_bits = 47,
			.pa_bits = 48,
			.page_shift = 14,
			.upper = TRUE}},
	{"64k-52-upper", 0x41230024, TCR (12, 1, 12, 3, 6), TRUE, FALSE, TRUE,
		{.root = 0x9000041230000,
			.va_bits = 52,
			.pa_bits = 52,
			.page_shift = 16,
			.upper = TRUE}},
	{"4k-52-lpa2", 0x41234004, TCR (12, 0, 12, 2, 6) | DS, TRUE, FALSE, TRUE,
		{.root = 0x1000041234000,
			.va_bits = 52,
			.pa_bits = 52,
			.page_shift = 12,
			.upper = TRUE,
			.flags = KD_ARM64_REGIME_LPA2}},
	{"el2-one-half", 0x41234000, 16 | 5 << 16 | 1 << 20, FALSE, TRUE, TRUE,
		{.root = 0x41234000, .va_bits = 48, .pa_bits = 48, .page_shift = 12, .tbi = 8}},
	{"reserved-granule-upper", 0x41234000, TCR (16, 0, 16, 0, 5), TRUE, FALSE, FALSE, {0}},
	{"reserved-granule-lower", 0x41234000, TCR (16, 3, 16, 2, 5), FALSE, FALSE, FALSE, {0}},
	{"size-too-large", 0x41234000, TCR (16, 0, 11, 2, 5), TRUE, FALSE, FALSE, {0}},
	{"size-too-small", 0x41234000, TCR (16, 0, 49, 2, 5), TRUE, FALSE, FALSE, {0}},
	{"walks-off", 0x41234000, TCR (16, 0, 16, 2, 5) | EPD1, TRUE, FALSE, FALSE, {0}},
};

static void
test_tcr (void)
{
	for (size_t i = 0; i < G_N_ELEMENTS (tcrs); i++) {
		const KdRegime *want = &tcrs[i].want;
		KdRegime regime = {.root = 1};
		gboolean ok = kd_arm64_regime_from_tcr (
			tcrs[i].ttbr, tcrs[i].tcr, tcrs[i].upper, tcrs[i].one_half, &regime);

		g_test_message ("%s", tcrs[i].name);
		g_assert_cmpint (ok, ==, tcrs[i].ok);
		if (!ok) {
			g_assert_cmpuint (regime.root, ==, 1);
			continue;
		}
		g_assert_cmphex (regime.root, ==, want->root);
		g_assert_cmpuint (regime.va_bits, ==, want->va_bits);
		g_assert_cmpuint (regime.pa_bits, ==, want->pa_bits);
		g_assert_cmpuint (regime.page_shift, ==, want->page_shift);
		g_assert_cmpint (regime.upper, ==, want->upper);
		g_assert_cmpuint (regime.tbi, ==, want->tbi);
		g_assert_cmphex (regime.flags, ==, want->flags);
	}
}

/* Which tables a CPU's registers give for what: the root tells which were taken, 0 none. */
static void
test_regimes (void)
{
	static const struct {
		const char *name;
		uint64_t hcr;
		uint64_t kernel, user, hyp, guest_kernel;
	} rows[] = {
		{"vhe-host", E2H | TGE, 0x2100000, 0x2000000, 0, 0},
		{"vhe-guest-loaded", E2H | VM | IMO, 0x2100000, 0x2000000, 0, 0x1100000},
		{"nvhe-host", 0, 0x1100000, 0x1000000, 0x2000000, 0},
		{"nvhe-guest-loaded", VM | IMO, 0, 0, 0x2000000, 0x1100000},
		{"pkvm-host", VM, 0x1100000, 0x1000000, 0x2000000, 0},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		const Reg regs[] = {{"HCR_EL2", rows[i].hcr}, {"SCTLR_EL1", 1}, {"SCTLR_EL2", 1},
			{"TCR_EL1", TCR (16, 0, 16, 2, 5)}, {"TCR_EL2", TCR (16, 0, 16, 2, 5)},
			{"TTBR0_EL1", 0x1000000}, {"TTBR1_EL1", 0x1100000},
			{"TTBR0_EL2", 0x2000000}, {"TTBR1_EL2", 0x2100000}, {NULL, 0}};
		const struct {
			KdRegimeKind kind;
			uint64_t root;
		} kinds[] = {{KD_REGIME_KERNEL, rows[i].kernel}, {KD_REGIME_USER, rows[i].user},
			{KD_REGIME_HYP, rows[i].hyp},
			{KD_REGIME_GUEST_KERNEL, rows[i].guest_kernel}};

		for (size_t k = 0; k < G_N_ELEMENTS (kinds); k++) {
			KdRegime regime = {0};
			gboolean ok = kd_arch_arm64.regime (
				kinds[k].kind, get_reg, (void *)regs, &regime);

			g_test_message ("%s, kind %d", rows[i].name, kinds[k].kind);
			g_assert_cmpint (ok, ==, kinds[k].root != 0);
			g_assert_cmphex (regime.root, ==, kinds[k].root);
		}
	}
}

/* Later QEMUs answer FOO_EL1 with EL2's value while at EL2 with E2H: FOO_EL12 is EL1's. */
static void
test_el12_preferred (void)
{
	const Reg regs[] = {{"HCR_EL2", E2H | VM | IMO}, {"SCTLR_EL12", 1},
		{"TCR_EL12", TCR (16, 0, 16, 2, 5)}, {"TTBR1_EL12", 0x1100000}, {"SCTLR_EL1", 0},
		{"TCR_EL1", 0}, {"TTBR1_EL1", 0x2100000}, {NULL, 0}};
	KdRegime regime;

	g_assert_true (
		kd_arch_arm64.regime (KD_REGIME_GUEST_KERNEL, get_reg, (void *)regs, &regime));
	g_assert_cmphex (regime.root, ==, 0x1100000);
}

static void
test_names (void)
{
	g_assert_cmpstr (kd_arch_arm64.canonical_name ("VBAR"), ==, "VBAR_EL1");
	g_assert_cmpstr (kd_arch_arm64.canonical_name ("VBAR_EL1"), ==, "VBAR_EL1");
	g_assert_cmpstr (
		kd_arch_arm64.canonical_name ("ID_AA64ISAR2_EL1_RESERVED"), ==, "ID_AA64ISAR2_EL1");
	g_assert_cmpstr (kd_arch_arm64.canonical_name ("x7"), ==, "x7");
	g_assert_cmpstr (kd_arch_arm64.dwarf_reg_name (30), ==, "x30");
	g_assert_cmpstr (kd_arch_arm64.dwarf_reg_name (31), ==, "sp");
	g_assert_null (kd_arch_arm64.dwarf_reg_name (33));
	g_assert_cmpstr (kd_arm64_exception_class (0x5a000000), ==, "HVC (AArch64)");
	g_assert_null (kd_arm64_exception_class (0x3fULL << 26));
	g_assert_true (kd_arch_by_gdb_name ("aarch64") == &kd_arch_arm64);
	g_assert_null (kd_arch_by_gdb_name ("mips"));
}

static void
test_syndrome (void)
{
	static const struct {
		uint64_t esr;
		const char *text;
	} rows[] = {
		{0x938b0045, "data abort from a lower level: write, translation fault, level 1, 4 "
			     "bytes, w11"},
		{0x92000007, "data abort from a lower level: read, translation fault, level 3, no "
			     "syndrome of the instruction"},
		{0x920001cf, "data abort from a lower level: write, permission fault, level 3, no "
			     "syndrome of the instruction, cache maintenance, on a stage 1 table "
			     "walk"},
		{0x93efc010, "data abort from a lower level: read, external abort, 8 bytes, x15, "
			     "sign extended"},
		{0x82000006, "instruction abort from a lower level: translation fault, level 2"},
		{0x8200002b, "instruction abort from a lower level: translation fault, level -1"},
		{0x82000016, "instruction abort from a lower level: external abort on a table "
			     "walk, level 2"},
		{0x5a000000, "HVC (AArch64): #0x0"},
		{0x5e00beef, "SMC (AArch64): #0xbeef"},
		{0x06000001, "WFI or WFE: WFE"},
		{0x6234f47a, "MSR, MRS or system instruction: msr s3_3_c13_c13_2, x3"},
		{0x62303079, "MSR, MRS or system instruction: mrs x3, icc_iar1_el1"},
		{0x623004a0, "MSR, MRS or system instruction: msr sctlr_el1, x5"},
		{0x62122046, "MSR, MRS or system instruction: tlbi vae1is, x2"},
		{0x6232f804, "MSR, MRS or system instruction: msr cntp_ctl_el0, x0"},
		{0xf2000800, "BRK (AArch64): #0x800, Linux's BUG or WARN"},
		{0xf2000904, "BRK (AArch64): #0x904, Linux's KASAN"},
		{0xf2001234, "BRK (AArch64): #0x1234"},
		{0x72000002, "pointer authentication failure: data key A"},
		{0x36000001, "branch target: BTYPE 1"},
		{0x8a000000, "PC alignment"},
		{0xbe000011, "SError: uncontainable"},
		{0xbf000001, "SError: implementation defined 0x1"},
		{0xb2800002, "floating point (AArch64): divide by zero"},
		{0xca000022, "software step from a lower level: no syndrome"},
		{0xcb000062, "software step from a lower level: of a load-exclusive"},
		{0x92000410, "data abort from a lower level: read, external abort, no syndrome of "
			     "the instruction, FAR is not valid"},
		{0x90000007, "data abort from a lower level: read, translation fault, level 3, no "
			     "syndrome of the instruction, of a 16-bit instruction"},
		{0xfe000012, "class 0x3f: syndrome 0x12"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *text = kd_arm64_syndrome_to_string (rows[i].esr);

		g_assert_cmpstr (text, ==, rows[i].text);
	}
}

static void
test_fault_ipa (void)
{
	uint64_t ipa = 1;

	g_assert_true (kd_arm64_fault_ipa (0x938b0045, 0xffff000010000abc, 0x100000, &ipa));
	g_assert_cmphex (ipa, ==, 0x10000abc);
	/* Of a stage 1 table: FAR is what the guest accessed. */
	g_assert_true (kd_arm64_fault_ipa (0x920000c7, 0xffff000010000abc, 0x100000, &ipa));
	g_assert_cmphex (ipa, ==, 0x10000000);
	/* All 52 bits. */
	g_assert_true (kd_arm64_fault_ipa (0x92000045, 0, 0xfffffffffff, &ipa));
	g_assert_cmphex (ipa, ==, 0xffffffffff000);
	ipa = 1;
	g_assert_false (kd_arm64_fault_ipa (0x92000050, 0, 0x100000, &ipa));
	g_assert_false (kd_arm64_fault_ipa (0x5a000000, 0, 0x100000, &ipa));
	g_assert_cmphex (ipa, ==, 1);
}

static void
test_bits (void)
{
	static const struct {
		const char *reg;
		uint64_t value;
		const char *text;
	} rows[] = {
		{"HCR_EL2", 0x403c807c263f,
			"VM|SWIO|PTW|FMO|IMO|AMO|FB|BSU=1|TWI|TID3|TSC|TIDCP|TACR|TSW|RW|E2H|TLOR|"
			"TERR|TEA|FWB"},
		{"MDCR_EL2", 0x84e66, "HPMN=6|TPMCR|TPM|TDA|TDOSA|TDRA|TPMS|TTRF"},
		{"CPTR_EL2", 0x400, "TFP"},
		{"CPTR_EL2", 0x437ff, "TZ|TFP|TSM|0x40000"},
		{"CPTR_EL2 (E2H)", 0x50300000, "FPEN=3|TTA|TAM"},
		{"HCRX_EL2", 0, ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *text = kd_arm64_bits_to_string (rows[i].reg, rows[i].value);

		g_assert_cmpstr (text, ==, rows[i].text);
	}
	g_assert_null (kd_arm64_bits_to_string ("SCTLR_EL9", 1));
}

/* What the same value says depends on the layout; what a name means, on the registers beside it. */
static void
test_sysregs (void)
{
	static const struct {
		const char *name;
		uint64_t hcr, value;
		const char *regime, *text;
	} rows[] = {
		{"PSTATE", E2H | TGE, 0x404000c9, "EL2&0 (host)", "EL2h, F|I|PAN|Z"},
		{"SPSR_EL2", E2H | TGE, 0x1d3, "EL2&0 (host)", "AArch32 svc, F|I|A"},
		{"SPSR_EL1", 0, 0x6, "EL1&0 (host)", "reserved mode"},
		{"SCTLR_EL2", E2H | TGE, 0x1005, "EL2&0 (host)", "M|C|I"},
		{"SCTLR_EL2", 0, 0x30c51835, "EL2 (hyp)", "M|C|I"},
		{"SCTLR_EL1", E2H | TGE, 0x1, "EL1&0 (guest, not in force)", "M"},
		{"SCTLR_EL12", E2H | VM | IMO, 0x1, "EL1&0 (guest)", "M"},
		{"SCTLR_EL1", VM | IMO, 0x1, "EL1&0 (guest)", "M"},
		{"SCTLR_EL1", VM, 0x1, "EL1&0 (host)", "M"},
		{"TCR_EL2", E2H | TGE, 0x515103510, "EL2&0 (host)",
			"lower half 48 bits in 4K pages, upper half off, to 48 bits, "
			"IRGN0=1|ORGN0=1|SH0=3|IRGN1=1|ORGN1=1|SH1=1"},
		{"TCR_EL2", 0, 0x80853510, "EL2 (hyp)",
			"48 bits in 4K pages, to 48 bits, IRGN0=1|ORGN0=1|SH0=3"},
		{"VTCR_EL2", VM | IMO, 0x802d3558, "EL1&0 stage 2 (guest)",
			"40 bits in 4K pages from level 1, to 48 bits, IRGN0=1|ORGN0=1|SH0=3|VS|"
			"HA"},
		{"VTCR_EL2", VM, 0xffffffff, "EL1&0 stage 2 (host)",
			"no tables it can be, IRGN0=3|ORGN0=3|SH0=3|VS|HA|HD|HWU=15|NSW|NSA|"
			"0x1900000"},
		{"VTTBR_EL2", E2H | TGE, 0x100004200c001, "EL1&0 stage 2 (not in force)",
			"table 0x4200c000, CnP|VMID=1"},
		{"TTBR1_EL2", E2H | TGE, 0x3000004158f001, "EL2&0 (host)",
			"table 0x4158f000, CnP|ASID=48"},
		{"CPTR_EL2", E2H | VM | IMO, 0x300000, "over EL2&0 (host), EL1&0 (guest)",
			"FPEN=3"},
		{"CPTR_EL2", 0, 0x33ff, "over EL1&0 (host)", "TZ|TSM"},
		{"HCR_EL2", E2H | TGE, E2H | TGE, "over EL0 (host)", "TGE|E2H"},
		{"ESR_EL2", E2H | TGE, 0x5a000000, "EL2&0 (host)", "HVC (AArch64): #0x0"},
		{"HPFAR_EL2", E2H | VM | IMO, 0x100000, "EL1&0 stage 2 (guest)",
			"guest-physical 0x10000000"},
		{"MAIR_EL1", 0, 0x40044ffffbb12, "EL1&0 (host)",
			"0 0x12, 1 write-through, 2 write-back, 3 write-back, 4 non-cacheable, "
			"5 nGnRnE, 6 nGnRE, 7 nGnRnE"},
		{"PAR_EL1", 0, 0xff00000041234800, NULL,
			"physical address 0x41234000, attributes 0xff"},
		{"PAR_EL1", 0, 0x20f, NULL, "no translation: fault status 0x07, stage 2"},
		{"CNTHCTL_EL2", E2H | TGE, 0xc02, "over EL0 (host)", "EL0VCTEN|EL1PCTEN|EL1PTEN"},
		{"CNTHCTL_EL2", 0, 0x3, "over EL1&0 (host)", "EL1PCTEN|EL1PCEN"},
		{"CNTV_CTL_EL02", E2H | VM | IMO, 5, "EL1&0 (guest)", "ENABLE|ISTATUS"},
		{"DACR32_EL2", E2H | VM | IMO, 0, "EL1&0 (guest)", NULL},
		{"ID_AA64MMFR1_EL1", 0, 0x11010211122, NULL, NULL},
		{"FPCR", 0, 0, NULL, NULL},
	};
	const KdSysregs *sysregs = kd_arch_arm64.sysregs;

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		Reg regs[] = {{"HCR_EL2", rows[i].hcr}, {NULL, 0}};
		const KdCpuState state = {KD_CPU_MODE_KERNEL, 2, "EL2h"};
		g_autofree char *text =
			sysregs->to_string (rows[i].name, rows[i].value, get_reg, regs);

		g_test_message ("%s", rows[i].name);
		g_assert_cmpstr (text, ==, rows[i].text);
		g_assert_cmpstr (
			sysregs->regime (rows[i].name, &state, get_reg, regs), ==, rows[i].regime);
	}
}

/* A register's own value, under whatever name the stub has it. */
static void
test_sysreg_values (void)
{
	const Reg regs[] = {{"cpsr", 0x3c9}, {"sp", 0x5000}, {"SP_EL2", 0x4000}, {"SP_EL0", 0x3000},
		{"SCTLR_EL1", 2}, {"SCTLR_EL12", 1}, {"VBAR_EL1", 7}, {NULL, 0}};
	static const struct {
		const char *name;
		uint64_t value;
	} rows[] = {{"PSTATE", 0x3c9}, {"SP_EL2", 0x5000}, {"SP_EL0", 0x3000}, {"SCTLR_EL1", 1},
		{"SCTLR_EL12", 1}, {"VBAR_EL1", 7}};
	const KdSysregs *sysregs = kd_arch_arm64.sysregs;
	uint64_t value = 99;

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_test_message ("%s", rows[i].name);
		g_assert_true (sysregs->read (rows[i].name, get_reg, (void *)regs, &value));
		g_assert_cmphex (value, ==, rows[i].value);
	}
	value = 99;
	g_assert_false (sysregs->read ("TCR_EL1", get_reg, (void *)regs, &value));
	g_assert_cmphex (value, ==, 99);
	g_assert_cmpint (sysregs->level ("SCTLR_EL12"), ==, 1);
	g_assert_cmpint (sysregs->level ("CNTP_CTL_EL02"), ==, 0);
	g_assert_cmpint (sysregs->level ("PSTATE"), ==, -1);
	g_assert_true (sysregs->is_level_of ("SCTLR_EL2", "sctlr"));
	g_assert_false (sysregs->is_level_of ("SCTLR_EL12", "SCTLR"));
	g_assert_false (sysregs->is_level_of ("SCTLR_EL2", "SCTL"));
	g_assert_false (sysregs->is_level_of ("FPCR", "FPCR"));
}

static void
test_pac (void)
{
	uint64_t mask = kd_arch_arm64.pac_mask (48);

	g_assert_cmphex (mask, ==, 0xff7f000000000000ULL);
	g_assert_cmphex (
		kd_arch_arm64.strip_pac (0xafea800008121d44ULL, mask), ==, 0xffff800008121d44ULL);
	g_assert_cmphex (kd_arch_arm64.strip_pac (0x002a0000aaaa1234ULL, mask), ==, 0xaaaa1234ULL);
	g_assert_cmphex (kd_arch_arm64.pac_mask (52), ==, 0xff70000000000000ULL);
}

static const struct {
	const char *name;
	uint32_t word;
	const char *to, *from;
	gboolean is;
} trivial[] = {
	{"nop", 0xd503201f, NULL, NULL, TRUE},
	{"mov x9, x30", 0xaa1e03e9, "x9", "x30", TRUE},
	{"mov x0, xzr", 0xaa1f03e0, NULL, NULL, FALSE},
	{"mov w9, w30", 0x2a1e03e9, NULL, NULL, FALSE},
	{"orr x9, x1, x30", 0xaa1e0029, NULL, NULL, FALSE},
	{"paciasp", 0xd503233f, NULL, NULL, FALSE},
	{"bti c", 0xd503245f, NULL, NULL, FALSE},
};

static const struct {
	const char *name;
	uint32_t word;
	const char *base, *index; /* base NULL: no access by a base */
} accesses[] = {
	{"ldr w1, [x0]", 0xb9400001, "x0", NULL},
	{"ldtr w2, [x3]", 0xb8400862, "x3", NULL},
	{"ldr x0, [x1, #32760]", 0xf97ffc20, "x1", NULL},
	{"ldp x6, x7, [x1], #16", 0xa8c11c26, "x1", NULL},
	{"ldrb w3, [x1, x2]", 0x38626823, "x1", "x2"},
	{"ldr x0, [sp, #8]", 0xf94007e0, "sp", NULL},
	{"ldxr x0, [x1]", 0xc85f7c20, "x1", NULL},
	{"ldr q0, [x9]", 0x3dc00120, "x9", NULL},
	{"ldr wzr, .", 0x1800001f, NULL, NULL},
	{"mov x19, x0", 0xaa0003f3, NULL, NULL},
	{"add x0, x0, #1", 0x91000400, NULL, NULL},
	{"bl", 0x94000001, NULL, NULL},
	{"nop", 0xd503201f, NULL, NULL},
};

static void
test_access_base (void)
{
	for (size_t i = 0; i < G_N_ELEMENTS (accesses); i++) {
		uint32_t words[2] = {GUINT32_TO_LE (accesses[i].word), 0};
		const char *base = NULL, *index = NULL;

		g_test_message ("%s", accesses[i].name);
		g_assert_cmpint (kd_arch_arm64.access_base ((const uint8_t *)words, &base, &index),
			==, accesses[i].base != NULL);
		g_assert_cmpstr (base, ==, accesses[i].base);
		g_assert_cmpstr (index, ==, accesses[i].index);
	}
}

static void
test_trivial (void)
{
	for (size_t i = 0; i < G_N_ELEMENTS (trivial); i++) {
		uint32_t words[2] = {GUINT32_TO_LE (trivial[i].word), 0};
		KdTrivialInsn insn;

		g_test_message ("%s", trivial[i].name);
		g_assert_cmpint (kd_arch_arm64.trivial_insn ((const uint8_t *)words, &insn), ==,
			trivial[i].is);
		if (!trivial[i].is)
			continue;
		g_assert_cmpuint (insn.size, ==, 4);
		g_assert_cmpstr (insn.to, ==, trivial[i].to);
		g_assert_cmpstr (insn.from, ==, trivial[i].from);
	}
}

static gboolean
cpsr_of (void *data, const char *name, uint64_t *ret_value)
{
	g_assert_cmpstr (name, ==, "cpsr");
	*ret_value = *(const uint32_t *)data;
	return TRUE;
}

static const struct {
	const char *name;
	uint32_t word, cpsr;
	gboolean is;
} held[] = {
	{"ldr at EL1h", 0xf9400021, 0x60400005, TRUE},
	{"ret at EL2h", 0xd65f03c0, 0x60400009, TRUE},
	{"mrs x0, sp_el0", 0xd5384100, 5, TRUE},
	{"paciasp", 0xd503233f, 5, TRUE},
	{"they are off", 0xf9400021, 0x604000c5, FALSE},
	{"at EL0t", 0xf9400021, 0, FALSE},
	{"at EL1t", 0xf9400021, 4, FALSE},
	{"AArch32", 0xf9400021, 0x11, FALSE},
	{"mrs x0, daif", 0xd53b4220, 5, FALSE},
	{"msr daif, x0", 0xd51b4220, 5, FALSE},
	{"msr daifset, #3", 0xd50343df, 5, FALSE},
	{"msr daifclr, #15", 0xd5034fff, 5, FALSE},
	{"wfi", 0xd503207f, 5, FALSE},
	{"svc #0", 0xd4000001, 5, FALSE},
	{"brk #0x800", 0xd4210000, 5, FALSE},
	{"eret", 0xd69f03e0, 5, FALSE},
	{"eretaa", 0xd69f0bff, 5, FALSE},
};

static void
test_held (void)
{
	for (size_t i = 0; i < G_N_ELEMENTS (held); i++) {
		uint32_t words[2] = {GUINT32_TO_LE (held[i].word), 0}, cpsr = held[i].cpsr;
		const char *reg = NULL;
		uint64_t bits = 0;

		g_test_message ("%s", held[i].name);
		g_assert_cmpint (kd_arch_arm64.hold_irqs (
					 cpsr_of, &cpsr, (const uint8_t *)words, &reg, &bits),
			==, held[i].is);
		g_assert_cmpstr (reg, ==, held[i].is ? "cpsr" : NULL);
		g_assert_cmphex (bits, ==, held[i].is ? 0xc0 : 0);
	}
}

#define LDXR 0xc85f7c20u /* ldxr x0, [x1] */
#define NOPS 0xd503201fu, 0xd503201fu, 0xd503201fu, 0xd503201fu

static const struct {
	const char *name;
	uint32_t words[KD_EXCLUSIVE_BYTES / 4];
	unsigned nr;
	uint64_t ends[KD_EXCLUSIVE_ENDS_MAX];
} exclusive[] = {
	{"to the store", {LDXR, 0x91000400, 0xc8027c20}, 1, {0x100c}},
	/* A compare that fails goes out of it, one that stays inside comes to the store. */
	{"with ways out", {LDXR, 0x54000061, 0xb4000040, 0x54000061, 0xc8027c20}, 2,
		{0x1014, 0x1018}},
	{"of pairs", {0xc87f0420, 0xc8220420}, 1, {0x1008}},
	{"no store", {LDXR, NOPS, NOPS, NOPS}, 0, {0}},
	{"a call", {LDXR, 0x94000002, 0xc8027c20}, 0, {0}},
	{"casp is no store", {LDXR, 0x48207c82, 0xd65f03c0}, 0, {0}},
};

static void
test_exclusive (void)
{
	for (size_t i = 0; i < G_N_ELEMENTS (exclusive); i++) {
		uint64_t ends[KD_EXCLUSIVE_ENDS_MAX];
		uint8_t code[KD_EXCLUSIVE_BYTES];
		unsigned nr;

		for (size_t k = 0; k < G_N_ELEMENTS (exclusive[i].words); k++)
			for (unsigned b = 0; b < 4; b++)
				code[4 * k + b] = (uint8_t)(exclusive[i].words[k] >> 8 * b);
		nr = kd_arch_arm64.exclusive_ends (code, 0x1000, ends);
		g_test_message ("%s", exclusive[i].name);
		g_assert_cmpuint (nr, ==, exclusive[i].nr);
		for (unsigned k = 0; k < nr; k++)
			g_assert_cmphex (ends[k], ==, exclusive[i].ends[k]);
	}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/arm64/modes", test_modes);
	g_test_add_func ("/arm64/mode-without-registers", test_mode_without_registers);
	g_test_add_func ("/arm64/tcr", test_tcr);
	g_test_add_func ("/arm64/regimes", test_regimes);
	g_test_add_func ("/arm64/el12-preferred", test_el12_preferred);
	g_test_add_func ("/arm64/names", test_names);
	g_test_add_func ("/arm64/pac", test_pac);
	g_test_add_func ("/arm64/syndrome", test_syndrome);
	g_test_add_func ("/arm64/fault-ipa", test_fault_ipa);
	g_test_add_func ("/arm64/bits", test_bits);
	g_test_add_func ("/arm64/sysregs", test_sysregs);
	g_test_add_func ("/arm64/sysreg-values", test_sysreg_values);
	g_test_add_func ("/arm64/trivial", test_trivial);
	g_test_add_func ("/arm64/access-base", test_access_base);
	g_test_add_func ("/arm64/held-irqs", test_held);
	g_test_add_func ("/arm64/exclusive", test_exclusive);
	return g_test_run();
}
