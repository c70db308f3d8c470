/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/orc.h"

#include <string.h>

#define BASE 0xffffffff82000000ULL
#define TEXT 0xffffffff81000000ULL

#define REG_SP 5u
#define REG_BP 4u
#define PREV_SP (1u << 4)

typedef struct {
	int16_t sp_offset, bp_offset;
	uint16_t flags;
} Raw;

static GByteArray *
make_ips (const uint64_t *addrs, size_t nr)
{
	GByteArray *bytes = g_byte_array_new();

	for (size_t i = 0; i < nr; i++) {
		uint32_t value = GUINT32_TO_LE ((uint32_t)(addrs[i] - (BASE + 4 * i)));

		g_byte_array_append (bytes, (const uint8_t *)&value, 4);
	}
	return bytes;
}

static GByteArray *
make_entries (const Raw *raw, size_t nr)
{
	GByteArray *bytes = g_byte_array_new();

	for (size_t i = 0; i < nr; i++) {
		uint16_t words[] = {GUINT16_TO_LE ((uint16_t)raw[i].sp_offset),
			GUINT16_TO_LE ((uint16_t)raw[i].bp_offset), GUINT16_TO_LE (raw[i].flags)};

		g_byte_array_append (bytes, (const uint8_t *)words, 6);
	}
	return bytes;
}

/* --- what an entry says --- */

static const struct {
	const char *name;
	gboolean has_header;
	Raw raw;
	KdOrcEntry entry;
} entries[] = {
	{"call-sp", FALSE, {8, 0, REG_SP}, {KD_ORC_CALL, KD_ORC_REG_SP, 0, 8, 0, FALSE}},
	{"call-bp", FALSE, {16, -16, REG_BP | PREV_SP},
		{KD_ORC_CALL, KD_ORC_REG_BP, KD_ORC_REG_PREV_SP, 16, -16, FALSE}},
	{"regs", FALSE, {0, 0, REG_SP | 1 << 8}, {KD_ORC_REGS, KD_ORC_REG_SP, 0, 0, 0, TRUE}},
	{"regs-partial", FALSE, {0, 0, REG_SP | 2 << 8},
		{KD_ORC_REGS_PARTIAL, KD_ORC_REG_SP, 0, 0, 0, TRUE}},
	{"type-nobody-has", FALSE, {0, 0, REG_SP | 3 << 8},
		{KD_ORC_UNDEFINED, KD_ORC_REG_SP, 0, 0, 0, FALSE}},
	{"end", FALSE, {0, 0, 1 << 10}, {KD_ORC_END, KD_ORC_REG_UNDEFINED, 0, 0, 0, FALSE}},
	{"terminator", FALSE, {0, 0, 0}, {KD_ORC_UNDEFINED, KD_ORC_REG_UNDEFINED, 0, 0, 0, FALSE}},
	{"header-undefined", TRUE, {0, 0, 0},
		{KD_ORC_UNDEFINED, KD_ORC_REG_UNDEFINED, 0, 0, 0, FALSE}},
	{"header-end", TRUE, {0, 0, 1 << 8}, {KD_ORC_END, KD_ORC_REG_UNDEFINED, 0, 0, 0, FALSE}},
	{"header-call", TRUE, {8, -16, REG_SP | PREV_SP | 2 << 8},
		{KD_ORC_CALL, KD_ORC_REG_SP, KD_ORC_REG_PREV_SP, 8, -16, FALSE}},
	{"header-regs-signal", TRUE, {0, 0, REG_SP | 3 << 8 | 1 << 11},
		{KD_ORC_REGS, KD_ORC_REG_SP, 0, 0, 0, TRUE}},
	{"header-regs-of-a-new-task", TRUE, {0, 0, REG_SP | 3 << 8},
		{KD_ORC_REGS, KD_ORC_REG_SP, 0, 0, 0, FALSE}},
	{"header-type-nobody-has", TRUE, {0, 0, REG_SP | 7 << 8},
		{KD_ORC_UNDEFINED, KD_ORC_REG_SP, 0, 0, 0, FALSE}},
	{"register-nobody-has", TRUE, {0, 0, 15 | 15 << 4 | 2 << 8},
		{KD_ORC_CALL, KD_ORC_REG_UNKNOWN, KD_ORC_REG_UNKNOWN, 0, 0, FALSE}},
};

static void
test_entry (void)
{
	const uint64_t addr = TEXT;

	for (size_t i = 0; i < G_N_ELEMENTS (entries); i++) {
		KdOrcLayout layout = kd_orc_layout (NULL, entries[i].has_header);
		g_autoptr (GByteArray) ips = make_ips (&addr, 1);
		g_autoptr (GByteArray) rules = make_entries (&entries[i].raw, 1);
		const KdOrcEntry *want = &entries[i].entry;
		g_autoptr (GError) error = NULL;
		KdOrcTable table;
		KdOrcEntry entry;

		g_test_message ("%s", entries[i].name);
		g_assert_true (kd_orc_init (&table, ips->data, ips->len, rules->data, rules->len,
			BASE, &layout, &error));
		g_assert_no_error (error);
		g_assert_true (kd_orc_find (&table, TEXT + 5, &entry));
		g_assert_cmpint (entry.kind, ==, want->kind);
		g_assert_cmpint (entry.sp_reg, ==, want->sp_reg);
		g_assert_cmpint (entry.bp_reg, ==, want->bp_reg);
		g_assert_cmpint (entry.sp_offset, ==, want->sp_offset);
		g_assert_cmpint (entry.bp_offset, ==, want->bp_offset);
		g_assert_cmpint (entry.signal, ==, want->signal);
	}
}

/* Most rules count from SP: what number that is tells whose numbers they are. */
static void
test_numbers (void)
{
	static const uint64_t addrs[] = {TEXT, TEXT + 0x10, TEXT + 0x20, TEXT + 0x30};
	static const struct {
		uint16_t flags[4];
		KdOrcReg regs[4];
		KdOrcReg bp_reg; /* of the first */
	} rows[] = {
		{{5 | 1 << 4, 5, 3, 8},
			{KD_ORC_REG_SP, KD_ORC_REG_SP, KD_ORC_REG_DI, KD_ORC_REG_BP_INDIRECT},
			KD_ORC_REG_PREV_SP},
		{{3 | 8 << 4, 3, 5, 10},
			{KD_ORC_REG_SP, KD_ORC_REG_SP, KD_ORC_REG_DI, KD_ORC_REG_BP_INDIRECT},
			KD_ORC_REG_PREV_SP},
		{{3 | 1 << 4, 4, 9, 11},
			{KD_ORC_REG_SP, KD_ORC_REG_BP, KD_ORC_REG_SP_INDIRECT, KD_ORC_REG_UNKNOWN},
			KD_ORC_REG_UNKNOWN},
	};
	KdOrcLayout layout = kd_orc_layout (NULL, TRUE);

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autoptr (GByteArray) ips = make_ips (addrs, 4), rules = g_byte_array_new();
		KdOrcTable table;
		KdOrcEntry entry;

		for (size_t j = 0; j < 4; j++) {
			const Raw raw = {8, 0, (uint16_t)(rows[i].flags[j] | 2 << 8)};
			g_autoptr (GByteArray) one = make_entries (&raw, 1);

			g_byte_array_append (rules, one->data, one->len);
		}
		g_assert_true (kd_orc_init (
			&table, ips->data, ips->len, rules->data, rules->len, BASE, &layout, NULL));
		for (size_t j = 0; j < 4; j++) {
			g_assert_true (kd_orc_find (&table, addrs[j], &entry));
			g_assert_cmpint (entry.sp_reg, ==, rows[i].regs[j]);
			if (j == 0)
				g_assert_cmpint (entry.bp_reg, ==, rows[i].bp_reg);
		}
	}
}

/* --- which entry it is --- */

static void
test_find (void)
{
	/* Two rules for one address: the last one counts, as in the kernel's __orc_find(). */
	static const uint64_t addrs[] = {TEXT, TEXT + 0x10, TEXT + 0x20, TEXT + 0x20, TEXT + 0x30};
	static const Raw raw[] = {
		{1, 0, REG_SP}, {2, 0, REG_SP}, {3, 0, REG_SP}, {4, 0, REG_SP}, {5, 0, REG_SP}};
	static const struct {
		uint64_t pc;
		int16_t which; /* 0: none */
	} rows[] = {{0, 0}, {TEXT - 1, 0}, {TEXT, 1}, {TEXT + 0xf, 1}, {TEXT + 0x10, 2},
		{TEXT + 0x20, 4}, {TEXT + 0x2f, 4}, {TEXT + 0x30, 5}, {~0ULL, 5}};
	KdOrcLayout layout = kd_orc_layout (NULL, FALSE);

	for (size_t nr = 0; nr <= G_N_ELEMENTS (addrs); nr++) {
		g_autoptr (GByteArray) ips = make_ips (addrs, nr);
		g_autoptr (GByteArray) rules = make_entries (raw, nr);
		KdOrcTable table;

		g_assert_true (kd_orc_init (
			&table, ips->data, ips->len, rules->data, rules->len, BASE, &layout, NULL));
		for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
			KdOrcEntry entry = {.sp_offset = 0};
			int16_t want = MIN (rows[i].which, (int16_t)nr);

			g_assert_cmpint (kd_orc_find (&table, rows[i].pc, &entry), ==, want != 0);
			g_assert_cmpint (entry.sp_offset, ==, want);
		}
	}
}

static void
test_bad (void)
{
	static const uint64_t addrs[] = {TEXT, TEXT + 0x20, TEXT + 0x10};
	static const Raw raw[3] = {{8, 0, REG_SP}, {8, 0, REG_SP}, {8, 0, REG_SP}};
	g_autoptr (GByteArray) ips = make_ips (addrs, 3);
	g_autoptr (GByteArray) rules = make_entries (raw, 3);
	KdOrcLayout layout = kd_orc_layout (NULL, FALSE);
	const struct {
		const char *name;
		guint ips_len, entries_len;
		const char *says;
	} rows[] = {{"out-of-order", 12, 18, "entry 2 (0xffffffff81000010) is out of order"},
		{"fewer-rules", 8, 6, "do not match"}, {"more-rules", 4, 12, "do not match"},
		{"odd-addresses", 7, 6, "do not match"}, {"odd-rules", 4, 7, "do not match"}};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autoptr (GError) error = NULL;
		KdOrcTable table = {.nr = 77};

		g_test_message ("%s", rows[i].name);
		g_assert_false (kd_orc_init (&table, ips->data, rows[i].ips_len, rules->data,
			rows[i].entries_len, BASE, &layout, &error));
		g_assert_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_BAD_INFO);
		g_assert_nonnull (strstr (error->message, rows[i].says));
		g_assert_cmpuint (table.nr, ==, 77);
	}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/orc/entry", test_entry);
	g_test_add_func ("/orc/numbers", test_numbers);
	g_test_add_func ("/orc/find", test_find);
	g_test_add_func ("/orc/bad", test_bad);
	return g_test_run();
}
