/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

/*
 * What must be so at a breakpoint for it to stop the machine, and what is done there instead.
 * Judged in the session's worker as soon as the machine has stopped: no client is asked.
 */
typedef struct KdBreakRules KdBreakRules;

void kd_break_rules_free (KdBreakRules *rules);

/* The row's options: --if, --el, --cpu, --vmid, --task, --count, --do, --log. */
#define KD_BREAK_RULE_ARGS                                                                         \
	{"if", 'i', KD_ARG_EXPR, 0, FALSE, "EXPR", "only where this is not zero"},                 \
		{"el", 0, KD_ARG_UINT, 0, FALSE, "N", "only at this exception level (x86: ring)"}, \
		{"cpu", 'c', KD_ARG_UINT, 0, FALSE, "N", "only on this CPU"},                      \
		{"vmid", 0, KD_ARG_UINT, 0, FALSE, "N", "only with this VMID loaded (arm64)"},     \
		{"task", 0, KD_ARG_STRING, 0, FALSE, "PID|COMM", "only in this task"},             \
		{"count", 0, KD_ARG_UINT, 0, FALSE, "N", "only from the Nth time on"},             \
		{"do", 0, KD_ARG_STRING, 0, FALSE, "COMMAND",                                      \
			"run a kvmdbg command, keep what it says, and go on"},                     \
	{                                                                                          \
		"log", 0, KD_ARG_STRING, 0, FALSE, "TEXT",                                         \
			"keep this text, with {EXPR} replaced by its value, and go on"             \
	}

/* A rule as `args` say, for a breakpoint that is to be made; USAGE and what the expression's own
 * errors are. *ret_rule stays NULL where `args` say nothing. */
typedef struct KdBreakRule KdBreakRule;
gboolean kd_break_rule_new (
	KdSession *session, const KdArgs *args, KdBreakRule **ret_rule, GError **error);
void kd_break_rule_free (KdBreakRule *rule);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdBreakRule, kd_break_rule_free)

/* Makes `rule` (taken; may be NULL) that of breakpoint `number`. */
void kd_break_rules_set (KdSession *session, int number, KdBreakRule *rule);
/* Adds {condition, passed, errors, last_error, …} of breakpoint `number` to its row. */
void kd_break_rules_add_json (KdSession *session, int number, JsonObject *row);
/* What --do and --log have kept: [{number, cpu, text}], oldest first, and forgets it. New. */
JsonArray *kd_break_rules_take_log (KdSession *session);
/* Installs the judge at the session's target. */
void kd_break_rules_install (KdSession *session);
