/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * Collects the names nearest to one that was not found, for "did you mean". Feed it any number of
 * candidates; it keeps three.
 */
#define KD_NEAREST_MAX 3

typedef struct KdNearest KdNearest;

KdNearest *kd_nearest_new (const char *wanted);
void kd_nearest_free (KdNearest *nearest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdNearest, kd_nearest_free)

/* `name` is copied when kept. Cheap for names that are far off. */
void kd_nearest_offer (KdNearest *nearest, const char *name);

/* The best first; NULL-terminated, empty when nothing is near. Free with g_strfreev. */
char **kd_nearest_names (const KdNearest *nearest);

/* " (did you mean A, B or C?)", or "" when nothing is near. New string. */
char *kd_nearest_hint (const KdNearest *nearest);

/* The hint for a NULL-terminated array, in one call. */
char *kd_nearest_hint_strv (const char *wanted, const char *const *names);
