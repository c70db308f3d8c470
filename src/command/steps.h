/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/address.h"
#include "debug/stepper.h"

/* What `step` and `until` share. */
#define KD_STEPS_MAX 1000000

/* The row's options that both have: --cpu, --irq, --others. */
#define KD_STEPS_ARGS                                                                              \
	{"cpu", 'c', KD_ARG_UINT, 0, FALSE, "N", "this CPU (default: the one that stopped)"},      \
		{"irq", 'i', KD_ARG_FLAG, 0, FALSE, NULL, "let interrupts and timers in"},         \
	{                                                                                          \
		"others", 0, KD_ARG_FLAG, 0, FALSE, NULL, "let the other CPUs run meanwhile"       \
	}

/* As --irq and --others say, until kd_steps_end(). */
gboolean kd_steps_begin (KdSession *session, const KdArgs *args, GError **error);
void kd_steps_end (KdSession *session);

/*
 * {pc, el, mode, symbol, insn, vector, changes: [{name, from, to}]} of where the CPU is; `insn` is
 * what it executes next. `line`: {file, line} too.
 */
void kd_steps_add (JsonArray *steps, KdStepper *stepper, gboolean line);
/* One line for each of "steps" of a result. */
void kd_steps_render (JsonObject *result, KdText *text);
