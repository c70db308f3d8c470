/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/find-kernel.h"
#include "kernel/kallsyms.h"

/*
 * Adds to kallsyms the data that a kernel built without CONFIG_KALLSYMS_ALL leaves out of it, from
 * what else is in its memory: the image by how it is mapped, BTF and notes by their shape, exported
 * symbols (ksymtab), those that vmcoreinfo names, per-CPU variables (BTF has their offsets), and
 * the heads of a few lists, which the code of functions that walk them names.
 *
 * `near` is a physical address in the image, behind its first byte. NOT_FOUND: something that all
 * else needs is not there; the message says what.
 */
gboolean kd_data_symbols_add (
	KdKallsyms *kallsyms, KdTarget *target, uint64_t near, GError **error);
