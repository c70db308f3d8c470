/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/help.h"

#include <string.h>

#include "base/json.h"

#define HELP_WIDTH 78

/* Options of the program itself, for the overview and the manual page. */
static const struct {
	const char *option;
	const char *help;
} program_options[] = {
	{"--session NAME", "which session, when there are several (default: the only one)"},
	{"--timeout S",
		"give QEMU up that owes answers for S seconds in one command (default: 30)"},
	{"--json", "print the result as JSON"},
	{"--color WHEN", "auto, always or never (default: auto; NO_COLOR is honoured)"},
	{"--version", "print the version"},
	{"--help", "print this, or a command's help"},
};

static const char *const group_order[] = {
	"session", "run", "machine", "symbols", "kernel", "KVM", "triage", "jobs", NULL};

static void
append_arg_usage (GString *out, const KdArg *arg)
{
	gboolean required = arg->flags & KD_ARG_REQUIRED;
	g_autofree char *upper = NULL;

	g_string_append (out, required ? " " : " [");
	if (arg->positional) {
		upper = g_ascii_strup (arg->meta ? arg->meta : arg->name, -1);
		g_string_append (out, upper);
	} else {
		if (arg->short_name)
			g_string_append_printf (out, "-%c|", arg->short_name);
		g_string_append_printf (out, "--%s", arg->name);
		if (arg->kind != KD_ARG_FLAG)
			g_string_append_printf (out, " %s", arg->meta ? arg->meta : "VALUE");
	}
	if (!required)
		g_string_append_c (out, ']');
	if (arg->flags & KD_ARG_REPEATED)
		g_string_append (out, "…");
}

char *
kd_help_usage (const KdCommand *command)
{
	GString *out = g_string_new (command->name);

	for (int positional = 0; positional < 2; positional++)
		for (const KdArg *arg = command->args; arg && arg->name; arg++)
			if (!!arg->positional == positional)
				append_arg_usage (out, arg);
	return g_string_free (out, FALSE);
}

/* Calls `func` for each command of `group`; FALSE when it has none. */
static gboolean
foreach_in_group (
	const char *group, void (*func) (const KdCommand *command, GString *out), GString *out)
{
	gboolean any = FALSE;

	for (const KdCommand *const *command = kd_commands(); *command; command++)
		if (strcmp ((*command)->group, group) == 0) {
			any = TRUE;
			if (func)
				func (*command, out);
		}
	return any;
}

static void
append_overview_line (const KdCommand *command, GString *out)
{
	g_string_append_printf (out, "  %-10s %s\n", command->name, command->summary);
}

char *
kd_help_overview (void)
{
	GString *out = g_string_new ("usage: kvmdbg [OPTION…] COMMAND [ARGUMENT…]\n"
				     "       kvmdbg                  (opens the shell)\n"
				     "Debugs a KVM host kernel that runs inside QEMU.\n");

	for (const char *const *group = group_order; *group; group++) {
		if (!foreach_in_group (*group, NULL, NULL))
			continue;
		g_string_append_printf (out, "\n%s commands:\n", *group);
		foreach_in_group (*group, append_overview_line, out);
	}
	g_string_append (out, "\noptions:\n");
	for (guint i = 0; i < G_N_ELEMENTS (program_options); i++)
		g_string_append_printf (
			out, "  %-15s %s\n", program_options[i].option, program_options[i].help);
	g_string_append (out, "\n“kvmdbg COMMAND --help” tells more of one. "
			      "First: kvmdbg attach :1234 --vmlinux FILE\n");
	return g_string_free (out, FALSE);
}

/* "-c, --cpu N", "ADDR" */
static char *
arg_label (const KdArg *arg)
{
	g_autoptr (GString) out = g_string_new (NULL);

	if (arg->positional)
		return g_ascii_strup (arg->meta ? arg->meta : arg->name, -1);
	if (arg->short_name)
		g_string_append_printf (out, "-%c, ", arg->short_name);
	g_string_append_printf (out, "--%s", arg->name);
	if (arg->kind != KD_ARG_FLAG)
		g_string_append_printf (out, " %s", arg->meta ? arg->meta : "VALUE");
	return g_string_free (g_steal_pointer (&out), FALSE);
}

/* Paragraphs, each on lines of at most HELP_WIDTH characters. */
static void
append_wrapped (GString *out, const char *text)
{
	g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

	for (char **line = lines; *line; line++) {
		g_auto (GStrv) words = g_strsplit (*line, " ", -1);
		glong column = 0;

		for (char **word = words; *word; word++) {
			glong len = g_utf8_strlen (*word, -1);

			if (column && column + 1 + len > HELP_WIDTH) {
				g_string_append_c (out, '\n');
				column = 0;
			}
			if (column)
				g_string_append_c (out, ' ');
			g_string_append (out, *word);
			column += len + (column ? 1 : 0);
		}
		if (line[1] || column)
			g_string_append_c (out, '\n');
	}
}

char *
kd_help_command (const KdCommand *command)
{
	g_autofree char *usage = kd_help_usage (command);
	GString *out = g_string_new (NULL);

	g_string_append (out, "usage: kvmdbg ");
	append_wrapped (out, usage);
	g_string_append_printf (out, "%s\n", command->summary);
	if (command->args && command->args->name)
		g_string_append_c (out, '\n');
	for (const KdArg *arg = command->args; arg && arg->name; arg++) {
		g_autofree char *label = arg_label (arg);

		g_string_append_printf (out, "  %-20s %s\n", label, arg->help);
	}
	if (command->help) {
		g_string_append_c (out, '\n');
		append_wrapped (out, command->help);
	}
	if (command->example) {
		g_auto (GStrv) lines = g_strsplit (command->example, "\n", -1);

		g_string_append (out, "\nexamples:\n");
		for (char **line = lines; *line; line++)
			if (**line)
				g_string_append_printf (out, "  %s\n", *line);
	}
	return g_string_free (out, FALSE);
}

/* --- for programs --- */

static const char *
kind_name (KdArgKind kind)
{
	switch (kind) {
	case KD_ARG_FLAG:
		return "flag";
	case KD_ARG_STRING:
		return "string";
	case KD_ARG_UINT:
		return "uint";
	case KD_ARG_EXPR:
	case KD_ARG_REST:
		return "expression";
	case KD_ARG_FILE:
		return "file";
	case KD_ARG_PEER:
		return "peer";
	}
	return "string";
}

static void
add_arg_json (JsonArray *array, const KdArg *arg)
{
	JsonObject *obj = kd_json_array_add_object (array);
	char short_name[2] = {arg->short_name, 0};

	kd_json_set_string (obj, "name", arg->name);
	kd_json_set_string (obj, "short", arg->short_name ? short_name : NULL);
	kd_json_set_string (obj, "kind", kind_name (arg->kind));
	kd_json_set_bool (obj, "positional", arg->positional);
	kd_json_set_bool (obj, "required", arg->flags & KD_ARG_REQUIRED);
	kd_json_set_bool (obj, "repeated", arg->flags & KD_ARG_REPEATED);
	kd_json_set_string (obj, "meta", arg->meta);
	kd_json_set_string (obj, "help", arg->help);
}

JsonNode *
kd_help_json (void)
{
	JsonArray *array = json_array_new();

	for (const KdCommand *const *row = kd_commands(); *row; row++) {
		JsonObject *obj = kd_json_array_add_object (array);
		JsonArray *args;

		kd_json_set_string (obj, "name", (*row)->name);
		kd_json_set_string (obj, "group", (*row)->group);
		kd_json_set_string (obj, "summary", (*row)->summary);
		kd_json_set_string (obj, "help", (*row)->help);
		kd_json_set_string (obj, "example", (*row)->example);
		kd_json_set_bool (obj, "repeats", (*row)->flags & KD_COMMAND_REPEATS);
		args = kd_json_add_array (obj, "args");
		for (const KdArg *arg = (*row)->args; arg && arg->name; arg++)
			add_arg_json (args, arg);
	}
	return kd_json_array_node (array);
}

/* --- manual page --- */

/* Text for troff: backslashes and leading dots escaped, "-" as the character one can copy. */
static void
append_roff (GString *out, const char *text)
{
	gboolean line_start = TRUE;

	for (const char *p = text; *p; p++) {
		if (line_start && (*p == '.' || *p == '\''))
			g_string_append (out, "\\&");
		if (*p == '\\')
			g_string_append (out, "\\e");
		else if (*p == '-')
			g_string_append (out, "\\-");
		else
			g_string_append_c (out, *p);
		line_start = *p == '\n';
	}
}

static void
append_roff_paragraphs (GString *out, const char *text)
{
	g_auto (GStrv) paragraphs = g_strsplit (text, "\n\n", -1);

	for (char **paragraph = paragraphs; *paragraph; paragraph++) {
		g_strstrip (*paragraph);
		if (!**paragraph)
			continue;
		g_string_append (out, ".PP\n");
		append_roff (out, *paragraph);
		g_string_append_c (out, '\n');
	}
}

static void
append_man_tagged (GString *out, const char *tag, const char *text)
{
	g_string_append (out, ".TP\n.B ");
	append_roff (out, tag);
	g_string_append_c (out, '\n');
	append_roff (out, text);
	g_string_append_c (out, '\n');
}

static void
append_man_command (const KdCommand *command, GString *out)
{
	g_autofree char *usage = kd_help_usage (command);

	g_string_append (out, ".SS ");
	append_roff (out, command->name);
	g_string_append (out, "\n.B ");
	append_roff (out, usage);
	g_string_append (out, "\n.PP\n");
	append_roff (out, command->summary);
	g_string_append (out, ".\n");
	for (const KdArg *arg = command->args; arg && arg->name; arg++) {
		g_autofree char *label = arg_label (arg);

		append_man_tagged (out, label, arg->help);
	}
	if (command->help)
		append_roff_paragraphs (out, command->help);
	if (command->example) {
		g_string_append (out, ".PP\n.EX\n");
		append_roff (out, command->example);
		if (!g_str_has_suffix (command->example, "\n"))
			g_string_append_c (out, '\n');
		g_string_append (out, ".EE\n");
	}
}

static const char man_head[] =
	".\\\" made by kvmdbgd --print-man from the table of commands\n"
	".TH KVMDBG 1 \"\" \"kvmdbg " KVMDBG_VERSION "\" \"User Commands\"\n"
	".SH NAME\nkvmdbg \\- debug a KVM host kernel that runs inside QEMU\n"
	".SH SYNOPSIS\n.B kvmdbg\n.RI [ OPTION ...]\n.I COMMAND\n.RI [ ARGUMENT ...]\n.br\n"
	".B kvmdbg\n"
	".SH DESCRIPTION\n"
	"Attaches to the gdb stub of a QEMU whose guest is itself a KVM host, and shows what that "
	"kernel runs: its VMs and vCPUs, tasks, backtraces, registers, memory and data by their "
	"types. Without a command it opens an interactive shell.\n"
	".PP\n"
	"The work is done by a daemon, kvmdbgd, which the first\n.B attach\nstarts and which ends "
	"by itself when nothing is attached.\n";

static const char man_tail[] =
	".SH EXIT STATUS\n"
	".TP\n.B 0\ndone\n.TP\n.B 1\nthe command failed\n.TP\n.B 2\nusage\n"
	".TP\n.B 3\nno session, or the machine is lost\n"
	".SH ENVIRONMENT\n"
	".TP\n.B XDG_RUNTIME_DIR\nwhere the daemon's socket is; when unset, /run/user/UID or "
	"/tmp/kvmdbg\\-UID\n"
	".TP\n.B XDG_STATE_HOME\nwhere the shell keeps its history\n"
	".TP\n.B XDG_CACHE_HOME\nwhere indexes of kernels are kept\n"
	".TP\n.B NO_COLOR\nno colour unless asked for by \\-\\-color\n"
	".TP\n.B DEBUGINFOD_URLS\nservers asked for a kernel's debug information\n"
	".SH FILES\n"
	".TP\n.I $XDG_RUNTIME_DIR/kvmdbg/kvmdbgd.sock\nthe daemon's socket: JSON\\-RPC 2.0, one "
	"object a line\n"
	".TP\n.I ~/.local/state/kvmdbg/history\nhistory of the shell\n"
	".TP\n.I ~/.cache/kvmdbg\nindexes of kernels, rebuilt when missing\n"
	".SH SEE ALSO\n.BR gdb (1),\n.BR qemu\\-system\\-aarch64 (1)\n";

char *
kd_help_man (void)
{
	GString *out = g_string_new (man_head);

	g_string_append (out, ".SH OPTIONS\n");
	for (guint i = 0; i < G_N_ELEMENTS (program_options); i++)
		append_man_tagged (out, program_options[i].option, program_options[i].help);
	for (const char *const *group = group_order; *group; group++) {
		g_autofree char *upper = g_ascii_strup (*group, -1);

		if (!foreach_in_group (*group, NULL, NULL))
			continue;
		g_string_append_printf (out, ".SH %s COMMANDS\n", upper);
		foreach_in_group (*group, append_man_command, out);
	}
	g_string_append (out, man_tail);
	return g_string_free (out, FALSE);
}
