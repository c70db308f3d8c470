/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "arch/flow.h"
#include "base/hex.h"
#include "debug/lock-flow.h"

/*
 * Functions of a few instructions, assembled, which take a lock (or do not) and then call another:
 * what is held while that runs. Calls go to places that stand for the kernel's functions.
 */
#define BASE UINT64_C (0xffff800008010000)
#define TAKE (BASE + 0x1000)
#define RELEASE (BASE + 0x1100)
#define TRY (BASE + 0x1200)
#define CODE_MAX 256
#define RANDOM_RUNS 400

typedef struct {
	const char *name;
	const KdFlow *flow;
	unsigned pc; /* where the call returns to */
	const char *code;
	gboolean held;
	uint32_t base;
	uint64_t offset;
	gboolean doubt, called, given_back;
	gboolean pointer; /* its address is known by where it was loaded from */
	gboolean slot;    /* … by a stack slot */
} Row;

static const Row rows[] = {
	{"arm64/number", &kd_arm64_flow, 0x14,
		"fd7bbea9200000b000400091fd030094bc040094200000b00040009139040094c0035fd6", TRUE,
		KD_FLOW_NUMBER, BASE + 0x5010, .given_back = TRUE},
	{"arm64/swap", &kd_arm64_flow, 0x2c,
		"fd7bbea9f30b00f9f30300aa010080522200805263220091e403012a627ce488e003042aa0000035b6"
		"040094612200913ffc9f08c0035fd660220091f1030094faffff17",
		TRUE, KD_FLOW_ENTRY (0), 8, .given_back = TRUE},
	{"arm64/exclusive", &kd_arm64_flow, 0x34,
		"fd7bbea9f30300aa000080d22200805261fe5f882300004a63000035627e038883ffff3561000034e0"
		"0313aaf5030094b40400947ffe9f08c0035fd6",
		TRUE, KD_FLOW_ENTRY (0), 0, .given_back = TRUE},
	{"arm64/exclusive-unchecked", &kd_arm64_flow, 0x28,
		"fd7bbea9f30300aa000080d22200805261fe5f882300004a43000035627e038861000035b70400941f"
		"2003d5c0035fd6",
		FALSE},
	{"arm64/one-way", &kd_arm64_flow, 0x14, "fd7bbea9f30300aa410000b4fd030094bc040094c0035fd6",
		FALSE},
	{"arm64/given-back", &kd_arm64_flow, 0x14,
		"fd7bbea9f30300aafe0300947ffe9f08bc040094c0035fd6", FALSE},
	{"arm64/another-given-back", &kd_arm64_flow, 0x18,
		"fd7bbea9f30300aa340040f9fd0300949ffe9f08bb0400947ffe9f08c0035fd6", TRUE,
		KD_FLOW_ENTRY (0), 0, .doubt = TRUE, .given_back = TRUE},
	{"arm64/loop", &kd_arm64_flow, 0x1c,
		"fd7bbea9f40300aa930240f9f40313aae00313aafb030094ba0400947ffe9f0853ffffb5c0035fd6",
		TRUE, KD_FLOW_DEFINED (2, 19), 0, .given_back = TRUE, .pointer = TRUE},
	{"arm64/chain", &kd_arm64_flow, 0x18,
		"fd7bbea9130040f9e00313aafd030094730240f9bb040094d3ffffb5c0035fd6", TRUE,
		KD_FLOW_DEFINED (1, 19), 0, .called = TRUE, .pointer = TRUE},
	{"arm64/spilled", &kd_arm64_flow, 0x10,
		"fd7bbea9e00f00f9fe030094bd040094e00f40f93b040094c0035fd6", TRUE, KD_FLOW_ENTRY (0),
		0, .given_back = TRUE, .slot = TRUE},
	{"arm64/loaded", &kd_arm64_flow, 0x14,
		"fd7bbea9f30300aa600a40f9fd030094bc040094600a40f93a040094c0035fd6", TRUE,
		KD_FLOW_DEFINED (2, 0), 0, .given_back = TRUE, .pointer = TRUE},
	{"arm64/table", &kd_arm64_flow, 0x1c,
		"fd7bbea9f30300aafe0300942100028b20001fd67ffe9f08ba040094c0035fd6", FALSE},
	{"x86-64/number", &kd_x86_64_flow, 0x12,
		"5348c7c700000083e8f30f0000e8ee12000048c7c7000000835be9e1100000", TRUE,
		KD_FLOW_NUMBER, 0xffffffff83000000, .given_back = TRUE},
	{"x86-64/object", &kd_x86_64_flow, 0x16,
		"534889fb488d7b08e8f30f000085db7406e8ea12000090488d7b08e8e01000005bc3", TRUE,
		KD_FLOW_ENTRY (5), 8, .given_back = TRUE},
	{"x86-64/tried", &kd_x86_64_flow, 0x12,
		"534889fbe8f711000085c0740de8ee1200004889dfe8e61000005bc3", TRUE, KD_FLOW_ENTRY (5),
		0, .given_back = TRUE},
	{"x86-64/tried-not", &kd_x86_64_flow, 0x12, "534889fbe8f711000085c07506e8ee120000905bc3",
		FALSE},
	{"x86-64/one-way", &kd_x86_64_flow, 0x13, "534889fb4885f67405e8f20f0000e8ed1200005bc3",
		FALSE},
	{"x86-64/changed", &kd_x86_64_flow, 0x19,
		"534889fbe8f70f00004887f34889dfe8ec100000e8e71200005bc3", TRUE, KD_FLOW_ENTRY (5),
		0, .doubt = TRUE},
	{"x86-64/not-given-back", &kd_x86_64_flow, 0x13,
		"534889fbe8f70f0000e8f2120000e8ed1200005bc3", TRUE, KD_FLOW_ENTRY (5), 0,
		.called = TRUE},
	{"x86-64/saved", &kd_x86_64_flow, 0xc, "5357e8f90f0000e8f41200005fe8ee1000005bc3", TRUE,
		KD_FLOW_ENTRY (5), 0, .given_back = TRUE, .slot = TRUE},
};

typedef struct {
	uint8_t bytes[CODE_MAX];
	size_t size;
} Code;

static gboolean
read_code (void *data, uint64_t addr, void *buf, size_t len)
{
	const Code *code = data;

	if (addr - BASE >= code->size || len > code->size - (addr - BASE))
		return FALSE;
	memcpy (buf, code->bytes + (addr - BASE), len);
	return TRUE;
}

static gboolean
lock_call (void *data, uint64_t target, KdLockCall *ret_call)
{
	*ret_call = (KdLockCall){target == TAKE      ? KD_LOCK_TAKES
				 : target == RELEASE ? KD_LOCK_RELEASES
						     : KD_LOCK_TRIES};
	return target == TAKE || target == RELEASE || target == TRY;
}

static const KdLockFlowOps ops = {.read = read_code, .lock_call = lock_call, .byte_releases = TRUE};

static void
test_row (gconstpointer data)
{
	const Row *row = data;
	g_autoptr (GByteArray) bytes = g_byte_array_new();
	const KdHeldLock *held;
	gboolean slot = FALSE;
	KdLockState state;
	Code code;

	code.size = strlen (row->code) / 2;
	g_assert_cmpuint (code.size, <=, sizeof code.bytes);
	g_assert_true (kd_hex_decode (row->code, code.size, code.bytes));
	g_assert_true (kd_lock_flow (
		row->flow, &ops, &code, BASE, code.size, BASE + row->pc, FALSE, &state));
	g_assert_cmpuint (state.nr_held, ==, row->held);
	if (!row->held)
		return;
	held = &state.held[0];
	g_assert_cmphex (held->lock.base, ==, row->base);
	g_assert_cmphex ((uint64_t)held->lock.offset, ==, row->offset);
	g_assert_cmpint (held->has_doubt, ==, row->doubt);
	g_assert_cmpint (held->called, ==, row->called);
	g_assert_cmpint (held->given_back_at != 0, ==, row->given_back);
	g_assert_cmpint (held->has_pointer, ==, row->pointer);
	for (unsigned i = 0; i < state.nr_slots; i++)
		slot |= kd_flow_value_equal (state.slots[i].value, held->lock);
	g_assert_cmpint (slot, ==, row->slot);
}

/* Whatever lies in memory, an end is come to. */
static void
test_random (gconstpointer data)
{
	const KdFlow *flow = data;

	for (unsigned run = 0; run < RANDOM_RUNS; run++) {
		Code code = {.size = sizeof code.bytes};
		KdLockState state;

		for (size_t i = 0; i < sizeof code.bytes; i++)
			code.bytes[i] = (uint8_t)g_test_rand_int();
		/* Branches to near places, as code has them. */
		for (size_t i = 3; flow == &kd_arm64_flow && i < sizeof code.bytes; i += 12)
			memcpy (code.bytes + i - 3, (uint8_t[]){code.bytes[i] & 0xe0, 0, 0, 0x54},
				4);
		for (uint64_t pc = 0; pc < sizeof code.bytes; pc += 64)
			kd_lock_flow (flow, &ops, &code, BASE, code.size, BASE + pc, TRUE, &state);
	}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *path = g_strconcat ("/lock-flow/", rows[i].name, NULL);

		g_test_add_data_func (path, &rows[i], test_row);
	}
	g_test_add_data_func ("/lock-flow/arm64/random", &kd_arm64_flow, test_random);
	g_test_add_data_func ("/lock-flow/x86-64/random", &kd_x86_64_flow, test_random);
	return g_test_run();
}
