/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Who is at the other end of a connected socket. */

/*
 * TRUE: a process of this user or of root. Of a TCP connection the kernel's table of sockets says
 * it: the peer is on this machine's loopback, and its socket is still open. What cannot be found
 * out is FALSE.
 */
gboolean kd_peer_is_ours (int fd);
/* TRUE for TCP, where the peer's address is one of loopback. */
gboolean kd_peer_is_on_loopback (int fd);

/*
 * The user of the established connection from `local` to `remote`, by the text of /proc/net/tcp
 * (IPv4) or tcp6 (both: a socket of IPv6 may be connected to an address of IPv4). FALSE: none.
 */
gboolean kd_peer_find_uid (const char *text, gboolean is_tcp6, const struct sockaddr_storage *local,
	const struct sockaddr_storage *remote, uid_t *ret_uid);
