/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

/* One row of `breaks`: {number, kind, addr, symbol, len, hits, text}. New. */
JsonObject *kd_breaks_json (KdSession *session, const KdBreak *brk);
/* Inserts one at `args`'s "address" with its rule, and answers that row; NULL and an error. */
JsonNode *kd_breaks_insert (
	KdSession *session, KdBreakKind kind, const KdArgs *args, uint64_t len, GError **error);
/* "breakpoint 1 at 0x… symbol" for one row. */
void kd_breaks_render_one (JsonNode *result, KdText *text);
