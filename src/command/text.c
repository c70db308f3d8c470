/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "command/session.h"

typedef struct {
	KdStyle style;
	char *text;
	unsigned width;
} Cell;

struct KdText {
	GString *out;
	gboolean color;
	unsigned columns;
	/* The table being built, NULL outside of one. */
	GPtrArray *rows; /* GArray of Cell */
	gboolean headings;
};

/* SGR parameters: the 16 colours every terminal has, legible on light and on dark. */
static const char *const style_sgr[] = {
	[KD_STYLE_PLAIN] = NULL,
	[KD_STYLE_ADDRESS] = "34",
	[KD_STYLE_SYMBOL] = "33",
	[KD_STYLE_NUMBER] = NULL,
	[KD_STYLE_STRING] = "32",
	[KD_STYLE_TYPE] = "36",
	[KD_STYLE_HEADING] = "1",
	[KD_STYLE_DIM] = "2",
	[KD_STYLE_GOOD] = "32",
	[KD_STYLE_WARN] = "33;1",
	[KD_STYLE_BAD] = "31;1",
};

static void
cell_clear (gpointer data)
{
	g_free (((Cell *)data)->text);
}

static GArray *
row_new (void)
{
	GArray *row = g_array_new (FALSE, FALSE, sizeof (Cell));

	g_array_set_clear_func (row, cell_clear);
	return row;
}

KdText *
kd_text_new (gboolean color, unsigned columns)
{
	KdText *text = g_new0 (KdText, 1);

	text->out = g_string_new (NULL);
	text->color = color;
	text->columns = columns ? columns : 80;
	return text;
}

void
kd_text_free (KdText *text)
{
	if (!text)
		return;
	g_string_free (text->out, TRUE);
	g_clear_pointer (&text->rows, g_ptr_array_unref);
	g_free (text);
}

char *
kd_text_finish (KdText *text)
{
	char *string;

	if (text->rows)
		kd_text_table_end (text);
	string = g_string_free (g_steal_pointer (&text->out), FALSE);
	g_clear_pointer (&text->rows, g_ptr_array_unref);
	g_free (text);
	return string;
}

unsigned
kd_text_columns (const KdText *text)
{
	return text->columns;
}

/* Strings may come from guest memory: nothing in them may drive the terminal. */
static void
append_safe (GString *out, const char *string)
{
	for (const char *p = string; *p;) {
		gunichar c = g_utf8_get_char_validated (p, -1);

		if (c == (gunichar)-1 || c == (gunichar)-2) {
			g_string_append_printf (out, "\\x%02x", (unsigned char)*p++);
			continue;
		}
		if (g_unichar_iscntrl (c) && c != '\n' && c != '\t')
			g_string_append_printf (out, "\\x%02x", c);
		else
			g_string_append_unichar (out, c);
		p = g_utf8_next_char (p);
	}
}

static void
append_styled (KdText *text, KdStyle style, const char *safe)
{
	const char *sgr = style < G_N_ELEMENTS (style_sgr) ? style_sgr[style] : NULL;

	if (!text->color || !sgr || !*safe)
		g_string_append (text->out, safe);
	else
		g_string_append_printf (text->out, "\033[%sm%s\033[0m", sgr, safe);
}

void
kd_text_add (KdText *text, KdStyle style, const char *string)
{
	g_autoptr (GString) safe = g_string_new (NULL);

	if (!string)
		return;
	append_safe (safe, string);
	append_styled (text, style, safe->str);
}

void
kd_text_printf (KdText *text, KdStyle style, const char *format, ...)
{
	g_autofree char *string = NULL;
	va_list ap;

	va_start (ap, format);
	string = g_strdup_vprintf (format, ap);
	va_end (ap);
	kd_text_add (text, style, string);
}

/* --- tables --- */

static unsigned
display_width (const char *safe)
{
	unsigned width = 0;

	for (const char *p = safe; *p; p = g_utf8_next_char (p)) {
		gunichar c = g_utf8_get_char (p);

		if (!g_unichar_iszerowidth (c))
			width += g_unichar_iswide (c) ? 2 : 1;
	}
	return width;
}

void
kd_text_table_begin (KdText *text, const char *const *headings)
{
	if (text->rows)
		kd_text_table_end (text);
	text->rows = g_ptr_array_new_with_free_func ((GDestroyNotify)g_array_unref);
	text->headings = headings != NULL;
	g_ptr_array_add (text->rows, row_new());
	if (!headings)
		return;
	for (; *headings; headings++)
		kd_text_table_cell (text, KD_STYLE_HEADING, *headings);
	kd_text_table_end_row (text);
}

void
kd_text_table_cell (KdText *text, KdStyle style, const char *string)
{
	GString *safe = g_string_new (NULL);
	Cell cell = {style};

	g_return_if_fail (text->rows);
	append_safe (safe, string ? string : "");
	/* A line break inside a cell would break the row. */
	for (char *p = safe->str; *p; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	cell.text = g_string_free (safe, FALSE);
	cell.width = display_width (cell.text);
	g_array_append_val ((GArray *)g_ptr_array_index (text->rows, text->rows->len - 1), cell);
}

void
kd_text_table_cellf (KdText *text, KdStyle style, const char *format, ...)
{
	g_autofree char *string = NULL;
	va_list ap;

	va_start (ap, format);
	string = g_strdup_vprintf (format, ap);
	va_end (ap);
	kd_text_table_cell (text, style, string);
}

void
kd_text_table_end_row (KdText *text)
{
	g_return_if_fail (text->rows);
	g_ptr_array_add (text->rows, row_new());
}

typedef struct {
	unsigned width;
	gboolean right;
} Column;

static GArray *
measure_columns (const KdText *text)
{
	GArray *columns = g_array_new (FALSE, TRUE, sizeof (Column));

	for (guint r = 0; r < text->rows->len; r++) {
		GArray *row = g_ptr_array_index (text->rows, r);
		gboolean heading = r == 0 && text->headings;

		while (columns->len < row->len) {
			Column column = {0, TRUE};

			g_array_append_val (columns, column);
		}
		for (guint c = 0; c < row->len; c++) {
			const Cell *cell = &g_array_index (row, Cell, c);
			Column *column = &g_array_index (columns, Column, c);

			column->width = MAX (column->width, cell->width);
			if (!heading && cell->width && cell->style != KD_STYLE_NUMBER)
				column->right = FALSE;
		}
	}
	return columns;
}

static void
add_row (KdText *text, const GArray *row, const GArray *columns)
{
	for (guint c = 0; c < row->len; c++) {
		const Cell *cell = &g_array_index (row, Cell, c);
		const Column *column = &g_array_index (columns, Column, c);
		int pad = (int)(column->width - cell->width);

		if (c > 0)
			g_string_append (text->out, "  ");
		if (column->right && pad)
			g_string_append_printf (text->out, "%*s", pad, "");
		append_styled (text, cell->style, cell->text);
		if (!column->right && pad && c + 1 < row->len)
			g_string_append_printf (text->out, "%*s", pad, "");
	}
	/* Empty last cells leave padding behind. */
	while (text->out->len && text->out->str[text->out->len - 1] == ' ')
		g_string_truncate (text->out, text->out->len - 1);
	g_string_append_c (text->out, '\n');
}

void
kd_text_table_end (KdText *text)
{
	g_autoptr (GPtrArray) rows = NULL;
	g_autoptr (GArray) columns = NULL;

	g_return_if_fail (text->rows);
	columns = measure_columns (text);
	rows = g_steal_pointer (&text->rows);
	for (guint r = 0; r < rows->len; r++) {
		GArray *row = g_ptr_array_index (rows, r);

		if (row->len)
			add_row (text, row, columns);
	}
}
