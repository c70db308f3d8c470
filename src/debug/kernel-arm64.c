/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/kernel-arm64.h"

#include "arch/arm64-insn.h"
#include "kernel/object.h"
#include "kvm/kvm.h"

#define FP 29
#define LR 30
#define SP 31
#define HCR_VM (1ULL << 0)

/* --- stacks: arch/arm64/kernel/irq.c, sdei.c, traps.c --- */

/* A per-CPU pointer to a stack. */
static void
add_pointed (KdKernel *kernel, unsigned cpu, const char *symbol, const char *name, uint64_t size,
	KdStackFunc add, void *data)
{
	KdObject pointer;
	uint64_t low;

	if (kd_object_percpu (kernel, symbol, "unsigned long *", cpu, &pointer, NULL) &&
		kd_object_u64 (&pointer, &low, NULL))
		add (name, low, size, data);
}

void
kd_arm64_stacks (
	KdKernel *kernel, unsigned cpu, uint64_t task_stack_size, KdStackFunc add, void *data)
{
	KdObject overflow;

	add_pointed (kernel, cpu, "irq_stack_ptr", "irq", task_stack_size, add, data);
	if (kd_object_percpu (kernel, "overflow_stack", NULL, cpu, &overflow, NULL) &&
		overflow.is_lvalue)
		add ("overflow", overflow.addr.value, kd_type_size (overflow.type), data);
	add_pointed (kernel, cpu, "sdei_stack_normal_ptr", "sdei", task_stack_size, add, data);
	add_pointed (kernel, cpu, "sdei_stack_critical_ptr", "sdei critical", task_stack_size, add,
		data);
}

/* --- a task that was switched out: thread.cpu_context, what cpu_switch_to keeps --- */

gboolean
kd_arm64_task_regs (KdKernel *kernel, uint64_t task, KdRegSet *ret_regs, GError **error)
{
	static const struct {
		const char *path;
		unsigned reg;
	} members[] = {
		{"x19", 19},
		{"x20", 20},
		{"x21", 21},
		{"x22", 22},
		{"x23", 23},
		{"x24", 24},
		{"x25", 25},
		{"x26", 26},
		{"x27", 27},
		{"x28", 28},
		{"fp", FP},
		{"sp", SP},
	};
	KdRegSet regs = {.space = KD_SPACE_KERNEL};
	KdObject object, context;
	KdKernelSymbol symbol;

	if (!kd_object_at_named (kernel, "struct task_struct", task, &object, error) ||
		!kd_object_member (&object, "thread.cpu_context", &context, error) ||
		!kd_object_member_u64 (&context, "pc", &regs.pc, error))
		return FALSE;
	for (size_t i = 0; i < G_N_ELEMENTS (members); i++) {
		uint64_t value;

		if (!kd_object_member_u64 (&context, members[i].path, &value, error))
			return FALSE;
		kd_reg_set_put (&regs, members[i].reg, value);
	}
	/* cpu_switch_to keeps its own return address; a task that never ran starts at its first. */
	regs.live = kd_kernel_symbol_at (kernel, regs.pc, &symbol) && symbol.addr == regs.pc;
	*ret_regs = regs;
	return TRUE;
}

/* --- behind a guest, behind the hypervisor --- */

/* TRUE: `pc` is where the host kernel goes on after calling the hypervisor. */
static gboolean
is_after_hvc (KdKernel *kernel, uint64_t pc)
{
	uint8_t code[4];
	uint64_t link;
	KdArm64Insn insn;

	if (!kd_kernel_link_addr (kernel, pc, &link) ||
		!kd_kernel_read (kernel, kd_addr_kernel (pc - 4), code, sizeof code, NULL))
		return FALSE;
	kd_arm64_decode (
		code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24, pc - 4, &insn);
	return insn.kind == KD_ARM64_HVC;
}

/*
 * pc and sp of the host at EL1 while its CPU is in the hypervisor. They stay in ELR_EL2 and SP_EL1
 * until a guest's are loaded, and are kept in memory from then on (__kvm_vcpu_run, nvhe/switch.c).
 */
static void
find_el1_pc (KdKernel *kernel, unsigned cpu, const KdHostContext *context, KdRegSet *regs)
{
	KdTarget *target = kd_kernel_target (kernel);
	uint64_t elr = 0, sp, hcr = 0;
	gboolean elr_is_host;

	kd_target_reg_get (target, cpu, "HCR_EL2", &hcr, NULL);
	elr_is_host = kd_target_reg_get (target, cpu, "ELR_EL2", &elr, NULL) &&
		      is_after_hvc (kernel, elr);
	if (context->has_pc && is_after_hvc (kernel, context->pc) &&
		(!elr_is_host || (hcr & HCR_VM))) {
		regs->pc = context->pc;
		if (context->has_sp)
			kd_reg_set_put (regs, SP, context->sp);
		return;
	}
	/* A trap that was no call (an access to a trapped register) leaves its own pc. */
	regs->pc = elr;
	if (kd_target_reg_get (target, cpu, "SP_EL1", &sp, NULL))
		kd_reg_set_put (regs, SP, sp);
}

gboolean
kd_arm64_saved_context (KdKernel *kernel, unsigned cpu, gboolean el1, KdRegSet *ret_regs)
{
	KdHostContext context;
	KdRegSet regs = {0};

	if (!(el1 ? kd_kvm_el1_context (kernel, cpu, &context, NULL)
		  : kd_kvm_host_context (kernel, cpu, &context, NULL)))
		return FALSE;
	regs.space = context.space;
	for (unsigned reg = 0; reg < 31; reg++)
		if (context.known >> reg & 1)
			kd_reg_set_put (&regs, reg, context.x[reg]);
	if (el1) {
		find_el1_pc (kernel, cpu, &context, &regs);
		regs.live = TRUE;
	}
	*ret_regs = regs;
	return TRUE;
}

gboolean
kd_arm64_guest_entry (KdUnwind *unwind, KdRegSet *ret_regs)
{
	KdRegSet saved, regs = {.live = TRUE};
	KdKernelSymbol enter;
	uint64_t lr, image_lr, at;
	KdArm64Insn insn;
	uint8_t code[4];

	if (!unwind->ops->saved_context (unwind->data, FALSE, &saved) ||
		!kd_reg_set_get (&saved, LR, &lr) ||
		!unwind->ops->symbol (unwind->data,
			saved.space == KD_SPACE_HYP ? "__kvm_nvhe___guest_enter" : "__guest_enter",
			&enter))
		return FALSE;
	lr = kd_unwind_strip (unwind, lr);
	if (!unwind->ops->image_addr (unwind->data, saved.space, lr, &image_lr))
		return FALSE;
	for (at = enter.addr; at < enter.addr + MIN (enter.size, 4096); at += 4) {
		if (!unwind->ops->read (unwind->data, KD_SPACE_KERNEL, at, code, sizeof code))
			return FALSE;
		kd_arm64_decode (code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24,
			at, &insn);
		if (insn.kind == KD_ARM64_ERET)
			break;
	}
	regs.space = saved.space;
	/* The hypervisor's view of the image is the kernel's, moved. */
	regs.pc = at + (lr - image_lr);
	*ret_regs = regs;
	return TRUE;
}
