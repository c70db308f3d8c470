/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "arch/arm64-insn.h"
#include "debug/explain.h"
#include "kernel/object.h"
#include "kernel/task.h"
#include "kvm/kvm.h"

#define HCR_TGE (1ULL << 27)
#define ESR_EC(esr) ((esr) >> 26 & 0x3f)
#define EC_DABT_CURRENT 0x25
#define VECTORS_SIZE 0x800
#define VECTOR_SIZE 0x80
#define MEMBER_DEPTH_MAX 8

typedef struct {
	KdExplain *explain;
	KdKernel *kernel;
	KdTarget *target;
	unsigned cpu;
	KdCpuState state;
	uint64_t pc, sp_el0, elr, esr, far;
	uint64_t at; /* where the host's code was: pc, or what an exception in it came from */
	gboolean in_vector; /* an exception out of the host's own code has just been taken */
	gboolean has_task;
	KdTask task; /* what the run queue says */
} Cpu;

static gboolean
reg (const Cpu *cpu, const char *name, uint64_t *ret_value)
{
	return kd_target_reg_get (cpu->target, cpu->cpu, name, ret_value, NULL);
}

/* FALSE: the CPU is not in the host kernel's own code, or this is another architecture. */
static gboolean
look_at (KdExplain *explain, unsigned nr, Cpu *cpu)
{
	KdKernel *kernel = kd_explain_kernel (explain);
	KdTargetCpu regs = {kd_kernel_target (kernel), nr};
	const KdArch *arch;
	const char *vector;

	*cpu = (Cpu){.explain = explain,
		.kernel = kernel,
		.target = kd_kernel_target (kernel),
		.cpu = nr};
	arch = kd_target_arch (cpu->target);
	cpu->state = kd_kernel_cpu_state (kernel, nr);
	if (cpu->state.mode != KD_CPU_MODE_KERNEL || !arch->vector_at ||
		!reg (cpu, "SP_EL0", &cpu->sp_el0) || !reg (cpu, arch->pc, &cpu->pc) ||
		!reg (cpu, cpu->state.el == 2 ? "ELR_EL2" : "ELR_EL1", &cpu->elr) ||
		!reg (cpu, cpu->state.el == 2 ? "ESR_EL2" : "ESR_EL1", &cpu->esr) ||
		!reg (cpu, cpu->state.el == 2 ? "FAR_EL2" : "FAR_EL1", &cpu->far))
		return FALSE;
	vector = arch->vector_at (kd_target_cpu_reg, &regs, cpu->pc);
	cpu->in_vector = vector && strstr (vector, "current EL");
	cpu->at = cpu->in_vector ? cpu->elr : cpu->pc;
	return TRUE;
}

/* --- the host's current --- */

static gboolean
in_range (KdKernel *kernel, const char *start, const char *end, uint64_t addr)
{
	KdKernelSymbol low, high;

	return kd_kernel_symbol (kernel, start, &low) && kd_kernel_symbol (kernel, end, &high) &&
	       addr >= low.addr && addr < high.addr;
}

/*
 * Assembly that has to run with another SP_EL0: entry from user space and back, into a guest and
 * back (entry.S, hyp/entry.S, hyp/hyp-entry.S), and where it is switched.
 */
static gboolean
may_lack_current (KdKernel *kernel, uint64_t addr)
{
	static const char *const functions[] = {"__guest_enter", "__guest_exit",
		"__guest_exit_panic", "__guest_exit_restore_elr_and_panic", "el1_sync", "el1_irq",
		"el1_error", "el1_fiq", "el1_trap", "cpu_switch_to", "__kvm_hyp_vector",
		"__bp_harden_hyp_vecs", "vectors", "tramp_vectors"};
	KdKernelSymbol symbol;

	if (in_range (kernel, "__entry_text_start", "__entry_text_end", addr))
		return TRUE;
	if (!kd_kernel_symbol_at (kernel, addr, &symbol))
		return TRUE;
	for (size_t i = 0; i < G_N_ELEMENTS (functions); i++)
		if (strcmp (symbol.name, functions[i]) == 0)
			return TRUE;
	return FALSE;
}

/* A thread of the host, though perhaps not the one that runs here: while it is being switched. */
static gboolean
is_a_task (KdKernel *kernel, uint64_t addr)
{
	KdTask task, same;

	return kd_task_at (kernel, addr, &task, NULL) &&
	       (task.pid == 0 ||
		       (kd_task_by_pid (kernel, task.pid, &same, NULL) && same.task == addr));
}

/* What the run queue says may be damaged by now: no kernel's address is none in any case. */
static gboolean
lacks_current (Cpu *cpu)
{
	cpu->has_task = kd_task_current (cpu->kernel, cpu->cpu, &cpu->task, NULL);
	return !(cpu->sp_el0 >> 63) || (cpu->has_task && cpu->task.task != cpu->sp_el0 &&
					       !is_a_task (cpu->kernel, cpu->sp_el0));
}

/* "thread_info.flags" for an offset; NULL: behind the type's end. */
static char *
member_at (const KdType *type, uint64_t offset)
{
	g_autoptr (GString) path = g_string_new (NULL);

	type = kd_type_strip (type);
	for (unsigned depth = 0; type && depth < MEMBER_DEPTH_MAX; depth++) {
		unsigned nr = 0;
		const KdMember *members = kd_type_kind (type) == KD_TYPE_STRUCT ||
							  kd_type_kind (type) == KD_TYPE_UNION
						  ? kd_type_members (type, &nr)
						  : NULL;
		const KdMember *found = NULL;

		for (unsigned i = 0; i < nr; i++) {
			uint64_t start = members[i].bit_offset / 8;

			if (offset >= start && offset - start < kd_type_size (members[i].type)) {
				found = &members[i];
				break;
			}
		}
		if (!found)
			break;
		if (found->name && *found->name)
			g_string_append_printf (path, "%s%s", path->len ? "." : "", found->name);
		offset -= found->bit_offset / 8;
		type = kd_type_strip (found->type);
	}
	return path->len ? g_strdup (path->str) : NULL;
}

static char *command (const char *format, ...) G_GNUC_PRINTF (1, 2);

static char *
command (const char *format, ...)
{
	va_list args;
	char *text;

	va_start (args, format);
	text = g_strdup_vprintf (format, args);
	va_end (args);
	return text;
}

static void
add_current (const Cpu *cpu, KdFinding *finding)
{
	if (cpu->has_task)
		kd_finding_add (finding, command ("regs --cpu %u SP_EL0", cpu->cpu),
			"SP_EL0 is 0x%" PRIx64 "; the run queue of CPU %u says 0x%" PRIx64
			" (%s, process %d)",
			cpu->sp_el0, cpu->cpu, cpu->task.task, cpu->task.comm, cpu->task.pid);
	else
		kd_finding_add (finding, command ("regs --cpu %u SP_EL0", cpu->cpu),
			"SP_EL0 is 0x%" PRIx64 ", and the run queue of CPU %u cannot be read",
			cpu->sp_el0, cpu->cpu);
}

/* The vCPU loaded on the CPU, and what KVM has as its guest's SP_EL0. */
static gboolean
loaded_guest (const Cpu *cpu, KdVcpu *ret_vcpu, uint64_t *ret_sp_el0)
{
	g_autoptr (GArray) vcpus = kd_vcpus (cpu->kernel, NULL, NULL);
	KdObject object;

	for (guint i = 0; vcpus && i < vcpus->len; i++) {
		*ret_vcpu = g_array_index (vcpus, KdVcpu, i);
		if (ret_vcpu->cpu == (int)cpu->cpu)
			return kd_object_at_named (cpu->kernel, "struct kvm_vcpu",
				       ret_vcpu->kvm_vcpu, &object, NULL) &&
			       kd_object_member_u64 (
				       &object, "arch.ctxt.regs.sp", ret_sp_el0, NULL);
	}
	return FALSE;
}

/* Whether that guest had this in SP_EL0. */
static void
add_guest (const Cpu *cpu, KdFinding *finding)
{
	uint64_t saved;
	KdVcpu vcpu;

	if (!loaded_guest (cpu, &vcpu, &saved))
		return;
	if (saved == cpu->sp_el0)
		kd_finding_add (finding, command ("vcpu %d:%d", vcpu.vm, vcpu.id),
			"0x%" PRIx64 " is what the guest of vCPU %d of VM %d has in SP_EL0 "
			"(arch.ctxt.regs.sp)",
			cpu->sp_el0, vcpu.id, vcpu.vm);
	else
		kd_finding_add (finding, command ("vcpu %d:%d", vcpu.vm, vcpu.id),
			"vCPU %d of VM %d is loaded here; when KVM last saved its SP_EL0 that was "
			"0x%" PRIx64,
			vcpu.id, vcpu.vm, saved);
}

/* Where a function enters guests; 0: it does not. */
static uint64_t
guest_call (KdKernel *kernel, const KdFrame *frame)
{
	KdKernelSymbol enter, function;
	uint8_t code[4];

	if (!kd_kernel_symbol (kernel, "__guest_enter", &enter) ||
		!kd_kernel_symbol_at (kernel, frame->pc, &function))
		return 0;
	for (uint64_t at = function.addr; at < function.addr + function.size; at += sizeof code) {
		KdArm64Insn insn;

		if (!kd_kernel_read (kernel, kd_addr_kernel (at), code, sizeof code, NULL))
			return 0;
		kd_arm64_decode ((uint32_t)code[0] | (uint32_t)code[1] << 8 |
					 (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24,
			at, &insn);
		if (insn.kind == KD_ARM64_BL && insn.target == enter.addr)
			return at;
	}
	return 0;
}

/* Between the host's state and the guest's: on the way in, or out. */
static void
add_window (const Cpu *cpu, KdFinding *finding)
{
	const KdBacktrace *trace = kd_explain_backtrace (cpu->explain, cpu->cpu);
	const char *window = "a guest's state is loaded";
	g_autofree char *symbol = NULL;
	uint64_t hcr, vbar;

	if (cpu->state.el != 2 || !reg (cpu, "HCR_EL2", &hcr) || !reg (cpu, "VBAR_EL2", &vbar) ||
		hcr & HCR_TGE)
		return;
	symbol = kd_kernel_symbolize (cpu->kernel, vbar);
	for (guint i = 0; trace && i < trace->frames->len; i++) {
		const KdFrame *frame = &g_array_index (trace->frames, KdFrame, i);
		uint64_t call = frame->inlined ? 0 : guest_call (cpu->kernel, frame);

		if (call) {
			window = frame->pc > call ? "the guest has been left, and the host's state "
						    "is not restored yet"
						  : "the guest's state is loaded, and it has not "
						    "been entered yet";
			break;
		}
	}
	kd_finding_add (finding, command ("regs --cpu %u HCR_EL2 VBAR_EL2", cpu->cpu),
		"%s: HCR_EL2.TGE is clear, VBAR_EL2 is %s", window, symbol);
}

/* What was read through `current`, if that was the guest's SP_EL0 and the access faulted. */
static void
add_fault (const Cpu *cpu, uint64_t sp_el0, const char *where, KdFinding *finding)
{
	const KdType *type = kd_kernel_type (cpu->kernel, "struct task_struct");
	uint64_t offset = cpu->far - sp_el0;
	g_autofree char *member = NULL, *words = NULL;
	const char *class;

	if (ESR_EC (cpu->esr) != EC_DABT_CURRENT || !type || offset >= kd_type_size (type))
		return;
	member = member_at (type, offset);
	words = kd_target_arch (cpu->target)->syndrome_to_string (cpu->esr, &class);
	kd_finding_add (finding, command ("esr 0x%" PRIx64, cpu->esr),
		"%s faulted at 0x%" PRIx64 ", which is the guest's SP_EL0 + 0x%" PRIx64
		": current->%s (%s)",
		where, cpu->far, offset, member ? member : "?", words);
}

static gboolean
is_tracer (const char *symbol)
{
	return symbol && (g_str_has_prefix (symbol, "ftrace_") || strstr (symbol, "ftrace_ops_") ||
				 strstr (symbol, "return_to_handler"));
}

/* "X, inlined in Y", and where it was called from. */
static void
add_stack (const Cpu *cpu, KdFinding *finding)
{
	const KdBacktrace *trace = kd_explain_backtrace (cpu->explain, cpu->cpu);
	const KdFrame *reader = NULL, *caller = NULL, *traced = NULL;
	gboolean tracer = FALSE;

	for (guint i = 0; trace && i < trace->frames->len; i++) {
		const KdFrame *frame = &g_array_index (trace->frames, KdFrame, i);

		if (frame->inlined || !frame->symbol ||
			(cpu->in_vector && !reader && frame->pc != cpu->elr))
			continue;
		if (!reader) {
			reader = frame;
			tracer = is_tracer (frame->symbol);
		} else if (!caller)
			caller = frame;
		if (frame != reader && is_tracer (frame->symbol))
			tracer = TRUE;
		else if (frame != reader && tracer && !traced) {
			traced = frame;
			break;
		}
	}
	if (reader && caller)
		kd_finding_add (finding, command ("bt --cpu %u", cpu->cpu),
			"it is %s+0x%" PRIx64 " that runs, called from %s+0x%" PRIx64,
			reader->symbol, reader->offset, caller->symbol, caller->offset);
	if (traced)
		kd_finding_add (finding, command ("bt --cpu %u", cpu->cpu),
			"the tracer runs for %s, which is traced, and runs while the guest's "
			"SP_EL0 is "
			"loaded",
			traced->symbol);
}

void
kd_explain_host_current (KdExplain *explain, unsigned nr)
{
	g_autofree char *symbol = NULL;
	KdFinding *finding;
	Cpu cpu;

	if (!look_at (explain, nr, &cpu) || may_lack_current (cpu.kernel, cpu.at) ||
		!lacks_current (&cpu))
		return;
	symbol = kd_kernel_symbolize (cpu.kernel, cpu.at);
	finding = kd_explain_add (explain, "host-current",
		cpu.in_vector ? KD_SEVERITY_FATAL : KD_SEVERITY_ERROR, (int)nr,
		"CPU %u runs host code (%s) with an SP_EL0 that is not its current task: `current` "
		"reads as 0x%" PRIx64,
		nr, symbol, cpu.sp_el0);
	add_current (&cpu, finding);
	add_guest (&cpu, finding);
	if (cpu.in_vector) {
		g_autofree char *where = g_strdup_printf ("the access at %s", symbol);

		add_fault (&cpu, cpu.sp_el0, where, finding);
	}
	add_stack (&cpu, finding);
	add_window (&cpu, finding);
}

/* --- exceptions in exceptions --- */

static gboolean
in_vectors (const Cpu *cpu, uint64_t addr)
{
	uint64_t vbar;

	return reg (cpu, cpu->state.el == 2 ? "VBAR_EL2" : "VBAR_EL1", &vbar) && addr >= vbar &&
	       addr - vbar < VECTORS_SIZE;
}

/* A synchronous exception has just been taken that the host's entry code made. */
static gboolean
entry_faulted (const Cpu *cpu)
{
	KdTargetCpu regs = {cpu->target, cpu->cpu};
	const char *vector =
		kd_target_arch (cpu->target)
			->vector_at (kd_target_cpu_reg, &regs, cpu->pc - cpu->pc % VECTOR_SIZE);

	return vector && g_str_has_prefix (vector, "synchronous, current EL") &&
	       in_range (cpu->kernel, "__entry_text_start", "__entry_text_end", cpu->elr);
}

gboolean
kd_explain_bends_sp (KdExplain *explain, unsigned nr)
{
	Cpu cpu;

	return look_at (explain, nr, &cpu) && in_vectors (&cpu, cpu.pc);
}

void
kd_explain_vector_loop (KdExplain *explain, unsigned nr)
{
	g_autofree char *at = NULL, *words = NULL;
	const char *class;
	KdFinding *finding;
	Cpu cpu;

	/* The exception that was taken last came out of the vectors themselves, or of the entry
	 * code they lead to: it saves registers and reads through `current`. */
	if (!look_at (explain, nr, &cpu) || !in_vectors (&cpu, cpu.pc) ||
		(!in_vectors (&cpu, cpu.elr) && !entry_faulted (&cpu)))
		return;
	at = kd_kernel_symbolize (cpu.kernel, cpu.elr);
	words = kd_target_arch (cpu.target)->syndrome_to_string (cpu.esr, &class);
	finding = kd_explain_add (explain, "vector-loop", KD_SEVERITY_FATAL, (int)nr,
		"CPU %u takes exceptions inside its own exception vectors, or what they lead to",
		nr);
	kd_finding_add (finding, command ("esr 0x%" PRIx64, cpu.esr),
		"the last one came from %s: %s, FAR 0x%" PRIx64, at, words, cpu.far);
	if (lacks_current (&cpu)) {
		add_current (&cpu, finding);
		add_guest (&cpu, finding);
	}
	kd_finding_add (finding, command ("bt --cpu %u", nr), "where it began may be on its stack");
}

/* --- the hypervisor's own end --- */

void
kd_explain_hyp_panic (KdExplain *explain, unsigned nr)
{
	static const char *const functions[] = {
		"hyp_panic", "__hyp_call_panic", "nvhe_hyp_panic_handler", "__kvm_nvhe_hyp_panic"};
	const KdBacktrace *trace = kd_explain_backtrace (explain, nr);
	KdKernel *kernel = kd_explain_kernel (explain);
	uint64_t par = 0, sp_el0;
	guint index = 0;
	KdVcpu vcpu;
	Cpu cpu;

	for (size_t i = 0; i < G_N_ELEMENTS (functions); i++) {
		g_autofree char *at = NULL, *words = NULL;
		const char *class;
		KdFinding *finding;

		if (!kd_explain_in (trace, functions[i], &index))
			continue;
		finding = kd_explain_add (explain, "hyp-panic", KD_SEVERITY_FATAL, (int)nr,
			"CPU %u is in %s: the hypervisor took an exception it has no answer to", nr,
			functions[i]);
		kd_finding_add (
			finding, command ("bt --cpu %u", nr), "frame %u of its stack", index);
		if (!look_at (explain, nr, &cpu))
			return;
		at = kd_kernel_symbolize (kernel, cpu.elr);
		words = kd_target_arch (cpu.target)->syndrome_to_string (cpu.esr, &class);
		reg (&cpu, "PAR_EL1", &par);
		kd_finding_add (finding, command ("esr 0x%" PRIx64, cpu.esr),
			"ELR now is %s; %s; FAR 0x%" PRIx64 ", PAR_EL1 0x%" PRIx64, at, words,
			cpu.far, par);
		/* ELR has changed since: the fixup went to the panic by an ERET. */
		if (loaded_guest (&cpu, &vcpu, &sp_el0))
			add_fault (&cpu, sp_el0, "an access to `current` of the host", finding);
		add_stack (&cpu, finding);
		return;
	}
}
