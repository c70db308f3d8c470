/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/runtime-dir.h"
#include "kvmdbg/kvmdbg.h"

#define READY_TIMEOUT_MS 15000 /* an ending daemon may first let its machines go */
#define READY_LINE_MAX 1024

static int
set_error (GError **error, const char *what, int code)
{
	g_set_error (error, KVMDBG_ERROR, KVMDBG_ERROR_DAEMON, "%s: %s", what, g_strerror (code));
	return -1;
}

/* -1 with errno. */
static int
try_connect (const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int code;

	if (fd < 0)
		return -1;
	g_strlcpy (address.sun_path, path, sizeof (address.sun_path));
	if (connect (fd, (struct sockaddr *)&address, sizeof (address)) == 0)
		return fd;
	code = errno;
	close (fd);
	errno = code;
	return -1;
}

/* --- the program --- */

static gboolean
is_program (const char *path)
{
	return g_file_test (path, G_FILE_TEST_IS_EXECUTABLE) &&
	       !g_file_test (path, G_FILE_TEST_IS_DIR);
}

char *
kvmdbg_find_daemon (GError **error)
{
	const char *from_env = g_getenv ("KVMDBG_DAEMON");
	g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
	g_autofree char *dir = self ? g_path_get_dirname (self) : NULL;
	g_autofree char *beside = NULL, *libexec = NULL, *found = NULL;

	if (from_env && *from_env)
		return g_strdup (from_env);
	if (dir) {
		beside = g_build_filename (dir, "kvmdbgd", NULL);
		if (is_program (beside))
			return g_steal_pointer (&beside);
		libexec = g_build_filename (dir, "..", "libexec", "kvmdbg", "kvmdbgd", NULL);
		if (is_program (libexec))
			return g_steal_pointer (&libexec);
	}
	if (is_program (KVMDBG_LIBEXECDIR "/kvmdbgd"))
		return g_strdup (KVMDBG_LIBEXECDIR "/kvmdbgd");
	found = g_find_program_in_path ("kvmdbgd");
	if (!found)
		g_set_error (error, KVMDBG_ERROR, KVMDBG_ERROR_DAEMON,
			"kvmdbgd is not installed (KVMDBG_DAEMON may name it)");
	return g_steal_pointer (&found);
}

/* --- starting --- */

/* The one line the daemon says; "" when it ended without a word or took too long. */
static char *
read_ready_line (int fd)
{
	GString *line = g_string_new (NULL);
	gint64 end = g_get_monotonic_time() + READY_TIMEOUT_MS * 1000;

	while (line->len < READY_LINE_MAX && !strchr (line->str, '\n')) {
		struct pollfd poll_fd = {fd, POLLIN, 0};
		gint64 left_ms = (end - g_get_monotonic_time()) / 1000;
		char buf[256];
		ssize_t n;

		if (left_ms <= 0)
			break;
		if (poll (&poll_fd, 1, (int)left_ms) < 0 && errno == EINTR)
			continue;
		if (!poll_fd.revents)
			break;
		n = read (fd, buf, sizeof (buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		g_string_append_len (line, buf, n);
	}
	return g_strchomp (g_string_free (line, FALSE));
}

static gboolean
start_daemon (GError **error)
{
	g_autofree char *program = kvmdbg_find_daemon (error);
	const char *argv[] = {program, "--background", NULL};
	g_autofree char *line = NULL;
	g_autoptr (GError) why = NULL;
	int out = -1;

	if (!program)
		return FALSE;
	/* Not DO_NOT_REAP_CHILD: GLib forks twice, so the daemon is never our zombie. */
	if (!g_spawn_async_with_pipes (NULL, (char **)argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL,
		    NULL, NULL, NULL, &out, NULL, &why)) {
		g_set_error (error, KVMDBG_ERROR, KVMDBG_ERROR_DAEMON,
			"the daemon cannot be started: %s", why->message);
		return FALSE;
	}
	line = read_ready_line (out);
	close (out);
	if (strcmp (line, "ready") == 0)
		return TRUE;
	g_set_error (error, KVMDBG_ERROR, KVMDBG_ERROR_DAEMON, "the daemon %s does not start%s%s",
		program, *line ? ": " : "",
		g_str_has_prefix (line, "failed ") ? line + strlen ("failed ") : line);
	return FALSE;
}

/* The lock makes the second of two starters wait and then find the first one's daemon. */
static int
start_and_connect (const char *path, GError **error)
{
	g_autofree char *dir = g_path_get_dirname (path);
	g_autofree char *lock = g_build_filename (dir, "start.lock", NULL);
	int lock_fd = open (lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int fd;

	if (lock_fd < 0)
		return set_error (error, lock, errno);
	while (flock (lock_fd, LOCK_EX) < 0)
		if (errno != EINTR) {
			set_error (error, lock, errno);
			close (lock_fd);
			return -1;
		}
	fd = try_connect (path);
	if (fd < 0 && start_daemon (error)) {
		fd = try_connect (path);
		if (fd < 0)
			set_error (error, path, errno);
	}
	close (lock_fd);
	return fd;
}

int
kd_spawn_connect (gboolean start, GError **error)
{
	g_autoptr (GError) why = NULL;
	g_autofree char *path = kd_runtime_socket_path (&why);
	int fd;

	if (!path) {
		g_set_error (error, KVMDBG_ERROR, KVMDBG_ERROR_DAEMON, "%s", why->message);
		return -1;
	}
	fd = try_connect (path);
	if (fd >= 0)
		return fd;
	if (start && (errno == ENOENT || errno == ECONNREFUSED))
		return start_and_connect (path, error);
	if (errno == ENOENT || errno == ECONNREFUSED) {
		g_set_error (error, KVMDBG_ERROR, KVMDBG_ERROR_NO_SESSION,
			"no session: nothing is attached (“kvmdbg attach ADDR” first)");
		return -1;
	}
	return set_error (error, path, errno);
}
