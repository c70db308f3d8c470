/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "target/transport.h"

/*
 * What /proc on this machine says of a socket somebody listens on, without connecting to it.
 * Everything here may fail quietly: the peer may be on another machine, in another namespace, or
 * another user's.
 */

/* Who has a listening socket, and whether a connection to it is open. */
typedef struct {
	int pid;       /* 0: not found */
	char *program; /* its name */
	/* "gdb-multiarch (process 12)", or "another client"; NULL: nobody is connected. */
	char *taken_by;
	/* Connections that wait to be accepted. */
	unsigned nr_waiting;
	/* By a signal or a debugger of its own: it accepts nothing until it goes on. */
	gboolean is_stopped;
	/*
	 * One name, fit for a file's, for the socket however its address is spelled, and for
	 * nothing that comes after it: of the process where that is QEMU, of where it listens.
	 */
	char *identity;
} KdSocketOwner;

void kd_socket_owner_clear (KdSocketOwner *owner);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdSocketOwner, kd_socket_owner_clear)

/* Asked without connecting: a connection stops the machine even if it is never served. */
void kd_socket_owner_find (const KdPeer *peer, KdSocketOwner *ret_owner);

/* TRUE if nothing of that name (of a KdSocketOwner), found at `address`, can ever be met again. */
gboolean kd_socket_identity_is_gone (const char *identity, const char *address);

/* --- the text parsers below are pure --- */

#define KD_SOCKET_ADDR_LEN 16

typedef struct {
	uint64_t inode;     /* 0: connected, and not accepted */
	gboolean listening; /* else connected */
	/* TCP: its own address, IPv4 as IPv6 has it; and the user's id. */
	uint8_t addr[KD_SOCKET_ADDR_LEN];
	uint16_t remote_port;
	uint64_t uid;
	char *path; /* UNIX */
} KdSocketEntry;

/* /proc/net/tcp, tcp6: sockets of local port `port` (0: all); appends KdSocketEntry (elements
 * cleared). */
void kd_proc_net_tcp_parse (const char *text, uint16_t port, GArray *into);
/* The socket with these two port numbers: its inode, or 0. */
uint64_t kd_proc_net_tcp_find (const char *text, uint16_t local_port, uint16_t remote_port);
/* /proc/net/unix: every stream socket that has a path. */
void kd_proc_net_unix_parse (const char *text, GArray *into);
GArray *kd_socket_entries_new (void);
