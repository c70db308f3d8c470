/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/*
 * Ctrl-C: the first cancels the call under way, a second one leaves the program. Between calls it
 * is told by a descriptor.
 */
void kd_interrupt_init (void);
/* From here to kd_interrupt_end() Ctrl-C cancels what is returned. */
GCancellable *kd_interrupt_begin (void);
/* TRUE: Ctrl-C was pressed since. */
gboolean kd_interrupt_end (GCancellable *cancellable);
/* Readable after a Ctrl-C outside of calls; kd_interrupt_clear() makes it silent again. */
int kd_interrupt_get_fd (void);
void kd_interrupt_clear (void);
