/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/steps.h"

#include <inttypes.h>

#include "base/json.h"

gboolean
kd_steps_begin (KdSession *session, const KdArgs *args, GError **error)
{
	return kd_target_set_stepping (
		session->target, kd_args_flag (args, "irq"), kd_args_flag (args, "others"), error);
}

void
kd_steps_end (KdSession *session)
{
	kd_target_set_cancellable (session->target, NULL);
	kd_target_set_stepping (session->target, FALSE, FALSE, NULL);
	kd_target_set_cancellable (session->target, session->cancellable);
}

void
kd_steps_add (JsonArray *steps, KdStepper *stepper, gboolean line)
{
	const KdStepPlace *place = kd_stepper_here (stepper);
	JsonObject *step = kd_json_array_add_object (steps);
	JsonArray *changes = json_array_new();
	const char *file;
	int nr;

	kd_json_set_hex (step, "pc", place->pc);
	if (place->state.el >= 0)
		kd_json_set_int (step, "el", place->state.el);
	kd_json_set_string (step, "mode", place->state.mode_name);
	kd_json_set_string (step, "symbol", place->symbol);
	kd_json_set_string (step, "insn", place->insn);
	if (place->vector)
		kd_json_set_string (step, "vector", place->vector);
	if (line && kd_stepper_line (stepper, &file, &nr)) {
		kd_json_set_string (step, "file", file);
		kd_json_set_int (step, "line", nr);
	}
	for (guint i = 0; i < place->changes->len; i++) {
		const KdStepChange *change = &g_array_index (place->changes, KdStepChange, i);
		JsonObject *obj = kd_json_array_add_object (changes);

		kd_json_set_string (obj, "name", change->name);
		kd_json_set_hex (obj, "from", change->from);
		kd_json_set_hex (obj, "to", change->to);
	}
	json_object_set_array_member (step, "changes", changes);
}

static void
render_changes (JsonObject *step, KdText *text)
{
	JsonArray *changes = NULL;

	if (!kd_json_get_array (step, "changes", FALSE, &changes, NULL) || !changes)
		return;
	for (guint i = 0; i < json_array_get_length (changes); i++) {
		const char *name = "", *from = "", *to = "";
		JsonObject *change = NULL;

		if (!kd_json_array_object (changes, i, &change, NULL))
			continue;
		kd_json_get_string (change, "name", FALSE, &name, NULL);
		kd_json_get_string (change, "from", FALSE, &from, NULL);
		kd_json_get_string (change, "to", FALSE, &to, NULL);
		kd_text_printf (text, KD_STYLE_WARN, "  %s %s → %s", name, from, to);
	}
}

void
kd_steps_render (JsonObject *result, KdText *text)
{
	JsonArray *steps = NULL;
	gint64 cpu = 0;

	kd_json_get_int (result, "cpu", FALSE, &cpu, NULL);
	if (!kd_json_get_array (result, "steps", TRUE, &steps, NULL))
		return;
	for (guint i = 0; i < json_array_get_length (steps); i++) {
		const char *pc = "", *symbol = NULL, *mode = NULL, *insn = NULL, *vector = NULL;
		const char *file = NULL;
		gint64 line = 0;
		JsonObject *step = NULL;

		if (!kd_json_array_object (steps, i, &step, NULL))
			continue;
		kd_json_get_string (step, "pc", FALSE, &pc, NULL);
		kd_json_get_string (step, "mode", FALSE, &mode, NULL);
		kd_json_get_string (step, "symbol", FALSE, &symbol, NULL);
		kd_json_get_string (step, "insn", FALSE, &insn, NULL);
		kd_json_get_string (step, "vector", FALSE, &vector, NULL);
		kd_json_get_string (step, "file", FALSE, &file, NULL);
		kd_json_get_int (step, "line", FALSE, &line, NULL);
		kd_text_printf (text, KD_STYLE_DIM, "CPU %" PRId64 "  ", cpu);
		if (mode)
			kd_text_printf (text, KD_STYLE_DIM, "%-5s ", mode);
		kd_text_add (text, KD_STYLE_ADDRESS, pc);
		if (symbol)
			kd_text_printf (text, KD_STYLE_SYMBOL, "  %s", symbol);
		if (file)
			kd_text_printf (text, KD_STYLE_STRING, "  %s:%" PRId64, file, line);
		if (insn)
			kd_text_printf (text, KD_STYLE_PLAIN, "  %s", insn);
		if (vector)
			kd_text_printf (text, KD_STYLE_HEADING, "  (vector: %s)", vector);
		render_changes (step, text);
		kd_text_add (text, KD_STYLE_PLAIN, "\n");
	}
}
