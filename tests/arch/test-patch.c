/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <glib.h>
#include <string.h>

#include "arch/arch.h"
#include "arch/disasm.h"

/* What kernels write into their own code; words as binutils assembles them. */

static const struct {
	const char *name;
	const KdArch *arch;
	const char *bytes;
	size_t len;
	gboolean is_nop;
} nops[] = {
	{"nop1", &kd_arch_x86_64, "\x90", 1, TRUE},
	{"nop2", &kd_arch_x86_64, "\x66\x90", 2, TRUE},
	{"nop5", &kd_arch_x86_64, "\x0f\x1f\x44\x00\x00", 5, TRUE},
	{"nop8", &kd_arch_x86_64, "\x0f\x1f\x84\x00\x00\x00\x00\x00", 8, TRUE},
	{"nop10", &kd_arch_x86_64, "\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00", 10, TRUE},
	{"sealed-endbr", &kd_arch_x86_64, "\x0f\x1f\x40\xd6", 4, TRUE},
	{"nop4-displaced", &kd_arch_x86_64, "\x0f\x1f\x40\xd7", 4, FALSE},
	{"nop5-displaced", &kd_arch_x86_64, "\x0f\x1f\x44\x00\x20", 5, FALSE},
	{"nop5-cut", &kd_arch_x86_64, "\x0f\x1f\x44\x00", 4, FALSE},
	{"int3", &kd_arch_x86_64, "\xcc", 1, FALSE},
	{"only-prefix", &kd_arch_x86_64, "\x66", 1, FALSE},
	{"arm64-nop", &kd_arch_arm64, "\x1f\x20\x03\xd5", 4, TRUE},
	{"arm64-yield", &kd_arch_arm64, "\x3f\x20\x03\xd5", 4, FALSE},
};

static void
test_nop (const void *data)
{
	const typeof (nops[0]) *row = data;

	g_assert_cmpint (
		row->arch->nop_at ((const uint8_t *)row->bytes, row->len), ==, row->is_nop);
}

static const struct {
	const char *name;
	uint32_t file, now;
	gboolean allowed;
} callbacks[] = {
	{"movz-number", 0xd2800003, 0xd2a12343, FALSE},
	{"movz-value", 0xd2800003, 0xd2824683, TRUE},
	{"movz-other-register", 0xd2800003, 0xd2824684, FALSE},
	{"movz-to-movk", 0xd2800003, 0xf2800003, FALSE},
	{"and-mask", 0x92400000, 0x9240bc00, TRUE},
	{"add-shifted", 0x91000000, 0x91400400, TRUE},
	{"ror-amount", 0x93c00400, 0x93c0d400, TRUE},
	{"mov-to-orr", 0x2a1f03e0, 0x320183e0, TRUE},
	{"nop-to-hvc", 0xd503201f, 0xd4000002, TRUE},
	{"nop-to-hvc-1", 0xd503201f, 0xd4000022, FALSE},
	{"nop-to-ret", 0xd503201f, 0xd65f03c0, FALSE},
	{"branch-to-stp", 0x14000010, 0xa9bf07e0, TRUE},
	{"load-to-stp", 0xf9400000, 0xa9bf07e0, FALSE},
};

static void
test_callback (const void *data)
{
	const typeof (callbacks[0]) *row = data;
	uint32_t now = GUINT32_TO_LE (row->now), file = GUINT32_TO_LE (row->file);

	g_assert_cmpint (
		kd_arch_arm64.callback_insn ((const uint8_t *)&now, (const uint8_t *)&file), ==,
		row->allowed);
}

static void
test_const (void)
{
	/* movz x1, #0x4000; movk #0x2b02, lsl 16; movk #8, lsl 32; movk #0xffff, lsl 48 */
	uint32_t now[] = {0xd2880001, 0xf2a56041, 0xf2c00101, 0xf2ffffe1};
	uint32_t file[] = {0xd299bde1, 0xf2b13561, 0xf2c8ace1, 0xf2e02461};
	uint32_t shift = 0x530f7c20, shift_file = 0x530c7c20; /* lsr w0, w1, #15 and #12 */
	uint64_t value = 0;

	g_assert_true (kd_arch_arm64.const_at (
		(const uint8_t *)now, (const uint8_t *)file, sizeof now, &value));
	g_assert_cmphex (value, ==, 0xffff00082b024000);
	now[2] ^= 1; /* x0 */
	value = 7;
	g_assert_false (kd_arch_arm64.const_at (
		(const uint8_t *)now, (const uint8_t *)file, sizeof now, &value));
	g_assert_cmphex (value, ==, 7);
	g_assert_true (kd_arch_arm64.const_at (
		(const uint8_t *)&shift, (const uint8_t *)&shift_file, 4, &value));
	g_assert_cmphex (value, ==, 15);
	/* ubfx w0, w19, #0, #9 and #32 */
	shift = 0x53002260;
	shift_file = 0x53007e60;
	g_assert_true (kd_arch_arm64.const_at (
		(const uint8_t *)&shift, (const uint8_t *)&shift_file, 4, &value));
	g_assert_cmphex (value, ==, 0x1ff);
	shift++; /* w1 */
	g_assert_false (kd_arch_arm64.const_at (
		(const uint8_t *)&shift, (const uint8_t *)&shift_file, 4, &value));
	g_assert_true (kd_arch_x86_64.const_at ((const uint8_t *)"\x00\x40\x02\x2b\x08\x00\xff\xff",
		(const uint8_t *)"\xef\xcd\xab\x89\x67\x45\x23\x01", 8, &value));
	g_assert_cmphex (value, ==, 0xffff00082b024000);
}

static void
test_relocate (void)
{
	uint8_t bytes[] = {0xe8, 0, 0, 0, 0, 0, 0, 0, 0};

	g_assert_true (kd_arch_x86_64.relocate (
		R_X86_64_PLT32, bytes + 1, 4, 0xffffffffc0001001, 0xffffffff81000000 - 4));
	g_assert_cmpint (memcmp (bytes, "\xe8\xfb\xef\xff\xc0\x00", 6), ==, 0);
	g_assert_true (kd_arch_x86_64.relocate (R_X86_64_64, bytes + 1, 8, 0, 0x1122334455667788));
	g_assert_cmpint (memcmp (bytes, "\xe8\x88\x77\x66\x55\x44\x33\x22\x11", 9), ==, 0);
	g_assert_false (kd_arch_x86_64.relocate (R_X86_64_64, bytes + 2, 7, 0, 0));
	g_assert_false (kd_arch_x86_64.relocate (R_X86_64_GOTPCREL, bytes, sizeof bytes, 0, 0));
	g_assert_cmpint (memcmp (bytes, "\xe8\x88\x77\x66\x55\x44\x33\x22\x11", 9), ==, 0);
}

static void
test_relocate_arm64 (void)
{
	static const struct {
		uint32_t type, before, after;
		uint64_t place, value;
		gboolean done;
	} rows[] = {
		{R_AARCH64_CALL26, 0x94000000, 0x97fffffe, 0x1008, 0x1000, TRUE},
		{R_AARCH64_CALL26, 0x94000000, 0x94000000, 0, 0x8000000, FALSE},
		{R_AARCH64_JUMP26, 0x14000000, 0x15ffffff, 0, 0x7fffffc, TRUE},
		{R_AARCH64_CONDBR19, 0x54000001, 0x54ffffe1, 0x1008, 0x1004, TRUE},
		{R_AARCH64_TSTBR14, 0x37700000, 0x37700080, 0x1000, 0x1010, TRUE},
		{R_AARCH64_ADR_PREL_PG_HI21, 0x90000002, 0xb000a222, 0xffff800008011284,
			0xffff800009456048, TRUE},
		{R_AARCH64_ADR_PREL_PG_HI21, 0x90000002, 0x90000002, 0, 1ULL << 40, FALSE},
		{R_AARCH64_ADD_ABS_LO12_NC, 0x91000042, 0x91012042, 0, 0xffff800009456048, TRUE},
		{R_AARCH64_LDST64_ABS_LO12_NC, 0xf9400000, 0xf9402400, 0, 0xffff800009456048, TRUE},
		{R_AARCH64_PREL32, 0, 0xfffffff8, 0x1008, 0x1000, TRUE},
		{R_AARCH64_TLSLE_ADD_TPREL_HI12, 0x91000042, 0x91000042, 0, 0, FALSE},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		uint32_t insn = GUINT32_TO_LE (rows[i].before);

		g_test_message ("row %zu", i);
		g_assert_cmpint (kd_arch_arm64.relocate (rows[i].type, (uint8_t *)&insn, 4,
					 rows[i].place, rows[i].value),
			==, rows[i].done);
		g_assert_cmphex (GUINT32_FROM_LE (insn), ==, rows[i].after);
	}
}

static void
test_veneer (void)
{
	/* adrp x16, to 0xffff800009456000; add x16, x16, #0x48; br x16; behind a BTI too */
	uint32_t code[] = {0xb000a230, 0x91012210, 0xd61f0200, 0};
	uint32_t landed[] = {0xd503245f, 0xb000a230, 0x91012210, 0xd61f0200};
	uint64_t target = 7;

	g_assert_true (kd_arch_arm64.veneer_target (
		(const uint8_t *)code, sizeof code, 0xffff800008011284, &target));
	g_assert_cmphex (target, ==, 0xffff800009456048);
	target = 7;
	g_assert_true (kd_arch_arm64.veneer_target (
		(const uint8_t *)landed, sizeof landed, 0xffff800008011284, &target));
	g_assert_cmphex (target, ==, 0xffff800009456048);
	target = 7;
	g_assert_false (kd_arch_arm64.veneer_target ((const uint8_t *)code, 8, 0, &target));
	code[2] = 0xd61f0220; /* br x17 */
	g_assert_false (kd_arch_arm64.veneer_target (
		(const uint8_t *)code, sizeof code, 0xffff800008011284, &target));
	g_assert_cmphex (target, ==, 7);
}

static void
test_names (void)
{
	static const struct {
		uint32_t insn;
		const char *text;
	} rows[] = {{0xd503233f, "paciasp"}, {0xd50323bf, "autiasp"}, {0xd503221f, "esb"},
		{0xd503245f, "bti c"}, {0xd50320ff, "xpaclri"}, {0xd503201f, "nop"},
		/* Those that capstone 4 does not know. */
		{0x88e47e62, "casa w4, w2, [x19]"}, {0x08e1ffe2, "casalb w1, w2, [sp]"},
		{0xc8a17c7f, "cas x1, xzr, [x3]"}, {0x4864fe66, "caspal x4, x5, x6, x7, [x19]"},
		{0x08247e66, "casp w4, w5, w6, w7, [x19]"}, {0xb8a03261, "ldseta w0, w1, [x19]"},
		{0x78e00261, "ldaddalh w0, w1, [x19]"}, {0xf827027f, "stadd x7, [x19]"},
		{0xb867127f, "stclrl w7, [x19]"}, {0xf82773e8, "ldumin x7, x8, [sp]"},
		{0xf8278268, "swp x7, x8, [x19]"}, {0x38a78268, "swpab w7, w8, [x19]"},
		{0x38bfc041, "ldaprb w1, [x2]"}, {0x38a7a268, NULL}};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		uint32_t insn = GUINT32_TO_LE (rows[i].insn);
		g_autofree char *text =
			kd_disassemble (&kd_arch_arm64, (const uint8_t *)&insn, 4, 0, NULL);

		g_assert_cmpstr (text, ==, rows[i].text);
	}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (nops); i++) {
		g_autofree char *path = g_strconcat ("/patch/nop/", nops[i].name, NULL);

		g_test_add_data_func (path, &nops[i], test_nop);
	}
	for (size_t i = 0; i < G_N_ELEMENTS (callbacks); i++) {
		g_autofree char *path = g_strconcat ("/patch/callback/", callbacks[i].name, NULL);

		g_test_add_data_func (path, &callbacks[i], test_callback);
	}
	g_test_add_func ("/patch/const", test_const);
	g_test_add_func ("/patch/relocate", test_relocate);
	g_test_add_func ("/patch/relocate-arm64", test_relocate_arm64);
	g_test_add_func ("/patch/veneer", test_veneer);
	g_test_add_func ("/patch/names", test_names);
	return g_test_run();
}
