/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/address.h"

#include <string.h>

#include "command/complete.h"
#include "kernel/expr.h"

gboolean
kd_command_address (KdSession *session, const char *text, KdAddr *ret_addr, GError **error)
{
	const KdStop *stop = session->target ? kd_target_last_stop (session->target) : NULL;
	unsigned cpu = stop && stop->cpu > 0 ? (unsigned)stop->cpu : 0;

	return kd_expr_eval_addr (session->target, session->kernel, cpu, text, ret_addr, error);
}

static gboolean
offer_symbol (const KdSymbol *symbol, void *data)
{
	GPtrArray *candidates = data;

	g_ptr_array_add (candidates, g_strdup (symbol->name));
	return candidates->len < KD_COMPLETE_MAX;
}

void
kd_command_complete_symbol (KdSession *session, const char *word, GPtrArray *ret_candidates)
{
	KdImage *image = session->kernel ? kd_kernel_image (session->kernel) : NULL;

	/* Every symbol of a kernel is no help to anybody. */
	if (image && strlen (word) >= 2)
		kd_image_symbols_foreach (image, word, offer_symbol, ret_candidates);
}
