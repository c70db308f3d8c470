/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/* Registers told by the names of their bits. */
typedef struct {
	unsigned char low;
	unsigned char width;
	const char *name; /* NULL ends */
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
