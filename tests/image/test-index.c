/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cache file is used when it is whole and ours, and otherwise built again, never trusted. */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/image.h"
#include "image/index.h"

static const char *sample;

typedef struct {
	char *dir;
	char *file; /* the cache's only file */
	char *good;
	gsize len;
} Fixture;

static char *
only_file (const char *dir)
{
	g_autoptr (GDir) open = g_dir_open (dir, 0, NULL);
	char *path = NULL;
	const char *name;
	while (open && (name = g_dir_read_name (open))) {
		/* No temporary file stays behind. */
		g_assert_null (path);
		path = g_build_filename (dir, name, NULL);
	}
	return path;
}

/* Opens with the cache and checks one answer of each kind. */
static void
open_and_check (const char *dir)
{
	g_autoptr (GError) error = NULL;
	g_autoptr (KdImage) image =
		kd_image_open (&(KdImageOptions){.path = sample, .cache_dir = dir}, &error);
	KdSymbol symbol, again;
	KdCfiRow row;

	g_assert_no_error (error);
	g_assert_true (kd_image_symbol_by_name (image, "outer", &symbol));
	g_assert_true (kd_image_symbol_by_addr (image, symbol.addr + 1, &again));
	g_assert_cmpstr (again.name, ==, "outer");
	g_assert_true (kd_image_cfi_at (image, symbol.addr, &row));
	g_autoptr (GArray) lines = kd_image_lines_at (image, symbol.addr + symbol.size - 1);
	g_assert_cmpuint (lines->len, >, 0);
}

static void
setup (Fixture *fixture, gconstpointer data)
{
	fixture->dir = g_dir_make_tmp ("kd-index-XXXXXX", NULL);
	open_and_check (fixture->dir);
	fixture->file = only_file (fixture->dir);
	g_assert_nonnull (fixture->file);
	g_assert_true (g_file_get_contents (fixture->file, &fixture->good, &fixture->len, NULL));
}

static void
teardown (Fixture *fixture, gconstpointer data)
{
	g_unlink (fixture->file);
	g_rmdir (fixture->dir);
	g_free (fixture->good);
	g_free (fixture->file);
	g_free (fixture->dir);
}

static void
assert_rebuilt (Fixture *fixture)
{
	g_autofree char *now = NULL;
	gsize len;

	open_and_check (fixture->dir);
	g_assert_true (g_file_get_contents (fixture->file, &now, &len, NULL));
	g_assert_cmpmem (now, len, fixture->good, fixture->len);
}

static void
test_reused (Fixture *fixture, gconstpointer data)
{
	struct stat before, after;

	g_assert_cmpint (stat (fixture->file, &before), ==, 0);
	g_assert_cmpint (before.st_mode & 0777, ==, 0600);
	open_and_check (fixture->dir);
	g_assert_cmpint (stat (fixture->file, &after), ==, 0);
	g_assert_cmpint (before.st_ino, ==, after.st_ino);
}

static void
test_damaged (Fixture *fixture, gconstpointer data)
{
	for (gsize at = 0; at < fixture->len; at += at < 320 ? 3 : fixture->len / 50 + 1) {
		g_autofree char *bad = g_memdup2 (fixture->good, fixture->len);
		bad[at] ^= 0x40;
		g_assert_true (
			g_file_set_contents (fixture->file, bad, (gssize)fixture->len, NULL));
		g_assert_cmpint (g_chmod (fixture->file, 0600), ==, 0);
		assert_rebuilt (fixture);
	}
}

static void
test_truncated (Fixture *fixture, gconstpointer data)
{
	for (gsize len = 0; len < fixture->len; len += fixture->len / 40 + 1) {
		g_assert_true (
			g_file_set_contents (fixture->file, fixture->good, (gssize)len, NULL));
		g_assert_cmpint (g_chmod (fixture->file, 0600), ==, 0);
		assert_rebuilt (fixture);
	}
}

/* By somebody, while it is in use. */
static void
test_truncated_in_use (Fixture *fixture, gconstpointer data)
{
	g_autoptr (KdImage) image =
		kd_image_open (&(KdImageOptions){.path = sample, .cache_dir = fixture->dir}, NULL);
	KdSymbol symbol;
	KdCfiRow row;

	g_assert_null (kd_image_changed (image));
	g_assert_cmpint (truncate (fixture->file, 16), ==, 0);
	g_assert_false (kd_image_symbol_by_name (image, "outer", &symbol));
	kd_image_cfi_at (image, 0x400000, &row);
	g_assert_cmpstr (kd_image_changed (image), ==, fixture->file);
	assert_rebuilt (fixture);
}

static void
test_foreign (Fixture *fixture, gconstpointer data)
{
	/* Others could change it while it is mapped. */
	g_assert_cmpint (g_chmod (fixture->file, 0666), ==, 0);
	struct stat st;
	assert_rebuilt (fixture);
	g_assert_cmpint (stat (fixture->file, &st), ==, 0);
	g_assert_cmpint (st.st_mode & 0777, ==, 0600);

	/* A link that somebody put there is replaced, not followed. */
	g_autofree char *target = g_strdup_printf ("%s.target", fixture->file);
	g_assert_cmpint (g_rename (fixture->file, target), ==, 0);
	g_assert_cmpint (symlink (target, fixture->file), ==, 0);
	open_and_check (fixture->dir);
	g_assert_false (g_file_test (fixture->file, G_FILE_TEST_IS_SYMLINK));
	g_unlink (target);
}

/* A block whose checksum is right but whose entries lie: answers may be wrong, nothing else. */
static void
test_lying (Fixture *fixture, gconstpointer data)
{
	g_autoptr (GRand) rand = g_rand_new_with_seed (2);

	for (unsigned round = 0; round < 300; round++) {
		g_autofree char *bad = g_memdup2 (fixture->good, fixture->len);
		for (unsigned i = 0; i < 40; i++) {
			gint32 at = g_rand_int_range (rand, 280, (gint32)fixture->len);
			bad[at] = (char)g_rand_int (rand);
		}
		kd_index_reseal (bad, fixture->len);
		g_assert_true (
			g_file_set_contents (fixture->file, bad, (gssize)fixture->len, NULL));
		g_assert_cmpint (g_chmod (fixture->file, 0600), ==, 0);
		g_autoptr (KdImage) image = kd_image_open (
			&(KdImageOptions){.path = sample, .cache_dir = fixture->dir}, NULL);
		KdSymbol symbol;
		KdCfiRow row;
		if (!image)
			continue;
		kd_image_symbol_by_name (image, "outer", &symbol);
		kd_image_symbol_by_addr (image, g_rand_int (rand), &symbol);
		kd_image_cfi_at (
			image, 0x400000 + (uint64_t)g_rand_int_range (rand, 0, 4096), &row);
		g_array_unref (kd_image_lines_at (
			image, 0x400000 + (uint64_t)g_rand_int_range (rand, 0, 4096)));
	}
}

/* Neither a folder that cannot be made nor a missing home is an error. */
static void
test_unwritable (void)
{
	open_and_check ("/proc/no/such/place");
}

int
main (int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*func) (Fixture *fixture, gconstpointer data);
	} tests[] = {{"/index/reused", test_reused}, {"/index/damaged", test_damaged},
		{"/index/truncated", test_truncated},
		{"/index/truncated-in-use", test_truncated_in_use},
		{"/index/foreign", test_foreign}, {"/index/lying", test_lying}};

	g_test_init (&argc, &argv, NULL);
	g_autofree char *absolute = g_canonicalize_filename (argv[1], NULL);
	sample = absolute;
	for (unsigned i = 0; i < G_N_ELEMENTS (tests); i++)
		g_test_add (tests[i].name, Fixture, NULL, setup, tests[i].func, teardown);
	g_test_add_func ("/index/unwritable", test_unwritable);
	return g_test_run();
}
