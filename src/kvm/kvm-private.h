/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kvm/kvm.h"

/* Reads vm->nr_vcpus and vm->nr_memslots' worth of structures, so that counts agree with lists. */
typedef gboolean (*KdVcpuFunc) (const KdObject *vcpu, void *data);
gboolean kd_vm_vcpu_foreach (const KdObject *kvm, KdVcpuFunc func, void *data, GError **error);
typedef gboolean (*KdMemslotFunc) (const KdMemslot *slot, void *data);
gboolean kd_vm_memslot_foreach (
	const KdObject *kvm, KdMemslotFunc func, void *data, GError **error);

/* Thread id of a struct pid; -1: none, or it cannot be read. */
int kd_pid_nr (const KdObject *pid, GError **error);
/* The name of process `pid` where it has one; *ret_partial: the tasks cannot all be read. */
void kd_kvm_comm (KdKernel *kernel, int pid, char comm[64], GError **ret_partial);
