/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/runtime-dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static gboolean
set_errno (GError **error, int code, const char *what, const char *path)
{
	g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), "%s: %s: %s", path, what,
		g_strerror (code));
	return FALSE;
}

static gboolean
is_own_dir (const char *path)
{
	struct stat st;

	return lstat (path, &st) == 0 && S_ISDIR (st.st_mode) && st.st_uid == getuid();
}

/* Looked at by descriptor, so that it cannot be changed for another between looking and using. */
static gboolean
check_private (const char *path, GError **error)
{
	struct stat st;
	int fd = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int code = errno;

	if (fd < 0 && (code == ELOOP || code == ENOTDIR)) {
		g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
			"%s is not a folder of its own (remove it, or set XDG_RUNTIME_DIR)", path);
		return FALSE;
	}
	if (fd < 0)
		return set_errno (error, code, "cannot be opened", path);
	if (fstat (fd, &st) < 0) {
		code = errno;
		close (fd);
		return set_errno (error, code, "cannot be looked at", path);
	}
	close (fd);
	if (st.st_uid != getuid()) {
		g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
			"%s belongs to user %u (set XDG_RUNTIME_DIR to a folder of your own)", path,
			(unsigned)st.st_uid);
		return FALSE;
	}
	if (st.st_mode & (S_IRWXG | S_IRWXO)) {
		g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
			"%s is open to other users, mode %03o (chmod 700 it)", path,
			(unsigned)(st.st_mode & 0777));
		return FALSE;
	}
	return TRUE;
}

static gboolean
make_private (const char *path, GError **error)
{
	if (mkdir (path, 0700) < 0 && errno != EEXIST)
		return set_errno (error, errno, "cannot be made", path);
	return check_private (path, error);
}

static char *
tmp_dir (void)
{
	return g_strdup_printf ("/tmp/kvmdbg-%u", (unsigned)getuid());
}

char *
kd_note_dir (GError **error)
{
	g_autofree char *path = tmp_dir();
	struct stat st;

	/* /run/user/UID would do, but is there only as long as the user is logged in. */
	if (lstat (path, &st) == 0 && st.st_uid != getuid())
		return kd_runtime_dir (error);
	return make_private (path, error) ? g_steal_pointer (&path) : NULL;
}

char *
kd_runtime_dir (GError **error)
{
	const char *base = g_getenv ("XDG_RUNTIME_DIR");
	g_autofree char *run = g_strdup_printf ("/run/user/%u", (unsigned)getuid());
	g_autofree char *path = NULL;

	if (base && !g_path_is_absolute (base)) {
		g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
			"XDG_RUNTIME_DIR is not an absolute path: “%s”", base);
		return NULL;
	}
	if (!base && is_own_dir (run))
		base = run;
	path = base ? g_build_filename (base, "kvmdbg", NULL) : tmp_dir();
	return make_private (path, error) ? g_steal_pointer (&path) : NULL;
}

char *
kd_runtime_socket_path (GError **error)
{
	g_autofree char *dir = kd_runtime_dir (error);
	g_autofree char *path = NULL;

	if (!dir)
		return NULL;
	path = g_build_filename (dir, "kvmdbgd.sock", NULL);
	if (strlen (path) >= sizeof (((struct sockaddr_un *)NULL)->sun_path)) {
		g_set_error (error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG,
			"%s is too long for a socket (set XDG_RUNTIME_DIR to a shorter one)", path);
		return NULL;
	}
	return g_steal_pointer (&path);
}
