/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * `hex` holds 2 * `len` digits, `ret_bytes` room for `len` bytes. FALSE on a character that is no
 * digit; the bytes are then unspecified, since checking first would read everything twice. No
 * allocation: this is on the path of every memory read over RSP.
 */
gboolean kd_hex_decode (const char *hex, size_t len, uint8_t *ret_bytes);

/* Writes 2 * `len` lower-case digits and no NUL. */
void kd_hex_encode (const void *bytes, size_t len, char *ret_hex);

/* Appends 2 * `len` lower-case digits. */
void kd_hex_append (GString *out, const void *bytes, size_t len);

/* New NUL-terminated string. */
char *kd_hex_to_string (const void *bytes, size_t len);

/* The value of one digit, or -1. */
int kd_hex_digit (char c);

/*
 * Reads as many hex digits as stand at `text`, at least one and at most 16 significant ones. On
 * success *ret_used says how many characters they were.
 */
gboolean kd_hex_parse_prefix (const char *text, size_t len, uint64_t *ret, size_t *ret_used);

/* All of the `len` characters are hex digits and the value fits 64 bits. */
gboolean kd_hex_parse_u64 (const char *text, size_t len, uint64_t *ret);

/* "0x…" or decimal, the whole string, no sign, no spaces, no overflow. */
gboolean kd_parse_u64 (const char *text, uint64_t *ret);

/* As kd_parse_u64 with a leading '-' allowed. */
gboolean kd_parse_i64 (const char *text, int64_t *ret);
