/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/peer.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"

/* As /proc/net/tcp and tcp6 write it: words of the address as they lie in memory, the port. */
static void
append_end (GString *out, gboolean is_tcp6, const struct sockaddr_storage *end)
{
	uint32_t words[4] = {0, 0, htonl (0xffff), 0}; /* an address of IPv4 in one of IPv6 */
	unsigned first = is_tcp6 ? 0 : 3;
	in_port_t port;

	if (end->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)end;

		words[3] = in->sin_addr.s_addr;
		port = in->sin_port;
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)end;

		memcpy (words, &in6->sin6_addr, sizeof words);
		port = in6->sin6_port;
	}
	g_string_append_c (out, ' ');
	for (unsigned i = first; i < G_N_ELEMENTS (words); i++)
		g_string_append_printf (out, "%08" PRIX32, words[i]);
	g_string_append_printf (out, ":%04X", (unsigned)ntohs (port));
}

gboolean
kd_peer_find_uid (const char *text, gboolean is_tcp6, const struct sockaddr_storage *local,
	const struct sockaddr_storage *remote, uid_t *ret_uid)
{
	g_autoptr (GString) ends = g_string_new (NULL);
	g_autofree char *word = NULL;
	const char *at;
	uint64_t uid;

	if (!is_tcp6 && (local->ss_family != AF_INET || remote->ss_family != AF_INET))
		return FALSE;
	append_end (ends, is_tcp6, local);
	append_end (ends, is_tcp6, remote);
	g_string_append (ends, " 01 "); /* TCP_ESTABLISHED */
	at = strstr (text, ends->str);
	if (!at)
		return FALSE;
	at += ends->len;
	/* "sl local rem st tx:rx tr:when retrnsmt uid timeout inode" */
	for (int i = 0; i < 3; i++) {
		at += strspn (at, " ");
		at += strcspn (at, " \n");
	}
	at += strspn (at, " ");
	word = g_strndup (at, strcspn (at, " \n"));
	if (!kd_parse_u64 (word, &uid) || uid >= G_MAXUINT32)
		return FALSE;
	*ret_uid = (uid_t)uid;
	return TRUE;
}

static gboolean
look_up (
	const struct sockaddr_storage *local, const struct sockaddr_storage *remote, uid_t *ret_uid)
{
	static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};

	for (gsize i = 0; i < G_N_ELEMENTS (tables); i++) {
		g_autofree char *text = NULL;

		if (g_file_get_contents (tables[i], &text, NULL, NULL) &&
			kd_peer_find_uid (text, i == 1, local, remote, ret_uid))
			return TRUE;
	}
	return FALSE;
}

static gboolean
is_loopback (const struct sockaddr_storage *end)
{
	if (end->ss_family == AF_INET)
		return ntohl (((const struct sockaddr_in *)end)->sin_addr.s_addr) >> 24 == 127;
	return end->ss_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK (&((const struct sockaddr_in6 *)end)->sin6_addr);
}

gboolean
kd_peer_is_on_loopback (int fd)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof (peer);

	return getpeername (fd, (struct sockaddr *)&peer, &len) == 0 && is_loopback (&peer);
}

static gboolean
is_allowed (uid_t uid)
{
	return uid == getuid() || uid == 0;
}

gboolean
kd_peer_is_ours (int fd)
{
	struct sockaddr_storage own = {0}, peer = {0};
	socklen_t own_len = sizeof (own), peer_len = sizeof (peer);
	struct ucred ucred;
	socklen_t ucred_len = sizeof (ucred);
	uid_t uid, again;

	if (getsockname (fd, (struct sockaddr *)&own, &own_len) < 0)
		return FALSE;
	if (own.ss_family == AF_UNIX)
		return getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &ucred, &ucred_len) == 0 &&
		       is_allowed (ucred.uid);
	/*
	 * The kernel says that a socket is root's once its process has closed it (6.1
	 * net/core/sock.c, sock_i_uid), and reads its state before that: one that is still
	 * established afterwards had not been closed when its user was read.
	 */
	return getpeername (fd, (struct sockaddr *)&peer, &peer_len) == 0 && is_loopback (&peer) &&
	       look_up (&peer, &own, &uid) && is_allowed (uid) && look_up (&peer, &own, &again) &&
	       again == uid;
}
