/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/file-map.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/image.h"

/* Larger than any vmlinux; sizes then fit everywhere. */
#define FILE_MAX (UINT64_C (64) << 30)
/* Kernels and their modules, of all sessions. */
#define RANGES_MAX 4096

/* What the signal handler looks at: no lock, so each is whole before `start` is set. */
typedef struct KdGuardedRange {
	_Atomic uintptr_t start; /* 0: free */
	_Atomic size_t len;
	_Atomic gboolean is_torn;
} GuardedRange;

static GuardedRange ranges[RANGES_MAX];
static _Atomic unsigned nr_ranges; /* those in front of it have been used */
static GMutex ranges_lock;
static size_t page_size;

/*
 * A page behind the end of a file that was truncated (or that its disk no longer gives) is replaced
 * by one of zeros, and the access made again. As systemd's sigbus-handler.c does for journals.
 */
static void
on_sigbus (int number, siginfo_t *info, void *context)
{
	uintptr_t addr = (uintptr_t)info->si_addr;
	unsigned nr = atomic_load (&nr_ranges);
	int saved = errno;

	/* Not a sender's, whose si_addr is none. */
	for (unsigned i = 0; info->si_code > 0 && i < nr; i++) {
		uintptr_t start = atomic_load (&ranges[i].start);

		if (start == 0 || addr < start || addr - start >= atomic_load (&ranges[i].len))
			continue;
		if (mmap ((void *)(addr & ~(uintptr_t)(page_size - 1)), page_size,
			    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			    0) == MAP_FAILED)
			break;
		atomic_store (&ranges[i].is_torn, TRUE);
		errno = saved;
		return;
	}
	/* Of another cause: the access, made again, ends the process. */
	signal (SIGBUS, SIG_DFL);
	if (info->si_code <= 0)
		raise (SIGBUS);
}

static GuardedRange *
guard (void *start, size_t len)
{
	GuardedRange *range = NULL;

	g_mutex_lock (&ranges_lock);
	if (!page_size) {
		struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

		page_size = (size_t)sysconf (_SC_PAGESIZE);
		sigaction (SIGBUS, &action, NULL);
	}
	for (unsigned i = 0; i < RANGES_MAX && !range; i++)
		if (atomic_load (&ranges[i].start) == 0)
			range = &ranges[i];
	if (range) {
		atomic_store (&range->is_torn, FALSE);
		atomic_store (&range->len, len);
		atomic_store (&range->start, (uintptr_t)start);
		atomic_store (
			&nr_ranges, MAX (atomic_load (&nr_ranges), (unsigned)(range - ranges) + 1));
	}
	g_mutex_unlock (&ranges_lock);
	return range;
}

static gboolean
check_kind (const struct stat *st, GError **error)
{
	if (S_ISREG (st->st_mode) && st->st_size > 0 && (uint64_t)st->st_size <= FILE_MAX)
		return TRUE;
	g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_ELF, "%s",
		S_ISREG (st->st_mode) ? st->st_size ? "too large" : "empty file"
				      : "not a regular file");
	return FALSE;
}

/* Bytes that are taken for a file of that length and the page behind it. */
static size_t
whole_len (size_t len)
{
	size_t page = (size_t)sysconf (_SC_PAGESIZE);

	return ((len + page - 1) & ~(page - 1)) + page;
}

static gboolean
map (KdFileMap *file, int fd, GError **error)
{
	size_t whole;
	void *data;

	if (fstat (fd, &file->st) != 0) {
		g_set_error (
			error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_FOUND, "%s", g_strerror (errno));
		return FALSE;
	}
	if (!check_kind (&file->st, error))
		return FALSE;
	whole = whole_len ((size_t)file->st.st_size);
	data = mmap (NULL, whole, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (data != MAP_FAILED) {
		file->data = data;
		file->len = (size_t)file->st.st_size;
	}
	if (data == MAP_FAILED ||
		mmap (data, file->len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd, 0) == MAP_FAILED) {
		g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_ELF, "mapping it: %s",
			g_strerror (errno));
		return FALSE;
	}
	file->range = guard (data, whole);
	if (!file->range)
		g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_ELF,
			"more than %d files are open", RANGES_MAX);
	return file->range != NULL;
}

KdFileMap *
kd_file_map_open (const char *path, int flags, GError **error)
{
	g_autoptr (KdFileMap) file = g_new0 (KdFileMap, 1);
	int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	gboolean mapped;

	if (fd < 0) {
		g_set_error (
			error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_FOUND, "%s", g_strerror (errno));
		return NULL;
	}
	file->path = g_strdup (path);
	mapped = map (file, fd, error);
	close (fd);
	return mapped ? g_steal_pointer (&file) : NULL;
}

void
kd_file_map_free (KdFileMap *map)
{
	if (!map)
		return;
	if (map->range)
		atomic_store (&map->range->start, 0);
	if (map->data)
		munmap (map->data, whole_len (map->len));
	g_free (map->path);
	g_free (map);
}

gboolean
kd_file_map_is_torn (const KdFileMap *map)
{
	return atomic_load (&map->range->is_torn);
}

gboolean
kd_file_map_has_changed (const KdFileMap *map)
{
	struct stat now;

	if (kd_file_map_is_torn (map))
		return TRUE;
	/* Another file of that name, or none: the one that is mapped stays what it was. */
	if (stat (map->path, &now) != 0 || now.st_ino != map->st.st_ino ||
		now.st_dev != map->st.st_dev)
		return FALSE;
	return now.st_size != map->st.st_size || now.st_mtim.tv_sec != map->st.st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != map->st.st_mtim.tv_nsec;
}
