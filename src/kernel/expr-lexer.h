/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef enum {
	KD_TOKEN_END,
	KD_TOKEN_NUMBER, /* value; is_unsigned and is_long from the suffix or the size */
	KD_TOKEN_NAME,
	KD_TOKEN_REGISTER, /* $name, without the $ */
	KD_TOKEN_OP,       /* op: one of the operators below */
} KdTokenKind;

/* Operators of two and three characters; those of one are their character. */
enum {
	KD_OP_ARROW = 256,
	KD_OP_SHL,
	KD_OP_SHR,
	KD_OP_LE,
	KD_OP_GE,
	KD_OP_EQ,
	KD_OP_NE,
	KD_OP_AND,
	KD_OP_OR,
};

typedef struct {
	KdTokenKind kind;
	size_t start, len; /* in the text */
	uint64_t value;
	gboolean is_unsigned, is_char;
	int op;
} KdToken;

/* The token at or behind text[*at]. FALSE: *ret_why (static) says what is wrong at
 * ret_token->start. */
gboolean kd_token_next (const char *text, size_t *at, KdToken *ret_token, const char **ret_why);
