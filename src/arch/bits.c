/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/bits.h"

#include <inttypes.h>
#include <string.h>

static char *
fields_to_string (const KdBitField *field, uint64_t value)
{
	GString *text = g_string_new (NULL);
	uint64_t left = value;

	for (; field->name; field++) {
		uint64_t mask = ((UINT64_C (1) << field->width) - 1) << field->low;

		if (!(value & mask))
			continue;
		g_string_append_printf (text, "%s%s", text->len ? "|" : "", field->name);
		if (field->width > 1)
			g_string_append_printf (text, "=%" PRIu64, (value & mask) >> field->low);
		left &= ~mask;
	}
	if (left)
		g_string_append_printf (text, "%s0x%" PRIx64, text->len ? "|" : "", left);
	return g_string_free (text, FALSE);
}

char *
kd_bits_to_string (const KdBitRegister *registers, const char *name, uint64_t value)
{
	for (; registers->name; registers++)
		if (strcmp (registers->name, name) == 0)
			return fields_to_string (registers->fields, value);
	return NULL;
}
