/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/*
 * What the name at the end of `text`, an expression being typed, may become: members behind "." and
 * "->", types behind "struct", registers behind "$", else symbols. Adds new strings, each the whole
 * name; in no order. Reads no memory.
 */
void kd_expr_complete (KdKernel *kernel, const char *text, GPtrArray *ret_candidates);
