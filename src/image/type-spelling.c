/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hex.h"
#include "image/image-private.h"

/*
 * Reads the C spelling of a type name: specifiers, then an abstract declarator of stars, brackets
 * and parentheses. Functions are not spelled by anybody who debugs.
 */
#define DEPTH_MAX 16
#define WORD_MAX 256

typedef struct {
	KdImage *image;
	const char *p;
} Parser;

static void
skip_space (Parser *parser)
{
	while (g_ascii_isspace (*parser->p))
		parser->p++;
}

static gboolean
accept (Parser *parser, char c)
{
	skip_space (parser);
	if (*parser->p != c)
		return FALSE;
	parser->p++;
	return TRUE;
}

/* The word at the parser, of at most WORD_MAX characters; FALSE: none. */
static gboolean
peek_word (Parser *parser, char word[WORD_MAX], size_t *ret_len)
{
	size_t len = 0;

	skip_space (parser);
	if (g_ascii_isdigit (*parser->p))
		return FALSE;
	while (g_ascii_isalnum (parser->p[len]) || parser->p[len] == '_')
		len++;
	if (len == 0 || len >= WORD_MAX)
		return FALSE;
	memcpy (word, parser->p, len);
	word[len] = '\0';
	*ret_len = len;
	return TRUE;
}

static gboolean
skip_qualifiers (Parser *parser)
{
	static const char *const qualifiers[] = {"const", "volatile", "restrict", NULL};
	char word[WORD_MAX];
	size_t len;
	gboolean any = FALSE;

	while (peek_word (parser, word, &len) && g_strv_contains (qualifiers, word)) {
		parser->p += len;
		any = TRUE;
	}
	return any;
}

/* --- "long unsigned int" in any of C's orders --- */

enum { W_SIGNED, W_UNSIGNED, W_CHAR, W_SHORT, W_INT, W_LONG, W_NR };
static const char *const int_words[] = {"signed", "unsigned", "char", "short", "int", "long", NULL};

/* As gcc names it in DWARF, then as clang does. */
static const char *const int_names[][2] = {
	{"char", "char"},
	{"signed char", "signed char"},
	{"unsigned char", "unsigned char"},
	{"short int", "short"},
	{"short unsigned int", "unsigned short"},
	{"int", "int"},
	{"unsigned int", "unsigned int"},
	{"long int", "long"},
	{"long unsigned int", "unsigned long"},
	{"long long int", "long long"},
	{"long long unsigned int", "unsigned long long"},
};

static int
int_word (const char *word)
{
	for (int i = 0; i < W_NR; i++)
		if (strcmp (word, int_words[i]) == 0)
			return i;
	return -1;
}

static const KdType *
parse_int (Parser *parser)
{
	unsigned count[W_NR] = {0};
	char word[WORD_MAX];
	size_t len;
	int which;

	while (peek_word (parser, word, &len) && (which = int_word (word)) >= 0) {
		count[which]++;
		parser->p += len;
		skip_qualifiers (parser);
	}
	if (count[W_SIGNED] + count[W_UNSIGNED] > 1 || count[W_INT] > 1 || count[W_LONG] > 2 ||
		count[W_CHAR] + count[W_SHORT] > 1 || (count[W_CHAR] && count[W_INT]) ||
		(count[W_LONG] && count[W_CHAR] + count[W_SHORT] > 0))
		return NULL;

	unsigned row = count[W_CHAR]    ? count[W_SIGNED]     ? 1
					  : count[W_UNSIGNED] ? 2
							      : 0
		       : count[W_SHORT] ? 3 + count[W_UNSIGNED]
					: 5 + 2 * count[W_LONG] + count[W_UNSIGNED];
	for (unsigned i = 0; i < 2; i++) {
		const KdType *type = parser->image->types->by_name (
			parser->image, KD_TYPE_TYPEDEF, int_names[row][i]);
		if (type)
			return type;
	}
	return NULL;
}

static const KdType *
parse_specifiers (Parser *parser)
{
	static const struct {
		const char *word;
		KdTypeKind kind;
	} tags[] = {{"struct", KD_TYPE_STRUCT}, {"union", KD_TYPE_UNION}, {"enum", KD_TYPE_ENUM}};
	KdImage *image = parser->image;
	const KdType *type;
	char word[WORD_MAX];
	size_t len;

	skip_qualifiers (parser);
	if (!peek_word (parser, word, &len))
		return NULL;
	if (int_word (word) >= 0)
		return parse_int (parser);
	parser->p += len;
	if (strcmp (word, "void") == 0)
		return image->void_type;
	for (unsigned i = 0; i < G_N_ELEMENTS (tags); i++) {
		if (strcmp (word, tags[i].word) != 0)
			continue;
		if (!peek_word (parser, word, &len))
			return NULL;
		parser->p += len;
		type = image->types->by_name (image, tags[i].kind, word);
		skip_qualifiers (parser);
		return type;
	}
	type = image->types->by_name (image, KD_TYPE_TYPEDEF, word);
	skip_qualifiers (parser);
	return type;
}

/* "[4][2]" is an array of 4 arrays of 2: the last bound is applied first. */
static const KdType *
parse_arrays (Parser *parser, const KdType *type, unsigned depth)
{
	uint64_t nr = 0;

	if (!accept (parser, '['))
		return type;
	const char *end = strchr (parser->p, ']');
	if (!end || depth >= DEPTH_MAX)
		return NULL;
	g_autofree char *digits = g_strstrip (g_strndup (parser->p, (gsize)(end - parser->p)));
	if (digits[0] && !kd_parse_u64 (digits, &nr))
		return NULL;
	parser->p = end + 1;
	const KdType *element = parse_arrays (parser, type, depth + 1);
	return element ? kd_image_type_array_of (parser->image, element, nr) : NULL;
}

/*
 * pointer-stars, then either "( declarator )" or nothing, then arrays. What stands in parentheses
 * applies to what stands around them, so it is read after them.
 */
static const KdType *
parse_declarator (Parser *parser, const KdType *type, unsigned depth)
{
	const char *inner = NULL;

	if (depth >= DEPTH_MAX)
		return NULL;
	while (accept (parser, '*')) {
		type = kd_image_type_pointer_to (parser->image, type);
		skip_qualifiers (parser);
	}
	if (accept (parser, '(')) {
		unsigned open = 1;
		inner = parser->p;
		for (; *parser->p && open > 0; parser->p++)
			open += *parser->p == '(' ? 1u : *parser->p == ')' ? -1u : 0u;
		if (open > 0)
			return NULL;
	}
	type = parse_arrays (parser, type, 0);
	if (!type || !inner)
		return type;

	Parser nested = {parser->image, inner};
	type = parse_declarator (&nested, type, depth + 1);
	return accept (&nested, ')') ? type : NULL;
}

const KdType *
kd_image_type_by_name (KdImage *image, const char *spelling)
{
	Parser parser = {image, spelling};

	if (!image->types)
		return NULL;
	const KdType *type = parse_specifiers (&parser);
	if (type)
		type = parse_declarator (&parser, type, 0);
	skip_space (&parser);
	return *parser.p == '\0' ? type : NULL;
}

/* --- all of them --- */

typedef struct {
	KdTypeFunc func;
	void *data;
} Foreach;

static gboolean
spell_one (KdTypeKind kind, const char *name, void *data)
{
	const Foreach *foreach = data;
	const char *tag = kind == KD_TYPE_STRUCT  ? "struct "
			  : kind == KD_TYPE_UNION ? "union "
			  : kind == KD_TYPE_ENUM  ? "enum "
						  : NULL;
	if (!tag)
		return foreach->func (name, foreach->data);
	g_autofree char *spelling = g_strconcat (tag, name, NULL);
	return foreach->func (spelling, foreach->data);
}

void
kd_image_types_foreach (KdImage *image, KdTypeFunc func, void *data)
{
	Foreach foreach = {func, data};

	if (image->types)
		image->types->foreach (image, spell_one, &foreach);
}

const KdType *
kd_image_enumerator (KdImage *image, const char *name, int64_t *ret_value)
{
	return image->types && image->types->enumerator
		       ? image->types->enumerator (image, name, ret_value)
		       : NULL;
}

const KdType *
kd_image_type_of_symbol (KdImage *image, const char *symbol)
{
	return image->types ? image->types->of_symbol (image, symbol) : NULL;
}

/*
 * A name that only the linker script gives a variable ("jiffies = jiffies_64;") has that one's
 * type.
 */
static const KdType *
type_of_place (KdImage *image, const char *symbol)
{
	const KdType *type = kd_image_type_of_symbol (image, symbol);
	KdSymbol alias, same;

	if (type || !kd_image_symbol_by_name (image, symbol, &alias) || alias.size != 0 ||
		!kd_image_symbol_by_addr (image, alias.addr, &same) || same.addr != alias.addr)
		return type;
	return kd_image_type_of_symbol (image, same.name);
}

const KdType *
kd_image_type_of_variable (KdImage *image, const char *symbol)
{
	const KdType *type = kd_image_type_of_symbol (image, symbol), *same;
	g_autofree char *spelling = NULL;
	KdImage *view;

	if (type)
		return type;
	if (image->types == &kd_dwarf_type_source)
		return type_of_place (image, symbol);
	view = kd_image_dwarf_view (image);
	type = view ? type_of_place (view, symbol) : NULL;
	if (!type)
		return NULL;
	/* BTF's own node where the type has a name there, so that it is one with all others. */
	spelling = kd_type_declare (type, "");
	same = kd_image_type_by_name (image, spelling);
	return same && kd_type_size (same) == kd_type_size (type) ? same : type;
}
