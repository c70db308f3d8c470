/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>

#include "arch/arch.h"
#include "arch/arm64-insn.h"

#define AT 0xffff800008011284ull
#define NONE KD_ARM64_NO_REG

/* Words as binutils assembles them; the text is its spelling. */
static const struct {
	const char *text;
	uint32_t insn;
	KdArm64Kind kind;
	uint8_t rd, rn, rt2;
	int64_t imm; /* or target - AT */
	uint32_t writes;
} rows[] = {
	{"bl-back", 0x97fffffe, KD_ARM64_BL, 0, 0, NONE, -8, 1u << 30},
	{"b-forward", 0x14000003, KD_ARM64_B, 0, 0, NONE, 12, 0},
	{"b.ne-back", 0x54ffffe1, KD_ARM64_BRANCH_MAYBE, 0, 0, NONE, -4, 0},
	{"cbz-x1", 0xb4000041, KD_ARM64_BRANCH_MAYBE, 0, 0, NONE, 8, 0},
	{"tbnz-w0", 0x37700080, KD_ARM64_BRANCH_MAYBE, 0, 0, NONE, 16, 0},
	{"blr-x4", 0xd63f0080, KD_ARM64_BLR, 0, 4, NONE, 0, 1u << 30},
	{"blraa-x8-x9", 0xd73f0909, KD_ARM64_BLR, 0, 8, NONE, 0, 1u << 30},
	{"br-x16", 0xd61f0200, KD_ARM64_BR, 0, 16, NONE, 0, 0},
	{"ret", 0xd65f03c0, KD_ARM64_RET, 0, 30, NONE, 0, 0},
	{"ret-x9", 0xd65f0120, KD_ARM64_RET, 0, 9, NONE, 0, 0},
	{"retaa", 0xd65f0bff, KD_ARM64_RET, 0, 30, NONE, 0, 0},
	{"eret", 0xd69f03e0, KD_ARM64_ERET, 0, 31, NONE, 0, 0},
	{"hvc-0", 0xd4000002, KD_ARM64_HVC, 0, 0, NONE, 0, 0},
	{"sub-sp-sp-336", 0xd10543ff, KD_ARM64_ADD, 31, 31, NONE, -336, 1u << 31},
	{"add-sp-x16-16K", 0x9140121f, KD_ARM64_ADD, 31, 16, NONE, 16384, 1u << 31},
	{"mov-x29-sp", 0x910003fd, KD_ARM64_ADD, 29, 31, NONE, 0, 1u << 29},
	{"add-sp-sp-x0", 0x8b2063ff, KD_ARM64_ADD_REG, 31, 31, NONE, 0, 1u << 31},
	{"sub-x0-sp-x0", 0xcb2063e0, KD_ARM64_SUB_REG, 0, 31, NONE, 0, 1u << 0},
	{"mov-x10-x9", 0xaa0903ea, KD_ARM64_MOV, 10, 31, NONE, 0, 1u << 10},
	{"stp-x29-x30-pre", 0xa9bf7bfd, KD_ARM64_STORE, 29, 31, 30, -16, 1u << 31},
	{"ldp-x29-x30-post", 0xa8c17bfd, KD_ARM64_LOAD, 29, 31, 30, 16,
		1u << 29 | 1u << 30 | 1u << 31},
	{"stp-x0-x1", 0xa90007e0, KD_ARM64_STORE, 0, 31, 1, 0, 0},
	{"str-x30-sp-256", 0xf90083fe, KD_ARM64_STORE, 30, 31, NONE, 256, 0},
	{"ldr-x30-x8", 0xf940011e, KD_ARM64_LOAD, 30, 8, NONE, 0, 1u << 30},
	{"ldur-x11-x11-16", 0xf85f016b, KD_ARM64_LOAD, 11, 11, NONE, -16, 1u << 11},
	{"str-x30-x18-8-post", 0xf800865e, KD_ARM64_STORE, 30, 18, NONE, 8, 1u << 18},
	{"mrs-x28-sp_el0", 0xd538411c, KD_ARM64_MRS, 28, 0, NONE, 0, 1u << 28},
	{"msr-elr_el1-x21", 0xd5184035, KD_ARM64_MSR, 21, 0, NONE, 0, 0},
	{"nop", 0xd503201f, KD_ARM64_OTHER, 0, 0, NONE, 0, 0},
	{"msr-daifset", 0xd5034fdf, KD_ARM64_OTHER, 0, 0, NONE, 0, 0},
	{"cmp-x0-0", 0xf100001f, KD_ARM64_OTHER, 0, 0, NONE, 0, 0},
	{"and-x0", 0x92401c00, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 0},
	{"adrp-x2", 0xb000a222, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 2},
	{"str-w21", 0xb9011bf5, KD_ARM64_OTHER, 0, 0, NONE, 0, 0},
	{"stp-q0-q1-pre", 0xadbf07e0, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 31},
	{"ldp-w0-w1", 0x294007e0, KD_ARM64_OTHER, 0, 0, NONE, 0, 3},
	{"stxr-w3-x1-x2", 0xc8037c41, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 3},
	{"ldaxr-w0-x19", 0x885ffe60, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 0},
	{"ldxp-x1-x2-x3", 0xc87f0861, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 1 | 1u << 2},
	{"stxp-w4-x1-x2-x3", 0xc8240861, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 4},
	{"casa-w4-w2-x19", 0x88e47e62, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 4},
	{"casp-x4-x6-x19", 0x48247e66, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 4 | 1u << 5},
	{"ldseta-w0-w1-x19", 0xb8a03261, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 1},
	{"ldar-w1-x19", 0x88dffe61, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 1},
	{"stlrb-w1-x19", 0x089ffe61, KD_ARM64_OTHER, 0, 0, NONE, 0, 0},
	{"ldr-w1-x0-x2", 0xb8626801, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 1},
	{"str-x1-x0-x2-3", 0xf8227801, KD_ARM64_OTHER, 0, 0, NONE, 0, 0},
	{"ldr-x3-literal", 0x58000043, KD_ARM64_OTHER, 0, 0, NONE, 0, 1u << 3},
	{"udf", 0x00000000, KD_ARM64_OTHER, 0, 0, NONE, 0, 0},
};

static void
test_decode (gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE (data);
	KdArm64Insn insn;

	kd_arm64_decode (rows[i].insn, AT, &insn);
	g_assert_cmpint (insn.kind, ==, rows[i].kind);
	g_assert_cmphex (insn.writes, ==, rows[i].writes);
	if (insn.kind == KD_ARM64_OTHER)
		return;
	switch (insn.kind) {
	case KD_ARM64_B:
	case KD_ARM64_BL:
	case KD_ARM64_BRANCH_MAYBE:
		g_assert_cmphex (insn.target, ==, AT + (uint64_t)rows[i].imm);
		break;
	default:
		g_assert_cmpint (insn.imm, ==, rows[i].imm);
		g_assert_cmpint (insn.rt2, ==, rows[i].rt2);
		if (insn.kind != KD_ARM64_ERET)
			g_assert_cmpint (insn.rn, ==, rows[i].rn);
		g_assert_cmpint (insn.rd, ==, rows[i].rd);
	}
}

static void
test_sysreg (void)
{
	KdArm64Insn insn;

	kd_arm64_decode (0xd5184035, AT, &insn);
	g_assert_cmphex (insn.sysreg, ==, KD_ARM64_ELR_EL1);
	kd_arm64_decode (0xd53c4020, AT, &insn);
	g_assert_cmphex (insn.sysreg, ==, KD_ARM64_ELR_EL2);
	kd_arm64_decode (0xd538411c, AT, &insn);
	g_assert_cmphex (insn.sysreg, ==, KD_ARM64_SP_EL0);
}

static void
test_call_before (void)
{
	static const uint8_t direct[8] = {0x1f, 0x20, 0x03, 0xd5, 0xfe, 0xff, 0xff, 0x97};
	static const uint8_t indirect[8] = {0xfe, 0xff, 0xff, 0x97, 0x80, 0x00, 0x3f, 0xd6};
	static const uint8_t none[8] = {0xfe, 0xff, 0xff, 0x97, 0x1f, 0x20, 0x03, 0xd5};
	KdCall call;

	kd_arch_arm64.call_before (direct, AT, &call);
	g_assert_cmpint (call.kind, ==, KD_CALL_DIRECT);
	g_assert_cmphex (call.addr, ==, AT - 4);
	g_assert_cmphex (call.target, ==, AT - 12);
	kd_arch_arm64.call_before (indirect, AT, &call);
	g_assert_cmpint (call.kind, ==, KD_CALL_INDIRECT);
	kd_arch_arm64.call_before (none, AT, &call);
	g_assert_cmpint (call.kind, ==, KD_CALL_NONE);
}

static void
test_jump_at (void)
{
	static const uint8_t jump[4] = {0x03, 0x00, 0x00, 0x14};
	uint64_t target = 1;

	g_assert_true (kd_arch_arm64.jump_at (jump, 4, AT, &target));
	g_assert_cmphex (target, ==, AT + 12);
	target = 1;
	g_assert_false (kd_arch_arm64.jump_at (jump, 3, AT, &target));
	g_assert_cmphex (target, ==, 1);
}

static void
test_data_refs (void)
{
	/* As compilers write it: an anchor's page, its members behind calls, over moves. */
	static const uint32_t code[] = {
		0xb0000015,          /* adrp x21, AT's page + 0x1000 */
		0x911462b5,          /* add x21, x21, #0x518 */
		0xaa1503e0,          /* mov x0, x21 */
		0x94000001,          /* bl */
		0xaa1503e5,          /* mov x5, x21 */
		0xf84200a0 | 0x0c00, /* ldr x0, [x5, #32]! */
		0xf9400400,          /* ldr x0, [x0, #8]: not known what of */
		0xa9408aa2,          /* ldp x2, x2.., [x21, #8] */
		0xb94012a1,          /* ldr w1, [x21, #16] */
		0x10000040,          /* adr x0, . + 8 */
	};
	const uint64_t anchor = (AT & ~0xfffULL) + 0x1000 + 0x518;
	const uint64_t want[] = {
		anchor, anchor + 32, anchor + 8, anchor + 16, anchor + 16, AT + 36 + 8};
	uint64_t refs[8];

	g_assert_cmpuint (kd_arm64_data_refs ((const uint8_t *)code, sizeof code, AT, refs,
				  G_N_ELEMENTS (refs)),
		==, G_N_ELEMENTS (want));
	for (size_t i = 0; i < G_N_ELEMENTS (want); i++)
		g_assert_cmphex (refs[i], ==, want[i]);
	/* Cut short, by room and by length. */
	g_assert_cmpuint (
		kd_arm64_data_refs ((const uint8_t *)code, sizeof code, AT, refs, 2), ==, 2);
	g_assert_cmpuint (kd_arm64_data_refs ((const uint8_t *)code, 7, AT, refs, 2), ==, 0);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *path = g_strconcat ("/arm64-insn/", rows[i].text, NULL);

		g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_decode);
	}
	g_test_add_func ("/arm64-insn/sysreg", test_sysreg);
	g_test_add_func ("/arm64-insn/call-before", test_call_before);
	g_test_add_func ("/arm64-insn/jump-at", test_jump_at);
	g_test_add_func ("/arm64-insn/data-refs", test_data_refs);
	return g_test_run();
}
