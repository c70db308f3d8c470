/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "kernel/containers.h"
#include "kvm/kvm-isa.h"
#include "kvm/kvm-private.h"

/* --- which vCPUs a VM has --- */

typedef struct {
	KdKernel *kernel;
	const KdType *type;
	KdVcpuFunc func;
	void *data;
} XarrayContext;

static gboolean
xarray_vcpu (uint64_t index, uint64_t entry, void *data)
{
	XarrayContext *context = data;
	KdObject vcpu = kd_object_at (context->kernel, context->type, entry);

	return context->func (&vcpu, context->data);
}

/* kvm.vcpus[], before 5.16 ("KVM: Convert the kvm->vcpus array to a xarray"). */
static gboolean
foreach_in_array (const KdObject *kvm, KdVcpuFunc func, void *data, GError **error)
{
	uint64_t online;

	if (!kd_object_member_u64 (kvm, "online_vcpus.counter", &online, error))
		return FALSE;
	for (uint64_t i = 0; i < MIN (online, KD_VCPUS_MAX); i++) {
		g_autofree char *path = g_strdup_printf ("vcpus[%" PRIu64 "]", i);
		KdObject pointer, vcpu;
		uint64_t address;

		if (!kd_object_member (kvm, path, &pointer, error) ||
			!kd_object_u64 (&pointer, &address, error))
			return FALSE;
		if (address == 0)
			continue;
		if (!kd_object_deref (&pointer, &vcpu, error))
			return FALSE;
		if (!func (&vcpu, data))
			break;
	}
	return TRUE;
}

gboolean
kd_vm_vcpu_foreach (const KdObject *kvm, KdVcpuFunc func, void *data, GError **error)
{
	XarrayContext context = {kvm->kernel, NULL, func, data};
	KdObject xarray;

	if (!kd_object_has_member (kvm, "vcpu_array"))
		return foreach_in_array (kvm, func, data, error);
	context.type = kd_kernel_type (kvm->kernel, "struct kvm_vcpu");
	if (!context.type) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_LAYOUT,
			"the kernel's types have no struct kvm_vcpu");
		return FALSE;
	}
	return kd_object_member (kvm, "vcpu_array", &xarray, error) &&
	       kd_xarray_foreach (
		       kvm->kernel, xarray.addr.value, KD_VCPUS_MAX, xarray_vcpu, &context, error);
}

/* --- one vCPU --- */

gboolean
kd_vcpu_loaded_on (KdKernel *kernel, unsigned cpu, uint64_t *ret_kvm_vcpu)
{
	KdObject running;
	uint64_t address;

	/* 5.7, "KVM: Record the running vCPU": set by vcpu_load, cleared by vcpu_put. */
	if (!kd_object_percpu (
		    kernel, "kvm_running_vcpu", "struct kvm_vcpu *", cpu, &running, NULL) ||
		!kd_object_u64 (&running, &address, NULL) || address == 0)
		return FALSE;
	*ret_kvm_vcpu = address;
	return TRUE;
}

/* An anonymous enum of kvm_host.h, so types cannot be asked; unchanged since 4.4. */
static void
set_mode (KdVcpu *vcpu, uint64_t mode)
{
	static const char *const names[] = {"OUTSIDE_GUEST_MODE", "IN_GUEST_MODE",
		"EXITING_GUEST_MODE", "READING_SHADOW_PAGE_TABLES"};

	if (mode < G_N_ELEMENTS (names))
		g_strlcpy (vcpu->mode, names[mode], sizeof vcpu->mode);
	else
		g_snprintf (vcpu->mode, sizeof vcpu->mode, "%" PRIu64, mode);
}

static void
set_thread (KdVcpu *vcpu, const KdObject *object, GError **ret_partial)
{
	KdObject pid;
	uint64_t address;

	vcpu->pid = -1;
	if (!kd_object_member (object, "pid", &pid, NULL) ||
		!kd_object_u64 (&pid, &address, NULL) || address == 0 ||
		!kd_object_deref (&pid, &pid, ret_partial))
		return;
	vcpu->pid = kd_pid_nr (&pid, ret_partial);
	if (vcpu->pid >= 0)
		kd_kvm_comm (object->kernel, vcpu->pid, vcpu->comm, ret_partial);
}

/*
 * kvm_vcpu.cpu says -1 after vcpu_put on arm64 alone; other architectures keep the last CPU there.
 * So a vCPU counts as loaded when the CPU says so too, where the kernel records that.
 */
static void
set_cpu (KdVcpu *vcpu, const KdObject *object)
{
	KdKernel *kernel = object->kernel;
	KdTarget *target = kd_kernel_target (kernel);
	KdKernelSymbol symbol;
	uint64_t value, running;

	vcpu->cpu = -1;
	if (!kd_object_member_u64 (object, "cpu", &value, NULL) ||
		(uint32_t)value >= kd_kernel_nr_cpus (kernel))
		return;
	if (kd_kernel_symbol (kernel, "kvm_running_vcpu", &symbol) &&
		(!kd_vcpu_loaded_on (kernel, (uint32_t)value, &running) ||
			running != vcpu->kvm_vcpu))
		return;
	vcpu->cpu = (int)(uint32_t)value;
	vcpu->loaded = TRUE;
	vcpu->in_guest =
		(unsigned)vcpu->cpu < kd_target_nr_cpus (target) &&
		kd_kernel_cpu_state (kernel, (unsigned)vcpu->cpu).mode == KD_CPU_MODE_GUEST;
}

static void
set_pc (KdVcpu *vcpu, const KdObject *object)
{
	KdTarget *target = kd_kernel_target (object->kernel);
	const KdKvmIsa *isa = kd_kvm_isa (object->kernel);

	if (vcpu->in_guest && kd_target_reg_get (target, (unsigned)vcpu->cpu,
				      kd_target_arch (target)->pc, &vcpu->pc, NULL)) {
		vcpu->has_pc = TRUE;
		vcpu->pc_from = "cpu";
	} else if (isa->saved_pc && isa->saved_pc (object, &vcpu->pc)) {
		vcpu->has_pc = TRUE;
		vcpu->pc_from = "vcpu";
	}
}

static void
set_exit (KdVcpu *vcpu, const KdObject *object)
{
	const KdKvmIsa *isa = kd_kvm_isa (object->kernel);
	uint64_t reason;

	if (kd_object_member_u64 (object, "run->exit_reason", &reason, NULL)) {
		vcpu->has_exit = TRUE;
		vcpu->exit_reason = (uint32_t)reason;
		vcpu->exit_name = kd_kvm_exit_name (vcpu->exit_reason);
	}
	if (isa->fault_class)
		vcpu->fault_class = isa->fault_class (object, &vcpu->fault);
}

typedef struct {
	const KdVm *vm;
	GArray *vcpus;
	GError *error; /* the first thing that was not whole */
} VcpusContext;

static void
keep_first (VcpusContext *context, uint64_t kvm_vcpu, GError *error)
{
	if (!error)
		return;
	g_prefix_error (&error, "struct kvm_vcpu at 0x%" PRIx64 ": ", kvm_vcpu);
	if (context->error)
		g_error_free (error);
	else
		context->error = error;
}

static gboolean
add_vcpu (const KdObject *object, void *data)
{
	VcpusContext *context = data;
	KdVcpu vcpu = {.vm = context->vm->id, .kvm_vcpu = object->addr.value};
	GError *error = NULL;
	uint64_t id, mode;

	if (!kd_object_member_u64 (object, "vcpu_id", &id, &error) ||
		!kd_object_member_u64 (object, "mode", &mode, &error)) {
		keep_first (context, vcpu.kvm_vcpu, error);
		return TRUE;
	}
	vcpu.id = (int)id;
	set_mode (&vcpu, mode);
	set_thread (&vcpu, object, &error);
	keep_first (context, vcpu.kvm_vcpu, error);
	set_cpu (&vcpu, object);
	set_pc (&vcpu, object);
	set_exit (&vcpu, object);
	g_array_append_val (context->vcpus, vcpu);
	return TRUE;
}

GArray *
kd_vm_vcpus (KdKernel *kernel, const KdVm *vm, GError **ret_partial, GError **error)
{
	VcpusContext context = {vm, g_array_new (FALSE, TRUE, sizeof (KdVcpu)), NULL};
	GError *why = NULL;
	KdObject kvm;

	if (kd_object_at_named (kernel, "struct kvm", vm->kvm, &kvm, &why))
		kd_vm_vcpu_foreach (&kvm, add_vcpu, &context, &why);
	if (why) {
		g_clear_error (&context.error);
		context.error = why;
	}
	if (context.error) {
		g_prefix_error (&context.error, "VM %d: ", vm->id);
		if (context.vcpus->len == 0 || !ret_partial) {
			g_array_unref (context.vcpus);
			g_propagate_error (error, context.error);
			return NULL;
		}
		*ret_partial = context.error;
	}
	return context.vcpus;
}

GArray *
kd_vcpus (KdKernel *kernel, GError **ret_partial, GError **error)
{
	g_autoptr (GError) partial = NULL;
	g_autoptr (GArray) vms = kd_vms (kernel, &partial, error);
	g_autoptr (GArray) all = NULL;

	if (!vms)
		return NULL;
	all = g_array_new (FALSE, TRUE, sizeof (KdVcpu));
	for (guint i = 0; i < vms->len; i++) {
		GError *why = NULL, *failed = NULL;
		g_autoptr (GArray) some =
			kd_vm_vcpus (kernel, &g_array_index (vms, KdVm, i), &why, &failed);

		if (some && some->len > 0)
			g_array_append_vals (all, some->data, some->len);
		if (failed)
			why = failed;
		if (why && !partial)
			partial = why;
		else
			g_clear_error (&why);
	}
	if (ret_partial)
		*ret_partial = g_steal_pointer (&partial);
	return g_steal_pointer (&all);
}
