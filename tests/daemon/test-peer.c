/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is at the other end of a connection over loopback. */
#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/job.h"
#include "daemon/peer.h"

#define NOBODY 65534

/* --- the kernel's table --- */

#define HEAD                                                                                       \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "      \
	"timeout inode\n"

static const struct {
	const char *name, *text;
	gboolean is_tcp6;
	const char *local, *remote;
	gint64 uid; /* -1: not found */
} rows[] = {
	{"established",
		HEAD "   0: 0100007F:04D2 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  "
		     "1000        0 1234 1 0\n",
		FALSE, "127.0.0.1:1234", "127.0.0.1:8080", 1000},
	/* Ours, which has the same two ends. */
	{"the-other-end",
		HEAD "   0: 0100007F:1F90 0100007F:04D2 01 00000000:00000000 00:00000000 00000000  "
		     "1000        0 1234 1 0\n",
		FALSE, "127.0.0.1:1234", "127.0.0.1:8080", -1},
	/* The same ports of another address. */
	{"another-address",
		HEAD "   0: 0200007F:04D2 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  "
		     "1000        0 1234 1 0\n",
		FALSE, "127.0.0.1:1234", "127.0.0.1:8080", -1},
	/* Closed by its process: whose it was is not said any more. */
	{"closed",
		HEAD "   0: 0100007F:04D2 0100007F:1F90 05 00000000:00000000 03:00000A5C 00000000  "
		     "   0        0 0 3 0\n",
		FALSE, "127.0.0.1:1234", "127.0.0.1:8080", -1},
	{"second-line",
		HEAD "   0: 00000000:04D2 00000000:0000 0A 00000000:00000000 00:00000000 00000000  "
		     "   0        0 1 1 0\n"
		     "   1: 0100007F:04D2 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  "
		     "   7        0 0 3 0\n",
		FALSE, "127.0.0.1:1234", "127.0.0.1:8080", 7},
	{"v6",
		HEAD "   0: 00000000000000000000000001000000:04D2 "
		     "00000000000000000000000001000000:1F90 01 00000000:00000000 00:00000000 "
		     "00000000   42        0 1 1 0\n",
		TRUE, "[::1]:1234", "[::1]:8080", 42},
	{"v4-from-v6",
		HEAD "   0: 0000000000000000FFFF00000100007F:04D2 "
		     "0000000000000000FFFF00000100007F:1F90 01 00000000:00000000 00:00000000 "
		     "00000000   43        0 1 1 0\n",
		TRUE, "127.0.0.1:1234", "127.0.0.1:8080", 43},
	{"v6-in-the-table-of-v4", HEAD, FALSE, "[::1]:1234", "[::1]:8080", -1},
	{"empty", "", FALSE, "127.0.0.1:1234", "127.0.0.1:8080", -1},
	{"cut-off", " 0: 0100007F:04D2 0100007F:1F90 01 00000000", FALSE, "127.0.0.1:1234",
		"127.0.0.1:8080", -1},
	{"no-number", " 0: 0100007F:04D2 0100007F:1F90 01 a b c d 5", FALSE, "127.0.0.1:1234",
		"127.0.0.1:8080", -1},
};

static struct sockaddr_storage
end_of (const char *text)
{
	const char *colon = strrchr (text, ':');
	g_autofree char *host = g_strndup (text, (gsize)(colon - text));
	in_port_t port = htons ((uint16_t)g_ascii_strtoull (colon + 1, NULL, 10));
	struct sockaddr_storage end = {0};

	if (*host == '[') {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&end;

		host[strlen (host) - 1] = '\0';
		*in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		g_assert_cmpint (inet_pton (AF_INET6, host + 1, &in6->sin6_addr), ==, 1);
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)&end;

		*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
		g_assert_cmpint (inet_pton (AF_INET, host, &in->sin_addr), ==, 1);
	}
	return end;
}

static void
test_row (gconstpointer data)
{
	const typeof (rows[0]) *row = data;
	struct sockaddr_storage local = end_of (row->local), remote = end_of (row->remote);
	uid_t uid = 77;

	g_assert_cmpint (kd_peer_find_uid (row->text, row->is_tcp6, &local, &remote, &uid), ==,
		row->uid >= 0);
	g_assert_cmpint (uid, ==, row->uid >= 0 ? row->uid : 77);
}

/* --- real sockets --- */

static int
listen_on (int family, struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
	int fd = socket (family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_address = end_of (family == AF_INET ? "127.0.0.1:0" : "[::1]:0");
	*ret_len = sizeof (*ret_address);
	if (bind (fd, (struct sockaddr *)ret_address,
		    family == AF_INET ? sizeof (struct sockaddr_in)
				      : sizeof (struct sockaddr_in6)) < 0) {
		close (fd);
		return -1;
	}
	g_assert_cmpint (listen (fd, 4), ==, 0);
	g_assert_cmpint (getsockname (fd, (struct sockaddr *)ret_address, ret_len), ==, 0);
	return fd;
}

/* As `uid`, in a process of its own, until it is told to end by `*ret_end`. */
static pid_t
connect_as (uid_t uid, const struct sockaddr_storage *address, socklen_t len, int *ret_end)
{
	int ends[2];
	pid_t pid;

	g_assert_cmpint (pipe (ends), ==, 0);
	pid = fork();
	g_assert_cmpint (pid, >=, 0);
	if (pid == 0) {
		char byte;
		int fd;

		close (ends[1]);
		if (setuid (uid) < 0)
			_exit (1);
		fd = socket (address->ss_family, SOCK_STREAM, 0);
		if (connect (fd, (const struct sockaddr *)address, len) < 0)
			_exit (1);
		while (read (ends[0], &byte, 1) > 0)
			;
		_exit (0);
	}
	close (ends[0]);
	*ret_end = ends[1];
	return pid;
}

static void
check_connection (int family, uid_t uid, gboolean ours)
{
	struct sockaddr_storage address;
	socklen_t len;
	int listener = listen_on (family, &address, &len), end, status, fd;
	pid_t pid;

	if (listener < 0) {
		g_assert_cmpint (family, ==, AF_INET6);
		g_test_message ("this machine has no IPv6");
		return;
	}
	pid = connect_as (uid, &address, len, &end);
	fd = accept (listener, NULL, NULL);
	g_assert_cmpint (fd, >=, 0);
	g_assert_cmpint (kd_peer_is_ours (fd), ==, ours);
	g_assert_true (kd_peer_is_on_loopback (fd));
	close (end);
	g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
	g_assert_cmpint (status, ==, 0);
	/* The kernel now says that its socket is root's. */
	g_assert_false (kd_peer_is_ours (fd));
	close (fd);
	close (listener);
}

static void
test_ours (void)
{
	check_connection (AF_INET, getuid(), TRUE);
	check_connection (AF_INET6, getuid(), TRUE);
}

static void
test_foreign (void)
{
	if (getuid() != 0) {
		g_test_skip ("only root can be somebody else");
		return;
	}
	check_connection (AF_INET, NOBODY, FALSE);
	check_connection (AF_INET6, NOBODY, FALSE);
}

static void
test_unix (void)
{
	int ends[2];

	g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
	g_assert_true (kd_peer_is_ours (ends[0]));
	g_assert_false (kd_peer_is_on_loopback (ends[0]));
	close (ends[0]);
	close (ends[1]);
	g_assert_false (kd_peer_is_ours (ends[0]));
}

/* --- what is left when a client is gone --- */

static void
test_abandon (void)
{
	static const struct {
		const char *command;
		gboolean begun, cancelled;
	} jobs[] = {
		{"bt", TRUE, TRUE},
		{"bt", FALSE, TRUE},
		{"attach", TRUE, TRUE},
		{"cont", TRUE, TRUE},
		{"step", TRUE, TRUE},
		{"detach", TRUE, FALSE},
		{"detach", FALSE, TRUE},
		{"write", TRUE, FALSE},
		{"write", FALSE, TRUE},
		{"stop", TRUE, FALSE},
		{"delete", TRUE, FALSE},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (jobs); i++) {
		g_autoptr (KdJob) job = kd_job_new (KD_JOB_COMMAND);

		job->command = kd_command_by_name (jobs[i].command);
		g_assert_nonnull (job->command);
		kd_job_abandon (job, jobs[i].begun);
		g_test_message ("%s", jobs[i].command);
		g_assert_cmpint (
			g_cancellable_is_cancelled (job->cancellable), ==, jobs[i].cancelled);
	}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *path = g_strdup_printf ("/peer/table/%s", rows[i].name);

		g_test_add_data_func (path, &rows[i], test_row);
	}
	g_test_add_func ("/peer/ours", test_ours);
	g_test_add_func ("/peer/foreign", test_foreign);
	g_test_add_func ("/peer/unix", test_unix);
	g_test_add_func ("/job/abandon", test_abandon);
	return g_test_run();
}
