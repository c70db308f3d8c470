/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/backtrace.h"

#include <inttypes.h>
#include <string.h>

#include "debug/graph-stack.h"
#include "kernel/ftrace.h"
#include "kernel/kernel-orc.h"
#include "kernel/object.h"
#include "kvm/kvm.h"

G_DEFINE_QUARK (kd - debug - error - quark, kd_debug_error)

#define STACKS_MAX 12

/* What the unwinder asks, answered from one kernel for one CPU or one sleeping task. */
typedef struct {
	KdKernel *kernel;
	const KdUnwindIsa *isa;
	int cpu; /* -1: none */
	KdTask task;
	gboolean has_task;
	KdGraphStack *graph; /* read when first asked for */
	KdStack stacks[STACKS_MAX];
	unsigned nr_stacks;
	gboolean has_stacks;
	gboolean is_task_found; /* by the stack; on a CPU its run queue's word is none */
	/* Layouts asked for again and again. */
	GHashTable *offsets; /* "type.member" → offset + 1 */
} Context;

static void
frame_clear (gpointer data)
{
	KdFrame *frame = data;

	g_free (frame->symbol);
	g_free (frame->file);
	g_free (frame->note);
}

void
kd_backtrace_clear (KdBacktrace *backtrace)
{
	g_clear_pointer (&backtrace->frames, g_array_unref);
	g_clear_pointer (&backtrace->end_text, g_free);
}

/* --- answers to the unwinder --- */

static gboolean
op_read (void *data, KdSpaceKind space, uint64_t va, void *buf, size_t len)
{
	Context *context = data;

	return kd_kernel_read (context->kernel, (KdAddr){{space, 0}, va}, buf, len, NULL);
}

static gboolean
op_read_file (void *data, uint64_t addr, void *buf, size_t len)
{
	Context *context = data;
	const void *bytes;
	uint64_t link;

	KdImage *image = kd_kernel_image_at (context->kernel, addr, &link);

	bytes = image ? kd_image_bytes (image, link, len) : NULL;
	if (bytes)
		memcpy (buf, bytes, len);
	return bytes != NULL;
}

static gboolean
op_image_addr (void *data, KdSpaceKind space, uint64_t va, uint64_t *ret_addr)
{
	Context *context = data;
	KdKernelSymbol symbol;
	uint64_t link;

	if (!kd_kernel_pc (context->kernel,
		    space == KD_SPACE_HYP ? KD_CPU_MODE_HYP : KD_CPU_MODE_KERNEL, va, ret_addr))
		return FALSE;
	return space == KD_SPACE_HYP || kd_kernel_link_addr (context->kernel, *ret_addr, &link) ||
	       kd_kernel_symbol_at (context->kernel, *ret_addr, &symbol) ||
	       kd_ftrace_origin (context->kernel, va, ret_addr);
}

static gboolean
op_symbol_at (void *data, uint64_t addr, KdKernelSymbol *ret_symbol)
{
	return kd_kernel_symbol_at (((Context *)data)->kernel, addr, ret_symbol);
}

static gboolean
op_symbol (void *data, const char *name, KdKernelSymbol *ret_symbol)
{
	return kd_kernel_symbol (((Context *)data)->kernel, name, ret_symbol);
}

static gboolean
op_cfi_at (void *data, uint64_t addr, KdCfiRow *ret_row)
{
	Context *context = data;
	uint64_t link;
	KdImage *image = kd_kernel_image_at (context->kernel, addr, &link);

	return image && kd_image_cfi_at (image, link, ret_row);
}

static gboolean
op_orc_at (void *data, uint64_t addr, KdOrcEntry *ret_entry)
{
	return kd_kernel_orc_at (((Context *)data)->kernel, addr, ret_entry);
}

static void
add_stack (const char *name, uint64_t low, uint64_t size, void *data)
{
	Context *context = data;

	if (low == 0 || size == 0 || low + size < low || context->nr_stacks >= STACKS_MAX)
		return;
	context->stacks[context->nr_stacks++] = (KdStack){low, low + size, name};
}

static void
find_stacks (Context *context)
{
	context->has_stacks = TRUE;
	if (context->has_task)
		add_stack ("task", context->task.stack, context->task.stack_size, context);
	if (context->cpu >= 0)
		context->isa->stacks (context->kernel, (unsigned)context->cpu,
			context->task.stack_size, add_stack, context);
}

static gboolean
known_stack (Context *context, uint64_t va, KdStack *ret_stack)
{
	if (!context->has_stacks)
		find_stacks (context);
	for (unsigned i = 0; i < context->nr_stacks; i++) {
		/* An empty stack's pointer is the byte behind it. */
		if (va < context->stacks[i].low || va > context->stacks[i].high)
			continue;
		*ret_stack = context->stacks[i];
		return TRUE;
	}
	return FALSE;
}

typedef struct {
	uint64_t sp;
	KdTask task;
	gboolean found;
} StackSearch;

static gboolean
has_stack (const KdTask *task, void *data)
{
	StackSearch *search = data;

	if (task->stack == 0 || search->sp < task->stack ||
		search->sp - task->stack > task->stack_size)
		return TRUE;
	search->task = *task;
	search->found = TRUE;
	return FALSE;
}

/*
 * Whose stack the CPU is on. The run queue names the next task before the stack is switched to it
 * (__schedule sets rq->curr, then runs the notifiers of the one that goes, KVM's among them).
 */
static gboolean
find_task (Context *context, uint64_t sp)
{
	StackSearch search = {.sp = sp};

	if (!kd_task_foreach (context->kernel, has_stack, &search, NULL) || !search.found)
		return FALSE;
	context->task = search.task;
	context->has_stacks = FALSE;
	context->nr_stacks = 0;
	g_clear_pointer (&context->graph, kd_graph_stack_free);
	return TRUE;
}

/*
 * The first stack of the kernel asked for is the one that the CPU is on, or that it left for the
 * hypervisor: it tells the task.
 */
static gboolean
op_stack_at (void *data, KdSpaceKind space, uint64_t va, KdStack *ret_stack)
{
	Context *context = data;
	gboolean is_first;

	if (space != KD_SPACE_KERNEL)
		return FALSE;
	is_first = !context->is_task_found;
	context->is_task_found = TRUE;
	if (known_stack (context, va, ret_stack))
		return TRUE;
	return is_first && context->cpu >= 0 && context->has_task && find_task (context, va) &&
	       known_stack (context, va, ret_stack);
}

static gboolean
op_sysreg (void *data, const char *name, uint64_t *ret_value)
{
	Context *context = data;

	return context->cpu >= 0 && kd_target_reg_get (kd_kernel_target (context->kernel),
					    (unsigned)context->cpu, name, ret_value, NULL);
}

static gboolean
op_graph_return (void *data, unsigned index, uint64_t fp, uint64_t *ret_addr, unsigned *ret_index)
{
	Context *context = data;

	if (!context->has_task)
		return FALSE;
	if (!context->graph)
		context->graph = kd_graph_stack_new (context->kernel, context->task.task);
	return kd_graph_stack_find (context->graph, index, fp, ret_addr, ret_index);
}

static gboolean
op_saved_context (void *data, gboolean el1, KdRegSet *ret_regs)
{
	Context *context = data;

	return context->cpu >= 0 && context->isa->saved_context &&
	       context->isa->saved_context (context->kernel, (unsigned)context->cpu, el1, ret_regs);
}

static int64_t
op_offset_of (void *data, const char *type_name, const char *path)
{
	Context *context = data;
	g_autofree char *key = g_strconcat (type_name, ".", path, NULL);
	const KdType *type;
	KdMember member;
	gpointer known;
	int64_t offset = -1;

	if (g_hash_table_lookup_extended (context->offsets, key, NULL, &known))
		return GPOINTER_TO_INT (known) - 1;
	type = kd_image_type_by_name (kd_kernel_image (context->kernel), type_name);
	if (type && kd_type_member (type, path, &member, NULL) &&
		member.bit_offset / 8 < G_MAXINT32)
		offset = (int64_t)(member.bit_offset / 8);
	g_hash_table_insert (
		context->offsets, g_steal_pointer (&key), GINT_TO_POINTER ((int)offset + 1));
	return offset;
}

static uint64_t
op_size_of (void *data, const char *type_name)
{
	Context *context = data;
	const KdType *type = kd_image_type_by_name (kd_kernel_image (context->kernel), type_name);

	return type ? kd_type_size (type) : 0;
}

static const KdUnwindOps kernel_ops = {
	.read = op_read,
	.read_file = op_read_file,
	.image_addr = op_image_addr,
	.symbol_at = op_symbol_at,
	.symbol = op_symbol,
	.cfi_at = op_cfi_at,
	.orc_at = op_orc_at,
	.stack_at = op_stack_at,
	.sysreg = op_sysreg,
	.graph_return = op_graph_return,
	.saved_context = op_saved_context,
	.offset_of = op_offset_of,
	.size_of = op_size_of,
};

static void
context_clear (Context *context)
{
	g_clear_pointer (&context->graph, kd_graph_stack_free);
	g_clear_pointer (&context->offsets, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Context, context_clear)

/* --- frames for people --- */

static void
add_frame (KdBacktrace *backtrace, const Context *context, const KdUnwindFrame *from,
	const KdUnwind *unwind)
{
	KdImage *image;
	g_autoptr (GArray) lines = NULL;
	KdFrame frame = {
		.space = {from->regs.space, 0},
		.pc = from->regs.pc,
		.how = from->how,
		.proof = from->proof,
		.regs = from->regs,
	};
	uint64_t link;

	if (from->regs.space == KD_SPACE_USER)
		frame.space.id = backtrace->pid;
	else if (from->regs.space == KD_SPACE_VM)
		frame.space.id = backtrace->vm;
	frame.has_sp = kd_reg_set_get (&from->regs, unwind->isa->sp, &frame.sp);
	frame.has_fp = kd_reg_set_get (&from->regs, unwind->isa->fp, &frame.fp);
	if (from->image_pc != 0 &&
		(image = kd_kernel_image_at (context->kernel, from->image_pc, &link)))
		lines = kd_image_lines_at (image, from->regs.live ? link : link - 1);
	for (guint i = 0; lines && i < lines->len; i++) {
		const KdLine *line = &g_array_index (lines, KdLine, i);

		if (!line->inlined) {
			frame.file = g_strdup (line->file);
			frame.line = line->line;
			break;
		}
		KdFrame inlined = frame;
		inlined.n = backtrace->frames->len;
		inlined.symbol = g_strdup (line->function);
		inlined.file = g_strdup (line->file);
		inlined.line = line->line;
		inlined.inlined = TRUE;
		inlined.note = g_strdup (from->note);
		g_array_append_val (backtrace->frames, inlined);
	}
	frame.n = backtrace->frames->len;
	if (from->has_symbol) {
		frame.symbol = g_strdup (from->symbol.name);
		frame.offset = from->image_pc - from->symbol.addr;
		frame.module = from->symbol.module;
	}
	frame.note = g_strdup (from->note);
	g_array_append_val (backtrace->frames, frame);
}

static void
add_frames (KdBacktrace *backtrace, const Context *context, KdUnwindResult *result,
	const KdUnwind *unwind)
{
	/* Known only when the walk is done. */
	if (context->has_task) {
		backtrace->pid = context->task.pid;
		memcpy (backtrace->comm, context->task.comm, sizeof backtrace->comm);
	}
	for (guint i = 0; i < result->frames->len; i++)
		add_frame (backtrace, context, &g_array_index (result->frames, KdUnwindFrame, i),
			unwind);
	backtrace->end = result->end;
	g_free (backtrace->end_text);
	backtrace->end_text = g_steal_pointer (&result->end_text);
	kd_unwind_result_clear (result);
}

static gboolean
init_unwind (Context *context, KdUnwind *ret_unwind, GError **error)
{
	const KdArch *arch = kd_target_arch (kd_kernel_target (context->kernel));
	const KdUnwindIsa *isa = kd_unwind_isa (arch);

	if (!isa) {
		g_set_error (error, KD_DEBUG_ERROR, KD_DEBUG_ERROR_UNSUPPORTED,
			"backtraces of %s are not known to kvmdbg", arch->name);
		return FALSE;
	}
	context->isa = isa;
	context->offsets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
	*ret_unwind =
		(KdUnwind){isa, &kernel_ops, context, kd_kernel_pac_mask (context->kernel), 0};
	return TRUE;
}

static void
init_backtrace (KdBacktrace *backtrace, const Context *context)
{
	*backtrace = (KdBacktrace){.cpu = context->cpu, .pid = -1, .vm = -1, .vcpu = -1};
	backtrace->frames = g_array_new (FALSE, TRUE, sizeof (KdFrame));
	g_array_set_clear_func (backtrace->frames, frame_clear);
}

/* --- a CPU --- */

static gboolean
read_cpu_regs (const Context *context, const KdUnwindIsa *isa, KdRegSet *ret_regs, GError **error)
{
	KdTarget *target = kd_kernel_target (context->kernel);
	KdRegSet regs = {.live = TRUE};

	if (!kd_target_reg_get (target, (unsigned)context->cpu, isa->arch->pc, &regs.pc, error))
		return FALSE;
	for (unsigned reg = 0; reg < MIN (isa->arch->nr_dwarf_regs, KD_UNWIND_REGS_MAX); reg++) {
		const char *name = isa->arch->dwarf_reg_name (reg);
		uint64_t value;

		if (!name || strcmp (name, isa->arch->pc) == 0)
			continue;
		if (!kd_target_reg_get (target, (unsigned)context->cpu, name, &value, error))
			return FALSE;
		kd_reg_set_put (&regs, reg, value);
	}
	*ret_regs = regs;
	return TRUE;
}

static const char *
name_mode (KdCpuMode mode, KdSpaceKind *ret_space)
{
	switch (mode) {
	case KD_CPU_MODE_USER:
		*ret_space = KD_SPACE_USER;
		return "user";
	case KD_CPU_MODE_HYP:
		*ret_space = KD_SPACE_HYP;
		return "hyp";
	case KD_CPU_MODE_GUEST:
		*ret_space = KD_SPACE_VM;
		return "guest";
	case KD_CPU_MODE_FIRMWARE:
		*ret_space = KD_SPACE_CPU;
		return "firmware";
	case KD_CPU_MODE_KERNEL:
	case KD_CPU_MODE_UNKNOWN:
		break;
	}
	*ret_space = KD_SPACE_KERNEL;
	return "kernel";
}

/* Which vCPU's guest code CPU `cpu` runs. */
static void
name_guest (KdBacktrace *backtrace, const Context *context)
{
	uint64_t address, kvm, id;
	g_autoptr (GArray) vms = NULL;
	KdObject vcpu;

	if (!kd_vcpu_loaded_on (context->kernel, (unsigned)context->cpu, &address) ||
		!kd_object_at_named (context->kernel, "struct kvm_vcpu", address, &vcpu, NULL) ||
		!kd_object_member_u64 (&vcpu, "vcpu_id", &id, NULL) ||
		!kd_object_member_u64 (&vcpu, "kvm", &kvm, NULL))
		return;
	backtrace->vcpu = (int)id;
	vms = kd_vms (context->kernel, NULL, NULL);
	for (guint i = 0; vms && i < vms->len; i++)
		if (g_array_index (vms, KdVm, i).kvm == kvm)
			backtrace->vm = g_array_index (vms, KdVm, i).id;
}

gboolean
kd_backtrace_cpu (KdKernel *kernel, unsigned cpu, KdBacktrace *ret_backtrace, GError **error)
{
	KdTarget *target = kd_kernel_target (kernel);
	g_auto (Context) context = {.kernel = kernel, .cpu = (int)cpu};
	KdUnwindResult result;
	const char *mode;
	KdUnwind unwind;
	KdRegSet regs;

	if (cpu >= kd_target_nr_cpus (target)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE,
			"no CPU %u: there are CPUs 0 to %u", cpu, kd_target_nr_cpus (target) - 1);
		return FALSE;
	}
	if (!init_unwind (&context, &unwind, error) ||
		!read_cpu_regs (&context, unwind.isa, &regs, error))
		return FALSE;
	mode = name_mode (kd_kernel_cpu_state (kernel, cpu).mode, &regs.space);
	context.has_task = kd_task_current (kernel, cpu, &context.task, NULL);
	init_backtrace (ret_backtrace, &context);
	ret_backtrace->context = mode;
	if (regs.space == KD_SPACE_VM)
		name_guest (ret_backtrace, &context);
	kd_unwind_run (&unwind, &regs, &result);
	add_frames (ret_backtrace, &context, &result, &unwind);
	if (regs.space == KD_SPACE_VM && unwind.isa->guest_entry &&
		unwind.isa->guest_entry (&unwind, &regs)) {
		kd_unwind_run (&unwind, &regs, &result);
		KdUnwindFrame *first = &g_array_index (result.frames, KdUnwindFrame, 0);
		first->how = KD_HOW_PT_REGS;
		first->proof = KD_PROOF_ENTRY;
		first->note = g_strdup ("where the guest was entered");
		add_frames (ret_backtrace, &context, &result, &unwind);
	}
	return TRUE;
}

/* --- a task --- */

gboolean
kd_backtrace_task (KdKernel *kernel, const KdTask *task, KdBacktrace *ret_backtrace, GError **error)
{
	g_auto (Context) context = {.kernel = kernel, .cpu = -1, .task = *task, .has_task = TRUE};
	KdUnwindResult result;
	KdUnwind unwind;
	KdRegSet regs;

	/* Only a CPU of the machine has registers to read. */
	if (task->on_cpu && task->cpu >= 0 &&
		(unsigned)task->cpu < kd_target_nr_cpus (kd_kernel_target (kernel)))
		return kd_backtrace_cpu (kernel, (unsigned)task->cpu, ret_backtrace, error);
	if (!init_unwind (&context, &unwind, error))
		return FALSE;
	if (!unwind.isa->task_regs (kernel, task->task, &regs, error)) {
		g_prefix_error (error, "PID %d (%s): ", task->pid, task->comm);
		return FALSE;
	}
	init_backtrace (ret_backtrace, &context);
	ret_backtrace->context = "sleeping";
	kd_unwind_run (&unwind, &regs, &result);
	add_frames (ret_backtrace, &context, &result, &unwind);
	return TRUE;
}
