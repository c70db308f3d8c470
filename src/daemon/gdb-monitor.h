/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

/* kvmdbg's commands as a debugger's `monitor` sends them: "kvmdbg vms", or "vms". */

/* The command of that line; NULL: none that can be run from there. */
const KdCommand *kd_gdb_monitor_command (const char *line);
/*
 * Its text, or why not; new. `files`: KD_COMMAND_FILES may be run too; relative names are of "/",
 * for nobody knows the debugger's folder. Worker thread.
 */
char *kd_gdb_monitor_run (KdSession *session, const char *line, gboolean files);
