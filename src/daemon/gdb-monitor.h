/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

/* kvmdbg's commands as a debugger's `monitor` sends them: "kvmdbg vms", or "vms". */

/* The command of that line; NULL: none that can be run from there. */
const KdCommand *kd_gdb_monitor_command (const char *line);
/* Its text, or why not; new. Worker thread. */
char *kd_gdb_monitor_run (KdSession *session, const char *line);
