/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run/machine.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/process.h"

#define POLL_MS 50
#define SETTLE_MS 200 /* a console that says nothing for so long has ended its line */
#define CONNECT_TIMEOUT_S 30
#define CONSOLE_MAX (64 * 1024 * 1024)
#define READ_CHUNK 4096

struct KdMachine {
	GPid pid;
	char *gdb, *qmp, *log, *qemu;
	int console; /* socket */
	GThread *reader;
	GMutex lock;
	GCond changed;
	/* Under `lock`. */
	GString *text;
	gboolean closed;
	guint nr_shell; /* commands so far */
};

/* --- QEMU --- */

static char *
last_line (const char *path)
{
	g_autofree char *text = NULL;
	char *line;

	if (!g_file_get_contents (path, &text, NULL, NULL) || !*g_strchomp (text))
		return g_strdup ("it wrote nothing");
	line = strrchr (text, '\n');
	return g_utf8_make_valid (line ? line + 1 : text, -1);
}

gboolean
kd_machine_check (KdMachine *machine, GError **error)
{
	g_autofree char *line = NULL, *how = NULL;
	int status = 0;

	if (machine->pid > 0 && waitpid (machine->pid, &status, WNOHANG) == machine->pid) {
		machine->pid = 0;
		how = WIFEXITED (status) ? g_strdup_printf ("with status %d", WEXITSTATUS (status))
					 : g_strdup_printf ("by signal %d", WTERMSIG (status));
	} else if (machine->pid > 0)
		return TRUE;
	line = last_line (machine->log);
	g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s ended%s%s: %s", machine->qemu,
		how ? " " : "", how ? how : "", line);
	return FALSE;
}

static gpointer
read_console (gpointer data)
{
	KdMachine *machine = data;

	for (;;) {
		char buf[READ_CHUNK];
		ssize_t n = recv (machine->console, buf, sizeof (buf), 0);

		if (n < 0 && errno == EINTR)
			continue;
		g_mutex_lock (&machine->lock);
		if (n <= 0)
			machine->closed = TRUE;
		else if (machine->text->len < CONSOLE_MAX)
			g_string_append_len (machine->text, buf, n);
		g_cond_broadcast (&machine->changed);
		g_mutex_unlock (&machine->lock);
		if (n <= 0)
			return NULL;
	}
}

static gboolean
connect_console (KdMachine *machine, const char *path, GCancellable *cancellable, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	gint64 end = g_get_monotonic_time() + (gint64)CONNECT_TIMEOUT_S * G_USEC_PER_SEC;

	if (g_strlcpy (address.sun_path, path, sizeof (address.sun_path)) >=
		sizeof (address.sun_path)) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s: too long for a socket",
			path);
		return FALSE;
	}
	machine->console = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	while (connect (machine->console, (struct sockaddr *)&address, sizeof (address)) < 0) {
		if (!kd_machine_check (machine, error) ||
			g_cancellable_set_error_if_cancelled (cancellable, error))
			return FALSE;
		if (g_get_monotonic_time() > end) {
			g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN,
				"%s makes no console in %d s", machine->qemu, CONNECT_TIMEOUT_S);
			return FALSE;
		}
		g_usleep (POLL_MS * 1000);
	}
	machine->reader = g_thread_new ("console", read_console, machine);
	return TRUE;
}

static void
add_args (GPtrArray *argv, ...)
{
	const char *arg;
	va_list ap;

	va_start (ap, argv);
	while ((arg = va_arg (ap, const char *)))
		g_ptr_array_add (argv, g_strdup (arg));
	va_end (ap);
}

/* “-NAME FILE” for a key that names a file, which must be there. */
static gboolean
add_file (KdJob *job, GPtrArray *argv, const char *key, GError **error)
{
	g_autoptr (GError) why = NULL;
	g_autofree char *path = kd_job_path (job, "machine", key, &why);
	g_autofree char *option = g_strconcat ("-", key, NULL);

	if (why) {
		g_propagate_error (error, g_steal_pointer (&why));
		return FALSE;
	}
	if (path && access (path, R_OK) != 0) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "%s: %s", path,
			g_strerror (errno));
		return FALSE;
	}
	if (path)
		add_args (argv, option, path, NULL);
	return TRUE;
}

static GPtrArray *
qemu_command (
	KdJob *job, KdMachine *machine, const char *console, const char *artefacts, GError **error)
{
	g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
	g_autoptr (GError) why = NULL;
	g_autofree char *options = NULL, *append = NULL, *serial = NULL, *gdb = NULL, *qmp = NULL;
	g_auto (GStrv) words = NULL;

	machine->qemu = kd_job_value (job, "machine", "qemu", error);
	if (!machine->qemu)
		return NULL;
	if (strchr (machine->qemu, '/')) {
		char *path = g_canonicalize_filename (machine->qemu, job->dir);

		g_free (machine->qemu);
		machine->qemu = path;
	}
	options = kd_job_value (job, "machine", "options", &why);
	append = why ? NULL : kd_job_value (job, "machine", "append", &why);
	if (!why && options && *g_strstrip (options))
		g_shell_parse_argv (options, NULL, &words, &why);
	if (why) {
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_FILE, "%s", why->message);
		return NULL;
	}
	serial = g_strdup_printf (
		"socket,id=kvmdbg-console,path=%s,server=on,wait=on,logfile=%s/console.log",
		console, artefacts);
	gdb = g_strdup_printf ("socket,id=kvmdbg-gdb,path=%s,server=on,wait=off", machine->gdb);
	qmp = g_strdup_printf ("unix:%s,server=on,wait=off", machine->qmp);
	add_args (argv, machine->qemu, NULL);
	for (char **word = words; word && *word; word++)
		add_args (argv, *word, NULL);
	if (!add_file (job, argv, "kernel", error) || !add_file (job, argv, "initrd", error))
		return NULL;
	if (append)
		add_args (argv, "-append", append, NULL);
	add_args (argv, "-display", "none", "-chardev", serial, "-serial", "chardev:kvmdbg-console",
		"-chardev", gdb, "-gdb", "chardev:kvmdbg-gdb", "-qmp", qmp, NULL);
	g_ptr_array_add (argv, NULL);
	return g_steal_pointer (&argv);
}

KdMachine *
kd_machine_start (KdJob *job, const char *sockets, const char *artefacts, GCancellable *cancellable,
	GError **error)
{
	g_autoptr (KdMachine) machine = g_new0 (KdMachine, 1);
	g_autofree char *console = g_build_filename (sockets, "console", NULL);
	g_autoptr (GPtrArray) argv = NULL;

	g_mutex_init (&machine->lock);
	g_cond_init (&machine->changed);
	machine->console = -1;
	machine->text = g_string_new (NULL);
	machine->gdb = g_build_filename (sockets, "gdb", NULL);
	machine->qmp = g_build_filename (sockets, "qmp", NULL);
	machine->log = g_build_filename (artefacts, "qemu.log", NULL);
	argv = qemu_command (job, machine, console, artefacts, error);
	if (!argv)
		return NULL;
	machine->pid = kd_process_start ((const char *const *)argv->pdata, machine->log, error);
	if (!machine->pid || !connect_console (machine, console, cancellable, error))
		return NULL;
	return g_steal_pointer (&machine);
}

void
kd_machine_free (KdMachine *machine)
{
	if (!machine)
		return;
	kd_process_kill (machine->pid, SIGKILL);
	if (machine->console >= 0)
		shutdown (machine->console, SHUT_RDWR);
	if (machine->reader)
		g_thread_join (machine->reader);
	if (machine->console >= 0)
		close (machine->console);
	g_string_free (machine->text, TRUE);
	g_mutex_clear (&machine->lock);
	g_cond_clear (&machine->changed);
	g_free (machine->gdb);
	g_free (machine->qmp);
	g_free (machine->log);
	g_free (machine->qemu);
	g_free (machine);
}

const char *
kd_machine_gdb (const KdMachine *machine)
{
	return machine->gdb;
}

const char *
kd_machine_qmp (const KdMachine *machine)
{
	return machine->qmp;
}

/* --- the console --- */

gsize
kd_machine_console_mark (KdMachine *machine)
{
	gsize len;

	g_mutex_lock (&machine->lock);
	len = machine->text->len;
	g_mutex_unlock (&machine->lock);
	return len;
}

/* What the expression matches behind the mark, and its end; or NULL. Under the lock. */
static char *
find_match (KdMachine *machine, GRegex *regex, gsize mark, gsize *ret_end)
{
	g_autoptr (GMatchInfo) info = NULL;
	int start_pos, end_pos;

	if (!g_regex_match_full (regex, machine->text->str, (gssize)machine->text->len, (int)mark,
		    0, &info, NULL) ||
		!g_match_info_fetch_pos (info, 0, &start_pos, &end_pos))
		return NULL;
	*ret_end = (gsize)end_pos;
	return g_match_info_fetch (info, 0);
}

char *
kd_machine_console_wait (
	KdMachine *machine, GRegex *regex, gsize *mark, GCancellable *cancellable, GError **error)
{
	g_autofree char *match = NULL;
	gsize looked = G_MAXSIZE, end = 0;
	gint64 settled = 0;

	g_mutex_lock (&machine->lock);
	while (!g_cancellable_is_cancelled (cancellable)) {
		if (looked != machine->text->len) {
			looked = machine->text->len;
			g_free (match);
			match = find_match (machine, regex, *mark, &end);
			settled = g_get_monotonic_time() + (gint64)SETTLE_MS * 1000;
		}
		/* What ends with the text may go on: a line comes in pieces, a prompt has no end.
		 */
		if (machine->closed ||
			(match && (end < looked || g_get_monotonic_time() >= settled)))
			break;
		g_cond_wait_until (&machine->changed, &machine->lock,
			g_get_monotonic_time() + (gint64)POLL_MS * 1000);
	}
	g_mutex_unlock (&machine->lock);
	if (match) {
		*mark = end;
		return g_steal_pointer (&match);
	}
	if (g_cancellable_set_error_if_cancelled (cancellable, error))
		return NULL;
	/* The socket is closed a moment before the process has ended. */
	g_usleep (POLL_MS * 1000);
	if (kd_machine_check (machine, error))
		g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN, "the console closed");
	return NULL;
}

gboolean
kd_machine_send (KdMachine *machine, const char *line, GError **error)
{
	g_autofree char *whole = g_strconcat (line, "\n", NULL);
	size_t left = strlen (whole);
	const char *at = whole;

	while (left) {
		ssize_t n = send (machine->console, at, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (kd_machine_check (machine, error))
				g_set_error (error, KD_JOB_ERROR, KD_JOB_ERROR_BROKEN,
					"the console: %s", g_strerror (errno));
			return FALSE;
		}
		at += n;
		left -= (size_t)n;
	}
	return TRUE;
}

char *
kd_machine_shell (KdMachine *machine, const char *command, int *ret_status,
	GCancellable *cancellable, GError **error)
{
	guint nr = ++machine->nr_shell;
	g_autofree char *begin = g_strdup_printf ("\nbegin-%u\r?(?=\n)", nr);
	g_autofree char *end = g_strdup_printf ("(?s).*\nend-%u (\\d+)\r?(?=\n)", nr);
	g_autoptr (GRegex) begin_regex = g_regex_new (begin, G_REGEX_RAW, 0, NULL);
	g_autoptr (GRegex) end_regex = g_regex_new (end, G_REGEX_RAW, 0, NULL);
	gsize mark = kd_machine_console_mark (machine);
	g_autofree char *line = NULL, *match = NULL, *text = NULL;
	char *tail;
	gint64 status = 0;

	/* Echo and prompt would be among the output. */
	if (nr == 1 && !kd_machine_send (machine, "\nstty -echo -onlcr; PS1=; PS2=", error))
		return NULL;
	/* The marks are in two pieces, so that an echo of the command is not taken for them. */
	line = g_strdup_printf ("printf '\\nbegin''-%u\\n'; { %s\n} 2>&1 </dev/null; "
				"printf '\\nend''-%u %%d\\n' $?",
		nr, command, nr);
	if (!kd_machine_send (machine, line, error))
		return NULL;
	match = kd_machine_console_wait (machine, begin_regex, &mark, cancellable, error);
	text = match ? kd_machine_console_wait (machine, end_regex, &mark, cancellable, error)
		     : NULL;
	if (!text)
		return NULL;
	tail = g_strrstr (text, "\nend-");
	g_ascii_string_to_signed (
		g_strchomp (strrchr (tail, ' ') + 1), 10, 0, G_MAXUINT8, &status, NULL);
	*tail = '\0';
	*ret_status = (int)status;
	/* The line's end of “begin” is the first character. */
	return g_utf8_make_valid (text + 1, -1);
}
