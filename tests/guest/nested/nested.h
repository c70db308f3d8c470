/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The layout every nested VM has, on each architecture: what tests look for. Guest physical
 * addresses are apart and of different sizes, so that a mixed-up slot shows.
 */
#define GPA_CODE 0x40000000     /* slot 0: code, stacks, counters, pattern */
#define GPA_STACKS 0x40008000   /* one page for each vCPU, from here */
#define GPA_COUNTERS 0x40020000 /* a 64-bit counter for each vCPU */
#define GPA_PATTERN 0x40021000  /* 64 bytes for each vCPU: PATTERN + index in each 64-bit word */
#define GPA_READONLY 0x50000000 /* slot 1: read-only, filled with READONLY_WORD + index */
#define GPA_DIRTY 0x60000000    /* slot 2: dirty pages are logged; vCPU n dirties page n */
#define GPA_HIGH 0x4000000000   /* slot 7: above 4 GiB, never touched by the guest */
#define GPA_MMIO 0x10000000     /* no slot: a store exits to user space */

#define SIZE_CODE 0x200000
#define SIZE_READONLY 0x10000
#define SIZE_DIRTY 0x40000
#define SIZE_HIGH 0x3000

#define PATTERN 0x5aa55aa500000000
#define READONLY_WORD 0x0badf00d00000000
/*
 * In the guest's SP_EL0 (x86: GS base), where the host keeps what leads to its current task: never
 * an address of the host.
 */
#define SP_EL0_BASE 0xdead0000
/* In the guest's first argument, beside VM << 8 | vCPU: wait for interrupts that never come. */
#define ARG_IDLE 0x10000

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

/* The guest's code, copied to GPA_CODE; guest_spin..guest_spin_end is where it is nearly always. */
extern const char guest_code[], guest_code_end[], guest_spin[], guest_spin_end[];

/* After the VM was made and before its vCPUs are; CODE is our view of the slot at GPA_CODE. */
void arch_vm_init (int vm_fd, char *code);
/* After all vCPUs were made, before the first runs. */
void arch_vm_ready (int vm_fd);
/* Registers, so that the vCPU starts at GPA_CODE with ARG as first argument. */
void arch_vcpu_init (int vm_fd, int vcpu_fd, unsigned index, uint64_t arg);
/* What the machine should know of a vCPU's registers: " name=value…". */
void arch_witness (char *text, size_t size, uint64_t arg);

/* ioctl, or the end of the program with WHAT. */
int must_ioctl (int fd, unsigned long request, void *arg, const char *what);
#endif
