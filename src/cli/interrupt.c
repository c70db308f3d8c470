/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EXIT_INTERRUPTED 130 /* as shells say it: 128 + SIGINT */

/*
 * g_cancellable_cancel() may not be called in a signal handler, so the handler writes to a pipe and
 * a thread reads it.
 */
static int signal_pipe[2] = {-1, -1};
static int idle_fd = -1;
static GMutex lock;
static GCancellable *current; /* under `lock` */

static void
on_sigint (int signal_number)
{
	int code = errno;

	if (write (signal_pipe[1], "", 1) < 0)
		_exit (EXIT_INTERRUPTED);
	errno = code;
}

static gpointer
watch (gpointer data)
{
	char byte;

	for (;;) {
		g_autoptr (GCancellable) cancellable = NULL;

		if (read (signal_pipe[0], &byte, 1) < 0 && errno != EINTR)
			return NULL;
		g_mutex_lock (&lock);
		cancellable = current ? g_object_ref (current) : NULL;
		if (!cancellable)
			eventfd_write (idle_fd, 1);
		g_mutex_unlock (&lock);
		if (cancellable && g_cancellable_is_cancelled (cancellable))
			_exit (EXIT_INTERRUPTED);
		if (cancellable)
			g_cancellable_cancel (cancellable);
	}
}

void
kd_interrupt_init (void)
{
	struct sigaction action = {.sa_handler = on_sigint};
	GThread *thread;

	if (idle_fd >= 0)
		return;
	idle_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (idle_fd < 0 || pipe2 (signal_pipe, O_CLOEXEC) < 0)
		return;
	thread = g_thread_new ("interrupt", watch, NULL);
	g_thread_unref (thread);
	sigaction (SIGINT, &action, NULL);
}

GCancellable *
kd_interrupt_begin (void)
{
	GCancellable *cancellable = g_cancellable_new();
	eventfd_t count;

	g_mutex_lock (&lock);
	current = cancellable;
	/* Pressed while the call was made ready, and not yet there to be cancelled. */
	if (eventfd_read (idle_fd, &count) == 0)
		g_cancellable_cancel (cancellable);
	g_mutex_unlock (&lock);
	return cancellable;
}

gboolean
kd_interrupt_end (GCancellable *cancellable)
{
	gboolean pressed;

	g_mutex_lock (&lock);
	current = NULL;
	g_mutex_unlock (&lock);
	pressed = g_cancellable_is_cancelled (cancellable);
	g_object_unref (cancellable);
	return pressed;
}

int
kd_interrupt_get_fd (void)
{
	return idle_fd;
}

void
kd_interrupt_clear (void)
{
	eventfd_t count;

	eventfd_read (idle_fd, &count);
}
