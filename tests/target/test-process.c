/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "target/qemu-process.h"
#include "target/socket-owner.h"

static const char net_tcp[] = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
			      "retrnsmt   uid  timeout "
			      "inode\n"
			      "   0: 0100007F:04D2 00000000:0000 0A 00000000:00000000 00:00000000 "
			      "00000000     0        0 "
			      "111 1 0000000000000000 100 0 0 10 0\n"
			      "   1: 0100007F:04D2 0100007F:C350 01 00000000:00000000 00:00000000 "
			      "00000000     0        0 "
			      "112 1 0000000000000000 20 4 0 10 -1\n"
			      "   2: 0100007F:C350 0100007F:04D2 01 00000000:00000000 00:00000000 "
			      "00000000     0        0 "
			      "113 1 0000000000000000 20 4 0 10 -1\n"
			      "   3: 0100007F:04D2 0100007F:C351 06 00000000:00000000 00:00000000 "
			      "00000000     0        0 "
			      "0 3 0000000000000000\n"
			      "   4: damaged\n";

static void
test_tcp (void)
{
	g_autoptr (GArray) entries = kd_socket_entries_new();

	kd_proc_net_tcp_parse (net_tcp, 1234, entries);
	g_assert_cmpuint (entries->len, ==, 2);
	g_assert_true (g_array_index (entries, KdSocketEntry, 0).listening);
	g_assert_cmpuint (g_array_index (entries, KdSocketEntry, 0).inode, ==, 111);
	g_assert_cmpmem (g_array_index (entries, KdSocketEntry, 0).addr, KD_SOCKET_ADDR_LEN,
		"\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", KD_SOCKET_ADDR_LEN);
	g_assert_false (g_array_index (entries, KdSocketEntry, 1).listening);
	g_assert_cmpuint (g_array_index (entries, KdSocketEntry, 1).remote_port, ==, 50000);
	g_assert_cmpuint (kd_proc_net_tcp_find (net_tcp, 50000, 1234), ==, 113);
	g_assert_cmpuint (kd_proc_net_tcp_find (net_tcp, 50001, 1234), ==, 0);
}

static void
test_unix (void)
{
	static const char text[] =
		"Num       RefCount Protocol Flags    Type St Inode Path\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 222 /run/vm/gdb.sock\n"
		"0000000000000000: 00000003 00000000 00000000 0001 03 223 /run/vm/gdb.sock\n"
		"0000000000000000: 00000003 00000000 00000000 0001 03 224\n"
		"0000000000000000: 00000003 00000000 00000000 0001 02     0 /run/vm/gdb.sock\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 225 /run/a b\n"
		"0000000000000000: 00000002\n";
	g_autoptr (GArray) entries = kd_socket_entries_new();

	kd_proc_net_unix_parse (text, entries);
	g_assert_cmpuint (entries->len, ==, 4);
	g_assert_true (g_array_index (entries, KdSocketEntry, 0).listening);
	g_assert_cmpstr (g_array_index (entries, KdSocketEntry, 0).path, ==, "/run/vm/gdb.sock");
	g_assert_false (g_array_index (entries, KdSocketEntry, 1).listening);
	/* Connected, and nobody has accepted it. */
	g_assert_cmpuint (g_array_index (entries, KdSocketEntry, 2).inode, ==, 0);
	g_assert_cmpstr (g_array_index (entries, KdSocketEntry, 3).path, ==, "/run/a b");
}

typedef struct {
	const char *name;
	int family;
	const char *spelled[5]; /* the first is what is connected to */
} OwnerRow;

static const OwnerRow owners[] = {
	{"tcp", AF_INET, {"127.0.0.1:%u", ":%u", "localhost:%u", "[::ffff:127.0.0.1]:%u"}},
	{"unix", AF_UNIX, {"unix:%s/a", "%s/a", "%s/../%s/a", "%s/link"}},
};

static int
listen_at (const OwnerRow *row, const char *dir, uint16_t *ret_port)
{
	int fd = socket (row->family, SOCK_STREAM, 0);
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t len = sizeof in;

	in.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
	g_snprintf (un.sun_path, sizeof un.sun_path, "%s/a", dir);
	g_assert_cmpint (row->family == AF_UNIX ? bind (fd, (struct sockaddr *)&un, sizeof un)
						: bind (fd, (struct sockaddr *)&in, sizeof in),
		==, 0);
	g_assert_cmpint (listen (fd, 4), ==, 0);
	if (row->family == AF_INET)
		getsockname (fd, (struct sockaddr *)&in, &len);
	*ret_port = ntohs (in.sin_port);
	return fd;
}

static void
look (const OwnerRow *row, size_t i, const char *dir, uint16_t port, KdSocketOwner *ret_owner)
{
	g_autoptr (GString) address = g_string_new (row->spelled[i]);
	g_autofree char *name = g_path_get_basename (dir), *number = g_strdup_printf ("%u", port);
	g_auto (KdPeer) peer = {0};

	g_string_replace (address, "/../%s/", "/../%n/", 0);
	g_string_replace (address, "%n", name, 0);
	g_string_replace (address, "%s", dir, 0);
	g_string_replace (address, "%u", number, 0);
	g_assert_true (kd_peer_parse (address->str, &peer, NULL));
	kd_socket_owner_find (&peer, ret_owner);
}

/* One name for one socket, however it is spelled; who waits there and who is served. */
static void
test_owner (gconstpointer data)
{
	const OwnerRow *row = data;
	g_autofree char *dir = g_dir_make_tmp ("owner-XXXXXX", NULL);
	g_autofree char *path = g_build_filename (dir, "a", NULL);
	g_autofree char *link = g_build_filename (dir, "link", NULL);
	g_autofree char *spelled = NULL;
	g_auto (KdSocketOwner) first = {0}, queued = {0}, served = {0}, second = {0};
	g_auto (KdPeer) peer = {0};
	g_autoptr (KdTransport) client = NULL;
	uint16_t port, other_port;
	int fd = listen_at (row, dir, &port), accepted;

	g_assert_cmpint (symlink (path, link), ==, 0);
	look (row, 0, dir, port, &first);
	g_assert_cmpint (first.pid, ==, getpid());
	g_assert_false (first.is_stopped);
	g_assert_cmpuint (first.nr_waiting, ==, 0);
	for (size_t i = 1; row->spelled[i]; i++) {
		g_auto (KdSocketOwner) again = {0};

		look (row, i, dir, port, &again);
		g_assert_cmpstr (again.identity, ==, first.identity);
	}
	spelled = row->family == AF_UNIX ? g_strdup (path) : g_strdup_printf ("127.0.0.1:%u", port);
	g_assert_true (kd_peer_parse (spelled, &peer, NULL));
	client = kd_transport_connect (&peer, 1000, NULL, NULL);
	g_assert_nonnull (client);
	look (row, 0, dir, port, &queued);
	g_assert_cmpuint (queued.nr_waiting, ==, 1);
	g_assert_null (queued.taken_by);
	accepted = accept (fd, NULL, NULL);
	look (row, 0, dir, port, &served);
	g_assert_cmpuint (served.nr_waiting, ==, 0);
	g_assert_nonnull (served.taken_by);
	g_assert_cmpstr (served.identity, ==, first.identity);
	/* Who listens there later is another. */
	close (accepted);
	close (fd);
	g_unlink (path);
	fd = listen_at (row, dir, &other_port);
	look (row, 0, dir, other_port, &second);
	g_assert_cmpstr (second.identity, !=, first.identity);
	if (row->family == AF_UNIX)
		g_assert_true (kd_socket_identity_is_gone (first.identity, spelled));
	g_assert_false (kd_socket_identity_is_gone (second.identity, spelled));
	close (fd);
	g_unlink (path);
	g_unlink (link);
	g_rmdir (dir);
}

typedef struct {
	const char *name;
	const char *words[8];
	const char *peers[3];
} CmdlineRow;

static const CmdlineRow cmdlines[] = {
	{"unix", {"qemu", "-qmp", "unix:/run/q.sock,server=on,wait=off"}, {"unix:/run/q.sock"}},
	{"two-dashes", {"qemu", "--qmp", "unix:/run/q.sock,server"}, {"unix:/run/q.sock"}},
	{"relative", {"qemu", "-qmp", "unix:q.sock,server=on"}, {"unix:/work/q.sock"}},
	{"tcp", {"qemu", "-qmp", "tcp:10.0.0.1:4444,server=on"}, {"10.0.0.1:4444"}},
	{"tcp-any", {"qemu", "-qmp", "tcp::4444,server=on"}, {"localhost:4444"}},
	{"tcp-any-v6", {"qemu", "-qmp", "tcp:[::]:4444,server=on"}, {"localhost:4444"}},
	{"comma-in-path", {"qemu", "-qmp", "unix:/run/a,,b,server=on"}, {"unix:/run/a,b"}},
	{"pretty", {"qemu", "-qmp-pretty", "unix:/run/q.sock"}, {"unix:/run/q.sock"}},
	{"mon",
		{"qemu", "-mon", "chardev=m,mode=control", "-chardev",
			"socket,id=m,path=/run/m.sock,server=on"},
		{"unix:/run/m.sock"}},
	{"mon-short",
		{"qemu", "-chardev", "socket,id=m,host=::1,port=5,server=on", "-mon",
			"m,mode=control"},
		{"[::1]:5"}},
	{"mon-is-human", {"qemu", "-chardev", "socket,id=m,path=/run/m.sock", "-mon", "chardev=m"}},
	{"stdio", {"qemu", "-qmp", "stdio"}},
	{"descriptor", {"qemu", "-chardev", "socket,id=m,fd=25,server=on", "-mon",
			       "chardev=m,mode=control"}},
	{"no-value", {"qemu", "-qmp"}},
	{"nothing", {NULL}},
};

static void
test_cmdline (gconstpointer data)
{
	const CmdlineRow *row = data;
	g_autoptr (GString) text = g_string_new (NULL);
	g_auto (GStrv) peers = NULL;
	size_t i;

	for (i = 0; row->words[i]; i++)
		g_string_append_len (text, row->words[i], (gssize)(strlen (row->words[i]) + 1));
	peers = kd_cmdline_qmp_peers (text->str, text->len, "/work");
	for (i = 0; row->peers[i]; i++)
		g_assert_cmpstr (peers[i], ==, row->peers[i]);
	g_assert_null (peers[i]);
}

static void
test_maps (void)
{
	static const char text[] =
		"7f0000000000-7f0040000000 rw-s 00001000 00:01 4096                     "
		"/memfd:memory-backend-memfd (deleted)\n"
		"7f0040000000-7f0080000000 rw-p 00000000 00:00 0 \n"
		"damaged\n";
	g_auto (KdMapping) shared = {0}, private = {0}, none = {0};

	g_assert_true (kd_proc_maps_find (text, 0x7f003fffffff, &shared));
	g_assert_true (shared.shared);
	g_assert_cmphex (shared.offset, ==, 0x1000);
	g_assert_cmpuint (shared.inode, ==, 4096);
	g_assert_cmpstr (shared.path, ==, "/memfd:memory-backend-memfd (deleted)");
	g_assert_true (kd_proc_maps_find (text, 0x7f0040000000, &private));
	g_assert_false (private.shared);
	g_assert_null (private.path);
	g_assert_false (kd_proc_maps_find (text, 0x7f0080000000, &none));
	g_assert_null (none.path);
}

static void
test_own_process (void)
{
	g_assert_cmpuint (kd_process_start_time (getpid()), >, 0);
	g_assert_cmpuint (kd_process_start_time (0), ==, 0);
	g_assert_cmpuint (kd_process_start_time (G_MAXINT), ==, 0);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/process/net-tcp", test_tcp);
	g_test_add_func ("/process/net-unix", test_unix);
	g_test_add_func ("/process/maps", test_maps);
	g_test_add_func ("/process/start-time", test_own_process);
	for (size_t i = 0; i < G_N_ELEMENTS (owners); i++) {
		g_autofree char *name = g_strconcat ("/process/owner/", owners[i].name, NULL);

		g_test_add_data_func (name, &owners[i], test_owner);
	}
	for (size_t i = 0; i < G_N_ELEMENTS (cmdlines); i++) {
		g_autofree char *name = g_strconcat ("/process/cmdline/", cmdlines[i].name, NULL);

		g_test_add_data_func (name, &cmdlines[i], test_cmdline);
	}
	return g_test_run();
}
