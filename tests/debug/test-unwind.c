/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "debug/unwind.h"

/*
 * A kernel of a few functions with real A64 code, one stack and one interrupt stack, all in arrays:
 * what the unwinder is asked to walk is laid out word by word.
 */
#define CODE UINT64_C (0xffff800008000000)
#define CODE_WORDS 512
#define STACK UINT64_C (0xffff800010000000)
#define IRQ UINT64_C (0xffff800010010000)
#define STACK_WORDS 512
#define STACK_END (STACK + STACK_WORDS * 8)
#define IRQ_END (IRQ + STACK_WORDS * 8)
#define PAC_MASK (~UINT64_C (0) << 48 & ~(UINT64_C (1) << 55))
#define SIGNED(addr) (((addr) & ~PAC_MASK) | UINT64_C (0x005a000000000000))
#define SYMBOLS_MAX 16

#define NOP 0xd503201fu
#define RET 0xd65f03c0u
#define BRK 0xd4200000u
#define BLR_X8 0xd63f0100u
#define FP 29
#define LR 30
#define SP 31

typedef struct {
	uint32_t code[CODE_WORDS];
	uint64_t stack[STACK_WORDS], irq[STACK_WORDS];
	KdKernelSymbol symbols[SYMBOLS_MAX];
	unsigned nr_symbols, nr_words;
	/* CFI of functions with frames of this size, frame record at the bottom; 0: none. */
	unsigned frame_size[SYMBOLS_MAX];
	struct {
		uint64_t ret, fp;
	} graph[4];
	unsigned nr_graph;
} World;

/* --- building --- */

static uint64_t
add_function (World *world, const char *name, const uint32_t *words, unsigned nr, unsigned frame)
{
	KdKernelSymbol *symbol = &world->symbols[world->nr_symbols];

	g_assert_cmpuint (world->nr_words + nr, <=, CODE_WORDS);
	*symbol = (KdKernelSymbol){
		.name = name, .addr = CODE + world->nr_words * 4, .size = nr * 4, .kind = 't'};
	world->frame_size[world->nr_symbols++] = frame;
	memcpy (world->code + world->nr_words, words, nr * 4);
	world->nr_words += nr;
	return symbol->addr;
}

static uint32_t
branch (uint32_t opcode, uint64_t from, uint64_t to)
{
	return opcode | ((uint32_t)((to - from) / 4) & 0x3ffffff);
}

/* A function that calls `callee` (0: through a register): NOP, the call, BRK. Its return address.
 */
static uint64_t
add_caller (World *world, const char *name, uint64_t callee, unsigned frame)
{
	uint64_t at = CODE + world->nr_words * 4;
	uint32_t words[] = {NOP, callee ? branch (0x94000000, at + 4, callee) : BLR_X8, BRK, BRK};

	return add_function (world, name, words, G_N_ELEMENTS (words), frame) + 8;
}

static void
poke (World *world, uint64_t addr, uint64_t value)
{
	if (addr >= IRQ)
		world->irq[(addr - IRQ) / 8] = value;
	else
		world->stack[(addr - STACK) / 8] = value;
}

static void
record (World *world, uint64_t at, uint64_t fp, uint64_t ret)
{
	poke (world, at, fp);
	poke (world, at + 8, ret);
}

/* --- answering --- */

static gboolean
op_read (void *data, KdSpaceKind space, uint64_t va, void *buf, size_t len)
{
	World *world = data;
	const struct {
		uint64_t start, size;
		const void *bytes;
	} parts[] = {
		{CODE, sizeof world->code, world->code},
		{STACK, sizeof world->stack, world->stack},
		{IRQ, sizeof world->irq, world->irq},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (parts); i++) {
		if (va < parts[i].start || va - parts[i].start > parts[i].size ||
			len > parts[i].size - (va - parts[i].start))
			continue;
		memcpy (buf, (const char *)parts[i].bytes + (va - parts[i].start), len);
		return space == KD_SPACE_KERNEL;
	}
	return FALSE;
}

static gboolean
op_read_file (void *data, uint64_t addr, void *buf, size_t len)
{
	return FALSE;
}

static gboolean
op_symbol_at (void *data, uint64_t addr, KdKernelSymbol *ret_symbol)
{
	World *world = data;

	for (unsigned i = 0; i < world->nr_symbols; i++) {
		if (addr < world->symbols[i].addr ||
			addr - world->symbols[i].addr >= world->symbols[i].size)
			continue;
		*ret_symbol = world->symbols[i];
		return TRUE;
	}
	return FALSE;
}

static gboolean
op_image_addr (void *data, KdSpaceKind space, uint64_t va, uint64_t *ret_addr)
{
	KdKernelSymbol symbol;

	*ret_addr = va;
	return op_symbol_at (data, va, &symbol);
}

static gboolean
op_symbol (void *data, const char *name, KdKernelSymbol *ret_symbol)
{
	World *world = data;

	for (unsigned i = 0; i < world->nr_symbols; i++) {
		if (strcmp (world->symbols[i].name, name) != 0)
			continue;
		*ret_symbol = world->symbols[i];
		return TRUE;
	}
	return FALSE;
}

static gboolean
op_cfi_at (void *data, uint64_t addr, KdCfiRow *ret_row)
{
	World *world = data;

	for (unsigned i = 0; i < world->nr_symbols; i++) {
		int64_t size = world->frame_size[i];

		if (size == 0 || addr < world->symbols[i].addr ||
			addr - world->symbols[i].addr >= world->symbols[i].size)
			continue;
		*ret_row = (KdCfiRow){.cfa = {KD_CFI_REGISTER, size, SP}, .ra_reg = LR};
		ret_row->regs[FP] = (KdCfiRule){KD_CFI_CFA_OFFSET, -size, 0};
		ret_row->regs[LR] = (KdCfiRule){KD_CFI_CFA_OFFSET, 8 - size, 0};
		return TRUE;
	}
	return FALSE;
}

static gboolean
op_stack_at (void *data, KdSpaceKind space, uint64_t va, KdStack *ret_stack)
{
	if (va >= STACK && va <= STACK_END)
		*ret_stack = (KdStack){STACK, STACK_END, "task"};
	else if (va >= IRQ && va <= IRQ_END)
		*ret_stack = (KdStack){IRQ, IRQ_END, "irq"};
	else
		return FALSE;
	return TRUE;
}

static gboolean
op_sysreg (void *data, const char *name, uint64_t *ret_value)
{
	return FALSE;
}

static gboolean
op_graph_return (void *data, unsigned index, uint64_t fp, uint64_t *ret_addr, unsigned *ret_index)
{
	World *world = data;

	if (index >= world->nr_graph)
		return FALSE;
	*ret_addr = world->graph[index].ret;
	*ret_index = index + 1;
	return TRUE;
}

static gboolean
op_saved_context (void *data, gboolean el1, KdRegSet *ret_regs)
{
	return FALSE;
}

#define PT_REGS_SIZE 336
#define STACKFRAME 304

static int64_t
op_offset_of (void *data, const char *type, const char *member)
{
	static const struct {
		const char *name;
		int64_t offset;
	} members[] = {
		{"regs", 0}, {"sp", 248}, {"pc", 256}, {"pstate", 264}, {"stackframe", STACKFRAME}};

	for (size_t i = 0; i < G_N_ELEMENTS (members); i++)
		if (strcmp (member, members[i].name) == 0)
			return members[i].offset;
	return -1;
}

static uint64_t
op_size_of (void *data, const char *type)
{
	return PT_REGS_SIZE;
}

static const KdUnwindOps ops = {
	.read = op_read,
	.read_file = op_read_file,
	.image_addr = op_image_addr,
	.symbol_at = op_symbol_at,
	.symbol = op_symbol,
	.cfi_at = op_cfi_at,
	.stack_at = op_stack_at,
	.sysreg = op_sysreg,
	.graph_return = op_graph_return,
	.saved_context = op_saved_context,
	.offset_of = op_offset_of,
	.size_of = op_size_of,
};

/* --- asking --- */

static KdRegSet
start_at (uint64_t pc, uint64_t sp, uint64_t fp)
{
	KdRegSet regs = {.space = KD_SPACE_KERNEL, .pc = pc, .live = TRUE};

	kd_reg_set_put (&regs, SP, sp);
	kd_reg_set_put (&regs, FP, fp);
	return regs;
}

static void
run (World *world, KdRegSet start, KdUnwindResult *ret_result)
{
	KdUnwind unwind = {&kd_unwind_arm64, &ops, world, PAC_MASK, 0};

	kd_unwind_run (&unwind, &start, ret_result);
	g_assert_cmpuint (ret_result->frames->len, >=, 1);
	g_assert_cmpuint (ret_result->frames->len, <=, KD_UNWIND_FRAMES_MAX);
}

static void
expect (const KdUnwindResult *result, unsigned n, const char *name, KdHow how, KdProof proof)
{
	const KdUnwindFrame *frame;

	g_assert_cmpuint (result->frames->len, >, n);
	frame = &g_array_index (result->frames, KdUnwindFrame, n);
	g_assert_cmpstr (frame->has_symbol ? frame->symbol.name : NULL, ==, name);
	g_assert_cmpstr (kd_how_name (frame->how), ==, kd_how_name (how));
	g_assert_cmpstr (kd_proof_name (frame->proof), ==, kd_proof_name (proof));
}

/* leaf ← middle ← top ← ret_from_fork, frames of 32 bytes. */
static void
build_chain (World *world, unsigned frame, uint64_t returns[3], uint64_t *ret_leaf)
{
	static const uint32_t leaf[] = {NOP, BRK};

	*ret_leaf = add_function (world, "leaf", leaf, 2, frame);
	returns[0] = add_caller (world, "middle", *ret_leaf, frame);
	returns[1] = add_caller (world, "top", returns[0] - 8, frame);
	returns[2] = add_caller (world, "ret_from_fork", 0, 0);
}

static void
lay_chain (World *world, uint64_t sp, const uint64_t returns[3], gboolean with_pac)
{
	for (unsigned i = 0; i < 3; i++)
		record (world, sp + 32 * i, i < 2 ? sp + 32 * (i + 1) : 0,
			with_pac ? SIGNED (returns[i]) : returns[i]);
}

static void
test_chain (gconstpointer data)
{
	gboolean with_cfi = GPOINTER_TO_INT (data);
	World world = {0};
	uint64_t returns[3], leaf, sp = STACK_END - 512;
	KdHow how = with_cfi ? KD_HOW_CFI : KD_HOW_FP;
	KdUnwindResult result;

	build_chain (&world, with_cfi ? 32 : 0, returns, &leaf);
	lay_chain (&world, sp, returns, TRUE);
	run (&world, start_at (leaf + 4, sp, sp), &result);
	g_assert_cmpuint (result.frames->len, ==, 4);
	expect (&result, 0, "leaf", KD_HOW_REGS, KD_PROOF_NONE);
	expect (&result, 1, "middle", how, KD_PROOF_CALL);
	expect (&result, 2, "top", how, KD_PROOF_CALL);
	expect (&result, 3, "ret_from_fork", how, KD_PROOF_INDIRECT);
	g_assert_cmpint (result.end, ==, KD_END_THREAD);
	g_assert_cmphex (g_array_index (result.frames, KdUnwindFrame, 1).regs.pc, ==, returns[0]);
	kd_unwind_result_clear (&result);
}

/* A frame record that points at itself, or back down. */
static void
test_looping (gconstpointer data)
{
	int64_t back = GPOINTER_TO_INT (data);
	World world = {0};
	uint64_t returns[3], leaf, sp = STACK_END - 512;
	KdUnwindResult result;

	build_chain (&world, 0, returns, &leaf);
	lay_chain (&world, sp, returns, FALSE);
	/* The second record leads to `back` bytes below itself, with an address that is code. */
	record (&world, sp + 32, sp + 32 - (uint64_t)back, returns[1]);
	record (&world, sp + 32 - (uint64_t)back, sp + 32 - (uint64_t)back, returns[1]);
	run (&world, start_at (leaf + 4, sp, sp), &result);
	g_assert_true (result.end == KD_END_LOOP || result.end == KD_END_BROKEN);
	g_assert_nonnull (result.end_text);
	g_assert_cmpuint (result.frames->len, <, 16);
	kd_unwind_result_clear (&result);
}

static void
test_corrupt_fp (gconstpointer data)
{
	static const uint64_t bad[] = {0, 1, STACK - 16, STACK_END, STACK_END - 8, UINT64_MAX - 7,
		UINT64_C (0x4141414141414141), CODE};
	World world = {0};
	uint64_t returns[3], leaf, sp = STACK_END - 512;
	KdUnwindResult result;

	build_chain (&world, 0, returns, &leaf);
	run (&world, start_at (leaf + 4, sp, bad[GPOINTER_TO_INT (data)]), &result);
	g_assert_cmpuint (result.frames->len, ==, 1);
	g_assert_cmpint (result.end, ==, KD_END_BROKEN);
	kd_unwind_result_clear (&result);
}

/* The frame pointer is lost; a return address whose call is of this function is on the stack. */
static void
test_guess (void)
{
	World world = {0};
	uint64_t returns[3], leaf, sp = STACK_END - 512;
	KdUnwindResult result;

	build_chain (&world, 0, returns, &leaf);
	lay_chain (&world, sp + 64, returns, TRUE);
	/* A return address into another function's caller is not taken. */
	poke (&world, sp + 16, returns[1]);
	run (&world, start_at (leaf + 4, sp, 0), &result);
	expect (&result, 1, "middle", KD_HOW_GUESS, KD_PROOF_CALL);
	expect (&result, 2, "top", KD_HOW_FP, KD_PROOF_CALL);
	g_assert_cmpint (result.end, ==, KD_END_THREAD);
	kd_unwind_result_clear (&result);
}

static void
test_wrong_call (void)
{
	static const uint32_t words[] = {NOP, BRK};
	World world = {0};
	uint64_t returns[3], leaf, other, sp = STACK_END - 512;
	KdUnwindFrame *frame;
	KdUnwindResult result;

	build_chain (&world, 32, returns, &leaf);
	other = add_function (&world, "other", words, 2, 32);
	lay_chain (&world, sp, returns, TRUE);
	run (&world, start_at (other + 4, sp, sp), &result);
	expect (&result, 1, "middle", KD_HOW_CFI, KD_PROOF_NONE);
	frame = &g_array_index (result.frames, KdUnwindFrame, 1);
	g_assert_nonnull (strstr (frame->note, "is of leaf, not of other"));
	kd_unwind_result_clear (&result);
}

/* middle calls wrapper, which jumps to leaf. */
static void
test_tail_call (void)
{
	World world = {0};
	uint64_t returns[3], leaf, wrapper, sp = STACK_END - 512;
	KdUnwindResult result;
	uint32_t jump[2] = {NOP, 0};

	build_chain (&world, 32, returns, &leaf);
	wrapper = CODE + world.nr_words * 4;
	jump[1] = branch (0x14000000, wrapper + 4, leaf);
	add_function (&world, "wrapper", jump, 2, 32);
	returns[0] = add_caller (&world, "user_of_wrapper", wrapper, 32);
	lay_chain (&world, sp, returns, TRUE);
	run (&world, start_at (leaf + 4, sp, sp), &result);
	expect (&result, 1, "user_of_wrapper", KD_HOW_CFI, KD_PROOF_CALL);
	kd_unwind_result_clear (&result);
}

/* An interrupt: handler on the interrupt stack ← call_on_irq_stack ← entry ← what it broke into. */
static void
build_interrupt (World *world, uint64_t pstate, KdRegSet *ret_start)
{
	static const uint32_t to_task_stack[] = {
		0xa9bf7bfd, /* stp x29, x30, [sp, #-16]! */
		0x910003fd, /* mov x29, sp */
		0xd63f0020, /* blr x1 */
		0x910003bf, /* mov sp, x29 */
		0xa8c17bfd, /* ldp x29, x30, [sp], #16 */
		RET,
	};
	uint64_t returns[3], leaf, handler, irq_return, c_handler, entry;
	uint64_t sp = STACK_END - 512, pt_regs = sp - PT_REGS_SIZE;
	static const uint32_t words[] = {NOP, BRK};

	build_chain (world, 32, returns, &leaf);
	lay_chain (world, sp, returns, TRUE);
	handler = add_function (world, "gic_handle_irq", words, 2, 32);
	irq_return = add_function (world, "call_on_irq_stack", to_task_stack, 6, 0) + 12;
	c_handler = add_caller (world, "el1h_64_irq_handler", irq_return - 12, 32);
	entry = add_caller (world, "el1h_64_irq", c_handler - 8, 0);
	for (unsigned i = 0; i < 31; i++)
		poke (world, pt_regs + 8 * i, i == FP ? sp : i);
	poke (world, pt_regs + 248, sp);
	poke (world, pt_regs + 256, leaf + 4);
	poke (world, pt_regs + 264, pstate);
	record (world, pt_regs + STACKFRAME, sp, leaf + 4);
	/* The C handler's frame, then what call_on_irq_stack pushed. */
	record (world, pt_regs - 32, pt_regs + STACKFRAME, SIGNED (entry));
	record (world, pt_regs - 48, pt_regs - 32, c_handler);
	record (world, IRQ_END - 32, pt_regs - 48, SIGNED (irq_return));
	*ret_start = start_at (handler + 4, IRQ_END - 32, IRQ_END - 32);
}

static void
test_interrupt (void)
{
	World world = {0};
	KdUnwindResult result;
	KdRegSet start;

	build_interrupt (&world, 9, &start); /* EL2h, as in VHE */
	run (&world, start, &result);
	expect (&result, 1, "call_on_irq_stack", KD_HOW_CFI, KD_PROOF_INDIRECT);
	expect (&result, 2, "el1h_64_irq_handler", KD_HOW_FP, KD_PROOF_CALL);
	expect (&result, 3, "el1h_64_irq", KD_HOW_CFI, KD_PROOF_CALL);
	expect (&result, 4, "leaf", KD_HOW_PT_REGS, KD_PROOF_ENTRY);
	expect (&result, 5, "middle", KD_HOW_CFI, KD_PROOF_CALL);
	expect (&result, 7, "ret_from_fork", KD_HOW_CFI, KD_PROOF_INDIRECT);
	g_assert_cmpint (result.end, ==, KD_END_THREAD);
	kd_unwind_result_clear (&result);
}

static void
test_user_boundary (void)
{
	World world = {0};
	KdUnwindResult result;
	KdRegSet start;

	build_interrupt (&world, 0, &start); /* EL0t */
	run (&world, start, &result);
	g_assert_cmpuint (result.frames->len, ==, 5);
	expect (&result, 4, NULL, KD_HOW_PT_REGS, KD_PROOF_ENTRY);
	g_assert_cmpint (
		g_array_index (result.frames, KdUnwindFrame, 4).regs.space, ==, KD_SPACE_USER);
	g_assert_cmpint (result.end, ==, KD_END_USER);
	kd_unwind_result_clear (&result);
}

/* Function_graph: two functions traced, the lower reached by a tail call of a traced one. */
static void
test_graph (void)
{
	static const uint32_t handler_words[] = {NOP, BRK};
	World world = {0};
	uint64_t returns[3], leaf, handler, sp = STACK_END - 512;
	KdUnwindResult result;

	build_chain (&world, 32, returns, &leaf);
	handler = add_function (&world, "return_to_handler", handler_words, 2, 0);
	record (&world, sp, sp + 32, handler);
	record (&world, sp + 32, sp + 64, SIGNED (handler));
	record (&world, sp + 64, 0, returns[2]);
	world.graph[0].ret = handler;
	world.graph[1].ret = SIGNED (returns[0]);
	world.graph[2].ret = returns[1];
	world.nr_graph = 3;
	run (&world, start_at (leaf + 4, sp, sp), &result);
	expect (&result, 1, "middle", KD_HOW_GRAPH, KD_PROOF_CALL);
	expect (&result, 2, "top", KD_HOW_GRAPH, KD_PROOF_CALL);
	expect (&result, 3, "ret_from_fork", KD_HOW_CFI, KD_PROOF_INDIRECT);
	kd_unwind_result_clear (&result);
	/* A stack of return addresses that is too short: what is left on the stack is a guess. */
	world.nr_graph = 1;
	run (&world, start_at (leaf + 4, sp, sp), &result);
	expect (&result, 1, "ret_from_fork", KD_HOW_GUESS, KD_PROOF_INDIRECT);
	kd_unwind_result_clear (&result);
}

/* Popped already, and an interrupt's entries in its place: the return address is in the registers
 * alone. */
static void
test_graph_popped (void)
{
	static const uint32_t handler_words[] = {BLR_X8, 0xaa0003fe /* mov x30, x0 */, RET};
	static const uint32_t words[] = {NOP, 0xaa1603e0 /* mov x0, x22 */, RET};
	World world = {0};
	uint64_t returns[3], leaf, handler, popping, sp = STACK_END - 512;
	KdUnwindResult result;
	KdRegSet start;

	build_chain (&world, 32, returns, &leaf);
	handler = add_function (&world, "return_to_handler", handler_words, 3, 0);
	popping = add_function (&world, "ftrace_return_to_handler", words, 3, 32);
	record (&world, sp, sp + 32, handler + 4);
	record (&world, sp + 32, sp + 64, handler);
	record (&world, sp + 64, 0, returns[2]);
	world.graph[0].ret = returns[1];
	world.nr_graph = 1;
	start = start_at (popping + 4, sp, sp);
	kd_reg_set_put (&start, 22, SIGNED (returns[0]));
	run (&world, start, &result);
	expect (&result, 1, "return_to_handler", KD_HOW_CFI, KD_PROOF_INDIRECT);
	expect (&result, 2, "middle", KD_HOW_GRAPH, KD_PROOF_ENTRY);
	expect (&result, 3, "top", KD_HOW_GRAPH, KD_PROOF_CALL);
	expect (&result, 4, "ret_from_fork", KD_HOW_CFI, KD_PROOF_INDIRECT);
	kd_unwind_result_clear (&result);
}

/* A trampoline that returns through x9, as ftrace_caller does: the traced function goes on. */
static void
test_trampoline (void)
{
	static const uint32_t words[] = {
		0xd10103ff, /* sub sp, sp, #64 */
		0xa9007bfd, /* stp x29, x30, [sp] */
		0xf9000be9, /* str x9, [sp, #16] */
		0x910003fd, /* mov x29, sp */
		0xd63f0080, /* blr x4 */
		0xf94007e9, /* ldr x9, [sp, #8] */
		0xf9400bfe, /* ldr x30, [sp, #16] */
		0xf94003fd, /* ldr x29, [sp] */
		0x910103ff, /* add sp, sp, #64 */
		0xd65f0120, /* ret x9 */
	};
	static const uint32_t tracer_words[] = {NOP, BRK};
	World world = {0};
	uint64_t returns[3], leaf, tracer, trampoline, traced, sp = STACK_END - 512;
	KdUnwindResult result;
	uint32_t traced_words[4] = {NOP, 0, BRK, BRK};

	build_chain (&world, 32, returns, &leaf);
	tracer = add_function (&world, "tracer", tracer_words, 2, 32);
	trampoline = add_function (&world, "ftrace_caller", words, 10, 0);
	traced = CODE + world.nr_words * 4;
	traced_words[1] = branch (0x94000000, traced + 4, trampoline);
	/* No frame yet: its own return address is still in x30. */
	add_function (&world, "traced", traced_words, 4, 0);
	returns[0] = add_caller (&world, "caller_of_traced", traced, 32);
	lay_chain (&world, sp, returns, TRUE);
	record (&world, sp - 64, sp, traced + 8);
	poke (&world, sp - 64 + 16, SIGNED (returns[0]));
	record (&world, sp - 96, sp - 64, SIGNED (trampoline + 20));
	run (&world, start_at (tracer + 4, sp - 96, sp - 96), &result);
	expect (&result, 1, "ftrace_caller", KD_HOW_CFI, KD_PROOF_INDIRECT);
	expect (&result, 2, "traced", KD_HOW_FP, KD_PROOF_CALL);
	kd_unwind_result_clear (&result);
}

/* Anything at all on the stack: the walk ends, within its limits. */
static void
test_random (void)
{
	World world = {0};
	uint64_t returns[3], leaf;

	build_chain (&world, 32, returns, &leaf);
	for (unsigned round = 0; round < 2000; round++) {
		uint64_t sp = STACK + 8 * (uint64_t)g_test_rand_int_range (0, STACK_WORDS);
		KdUnwindResult result;

		for (unsigned i = 0; i < STACK_WORDS; i++) {
			switch (g_test_rand_int_range (0, 4)) {
			case 0:
				world.stack[i] = returns[g_test_rand_int_range (0, 3)];
				break;
			case 1:
				world.stack[i] = STACK + 8 * (uint64_t)g_test_rand_int_range (
								     0, STACK_WORDS);
				break;
			default:
				world.stack[i] = (uint64_t)g_test_rand_int() << 32 |
						 (uint32_t)g_test_rand_int();
				break;
			}
		}
		run (&world, start_at (leaf + 4, sp, sp), &result);
		kd_unwind_result_clear (&result);
	}
}

int
main (int argc, char **argv)
{
	static const char *const fp_names[] = {
		"null", "one", "below", "end", "last-word", "top", "text", "code"};

	g_test_init (&argc, &argv, NULL);
	g_test_add_data_func ("/unwind/cfi-with-pac", GINT_TO_POINTER (1), test_chain);
	g_test_add_data_func ("/unwind/frame-pointer-with-pac", GINT_TO_POINTER (0), test_chain);
	g_test_add_data_func ("/unwind/record-of-itself", GINT_TO_POINTER (0), test_looping);
	g_test_add_data_func ("/unwind/record-below", GINT_TO_POINTER (64), test_looping);
	for (int i = 0; i < (int)G_N_ELEMENTS (fp_names); i++) {
		g_autofree char *path = g_strconcat ("/unwind/corrupt-fp/", fp_names[i], NULL);

		g_test_add_data_func (path, GINT_TO_POINTER (i), test_corrupt_fp);
	}
	g_test_add_func ("/unwind/guess", test_guess);
	g_test_add_func ("/unwind/wrong-call", test_wrong_call);
	g_test_add_func ("/unwind/tail-call", test_tail_call);
	g_test_add_func ("/unwind/interrupt", test_interrupt);
	g_test_add_func ("/unwind/user-boundary", test_user_boundary);
	g_test_add_func ("/unwind/function-graph", test_graph);
	g_test_add_func ("/unwind/function-graph-popped", test_graph_popped);
	g_test_add_func ("/unwind/trampoline", test_trampoline);
	g_test_add_func ("/unwind/random-stacks", test_random);
	return g_test_run();
}
