/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdio.h>

#include "kvmdbg/kvmdbg.h"
#include "options.h"

enum {
	KD_EXIT_DONE = 0,
	KD_EXIT_FAILED = 1,
	KD_EXIT_USAGE = 2,
	KD_EXIT_NO_SESSION = 3,
};

/* "kvmdbg: MESSAGE" on stderr; with --json the error object on `out` too (`error_json` may be
 * NULL). */
void kd_call_print_error (
	const KdCliOptions *options, const GError *error, const char *error_json, FILE *out);

/*
 * Runs the command line `words` (name and arguments) and prints its result on `out`, whose
 * descriptor decides on colour and width. Ctrl-C cancels. Exit status.
 */
int kd_call_command (KvmdbgConnection *connection, const KdCliOptions *options,
	const char *const *words, FILE *out);

/* Calls without printing; takes `params`. The result, or NULL and an error. */
JsonNode *kd_call_quiet (
	KvmdbgConnection *connection, const char *method, JsonObject *params, GError **error);

/* Runs a program on our terminal to its end; its exit status. */
int kd_call_program (char **argv);

/* Parsed JSON text; NULL when it is none. */
JsonNode *kd_call_parse (const char *text);
/* A string member, or NULL. Borrowed. */
const char *kd_call_string (JsonObject *obj, const char *name);
