/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "target/target.h"

/* A machine that somebody else has let run, held for the moment of one request. Worker thread. */

/* Stops it where it runs; *ret_held: it did. */
gboolean kd_gdb_hold (KdTarget *target, gboolean *ret_held, GError **error);
/* Lets what was held run on, unless a stop came by itself in that moment: that is somebody's. */
gboolean kd_gdb_let_go (KdTarget *target, gboolean held, GError **error);
