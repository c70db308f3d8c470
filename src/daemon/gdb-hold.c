/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/gdb-hold.h"

gboolean
kd_gdb_hold (KdTarget *target, gboolean *ret_held, GError **error)
{
	*ret_held = kd_target_state (target) == KD_TARGET_RUNNING;
	return !*ret_held || kd_target_stop (target, error);
}

gboolean
kd_gdb_let_go (KdTarget *target, gboolean held, GError **error)
{
	const KdStop *stop = kd_target_last_stop (target);

	return !held || !stop || stop->reason != KD_STOP_REQUEST || kd_target_cont (target, error);
}
