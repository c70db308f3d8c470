/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/runtime-dir.h"
#include "command/complete.h"
#include "command/help.h"
#include "daemon/answer.h"
#include "daemon/descriptors.h"
#include "daemon/listener.h"
#include "daemon/server.h"

#define IDLE_SECONDS 10

typedef struct {
	GMainLoop *loop;
	KdListener *listener;
	KdServer *server;
} Daemon;

static int opt_idle_seconds = IDLE_SECONDS;
static gboolean opt_background, opt_print_help, opt_print_man, opt_refuse, opt_json, opt_version;
static char *opt_complete;

static const GOptionEntry options[] = {
	{"background", 0, 0, G_OPTION_ARG_NONE, &opt_background,
		"say “ready” on standard output, then leave the terminal", NULL},
	{"idle-timeout", 0, 0, G_OPTION_ARG_INT, &opt_idle_seconds,
		"end after this long without client and session (0: never)", "SECONDS"},
	{"print-help", 0, 0, G_OPTION_ARG_NONE, &opt_print_help,
		"print kvmdbg's help, or that of the command given", NULL},
	{"print-man", 0, 0, G_OPTION_ARG_NONE, &opt_print_man, "print kvmdbg's manual page", NULL},
	{"refuse", 0, 0, G_OPTION_ARG_NONE, &opt_refuse,
		"say what is wrong with a command line, at the least that nothing is attached",
		NULL},
	{"json", 0, 0, G_OPTION_ARG_NONE, &opt_json, "with --refuse: as JSON too", NULL},
	{"complete", 0, 0, G_OPTION_ARG_STRING, &opt_complete,
		"print what a command line may go on with", "LINE"},
	{"version", 0, 0, G_OPTION_ARG_NONE, &opt_version, "print the version", NULL},
	{NULL},
};

static int
print_help (const char *name)
{
	g_autoptr (GError) error = NULL;
	const KdCommand *command;
	g_autofree char *text = NULL;

	if (name) {
		command = kd_command_find (name, &error);
		if (!command) {
			fprintf (stderr, "kvmdbg: %s\n", error->message);
			return 2;
		}
		text = kd_help_command (command);
	} else
		text = kd_help_overview();
	fputs (text, stdout);
	return 0;
}

static int
print_man (void)
{
	g_autofree char *text = kd_help_man();

	fputs (text, stdout);
	return 0;
}

static int
print_completion (const char *line)
{
	g_autoptr (JsonNode) node = kd_complete (NULL, line, strlen (line));
	JsonArray *array = json_object_get_array_member (json_node_get_object (node), "candidates");

	for (guint i = 0; i < json_array_get_length (array); i++)
		puts (json_array_get_string_element (array, i));
	return 0;
}

/*
 * For a client that found no daemon: the exit status and the messages are those it would have had
 * from one without sessions.
 */
static int
refuse (const char *const *words)
{
	g_autoptr (GError) error = NULL;
	const KdCommand *command = words[0] ? kd_command_find (words[0], &error) : NULL;
	g_autoptr (KdArgs) args = command ? kd_args_from_argv (command, words + 1, &error) : NULL;
	g_autofree char *json = NULL;

	if (args && command->flags & KD_COMMAND_IN_DAEMON) {
		g_autoptr (JsonNode) none = kd_json_array_node (json_array_new());
		g_autofree char *text =
			opt_json ? g_strdup ("[]\n") : kd_command_render (command, none, FALSE, 80);

		fputs (text, stdout);
		return 0;
	}
	if (!error)
		g_set_error (&error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NO_SESSION,
			"no session: nothing is attached (“kvmdbg attach ADDR” first)");
	json = kd_answer_error_object (error);
	if (opt_json)
		puts (json);
	fprintf (stderr, "kvmdbg: %s\n", error->message);
	return g_error_matches (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE) ? 2 : 3;
}

static void
on_accepted (int fd, gboolean crowded, void *data)
{
	Daemon *daemon = data;

	kd_server_adopt (daemon->server, fd, crowded);
}

static void
on_shutdown_done (void *data)
{
	Daemon *daemon = data;

	g_main_loop_quit (daemon->loop);
}

static void
on_idle (void *data)
{
	Daemon *daemon = data;

	if (kd_listener_close_if_quiet (daemon->listener))
		kd_server_shutdown (daemon->server, on_shutdown_done, daemon);
}

static gboolean
on_signal (gpointer data)
{
	Daemon *daemon = data;

	kd_listener_close (daemon->listener);
	kd_server_shutdown (daemon->server, on_shutdown_done, daemon);
	return G_SOURCE_CONTINUE;
}

/* Whoever started us reads this line; from then on we are nobody's child. */
static void
go_to_background (const char *runtime_dir)
{
	g_autofree char *log = g_build_filename (runtime_dir, "kvmdbgd.log", NULL);
	int null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
	int log_fd = open (log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	puts ("ready");
	fflush (stdout);
	setsid();
	dup2 (null_fd, STDIN_FILENO);
	dup2 (null_fd, STDOUT_FILENO);
	dup2 (log_fd >= 0 ? log_fd : null_fd, STDERR_FILENO);
	if (chdir ("/") < 0)
		g_warning ("chdir: /");
	close (null_fd);
	if (log_fd >= 0)
		close (log_fd);
}

static int
run (GError **error)
{
	g_autofree char *runtime_dir = kd_runtime_dir (error);
	g_autoptr (GMainLoop) loop = NULL;
	Daemon daemon = {0};

	if (!runtime_dir)
		return 1;
	loop = daemon.loop = g_main_loop_new (NULL, FALSE);
	daemon.server = kd_server_new (runtime_dir,
		(unsigned)CLAMP (opt_idle_seconds, 0, 1000000) * 1000, on_idle, &daemon);
	daemon.listener = kd_listener_new (runtime_dir, on_accepted, &daemon, error);
	if (!daemon.listener) {
		kd_server_free (daemon.server);
		return 1;
	}
	signal (SIGPIPE, SIG_IGN);
	kd_descriptors_raise_limit();
	g_unix_signal_add (SIGTERM, on_signal, &daemon);
	g_unix_signal_add (SIGINT, on_signal, &daemon);
	if (opt_background) {
		signal (SIGHUP, SIG_IGN);
		go_to_background (runtime_dir);
	}
	g_main_loop_run (loop);
	kd_server_free (daemon.server);
	kd_listener_free (daemon.listener);
	return 0;
}

int
main (int argc, char **argv)
{
	g_autoptr (GOptionContext) context = g_option_context_new ("[COMMAND]");
	g_autoptr (GError) error = NULL;
	int status;

	g_option_context_add_main_entries (context, options, NULL);
	g_option_context_set_summary (context, "The daemon behind kvmdbg; it starts this itself.");
	if (!g_option_context_parse (context, &argc, &argv, &error)) {
		fprintf (stderr, "kvmdbgd: %s\n", error->message);
		return 2;
	}
	if (opt_version) {
		puts ("kvmdbgd " KVMDBG_VERSION);
		return 0;
	}
	if (opt_print_help)
		return print_help (argc > 1 ? argv[1] : NULL);
	if (opt_print_man)
		return print_man();
	if (opt_complete)
		return print_completion (opt_complete);
	if (opt_refuse) {
		const char *const *words = (const char *const *)argv + 1;

		return refuse (*words && strcmp (*words, "--") == 0 ? words + 1 : words);
	}
	status = run (&error);
	if (error) {
		/* Who started us reads standard output for why. */
		if (opt_background)
			printf ("failed %s\n", error->message);
		fprintf (stderr, "kvmdbgd: %s\n", error->message);
	}
	return status;
}
