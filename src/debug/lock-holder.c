/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/lock-holder.h"

#include <inttypes.h>
#include <string.h>

#include "debug/lock-flow.h"
#include "kernel/ftrace.h"

/* Read at once; longer functions have more instructions than are followed. */
#define FUNCTION_BYTES_MAX 65536
#define NAME_MAX_LEN 256

/* --- functions that take locks and give them back --- */

typedef struct {
	const char *name;
	gboolean is_prefix; /* _irq, _irqsave, _bh, _nested, … */
	KdLockEffect effect;
	gboolean of_result;
	const char *type, *member; /* what the argument or the result is; NULL: the lock */
	const char *from,
		*pointer; /* the argument, and its member that is the result; NULL: none */
} LockFunction;

static const LockFunction lock_functions[] = {
	{"_raw_spin_lock", TRUE, KD_LOCK_TAKES},
	{"_raw_read_lock", TRUE, KD_LOCK_TAKES},
	{"_raw_write_lock", TRUE, KD_LOCK_TAKES},
	{"_raw_spin_trylock", TRUE, KD_LOCK_TRIES},
	{"_raw_read_trylock", TRUE, KD_LOCK_TRIES},
	{"_raw_write_trylock", TRUE, KD_LOCK_TRIES},
	{"_raw_spin_unlock", TRUE, KD_LOCK_RELEASES},
	{"_raw_read_unlock", TRUE, KD_LOCK_RELEASES},
	{"_raw_write_unlock", TRUE, KD_LOCK_RELEASES},
	/* Called where the rest is inlined. */
	{"queued_spin_lock_slowpath", FALSE, KD_LOCK_TAKES},
	{"native_queued_spin_lock_slowpath", FALSE, KD_LOCK_TAKES},
	{"__pv_queued_spin_lock_slowpath", FALSE, KD_LOCK_TAKES},
	{"queued_read_lock_slowpath", FALSE, KD_LOCK_TAKES},
	{"queued_write_lock_slowpath", FALSE, KD_LOCK_TAKES},
	/* Without core scheduling it is the run queue's own. */
	{"raw_spin_rq_lock_nested", FALSE, KD_LOCK_TAKES, FALSE, "struct rq", "__lock"},
	{"raw_spin_rq_trylock", FALSE, KD_LOCK_TRIES, FALSE, "struct rq", "__lock"},
	{"raw_spin_rq_unlock", FALSE, KD_LOCK_RELEASES, FALSE, "struct rq", "__lock"},
	{"task_rq_lock", FALSE, KD_LOCK_TAKES, TRUE, "struct rq", "__lock"},
	{"__lock_task_sighand", FALSE, KD_LOCK_TRIES, TRUE, "struct sighand_struct", "siglock",
		"struct task_struct", "sighand"},
	{"__task_rq_lock", FALSE, KD_LOCK_TAKES, TRUE, "struct rq", "__lock"},
};

/* One frame's function. */
typedef struct {
	KdKernel *kernel;
	const KdArch *arch;
	KdKernelSymbol function;
	KdKernelSymbol last; /* asked for last; size 0: none */
	uint8_t *code;       /* of the function; NULL: not read */
} Function;

static gboolean
op_read (void *data, uint64_t addr, void *buf, size_t len)
{
	Function *function = data;
	uint64_t offset = addr - function->function.addr;

	if (function->code && offset < function->function.size &&
		len <= function->function.size - offset) {
		memcpy (buf, function->code + offset, len);
		return TRUE;
	}
	return kd_kernel_read (function->kernel, kd_addr_kernel (addr), buf, len, NULL);
}

/* "foo" of "foo.cold": what gcc takes out of a function, since it seldom runs. */
static size_t
cold_part_of (const char *name)
{
	const char *cold = strstr (name, ".cold");

	return cold ? (size_t)(cold - name) : 0;
}

static gboolean
op_is_part (void *data, uint64_t addr)
{
	Function *function = data;
	size_t len;

	if (addr - function->last.addr >= function->last.size &&
		!kd_kernel_symbol_at (function->kernel, addr, &function->last)) {
		function->last.size = 0;
		return FALSE;
	}
	len = cold_part_of (function->last.name);
	return len && strlen (function->function.name) == len &&
	       strncmp (function->last.name, function->function.name, len) == 0;
}

static gboolean
function_at (Function *function, uint64_t target, KdKernelSymbol *ret_symbol)
{
	uint8_t code[KD_INSN_BYTES_MAX];

	/* A module's calls may go through a few instructions that its loader made. */
	if (function->arch->veneer_target && function->function.module &&
		kd_kernel_read (function->kernel, kd_addr_kernel (target), code, sizeof code, NULL))
		function->arch->veneer_target (code, sizeof code, target, &target);
	return kd_kernel_symbol_at (function->kernel, target, ret_symbol) &&
	       ret_symbol->addr == target;
}

/* Of a member; 0 where there is no type. */
static gboolean
member_offset (KdKernel *kernel, const char *type_name, const char *path, int64_t *ret_offset)
{
	KdMember member = {0};
	const KdType *type =
		type_name ? kd_image_type_by_name (kd_kernel_image (kernel), type_name) : NULL;

	if (type_name && (!type || !kd_type_member (type, path, &member, NULL)))
		return FALSE;
	*ret_offset = (int64_t)(member.bit_offset / 8);
	return TRUE;
}

static gboolean
op_lock_call (void *data, uint64_t target, KdLockCall *ret_call)
{
	Function *function = data;
	KdKernelSymbol symbol;

	if (!function_at (function, target, &symbol))
		return FALSE;
	for (size_t i = 0; i < G_N_ELEMENTS (lock_functions); i++) {
		const LockFunction *row = &lock_functions[i];
		int64_t offset, pointer;

		if (row->is_prefix ? !g_str_has_prefix (symbol.name, row->name)
				   : strcmp (symbol.name, row->name) != 0)
			continue;
		if (!member_offset (function->kernel, row->type, row->member, &offset) ||
			!member_offset (function->kernel, row->from, row->pointer, &pointer))
			return FALSE;
		*ret_call = (KdLockCall){
			row->effect, row->of_result, offset, row->from != NULL, pointer};
		return TRUE;
	}
	return FALSE;
}

static gboolean
op_keeps_registers (void *data, uint64_t target)
{
	Function *function = data;
	KdKernelSymbol symbol;
	uint64_t origin;

	if (!kd_kernel_symbol_at (function->kernel, target, &symbol))
		return kd_ftrace_origin (function->kernel, target, &origin);
	return strcmp (symbol.name, "__fentry__") == 0 || g_str_has_prefix (symbol.name, "ftrace_");
}

/* What was found of one place: many CPUs may be where one is. */
struct KdLockFlows {
	GHashTable *by_place; /* of Flow, by itself */
};

typedef struct {
	uint64_t pc;
	gboolean live;
	gboolean done; /* FALSE: its code does not tell */
	uint64_t entry;
	KdLockState state;
} Flow;

static guint
flow_hash (gconstpointer key)
{
	return g_int64_hash (&((const Flow *)key)->pc);
}

static gboolean
flow_equal (gconstpointer a, gconstpointer b)
{
	const Flow *x = a, *y = b;

	return x->pc == y->pc && x->live == y->live;
}

KdLockFlows *
kd_lock_flows_new (void)
{
	KdLockFlows *flows = g_new (KdLockFlows, 1);

	flows->by_place = g_hash_table_new_full (flow_hash, flow_equal, NULL, g_free);
	return flows;
}

void
kd_lock_flows_free (KdLockFlows *flows)
{
	g_hash_table_unref (flows->by_place);
	g_free (flows);
}

static void
find_flow (KdKernel *kernel, Flow *flow)
{
	const KdArch *arch = kd_target_arch (kd_kernel_target (kernel));
	KdLockFlowOps ops = {op_read, op_is_part, op_lock_call, op_keeps_registers, FALSE};
	Function function = {.kernel = kernel, .arch = arch};
	KdKernelSymbol at, unlock;
	g_autofree char *name = NULL;

	if (!arch->flow || !kd_kernel_symbol_at (kernel, flow->live ? flow->pc : flow->pc - 1, &at))
		return;
	function.function = at;
	if (cold_part_of (at.name)) {
		name = g_strndup (at.name, MIN (cold_part_of (at.name), NAME_MAX_LEN));
		if (!kd_kernel_symbol (kernel, name, &function.function))
			return;
	}
	if (function.function.size == 0 || function.function.size > FUNCTION_BYTES_MAX)
		return;
	/* Where there is no function to give a lock back, it is one instruction. */
	ops.byte_releases = !kd_kernel_symbol (kernel, "_raw_spin_unlock", &unlock);
	function.code = g_malloc (function.function.size);
	if (!kd_kernel_read (kernel, kd_addr_kernel (function.function.addr), function.code,
		    function.function.size, NULL))
		g_clear_pointer (&function.code, g_free);
	flow->entry = function.function.addr;
	flow->done = kd_lock_flow (arch->flow, &ops, &function, flow->entry, function.function.size,
		flow->pc, flow->live, &flow->state);
	g_free (function.code);
}

/* What is known where the frame's function is: of `flows`. NULL: its code does not tell. */
static const Flow *
flow_of (KdKernel *kernel, KdLockFlows *flows, const KdFrame *frame)
{
	Flow key = {.pc = frame->pc, .live = frame->regs.live};
	Flow *flow;

	if (frame->space.kind != KD_SPACE_KERNEL)
		return NULL;
	flow = g_hash_table_lookup (flows->by_place, &key);
	if (!flow) {
		flow = g_memdup2 (&key, sizeof key);
		find_flow (kernel, flow);
		g_hash_table_add (flows->by_place, flow);
	}
	return flow->done ? flow : NULL;
}

/* --- values of one frame --- */

typedef struct {
	KdKernel *kernel;
	const KdFlow *flow;
	const KdRegSet *regs; /* of the frame */
	const KdLockState *state;
} Frame;

/* Where a value was found. */
typedef struct {
	int reg;             /* -1: none */
	uint64_t place;      /* on the stack; 0: not there */
	int64_t offset;      /* from what is there */
	gboolean is_pointer; /* that is where its address is, and this is added to it */
	int64_t pointed_offset;
} Source;

static gboolean
by_register (const Frame *frame, KdFlowValue value, uint64_t *ret_value, Source *ret_source)
{
	for (unsigned reg = 0; reg < KD_FLOW_REGS_MAX; reg++) {
		KdFlowValue has = frame->state->regs[reg];
		uint64_t now;

		if (has.base != value.base || !kd_reg_set_get (frame->regs, reg, &now))
			continue;
		ret_source->reg = (int)reg;
		ret_source->offset = (int64_t)((uint64_t)value.offset - (uint64_t)has.offset);
		*ret_value = now + (uint64_t)ret_source->offset;
		return TRUE;
	}
	return FALSE;
}

static gboolean
by_slot (const Frame *frame, KdFlowValue value, uint64_t *ret_value, Source *ret_source)
{
	KdFlowValue entry_sp = {KD_FLOW_ENTRY (frame->flow->sp), 0};
	Source ignored;
	uint64_t sp;

	if (!by_register (frame, entry_sp, &sp, &ignored))
		return FALSE;
	for (unsigned i = 0; i < frame->state->nr_slots; i++) {
		const KdLockSlot *slot = &frame->state->slots[i];
		uint64_t now;

		if (slot->value.base != value.base ||
			!kd_kernel_read (frame->kernel,
				kd_addr_kernel (sp + (uint64_t)slot->offset), &now, sizeof now,
				NULL))
			continue;
		ret_source->place = sp + (uint64_t)slot->offset;
		ret_source->offset =
			(int64_t)((uint64_t)value.offset - (uint64_t)slot->value.offset);
		*ret_value = GUINT64_FROM_LE (now) + (uint64_t)ret_source->offset;
		return TRUE;
	}
	return FALSE;
}

/* The number that the value is; FALSE: nothing has it any more. */
static gboolean
resolve (const Frame *frame, KdFlowValue value, uint64_t *ret_value, Source *ret_source)
{
	*ret_source = (Source){.reg = -1};
	if (value.base == KD_FLOW_UNKNOWN)
		return FALSE;
	if (value.base == KD_FLOW_NUMBER) {
		*ret_value = (uint64_t)value.offset;
		return TRUE;
	}
	return by_register (frame, value, ret_value, ret_source) ||
	       by_slot (frame, value, ret_value, ret_source);
}

/* TRUE: it is that lock, or may be. */
static gboolean
may_be (const Frame *frame, KdFlowValue value, uint64_t lock)
{
	Source source;
	uint64_t now;

	return !resolve (frame, value, &now, &source) || now == lock;
}

static gboolean
gave_back (const Frame *frame, uint64_t lock)
{
	gboolean found = frame->state->any_released;

	for (unsigned i = 0; i < frame->state->nr_released && !found; i++)
		found = may_be (frame, frame->state->released[i], lock);
	return found;
}

/* The lock's address; where nothing has it any more, by where it was loaded from. */
static gboolean
resolve_lock (const Frame *frame, const KdHeldLock *held, uint64_t *ret_lock, Source *ret_source)
{
	uint64_t place, base;

	if (resolve (frame, held->lock, ret_lock, ret_source))
		return TRUE;
	if (!held->has_pointer || !resolve (frame, held->pointer, &place, ret_source) ||
		!kd_kernel_read (frame->kernel, kd_addr_kernel (place), &base, sizeof base, NULL))
		return FALSE;
	ret_source->is_pointer = TRUE;
	ret_source->pointed_offset = held->lock.offset;
	*ret_lock = GUINT64_FROM_LE (base) + (uint64_t)held->lock.offset;
	return TRUE;
}

static const KdHeldLock *
find_held (const Frame *frame, uint64_t lock, Source *ret_source)
{
	for (unsigned i = 0; i < frame->state->nr_held; i++) {
		const KdHeldLock *held = &frame->state->held[i];
		uint64_t now;

		/* A function that was called may have given it back: then it would not be given
		 * back again. */
		if (resolve_lock (frame, held, &now, ret_source) && now == lock &&
			(!held->called || held->given_back_at) &&
			!(held->has_doubt && may_be (frame, held->doubt, lock)))
			return held;
	}
	return NULL;
}

/* --- from frame to frame --- */

/* The next frame that is one of the machine's, from `index` on; FALSE: there is none. */
static gboolean
next_frame (const KdBacktrace *trace, guint *index)
{
	while (*index < trace->frames->len &&
		g_array_index (trace->frames, KdFrame, *index).inlined)
		++*index;
	return *index < trace->frames->len;
}

/* What the frame that was called has put aside of its caller's registers, and left alone. */
static void
give_registers (const Frame *frame, KdRegSet *ret_regs)
{
	for (unsigned reg = 0; reg < KD_FLOW_REGS_MAX; reg++) {
		KdFlowValue entry = {KD_FLOW_ENTRY (reg), 0};
		Source source;
		uint64_t now;

		if ((frame->flow->callee_saved >> reg & 1) && resolve (frame, entry, &now, &source))
			kd_reg_set_put (ret_regs, reg, now);
	}
}

/* A walk over a CPU's frames. */
typedef struct {
	KdKernel *kernel;
	KdLockFlows *flows;
	const KdBacktrace *trace;
	guint index;
	KdRegSet given; /* by the frame before */
	/* Of the frame at `index`. */
	KdRegSet regs;
	const Flow *at; /* NULL: not known */
} Walk;

/* The frame at walk->index, which is one of the machine's. */
static void
look_at_frame (Walk *walk, Frame *ret_frame)
{
	const KdFrame *frame = &g_array_index (walk->trace->frames, KdFrame, walk->index);
	const KdFlow *flow = kd_target_arch (kd_kernel_target (walk->kernel))->flow;

	walk->regs = frame->regs;
	if (!walk->regs.live) {
		/* What a call leaves, as the unwinder found it or the called function's code. */
		walk->regs.known &= flow ? flow->callee_saved | UINT64_C (1) << flow->sp : 0;
		for (unsigned reg = 0; reg < KD_UNWIND_REGS_MAX; reg++)
			if ((walk->given.known & ~walk->regs.known) >> reg & 1)
				kd_reg_set_put (&walk->regs, reg, walk->given.value[reg]);
	}
	walk->given.known = 0;
	walk->at = NULL;
	if (frame->how != KD_HOW_GUESS &&
		(walk->index == 0 || walk->regs.live || frame->proof != KD_PROOF_NONE))
		walk->at = flow_of (walk->kernel, walk->flows, frame);
	*ret_frame = (Frame){walk->kernel, flow, &walk->regs, walk->at ? &walk->at->state : NULL};
	if (walk->at)
		give_registers (ret_frame, &walk->given);
}

char *
kd_lock_name (KdKernel *kernel, uint64_t lock)
{
	g_autofree char *name = kd_kernel_symbolize (kernel, lock);

	return g_str_has_prefix (name, "0x") ? g_steal_pointer (&name)
					     : g_strdup_printf ("0x%" PRIx64 " (%s)", lock, name);
}

/* " + 0x10", or nothing. */
static char *
say_offset (int64_t offset)
{
	if (offset == 0)
		return g_strdup ("");
	return g_strdup_printf (" %c 0x%" PRIx64, offset < 0 ? '-' : '+',
		offset < 0 ? -(uint64_t)offset : (uint64_t)offset);
}

static char *
say_argument (const Frame *frame, const Source *source, uint64_t lock)
{
	const KdArch *arch = kd_target_arch (kd_kernel_target (frame->kernel));
	g_autofree char *name = kd_lock_name (frame->kernel, lock);
	g_autofree char *offset = say_offset (source->offset);
	g_autofree char *pointed = say_offset (source->pointed_offset);
	const char *open = source->is_pointer ? "*(" : "", *close = source->is_pointer ? ")" : "";

	if (source->place)
		return g_strdup_printf ("%swhat the frame keeps at 0x%" PRIx64 "%s%s%s", open,
			source->place, offset, close, pointed);
	if (source->reg >= 0)
		return g_strdup_printf ("%s%s%s%s%s, and %s of the frame is 0x%" PRIx64, open,
			arch->dwarf_reg_name ((unsigned)source->reg), offset, close, pointed,
			arch->dwarf_reg_name ((unsigned)source->reg),
			frame->regs->value[source->reg]);
	return g_strdup_printf (source->is_pointer ? "%s, which a number in the code points to"
						   : "%s, a number in the code",
		name);
}

gboolean
kd_lock_holder_find (KdKernel *kernel, KdLockFlows *flows, const KdBacktrace *trace, uint64_t lock,
	KdLockHolder *ret_holder)
{
	Walk walk = {.kernel = kernel, .flows = flows, .trace = trace};
	gboolean is_doubtful = FALSE;

	for (; next_frame (trace, &walk.index); walk.index++) {
		const KdFrame *at = &g_array_index (trace->frames, KdFrame, walk.index);
		const KdHeldLock *held;
		Source source;
		Frame frame;

		look_at_frame (&walk, &frame);
		/* What handles an exception does not give back what the code below it holds. */
		if (walk.regs.live)
			is_doubtful = FALSE;
		held = walk.at ? find_held (&frame, lock, &source) : NULL;
		if (held && !is_doubtful) {
			*ret_holder = (KdLockHolder){
				.cpu = (unsigned)trace->cpu,
				.frame = at->n,
				.function = g_strdup (at->symbol ? at->symbol : "?"),
				.function_addr = walk.at->entry,
				.pc = at->pc,
				.taken_at = held->taken_at,
				.given_back_at = held->given_back_at,
				.by_memory = source.is_pointer,
				.argument = say_argument (&frame, &source, lock),
			};
			return TRUE;
		}
		is_doubtful |= !walk.at || gave_back (&frame, lock);
	}
	return FALSE;
}

gboolean
kd_lock_holder_argument (KdKernel *kernel, KdLockFlows *flows, const KdBacktrace *trace,
	guint index, uint64_t *ret_value)
{
	Walk walk = {.kernel = kernel, .flows = flows, .trace = trace};

	for (; next_frame (trace, &walk.index); walk.index++) {
		Source source;
		Frame frame;

		look_at_frame (&walk, &frame);
		/* An inlined function has none of its own. */
		if (walk.index < index)
			continue;
		return walk.index == index && walk.at &&
		       resolve (&frame, (KdFlowValue){KD_FLOW_ENTRY (frame.flow->first_arg), 0},
			       ret_value, &source);
	}
	return FALSE;
}

void
kd_lock_holder_clear (KdLockHolder *holder)
{
	g_clear_pointer (&holder->function, g_free);
	g_clear_pointer (&holder->argument, g_free);
}
