/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/target-xml.h"

#include <string.h>

#include "base/escape.h"
#include "base/hex.h"

#define NAME_LEN_MAX 128
#define ELEMENT_DEPTH_MAX 16

typedef struct {
	KdRegLayout *layout;
	KdTargetXmlFetch fetch;
	gpointer user_data;
	guint n_docs;
	guint next_regnum;
	guint doc_depth; /* of the document being read */
} Reader;

/* One document on its way through GMarkup. */
typedef struct {
	Reader *reader;
	const char *feature; /* inside <feature> */
	gboolean in_architecture;
	guint depth;
} Doc;

static gboolean read_doc (Reader *reader, const char *annex, GError **error);

static gboolean
malformed (GError **error, const char *what, const char *text)
{
	g_autofree char *shown = kd_escape (text, -1, 80);

	g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED, "%s \"%s\"", what, shown);
	return FALSE;
}

static gboolean
too_large (GError **error, const char *what, guint max)
{
	g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE,
		"target description: %s (limit %u)", what, max);
	return FALSE;
}

static const char *
attribute (const char **names, const char **values, const char *name)
{
	for (; *names; names++, values++)
		if (strcmp (*names, name) == 0)
			return *values;
	return NULL;
}

static gboolean
number (const char *text, guint min, guint max, const char *what, guint *ret, GError **error)
{
	uint64_t value;

	if (!kd_parse_u64 (text, &value) || value < min || value > max)
		return malformed (error, what, text);
	*ret = (guint)value;
	return TRUE;
}

/* A short string that lives as long as the layout; NULL stays NULL. */
static gboolean
keep (Reader *reader, const char *name, const char *what, const char **ret, GError **error)
{
	if (name && strlen (name) > NAME_LEN_MAX)
		return malformed (error, what, name);
	*ret = name ? g_string_chunk_insert_const (reader->layout->strings, name) : NULL;
	return TRUE;
}

static gboolean
add_reg (Doc *doc, const char **names, const char **values, GError **error)
{
	Reader *reader = doc->reader;
	const char *name = attribute (names, values, "name");
	const char *bitsize = attribute (names, values, "bitsize");
	const char *regnum = attribute (names, values, "regnum");
	const char *type = attribute (names, values, "type");
	const char *save = attribute (names, values, "save-restore");
	KdRegDesc reg = {.regnum = reader->next_regnum, .feature = doc->feature};

	if (!name || !*name || strlen (name) > NAME_LEN_MAX)
		return malformed (error, "register name", name ? name : "");
	if (!bitsize)
		return malformed (error, "no bitsize in register", name);
	if (!number (bitsize, 1, KD_TARGET_XML_BITSIZE_MAX, "bitsize of a register", &reg.bitsize,
		    error))
		return FALSE;
	if (regnum && !number (regnum, 0, KD_TARGET_XML_REGNUM_MAX, "number of a register",
			      &reg.regnum, error))
		return FALSE;
	if (reg.regnum > KD_TARGET_XML_REGNUM_MAX)
		return too_large (error, "register number", KD_TARGET_XML_REGNUM_MAX);
	if (reader->layout->regs->len >= KD_TARGET_XML_REGS_MAX)
		return too_large (error, "registers", KD_TARGET_XML_REGS_MAX);
	if (!keep (reader, type ? type : "int", "type of a register", &reg.type, error) ||
		!keep (reader, attribute (names, values, "group"), "group of a register",
			&reg.group, error))
		return FALSE;
	reg.size = (reg.bitsize + 7) / 8;
	reg.save_restore = !save || strcmp (save, "no") != 0;
	reg.name = g_string_chunk_insert_const (reader->layout->strings, name);
	reader->next_regnum = reg.regnum + 1;
	g_array_append_val (reader->layout->regs, reg);
	return TRUE;
}

static gboolean
include (Doc *doc, const char **names, const char **values, GError **error)
{
	const char *href = attribute (names, values, "href");

	if (!href || !*href)
		return malformed (error, "include without", "href");
	return read_doc (doc->reader, href, error);
}

static void
start_element (GMarkupParseContext *context, const char *element, const char **names,
	const char **values, gpointer user_data, GError **error)
{
	Doc *doc = user_data;

	if (++doc->depth > ELEMENT_DEPTH_MAX) {
		too_large (error, "nested elements", ELEMENT_DEPTH_MAX);
		return;
	}
	if (strcmp (element, "xi:include") == 0)
		include (doc, names, values, error);
	else if (strcmp (element, "feature") == 0)
		keep (doc->reader, attribute (names, values, "name"), "name of a feature",
			&doc->feature, error);
	else if (strcmp (element, "reg") == 0)
		add_reg (doc, names, values, error);
	else if (strcmp (element, "architecture") == 0)
		doc->in_architecture = TRUE;
	/* Types and whatever later versions add do not number registers. */
}

static void
end_element (GMarkupParseContext *context, const char *element, gpointer user_data, GError **error)
{
	Doc *doc = user_data;

	doc->depth--;
	if (strcmp (element, "feature") == 0)
		doc->feature = NULL;
	else if (strcmp (element, "architecture") == 0)
		doc->in_architecture = FALSE;
}

static void
text (GMarkupParseContext *context, const char *bytes, gsize len, gpointer user_data,
	GError **error)
{
	Doc *doc = user_data;
	KdRegLayout *layout = doc->reader->layout;

	if (!doc->in_architecture || layout->architecture)
		return;
	if (len > NAME_LEN_MAX) {
		too_large (error, "name of the architecture", NAME_LEN_MAX);
		return;
	}
	layout->architecture = g_strstrip (g_strndup (bytes, len));
}

static const GMarkupParser parser = {start_element, end_element, text, NULL, NULL};

static gboolean
parse_doc (Reader *reader, const char *annex, const char *xml, size_t len, GError **error)
{
	Doc doc = {reader};
	g_autoptr (GMarkupParseContext) context =
		g_markup_parse_context_new (&parser, G_MARKUP_DEFAULT_FLAGS, &doc, NULL);
	g_autofree char *shown = kd_escape (annex, -1, 80);
	g_autoptr (GError) why = NULL;

	if (g_markup_parse_context_parse (context, xml, (gssize)len, &why) &&
		g_markup_parse_context_end_parse (context, &why))
		return TRUE;
	if (why->domain == G_MARKUP_ERROR) {
		g_autofree char *message = kd_escape (why->message, -1, 200);

		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED,
			"target description %s: %s", shown, message);
	} else {
		g_propagate_error (error, g_steal_pointer (&why));
	}
	return FALSE;
}

static gboolean
read_doc (Reader *reader, const char *annex, GError **error)
{
	g_autofree char *xml = NULL;
	size_t len = 0;
	gboolean ok;

	if (reader->doc_depth >= KD_TARGET_XML_DEPTH_MAX)
		return too_large (error, "nested includes", KD_TARGET_XML_DEPTH_MAX);
	if (reader->n_docs++ >= KD_TARGET_XML_DOCS_MAX)
		return too_large (error, "includes", KD_TARGET_XML_DOCS_MAX);
	if (strlen (annex) > NAME_LEN_MAX)
		return malformed (error, "include name", annex);
	xml = reader->fetch (annex, &len, reader->user_data, error);
	if (!xml)
		return FALSE;
	if (len > KD_TARGET_XML_DOC_MAX)
		return too_large (error, "bytes of a document", KD_TARGET_XML_DOC_MAX);
	reader->doc_depth++;
	ok = parse_doc (reader, annex, xml, len, error);
	reader->doc_depth--;
	return ok;
}

static int
compare_regs (gconstpointer a, gconstpointer b)
{
	const KdRegDesc *first = a, *second = b;

	return first->regnum < second->regnum ? -1 : first->regnum > second->regnum;
}

/* Orders by number, refuses a number given twice, places each in `g`. */
static gboolean
finish (KdRegLayout *layout, GError **error)
{
	GArray *regs = layout->regs;

	g_array_sort (regs, compare_regs);
	for (guint i = 0; i < regs->len; i++) {
		KdRegDesc *reg = &g_array_index (regs, KdRegDesc, i);

		if (i > 0 && reg[-1].regnum == reg->regnum)
			return malformed (
				error, "target description numbers twice register", reg->name);
		reg->offset = layout->g_size;
		layout->g_size += reg->size;
		if (!g_hash_table_contains (layout->by_name, reg->name))
			g_hash_table_insert (layout->by_name, (gpointer)reg->name, reg);
	}
	return TRUE;
}

KdRegLayout *
kd_reg_layout_fetch (KdTargetXmlFetch fetch, gpointer user_data, GError **error)
{
	g_autoptr (KdRegLayout) layout = g_new0 (KdRegLayout, 1);
	Reader reader = {layout, fetch, user_data};

	layout->regs = g_array_new (FALSE, FALSE, sizeof (KdRegDesc));
	layout->strings = g_string_chunk_new (4096);
	layout->by_name = g_hash_table_new (g_str_hash, g_str_equal);
	if (!read_doc (&reader, "target.xml", error) || !finish (layout, error))
		return NULL;
	return g_steal_pointer (&layout);
}

void
kd_reg_layout_free (KdRegLayout *layout)
{
	if (!layout)
		return;
	g_hash_table_unref (layout->by_name);
	g_array_unref (layout->regs);
	g_string_chunk_free (layout->strings);
	g_free (layout->architecture);
	g_free (layout);
}

const KdRegDesc *
kd_reg_layout_find (const KdRegLayout *layout, const char *name)
{
	return g_hash_table_lookup (layout->by_name, name);
}
