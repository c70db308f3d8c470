/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "target/target.h"

/* A machine that runs, in memory alone; it can stand for its kernel too. */
KdTarget *fuzz_gdb_target_new (void);
unsigned fuzz_gdb_target_nr_breaks (const KdTarget *target);
/* One of its breakpoints stops it, if it runs and has any. */
void fuzz_gdb_target_hit (KdTarget *target);
