/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "command/steps.h"
#include "kernel/expr.h"

#define MAX_DEFAULT 100000
#define LAST_DEFAULT 10
#define LAST_MAX 100000
#define RUN_TIMEOUT_MS 30000
/* From the function that enters guests to the guest, or from a vector on. */
#define ENTER_MAX 5000

static const KdArg args[] = {
	KD_STEPS_ARGS,
	{"el", 0, KD_ARG_UINT, 0, FALSE, "N",
		"until the CPU is at this exception level (x86: ring)"},
	{"vector", 0, KD_ARG_FLAG, 0, FALSE, NULL, "until it enters an exception vector"},
	{"eret", 0, KD_ARG_FLAG, 0, FALSE, NULL, "until it has returned from an exception"},
	{"guest", 'g', KD_ARG_FLAG, 0, FALSE, NULL, "run to its next entry into a guest"},
	{"exit", 'x', KD_ARG_FLAG, 0, FALSE, NULL, "run to its next exit out of a guest"},
	{"max", 'm', KD_ARG_UINT, 0, FALSE, "N", "give up after so many steps (default: 100000)"},
	{"timeout-ms", 't', KD_ARG_UINT, 0, FALSE, "MS",
		"with --guest, --exit or a place: run no longer than this (default: 30000)"},
	{"last", 0, KD_ARG_UINT, 0, FALSE, "N", "show so many of the last steps (default: 10)"},
	{"expr", 0, KD_ARG_REST, KD_ARG_IS_EXPR, TRUE, "EXPR",
		"until this is not zero; a function or 0x… is a place to run to"},
	{NULL},
};

typedef struct {
	KdSession *session;
	KdStepper *stepper;
	unsigned cpu;
	gboolean has_el, vector, eret, alone; /* alone: the other CPUs are held */
	uint64_t el, max, last;
	const char *expr;
	int timeout_ms;
	/* What was made. */
	uint64_t count;
	JsonArray *steps;
} Until;

static gboolean
add_step (Until *until)
{
	until->count++;
	kd_steps_add (until->steps, until->stepper, FALSE);
	if (json_array_get_length (until->steps) > until->last)
		json_array_remove_element (until->steps, 0);
	return TRUE;
}

static gboolean
is_true (Until *until, gboolean *ret_true, GError **error)
{
	KdObject object;
	uint64_t value;

	if (!kd_expr_eval_on (until->session->target, until->session->kernel, until->cpu,
		    until->expr, &object, error) ||
		!kd_object_u64 (&object, &value, error))
		return FALSE;
	*ret_true = value != 0;
	return TRUE;
}

static gboolean
is_reached (Until *until, gboolean *ret_reached, GError **error)
{
	const KdStepPlace *here = kd_stepper_here (until->stepper);

	*ret_reached = (until->has_el && here->state.el == (int)until->el) ||
		       (until->vector && here->vector) ||
		       (until->eret && kd_stepper_last_kind (until->stepper) == KD_INSN_RETURN);
	return *ret_reached || !until->expr || is_true (until, ret_reached, error);
}

static gboolean
step_until (Until *until, GError **error)
{
	gboolean reached = FALSE;

	while (until->count < until->max) {
		if (!kd_stepper_step (until->stepper, error))
			return FALSE;
		add_step (until);
		if (!is_reached (until, &reached, error))
			return FALSE;
		if (reached)
			return TRUE;
		if (kd_stepper_interrupted (until->stepper)) {
			g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
				"a breakpoint or watchpoint stopped the machine before");
			return FALSE;
		}
	}
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
		"not there after %" PRIu64 " steps (--max says how many%s)", until->max,
		until->alone ? "; the other CPUs are held, --others lets them run" : "");
	return FALSE;
}

/* --- guests --- */

static gboolean
is_in_guest (const Until *until)
{
	return kd_stepper_here (until->stepper)->state.mode == KD_CPU_MODE_GUEST;
}

static gboolean
run_to (Until *until, KdRunTo *run, GError **error)
{
	run->timeout_ms = until->timeout_ms;
	if (!kd_stepper_run_to (until->stepper, run, error))
		return FALSE;
	return add_step (until);
}

/* Out of the guest it is in, whatever other guest code lies at the same addresses. */
static gboolean
leave_guest (Until *until, GError **error)
{
	KdRunTo run = {0};

	return !is_in_guest (until) || (kd_stepper_guest_exits (until->stepper, &run, error) &&
					       run_to (until, &run, error));
}

/* Through the function that enters guests. *ret_entered is FALSE where it came back out of it: an
 * interrupt was pending. */
static gboolean
step_into_guest (Until *until, gboolean *ret_entered, GError **error)
{
	g_autofree char *function = g_strdup (kd_stepper_here (until->stepper)->symbol);
	size_t len = function ? strcspn (function, "+") : 0;

	for (unsigned i = 0; i < ENTER_MAX; i++) {
		const char *symbol;

		if (!kd_stepper_step (until->stepper, error))
			return FALSE;
		add_step (until);
		*ret_entered = is_in_guest (until);
		symbol = kd_stepper_here (until->stepper)->symbol;
		if (*ret_entered || !symbol || strcspn (symbol, "+") != len ||
			strncmp (symbol, function ? function : "", len) != 0)
			return TRUE;
	}
	return TRUE;
}

static gboolean
until_guest (Until *until, GError **error)
{
	gint64 end_us = g_get_monotonic_time() + (gint64)until->timeout_ms * 1000;
	gboolean entered = FALSE;
	KdRunTo run = {0};

	if (!leave_guest (until, error) || !kd_stepper_guest_entries (until->stepper, &run, error))
		return FALSE;
	while (!entered && g_get_monotonic_time() < end_us)
		if (!run_to (until, &run, error) || !step_into_guest (until, &entered, error))
			return FALSE;
	if (!entered)
		g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
			"no guest was entered in %d ms", until->timeout_ms);
	return entered;
}

static gboolean
until_exit (Until *until, GError **error)
{
	KdRunTo run = {0};

	if (!is_in_guest (until) && !until_guest (until, error))
		return FALSE;
	return kd_stepper_guest_exits (until->stepper, &run, error) && run_to (until, &run, error);
}

/* --- a place --- */

/* "0x…", or the name of a function with or without an offset: else it is a condition. */
static gboolean
place_of (Until *until, KdRunTo *ret_run)
{
	g_autofree char *name = NULL;
	KdKernelSymbol symbol;
	gboolean is_number;
	uint64_t value;
	KdAddr addr;

	if (!until->expr)
		return FALSE;
	name = g_strndup (until->expr, strcspn (until->expr, "+ "));
	is_number = g_str_has_prefix (until->expr, "0x") &&
		    g_ascii_string_to_unsigned (until->expr + 2, 16, 0, G_MAXUINT64, &value, NULL);
	if (!is_number && (!until->session->kernel ||
				  !kd_kernel_symbol (until->session->kernel, name, &symbol) ||
				  !strchr ("tTwW", symbol.kind)))
		return FALSE;
	if (!kd_expr_eval_addr (until->session->target, until->session->kernel, until->cpu,
		    until->expr, &addr, NULL) ||
		addr.space.kind != KD_SPACE_KERNEL)
		return FALSE;
	*ret_run = (KdRunTo){.addrs = {addr.value}, .nr = 1, .any_mode = TRUE};
	return TRUE;
}

/* --- the command --- */

static gboolean
check_args (const KdArgs *given, Until *until, GError **error)
{
	uint64_t timeout_ms = RUN_TIMEOUT_MS;
	gboolean guest = kd_args_flag (given, "guest"), leave = kd_args_flag (given, "exit");
	unsigned nr;

	until->has_el = kd_args_uint (given, "el", &until->el);
	until->vector = kd_args_flag (given, "vector");
	until->eret = kd_args_flag (given, "eret");
	until->alone =
		!kd_args_flag (given, "others") && kd_target_nr_cpus (until->session->target) > 1;
	until->expr = kd_args_string (given, "expr");
	until->max = MAX_DEFAULT;
	until->last = LAST_DEFAULT;
	kd_args_uint (given, "max", &until->max);
	kd_args_uint (given, "last", &until->last);
	kd_args_uint (given, "timeout-ms", &timeout_ms);
	until->timeout_ms = (int)MIN (timeout_ms, G_MAXINT);
	nr = (unsigned)(until->has_el + !!until->vector + !!until->eret + !!until->expr + !!guest +
			!!leave);
	if (nr == 0)
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"say until what: EXPR, --el, --vector, --eret, --guest or --exit");
	else if ((guest || leave) && nr > 1)
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"--guest and --exit go with no other condition");
	else if (until->max == 0 || until->max > KD_STEPS_MAX || until->last > LAST_MAX)
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"--max is 1 to %d, --last at most %d", KD_STEPS_MAX, LAST_MAX);
	else if (until->vector && !kd_target_arch (until->session->target)->vector_at &&
		 !until->session->kernel)
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NEEDS_KERNEL,
			"--vector: no kernel is known, and the registers do not tell its vectors");
	else
		return TRUE;
	return FALSE;
}

static gboolean
make (Until *until, const KdArgs *given, GError **error)
{
	KdRunTo run;

	if (kd_args_flag (given, "guest"))
		return until_guest (until, error);
	if (kd_args_flag (given, "exit"))
		return until_exit (until, error);
	return place_of (until, &run) ? run_to (until, &run, error) : step_until (until, error);
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	g_autoptr (JsonArray) steps = json_array_new();
	g_autoptr (KdStepper) stepper = NULL;
	Until until = {.session = session, .steps = steps};
	GError *why = NULL;
	JsonObject *result;
	unsigned cpu;
	gboolean ok;

	if (!check_args (given, &until, error) || !kd_command_cpu (session, given, &cpu, error) ||
		!kd_steps_begin (session, given, error)) {
		g_prefix_error (error, "until: ");
		return NULL;
	}
	until.cpu = cpu;
	stepper = kd_stepper_new (session->target, session->kernel, until.cpu, &why);
	until.stepper = stepper;
	ok = stepper && make (&until, given, &why);
	kd_steps_end (session);
	if (!ok) {
		const KdStepPlace *here = stepper ? kd_stepper_here (stepper) : NULL;

		if (here && kd_target_state (session->target) == KD_TARGET_STOPPED)
			g_prefix_error (&why, "CPU %u at 0x%" PRIx64 " %s: ", until.cpu, here->pc,
				here->symbol ? here->symbol : here->state.mode_name);
		g_propagate_prefixed_error (error, why, "until: ");
		return NULL;
	}
	result = json_object_new();
	kd_json_set_int (result, "cpu", cpu);
	kd_json_set_uint (result, "count", until.count);
	json_object_set_array_member (result, "steps", g_steal_pointer (&steps));
	return kd_json_object_node (result);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	JsonArray *steps = NULL;
	gint64 count = 0;

	kd_json_get_int (obj, "count", FALSE, &count, NULL);
	if (kd_json_get_array (obj, "steps", TRUE, &steps, NULL) &&
		count > json_array_get_length (steps))
		kd_text_printf (text, KD_STYLE_DIM, "… %" PRId64 " steps before\n",
			count - json_array_get_length (steps));
	kd_steps_render (obj, text);
}

const KdCommand kd_command_until = {
	.name = "until",
	.group = "run",
	.summary = "step or run one CPU until something is so",
	.help = "EXPR, --el, --vector and --eret are looked at after each single step, with the "
		"other CPUs held and no interrupts, as “step” makes them; the first that is so "
		"ends it. --guest, --exit and a place (a function, 0x…) are run to, with all CPUs: "
		"the last steps into the guest are single ones.\n\n"
		"It fails when --max steps or --timeout-ms were not enough, or a breakpoint "
		"stopped the machine before; the machine then is stopped where it was.",
	.example = "kvmdbg until --exit --cpu 1\nkvmdbg until --vector --max 5000\nkvmdbg until "
		   "'$x0 == 0'\nkvmdbg until kvm_vcpu_ioctl",
	.args = args,
	.flags = KD_COMMAND_NEEDS_STOP | KD_COMMAND_REPEATS | KD_COMMAND_WAITS,
	.run = run,
	.render = render,
};
