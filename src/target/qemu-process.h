/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * What /proc on this machine says of QEMU's process, and its command line of its monitor.
 * Everything here may fail quietly: it may be in another namespace, or another user's.
 */

/* TRUE if the process' program has "qemu" or "kvm" in its name. */
gboolean kd_process_is_qemu (int pid);
/* Its program's name; new string, NULL: no such process. */
char *kd_process_program (int pid);
char *kd_process_cwd (int pid);
/* TRUE: by a signal or a debugger. */
gboolean kd_process_is_stopped (int pid);
/* In clock ticks since boot: tells a process from a later one of the same number. 0: no such. */
uint64_t kd_process_start_time (int pid);

/* NULL-terminated addresses for kd_peer_parse of the QMP monitors of process `pid`. */
char **kd_process_qmp_peers (int pid);

/* --- the text parsers below are pure --- */

/* Cuts the next line off *text, without its end. FALSE: no more. */
gboolean kd_proc_next_line (const char **text, const char **ret_line, size_t *ret_len);
/* Cuts the next word (no spaces) off the line. */
gboolean kd_proc_next_word (const char **line, size_t *len, const char **ret_word, size_t *ret_len);
gboolean kd_proc_word_u64 (const char *word, size_t len, uint64_t *ret);

/* `cmdline`: words with NUL between them. Relative paths are taken from `cwd`. */
char **kd_cmdline_qmp_peers (const char *cmdline, size_t len, const char *cwd);

typedef struct {
	uint64_t start, end, offset;
	gboolean shared;
	uint64_t inode;
	unsigned dev_major, dev_minor;
	char *path; /* NULL: anonymous */
} KdMapping;

void kd_mapping_clear (KdMapping *mapping);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KdMapping, kd_mapping_clear)

/* The line of /proc/PID/maps that holds `addr`. FALSE: none. */
gboolean kd_proc_maps_find (const char *text, uint64_t addr, KdMapping *ret_mapping);
