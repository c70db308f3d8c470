/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/gdb-points.h"

#include "daemon/gdb-hold.h"

typedef struct {
	KdBreakKind kind;
	uint64_t va, len;
	int number; /* in the target's table */
} Point;

struct KdGdbPoints {
	GArray *array;   /* Point */
	gboolean orphan; /* the client is gone, its points are not */
};

KdGdbPoints *
kd_gdb_points_new (void)
{
	KdGdbPoints *points = g_new0 (KdGdbPoints, 1);

	points->array = g_array_new (FALSE, FALSE, sizeof (Point));
	return points;
}

void
kd_gdb_points_free (KdGdbPoints *points)
{
	if (!points)
		return;
	g_array_unref (points->array);
	g_free (points);
}

static int
find (const KdGdbPoints *points, KdBreakKind kind, uint64_t va, uint64_t len)
{
	for (guint i = 0; i < points->array->len; i++) {
		const Point *point = &g_array_index (points->array, Point, i);

		if (point->kind == kind && point->va == va && point->len == len)
			return (int)i;
	}
	return -1;
}

static const Point *
by_number (const KdGdbPoints *points, int number)
{
	for (guint i = 0; i < points->array->len; i++)
		if (g_array_index (points->array, Point, i).number == number)
			return &g_array_index (points->array, Point, i);
	return NULL;
}

/* --- one point --- */

gboolean
kd_gdb_points_insert (KdGdbPoints *points, KdTarget *target, KdBreakKind kind, uint64_t va,
	uint64_t len, GError **error)
{
	Point point = {kind, va, len, 0};

	if (find (points, kind, va, len) >= 0)
		return TRUE;
	point.number = kd_target_break_insert (target, kind, va, len, "gdb", error);
	if (!point.number)
		return FALSE;
	g_array_append_val (points->array, point);
	return TRUE;
}

gboolean
kd_gdb_points_remove (KdGdbPoints *points, KdTarget *target, KdBreakKind kind, uint64_t va,
	uint64_t len, GError **error)
{
	int index = find (points, kind, va, len);
	g_autoptr (GError) why = NULL;

	if (index < 0)
		return TRUE;
	/* Somebody may have deleted it by its number: then it is gone as well. */
	if (!kd_target_break_delete (
		    target, g_array_index (points->array, Point, index).number, &why) &&
		!g_error_matches (why, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND)) {
		g_propagate_error (error, g_steal_pointer (&why));
		return FALSE;
	}
	g_array_remove_index (points->array, (guint)index);
	return TRUE;
}

/* --- stops --- */

static KdGdbPointKind
kind_of (const Point *point)
{
	switch (point->kind) {
	case KD_BREAK_SOFTWARE:
		return KD_GDB_POINT_SOFTWARE;
	case KD_BREAK_HARDWARE:
		return KD_GDB_POINT_HARDWARE;
	case KD_WATCH_WRITE:
		return KD_GDB_POINT_WRITE;
	case KD_WATCH_READ:
		return KD_GDB_POINT_READ;
	case KD_WATCH_ACCESS:
		return KD_GDB_POINT_ACCESS;
	}
	return KD_GDB_POINT_NONE;
}

KdGdbPointKind
kd_gdb_points_at (KdGdbPoints *points, KdTarget *target, const KdStop *stop)
{
	unsigned cpu = stop->cpu < 0 ? 0 : (unsigned)stop->cpu;
	gboolean watched = stop->reason == KD_STOP_WATCHPOINT;
	uint64_t at = stop->watch_addr.value;

	if (!watched &&
		(stop->reason != KD_STOP_BREAKPOINT ||
			!kd_target_reg_get (target, cpu, kd_target_arch (target)->pc, &at, NULL)))
		return KD_GDB_POINT_NONE;
	/* Several clients' may be at one place, and only one of them names the stop. */
	for (guint i = 0; i < points->array->len; i++) {
		const Point *point = &g_array_index (points->array, Point, i);

		if (watched ? point->kind >= KD_WATCH_WRITE && at - point->va < point->len
			    : point->kind <= KD_BREAK_HARDWARE && at == point->va)
			return kind_of (point);
	}
	return KD_GDB_POINT_NONE;
}

/* --- the end --- */

/* It stands where only this client, which is gone, wanted it to. */
static gboolean
is_own_stop (const KdGdbPoints *points, KdTarget *target)
{
	const KdStop *stop = kd_target_last_stop (target);

	return stop && stop->breakpoint && by_number (points, stop->breakpoint);
}

gboolean
kd_gdb_points_leave (KdGdbPoints *points, KdTarget *target, gboolean run)
{
	g_autoptr (GError) error = NULL;
	gboolean held = FALSE;
	const KdStop *stop;

	if (kd_target_state (target) == KD_TARGET_LOST)
		return TRUE;
	if (points->array->len && !kd_gdb_hold (target, &held, &error)) {
		g_warning ("gdb server: %u breakpoints stay for now: %s", points->array->len,
			error->message);
		points->orphan = TRUE;
		return FALSE;
	}
	stop = kd_target_last_stop (target);
	if (held)
		run = stop && (stop->reason == KD_STOP_REQUEST || is_own_stop (points, target));
	else if (points->orphan) /* our own request, late, or our own breakpoint */
		run = stop &&
		      ((run && stop->reason == KD_STOP_REQUEST) || is_own_stop (points, target));
	for (guint i = 0; i < points->array->len; i++)
		kd_target_break_delete (
			target, g_array_index (points->array, Point, i).number, NULL);
	g_array_set_size (points->array, 0);
	if (run && kd_target_state (target) == KD_TARGET_STOPPED &&
		!kd_target_cont (target, &error))
		g_warning ("gdb server: the machine stays stopped: %s", error->message);
	return TRUE;
}
