/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "command/address.h"
#include "command/break-rules.h"
#include "command/breaks.h"

#define DEFAULT_LEN 8
#define LEN_MAX 4096

static const KdArg args[] = {
	{"read", 'r', KD_ARG_FLAG, 0, FALSE, NULL, "stop at reads"},
	{"access", 'a', KD_ARG_FLAG, 0, FALSE, NULL, "stop at reads and writes"},
	KD_BREAK_RULE_ARGS,
	{"address", 0, KD_ARG_EXPR, KD_ARG_REQUIRED, TRUE, "ADDR",
		"0x…, a symbol, or SYMBOL+OFFSET"},
	{"len", 0, KD_ARG_UINT, 0, TRUE, NULL, "bytes watched (default: 8)"},
	{NULL},
};

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	KdBreakKind kind = kd_args_flag (given, "access") ? KD_WATCH_ACCESS
			   : kd_args_flag (given, "read") ? KD_WATCH_READ
							  : KD_WATCH_WRITE;
	uint64_t len = DEFAULT_LEN;
	JsonNode *result;

	kd_args_uint (given, "len", &len);
	if (len == 0 || len > LEN_MAX) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"watch: 1 to %d bytes can be watched", LEN_MAX);
		return NULL;
	}
	result = kd_breaks_insert (session, kind, given, len, error);
	if (!result)
		g_prefix_error (error, "watch: ");
	return result;
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	if (strcmp (arg_name, "address") == 0)
		kd_command_complete_symbol (session, word, ret_candidates);
}

const KdCommand kd_command_watch = {
	.name = "watch",
	.group = "run",
	.summary = "stop the machine when memory is written (or read)",
	.help = "The stop is behind the access; under KVM on arm64 it is before it, and the access "
		"is made when the machine goes on or is stepped.",
	.example = "kvmdbg watch jiffies\nkvmdbg watch --access 0xffff800008001000 4",
	.args = args,
	.flags = KD_COMMAND_NEEDS_STOP | KD_COMMAND_CHANGES,
	.run = run,
	.render = kd_breaks_render_one,
	.complete = complete,
};
