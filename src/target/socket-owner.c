/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/socket-owner.h"

#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "target/qemu-process.h"

#define ENTRIES_MAX 65536

void
kd_socket_owner_clear (KdSocketOwner *owner)
{
	g_clear_pointer (&owner->program, g_free);
	g_clear_pointer (&owner->taken_by, g_free);
	g_clear_pointer (&owner->identity, g_free);
}

static void
entry_clear (gpointer data)
{
	g_free (((KdSocketEntry *)data)->path);
}

GArray *
kd_socket_entries_new (void)
{
	GArray *entries = g_array_new (FALSE, TRUE, sizeof (KdSocketEntry));

	g_array_set_clear_func (entries, entry_clear);
	return entries;
}

/* --- pure parsers --- */

/* "0100007F:04D2": each four bytes of the address as a number of this CPU's byte order. */
static gboolean
word_addr (const char *word, size_t len, uint8_t *ret_addr, uint16_t *ret_port)
{
	static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};
	const char *colon = memchr (word, ':', len);
	size_t digits = colon ? (size_t)(colon - word) : 0;
	uint64_t port, part;

	if ((digits != 8 && digits != 32) ||
		!kd_hex_parse_u64 (colon + 1, len - digits - 1, &port) || port > G_MAXUINT16)
		return FALSE;
	memcpy (ret_addr, v4, sizeof v4);
	for (size_t i = 0; i < digits; i += 8) {
		uint32_t four;

		if (!kd_hex_parse_u64 (word + i, 8, &part))
			return FALSE;
		four = (uint32_t)part;
		memcpy (ret_addr + (digits == 8 ? sizeof v4 : i / 2), &four, sizeof four);
	}
	*ret_port = (uint16_t)port;
	return TRUE;
}

typedef struct {
	uint8_t local[KD_SOCKET_ADDR_LEN], remote[KD_SOCKET_ADDR_LEN];
	uint16_t local_port, remote_port;
	uint64_t state, uid, inode;
} TcpLine;

static gboolean
parse_tcp_line (const char *line, size_t len, TcpLine *ret)
{
	const char *words[10];
	size_t lens[10];

	/* "sl local rem st tx:rx tr:when retrnsmt uid timeout inode" */
	for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
		if (!kd_proc_next_word (&line, &len, &words[i], &lens[i]))
			return FALSE;
	return word_addr (words[1], lens[1], ret->local, &ret->local_port) &&
	       word_addr (words[2], lens[2], ret->remote, &ret->remote_port) &&
	       kd_hex_parse_u64 (words[3], lens[3], &ret->state) &&
	       kd_proc_word_u64 (words[7], lens[7], &ret->uid) &&
	       kd_proc_word_u64 (words[9], lens[9], &ret->inode);
}

#define TCP_ESTABLISHED 1
#define TCP_CLOSE_WAIT 8 /* the other end has closed it, ours not yet */
#define TCP_LISTEN 10

void
kd_proc_net_tcp_parse (const char *text, uint16_t port, GArray *into)
{
	const char *line;
	size_t len;
	TcpLine tcp;

	while (kd_proc_next_line (&text, &line, &len) && into->len < ENTRIES_MAX) {
		KdSocketEntry entry = {0};

		if (!parse_tcp_line (line, len, &tcp) || (port && tcp.local_port != port))
			continue;
		if (tcp.state != TCP_LISTEN && tcp.state != TCP_ESTABLISHED &&
			tcp.state != TCP_CLOSE_WAIT)
			continue;
		entry.inode = tcp.inode;
		entry.uid = tcp.uid;
		memcpy (entry.addr, tcp.local, sizeof entry.addr);
		entry.listening = tcp.state == TCP_LISTEN;
		entry.remote_port = tcp.remote_port;
		g_array_append_val (into, entry);
	}
}

uint64_t
kd_proc_net_tcp_find (const char *text, uint16_t local_port, uint16_t remote_port)
{
	const char *line;
	size_t len;
	TcpLine tcp;

	while (kd_proc_next_line (&text, &line, &len))
		if (parse_tcp_line (line, len, &tcp) && tcp.local_port == local_port &&
			tcp.remote_port == remote_port && tcp.state == TCP_ESTABLISHED)
			return tcp.inode;
	return 0;
}

#define UNIX_ACCEPTS 0x10000 /* __SO_ACCEPTCON */
/* SS_CONNECTING as long as nobody has accepted it, SS_CONNECTED. */
#define UNIX_CONNECTING 2
#define UNIX_CONNECTED 3

void
kd_proc_net_unix_parse (const char *text, GArray *into)
{
	const char *line;
	size_t len;

	while (kd_proc_next_line (&text, &line, &len) && into->len < ENTRIES_MAX) {
		const char *words[7];
		size_t lens[7], i;
		uint64_t flags, state;
		KdSocketEntry entry = {0};

		/* "Num RefCount Protocol Flags Type St Inode Path"; the path may hold spaces. */
		for (i = 0; i < G_N_ELEMENTS (words); i++)
			if (!kd_proc_next_word (&line, &len, &words[i], &lens[i]))
				break;
		if (i < G_N_ELEMENTS (words) || len < 2 ||
			!kd_hex_parse_u64 (words[3], lens[3], &flags) ||
			!kd_hex_parse_u64 (words[5], lens[5], &state) ||
			!kd_proc_word_u64 (words[6], lens[6], &entry.inode))
			continue;
		entry.listening = (flags & UNIX_ACCEPTS) != 0;
		if (!entry.listening && state != UNIX_CONNECTED && state != UNIX_CONNECTING)
			continue;
		entry.path = g_strndup (line + 1, len - 1);
		g_array_append_val (into, entry);
	}
}

/* --- who has a socket --- */

/* TRUE if `pid` has the socket open. */
static gboolean
has_socket (int pid, uint64_t inode)
{
	g_autofree char *dir_name = g_strdup_printf ("/proc/%d/fd", pid);
	g_autofree char *wanted = g_strdup_printf ("socket:[%" G_GUINT64_FORMAT "]", inode);
	GDir *dir = g_dir_open (dir_name, 0, NULL);
	gboolean found = FALSE;
	const char *name;

	while (dir && !found && (name = g_dir_read_name (dir))) {
		g_autofree char *path = g_build_filename (dir_name, name, NULL);
		char target[64];
		ssize_t n = readlink (path, target, sizeof target - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		found = strcmp (target, wanted) == 0;
	}
	if (dir)
		g_dir_close (dir);
	return found;
}

/* The first process that has the socket open; those with QEMU's name are asked first. 0: none. */
static int
find_socket_owner (uint64_t inode)
{
	for (int pass = 0; pass < 2; pass++) {
		GDir *dir = g_dir_open ("/proc", 0, NULL);
		const char *name;
		uint64_t pid;
		int found = 0;

		while (dir && !found && (name = g_dir_read_name (dir)))
			if (kd_parse_u64 (name, &pid) && pid <= G_MAXINT &&
				kd_process_is_qemu ((int)pid) == (pass == 0) &&
				has_socket ((int)pid, inode))
				found = (int)pid;
		if (dir)
			g_dir_close (dir);
		if (found)
			return found;
	}
	return 0;
}

/* TRUE if one may bind to it: then it is an address of this machine. */
static gboolean
is_local (const struct addrinfo *info)
{
	int fd = socket (info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gboolean local = fd >= 0 && bind (fd, info->ai_addr, info->ai_addrlen) == 0;

	if (fd >= 0)
		close (fd);
	return local;
}

/* As KdSocketEntry has it. */
static gboolean
addr_of (const struct addrinfo *info, uint8_t *ret_addr)
{
	static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};

	if (info->ai_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)info->ai_addr;

		memcpy (ret_addr, &in6->sin6_addr, KD_SOCKET_ADDR_LEN);
		return TRUE;
	}
	if (info->ai_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)info->ai_addr;

		memcpy (ret_addr, v4, sizeof v4);
		memcpy (ret_addr + sizeof v4, &in->sin_addr, sizeof in->sin_addr);
		return TRUE;
	}
	return FALSE;
}

/* It listens on all addresses, with an IPv4 socket or an IPv6 one. */
static gboolean
is_any (const KdSocketEntry *entry)
{
	static const uint8_t zero[KD_SOCKET_ADDR_LEN] = {0};

	return memcmp (entry->addr + 12, zero, 4) == 0 && memcmp (entry->addr, zero, 10) == 0;
}

static const char *const tcp_tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};

/* Who is at the other end of a connection to a local port. New string. */
static char *
describe_client (uint16_t port, uint16_t remote_port)
{
	for (size_t i = 0; i < G_N_ELEMENTS (tcp_tables); i++) {
		g_autofree char *text = NULL, *program = NULL;
		uint64_t inode;
		int pid;

		if (!g_file_get_contents (tcp_tables[i], &text, NULL, NULL))
			continue;
		inode = kd_proc_net_tcp_find (text, remote_port, port);
		pid = inode ? find_socket_owner (inode) : 0;
		program = pid ? kd_process_program (pid) : NULL;
		if (program)
			return g_strdup_printf ("%s (process %d)", program, pid);
	}
	return g_strdup ("another client");
}

static void
read_tcp_tables (uint16_t port, GArray *into)
{
	for (size_t i = 0; i < G_N_ELEMENTS (tcp_tables); i++) {
		g_autofree char *text = NULL;

		if (g_file_get_contents (tcp_tables[i], &text, NULL, NULL))
			kd_proc_net_tcp_parse (text, port, into);
	}
}

/* The one that gets the connections to that address. NULL: none here. */
static const KdSocketEntry *
find_listening (const GArray *entries, const struct addrinfo *info)
{
	const KdSocketEntry *found = NULL;
	uint8_t addr[KD_SOCKET_ADDR_LEN];

	if (!addr_of (info, addr))
		return NULL;
	for (guint i = 0; i < entries->len; i++) {
		const KdSocketEntry *entry = &g_array_index (entries, KdSocketEntry, i);

		if (!entry->listening)
			continue;
		if (memcmp (entry->addr, addr, sizeof addr) == 0)
			return entry;
		if (!found && is_any (entry) && is_local (info))
			found = entry;
	}
	return found;
}

/*
 * Says of `listening`'s connections which are accepted and which wait. Where nobody may look at the
 * process' descriptors, what its user has accepted there is its own.
 */
static void
count_connections (
	const GArray *entries, const KdSocketEntry *listening, uint16_t port, KdSocketOwner *owner)
{
	for (guint i = 0; i < entries->len; i++) {
		const KdSocketEntry *entry = &g_array_index (entries, KdSocketEntry, i);

		if (entry->listening || g_strcmp0 (entry->path, listening->path) != 0 ||
			(!entry->path && !is_any (listening) &&
				memcmp (entry->addr, listening->addr, sizeof entry->addr) != 0))
			continue;
		if (!entry->inode)
			owner->nr_waiting++;
		else if (!owner->taken_by && (owner->pid ? has_socket (owner->pid, entry->inode)
							 : entry->uid == listening->uid))
			owner->taken_by = entry->path ? g_strdup ("another client")
						      : describe_client (port, entry->remote_port);
	}
}

static char *
tcp_identity (const uint8_t *addr, uint16_t port)
{
	g_autofree char *hex = kd_hex_to_string (addr, KD_SOCKET_ADDR_LEN);

	return g_strdup_printf ("tcp-%s-%u", hex, port);
}

static void
find_tcp (const KdPeer *peer, KdSocketOwner *owner)
{
	g_autoptr (GArray) entries = kd_socket_entries_new();
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
	const KdSocketEntry *listening = NULL;
	uint8_t addr[KD_SOCKET_ADDR_LEN];

	if (getaddrinfo (peer->host, NULL, &hints, &list) != 0)
		return;
	read_tcp_tables (peer->port, entries);
	/* In the order in which they are connected to. */
	for (struct addrinfo *info = list; info && !listening; info = info->ai_next)
		listening = find_listening (entries, info);
	if (listening) {
		owner->pid = find_socket_owner (listening->inode);
		owner->identity = tcp_identity (listening->addr, peer->port);
		count_connections (entries, listening, peer->port, owner);
		/* Another user's. */
		if (!owner->pid) {
			g_autofree char *where = g_steal_pointer (&owner->identity);

			owner->identity = g_strdup_printf (
				"socket-%" G_GUINT64_FORMAT "-%s", listening->inode, where);
		}
	} else if (addr_of (list, addr)) {
		owner->identity = tcp_identity (addr, peer->port);
	}
	freeaddrinfo (list);
}

/* Whether a socket bound by `pid` to `bound` is the one at `path`. */
static gboolean
same_path (const char *bound, const char *path, int pid)
{
	g_autofree char *cwd = NULL, *full = NULL, *real_full = NULL, *real_path = NULL;
	gboolean same;
	char *real;

	if (strcmp (bound, path) == 0)
		return TRUE;
	/* Its first letter is '@' for a name that is no file. */
	if (bound[0] == '@' || !g_str_has_suffix (path, strrchr (bound, '/') ?: bound))
		return FALSE;
	cwd = bound[0] == '/' || !pid ? NULL : kd_process_cwd (pid);
	if (bound[0] != '/' && !cwd)
		return FALSE;
	full = g_canonicalize_filename (bound, cwd ? cwd : "/");
	real = realpath (full, NULL);
	real_full = g_strdup (real);
	free (real);
	real = realpath (path, NULL);
	real_path = g_strdup (real);
	free (real);
	same = real_full && real_path && strcmp (real_full, real_path) == 0;
	return same;
}

/* The file itself, which is a new one for each who listens there. NULL: none. */
static char *
unix_identity (const char *path)
{
	struct stat st;

	if (stat (path, &st) != 0)
		return NULL;
	return g_strdup_printf ("unix-%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%09ld",
		(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_mtim.tv_sec,
		st.st_mtim.tv_nsec);
}

static void
find_unix (const char *path, KdSocketOwner *owner)
{
	g_autoptr (GArray) entries = kd_socket_entries_new();
	g_autofree char *text = NULL, *base = g_path_get_basename (path);
	const KdSocketEntry *listening = NULL;

	owner->identity = unix_identity (path);
	if (!g_file_get_contents ("/proc/net/unix", &text, NULL, NULL))
		return;
	kd_proc_net_unix_parse (text, entries);
	for (guint i = 0; i < entries->len && !owner->pid; i++) {
		const KdSocketEntry *entry = &g_array_index (entries, KdSocketEntry, i);
		int pid;

		if (!entry->listening || !g_str_has_suffix (entry->path, base))
			continue;
		pid = find_socket_owner (entry->inode);
		if (!same_path (entry->path, path, pid))
			continue;
		owner->pid = pid;
		listening = entry;
	}
	if (listening)
		count_connections (entries, listening, 0, owner);
}

void
kd_socket_owner_find (const KdPeer *peer, KdSocketOwner *ret_owner)
{
	KdSocketOwner owner = {0};

	if (peer->kind == KD_TRANSPORT_UNIX)
		find_unix (peer->path, &owner);
	else
		find_tcp (peer, &owner);
	if (!owner.identity) {
		g_autofree char *name = kd_peer_to_string (peer);
		g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA1, name, -1);

		/* Nobody is met there now. */
		owner.identity = g_strconcat ("name-", sum, NULL);
	}
	if (owner.pid) {
		owner.program = kd_process_program (owner.pid);
		owner.is_stopped = kd_process_is_stopped (owner.pid);
	}
	if (owner.pid && kd_process_is_qemu (owner.pid)) {
		g_autofree char *where = g_steal_pointer (&owner.identity);

		owner.identity = g_strdup_printf ("qemu-%d-%" G_GUINT64_FORMAT "-%s", owner.pid,
			kd_process_start_time (owner.pid), where);
	}
	*ret_owner = owner;
}

static gboolean
is_listening (uint64_t inode)
{
	g_autoptr (GArray) entries = kd_socket_entries_new();
	gboolean found = FALSE;

	read_tcp_tables (0, entries);
	for (guint i = 0; i < entries->len && !found; i++)
		found = g_array_index (entries, KdSocketEntry, i).inode == inode;
	return found;
}

gboolean
kd_socket_identity_is_gone (const char *identity, const char *address)
{
	g_auto (GStrv) words = g_strsplit (identity, "-", 4);
	g_auto (KdPeer) peer = {0};
	g_autofree char *now = NULL;
	uint64_t number = 0, start = 0;
	guint nr = g_strv_length (words);

	if (nr == 4 && strcmp (words[0], "qemu") == 0)
		return !kd_parse_u64 (words[1], &number) || number > G_MAXINT ||
		       !kd_parse_u64 (words[2], &start) ||
		       kd_process_start_time ((int)number) != start;
	if (nr > 1 && strcmp (words[0], "socket") == 0)
		return !kd_parse_u64 (words[1], &number) || !is_listening (number);
	if (nr > 1 && strcmp (words[0], "unix") == 0 && address &&
		kd_peer_parse (address, &peer, NULL) && peer.kind == KD_TRANSPORT_UNIX) {
		now = unix_identity (peer.path);
		return g_strcmp0 (now, identity) != 0;
	}
	return FALSE;
}
