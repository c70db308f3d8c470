/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/address.h"

#include <inttypes.h>
#include <string.h>

#include "command/complete.h"
#include "kernel/expr.h"

gboolean
kd_command_address (KdSession *session, const char *text, KdAddr *ret_addr, GError **error)
{
	return kd_expr_eval_addr (session->target, session->kernel,
		kd_session_stopped_cpu (session), text, ret_addr, error);
}

gboolean
kd_command_cpu (KdSession *session, const KdArgs *args, unsigned *ret_cpu, GError **error)
{
	uint64_t cpu = kd_session_stopped_cpu (session);

	kd_args_uint (args, "cpu", &cpu);
	if (cpu >= kd_target_nr_cpus (session->target)) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND,
			"no CPU %" PRIu64 " (there are %u)", cpu,
			kd_target_nr_cpus (session->target));
		return FALSE;
	}
	*ret_cpu = (unsigned)cpu;
	return TRUE;
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
