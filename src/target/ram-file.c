/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/ram-file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"
#include "target/qemu-process.h"

typedef struct {
	unsigned dev_major, dev_minor;
	uint64_t inode;
	int fd;
} RamFile;

static void
ram_file_clear (gpointer data)
{
	close (((RamFile *)data)->fd);
}

GArray *
kd_ram_files_new (void)
{
	GArray *files = g_array_new (FALSE, FALSE, sizeof (RamFile));

	g_array_set_clear_func (files, ram_file_clear);
	return files;
}

static gboolean
is_file (int fd, const KdMapping *mapping)
{
	struct stat st;

	return fstat (fd, &st) == 0 && st.st_ino == mapping->inode &&
	       major (st.st_dev) == mapping->dev_major && minor (st.st_dev) == mapping->dev_minor;
}

/* Opened through /proc: its name may be gone. -1: no permission, or none found. */
static int
open_mapping (int pid, const KdMapping *mapping)
{
	g_autofree char *by_range = g_strdup_printf (
		"/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, mapping->start, mapping->end);
	g_autofree char *fd_dir = g_strdup_printf ("/proc/%d/fd", pid);
	g_autoptr (GDir) fds = NULL;
	const char *name;
	int fd = open (by_range, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && is_file (fd, mapping))
		return fd;
	if (fd >= 0)
		close (fd);
	fds = g_dir_open (fd_dir, 0, NULL);
	while (fds && (name = g_dir_read_name (fds))) {
		g_autofree char *path = g_build_filename (fd_dir, name, NULL);
		struct stat st;

		/* Looked at before it is opened: opening a device or a FIFO does things. */
		if (stat (path, &st) < 0 || !S_ISREG (st.st_mode) || st.st_ino != mapping->inode)
			continue;
		fd = open (path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && is_file (fd, mapping))
			return fd;
		if (fd >= 0)
			close (fd);
	}
	return -1;
}

static int
find_file (GArray *files, int pid, const KdMapping *mapping)
{
	RamFile file = {mapping->dev_major, mapping->dev_minor, mapping->inode, -1};

	for (guint i = 0; i < files->len; i++) {
		const RamFile *known = &g_array_index (files, RamFile, i);

		if (known->inode == file.inode && known->dev_major == file.dev_major &&
			known->dev_minor == file.dev_minor)
			return known->fd;
	}
	if (files->len < KD_RAM_FILES_MAX)
		file.fd = open_mapping (pid, mapping);
	if (file.fd >= 0)
		g_array_append_val (files, file);
	return file.fd;
}

gboolean
kd_ram_file_find (GArray *files, int pid, const char *maps, KdRamBlock *block)
{
	g_auto (KdMapping) mapping = {0};
	uint64_t offset;
	uint8_t byte;
	int fd;

	if (!kd_proc_maps_find (maps, block->hva, &mapping) || !mapping.shared || !mapping.path ||
		block->size > mapping.end - block->hva)
		return FALSE;
	offset = mapping.offset + (block->hva - mapping.start);
	if (offset > G_MAXINT64 || block->size > G_MAXINT64 - offset)
		return FALSE;
	fd = find_file (files, pid, &mapping);
	/* Some devices can be mapped and not read. */
	if (fd < 0 || pread (fd, &byte, 1, (off_t)(offset + block->size - 1)) != 1)
		return FALSE;
	block->in_file = TRUE;
	block->fd = fd;
	block->file_offset = offset;
	return TRUE;
}

gboolean
kd_ram_file_read (const KdRamBlock *block, uint64_t pa, void *buf, size_t len)
{
	return kd_read_at (block->fd, block->file_offset + (pa - block->pa), buf, len);
}
