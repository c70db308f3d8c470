/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "toy-machine.h"

/*
 * A machine whose variables are the input. In an input a word with this upper half is the address
 * of the piece that its next four bits number, so far into it as the rest says (at most a page).
 */
#define FUZZ_TOY_POINTER UINT32_C (0x706f696e)

typedef struct {
	const char *symbol;
	size_t len; /* 0: all of the variable */
} FuzzToyPiece;

/* One for all inputs. */
KdKernel *fuzz_toy_kernel (void);
/* The pieces one behind the other; what the input is too short for is zero. Then another stop. */
void fuzz_toy_place (
	const FuzzToyPiece *pieces, unsigned nr_pieces, const uint8_t *data, size_t size);
