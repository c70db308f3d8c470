/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "arch/arch.h"
#include "base/addr.h"
#include "image/image.h"
#include "image/orc.h"
#include "kernel/kernel.h"

/*
 * Walking a stack, frame by frame, and proving each step. This part knows nothing of a machine: it
 * asks a KdUnwindOps, which tests fill with memory of their own. backtrace.h asks it of CPUs and
 * tasks.
 */

#define KD_UNWIND_FRAMES_MAX 256
/* DWARF numbers of the registers followed: more than any ISA here has. */
#define KD_UNWIND_REGS_MAX 64

/* Registers at one point of the stack, as far as they are known, by DWARF number. */
typedef struct {
	KdSpaceKind space; /* where pc and stack are: KERNEL or HYP; USER and VM end the walk */
	uint64_t pc;
	uint64_t value[KD_UNWIND_REGS_MAX];
	uint64_t known; /* bit N: value[N] is known */
	/* pc is where execution stands, not where a call returns to: all registers are true. */
	gboolean live;
} KdRegSet;

static inline gboolean
kd_reg_set_get (const KdRegSet *regs, unsigned reg, uint64_t *ret_value)
{
	if (reg >= KD_UNWIND_REGS_MAX || !(regs->known >> reg & 1))
		return FALSE;
	*ret_value = regs->value[reg];
	return TRUE;
}

static inline void
kd_reg_set_put (KdRegSet *regs, unsigned reg, uint64_t value)
{
	if (reg >= KD_UNWIND_REGS_MAX)
		return;
	regs->value[reg] = value;
	regs->known |= UINT64_C (1) << reg;
}

static inline void
kd_reg_set_forget (KdRegSet *regs, unsigned reg)
{
	if (reg < KD_UNWIND_REGS_MAX)
		regs->known &= ~(UINT64_C (1) << reg);
}

/* How a frame was found. */
typedef enum {
	KD_HOW_REGS,    /* in the CPU's or the sleeping task's registers */
	KD_HOW_CFI,     /* DWARF unwind rules */
	KD_HOW_ORC,     /* the kernel's own rules (x86) */
	KD_HOW_FP,      /* frame pointer, or what the instructions do to the stack */
	KD_HOW_PT_REGS, /* registers saved at an exception, or on the way into a guest */
	KD_HOW_GRAPH,   /* the return address that function_graph put aside */
	KD_HOW_GUESS,   /* a value on the stack that looks like a return address */
} KdHow;

/* What shows that this frame called the one before it. */
typedef enum {
	KD_PROOF_NONE,
	KD_PROOF_CALL,     /* a direct call of the function before it */
	KD_PROOF_INDIRECT, /* an indirect call */
	KD_PROOF_ENTRY,    /* an exception, an interrupt, a guest entry: no call */
} KdProof;

const char *kd_how_name (KdHow how);
const char *kd_proof_name (KdProof proof);

typedef struct {
	KdRegSet regs;
	KdHow how;
	KdProof proof;
	/* Run-time address in the kernel image that pc stands for: pc itself but for the HYP space.
	 * 0: none. */
	uint64_t image_pc;
	gboolean has_symbol;
	KdKernelSymbol symbol; /* of image_pc - 1 for a return address */
	char *note;            /* NULL: nothing to say */
} KdUnwindFrame;

typedef enum {
	KD_END_USER,    /* the kernel was entered from user mode here */
	KD_END_THREAD,  /* a kernel thread's first function */
	KD_END_BOOT,    /* where the boot of this CPU began */
	KD_END_CODE,    /* code that is no kernel's: a guest, firmware */
	KD_END_LIMIT,   /* KD_UNWIND_FRAMES_MAX */
	KD_END_LOOP,    /* the stack does not progress */
	KD_END_BROKEN,  /* nothing leads on */
	KD_END_TRACKED, /* kept by the caller: it goes on by other means */
} KdEnd;

const char *kd_end_name (KdEnd end); /* "user", "thread", … */

/* A stretch of memory that is one stack. */
typedef struct {
	uint64_t low, high; /* first byte, byte behind the last */
	const char *name;   /* "task", "irq", "overflow", …: static */
} KdStack;

typedef struct {
	/* Memory of the space; FALSE: not there. */
	gboolean (*read) (void *data, KdSpaceKind space, uint64_t va, void *buf, size_t len);
	/* The image's code as its file has it, for code whose memory was given back (__init). */
	gboolean (*read_file) (void *data, uint64_t addr, void *buf, size_t len);
	/* Address in the kernel image of code at `va`; FALSE: not of the image and no module. */
	gboolean (*image_addr) (void *data, KdSpaceKind space, uint64_t va, uint64_t *ret_addr);
	gboolean (*symbol_at) (void *data, uint64_t addr, KdKernelSymbol *ret_symbol);
	gboolean (*symbol) (void *data, const char *name, KdKernelSymbol *ret_symbol);
	/* Rules at a run-time address of the image. */
	gboolean (*cfi_at) (void *data, uint64_t addr, KdCfiRow *ret_row);
	/* The kernel's own rule at a run-time address; NULL, FALSE: none. */
	gboolean (*orc_at) (void *data, uint64_t addr, KdOrcEntry *ret_entry);
	/* The stack that holds `va`; FALSE: none known. */
	gboolean (*stack_at) (void *data, KdSpaceKind space, uint64_t va, KdStack *ret_stack);
	/* A system register of the CPU walked; FALSE: none (a task that sleeps). */
	gboolean (*sysreg) (void *data, const char *name, uint64_t *ret_value);
	/*
	 * The return address that function_graph put aside, the `index`th from the top, for the
	 * frame pointer `fp` (0: unknown). *ret_index is the one to ask for next.
	 */
	gboolean (*graph_return) (
		void *data, unsigned index, uint64_t fp, uint64_t *ret_addr, unsigned *ret_index);
	/* Host registers that were saved on the way into a guest or into the hypervisor. */
	gboolean (*saved_context) (void *data, gboolean el1, KdRegSet *ret_regs);
	/* Offset of the member of a structure, -1: none. */
	int64_t (*offset_of) (void *data, const char *type, const char *member);
	uint64_t (*size_of) (void *data, const char *type);
} KdUnwindOps;

typedef struct KdUnwind KdUnwind;

/* Adds one stack to those known. */
typedef void (*KdStackFunc) (const char *name, uint64_t low, uint64_t size, void *data);

/* Per-ISA knowledge. */
typedef struct {
	const KdArch *arch;
	unsigned sp, fp, lr; /* DWARF numbers; lr: G_MAXUINT where there is none */
	uint64_t callee_saved;
	/* The caller's stack pointer is behind the frame record: a call pushes the return address.
	 */
	gboolean record_ends_frame;
	/*
	 * The step out of code that unwind rules do not describe: exception entry, trampolines,
	 * guest entry, assembly. NEXT: *next is filled, with *frame's how, proof and note being
	 * those of the new frame. NOT_MINE: ordinary code. END: *ret_end says.
	 */
	int (*special) (
		KdUnwind *unwind, const KdUnwindFrame *from, KdUnwindFrame *next, KdEnd *ret_end);
	/* Ordinary code by the kernel's own rules. FALSE, NULL: there are none. */
	gboolean (*by_orc) (KdUnwind *unwind, const KdUnwindFrame *from, KdRegSet *ret_next);
	/* Ordinary code without rules: what its instructions do. FALSE: they do not tell; may be
	 * NULL. */
	gboolean (*by_code) (KdUnwind *unwind, const KdUnwindFrame *from, KdRegSet *ret_next);

	/* What walks of this ISA start from, out of a kernel. */
	/* The stacks of CPU `cpu` that are no task's. */
	void (*stacks) (KdKernel *kernel, unsigned cpu, uint64_t task_stack_size, KdStackFunc add,
		void *data);
	gboolean (*task_regs) (KdKernel *kernel, uint64_t task, KdRegSet *ret_regs, GError **error);
	gboolean (*saved_context) (
		KdKernel *kernel, unsigned cpu, gboolean el1, KdRegSet *ret_regs);
	gboolean (*guest_entry) (KdUnwind *unwind, KdRegSet *ret_regs);
} KdUnwindIsa;

enum {
	KD_STEP_NOT_MINE,
	KD_STEP_NEXT,
	KD_STEP_END,
};

extern const KdUnwindIsa kd_unwind_arm64, kd_unwind_x86_64;
/* NULL: backtraces of this architecture are not known here. */
const KdUnwindIsa *kd_unwind_isa (const KdArch *arch);

struct KdUnwind {
	const KdUnwindIsa *isa;
	const KdUnwindOps *ops;
	void *data;
	uint64_t pac_mask;
	unsigned graph_index; /* the next entry of function_graph's stack */
	uint64_t
		graph_target; /* where its return path goes, as the frame before shows; 0 unknown */
};

typedef struct {
	GArray *frames; /* of KdUnwindFrame, elements cleared */
	KdEnd end;
	char *end_text; /* more of it, NULL nothing */
} KdUnwindResult;

void kd_unwind_result_clear (KdUnwindResult *result);

/*
 * All frames from `start` on. Never fails: what ends the walk is in *ret_result, which has at least
 * the first frame. `unwind` has isa, ops, data and pac_mask set.
 */
void kd_unwind_run (KdUnwind *unwind, const KdRegSet *start, KdUnwindResult *ret_result);

/* --- for the per-ISA parts --- */
/* Fills image_pc and symbol from regs. */
void kd_unwind_name (KdUnwind *unwind, KdUnwindFrame *frame);
gboolean kd_unwind_read_u64 (KdUnwind *unwind, KdSpaceKind space, uint64_t va, uint64_t *ret_value);
uint64_t kd_unwind_strip (KdUnwind *unwind, uint64_t value);
/* TRUE: `frame` is in a function of that name (as the file has it). */
gboolean kd_unwind_in (const KdUnwindFrame *frame, const char *function);

/* What stands before `next`'s pc, and whether it calls `callee`; sets next->proof and ->note. */
void kd_unwind_prove (KdUnwind *unwind, const KdUnwindFrame *callee, KdUnwindFrame *next);
