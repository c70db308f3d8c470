/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/x86-64.h"

#include <string.h>

#define P 1ULL
#define W 2ULL
#define U 4ULL
#define A 0x20ULL
#define D 0x40ULL
#define PS 0x80ULL
#define G 0x100ULL
#define PAT_LARGE 0x1000ULL
#define NX (1ULL << 63)
#define TABLE (P | W | U | A)

/* Tables of the rows lie at these places; what no row sets in them reads as zero. */
#define T0 0x1000000ULL
#define T1 0x1001000ULL
#define T2 0x1002000ULL
#define T3 0x1003000ULL
#define T4 0x1004000ULL
#define TABLES_END 0x1005000ULL

#define ENTRIES_MAX 5

typedef struct {
	uint64_t pa, value;
} Entry;

/* --- walks --- */

typedef struct {
	const char *name;
	unsigned va_bits;
	uint64_t flags;
	uint64_t va;
	Entry entries[ENTRIES_MAX];
	KdWalkStatus status;
	unsigned nr_levels;
	uint64_t pa, map_size;
	const char *leaf;
} Row;

static gboolean
read_entries (const Entry *entries, unsigned nr, uint64_t pa, void *buf, size_t len)
{
	uint64_t value = 0;

	if (pa < T0 || pa + len > TABLES_END)
		return FALSE;
	for (size_t at = 0; at < len; at += 8) {
		value = 0;
		for (unsigned i = 0; i < nr; i++)
			if (entries[i].pa == pa + at)
				value = GUINT64_TO_LE (entries[i].value);
		memcpy ((uint8_t *)buf + at, &value, 8);
	}
	return TRUE;
}

static gboolean
read_phys (void *data, uint64_t pa, void *buf, size_t len, GError **error)
{
	return read_entries (((const Row *)data)->entries, ENTRIES_MAX, pa, buf, len);
}

/* Indices by 9 bits: 256, 511, 1, 2. */
#define KERNEL_48 0xffff807fc0202abcULL
/* The same below 496 of the fifth level. */
#define KERNEL_57 0xfff0807fc0202abcULL
#define USER_48 0x00000000402abcULL
#define EPT (KD_X86_64_REGIME_NESTED | KD_X86_64_REGIME_EPT)
#define EPT_GPA 0x807fc0202abcULL

static const Row walks[] = {
	{"4-level-page", 48, 0, KERNEL_48,
		{{T0 + 256 * 8, T1 | TABLE}, {T1 + 511 * 8, T2 | TABLE}, {T2 + 8, T3 | TABLE},
			{T3 + 16, 0x5000000 | P | W | A | D | G | NX}},
		KD_WALK_MAPPED, 4, 0x5000abc, 4096, "rw kernel nx pat0 global accessed dirty"},
	{"5-level-page", 57, 0, KERNEL_57,
		{{T0 + 496 * 8, T1 | TABLE}, {T1 + 256 * 8, T2 | TABLE}, {T2 + 511 * 8, T3 | TABLE},
			{T3 + 8, T4 | TABLE}, {T4 + 16, 0x5000000 | P | A}},
		KD_WALK_MAPPED, 5, 0x5000abc, 4096, "ro kernel x pat0 accessed"},
	{"page-of-2M", 48, 0, KERNEL_48,
		{{T0 + 256 * 8, T1 | TABLE}, {T1 + 511 * 8, T2 | TABLE},
			{T2 + 8, 0x6000000 | PS | P | W | U}},
		KD_WALK_MAPPED, 3, 0x6002abc, 2 << 20, "rw user x pat0 not-accessed"},
	{"page-of-2M-pat", 48, 0, KERNEL_48,
		{{T0 + 256 * 8, T1 | TABLE}, {T1 + 511 * 8, T2 | TABLE},
			{T2 + 8, 0x6000000 | PAT_LARGE | PS | P | A}},
		KD_WALK_MAPPED, 3, 0x6002abc, 2 << 20, "ro kernel x pat4 accessed"},
	{"page-of-1G", 48, 0, KERNEL_48,
		{{T0 + 256 * 8, T1 | TABLE}, {T1 + 511 * 8, 0x80000000 | PS | P | W | A | D}},
		KD_WALK_MAPPED, 2, 0x80202abc, 1 << 30, "rw kernel x pat0 accessed dirty"},
	{"page-pat-is-bit-7", 48, 0, KERNEL_48,
		{{T0 + 256 * 8, T1 | TABLE}, {T1 + 511 * 8, T2 | TABLE}, {T2 + 8, T3 | TABLE},
			{T3 + 16, 0x5000000 | PS | P | A}},
		KD_WALK_MAPPED, 4, 0x5000abc, 4096, "ro kernel x pat4 accessed"},
	{"levels-above-take-rights-away", 48, 0, KERNEL_48,
		{{T0 + 256 * 8, T1 | TABLE | NX}, {T1 + 511 * 8, T2 | P | U}, {T2 + 8, T3 | P | W},
			{T3 + 16, 0x5000000 | P | W | U | A}},
		KD_WALK_MAPPED, 4, 0x5000abc, 4096, "ro kernel nx pat0 accessed"},
	{"user-half", 48, 0, USER_48,
		{{T0, T1 | TABLE}, {T1, T2 | TABLE}, {T2 + 16, T3 | TABLE},
			{T3 + 16, 0x5000000 | P | W | U | A}},
		KD_WALK_MAPPED, 4, 0x5000abc, 4096, "rw user x pat0 accessed"},
	{"highest-page", 48, 0, ~0ULL,
		{{T0 + 511 * 8, T1 | TABLE}, {T1 + 511 * 8, T2 | TABLE}, {T2 + 511 * 8, T3 | TABLE},
			{T3 + 511 * 8, 0xffffffffff000 | P}},
		KD_WALK_MAPPED, 4, 0xfffffffffffff, 4096, "ro kernel x pat0 not-accessed"},
	{"nested-high-gpa", 48, KD_X86_64_REGIME_NESTED, 0x807fc0202abc,
		{{T0 + 256 * 8, T1 | TABLE}, {T1 + 511 * 8, T2 | TABLE}, {T2 + 8, T3 | TABLE},
			{T3 + 16, 0x5000000 | P | W | U | A}},
		KD_WALK_MAPPED, 4, 0x5000abc, 4096, "rw user x pat0 accessed"},
	/* --- EPT --- */
	{"ept-page", 48, EPT, EPT_GPA,
		{{T0 + 256 * 8, T1 | 7}, {T1 + 511 * 8, T2 | 7 | 1 << 8}, {T2 + 8, T3 | 7},
			{T3 + 16, 0x5000000 | 7 | 6 << 3 | 1 << 6 | 3 << 8 | NX}},
		KD_WALK_MAPPED, 4, 0x5000abc, 4096, "rwx wb ignore-pat accessed dirty"},
	{"ept-5-levels", 57, EPT, EPT_GPA,
		{{T0, T1 | 7}, {T1 + 256 * 8, T2 | 7}, {T2 + 511 * 8, T3 | 7}, {T3 + 8, T4 | 7},
			{T4 + 16, 0x5000000 | 3}},
		KD_WALK_MAPPED, 5, 0x5000abc, 4096, "rw- uc not-accessed"},
	{"ept-no-ad", 48, EPT | KD_X86_64_REGIME_EPT_NO_AD, EPT_GPA,
		{{T0 + 256 * 8, T1 | 7}, {T1 + 511 * 8, T2 | 7}, {T2 + 8, T3 | 7},
			{T3 + 16, 0x5000000 | 5 | 4 << 3 | 3 << 8}},
		KD_WALK_MAPPED, 4, 0x5000abc, 4096, "r-x wt"},
	{"ept-execute-only", 48, EPT, EPT_GPA,
		{{T0 + 256 * 8, T1 | 7}, {T1 + 511 * 8, T2 | 7}, {T2 + 8, T3 | 7},
			{T3 + 16, 0x5000000 | 4 | 6 << 3}},
		KD_WALK_MAPPED, 4, 0x5000abc, 4096, "--x wb not-accessed"},
	{"ept-levels-above-take-rights-away", 48, EPT, EPT_GPA,
		{{T0 + 256 * 8, T1 | 5}, {T1 + 511 * 8, T2 | 3}, {T2 + 8, T3 | 7},
			{T3 + 16, 0x5000000 | 7 | 6 << 3}},
		KD_WALK_MAPPED, 4, 0x5000abc, 4096, "r-- wb not-accessed"},
	{"ept-page-of-2M", 48, EPT, EPT_GPA,
		{{T0 + 256 * 8, T1 | 7}, {T1 + 511 * 8, T2 | 7},
			{T2 + 8, 0x6000000 | PS | 7 | 6 << 3 | 1 << 8}},
		KD_WALK_MAPPED, 3, 0x6002abc, 2 << 20, "rwx wb accessed"},
	{"ept-page-of-1G", 48, EPT, EPT_GPA,
		{{T0 + 256 * 8, T1 | 7}, {T1 + 511 * 8, 0x80000000 | PS | 1 | 6 << 3}},
		KD_WALK_MAPPED, 2, 0x80202abc, 1 << 30, "r-- wb not-accessed"},
	{"ept-absent", 48, EPT, EPT_GPA, {{T0 + 256 * 8, T1 | 6 << 3 | 1 << 8}}, KD_WALK_ABSENT, 1,
		0, 0, NULL},
	{"ept-write-without-read", 48, EPT, EPT_GPA, {{T0 + 256 * 8, T1 | 6}}, KD_WALK_RESERVED, 1,
		0, 0, NULL},
	{"ept-memtype-in-table-entry", 48, EPT, EPT_GPA, {{T0 + 256 * 8, T1 | 7 | 6 << 3}},
		KD_WALK_RESERVED, 1, 0, 0, NULL},
	{"ept-page-of-512G", 48, EPT, EPT_GPA, {{T0 + 256 * 8, T1 | 7 | PS}}, KD_WALK_RESERVED, 1,
		0, 0, NULL},
	{"ept-bad-memtype", 48, EPT, EPT_GPA,
		{{T0 + 256 * 8, T1 | 7}, {T1 + 511 * 8, 0x80000000 | PS | 7 | 2 << 3}},
		KD_WALK_RESERVED, 2, 0, 0, NULL},
	{"ept-page-of-2M-unaligned", 48, EPT, EPT_GPA,
		{{T0 + 256 * 8, T1 | 7}, {T1 + 511 * 8, T2 | 7},
			{T2 + 8, 0x6001000 | PS | 7 | 6 << 3}},
		KD_WALK_RESERVED, 3, 0, 0, NULL},
	{"ept-beyond", 48, EPT, 1ULL << 48, {{0, 0}}, KD_WALK_NONCANONICAL, 0, 0, 0, NULL},
	/* --- where walks end --- */
	{"noncanonical", 48, 0, 0x0000807fc0202abc, {{0, 0}}, KD_WALK_NONCANONICAL, 0, 0, 0, NULL},
	{"noncanonical-high", 48, 0, 0xff00807fc0202abc, {{0, 0}}, KD_WALK_NONCANONICAL, 0, 0, 0,
		NULL},
	{"canonical-with-5-levels-only", 57, 0, 0x0000807fc0202abc, {{0, 0}}, KD_WALK_ABSENT, 1, 0,
		0, NULL},
	{"nested-beyond", 48, KD_X86_64_REGIME_NESTED, 1ULL << 48, {{0, 0}}, KD_WALK_NONCANONICAL,
		0, 0, 0, NULL},
	{"absent-root", 48, 0, KERNEL_48, {{0, 0}}, KD_WALK_ABSENT, 1, 0, 0, NULL},
	{"absent-page", 48, 0, KERNEL_48,
		{{T0 + 256 * 8, T1 | TABLE}, {T1 + 511 * 8, T2 | TABLE}, {T2 + 8, T3 | TABLE},
			{T3 + 16, 0x5000000 | W}},
		KD_WALK_ABSENT, 4, 0, 0, NULL},
	{"page-of-512G", 48, 0, KERNEL_48, {{T0 + 256 * 8, PS | TABLE}}, KD_WALK_RESERVED, 1, 0, 0,
		NULL},
	{"page-in-pml5", 57, 0, KERNEL_57, {{T0 + 496 * 8, PS | TABLE}}, KD_WALK_RESERVED, 1, 0, 0,
		NULL},
	{"page-of-2M-unaligned", 48, 0, KERNEL_48,
		{{T0 + 256 * 8, T1 | TABLE}, {T1 + 511 * 8, T2 | TABLE},
			{T2 + 8, 0x6002000 | PS | P}},
		KD_WALK_RESERVED, 3, 0, 0, NULL},
	{"page-of-1G-unaligned", 48, 0, KERNEL_48,
		{{T0 + 256 * 8, T1 | TABLE}, {T1 + 511 * 8, 0x80200000 | PS | P}}, KD_WALK_RESERVED,
		2, 0, 0, NULL},
	{"nx-without-nxe", 48, KD_X86_64_REGIME_NO_NX, KERNEL_48, {{T0 + 256 * 8, T1 | TABLE | NX}},
		KD_WALK_RESERVED, 1, 0, 0, NULL},
	{"table-in-no-memory", 48, 0, KERNEL_48, {{T0 + 256 * 8, 0x9000000 | TABLE}},
		KD_WALK_UNREADABLE, 2, 0, 0, NULL},
};

static void
test_walk (gconstpointer data)
{
	const Row *row = data;
	const KdRegime regime = {.root = T0,
		.va_bits = row->va_bits,
		.pa_bits = 52,
		.page_shift = 12,
		.flags = row->flags};
	g_autofree char *leaf = NULL;
	KdWalk walk;

	kd_arch_x86_64.walk (&regime, row->va, read_phys, (void *)row, &walk);
	g_assert_cmpint (walk.status, ==, row->status);
	g_assert_cmpuint (walk.nr_levels, ==, row->nr_levels);
	if (row->nr_levels)
		g_assert_cmpstr (walk.levels[0].name, ==, row->va_bits == 57 ? "PML5" : "PML4");
	if (row->status == KD_WALK_UNREADABLE)
		g_assert_cmphex (walk.levels[walk.nr_levels - 1].entry_pa, ==, 0x9000000 + 511 * 8);
	if (row->status != KD_WALK_MAPPED)
		return;
	g_assert_cmphex (walk.pa, ==, row->pa);
	g_assert_cmphex (walk.map_size, ==, row->map_size);
	leaf = kd_arch_x86_64.describe_leaf (&regime, &walk);
	g_assert_cmpstr (leaf, ==, row->leaf);
}

/* --- registers --- */

typedef struct {
	const char *name;
	uint64_t value;
} Reg;

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

/* Registers of a 6.1 host on QEMU 7.2, of its SVM guest, and of CPUs that start. */
#define HOST(cs_value, cr3_value)                                                                  \
	{                                                                                          \
		{"cs", cs_value}, {"cr0", 0x80050033}, {"cr3", cr3_value}, {"cr4", 0x751ea0},      \
			{"efer", 0x1d01}, {"eflags", 0x246},                                       \
		{                                                                                  \
			NULL, 0                                                                    \
		}                                                                                  \
	}

static const struct {
	const char *name;
	Reg regs[8];
	KdCpuMode mode;
	int el;
	const char *mode_name;
	gboolean may_be_guest;
	uint64_t root; /* ~0: no regime */
	unsigned va_bits;
} cpus[] = {
	{"kernel", HOST (0x10, 0x13ac000), KD_CPU_MODE_KERNEL, 0, "ring 0", TRUE, 0x13ac000, 57},
	{"user", HOST (0x33, 0x13ac000), KD_CPU_MODE_USER, 3, "ring 3", TRUE, 0x13ac000, 57},
	{"pcid-and-lam", HOST (0x10, 0x60000000013ac801), KD_CPU_MODE_KERNEL, 0, "ring 0", TRUE,
		0x13ac000, 57},
	{"guest",
		{{"cs", 8}, {"cr0", 0x80000011}, {"cr3", 0x40030000}, {"cr4", 0x20},
			{"efer", 0x1500}, {NULL, 0}},
		KD_CPU_MODE_KERNEL, 0, "ring 0", TRUE, 0x40030000, 48},
	{"vmx-host",
		{{"cs", 0x10}, {"cr0", 0x80050033}, {"cr3", 0x13ac000}, {"cr4", 0x2020},
			{"efer", 0xd01}, {NULL, 0}},
		KD_CPU_MODE_KERNEL, 0, "ring 0", TRUE, 0x13ac000, 48},
	{"host-without-virtualization",
		{{"cs", 0x10}, {"cr0", 0x80050033}, {"cr3", 0x13ac000}, {"cr4", 0x20},
			{"efer", 0xd01}, {NULL, 0}},
		KD_CPU_MODE_KERNEL, 0, "ring 0", FALSE, 0x13ac000, 48},
	{"waits-for-sipi",
		{{"cs", 0xf000}, {"cr0", 0x60000010}, {"cr3", 0}, {"cr4", 0}, {"efer", 0},
			{NULL, 0}},
		KD_CPU_MODE_UNKNOWN, 0, "real mode", FALSE, ~0ULL, 0},
	{"protected-mode",
		{{"cs", 0x10}, {"cr0", 0x11}, {"cr3", 0}, {"cr4", 0}, {"efer", 0}, {NULL, 0}},
		KD_CPU_MODE_UNKNOWN, 0, "protected mode", FALSE, ~0ULL, 0},
	{"virtual-8086",
		{{"cs", 0x10}, {"cr0", 0x80000011}, {"cr3", 0}, {"cr4", 0}, {"efer", 0},
			{"eflags", 0x20202}, {NULL, 0}},
		KD_CPU_MODE_UNKNOWN, 3, "virtual-8086 mode", FALSE, ~0ULL, 0},
	{"no-registers", {{NULL, 0}}, KD_CPU_MODE_UNKNOWN, -1, "unknown", FALSE, ~0ULL, 0},
};

static void
test_cpus (void)
{
	for (size_t i = 0; i < G_N_ELEMENTS (cpus); i++) {
		void *regs = (void *)cpus[i].regs;
		KdCpuState state = kd_arch_x86_64.cpu_state (get_reg, regs);
		KdRegime regime = {0};
		gboolean has = kd_arch_x86_64.regime (KD_REGIME_KERNEL, get_reg, regs, &regime);

		g_test_message ("%s", cpus[i].name);
		g_assert_cmpint (state.mode, ==, cpus[i].mode);
		g_assert_cmpint (state.el, ==, cpus[i].el);
		g_assert_cmpstr (state.mode_name, ==, cpus[i].mode_name);
		g_assert_cmpint (
			kd_x86_64_linux.may_be_guest (get_reg, regs), ==, cpus[i].may_be_guest);
		g_assert_cmpint (has, ==, cpus[i].root != ~0ULL);
		g_assert_false (kd_arch_x86_64.regime (KD_REGIME_HYP, get_reg, regs, &regime));
		if (!has)
			continue;
		g_assert_cmphex (regime.root, ==, cpus[i].root);
		g_assert_cmpuint (regime.va_bits, ==, cpus[i].va_bits);
		g_assert_true (regime.upper);
	}
}

static void
test_roles (void)
{
	g_assert_cmpstr (kd_arch_x86_64.dwarf_reg_name (7), ==, kd_arch_x86_64.sp);
	g_assert_cmpstr (kd_arch_x86_64.dwarf_reg_name (6), ==, kd_arch_x86_64.fp);
	g_assert_cmpstr (kd_arch_x86_64.dwarf_reg_name (16), ==, kd_arch_x86_64.pc);
	g_assert_null (kd_arch_x86_64.dwarf_reg_name (17));
	g_assert_true (kd_arch_by_gdb_name ("i386:x86-64") == &kd_arch_x86_64);
	g_assert_true (kd_arch_by_elf_machine (62) == &kd_arch_x86_64);
	/* phys_base as a 6.1 host had it with KASLR. */
	g_assert_cmphex (kd_x86_64_linux.virt_of_image (0xffffffffe0a00000, 0xd200000), ==,
		0xffffffffac800000);
}

/* --- the IDT --- */

static const char monitor[] = "\nCPU#0\nRAX=fffffffffffffc18\nGDT=     0000000000000000 0000ffff\n"
			      "IDT=     0000000000000000 0000ffff\nCR0=80000011\n"
			      "\nCPU#1\nTR =0040 fffffe000003e000 00004087 00008900\n"
			      "IDT=     fffffe0000000000 00000fff\n"
			      "\nCPU#10\nIDT=     fffffe0000000abc 00000fff\n";

static void
test_monitor (void)
{
	uint64_t value = 1;

	g_assert_true (kd_arch_x86_64.monitor_reg (monitor, 0, "idt_base", &value));
	g_assert_cmphex (value, ==, 0);
	g_assert_true (kd_arch_x86_64.monitor_reg (monitor, 1, "idt_base", &value));
	g_assert_cmphex (value, ==, 0xfffffe0000000000);
	g_assert_true (kd_arch_x86_64.monitor_reg (monitor, 10, "idt_base", &value));
	g_assert_cmphex (value, ==, 0xfffffe0000000abc);
	g_assert_false (kd_arch_x86_64.monitor_reg (monitor, 2, "idt_base", &value));
	g_assert_false (kd_arch_x86_64.monitor_reg (monitor, 1, "gdt_base", &value));
	g_assert_false (kd_arch_x86_64.monitor_reg (monitor, 1, "rax", &value));
	g_assert_false (kd_arch_x86_64.monitor_reg ("", 0, "idt_base", &value));
	g_assert_false (kd_arch_x86_64.monitor_reg ("CPU#0\nIDT=", 0, "idt_base", &value));
	g_assert_cmphex (value, ==, 0xfffffe0000000abc);
}

/* A page that holds the IDT at T4, mapped at fffffe0000000000. */
static const Row idt = {.entries = {{T0 + 508 * 8, T1 | TABLE}, {T1, T2 | TABLE}, {T2, T3 | TABLE},
				{T3, T4 | P | A}, {T4, 0xae208e0000100990}}};

static gboolean
read_idt (void *data, uint64_t pa, void *buf, size_t len, GError **error)
{
	const uint64_t upper = GUINT64_TO_LE (0xffffffff);

	if (!read_phys ((void *)&idt, pa, buf, len, error))
		return FALSE;
	if (pa == T4)
		memcpy ((uint8_t *)buf + 8, &upper, 8);
	return TRUE;
}

static void
test_vector_base (void)
{
	Reg regs[] = {{"idt_base", 0xfffffe0000000000}, {"cr0", 0x80050033}, {"cr3", T0},
		{"cr4", 0x20}, {"efer", 0xd01}, {NULL, 0}};
	KdVectorBase bases[KD_VECTOR_BASES_MAX];

	g_assert_cmpuint (
		kd_x86_64_linux.vector_bases (get_reg, regs, read_idt, NULL, bases), ==, 1);
	g_assert_cmphex (bases[0].va, ==, 0xffffffffae200990);
	g_assert_false (bases[0].is_phys);
	g_assert_cmphex (bases[0].regime.root, ==, T0);
	/* A gate that is not present, and a base that nothing maps: both a guest's. */
	regs[0].value += 16;
	g_assert_cmpuint (
		kd_x86_64_linux.vector_bases (get_reg, regs, read_idt, NULL, bases), ==, 0);
	regs[0].value = 0;
	g_assert_cmpuint (
		kd_x86_64_linux.vector_bases (get_reg, regs, read_idt, NULL, bases), ==, 0);
}

/* --- instructions, as binutils assembles them --- */

#define AT 0xffffffff81001000ULL

static const struct {
	const char *text;
	uint8_t code[KD_CALL_BYTES_MAX]; /* that end at AT */
	KdCallKind kind;
	unsigned len;
	int64_t target; /* minus AT */
	gboolean maybe_indirect;
} calls[] = {
	{"call-rel32-back", {0x90, 0x90, 0x90, 0xe8, 0xf0, 0xff, 0xff, 0xff}, KD_CALL_DIRECT, 5,
		-16, FALSE},
	{"call-rel32-forward", {0x90, 0x90, 0x90, 0xe8, 0, 1, 0, 0}, KD_CALL_DIRECT, 5, 256, FALSE},
	{"call-*%rax", {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xd0}, KD_CALL_INDIRECT, 2, 0,
		FALSE},
	{"call-*%r11", {0x90, 0x90, 0x90, 0x90, 0x90, 0x41, 0xff, 0xd3}, KD_CALL_INDIRECT, 3, 0,
		FALSE},
	{"call-*(%rax)", {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0x10}, KD_CALL_INDIRECT, 2, 0,
		FALSE},
	{"call-*8(%rbx)", {0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0x53, 0x08}, KD_CALL_INDIRECT, 3, 0,
		FALSE},
	{"call-*0x100(%rax)", {0x90, 0x90, 0xff, 0x90, 0, 1, 0, 0}, KD_CALL_INDIRECT, 6, 0, FALSE},
	{"call-*0x100(%rip)", {0x90, 0x90, 0xff, 0x15, 0, 1, 0, 0}, KD_CALL_INDIRECT, 6, 0, FALSE},
	{"call-*table(,%rax,8)", {0x90, 0xff, 0x14, 0xc5, 0, 0, 0, 0x81}, KD_CALL_INDIRECT, 7, 0,
		FALSE},
	{"call-*0x20(%rsp)", {0x90, 0x90, 0x90, 0x90, 0xff, 0x54, 0x24, 0x20}, KD_CALL_INDIRECT, 4,
		0, FALSE},
	{"call-*0x100(%r12)", {0x41, 0xff, 0x94, 0x24, 0, 1, 0, 0}, KD_CALL_INDIRECT, 8, 0, FALSE},
	{"reads-as-both", {0x90, 0x90, 0x90, 0xe8, 0, 0, 0xff, 0xd0}, KD_CALL_DIRECT, 5,
		(int32_t)0xd0ff0000, TRUE},
	{"nops", {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90}, KD_CALL_NONE, 0, 0, FALSE},
	{"jmp-*%rax", {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xe0}, KD_CALL_NONE, 0, 0, FALSE},
	{"push", {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0x30}, KD_CALL_NONE, 0, 0, FALSE},
};

static void
test_calls (void)
{
	for (size_t i = 0; i < G_N_ELEMENTS (calls); i++) {
		KdCall call;

		g_test_message ("%s", calls[i].text);
		kd_arch_x86_64.call_before (calls[i].code, AT, &call);
		g_assert_cmpint (call.kind, ==, calls[i].kind);
		g_assert_cmpint (call.maybe_indirect, ==, calls[i].maybe_indirect);
		if (call.kind != KD_CALL_NONE)
			g_assert_cmphex (call.addr, ==, AT - calls[i].len);
		if (call.kind == KD_CALL_DIRECT)
			g_assert_cmphex (call.target, ==, AT + (uint64_t)calls[i].target);
	}
}

static void
test_jumps (void)
{
	static const uint8_t near[] = {0xe9, 0xfb, 0xff, 0xff, 0xff}, brief[] = {0xeb, 0xfe},
			     other[] = {0x74, 0xfe, 0, 0, 0};
	uint64_t target = 1;

	g_assert_true (kd_arch_x86_64.jump_at (near, 5, AT, &target));
	g_assert_cmphex (target, ==, AT);
	target = 1;
	g_assert_false (kd_arch_x86_64.jump_at (near, 4, AT, &target));
	g_assert_cmphex (target, ==, 1);
	g_assert_true (kd_arch_x86_64.jump_at (brief, 2, AT, &target));
	g_assert_cmphex (target, ==, AT);
	g_assert_false (kd_arch_x86_64.jump_at (brief, 1, AT, &target));
	g_assert_false (kd_arch_x86_64.jump_at (other, 5, AT, &target));
}

static void
test_words (void)
{
	static const struct {
		const char *name;
		char *(*words) (uint64_t value);
		uint64_t value;
		const char *want; /* NULL: not known */
	} rows[] = {
		{"NPF", kd_svm_exit_to_string, 0x400, "NPF"},
		{"CR write", kd_svm_exit_to_string, 0x10, "WRITE_CR0"},
		{"DR write", kd_svm_exit_to_string, 0x37, "WRITE_DR7"},
		{"CR trap", kd_svm_exit_to_string, 0x94, "CR4_WRITE_TRAP"},
		{"exception", kd_svm_exit_to_string, 0x4e, "EXCP #PF"},
		{"exception without a name", kd_svm_exit_to_string, 0x4f, "EXCP 15"},
		{"last before the numbered", kd_svm_exit_to_string, 0x78, "HLT"},
		{"invalid", kd_svm_exit_to_string, UINT32_MAX, "ERR (VMRUN refused the VMCB)"},
		{"hole", kd_svm_exit_to_string, 0x5fff, NULL},
		{"EPT", kd_vmx_exit_to_string, 48, "EPT_VIOLATION"},
		{"failed entry", kd_vmx_exit_to_string, 0x80000021,
			"INVALID_STATE, VM entry failed"},
		{"hole", kd_vmx_exit_to_string, 35, NULL},
	};
	static const struct {
		uint64_t reason, qualification;
		const char *want;
	} qualifications[] = {
		{28, 0x300, "mov to CR0 from rbx"},
		{28, 0xf18, "mov from CR8 to r15"},
		{28, 0x20, "clts"},
		{28, 0xabcd0030, "lmsw 0xabcd"},
		{29, 0x17, "mov from DR7"},
		{30, 0x3f80000, "out, 1 bytes, port 0x3f8"},
		{30, 0x600039, "ins, rep, 2 bytes, port 0x60"},
		{48, 0x182, "write|linear-valid|translated"},
		{10, 1, NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *got = rows[i].words (rows[i].value);

		g_test_message ("%s", rows[i].name);
		g_assert_cmpstr (got, ==, rows[i].want);
	}
	for (size_t i = 0; i < G_N_ELEMENTS (qualifications); i++) {
		g_autofree char *got = kd_vmx_qualification_to_string (
			qualifications[i].reason, qualifications[i].qualification);

		g_assert_cmpstr (got, ==, qualifications[i].want);
	}
	g_assert_null (kd_x86_64_bits_to_string ("CR9", 1));
}

static void
test_sysregs (void)
{
	static const char *const told =
		"CPU#0\nTR =0040 fffffe0000003000 00004087 00008b00 DPL=0 TSS64-busy\n"
		"GDT=     fffffe0000001000 0000007f\n"
		"DR0=0000000000001000 DR1=0000000000002000\nDR6=00000000ffff0ff0 "
		"DR7=0000000000000403\nEFER=0000000000000d01";
	static const struct {
		const char *name;
		uint64_t value, cr4;
		const char *text;
	} rows[] = {
		{"CR0", 0x80050033, 0, "PE|MP|ET|NE|WP|AM|PG"},
		{"CR3", 0x123456018, 0, "table 0x123456000, PWT|PCD"},
		{"CR3", 0x123456018, 1 << 17, "table 0x123456000, PCID=24"},
		{"CR4", 0x1006f0, 0, "PSE|PAE|MCE|PGE|OSFXSR|OSXMMEXCPT|SMEP"},
		{"CR8", 0xf, 0, "TPR=15"},
		{"EFER", 0xd01, 0, "SCE|LME|LMA|NXE"},
		{"RFLAGS", 0x246, 0, "PF|ZF|IF"},
		{"DR6", 0xffff4ff1, 0, "B0|BS"},
		{"DR7", 0x400, 0, ""},
		{"DR7", 0x000d0402, 0, "DR0: write 4, G0|RW0=1|LEN0=3"},
		{"CS", 0x10, 0, "index=2"},
		{"TR", 0x40, 0, "index=8"},
		{"CR2", 1, 0, NULL},
	};
	static const struct {
		const char *name;
		uint64_t value;
	} values[] = {{"tr", 0x40}, {"tr_base", 0xfffffe0000003000},
		{"gdt_base", 0xfffffe0000001000}, {"gdt_limit", 0x7f}, {"dr1", 0x2000},
		{"dr7", 0x403}};
	const KdSysregs *sysregs = kd_arch_x86_64.sysregs;
	Reg eflags[] = {{"eflags", 0x202}, {NULL, 0}};
	uint64_t value;

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		Reg regs[] = {{"cr4", rows[i].cr4}, {NULL, 0}};
		g_autofree char *text =
			sysregs->to_string (rows[i].name, rows[i].value, get_reg, regs);

		g_test_message ("%s", rows[i].name);
		g_assert_cmpstr (text, ==, rows[i].text);
	}
	for (size_t i = 0; i < G_N_ELEMENTS (values); i++) {
		g_test_message ("%s", values[i].name);
		g_assert_true (kd_arch_x86_64.monitor_reg (told, 0, values[i].name, &value));
		g_assert_cmphex (value, ==, values[i].value);
	}
	g_assert_true (sysregs->read ("RFLAGS", get_reg, eflags, &value));
	g_assert_cmphex (value, ==, 0x202);
	g_assert_false (sysregs->read ("DR7", get_reg, eflags, &value));
	g_assert_cmphex (value, ==, 0x202);
}

static const struct {
	const char *name;
	uint8_t code[KD_TRIVIAL_INSN_MAX];
	unsigned size; /* 0: none */
	gboolean repeats;
} trivial[] = {
	{"ftrace's nop", {0x0f, 0x1f, 0x44, 0x00, 0x00, 0x55}, 5},
	{"of an ENDBR", {0x66, 0x0f, 0x1f, 0x00, 0xe8}, 4},
	{"of 3 bytes", {0x0f, 0x1f, 0x00, 0x55}, 3},
	{"of 7 bytes", {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00, 0x55}, 7},
	{"of 8 bytes", {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00}, 8},
	{"a call", {0xe8, 0x00, 0x00, 0x00, 0x00}, 0},
	{"endbr64", {0xf3, 0x0f, 0x1e, 0xfa}, 0},
	{"0F 1F /1", {0x0f, 0x1f, 0x48, 0x00}, 0},
	{"0F 18", {0x0f, 0x18, 0x44, 0x00, 0x00}, 0},
	{"rep movsb", {0xf3, 0xa4, 0xc3}, 0, TRUE},
	{"rep stosq", {0xf3, 0x48, 0xab}, 0, TRUE},
	{"es repne scasb", {0x26, 0xf2, 0xae}, 0, TRUE},
	{"rep insb", {0xf3, 0x6c}, 0, TRUE},
	{"movsb", {0xa4, 0xf3}, 0},
	{"pause", {0xf3, 0x90}, 0},
	{"prefixes only", {0xf3, 0xf3, 0xf3, 0xf3, 0xf3, 0xf3, 0xf3, 0xf3}, 0},
};

static void
test_trivial (void)
{
	for (size_t i = 0; i < G_N_ELEMENTS (trivial); i++) {
		KdTrivialInsn insn;
		gboolean is = kd_arch_x86_64.trivial_insn (trivial[i].code, &insn);

		g_test_message ("%s", trivial[i].name);
		g_assert_cmpint (is, ==, trivial[i].size != 0);
		g_assert_cmpint (kd_arch_x86_64.repeats (trivial[i].code), ==, trivial[i].repeats);
		if (!is)
			continue;
		g_assert_cmpuint (insn.size, ==, trivial[i].size);
		g_assert_null (insn.to);
	}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (walks); i++) {
		g_autofree char *path = g_strconcat ("/x86-64-walk/", walks[i].name, NULL);

		g_test_add_data_func (path, &walks[i], test_walk);
	}
	g_test_add_func ("/x86-64/words", test_words);
	g_test_add_func ("/x86-64/cpus", test_cpus);
	g_test_add_func ("/x86-64/roles", test_roles);
	g_test_add_func ("/x86-64/monitor", test_monitor);
	g_test_add_func ("/x86-64/sysregs", test_sysregs);
	g_test_add_func ("/x86-64/vector-base", test_vector_base);
	g_test_add_func ("/x86-64/calls", test_calls);
	g_test_add_func ("/x86-64/jumps", test_jumps);
	g_test_add_func ("/x86-64/trivial", test_trivial);
	return g_test_run();
}
