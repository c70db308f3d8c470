/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * libkvmdbg: talk to the kvmdbg daemon. A connection carries JSON-RPC 2.0; parameters and results
 * cross this interface as JSON text, so that no JSON library is part of it. One connection belongs
 * to one thread.
 *
 * Methods are the commands by their names ("vms", "bt"), and
 *   help {command?}       the table: names, arguments, texts
 *   complete {line, point?}  {start, candidates, files}: what the word at `point` may become
 *   cancel {id}           cancels this connection's own request of that id
 * Parameters of a command are its arguments by name, or {"argv": [words]} as on a command line.
 * With any of them
 *   session   which session; may be left out when there is one, or one named "default"
 *   cwd       folder that relative file names start from
 *   timeout   seconds that QEMU's stub and monitor may owe answers in all of the command (30); a
 *             machine that runs because the command has it run owes none
 *   render    "text": the result is {"value": …, "text": "…"}, with `color` (bool) and `columns`;
 *             "text-only": the same without the value
 * An error is {code, message, data: {class}}; `class` is "usage", "failed", "no-session", "lost",
 * "cancelled", "needs-stop" or "needs-kernel". Events go to every connection: "stopped" {session,
 * stop, text}, "running", "target-lost", "detached" {session}.
 */
#include <gio/gio.h>

G_BEGIN_DECLS

#define KVMDBG_API __attribute__ ((visibility ("default")))

typedef struct KvmdbgConnection KvmdbgConnection;

#define KVMDBG_ERROR (kvmdbg_error_quark())
KVMDBG_API GQuark kvmdbg_error_quark (void);

/* Classes of failure; the exit status of the command line tool follows from them. */
typedef enum {
	KVMDBG_ERROR_FAILED,     /* the command failed (exit 1) */
	KVMDBG_ERROR_USAGE,      /* unknown command, option or argument (exit 2) */
	KVMDBG_ERROR_NO_SESSION, /* no such session, or no daemon runs (exit 3) */
	KVMDBG_ERROR_LOST,       /* target lost (exit 3) */
	KVMDBG_ERROR_DAEMON,     /* it cannot be reached or started, or went away (exit 3) */
	KVMDBG_ERROR_CANCELLED,
} KvmdbgError;

/*
 * Connects to the daemon of this user; starts one when `start` and none runs. NULL and an error
 * otherwise. Blocks until connected (a few milliseconds when the daemon runs).
 */
KVMDBG_API KvmdbgConnection *kvmdbg_connect (gboolean start, GError **error);
KVMDBG_API void kvmdbg_connection_free (KvmdbgConnection *connection);

/*
 * Calls `method` with `params_json` (an object as JSON text, or NULL) and blocks until its answer;
 * events that arrive meanwhile go to the handler. Cancelling asks the daemon to cancel the command
 * and still waits for its answer. Returns the result as JSON text; free with g_free(). On failure
 * the JSON-RPC error object is in *ret_error_json when that is not NULL and the daemon sent one.
 */
KVMDBG_API char *kvmdbg_call (KvmdbgConnection *connection, const char *method,
	const char *params_json, char **ret_error_json, GCancellable *cancellable, GError **error);

/*
 * The exit status that a call's end means, as the command line tool has it: 0, or 1 for a result
 * that says
 * {"ok": false}; without a result that of the error's class.
 */
KVMDBG_API int kvmdbg_exit_status (const char *result_json, const GError *error);

/* `event` is "stopped", "running", "target-lost", …; `params_json` an object with at least
 * "session". */
typedef void (*KvmdbgEventFunc) (const char *event, const char *params_json, void *data);
KVMDBG_API void kvmdbg_connection_set_event_handler (
	KvmdbgConnection *connection, KvmdbgEventFunc func, void *data);

/* For an event loop of one's own: poll the fd for reading, then dispatch what has arrived. */
KVMDBG_API int kvmdbg_connection_get_fd (KvmdbgConnection *connection);
KVMDBG_API gboolean kvmdbg_connection_dispatch (KvmdbgConnection *connection, GError **error);

/*
 * The daemon's program: $KVMDBG_DAEMON, else the one beside this program, else the installed one.
 * New string.
 */
KVMDBG_API char *kvmdbg_find_daemon (GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KvmdbgConnection, kvmdbg_connection_free)

G_END_DECLS
