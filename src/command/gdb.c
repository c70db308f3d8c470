/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/command.h"

static const KdArg args[] = {
	{"arg", 0, KD_ARG_STRING, KD_ARG_REPEATED, TRUE, "ARG", "more of gdb's own arguments"},
	{NULL},
};

const KdCommand kd_command_gdb = {
	.name = "gdb",
	.group = "session",
	.summary = "start gdb on the session, beside kvmdbg",
	.help = "gdb-multiarch or gdb ($KVMDBG_GDB: another program) with the session's vmlinux, "
		"connected to the gdb server that each session has; “status” says where, for a gdb "
		"started by hand. Arguments are gdb's, and come behind the connection: "
		"“-batch -ex bt”, “-x FILE”.\n\n"
		"Several gdbs and kvmdbg's commands share the machine: a stop is told to all, "
		"breakpoints are each client's own and go with it. Kernel addresses are the host "
		"kernel's, whatever the CPU does; symbols are moved by KASLR. CPU n is thread n+1. "
		"“monitor kvmdbg COMMAND” runs any command of kvmdbg.\n\n"
		"Steps hold the other CPUs. Return addresses are read without their signature "
		"(gdb before 14 cannot take it off); “monitor kvmdbg mem” shows memory as it is. "
		"When a gdb that found the machine running, or has let it run, detaches or ends, "
		"the machine goes on, unless another is connected.\n\n"
		"“attach --listen” serves gdb at another place too. A port is for this user and "
		"root, and has no “monitor dump” and “monitor list”, which open files; "
		"--listen-any-user and --listen-files of “attach” allow the rest.",
	.example = "kvmdbg gdb\nkvmdbg gdb -batch -ex 'hbreak handle_exit' -ex continue -ex bt",
	.args = args,
	.flags = KD_COMMAND_IN_CLIENT,
};
