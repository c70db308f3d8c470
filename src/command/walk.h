/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

/* A page walk as `translate` and `gpa` show it. */

/* root, levels [{name, table, index, entry_pa, entry}], status, pa, map_size, attrs. */
void kd_command_walk_json (
	JsonObject *obj, const KdArch *arch, const KdRegime *regime, const KdWalk *walk);
void kd_command_walk_render_levels (JsonObject *obj, KdText *text);
/* What follows the address: " → phys:0x…, 4 KiB mapped, …" or why not; ends the line. */
void kd_command_walk_render_end (JsonObject *obj, KdText *text);
