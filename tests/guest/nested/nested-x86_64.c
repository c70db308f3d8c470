/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nested.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In slot 0, behind what nested.h names: the guest's page tables, one to one for 4 GiB. */
#define GPA_PAGE_TABLES 0x40030000
#define ENTRY_TABLE 0x3 /* present, writable */
#define ENTRY_2M 0x83   /* present, writable, a page of 2 MiB */
#define NR_DIRECTORIES 4

void
arch_vm_init (int vm_fd, char *code)
{
	uint64_t *tables = (uint64_t *)(code + (GPA_PAGE_TABLES - GPA_CODE));
	uint64_t *directories = tables + 2 * 512;

	/* With interrupt controllers in the kernel HLT waits there, as in real VMs. */
	must_ioctl (vm_fd, KVM_CREATE_IRQCHIP, NULL, "interrupt controllers");
	tables[0] = (GPA_PAGE_TABLES + 0x1000) | ENTRY_TABLE;
	for (unsigned i = 0; i < NR_DIRECTORIES; i++)
		tables[512 + i] = (GPA_PAGE_TABLES + 0x2000 + i * 0x1000) | ENTRY_TABLE;
	for (uint64_t i = 0; i < NR_DIRECTORIES * 512; i++)
		directories[i] = i << 21 | ENTRY_2M;
}

void
arch_vm_ready (int vm_fd)
{
	(void)vm_fd;
}

/* The guest may use what the host's CPU has: long mode among it. */
static void
set_cpuid (int vcpu_fd)
{
	size_t nr_entries = 256;
	struct kvm_cpuid2 *cpuid =
		calloc (1, sizeof (*cpuid) + nr_entries * sizeof (cpuid->entries[0]));
	int kvm_fd = open ("/dev/kvm", O_RDWR | O_CLOEXEC);

	cpuid->nent = nr_entries;
	must_ioctl (kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid, "supported cpuid");
	must_ioctl (vcpu_fd, KVM_SET_CPUID2, cpuid, "cpuid");
	close (kvm_fd);
	free (cpuid);
}

void
arch_vcpu_init (int vm_fd, int vcpu_fd, unsigned index, uint64_t arg)
{
	struct kvm_segment code = {.limit = 0xffffffff,
		.selector = 8,
		.type = 11,
		.present = 1,
		.s = 1,
		.l = 1,
		.g = 1};
	struct kvm_segment data = {.limit = 0xffffffff,
		.selector = 16,
		.type = 3,
		.present = 1,
		.s = 1,
		.db = 1,
		.g = 1};
	struct kvm_mp_state state = {.mp_state = KVM_MP_STATE_RUNNABLE};
	struct kvm_regs regs = {.rip = GPA_CODE, .rdi = arg, .rflags = 2};
	struct kvm_sregs sregs;

	(void)vm_fd;
	(void)index;
	set_cpuid (vcpu_fd);
	must_ioctl (vcpu_fd, KVM_GET_SREGS, &sregs, "get sregs");
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	/* Where the host keeps its per-CPU data: never an address of the host. */
	sregs.gs.base = SP_EL0_BASE + (arg & 0xffff);
	sregs.cr0 = 0x80000011; /* paging, protected mode, extension type */
	sregs.cr3 = GPA_PAGE_TABLES;
	sregs.cr4 = 0x20;   /* PAE */
	sregs.efer = 0x500; /* long mode, enabled and active */
	must_ioctl (vcpu_fd, KVM_SET_SREGS, &sregs, "set sregs");
	must_ioctl (vcpu_fd, KVM_SET_REGS, &regs, "set regs");
	must_ioctl (vcpu_fd, KVM_SET_MP_STATE, &state, "set state");
}

void
arch_witness (char *text, size_t size, uint64_t arg)
{
	snprintf (text, size, " gs_base=0x%llx rbx=0x%llx r15=0x%llx",
		(unsigned long long)(SP_EL0_BASE + (arg & 0xffff)),
		0xbbbbbbbb00000000ull + (arg & 0xffff), 0x1515151500000000ull + (arg & 0xffff));
}
