/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/target-xml.h"

#include <string.h>

/* Files of a folder, as a stub has annexes. */
static char *
fetch_file (const char *annex, size_t *ret_len, gpointer user_data, GError **error)
{
	g_autofree char *path = g_build_filename (user_data, annex, NULL);
	char *text;

	return g_file_get_contents (path, &text, ret_len, error) ? text : NULL;
}

static KdRegLayout *
load (const char *name)
{
	g_autofree char *dir = g_test_build_filename (G_TEST_DIST, "data", name, NULL);
	g_autoptr (GError) error = NULL;
	KdRegLayout *layout = kd_reg_layout_fetch (fetch_file, dir, &error);

	g_assert_no_error (error);
	return layout;
}

static void
is_reg (const KdRegLayout *layout, const char *name, guint regnum, guint bitsize, size_t offset,
	const char *feature)
{
	const KdRegDesc *reg = kd_reg_layout_find (layout, name);

	g_assert_nonnull (reg);
	g_assert_cmpuint (reg->regnum, ==, regnum);
	g_assert_cmpuint (reg->bitsize, ==, bitsize);
	g_assert_cmpuint (reg->offset, ==, offset);
	g_assert_cmpstr (reg->feature, ==, feature);
}

/* As read from the stubs of `-cpu max`; numbers and sizes compared with gdb's `maint print
 * registers`. */
static void
test_qemu_7_2 (void)
{
	g_autoptr (KdRegLayout) layout = load ("qemu-7.2-arm64-max");

	g_assert_cmpstr (layout->architecture, ==, "aarch64");
	g_assert_cmpuint (layout->regs->len, ==, 339);
	is_reg (layout, "x0", 0, 64, 0, "org.gnu.gdb.aarch64.core");
	is_reg (layout, "pc", 32, 64, 256, "org.gnu.gdb.aarch64.core");
	is_reg (layout, "cpsr", 33, 32, 264, "org.gnu.gdb.aarch64.core");
	is_reg (layout, "z0", 34, 2048, 268, "org.gnu.gdb.aarch64.sve");
	g_assert_nonnull (kd_reg_layout_find (layout, "VBAR"));
	g_assert_null (kd_reg_layout_find (layout, "vbar"));
	g_assert_null (kd_reg_layout_find (layout, "VBAR_EL1"));
	g_assert_cmpstr (kd_reg_layout_find (layout, "z0")->type, ==, "svev");
}

static void
test_qemu_10_0 (void)
{
	g_autoptr (KdRegLayout) layout = load ("qemu-10.0-arm64-max");

	g_assert_cmpuint (layout->regs->len, ==, 364);
	is_reg (layout, "pc", 32, 64, 256, "org.gnu.gdb.aarch64.core");
	g_assert_nonnull (kd_reg_layout_find (layout, "pauth_dmask"));
	g_assert_nonnull (kd_reg_layout_find (layout, "VBAR"));
}

/* One document from memory; includes by name from a table. */
typedef struct {
	const char *name, *text;
} Page;

static char *
fetch_page (const char *annex, size_t *ret_len, gpointer user_data, GError **error)
{
	for (const Page *page = user_data; page->name; page++) {
		if (strcmp (page->name, annex) != 0)
			continue;
		*ret_len = strlen (page->text);
		return g_strdup (page->text);
	}
	g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "no annex");
	return NULL;
}

/* regnum= overrides the count, and what follows goes on from there, across includes; gaps take no
 * room. */
static void
test_numbers (void)
{
	static Page pages[] = {
		{"target.xml", "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
			       "<target version=\"1.0\"><architecture> i386 </architecture>"
			       "<feature name=\"one\"><reg name=\"a\" bitsize=\"32\" "
			       "type=\"uint32\" group=\"general\"/>"
			       "<vector id=\"v\" type=\"ieee_single\" count=\"4\"/>"
			       "<reg name=\"late\" bitsize=\"8\" regnum=\"10\" "
			       "save-restore=\"no\"/></feature>"
			       "<xi:include href=\"b.xml\"/>"
			       "<feature name=\"three\"><reg name=\"early\" bitsize=\"1\" "
			       "regnum=\"5\"/></feature>"
			       "</target>"},
		{"b.xml", "<feature name=\"two\"><reg name=\"next\" bitsize=\"80\"/>"
			  "<reg name=\"a\" bitsize=\"16\"/>"
			  "<reg name=\"za\" bitsize=\"524288\"/></feature>"},
		{NULL, NULL}};
	g_autoptr (GError) error = NULL;
	g_autoptr (KdRegLayout) layout = kd_reg_layout_fetch (fetch_page, pages, &error);

	g_assert_no_error (error);
	g_assert_cmpstr (layout->architecture, ==, "i386");
	is_reg (layout, "a", 0, 32, 0, "one");
	is_reg (layout, "early", 5, 1, 4, "three");
	is_reg (layout, "late", 10, 8, 5, "one");
	is_reg (layout, "next", 11, 80, 6, "two");
	g_assert_cmpuint (g_array_index (layout->regs, KdRegDesc, 4).regnum, ==, 12);
	g_assert_cmpuint (layout->g_size, ==, 18 + 65536);
	/* SME's, as wide as QEMU 11 has it. */
	is_reg (layout, "za", 13, 524288, 18, "two");
	g_assert_cmpstr (kd_reg_layout_find (layout, "a")->group, ==, "general");
	g_assert_null (kd_reg_layout_find (layout, "late")->group);
	g_assert_false (kd_reg_layout_find (layout, "late")->save_restore);
	g_assert_cmpstr (kd_reg_layout_find (layout, "late")->type, ==, "int");
}

#define REG(attributes) "<target><feature name=\"f\"><reg " attributes "/></feature></target>"
#define LONG_40 "0123456789012345678901234567890123456789"

static const struct {
	const char *name, *text;
	int code;
} bad[] = {
	{"empty", "", KD_PROTO_ERROR_MALFORMED},
	{"not-xml", "qXfer", KD_PROTO_ERROR_MALFORMED},
	{"cut-off", "<target><feature name=\"f\">", KD_PROTO_ERROR_MALFORMED},
	{"not-utf-8", "<target>\xff</target>", KD_PROTO_ERROR_MALFORMED},
	{"no-name", REG ("bitsize=\"64\""), KD_PROTO_ERROR_MALFORMED},
	{"empty-name", REG ("name=\"\" bitsize=\"64\""), KD_PROTO_ERROR_MALFORMED},
	{"long-name", REG ("name=\"" LONG_40 LONG_40 LONG_40 LONG_40 "\" bitsize=\"64\""),
		KD_PROTO_ERROR_MALFORMED},
	{"long-type",
		REG ("name=\"a\" bitsize=\"64\" type=\"" LONG_40 LONG_40 LONG_40 LONG_40 "\""),
		KD_PROTO_ERROR_MALFORMED},
	{"no-bitsize", REG ("name=\"a\""), KD_PROTO_ERROR_MALFORMED},
	{"zero-bitsize", REG ("name=\"a\" bitsize=\"0\""), KD_PROTO_ERROR_MALFORMED},
	{"huge-bitsize", REG ("name=\"a\" bitsize=\"4194305\""), KD_PROTO_ERROR_MALFORMED},
	{"bad-bitsize", REG ("name=\"a\" bitsize=\"64bit\""), KD_PROTO_ERROR_MALFORMED},
	{"negative-number", REG ("name=\"a\" bitsize=\"64\" regnum=\"-1\""),
		KD_PROTO_ERROR_MALFORMED},
	{"huge-number", REG ("name=\"a\" bitsize=\"64\" regnum=\"4294967296\""),
		KD_PROTO_ERROR_MALFORMED},
	{"number-twice",
		"<target><reg name=\"a\" bitsize=\"8\" regnum=\"3\"/>"
		"<reg name=\"b\" bitsize=\"8\" regnum=\"3\"/></target>",
		KD_PROTO_ERROR_MALFORMED},
	{"number-runs-over",
		"<target><reg name=\"a\" bitsize=\"8\" regnum=\"65535\"/>"
		"<reg name=\"b\" bitsize=\"8\"/></target>",
		KD_PROTO_ERROR_TOO_LARGE},
	{"include-itself", "<target><xi:include href=\"target.xml\"/></target>",
		KD_PROTO_ERROR_TOO_LARGE},
	{"include-nothing", "<target><xi:include/></target>", KD_PROTO_ERROR_MALFORMED},
	{"nested",
		"<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></"
		"a>"
		"</a></a></a></a></a></a></a></a></a>",
		KD_PROTO_ERROR_TOO_LARGE},
};

static void
test_bad (gconstpointer data)
{
	const typeof (bad[0]) *row = data;
	Page pages[] = {{"target.xml", row->text}, {NULL, NULL}};
	g_autoptr (GError) error = NULL;

	g_assert_null (kd_reg_layout_fetch (fetch_page, pages, &error));
	g_assert_error (error, KD_PROTO_ERROR, row->code);
}

static void
test_fetch_fails (void)
{
	static Page pages[] = {{"target.xml", "<target><xi:include href=\"x\"/></target>"}, {0}};
	g_autoptr (GError) error = NULL;

	g_assert_null (kd_reg_layout_fetch (fetch_page, pages, &error));
	g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
}

/* Many includes side by side, and many registers. */
static void
test_too_many (void)
{
	static const char *const units[] = {
		"<xi:include href=\"b.xml\"/>", "<reg name=\"r\" bitsize=\"8\"/>"};

	for (size_t i = 0; i < G_N_ELEMENTS (units); i++) {
		g_autoptr (GString) text = g_string_new ("<target>");
		g_autoptr (GError) error = NULL;

		for (int n = 0; n <= KD_TARGET_XML_REGS_MAX; n++)
			g_string_append (text, units[i]);
		g_string_append (text, "</target>");

		Page pages[] = {{"target.xml", text->str}, {"b.xml", "<feature/>"}, {0}};

		g_assert_null (kd_reg_layout_fetch (fetch_page, pages, &error));
		g_assert_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE);
	}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/target-xml/qemu-7.2", test_qemu_7_2);
	g_test_add_func ("/target-xml/qemu-10.0", test_qemu_10_0);
	g_test_add_func ("/target-xml/numbers", test_numbers);
	for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
		g_autofree char *path = g_strdup_printf ("/target-xml/bad/%s", bad[i].name);

		g_test_add_data_func (path, &bad[i], test_bad);
	}
	g_test_add_func ("/target-xml/fetch-fails", test_fetch_fails);
	g_test_add_func ("/target-xml/too-many", test_too_many);
	return g_test_run();
}
