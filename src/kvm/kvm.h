/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "kernel/object.h"
#include "kernel/task.h"

/*
 * What KVM runs on the host: VMs, their vCPUs and memory slots, from the kernel's own structures.
 * Members are probed, so one code reads all layouts. Worker thread; memory reads block.
 *
 * Every call that makes a list takes `ret_partial`: when a structure of the list is damaged, what
 * was read before that point is returned and *ret_partial says why the rest is not there.
 */
#define KD_KVM_ERROR (kd_kvm_error_quark())
GQuark kd_kvm_error_quark (void);

typedef enum {
	KD_KVM_ERROR_NO_KVM,    /* this kernel has no KVM, or it is not loaded */
	KD_KVM_ERROR_NOT_FOUND, /* no such VM or vCPU */
	KD_KVM_ERROR_NO_SLOT,   /* a guest-physical address that no memory slot holds */
	KD_KVM_ERROR_LAYOUT,    /* structures of a form not known here */
} KdKvmError;

#define KD_VMS_MAX 4096
#define KD_VCPUS_MAX 4096
#define KD_MEMSLOTS_MAX 32768

typedef struct {
	/*
	 * 0.. in order of creation among the VMs that exist now: it changes when an older VM goes
	 * away while the machine runs.
	 */
	int id;
	uint64_t kvm;  /* address of its struct kvm */
	int pid;       /* process (thread group) that made it; -1 unknown */
	char comm[64]; /* escaped; "" unknown */
	unsigned nr_vcpus;
	unsigned nr_memslots;
} KdVm;

/* Array of KdVm, oldest first. NO_KVM: none can be. */
GArray *kd_vms (KdKernel *kernel, GError **ret_partial, GError **error);
/* The VM of that id; NOT_FOUND says how many there are. */
gboolean kd_vm_by_id (KdKernel *kernel, int id, KdVm *ret_vm, GError **error);

/* --- vCPUs --- */
typedef struct {
	int vm, id;
	uint64_t kvm_vcpu; /* address of its struct kvm_vcpu */
	int pid;           /* thread that last ran it; -1: never run */
	char comm[64];     /* escaped */
	int cpu;           /* host CPU it is loaded on; -1: none */
	gboolean loaded;
	gboolean in_guest; /* that CPU was executing guest code at the stop */
	char mode[32];     /* kvm_vcpu.mode by its enumerator's name */
	gboolean has_pc;
	uint64_t pc;         /* of the guest */
	const char *pc_from; /* "cpu": registers at the stop; "vcpu": as saved at the last exit */
	gboolean has_exit;
	uint32_t exit_reason;    /* kvm_run.exit_reason */
	const char *exit_name;   /* "KVM_EXIT_MMIO"; NULL: not known here */
	const char *fault_class; /* what the guest last trapped into the host for; NULL unknown */
	uint64_t fault;          /* the syndrome that says so (arm64: ESR_EL2) */
} KdVcpu;

/* Array of KdVcpu in order of their index. */
GArray *kd_vm_vcpus (KdKernel *kernel, const KdVm *vm, GError **ret_partial, GError **error);
/* Those of all VMs. */
GArray *kd_vcpus (KdKernel *kernel, GError **ret_partial, GError **error);
/* Address of the vCPU loaded on host CPU `cpu`; FALSE: none, or the kernel does not say. */
gboolean kd_vcpu_loaded_on (KdKernel *kernel, unsigned cpu, uint64_t *ret_kvm_vcpu);
/* By the id that the VM's owner gave it, which may skip numbers. */
gboolean kd_vcpu_by_id (KdKernel *kernel, int vm, int id, KdVcpu *ret_vcpu, GError **error);
/*
 * All there is to say of its registers and of what KVM keeps for it: {source, groups, lists,
 * notes}, see kvm/vcpu-state.h. LAYOUT: not of an instruction set that is known here.
 */
typedef struct KdVcpuState KdVcpuState;
JsonObject *kd_vcpu_describe (KdKernel *kernel, const KdVcpu *vcpu, GError **error);
/* The same of a struct kvm_vcpu that is in no list, of hardware `as`: "svm", "vmx". */
JsonObject *kd_vcpu_describe_as (
	KdKernel *kernel, const KdVcpu *vcpu, const char *as, GError **error);
/* KVM_EXIT_… of a value; NULL: not known here. Static. */
const char *kd_kvm_exit_name (uint32_t exit_reason);

/* --- what KVM counts --- */
#define KD_STAT_VALUES_MAX 256

typedef struct {
	const char *name; /* of the member, for the time of the call */
	gboolean is_histogram;
	unsigned nr_values;
	uint64_t values[KD_STAT_VALUES_MAX];
} KdStat;

/* FALSE ends the walk, which then succeeds. */
typedef gboolean (*KdStatFunc) (const KdStat *stat, void *data);
/*
 * KVM's own counters of a VM, and of a vCPU, in the order of the structures, whose members are all
 * there is to know of them.
 */
gboolean kd_vm_stats_foreach (
	KdKernel *kernel, const KdVm *vm, KdStatFunc func, void *data, GError **error);
gboolean kd_vcpu_stats_foreach (
	KdKernel *kernel, const KdVcpu *vcpu, KdStatFunc func, void *data, GError **error);

/* --- memory --- */
typedef struct {
	int vm;
	int id;
	int as_id; /* address space: 1 is x86 SMM */
	uint64_t gpa, size;
	uint64_t hva; /* where the VM's process has it */
	uint32_t flags;
} KdMemslot;

/* Array of KdMemslot by address space, then gpa. */
GArray *kd_vm_memslots (KdKernel *kernel, const KdVm *vm, GError **ret_partial, GError **error);
/* Names of the set bits, "|" between them; "0x…" for what has none. New string; "" for 0. */
char *kd_memslot_flags_to_string (uint32_t flags);

/* The slot that holds `gpa`, of the address space that guests run in; none is no error. */
gboolean kd_vm_slot_at (KdKernel *kernel, const KdVm *vm, uint64_t gpa, gboolean *ret_found,
	KdMemslot *ret_slot, GError **error);
/*
 * `gpa` through the tables that the CPU would use for it (stage 2, nested paging): those of the
 * VM, or of one vCPU where `kvm_vcpu` is not 0, which differ under nested KVM. How it ended says
 * the walk; NOT_FOUND: the VM has no such tables.
 */
gboolean kd_vm_walk (KdKernel *kernel, const KdVm *vm, uint64_t kvm_vcpu, uint64_t gpa,
	KdWalk *ret_walk, KdRegime *ret_regime, GError **error);
/*
 * What KVM means by the entry where such a walk ended, if that maps nothing: "MMIO, generation 12".
 * New string; NULL: nothing that is known here.
 */
char *kd_vm_walk_words (KdKernel *kernel, const KdVm *vm, const KdWalk *walk);
/*
 * Makes the vm: space of kd_kernel_read() guest-physical memory, through the slots of the VM into
 * its process: NO_SLOT names the address. Pages that the process has not touched are not there:
 * FAULT from below.
 */
void kd_kvm_install (KdKernel *kernel);

/* --- arm64: what KVM saved of the host when a CPU went into a guest --- */
typedef struct {
	KdSpaceKind space; /* where its pointers are: KERNEL, or HYP for nVHE's own code */
	uint64_t x[31];
	uint32_t known; /* bit N: x[N] is known */
	gboolean has_pc, has_sp;
	uint64_t pc, sp;
	const char *from; /* name of the per-CPU variable */
} KdHostContext;

/*
 * The callee-saved registers that __guest_enter put into kvm_hyp_ctxt: of the host kernel where it
 * runs at EL2 (VHE), else of the hypervisor code that it called. True while the CPU is in the guest
 * or in the assembly around it. NOT_FOUND: this kernel has no such thing.
 */
gboolean kd_kvm_host_context (
	KdKernel *kernel, unsigned cpu, KdHostContext *ret_context, GError **error);
/*
 * nVHE: what the hypervisor saved of the host kernel at EL1 when that last called or trapped into
 * it. pc and sp are those of the last guest entry, the general registers of the last trap.
 */
gboolean kd_kvm_el1_context (
	KdKernel *kernel, unsigned cpu, KdHostContext *ret_context, GError **error);
