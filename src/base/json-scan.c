/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json-scan.h"

#include <math.h>
#include <string.h>

#include "base/hex.h"

/*
 * json-glib 1.6.6 reads more than JSON (comments, 'strings', octal, $hex, a second value behind the
 * first), recurses once a level until the stack ends, cuts strings at \u0000 and wraps big
 * integers. A check that only counted brackets could be led astray by any quote json-glib sees
 * differently, so this one knows the whole grammar and lets nothing else through.
 */
typedef struct {
	const char *text;
	size_t len;
	size_t pos;
	guint depth;
	guint depth_max;
	gboolean is_object[KD_JSON_SCAN_DEPTH_MAX];
} Scanner;

static gboolean
bad (const Scanner *s, const char *what, GError **error)
{
	g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_SYNTAX, "not JSON: %s at byte %zu", what,
		s->pos);
	return FALSE;
}

/* The next byte, or NUL at the end; a NUL in the text is no JSON either. */
static char
peek (const Scanner *s)
{
	return s->pos < s->len ? s->text[s->pos] : '\0';
}

static void
skip_space (Scanner *s)
{
	while (s->pos < s->len && strchr (" \t\r\n", s->text[s->pos]) && s->text[s->pos])
		s->pos++;
}

static gboolean
scan_escape (Scanner *s, GError **error)
{
	uint64_t unit;

	s->pos++;
	if (peek (s) == 'u') {
		if (s->len - s->pos < 5 || !kd_hex_parse_u64 (s->text + s->pos + 1, 4, &unit))
			return bad (s, "\\u without four digits", error);
		if (unit == 0)
			return bad (s, "a NUL in a string", error);
		s->pos += 5;
		return TRUE;
	}
	if (!peek (s) || !strchr ("\"\\/bfnrt", peek (s)))
		return bad (s, "an unknown escape", error);
	s->pos++;
	return TRUE;
}

static gboolean
scan_string (Scanner *s, GError **error)
{
	if (peek (s) != '"')
		return bad (s, "no string", error);
	s->pos++;
	while (s->pos < s->len) {
		unsigned char c = (unsigned char)s->text[s->pos];

		if (c == '"') {
			s->pos++;
			return TRUE;
		}
		if (c < 0x20)
			return bad (s, "a control character in a string", error);
		if (c != '\\')
			s->pos++;
		else if (!scan_escape (s, error))
			return FALSE;
	}
	return bad (s, "a string without its end", error);
}

static size_t
skip_digits (Scanner *s)
{
	size_t start = s->pos;

	while (g_ascii_isdigit (peek (s)))
		s->pos++;
	return s->pos - start;
}

static gboolean
scan_number (Scanner *s, GError **error)
{
	size_t start = s->pos, n_int;
	gboolean whole = TRUE;
	char literal[64];
	int64_t value;

	if (peek (s) == '-')
		s->pos++;
	if (peek (s) == '0') {
		s->pos++;
		n_int = 1;
	} else {
		n_int = skip_digits (s);
	}
	if (n_int == 0 || g_ascii_isdigit (peek (s)))
		return bad (s, "a bad number", error);
	if (peek (s) == '.') {
		s->pos++;
		whole = FALSE;
		if (skip_digits (s) == 0)
			return bad (s, "a bad number", error);
	}
	if (peek (s) == 'e' || peek (s) == 'E') {
		s->pos++;
		whole = FALSE;
		if (peek (s) == '+' || peek (s) == '-')
			s->pos++;
		if (skip_digits (s) == 0)
			return bad (s, "a bad number", error);
	}
	if (s->pos - start < sizeof literal) {
		memcpy (literal, s->text + start, s->pos - start);
		literal[s->pos - start] = '\0';
		if (whole ? kd_parse_i64 (literal, &value)
			  : isfinite (g_ascii_strtod (literal, NULL)))
			return TRUE;
	}
	g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_RANGE,
		"a JSON number at byte %zu does not fit", start);
	return FALSE;
}

static gboolean
scan_word (Scanner *s, const char *word, GError **error)
{
	size_t len = strlen (word);

	if (s->len - s->pos < len || memcmp (s->text + s->pos, word, len) != 0)
		return bad (s, "no value", error);
	s->pos += len;
	return TRUE;
}

/* "key" : */
static gboolean
scan_key (Scanner *s, GError **error)
{
	skip_space (s);
	if (!scan_string (s, error))
		return FALSE;
	skip_space (s);
	if (peek (s) != ':')
		return bad (s, "no ':'", error);
	s->pos++;
	return TRUE;
}

/* Opens an object or array. *ret_value: a value must follow (it is not empty). */
static gboolean
scan_open (Scanner *s, gboolean is_object, gboolean *ret_value, GError **error)
{
	if (s->depth >= s->depth_max) {
		g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_TOO_LARGE,
			"JSON text nests deeper than %u levels", s->depth_max);
		return FALSE;
	}
	s->is_object[s->depth++] = is_object;
	s->pos++;
	skip_space (s);
	if (peek (s) == (is_object ? '}' : ']')) {
		s->pos++;
		s->depth--;
		*ret_value = FALSE;
		return TRUE;
	}
	*ret_value = TRUE;
	return is_object ? scan_key (s, error) : TRUE;
}

/* A value, or the start of one that holds others. */
static gboolean
scan_value (Scanner *s, gboolean *ret_value, GError **error)
{
	skip_space (s);
	*ret_value = FALSE;
	switch (peek (s)) {
	case '{':
	case '[':
		return scan_open (s, peek (s) == '{', ret_value, error);
	case '"':
		return scan_string (s, error);
	case 't':
		return scan_word (s, "true", error);
	case 'f':
		return scan_word (s, "false", error);
	case 'n':
		return scan_word (s, "null", error);
	default:
		return scan_number (s, error);
	}
}

/* After a value: closes what ends here. *ret_value: another value follows in what is open still. */
static gboolean
scan_after (Scanner *s, gboolean *ret_value, GError **error)
{
	*ret_value = FALSE;
	while (s->depth > 0) {
		gboolean is_object = s->is_object[s->depth - 1];

		skip_space (s);
		if (peek (s) == ',') {
			s->pos++;
			*ret_value = TRUE;
			return is_object ? scan_key (s, error) : TRUE;
		}
		if (peek (s) != (is_object ? '}' : ']'))
			return bad (s, "neither ',' nor the end", error);
		s->pos++;
		s->depth--;
	}
	return TRUE;
}

gboolean
kd_json_scan (const char *text, size_t len, const KdJsonLimits *limits, GError **error)
{
	Scanner s = {text, len, 0, 0, MIN (limits->depth_max, KD_JSON_SCAN_DEPTH_MAX), {0}};
	gboolean value = TRUE;

	if (len > limits->size_max) {
		g_set_error (error, KD_BASE_ERROR, KD_BASE_ERROR_TOO_LARGE,
			"JSON text of %zu bytes is over the limit of %zu", len, limits->size_max);
		return FALSE;
	}
	if (!g_utf8_validate_len (text, len, NULL))
		return bad (&s, "text that is not UTF-8", error);
	while (value) {
		if (!scan_value (&s, &value, error) || (!value && !scan_after (&s, &value, error)))
			return FALSE;
	}
	skip_space (&s);
	return s.pos == len ? TRUE : bad (&s, "more text behind the value", error);
}
