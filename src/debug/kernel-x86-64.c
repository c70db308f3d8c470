/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/kernel-x86-64.h"

#include "kernel/object.h"

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

/* The trampoline stack that PTI enters on, which other kernels have too. */
static void
add_entry_stack (KdKernel *kernel, unsigned cpu, KdStackFunc add, void *data)
{
	KdObject pointer, area, stack;

	if (kd_object_percpu (
		    kernel, "cpu_entry_area", "struct cpu_entry_area *", cpu, &pointer, NULL) &&
		kd_object_deref (&pointer, &area, NULL) &&
		kd_object_member (&area, "entry_stack_page", &stack, NULL))
		add ("entry", stack.addr.value, kd_type_size (stack.type), data);
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
