/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

/* Everything said about commands, from their rows. New strings and nodes. */

/* "mem [--phys] ADDR [LEN]" */
char *kd_help_usage (const KdCommand *command);
/* `kvmdbg --help`: all commands by group. */
char *kd_help_overview (void);
/* `kvmdbg COMMAND --help`. */
char *kd_help_command (const KdCommand *command);
/* [{name, group, summary, help, example, args: [{name, short, kind, …}]}]: for programs. */
JsonNode *kd_help_json (void);
/* The manual page in man(7) macros. */
char *kd_help_man (void);
