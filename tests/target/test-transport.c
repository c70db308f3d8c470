/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sys/socket.h>
#include <unistd.h>

#include "target/target.h"
#include "target/transport.h"

typedef struct {
	const char *name, *text, *shown; /* NULL: refused */
} PeerRow;

static const PeerRow peers[] = {
	{"port", ":1234", "localhost:1234"},
	{"bare-port", "1234", "localhost:1234"},
	{"host", "host:1", "host:1"},
	{"v6", "[::1]:65535", "[::1]:65535"},
	{"tcp", "tcp::5", "localhost:5"},
	{"unix", "unix:/a/../b", "unix:/b"},
	{"path", "/run/x", "unix:/run/x"},
	{"empty", "", NULL},
	{"port-zero", ":0", NULL},
	{"port-too-large", ":65536", NULL},
	{"port-not-a-number", "host:x", NULL},
	{"empty-path", "unix:", NULL},
	{"long-path",
		"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		NULL},
};

static void
test_peer (gconstpointer data)
{
	const PeerRow *row = data;
	g_auto (KdPeer) peer = {.port = 7};
	g_autoptr (GError) error = NULL;
	g_autofree char *shown = NULL;

	if (kd_peer_parse (row->text, &peer, &error)) {
		shown = kd_peer_to_string (&peer);
		g_assert_cmpstr (shown, ==, row->shown);
		return;
	}
	g_assert_null (row->shown);
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT);
	g_assert_cmpuint (peer.port, ==, 7);
}

static void
test_wait (void)
{
	int fds[2];
	g_autoptr (KdTransport) transport = NULL;
	g_autoptr (GCancellable) cancellable = g_cancellable_new();
	gint64 soon = g_get_monotonic_time() + 20000;
	KdOutQueue out;
	size_t got;

	kd_out_queue_init (&out);
	g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
	transport = kd_transport_from_fd (fds[0]);
	kd_transport_set_cancellable (transport, cancellable);
	g_assert_cmpint (kd_transport_fill (transport), ==, KD_IO_WOULD_BLOCK);
	g_assert_cmpint (kd_transport_exchange (transport, &out, soon), ==, KD_IO_TIMEOUT);
	g_assert_cmpint (g_get_monotonic_time(), >=, soon);
	g_assert_cmpint (write (fds[1], "abc", 3), ==, 3);
	g_assert_cmpint (kd_transport_exchange (transport, &out, -1), ==, KD_IO_DONE);
	g_assert_cmpmem (kd_transport_in (transport, &got), 3, "abc", 3);
	g_assert_cmpuint (got, ==, 3);
	kd_transport_in_used (transport, 2);
	g_assert_cmpmem (kd_transport_in (transport, &got), 1, "c", 1);
	kd_transport_in_used (transport, 1);
	g_cancellable_cancel (cancellable);
	g_assert_cmpint (kd_transport_exchange (transport, &out, -1), ==, KD_IO_CANCELLED);
	close (fds[1]);
	g_assert_cmpint (kd_transport_fill (transport), ==, KD_IO_EOF);
	kd_out_queue_append (&out, "x", 1);
	g_assert_cmpint (kd_transport_flush (transport, &out), ==, KD_IO_EOF);
	kd_out_queue_clear (&out);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (peers); i++) {
		g_autofree char *name = g_strconcat ("/transport/peer/", peers[i].name, NULL);

		g_test_add_data_func (name, &peers[i], test_peer);
	}
	g_test_add_func ("/transport/wait", test_wait);
	return g_test_run();
}
