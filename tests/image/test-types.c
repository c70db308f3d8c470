/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same questions to both sources: DWARF as a compiler wrote it, BTF as libbpf wrote it. */
#include "image/image.h"
#include "sample-btf.h"

static const char *sample;

typedef KdImage *(*Open) (void);

static KdImage *
open_dwarf (void)
{
	g_autoptr (GError) error = NULL;
	KdImage *image = kd_image_open (
		&(KdImageOptions){.path = sample, .no_cache = TRUE, .no_btf = TRUE}, &error);
	g_assert_no_error (error);
	g_assert_cmpstr (kd_image_types_from (image), ==, "dwarf");
	return image;
}

static KdImage *
open_btf (void)
{
	g_autoptr (GError) error = NULL;
	struct btf *btf = sample_btf();
	uint32_t len;
	const void *bytes = btf__raw_data (btf, &len);
	KdImage *image = kd_image_open_btf (bytes, len, NULL, &error);
	g_assert_no_error (error);
	g_assert_cmpstr (kd_image_types_from (image), ==, "btf");
	btf__free (btf);
	return image;
}

static const KdType *
type_of (KdImage *image, const char *spelling)
{
	const KdType *type = kd_image_type_by_name (image, spelling);
	if (!type)
		g_error ("no type %s", spelling);
	return type;
}

static void
test_spelling (gconstpointer open)
{
	static const struct {
		const char *spelling;
		const char *declared; /* NULL: no such type */
		uint64_t size;
	} rows[] = {
		{"struct list_head", "struct list_head x", 16},
		{"struct  sample *", "struct sample *x", 8},
		{"u32", "u32 x", 4},
		{"const u32", "u32 x", 4},
		{"unsigned int", "unsigned int x", 4},
		{"signed int", "int x", 4},
		{"char", "char x", 1},
		{"char [16]", "char x[16]", 16},
		{"char[0x10]", "char x[16]", 16},
		{"u32[2][3]", "u32 x[2][3]", 24},
		{"int (*)[4]", "int (*x)[4]", 8},
		{"int *[4]", "int *x[4]", 32},
		{"char **", "char **x", 8},
		{"void *", "void *x", 8},
		{"enum colour", "enum colour x", 4},
		{"struct opaque *", "struct opaque *x", 8},
		{"struct list_hea", NULL, 0},
		{"union sample", NULL, 0},
		{"struct", NULL, 0},
		{"", NULL, 0},
		{"u32 u32", NULL, 0},
		{"short long", NULL, 0},
		{"u32 [", NULL, 0},
		{"u32 [-1]", NULL, 0},
		{"u32 (*", NULL, 0},
		{"u32 ((((((((((((((((((((*))))))))))))))))))))", NULL, 0},
	};
	g_autoptr (KdImage) image = ((Open)open)();

	for (unsigned i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_test_message ("%s", rows[i].spelling);
		const KdType *type = kd_image_type_by_name (image, rows[i].spelling);
		g_autofree char *declared = type ? kd_type_declare (type, "x") : NULL;
		g_assert_cmpstr (declared, ==, rows[i].declared);
		if (type)
			g_assert_cmpuint (kd_type_size (type), ==, rows[i].size);
	}
	/* gcc says "long unsigned int" where clang says "unsigned long". */
	static const char *const longs[] = {
		"long unsigned", "unsigned long int", "unsigned long", "int unsigned long"};
	for (unsigned i = 0; i < G_N_ELEMENTS (longs); i++)
		g_assert_true (type_of (image, longs[i]) == kd_type_strip (type_of (image, "u64")));
	g_assert_true (type_of (image, "unsigned") == kd_type_strip (type_of (image, "u32")));
	g_assert_true (type_of (image, "u32 *") == type_of (image, "u32*"));
	g_assert_true (type_of (image, "u32 [4]") == type_of (image, "u32[4]"));
}

static void
test_members (gconstpointer open)
{
	static const struct {
		const char *declared;
		uint64_t bit_offset;
		unsigned bit_size;
		KdTypeKind kind;
	} rows[] = {
		{"struct list_head list", 0, 0, KD_TYPE_STRUCT},
		{"union {...}", 128, 0, KD_TYPE_UNION},
		{"struct {...} named", 192, 0, KD_TYPE_STRUCT},
		{"int (*operation)(struct sample *, const char *, ...)", 384, 0, KD_TYPE_POINTER},
		{"volatile u64 *const counter", 448, 0, KD_TYPE_POINTER},
		{"struct flags flags", 512, 0, KD_TYPE_STRUCT},
		{"enum colour colour", 576, 0, KD_TYPE_ENUM},
		{"enum balance balance", 608, 0, KD_TYPE_ENUM},
		{"struct opaque *opaque", 640, 0, KD_TYPE_POINTER},
		{"_Bool yes", 704, 0, KD_TYPE_BOOL},
		{"char tail[]", 712, 0, KD_TYPE_ARRAY},
	};
	g_autoptr (KdImage) image = ((Open)open)();
	unsigned nr;
	const KdMember *members = kd_type_members (type_of (image, "struct sample"), &nr);

	g_assert_cmpuint (kd_type_size (type_of (image, "struct sample")), ==, 96);
	g_assert_cmpuint (nr, ==, G_N_ELEMENTS (rows));
	for (unsigned i = 0; i < nr; i++) {
		g_autofree char *declared = kd_type_declare (members[i].type, members[i].name);
		g_assert_cmpstr (declared, ==, rows[i].declared);
		g_assert_cmpuint (members[i].bit_offset, ==, rows[i].bit_offset);
		g_assert_cmpuint (members[i].bit_size, ==, rows[i].bit_size);
		g_assert_cmpint (kd_type_kind (kd_type_strip (members[i].type)), ==, rows[i].kind);
	}

	members = kd_type_members (type_of (image, "struct flags"), &nr);
	g_assert_cmpuint (nr, ==, 3);
	g_assert_cmpuint (members[1].bit_offset, ==, 3);
	g_assert_cmpuint (members[1].bit_size, ==, 29);
	g_assert_cmpuint (members[2].bit_offset, ==, 32);
	g_assert_cmpuint (members[2].bit_size, ==, 1);

	const KdEnumerator *values = kd_type_enumerators (type_of (image, "enum balance"), &nr);
	g_assert_cmpuint (nr, ==, 2);
	g_assert_cmpstr (values[0].name, ==, "MINUS");
	g_assert_cmpint (values[0].value, ==, -2);
	g_assert_true (kd_type_is_signed (type_of (image, "enum balance")));
	values = kd_type_enumerators (type_of (image, "enum colour"), &nr);
	g_assert_cmpint (values[1].value, ==, 5);
	g_assert_false (kd_type_is_signed (type_of (image, "enum colour")));
	g_assert_true (kd_type_is_signed (type_of (image, "int")));
	g_assert_false (kd_type_is_signed (type_of (image, "u64")));
}

static void
test_paths (gconstpointer open)
{
	static const struct {
		const char *path;
		int64_t bits; /* -1: refused */
		const char *answer;
	} rows[] = {
		{"list.prev", 64, "struct list_head *"},
		{"number", 128, "int"},
		{"text[3]", 152, "char"},
		{"named.inside[1][2]", 352, "u32"},
		{"flags.high", 515, "u32"},
		{"tail[100]", 1512, "char"},
		{"lost", -1, "struct sample has no member lost (did you mean list"},
		{"list.nexd", -1, "struct list_head has no member nexd (did you mean next"},
		{"number.x", -1, "int has no members, so no x"},
		{"text[8]", -1, "index 8 of an array of 8 elements"},
		{"number[0]", -1, "int is no array"},
		{"text[-1]", -1, "is no index"},
		{"tail[0xffffffffffffffff]", -1, "index"},
		{"", -1, "is no member path"},
		{"list.", -1, "is no member path"},
		{"text[1]x", -1, "is no member path"},
		{"list..next", -1, "is no member path"},
	};
	g_autoptr (KdImage) image = ((Open)open)();
	const KdType *type = type_of (image, "struct sample");

	for (unsigned i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *bad = NULL;
		KdMember member = {.bit_size = 99};
		g_test_message ("%s", rows[i].path);
		gboolean found = kd_type_member (type, rows[i].path, &member, &bad);
		g_assert_cmpint (found, ==, rows[i].bits >= 0);
		if (!found) {
			g_assert_nonnull (strstr (bad, rows[i].answer));
			g_assert_cmpuint (member.bit_size, ==, 99);
			continue;
		}
		g_autofree char *spelling = kd_type_declare (member.type, NULL);
		g_assert_cmpstr (spelling, ==, rows[i].answer);
		g_assert_cmpint ((int64_t)member.bit_offset, ==, rows[i].bits);
	}
}

static void
test_symbols (gconstpointer open)
{
	g_autoptr (KdImage) image = ((Open)open)();
	const KdType *type = kd_image_type_of_symbol (image, "sample_function");
	g_assert_nonnull (type);
	g_autofree char *function = kd_type_declare (type, "sample_function");
	g_assert_cmpstr (
		function, ==, "int sample_function(struct sample *self, enum balance balance)");
	type = kd_image_type_of_symbol (image, "sample_pointer");
	g_assert_nonnull (type);
	g_autofree char *variable = kd_type_declare (type, "sample_pointer");
	g_assert_cmpstr (variable, ==, "struct sample *sample_pointer");
	g_assert_null (kd_image_type_of_symbol (image, "sample_functio"));
}

static gboolean
count_wanted (const char *spelling, void *data)
{
	static const char *const wanted[] = {
		"struct list_head", "enum colour", "u32", "int", "struct sample", NULL};
	*(unsigned *)data += g_strv_contains (wanted, spelling);
	return TRUE;
}

static void
test_foreach (gconstpointer open)
{
	g_autoptr (KdImage) image = ((Open)open)();
	unsigned nr = 0;
	kd_image_types_foreach (image, count_wanted, &nr);
	g_assert_cmpuint (nr, ==, 5);
}

int
main (int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*func) (gconstpointer open);
	} tests[] = {{"spelling", test_spelling}, {"members", test_members}, {"paths", test_paths},
		{"symbols", test_symbols}, {"foreach", test_foreach}};

	g_test_init (&argc, &argv, NULL);
	g_autofree char *absolute = g_canonicalize_filename (argv[1], NULL);
	sample = absolute;
	for (unsigned i = 0; i < G_N_ELEMENTS (tests); i++) {
		g_autofree char *dwarf = g_strdup_printf ("/types/dwarf/%s", tests[i].name);
		g_autofree char *btf = g_strdup_printf ("/types/btf/%s", tests[i].name);
		g_test_add_data_func (dwarf, (gconstpointer)open_dwarf, tests[i].func);
		g_test_add_data_func (btf, (gconstpointer)open_btf, tests[i].func);
	}
	return g_test_run();
}
