/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>
#include <stdint.h>

/*
 * Asks the servers of DEBUGINFOD_URLS for the file with debug information that has this build-id,
 * through elfutils' client library, which is opened only now: path in its cache, new string. NULL
 * and *ret_why (new string): what it answered, or why it was not asked. Blocks on the network;
 * `cancellable` may be NULL.
 */
char *kd_debuginfod_find (
	const uint8_t *build_id, size_t build_id_len, GCancellable *cancellable, char **ret_why);
