/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "target/qemu-process.h"
#include "target/socket-owner.h"
#include "target/target-private.h"

/*
 * Two files for each machine, named after what identifies it: a lock that is held as long as it is
 * attached to, so that one kvmdbg has it at a time, and the note. A note without a holder of its
 * lock is of a session that did not end well.
 */

#define NOTE_MAX ((size_t)1 << 20)
#define NOTE_AGE_MAX_S (24 * 3600)
#define HOLDER_MAX 256
#define FILES_MAX 4096
#define LOCK_PAUSE_US (20 * 1000)

static char *
file_of (const char *dir, const char *identity, const char *suffix)
{
	return g_strdup_printf ("%s/%s%s", dir, identity, suffix);
}

/* -1: errno says why, EWOULDBLOCK that somebody holds it. */
static int
take_lock (const char *path)
{
	for (;;) {
		int fd = open (path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat held, there;
		int code;

		if (fd < 0)
			return -1;
		if (flock (fd, LOCK_EX | LOCK_NB) < 0) {
			code = errno;
			close (fd);
			errno = code;
			return -1;
		}
		/* Who held it before may have removed it since it was opened. */
		if (fstat (fd, &held) == 0 && stat (path, &there) == 0 &&
			held.st_dev == there.st_dev && held.st_ino == there.st_ino)
			return fd;
		close (fd);
	}
}

static void
drop_lock (const char *path, int fd)
{
	unlink (path);
	close (fd);
}

/* Its file says so, for whoever comes and finds it held. */
static void
name_holder (int fd, const char *owner)
{
	g_autofree char *text =
		g_strdup_printf ("session %s of kvmdbgd (process %d)", owner, getpid());

	if (ftruncate (fd, 0) != 0 || pwrite (fd, text, strlen (text), 0) < 0)
		g_info ("lock: %s", g_strerror (errno));
}

static gboolean
is_held (const KdTarget *target, const char *path, GError **error)
{
	char holder[HOLDER_MAX] = "another kvmdbg";
	int fd = open (path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read (fd, holder, sizeof holder - 1) : 0;

	if (n > 0)
		holder[n] = '\0';
	if (fd >= 0)
		close (fd);
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
		"%s is attached to by %s (a machine has one debugger at a time)", target->stub,
		holder);
	return FALSE;
}

static gboolean
no_note (const char *path, int code, GError **error)
{
	g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code),
		"%s cannot be written (%s): without that note nobody could put the machine right "
		"if kvmdbgd died, so nothing in it is changed",
		path, g_strerror (code));
	return FALSE;
}

/* --- reading --- */

static JsonObject *
read_note (const char *path, JsonNode **ret_owner)
{
	g_autofree char *text = NULL;
	struct stat st;
	gsize len;

	*ret_owner = NULL;
	if (stat (path, &st) != 0 || (size_t)st.st_size > NOTE_MAX ||
		!g_file_get_contents (path, &text, &len, NULL))
		return NULL;
	*ret_owner = kd_json_parse (text, len, NULL, NULL);
	return *ret_owner ? kd_json_node_object (*ret_owner, NULL) : NULL;
}

/* NULL: none is there. Borrowed from what was read when the machine was claimed. */
static JsonObject *
left_note (const KdTarget *target)
{
	return target->left_note ? kd_json_node_object (target->left_note, NULL) : NULL;
}

/* Its writer: a process of that number that started at that moment. */
static gboolean
is_alive (gint64 pid, gint64 start)
{
	return pid > 0 && pid <= G_MAXINT && start &&
	       kd_process_start_time ((int)pid) == (uint64_t)start;
}

/* --- the folder --- */

/* Of a machine elsewhere nobody can say whether it is still the one of then. */
static gboolean
is_forgotten (const char *identity, const char *path)
{
	struct stat st;

	return g_str_has_prefix (identity, "tcp-") && stat (path, &st) == 0 &&
	       st.st_mtime + NOTE_AGE_MAX_S < time (NULL);
}

/* What a machine that is no more, or a process that died in its work, left in the folder. */
static void
sweep_one (const char *dir, const char *identity)
{
	g_autofree char *note = file_of (dir, identity, ".note");
	g_autofree char *fresh = file_of (dir, identity, ".note.new");
	g_autofree char *lock = file_of (dir, identity, ".lock");
	g_autoptr (JsonNode) owner = NULL;
	const char *stub = NULL;
	int fd = take_lock (lock);

	if (fd < 0)
		return;
	kd_json_get_string (read_note (note, &owner), "stub", FALSE, &stub, NULL);
	if (kd_socket_identity_is_gone (identity, stub) || is_forgotten (identity, note))
		unlink (note);
	unlink (fresh);
	drop_lock (lock, fd);
}

static void
sweep (const char *dir, const char *own)
{
	static const char *const suffixes[] = {".note", ".note.new", ".lock"};
	g_autoptr (GHashTable) found =
		g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
	GDir *names = g_dir_open (dir, 0, NULL);
	GHashTableIter iter;
	const char *name;
	gpointer key;

	while (names && (name = g_dir_read_name (names)) && g_hash_table_size (found) < FILES_MAX)
		for (size_t i = 0; i < G_N_ELEMENTS (suffixes); i++)
			/* The daemon's own is another lock. */
			if (g_str_has_suffix (name, suffixes[i]) && strchr (name, '-'))
				g_hash_table_add (found,
					g_strndup (name, strlen (name) - strlen (suffixes[i])));
	if (names)
		g_dir_close (names);
	g_hash_table_remove (found, own);
	g_hash_table_iter_init (&iter, found);
	while (g_hash_table_iter_next (&iter, &key, NULL))
		sweep_one (dir, key);
}

gboolean
kd_target_note_open (KdTarget *target, const KdTargetOptions *options, const char *identity,
	gint64 deadline_us, GError **error)
{
	g_autofree char *lock = NULL;
	int fd;

	if (!options->note_dir)
		return TRUE;
	lock = file_of (options->note_dir, identity, ".lock");
	/* One that dies holds it for a moment. */
	while ((fd = take_lock (lock)) < 0 && errno == EWOULDBLOCK &&
		g_get_monotonic_time() < deadline_us &&
		!g_cancellable_is_cancelled (target->cancellable))
		g_usleep (LOCK_PAUSE_US);
	if (fd < 0)
		return errno == EWOULDBLOCK ? is_held (target, lock, error)
					    : no_note (lock, errno, error);
	name_holder (fd, options->owner ? options->owner : "?");
	target->lock_fd = fd;
	target->identity = g_strdup (identity);
	target->lock_path = g_steal_pointer (&lock);
	target->note_path = file_of (options->note_dir, identity, ".note");
	sweep (options->note_dir, identity);
	read_note (target->note_path, &target->left_note);
	return TRUE;
}

gboolean
kd_target_note_is_over (const KdTarget *target)
{
	return !target->identity || kd_socket_identity_is_gone (target->identity, target->stub);
}

void
kd_target_note_close (KdTarget *target)
{
	if (kd_target_note_is_over (target))
		kd_target_note_remove (target);
	if (target->lock_fd >= 0)
		drop_lock (target->lock_path, target->lock_fd);
	target->lock_fd = -1;
	g_clear_pointer (&target->identity, g_free);
	g_clear_pointer (&target->lock_path, g_free);
	g_clear_pointer (&target->note_path, g_free);
	g_clear_pointer (&target->left_note, json_node_unref);
}

/* --- what was left --- */

/* What stood for the instruction of a hot one is code, which stays when the connection goes. */
static gboolean
restore_code (KdTarget *target, JsonObject *point, GError **error)
{
	uint8_t code[KD_TRIVIAL_INSN_MAX];
	const char *hex = NULL;
	uint64_t pa = 0, va = 0;

	kd_json_get_string (point, "code", FALSE, &hex, NULL);
	if (!hex || !target->arch->self_load ||
		strlen (hex) != 2 * (size_t)target->arch->self_load_len ||
		!kd_json_get_address (point, "pa", TRUE, &pa, NULL) ||
		!kd_json_get_address (point, "va", TRUE, &va, NULL) ||
		!kd_hex_decode (hex, target->arch->self_load_len, code) ||
		kd_target_hot_restore (target, va, pa, code, error))
		return TRUE;
	g_prefix_error (error,
		"the kernel's code at 0x%" PRIx64
		" is not as it was, and cannot be put back, so that the "
		"machine stays paused: ",
		pa);
	return FALSE;
}

static gboolean
restore_breaks (KdTarget *target, JsonObject *note, unsigned *ret_nr, GError **error)
{
	JsonArray *breaks = NULL;

	kd_json_get_array (note, "breakpoints", FALSE, &breaks, NULL);
	*ret_nr = breaks ? json_array_get_length (breaks) : 0;
	for (unsigned i = 0; i < *ret_nr; i++) {
		JsonObject *point = NULL;

		if (kd_json_array_object (breaks, i, &point, NULL) &&
			!restore_code (target, point, error))
			return FALSE;
	}
	return TRUE;
}

gboolean
kd_target_note_has_code (const KdTarget *target)
{
	JsonArray *breaks = NULL;
	JsonObject *point = NULL;

	kd_json_get_array (left_note (target), "breakpoints", FALSE, &breaks, NULL);
	for (guint i = 0; breaks && i < json_array_get_length (breaks); i++)
		if (kd_json_array_object (breaks, i, &point, NULL) &&
			json_object_has_member (point, "code"))
			return TRUE;
	return FALSE;
}

static void
recall_was_running (KdTarget *target)
{
	kd_json_get_bool (left_note (target), "was_running", FALSE, &target->was_running, NULL);
}

gboolean
kd_target_note_begin (KdTarget *target, GError **error)
{
	recall_was_running (target);
	return kd_target_note_write (target, NULL, error);
}

gboolean
kd_target_note_clean_up (KdTarget *target, GError **error)
{
	JsonObject *note = left_note (target);
	gboolean ok;
	gint64 pid = 0, start = 0;
	unsigned nr;

	if (!note)
		return TRUE;
	kd_json_get_int (note, "kvmdbgd_pid", FALSE, &pid, NULL);
	kd_json_get_int (note, "kvmdbgd_start", FALSE, &start, NULL);
	recall_was_running (target);
	kd_target_block_cancel (target);
	ok = restore_breaks (target, note, &nr, error);
	/*
	 * A stop that it has asked QEMU for by a step, or a hit that QEMU keeps, would stop the
	 * machine after detach, when nobody is there.
	 */
	if (ok && (nr || target->was_running))
		kd_target_settle_all (target);
	kd_target_unblock_cancel (target);
	if (!ok)
		return FALSE;
	target->cleaned_up = g_strdup_printf (
		"a kvmdbgd (process %" G_GINT64_FORMAT
		") %s; its %u breakpoint%s removed; the machine was %s before, and will be "
		"after detach",
		pid,
		is_alive (pid, start) ? "could not detach from here as it should"
				      : "died while it was attached here",
		nr, nr == 1 ? " is" : "s are", target->was_running ? "running" : "paused");
	g_clear_pointer (&target->left_note, json_node_unref);
	return TRUE;
}

/* --- writing --- */

static void
add_break (JsonArray *breaks, const KdTarget *target, const KdBreak *point)
{
	JsonObject *row = kd_json_array_add_object (breaks);

	kd_json_set_int (row, "kind", point->kind);
	kd_json_set_hex (row, "va", point->va);
	kd_json_set_uint (row, "len", point->len);
	if (point->hot) {
		g_autofree char *code = kd_hex_to_string (point->code, target->arch->self_load_len);

		kd_json_set_hex (row, "pa", point->pa);
		kd_json_set_string (row, "code", code);
	}
}

static char *
note_text (const KdTarget *target, const KdBreak *next)
{
	JsonObject *note = json_object_new();
	g_autoptr (JsonNode) node = kd_json_object_node (note);
	JsonArray *breaks;

	kd_json_set_string (note, "stub", target->stub);
	kd_json_set_int (note, "kvmdbgd_pid", getpid());
	kd_json_set_int (note, "kvmdbgd_start", (gint64)kd_process_start_time (getpid()));
	kd_json_set_bool (note, "was_running", target->was_running);
	breaks = kd_json_add_array (note, "breakpoints");
	for (guint i = 0; i < target->breaks->len; i++)
		add_break (breaks, target, &g_array_index (target->breaks, KdBreak, i));
	if (next)
		add_break (breaks, target, next);
	return kd_json_to_string (node, FALSE);
}

/* 0, or an errno. */
static int
write_file (const char *path, const char *text)
{
	int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t len = strlen (text), done = 0;
	int code = 0;

	if (fd < 0)
		return errno;
	while (done < len && !code) {
		ssize_t n = write (fd, text + done, len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			code = n == 0 ? ENOSPC : errno;
	}
	if (close (fd) != 0 && !code)
		code = errno;
	return code;
}

gboolean
kd_target_note_write (KdTarget *target, const KdBreak *next, GError **error)
{
	g_autofree char *text = NULL, *fresh = NULL;
	int code;

	/* What was left and is not put right yet must not be forgotten. */
	if (!target->note_path || target->left_note)
		return TRUE;
	/* Always that name: one that is left behind is written over, or swept up. */
	fresh = g_strconcat (target->note_path, ".new", NULL);
	text = note_text (target, next);
	code = write_file (fresh, text);
	if (!code && rename (fresh, target->note_path) != 0)
		code = errno;
	if (!code)
		return TRUE;
	unlink (fresh);
	return no_note (target->note_path, code, error);
}

void
kd_target_note_remove (KdTarget *target)
{
	if (target->note_path)
		unlink (target->note_path);
}
