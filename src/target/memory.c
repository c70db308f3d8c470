/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/json.h"
#include "target/ram-file.h"
#include "target/target-private.h"

#define PAGE ((uint64_t)4096)
#define PAGES_MAX 16384 /* cached for one stop: 64 MiB */
#define PMEMSAVE_MAX ((size_t)64 << 20)

void
kd_target_memory_forget (KdTarget *target)
{
	if (target->pages)
		g_hash_table_remove_all (target->pages);
	for (unsigned i = 0; target->tlb && i < KD_TLB_SIZE; i++)
		target->tlb[i].va = 1; /* no page starts there */
}

void
kd_target_memory_clear (KdTarget *target)
{
	g_clear_pointer (&target->pages, g_hash_table_unref);
	g_clear_pointer (&target->ram, g_array_unref);
	g_clear_pointer (&target->ram_files, g_array_unref);
	g_clear_pointer (&target->ranges, g_array_unref);
	g_clear_pointer (&target->tlb, g_free);
	g_clear_pointer (&target->path_why, g_free);
}

const KdRamRange *
kd_target_ram (KdTarget *target, unsigned *ret_nr)
{
	*ret_nr = target->ranges->len;
	return (const KdRamRange *)(void *)target->ranges->data;
}

KdMemoryPath
kd_target_memory_path (const KdTarget *target)
{
	static const char *const names[] = {"none", "direct-file", "direct-vm", "rsp", "qmp"};

	return (KdMemoryPath){names[target->path], target->path_why};
}

/* --- the map --- */

static gboolean
find_hva (KdTarget *target, uint64_t pa, uint64_t *ret_hva)
{
	g_autofree char *question = g_strdup_printf ("gpa2hva 0x%" PRIx64, pa);
	g_autofree char *answer = kd_target_hmp (target, question, NULL);

	return answer && kd_gpa2hva_parse (answer, ret_hva);
}

/* Asked of QMP, or of the monitor that the stub itself has. */
void
kd_target_find_ram (KdTarget *target)
{
	g_autofree char *text = kd_target_hmp (target, "info mtree -f", NULL);

	g_clear_pointer (&target->ram, g_array_unref);
	g_clear_pointer (&target->ranges, g_array_unref);
	target->ram = text ? kd_mtree_parse (text) : kd_ram_map_new();
	target->ranges = g_array_new (FALSE, FALSE, sizeof (KdRamRange));
	for (guint i = 0; i < target->ram->len; i++) {
		KdRamBlock *block = &g_array_index (target->ram, KdRamBlock, i);
		KdRamRange range = {.name = block->name};
		uint64_t first, last;

		/* The whole block must lie in QEMU as it does in the machine. */
		if (find_hva (target, block->pa, &first) &&
			find_hva (target, block->pa + block->size - 1, &last) &&
			last - first == block->size - 1)
			block->hva = first;
		if (kd_ram_block_pages (block, &range.pa, &range.size))
			g_array_append_val (target->ranges, range);
	}
}

/* --- raw reads, within one block --- */

static gboolean
find_files (KdTarget *target)
{
	g_autofree char *path = g_strdup_printf ("/proc/%d/maps", target->pid);
	g_autofree char *maps = NULL;
	gboolean any = FALSE;

	if (!g_file_get_contents (path, &maps, NULL, NULL))
		return FALSE;
	target->ram_files = kd_ram_files_new();
	/* Flash and ROM are seldom shared: those blocks are read the other way. */
	for (guint i = 0; i < target->ram->len; i++) {
		KdRamBlock *block = &g_array_index (target->ram, KdRamBlock, i);

		any |= block->hva && kd_ram_file_find (target->ram_files, target->pid, maps, block);
	}
	return any;
}

static gboolean
read_vm (KdTarget *target, const KdRamBlock *block, uint64_t pa, void *buf, size_t len,
	int *ret_errno)
{
	uint8_t *bytes = buf;

	while (len) {
		struct iovec local = {bytes, len};
		struct iovec remote = {(void *)(uintptr_t)(block->hva + (pa - block->pa)), len};
		ssize_t n = process_vm_readv (target->pid, &local, 1, &remote, 1, 0);

		if (n <= 0) {
			*ret_errno = n < 0 ? errno : EIO;
			return FALSE;
		}
		bytes += n;
		pa += (uint64_t)n;
		len -= (size_t)n;
	}
	return TRUE;
}

static gboolean
read_rsp (KdTarget *target, uint64_t pa, void *buf, size_t len, GError **error)
{
	size_t got;

	return kd_target_check_stopped (target, error) &&
	       kd_target_result (target,
		       kd_rsp_link_read_memory (target->rsp, TRUE, pa, buf, len, &got, error));
}

static gboolean
pmemsave (KdQmpLink *qmp, const char *path, uint64_t pa, uint8_t *buf, size_t len, GError **error)
{
	JsonObject *args = json_object_new();
	g_autoptr (JsonNode) reply = NULL;
	g_autofree char *data = NULL;
	gsize got;

	kd_json_set_int (args, "val", (gint64)pa);
	kd_json_set_int (args, "size", (gint64)len);
	kd_json_set_string (args, "filename", path);
	reply = kd_qmp_link_call (qmp, "pmemsave", args, error);
	if (!reply || !g_file_get_contents (path, &data, &got, error))
		return FALSE;
	if (got != len) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_PROTOCOL,
			"pmemsave wrote %zu of %zu bytes", got, len);
		return FALSE;
	}
	memcpy (buf, data, len);
	return TRUE;
}

/* The slowest way, through a file: the only one when the stub has no physical mode, or the machine
 * runs. */
static gboolean
read_qmp (KdTarget *target, uint64_t pa, uint8_t *buf, size_t len, GError **error)
{
	g_autofree char *dir = g_dir_make_tmp ("kvmdbg-XXXXXX", error);
	g_autofree char *path = dir ? g_build_filename (dir, "memory", NULL) : NULL;
	KdQmpLink *qmp = dir ? kd_target_qmp_get (target, error) : NULL;
	gboolean ok = qmp != NULL;

	for (size_t done = 0; ok && done < len;) {
		size_t part = MIN (len - done, PMEMSAVE_MAX);

		ok = pmemsave (qmp, path, pa + done, buf + done, part, error);
		done += part;
	}
	kd_target_qmp_release (target);
	if (path)
		unlink (path);
	if (dir)
		rmdir (dir);
	return ok;
}

static gboolean
read_block (KdTarget *target, const KdRamBlock *block, uint64_t pa, void *buf, size_t len,
	GError **error)
{
	int code = 0;

	if (block && block->in_file) {
		if (kd_ram_file_read (block, pa, buf, len))
			return TRUE;
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT,
			"physical address 0x%" PRIx64 ": the file of QEMU's RAM: %s", pa,
			errno == EIO ? "it ends before that" : g_strerror (errno));
		return FALSE;
	}
	if (block && block->hva && (target->path == KD_PATH_VM || target->path == KD_PATH_FILE)) {
		if (read_vm (target, block, pa, buf, len, &code))
			return TRUE;
		if (code == ESRCH) {
			target->state = KD_TARGET_LOST;
			g_set_error (
				error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST, "QEMU has ended");
			return FALSE;
		}
	}
	if (target->path == KD_PATH_QMP ||
		(target->state == KD_TARGET_RUNNING && target->has_qmp && target->pid))
		return read_qmp (target, pa, buf, len, error);
	return read_rsp (target, pa, buf, len, error);
}

/* --- with a cache of pages for the ways that cost a system call or more --- */

static const uint8_t *
cached_page (KdTarget *target, const KdRamBlock *block, uint64_t page, GError **error)
{
	uint8_t *bytes = g_hash_table_lookup (target->pages, &page);
	uint64_t *key;

	if (bytes)
		return bytes;
	if (g_hash_table_size (target->pages) >= PAGES_MAX)
		g_hash_table_remove_all (target->pages);
	bytes = g_malloc (PAGE);
	if (!read_block (target, block, page, bytes, PAGE, error)) {
		g_free (bytes);
		return NULL;
	}
	key = g_new (uint64_t, 1);
	*key = page;
	g_hash_table_insert (target->pages, key, bytes);
	return bytes;
}

/* Within one block (or, with no map at all, anywhere). */
static gboolean
read_part (KdTarget *target, const KdRamBlock *block, uint64_t pa, uint8_t *buf, size_t len,
	GError **error)
{
	uint64_t first = pa & ~(PAGE - 1), last = (pa + len - 1) & ~(PAGE - 1);
	gboolean whole_pages =
		!block || (first >= block->pa && last + PAGE - block->pa <= block->size);

	/* A running machine's memory is not kept, nor what is large. */
	if (len >= 4 * PAGE || target->state == KD_TARGET_RUNNING || !whole_pages)
		return read_block (target, block, pa, buf, len, error);
	while (len) {
		size_t in_page = pa & (PAGE - 1), part = MIN (len, PAGE - in_page);
		const uint8_t *page = cached_page (target, block, pa - in_page, error);

		if (!page)
			return FALSE;
		memcpy (buf, page + in_page, part);
		pa += part;
		buf += part;
		len -= part;
	}
	return TRUE;
}

static gboolean
set_hole (uint64_t pa, GError **error)
{
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT,
		"physical address 0x%" PRIx64 " is not RAM", pa);
	return FALSE;
}

static gboolean
read_phys (KdTarget *target, uint64_t pa, uint8_t *bytes, size_t len, GError **error)
{
	if (len && pa + len - 1 < pa)
		return set_hole (pa, error);
	if (target->state == KD_TARGET_LOST)
		return kd_target_check_stopped (target, error);
	if (target->ram->len == 0)
		return len == 0 || read_part (target, NULL, pa, bytes, len, error);
	while (len) {
		const KdRamBlock *block = kd_ram_map_find (target->ram, pa);
		size_t part;

		if (!block)
			return set_hole (pa, error);
		part = (size_t)MIN (len, block->size - (pa - block->pa));
		if (!read_part (target, block, pa, bytes, part, error))
			return FALSE;
		pa += part;
		bytes += part;
		len -= part;
	}
	return TRUE;
}

gboolean
kd_target_read_phys (KdTarget *target, uint64_t pa, void *buf, size_t len, GError **error)
{
	if (!read_phys (target, pa, buf, len, error))
		return FALSE;
	kd_target_hot_hide (target, FALSE, pa, buf, len);
	return TRUE;
}

gboolean
kd_target_write_phys (KdTarget *target, uint64_t pa, const void *buf, size_t len, GError **error)
{
	if (!kd_target_check_stopped (target, error))
		return FALSE;
	/* Physical mode reaches devices: nothing is written where it is not known to be RAM. */
	if (target->ram->len == 0) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED,
			"physical address 0x%" PRIx64
			" is not written: QEMU gave no map of the RAM",
			pa);
		return FALSE;
	}
	if (kd_ram_map_extent (target->ram, pa, len) < len)
		return set_hole (pa, error);
	if (!kd_target_hot_disarm (target, error))
		return FALSE;
	kd_target_memory_forget (target);
	target->nr_writes++;
	return kd_target_result (
		target, kd_rsp_link_write_memory (target->rsp, TRUE, pa, buf, len, error));
}

gboolean
kd_target_read_cpu (
	KdTarget *target, unsigned cpu, uint64_t va, void *buf, size_t len, GError **error)
{
	uint64_t ignored;
	size_t got;

	/* `m` is answered by the CPU of the last Hg, which reading a register sets. */
	kd_target_registers_forget (target);
	if (!kd_target_reg_get (target, cpu, target->arch->pc, &ignored, error) ||
		!kd_target_result (target,
			kd_rsp_link_read_memory (target->rsp, FALSE, va, buf, len, &got, error)))
		return FALSE;
	kd_target_hot_hide (target, TRUE, va, buf, len);
	return TRUE;
}

/* --- choosing the path --- */

/*
 * Reads the same place directly and through the stub. A monitor of another QEMU, or an address
 * space that is not what it says, would show other bytes.
 */
static gboolean
agrees_with_stub (KdTarget *target)
{
	const KdRamBlock *largest = NULL;
	uint8_t ours[512], theirs[512];
	GError *ignored = NULL;

	for (guint i = 0; i < target->ram->len; i++) {
		const KdRamBlock *block = &g_array_index (target->ram, KdRamBlock, i);

		if (block->hva && (!largest || block->size > largest->size))
			largest = block;
	}
	if (!largest)
		return FALSE;
	/* The start of RAM holds the loader's first instructions, some way in the kernel's. */
	for (uint64_t at = 0; at < 16 << 20 && at + sizeof ours <= largest->size;
		at += (2 << 20) + PAGE) {
		if (!read_rsp (target, largest->pa + at, theirs, sizeof theirs, &ignored)) {
			g_clear_error (&ignored); /* no physical mode: nobody to ask */
			return TRUE;
		}
		if (!read_block (target, largest, largest->pa + at, ours, sizeof ours, &ignored) ||
			memcmp (ours, theirs, sizeof ours) != 0) {
			g_clear_error (&ignored);
			return FALSE;
		}
	}
	return TRUE;
}

static const char *
try_direct (KdTarget *target, char **ret_owned)
{
	const KdRamBlock *block;
	uint64_t word;
	int code = 0;

	if (target->ram->len == 0)
		return "QEMU's monitor gave no map of the RAM";
	if (!target->pid)
		return "QEMU does not run on this machine, or its process was not found";
	if (find_files (target)) {
		target->path = KD_PATH_FILE;
		return NULL;
	}
	block = &g_array_index (target->ram, KdRamBlock, 0);
	if (!block->hva)
		return "QEMU does not tell where it keeps the RAM";
	if (read_vm (target, block, block->pa, &word, sizeof word, &code)) {
		target->path = KD_PATH_VM;
		return NULL;
	}
	if (code == EFAULT) {
		*ret_owned = g_strdup_printf ("process %d, which serves the stub's socket, has no "
					      "such memory: QEMU runs elsewhere",
			target->pid);
		target->pid = 0;
		return *ret_owned;
	}
	*ret_owned = g_strdup_printf ("QEMU's memory cannot be read (process %d): %s%s",
		target->pid, g_strerror (code),
		code == EPERM ? "; run as its user with ptrace allowed, or give QEMU shared memory"
			      : "");
	return *ret_owned;
}

void
kd_target_memory_init (KdTarget *target, gboolean no_direct)
{
	g_autofree char *owned = NULL;
	const char *why;

	target->pages = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
	target->tlb = g_new0 (KdTlbEntry, KD_TLB_SIZE);
	kd_target_memory_forget (target);
	why = no_direct ? "switched off by --no-direct" : try_direct (target, &owned);
	if (!why && !agrees_with_stub (target)) {
		why = "what is read directly is not what the stub shows: is this the monitor of "
		      "another QEMU?";
		target->path = KD_PATH_NONE;
		/* Then its map says nothing either. */
		g_array_set_size (target->ram, 0);
		g_array_set_size (target->ranges, 0);
	}
	if (!why) {
		target->path_why = target->path == KD_PATH_VM
					   ? g_strdup ("QEMU's RAM is no shared file "
						       "(memory-backend-memfd,share=on)")
					   : NULL;
		return;
	}
	target->path_why = g_strdup (why);
	target->path = kd_rsp_link_features (target->rsp)->set & KD_RSP_HAS_QEMU_PHYS ? KD_PATH_RSP
		       : target->has_qmp && target->pid                               ? KD_PATH_QMP
							: KD_PATH_NONE;
}
