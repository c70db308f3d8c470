/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "kvm/vcpu-arm64.h"

#define SYSREGS_MAX 4096
#define HCR_RW (1ULL << 31)
#define HCR_APK (1ULL << 40)
#define HCR_API (1ULL << 41)
#define HCR_NV (1ULL << 42)
#define HCR_ATA (1ULL << 56)
#define HCRX_TCR2EN (1ULL << 14)

/* When a register of the guest is in the CPU and not, or not only, in memory. */
typedef enum {
	IN_MEMORY,       /* accesses trap and KVM emulates the register, or it never changes */
	WITH_EL1,        /* the EL1 context: with VHE from vcpu_load() to vcpu_put() */
	WITH_EL1_32,     /* the same, of guests whose EL1 is AArch32 */
	WITH_EL1_TAGS,   /* … of guests with memory tagging */
	WITH_EL1_TCR2,   /* … that may use TCR2_EL1 */
	WITH_EL1_CSSELR, /* … before KVM had cache types of its own (6.3) */
	ENTERED,         /* switched at each entry and exit, as the general registers */
	ENTERED_KEYS,    /* … of guests with pointer authentication */
	ENTERED_TAGS,    /* … with memory tagging */
	WITH_SVE,        /* with the vector registers, which are switched when first used */
} Place;

/*
 * arch/arm64/kvm/hyp: sysreg-sr.h, entry.S, switch.h. Of what is not here memory has the value.
 */
static const struct {
	const char *name;
	Place place;
	const char *reg; /* where the CPU has it; NULL: in the register of that name */
} places[] = {
	{"CSSELR_EL1", WITH_EL1_CSSELR, NULL},
	{"SCTLR_EL1", WITH_EL1, NULL},
	{"CPACR_EL1", WITH_EL1, NULL},
	{"TTBR0_EL1", WITH_EL1, NULL},
	{"TTBR1_EL1", WITH_EL1, NULL},
	{"TCR_EL1", WITH_EL1, NULL},
	{"TCR2_EL1", WITH_EL1_TCR2, NULL},
	{"PIR_EL1", WITH_EL1_TCR2, NULL},
	{"PIRE0_EL1", WITH_EL1_TCR2, NULL},
	{"POR_EL1", WITH_EL1_TCR2, NULL},
	{"POR_EL0", WITH_EL1_TCR2, NULL},
	{"ESR_EL1", WITH_EL1, NULL},
	{"AFSR0_EL1", WITH_EL1, NULL},
	{"AFSR1_EL1", WITH_EL1, NULL},
	{"FAR_EL1", WITH_EL1, NULL},
	{"MAIR_EL1", WITH_EL1, NULL},
	{"VBAR_EL1", WITH_EL1, NULL},
	{"CONTEXTIDR_EL1", WITH_EL1, NULL},
	{"TPIDR_EL0", WITH_EL1, NULL},
	{"TPIDRRO_EL0", WITH_EL1, NULL},
	{"TPIDR_EL1", WITH_EL1, NULL},
	{"AMAIR_EL1", WITH_EL1, NULL},
	{"CNTKCTL_EL1", WITH_EL1, NULL},
	{"PAR_EL1", WITH_EL1, NULL},
	{"ELR_EL1", WITH_EL1, NULL},
	{"SP_EL1", WITH_EL1, NULL},
	{"SPSR_EL1", WITH_EL1, NULL},
	{"TFSR_EL1", WITH_EL1_TAGS, NULL},
	{"TFSRE0_EL1", WITH_EL1_TAGS, NULL},
	{"DACR32_EL2", WITH_EL1_32, NULL},
	{"IFSR32_EL2", WITH_EL1_32, NULL},
	{"DBGVCR32_EL2", WITH_EL1_32, NULL},
	{"FPEXC32_EL2", WITH_EL1_32, NULL},
	{"MDSCR_EL1", ENTERED, NULL},
	{"DISR_EL1", ENTERED, "VDISR_EL2"},
	{"RGSR_EL1", ENTERED_TAGS, NULL},
	{"GCR_EL1", ENTERED_TAGS, NULL},
	{"APIAKEYLO_EL1", ENTERED_KEYS, NULL},
	{"APIAKEYHI_EL1", ENTERED_KEYS, NULL},
	{"APIBKEYLO_EL1", ENTERED_KEYS, NULL},
	{"APIBKEYHI_EL1", ENTERED_KEYS, NULL},
	{"APDAKEYLO_EL1", ENTERED_KEYS, NULL},
	{"APDAKEYHI_EL1", ENTERED_KEYS, NULL},
	{"APDBKEYLO_EL1", ENTERED_KEYS, NULL},
	{"APDBKEYHI_EL1", ENTERED_KEYS, NULL},
	{"APGAKEYLO_EL1", ENTERED_KEYS, NULL},
	{"APGAKEYHI_EL1", ENTERED_KEYS, NULL},
	{"ZCR_EL1", WITH_SVE, NULL},
};

/* --- where one is --- */

static uint64_t
member_or_zero (const KdObject *vcpu, const char *path)
{
	uint64_t value;

	return kd_object_has_member (vcpu, path) && kd_object_member_u64 (vcpu, path, &value, NULL)
		       ? value
		       : 0;
}

static gboolean
is_on_cpu (const KdArm64Vcpu *vcpu, Place place)
{
	gboolean entered = vcpu->in_guest || vcpu->in_vector || vcpu->moving;

	switch (place) {
	case IN_MEMORY:
		break;
	case WITH_EL1:
		return vcpu->el1_on_cpu;
	case WITH_EL1_32:
		return vcpu->el1_on_cpu && !(vcpu->hcr & HCR_RW);
	case WITH_EL1_TAGS:
		return vcpu->el1_on_cpu && (vcpu->hcr & HCR_ATA);
	case WITH_EL1_TCR2:
		return vcpu->el1_on_cpu &&
		       (member_or_zero (vcpu->vcpu, "arch.hcrx_el2") & HCRX_TCR2EN);
	case WITH_EL1_CSSELR:
		return vcpu->el1_on_cpu && !kd_object_has_member (vcpu->vcpu, "arch.ccsidr");
	case ENTERED:
		return entered;
	case ENTERED_KEYS:
		return entered && (vcpu->hcr & (HCR_API | HCR_APK));
	case ENTERED_TAGS:
		return entered && (vcpu->hcr & HCR_ATA);
	case WITH_SVE:
		return vcpu->loaded && member_or_zero (vcpu->vcpu, "arch.sve_max_vl") != 0;
	}
	return FALSE;
}

static void
add_sysreg (const KdArm64Vcpu *vcpu, JsonObject *group, const char *name, uint64_t memory)
{
	const char *reg = NULL;
	gboolean on_cpu = FALSE;

	for (size_t i = 0; i < G_N_ELEMENTS (places); i++) {
		if (strcmp (places[i].name, name) != 0)
			continue;
		reg = places[i].reg ? places[i].reg : name;
		on_cpu = is_on_cpu (vcpu, places[i].place);
		/* Whose vectors are in the CPU is not told; nor whose EL1 under nested KVM. */
		if (places[i].place == WITH_SVE || (vcpu->hcr & HCR_NV) ||
			(vcpu->moving && places[i].place >= ENTERED))
			reg = NULL;
	}
	kd_vcpu_arm64_add (vcpu, group, name, memory, on_cpu, reg);
}

/* --- names and values --- */

typedef struct {
	uint8_t *bytes;
	unsigned nr;
	KdObject vncr; /* 6.9, "KVM: arm64: nv: … VNCR": a page that holds those from vncr_start on
			*/
	gboolean has_vncr;
	int64_t vncr_start;
	const KdType *names;
} Sysregs;

static gboolean
sysregs_init (Sysregs *ret, const KdObject *vcpu, GError **error)
{
	static const char array[] = "arch.ctxt.sys_regs";
	Sysregs sysregs = {0};
	KdObject object;
	uint64_t nr, vncr;

	sysregs.names = kd_image_type_by_name (kd_kernel_image (vcpu->kernel), "enum vcpu_sysreg");
	if (!sysregs.names || !kd_object_has_member (vcpu, array)) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_LAYOUT,
			"the kernel's types have no enum vcpu_sysreg or no %s", array);
		return FALSE;
	}
	if (!kd_object_member (vcpu, array, &object, error))
		return FALSE;
	nr = kd_type_nr_elements (kd_type_strip (object.type));
	sysregs.nr = (unsigned)MIN (nr, SYSREGS_MAX);
	sysregs.bytes = g_malloc0 (sysregs.nr * 8 + 1);
	if (!kd_object_read_bytes (&object, sysregs.bytes, sysregs.nr * 8, error)) {
		g_free (sysregs.bytes);
		return FALSE;
	}
	sysregs.has_vncr =
		kd_object_has_member (vcpu, "arch.ctxt.vncr_array") &&
		kd_object_member (vcpu, "arch.ctxt.vncr_array", &sysregs.vncr, NULL) &&
		kd_object_u64 (&sysregs.vncr, &vncr, NULL) && vncr != 0 &&
		kd_type_enumerator (sysregs.names, "__VNCR_START__", &sysregs.vncr_start);
	*ret = sysregs;
	return TRUE;
}

static gboolean
sysreg_value (const Sysregs *sysregs, int64_t index, uint64_t *ret_value)
{
	uint64_t value = 0;
	KdObject element;

	if (index < 0 || index >= sysregs->nr)
		return FALSE;
	if (sysregs->has_vncr && index >= sysregs->vncr_start)
		return kd_object_index (
			       &sysregs->vncr, index - sysregs->vncr_start, &element, NULL) &&
		       kd_object_u64 (&element, ret_value, NULL);
	for (unsigned byte = 8; byte-- > 0;)
		value = value << 8 | sysregs->bytes[(size_t)index * 8 + byte];
	*ret_value = value;
	return TRUE;
}

/* "PMEVCNTR", 30, "_EL0" of "PMEVCNTR30_EL0". FALSE: not of that form. */
static gboolean
split_numbered (const char *name, size_t *ret_stem, unsigned *ret_number, const char **ret_rest)
{
	const char *rest = strrchr (name, '_');
	const char *digits = rest;
	unsigned number = 0;

	if (!rest)
		return FALSE;
	while (digits > name && g_ascii_isdigit (digits[-1]))
		digits--;
	if (digits == rest || rest - digits > 3)
		return FALSE;
	for (const char *at = digits; at < rest; at++)
		number = number * 10 + (unsigned)(*at - '0');
	*ret_stem = (size_t)(digits - name);
	*ret_number = number;
	*ret_rest = rest;
	return TRUE;
}

/* The enumeration names the first and the last of a row of equal registers only. */
static void
add_between (const KdArm64Vcpu *vcpu, JsonObject *group, const Sysregs *sysregs,
	const KdEnumerator *first, const KdEnumerator *last)
{
	size_t stem, last_stem;
	unsigned from, to;
	const char *rest, *last_rest;

	if (!split_numbered (first->name, &stem, &from, &rest) ||
		!split_numbered (last->name, &last_stem, &to, &last_rest) || stem != last_stem ||
		strncmp (first->name, last->name, stem) != 0 || strcmp (rest, last_rest) != 0 ||
		to <= from || last->value - first->value != to - from)
		return;
	for (unsigned i = 1; i < to - from; i++) {
		g_autofree char *name =
			g_strdup_printf ("%.*s%u%s", (int)stem, first->name, from + i, rest);
		uint64_t value;

		if (sysreg_value (sysregs, first->value + i, &value))
			add_sysreg (vcpu, group, name, value);
	}
}

void
kd_vcpu_arm64_add_sysregs (const KdArm64Vcpu *vcpu)
{
	JsonObject *group = kd_vcpu_state_group (vcpu->state, "system");
	const KdEnumerator *enumerators, *before = NULL;
	GError *error = NULL;
	Sysregs sysregs;
	unsigned nr = 0;

	if (!sysregs_init (&sysregs, vcpu->vcpu, &error)) {
		kd_vcpu_state_note (vcpu->state, "system registers", error);
		return;
	}
	enumerators = kd_type_enumerators (sysregs.names, &nr);
	for (unsigned i = 0; i < nr; i++) {
		const KdEnumerator *one = &enumerators[i];
		uint64_t value;

		/* Marks of the enumeration itself, no registers. */
		if (!one->name || g_str_has_prefix (one->name, "__") ||
			g_str_has_prefix (one->name, "NR_"))
			continue;
		if (before)
			add_between (vcpu, group, &sysregs, before, one);
		before = one;
		if (sysreg_value (&sysregs, one->value, &value))
			add_sysreg (vcpu, group, one->name, value);
	}
	g_free (sysregs.bytes);
}

gboolean
kd_vcpu_arm64_sysreg (const KdObject *vcpu, const char *name, uint64_t *ret_value)
{
	Sysregs sysregs;
	int64_t index;
	gboolean found;

	if (!sysregs_init (&sysregs, vcpu, NULL))
		return FALSE;
	found = kd_type_enumerator (sysregs.names, name, &index) &&
		sysreg_value (&sysregs, index, ret_value);
	g_free (sysregs.bytes);
	return found;
}
