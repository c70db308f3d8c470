/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A monitor's silence and noise, over a pair of sockets. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/qmp.h"
#include "target/qmp-link.h"
#include "target/target.h"

#define GREETING "{\"QMP\":{\"version\":{\"qemu\":{\"major\":7,\"minor\":2}}}}\n"
#define READY GREETING "{\"return\":{},\"id\":1}\n"
#define LIMIT_MS 600
#define SHARE_MS (LIMIT_MS / 3)

typedef struct {
	const char *name, *sent; /* before the call */
	const char *flood;       /* then this without end; NULL: nothing */
	const char *given_up;
	gboolean waits;
} Row;

static const Row rows[] = {
	{"silent", "", NULL, "has not answered for 2", TRUE},
	{"half-an-answer", "{\"return\":{}", NULL, "has not answered for 2", TRUE},
	{"nan", "{\"return\":NaN,\"id\":2}\n", NULL, "what no QMP monitor sends", FALSE},
	{"events", "", "{\"event\":\"STOP\"}\n", "events without end", FALSE},
	{"one-event", "", "{\"event\":\"", "what no QMP monitor sends", FALSE},
};

typedef struct {
	int fd;
	const char *text;
} Flood;

static gpointer
flood (gpointer data)
{
	Flood *what = data;
	g_autoptr (GString) text = g_string_new (NULL);

	while (text->len < 65536)
		g_string_append (text, what->text);
	while (send (what->fd, text->str, text->len, MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

static void
test_call (gconstpointer data)
{
	const Row *row = data;
	g_autoptr (KdQmpLink) link = NULL;
	g_autoptr (GError) error = NULL;
	g_autofree char *all = g_strconcat (READY, row->sent, NULL);
	GThread *thread = NULL;
	KdSilence silence;
	Flood what;
	gint64 start_us;
	int fds[2];

	kd_silence_begin (&silence, row->waits ? LIMIT_MS : 60000, FALSE);
	g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
	g_assert_cmpint (write (fds[1], all, strlen (all)), ==, (ssize_t)strlen (all));
	link = kd_qmp_link_new (kd_transport_from_fd (fds[0]), &silence, 1000, NULL, &error);
	g_assert_no_error (error);
	what = (Flood){fds[1], row->flood};
	if (row->flood)
		thread = g_thread_new ("flood", flood, &what);
	start_us = g_get_monotonic_time();
	g_assert_null (kd_qmp_link_call (link, "query-status", NULL, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_PROTOCOL);
	g_assert_nonnull (kd_qmp_link_given_up (link));
	if (!strstr (kd_qmp_link_given_up (link), row->given_up))
		g_error ("%s", kd_qmp_link_given_up (link));
	if (row->waits)
		g_assert_cmpint (g_get_monotonic_time() - start_us, >=, (SHARE_MS - 20) * 1000);
	/* The stub's share is left. */
	g_assert_cmpint (kd_silence_left (&silence, KD_SILENCE_STUB), >=, silence.limit_us / 3);
	g_clear_error (&error);
	start_us = g_get_monotonic_time();
	g_assert_null (kd_qmp_link_hmp (link, "info kvm", &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_PROTOCOL);
	g_assert_cmpint (g_get_monotonic_time() - start_us, <, 50 * 1000);
	shutdown (fds[1], SHUT_RDWR);
	if (thread)
		g_thread_join (thread);
	close (fds[1]);
}

static void
test_no_greeting (void)
{
	g_autoptr (GError) error = NULL;
	KdSilence silence;
	int fds[2];

	kd_silence_begin (&silence, 60000, FALSE);
	g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
	g_assert_null (
		kd_qmp_link_new (kd_transport_from_fd (fds[0]), &silence, 100, NULL, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT);
	g_assert_nonnull (strstr (error->message, "silent for 100 ms: it serves another client"));
	close (fds[1]);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *name = g_strconcat ("/qmp-link/", rows[i].name, NULL);

		g_test_add_data_func (name, &rows[i], test_call);
	}
	g_test_add_func ("/qmp-link/no-greeting", test_no_greeting);
	return g_test_run();
}
