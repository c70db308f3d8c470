/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"

#include <string.h>

static JsonNode *
parse (const char *text)
{
	g_autoptr (GError) error = NULL;
	JsonNode *node = kd_json_parse (text, strlen (text), NULL, &error);

	g_assert_no_error (error);
	g_assert_nonnull (node);
	return node;
}

static void
test_parse_refuses (void)
{
	g_autofree char *deep = g_strnfill (100000, '[');
	const struct {
		const char *name, *text;
		size_t len;
		int code;
	} rows[] = {
		{"empty", "", 0, KD_BASE_ERROR_SYNTAX},
		{"white space", "  ", 2, KD_BASE_ERROR_SYNTAX},
		{"cut off", "{\"a\":", 5, KD_BASE_ERROR_SYNTAX},
		{"two values", "{} {}", 5, KD_BASE_ERROR_SYNTAX},
		{"closed too often", "{}}", 3, KD_BASE_ERROR_SYNTAX},
		{"not UTF-8", "\"\xff\"", 3, KD_BASE_ERROR_SYNTAX},
		{"a NUL inside", "{}\0{}", 5, KD_BASE_ERROR_SYNTAX},
		{"a NUL in an array", "[1\0]", 4, KD_BASE_ERROR_SYNTAX},
		{"deep", deep, 100000, KD_BASE_ERROR_TOO_LARGE},
		{"large", "\"12345678901234567890\"", 22, KD_BASE_ERROR_TOO_LARGE},
		/* What json-glib would take. */
		{"single quotes", "['\"',1]", 7, KD_BASE_ERROR_SYNTAX},
		{"comment", "/*\"*/[1]", 8, KD_BASE_ERROR_SYNTAX},
		{"octal", "[010]", 5, KD_BASE_ERROR_SYNTAX},
		{"hex", "[0x10]", 6, KD_BASE_ERROR_SYNTAX},
		{"dollar hex", "[$ff]", 5, KD_BASE_ERROR_SYNTAX},
		{"newline in a string", "\"a\nb\"", 5, KD_BASE_ERROR_SYNTAX},
		{"escaped NUL", "\"a\\u0000\"", 9, KD_BASE_ERROR_SYNTAX},
		{"unknown escape", "\"\\x41\"", 6, KD_BASE_ERROR_SYNTAX},
		{"short escape", "\"\\u12\"", 6, KD_BASE_ERROR_SYNTAX},
		{"half a surrogate", "\"\\ud800\"", 8, KD_BASE_ERROR_SYNTAX},
		{"integer over 64 bits", "[18446744073709551616]", 22, KD_BASE_ERROR_RANGE},
		{"integer over 63 bits", "[9223372036854775808]", 21, KD_BASE_ERROR_RANGE},
		{"integer below", "[-9223372036854775809]", 22, KD_BASE_ERROR_RANGE},
		{"infinite", "[1e999]", 7, KD_BASE_ERROR_RANGE},
		{"brackets crossed", "[{]}", 4, KD_BASE_ERROR_SYNTAX},
		{"comma at the end", "[1,]", 4, KD_BASE_ERROR_SYNTAX},
		{"no key", "{1:2}", 5, KD_BASE_ERROR_SYNTAX},
		{"no colon", "{\"a\" 2}", 7, KD_BASE_ERROR_SYNTAX},
		{"word", "[nul]", 5, KD_BASE_ERROR_SYNTAX},
		{"just a minus", "-", 1, KD_BASE_ERROR_SYNTAX},
		{"no fraction", "1.", 2, KD_BASE_ERROR_SYNTAX},
		{"no exponent", "1e+", 3, KD_BASE_ERROR_SYNTAX},
	};
	static const KdJsonLimits small = {20, 64};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autoptr (GError) error = NULL;

		g_test_message ("%s", rows[i].name);
		g_assert_null (kd_json_parse (rows[i].text, rows[i].len,
			strcmp (rows[i].name, "large") == 0 ? &small : NULL, &error));
		g_assert_error (error, KD_BASE_ERROR, rows[i].code);
	}
}

/* Brackets in strings are no depth. */
static void
test_parse_strings (void)
{
	g_autoptr (GString) text = g_string_new ("[\"\\\"");
	g_autoptr (JsonNode) node = NULL;

	for (int i = 0; i < 1000; i++)
		g_string_append (text, "[{");
	g_string_append (text, "\\\\\"]");
	node = parse (text->str);
	g_assert_cmpuint (json_array_get_length (json_node_get_array (node)), ==, 1);
}

/* The whole grammar, as others write it. */
static void
test_parse_takes (void)
{
	static const char *const texts[] = {"{}", "[]", " [ ] ", "0", "-0", "-9223372036854775808",
		"1.5e-3", "\"\"", "null", "[true,false,null]",
		"{\"a\":{\"b\":[{},[]]},\"c\":1}\r\n",
		"\"\\u00e4\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\"", "[1 , 2\n,\t3]"};

	for (size_t i = 0; i < G_N_ELEMENTS (texts); i++) {
		g_autoptr (JsonNode) node = NULL;

		g_test_message ("%s", texts[i]);
		node = parse (texts[i]);
	}
}

static const char members[] =
	"{\"s\":\"text\",\"i\":-5,\"u\":9007199254740993,\"d\":1.5,\"b\":true,\"n\":null,"
	"\"o\":{},\"a\":[],\"x\":\"0xffff000000000001\",\"bad\":\"0xg\"}";

static void
test_getters (void)
{
	g_autoptr (JsonNode) node = parse (members);
	JsonObject *obj = kd_json_node_object (node, NULL), *o = NULL;
	JsonArray *a = NULL;
	const char *s = NULL;
	gboolean b = FALSE;
	guint64 u = 0;
	gint64 i = 0;

	g_assert_true (kd_json_get_string (obj, "s", TRUE, &s, NULL));
	g_assert_cmpstr (s, ==, "text");
	g_assert_true (kd_json_get_int (obj, "i", TRUE, &i, NULL));
	g_assert_cmpint (i, ==, -5);
	g_assert_true (kd_json_get_uint (obj, "u", TRUE, &u, NULL));
	g_assert_cmpuint (u, ==, G_GUINT64_CONSTANT (9007199254740993));
	g_assert_true (kd_json_get_bool (obj, "b", TRUE, &b, NULL));
	g_assert_true (b);
	g_assert_true (kd_json_get_object (obj, "o", TRUE, &o, NULL));
	g_assert_nonnull (o);
	g_assert_true (kd_json_get_array (obj, "a", TRUE, &a, NULL));
	g_assert_nonnull (a);
	g_assert_true (kd_json_get_address (obj, "x", TRUE, &u, NULL));
	g_assert_cmphex (u, ==, 0xffff000000000001);
	g_assert_true (kd_json_get_address (obj, "u", TRUE, &u, NULL));
	g_assert_cmpuint (u, ==, G_GUINT64_CONSTANT (9007199254740993));
	/* Absent or null, and not required: the default stands. */
	g_assert_true (kd_json_get_int (obj, "none", FALSE, &i, NULL));
	g_assert_true (kd_json_get_int (obj, "n", FALSE, &i, NULL));
	g_assert_true (kd_json_get_int (NULL, "n", FALSE, &i, NULL));
	g_assert_cmpint (i, ==, -5);
}

typedef enum { STRING, INT, UINT, BOOL, OBJECT, ARRAY, ADDRESS } Getter;

static void
test_getters_refuse (void)
{
	static const struct {
		Getter getter;
		const char *name;
		int code;
	} rows[] = {
		{STRING, "none", KD_BASE_ERROR_MISSING},
		{STRING, "n", KD_BASE_ERROR_MISSING},
		{STRING, "i", KD_BASE_ERROR_KIND},
		{STRING, "o", KD_BASE_ERROR_KIND},
		{INT, "s", KD_BASE_ERROR_KIND},
		{INT, "d", KD_BASE_ERROR_KIND},
		{INT, "b", KD_BASE_ERROR_KIND},
		{INT, "a", KD_BASE_ERROR_KIND},
		{UINT, "i", KD_BASE_ERROR_RANGE},
		{UINT, "s", KD_BASE_ERROR_KIND},
		{UINT, "none", KD_BASE_ERROR_MISSING},
		{BOOL, "i", KD_BASE_ERROR_KIND},
		{OBJECT, "a", KD_BASE_ERROR_KIND},
		{ARRAY, "o", KD_BASE_ERROR_KIND},
		{ADDRESS, "bad", KD_BASE_ERROR_SYNTAX},
		{ADDRESS, "i", KD_BASE_ERROR_RANGE},
		{ADDRESS, "b", KD_BASE_ERROR_KIND},
		{ADDRESS, "none", KD_BASE_ERROR_MISSING},
	};
	g_autoptr (JsonNode) node = parse (members);
	JsonObject *obj = kd_json_node_object (node, NULL);

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autoptr (GError) error = NULL;
		union {
			const char *s;
			gint64 i;
			guint64 u;
			gboolean b;
			JsonObject *o;
			JsonArray *a;
		} out;
		const typeof (out) before = {.u = 0x5a5a5a5a5a5a5a5a};
		const char *name = rows[i].name;
		gboolean ok = TRUE;

		out = before;
		switch (rows[i].getter) {
		case STRING:
			ok = kd_json_get_string (obj, name, TRUE, &out.s, &error);
			break;
		case INT:
			ok = kd_json_get_int (obj, name, TRUE, &out.i, &error);
			break;
		case UINT:
			ok = kd_json_get_uint (obj, name, TRUE, &out.u, &error);
			break;
		case BOOL:
			ok = kd_json_get_bool (obj, name, TRUE, &out.b, &error);
			break;
		case OBJECT:
			ok = kd_json_get_object (obj, name, TRUE, &out.o, &error);
			break;
		case ARRAY:
			ok = kd_json_get_array (obj, name, TRUE, &out.a, &error);
			break;
		case ADDRESS:
			ok = kd_json_get_address (obj, name, TRUE, &out.u, &error);
			break;
		}
		g_test_message ("getter %d of %s", rows[i].getter, name);
		g_assert_false (ok);
		g_assert_error (error, KD_BASE_ERROR, rows[i].code);
		g_assert_cmpmem (&out, sizeof out, &before, sizeof before);
	}
}

static void
test_array_elements (void)
{
	g_autoptr (JsonNode) node = parse ("[{}, \"s\", 7]");
	JsonArray *array = kd_json_node_array (node, NULL);
	g_autoptr (GError) error = NULL;
	JsonObject *obj = NULL;
	const char *s = NULL;
	gint64 i = 0;

	g_assert_true (kd_json_array_object (array, 0, &obj, NULL));
	g_assert_true (kd_json_array_string (array, 1, &s, NULL));
	g_assert_cmpstr (s, ==, "s");
	g_assert_true (kd_json_array_int (array, 2, &i, NULL));
	g_assert_cmpint (i, ==, 7);
	g_assert_false (kd_json_array_int (array, 3, &i, &error));
	g_assert_error (error, KD_BASE_ERROR, KD_BASE_ERROR_MISSING);
	g_clear_error (&error);
	g_assert_false (kd_json_array_int (array, 1, &i, &error));
	g_assert_error (error, KD_BASE_ERROR, KD_BASE_ERROR_KIND);
	g_assert_cmpint (i, ==, 7);
	g_assert_null (kd_json_node_object (node, NULL));
}

/* Whole numbers stay whole, and guest bytes that are no text still give JSON that parses. */
static void
test_build (void)
{
	JsonObject *obj = json_object_new();
	g_autoptr (JsonNode) node = kd_json_object_node (obj);
	g_autoptr (JsonNode) back = NULL;
	g_autofree char *text = NULL;
	guint64 u = 0;

	kd_json_set_hex (obj, "pc", G_GUINT64_CONSTANT (0xffff800008121d44));
	kd_json_set_int (obj, "min", G_MININT64);
	kd_json_set_uint (obj, "max", G_MAXINT64);
	kd_json_set_uint (obj, "huge", G_MAXUINT64);
	kd_json_set_string (obj, "comm", "a\xff\n\x01");
	kd_json_set_string (obj, "none", NULL);
	kd_json_set_printf (obj, "n", "%d-%s", 3, "x");
	kd_json_set_bool (obj, "b", TRUE);
	json_array_add_int_element (kd_json_add_array (obj, "a"), 1);
	kd_json_set_int (
		kd_json_array_add_object (json_object_get_array_member (obj, "a")), "k", 2);
	kd_json_set_int (kd_json_add_object (obj, "o"), "k", 3);
	text = kd_json_to_string (node, FALSE);
	g_assert_null (strchr (text, '\n'));
	g_assert_nonnull (strstr (text, "\"pc\":\"0xffff800008121d44\""));
	g_assert_nonnull (strstr (text, "\"min\":-9223372036854775808"));
	g_assert_nonnull (strstr (text, "\"max\":9223372036854775807"));
	g_assert_nonnull (strstr (text, "\"huge\":\"0xffffffffffffffff\""));
	g_assert_nonnull (strstr (text, "\"none\":null"));
	g_assert_nonnull (strstr (text, "\"n\":\"3-x\""));
	g_assert_nonnull (strstr (text, "\"a\":[1,{\"k\":2}]"));
	g_assert_nonnull (strstr (text, "\"o\":{\"k\":3}"));
	back = parse (text);
	g_assert_true (kd_json_get_uint (kd_json_node_object (back, NULL), "max", TRUE, &u, NULL));
	g_assert_cmpuint (u, ==, G_MAXINT64);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/json/parse-refuses", test_parse_refuses);
	g_test_add_func ("/json/parse-takes", test_parse_takes);
	g_test_add_func ("/json/parse-strings", test_parse_strings);
	g_test_add_func ("/json/getters", test_getters);
	g_test_add_func ("/json/getters-refuse", test_getters_refuse);
	g_test_add_func ("/json/array-elements", test_array_elements);
	g_test_add_func ("/json/build", test_build);
	return g_test_run();
}
