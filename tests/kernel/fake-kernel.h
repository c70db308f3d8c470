/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/object.h"

/*
 * Stands in for src/kernel/kernel.c (it defines kd_kernel_*, and the few kd_target_* that reads of
 * registers need): memory is what the test put there, types are the ones below, built as BTF.
 *
 *	struct list_head { struct list_head *next, *prev; };
 *	enum color { RED, GREEN, BLUE = 5 };
 *	enum flags { F_A = 1, F_B = 2, F_C = 4 };
 *	struct item {
 *		char name[16]; int value; unsigned int low:3; int high:5; _Bool on;
 *		enum color color; enum flags flags;
 *		union { u64 whole; struct { unsigned int lo, hi; }; };
 *		struct item *next_item; struct list_head link; void (*fn)(int);
 *		const char *label; int table[4]; unsigned char raw[8]; u64 big;
 *	};
 *	struct page_wide { int first; char pad[4092]; int second; };
 *	struct rb_node, struct xarray, struct xa_node (4 slots), as the kernel has them
 *	struct kvm_vcpu, vcpu_svm, vcpu_vmx and what they point to, in small
 *	struct item the_item; int numbers[40]; struct item cpu_item (per CPU); int do_thing(int)
 *	extern char unsized[]; which is the label of the item
 */
#define FAKE_ITEM UINT64_C (0xffff000000010000)
#define FAKE_NUMBERS UINT64_C (0xffff000000010400)
#define FAKE_PERCPU UINT64_C (0xffff000000010800) /* of CPU 0; CPU 1's is 0x100 above */
#define FAKE_HEAP UINT64_C (0xffff000000020000)
#define FAKE_FUNCTION UINT64_C (0xffff800000001000)
#define FAKE_UNTYPED UINT64_C (0xffff000000010c00)
#define FAKE_NR_CPUS 2

KdKernel *fake_kernel_new (void);
/* `len` bytes of zeros at `addr`, which nothing else may overlap. */
void fake_kernel_map (KdKernel *kernel, uint64_t addr, size_t len);
/* Mapped memory. */
void fake_kernel_write (KdKernel *kernel, uint64_t addr, const void *data, size_t len);
void fake_kernel_write_u64 (KdKernel *kernel, uint64_t addr, uint64_t value);
/* The item with values in every member, at FAKE_ITEM. */
void fake_kernel_fill_item (KdKernel *kernel);
