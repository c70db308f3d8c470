/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/cursor.h"
#include "debug/unwind.h"
#include "fuzz.h"

/*
 * A walk through a kernel of eight functions whose code, rules and stacks are all the input's: a
 * byte for the instruction set, registers, a rule for each function, 64 bytes of code for each, and
 * then two stacks. A word with one of these upper halves is an address of the code, or of a stack.
 */
#define CODE_POINTER UINT32_C (0x636f6465)
#define STACK_POINTER UINT32_C (0x73746163)

#define CODE UINT64_C (0xffff800008000000)
#define STACKS UINT64_C (0xffff800010000000)
#define NR_FUNCTIONS 8
#define FUNCTION_SIZE 64
#define CODE_SIZE (NR_FUNCTIONS * FUNCTION_SIZE)
#define STACK_SIZE 1024
#define STACKS_SIZE (2 * STACK_SIZE)
#define PT_REGS_SIZE 336
#define PAC_MASK (~UINT64_C (0) << 48 & ~(UINT64_C (1) << 55))

typedef struct {
	int16_t offset;
	uint8_t reg, kind;
} Rule;

typedef struct {
	gboolean is_x86;
	const char *const *names;
	Rule rules[NR_FUNCTIONS];
	uint8_t code[CODE_SIZE];
	uint8_t stacks[STACKS_SIZE];
	uint64_t sysreg, graph[3];
	KdRegSet saved;
} World;

static const char *const arm64_names[NR_FUNCTIONS] = {"leaf", "el1h_64_irq", "call_on_irq_stack",
	"return_to_handler", "ret_from_fork", "ftrace_caller", "__kvm_vcpu_run", "__guest_enter"};
static const char *const x86_names[NR_FUNCTIONS] = {"leaf", "asm_exc_page_fault", "error_entry",
	"return_to_handler", "ret_from_fork_asm", "entry_SYSCALL_64", "__svm_vcpu_run",
	"__x86_indirect_thunk_rax"};

/* --- answering --- */

static gboolean
op_read (void *data, KdSpaceKind space, uint64_t va, void *buf, size_t len)
{
	const World *world = data;
	const struct {
		uint64_t start, size;
		const uint8_t *bytes;
	} parts[] = {{CODE, CODE_SIZE, world->code}, {STACKS, STACKS_SIZE, world->stacks}};

	for (size_t i = 0; i < G_N_ELEMENTS (parts); i++) {
		if (va - parts[i].start >= parts[i].size ||
			len > parts[i].size - (va - parts[i].start))
			continue;
		memcpy (buf, parts[i].bytes + (va - parts[i].start), len);
		return space == KD_SPACE_KERNEL || space == KD_SPACE_HYP;
	}
	return FALSE;
}

static gboolean
op_read_file (void *data, uint64_t addr, void *buf, size_t len)
{
	return op_read (data, KD_SPACE_KERNEL, addr, buf, len);
}

static gboolean
op_symbol_at (void *data, uint64_t addr, KdKernelSymbol *ret_symbol)
{
	const World *world = data;
	uint64_t i = (addr - CODE) / FUNCTION_SIZE;

	if (addr - CODE >= CODE_SIZE)
		return FALSE;
	*ret_symbol = (KdKernelSymbol){.name = world->names[i],
		.addr = CODE + i * FUNCTION_SIZE,
		.size = FUNCTION_SIZE,
		.kind = 't'};
	return TRUE;
}

static gboolean
op_image_addr (void *data, KdSpaceKind space, uint64_t va, uint64_t *ret_addr)
{
	*ret_addr = va;
	return va - CODE < CODE_SIZE;
}

static gboolean
op_symbol (void *data, const char *name, KdKernelSymbol *ret_symbol)
{
	const World *world = data;

	for (unsigned i = 0; i < NR_FUNCTIONS; i++)
		if (strcmp (world->names[i], name) == 0)
			return op_symbol_at (data, CODE + i * FUNCTION_SIZE, ret_symbol);
	return FALSE;
}

static const Rule *
rule_at (const World *world, uint64_t addr)
{
	return addr - CODE < CODE_SIZE ? &world->rules[(addr - CODE) / FUNCTION_SIZE] : NULL;
}

static gboolean
op_cfi_at (void *data, uint64_t addr, KdCfiRow *ret_row)
{
	const World *world = data;
	const Rule *rule = rule_at (world, addr);
	const KdUnwindIsa *isa = world->is_x86 ? &kd_unwind_x86_64 : &kd_unwind_arm64;

	if (!rule || rule->kind & 1)
		return FALSE;
	*ret_row = (KdCfiRow){.cfa = {(rule->kind >> 1) % (KD_CFI_EXPR + 1), rule->offset,
				      rule->reg % KD_CFI_REGS_MAX},
		.ra_reg = world->is_x86 ? 16 : isa->lr,
		.signal_frame = rule->kind >> 7};
	ret_row->regs[isa->fp] = (KdCfiRule){KD_CFI_CFA_OFFSET, -(int64_t)rule->offset, 0};
	ret_row->regs[ret_row->ra_reg] =
		(KdCfiRule){(rule->kind >> 4) % (KD_CFI_EXPR + 1), -8, rule->reg % 32};
	return TRUE;
}

static gboolean
op_orc_at (void *data, uint64_t addr, KdOrcEntry *ret_entry)
{
	const World *world = data;
	const Rule *rule = rule_at (world, addr);

	if (!rule || !world->is_x86)
		return FALSE;
	*ret_entry = (KdOrcEntry){.sp_offset = rule->offset,
		.bp_offset = (int16_t)-rule->offset,
		.sp_reg = rule->reg & 15,
		.bp_reg = rule->reg >> 4,
		.kind = rule->kind % (KD_ORC_REGS_PARTIAL + 1)};
	return TRUE;
}

static gboolean
op_stack_at (void *data, KdSpaceKind space, uint64_t va, KdStack *ret_stack)
{
	uint64_t i = (va - STACKS) / STACK_SIZE;

	if (va - STACKS > STACKS_SIZE)
		return FALSE;
	i = MIN (i, 1);
	*ret_stack = (KdStack){
		STACKS + i * STACK_SIZE, STACKS + (i + 1) * STACK_SIZE, i ? "irq" : "task"};
	return TRUE;
}

static gboolean
op_sysreg (void *data, const char *name, uint64_t *ret_value)
{
	*ret_value = ((World *)data)->sysreg;
	return TRUE;
}

static gboolean
op_graph_return (void *data, unsigned index, uint64_t fp, uint64_t *ret_addr, unsigned *ret_index)
{
	const World *world = data;

	if (index >= G_N_ELEMENTS (world->graph))
		return FALSE;
	*ret_addr = world->graph[index];
	*ret_index = index + 1;
	return TRUE;
}

static gboolean
op_saved_context (void *data, gboolean el1, KdRegSet *ret_regs)
{
	*ret_regs = ((World *)data)->saved;
	return el1;
}

static int64_t
op_offset_of (void *data, const char *type, const char *member)
{
	static const struct {
		const char *name;
		int64_t offset;
	} members[] = {{"regs", 0}, {"sp", 248}, {"pc", 256}, {"pstate", 264}, {"stackframe", 304},
		{"ip", 128}, {"cs", 136}, {"bp", 32}, {"bx", 40}};

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
	.orc_at = op_orc_at,
	.stack_at = op_stack_at,
	.sysreg = op_sysreg,
	.graph_return = op_graph_return,
	.saved_context = op_saved_context,
	.offset_of = op_offset_of,
	.size_of = op_size_of,
};

/* --- building --- */

static uint64_t
take_word (KdCursor *cursor)
{
	uint64_t word = 0;

	kd_cursor_next_u64 (cursor, &word);
	if (word >> 32 == CODE_POINTER)
		return CODE + (word & 0xffffffff) % CODE_SIZE;
	if (word >> 32 == STACK_POINTER)
		return STACKS + (word & 0xffffffff) % STACKS_SIZE;
	return word;
}

static void
take_regs (KdCursor *cursor, KdRegSet *regs)
{
	*regs = (KdRegSet){.space = KD_SPACE_KERNEL, .live = TRUE, .pc = take_word (cursor)};
	/* x29 to x31 and rbp, rsp and rcx are among them. */
	for (unsigned reg = 0; reg < 3; reg++) {
		uint64_t value = take_word (cursor);

		kd_reg_set_put (regs, 29 + reg, value);
		kd_reg_set_put (regs, reg == 2 ? 2 : 6 + reg, value);
	}
}

static void
build (World *world, KdCursor *cursor, KdRegSet *ret_start)
{
	uint8_t kind = 0;

	kd_cursor_next_u8 (cursor, &kind);
	world->is_x86 = kind & 1;
	world->names = world->is_x86 ? x86_names : arm64_names;
	take_regs (cursor, ret_start);
	ret_start->space = kind & 2 ? KD_SPACE_HYP : KD_SPACE_KERNEL;
	take_regs (cursor, &world->saved);
	world->sysreg = take_word (cursor);
	for (size_t i = 0; i < G_N_ELEMENTS (world->graph); i++)
		world->graph[i] = take_word (cursor);
	for (unsigned i = 0; i < NR_FUNCTIONS; i++) {
		uint16_t offset = 0;

		kd_cursor_next_u16 (cursor, &offset);
		world->rules[i].offset = (int16_t)offset;
		kd_cursor_next_u8 (cursor, &world->rules[i].reg);
		kd_cursor_next_u8 (cursor, &world->rules[i].kind);
	}
	for (unsigned i = 0; i < CODE_SIZE; i++)
		kd_cursor_next_u8 (cursor, &world->code[i]);
	for (unsigned i = 0; i < STACKS_SIZE; i += 8) {
		uint64_t word = GUINT64_TO_LE (take_word (cursor));

		memcpy (world->stacks + i, &word, 8);
	}
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	World world = {0};
	KdCursor cursor = kd_cursor_init (data, size, FALSE);
	KdUnwindResult result;
	KdUnwind unwind;
	KdRegSet start;

	build (&world, &cursor, &start);
	unwind = (KdUnwind){world.is_x86 ? &kd_unwind_x86_64 : &kd_unwind_arm64, &ops, &world,
		world.is_x86 ? 0 : PAC_MASK, 0, 0};
	kd_unwind_run (&unwind, &start, &result);
	g_assert_cmpuint (result.frames->len, >=, 1);
	g_assert_cmpuint (result.frames->len, <=, KD_UNWIND_FRAMES_MAX);
	g_assert_nonnull (kd_end_name (result.end));
	for (guint i = 0; i < result.frames->len; i++) {
		const KdUnwindFrame *frame = &g_array_index (result.frames, KdUnwindFrame, i);

		g_assert_nonnull (kd_how_name (frame->how));
		g_assert_nonnull (kd_proof_name (frame->proof));
	}
	kd_unwind_result_clear (&result);
	return 0;
}
