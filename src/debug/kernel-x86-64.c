/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/kernel-x86-64.h"

#include "kernel/object.h"
#include "kernel/task.h"

/* No kernel has larger stacks. */
#define STACK_MAX (256U << 10)

#define RBX 3
#define RBP 6
#define RSP 7
#define R12 12
#define R13 13
#define R14 14
#define R15 15

/* --- stacks (arch/x86/include/asm/processor.h, cpu_entry_area.h) --- */

/* hardirq_stack_ptr is the last word of the stack: a variable, or a part of pcpu_hot since 6.2. */
static void
add_irq_stack (KdKernel *kernel, unsigned cpu, KdStackFunc add, void *data)
{
	const KdType *type = kd_image_type_by_name (kd_kernel_image (kernel), "struct irq_stack");
	KdObject pointer, hot;
	uint64_t last, size = type ? kd_type_size (type) : 0;

	if (!kd_object_percpu (kernel, "hardirq_stack_ptr", "void *", cpu, &pointer, NULL) &&
		(!kd_object_percpu (kernel, "pcpu_hot", "struct pcpu_hot", cpu, &hot, NULL) ||
			!kd_object_member (&hot, "hardirq_stack_ptr", &pointer, NULL)))
		return;
	if (kd_object_u64 (&pointer, &last, NULL) && size > 8 && last > size)
		add ("irq", last + 8 - size, size, data);
}

static void
add_exception_stacks (KdKernel *kernel, unsigned cpu, KdStackFunc add, void *data)
{
	static const struct {
		const char *member, *name;
	} stacks[] = {{"NMI_stack", "nmi"}, {"DF_stack", "double fault"}, {"DB_stack", "debug"},
		{"MCE_stack", "machine check"}, {"VC_stack", "vc"}, {"VC2_stack", "vc fallback"}};
	KdObject pointer, area, stack;

	if (!kd_object_percpu (kernel, "cea_exception_stacks", "struct cea_exception_stacks *", cpu,
		    &pointer, NULL) ||
		!kd_object_deref (&pointer, &area, NULL))
		return;
	for (size_t i = 0; i < G_N_ELEMENTS (stacks); i++)
		if (kd_object_has_member (&area, stacks[i].member) &&
			kd_object_member (&area, stacks[i].member, &stack, NULL))
			add (stacks[i].name, stack.addr.value, kd_type_size (stack.type), data);
}

/*
 * The trampoline stack that is entered on from user space. Where its area has no variable, a task
 * state segment says where it ends (load_sp0()).
 */
static void
add_entry_stack (KdKernel *kernel, unsigned cpu, KdStackFunc add, void *data)
{
	const KdType *type = kd_kernel_type (kernel, "struct entry_stack_page");
	uint64_t size = type ? kd_type_size (type) : 0, end;
	KdObject pointer, area, stack, tss;

	if (kd_object_percpu (
		    kernel, "cpu_entry_area", "struct cpu_entry_area *", cpu, &pointer, NULL) &&
		kd_object_deref (&pointer, &area, NULL) &&
		kd_object_member (&area, "entry_stack_page", &stack, NULL))
		add ("entry", stack.addr.value, kd_type_size (stack.type), data);
	else if (size &&
		 kd_object_percpu (kernel, "cpu_tss_rw", "struct tss_struct", cpu, &tss, NULL) &&
		 kd_object_member_u64 (&tss, "x86_tss.sp0", &end, NULL) && end > size)
		add ("entry", end - size, size, data);
}

void
kd_x86_64_stacks (
	KdKernel *kernel, unsigned cpu, uint64_t task_stack_size, KdStackFunc add, void *data)
{
	add_irq_stack (kernel, cpu, add, data);
	add_exception_stacks (kernel, cpu, add, data);
	add_entry_stack (kernel, cpu, add, data);
}

/* --- a task that was switched out: what __switch_to_asm pushed --- */

gboolean
kd_x86_64_task_regs (KdKernel *kernel, uint64_t task, KdRegSet *ret_regs, GError **error)
{
	static const struct {
		const char *member;
		unsigned reg;
	} saved[] = {
		{"bx", RBX}, {"bp", RBP}, {"r12", R12}, {"r13", R13}, {"r14", R14}, {"r15", R15}};
	KdRegSet regs = {.space = KD_SPACE_KERNEL};
	KdObject object, frame;
	KdKernelSymbol symbol;
	uint64_t sp;

	if (!kd_object_at_named (kernel, "struct task_struct", task, &object, error) ||
		!kd_object_member_u64 (&object, "thread.sp", &sp, error) ||
		!kd_object_at_named (kernel, "struct inactive_task_frame", sp, &frame, error) ||
		!kd_object_member_u64 (&frame, "ret_addr", &regs.pc, error))
		return FALSE;
	for (size_t i = 0; i < G_N_ELEMENTS (saved); i++) {
		uint64_t value;

		if (!kd_object_member_u64 (&frame, saved[i].member, &value, error))
			return FALSE;
		kd_reg_set_put (&regs, saved[i].reg, value);
	}
	kd_reg_set_put (&regs, RSP, sp + kd_type_size (frame.type));
	/* A task that never ran "returns" to its first instruction. */
	regs.live = kd_kernel_symbol_at (kernel, regs.pc, &symbol) && symbol.addr == regs.pc;
	*ret_regs = regs;
	return TRUE;
}

/* --- the host behind a guest --- */

/* What VMRUN put aside, where the CPU keeps it as QEMU's and the manual's VMCB has it (APM 2,
 * 15.5.1): the format is each CPU's own. */
static gboolean
read_save_area (KdKernel *kernel, unsigned cpu, uint64_t *ret_pc, uint64_t *ret_sp)
{
	static const char *const members[] = {"save.rip", "save.rsp"};
	uint64_t *values[] = {ret_pc, ret_sp}, pa;
	const KdType *type = kd_kernel_type (kernel, "struct vmcb");
	KdObject data;
	KdKernelSymbol symbol;

	/* Before 6.0 the variable is a pointer, which kd_object_member() follows. */
	if (!type ||
		!kd_object_percpu (kernel, "svm_data", "struct svm_cpu_data", cpu, &data, NULL) ||
		!kd_object_member_u64 (&data, "save_area_pa", &pa, NULL))
		return FALSE;
	for (size_t i = 0; i < G_N_ELEMENTS (members); i++) {
		uint8_t bytes[8];
		KdMember member;

		if (!kd_type_member (type, members[i], &member, NULL) ||
			!kd_target_read_phys (kd_kernel_target (kernel), pa + member.bit_offset / 8,
				bytes, sizeof bytes, NULL))
			return FALSE;
		*values[i] = 0;
		for (unsigned byte = sizeof bytes; byte-- > 0;)
			*values[i] = *values[i] << 8 | bytes[byte];
	}
	return kd_kernel_symbol_at (kernel, *ret_pc, &symbol) &&
	       g_str_has_prefix (symbol.name, "__svm_");
}

/*
 * The word on the stack of the task that entered the guest which is what the call of the function
 * with VMRUN pushed: nothing else can tell where the host goes on.
 */
static gboolean
find_on_stack (KdKernel *kernel, unsigned cpu, uint64_t *ret_pc, uint64_t *ret_sp)
{
	const KdArch *arch = kd_target_arch (kd_kernel_target (kernel));
	g_autofree uint8_t *stack = NULL;
	KdTask task;

	if (!kd_task_current (kernel, cpu, &task, NULL) || !task.stack ||
		task.stack_size > STACK_MAX)
		return FALSE;
	stack = g_malloc (task.stack_size);
	if (!kd_kernel_read (kernel, kd_addr_kernel (task.stack), stack, task.stack_size, NULL))
		return FALSE;
	for (uint64_t at = 0; at + 8 <= task.stack_size; at += 8) {
		uint8_t code[KD_CALL_BYTES_MAX];
		KdKernelSymbol symbol;
		uint64_t value = 0;
		KdCall call;

		for (unsigned byte = 8; byte-- > 0;)
			value = value << 8 | stack[at + byte];
		if (value >> 63 == 0 || !kd_kernel_symbol_at (kernel, value, &symbol) ||
			!kd_kernel_read (kernel, kd_addr_kernel (value - sizeof code), code,
				sizeof code, NULL))
			continue;
		arch->call_before (code, value, &call);
		if (call.kind != KD_CALL_DIRECT ||
			!kd_kernel_symbol_at (kernel, call.target, &symbol) ||
			symbol.addr != call.target || !g_str_has_prefix (symbol.name, "__svm_") ||
			!g_str_has_suffix (symbol.name, "vcpu_run"))
			continue;
		*ret_pc = value;
		*ret_sp = task.stack + at + 8;
		return TRUE;
	}
	return FALSE;
}

gboolean
kd_x86_64_saved_context (KdKernel *kernel, unsigned cpu, gboolean el1, KdRegSet *ret_regs)
{
	KdRegSet regs = {.space = KD_SPACE_KERNEL};
	uint64_t sp;

	if (read_save_area (kernel, cpu, &regs.pc, &sp))
		regs.live = TRUE;
	else if (!find_on_stack (kernel, cpu, &regs.pc, &sp))
		return FALSE;
	kd_reg_set_put (&regs, RSP, sp);
	*ret_regs = regs;
	return TRUE;
}

gboolean
kd_x86_64_guest_entry (KdUnwind *unwind, KdRegSet *ret_regs)
{
	return unwind->ops->saved_context &&
	       unwind->ops->saved_context (unwind->data, FALSE, ret_regs);
}
