/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"
#include "command/command.h"
#include "kernel/task.h"

typedef struct {
	JsonArray *array;
	gboolean threads;
	gboolean has_pid;
	int pid;
} Listing;

static gboolean
add_task (const KdTask *task, void *data)
{
	const Listing *listing = data;
	JsonObject *obj;

	if (listing->has_pid ? task->pid != listing->pid && task->tgid != listing->pid
			     : !listing->threads && task->pid != task->tgid)
		return TRUE;
	obj = kd_json_array_add_object (listing->array);
	kd_json_set_int (obj, "pid", task->pid);
	kd_json_set_int (obj, "tgid", task->tgid);
	kd_json_set_string (obj, "comm", task->comm);
	kd_json_set_printf (obj, "state", "%c", task->state);
	kd_json_set_int (obj, "cpu", task->cpu);
	kd_json_set_bool (obj, "on_cpu", task->on_cpu);
	kd_json_set_bool (obj, "kernel_thread", task->is_kernel_thread);
	kd_json_set_hex (obj, "task", task->task);
	kd_json_set_hex (obj, "stack", task->stack);
	kd_json_set_uint (obj, "stack_size", task->stack_size);
	kd_json_set_hex (obj, "mm", task->mm);
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	Listing listing = {json_array_new(), kd_args_flag (args, "threads"), FALSE, 0};
	g_autoptr (JsonNode) node = kd_json_array_node (listing.array);
	g_autoptr (GError) local = NULL;
	uint64_t pid = 0;

	listing.has_pid = kd_args_uint (args, "pid", &pid);
	if (pid > G_MAXINT) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"no task with PID %" G_GUINT64_FORMAT, pid);
		return NULL;
	}
	listing.pid = (int)pid;
	if (!kd_task_foreach (session->kernel, add_task, &listing, &local)) {
		if (json_array_get_length (listing.array) == 0) {
			g_propagate_prefixed_error (error, g_steal_pointer (&local), "ps: ");
			return NULL;
		}
		/* What was seen is worth telling. */
		kd_json_set_string (
			kd_json_array_add_object (listing.array), "partial", local->message);
	} else if (listing.has_pid && json_array_get_length (listing.array) == 0) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"no task with PID %d", listing.pid);
		return NULL;
	}
	return g_steal_pointer (&node);
}

/* --- text --- */

static void
render_task (JsonObject *task, KdText *text)
{
	const char *comm = "?", *state = "?", *addr = "?";
	gint64 pid = 0, tgid = 0, cpu = -1;
	gboolean on_cpu = FALSE, kernel_thread = FALSE;

	kd_json_get_int (task, "pid", FALSE, &pid, NULL);
	kd_json_get_int (task, "tgid", FALSE, &tgid, NULL);
	kd_json_get_int (task, "cpu", FALSE, &cpu, NULL);
	kd_json_get_string (task, "comm", FALSE, &comm, NULL);
	kd_json_get_string (task, "state", FALSE, &state, NULL);
	kd_json_get_string (task, "task", FALSE, &addr, NULL);
	kd_json_get_bool (task, "on_cpu", FALSE, &on_cpu, NULL);
	kd_json_get_bool (task, "kernel_thread", FALSE, &kernel_thread, NULL);
	kd_text_table_cell (text, KD_STYLE_GOOD, on_cpu ? ">" : "");
	kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" G_GINT64_FORMAT, pid);
	kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" G_GINT64_FORMAT, tgid);
	kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" G_GINT64_FORMAT, cpu);
	kd_text_table_cell (text, *state == 'D' ? KD_STYLE_WARN : KD_STYLE_PLAIN, state);
	kd_text_table_cell (text, KD_STYLE_ADDRESS, addr);
	kd_text_table_cellf (text, kernel_thread ? KD_STYLE_DIM : KD_STYLE_STRING,
		kernel_thread ? "[%s]" : "%s", comm);
	kd_text_table_end_row (text);
}

static void
render (JsonNode *result, KdText *text)
{
	static const char *const headings[] = {
		"", "PID", "TGID", "CPU", "ST", "TASK", "COMM", NULL};
	JsonArray *tasks = kd_json_node_array (result, NULL);
	const char *partial = NULL;

	kd_text_table_begin (text, headings);
	for (guint i = 0; tasks && i < json_array_get_length (tasks); i++) {
		JsonObject *task;

		if (!kd_json_array_object (tasks, i, &task, NULL))
			continue;
		kd_json_get_string (task, "partial", FALSE, &partial, NULL);
		if (!partial)
			render_task (task, text);
	}
	kd_text_table_end (text);
	if (partial)
		kd_text_printf (text, KD_STYLE_WARN, "(not all: %s)\n", partial);
}

static const KdArg args[] = {
	{"pid", 0, KD_ARG_UINT, 0, TRUE, "PID", "one process, with its threads"},
	{"threads", 't', KD_ARG_FLAG, 0, FALSE, NULL, "all threads of all processes"},
	{NULL},
};

const KdCommand kd_command_ps = {
	.name = "ps",
	.group = "kernel",
	.summary = "the tasks of the kernel",
	.help = "Processes and kernel threads, the idle task of each CPU first. “>” marks what "
		"runs on a "
		"CPU at this moment. ST is as ps has it; CPU is where the task runs or ran last.",
	.example = "ps\nps 1\nps --threads",
	.args = args,
	.flags = KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
};
