/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/session.h"

#include "base/json.h"
#include "command/break-rules.h"

KdSession *
kd_session_new (const char *name)
{
	KdSession *session = g_new0 (KdSession, 1);

	session->name = g_strdup (name);
	return session;
}

void
kd_session_free (KdSession *session)
{
	if (!session)
		return;
	g_clear_pointer (&session->kernel, kd_kernel_free);
	g_clear_pointer (&session->target, kd_target_free);
	g_clear_error (&session->kernel_error);
	g_clear_object (&session->cancellable);
	g_free (session->name);
	g_strfreev (session->gdb);
	g_free (session->notice);
	kd_break_rules_free (session->break_rules);
	g_free (session);
}

const char *
kd_session_state_name (const KdSession *session)
{
	if (!session->target)
		return "none";
	switch (kd_target_state (session->target)) {
	case KD_TARGET_RUNNING:
		return "running";
	case KD_TARGET_STOPPED:
		return "stopped";
	case KD_TARGET_DUMP:
		return "dump";
	case KD_TARGET_LOST:
		return "lost";
	}
	return "none";
}

static const char *
reason_name (KdStopReason reason)
{
	switch (reason) {
	case KD_STOP_ATTACH:
		return "attach";
	case KD_STOP_REQUEST:
		return "request";
	case KD_STOP_BREAKPOINT:
		return "breakpoint";
	case KD_STOP_WATCHPOINT:
		return "watchpoint";
	case KD_STOP_STEP:
		return "step";
	case KD_STOP_SIGNAL:
		return "signal";
	case KD_STOP_PAUSED:
		return "paused";
	}
	return "unknown";
}

/* Where the CPU stopped: told when the registers say so, silent when they do not. */
static void
add_pc (const KdSession *session, int cpu, JsonObject *obj)
{
	const KdArch *arch = kd_target_arch (session->target);
	uint64_t pc;

	if (cpu < 0 || !arch ||
		!kd_target_reg_get (session->target, (unsigned)cpu, arch->pc, &pc, NULL))
		return;
	kd_json_set_hex (obj, "pc", pc);
	if (session->kernel) {
		g_autofree char *symbol = kd_kernel_symbolize (session->kernel, pc);

		kd_json_set_string (obj, "symbol", symbol);
	}
}

unsigned
kd_session_stopped_cpu (const KdSession *session)
{
	const KdStop *stop = session->target ? kd_target_last_stop (session->target) : NULL;

	return stop && stop->cpu >= 0 ? (unsigned)stop->cpu : 0;
}

JsonObject *
kd_session_stop_json (const KdSession *session)
{
	const KdStop *stop = session->target ? kd_target_last_stop (session->target) : NULL;
	JsonObject *obj;

	if (!stop)
		return NULL;
	obj = json_object_new();
	kd_json_set_string (obj, "reason", reason_name (stop->reason));
	kd_json_set_int (obj, "cpu", stop->cpu);
	if (stop->reason == KD_STOP_SIGNAL)
		kd_json_set_int (obj, "signal", stop->signal);
	if (stop->breakpoint > 0)
		kd_json_set_int (obj, "breakpoint", stop->breakpoint);
	if (stop->reason == KD_STOP_WATCHPOINT)
		kd_json_set_hex (obj, "address", stop->watch_addr.value);
	if (kd_target_state (session->target) == KD_TARGET_STOPPED)
		add_pc (session, stop->cpu, obj);
	return obj;
}

char *
kd_session_stop_text (JsonObject *stop)
{
	g_autoptr (GString) out = g_string_new (NULL);
	const char *reason = "unknown", *pc = NULL, *symbol = NULL, *address = NULL;
	gint64 cpu = -1, number = 0, signal = 0;

	kd_json_get_string (stop, "reason", FALSE, &reason, NULL);
	kd_json_get_string (stop, "pc", FALSE, &pc, NULL);
	kd_json_get_string (stop, "symbol", FALSE, &symbol, NULL);
	kd_json_get_string (stop, "address", FALSE, &address, NULL);
	kd_json_get_int (stop, "cpu", FALSE, &cpu, NULL);
	kd_json_get_int (stop, "breakpoint", FALSE, &number, NULL);
	kd_json_get_int (stop, "signal", FALSE, &signal, NULL);
	g_string_append (out, reason);
	if (number)
		g_string_append_printf (out, " %" G_GINT64_FORMAT, number);
	if (signal)
		g_string_append_printf (out, " %" G_GINT64_FORMAT, signal);
	if (address)
		g_string_append_printf (out, " of %s", address);
	if (cpu >= 0)
		g_string_append_printf (out, " on CPU %" G_GINT64_FORMAT, cpu);
	if (pc)
		g_string_append_printf (out, " at %s", pc);
	if (symbol && g_strcmp0 (symbol, pc) != 0)
		g_string_append_printf (out, " %s", symbol);
	return g_string_free (g_steal_pointer (&out), FALSE);
}
