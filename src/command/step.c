/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "command/steps.h"
#include "debug/backtrace.h"

/* Instructions of one source line. */
#define INSNS_MAX 100000
#define RUN_TIMEOUT_MS 10000
/* Of code that takes a return address off the stack. */
#define DROP_INSNS_MAX 64

static const KdArg args[] = {
	KD_STEPS_ARGS,
	{"line", 'l', KD_ARG_FLAG, 0, FALSE, NULL, "to another source line"},
	{"over", 'n', KD_ARG_FLAG, 0, FALSE, NULL, "a call is one step: run until it returns"},
	{"out", 'o', KD_ARG_FLAG, 0, FALSE, NULL, "run until this function returns"},
	{"brief", 'b', KD_ARG_FLAG, 0, FALSE, NULL,
		"only the pc and symbol of each: as fast as the stub can"},
	{"timeout-ms", 't', KD_ARG_UINT, 0, FALSE, "MS",
		"with --over and --out: a call may take this long (default: 10000)"},
	{"count", 0, KD_ARG_UINT, 0, TRUE, NULL, "how many steps (default: 1)"},
	{NULL},
};

typedef struct {
	KdStepper *stepper;
	gboolean line, over, out, brief;
	const char *sp;
	KdSession *session;
	unsigned cpu;
	int timeout_ms;
} Stepping;

static gboolean
read_sp (const Stepping *stepping, uint64_t *ret_sp, GError **error)
{
	return kd_target_reg_get (stepping->session->target, kd_stepper_cpu (stepping->stepper),
		stepping->sp, ret_sp, error);
}

/* Until what the call pushed is off the stack, by a return or otherwise. */
static gboolean
step_until_popped (Stepping *stepping, uint64_t sp, gboolean *ret_popped, GError **error)
{
	uint64_t now = 0;

	*ret_popped = FALSE;
	for (unsigned i = 0; !*ret_popped && i < DROP_INSNS_MAX; i++) {
		if (!kd_stepper_step (stepping->stepper, error) || !read_sp (stepping, &now, error))
			return FALSE;
		*ret_popped = now >= sp || kd_stepper_interrupted (stepping->stepper);
	}
	return TRUE;
}

static gboolean
step_over_call (Stepping *stepping, GError **error)
{
	const KdStepPlace *here = kd_stepper_here (stepping->stepper);
	KdRunTo run = {.addrs = {here->pc + here->insn_len},
		.nr = 1,
		.any_mode = here->state.mode != KD_CPU_MODE_KERNEL &&
			    here->state.mode != KD_CPU_MODE_HYP,
		.timeout_ms = stepping->timeout_ms};

	/* Not where it returns to in a call of itself, or by another task. */
	if (!read_sp (stepping, &run.sp, error))
		return FALSE;
	if (kd_stepper_call_may_drop (stepping->stepper)) {
		gboolean popped;

		if (!step_until_popped (stepping, run.sp, &popped, error) || popped)
			return popped;
	}
	return kd_stepper_run_to (stepping->stepper, &run, error);
}

static gboolean
step_instruction (Stepping *stepping, GError **error)
{
	return stepping->over && kd_stepper_here (stepping->stepper)->kind == KD_INSN_CALL
		       ? step_over_call (stepping, error)
		       : kd_stepper_step (stepping->stepper, error);
}

static gboolean
step_line (Stepping *stepping, GError **error)
{
	g_autofree char *start = NULL;
	const char *file;
	int line = 0, now;

	if (kd_stepper_line (stepping->stepper, &file, &line))
		start = g_strdup (file);
	for (unsigned i = 0; i < INSNS_MAX; i++) {
		if (!step_instruction (stepping, error))
			return FALSE;
		/* Where there are no lines (assembly, no files) nobody wants to stop. */
		if (kd_stepper_interrupted (stepping->stepper) ||
			(kd_stepper_line (stepping->stepper, &file, &now) &&
				(now != line || g_strcmp0 (file, start) != 0)))
			return TRUE;
	}
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
		"no other source line after %d instructions", INSNS_MAX);
	return FALSE;
}

static gboolean
step_out (Stepping *stepping, GError **error)
{
	KdRunTo run = {.timeout_ms = stepping->timeout_ms};

	return kd_stepper_caller (stepping->stepper, &run, error) &&
	       kd_stepper_run_to (stepping->stepper, &run, error);
}

static gboolean
make_steps (Stepping *stepping, uint64_t count, JsonArray *steps, GError **error)
{
	for (uint64_t i = 0; i < count; i++) {
		if (!(stepping->out          ? step_out (stepping, error)
			    : stepping->line ? step_line (stepping, error)
					     : step_instruction (stepping, error)))
			return FALSE;
		kd_steps_add (steps, stepping->stepper, stepping->line);
		if (!stepping->out && !stepping->over && kd_stepper_interrupted (stepping->stepper))
			return TRUE;
	}
	return TRUE;
}

static gboolean
check_args (const KdArgs *given, Stepping *stepping, uint64_t *ret_count, GError **error)
{
	uint64_t timeout_ms = RUN_TIMEOUT_MS;

	*ret_count = 1;
	kd_args_uint (given, "count", ret_count);
	kd_args_uint (given, "timeout-ms", &timeout_ms);
	stepping->timeout_ms = (int)MIN (timeout_ms, G_MAXINT);
	stepping->line = kd_args_flag (given, "line");
	stepping->over = kd_args_flag (given, "over");
	stepping->out = kd_args_flag (given, "out");
	stepping->brief = kd_args_flag (given, "brief");
	if (*ret_count == 0 || *ret_count > KD_STEPS_MAX)
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"1 to %d steps at once", KD_STEPS_MAX);
	else if (stepping->brief && (stepping->line || stepping->over || stepping->out))
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"--brief is about single instructions");
	else if (stepping->out && (stepping->line || stepping->over))
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"--out goes with neither --line nor --over");
	else
		return TRUE;
	return FALSE;
}

static gboolean
make_brief (Stepping *stepping, uint64_t count, JsonArray *steps, GError **error)
{
	g_autoptr (GArray) pcs = g_array_new (FALSE, FALSE, sizeof (uint64_t));
	KdKernel *kernel = stepping->session->kernel;
	gboolean ok = kd_target_steps (stepping->session->target, stepping->cpu, count, pcs, error);

	for (guint i = 0; i < pcs->len; i++) {
		uint64_t pc = g_array_index (pcs, uint64_t, i);
		JsonObject *obj = kd_json_array_add_object (steps);
		g_autofree char *symbol = kernel ? kd_kernel_symbolize (kernel, pc) : NULL;

		kd_json_set_hex (obj, "pc", pc);
		kd_json_set_string (
			obj, "symbol", symbol && g_str_has_prefix (symbol, "0x") ? NULL : symbol);
	}
	return ok;
}

/* The step that could not end leaves what was made before it. */
static gboolean
is_end (const GError *why)
{
	return g_error_matches (why, KD_TARGET_ERROR, KD_TARGET_ERROR_HALTED) ||
	       g_error_matches (why, KD_DEBUG_ERROR, KD_DEBUG_ERROR_STOPPED);
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	g_autoptr (JsonArray) steps = json_array_new();
	g_autoptr (KdStepper) stepper = NULL;
	g_autoptr (GError) why = NULL;
	Stepping stepping = {.session = session, .sp = kd_target_arch (session->target)->sp};
	JsonObject *result;
	uint64_t count;
	unsigned cpu;
	gboolean ok;

	if (!check_args (given, &stepping, &count, error) ||
		!kd_command_cpu (session, given, &cpu, error) ||
		!kd_steps_begin (session, given, error)) {
		g_prefix_error (error, "step: ");
		return NULL;
	}
	stepping.cpu = cpu;
	if (stepping.brief)
		ok = make_brief (&stepping, count, steps, &why);
	else {
		stepper = kd_stepper_new (session->target, session->kernel, stepping.cpu, &why);
		stepping.stepper = stepper;
		ok = stepper && make_steps (&stepping, count, steps, &why);
	}
	kd_steps_end (session);
	if (!ok && (json_array_get_length (steps) == 0 || !is_end (why))) {
		g_propagate_prefixed_error (error, g_steal_pointer (&why),
			"step: after %u of %" PRIu64 ": ", json_array_get_length (steps), count);
		return NULL;
	}
	result = json_object_new();
	kd_json_set_int (result, "cpu", stepper ? kd_stepper_cpu (stepper) : (gint64)cpu);
	json_object_set_array_member (result, "steps", g_steal_pointer (&steps));
	kd_json_set_string (result, "ended", why ? why->message : NULL);
	return kd_json_object_node (result);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *ended = NULL;

	kd_steps_render (obj, text);
	kd_json_get_string (obj, "ended", FALSE, &ended, NULL);
	if (ended)
		kd_text_printf (text, KD_STYLE_WARN, "%s\n", ended);
}

const KdCommand kd_command_step = {
	.name = "step",
	.group = "run",
	.summary = "steps on one CPU: instructions, lines, calls",
	.help = "Each line shows where the CPU stands after a step: its mode, the instruction that "
		"is next, and what the step changed among the registers that matter (vector "
		"bases, page tables, HCR_EL2, SP_EL0; control registers).\n\n"
		"The other CPUs are held, and interrupts and timers stand still, unless --others "
		"and --irq say otherwise (timers go on under KVM). What --over and --out run is "
		"run with all CPUs: a call "
		"may wait for another. It follows the task, which may come back on another CPU.",
	.example = "kvmdbg step\nkvmdbg step 1000 --cpu 1\nkvmdbg step --line --over\nkvmdbg step "
		   "--out",
	.args = args,
	.flags = KD_COMMAND_NEEDS_STOP | KD_COMMAND_REPEATS | KD_COMMAND_WAITS,
	.run = run,
	.render = render,
};
