/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "command/address.h"
#include "command/kvm-common.h"

/* --- which one --- */

static gboolean
find_by_address (KdSession *session, const char *text, KdVcpu *ret_vcpu, GError **error)
{
	g_autoptr (GArray) vcpus = NULL;
	KdAddr addr;

	if (!kd_command_address (session, text, &addr, error))
		return FALSE;
	vcpus = kd_vcpus (session->kernel, NULL, error);
	if (!vcpus)
		return FALSE;
	for (guint i = 0; i < vcpus->len; i++) {
		if (g_array_index (vcpus, KdVcpu, i).kvm_vcpu != addr.value)
			continue;
		*ret_vcpu = g_array_index (vcpus, KdVcpu, i);
		return TRUE;
	}
	g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND,
		"no VM has a struct kvm_vcpu at 0x%" PRIx64, addr.value);
	return FALSE;
}

/* The one on the CPU that stopped, else the only one there is. */
static gboolean
find_default (KdSession *session, KdVcpu *ret_vcpu, GError **error)
{
	const KdStop *stop = kd_target_last_stop (session->target);
	g_autoptr (GArray) vcpus = kd_vcpus (session->kernel, NULL, error);

	if (!vcpus)
		return FALSE;
	for (guint i = 0; i < vcpus->len; i++) {
		const KdVcpu *vcpu = &g_array_index (vcpus, KdVcpu, i);

		if (vcpus->len > 1 && (!stop || stop->cpu < 0 || vcpu->cpu != stop->cpu))
			continue;
		*ret_vcpu = *vcpu;
		return TRUE;
	}
	if (vcpus->len == 0)
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND, "there is no vCPU");
	else
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"no vCPU is on the CPU that stopped: say which one, as VM:VCPU (there are "
			"%u)",
			vcpus->len);
	return FALSE;
}

static gboolean
find_vcpu (KdSession *session, const char *text, KdVcpu *ret_vcpu, GError **error)
{
	int vm, id;

	if (!text)
		return find_default (session, ret_vcpu, error);
	if (!kd_kvm_parse_vm (text, &vm, &id, NULL) || id < 0)
		return find_by_address (session, text, ret_vcpu, error);
	return kd_vcpu_by_id (session->kernel, vm, id, ret_vcpu, error);
}

/* A structure that no VM has (any more): what can be said of it is what memory holds. */
static gboolean
find_unlisted (KdSession *session, const char *text, KdVcpu *ret_vcpu, GError **error)
{
	KdAddr addr;

	if (!text) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"--as needs the address of a struct kvm_vcpu");
		return FALSE;
	}
	if (!kd_command_address (session, text, &addr, error))
		return FALSE;
	*ret_vcpu = (KdVcpu){.vm = -1, .id = -1, .pid = -1, .cpu = -1, .kvm_vcpu = addr.value};
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	g_autoptr (JsonObject) obj = json_object_new();
	g_autoptr (JsonObject) state = NULL;
	static const char *const parts[] = {"source", "groups", "lists", "notes"};
	KdVcpu vcpu;

	const char *as = kd_args_string (args, "as");

	if (as && strcmp (as, "svm") != 0 && strcmp (as, "vmx") != 0) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"vcpu: --as is svm or vmx, not “%s”", as);
		return NULL;
	}
	if (!(as ? find_unlisted : find_vcpu) (
		    session, kd_args_string (args, "vcpu"), &vcpu, error))
		return NULL;
	state = kd_vcpu_describe_as (session->kernel, &vcpu, as, error);
	if (!state) {
		g_prefix_error (error, "vCPU %d of VM %d: ", vcpu.id, vcpu.vm);
		return NULL;
	}
	kd_kvm_vcpu_json (obj, &vcpu);
	for (size_t i = 0; i < G_N_ELEMENTS (parts); i++)
		json_object_set_member (
			obj, parts[i], json_node_copy (json_object_get_member (state, parts[i])));
	return kd_json_object_node (g_steal_pointer (&obj));
}

/* --- text --- */

static void
render_head (JsonObject *obj, KdText *text)
{
	const char *address = "", *comm = "", *mode = "", *source = "";
	gint64 vm = 0, id = 0, pid = -1, cpu = -1;
	gboolean in_guest = FALSE;

	kd_json_get_int (obj, "vm", FALSE, &vm, NULL);
	kd_json_get_int (obj, "id", FALSE, &id, NULL);
	kd_json_get_int (obj, "pid", FALSE, &pid, NULL);
	kd_json_get_int (obj, "cpu", FALSE, &cpu, NULL);
	kd_json_get_bool (obj, "in_guest", FALSE, &in_guest, NULL);
	kd_json_get_string (obj, "kvm_vcpu", FALSE, &address, NULL);
	kd_json_get_string (obj, "comm", FALSE, &comm, NULL);
	kd_json_get_string (obj, "mode", FALSE, &mode, NULL);
	kd_json_get_string (obj, "source", FALSE, &source, NULL);
	kd_text_printf (text, KD_STYLE_HEADING, "vCPU %" PRId64 " of VM %" PRId64, id, vm);
	kd_text_printf (text, KD_STYLE_PLAIN, "  struct kvm_vcpu ");
	kd_text_add (text, KD_STYLE_ADDRESS, address);
	if (pid >= 0)
		kd_text_printf (text, KD_STYLE_PLAIN, "  PID %" PRId64 " %s", pid, comm);
	if (cpu < 0)
		kd_text_add (text, KD_STYLE_DIM, "  on no CPU");
	else
		kd_text_printf (text, in_guest ? KD_STYLE_GOOD : KD_STYLE_PLAIN,
			"  on CPU %" PRId64 "%s", cpu, in_guest ? ", in the guest" : "");
	kd_text_printf (text, KD_STYLE_PLAIN, "  %s; registers from %s\n", mode,
		strcmp (source, "cpu") == 0 ? "the CPU" : "memory");
}

static KdStyle
style_of (const char *state)
{
	if (g_strcmp0 (state, "live") == 0)
		return KD_STYLE_GOOD;
	return g_strcmp0 (state, "stale") == 0 ? KD_STYLE_WARN : KD_STYLE_DIM;
}

/* A row to come: equal ones that are told apart by a number alone become one. */
typedef struct {
	const char *first, *last; /* names; NULL: no row */
	const char *number, *state, *decoded;
} Row;

static void
render_row (Row *row, KdText *text)
{
	if (!row->first)
		return;
	if (row->last == row->first)
		kd_text_table_cell (text, KD_STYLE_SYMBOL, row->first);
	else
		kd_text_table_cellf (text, KD_STYLE_SYMBOL, "%s…%s", row->first, row->last);
	kd_text_table_cell (text, KD_STYLE_ADDRESS, row->number);
	kd_text_table_cell (text, style_of (row->state), row->state);
	kd_text_table_cell (text, KD_STYLE_PLAIN, row->decoded);
	kd_text_table_end_row (text);
	row->first = NULL;
}

static gboolean
differ_by_number (const char *a, const char *b)
{
	size_t stem = strcspn (a, "0123456789");

	return a[stem] && strncmp (a, b, stem) == 0 && g_ascii_isdigit (b[stem]) &&
	       strcmp (a + stem + strspn (a + stem, "0123456789"),
		       b + stem + strspn (b + stem, "0123456789")) == 0;
}

/* FALSE: left out, since all it has to say is 0. */
static gboolean
add_row (Row *row, const char *name, JsonObject *value, KdText *text)
{
	Row next = {name, name, "", "", NULL};
	guint64 bits = 0;

	kd_json_get_address (value, "value", FALSE, &bits, NULL);
	kd_json_get_string (value, "value", FALSE, &next.number, NULL);
	kd_json_get_string (value, "state", FALSE, &next.state, NULL);
	kd_json_get_string (value, "text", FALSE, &next.decoded, NULL);
	if (bits == 0 && (!next.decoded || !*next.decoded))
		return FALSE;
	if (row->first && differ_by_number (row->first, name) &&
		strcmp (row->number, next.number) == 0 && strcmp (row->state, next.state) == 0 &&
		g_strcmp0 (row->decoded, next.decoded) == 0) {
		row->last = name;
		return TRUE;
	}
	render_row (row, text);
	*row = next;
	return TRUE;
}

static void
render_group (const char *name, JsonObject *group, KdText *text)
{
	g_autoptr (GList) names = json_object_get_members (group);
	unsigned nr_zero = 0, nr = 0;
	Row row = {NULL};

	if (!names)
		return;
	kd_text_printf (text, KD_STYLE_HEADING, "\n%s\n", name);
	kd_text_table_begin (text, NULL);
	for (GList *at = names; at; at = at->next) {
		JsonObject *value = NULL;

		if (!kd_json_get_object (group, at->data, FALSE, &value, NULL) || !value)
			continue;
		nr++;
		if (!add_row (&row, at->data, value, text))
			nr_zero++;
	}
	render_row (&row, text);
	kd_text_table_end (text);
	if (nr_zero)
		kd_text_printf (text, KD_STYLE_DIM, "%s%u of %u are 0\n",
			nr_zero == nr ? "all " : "", nr_zero, nr);
}

/* A member of whatever kind, as one cell. */
static void
render_cell (JsonNode *node, KdText *text)
{
	GType type = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_value_type (node) : G_TYPE_NONE;

	if (type == G_TYPE_STRING)
		kd_text_table_cell (text, KD_STYLE_PLAIN, json_node_get_string (node));
	else if (type == G_TYPE_BOOLEAN)
		kd_text_table_cell (
			text, KD_STYLE_PLAIN, json_node_get_boolean (node) ? "yes" : "no");
	else if (type == G_TYPE_INT64)
		kd_text_table_cellf (text, KD_STYLE_PLAIN, "%" PRId64, json_node_get_int (node));
	else
		kd_text_table_cell (text, KD_STYLE_DIM, "-");
}

/* All elements of a list have the members of the first, or fewer. */
static void
render_list (const char *name, JsonArray *list, KdText *text)
{
	g_autoptr (GPtrArray) headings = g_ptr_array_new_with_free_func (g_free);
	g_autoptr (GList) members = NULL;
	g_autofree char *title = g_strdelimit (g_strdup (name), "_", ' ');
	JsonObject *first = NULL;

	if (!kd_json_array_object (list, 0, &first, NULL)) {
		kd_text_printf (text, KD_STYLE_HEADING, "\n%s", title);
		kd_text_add (text, KD_STYLE_DIM, "  none\n");
		return;
	}
	kd_text_printf (text, KD_STYLE_HEADING, "\n%s\n", title);
	members = json_object_get_members (first);
	for (GList *at = members; at; at = at->next)
		g_ptr_array_add (headings, g_strdelimit (g_ascii_strup (at->data, -1), "_", ' '));
	g_ptr_array_add (headings, NULL);
	kd_text_table_begin (text, (const char *const *)headings->pdata);
	for (guint i = 0; i < json_array_get_length (list); i++) {
		JsonObject *one = NULL;

		if (!kd_json_array_object (list, i, &one, NULL))
			continue;
		for (GList *at = members; at; at = at->next) {
			JsonNode *node = json_object_get_member (one, at->data);

			if (node)
				render_cell (node, text);
			else
				kd_text_table_cell (text, KD_STYLE_DIM, "-");
		}
		kd_text_table_end_row (text);
	}
	kd_text_table_end (text);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	JsonObject *groups = NULL, *lists = NULL;
	JsonArray *notes = NULL;
	g_autoptr (GList) group_names = NULL;
	g_autoptr (GList) list_names = NULL;

	render_head (obj, text);
	if (kd_json_get_array (obj, "notes", FALSE, &notes, NULL))
		for (guint i = 0; notes && i < json_array_get_length (notes); i++) {
			const char *note = "";

			if (kd_json_array_string (notes, i, &note, NULL))
				kd_text_printf (text, KD_STYLE_WARN, "%s\n", note);
		}
	if (kd_json_get_object (obj, "groups", FALSE, &groups, NULL) && groups)
		group_names = json_object_get_members (groups);
	for (GList *at = group_names; at; at = at->next) {
		JsonObject *group = NULL;

		if (kd_json_get_object (groups, at->data, FALSE, &group, NULL) && group)
			render_group (at->data, group, text);
	}
	if (kd_json_get_object (obj, "lists", FALSE, &lists, NULL) && lists)
		list_names = json_object_get_members (lists);
	for (GList *at = list_names; at; at = at->next) {
		JsonArray *list = NULL;

		if (kd_json_get_array (lists, at->data, FALSE, &list, NULL) && list)
			render_list (at->data, list, text);
	}
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	kd_kvm_complete_vcpu (session, word, ret_candidates);
}

static const KdArg vcpu_args[] = {
	{.name = "vcpu",
		.kind = KD_ARG_EXPR,
		.positional = TRUE,
		.meta = "VCPU",
		.help = "VM:ID as `vcpus` shows them, or the address of a struct kvm_vcpu; the one "
			"on the CPU that stopped without"},
	{.name = "as",
		.kind = KD_ARG_STRING,
		.meta = "svm|vmx",
		.help = "x86-64: VCPU is the address of one that no VM has, of this hardware"},
	{NULL},
};

const KdCommand kd_command_vcpu = {
	.name = "vcpu",
	.group = "KVM",
	.summary = "all of one vCPU: its registers, controls, last fault, interrupts, timers",
	.help = "Each value says what it is worth: \"live\" comes from the CPU that runs the vCPU, "
		"\"cached\" is KVM's copy and what the guest will go on with, \"stale\" is KVM's "
		"copy too, but the CPU has a newer value that its stub does not show. Values that "
		"are 0 are in the JSON only.\n\n"
		"JSON: what `vcpus` says, source (\"cpu\": the general registers are those of the "
		"CPU; \"memory\"), groups {GROUP: {NAME: {value, state, memory, text}}} where "
		"memory is KVM's copy of a live value, lists {LIST: […]}, notes [why something is "
		"missing].",
	.example = "vcpu 0:1\nvcpu 0xffff000003234ba0",
	.args = vcpu_args,
	.flags = KD_COMMAND_NEEDS_KERNEL | KD_COMMAND_NEEDS_STOP,
	.run = run,
	.render = render,
	.complete = complete,
};
