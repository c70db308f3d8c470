/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the image layer questions from standard input and prints answers a script compares with
 * other tools' (tests/guest/image-witness.py). One question a line:
 *   sym ADDR | name NAME | type NAME | lines ADDR | cfi ADDR | members NAME | variable NAME |
 *   names
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "image/image.h"

static void
answer_symbol (gboolean found, const KdSymbol *symbol, uint64_t addr)
{
	if (found)
		printf ("%s+0x%" G_GINT64_MODIFIER "x size=%" G_GUINT64_FORMAT
			" kind=%c addr=0x%" G_GINT64_MODIFIER "x\n",
			symbol->name, addr ? addr - symbol->addr : 0, symbol->size, symbol->kind,
			symbol->addr);
	else
		printf ("none\n");
}

static void
print_members (const KdType *type, uint64_t base, unsigned depth)
{
	unsigned nr;
	const KdMember *members = kd_type_members (kd_type_strip (type), &nr);

	for (unsigned i = 0; i < nr && depth < 16; i++) {
		g_autofree char *text = kd_type_declare (members[i].type, members[i].name);
		uint64_t bits = base + members[i].bit_offset;
		printf (" %" G_GUINT64_FORMAT ":%u:%" G_GUINT64_FORMAT " %s\n", bits,
			members[i].bit_size, kd_type_size (members[i].type), text);
		const KdType *inner = members[i].type;
		while (kd_type_kind (inner) == KD_TYPE_CONST ||
			kd_type_kind (inner) == KD_TYPE_VOLATILE)
			inner = kd_type_target (inner);
		if (!kd_type_name (inner) && (kd_type_kind (inner) == KD_TYPE_STRUCT ||
						     kd_type_kind (inner) == KD_TYPE_UNION))
			print_members (inner, bits, depth + 1);
	}
}

static void
answer_type (KdImage *image, const char *name, gboolean with_members)
{
	const KdType *type = kd_image_type_by_name (image, name);
	if (!type) {
		printf ("none\n");
		return;
	}
	g_autofree char *text = kd_type_declare (type, NULL);
	printf ("%s size=%" G_GUINT64_FORMAT "\n", text, kd_type_size (type));
	if (with_members) {
		unsigned nr;
		const KdEnumerator *values = kd_type_enumerators (kd_type_strip (type), &nr);
		for (unsigned i = 0; i < nr; i++)
			printf (" %s=%" G_GINT64_FORMAT "\n", values[i].name, values[i].value);
		print_members (type, 0, 0);
		printf (".\n");
	}
}

static void
answer_lines (KdImage *image, uint64_t addr)
{
	g_autoptr (GArray) lines = kd_image_lines_at (image, addr);
	for (guint i = 0; i < lines->len; i++) {
		const KdLine *line = &g_array_index (lines, KdLine, i);
		printf ("%s%s %s:%d", i ? " < " : "", line->function ? line->function : "?",
			line->file ? line->file : "?", line->line);
	}
	printf ("\n");
}

static void
print_rule (const KdCfiRule *rule)
{
	switch (rule->kind) {
	case KD_CFI_UNDEFINED:
		printf ("u");
		break;
	case KD_CFI_SAME:
		printf ("s");
		break;
	case KD_CFI_CFA_OFFSET:
		printf ("c%+d", (int)rule->offset);
		break;
	case KD_CFI_VAL_OFFSET:
		printf ("v%+d", (int)rule->offset);
		break;
	case KD_CFI_REGISTER:
		printf ("r%u%+d", rule->reg, (int)rule->offset);
		break;
	case KD_CFI_EXPR:
		printf ("exp");
		break;
	}
}

static void
answer_cfi (KdImage *image, uint64_t addr)
{
	KdCfiRow row;
	if (!kd_image_cfi_at (image, addr, &row)) {
		printf ("none\n");
		return;
	}
	printf ("cfa=");
	print_rule (&row.cfa);
	printf (" ra=%u", row.ra_reg);
	for (unsigned i = 0; i < KD_CFI_REGS_MAX; i++) {
		if (row.regs[i].kind != KD_CFI_CFA_OFFSET && row.regs[i].kind != KD_CFI_REGISTER)
			continue;
		printf (" x%u=", i);
		print_rule (&row.regs[i]);
	}
	printf ("\n");
}

static gboolean
print_name (const char *spelling, void *data)
{
	printf ("%s\n", spelling);
	return TRUE;
}

static void
answer (KdImage *image, const char *verb, const char *argument)
{
	KdSymbol symbol;
	uint64_t addr = 0;

	kd_parse_u64 (argument, &addr);
	if (strcmp (verb, "sym") == 0)
		answer_symbol (kd_image_symbol_by_addr (image, addr, &symbol), &symbol, addr);
	else if (strcmp (verb, "name") == 0)
		answer_symbol (kd_image_symbol_by_name (image, argument, &symbol), &symbol, 0);
	else if (strcmp (verb, "type") == 0)
		answer_type (image, argument, FALSE);
	else if (strcmp (verb, "members") == 0)
		answer_type (image, argument, TRUE);
	else if (strcmp (verb, "lines") == 0)
		answer_lines (image, addr);
	else if (strcmp (verb, "cfi") == 0)
		answer_cfi (image, addr);
	else if (strcmp (verb, "variable") == 0) {
		const KdType *type = kd_image_type_of_variable (image, argument);
		g_autofree char *text = type ? kd_type_declare (type, "") : g_strdup ("none");
		printf ("%s\n", text);
	} else if (strcmp (verb, "names") == 0)
		kd_image_types_foreach (image, print_name, NULL);
	else
		printf ("what?\n");
}

int
main (int argc, char **argv)
{
	KdImageOptions options = {0};
	gboolean times = FALSE;
	const GOptionEntry entries[] = {
		{"cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &options.cache_dir, NULL, NULL},
		{"no-cache", 0, 0, G_OPTION_ARG_NONE, &options.no_cache, NULL, NULL},
		{"no-btf", 0, 0, G_OPTION_ARG_NONE, &options.no_btf, NULL, NULL},
		{"times", 0, 0, G_OPTION_ARG_NONE, &times, NULL, NULL},
		{NULL},
	};
	g_autoptr (GOptionContext) context = g_option_context_new ("VMLINUX");
	g_autoptr (GError) error = NULL;
	char line[4096];

	g_option_context_add_main_entries (context, entries, NULL);
	if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2) {
		fprintf (stderr, "image-probe: %s\n", error ? error->message : "which file?");
		return 2;
	}
	options.path = argv[1];
	gint64 start = g_get_monotonic_time();
	g_autoptr (KdImage) image = kd_image_open (&options, &error);
	if (!image) {
		fprintf (stderr, "image-probe: %s\n", error->message);
		return 1;
	}
	if (times)
		fprintf (stderr, "open %d us\n", (int)(g_get_monotonic_time() - start));
	while (fgets (line, sizeof line, stdin)) {
		g_strchomp (line);
		char *argument = strchr (line, ' ');
		if (argument)
			*argument++ = '\0';
		start = g_get_monotonic_time();
		answer (image, line, argument ? argument : "");
		if (times)
			fprintf (stderr, "%s %s %d us\n", line, argument ? argument : "",
				(int)(g_get_monotonic_time() - start));
	}
	return 0;
}
