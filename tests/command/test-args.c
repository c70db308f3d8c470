/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/json.h"
#include "command/command.h"

/* A row with one argument of each kind. */
static const KdArg mixed_args[] = {
	{"all", 'a', KD_ARG_FLAG, 0, FALSE, NULL, "all"},
	{"binary", 'b', KD_ARG_FLAG, 0, FALSE, NULL, "binary"},
	{"cpu", 'c', KD_ARG_UINT, 0, FALSE, "N", "CPU"},
	{"dir", 0, KD_ARG_FILE, KD_ARG_REPEATED, FALSE, "DIR", "folders"},
	{"peer", 0, KD_ARG_PEER, 0, FALSE, "ADDR", "peer"},
	{"addr", 0, KD_ARG_EXPR, KD_ARG_REQUIRED, TRUE, NULL, "address"},
	{"names", 0, KD_ARG_STRING, KD_ARG_REPEATED, TRUE, NULL, "names"},
	{NULL},
};
static const KdCommand mixed = {.name = "mixed", .args = mixed_args};

static const KdArg rest_args[] = {
	{"hex", 'x', KD_ARG_FLAG, 0, FALSE, NULL, "hex"},
	{"depth", 0, KD_ARG_UINT, 0, FALSE, "N", "depth"},
	{"expression", 0, KD_ARG_REST, KD_ARG_REQUIRED, TRUE, "EXPR", "expression"},
	{NULL},
};
static const KdCommand rest = {.name = "rest", .args = rest_args};

static const KdCommand bare = {.name = "bare"};

/* What was understood, as one line: "name=value" in the row's order. */
static char *
describe (const KdCommand *command, const KdArgs *args)
{
	GString *out = g_string_new (NULL);

	for (const KdArg *arg = command->args; arg && arg->name; arg++) {
		uint64_t value;

		if (!kd_args_flag (args, arg->name))
			continue;
		g_string_append_printf (out, "%s%s", out->len ? " " : "", arg->name);
		if (arg->flags & KD_ARG_REPEATED) {
			g_autofree char *list =
				g_strjoinv (",", (char **)kd_args_list (args, arg->name));

			g_string_append_printf (out, "=[%s]", list);
		} else if (kd_args_uint (args, arg->name, &value))
			g_string_append_printf (out, "=%" G_GUINT64_FORMAT, value);
		else if (kd_args_string (args, arg->name))
			g_string_append_printf (out, "=%s", kd_args_string (args, arg->name));
	}
	return g_string_free (out, FALSE);
}

typedef struct {
	const char *name;
	const KdCommand *command;
	const char *line;   /* words, separated by "|"; or JSON */
	const char *wanted; /* NULL: USAGE */
	const char *message;
} Row;

static const Row argv_rows[] = {
	{"positional", &mixed, "0x10", "addr=0x10"},
	{"repeated", &mixed, "0x10|a|b", "addr=0x10 names=[a,b]"},
	{"options-anywhere", &mixed, "0x10|-a|n|--cpu|1", "all cpu=1 addr=0x10 names=[n]"},
	{"bundle", &mixed, "-ab|1", "all binary addr=1"},
	{"bundle-value", &mixed, "-ac0x3|1", "all cpu=3 addr=1"},
	{"equals", &mixed, "--cpu=7|1", "cpu=7 addr=1"},
	{"repeated-option", &mixed, "--dir|x|--dir=y|1", "dir=[x,y] addr=1"},
	{"dashes", &mixed, "--|--cpu", "addr=--cpu"},
	{"negative", &mixed, "-1", "addr=-1"},
	{"minus-paren", &mixed, "-(1)", "addr=-(1)"},
	{"rest", &rest, "(struct|kvm|*)0x1", "expression=(struct kvm *)0x1"},
	{"rest-option-behind", &rest, "a|+|b|-x", "hex expression=a + b"},
	{"rest-minus-word", &rest, "a|-b|-|c", "expression=a -b - c"},
	{"rest-dashes", &rest, "--|a|-x", "expression=a -x"},
	{"none", &bare, "", ""},
	{"peer-port", &mixed, "--peer|:1234|1", "peer=:1234 addr=1"},
	{"peer-name", &mixed, "--peer|gdb.sock|1", "peer=gdb.sock addr=1"},
	{"peer-bad-port", &mixed, "--peer|:99999|1", NULL,
		"mixed: option --peer: “:99999” is no address (give :PORT, HOST:PORT, or the path "
		"of a UNIX socket)"},
	{"peer-no-path", &mixed, "--peer|unix:|1", NULL,
		"mixed: option --peer: “unix:” is no address (give :PORT, HOST:PORT, or the path "
		"of a UNIX socket)"},
	{"missing", &mixed, "-a", NULL, "mixed: argument ADDR is missing (see “help mixed”)"},
	{"unknown-long", &mixed, "--cpus|1", NULL,
		"mixed: unknown option --cpus (did you mean --cpu?)"},
	{"unknown-short", &mixed, "-z", NULL, "mixed: unknown option -z"},
	{"flag-value", &mixed, "--all=1|2", NULL, "mixed: option --all takes no value"},
	{"no-value", &mixed, "1|--cpu", NULL, "mixed: option --cpu needs a value (N)"},
	{"not-a-number", &mixed, "--cpu|one|1", NULL, "mixed: option --cpu: “one” is not a number"},
	{"number-overflow", &mixed, "--cpu|18446744073709551616|1", NULL,
		"mixed: option --cpu: “18446744073709551616” is not a number"},
	{"twice", &mixed, "--cpu|1|--cpu|2|3", NULL, "mixed: option --cpu: given twice"},
	{"empty", &mixed, "--cpu||1", NULL, "mixed: option --cpu: “” is not a number"},
	{"unexpected", &bare, "x", NULL, "bare: unexpected argument “x”"},
};

static const Row json_rows[] = {
	{"named", &mixed, "{\"addr\":\"0x10\",\"all\":true,\"cpu\":3}", "all cpu=3 addr=0x10"},
	{"string-number", &mixed, "{\"addr\":\"1\",\"cpu\":\"0x10\"}", "cpu=16 addr=1"},
	{"number-address", &mixed, "{\"addr\":4096}", "addr=4096"},
	{"array", &mixed, "{\"addr\":\"1\",\"names\":[\"a\",\"b\"],\"dir\":\"d\"}",
		"dir=[d] addr=1 names=[a,b]"},
	{"false-and-null", &mixed, "{\"addr\":\"1\",\"all\":false,\"cpu\":null}", "addr=1"},
	{"call-parameters", &mixed, "{\"addr\":\"1\",\"session\":\"s\",\"columns\":80}", "addr=1"},
	{"missing", &mixed, "{}", NULL, "mixed: argument ADDR is missing (see “help mixed”)"},
	{"unknown", &mixed, "{\"adr\":\"1\"}", NULL,
		"mixed: unknown parameter “adr” (did you mean addr?)"},
	{"flag-kind", &mixed, "{\"addr\":\"1\",\"all\":1}", NULL,
		"mixed: parameter “all” must be true or false"},
	{"kind", &mixed, "{\"addr\":[]}", NULL, "mixed: parameter “addr” must be a string"},
	{"fraction", &mixed, "{\"addr\":\"1\",\"cpu\":1.5}", NULL,
		"mixed: parameter “cpu” must be a number"},
	{"negative", &mixed, "{\"addr\":\"1\",\"cpu\":-1}", NULL,
		"mixed: option --cpu: “-1” is not a number"},
};

static void
check (const Row *row, KdArgs *args, GError *error)
{
	g_autofree char *got = NULL;

	if (!row->wanted) {
		g_assert_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE);
		g_assert_cmpstr (error->message, ==, row->message);
		g_assert_null (args);
		return;
	}
	g_assert_no_error (error);
	got = describe (row->command, args);
	g_assert_cmpstr (got, ==, row->wanted);
}

static void
test_argv (gconstpointer data)
{
	const Row *row = data;
	g_auto (GStrv) words = *row->line ? g_strsplit (row->line, "|", -1) : g_new0 (char *, 1);
	g_autoptr (GError) error = NULL;
	g_autoptr (KdArgs) args =
		kd_args_from_argv (row->command, (const char *const *)words, &error);

	check (row, args, error);
}

static void
test_json (gconstpointer data)
{
	const Row *row = data;
	g_autoptr (JsonNode) node = kd_json_parse (row->line, strlen (row->line), NULL, NULL);
	g_autoptr (GError) error = NULL;
	g_autoptr (KdArgs) args =
		kd_args_from_json (row->command, kd_json_node_object (node, NULL), &error);

	check (row, args, error);
}

static void
test_paths (void)
{
	static const struct {
		const char *option, *given, *wanted;
	} rows[] = {
		{"--dir", "x/../y", "/cwd/y"},
		{"--dir", "/abs", "/abs"},
		{"--peer", ":1234", ":1234"},
		{"--peer", "1234", "1234"},
		{"--peer", "host:1", "host:1"},
		{"--peer", "gdb.sock", "/cwd/gdb.sock"},
		{"--peer", "./a:b", "/cwd/a:b"},
		{"--peer", "unix:s", "unix:/cwd/s"},
	};

	for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
		const char *words[] = {rows[i].option, rows[i].given, "1", NULL};
		g_autoptr (KdArgs) args = kd_args_from_argv (&mixed, words, NULL);

		kd_args_resolve_paths (args, "/cwd");
		g_assert_cmpstr (kd_args_string (args, rows[i].option + 2), ==, rows[i].wanted);
	}
}

/* Whoever may not have files opened by name is kept from the commands that say they do. */
static void
test_files (void)
{
	for (const KdCommand *const *command = kd_commands(); *command; command++)
		for (const KdArg *arg = (*command)->args; arg && arg->name; arg++)
			if (arg->kind == KD_ARG_FILE && (*command)->run &&
				!((*command)->flags & KD_COMMAND_NO_SESSION)) {
				g_test_message ("%s", (*command)->name);
				g_assert_true ((*command)->flags & KD_COMMAND_FILES);
			}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (guint i = 0; i < G_N_ELEMENTS (argv_rows); i++) {
		g_autofree char *path = g_strdup_printf ("/args/argv/%s", argv_rows[i].name);

		g_test_add_data_func (path, &argv_rows[i], test_argv);
	}
	for (guint i = 0; i < G_N_ELEMENTS (json_rows); i++) {
		g_autofree char *path = g_strdup_printf ("/args/json/%s", json_rows[i].name);

		g_test_add_data_func (path, &json_rows[i], test_json);
	}
	g_test_add_func ("/args/paths", test_paths);
	g_test_add_func ("/args/files", test_files);
	return g_test_run();
}
