/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "target/qemu-process.h"
#include "target/socket-owner.h"

/* What /proc says, most of which other users may choose: command lines, names of sockets and files.
 */
static void
read_sockets (const char *text)
{
	for (uint16_t port = 0; port < 2; port++) {
		g_autoptr (GArray) entries = kd_socket_entries_new();

		kd_proc_net_tcp_parse (text, port ? 1234 : 0, entries);
		for (guint i = 0; i < entries->len; i++)
			g_assert_null (g_array_index (entries, KdSocketEntry, i).path);
		kd_proc_net_unix_parse (text, entries);
	}
	kd_proc_net_tcp_find (text, 1234, 50000);
	kd_socket_identity_is_gone (text, text);
}

static void
read_peers (const uint8_t *data, size_t size, const char *cwd)
{
	g_auto (GStrv) peers = kd_cmdline_qmp_peers ((const char *)data, size, cwd);

	for (char **peer = peers; *peer; peer++) {
		g_auto (KdPeer) parsed = {0};

		kd_peer_parse (*peer, &parsed, NULL);
	}
}

static void
read_maps (const char *text)
{
	static const uint64_t addrs[] = {0, UINT64_C (0x7f2d8be00000), UINT64_MAX};

	for (size_t i = 0; i < G_N_ELEMENTS (addrs); i++) {
		g_auto (KdMapping) mapping = {0};

		if (!kd_proc_maps_find (text, addrs[i], &mapping))
			continue;
		g_assert_cmphex (mapping.start, <=, addrs[i]);
		g_assert_cmphex (mapping.end, >, addrs[i]);
	}
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup ((const char *)data, size);

	read_peers (data, size, "/cwd");
	read_sockets (text);
	read_maps (text);
	return 0;
}
