/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gstdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "target/qemu-process.h"
#include "target/socket-owner.h"
#include "target/target-private.h"

/*
 * The note that a kvmdbgd left which died: whatever it says, the machine is claimed, put right as
 * far as that goes, and the note in its place is one of ours.
 */
#define IDENTITY "vm-1-2"

/* --- what note.c asks of others --- */

G_DEFINE_QUARK (kd - target - error - quark, kd_target_error)

static int blocked;

void
kd_target_block_cancel (KdTarget *target)
{
	blocked++;
}

void
kd_target_unblock_cancel (KdTarget *target)
{
	blocked--;
}

gboolean
kd_target_hot_restore (
	KdTarget *target, uint64_t va, uint64_t pa, const uint8_t *code, GError **error)
{
	g_assert_nonnull (code);
	/* What puts the machine back is not cancelled. */
	g_assert_cmpint (blocked, >, 0);
	if (!(pa & 1))
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT, "no memory");
	return pa & 1;
}

gboolean
kd_target_settle_all (KdTarget *target)
{
	g_assert_cmpint (blocked, >, 0);
	return TRUE;
}

gboolean
kd_socket_identity_is_gone (const char *identity, const char *address)
{
	return FALSE;
}

uint64_t
kd_process_start_time (int pid)
{
	g_assert_cmpint (pid, >, 0);
	return 7;
}

/* --- */

static char *dir;

static void
remove_dir (void)
{
	g_rmdir (dir);
}

static void
claim (KdTarget *target, const char *path)
{
	const KdTargetOptions options = {.note_dir = dir, .owner = "fuzz"};
	g_autoptr (GError) error = NULL;

	g_assert_true (kd_target_note_open (target, &options, IDENTITY, 0, &error));
	kd_target_note_has_code (target);
	g_assert_true (kd_target_note_begin (target, NULL));
	if (kd_target_note_clean_up (target, &error)) {
		g_assert_no_error (error);
		g_assert_true (
			!target->cleaned_up || g_utf8_validate (target->cleaned_up, -1, NULL));
		g_assert_true (kd_target_note_write (target, NULL, NULL));
	} else
		g_assert_nonnull (error);
	g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
	g_assert_cmpint (blocked, ==, 0);
	kd_target_note_close (target);
	g_assert_cmpint (g_unlink (path), ==, 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	KdTarget target = {.arch = &kd_arch_arm64, .lock_fd = -1, .was_running = TRUE};
	g_autofree char *path = NULL;

	if (!dir) {
		dir = g_dir_make_tmp ("fuzz-note-XXXXXX", NULL);
		g_assert_nonnull (dir);
		atexit (remove_dir);
	}
	path = g_build_filename (dir, IDENTITY ".note", NULL);
	g_assert_true (g_file_set_contents_full (
		path, (const char *)data, (gssize)size, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
	target.stub = g_strdup ("unix:/x");
	target.breaks = g_array_new (FALSE, TRUE, sizeof (KdBreak));
	claim (&target, path);
	g_array_unref (target.breaks);
	g_free (target.stub);
	g_free (target.cleaned_up);
	return 0;
}
