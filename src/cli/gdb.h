/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "options.h"

/* Runs gdb on the session with these arguments more. Its exit status. */
int kd_gdb_run (const KdCliOptions *options, const char *const *args);
