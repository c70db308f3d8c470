/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "arch/arm64.h"
#include "arch/disasm.h"

#define BIT(value, bit) (((value) >> (bit)) & 1)
#define BITS(value, high, low) (((value) >> (low)) & ((1ULL << ((high) - (low) + 1)) - 1))

/* Arm ARM, ESR_EL2.EC. */
static const char *const classes[64] = {
	[0x00] = "unknown",
	[0x01] = "WFI or WFE",
	[0x03] = "MCR or MRC (CP15)",
	[0x04] = "MCRR or MRRC (CP15)",
	[0x05] = "MCR or MRC (CP14)",
	[0x06] = "LDC or STC (CP14)",
	[0x07] = "SVE, SIMD or FP access",
	[0x08] = "VMRS (CP10)",
	[0x09] = "pointer authentication",
	[0x0a] = "LD64B or ST64B",
	[0x0c] = "MRRC (CP14)",
	[0x0d] = "branch target",
	[0x0e] = "illegal execution state",
	[0x11] = "SVC (AArch32)",
	[0x12] = "HVC (AArch32)",
	[0x13] = "SMC (AArch32)",
	[0x14] = "MSRR, MRRS or system instruction",
	[0x15] = "SVC (AArch64)",
	[0x16] = "HVC (AArch64)",
	[0x17] = "SMC (AArch64)",
	[0x18] = "MSR, MRS or system instruction",
	[0x19] = "SVE access",
	[0x1a] = "ERET",
	[0x1b] = "TSTART",
	[0x1c] = "pointer authentication failure",
	[0x1d] = "SME access",
	[0x1f] = "implementation defined",
	[0x20] = "instruction abort from a lower level",
	[0x21] = "instruction abort",
	[0x22] = "PC alignment",
	[0x24] = "data abort from a lower level",
	[0x25] = "data abort",
	[0x26] = "SP alignment",
	[0x27] = "memory operation",
	[0x28] = "floating point (AArch32)",
	[0x2c] = "floating point (AArch64)",
	[0x2d] = "guarded control stack",
	[0x2f] = "SError",
	[0x30] = "breakpoint from a lower level",
	[0x31] = "breakpoint",
	[0x32] = "software step from a lower level",
	[0x33] = "software step",
	[0x34] = "watchpoint from a lower level",
	[0x35] = "watchpoint",
	[0x38] = "BKPT (AArch32)",
	[0x3a] = "vector catch (AArch32)",
	[0x3c] = "BRK (AArch64)",
	[0x3d] = "profiling",
};

const char *
kd_arm64_exception_class (uint64_t esr)
{
	return classes[(esr >> 26) & 0x3f];
}

/* DFSC and IFSC: "translation fault, level 2". */
static void
add_fault_status (GString *text, unsigned status)
{
	static const char *const by_level[] = {
		"address size fault", "translation fault", "access flag fault", "permission fault"};
	unsigned level = status & 3;

	if (status < 0x10)
		g_string_append_printf (text, "%s, level %u", by_level[status >> 2], level);
	else if (status == 0x10)
		g_string_append (text, "external abort");
	else if (status == 0x11)
		g_string_append (text, "tag check fault");
	else if (status >= 0x13 && status <= 0x17)
		g_string_append_printf (
			text, "external abort on a table walk, level %d", (int)status - 0x14);
	else if (status == 0x18)
		g_string_append (text, "parity or ECC error");
	else if (status >= 0x1b && status <= 0x1f)
		g_string_append_printf (
			text, "parity or ECC error on a table walk, level %d", (int)status - 0x1c);
	else if (status == 0x21)
		g_string_append (text, "alignment fault");
	else if (status == 0x29 || status == 0x2b)
		g_string_append_printf (text, "%s, level -1", by_level[status == 0x2b]);
	else if (status == 0x30)
		g_string_append (text, "TLB conflict");
	else if (status == 0x31)
		g_string_append (text, "unsupported atomic update");
	else
		g_string_append_printf (text, "fault status 0x%x", status);
}

static void
add_data_abort (GString *text, uint64_t iss)
{
	static const unsigned sizes[] = {1, 2, 4, 8};

	g_string_append_printf (text, "%s, ", BIT (iss, 6) ? "write" : "read");
	add_fault_status (text, iss & 0x3f);
	if (BIT (iss, 24))
		g_string_append_printf (text, ", %u bytes, %c%u%s", sizes[BITS (iss, 23, 22)],
			BIT (iss, 15) ? 'x' : 'w', (unsigned)BITS (iss, 20, 16),
			BIT (iss, 21) ? ", sign extended" : "");
	else
		g_string_append (text, ", no syndrome of the instruction");
	if (BIT (iss, 8))
		g_string_append (text, ", cache maintenance");
}

/* The instruction itself, put together again: capstone knows what its register is called. */
static void
add_system_register (GString *text, uint64_t iss)
{
	uint32_t insn =
		(uint32_t)(0xd5000000 | BIT (iss, 0) << 21 | BITS (iss, 21, 20) << 19 |
			   BITS (iss, 16, 14) << 16 | BITS (iss, 13, 10) << 12 |
			   BITS (iss, 4, 1) << 8 | BITS (iss, 19, 17) << 5 | BITS (iss, 9, 5));
	const uint8_t code[4] = {insn & 0xff, insn >> 8 & 0xff, insn >> 16 & 0xff, insn >> 24};
	g_autofree char *words = kd_disassemble (&kd_arch_arm64, code, sizeof code, 0, NULL);

	if (words)
		g_string_append (text, words);
	else
		g_string_append_printf (text, "instruction 0x%08x", insn);
}

/* arch/arm64/include/asm/brk-imm.h: macros, but those of BUG() and the probes never change. */
static void
add_brk (GString *text, unsigned imm)
{
	static const struct {
		unsigned first, last;
		const char *name;
	} kinds[] = {{0x004, 0x004, "kprobe"}, {0x005, 0x005, "uprobe"},
		{0x006, 0x006, "kprobe's single step"}, {0x100, 0x100, "fault injection"},
		{0x400, 0x401, "KGDB"}, {0x800, 0x800, "BUG or WARN"}, {0x900, 0x9ff, "KASAN"},
		{0x5500, 0x55ff, "UBSAN"}, {0x8000, 0x83ff, "CFI"}};

	g_string_append_printf (text, "#0x%x", imm);
	for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
		if (imm >= kinds[i].first && imm <= kinds[i].last)
			g_string_append_printf (text, ", Linux's %s", kinds[i].name);
}

/* Arm ARM, ISS of a trapped floating point exception. */
static void
add_floating_point (GString *text, uint64_t iss)
{
	static const struct {
		unsigned bit;
		const char *name;
	} flags[] = {{0, "invalid operation"}, {1, "divide by zero"}, {2, "overflow"},
		{3, "underflow"}, {4, "inexact"}, {7, "denormal"}};
	gboolean any = FALSE;

	for (size_t i = 0; BIT (iss, 23) && i < G_N_ELEMENTS (flags); i++) {
		if (!BIT (iss, flags[i].bit))
			continue;
		g_string_append_printf (text, "%s%s", any ? ", " : "", flags[i].name);
		any = TRUE;
	}
	if (!any)
		g_string_append (text, "which one is not told");
}

static void
add_serror (GString *text, uint64_t iss)
{
	static const char *const types[] = {"uncontainable", "unrecoverable", "restartable",
		"recoverable", NULL, NULL, "corrected"};
	const char *type = types[MIN (BITS (iss, 12, 10), G_N_ELEMENTS (types) - 1)];

	if (BIT (iss, 24))
		g_string_append_printf (text, "implementation defined 0x%" PRIx64, iss & 0xffffff);
	else if ((iss & 0x3f) != 0x11)
		g_string_append (text, "uncategorized");
	else
		g_string_append_printf (text, "%s%s%s", type ? type : "of a reserved type",
			BIT (iss, 9) ? ", external" : "", BIT (iss, 13) ? ", by a barrier" : "");
}

char *
kd_arm64_syndrome_to_string (uint64_t esr)
{
	static const char *const waits[] = {"WFI", "WFE", "WFIT", "WFET"};
	const char *name = kd_arm64_exception_class (esr);
	GString *text = g_string_new (NULL);
	uint64_t iss = esr & 0x1ffffff;

	if (name)
		g_string_append_printf (text, "%s: ", name);
	else
		g_string_append_printf (text, "class 0x%x: ", (unsigned)BITS (esr, 31, 26));
	switch (BITS (esr, 31, 26)) {
	case 0x01:
		g_string_append (text, waits[iss & 3]);
		break;
	case 0x11:
	case 0x12:
	case 0x13:
	case 0x15:
	case 0x16:
	case 0x17:
		g_string_append_printf (text, "#0x%x", (unsigned)(iss & 0xffff));
		break;
	case 0x18:
		add_system_register (text, iss);
		break;
	case 0x0d:
		g_string_append_printf (text, "BTYPE %u", (unsigned)(iss & 3));
		break;
	case 0x1c:
		g_string_append_printf (text, "%s key %c", BIT (iss, 1) ? "data" : "instruction",
			BIT (iss, 0) ? 'B' : 'A');
		break;
	case 0x2c:
		add_floating_point (text, iss);
		break;
	case 0x2f:
		add_serror (text, iss);
		break;
	case 0x32:
	case 0x33:
		g_string_append (text, !BIT (iss, 24) ? "no syndrome"
				       : BIT (iss, 6) ? "of a load-exclusive"
						      : "of another than a load-exclusive");
		break;
	case 0x34:
	case 0x35:
		g_string_append_printf (text, "%s", BIT (iss, 6) ? "write" : "read");
		break;
	case 0x3c:
		add_brk (text, (unsigned)(iss & 0xffff));
		break;
	case 0x0e:
	case 0x22:
	case 0x26:
	case 0x30:
	case 0x31:
		/* Nothing more is told. */
		g_string_truncate (text, text->len - 2);
		break;
	case 0x20:
	case 0x21:
		add_fault_status (text, iss & 0x3f);
		break;
	case 0x24:
	case 0x25:
		add_data_abort (text, iss);
		break;
	default:
		g_string_append_printf (text, "syndrome 0x%" PRIx64, iss);
	}
	if ((BITS (esr, 31, 26) & ~5u) == 0x20 && BIT (iss, 7))
		g_string_append (text, ", on a stage 1 table walk");
	/* FnV is of synchronous external aborts alone. */
	if ((BITS (esr, 31, 26) & ~5u) == 0x20 && (iss & 0x3f) == 0x10 && BIT (iss, 10))
		g_string_append (text, ", FAR is not valid");
	if (name && BITS (esr, 31, 26) && !BIT (esr, 25))
		g_string_append (text, ", of a 16-bit instruction");
	return g_string_free (text, FALSE);
}

gboolean
kd_arm64_fault_ipa (uint64_t esr, uint64_t far, uint64_t hpfar, uint64_t *ret_ipa)
{
	unsigned class = BITS (esr, 31, 26), status = esr & 0x3f;

	/* Of an external abort the registers need not hold an address. */
	if ((class != 0x20 && class != 0x24) ||
		(status >= 0x10 && status != 0x21 && status != 0x2b))
		return FALSE;
	/* On a walk of the guest's tables the fault is at their entry, which FAR does not tell. */
	*ret_ipa = BITS (hpfar, 43, 4) << 12 | (BIT (esr, 7) ? 0 : far & 0xfff);
	return TRUE;
}
