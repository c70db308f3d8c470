/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "command/address.h"
#include "command/break-rules.h"
#include "command/breaks.h"

static const KdArg args[] = {
	{"hardware", 'H', KD_ARG_FLAG, 0, FALSE, NULL,
		"a hardware breakpoint: nothing is ever written into memory"},
	KD_BREAK_RULE_ARGS,
	{"address", 0, KD_ARG_EXPR, KD_ARG_REQUIRED, TRUE, "ADDR",
		"0x…, a symbol, or SYMBOL+OFFSET"},
	{NULL},
};

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	KdBreakKind kind = kd_args_flag (given, "hardware") ? KD_BREAK_HARDWARE : KD_BREAK_SOFTWARE;
	JsonNode *result = kd_breaks_insert (session, kind, given, 0, error);

	if (!result)
		g_prefix_error (error, "break: ");
	return result;
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	if (strcmp (arg_name, "address") == 0)
		kd_command_complete_symbol (session, word, ret_candidates);
}

const KdCommand kd_command_break = {
	.name = "break",
	.group = "run",
	.summary = "stop the machine when any CPU comes to an address",
	.help = "QEMU holds the breakpoint for all CPUs and address spaces. Under TCG guest memory "
		"is untouched, but with a rule on arm64: while the machine runs, a watched load "
		"stands for the instruction, which makes hits cheap (“breaks” says so; "
		"--hardware does not). Under KVM each takes a breakpoint register of the CPUs; "
		"when "
		"those are used up it is an instruction written into guest memory.\n\n"
		"Conditions are judged by the daemon, and the machine goes on without anybody "
		"being asked. One "
		"that fails (memory that is not there, a division by zero) counts as not met; "
		"“breaks” shows how often, and why. At the kernel's addresses code of a guest "
		"does not count.",
	.example = "kvmdbg break kvm_vcpu_ioctl\nkvmdbg break vectors+0x200\n"
		   "kvmdbg break kvm_vcpu_ioctl --if '$x1 == 0xae80' --task vcpu0\n"
		   "kvmdbg break handle_exit --log 'exit of {$x0}'",
	.args = args,
	.flags = KD_COMMAND_NEEDS_STOP | KD_COMMAND_CHANGES,
	.run = run,
	.render = kd_breaks_render_one,
	.complete = complete,
};
