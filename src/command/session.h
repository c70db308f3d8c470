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
} KdSession;

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

void kd_text_add (KdText *text, KdStyle style, const char *string);
void kd_text_printf (KdText *text, KdStyle style, const char *format, ...) G_GNUC_PRINTF (3, 4);
unsigned kd_text_columns (const KdText *text);
/* Rows whose columns align: cells are added in order, then a row ends. */
void kd_text_table_begin (KdText *text, const char *const *headings);
void kd_text_table_cell (KdText *text, KdStyle style, const char *string); /* copies */
void kd_text_table_end_row (KdText *text);
void kd_text_table_end (KdText *text);
