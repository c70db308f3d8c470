/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a vCPU runs, at EL1 with the MMU off. x0 at entry: VM << 8 | vCPU, and ARG_IDLE. */
#include "nested.h"

	.macro	mark reg, byte
	mov	x9, #\byte
	orr	x9, x9, x9, lsl #8
	orr	x9, x9, x9, lsl #16
	lsl	x9, x9, #32
	add	\reg, x9, x20
	.endm

	.section .rodata.guest, "a"
	.balign	4096
	.globl	guest_code, guest_code_end, guest_spin, guest_spin_end
guest_code:
	and	x20, x0, #0xffff
	and	x10, x0, #0xff
	/* SP_EL0 is what the host keeps its current task in. */
	movz	x9, #(SP_EL0_BASE >> 16), lsl #16
	add	x9, x9, x20
	msr	sp_el0, x9
	movz	x9, #(GPA_STACKS >> 16), lsl #16
	movk	x9, #(GPA_STACKS & 0xffff)
	add	x11, x10, #1
	add	x9, x9, x11, lsl #12
	mov	sp, x9
	mark	x19, 0x19
	mark	x23, 0x23
	mark	x24, 0x24
	mark	x25, 0x25
	mark	x26, 0x26
	mark	x27, 0x27
	mark	x28, 0x28
	movz	x21, #(GPA_COUNTERS >> 16), lsl #16
	movk	x21, #(GPA_COUNTERS & 0xffff)
	add	x21, x21, x10, lsl #3
	movz	x22, #(GPA_DIRTY >> 16), lsl #16
	add	x22, x22, x10, lsl #12
	mov	x29, #0
	mov	x30, #0
	bl	guest_main
	b	.

guest_main:
	stp	x29, x30, [sp, #-16]!
	mov	x29, sp
	/* The pattern: eight words. */
	movz	x11, #(GPA_PATTERN >> 16), lsl #16
	movk	x11, #(GPA_PATTERN & 0xffff)
	add	x11, x11, x10, lsl #6
	movz	x12, #(PATTERN >> 48), lsl #48
	movk	x12, #((PATTERN >> 32) & 0xffff), lsl #32
	mov	x13, #0
1:	add	x14, x12, x13
	str	x14, [x11, x13, lsl #3]
	add	x13, x13, #1
	cmp	x13, #8
	b.ne	1b
	movz	x15, #(GPA_MMIO >> 16), lsl #16
	tbz	x0, #16, 3f
	str	w20, [x15]
2:	wfi
	b	2b
3:	bl	guest_work
	b	3b

/* One round: spin, count, dirty a page, read the read-only slot, store to a device, call the hypervisor. */
guest_work:
	stp	x29, x30, [sp, #-16]!
	mov	x29, sp
	movz	x9, #0x40, lsl #16
guest_spin:
	subs	x9, x9, #1
	b.ne	guest_spin
guest_spin_end:
	ldr	x11, [x21]
	add	x11, x11, #1
	str	x11, [x21]
	str	x11, [x22]
	movz	x12, #(GPA_READONLY >> 16), lsl #16
	ldr	x12, [x12]
	str	w11, [x15]
	/* PSCI_VERSION: answered by the kernel, without a way to user space. */
	movz	x0, #0x8400, lsl #16
	hvc	#0
	ldp	x29, x30, [sp], #16
	ret
guest_code_end:
	.section .note.GNU-stack, "", %progbits
