/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

/*
 * The address a person wrote: kd_expr_eval_addr() with the registers of the CPU that stopped.
 * "0x…", a symbol, "SYMBOL+0x10", "$sp", any expression, each with a space before it
 * ("phys:0x40000000", "user:1:0x400000"); without one it is the kernel's.
 */
gboolean kd_command_address (
	KdSession *session, const char *text, KdAddr *ret_addr, GError **error);

/* The CPU of --cpu, or without it the one that stopped. NOT_FOUND: the machine has no such CPU. */
gboolean kd_command_cpu (KdSession *session, const KdArgs *args, unsigned *ret_cpu, GError **error);

/* Offers names of symbols that start with `word`, for a row's complete(). */
void kd_command_complete_symbol (KdSession *session, const char *word, GPtrArray *ret_candidates);
