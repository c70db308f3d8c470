/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/command.h"

static const KdArg args[] = {
	{"set", 's', KD_ARG_STRING, KD_ARG_REPEATED, FALSE, "KEY=VALUE",
		"another value for a key of the job's [set]"},
	{"matrix", 'm', KD_ARG_STRING, KD_ARG_REPEATED, FALSE, "KEY=A,B",
		"a run for each of these values; given again, for each combination"},
	{"jobs", 'j', KD_ARG_UINT, 0, FALSE, "N", "machines side by side (1)"},
	{"junit", 0, KD_ARG_FILE, 0, FALSE, "FILE", "write JUnit's XML too"},
	{"artefacts", 0, KD_ARG_FILE, 0, FALSE, "DIR",
		"where each job's logs and results go (default: a new folder in "
		"$XDG_STATE_HOME/kvmdbg/runs)"},
	{"keep", 0, KD_ARG_FLAG, 0, FALSE, NULL,
		"a failed job's machine stays, stopped, until Ctrl-C"},
	{"check", 0, KD_ARG_FLAG, 0, FALSE, NULL, "only read the job files"},
	{"file", 0, KD_ARG_FILE, KD_ARG_REQUIRED | KD_ARG_REPEATED, TRUE, "FILE", "jobs"},
	{NULL},
};

const KdCommand kd_command_run = {
	.name = "run",
	.group = "jobs",
	.summary = "run jobs: boot machines, do their steps, report",
	.help = "A job is a key file. Its groups, with keys:\n"
		"[job] description; timeout in seconds (600); needs: programs and files, parted by "
		"“;”, "
		"without which it is skipped\n"
		"[set] variables, used as ${NAME} in every value; --set and --matrix change them\n"
		"[prepare] run: a shell command in the job's folder (builds the kernel); lines "
		"NAME=VALUE "
		"that it prints set variables; status 77 skips the job; timeout (3600)\n"
		"[machine] qemu, options, kernel, initrd, append; vmlinux, debug-dir, "
		"attach-options; ready: "
		"what the console says before kvmdbg attaches (a regular expression); timeout "
		"(300) until then; "
		"keep-on-failure\n"
		"[collect] on-failure: commands, parted by “;”, whose texts are kept when a step "
		"fails "
		"(explain;bt -a;log; “dump ${artefacts}/vmcore” for a dump)\n"
		"[step NAME], in this order, each one of: run, a kvmdbg command; wait, for "
		"“console "
		"REGEX”, “event NAME” (stopped, running, target-lost, since the last command) or "
		"“condition "
		"EXPR”; send, a line to the console; shell, a command in the shell on the console; "
		"gdb, a script that gdb runs on the session. "
		"With timeout "
		"(60), status (0), expect and expect.ANY: “JSONPATH OPERATOR VALUE” on the result "
		"(== != < <= > "
		">= ~ !~ exists absent), save.NAME: a JSONPath whose value is ${NAME} from there "
		"on.\n\n"
		"Files are relative to the job's folder. QEMU gets a stub, a monitor and a console "
		"on sockets of "
		"its own, and never outlives the run. Output is TAP. Exit status: 0 passed, 1 "
		"failed, 77 all "
		"skipped, 125 one could not be run; so “git bisect run kvmdbg run FILE” works.\n\n"
		"JSON: [{name, outcome (\"passed\", \"failed\", \"skipped\", \"could not be "
		"run\"), seconds, "
		"artefacts, steps: [{name, outcome (also \"not reached\"), why, seconds}]}].",
	.example = "kvmdbg run tests/jobs/vhe-ftrace.job\n"
		   "kvmdbg run --matrix qemu=7.2,10 --jobs 2 --junit out.xml guest.job\n"
		   "git bisect run kvmdbg run bug.job",
	.args = args,
	.flags = KD_COMMAND_NO_SESSION | KD_COMMAND_IN_CLIENT,
};
