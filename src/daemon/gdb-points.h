/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "target/target.h"

/*
 * Breakpoints and watchpoints of one debugger. Each has its own number in the target's table,
 * whatever others have set at the same place. Worker thread.
 */
typedef struct KdGdbPoints KdGdbPoints;

KdGdbPoints *kd_gdb_points_new (void);
/* Leaves the target alone: kd_gdb_points_leave() comes before. */
void kd_gdb_points_free (KdGdbPoints *points);

/*
 * Setting one that is set, or removing one that is not, is no failure: clients repeat themselves.
 * The machine is stopped.
 */
gboolean kd_gdb_points_insert (KdGdbPoints *points, KdTarget *target, KdBreakKind kind, uint64_t va,
	uint64_t len, GError **error);
gboolean kd_gdb_points_remove (KdGdbPoints *points, KdTarget *target, KdBreakKind kind, uint64_t va,
	uint64_t len, GError **error);

typedef enum {
	KD_GDB_POINT_NONE, /* the stop is nothing to this client's points */
	KD_GDB_POINT_SOFTWARE,
	KD_GDB_POINT_HARDWARE,
	KD_GDB_POINT_WRITE,
	KD_GDB_POINT_READ,
	KD_GDB_POINT_ACCESS,
} KdGdbPointKind;

/* Which kind of its points `stop` is at. */
KdGdbPointKind kd_gdb_points_at (KdGdbPoints *points, KdTarget *target, const KdStop *stop);

/*
 * Takes all away. The machine runs afterwards if it ran before, with `run`, and where nobody but
 * this client wanted it to stop. FALSE: it cannot be stopped now; to be called again at the next
 * stop, with `run` where nobody else may have asked for that.
 */
gboolean kd_gdb_points_leave (KdGdbPoints *points, KdTarget *target, gboolean run);
