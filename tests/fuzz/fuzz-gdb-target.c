/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz-gdb-target.h"

#include <string.h>

#include "kernel/task.h"

/*
 * Stands in for src/target and src/kernel: two arm64 CPUs whose memory, registers and breakpoints
 * are arrays, so that a request costs microseconds. What tests/daemon/test-gdb-stub.c asks over a
 * socket of a stub is not repeated here.
 */
#define NR_CPUS 2
#define CODE UINT64_C (0xffff800008000000)
#define STACK (CODE + 0x1000)
#define MEMORY 0x2000U
#define PAC_MASK (~UINT64_C (0) << 48 & ~(UINT64_C (1) << 55))

static const KdRegInfo infos[] = {
	{"x0", "x0", "general", 64, 0},
	{"x30", "x30", "general", 64, 1},
	{"sp", "sp", "general", 64, 2},
	{"pc", "pc", "general", 64, 3},
	{"cpsr", "cpsr", "general", 32, 4},
	{"v0", "v0", "vector", 128, 5},
	{"VBAR_EL1", "VBAR", "system", 64, 40},
};
#define NR_REGS G_N_ELEMENTS (infos)

struct KdTarget {
	KdTargetState state;
	KdStop stop;
	int last_number;
	GArray *breaks; /* KdBreak */
	uint64_t regs[NR_CPUS][NR_REGS];
	uint8_t memory[MEMORY];
};

G_DEFINE_QUARK (kd - target - error - quark, kd_target_error)

/* --- what is asked of it from outside --- */

KdTarget *
fuzz_gdb_target_new (void)
{
	KdTarget *target = g_new0 (KdTarget, 1);
	const uint32_t nop_and_call[] = {0xd503201f, 0x94000001};

	target->breaks = g_array_new (FALSE, TRUE, sizeof (KdBreak));
	target->state = KD_TARGET_RUNNING;
	for (size_t at = 0; at < STACK - CODE; at += 8)
		memcpy (target->memory + at, nop_and_call, 8);
	/* Return addresses with a signature, behind a call and not. */
	for (uint64_t at = STACK - CODE; at < MEMORY; at += 8) {
		uint64_t value = ((CODE + at % 0x100) & ~PAC_MASK) | UINT64_C (0x5a) << 48;

		memcpy (target->memory + at, &value, 8);
	}
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
		target->regs[cpu][1] = ((CODE + 0x10) & ~PAC_MASK) | UINT64_C (0x5a) << 48;
	return target;
}

void
kd_target_free (KdTarget *target)
{
	g_array_unref (target->breaks);
	g_free (target);
}

unsigned
fuzz_gdb_target_nr_breaks (const KdTarget *target)
{
	return target->breaks->len;
}

void
fuzz_gdb_target_hit (KdTarget *target)
{
	const KdBreak *hit;

	if (target->state != KD_TARGET_RUNNING || target->breaks->len == 0)
		return;
	hit = &g_array_index (target->breaks, KdBreak, target->breaks->len / 2);
	target->state = KD_TARGET_STOPPED;
	target->stop =
		(KdStop){hit->kind <= KD_BREAK_HARDWARE ? KD_STOP_BREAKPOINT : KD_STOP_WATCHPOINT,
			hit->number % (NR_CPUS + 1) - 1, 5, hit->number, kd_addr_kernel (hit->va)};
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
		target->regs[cpu][3] = hit->va;
}

/* --- run control --- */

static gboolean
needs (const KdTarget *target, KdTargetState state, GError **error)
{
	if (target->state == state)
		return TRUE;
	g_set_error (error, KD_TARGET_ERROR,
		state == KD_TARGET_STOPPED ? KD_TARGET_ERROR_RUNNING : KD_TARGET_ERROR_STOPPED,
		"not now");
	return FALSE;
}

static gboolean
not_found (GError **error)
{
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND, "there is none");
	return FALSE;
}

KdTargetState
kd_target_state (const KdTarget *target)
{
	return target->state;
}

const KdStop *
kd_target_last_stop (const KdTarget *target)
{
	return target->state == KD_TARGET_STOPPED ? &target->stop : NULL;
}

gboolean
kd_target_stop (KdTarget *target, GError **error)
{
	if (!needs (target, KD_TARGET_RUNNING, error))
		return FALSE;
	target->state = KD_TARGET_STOPPED;
	target->stop = (KdStop){KD_STOP_REQUEST, -1, 2, 0, kd_addr_kernel (0)};
	return TRUE;
}

gboolean
kd_target_cont (KdTarget *target, GError **error)
{
	if (!needs (target, KD_TARGET_STOPPED, error))
		return FALSE;
	target->state = KD_TARGET_RUNNING;
	return TRUE;
}

gboolean
kd_target_cont_cpu (KdTarget *target, unsigned cpu, GError **error)
{
	g_assert_cmpuint (cpu, <, NR_CPUS);
	return kd_target_cont (target, error);
}

/* CPU 1 sleeps. */
gboolean
kd_target_step (KdTarget *target, unsigned cpu, GError **error)
{
	g_assert_cmpuint (cpu, <, NR_CPUS);
	if (!needs (target, KD_TARGET_STOPPED, error))
		return FALSE;
	if (cpu == 1)
		return not_found (error);
	target->regs[cpu][3] += 4;
	target->stop = (KdStop){KD_STOP_STEP, (int)cpu, 5, 0, kd_addr_kernel (0)};
	return TRUE;
}

int
kd_target_break_insert (KdTarget *target, KdBreakKind kind, uint64_t va, uint64_t len,
	const char *text, GError **error)
{
	KdBreak one = {.kind = kind, .va = va, .len = len, .text = text};

	g_assert_cmpint (kind, <=, KD_WATCH_ACCESS);
	if (!needs (target, KD_TARGET_STOPPED, error) ||
		(target->breaks->len > 8 && not_found (error)))
		return 0;
	one.number = ++target->last_number;
	g_array_append_val (target->breaks, one);
	return one.number;
}

gboolean
kd_target_break_delete (KdTarget *target, int number, GError **error)
{
	if (!needs (target, KD_TARGET_STOPPED, error))
		return FALSE;
	for (guint i = 0; i < target->breaks->len; i++) {
		if (g_array_index (target->breaks, KdBreak, i).number != number)
			continue;
		g_array_remove_index (target->breaks, i);
		return TRUE;
	}
	return not_found (error);
}

/* --- registers --- */

const KdArch *
kd_target_arch (const KdTarget *target)
{
	return &kd_arch_arm64;
}

unsigned
kd_target_nr_cpus (const KdTarget *target)
{
	return NR_CPUS;
}

const KdRegInfo *
kd_target_reg_infos (const KdTarget *target, unsigned *ret_nr)
{
	*ret_nr = NR_REGS;
	return infos;
}

static uint64_t *
find_reg (KdTarget *target, unsigned cpu, const char *name, unsigned *ret_bits)
{
	g_assert_cmpuint (cpu, <, NR_CPUS);
	for (unsigned i = 0; i < NR_REGS && target->state == KD_TARGET_STOPPED; i++) {
		*ret_bits = infos[i].bits;
		if (strcmp (name, infos[i].stub_name) == 0 || strcmp (name, infos[i].name) == 0)
			return &target->regs[cpu][i];
	}
	return NULL;
}

gboolean
kd_target_reg_get (
	KdTarget *target, unsigned cpu, const char *name, uint64_t *ret_value, GError **error)
{
	unsigned bits;
	const uint64_t *reg = find_reg (target, cpu, name, &bits);

	if (!reg || bits > 64)
		return not_found (error);
	*ret_value = *reg;
	return TRUE;
}

gboolean
kd_target_reg_get_bytes (
	KdTarget *target, unsigned cpu, const char *name, GByteArray *into, GError **error)
{
	unsigned bits;
	const uint64_t *reg = find_reg (target, cpu, name, &bits);

	if (!reg)
		return not_found (error);
	g_byte_array_set_size (into, bits / 8);
	memset (into->data, 0, bits / 8);
	memcpy (into->data, reg, MIN (bits / 8, 8));
	return TRUE;
}

gboolean
kd_target_reg_set (KdTarget *target, unsigned cpu, const char *name, uint64_t value, GError **error)
{
	unsigned bits;
	uint64_t *reg = find_reg (target, cpu, name, &bits);

	if (!reg)
		return not_found (error);
	g_assert_cmpuint (bits, <=, 64);
	*reg = value;
	return TRUE;
}

gboolean
kd_target_reg_get_all (KdTarget *target, unsigned cpu, GByteArray *into, GError **error)
{
	g_assert_cmpuint (cpu, <, NR_CPUS);
	if (!needs (target, KD_TARGET_STOPPED, error))
		return FALSE;
	for (unsigned i = 0; i < NR_REGS - 1; i++) {
		g_autoptr (GByteArray) bytes = g_byte_array_new();

		g_assert_true (kd_target_reg_get_bytes (target, cpu, infos[i].name, bytes, NULL));
		g_byte_array_append (into, bytes->data, bytes->len);
	}
	return TRUE;
}

const char *
kd_target_description (const KdTarget *target, const char *annex)
{
	return strcmp (annex, "target.xml") == 0 ? "<?xml version=\"1.0\"?><target></target>"
						 : NULL;
}

KdCpuState
kd_target_cpu_state (KdTarget *target, unsigned cpu)
{
	g_assert_cmpuint (cpu, <, NR_CPUS);
	return target->state == KD_TARGET_STOPPED ? (KdCpuState){KD_CPU_MODE_KERNEL, 2, "EL2h"}
						  : (KdCpuState){KD_CPU_MODE_UNKNOWN, -1, NULL};
}

gboolean
kd_target_cpu_regime (
	KdTarget *target, unsigned cpu, KdRegimeKind kind, KdRegime *ret_regime, GError **error)
{
	*ret_regime = (KdRegime){0};
	return needs (target, KD_TARGET_STOPPED, error);
}

/* --- memory: a page of code, a page of stack --- */

static uint8_t *
find_memory (KdTarget *target, uint64_t va, size_t len)
{
	return va >= CODE && va - CODE < MEMORY && len <= MEMORY - (va - CODE)
		       ? target->memory + (va - CODE)
		       : NULL;
}

static gboolean
read_memory (KdTarget *target, uint64_t va, void *buf, size_t len)
{
	const uint8_t *at = find_memory (target, va, len);

	g_assert_cmpuint (len, >, 0);
	if (at)
		memcpy (buf, at, len);
	return at != NULL;
}

static gboolean
write_memory (KdTarget *target, uint64_t va, const void *buf, size_t len)
{
	uint8_t *at = find_memory (target, va, len);

	g_assert_cmpint (target->state, ==, KD_TARGET_STOPPED);
	if (at)
		memcpy (at, buf, len);
	return at != NULL;
}

gboolean
kd_target_read_cpu (
	KdTarget *target, unsigned cpu, uint64_t va, void *buf, size_t len, GError **error)
{
	g_assert_cmpint (target->state, ==, KD_TARGET_STOPPED);
	return read_memory (target, va | UINT64_C (0xffff) << 48, buf, len);
}

gboolean
kd_target_read_virt (KdTarget *target, const KdRegime *regime, uint64_t va, void *buf, size_t len,
	GError **error)
{
	return read_memory (target, va, buf, len);
}

gboolean
kd_target_write_virt (KdTarget *target, const KdRegime *regime, uint64_t va, const void *buf,
	size_t len, GError **error)
{
	return write_memory (target, va, buf, len);
}

/* --- the kernel: what is asked for is the target itself --- */

KdCpuState
kd_kernel_cpu_state (KdKernel *kernel, unsigned cpu)
{
	return kd_target_cpu_state ((KdTarget *)kernel, cpu);
}

uint64_t
kd_kernel_pac_mask (const KdKernel *kernel)
{
	return PAC_MASK;
}

gboolean
kd_kernel_read (KdKernel *kernel, KdAddr addr, void *buf, size_t len, GError **error)
{
	return read_memory ((KdTarget *)kernel, addr.value, buf, len);
}

gboolean
kd_kernel_write (KdKernel *kernel, KdAddr addr, const void *buf, size_t len, GError **error)
{
	return write_memory ((KdTarget *)kernel, addr.value, buf, len);
}

gboolean
kd_kernel_symbol_at (KdKernel *kernel, uint64_t addr, KdKernelSymbol *ret_symbol)
{
	if (addr - CODE >= STACK - CODE)
		return FALSE;
	*ret_symbol = (KdKernelSymbol){.name = "_text", .addr = CODE, .size = STACK - CODE};
	return TRUE;
}

gboolean
kd_kernel_symbol (KdKernel *kernel, const char *name, KdKernelSymbol *ret_symbol)
{
	return kd_kernel_symbol_at (kernel, CODE, ret_symbol);
}

gboolean
kd_task_current (KdKernel *kernel, unsigned cpu, KdTask *ret_task, GError **error)
{
	g_assert_cmpuint (cpu, <, NR_CPUS);
	*ret_task = (KdTask){.pid = 1, .comm = "a<b&\"c"};
	return TRUE;
}
