/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "run/job.h"

/* The QEMU of a job, with its console. */
typedef struct KdMachine KdMachine;

/*
 * Starts the QEMU of [machine], with a gdb stub, a monitor and a console on sockets in the folder
 * `sockets` and its logs in `artefacts`. NULL: KD_JOB_ERROR_FILE or _BROKEN, with what QEMU said.
 */
KdMachine *kd_machine_start (KdJob *job, const char *sockets, const char *artefacts,
	GCancellable *cancellable, GError **error);
/* Kills it. */
void kd_machine_free (KdMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdMachine, kd_machine_free)

const char *kd_machine_gdb (const KdMachine *machine);
const char *kd_machine_qmp (const KdMachine *machine);

/* FALSE: QEMU has ended, as the error says with the last line it wrote. */
gboolean kd_machine_check (KdMachine *machine, GError **error);

/* How far into the console's text a place is; what was there before is not looked at again. */
gsize kd_machine_console_mark (KdMachine *machine);
/*
 * Waits until the console's text behind `*mark` matches, and moves the mark behind that. The match,
 * new; NULL: cancelled, or QEMU has ended.
 */
char *kd_machine_console_wait (
	KdMachine *machine, GRegex *regex, gsize *mark, GCancellable *cancellable, GError **error);
gboolean kd_machine_send (KdMachine *machine, const char *line, GError **error);
/* Runs `command` in the shell that listens on the console. Its output, new. */
char *kd_machine_shell (KdMachine *machine, const char *command, int *ret_status,
	GCancellable *cancellable, GError **error);
