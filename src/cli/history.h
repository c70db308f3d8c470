/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The shell's history, in ${XDG_STATE_HOME:-~/.local/state}/kvmdbg/history. */
void kd_history_load (void);
/* Remembers `line` now and in the file. */
void kd_history_add (const char *line);
