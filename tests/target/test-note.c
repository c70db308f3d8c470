/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a session leaves word of, and what the next one makes of that. */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake-stub.h"
#include "target/target.h"

typedef struct {
	FakeStub *stub;
	char *dir;
} Notes;

static void
notes_open (Notes *notes, const FakeScript *script)
{
	notes->stub = fake_stub_new (script);
	notes->dir = g_dir_make_tmp ("kvmdbg-note-XXXXXX", NULL);
}

/* Nothing is left in the folder. */
static void
notes_close (Notes *notes)
{
	g_assert_cmpint (g_rmdir (notes->dir), ==, 0);
	g_free (notes->dir);
	fake_stub_free (notes->stub);
}

/* The file whose name ends so; NULL: none. */
static char *
notes_find (const Notes *notes, const char *suffix)
{
	GDir *names = g_dir_open (notes->dir, 0, NULL);
	const char *name;
	char *path = NULL;

	while (!path && (name = g_dir_read_name (names)))
		if (g_str_has_suffix (name, suffix))
			path = g_build_filename (notes->dir, name, NULL);
	g_dir_close (names);
	return path;
}

static KdTarget *
open_at (const Notes *notes, const char *address, GError **error)
{
	const KdTargetOptions options = {.address = address,
		.timeout_ms = 1000,
		.no_direct = TRUE,
		.note_dir = notes->dir,
		.owner = "a"};

	return kd_target_open_qemu (&options, NULL, error);
}

static KdTarget *
notes_attach (const Notes *notes)
{
	g_autoptr (GError) error = NULL;
	KdTarget *target = open_at (notes, fake_stub_address (notes->stub), &error);

	g_assert_no_error (error);
	return target;
}

static void
notes_detach (KdTarget *target)
{
	g_autoptr (GError) error = NULL;

	g_assert_true (kd_target_detach (target, TRUE, &error));
	g_assert_no_error (error);
	kd_target_free (target);
}

/* What the note says where `text` of a session was found, `with` in the place of `what`. */
static void
notes_leave (const char *path, const char *text, const char *what, const char *with)
{
	g_autoptr (GString) left = g_string_new (text);

	g_assert_cmpuint (g_string_replace (left, what, with, 0), >, 0);
	g_assert_true (g_file_set_contents (path, left->str, -1, NULL));
}

static void
test_note (void)
{
	const FakeScript script = {.name = "note"};
	Notes notes;
	g_autofree char *path = NULL, *text = NULL;
	g_autoptr (GError) error = NULL;
	KdTarget *target;

	notes_open (&notes, &script);
	target = notes_attach (&notes);
	kd_target_break_insert (target, KD_BREAK_SOFTWARE, 0x5000, 0, "a", &error);
	g_assert_no_error (error);
	path = notes_find (&notes, ".note");
	g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
	notes_detach (target);
	g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
	/* The same note, of a process that is no more, and what it left. */
	notes_leave (path, text, "_start\":", "_start\":1");
	fake_stub_set_break (notes.stub, "0,5000,4");
	target = notes_attach (&notes);
	g_assert_nonnull (strstr (kd_target_cleaned_up (target), "died"));
	g_assert_cmpuint (fake_stub_breaks (notes.stub), ==, 0);
	g_assert_true (kd_target_runs_after_detach (target));
	notes_detach (target);
	/* How that one found the machine is how it is left now. */
	notes_leave (path, text, "\"was_running\":true", "\"was_running\":false");
	target = notes_attach (&notes);
	g_assert_nonnull (strstr (kd_target_cleaned_up (target), "was paused before"));
	g_assert_false (kd_target_runs_after_detach (target));
	notes_detach (target);
	g_assert_cmpuint (fake_stub_count (notes.stub, "D"), ==, 2);
	/* One that is damaged is none. */
	g_assert_true (g_file_set_contents (path, "{\"stub\": [", -1, NULL));
	target = notes_attach (&notes);
	g_assert_null (kd_target_cleaned_up (target));
	notes_detach (target);
	notes_close (&notes);
}

/* The stub's socket by another name is the same one. */
static void
test_note_spelling (void)
{
	const FakeScript script = {.name = "note"};
	Notes notes;
	g_autofree char *link = NULL, *path = NULL, *text = NULL;
	g_autoptr (KdTarget) other = NULL;
	g_autoptr (GError) error = NULL;
	KdTarget *target;

	notes_open (&notes, &script);
	link = g_strconcat (notes.dir, ".sock", NULL);
	g_assert_cmpint (symlink (fake_stub_address (notes.stub) + 5, link), ==, 0);
	target = notes_attach (&notes);
	path = notes_find (&notes, ".note");
	g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
	/* And has one session at a time, in this process too. */
	other = open_at (&notes, link, &error);
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT);
	g_assert_nonnull (strstr (error->message, "attached to by session"));
	g_clear_error (&error);
	notes_detach (target);
	notes_leave (path, text, "_start\":", "_start\":1");
	other = open_at (&notes, link, &error);
	g_assert_no_error (error);
	g_assert_nonnull (kd_target_cleaned_up (other));
	notes_detach (g_steal_pointer (&other));
	g_unlink (link);
	notes_close (&notes);
}

/* What this process itself could not put right it does at its next attach. */
static void
test_note_of_ours (void)
{
	const FakeScript script = {.name = "note", .at = "D", .answer = "E22"};
	Notes notes;
	g_autofree char *path = NULL;
	g_autoptr (GError) error = NULL;
	KdTarget *target;

	notes_open (&notes, &script);
	target = notes_attach (&notes);
	g_assert_false (kd_target_detach (target, TRUE, &error));
	kd_target_free (target);
	path = notes_find (&notes, ".note");
	g_assert_nonnull (path);
	target = notes_attach (&notes);
	g_assert_nonnull (strstr (kd_target_cleaned_up (target), "could not detach"));
	g_assert_true (kd_target_detach (target, FALSE, NULL));
	kd_target_free (target);
	notes_close (&notes);
}

/* QEMU reports what it keeps of a dead one's CPUs before "?" frees its watchpoints. */
static void
test_note_settles (void)
{
	/* "info kvm": "kvm support: disabled" */
	const FakeScript script = {.name = "note",
		.die_at = "?",
		.at = "qRcmd,696e666f206b766d",
		.answer = "6b766d20737570706f72743a2064697361626c6564"};
	Notes notes;
	g_autofree char *path = NULL, *text = NULL;

	notes_open (&notes, &script);
	g_assert_null (open_at (&notes, fake_stub_address (notes.stub), NULL));
	g_assert_cmpuint (fake_stub_count (notes.stub, "vCont;s"), ==, 0);
	path = notes_find (&notes, ".note");
	g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
	notes_leave (path, text, "_start\":", "_start\":1");
	g_assert_null (open_at (&notes, fake_stub_address (notes.stub), NULL));
	g_assert_cmpuint (fake_stub_count (notes.stub, "vCont;s"), ==, 2);
	g_unlink (path);
	notes_close (&notes);
}

/* Without one the machine is not touched. */
static void
test_note_denied (void)
{
	const FakeScript script = {.name = "note"};
	Notes notes;
	g_autofree char *away = NULL;
	g_autoptr (GError) error = NULL;
	KdTarget *target;

	notes_open (&notes, &script);
	away = g_strconcat (notes.dir, ".away", NULL);
	g_assert_cmpint (g_rename (notes.dir, away), ==, 0);
	g_assert_null (open_at (&notes, fake_stub_address (notes.stub), &error));
	g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
	g_clear_error (&error);
	g_assert_cmpuint (fake_stub_count (notes.stub, ""), ==, 0);
	g_assert_cmpint (g_rename (away, notes.dir), ==, 0);
	target = notes_attach (&notes);
	g_assert_cmpint (g_rename (notes.dir, away), ==, 0);
	g_assert_cmpint (
		kd_target_break_insert (target, KD_BREAK_SOFTWARE, 0x5000, 0, "a", &error), ==, 0);
	g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
	g_clear_error (&error);
	g_assert_cmpuint (fake_stub_count (notes.stub, "Z"), ==, 0);
	g_assert_cmpint (g_rename (away, notes.dir), ==, 0);
	kd_target_break_insert (target, KD_BREAK_SOFTWARE, 0x5000, 0, "a", &error);
	g_assert_no_error (error);
	notes_detach (target);
	notes_close (&notes);
}

/*
 * It is there before the stub hears of us. A stub that says nothing may stop later, and is left a
 * detach then, unless its machine is to stay paused.
 */
static void
test_note_first (void)
{
	const FakeScript script = {.name = "note", .silent = TRUE};
	Notes notes;
	g_autofree char *path = NULL, *text = NULL;
	g_autoptr (GError) error = NULL;

	notes_open (&notes, &script);
	g_assert_null (open_at (&notes, fake_stub_address (notes.stub), &error));
	g_assert_nonnull (strstr (error->message, "later"));
	g_clear_error (&error);
	path = notes_find (&notes, ".note");
	g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
	g_assert_cmpuint (fake_stub_count (notes.stub, "D"), ==, 1);
	notes_leave (path, text, "\"was_running\":true", "\"was_running\":false");
	g_assert_null (open_at (&notes, fake_stub_address (notes.stub), &error));
	g_assert_cmpuint (fake_stub_count (notes.stub, "qSupported"), ==, 2);
	g_assert_cmpuint (fake_stub_count (notes.stub, "D"), ==, 1);
	g_unlink (path);
	notes_close (&notes);
}

/* Where somebody waits in vain already nobody else does: each would stop the machine later. */
static void
test_hung (void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	g_autofree char *dir = g_dir_make_tmp ("kvmdbg-hung-XXXXXX", NULL);
	g_autofree char *path = g_build_filename (dir, "gdb.sock", NULL);
	Notes notes = {.dir = dir};
	int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int other = socket (AF_UNIX, SOCK_STREAM, 0), accepted;
	g_autoptr (GError) error = NULL;

	g_strlcpy (addr.sun_path, path, sizeof addr.sun_path);
	g_assert_cmpint (bind (fd, (struct sockaddr *)&addr, sizeof addr), ==, 0);
	g_assert_cmpint (listen (fd, 4), ==, 0);
	g_assert_cmpint (connect (other, (struct sockaddr *)&addr, sizeof addr), ==, 0);
	g_assert_null (open_at (&notes, path, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT);
	g_assert_nonnull (strstr (error->message, "hangs"));
	accepted = accept (fd, NULL, NULL);
	g_assert_cmpint (accepted, >=, 0);
	g_assert_cmpint (accept (fd, NULL, NULL), <, 0);
	close (accepted);
	close (other);
	close (fd);
	g_unlink (path);
	g_assert_cmpint (g_rmdir (dir), ==, 0);
}

/* Files of machines that are no more, and of a process that died while it wrote, are swept up. */
static void
test_note_sweep (void)
{
	static const char *const names[] = {"qemu-1-1-unix-1.note", "qemu-1-1-unix-1.lock",
		"socket-1-tcp-00-1.note", "unix-1-1-1.note", "unix-1-1-1.note.new", "tcp-0-1.lock"};
	const FakeScript script = {.name = "note"};
	Notes notes;

	notes_open (&notes, &script);
	for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
		g_autofree char *path = g_build_filename (notes.dir, names[i], NULL);

		g_assert_true (
			g_file_set_contents (path, "{\"stub\":\"unix:/nowhere\"}", -1, NULL));
	}
	notes_detach (notes_attach (&notes));
	notes_close (&notes);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/note/of-a-dead-process", test_note);
	g_test_add_func ("/note/spelling", test_note_spelling);
	g_test_add_func ("/note/of-ours", test_note_of_ours);
	g_test_add_func ("/note/settles", test_note_settles);
	g_test_add_func ("/note/denied", test_note_denied);
	g_test_add_func ("/note/first", test_note_first);
	g_test_add_func ("/note/hung", test_hung);
	g_test_add_func ("/note/sweep", test_note_sweep);
	return g_test_run();
}
