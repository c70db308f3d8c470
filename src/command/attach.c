/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"
#include "base/runtime-dir.h"
#include "command/break-rules.h"
#include "command/status.h"
#include "kvm/kvm.h"

static const KdArg args[] = {
	{"address", 0, KD_ARG_PEER, KD_ARG_REQUIRED, TRUE, "ADDR",
		"QEMU's gdb stub: “:1234”, HOST:PORT or the path of a socket"},
	{"qmp", 0, KD_ARG_PEER, 0, FALSE, "PATH|HOST:PORT",
		"QEMU's QMP monitor (default: looked for in the QEMU process that owns the stub)"},
	{"vmlinux", 0, KD_ARG_FILE, 0, FALSE, "FILE", "the kernel's ELF file with symbols"},
	{"debug-dir", 0, KD_ARG_FILE, KD_ARG_REPEATED, FALSE, "DIR",
		"look here for the kernel by its build-id, before /usr/lib/debug"},
	{"types", 0, KD_ARG_FILE, KD_ARG_REPEATED, FALSE, "FILE",
		"types that nothing loaded has: a module's .ko with debug information"},
	{"name", 0, KD_ARG_STRING, 0, FALSE, "NAME", "name of the session (default: “default”)"},
	{"running", 0, KD_ARG_FLAG, 0, FALSE, NULL, "let the machine run on after attaching"},
	{"force", 0, KD_ARG_FLAG, 0, FALSE, NULL,
		"use --vmlinux though its build-id is another than the running kernel's"},
	{"no-files", 0, KD_ARG_FLAG, 0, FALSE, NULL,
		"look for no files: symbols and types out of the machine's memory"},
	{"listen", 0, KD_ARG_PEER, 0, FALSE, "ADDR",
		"serve gdb here too: a port of loopback or the path of a socket"},
	{"listen-any-user", 0, KD_ARG_FLAG, 0, FALSE, NULL,
		"let all users of this computer connect to that port, not only you and root"},
	{"listen-files", 0, KD_ARG_FLAG, 0, FALSE, NULL,
		"let “monitor” on that port read and write files (dump, list)"},
	{"no-direct", 0, KD_ARG_FLAG, 0, FALSE, NULL, "do not read QEMU's memory directly"},
	{NULL},
};

/* A socket of UNIX lets only this user and root in, who have their files already. */
static gboolean
check_listen (const KdArgs *given, GError **error)
{
	const char *option = kd_args_flag (given, "listen-any-user") ? "--listen-any-user"
			     : kd_args_flag (given, "listen-files")  ? "--listen-files"
								     : NULL;
	const char *address = kd_args_string (given, "listen");

	if (!option || (address && !strchr (address, '/')))
		return TRUE;
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
		"attach: %s is for the port of a --listen", option);
	return FALSE;
}

static gboolean
check_options (const KdArgs *given, GError **error)
{
	const char *other = kd_args_string (given, "vmlinux")      ? "--vmlinux"
			    : kd_args_list (given, "debug-dir")[0] ? "--debug-dir"
								   : NULL;

	if (!check_listen (given, error))
		return FALSE;
	if (!kd_args_flag (given, "no-files") || !other)
		return TRUE;
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE, "attach: --no-files with %s",
		other);
	return FALSE;
}

/*
 * A kernel that is not found leaves the machine usable; one that was asked for by name and cannot
 * be used is refused, since nothing that follows would be what the user meant.
 */
static gboolean
open_kernel (KdSession *session, const KdArgs *given, GError **error)
{
	KdKernelOptions options = {
		.vmlinux = kd_args_string (given, "vmlinux"),
		.debug_dirs = kd_args_list (given, "debug-dir"),
		.types = kd_args_list (given, "types"),
		.force = kd_args_flag (given, "force"),
		.no_files = kd_args_flag (given, "no-files"),
	};
	g_autoptr (GError) why = NULL;

	kd_break_rules_install (session);
	session->kernel = kd_kernel_open (session->target, &options, &why);
	if (session->kernel) {
		kd_kvm_install (session->kernel);
		return TRUE;
	}
	if (options.vmlinux || g_error_matches (why, G_IO_ERROR, G_IO_ERROR_CANCELLED) ||
		g_error_matches (why, KD_KERNEL_ERROR, KD_KERNEL_ERROR_MISMATCH) ||
		g_error_matches (why, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST)) {
		g_propagate_error (error, g_steal_pointer (&why));
		return FALSE;
	}
	session->kernel_error = g_steal_pointer (&why);
	return TRUE;
}

/* Back to how the machine was found, whatever went wrong. */
static void
give_up (KdSession *session)
{
	g_autoptr (GError) error = NULL;

	kd_target_begin (session->target, KD_TARGET_PUT_BACK_MS);
	g_clear_pointer (&session->kernel, kd_kernel_free);
	if (!kd_target_detach (session->target, TRUE, &error))
		g_info ("session %s: %s", session->name, error->message);
	g_clear_pointer (&session->target, kd_target_free);
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	g_autofree char *note_dir = NULL;
	KdTargetOptions options = {
		.address = kd_args_string (given, "address"),
		.qmp = kd_args_string (given, "qmp"),
		.no_direct = kd_args_flag (given, "no-direct"),
		.owner = session->name,
		.timeout_ms = session->timeout_ms,
	};
	JsonObject *result;

	if (!check_options (given, error))
		return NULL;
	options.note_dir = note_dir = kd_note_dir (error);
	if (!note_dir) {
		g_prefix_error (error, "attach: no place for notes: ");
		return NULL;
	}
	session->target = kd_target_open_qemu (&options, session->cancellable, error);
	if (!session->target) {
		g_prefix_error (error, "attach: ");
		return NULL;
	}
	kd_target_set_cancellable (session->target, session->cancellable);
	g_free (session->notice);
	session->notice = g_strdup (kd_target_cleaned_up (session->target));
	if (!open_kernel (session, given, error) ||
		(kd_args_flag (given, "running") && !kd_target_cont (session->target, error))) {
		g_prefix_error (error, "attach: ");
		give_up (session);
		return NULL;
	}
	result = kd_status_json (session);
	if (kd_target_state (session->target) == KD_TARGET_LOST) {
		json_object_unref (result);
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST, "attach: %s",
			kd_target_lost_why (session->target));
		give_up (session);
		return NULL;
	}
	kd_json_set_string (result, "notice", session->notice);
	return kd_json_object_node (result);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *status = kd_json_node_object (result, NULL);
	const char *notice = NULL, *state = NULL;
	gboolean kernel = status && !json_object_get_null_member (status, "kernel");
	gboolean running;

	kd_json_get_string (status, "notice", FALSE, &notice, NULL);
	kd_json_get_string (status, "state", FALSE, &state, NULL);
	running = g_strcmp0 (state, "running") == 0;
	if (notice)
		kd_text_printf (text, KD_STYLE_WARN, "%s\n", notice);
	kd_status_render (status, text);
	kd_text_add (text, KD_STYLE_DIM, "next     ");
	kd_text_add (text, KD_STYLE_PLAIN,
		!kernel   ? "attach again with --vmlinux FILE, or: regs, mem, cont, detach\n"
		: running ? "vms, vcpus, ps, log, stop, detach\n"
			  : "vms, vcpus, bt -a, ps, log, regs, cont, detach\n");
}

const KdCommand kd_command_attach = {
	.name = "attach",
	.group = "session",
	.summary = "attach to a QEMU by its gdb stub, and stop it",
	.help = "Stops the machine, finds its kernel and prints a summary. The machine stays "
		"stopped, as with gdb, until “cont” or “detach”, unless --running is given.\n\n"
		"With QMP the machine's memory is found in QEMU's own process and read directly, "
		"which is much faster than through the stub. Without --qmp it is taken from the "
		"command line of the QEMU process that owns the stub, when that runs here.\n\n"
		"The kernel is found by its build-id under --debug-dir and /usr/lib/debug, or is "
		"the file of --vmlinux, whose build-id must be the running kernel's. Where there "
		"is no file, symbols are read from kallsyms and types from BTF in the machine's "
		"memory: then all works but lines and inlined frames.",
	.example = "kvmdbg attach :1234 --vmlinux vmlinux\n"
		   "kvmdbg attach /run/vm/gdb.sock --qmp /run/vm/qmp.sock --name host2",
	.args = args,
	.flags = KD_COMMAND_NO_SESSION,
	.run = run,
	.render = render,
};
