/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "target/transport.h"

/*
 * What /proc on this machine says of the process behind a socket, and what that process' command
 * line says of its monitor. Everything here may fail quietly: the peer may be on another machine,
 * in another namespace, or another user's.
 */

/* Who has a listening socket, and whether a connection to it is open. */
typedef struct {
	int pid;       /* 0: not found */
	char *program; /* its name */
	/* "gdb-multiarch (process 12)", or "another client"; NULL: nobody is connected. */
	char *taken_by;
} KdSocketOwner;

void kd_socket_owner_clear (KdSocketOwner *owner);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdSocketOwner, kd_socket_owner_clear)

/* Asked without connecting: a connection stops the machine even if it is never served. */
void kd_socket_owner_find (const KdPeer *peer, KdSocketOwner *ret_owner);

/* TRUE if the process' program has "qemu" or "kvm" in its name. */
gboolean kd_process_is_qemu (int pid);
/* In clock ticks since boot: tells a process from a later one of the same number. 0: no such. */
uint64_t kd_process_start_time (int pid);

/* NULL-terminated addresses for kd_peer_parse of the QMP monitors of process `pid`. */
char **kd_process_qmp_peers (int pid);

/* --- the text parsers below are pure --- */

typedef struct {
	uint64_t inode;
	gboolean listening; /* else connected */
	uint16_t remote_port;
	char *path; /* UNIX */
} KdSocketEntry;

/* /proc/net/tcp, tcp6: sockets of local port `port`; appends KdSocketEntry (elements cleared). */
void kd_proc_net_tcp_parse (const char *text, uint16_t port, GArray *into);
/* The socket with these two port numbers: its inode, or 0. */
uint64_t kd_proc_net_tcp_find (const char *text, uint16_t local_port, uint16_t remote_port);
/* /proc/net/unix: every stream socket that has a path. */
void kd_proc_net_unix_parse (const char *text, GArray *into);
GArray *kd_socket_entries_new (void);

/* `cmdline`: words with NUL between them. Relative paths are taken from `cwd`. */
char **kd_cmdline_qmp_peers (const char *cmdline, size_t len, const char *cwd);

typedef struct {
	uint64_t start, end, offset;
	gboolean shared;
	uint64_t inode;
	unsigned dev_major, dev_minor;
	char *path; /* NULL: anonymous */
} KdMapping;

void kd_mapping_clear (KdMapping *mapping);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdMapping, kd_mapping_clear)

/* The line of /proc/PID/maps that holds `addr`. FALSE: none. */
gboolean kd_proc_maps_find (const char *text, uint64_t addr, KdMapping *ret_mapping);
