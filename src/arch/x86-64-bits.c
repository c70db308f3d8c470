/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "arch/bits.h"
#include "arch/x86-64.h"

/* Names as in the manuals: SDM 3A and 3C (app. C), APM 2 (15, app. B and C). */

static const KdBitField cr0[] = {{0, 1, "PE"}, {1, 1, "MP"}, {2, 1, "EM"}, {3, 1, "TS"},
	{4, 1, "ET"}, {5, 1, "NE"}, {16, 1, "WP"}, {18, 1, "AM"}, {29, 1, "NW"}, {30, 1, "CD"},
	{31, 1, "PG"}, {0}};

static const KdBitField cr4[] = {{0, 1, "VME"}, {1, 1, "PVI"}, {2, 1, "TSD"}, {3, 1, "DE"},
	{4, 1, "PSE"}, {5, 1, "PAE"}, {6, 1, "MCE"}, {7, 1, "PGE"}, {8, 1, "PCE"}, {9, 1, "OSFXSR"},
	{10, 1, "OSXMMEXCPT"}, {11, 1, "UMIP"}, {12, 1, "LA57"}, {13, 1, "VMXE"}, {14, 1, "SMXE"},
	{16, 1, "FSGSBASE"}, {17, 1, "PCIDE"}, {18, 1, "OSXSAVE"}, {19, 1, "KL"}, {20, 1, "SMEP"},
	{21, 1, "SMAP"}, {22, 1, "PKE"}, {23, 1, "CET"}, {24, 1, "PKS"}, {25, 1, "UINTR"},
	{28, 1, "LAM_SUP"}, {0}};

static const KdBitField efer[] = {{0, 1, "SCE"}, {8, 1, "LME"}, {10, 1, "LMA"}, {11, 1, "NXE"},
	{12, 1, "SVME"}, {13, 1, "LMSLE"}, {14, 1, "FFXSR"}, {15, 1, "TCE"}, {17, 1, "MCOMMIT"},
	{18, 1, "INTWB"}, {20, 1, "UAIE"}, {21, 1, "AIBRSE"}, {0}};

static const KdBitField rflags[] = {{1, 1, ""}, {0, 1, "CF"}, {2, 1, "PF"}, {4, 1, "AF"},
	{6, 1, "ZF"}, {7, 1, "SF"}, {8, 1, "TF"}, {9, 1, "IF"}, {10, 1, "DF"}, {11, 1, "OF"},
	{12, 2, "IOPL"}, {14, 1, "NT"}, {16, 1, "RF"}, {17, 1, "VM"}, {18, 1, "AC"}, {19, 1, "VIF"},
	{20, 1, "VIP"}, {21, 1, "ID"}, {0}};

/* Without CR4.PCIDE; the root itself is for the words. */
static const KdBitField cr3[] = {
	{3, 1, "PWT"}, {4, 1, "PCD"}, {12, 40, ""}, {61, 1, "LAM_U57"}, {62, 1, "LAM_U48"}, {0}};
static const KdBitField cr3_pcid[] = {
	{0, 12, "PCID"}, {12, 40, ""}, {61, 1, "LAM_U57"}, {62, 1, "LAM_U48"}, {0}};

static const KdBitField cr8[] = {{0, 4, "TPR"}, {0}};

/* SDM 3B, 17.2. BLD (bit 11) and RTM (bit 16) are set where nothing happened. */
static const KdBitField dr6[] = {{4, 8, ""}, {16, 16, ""}, {0, 1, "B0"}, {1, 1, "B1"}, {2, 1, "B2"},
	{3, 1, "B3"}, {13, 1, "BD"}, {14, 1, "BS"}, {15, 1, "BT"}, {0}};
static const KdBitField dr7[] = {{10, 1, ""}, {0, 1, "L0"}, {1, 1, "G0"}, {2, 1, "L1"},
	{3, 1, "G1"}, {4, 1, "L2"}, {5, 1, "G2"}, {6, 1, "L3"}, {7, 1, "G3"}, {8, 1, "LE"},
	{9, 1, "GE"}, {11, 1, "RTM"}, {13, 1, "GD"}, {16, 2, "RW0"}, {18, 2, "LEN0"},
	{20, 2, "RW1"}, {22, 2, "LEN1"}, {24, 2, "RW2"}, {26, 2, "LEN2"}, {28, 2, "RW3"},
	{30, 2, "LEN3"}, {0}};

static const KdBitField selector[] = {{0, 2, "RPL"}, {2, 1, "TI"}, {3, 13, "index"}, {0}};

static const KdBitField pf_error[] = {{0, 1, "P"}, {1, 1, "W"}, {2, 1, "U"}, {3, 1, "RSVD"},
	{4, 1, "I"}, {5, 1, "PK"}, {6, 1, "SS"}, {15, 1, "SGX"}, {31, 1, "RMP"},
	{32, 1, "GUEST_FINAL"}, {33, 1, "GUEST_PAGE"}, {0}};

static const KdBitField svm_event[] = {
	{0, 8, "vector"}, {8, 3, "type"}, {11, 1, "error-code"}, {31, 1, "valid"}, {0}};

static const KdBitField svm_int_ctl[] = {{0, 8, "V_TPR"}, {8, 1, "V_IRQ"}, {9, 1, "V_GIF"},
	{11, 1, "V_NMI"}, {12, 1, "V_NMI_BLOCKING"}, {16, 4, "V_INTR_PRIO"}, {20, 1, "V_IGN_TPR"},
	{24, 1, "V_INTR_MASKING"}, {25, 1, "V_GIF_ENABLE"}, {26, 1, "V_NMI_ENABLE"},
	{30, 1, "X2AVIC_ENABLE"}, {31, 1, "AVIC_ENABLE"}, {0}};

static const KdBitField svm_nested_ctl[] = {
	{0, 1, "NP_ENABLE"}, {1, 1, "SEV_ENABLE"}, {2, 1, "SEV_ES_ENABLE"}, {0}};

static const KdBitField svm_int_state[] = {
	{0, 1, "INTERRUPT_SHADOW"}, {1, 1, "GUEST_INTERRUPT_MASK"}, {0}};

static const KdBitField svm_virt_ext[] = {
	{0, 1, "LBR_VIRTUALIZATION"}, {1, 1, "VIRTUALIZED_VMLOAD_VMSAVE"}, {0}};

static const KdBitField vmx_intr_info[] = {{0, 8, "vector"}, {8, 3, "type"}, {11, 1, "error-code"},
	{12, 1, "nmi-unblocking"}, {31, 1, "valid"}, {0}};

static const KdBitField vmx_ept[] = {{0, 1, "read"}, {1, 1, "write"}, {2, 1, "fetch"},
	{3, 1, "readable"}, {4, 1, "writable"}, {5, 1, "executable"}, {6, 1, "user-executable"},
	{7, 1, "linear-valid"}, {8, 1, "translated"}, {9, 1, "user"}, {10, 1, "writable-linear"},
	{11, 1, "nx-linear"}, {12, 1, "nmi-unblocking"}, {0}};

static const KdBitRegister registers[] = {
	{"CR0", cr0},
	{"CR3", cr3},
	{"CR3 (PCID)", cr3_pcid},
	{"CR4", cr4},
	{"CR8", cr8},
	{"DR6", dr6},
	{"DR7", dr7},
	{"SELECTOR", selector},
	{"EFER", efer},
	{"RFLAGS", rflags},
	{"PF_ERROR", pf_error},
	{"SVM_EVENT", svm_event},
	{"SVM_INT_CTL", svm_int_ctl},
	{"SVM_NESTED_CTL", svm_nested_ctl},
	{"SVM_INT_STATE", svm_int_state},
	{"SVM_VIRT_EXT", svm_virt_ext},
	{"VMX_INTR_INFO", vmx_intr_info},
	{"VMX_EPT_VIOLATION", vmx_ept},
	{NULL},
};

const KdBitField *
kd_x86_64_bits (const char *reg)
{
	return kd_bits_find (registers, reg);
}

char *
kd_x86_64_bits_to_string (const char *reg, uint64_t value)
{
	return kd_bits_to_string (registers, reg, value);
}

typedef struct {
	uint16_t code;
	const char *name;
} Code;

static const Code svm_exits[] = {
	{0x060, "INTR"},
	{0x061, "NMI"},
	{0x062, "SMI"},
	{0x063, "INIT"},
	{0x064, "VINTR"},
	{0x065, "CR0_SEL_WRITE"},
	{0x066, "IDTR_READ"},
	{0x067, "GDTR_READ"},
	{0x068, "LDTR_READ"},
	{0x069, "TR_READ"},
	{0x06a, "IDTR_WRITE"},
	{0x06b, "GDTR_WRITE"},
	{0x06c, "LDTR_WRITE"},
	{0x06d, "TR_WRITE"},
	{0x06e, "RDTSC"},
	{0x06f, "RDPMC"},
	{0x070, "PUSHF"},
	{0x071, "POPF"},
	{0x072, "CPUID"},
	{0x073, "RSM"},
	{0x074, "IRET"},
	{0x075, "SWINT"},
	{0x076, "INVD"},
	{0x077, "PAUSE"},
	{0x078, "HLT"},
	{0x079, "INVLPG"},
	{0x07a, "INVLPGA"},
	{0x07b, "IOIO"},
	{0x07c, "MSR"},
	{0x07d, "TASK_SWITCH"},
	{0x07e, "FERR_FREEZE"},
	{0x07f, "SHUTDOWN"},
	{0x080, "VMRUN"},
	{0x081, "VMMCALL"},
	{0x082, "VMLOAD"},
	{0x083, "VMSAVE"},
	{0x084, "STGI"},
	{0x085, "CLGI"},
	{0x086, "SKINIT"},
	{0x087, "RDTSCP"},
	{0x088, "ICEBP"},
	{0x089, "WBINVD"},
	{0x08a, "MONITOR"},
	{0x08b, "MWAIT"},
	{0x08c, "MWAIT_COND"},
	{0x08d, "XSETBV"},
	{0x08e, "RDPRU"},
	{0x08f, "EFER_WRITE_TRAP"},
	{0x0a0, "INVLPGB"},
	{0x0a1, "INVLPGB_ILLEGAL"},
	{0x0a2, "INVPCID"},
	{0x0a3, "MCOMMIT"},
	{0x0a4, "TLBSYNC"},
	{0x0a5, "BUS_LOCK"},
	{0x0a6, "IDLE_HLT"},
	{0x400, "NPF"},
	{0x401, "AVIC_INCOMPLETE_IPI"},
	{0x402, "AVIC_UNACCELERATED_ACCESS"},
	{0x403, "VMGEXIT"},
};

static const Code vmx_exits[] = {
	{0, "EXCEPTION_NMI"},
	{1, "EXTERNAL_INTERRUPT"},
	{2, "TRIPLE_FAULT"},
	{3, "INIT_SIGNAL"},
	{4, "SIPI_SIGNAL"},
	{5, "IO_SMI"},
	{6, "OTHER_SMI"},
	{7, "INTERRUPT_WINDOW"},
	{8, "NMI_WINDOW"},
	{9, "TASK_SWITCH"},
	{10, "CPUID"},
	{11, "GETSEC"},
	{12, "HLT"},
	{13, "INVD"},
	{14, "INVLPG"},
	{15, "RDPMC"},
	{16, "RDTSC"},
	{17, "RSM"},
	{18, "VMCALL"},
	{19, "VMCLEAR"},
	{20, "VMLAUNCH"},
	{21, "VMPTRLD"},
	{22, "VMPTRST"},
	{23, "VMREAD"},
	{24, "VMRESUME"},
	{25, "VMWRITE"},
	{26, "VMOFF"},
	{27, "VMON"},
	{28, "CR_ACCESS"},
	{29, "DR_ACCESS"},
	{30, "IO_INSTRUCTION"},
	{31, "MSR_READ"},
	{32, "MSR_WRITE"},
	{33, "INVALID_STATE"},
	{34, "MSR_LOAD_FAIL"},
	{36, "MWAIT_INSTRUCTION"},
	{37, "MONITOR_TRAP_FLAG"},
	{39, "MONITOR_INSTRUCTION"},
	{40, "PAUSE_INSTRUCTION"},
	{41, "MCE_DURING_VMENTRY"},
	{43, "TPR_BELOW_THRESHOLD"},
	{44, "APIC_ACCESS"},
	{45, "EOI_INDUCED"},
	{46, "GDTR_IDTR"},
	{47, "LDTR_TR"},
	{48, "EPT_VIOLATION"},
	{49, "EPT_MISCONFIG"},
	{50, "INVEPT"},
	{51, "RDTSCP"},
	{52, "PREEMPTION_TIMER"},
	{53, "INVVPID"},
	{54, "WBINVD"},
	{55, "XSETBV"},
	{56, "APIC_WRITE"},
	{57, "RDRAND"},
	{58, "INVPCID"},
	{59, "VMFUNC"},
	{60, "ENCLS"},
	{61, "RDSEED"},
	{62, "PML_FULL"},
	{63, "XSAVES"},
	{64, "XRSTORS"},
	{65, "PCONFIG"},
	{66, "SPP"},
	{67, "UMWAIT"},
	{68, "TPAUSE"},
	{69, "LOADIWKEY"},
	{74, "BUS_LOCK"},
	{75, "NOTIFY"},
	{76, "SEAMCALL"},
	{77, "TDCALL"},
};

static const char *
find_code (const Code *codes, size_t nr, uint64_t code)
{
	for (size_t i = 0; i < nr; i++)
		if (codes[i].code == code)
			return codes[i].name;
	return NULL;
}

static const char *const exceptions[32] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM",
	"#DF", "coprocessor", "#TS", "#NP", "#SS", "#GP", "#PF", NULL, "#MF", "#AC", "#MC", "#XM",
	"#VE", "#CP", NULL, NULL, NULL, NULL, NULL, NULL, "#HV", "#VC", "#SX", NULL};

const char *
kd_x86_64_exception_name (unsigned vector)
{
	return vector < G_N_ELEMENTS (exceptions) ? exceptions[vector] : NULL;
}

/* The codes that come sixteen or thirty-two in a row. */
static char *
svm_numbered (uint64_t code)
{
	static const struct {
		unsigned first;
		const char *before, *after;
	} rows[] = {{0x00, "READ_CR", ""}, {0x10, "WRITE_CR", ""}, {0x20, "READ_DR", ""},
		{0x30, "WRITE_DR", ""}, {0x90, "CR", "_WRITE_TRAP"}};
	const char *name;

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
		if (code >= rows[i].first && code < rows[i].first + 16)
			return g_strdup_printf ("%s%u%s", rows[i].before,
				(unsigned)code - rows[i].first, rows[i].after);
	if (code < 0x40 || code > 0x5f)
		return NULL;
	name = kd_x86_64_exception_name ((unsigned)code - 0x40);
	return name ? g_strdup_printf ("EXCP %s", name)
		    : g_strdup_printf ("EXCP %u", (unsigned)code - 0x40);
}

char *
kd_svm_exit_to_string (uint64_t code)
{
	const char *name;

	/* KVM keeps 32 bits of it. */
	if (code == UINT32_MAX || code == UINT64_MAX)
		return g_strdup ("ERR (VMRUN refused the VMCB)");
	if (code == UINT32_MAX - 1 || code == UINT64_MAX - 1)
		return g_strdup ("BUSY");
	name = find_code (svm_exits, G_N_ELEMENTS (svm_exits), code);
	return name ? g_strdup (name) : svm_numbered (code);
}

char *
kd_vmx_exit_to_string (uint64_t reason)
{
	const char *name = find_code (vmx_exits, G_N_ELEMENTS (vmx_exits), reason & 0xffff);
	GString *text = name ? g_string_new (name) : NULL;

	if (!text)
		return NULL;
	if (reason >> 31 & 1)
		g_string_append (text, ", VM entry failed");
	if (reason >> 27 & 1)
		g_string_append (text, ", in an enclave");
	if (reason >> 26 & 1)
		g_string_append (text, ", bus lock");
	return g_string_free (text, FALSE);
}

/* SDM 3C, 28.2.1. */
static char *
cr_access (uint64_t qualification)
{
	static const char *const regs[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
	unsigned cr = qualification & 15;
	const char *reg = regs[qualification >> 8 & 15];

	switch (qualification >> 4 & 3) {
	case 0:
		return g_strdup_printf ("mov to CR%u from %s", cr, reg);
	case 1:
		return g_strdup_printf ("mov from CR%u to %s", cr, reg);
	case 3:
		return g_strdup_printf ("lmsw 0x%x", (unsigned)(qualification >> 16 & 0xffff));
	default:
		return g_strdup ("clts");
	}
}

char *
kd_vmx_qualification_to_string (uint64_t reason, uint64_t qualification)
{
	switch (reason & 0xffff) {
	case 28:
		return cr_access (qualification);
	case 29:
		return g_strdup_printf ("mov %s DR%u", qualification >> 4 & 1 ? "from" : "to",
			(unsigned)(qualification & 7));
	case 30:
		return g_strdup_printf ("%s%s, %u bytes, port 0x%x",
			qualification >> 4 & 1 ? (qualification >> 3 & 1 ? "ins" : "outs")
					       : (qualification >> 3 & 1 ? "in" : "out"),
			qualification >> 5 & 1 ? ", rep" : "", (unsigned)(qualification & 7) + 1,
			(unsigned)(qualification >> 16 & 0xffff));
	case 48:
		return kd_x86_64_bits_to_string ("VMX_EPT_VIOLATION", qualification);
	default:
		return NULL;
	}
}
