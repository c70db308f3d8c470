/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/kvm.h"

#include <inttypes.h>
#include <string.h>

#include "kernel/containers.h"
#include "kvm/kvm-private.h"

G_DEFINE_QUARK (kd - kvm - error - quark, kd_kvm_error)

int
kd_pid_nr (const KdObject *pid, GError **error)
{
	int64_t nr;
	KdObject object;

	/* numbers[0] is the id in the first namespace, the one `ps` shows. */
	if (!kd_object_member (pid, "numbers[0].nr", &object, error) ||
		!kd_object_i64 (&object, &nr, error))
		return -1;
	return nr > 0 && nr <= G_MAXINT32 ? (int)nr : -1;
}

void
kd_kvm_comm (KdKernel *kernel, int pid, char comm[64], GError **ret_partial)
{
	g_autoptr (GError) why = NULL;
	KdTask task;

	if (kd_task_by_pid (kernel, pid, &task, &why))
		memcpy (comm, task.comm, sizeof task.comm);
	else if (!g_error_matches (why, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND))
		g_propagate_error (ret_partial, g_steal_pointer (&why));
}

/* --- whose VM it is --- */

static gboolean
process_of_thread (KdKernel *kernel, int tid, int *ret_pid)
{
	KdTask task;

	if (tid <= 0 || !kd_task_by_pid (kernel, tid, &task, NULL))
		return FALSE;
	*ret_pid = task.tgid;
	return TRUE;
}

/* The thread that last ran one of the vCPUs. */
static gboolean
try_vcpu_thread (const KdObject *vcpu, void *data)
{
	KdObject pid;
	uint64_t address;

	return !kd_object_member (vcpu, "pid", &pid, NULL) ||
	       !kd_object_u64 (&pid, &address, NULL) || address == 0 ||
	       !kd_object_deref (&pid, &pid, NULL) ||
	       !process_of_thread (vcpu->kernel, kd_pid_nr (&pid, NULL), data);
}

/*
 * kvm.userspace_pid (4.4, "KVM: Create debugfs dir and stat files for each VM") is the thread that
 * made the VM and may be gone; then any thread of a vCPU, then the address space's owner tells.
 */
static int
process_of (const KdObject *kvm)
{
	uint64_t value;
	int pid = -1;

	if (kd_object_member_u64 (kvm, "userspace_pid", &value, NULL) &&
		process_of_thread (kvm->kernel, (int)value, &pid))
		return pid;
	if (kd_vm_vcpu_foreach (kvm, try_vcpu_thread, &pid, NULL) && pid >= 0)
		return pid;
	if (kd_object_has_member (kvm, "mm->owner->tgid") &&
		kd_object_member_u64 (kvm, "mm->owner->tgid", &value, NULL))
		return (int)value;
	return -1;
}

/* --- the list --- */

static gboolean
count_vcpu (const KdObject *vcpu, void *data)
{
	(*(unsigned *)data)++;
	return TRUE;
}

static gboolean
count_memslot (const KdMemslot *slot, void *data)
{
	(*(unsigned *)data)++;
	return TRUE;
}

typedef struct {
	GArray *vms;
	GError *partial; /* the first thing that was not whole */
} ListContext;

static void
keep_first (ListContext *context, const KdVm *vm, GError *error)
{
	if (!error)
		return;
	g_prefix_error (&error, "struct kvm at 0x%" PRIx64 ": ", vm->kvm);
	if (context->partial)
		g_error_free (error);
	else
		context->partial = error;
}

static gboolean
add_vm (const KdObject *kvm, void *data)
{
	ListContext *context = data;
	KdVm vm = {.kvm = kvm->addr.value, .pid = process_of (kvm)};
	GError *error = NULL;

	if (vm.pid >= 0) {
		kd_kvm_comm (kvm->kernel, vm.pid, vm.comm, &error);
		keep_first (context, &vm, g_steal_pointer (&error));
	}
	kd_vm_vcpu_foreach (kvm, count_vcpu, &vm.nr_vcpus, &error);
	keep_first (context, &vm, g_steal_pointer (&error));
	kd_vm_memslot_foreach (kvm, count_memslot, &vm.nr_memslots, &error);
	keep_first (context, &vm, error);
	/* list_add() puts the newest first (kvm_create_vm). */
	g_array_prepend_val (context->vms, vm);
	return TRUE;
}

GArray *
kd_vms (KdKernel *kernel, GError **ret_partial, GError **error)
{
	ListContext context = {g_array_new (FALSE, TRUE, sizeof (KdVm)), NULL};
	GError *list_error = NULL;
	KdKernelSymbol symbol;

	if (!kd_kernel_symbol (kernel, "vm_list", &symbol)) {
		g_array_unref (context.vms);
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NO_KVM,
			"this kernel has no KVM, or its module is not loaded (no symbol vm_list)");
		return NULL;
	}
	if (!kd_object_list_foreach (kernel, symbol.addr, "struct kvm", "vm_list", KD_VMS_MAX,
		    add_vm, &context, &list_error)) {
		if (context.vms->len == 0) {
			g_array_unref (context.vms);
			g_clear_error (&context.partial);
			g_propagate_prefixed_error (error, list_error, "vm_list: ");
			return NULL;
		}
		g_clear_error (&context.partial);
		context.partial = list_error;
		g_prefix_error (&context.partial, "vm_list: ");
	}
	for (guint i = 0; i < context.vms->len; i++)
		g_array_index (context.vms, KdVm, i).id = (int)i;
	if (ret_partial)
		*ret_partial = context.partial;
	else
		g_clear_error (&context.partial);
	return context.vms;
}

gboolean
kd_vm_by_id (KdKernel *kernel, int id, KdVm *ret_vm, GError **error)
{
	g_autoptr (GArray) vms = kd_vms (kernel, NULL, error);

	if (!vms)
		return FALSE;
	if (id < 0 || (guint)id >= vms->len) {
		if (vms->len == 0)
			g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND,
				"no VM %d: there is no VM at all", id);
		else
			g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND,
				"no VM %d: there are VMs 0 to %u", id, vms->len - 1);
		return FALSE;
	}
	*ret_vm = g_array_index (vms, KdVm, id);
	return TRUE;
}
