/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * `kvmdbg run` with the words behind it: runs jobs and reports on standard output, as TAP or, with
 * `json`, as JSON. Exit status: kd_report_exit_status(), or 2 for a wrong command line.
 */
int kd_run_main (char **words, gboolean json);
