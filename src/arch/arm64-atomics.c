/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm64-insn.h"

static unsigned
field (uint32_t insn, unsigned low, unsigned bits)
{
	return insn >> low & ((1u << bits) - 1);
}

/* 31 is the zero register. */
static void
add_reg (GString *out, gboolean wide, unsigned reg)
{
	if (reg == 31)
		g_string_append_printf (out, "%czr, ", wide ? 'x' : 'w');
	else
		g_string_append_printf (out, "%c%u, ", wide ? 'x' : 'w', reg);
}

static char *
finish (GString *out, unsigned rn)
{
	if (rn == 31)
		g_string_append (out, "[sp]");
	else
		g_string_append_printf (out, "[x%u]", rn);
	return g_string_free (out, FALSE);
}

/* "casa", "ldaddalb": a stem, how it is ordered, how many bytes it is of. */
static GString *
start (const char *stem, gboolean acquires, gboolean releases, const char *width)
{
	GString *out = g_string_new (stem);

	g_string_append_printf (out, "%s%s%s ", acquires ? "a" : "", releases ? "l" : "", width);
	return out;
}

static char *
swap_to_string (uint32_t insn, gboolean is_pair)
{
	static const char *const widths[] = {"b", "h", "", ""};
	unsigned size = field (insn, 30, 2), rs = field (insn, 16, 5), rt = field (insn, 0, 5);
	gboolean wide = is_pair ? size == 1 : size == 3;
	GString *out = start (is_pair ? "casp" : "cas", field (insn, 22, 1), field (insn, 15, 1),
		is_pair ? "" : widths[size]);

	add_reg (out, wide, rs);
	if (is_pair)
		add_reg (out, wide, rs + 1);
	add_reg (out, wide, rt);
	if (is_pair)
		add_reg (out, wide, rt + 1);
	return finish (out, field (insn, 5, 5));
}

static char *
operation_to_string (uint32_t insn)
{
	static const char *const names[] = {
		"add", "clr", "eor", "set", "smax", "smin", "umax", "umin"};
	static const char *const widths[] = {"b", "h", "", ""};
	unsigned opc = field (insn, 12, 3), rt = field (insn, 0, 5), size = field (insn, 30, 2);
	gboolean acquires = field (insn, 23, 1), releases = field (insn, 22, 1);
	gboolean swaps = field (insn, 15, 1);
	/* What was there is of no use: ST… is the preferred name. */
	gboolean stores = rt == 31 && !acquires && !swaps;
	g_autofree char *stem = NULL;
	GString *out;

	if ((insn & 0x3ffffc00) == 0x38bfc000) { /* a load, by its encoding one of these */
		out = start ("ldapr", FALSE, FALSE, widths[size]);
		add_reg (out, size == 3, rt);
		return finish (out, field (insn, 5, 5));
	}
	if (swaps && opc != 0)
		return NULL;
	stem = swaps ? g_strdup ("swp") : g_strconcat (stores ? "st" : "ld", names[opc], NULL);
	out = start (stem, acquires, releases, widths[size]);
	add_reg (out, size == 3, field (insn, 16, 5));
	if (!stores)
		add_reg (out, size == 3, rt);
	return finish (out, field (insn, 5, 5));
}

char *
kd_arm64_atomic_to_string (const uint8_t *code, size_t len)
{
	uint32_t insn;

	if (len < 4)
		return NULL;
	insn = code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24;
	if ((insn & 0x3fa07c00) == 0x08a07c00)
		return swap_to_string (insn, FALSE);
	/* Pairs start at an even register. */
	if ((insn & 0xbfa17c01) == 0x08207c00)
		return swap_to_string (insn, TRUE);
	if ((insn & 0x3f200c00) == 0x38200000)
		return operation_to_string (insn);
	return NULL;
}
