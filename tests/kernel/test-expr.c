/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fake-kernel.h"
#include "kernel/expr-complete.h"
#include "kernel/expr.h"

static const struct {
	const char *name, *text;
	int64_t value;
} rows[] = {
	{"decimal", "42", 42},
	{"hex", "0xffff", 0xffff},
	{"octal", "010", 8},
	{"binary", "0b101", 5},
	{"suffix", "1UL << 40", INT64_C (1) << 40},
	{"char", "'A'", 65},
	{"char-escape", "'\\n'", 10},
	{"precedence", "2 + 3 * 4 - 1", 13},
	{"left-to-right", "20 - 5 - 3", 12},
	{"parentheses", "(2 + 3) * 4", 20},
	{"bits-below-comparison", "1 | 2 == 2", 1},
	{"and-below-equal", "6 & 3 == 3", 0},
	{"xor", "5 ^ 1 | 8", 12},
	{"unary", "-~!0", 2},
	{"signed-division", "-7 / 2", -3},
	{"signed-remainder", "-7 % 2", -1},
	{"unsigned-division", "0xffffffffffffffff / 2", INT64_MAX},
	{"divide-minimum-by-minus-one", "(-9223372036854775807 - 1) / -1", INT64_MIN},
	{"signed-comparison", "-1 < 1", 1},
	{"signed-shift", "-8 >> 1", -4},
	{"short-circuit-and", "0 && 1 / 0", 0},
	{"short-circuit-or", "1 || 1 / 0", 1},
	{"ternary", "1 ? 2 : 3", 2},
	{"ternary-nested", "0 ? 1 : 0 ? 2 : 3", 3},
	{"ternary-untaken-fails-not", "1 ? 2 : *(int *)0", 2},
	{"variable-member", "the_item.value", -7},
	{"bit-field", "the_item.high", -2},
	{"anonymous", "the_item.hi", 2},
	{"arrow", "the_item.next_item->next_item->low", 5},
	{"array", "the_item.table[1 + 2]", 30},
	{"index-commutes-not-needed", "*(the_item.table + 2)", 20},
	{"array-variable", "numbers[0]", 0},
	{"address-of", "&the_item.link", FAKE_ITEM + 56},
	{"address-of-element", "&the_item.table[2]", FAKE_ITEM + 96},
	{"function-as-address", "&do_thing", FAKE_FUNCTION},
	{"cast-pointer", "((struct item *)0xffff000000010000)->value", -7},
	{"cast-narrow", "(unsigned char)0x1ff", 0xff},
	{"cast-signed", "(int)0xffffffff", -1},
	{"cast-typedef", "(u64)-1", -1},
	{"cast-binds-tighter", "(u64)1 + 1", 2},
	{"cast-of-deref", "*(int *)(0xffff000000010000 + 16)", -7},
	{"pointer-plus", "(struct item *)0x1000 + 2", 0x1000 + 240},
	{"plus-pointer", "2 + (struct item *)0x1000", 0x1000 + 240},
	{"pointer-minus", "(struct item *)0x1000 - 1", 0x1000 - 120},
	{"pointer-difference", "(struct item *)0x10f0 - (struct item *)0x1000", 2},
	{"void-pointer-plus", "(void *)0x1000 + 2", 0x1002},
	{"pointer-comparison", "the_item.next_item == &the_item", 1},
	{"sizeof-type", "sizeof(struct item)", 120},
	{"sizeof-array-type", "sizeof(int[4])", 16},
	{"sizeof-expression", "sizeof the_item.table", 16},
	{"sizeof-reads-nothing", "sizeof(((struct item *)0)->next_item->table)", 16},
	{"sizeof-deref-reads-nothing", "sizeof(*((struct item *)0)->next_item)", 120},
	{"enumerator", "BLUE + F_C", 9},
	{"enum-compare", "the_item.color == BLUE", 1},
	{"register", "$x0", FAKE_ITEM},
	{"register-of-cpu", "$pc", FAKE_FUNCTION + 4},
	{"register-cast", "((struct item *)$x0)->value", -7},
	{"per-cpu", "per_cpu(cpu_item, 1).value", 77},
	{"per-cpu-ptr", "per_cpu_ptr(&cpu_item, 1)->value", 77},
	{"this-cpu", "this_cpu(cpu_item).value", 77},
	{"container-of", "container_of(the_item.link.next, struct item, link)->value", -7},
	{"per-cpu-type", "sizeof(cpu_item.table)", 16},
	{"offsetof", "offsetof(struct item, hi)", 44},
	{"offsetof-path", "offsetof(struct item, link.prev)", 64},
	{"spaces", "  the_item . value  ", -7},
};

static KdKernel *
new_filled (void)
{
	KdKernel *kernel = fake_kernel_new();

	fake_kernel_fill_item (kernel);
	/* cpu_item.value of CPU 1 */
	fake_kernel_write_u64 (kernel, FAKE_PERCPU + 0x100 + 16, 77);
	return kernel;
}

static void
test_value (gconstpointer data)
{
	guint row = GPOINTER_TO_UINT (data);
	g_autoptr (KdKernel) kernel = new_filled();
	g_autoptr (GError) error = NULL;
	KdObject object;
	int64_t value = 0;

	kd_expr_eval (kernel, 1, rows[row].text, &object, &error);
	g_assert_no_error (error);
	kd_object_i64 (&object, &value, &error);
	g_assert_no_error (error);
	g_assert_cmpint (value, ==, rows[row].value);
}

static const struct {
	const char *name, *text;
	GQuark (*domain) (void);
	int code;
	unsigned column;
	const char *message;
} bad_rows[] = {
	{"empty", "", kd_kernel_error_quark, KD_KERNEL_ERROR_SYNTAX, 1, "ends where"},
	{"operator-at-end", "1 +", kd_kernel_error_quark, KD_KERNEL_ERROR_SYNTAX, 4, "ends where"},
	{"unclosed", "(1 + 2", kd_kernel_error_quark, KD_KERNEL_ERROR_SYNTAX, 7, "')'"},
	{"unopened", "1)", kd_kernel_error_quark, KD_KERNEL_ERROR_SYNTAX, 2, "follow"},
	{"two-values", "1 2", kd_kernel_error_quark, KD_KERNEL_ERROR_SYNTAX, 3, "follow"},
	{"bad-digit", "1 + 0xzz", kd_kernel_error_quark, KD_KERNEL_ERROR_SYNTAX, 5, "digit"},
	{"too-large", "18446744073709551616", kd_kernel_error_quark, KD_KERNEL_ERROR_SYNTAX, 1,
		"64 bits"},
	{"assignment", "the_item.value = 1", kd_kernel_error_quark, KD_KERNEL_ERROR_SYNTAX, 16,
		"never writes"},
	{"bad-character", "1 @ 2", kd_kernel_error_quark, KD_KERNEL_ERROR_SYNTAX, 3, "character"},
	{"unclosed-char", "'a", kd_kernel_error_quark, KD_KERNEL_ERROR_SYNTAX, 1, "quote"},
	{"call", "do_thing(1)", kd_kernel_error_quark, KD_KERNEL_ERROR_SYNTAX, 1, "called"},
	{"unknown-symbol", "1 + absent", kd_kernel_error_quark, KD_KERNEL_ERROR_NOT_FOUND, 5,
		"absent"},
	{"unknown-member", "the_item.valu", kd_kernel_error_quark, KD_KERNEL_ERROR_NOT_FOUND, 10,
		"did you mean value"},
	{"unknown-type", "(struct itme *)0", kd_kernel_error_quark, KD_KERNEL_ERROR_NOT_FOUND, 2,
		"did you mean struct item"},
	{"unknown-register", "$x99", kd_target_error_quark, KD_TARGET_ERROR_NOT_FOUND, 1, "x99"},
	{"division", "1 / 0", kd_kernel_error_quark, KD_KERNEL_ERROR_RANGE, 3, "zero"},
	{"remainder", "1 % (2 - 2)", kd_kernel_error_quark, KD_KERNEL_ERROR_RANGE, 3, "zero"},
	{"shift", "1 << 64", kd_kernel_error_quark, KD_KERNEL_ERROR_RANGE, 3, "shift"},
	{"index", "the_item.table[4]", kd_kernel_error_quark, KD_KERNEL_ERROR_RANGE, 16, "4"},
	{"index-of-element", "the_item.table[0][1]", kd_kernel_error_quark, KD_KERNEL_ERROR_TYPE,
		19, "one dimension"},
	{"cpu", "per_cpu(cpu_item, 2)", kd_kernel_error_quark, KD_KERNEL_ERROR_RANGE, 9, "no CPU"},
	{"deref-integer", "*1", kd_kernel_error_quark, KD_KERNEL_ERROR_TYPE, 1, "no pointer"},
	{"deref-void", "*(void *)0xffff000000010000 + 1", kd_kernel_error_quark,
		KD_KERNEL_ERROR_TYPE, 1, ""},
	{"address-of-number", "&1", kd_kernel_error_quark, KD_KERNEL_ERROR_TYPE, 1, "no address"},
	{"address-of-bit-field", "&the_item.low", kd_kernel_error_quark, KD_KERNEL_ERROR_TYPE, 1,
		"bit-field"},
	{"add-structures", "the_item + 1", kd_kernel_error_quark, KD_KERNEL_ERROR_TYPE, 1,
		"struct item"},
	{"per-cpu-template", "1 + cpu_item.value", kd_kernel_error_quark, KD_KERNEL_ERROR_TYPE, 5,
		"per_cpu(cpu_item, CPU)"},
	{"untyped", "untyped + 1", kd_kernel_error_quark, KD_KERNEL_ERROR_TYPE, 1, "not known"},
	{"null", "((struct item *)0)->value + 1", kd_target_error_quark, KD_TARGET_ERROR_FAULT, 1,
		"not mapped"},
};

static void
test_bad (gconstpointer data)
{
	guint row = GPOINTER_TO_UINT (data);
	g_autoptr (KdKernel) kernel = new_filled();
	g_autofree char *column = g_strdup_printf ("column %u: ", bad_rows[row].column);
	g_autoptr (GError) error = NULL;
	KdObject object = {.value = 42};

	g_assert_false (kd_expr_eval (kernel, 1, bad_rows[row].text, &object, &error));
	g_assert_error (error, bad_rows[row].domain(), bad_rows[row].code);
	if (!g_str_has_prefix (error->message, column) ||
		!strstr (error->message, bad_rows[row].message))
		g_error ("%s: \"%s\"", bad_rows[row].text, error->message);
	g_assert_cmpuint (object.value, ==, 42);
}

static void
test_limits (void)
{
	g_autoptr (KdKernel) kernel = new_filled();
	static const char *const parts[] = {"(", "-", "!", "*", "sizeof ", "1?", "(u64)", "1+("};

	for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
		g_autoptr (GString) text = g_string_new (NULL);
		g_autoptr (GError) error = NULL;
		KdObject object;

		while (text->len + strlen (parts[i]) < KD_EXPR_LENGTH_MAX)
			g_string_append (text, parts[i]);
		g_assert_false (kd_expr_eval (kernel, 0, text->str, &object, &error));
		g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_SYNTAX);
		g_assert_nonnull (strstr (error->message, "nested"));
		g_clear_error (&error);
		while (text->len <= KD_EXPR_LENGTH_MAX)
			g_string_append (text, parts[i]);
		g_assert_false (kd_expr_eval (kernel, 0, text->str, &object, &error));
		g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_SYNTAX);
		g_assert_nonnull (strstr (error->message, "too long"));
	}
}

static void
test_place (void)
{
	g_autoptr (KdKernel) kernel = new_filled();
	g_autoptr (GError) error = NULL;
	KdObject object;

	g_assert_false (kd_expr_eval (kernel, 0, "1 + the_item.valu", &object, &error));
	g_assert_true (g_str_has_suffix (error->message, ", at 1 + the_item.^valu"));
}

/* --- addresses --- */

static const struct {
	const char *name, *text;
	KdSpace space;
	uint64_t value;
} addr_rows[] = {
	{"number", "0x1000", {KD_SPACE_KERNEL, 0}, 0x1000},
	{"phys", "phys:0x40000000", {KD_SPACE_PHYS, 0}, 0x40000000},
	{"vm", "vm:0:0x80000000", {KD_SPACE_VM, 0}, 0x80000000},
	{"user", "user:12:0x400000 + 4", {KD_SPACE_USER, 12}, 0x400004},
	{"function", "do_thing", {KD_SPACE_KERNEL, 0}, FAKE_FUNCTION},
	{"function-offset", "do_thing+0x10", {KD_SPACE_KERNEL, 0}, FAKE_FUNCTION + 0x10},
	{"dotted-symbol", "do_thing.isra.0", {KD_SPACE_KERNEL, 0}, FAKE_FUNCTION + 0x100},
	{"dotted-symbol-offset", "do_thing.isra.0 + 8", {KD_SPACE_KERNEL, 0},
		FAKE_FUNCTION + 0x108},
	{"structure", "the_item", {KD_SPACE_KERNEL, 0}, FAKE_ITEM},
	{"structure-offset", "the_item+0x10", {KD_SPACE_KERNEL, 0}, FAKE_ITEM + 0x10},
	{"structure-minus", "the_item-16", {KD_SPACE_KERNEL, 0}, FAKE_ITEM - 0x10},
	{"untyped", "untyped", {KD_SPACE_KERNEL, 0}, FAKE_UNTYPED},
	{"untyped-offset", "untyped+8", {KD_SPACE_KERNEL, 0}, FAKE_UNTYPED + 8},
	{"array", "numbers", {KD_SPACE_KERNEL, 0}, FAKE_NUMBERS},
	{"pointer-by-value", "the_item.next_item", {KD_SPACE_KERNEL, 0}, FAKE_ITEM},
	{"address-of", "&the_item.table[1]", {KD_SPACE_KERNEL, 0}, FAKE_ITEM + 92},
	{"register", "$pc", {KD_SPACE_KERNEL, 0}, FAKE_FUNCTION},
	{"register-of-space", "cpu:1:$pc", {KD_SPACE_CPU, 1}, FAKE_FUNCTION + 4},
	{"ternary", "1 ? 0x10 : 0x20", {KD_SPACE_KERNEL, 0}, 0x10},
};

static void
test_addr (gconstpointer data)
{
	guint row = GPOINTER_TO_UINT (data);
	g_autoptr (KdKernel) kernel = new_filled();
	g_autoptr (GError) error = NULL;
	KdAddr addr = {0};

	kd_expr_eval_addr (
		kd_kernel_target (kernel), kernel, 0, addr_rows[row].text, &addr, &error);
	g_assert_no_error (error);
	g_assert_cmpint (addr.space.kind, ==, addr_rows[row].space.kind);
	g_assert_cmpint (addr.space.id, ==, addr_rows[row].space.id);
	g_assert_cmphex (addr.value, ==, addr_rows[row].value);
}

static void
test_addr_without_kernel (void)
{
	g_autoptr (GError) error = NULL;
	KdAddr addr = {{KD_SPACE_VM, 9}, 42};

	g_assert_true (kd_expr_eval_addr (NULL, NULL, 0, "phys:0x1000 + 2 * 8", &addr, &error));
	g_assert_no_error (error);
	g_assert_cmpint (addr.space.kind, ==, KD_SPACE_PHYS);
	g_assert_cmphex (addr.value, ==, 0x1010);
	g_assert_false (kd_expr_eval_addr (NULL, NULL, 0, "the_item", &addr, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND);
	g_clear_error (&error);
	g_assert_false (kd_expr_eval_addr (NULL, NULL, 0, "nowhere:0x10", &addr, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_SYNTAX);
	g_clear_error (&error);
	g_assert_false (kd_expr_eval_addr (NULL, NULL, 0, "(struct item *)1", &addr, &error));
	g_assert_nonnull (error);
	g_clear_error (&error);
	g_assert_false (kd_expr_eval_addr (NULL, NULL, 0, "*0x10", &addr, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE);
	g_assert_cmphex (addr.value, ==, 0x1010);
}

/* --- completion --- */

static const struct {
	const char *name, *text;
	const char *wanted[4]; /* all of them; NULL-terminated */
} complete_rows[] = {
	{"member", "the_item.tab", {"table"}},
	{"member-of-cast", "1 + ((struct item *)0)->co", {"color"}},
	{"member-chain", "((struct item *)0)->next_item->link.n", {"next"}},
	{"member-of-index", "the_item.next_item[2] . ra", {"raw"}},
	{"member-anonymous", "the_item.l", {"label", "link", "lo", "low"}},
	{"member-behind-call", "(u64)per_cpu (cpu_item, 0).whol", {"whole"}},
	{"member-all", "(the_item.link).", {"next", "prev"}},
	{"member-of-integer", "the_item.value.", {NULL}},
	{"member-of-nothing", ")->x", {NULL}},
	{"tag", "(struct list_", {"list_head"}},
	{"tag-enum", "sizeof(enum co", {"color"}},
	{"type-in-cast", "(u12", {"u128"}},
	{"register", "1 + $x", {"x0"}},
	{"function", "offs", {"offsetof"}},
};

static void
test_complete (gconstpointer data)
{
	guint row = GPOINTER_TO_UINT (data), nr = 0;
	g_autoptr (KdKernel) kernel = new_filled();
	g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);

	kd_expr_complete (kernel, complete_rows[row].text, found);
	for (; nr < 4 && complete_rows[row].wanted[nr]; nr++)
		g_assert_true (g_ptr_array_find_with_equal_func (
			found, complete_rows[row].wanted[nr], g_str_equal, NULL));
	g_assert_cmpuint (found->len, ==, nr);
}

#define ADD_ROWS(prefix, table, func)                                                              \
	for (guint i = 0; i < G_N_ELEMENTS (table); i++) {                                         \
		g_autofree char *path = g_strconcat (prefix, table[i].name, NULL);                 \
		g_test_add_data_func (path, GUINT_TO_POINTER (i), func);                           \
	}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	ADD_ROWS ("/expr/value/", rows, test_value);
	ADD_ROWS ("/expr/bad/", bad_rows, test_bad);
	ADD_ROWS ("/expr/addr/", addr_rows, test_addr);
	ADD_ROWS ("/expr/complete/", complete_rows, test_complete);
	g_test_add_func ("/expr/place", test_place);
	g_test_add_func ("/expr/limits", test_limits);
	g_test_add_func ("/expr/addr-without-kernel", test_addr_without_kernel);
	return g_test_run();
}
