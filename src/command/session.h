/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/*
 * What a command works on: one target and what is known of its kernel. Lives in the worker thread
 * of its session; the daemon wraps it with a queue.
 */
typedef struct {
	char *name;
	KdTarget *target;          /* NULL until attached */
	KdKernel *kernel;          /* NULL when none was found */
	GError *kernel_error;      /* why there is no kernel */
	GCancellable *cancellable; /* of the running command */
	unsigned timeout_ms;       /* of the running command: as in kd_target_begin() */
	char **gdb; /* where debuggers connect to this session: paths, HOST:PORT; or NULL */
	struct KdBreakRules *break_rules; /* command/break-rules.h; NULL: none yet */
	char *notice; /* one line for whoever attached: what an earlier daemon left; or NULL */
} KdSession;

KdSession *kd_session_new (const char *name);
/* Closes kernel and target; a target not detached before is left as a dropped connection leaves it.
 */
void kd_session_free (KdSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdSession, kd_session_free)

/* "running", "stopped", "dump", "lost"; "none" before attach. Static. */
const char *kd_session_state_name (const KdSession *session);
/* The CPU that stopped; 0 while running, and where it is not known. */
unsigned kd_session_stopped_cpu (const KdSession *session);
/* {reason, cpu, …} of the last stop; NULL while running. New. */
JsonObject *kd_session_stop_json (const KdSession *session);
/*
 * "breakpoint 2 on CPU 1 at 0x… vectors+0x200" from {stop} as above, for rendering; new string.
 */
char *kd_session_stop_text (JsonObject *stop);

#define KD_COMMAND_ERROR (kd_command_error_quark())
GQuark kd_command_error_quark (void);

typedef enum {
	KD_COMMAND_ERROR_FAILED,
	KD_COMMAND_ERROR_USAGE,
	KD_COMMAND_ERROR_NO_SESSION,
	KD_COMMAND_ERROR_NEEDS_STOP,
	KD_COMMAND_ERROR_NEEDS_KERNEL,
} KdCommandError;

/* --- text rendering --- */
typedef enum {
	KD_STYLE_PLAIN,
	KD_STYLE_ADDRESS,
	KD_STYLE_SYMBOL,
	KD_STYLE_NUMBER,
	KD_STYLE_STRING,
	KD_STYLE_TYPE,
	KD_STYLE_HEADING,
	KD_STYLE_DIM,
	KD_STYLE_GOOD,
	KD_STYLE_WARN,
	KD_STYLE_BAD,
} KdStyle;

typedef struct KdText KdText; /* output being built: knows colour and width */

/*
 * Control characters in strings (guest memory holds any byte) come out as \xNN, so that no output
 * drives the terminal; newline and tab stay.
 */
KdText *kd_text_new (gboolean color, unsigned columns);
/* Frees `text` and returns what was built; new string. */
char *kd_text_finish (KdText *text);
void kd_text_free (KdText *text);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdText, kd_text_free)

void kd_text_add (KdText *text, KdStyle style, const char *string);
void kd_text_printf (KdText *text, KdStyle style, const char *format, ...) G_GNUC_PRINTF (3, 4);
unsigned kd_text_columns (const KdText *text);
/*
 * Rows whose columns align: cells are added in order, then a row ends. A column whose cells all are
 * KD_STYLE_NUMBER is aligned to the right. `headings` is NULL-terminated, or NULL for none. A NULL
 * cell is empty; a short row is fine.
 */
void kd_text_table_begin (KdText *text, const char *const *headings);
void kd_text_table_cell (KdText *text, KdStyle style, const char *string); /* copies */
void kd_text_table_cellf (KdText *text, KdStyle style, const char *format, ...)
	G_GNUC_PRINTF (3, 4);
void kd_text_table_end_row (KdText *text);
void kd_text_table_end (KdText *text);
