/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/* A job's processes. They end with the thread that started them, however that ends. */

/*
 * Runs a program to its end, in `dir`. Its standard output in *ret_output (new); both of its
 * outputs go to the file `log`. -1 and an error when it could not be started, was cancelled, or
 * ended by a signal.
 */
int kd_process_run (const char *const *argv, const char *dir, const char *log, char **ret_output,
	GCancellable *cancellable, GError **error);
/* The process of `argv`, both outputs in the file `log`. 0 and KD_JOB_ERROR_BROKEN when it can't be
 * started. */
GPid kd_process_start (const char *const *argv, const char *log, GError **error);
/* It and what it started; waits for its end. */
void kd_process_kill (GPid pid, int signal_number);
