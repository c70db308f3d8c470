/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "base/json.h"
#include "command/kvm-common.h"

/* --- counters --- */

static gboolean
add_stat (const KdStat *stat, void *data)
{
	JsonObject *obj = data, *group = NULL;

	if (!stat->is_histogram) {
		if (kd_json_get_object (obj, "counters", FALSE, &group, NULL) && group)
			kd_json_set_uint (group, stat->name, stat->values[0]);
		return TRUE;
	}
	if (kd_json_get_object (obj, "histograms", FALSE, &group, NULL) && group) {
		JsonArray *array = kd_json_add_array (group, stat->name);

		for (unsigned i = 0; i < stat->nr_values; i++)
			json_array_add_int_element (
				array, (gint64)MIN (stat->values[i], (uint64_t)G_MAXINT64));
	}
	return TRUE;
}

static JsonObject *
add_owner (JsonArray *array, int vm, int id, uint64_t address)
{
	JsonObject *obj = kd_json_array_add_object (array);

	kd_json_set_int (obj, "vm", vm);
	if (id >= 0)
		kd_json_set_int (obj, "id", id);
	else
		json_object_set_null_member (obj, "id");
	kd_json_set_hex (obj, id >= 0 ? "kvm_vcpu" : "kvm", address);
	kd_json_add_object (obj, "counters");
	kd_json_add_object (obj, "histograms");
	return obj;
}

/* Of one VM and its vCPUs, or of vCPU `id` alone; what is damaged is left out and told. */
static gboolean
add_vm (JsonArray *array, KdSession *session, const KdVm *vm, int id, GError **ret_partial,
	GError **error)
{
	/* Without its vCPUs a VM still has counters of its own. */
	g_autoptr (GArray) vcpus = kd_vm_vcpus (session->kernel, vm, ret_partial, ret_partial);

	if (id < 0 && !kd_vm_stats_foreach (session->kernel, vm, add_stat,
			      add_owner (array, vm->id, -1, vm->kvm), error))
		return FALSE;
	for (guint i = 0; vcpus && i < vcpus->len; i++) {
		const KdVcpu *vcpu = &g_array_index (vcpus, KdVcpu, i);

		if ((id < 0 || vcpu->id == id) &&
			!kd_vcpu_stats_foreach (session->kernel, vcpu, add_stat,
				add_owner (array, vm->id, vcpu->id, vcpu->kvm_vcpu), error))
			return FALSE;
	}
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	const char *text = kd_args_string (args, "vm");
	g_autoptr (JsonArray) array = json_array_new();
	g_autoptr (GError) partial = NULL;
	g_autoptr (GArray) vms = NULL;
	int vm_id = -1, id = -1;
	KdVcpu vcpu;
	KdVm vm;

	if (text && (!kd_kvm_parse_vm (text, &vm_id, &id, error) ||
			    !kd_vm_by_id (session->kernel, vm_id, &vm, error) ||
			    (id >= 0 && !kd_vcpu_by_id (session->kernel, vm_id, id, &vcpu, error))))
		return NULL;
	vms = kd_vms (session->kernel, text ? NULL : &partial, error);
	if (!vms)
		return NULL;
	for (guint i = 0; i < vms->len; i++) {
		const KdVm *one = &g_array_index (vms, KdVm, i);
		GError *why = NULL;

		if (text && one->id != vm_id)
			continue;
		if (!add_vm (array, session, one, id, &why, error)) {
			g_prefix_error (error, "VM %d: ", one->id);
			return NULL;
		}
		if (why && !partial)
			partial = why;
		else
			g_clear_error (&why);
	}
	return kd_kvm_list_node (g_steal_pointer (&array), partial, error);
}

/* --- text --- */

/* All names of a group, in the order in which they first are seen. New. */
static GPtrArray *
names_of (JsonArray *array, const char *group_name)
{
	GPtrArray *names = g_ptr_array_new();

	for (guint i = 0; i < json_array_get_length (array); i++) {
		JsonObject *obj = NULL, *group = NULL;
		g_autoptr (GList) members = NULL;

		if (!kd_json_array_object (array, i, &obj, NULL) ||
			!kd_json_get_object (obj, group_name, FALSE, &group, NULL) || !group)
			continue;
		members = json_object_get_members (group);
		for (GList *at = members; at; at = at->next)
			if (!g_ptr_array_find_with_equal_func (names, at->data, g_str_equal, NULL))
				g_ptr_array_add (names, at->data);
	}
	return names;
}

/* FALSE: this one has no such counter. */
static gboolean
counter_of (JsonArray *array, guint i, const char *name, guint64 *ret)
{
	JsonObject *obj = NULL, *group = NULL;

	if (!kd_json_array_object (array, i, &obj, NULL) ||
		!kd_json_get_object (obj, "counters", FALSE, &group, NULL) || !group ||
		!json_object_has_member (group, name))
		return FALSE;
	*ret = 0;
	return kd_json_get_address (group, name, FALSE, ret, NULL);
}

static char *
title_of (JsonArray *array, guint i)
{
	gint64 vm = 0, id = -1;
	JsonObject *obj = NULL;

	if (kd_json_array_object (array, i, &obj, NULL)) {
		kd_json_get_int (obj, "vm", FALSE, &vm, NULL);
		kd_json_get_int (obj, "id", FALSE, &id, NULL);
	}
	return id < 0 ? g_strdup_printf ("VM %" PRId64, vm)
		      : g_strdup_printf ("%" PRId64 ":%" PRId64, vm, id);
}

static void
render_counters (JsonArray *array, KdText *text)
{
	g_autoptr (GPtrArray) names = names_of (array, "counters");
	g_autoptr (GPtrArray) headings = g_ptr_array_new_with_free_func (g_free);
	unsigned nr_zero = 0;

	g_ptr_array_add (headings, g_strdup ("COUNTER"));
	for (guint i = 0; i < json_array_get_length (array); i++)
		g_ptr_array_add (headings, title_of (array, i));
	g_ptr_array_add (headings, NULL);
	kd_text_table_begin (text, (const char *const *)headings->pdata);
	for (guint n = 0; n < names->len; n++) {
		const char *name = names->pdata[n];
		gboolean any = FALSE;
		guint64 value;

		for (guint i = 0; i < json_array_get_length (array); i++)
			any = any || (counter_of (array, i, name, &value) && value != 0);
		if (!any) {
			nr_zero++;
			continue;
		}
		kd_text_table_cell (text, KD_STYLE_SYMBOL, name);
		for (guint i = 0; i < json_array_get_length (array); i++)
			if (counter_of (array, i, name, &value))
				kd_text_table_cellf (
					text, KD_STYLE_NUMBER, "%" PRIu64, (uint64_t)value);
			else
				kd_text_table_cell (text, KD_STYLE_NUMBER, "-");
		kd_text_table_end_row (text);
	}
	kd_text_table_end (text);
	if (nr_zero)
		kd_text_printf (
			text, KD_STYLE_DIM, "%u of %u are 0 everywhere\n", nr_zero, names->len);
}

/* "17: 12  18: 4": which have something in them. New string; "" none. */
static char *
buckets_of (JsonArray *values)
{
	GString *line = g_string_new (NULL);

	for (guint i = 0; i < json_array_get_length (values); i++) {
		gint64 value = 0;

		if (kd_json_array_int (values, i, &value, NULL) && value != 0)
			g_string_append_printf (
				line, "%s%u: %" PRId64, line->len ? "  " : "", i, value);
	}
	return g_string_free (line, FALSE);
}

static void
render_histograms (JsonArray *array, KdText *text)
{
	static const char *const headings[] = {"HISTOGRAM", "OF", "BUCKET: COUNT", NULL};
	gboolean begun = FALSE;

	for (guint i = 0; i < json_array_get_length (array); i++) {
		JsonObject *obj = NULL, *group = NULL;
		g_autofree char *title = title_of (array, i);
		g_autoptr (GList) members = NULL;

		if (!kd_json_array_object (array, i, &obj, NULL) ||
			!kd_json_get_object (obj, "histograms", FALSE, &group, NULL) || !group)
			continue;
		members = json_object_get_members (group);
		for (GList *at = members; at; at = at->next) {
			g_autofree char *line = NULL;
			JsonArray *values = NULL;

			if (!kd_json_get_array (group, at->data, FALSE, &values, NULL) || !values)
				continue;
			line = buckets_of (values);
			if (!*line)
				continue;
			if (!begun)
				kd_text_table_begin (text, headings);
			begun = TRUE;
			kd_text_table_cell (text, KD_STYLE_SYMBOL, at->data);
			kd_text_table_cell (text, KD_STYLE_PLAIN, title);
			kd_text_table_cell (text, KD_STYLE_PLAIN, line);
			kd_text_table_end_row (text);
		}
	}
	if (begun)
		kd_text_table_end (text);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonArray *array = kd_json_node_array (result, NULL);
	const char *partial = NULL;
	JsonObject *last = NULL;
	guint nr = array ? json_array_get_length (array) : 0;

	if (nr == 0) {
		kd_text_add (text, KD_STYLE_DIM, "no VMs\n");
		return;
	}
	render_counters (array, text);
	render_histograms (array, text);
	if (kd_json_array_object (array, nr - 1, &last, NULL) &&
		kd_json_get_string (last, "partial", FALSE, &partial, NULL) && partial)
		kd_text_printf (text, KD_STYLE_WARN, "not all: %s\n", partial);
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	kd_kvm_complete_vm (session, word, ret_candidates);
	kd_kvm_complete_vcpu (session, word, ret_candidates);
}

static const KdArg exits_args[] = {
	{"vm", 0, KD_ARG_STRING, 0, TRUE, "VM", "VM or VM:VCPU by number; all without"},
	{NULL},
};

const KdCommand kd_command_exits = {
	.name = "exits",
	.group = "KVM",
	.summary = "KVM's own counters: exits and what for, halts, faults",
	.help = "The members of kvm.stat and kvm_vcpu.stat by their names, as "
		"/sys/kernel/debug/kvm "
		"has them too. Of the halt histograms bucket N counts times of 2^(N-1) up to 2^N "
		"nanoseconds. Counters that are 0 everywhere are in the JSON only.\n\n"
		"JSON: [{vm, id (null: the VM itself), kvm or kvm_vcpu, counters {NAME: N}, "
		"histograms {NAME: [N, …]}}].",
	.example = "exits 0\nexits 0:1",
	.args = exits_args,
	.flags = KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
	.complete = complete,
};
