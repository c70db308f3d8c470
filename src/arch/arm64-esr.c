/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm64.h"

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
