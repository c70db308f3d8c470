/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "call.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interrupt.h"

#define DEFAULT_COLUMNS 80

JsonNode *
kd_call_parse (const char *text)
{
	g_autoptr (JsonParser) parser = json_parser_new();

	if (!json_parser_load_from_data (parser, text, -1, NULL))
		return NULL;
	return json_parser_steal_root (parser);
}

const char *
kd_call_string (JsonObject *obj, const char *name)
{
	JsonNode *node = obj ? json_object_get_member (obj, name) : NULL;

	if (!node || !JSON_NODE_HOLDS_VALUE (node) ||
		json_node_get_value_type (node) != G_TYPE_STRING)
		return NULL;
	return json_node_get_string (node);
}

static char *
to_text (JsonNode *node, gboolean pretty)
{
	g_autoptr (JsonGenerator) generator = json_generator_new();

	json_generator_set_root (generator, node);
	json_generator_set_pretty (generator, pretty);
	return json_generator_to_data (generator, NULL);
}

static void
print_json (const char *json, FILE *out)
{
	g_autoptr (JsonNode) node = isatty (fileno (out)) ? kd_call_parse (json) : NULL;
	g_autofree char *pretty = node ? to_text (node, TRUE) : NULL;

	fprintf (out, "%s\n", pretty ? pretty : json);
}

void
kd_call_print_error (
	const KdCliOptions *options, const GError *error, const char *error_json, FILE *out)
{
	if (options->json) {
		g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
		g_autofree char *made = NULL;

		if (!error_json) {
			JsonObject *obj = json_object_new();

			json_object_set_int_member (obj, "code", kvmdbg_exit_status (NULL, error));
			json_object_set_string_member (obj, "message", error->message);
			json_node_take_object (node, obj);
			error_json = made = to_text (node, FALSE);
		}
		print_json (error_json, out);
		fflush (out);
	}
	fprintf (stderr, "kvmdbg: %s\n", error->message);
}

static unsigned
width_of (int fd)
{
	struct winsize size;

	if (ioctl (fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return DEFAULT_COLUMNS;
}

static char *
command_params (const KdCliOptions *options, const char *const *argv, int fd)
{
	g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
	g_autofree char *cwd = g_get_current_dir();
	JsonObject *params = json_object_new();
	JsonArray *array = json_array_new();

	json_node_take_object (node, params);
	for (; *argv; argv++) {
		/* JSON holds UTF-8 only; what a file name may hold beyond that is lost anyway. */
		g_autofree char *word = g_utf8_make_valid (*argv, -1);

		json_array_add_string_element (array, word);
	}
	json_object_set_array_member (params, "argv", array);
	json_object_set_string_member (params, "cwd", cwd);
	if (options->session)
		json_object_set_string_member (params, "session", options->session);
	if (options->timeout_s)
		json_object_set_int_member (params, "timeout", options->timeout_s);
	if (!options->json) {
		json_object_set_string_member (params, "render", "text-only");
		json_object_set_boolean_member (
			params, "color", kd_cli_options_color (options, fd));
		json_object_set_int_member (params, "columns", width_of (fd));
	}
	return to_text (node, FALSE);
}

static void
print_result (const KdCliOptions *options, const char *json, FILE *out)
{
	g_autoptr (JsonNode) node = NULL;
	const char *text = NULL;

	if (!options->json)
		node = kd_call_parse (json);
	if (node && JSON_NODE_HOLDS_OBJECT (node))
		text = kd_call_string (json_node_get_object (node), "text");
	if (text)
		fputs (text, out);
	else
		print_json (json, out);
	fflush (out);
}

int
kd_call_command (KvmdbgConnection *connection, const KdCliOptions *options,
	const char *const *words, FILE *out)
{
	g_autofree char *params = command_params (options, words + 1, fileno (out));
	g_autofree char *error_json = NULL;
	g_autofree char *result = NULL;
	g_autoptr (GError) error = NULL;
	GCancellable *cancellable = kd_interrupt_begin();

	result = kvmdbg_call (connection, words[0], params, &error_json, cancellable, &error);
	kd_interrupt_end (cancellable);
	if (result) {
		print_result (options, result, out);
		return kvmdbg_exit_status (result, NULL);
	}
	kd_call_print_error (options, error, error_json, out);
	return kvmdbg_exit_status (NULL, error);
}

JsonNode *
kd_call_quiet (KvmdbgConnection *connection, const char *method, JsonObject *params, GError **error)
{
	g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
	g_autofree char *text = NULL;
	g_autofree char *result = NULL;
	JsonNode *parsed;

	json_node_take_object (node, params ? params : json_object_new());
	text = to_text (node, FALSE);
	result = kvmdbg_call (connection, method, text, NULL, NULL, error);
	if (!result)
		return NULL;
	parsed = kd_call_parse (result);
	if (!parsed)
		g_set_error (error, KVMDBG_ERROR, KVMDBG_ERROR_DAEMON, "%s: not JSON", method);
	return parsed;
}

/* As system() does it: what Ctrl-C means is the program's to say. */
int
kd_call_program (char **argv)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old_int, old_quit;
	int status = 0;
	pid_t pid;

	fflush (stdout);
	sigaction (SIGINT, &ignore, &old_int);
	sigaction (SIGQUIT, &ignore, &old_quit);
	pid = fork();
	if (pid == 0) {
		signal (SIGINT, SIG_DFL);
		signal (SIGQUIT, SIG_DFL);
		execvp (argv[0], argv);
		_exit (127);
	}
	while (pid > 0 && waitpid (pid, &status, 0) < 0 && errno == EINTR)
		;
	sigaction (SIGINT, &old_int, NULL);
	sigaction (SIGQUIT, &old_quit, NULL);
	return pid > 0 && WIFEXITED (status) ? WEXITSTATUS (status) : KD_EXIT_FAILED;
}
