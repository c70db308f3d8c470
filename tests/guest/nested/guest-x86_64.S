/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a vCPU runs, in long mode. rdi at entry: VM << 8 | vCPU, and ARG_IDLE. */
#include "nested.h"

	.section .rodata.guest, "a"
	.balign	4096
	.globl	guest_code, guest_code_end, guest_spin, guest_spin_end
guest_code:
	movzwl	%di, %r8d
	movzbl	%dil, %r9d
	/* Stacks grow down: the page above is the next vCPU's. */
	lea	1(%r9), %ecx
	shl	$12, %ecx
	lea	GPA_STACKS(%rcx), %rsp
	movabs	$0xbbbbbbbb00000000, %rbx
	add	%r8, %rbx
	movabs	$0x1212121200000000, %r12
	add	%r8, %r12
	movabs	$0x1313131300000000, %r13
	add	%r8, %r13
	movabs	$0x1414141400000000, %r14
	add	%r8, %r14
	movabs	$0x1515151500000000, %r15
	add	%r8, %r15
	lea	GPA_COUNTERS(,%r9,8), %r10
	mov	%r9d, %r11d
	shl	$12, %r11d
	add	$GPA_DIRTY, %r11d
	xor	%ebp, %ebp
	call	guest_main
1:	jmp	1b

guest_main:
	push	%rbp
	mov	%rsp, %rbp
	/* The pattern: eight words. */
	movabs	$PATTERN, %rax
	mov	%r9d, %edx
	shl	$6, %edx
	add	$GPA_PATTERN, %edx
	xor	%ecx, %ecx
1:	lea	(%rax,%rcx), %rsi
	mov	%rsi, (%rdx,%rcx,8)
	inc	%ecx
	cmp	$8, %ecx
	jne	1b
	test	$ARG_IDLE, %edi
	jz	3f
	mov	%r8d, GPA_MMIO
2:	hlt
	jmp	2b
3:	call	guest_work
	jmp	3b

/* One round: spin, count, dirty a page, read the read-only slot, store to a device, call the hypervisor. */
guest_work:
	push	%rbp
	mov	%rsp, %rbp
	mov	$0x400000, %ecx
guest_spin:
	dec	%ecx
	jnz	guest_spin
guest_spin_end:
	incq	(%r10)
	mov	(%r10), %rax
	mov	%rax, (%r11)
	mov	GPA_READONLY, %rdx
	mov	%eax, GPA_MMIO
	/* An unknown hypercall: answered by the kernel, without a way to user space. */
	push	%rbx
	mov	$1000, %eax
	vmmcall
	pop	%rbx
	pop	%rbp
	ret
guest_code_end:
	.section .note.GNU-stack, "", %progbits
