/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "arch/x86-64.h"

#define CR4_PCIDE (1ULL << 17)
#define CR3_ROOT UINT64_C (0xffffffffff000)

static const char *const control[] = {"CR0", "CR2", "CR3", "CR4", "CR8", "EFER", "RFLAGS", NULL};
static const char *const tables[] = {"IDT_BASE", "IDT_LIMIT", "GDT_BASE", "GDT_LIMIT", "LDTR",
	"LDTR_BASE", "TR", "TR_BASE", NULL};
static const char *const segments[] = {
	"CS", "SS", "DS", "ES", "FS", "GS", "FS_BASE", "GS_BASE", "K_GS_BASE", NULL};
static const char *const debug[] = {"DR0", "DR1", "DR2", "DR3", "DR6", "DR7", NULL};

static const KdSysregGroup groups[] = {
	{"control", control},
	{"descriptor tables", tables},
	{"segments", segments},
	{"debug", debug},
	{NULL, NULL},
};

static int
level (const char *name)
{
	return -1;
}

static gboolean
is_level_of (const char *name, const char *base)
{
	return FALSE;
}

/* The stub and the monitor have them in lower case, and the low half of RFLAGS. */
static gboolean
read_own (const char *name, KdRegGetFunc get, void *data, uint64_t *ret_value)
{
	g_autofree char *lower = g_ascii_strdown (name, -1);

	return get (data, strcmp (lower, "rflags") == 0 ? "eflags" : lower, ret_value);
}

/* SVM and VMX swap them all at once. */
static const char *
regime (const char *name, const KdCpuState *cpu, KdRegGetFunc get, void *data)
{
	switch (cpu->mode) {
	case KD_CPU_MODE_USER:
	case KD_CPU_MODE_KERNEL:
		return "host";
	case KD_CPU_MODE_GUEST:
		return "guest";
	case KD_CPU_MODE_FIRMWARE:
		return "firmware";
	default:
		return NULL;
	}
}

static gboolean
is_selector (const char *name)
{
	static const char *const selectors[] = {
		"cs", "ss", "ds", "es", "fs", "gs", "tr", "ldtr", NULL};
	g_autofree char *lower = g_ascii_strdown (name, -1);

	return g_strv_contains (selectors, lower);
}

static const KdBitField *
fields (const char *name, uint64_t value, KdRegGetFunc get, void *data)
{
	g_autofree char *upper = g_ascii_strup (name, -1);
	uint64_t cr4;

	if (is_selector (name))
		return kd_x86_64_bits ("SELECTOR");
	if (strcmp (upper, "EFLAGS") == 0)
		return kd_x86_64_bits ("RFLAGS");
	if (strcmp (upper, "CR3") == 0 && read_own ("CR4", get, data, &cr4) && (cr4 & CR4_PCIDE))
		return kd_x86_64_bits ("CR3 (PCID)");
	return kd_x86_64_bits (upper);
}

/* SDM 3B, 17.2.4: what a breakpoint register that is on waits for. */
static char *
dr7_words (uint64_t dr7)
{
	static const char *const kinds[] = {"execute", "write", "I/O", "access"};
	static const unsigned lens[] = {1, 2, 8, 4};
	GString *text = g_string_new (NULL);

	for (unsigned i = 0; i < 4; i++)
		if (dr7 >> 2 * i & 3)
			g_string_append_printf (text, "%sDR%u: %s %u", text->len ? ", " : "", i,
				kinds[dr7 >> (16 + 4 * i) & 3], lens[dr7 >> (18 + 4 * i) & 3]);
	return g_string_free (text, FALSE);
}

static char *
to_string (const char *name, uint64_t value, KdRegGetFunc get, void *data)
{
	const KdBitField *bits = fields (name, value, get, data);
	g_autofree char *rest = NULL, *first = NULL;

	if (!bits)
		return NULL;
	rest = kd_bit_fields_to_string (bits, value);
	if (g_ascii_strcasecmp (name, "CR3") == 0)
		first = g_strdup_printf ("table 0x%" PRIx64, value & CR3_ROOT);
	else if (g_ascii_strcasecmp (name, "DR7") == 0)
		first = dr7_words (value);
	if (!first || !first[0])
		return g_steal_pointer (&rest);
	return g_strdup_printf ("%s%s%s", first, rest[0] ? ", " : "", rest);
}

const KdSysregs kd_x86_64_sysregs = {
	.groups = groups,
	.has_levels = FALSE,
	.level = level,
	.is_level_of = is_level_of,
	.read = read_own,
	.regime = regime,
	.fields = fields,
	.to_string = to_string,
};
