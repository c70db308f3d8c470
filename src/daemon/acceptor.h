/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * Takes what connects to a listening socket, in the main loop, and lets nobody in but whom it may.
 * Without a descriptor for one more connection it pauses.
 */
typedef struct KdAcceptor KdAcceptor;

/*
 * Takes `fd`, connected and non-blocking. `crowded`: descriptors are so few that nothing is to be
 * done with it but to say so and close it.
 */
typedef void (*KdAcceptorFunc) (int fd, gboolean crowded, void *data);

/*
 * `listen_fd` stays the caller's, and open. `any_user`: not only this user's processes and root's,
 * though from loopback only; for TCP alone.
 */
KdAcceptor *kd_acceptor_new (int listen_fd, gboolean any_user, KdAcceptorFunc accepted, void *data);
void kd_acceptor_free (KdAcceptor *acceptor);
/* Takes one now. FALSE: nobody waits. */
gboolean kd_acceptor_take_one (KdAcceptor *acceptor);
