/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/job.h"

#define POLL_MS 50
#define OUTPUT_MAX (1024 * 1024)
#define READ_CHUNK 4096

typedef struct {
	pid_t parent;
	int output; /* -1: the log */
	int log;
} Child;

static void
child_setup (gpointer data)
{
	Child *child = data;

	/* Nothing here may take a lock. */
	prctl (PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != child->parent)
		_exit (1);
	/* The terminal's Ctrl-C is for us, who end them in order. */
	setsid();
	dup2 (child->output >= 0 ? child->output : child->log, STDOUT_FILENO);
	dup2 (child->log, STDERR_FILENO);
}

static GPid
start (const char *const *argv, const char *dir, const char *log, int output, GError **error)
{
	Child child = {.parent = getpid(), .output = output};
	g_autoptr (GError) why = NULL;
	GPid pid = 0;

	child.log = open (log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (child.log < 0) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s: %s", log,
			g_strerror (errno));
		return 0;
	}
	if (!g_spawn_async (dir, (char **)argv, NULL,
		    G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, child_setup, &child, &pid,
		    &why)) {
		g_set_error (
			error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s: %s", argv[0], why->message);
		pid = 0;
	}
	close (child.log);
	return pid;
}

GPid
kd_process_start (const char *const *argv, const char *log, GError **error)
{
	return start (argv, NULL, log, -1, error);
}

void
kd_process_kill (GPid pid, int signal_number)
{
	if (pid <= 0)
		return;
	/* With what it started itself. */
	kill (-pid, signal_number);
	while (waitpid (pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Reads until the end, or until cancelled; what is over OUTPUT_MAX is dropped. */
static char *
read_output (int fd, GCancellable *cancellable)
{
	GString *text = g_string_new (NULL);

	while (!g_cancellable_is_cancelled (cancellable)) {
		struct pollfd poll_fd = {fd, POLLIN, 0};
		char buf[READ_CHUNK];
		ssize_t n;

		if (poll (&poll_fd, 1, POLL_MS) <= 0)
			continue;
		n = read (fd, buf, sizeof (buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (text->len < OUTPUT_MAX)
			g_string_append_len (text, buf, n);
	}
	return g_string_free (text, FALSE);
}

int
kd_process_run (const char *const *argv, const char *dir, const char *log, char **ret_output,
	GCancellable *cancellable, GError **error)
{
	g_autofree char *output = NULL;
	int pipe_fds[2], status = 0;
	GPid pid;

	if (pipe2 (pipe_fds, O_CLOEXEC) < 0) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s: %s", argv[0],
			g_strerror (errno));
		return -1;
	}
	pid = start (argv, dir, log, pipe_fds[1], error);
	close (pipe_fds[1]);
	if (pid)
		output = read_output (pipe_fds[0], cancellable);
	close (pipe_fds[0]);
	if (!pid)
		return -1;
	if (g_cancellable_is_cancelled (cancellable)) {
		kd_process_kill (pid, SIGKILL);
		g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "%s: cancelled", argv[0]);
		return -1;
	}
	while (waitpid (pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ret_output)
		*ret_output = g_steal_pointer (&output);
	if (WIFEXITED (status))
		return WEXITSTATUS (status);
	g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s: ended by signal %d", argv[0],
		WTERMSIG (status));
	return -1;
}
