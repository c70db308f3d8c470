/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/command.h"

const KdCommand kd_command_shell = {
	.name = "shell",
	.group = "session",
	.summary = "open the interactive shell (as kvmdbg alone does)",
	.help = "Lines are commands as on the command line, with history and completion (Tab). "
		"“COMMAND | PROG” passes the output to a program, “!PROG” runs one; an empty line "
		"repeats a step. Ctrl-C cancels a command, or stops a running machine. Lines from "
		"a file or a pipe are run as a script.",
	.example = "kvmdbg\nkvmdbg shell < script",
	.flags = KD_COMMAND_NO_SESSION | KD_COMMAND_IN_CLIENT,
};
