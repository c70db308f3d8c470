/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/explain.h"

#include <string.h>

typedef struct {
	gboolean known, ok;
	KdBacktrace trace;
} Trace;

struct KdExplain {
	KdKernel *kernel;
	GArray *findings;
	GArray *traces; /* of Trace, by CPU */
	KdLockFlows *flows;
};

/* To add one: its function, declared in explain.h, and a row here. */
static const struct {
	const char *id;
	void (*look) (KdExplain *explain, unsigned cpu);
} checks[] = {
	{"host-current", kd_explain_host_current},
	{"vector-loop", kd_explain_vector_loop},
	{"hyp-panic", kd_explain_hyp_panic},
	{"off-stack", kd_explain_off_stack},
	{"csd-wait", kd_explain_csd},
	{"spinlock", kd_explain_spinlock},
	{"panic", kd_explain_panic},
};

const char *
kd_severity_name (KdSeverity severity)
{
	static const char *const names[] = {"fatal", "error", "warning"};

	return names[severity];
}

static void
finding_clear (void *data)
{
	KdFinding *finding = data;

	g_free (finding->title);
	g_array_unref (finding->evidence);
	kd_lock_holder_clear (&finding->holder);
}

static void
evidence_clear (void *data)
{
	KdEvidence *evidence = data;

	g_free (evidence->text);
	g_free (evidence->command);
}

static void
trace_clear (void *data)
{
	Trace *trace = data;

	if (trace->ok)
		kd_backtrace_clear (&trace->trace);
}

KdKernel *
kd_explain_kernel (const KdExplain *explain)
{
	return explain->kernel;
}

const KdBacktrace *
kd_explain_backtrace (KdExplain *explain, unsigned cpu)
{
	Trace *trace = &g_array_index (explain->traces, Trace, cpu);

	if (!trace->known) {
		trace->known = TRUE;
		trace->ok = kd_backtrace_cpu (explain->kernel, cpu, &trace->trace, NULL);
	}
	return trace->ok ? &trace->trace : NULL;
}

KdLockFlows *
kd_explain_lock_flows (KdExplain *explain)
{
	return explain->flows;
}

gboolean
kd_explain_in (const KdBacktrace *trace, const char *function, guint *ret_index)
{
	for (guint i = 0; trace && i < trace->frames->len; i++) {
		if (g_strcmp0 (g_array_index (trace->frames, KdFrame, i).symbol, function) != 0)
			continue;
		if (ret_index)
			*ret_index = i;
		return TRUE;
	}
	return FALSE;
}

KdFinding *
kd_explain_add (
	KdExplain *explain, const char *id, KdSeverity severity, int cpu, const char *format, ...)
{
	KdFinding finding = {.id = id, .severity = severity, .cpu = cpu};
	va_list args;

	va_start (args, format);
	finding.title = g_strdup_vprintf (format, args);
	va_end (args);
	finding.evidence = g_array_new (FALSE, FALSE, sizeof (KdEvidence));
	g_array_set_clear_func (finding.evidence, evidence_clear);
	g_array_append_val (explain->findings, finding);
	return &g_array_index (explain->findings, KdFinding, explain->findings->len - 1);
}

void
kd_finding_add (KdFinding *finding, char *command, const char *format, ...)
{
	KdEvidence evidence = {.command = command};
	va_list args;

	va_start (args, format);
	evidence.text = g_strdup_vprintf (format, args);
	va_end (args);
	g_array_append_val (finding->evidence, evidence);
}

/* The table's order is what stays between equals. */
static int
compare_severity (const void *a, const void *b)
{
	const KdFinding *x = a, *y = b;

	return (int)x->severity - (int)y->severity;
}

GArray *
kd_explain (KdKernel *kernel, const char *const **ret_ids)
{
	static const char *ids[G_N_ELEMENTS (checks) + 1];
	unsigned nr_cpus = kd_target_nr_cpus (kd_kernel_target (kernel));
	KdExplain explain = {.kernel = kernel,
		.findings = g_array_new (FALSE, FALSE, sizeof (KdFinding)),
		.traces = g_array_new (FALSE, TRUE, sizeof (Trace)),
		.flows = kd_lock_flows_new()};

	g_array_set_clear_func (explain.findings, finding_clear);
	g_array_set_clear_func (explain.traces, trace_clear);
	g_array_set_size (explain.traces, nr_cpus);
	for (size_t i = 0; i < G_N_ELEMENTS (checks); i++) {
		ids[i] = checks[i].id;
		for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
			checks[i].look (&explain, cpu);
	}
	g_array_sort (explain.findings, compare_severity);
	g_array_unref (explain.traces);
	kd_lock_flows_free (explain.flows);
	if (ret_ids)
		*ret_ids = ids;
	return explain.findings;
}
