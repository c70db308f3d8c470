/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/expr-lexer.h"

#include <string.h>

static const struct {
	const char text[3];
	int op;
} long_ops[] = {
	{"->", KD_OP_ARROW},
	{"<<", KD_OP_SHL},
	{">>", KD_OP_SHR},
	{"<=", KD_OP_LE},
	{">=", KD_OP_GE},
	{"==", KD_OP_EQ},
	{"!=", KD_OP_NE},
	{"&&", KD_OP_AND},
	{"||", KD_OP_OR},
};

static gboolean
is_name_char (char c)
{
	return g_ascii_isalnum (c) || c == '_';
}

static gboolean
lex_number (const char *text, KdToken *token, const char **ret_why)
{
	const char *at = text + token->start;
	unsigned base = 10;
	size_t digits = 0;

	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
		base = 16;
		at += 2;
	} else if (at[0] == '0' && (at[1] == 'b' || at[1] == 'B')) {
		base = 2;
		at += 2;
	} else if (at[0] == '0' && g_ascii_isdigit (at[1]))
		base = 8;
	for (; g_ascii_isxdigit (*at) && (unsigned)g_ascii_xdigit_value (*at) < base;
		at++, digits++) {
		if (token->value > (G_MAXUINT64 - (unsigned)g_ascii_xdigit_value (*at)) / base) {
			*ret_why = "number of more than 64 bits";
			return FALSE;
		}
		token->value = token->value * base + (unsigned)g_ascii_xdigit_value (*at);
	}
	while (*at == 'u' || *at == 'U' || *at == 'l' || *at == 'L') {
		token->is_unsigned |= *at == 'u' || *at == 'U';
		at++;
	}
	if (digits == 0 || is_name_char (*at)) {
		*ret_why = "bad digit in a number";
		return FALSE;
	}
	token->is_unsigned |= token->value > G_MAXINT64;
	token->kind = KD_TOKEN_NUMBER;
	token->len = (size_t)(at - text) - token->start;
	return TRUE;
}

static gboolean
lex_char (const char *text, KdToken *token, const char **ret_why)
{
	static const char escapes[] = "n\nt\tr\r0\0\\\\''\"\"";
	const char *at = text + token->start + 1;
	char c = *at;

	if (c == '\\') {
		c = *++at;
		for (size_t i = 0; i + 1 < sizeof escapes; i += 2)
			if (escapes[i] == c) {
				token->value = (uint8_t)escapes[i + 1];
				c = '\0';
				break;
			}
		if (c) {
			*ret_why = "unknown escape";
			return FALSE;
		}
	} else if (c == '\0' || c == '\'') {
		*ret_why = "empty character";
		return FALSE;
	} else {
		token->value = (uint8_t)c;
	}
	if (!*at || at[1] != '\'') {
		*ret_why = "character without its closing quote";
		return FALSE;
	}
	token->kind = KD_TOKEN_NUMBER;
	token->is_char = TRUE;
	token->len = (size_t)(at + 2 - text) - token->start;
	return TRUE;
}

gboolean
kd_token_next (const char *text, size_t *at, KdToken *ret_token, const char **ret_why)
{
	KdToken token = {.kind = KD_TOKEN_END};
	const char *start;

	while (g_ascii_isspace (text[*at]))
		(*at)++;
	start = text + *at;
	token.start = *at;
	*ret_token = token;
	if (!*start)
		return TRUE;
	if (g_ascii_isdigit (*start)) {
		if (!lex_number (text, &token, ret_why))
			return FALSE;
	} else if (*start == '\'') {
		if (!lex_char (text, &token, ret_why))
			return FALSE;
	} else if (is_name_char (*start) || *start == '$') {
		gboolean is_register = *start == '$';

		token.kind = is_register ? KD_TOKEN_REGISTER : KD_TOKEN_NAME;
		token.len = 1;
		while (is_name_char (start[token.len]))
			token.len++;
		if (is_register && token.len == 1) {
			*ret_why = "register without a name";
			return FALSE;
		}
	} else if (strchr ("+-*/%&|^~!<>?:()[].,", *start) || strncmp (start, "==", 2) == 0) {
		token.kind = KD_TOKEN_OP;
		token.op = *start;
		token.len = 1;
		for (size_t i = 0; i < G_N_ELEMENTS (long_ops); i++)
			if (strncmp (start, long_ops[i].text, 2) == 0) {
				token.op = long_ops[i].op;
				token.len = 2;
			}
	} else {
		*ret_why = *start == '=' ? "print never writes: '=' is no operator"
					 : "no such character in an expression";
		return FALSE;
	}
	*at = token.start + token.len;
	*ret_token = token;
	return TRUE;
}
