/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/ram-file.h"

#define SIZE ((size_t)8 << 20)
#define PA 0x40000000ULL

/* This process stands for QEMU: a sparse file on tmpfs, mapped. */
typedef struct {
	int fd;
	uint8_t *map;
	char *maps;
	GArray *files;
	KdRamBlock block;
} Fixture;

static void
set_up (Fixture *fix, gconstpointer flags)
{
	fix->fd = memfd_create ("ram", MFD_CLOEXEC);
	g_assert_cmpint (ftruncate (fix->fd, (off_t)SIZE), ==, 0);
	fix->map = mmap (NULL, SIZE, PROT_READ | PROT_WRITE, GPOINTER_TO_INT (flags), fix->fd, 0);
	g_assert_true (fix->map != MAP_FAILED);
	g_assert_true (g_file_get_contents ("/proc/self/maps", &fix->maps, NULL, NULL));
	fix->files = kd_ram_files_new();
	fix->block = (KdRamBlock){.pa = PA, .size = SIZE, .hva = (uintptr_t)fix->map};
}

static void
tear_down (Fixture *fix, gconstpointer flags)
{
	g_array_unref (fix->files);
	g_free (fix->maps);
	munmap (fix->map, SIZE);
	close (fix->fd);
}

static blkcnt_t
blocks_of (int fd)
{
	struct stat st;

	g_assert_cmpint (fstat (fd, &st), ==, 0);
	return st.st_blocks;
}

static void
test_holes (Fixture *fix, gconstpointer flags)
{
	g_autofree uint8_t *buf = g_malloc (SIZE);

	g_assert_true (kd_ram_file_find (fix->files, getpid(), fix->maps, &fix->block));
	memset (buf, 0x5a, SIZE);
	g_assert_true (kd_ram_file_read (&fix->block, PA, buf, SIZE));
	g_assert_cmpuint (buf[0], ==, 0);
	g_assert_cmpuint (buf[SIZE - 1], ==, 0);
	g_assert_cmpint (blocks_of (fix->fd), ==, 0);
	memcpy (fix->map + 0x12345, "guest", 6);
	g_assert_true (kd_ram_file_read (&fix->block, PA + 0x12345, buf, 6));
	g_assert_cmpstr ((char *)buf, ==, "guest");
}

static void
test_truncated (Fixture *fix, gconstpointer flags)
{
	uint8_t buf[16];

	g_assert_true (kd_ram_file_find (fix->files, getpid(), fix->maps, &fix->block));
	g_assert_cmpint (ftruncate (fix->fd, 4096), ==, 0);
	g_assert_true (kd_ram_file_read (&fix->block, PA + 4080, buf, 16));
	errno = 0;
	g_assert_false (kd_ram_file_read (&fix->block, PA + 4090, buf, 16));
	g_assert_cmpint (errno, ==, EIO);
	g_assert_false (kd_ram_file_read (&fix->block, PA + SIZE - 16, buf, 16));
	/* And one that is already too short. */
	g_assert_false (kd_ram_file_find (fix->files, getpid(), fix->maps, &fix->block));
}

/* A block is in QEMU's mapping and not at its start; the second one opens nothing. */
static void
test_two_blocks (Fixture *fix, gconstpointer flags)
{
	KdRamBlock high = {.pa = 0x100000000, .size = 4096, .hva = (uintptr_t)fix->map + 8192};
	uint8_t byte = 0;

	g_assert_true (kd_ram_file_find (fix->files, getpid(), fix->maps, &fix->block));
	g_assert_true (kd_ram_file_find (fix->files, getpid(), fix->maps, &high));
	g_assert_cmpint (high.fd, ==, fix->block.fd);
	g_assert_cmpuint (fix->files->len, ==, 1);
	fix->map[8192 + 7] = 0xa5;
	g_assert_true (kd_ram_file_read (&high, 0x100000007, &byte, 1));
	g_assert_cmphex (byte, ==, 0xa5);
	high.size = SIZE;
	g_assert_false (kd_ram_file_find (fix->files, getpid(), fix->maps, &high));
}

static void
test_private (Fixture *fix, gconstpointer flags)
{
	g_assert_false (kd_ram_file_find (fix->files, getpid(), fix->maps, &fix->block));
	g_assert_false (fix->block.in_file);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add ("/ram-file/holes", Fixture, GINT_TO_POINTER (MAP_SHARED), set_up, test_holes,
		tear_down);
	g_test_add ("/ram-file/truncated", Fixture, GINT_TO_POINTER (MAP_SHARED), set_up,
		test_truncated, tear_down);
	g_test_add ("/ram-file/two-blocks", Fixture, GINT_TO_POINTER (MAP_SHARED), set_up,
		test_two_blocks, tear_down);
	g_test_add ("/ram-file/private", Fixture, GINT_TO_POINTER (MAP_PRIVATE), set_up,
		test_private, tear_down);
	return g_test_run();
}
