/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "command/session.h"

/*
 * A command is one row: from it come the CLI, the shell, completion, --help, the man page, JSON-RPC
 * methods and, later, gdb's `monitor kvmdbg NAME`. One file a command (`command/vms.c` has
 * `kd_command_vms`); table.c lists them.
 */
typedef struct KdCommand KdCommand;
typedef struct KdArgs KdArgs;

typedef enum {
	KD_ARG_FLAG,   /* --all, -a */
	KD_ARG_STRING, /* --name N */
	KD_ARG_UINT,   /* --cpu 1, 0x10 */
	KD_ARG_EXPR,   /* address or expression, kept as text; evaluated by the command */
	KD_ARG_REST,   /* positional only: all that is left, joined with single spaces */
	KD_ARG_FILE,   /* path; relative to the client's folder */
	KD_ARG_PEER,   /* ":1234", "HOST:PORT", "unix:PATH" or a path as in KD_ARG_FILE */
} KdArgKind;

typedef enum {
	KD_ARG_REQUIRED = 1 << 0, /* positional must be given */
	KD_ARG_REPEATED = 1 << 1, /* option: again and again; last positional: any number */
	KD_ARG_IS_EXPR = 1 << 2,  /* a KD_ARG_REST that is an expression: completed as one */
} KdArgFlags;

typedef struct {
	const char *name; /* JSON parameter; option "--name"; positionals: shown in upper case */
	char short_name;  /* 'a' or 0 */
	KdArgKind kind;
	unsigned flags;
	gboolean positional;
	const char *meta; /* "N", "FILE" */
	const char *help; /* one line, lower case */
} KdArg;

typedef enum {
	KD_COMMAND_NO_SESSION = 1 << 0,   /* runs without a session (attach, sessions) */
	KD_COMMAND_NEEDS_STOP = 1 << 1,   /* refuses while the machine runs */
	KD_COMMAND_NEEDS_KERNEL = 1 << 2, /* refuses when no kernel was found or no image */
	KD_COMMAND_IN_CLIENT = 1 << 3,    /* the CLI itself does it (shell, gdb); `run` is NULL */
	KD_COMMAND_IN_DAEMON = 1 << 4,    /* the daemon answers from its own state; `run` is NULL */
	KD_COMMAND_REPEATS = 1 << 5,      /* an empty line in the shell does it again (step) */
	KD_COMMAND_WAITS = 1 << 6,        /* may wait for the machine without end (cont --wait,
					     until): cancelled when its client goes away */
	KD_COMMAND_INTERRUPTS = 1 << 7,   /* cancels whatever waits before it (stop, detach) */
	KD_COMMAND_ALWAYS = 1 << 8,       /* also where the machine is lost, or still being attached
					     to (status, detach) */
	KD_COMMAND_ENDS = 1 << 9,         /* ends the session, or the attach under way: there may be
					     no target; not cancelled (detach) */
	KD_COMMAND_NO_IMAGE = 1 << 10,    /* asks nothing of the kernel's file that would be wrong
					     if that has changed (status, cont, delete) */
	KD_COMMAND_CHANGES = 1 << 11,     /* changes the machine or the session, so that it goes on
					     to its end when its client goes away (write, detach) */
	KD_COMMAND_FILES = 1 << 12,       /* reads or writes files that its caller names, as our
					     user or as QEMU's: not for debuggers on a port (dump) */
} KdCommandFlags;

struct KdCommand {
	const char *name;
	const char *group;   /* "session", "run", "machine", "symbols", "kernel", "KVM", "triage",
				"jobs" */
	const char *summary; /* one line, lower case, no full stop */
	const char *help;    /* paragraphs for --help and the man page; may be NULL */
	const char *example; /* command lines, one a line; may be NULL */
	const KdArg *args;   /* ends with name NULL */
	unsigned flags;
	/* Runs in the session's worker. New JSON tree, or NULL and an error. */
	JsonNode *(*run) (KdSession *session, const KdArgs *args, GError **error);
	/* Text from the result and from nothing else. */
	void (*render) (JsonNode *result, KdText *text);
	/* Candidates for the word being typed; may be NULL. */
	void (*complete) (KdSession *session, const char *arg_name, const char *word,
		GPtrArray *ret_candidates);
};

/* --- arguments, already checked against the row --- */
gboolean kd_args_flag (const KdArgs *args, const char *name);
const char *kd_args_string (const KdArgs *args, const char *name); /* NULL: not given */
gboolean kd_args_uint (
	const KdArgs *args, const char *name, uint64_t *ret_value);     /* FALSE: not given */
const char *const *kd_args_list (const KdArgs *args, const char *name); /* REPEATED; never NULL */

/*
 * From a command line's words (after the command's name), or from JSON-RPC named parameters (the
 * ones that concern the call and not the command, such as "session", are left alone). NULL and
 * KD_COMMAND_ERROR_USAGE on error.
 *
 * Options may stand anywhere; "--" ends them. "-1" and "-(x)" are expressions, not options. Words
 * of a KD_ARG_REST are taken as they are unless they are exactly one of the command's options.
 */
KdArgs *kd_args_from_argv (const KdCommand *command, const char *const *argv, GError **error);
KdArgs *kd_args_from_json (const KdCommand *command, JsonObject *params, GError **error);
/* Makes relative paths (KD_ARG_FILE, KD_ARG_PEER) absolute from `cwd`. */
void kd_args_resolve_paths (KdArgs *args, const char *cwd);
void kd_args_free (KdArgs *args);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdArgs, kd_args_free)

/* --- the table --- */
const KdCommand *const *kd_commands (void);             /* NULL-terminated, in help order */
const KdCommand *kd_command_by_name (const char *name); /* NULL: none */
/* By name, else USAGE "unknown command" with the nearest names. */
const KdCommand *kd_command_find (const char *name, GError **error);
/*
 * Runs one command: checks its flags against the session (NO_SESSION, NEEDS_STOP, NEEDS_KERNEL),
 * then `run`. LOST also where the machine went away meanwhile, whatever `run` made of that; FAILED
 * where the kernel's file was written to while it was open. Worker thread.
 */
JsonNode *kd_command_execute (
	const KdCommand *command, KdSession *session, const KdArgs *args, GError **error);
/* New string: the row's rendering, or pretty JSON where it has none. */
char *kd_command_render (
	const KdCommand *command, JsonNode *result, gboolean color, unsigned columns);
