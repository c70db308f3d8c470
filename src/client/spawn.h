/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/*
 * Connects to the daemon's socket; -1 and an error otherwise (NO_SESSION: none runs). With `start`
 * a daemon is started when none answers, and waited for; two that start at once share one.
 */
int kd_spawn_connect (gboolean start, GError **error);
