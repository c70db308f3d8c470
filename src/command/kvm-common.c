/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/kvm-common.h"

#include <inttypes.h>

#include "base/json.h"
#include "kvm/kvm.h"

JsonNode *
kd_kvm_list_node (JsonArray *array, const GError *partial)
{
	guint nr = json_array_get_length (array);
	JsonObject *last = NULL;

	if (partial && nr > 0 && kd_json_array_object (array, nr - 1, &last, NULL))
		kd_json_set_string (last, "partial", partial->message);
	return kd_json_array_node (array);
}

gboolean
kd_kvm_list_begin (JsonArray *array, const char *const *headings, const char *none, KdText *text)
{
	if (!array || json_array_get_length (array) == 0) {
		kd_text_printf (text, KD_STYLE_DIM, "%s\n", none);
		return FALSE;
	}
	kd_text_table_begin (text, headings);
	return TRUE;
}

void
kd_kvm_list_end (JsonArray *array, KdText *text)
{
	guint nr = json_array_get_length (array);
	const char *partial = NULL;
	JsonObject *last = NULL;

	kd_text_table_end (text);
	if (nr > 0 && kd_json_array_object (array, nr - 1, &last, NULL) &&
		kd_json_get_string (last, "partial", FALSE, &partial, NULL) && partial)
		kd_text_printf (text, KD_STYLE_WARN, "not all: %s\n", partial);
}

void
kd_kvm_cell_int (KdText *text, JsonObject *obj, const char *name)
{
	gint64 value = 0;

	kd_json_get_int (obj, name, FALSE, &value, NULL);
	kd_text_table_cellf (text, KD_STYLE_NUMBER, "%" PRId64, value);
}

void
kd_kvm_cell_string (KdText *text, KdStyle style, JsonObject *obj, const char *name)
{
	const char *value = NULL;

	kd_json_get_string (obj, name, FALSE, &value, NULL);
	kd_text_table_cell (text, style, value);
}

void
kd_kvm_complete_vm (KdSession *session, const char *word, GPtrArray *ret_candidates)
{
	g_autoptr (GArray) vms = session->kernel ? kd_vms (session->kernel, NULL, NULL) : NULL;

	for (guint i = 0; vms && i < vms->len; i++) {
		g_autofree char *id = g_strdup_printf ("%u", i);

		if (g_str_has_prefix (id, word))
			g_ptr_array_add (ret_candidates, g_steal_pointer (&id));
	}
}

gboolean
kd_kvm_arg_vm (const KdArgs *args, gboolean *ret_given, int *ret_vm, GError **error)
{
	uint64_t vm;

	*ret_given = kd_args_uint (args, "vm", &vm);
	if (!*ret_given)
		return TRUE;
	if (vm > G_MAXINT32) {
		g_set_error (error, KD_KVM_ERROR, KD_KVM_ERROR_NOT_FOUND, "no VM %" PRIu64, vm);
		return FALSE;
	}
	*ret_vm = (int)vm;
	return TRUE;
}
