/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fake-kernel.h"
#include "fuzz.h"
#include "kernel/expr-complete.h"
#include "kernel/expr.h"
#include "kernel/format.h"

/* One kernel for all inputs: nothing of an expression may change it. */
static KdKernel *
the_kernel (void)
{
	static KdKernel *kernel;

	if (!kernel) {
		kernel = fake_kernel_new();
		fake_kernel_fill_item (kernel);
	}
	return kernel;
}

static void
evaluate (KdKernel *kernel, const char *text)
{
	static const KdFormatOptions options = {.depth = 3, .limit = 20};
	g_auto (KdFormatted) formatted = {0};
	g_autoptr (GError) error = NULL;
	g_autoptr (GError) format_error = NULL;
	KdObject object;

	if (!kd_expr_eval (kernel, 1, text, &object, &error)) {
		g_assert_nonnull (error);
		g_assert_null (strchr (error->message, '\n'));
		return;
	}
	g_assert_no_error (error);
	/* What evaluates also has a type when it is not evaluated, but for what reading says of
	 * it. */
	if (!kd_format_object (&object, &options, &formatted, &format_error))
		g_assert_nonnull (format_error);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup ((const char *)data, size);
	g_autoptr (GPtrArray) candidates = g_ptr_array_new_with_free_func (g_free);
	KdKernel *kernel = the_kernel();
	KdAddr addr;

	evaluate (kernel, text);
	kd_expr_type_of (kernel, text);
	kd_expr_eval_addr (kd_kernel_target (kernel), kernel, 0, text, &addr, NULL);
	kd_expr_eval_addr (NULL, NULL, 0, text, &addr, NULL);
	kd_expr_complete (kernel, text, candidates);
	return 0;
}
