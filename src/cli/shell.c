/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shell.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <readline/readline.h>

#include "call.h"
#include "gdb.h"
#include "history.h"
#include "interrupt.h"
#include "words.h"

typedef struct {
	KvmdbgConnection *connection; /* NULL: the daemon went away */
	KdCliOptions options;         /* `session`: the one this shell talks to */
	GHashTable *states;           /* session name → state, as events tell it */
	GHashTable *repeats;          /* commands that an empty line does again */
	char *last_line;              /* the one to do again, or NULL */
	gboolean interactive;
	gboolean in_call;   /* an answer is awaited: its own stop is no news */
	gboolean at_prompt; /* readline has the terminal */
	gboolean done;
	int status;
} Shell;

/* readline's callbacks carry no data. */
static Shell *the_shell;

/* --- state and prompt --- */

static const char *
session_name (const Shell *shell)
{
	GHashTableIter iter;
	const char *name;

	if (shell->options.session)
		return shell->options.session;
	if (g_hash_table_size (shell->states) != 1)
		return "default";
	g_hash_table_iter_init (&iter, shell->states);
	g_hash_table_iter_next (&iter, (gpointer *)&name, NULL);
	return name;
}

static const char *
session_state (const Shell *shell)
{
	return g_hash_table_lookup (shell->states, session_name (shell));
}

static char *
make_prompt (const Shell *shell)
{
	const char *name = session_name (shell), *state = session_state (shell);
	gboolean color = kd_cli_options_color (&shell->options, STDOUT_FILENO);
	const char *sgr = g_strcmp0 (state, "running") == 0 ? "32"
			  : g_strcmp0 (state, "lost") == 0  ? "31"
							    : "33";
	g_autofree char *shown = NULL;

	if (!state)
		return g_strdup ("kvmdbg> ");
	/* \1 and \2 tell readline what takes no room. */
	shown = color ? g_strdup_printf ("\001\033[%sm\002%s\001\033[0m\002", sgr, state)
		      : g_strdup (state);
	if (strcmp (name, "default") == 0)
		return g_strdup_printf ("kvmdbg (%s)> ", shown);
	return g_strdup_printf ("kvmdbg %s (%s)> ", name, shown);
}

/* --- events --- */

static char *
event_text (const Shell *shell, const char *event, JsonObject *params)
{
	const char *name = kd_call_string (params, "session");
	const char *text = kd_call_string (params, "text");
	gboolean own = g_strcmp0 (name, session_name (shell)) == 0;
	g_autofree char *who = own ? g_strdup ("") : g_strdup_printf ("[%s] ", name ? name : "?");

	if (strcmp (event, "stopped") == 0)
		return g_strdup_printf ("%sstopped: %s", who, text ? text : "");
	if (strcmp (event, "running") == 0)
		return g_strdup_printf ("%srunning", who);
	if (strcmp (event, "target-lost") == 0)
		return g_strdup_printf (
			"%sthe machine is gone (QEMU ended, or closed its stub)", who);
	return NULL;
}

/* Shown above the line being typed, which stays. */
static void
show_event (Shell *shell, const char *text)
{
	g_autofree char *prompt = NULL;

	if (!shell->at_prompt) {
		printf ("%s\n", text);
		return;
	}
	rl_clear_visible_line();
	printf ("%s\n", text);
	prompt = make_prompt (shell);
	rl_set_prompt (prompt);
	rl_on_new_line();
	rl_redisplay();
}

static void
on_event (const char *event, const char *params_json, void *data)
{
	Shell *shell = data;
	g_autoptr (JsonNode) node = kd_call_parse (params_json);
	JsonObject *params;
	const char *name, *state;
	g_autofree char *text = NULL;
	gboolean own;

	if (!node || !JSON_NODE_HOLDS_OBJECT (node))
		return;
	params = json_node_get_object (node);
	name = kd_call_string (params, "session");
	if (!name)
		return;
	own = g_strcmp0 (name, session_name (shell)) == 0;
	text = event_text (shell, event, params);
	state = strcmp (event, "target-lost") == 0 ? "lost" : event;
	if (strcmp (event, "detached") == 0)
		g_hash_table_remove (shell->states, name);
	else if (text)
		g_hash_table_insert (shell->states, g_strdup (name), g_strdup (state));
	if (!shell->interactive || !text)
		return;
	/* What our own command does, its answer tells. */
	if (!(shell->in_call && own && strcmp (state, "lost") != 0))
		show_event (shell, text);
}

/* --- the daemon --- */

static void
read_sessions (Shell *shell)
{
	g_autoptr (JsonNode) node = kd_call_quiet (shell->connection, "sessions", NULL, NULL);
	JsonArray *array;

	g_hash_table_remove_all (shell->states);
	if (!node || !JSON_NODE_HOLDS_ARRAY (node))
		return;
	array = json_node_get_array (node);
	for (guint i = 0; i < json_array_get_length (array); i++) {
		JsonNode *element = json_array_get_element (array, i);
		JsonObject *obj =
			JSON_NODE_HOLDS_OBJECT (element) ? json_node_get_object (element) : NULL;
		const char *name = kd_call_string (obj, "name");
		const char *state = kd_call_string (obj, "state");

		if (name && state)
			g_hash_table_insert (shell->states, g_strdup (name), g_strdup (state));
	}
}

static void
read_commands (Shell *shell)
{
	g_autoptr (JsonNode) node = kd_call_quiet (shell->connection, "help", NULL, NULL);
	JsonArray *array;

	if (!node || !JSON_NODE_HOLDS_ARRAY (node))
		return;
	array = json_node_get_array (node);
	for (guint i = 0; i < json_array_get_length (array); i++) {
		JsonObject *obj = json_array_get_object_element (array, i);
		const char *name = kd_call_string (obj, "name");

		if (name && json_object_get_boolean_member_with_default (obj, "repeats", FALSE))
			g_hash_table_add (shell->repeats, g_strdup (name));
	}
}

static gboolean
connect_daemon (Shell *shell)
{
	g_autoptr (GError) error = NULL;

	shell->connection = kvmdbg_connect (TRUE, &error);
	if (!shell->connection) {
		kd_call_print_error (&shell->options, error, NULL, stdout);
		shell->status = kvmdbg_exit_status (NULL, error);
		return FALSE;
	}
	kvmdbg_connection_set_event_handler (shell->connection, on_event, shell);
	read_sessions (shell);
	read_commands (shell);
	return TRUE;
}

static void
drop_daemon (Shell *shell)
{
	g_clear_pointer (&shell->connection, kvmdbg_connection_free);
	g_hash_table_remove_all (shell->states);
}

/* --- lines --- */

static int
call_shell_text (Shell *shell, const char *const *words, const KdCliOptions *options, FILE *out)
{
	int status;

	if (!shell->connection && !connect_daemon (shell))
		return shell->status;
	shell->in_call = TRUE;
	status = kd_call_command (shell->connection, options, words, out);
	shell->in_call = FALSE;
	/* A dispatch that fails tells that the daemon is gone. */
	if (!kvmdbg_connection_dispatch (shell->connection, NULL))
		drop_daemon (shell);
	return status;
}

static int
run_piped (Shell *shell, const KdLine *line, const KdCliOptions *options)
{
	FILE *out;
	int status;

	fflush (stdout);
	out = popen (line->pipe, "w");
	if (!out) {
		fprintf (stderr, "kvmdbg: %s: %s\n", line->pipe, g_strerror (errno));
		return KD_EXIT_FAILED;
	}
	status = call_shell_text (shell, (const char *const *)line->words, options, out);
	pclose (out);
	return status;
}

static int
show_help (Shell *shell, const char *command)
{
	g_autoptr (GError) error = NULL;
	g_autoptr (JsonNode) node = NULL;
	JsonObject *params = json_object_new();
	const char *text;

	json_object_set_string_member (params, "render", "text-only");
	if (command)
		json_object_set_string_member (params, "command", command);
	if (!shell->connection && !connect_daemon (shell)) {
		json_object_unref (params);
		return shell->status;
	}
	node = kd_call_quiet (shell->connection, "help", params, &error);
	if (!node) {
		kd_call_print_error (&shell->options, error, NULL, stdout);
		return kvmdbg_exit_status (NULL, error);
	}
	text = JSON_NODE_HOLDS_OBJECT (node) ? kd_call_string (json_node_get_object (node), "text")
					     : NULL;
	fputs (text ? text : "", stdout);
	if (!command)
		puts ("\nin this shell:\n"
		      "  session NAME    talk to another session\n"
		      "  help [COMMAND]  this, or one command\n"
		      "  COMMAND | PROG  pass the output on, as in “bt -a | less”\n"
		      "  !PROG           run a program\n"
		      "  quit            leave (Ctrl-D too); the machine stays as it is");
	return KD_EXIT_DONE;
}

static int
run_system (const char *command)
{
	int status;

	fflush (stdout);
	status = system (command);
	return status >= 0 && WIFEXITED (status) ? WEXITSTATUS (status) : KD_EXIT_FAILED;
}

static int
switch_session (Shell *shell, const char *name)
{
	if (!name || !g_hash_table_contains (shell->states, name)) {
		fprintf (stderr, "kvmdbg: session: %s%s (“sessions” lists them)\n",
			name ? "no session " : "NAME is missing", name ? name : "");
		return KD_EXIT_USAGE;
	}
	g_free (shell->options.session);
	shell->options.session = g_strdup (name);
	return KD_EXIT_DONE;
}

/* After attach or detach the sessions are others. */
static void
note_sessions (Shell *shell, const char *const *words)
{
	const char *own = shell->options.session;

	if (!shell->connection)
		return;
	read_sessions (shell);
	if (strcmp (words[0], "attach") != 0) {
		if (own && !g_hash_table_contains (shell->states, own))
			g_clear_pointer (&shell->options.session, g_free);
		return;
	}
	for (unsigned i = 1; words[i]; i++) {
		const char *name = NULL;

		if (strcmp (words[i], "--name") == 0)
			name = words[i + 1];
		else if (g_str_has_prefix (words[i], "--name="))
			name = words[i] + strlen ("--name=");
		if (name && g_hash_table_contains (shell->states, name))
			switch_session (shell, name);
	}
}

/* In a process of its own: it changes the environment, and ends with its threads. */
static int
run_jobs (const KdCliOptions *options, const char *const *words)
{
	g_autoptr (GPtrArray) argv = g_ptr_array_new();

	g_ptr_array_add (argv, (gpointer) "/proc/self/exe");
	for (; *words; words++)
		g_ptr_array_add (argv, (gpointer)*words);
	if (options->json)
		g_ptr_array_add (argv, (gpointer) "--json");
	g_ptr_array_add (argv, NULL);
	return kd_call_program ((char **)argv->pdata);
}

static int
run_words (Shell *shell, KdLine *line)
{
	g_autofree char *why = NULL;
	KdCliOptions options;
	const char *const *words = (const char *const *)line->words;
	int status;

	kd_cli_options_copy (&options, &shell->options);
	if (!kd_cli_options_take (&options, line->words, &why)) {
		fprintf (stderr, "kvmdbg: %s\n", why);
		status = KD_EXIT_USAGE;
	} else if (!words[0])
		status = options.help ? show_help (shell, NULL) : KD_EXIT_DONE;
	else if (options.help)
		status = show_help (shell, words[0]);
	else if (strcmp (words[0], "help") == 0)
		status = show_help (shell, words[1]);
	else if (strcmp (words[0], "session") == 0)
		status = switch_session (shell, words[1]);
	else if (strcmp (words[0], "shell") == 0)
		status = KD_EXIT_DONE;
	else if (strcmp (words[0], "gdb") == 0)
		status = kd_gdb_run (&options, words + 1);
	else if (strcmp (words[0], "run") == 0)
		status = run_jobs (&options, words);
	else {
		status = line->pipe ? run_piped (shell, line, &options)
				    : call_shell_text (shell, words, &options, stdout);
		if (strcmp (words[0], "attach") == 0 || strcmp (words[0], "detach") == 0)
			note_sessions (shell, words);
	}
	kd_cli_options_clear (&options);
	return status;
}

static void
run_line (Shell *shell, const char *text)
{
	g_auto (KdLine) line = {0};
	g_autofree char *why = NULL;

	if (text[0] == '!') {
		shell->status = run_system (text + 1);
		return;
	}
	if (!kd_line_parse (text, &line, &why)) {
		fprintf (stderr, "kvmdbg: %s\n", why);
		shell->status = KD_EXIT_USAGE;
		return;
	}
	if (!line.words[0])
		return;
	if (g_strv_contains ((const char *const[]){"quit", "exit", "q", NULL}, line.words[0])) {
		shell->done = TRUE;
		return;
	}
	g_clear_pointer (&shell->last_line, g_free);
	if (g_hash_table_contains (shell->repeats, line.words[0]))
		shell->last_line = g_strdup (text);
	shell->status = run_words (shell, &line);
	fflush (stdout);
}

/* --- completion --- */

static char **candidates; /* of the word being completed; NULL-terminated */

static char *
next_candidate (const char *text, int state)
{
	static unsigned index;

	if (state == 0)
		index = 0;
	return candidates && candidates[index] ? strdup (candidates[index++]) : NULL;
}

/* The daemon completes the identifier at the word's end; readline wants the whole word. */
static void
fill_candidates (JsonObject *result, int start)
{
	g_autoptr (GStrvBuilder) builder = g_strv_builder_new();
	gint64 from = json_object_get_int_member_with_default (result, "start", start);
	g_autofree char *prefix = g_strndup (rl_line_buffer + start,
		from > start ? (gsize)MIN (from - start, rl_end - start) : 0);
	JsonArray *array = json_object_get_array_member (result, "candidates");

	for (guint i = 0; i < json_array_get_length (array); i++) {
		const char *candidate = json_array_get_string_element (array, i);
		g_autofree char *whole = candidate ? g_strconcat (prefix, candidate, NULL) : NULL;

		if (whole)
			g_strv_builder_add (builder, whole);
	}
	g_strfreev (candidates);
	candidates = g_strv_builder_end (builder);
}

static char **
complete_line (const char *text, int start, int end)
{
	Shell *shell = the_shell;
	g_autoptr (JsonNode) node = NULL;
	JsonObject *params, *result;

	rl_attempted_completion_over = 1;
	if (!shell->connection)
		return NULL;
	params = json_object_new();
	json_object_set_string_member (params, "line", rl_line_buffer);
	json_object_set_int_member (params, "point", end);
	if (shell->options.session)
		json_object_set_string_member (params, "session", shell->options.session);
	node = kd_call_quiet (shell->connection, "complete", params, NULL);
	if (!node || !JSON_NODE_HOLDS_OBJECT (node))
		return NULL;
	result = json_node_get_object (node);
	if (json_object_get_boolean_member_with_default (result, "files", FALSE)) {
		rl_attempted_completion_over = 0;
		return NULL;
	}
	if (!json_object_has_member (result, "candidates"))
		return NULL;
	fill_candidates (result, start);
	return rl_completion_matches (text, next_candidate);
}

/* --- the loop --- */

static void
leave_prompt (Shell *shell)
{
	shell->at_prompt = FALSE;
	rl_callback_handler_remove();
}

static void
on_line (char *line)
{
	Shell *shell = the_shell;
	g_autofree char *copy = g_strdup (line);

	free (line);
	leave_prompt (shell);
	if (!copy) {
		putchar ('\n');
		shell->done = TRUE;
		return;
	}
	g_strstrip (copy);
	if (*copy) {
		kd_history_add (copy);
		run_line (shell, copy);
	} else if (shell->last_line) {
		g_autofree char *again = g_strdup (shell->last_line);

		run_line (shell, again);
	}
}

/* At the prompt Ctrl-C stops a running machine, else empties the line. */
static void
on_interrupt (Shell *shell)
{
	static const char *const stop[] = {"stop", NULL};
	gboolean running = g_strcmp0 (session_state (shell), "running") == 0;

	kd_interrupt_clear();
	rl_free_line_state();
	rl_callback_sigcleanup();
	puts ("^C");
	rl_replace_line ("", 0);
	leave_prompt (shell);
	if (running)
		shell->status = call_shell_text (shell, stop, &shell->options, stdout);
}

static void
wait_input (Shell *shell)
{
	struct pollfd fds[] = {
		{STDIN_FILENO, POLLIN, 0},
		{kd_interrupt_get_fd(), POLLIN, 0},
		{shell->connection ? kvmdbg_connection_get_fd (shell->connection) : -1, POLLIN, 0},
	};

	if (poll (fds, G_N_ELEMENTS (fds), -1) < 0)
		return;
	if (fds[2].revents && !kvmdbg_connection_dispatch (shell->connection, NULL)) {
		drop_daemon (shell);
		show_event (shell, "the daemon went away; the next command starts another");
	}
	if (fds[1].revents)
		on_interrupt (shell);
	else if (fds[0].revents)
		rl_callback_read_char();
}

static void
run_interactive (Shell *shell)
{
	the_shell = shell;
	kd_interrupt_init();
	kd_history_load();
	rl_readline_name = "kvmdbg";
	rl_catch_signals = 0;
	rl_attempted_completion_function = complete_line;
	rl_completer_word_break_characters = (char *)" \t\n";
	while (!shell->done) {
		if (!shell->at_prompt) {
			g_autofree char *prompt = make_prompt (shell);

			rl_callback_handler_install (prompt, on_line);
			shell->at_prompt = TRUE;
		}
		wait_input (shell);
	}
	if (shell->at_prompt)
		leave_prompt (shell);
	if (g_strcmp0 (session_state (shell), "stopped") == 0)
		printf ("session %s stays attached, its machine stopped (“kvmdbg detach” lets it "
			"go)\n",
			session_name (shell));
}

/* Lines from a file or a pipe: all are done, the status is that of the last that failed. */
static void
run_script (Shell *shell)
{
	char *line = NULL;
	size_t size = 0;
	int failed = KD_EXIT_DONE;

	kd_interrupt_init();
	while (!shell->done && getline (&line, &size, stdin) >= 0) {
		g_strstrip (line);
		shell->status = KD_EXIT_DONE;
		if (*line && *line != '#')
			run_line (shell, line);
		if (shell->status != KD_EXIT_DONE)
			failed = shell->status;
	}
	free (line);
	shell->status = failed;
}

int
kd_shell_run (const KdCliOptions *options)
{
	Shell shell = {.interactive = isatty (STDIN_FILENO)};

	kd_cli_options_copy (&shell.options, options);
	shell.states = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
	shell.repeats = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
	if (connect_daemon (&shell)) {
		if (shell.interactive) {
			printf ("kvmdbg " KVMDBG_VERSION
				" – “help” lists commands, Tab completes%s\n",
				g_hash_table_size (shell.states) ? "" : ", “attach ADDR” begins");
			run_interactive (&shell);
			shell.status = KD_EXIT_DONE;
		} else
			run_script (&shell);
	}
	drop_daemon (&shell);
	g_hash_table_unref (shell.states);
	g_hash_table_unref (shell.repeats);
	g_free (shell.last_line);
	g_strfreev (candidates);
	kd_cli_options_clear (&shell.options);
	return shell.status;
}
