/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/explain.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "command/command.h"

static void
add_holder (JsonObject *finding, KdKernel *kernel, const KdLockHolder *holder)
{
	JsonObject *obj = json_object_new();
	g_autofree char *at = kd_kernel_symbolize (kernel, holder->pc);
	g_autofree char *taken = kd_kernel_symbolize (kernel, holder->taken_at);

	kd_json_set_int (obj, "cpu", holder->cpu);
	kd_json_set_int (obj, "frame", holder->frame);
	kd_json_set_string (obj, "function", holder->function);
	kd_json_set_hex (obj, "pc", holder->pc);
	kd_json_set_string (obj, "at", at);
	kd_json_set_hex (obj, "taken_pc", holder->taken_at);
	kd_json_set_string (obj, "taken_at", taken);
	if (holder->given_back_at)
		kd_json_set_hex (obj, "given_back_pc", holder->given_back_at);
	kd_json_set_string (obj, "argument", holder->argument);
	kd_json_set_string (obj, "proof", holder->by_memory ? "code and memory" : "code");
	json_object_set_object_member (finding, "holder", obj);
}

static void
add_finding (JsonArray *findings, KdKernel *kernel, const KdFinding *finding)
{
	JsonObject *obj = kd_json_array_add_object (findings);
	JsonArray *evidence = json_array_new();

	kd_json_set_string (obj, "id", finding->id);
	kd_json_set_string (obj, "severity", kd_severity_name (finding->severity));
	kd_json_set_int (obj, "cpu", finding->cpu);
	kd_json_set_string (obj, "title", finding->title);
	for (guint i = 0; i < finding->evidence->len; i++) {
		const KdEvidence *one = &g_array_index (finding->evidence, KdEvidence, i);
		JsonObject *piece = kd_json_array_add_object (evidence);

		kd_json_set_string (piece, "text", one->text);
		kd_json_set_string (piece, "command", one->command);
	}
	json_object_set_array_member (obj, "evidence", evidence);
	if (finding->has_lock)
		kd_json_set_hex (obj, "lock", finding->lock);
	if (finding->has_holder)
		add_holder (obj, kernel, &finding->holder);
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	const char *const *ids;
	g_autoptr (GArray) findings = kd_explain (session->kernel, &ids);
	JsonObject *result = json_object_new();
	JsonArray *found = json_array_new(), *looked = json_array_new();

	for (guint i = 0; i < findings->len; i++)
		add_finding (found, session->kernel, &g_array_index (findings, KdFinding, i));
	for (; *ids; ids++)
		json_array_add_string_element (looked, *ids);
	json_object_set_array_member (result, "findings", found);
	json_object_set_array_member (result, "looked_for", looked);
	return kd_json_object_node (result);
}

static KdStyle
style_of (const char *severity)
{
	return g_strcmp0 (severity, "warning") == 0 ? KD_STYLE_WARN : KD_STYLE_BAD;
}

static void
render_finding (JsonObject *finding, KdText *text)
{
	const char *severity = NULL, *title = NULL, *id = NULL;
	JsonArray *evidence = NULL;

	kd_json_get_string (finding, "severity", FALSE, &severity, NULL);
	kd_json_get_string (finding, "title", FALSE, &title, NULL);
	kd_json_get_string (finding, "id", FALSE, &id, NULL);
	kd_text_printf (text, style_of (severity), "%s", severity ? severity : "?");
	kd_text_printf (text, KD_STYLE_HEADING, ": %s", title ? title : "?");
	kd_text_printf (text, KD_STYLE_DIM, "  [%s]\n", id ? id : "?");
	if (!kd_json_get_array (finding, "evidence", TRUE, &evidence, NULL))
		return;
	for (guint i = 0; i < json_array_get_length (evidence); i++) {
		const char *words = "", *command = NULL;
		JsonObject *piece = NULL;

		if (!kd_json_array_object (evidence, i, &piece, NULL))
			continue;
		kd_json_get_string (piece, "text", FALSE, &words, NULL);
		kd_json_get_string (piece, "command", FALSE, &command, NULL);
		kd_text_printf (text, KD_STYLE_PLAIN, "  - %s", words);
		if (command)
			kd_text_printf (text, KD_STYLE_DIM, "  (%s)", command);
		kd_text_add (text, KD_STYLE_PLAIN, "\n");
	}
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	JsonArray *findings = NULL;

	if (!kd_json_get_array (obj, "findings", TRUE, &findings, NULL))
		return;
	for (guint i = 0; i < json_array_get_length (findings); i++) {
		JsonObject *finding = NULL;

		if (kd_json_array_object (findings, i, &finding, NULL))
			render_finding (finding, text);
	}
	if (json_array_get_length (findings) == 0)
		kd_text_add (text, KD_STYLE_GOOD, "no known trouble at this stop\n");
}

const KdCommand kd_command_explain = {
	.name = "explain",
	.group = "triage",
	.summary = "look for known trouble, and show the evidence",
	.help = "Findings, worst first; behind each piece of evidence the command that shows "
		"it:\n\n"
		"host-current: a CPU in the host's code whose SP_EL0 is not its current task "
		"(arm64)\nvector-loop: exceptions taken inside the exception vectors\nhyp-panic: "
		"the hypervisor's own panic\noff-stack: a stack pointer on none of the CPU's "
		"stacks\ncsd-wait: a CPU that waits for another to run a function\nspinlock: a CPU "
		"that spins for a lock, and who holds it, where the code of a CPU's frames proves "
		"that: taken on each way to where the frame is, and not given back\npanic: the "
		"kernel has given up\n\n"
		"JSON: {findings: [{id, severity (fatal, error, warning), cpu, title, evidence: "
		"[{text, command}], lock, holder: {cpu, frame, function, pc, at, taken_pc, "
		"taken_at, given_back_pc, argument, proof}}], looked_for: [id]}. It is about this "
		"stop: what is a "
		"warning "
		"may be gone at the next.",
	.example = "explain",
	.flags = KD_COMMAND_NEEDS_STOP | KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
};
