/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/bits.h"

#include <inttypes.h>
#include <string.h>

uint64_t
kd_bit_field_get (const KdBitField *field, uint64_t value)
{
	return value >> field->low & ((UINT64_C (1) << field->width) - 1);
}

char *
kd_bit_fields_to_string (const KdBitField *field, uint64_t value)
{
	GString *text = g_string_new (NULL);
	uint64_t left = value;

	for (; field->name; field++) {
		uint64_t got = kd_bit_field_get (field, value);

		left &= ~(got << field->low);
		if (!got || !field->name[0])
			continue;
		g_string_append_printf (text, "%s%s", text->len ? "|" : "", field->name);
		if (field->width > 1)
			g_string_append_printf (text, "=%" PRIu64, got);
	}
	if (left)
		g_string_append_printf (text, "%s0x%" PRIx64, text->len ? "|" : "", left);
	return g_string_free (text, FALSE);
}

const KdBitField *
kd_bits_find (const KdBitRegister *registers, const char *name)
{
	for (; registers->name; registers++)
		if (strcmp (registers->name, name) == 0)
			return registers->fields;
	return NULL;
}

char *
kd_bits_to_string (const KdBitRegister *registers, const char *name, uint64_t value)
{
	const KdBitField *fields = kd_bits_find (registers, name);

	return fields ? kd_bit_fields_to_string (fields, value) : NULL;
}
