/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/* Registers told by the names of their bits. */
typedef struct {
	unsigned char low;
	unsigned char width;
	const char *name; /* "": reserved and set, not worth a word; NULL ends */
} KdBitField;

typedef struct {
	const char *name; /* NULL ends */
	const KdBitField *fields;
} KdBitRegister;

/*
 * "VM|IMO|TWEDEL=3|0x8000": what is not zero of the register `name`, bits without a name as a
 * number at the end. New string; "" for 0; NULL: no such register in the table.
 */
char *kd_bits_to_string (const KdBitRegister *registers, const char *name, uint64_t value);
/* The same of fields at hand; "" only for 0 or for reserved bits. */
char *kd_bit_fields_to_string (const KdBitField *fields, uint64_t value);
/* NULL: no such register in the table. */
const KdBitField *kd_bits_find (const KdBitRegister *registers, const char *name);
/* What of `value` is the field's, shifted down. */
uint64_t kd_bit_field_get (const KdBitField *field, uint64_t value);
