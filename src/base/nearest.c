/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/nearest.h"

#include <string.h>

/* Longer names are not compared: they are no typing mistakes, and the distance is quadratic. */
#define NAME_MAX_LEN 64

struct KdNearest {
	char *wanted;
	size_t len;
	unsigned limit; /* farthest distance that still counts as near */
	unsigned n;
	char *names[KD_NEAREST_MAX];
	unsigned scores[KD_NEAREST_MAX];
};

KdNearest *
kd_nearest_new (const char *wanted)
{
	KdNearest *nearest = g_new0 (KdNearest, 1);

	nearest->wanted = g_strdup (wanted);
	nearest->len = strlen (wanted);
	nearest->limit = nearest->len <= 3 ? 1 : nearest->len <= 8 ? 2 : 3;
	return nearest;
}

void
kd_nearest_free (KdNearest *nearest)
{
	if (!nearest)
		return;
	for (unsigned i = 0; i < nearest->n; i++)
		g_free (nearest->names[i]);
	g_free (nearest->wanted);
	g_free (nearest);
}

/* Edits (insert, delete, replace, swap of neighbours), case ignored; limit + 1 when there are more.
 */
static unsigned
distance (const char *a, size_t a_len, const char *b, size_t b_len, unsigned limit)
{
	unsigned rows[3][NAME_MAX_LEN + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned best = row[0] = (unsigned)i;
		unsigned *spare = before;

		for (size_t j = 1; j <= b_len; j++) {
			char ca = g_ascii_tolower (a[i - 1]), cb = g_ascii_tolower (b[j - 1]);
			unsigned cost = last[j - 1] + (ca != cb);

			cost = MIN (cost, MIN (last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && ca == g_ascii_tolower (b[j - 2]) &&
				cb == g_ascii_tolower (a[i - 2]))
				cost = MIN (cost, before[j - 2] + 1);
			row[j] = cost;
			best = MIN (best, cost);
		}
		/* A swap reaches two rows back, hence the one to spare. */
		if (best > limit + 1)
			return limit + 1;
		before = last;
		last = row;
		row = spare;
	}
	return MIN (last[b_len], limit + 1);
}

void
kd_nearest_offer (KdNearest *nearest, const char *name)
{
	size_t len = strnlen (name, NAME_MAX_LEN + 1);
	unsigned score, at;

	if (nearest->len > NAME_MAX_LEN || len > NAME_MAX_LEN || nearest->len == 0)
		return;
	if (nearest->len >= 3 && len > nearest->len &&
		g_ascii_strncasecmp (name, nearest->wanted, nearest->len) == 0) {
		/* What was typed is the start of it: as good as the worst mistake. */
		score = nearest->limit;
	} else {
		size_t gap = len > nearest->len ? len - nearest->len : nearest->len - len;

		if (gap > nearest->limit)
			return;
		score = distance (nearest->wanted, nearest->len, name, len, nearest->limit);
		if (score > nearest->limit || score >= nearest->len)
			return;
	}
	for (unsigned i = 0; i < nearest->n; i++)
		if (strcmp (nearest->names[i], name) == 0)
			return;
	for (at = 0; at < nearest->n && nearest->scores[at] <= score; at++)
		;
	if (at == KD_NEAREST_MAX)
		return;
	if (nearest->n == KD_NEAREST_MAX)
		g_free (nearest->names[--nearest->n]);
	for (unsigned i = nearest->n; i > at; i--) {
		nearest->names[i] = nearest->names[i - 1];
		nearest->scores[i] = nearest->scores[i - 1];
	}
	nearest->names[at] = g_strdup (name);
	nearest->scores[at] = score;
	nearest->n++;
}

char **
kd_nearest_names (const KdNearest *nearest)
{
	char **names = g_new0 (char *, nearest->n + 1);

	for (unsigned i = 0; i < nearest->n; i++)
		names[i] = g_strdup (nearest->names[i]);
	return names;
}

char *
kd_nearest_hint (const KdNearest *nearest)
{
	GString *out = g_string_new (NULL);

	for (unsigned i = 0; i < nearest->n; i++)
		g_string_append_printf (out, "%s%s",
			i == 0               ? " (did you mean "
			: i + 1 < nearest->n ? ", "
					     : " or ",
			nearest->names[i]);
	if (nearest->n > 0)
		g_string_append (out, "?)");
	return g_string_free (out, FALSE);
}

char *
kd_nearest_hint_strv (const char *wanted, const char *const *names)
{
	g_autoptr (KdNearest) nearest = kd_nearest_new (wanted);

	for (; *names; names++)
		kd_nearest_offer (nearest, *names);
	return kd_nearest_hint (nearest);
}
