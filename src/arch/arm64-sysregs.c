/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "arch/arm64.h"

#define HCR_VM (1ULL << 0)
#define HCR_E2H (1ULL << 34)

#define BITS(value, high, low) (((value) >> (low)) & ((UINT64_C (1) << ((high) - (low) + 1)) - 1))
#define PSTATE_AARCH32 (1ULL << 4)

static const char *const control[] = {"HCR_EL2", "HCRX_EL2", "CPTR_EL2", "MDCR_EL2", "HSTR_EL2",
	"CNTHCTL_EL2", "CNTVOFF_EL2", "VPIDR_EL2", "VMPIDR_EL2", NULL};
static const char *const stage2[] = {
	"VTTBR_EL2", "VTCR_EL2", "HPFAR_EL2", "VSTTBR_EL2", "VSTCR_EL2", NULL};
static const char *const stage1[] = {"SCTLR_EL2", "TCR_EL2", "TTBR0_EL2", "TTBR1_EL2", "MAIR_EL2",
	"SCTLR_EL1", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "MAIR_EL1", NULL};
static const char *const exceptions[] = {"VBAR_EL2", "ESR_EL2", "FAR_EL2", "ELR_EL2", "SPSR_EL2",
	"VBAR_EL1", "ESR_EL1", "FAR_EL1", "ELR_EL1", "SPSR_EL1", "PAR_EL1", NULL};
static const char *const state[] = {"PSTATE", "SP_EL0", "SP_EL1", "SP_EL2", "TPIDR_EL2",
	"TPIDR_EL1", "TPIDR_EL0", "TPIDRRO_EL0", "CONTEXTIDR_EL2", "CONTEXTIDR_EL1", "CPACR_EL1",
	"ZCR_EL2", "ZCR_EL1", "MDSCR_EL1", NULL};
static const char *const timers[] = {"CNTHP_CTL_EL2", "CNTHP_CVAL_EL2", "CNTHV_CTL_EL2",
	"CNTHV_CVAL_EL2", "CNTKCTL_EL1", "CNTP_CTL_EL0", "CNTP_CVAL_EL0", "CNTV_CTL_EL0",
	"CNTV_CVAL_EL0", NULL};

static const KdSysregGroup groups[] = {
	{"state", state},
	{"hypervisor control", control},
	{"stage 2 translation", stage2},
	{"stage 1 translation", stage1},
	{"exceptions", exceptions},
	{"timers", timers},
	{NULL, NULL},
};

/* --- names --- */

static const char *
level_suffix (const char *name)
{
	const char *suffix = g_strrstr (name, "_EL");

	return suffix && g_ascii_isdigit (suffix[3]) ? suffix : NULL;
}

/* _EL12 and _EL02 are what EL2 calls EL1's and EL0's own under E2H: the first digit is whose. */
static int
level (const char *name)
{
	const char *suffix = level_suffix (name);

	return suffix ? suffix[3] - '0' : -1;
}

/* _EL12 is another name, not another register. */
static gboolean
is_level_of (const char *name, const char *base)
{
	const char *suffix = level_suffix (name);
	size_t len = strlen (base);

	return suffix && suffix[4] == '\0' && (size_t)(suffix - name) == len &&
	       g_ascii_strncasecmp (name, base, len) == 0;
}

/* "SCTLR_EL1" of "SCTLR_EL12". New string. */
static char *
own_name (const char *name)
{
	const char *suffix = level_suffix (name);

	return suffix && suffix[4] == '2' ? g_strndup (name, strlen (name) - 1) : g_strdup (name);
}

/* --- values --- */

static uint64_t
get_or_zero (KdRegGetFunc get, void *data, const char *name)
{
	uint64_t value = 0;

	return get (data, name, &value) ? value : 0;
}

static gboolean
is_e2h (KdRegGetFunc get, void *data)
{
	return (get_or_zero (get, data, "HCR_EL2") & HCR_E2H) != 0;
}

/*
 * The stack pointer in use lives in `sp`: QEMU brings the banked copy up to date only when the
 * selection changes (7.2 and 10.0, target/arm/internals.h, aarch64_save_sp).
 */
static gboolean
is_current_sp (const char *name, KdRegGetFunc get, void *data)
{
	uint64_t cpsr;

	if (!g_str_has_prefix (name, "SP_EL") || !get (data, "cpsr", &cpsr) ||
		(cpsr & PSTATE_AARCH32))
		return FALSE;
	return level (name) == (cpsr & 1 ? (int)BITS (cpsr, 3, 2) : 0);
}

/*
 * 7.2 and 10.0 were seen to show EL1's own under the plain name even at EL2 with E2H; later ones
 * redirect it as the CPU does. The alias is EL1's in all.
 */
static gboolean
read_own (const char *name, KdRegGetFunc get, void *data, uint64_t *ret_value)
{
	g_autofree char *alias = g_strdup_printf ("%s2", name);

	if (strcmp (name, "PSTATE") == 0)
		return get (data, "cpsr", ret_value);
	if (is_current_sp (name, get, data))
		return get (data, "sp", ret_value);
	if ((g_str_has_suffix (name, "_EL1") || g_str_has_suffix (name, "_EL0")) &&
		get (data, alias, ret_value))
		return TRUE;
	return get (data, name, ret_value);
}

/* --- regimes --- */

static gboolean
is_one_of (const char *name, const char *const *names)
{
	return g_strv_contains (names, name);
}

/* Of EL2's registers, those that are about what runs below. */
static gboolean
is_over_el1 (const char *name)
{
	return is_one_of (name, control) || g_str_has_prefix (name, "HFG") ||
	       g_str_has_prefix (name, "HDFG") || g_str_has_prefix (name, "HACR") ||
	       g_str_has_prefix (name, "VSESR") || g_str_has_prefix (name, "VDISR") ||
	       g_str_has_prefix (name, "VNCR");
}

/* Of what has a name of EL1 or EL0, what belongs to EL1's regime; the rest says what the CPU is. */
static gboolean
is_el1s (const char *name)
{
	static const char *const bases[] = {"SCTLR", "SCTLR2", "TCR", "TCR2", "TTBR0", "TTBR1",
		"MAIR", "AMAIR", "ACTLR", "VBAR", "ESR", "FAR", "AFSR0", "AFSR1", "ELR", "SPSR",
		"SP", "TPIDR", "CONTEXTIDR", "CPACR", "ZCR", "SMCR", "SCXTNUM", "CNTKCTL", "PIR",
		"PIRE0", "POR", "TRFCR", NULL};
	g_autofree char *base = g_strndup (name, level_suffix (name) - name);

	return level (name) == 1
		       ? g_strv_contains (bases, base)
		       : g_str_has_prefix (name, "CNTP_") || g_str_has_prefix (name, "CNTV_");
}

static const char *
regime_of_level (int el, uint64_t hcr)
{
	gboolean e2h = (hcr & HCR_E2H) != 0;

	switch (el) {
	case 1:
		if (kd_arm64_is_guest_loaded (hcr))
			return "EL1&0 (guest)";
		return e2h ? "EL1&0 (guest, not in force)" : "EL1&0 (host)";
	case 2:
		return e2h ? "EL2&0 (host)" : "EL2 (hyp)";
	case 3:
		return "EL3 (firmware)";
	default:
		return NULL;
	}
}

/* EL0 belongs to EL2's regime under a VHE host, else to EL1's. */
static const char *
regime_of_cpu (const KdCpuState *cpu, uint64_t hcr)
{
	if (cpu->el == 0)
		return regime_of_level (
			(hcr & HCR_E2H) && !kd_arm64_is_guest_loaded (hcr) ? 2 : 1, hcr);
	return regime_of_level (cpu->el, hcr);
}

static const char *
regime_of_stage2 (uint64_t hcr)
{
	if (kd_arm64_is_guest_loaded (hcr))
		return "EL1&0 stage 2 (guest)";
	/* Without E2H that is pKVM's, for its host; with it, TGE is set. */
	if ((hcr & HCR_VM) && !(hcr & HCR_E2H))
		return "EL1&0 stage 2 (host)";
	return "EL1&0 stage 2 (not in force)";
}

static const char *
regime (const char *name, const KdCpuState *cpu, KdRegGetFunc get, void *data)
{
	uint64_t hcr = get_or_zero (get, data, "HCR_EL2");
	gboolean guest = kd_arm64_is_guest_loaded (hcr), e2h = (hcr & HCR_E2H) != 0;
	g_autofree char *own = own_name (name);
	int el = level (own);

	if (strcmp (own, "PSTATE") == 0)
		return regime_of_cpu (cpu, hcr);
	if (is_one_of (own, stage2))
		return regime_of_stage2 (hcr);
	/* With E2H it traps what EL2's own EL0 does, too. */
	if (strcmp (own, "CPTR_EL2") == 0 && e2h)
		return guest ? "over EL2&0 (host), EL1&0 (guest)" : "over EL2&0 (host)";
	if (is_over_el1 (own))
		return guest ? "over EL1&0 (guest)" : e2h ? "over EL0 (host)" : "over EL1&0 (host)";
	if (el == 0 || el == 1)
		return is_el1s (own) ? regime_of_level (1, hcr) : NULL;
	/* EL1's in AArch32: DACR32_EL2. */
	return regime_of_level (el == 2 && g_str_has_suffix (own, "32_EL2") ? 1 : el, hcr);
}

/* --- words --- */

static const KdBitField *
fields (const char *name, uint64_t value, KdRegGetFunc get, void *data)
{
	static const char *const other_with_e2h[] = {
		"CPTR_EL2", "SCTLR_EL2", "TCR_EL2", "CNTHCTL_EL2", NULL};
	g_autofree char *own = own_name (name);

	if (strcmp (own, "PSTATE") == 0 || g_str_has_prefix (own, "SPSR_"))
		return kd_arm64_bits (value & PSTATE_AARCH32 ? "PSTATE (AArch32)" : "PSTATE");
	if (is_one_of (own, other_with_e2h) && is_e2h (get, data)) {
		g_autofree char *with = g_strdup_printf ("%s (E2H)", own);

		return kd_arm64_bits (with);
	}
	return kd_arm64_bits (own);
}

/* "EL2h": the words of SPSR.M. Arm ARM C5.2.19. */
static const char *
mode_words (uint64_t spsr)
{
	static const char *const modes[16] = {[0] = "EL0t",
		[4] = "EL1t",
		[5] = "EL1h",
		[8] = "EL2t",
		[9] = "EL2h",
		[12] = "EL3t",
		[13] = "EL3h"};
	static const char *const aarch32[16] = {[0] = "AArch32 usr",
		[1] = "AArch32 fiq",
		[2] = "AArch32 irq",
		[3] = "AArch32 svc",
		[6] = "AArch32 mon",
		[7] = "AArch32 abt",
		[10] = "AArch32 hyp",
		[11] = "AArch32 und",
		[15] = "AArch32 sys"};
	const char *words = (spsr & PSTATE_AARCH32 ? aarch32 : modes)[spsr & 15];

	return words ? words : "reserved mode";
}

/* Appends one half of stage 1. */
static void
half_to_string (GString *text, const char *label, uint64_t tcr, gboolean upper, gboolean one_half)
{
	KdRegime half;

	g_string_append_printf (text, "%s%s", text->len ? ", " : "", label);
	if (kd_arm64_regime_from_tcr (0, tcr, upper, one_half, &half))
		g_string_append_printf (text, "%u bits in %uK pages%s", half.va_bits,
			1U << (half.page_shift - 10), half.tbi ? " (TBI)" : "");
	else
		g_string_append (text, "off");
}

/* What the sizes mean; the other fields follow. */
static char *
tcr_words (uint64_t tcr, gboolean one_half)
{
	GString *text = g_string_new (NULL);
	KdRegime half;

	half_to_string (text, one_half ? "" : "lower half ", tcr, FALSE, one_half);
	if (!one_half)
		half_to_string (text, "upper half ", tcr, TRUE, FALSE);
	if (kd_arm64_regime_from_tcr (0, tcr, FALSE, one_half, &half) ||
		(!one_half && kd_arm64_regime_from_tcr (0, tcr, TRUE, FALSE, &half)))
		g_string_append_printf (text, ", to %u bits", half.pa_bits);
	return g_string_free (text, FALSE);
}

static char *
vtcr_words (uint64_t vtcr)
{
	KdRegime tables;

	if (!kd_arm64_regime_from_vtcr (0, vtcr, &tables))
		return g_strdup ("no tables it can be");
	return g_strdup_printf ("%u bits in %uK pages from level %d, to %u bits", tables.va_bits,
		1U << (tables.page_shift - 10), KD_ARM64_REGIME_START_LEVEL (tables.flags),
		tables.pa_bits);
}

/* The root as its TCR has it: with 52-bit addresses their top is in low bits. */
static char *
ttbr_words (const char *own, uint64_t ttbr, KdRegGetFunc get, void *data)
{
	int el = level (own);
	gboolean upper = own[4] == '1', one_half = el == 2 && !is_e2h (get, data);
	g_autofree char *tcr_name = g_strdup_printf ("TCR_EL%d", el);
	uint64_t tcr, root = ttbr & UINT64_C (0xfffffffffffe);
	KdRegime half;

	if (read_own (tcr_name, get, data, &tcr) &&
		kd_arm64_regime_from_tcr (ttbr, tcr, upper, one_half, &half))
		root = half.root;
	return g_strdup_printf ("table 0x%" PRIx64, root);
}

/* As ttbr_words(). */
static char *
vttbr_words (uint64_t vttbr, KdRegGetFunc get, void *data)
{
	uint64_t root = vttbr & UINT64_C (0xfffffffffffe);
	KdRegime tables;

	if (kd_arm64_regime_from_vtcr (0, get_or_zero (get, data, "VTCR_EL2"), &tables) &&
		tables.pa_bits == 52 &&
		(tables.page_shift == 16 || (tables.flags & KD_ARM64_REGIME_LPA2)))
		root = (root & ~UINT64_C (0x3f)) | BITS (vttbr, 5, 2) << 48;
	return g_strdup_printf ("table 0x%" PRIx64, root);
}

/* Arm ARM D19.2.104: what each byte makes of memory. */
static char *
mair_words (uint64_t mair)
{
	static const struct {
		uint8_t attr;
		const char *name;
	} attrs[] = {{0x00, "nGnRnE"}, {0x04, "nGnRE"}, {0x08, "nGRE"}, {0x0c, "GRE"},
		{0x44, "non-cacheable"}, {0xbb, "write-through"}, {0xf0, "tagged"},
		{0xff, "write-back"}};
	GString *text = g_string_new (NULL);

	for (unsigned i = 0; i < 8; i++) {
		uint8_t attr = mair >> 8 * i & 0xff;
		const char *name = NULL;

		for (size_t k = 0; k < G_N_ELEMENTS (attrs) && !name; k++)
			if (attrs[k].attr == attr)
				name = attrs[k].name;
		g_string_append_printf (text, "%s%u ", i ? ", " : "", i);
		if (name)
			g_string_append (text, name);
		else
			g_string_append_printf (text, "0x%02x", attr);
	}
	return g_string_free (text, FALSE);
}

/* PAR_EL1: what AT found. */
static char *
par_words (uint64_t par)
{
	if (!(par & 1))
		return g_strdup_printf ("physical address 0x%" PRIx64 ", attributes 0x%02x",
			par & UINT64_C (0xffffffffff000), (unsigned)BITS (par, 63, 56));
	return g_strdup_printf ("no translation: fault status 0x%02x, stage %d",
		(unsigned)BITS (par, 6, 1), par >> 9 & 1 ? 2 : 1);
}

/* Words that no table of bits has; *ret_told: the bits they stand for. NULL: none. */
static char *
words (const char *own, uint64_t value, KdRegGetFunc get, void *data, uint64_t *ret_told)
{
	*ret_told = 0;
	if (strcmp (own, "PSTATE") == 0 || g_str_has_prefix (own, "SPSR_EL")) {
		*ret_told = 0x1f;
		return g_strdup (mode_words (value));
	}
	if (strcmp (own, "TCR_EL1") == 0 || (strcmp (own, "TCR_EL2") == 0 && is_e2h (get, data))) {
		*ret_told = 0x7c03fc03fULL; /* sizes, granules, IPS */
		return tcr_words (value, FALSE);
	}
	if (strcmp (own, "TCR_EL2") == 0) {
		*ret_told = 0x7c03f;
		return tcr_words (value, TRUE);
	}
	if (strcmp (own, "VTCR_EL2") == 0) {
		*ret_told = 0x7c0ff;
		return vtcr_words (value);
	}
	if (strcmp (own, "VTTBR_EL2") == 0)
		return vttbr_words (value, get, data);
	if (g_str_has_prefix (own, "TTBR"))
		return ttbr_words (own, value, get, data);
	*ret_told = UINT64_MAX;
	if (g_str_has_prefix (own, "ESR_EL"))
		return kd_arm64_syndrome_to_string (value);
	if (g_str_has_prefix (own, "MAIR_EL"))
		return mair_words (value);
	if (strcmp (own, "HPFAR_EL2") == 0)
		return g_strdup_printf ("guest-physical 0x%" PRIx64, BITS (value, 43, 4) << 12);
	return strcmp (own, "PAR_EL1") == 0 ? par_words (value) : NULL;
}

static char *
to_string (const char *name, uint64_t value, KdRegGetFunc get, void *data)
{
	const KdBitField *bits = fields (name, value, get, data);
	g_autofree char *own = own_name (name), *first = NULL, *rest = NULL;
	uint64_t told;

	first = words (own, value, get, data, &told);
	if (first && told == UINT64_MAX)
		return g_steal_pointer (&first);
	if (!bits)
		return g_steal_pointer (&first);
	rest = kd_bit_fields_to_string (bits, value & ~(first ? told : 0));
	if (!first)
		return g_steal_pointer (&rest);
	return g_strdup_printf ("%s%s%s", first, rest[0] ? ", " : "", rest);
}

const KdSysregs kd_arm64_sysregs = {
	.groups = groups,
	.has_levels = TRUE,
	.level = level,
	.is_level_of = is_level_of,
	.read = read_own,
	.regime = regime,
	.fields = fields,
	.to_string = to_string,
};
