/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "words.h"

typedef struct {
	GStrvBuilder *words;
	GString *word;
	gboolean in_word;
} Splitter;

static void
end_word (Splitter *splitter)
{
	if (splitter->in_word)
		g_strv_builder_add (splitter->words, splitter->word->str);
	g_string_truncate (splitter->word, 0);
	splitter->in_word = FALSE;
}

static void
add_char (Splitter *splitter, char c)
{
	g_string_append_c (splitter->word, c);
	splitter->in_word = TRUE;
}

/* Takes what stands in quotes that open at `p`; where it ends, or NULL. */
static const char *
take_quoted (Splitter *splitter, const char *p)
{
	char quote = *p++;

	splitter->in_word = TRUE;
	for (; *p && *p != quote; p++) {
		if (quote == '"' && *p == '\\' && (p[1] == '"' || p[1] == '\\'))
			p++;
		add_char (splitter, *p);
	}
	return *p ? p : NULL;
}

static gboolean
split (Splitter *splitter, const char *text, char **ret_pipe, char **ret_why)
{
	int depth = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '\'' || *p == '"') {
			p = take_quoted (splitter, p);
			if (!p) {
				*ret_why = g_strdup ("a quote is not closed");
				return FALSE;
			}
		} else if (*p == '\\' && p[1])
			add_char (splitter, *++p);
		else if (g_ascii_isspace (*p))
			end_word (splitter);
		else if (*p == '|' && depth <= 0) {
			*ret_pipe = g_strstrip (g_strdup (p + 1));
			if (**ret_pipe)
				break;
			*ret_why = g_strdup ("nothing stands behind “|”");
			return FALSE;
		} else {
			depth += (*p == '(' || *p == '[') - (*p == ')' || *p == ']');
			add_char (splitter, *p);
		}
	}
	end_word (splitter);
	return TRUE;
}

gboolean
kd_line_parse (const char *text, KdLine *ret_line, char **ret_why)
{
	g_autoptr (GStrvBuilder) words = g_strv_builder_new();
	g_autoptr (GString) word = g_string_new (NULL);
	g_autofree char *pipe = NULL;
	Splitter splitter = {words, word, FALSE};

	if (!split (&splitter, text, &pipe, ret_why))
		return FALSE;
	ret_line->words = g_strv_builder_end (words);
	ret_line->pipe = g_steal_pointer (&pipe);
	return TRUE;
}

void
kd_line_clear (KdLine *line)
{
	g_clear_pointer (&line->words, g_strfreev);
	g_clear_pointer (&line->pipe, g_free);
}
