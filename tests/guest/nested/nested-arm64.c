/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nested.h"

#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define PENDING_INTID 40 /* shared interrupt 8 */

static int gic_fd = -1;

static void
set_gic (uint32_t group, uint64_t attr, uint64_t value)
{
	struct kvm_device_attr set = {.group = group, .attr = attr, .addr = (uintptr_t)&value};

	must_ioctl (gic_fd, KVM_SET_DEVICE_ATTR, &set, "set gic");
}

void
arch_vm_init (int vm_fd, char *code)
{
	/* With the interrupt controller in the kernel a run takes the path that real VMs take. */
	struct kvm_create_device make = {.type = KVM_DEV_TYPE_ARM_VGIC_V3};

	(void)code;
	if (ioctl (vm_fd, KVM_CREATE_DEVICE, &make) < 0) {
		perror ("nested: no gic");
		return;
	}
	gic_fd = make.fd;
	set_gic (KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, 0x08000000);
	set_gic (KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, 0x080a0000);
}

/*
 * An interrupt that stays pending at vCPU 0, in a list register whenever that runs: the guest masks
 * all, and has the lowest priority mask, so that it neither takes it nor wakes up for it.
 */
static void
raise_interrupt (int vm_fd)
{
	struct kvm_irq_level line = {
		.irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | PENDING_INTID, .level = 1};

	/* GICD_CTLR.EnableGrp1NS, GICD_ICFGR<n>, GICD_IGROUPR<n>, GICD_ISENABLER<n>: by level */
	set_gic (KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0, 2);
	set_gic (KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0xc00 + PENDING_INTID / 16 * 4, 0);
	set_gic (KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0x80 + PENDING_INTID / 32 * 4,
		1u << PENDING_INTID % 32);
	set_gic (KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0x100 + PENDING_INTID / 32 * 4,
		1u << PENDING_INTID % 32);
	must_ioctl (vm_fd, KVM_IRQ_LINE, &line, "raise interrupt");
}

void
arch_vm_ready (int vm_fd)
{
	if (gic_fd < 0)
		return;
	set_gic (KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, 0);
	raise_interrupt (vm_fd);
}

static void
set_reg (int vcpu_fd, size_t offset, uint64_t value)
{
	struct kvm_one_reg set = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
		      offset / sizeof (uint32_t),
		.addr = (uintptr_t)&value,
	};

	must_ioctl (vcpu_fd, KVM_SET_ONE_REG, &set, "set register");
}

void
arch_vcpu_init (int vm_fd, int vcpu_fd, unsigned index, uint64_t arg)
{
	struct kvm_vcpu_init init;

	(void)index;
	memset (&init, 0, sizeof (init));
	must_ioctl (vm_fd, KVM_ARM_PREFERRED_TARGET, &init, "preferred target");
	init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
	must_ioctl (vcpu_fd, KVM_ARM_VCPU_INIT, &init, "init vcpu");
	set_reg (vcpu_fd, offsetof (struct kvm_regs, regs.regs[0]), arg);
	set_reg (vcpu_fd, offsetof (struct kvm_regs, regs.pc), GPA_CODE);
}

void
arch_witness (char *text, size_t size, uint64_t arg)
{
	snprintf (text, size, " pending=%d sp_el0=0x%llx x19=0x%llx x28=0x%llx",
		gic_fd >= 0 && (arg & 0xff) == 0 ? PENDING_INTID : 0,
		(unsigned long long)(SP_EL0_BASE + (arg & 0xffff)),
		0x1919191900000000ull + (arg & 0xffff), 0x2828282800000000ull + (arg & 0xffff));
}
