/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "kvm/kvm-private.h"

#define HCR_E2H (1ULL << 34)
#define CALLEE_SAVED 0x7ffc0000u /* x18 to x30, as save_callee_saved_regs in hyp/entry.S */

static gboolean
is_vhe (KdKernel *kernel, unsigned cpu)
{
	uint64_t hcr;

	return kd_target_reg_get (kd_kernel_target (kernel), cpu, "HCR_EL2", &hcr, NULL) &&
	       (hcr & HCR_E2H);
}

/*
 * The copy of one of nVHE's per-CPU variables, at the kernel's own address of it:
 * kvm_arm_hyp_percpu_base holds the pages given to each CPU (arch/arm64/kvm/arm.c).
 */
static gboolean
hyp_percpu (KdKernel *kernel, unsigned cpu, const char *name, const char *type,
	KdObject *ret_object, GError **error)
{
	static const char *const base_names[] = {
		"__kvm_nvhe_kvm_arm_hyp_percpu_base", "kvm_arm_hyp_percpu_base"};
	uint64_t variable, start, base = 0;
	KdKernelSymbol table;
	gboolean found = FALSE;

	if (cpu >= kd_kernel_nr_cpus (kernel)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE, "no CPU %u", cpu);
		return FALSE;
	}
	if (!kd_kernel_symbol_addr (kernel, name, &variable, error) ||
		!kd_kernel_symbol_addr (kernel, "__kvm_nvhe___per_cpu_start", &start, error))
		return FALSE;
	for (size_t i = 0; i < G_N_ELEMENTS (base_names) && !found; i++)
		found = kd_kernel_symbol (kernel, base_names[i], &table);
	if (!found) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND,
			"no symbol kvm_arm_hyp_percpu_base");
		return FALSE;
	}
	if (!kd_kernel_read_u64 (kernel, table.addr + cpu * UINT64_C (8), &base, error))
		return FALSE;
	if (base == 0) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND,
			"the hypervisor has no memory for CPU %u", cpu);
		return FALSE;
	}
	return kd_object_at_named (kernel, type, base + (variable - start), ret_object, error);
}

/* General registers of a struct kvm_cpu_context. */
static gboolean
read_context (const KdObject *context, KdHostContext *ret, GError **error)
{
	KdObject regs;
	uint8_t bytes[31 * 8];

	/* Before 5.9 the registers were one structure deeper. */
	if (!kd_object_member (context,
		    kd_object_has_member (context, "regs.regs") ? "regs.regs" : "gp_regs.regs.regs",
		    &regs, error) ||
		!kd_object_read_bytes (&regs, bytes, sizeof bytes, error))
		return FALSE;
	for (unsigned i = 0; i < 31; i++) {
		uint64_t value = 0;

		for (unsigned byte = 8; byte-- > 0;)
			value = value << 8 | bytes[i * 8 + byte];
		ret->x[i] = value;
	}
	return TRUE;
}

gboolean
kd_kvm_host_context (KdKernel *kernel, unsigned cpu, KdHostContext *ret_context, GError **error)
{
	KdHostContext found = {.known = CALLEE_SAVED};
	KdObject object;

	if (is_vhe (kernel, cpu)) {
		found.space = KD_SPACE_KERNEL;
		found.from = "kvm_hyp_ctxt";
		if (!kd_object_percpu (
			    kernel, found.from, "struct kvm_cpu_context", cpu, &object, error))
			return FALSE;
	} else {
		found.space = KD_SPACE_HYP;
		found.from = "__kvm_nvhe_kvm_hyp_ctxt";
		if (!hyp_percpu (kernel, cpu, found.from, "struct kvm_cpu_context", &object, error))
			return FALSE;
	}
	if (!read_context (&object, &found, error))
		return FALSE;
	*ret_context = found;
	return TRUE;
}

/* Index of SP_EL1 in kvm_cpu_context.sys_regs. */
static gboolean
sp_el1_index (KdKernel *kernel, int64_t *ret_index)
{
	const KdType *type = kd_kernel_type (kernel, "enum vcpu_sysreg");
	const KdEnumerator *enumerators;
	unsigned nr = 0;

	if (!type)
		return FALSE;
	enumerators = kd_type_enumerators (type, &nr);
	for (unsigned i = 0; i < nr; i++) {
		if (g_strcmp0 (enumerators[i].name, "SP_EL1") != 0)
			continue;
		*ret_index = enumerators[i].value;
		return TRUE;
	}
	return FALSE;
}

gboolean
kd_kvm_el1_context (KdKernel *kernel, unsigned cpu, KdHostContext *ret_context, GError **error)
{
	KdHostContext found = {
		.space = KD_SPACE_KERNEL, .known = 0x7fffffff, .from = "__kvm_nvhe_kvm_host_data"};
	KdObject data, context;
	int64_t index;

	if (!hyp_percpu (kernel, cpu, found.from, "struct kvm_host_data", &data, error) ||
		!kd_object_member (&data, "host_ctxt", &context, error) ||
		!read_context (&context, &found, error))
		return FALSE;
	found.has_pc = kd_object_member_u64 (&context, "regs.pc", &found.pc, NULL);
	if (sp_el1_index (kernel, &index)) {
		g_autofree char *path = g_strdup_printf ("sys_regs[%" PRId64 "]", index);

		found.has_sp = kd_object_member_u64 (&context, path, &found.sp, NULL);
	}
	*ret_context = found;
	return TRUE;
}
