/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "daemon/acceptor.h"

/*
 * The control socket: one daemon a runtime folder. A lock held for the daemon's life says whose the
 * socket is, so that a stale one can be removed without a race.
 */
typedef struct KdListener KdListener;

/*
 * Waits for the lock when a daemon that is ending still holds it. G_IO_ERROR_BUSY: one that serves
 * holds it.
 */
KdListener *kd_listener_new (
	const char *runtime_dir, KdAcceptorFunc accepted, void *data, GError **error);
/* Takes no more connections and removes the socket; the lock stays. */
void kd_listener_close (KdListener *listener);
/*
 * For ending when idle: closes, unless somebody connected in the meantime, who is then accepted as
 * ever. TRUE: closed.
 */
gboolean kd_listener_close_if_quiet (KdListener *listener);
void kd_listener_free (KdListener *listener);
