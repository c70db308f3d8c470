/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

#define KD_COMPLETE_MAX 500 /* candidates told; more are of no use to a person */

/*
 * Candidates for the word that ends at byte `point` of `line` (a command line without the program's
 * name). `session` may be NULL: then only what the table knows. New node:
 * {"start": byte offset of the word, "candidates": [strings], "files": bool}; "files" asks the
 * client to offer file names too.
 */
JsonNode *kd_complete (KdSession *session, const char *line, size_t point);
