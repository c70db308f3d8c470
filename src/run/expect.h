/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "run/job.h"

/*
 * What a job expects of a result: “PATH OPERATOR VALUE”. PATH is a JSONPath ($.findings[*].id),
 * which may name several values. == < <= > >= and ~ (a Perl-compatible regular expression) hold
 * when they hold for one of them, != and !~ when == and ~ do not, and “exists” and “absent” tell
 * whether there is any. Numbers (0x… too) are compared as such where both sides are.
 */

/* FALSE: KD_JOB_ERROR_FILE, the text is no expectation. */
gboolean kd_expect_check (const char *text, GError **error);
/* FALSE: KD_JOB_ERROR_FAILED, with what was found instead. */
gboolean kd_expect_holds (const char *text, JsonNode *result, GError **error);
/* The first value that `path` names, as text: strings bare, others as JSON. NULL and
 * KD_JOB_ERROR_FAILED when there is none. */
char *kd_expect_value (const char *path, JsonNode *result, GError **error);
