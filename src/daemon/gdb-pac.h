/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

/*
 * What a debugger is to know of signed return addresses, which stubs of most QEMUs do not say. The
 * registers of KdArch.gdb_pac come behind the stub's own in the description. gdb before 14 does not
 * know them and cannot unwind a kernel that signs: for it, signatures are taken off what it reads.
 */

/* As kd_target_description(), with ours in it; new. */
char *kd_gdb_pac_description (KdSession *session, const char *annex);
/* The value of our register `number`; FALSE: it is none of ours. */
gboolean kd_gdb_pac_reg (KdSession *session, guint number, uint64_t *ret_value);

/* The return address that `value` is with a signature; FALSE: it is something else, or unsigned. */
gboolean kd_gdb_pac_strip (KdSession *session, uint64_t value, uint64_t *ret_addr);
/*
 * Strips the aligned words of memory that were read from `addr`; not of many at once, which nobody
 * unwinds by.
 */
void kd_gdb_pac_strip_memory (KdSession *session, uint64_t addr, uint8_t *buf, size_t len);
