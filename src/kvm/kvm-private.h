/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kvm/kvm.h"

/* Reads vm->nr_vcpus and vm->nr_memslots' worth of structures, so that counts agree with lists. */
typedef gboolean (*KdVcpuFunc) (const KdObject *vcpu, void *data);
gboolean kd_vm_vcpu_foreach (const KdObject *kvm, KdVcpuFunc func, void *data, GError **error);
typedef gboolean (*KdMemslotFunc) (const KdMemslot *slot, void *data);
gboolean kd_vm_memslot_foreach (
	const KdObject *kvm, KdMemslotFunc func, void *data, GError **error);

/* Thread id of a struct pid; -1: none. */
int kd_pid_nr (const KdObject *pid);
