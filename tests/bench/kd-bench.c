/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timed halves of scripts/bench that need no process of their own: each mode does one thing and
 * prints
 * {"seconds":…, "bytes", "steps" or "hits":…} on a line. The "bare" modes are the yardsticks: the
 * shortest C loop that sends the same packets, with no error handling beyond an end.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "target/target.h"

typedef struct {
	const char *stub;
	const char *qmp;
	uint64_t pa;     /* hits: the breakpoint's address */
	uint64_t amount; /* bytes, steps or hits */
} Job;

static double
now (void)
{
	return (double)g_get_monotonic_time() / 1e6;
}

static void
report (double seconds, const char *unit, uint64_t amount)
{
	printf ("{\"seconds\": %.6f, \"%s\": %" G_GUINT64_FORMAT "}\n", seconds, unit, amount);
}

static void
die (const char *what, GError *error)
{
	fprintf (stderr, "kd-bench: %s: %s\n", what, error ? error->message : g_strerror (errno));
	exit (1);
}

/* --- bare client --- */

static int
bare_connect (const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy (address.sun_path, path, sizeof address.sun_path);
	if (fd < 0 || connect (fd, (struct sockaddr *)&address, sizeof address) < 0)
		die (path, NULL);
	return fd;
}

static char bare_buffer[1 << 16];

/* Sends "+" and the packet in one write, reads up to the reply's checksum; returns the payload's
 * length. */
static size_t
bare_call (int fd, const char *payload)
{
	char out[256];
	unsigned char sum = 0;
	size_t have = 0;

	for (const char *p = payload; *p; p++)
		sum = (unsigned char)(sum + *p);
	int len = snprintf (out, sizeof out, "+$%s#%02x", payload, sum);

	if (write (fd, out, (size_t)len) != len)
		die ("write", NULL);
	for (;;) {
		ssize_t n = read (fd, bare_buffer + have, sizeof bare_buffer - have);

		if (n <= 0)
			die ("read", NULL);
		have += (size_t)n;
		const char *hash = memchr (bare_buffer, '#', have);
		const char *dollar = memchr (bare_buffer, '$', have);

		if (dollar && hash && (size_t)(hash - bare_buffer) + 3 <= have) {
			size_t size = (size_t)(hash - dollar - 1);

			memmove (bare_buffer, dollar + 1, size);
			return size;
		}
	}
}

static unsigned
bare_nibble (char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static void
bare_read (const Job *job)
{
	const size_t chunk = 2040; /* 4,080 hex digits: what fits QEMU's 0x1000 */
	int fd = bare_connect (job->stub);
	g_autofree uint8_t *memory = g_malloc (job->amount);
	char packet[64];

	memset (memory, 1, job->amount);
	bare_call (fd, "qSupported:multiprocess+");
	bare_call (fd, "Qqemu.PhyMemMode:1");
	double start = now();

	for (uint64_t done = 0; done < job->amount;) {
		size_t want = MIN (chunk, job->amount - done);

		snprintf (packet, sizeof packet, "m%" G_GINT64_MODIFIER "x,%zx", job->pa + done,
			want);
		if (bare_call (fd, packet) != want * 2)
			die ("short reply", NULL);
		for (size_t i = 0; i < want; i++)
			memory[done + i] = (uint8_t)(bare_nibble (bare_buffer[2 * i]) << 4 |
						     bare_nibble (bare_buffer[2 * i + 1]));
		done += want;
	}
	report (now() - start, "bytes", job->amount);
	bare_call (fd, "Qqemu.PhyMemMode:0");
	if (write (fd, "+$D;1#b0", 8) != 8)
		die ("write", NULL);
	close (fd);
}

static void
bare_steps (const Job *job)
{
	int fd = bare_connect (job->stub);

	bare_call (fd, "qSupported:multiprocess+");
	bare_call (fd, "vCont?");
	double start = now();

	for (uint64_t i = 0; i < job->amount; i++)
		bare_call (fd, "vCont;s:p1.1");
	report (now() - start, "steps", job->amount);
	if (write (fd, "+$D;1#b0", 8) != 8)
		die ("write", NULL);
	close (fd);
}

/* A breakpoint's hits: stop, step off, go on. Nothing is judged. */
static void
bare_hits (const Job *job)
{
	int fd = bare_connect (job->stub);
	struct pollfd poll_fd = {fd, POLLIN, 0};
	g_autofree char *set = g_strdup_printf ("Z0,%" G_GINT64_MODIFIER "x,4", job->pa);
	g_autofree char *clear = g_strdup_printf ("z0,%" G_GINT64_MODIFIER "x,4", job->pa);

	bare_call (fd, "qSupported:multiprocess+");
	bare_call (fd, "vCont?");
	/* The stop that QEMU 7.2 tells of by itself. */
	while (poll (&poll_fd, 1, 100) > 0)
		if (read (fd, bare_buffer, sizeof bare_buffer) <= 0)
			die ("read", NULL);
	bare_call (fd, set);
	double start = now();

	for (uint64_t i = 0; i < job->amount; i++) {
		char step[64] = "vCont;s:";
		size_t len = bare_call (fd, "vCont;c");
		const char *thread = memmem (bare_buffer, len, "thread:", 7);

		if (!thread)
			die ("no thread in the stop", NULL);
		bare_buffer[len] = 0;
		g_strlcat (step, thread + 7, 8 + strcspn (thread + 7, ";") + 1);
		bare_call (fd, step);
	}
	report (now() - start, "hits", job->amount);
	bare_call (fd, clear);
	if (write (fd, "+$D;1#b0", 8) != 8)
		die ("write", NULL);
	close (fd);
}

/* --- ours --- */

static void
bench_memcpy (const Job *job)
{
	g_autofree uint8_t *from = g_malloc (job->amount);
	g_autofree uint8_t *to = g_malloc (job->amount);

	memset (from, 1, job->amount);
	memset (to, 2, job->amount);
	double start = now();

	memcpy (to, from, job->amount);
	report (now() - start, "bytes", job->amount);
	if (to[job->amount / 2] != 1)
		die ("memcpy", NULL);
}

static void
target_read (const Job *job, gboolean direct)
{
	g_autoptr (GError) error = NULL;
	KdTargetOptions options = {
		.address = job->stub, .qmp = direct ? job->qmp : NULL, .no_direct = !direct};
	g_autoptr (KdTarget) target = kd_target_open_qemu (&options, NULL, &error);
	g_autofree uint8_t *memory = g_malloc (job->amount);

	if (!target)
		die ("attach", error);
	memset (memory, 1, job->amount);
	double start = now();

	if (!kd_target_read_phys (target, job->pa, memory, job->amount, &error))
		die ("read", error);
	report (now() - start, "bytes", job->amount);
	fprintf (stderr, "path %s\n", kd_target_memory_path (target).path);
	kd_target_detach (target, TRUE, NULL);
}

static void
mode_direct (const Job *job)
{
	target_read (job, TRUE);
}

static void
mode_rsp (const Job *job)
{
	target_read (job, FALSE);
}

int
main (int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run) (const Job *job);
	} modes[] = {{"memcpy", bench_memcpy}, {"direct", mode_direct}, {"rsp", mode_rsp},
		{"bare-rsp", bare_read}, {"bare-steps", bare_steps}, {"bare-hits", bare_hits}};
	Job job = {0};

	if (argc == 6) {
		job.stub = argv[2];
		job.qmp = argv[3];
		job.pa = g_ascii_strtoull (argv[4], NULL, 0);
		job.amount = g_ascii_strtoull (argv[5], NULL, 0);
		for (size_t i = 0; i < G_N_ELEMENTS (modes); i++)
			if (g_str_equal (argv[1], modes[i].name)) {
				modes[i].run (&job);
				return 0;
			}
	}
	fprintf (stderr, "usage: kd-bench memcpy|direct|rsp|bare-rsp|bare-steps|bare-hits STUB QMP "
			 "PA|VA AMOUNT\n");
	return 2;
}
