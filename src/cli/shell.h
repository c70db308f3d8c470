/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "options.h"

/* The interactive shell; with standard input that is no terminal, a script of lines. Exit status.
 */
int kd_shell_run (const KdCliOptions *options);
