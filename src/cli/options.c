/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <string.h>
#include <unistd.h>

#define TIMEOUT_MAX_S 86400

void
kd_cli_options_clear (KdCliOptions *options)
{
	g_clear_pointer (&options->session, g_free);
}

void
kd_cli_options_copy (KdCliOptions *to, const KdCliOptions *from)
{
	*to = *from;
	to->session = g_strdup (from->session);
}

static void
remove_words (char **words, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		g_free (words[i]);
	memmove (words, words + nr, (g_strv_length (words + nr) + 1) * sizeof (*words));
}

static gboolean
parse_color (const char *text, KdColorWhen *ret)
{
	if (strcmp (text, "auto") == 0)
		*ret = KD_COLOR_AUTO;
	else if (strcmp (text, "always") == 0)
		*ret = KD_COLOR_ALWAYS;
	else if (strcmp (text, "never") == 0)
		*ret = KD_COLOR_NEVER;
	else
		return FALSE;
	return TRUE;
}

/* The value of "--NAME VALUE" or "--NAME=VALUE"; *ret_nr says how many words that is, 0: not it. */
static const char *
option_value (char **words, const char *name, unsigned *ret_nr)
{
	size_t len = strlen (name);

	*ret_nr = 0;
	if (strncmp (words[0], name, len) != 0)
		return NULL;
	if (words[0][len] == '=') {
		*ret_nr = 1;
		return words[0] + len + 1;
	}
	if (words[0][len] != '\0')
		return NULL;
	*ret_nr = words[1] ? 2 : 1;
	return words[1];
}

static gboolean
take_one (KdCliOptions *options, char **words, unsigned *ret_nr, char **ret_why)
{
	const char *value;

	*ret_nr = 1;
	if (strcmp (words[0], "--json") == 0) {
		options->json = TRUE;
		return TRUE;
	}
	if (strcmp (words[0], "--help") == 0) {
		options->help = TRUE;
		return TRUE;
	}
	if ((value = option_value (words, "--session", ret_nr)) || *ret_nr) {
		if (!value || !*value) {
			*ret_why = g_strdup ("option --session needs a name");
			return FALSE;
		}
		g_free (options->session);
		options->session = g_strdup (value);
	} else if ((value = option_value (words, "--timeout", ret_nr)) || *ret_nr) {
		guint64 seconds;

		if (!value ||
			!g_ascii_string_to_unsigned (value, 10, 1, TIMEOUT_MAX_S, &seconds, NULL)) {
			*ret_why = g_strdup_printf (
				"option --timeout needs seconds, 1 to %u", TIMEOUT_MAX_S);
			return FALSE;
		}
		options->timeout_s = (unsigned)seconds;
	} else if ((value = option_value (words, "--color", ret_nr)) || *ret_nr) {
		if (!value || !parse_color (value, &options->color)) {
			*ret_why = g_strdup ("option --color needs auto, always or never");
			return FALSE;
		}
	}
	return TRUE;
}

gboolean
kd_cli_options_take (KdCliOptions *options, char **words, char **ret_why)
{
	gboolean command_seen = FALSE;

	while (*words && strcmp (*words, "--") != 0) {
		unsigned nr;

		if (!take_one (options, words, &nr, ret_why))
			return FALSE;
		if (nr) {
			remove_words (words, nr);
			continue;
		}
		if (!command_seen && strcmp (*words, "--version") == 0)
			options->version = TRUE;
		else if (!command_seen && strcmp (*words, "-h") == 0)
			options->help = TRUE;
		else if (!command_seen && strcmp (*words, "--complete") == 0) {
			/* What follows is a line being typed, with options of its own. */
			options->complete = TRUE;
			remove_words (words, 1);
			return TRUE;
		} else if (!command_seen && **words == '-') {
			*ret_why = g_strdup_printf (
				"unknown option %s (“kvmdbg --help” lists them)", *words);
			return FALSE;
		} else {
			command_seen = TRUE;
			words++;
			continue;
		}
		remove_words (words, 1);
	}
	return TRUE;
}

gboolean
kd_cli_options_color (const KdCliOptions *options, int fd)
{
	const char *no_color = g_getenv ("NO_COLOR");
	const char *term = g_getenv ("TERM");

	if (options->color != KD_COLOR_AUTO)
		return options->color == KD_COLOR_ALWAYS;
	return isatty (fd) && !(no_color && *no_color) && g_strcmp0 (term, "dumb") != 0;
}
