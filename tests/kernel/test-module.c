/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/module.h"

#include <string.h>

#include "toy-machine.h"

static const char *vmlinux;

typedef struct {
	KdTarget *target;
	KdKernel *kernel;
	uint64_t first, size, list; /* toy_modules[] */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
	g_autoptr (GError) error = NULL;

	fixture->target = toy_machine_new (vmlinux);
	fixture->kernel =
		kd_kernel_open (fixture->target, &(KdKernelOptions){.vmlinux = vmlinux}, &error);
	g_assert_no_error (error);
	fixture->first = toy_va (fixture->target, "toy_modules");
	fixture->size = kd_type_size (
		kd_image_type_by_name (kd_kernel_image (fixture->kernel), "struct module"));
	fixture->list = toy_member (fixture->target, "struct module", "list");
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
	kd_kernel_free (fixture->kernel);
	kd_target_free (fixture->target);
}

static void
poke (Fixture *fixture, unsigned module, const char *member, uint64_t value)
{
	toy_poke (fixture->target, "toy_modules", module * fixture->size, "struct module", member,
		value);
	toy_next_stop (fixture->target);
}

/* The names in order, and whether what is said of the list has `why` in it (NULL: nothing said). */
static void
assert_modules (Fixture *fixture, const char *names, const char *why)
{
	g_autofree char *said = NULL, *hint = NULL;
	g_autoptr (GString) seen = g_string_new (NULL);
	const GPtrArray *modules = kd_kernel_modules (fixture->kernel, &said);

	for (guint i = 0; i < modules->len; i++)
		g_string_append_printf (seen, "%s%s", i ? " " : "",
			kd_module_name (g_ptr_array_index (modules, i)));
	g_assert_cmpstr (seen->str, ==, names);
	if (!why)
		g_assert_cmpstr (said, ==, NULL);
	else if (!said || !strstr (said, why))
		g_error ("“%s” does not say “%s”", said, why);
	hint = kd_kernel_modules_hint (fixture->kernel);
	g_assert_cmpint (hint[0] == ';', ==, why != NULL);
}

static void
test_list (Fixture *fixture, gconstpointer data)
{
	KdModule *beta = kd_kernel_module_by_name (fixture->kernel, "beta");

	assert_modules (fixture, "beta alpha", NULL);
	g_assert_cmphex (kd_module_base (beta), ==, TOY_MODULES + 0x10000);
	g_assert_cmpuint (kd_module_size (beta), ==, 0x8000);
	g_assert_null (kd_module_symbols_from (beta));
	g_assert_cmpstr (kd_module_symbols_why (beta), ==, "it has no kallsyms");
	g_assert_nonnull (kd_module_types_why (beta));
	g_assert_true (kd_kernel_module_at (fixture->kernel, TOY_MODULES + 0x17fff) == beta);
	g_assert_null (kd_kernel_module_at (fixture->kernel, TOY_MODULES + 0x18000));
	g_assert_null (kd_kernel_module_at (fixture->kernel, TOY_MODULES - 1));
	g_assert_null (kd_kernel_module_by_name (fixture->kernel, "gamma"));
	/* The same one at the next stop; another one where it is loaded elsewhere. */
	toy_next_stop (fixture->target);
	g_assert_true (kd_kernel_module_by_name (fixture->kernel, "beta") == beta);
	poke (fixture, 1, "core_layout.base", TOY_MODULES + 0x40000);
	g_assert_true (kd_kernel_module_by_name (fixture->kernel, "beta") != beta);
	g_assert_null (kd_kernel_module_at (fixture->kernel, TOY_MODULES + 0x10000));
}

static void
test_damaged (Fixture *fixture, gconstpointer data)
{
	g_autoptr (GError) error = NULL;
	uint64_t addr;

	/* Back to itself: what was seen is told once. */
	poke (fixture, 1, "list.next", fixture->first + fixture->size + fixture->list);
	assert_modules (fixture, "beta", "loop");
	/* To nowhere. */
	poke (fixture, 1, "list.next", 0x4141414141414140);
	assert_modules (fixture, "beta", "0x41414141");
	g_assert_false (kd_kernel_symbol_addr (fixture->kernel, "in_alpha", &addr, &error));
	g_assert_nonnull (strstr (error->message, "the list of modules"));
	/* Whole again. */
	poke (fixture, 1, "list.next", fixture->first + fixture->list);
	assert_modules (fixture, "beta alpha", NULL);
}

/* A size that was overwritten hides no other module. */
static void
test_overlap (Fixture *fixture, gconstpointer data)
{
	KdModule *alpha, *beta;

	poke (fixture, 0, "core_layout.size", 0x7fffffff);
	alpha = kd_kernel_module_by_name (fixture->kernel, "alpha");
	beta = kd_kernel_module_by_name (fixture->kernel, "beta");
	g_assert_true (kd_kernel_module_at (fixture->kernel, TOY_MODULES + 0x10000) == beta);
	g_assert_true (kd_kernel_module_at (fixture->kernel, TOY_MODULES + 0x18000) == alpha);
	g_assert_true (kd_kernel_module_at (fixture->kernel, TOY_MODULES + 0x9000) == alpha);
	poke (fixture, 0, "core_layout.base", UINT64_MAX - 16);
	assert_modules (fixture, "beta alpha", NULL);
	g_assert_null (kd_kernel_module_at (fixture->kernel, UINT64_MAX - 8));
}

/* Of a module that is being freed: it has no memory, and is the same at the next stop. */
static void
test_no_memory (Fixture *fixture, gconstpointer data)
{
	KdModule *alpha;

	poke (fixture, 0, "core_layout.base", 0);
	alpha = kd_kernel_module_by_name (fixture->kernel, "alpha");
	g_assert_nonnull (alpha);
	g_assert_cmpuint (kd_module_size (alpha), ==, 0);
	toy_next_stop (fixture->target);
	g_assert_true (kd_kernel_module_by_name (fixture->kernel, "alpha") == alpha);
	assert_modules (fixture, "beta alpha", NULL);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	vmlinux = argv[1];
	g_test_add ("/module/list", Fixture, NULL, set_up, test_list, tear_down);
	g_test_add ("/module/damaged", Fixture, NULL, set_up, test_damaged, tear_down);
	g_test_add ("/module/overlap", Fixture, NULL, set_up, test_overlap, tear_down);
	g_test_add ("/module/no-memory", Fixture, NULL, set_up, test_no_memory, tear_down);
	return g_test_run();
}
