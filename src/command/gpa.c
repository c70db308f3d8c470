/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "base/json.h"
#include "command/address.h"
#include "command/kvm-common.h"
#include "command/walk.h"

/* What KVM itself goes by: the slot, and what the process has mapped there. */
static gboolean
add_slot (JsonObject *obj, KdSession *session, const KdVm *vm, uint64_t gpa, const KdWalk *walk,
	GError **error)
{
	KdWalk user_walk;
	KdRegime regime;
	gboolean found;
	KdMemslot slot;
	uint64_t hva;

	if (!kd_vm_slot_at (session->kernel, vm, gpa, &found, &slot, error))
		return FALSE;
	if (!found) {
		json_object_set_null_member (obj, "memslot");
		return TRUE;
	}
	hva = slot.hva + (gpa - slot.gpa);
	kd_kvm_slot_json (kd_json_add_object (obj, "memslot"), &slot);
	kd_json_set_int (obj, "pid", vm->pid);
	kd_json_set_hex (obj, "hva", hva);
	json_object_set_null_member (obj, "hva_pa");
	json_object_set_null_member (obj, "same");
	if (vm->pid < 0 ||
		!kd_kernel_walk (session->kernel, (KdAddr){{KD_SPACE_USER, vm->pid}, hva},
			&user_walk, &regime, NULL) ||
		user_walk.status != KD_WALK_MAPPED)
		return TRUE;
	kd_json_set_hex (obj, "hva_pa", user_walk.pa);
	if (walk->status == KD_WALK_MAPPED)
		kd_json_set_bool (obj, "same", user_walk.pa == walk->pa);
	return TRUE;
}

static gboolean
get_address (KdSession *session, const KdArgs *args, int vm, uint64_t *ret_gpa, GError **error)
{
	const char *text = kd_args_string (args, "address");
	KdAddr addr;

	if (!kd_command_address (session, text, &addr, error))
		return FALSE;
	/* A plain number is the kernel's. */
	if (addr.space.kind != KD_SPACE_KERNEL &&
		(addr.space.kind != KD_SPACE_VM || addr.space.id != vm)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"not a guest-physical address of VM %d: \"%s\"", vm, text);
		return FALSE;
	}
	*ret_gpa = addr.value;
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *args, GError **error)
{
	g_autoptr (JsonObject) obj = json_object_new();
	g_autofree char *entry = NULL;
	KdVcpu vcpu = {0};
	KdRegime regime;
	int vm_id, id;
	uint64_t gpa;
	KdWalk walk;
	KdVm vm;

	if (!kd_kvm_parse_vm (kd_args_string (args, "vm"), &vm_id, &id, error) ||
		!get_address (session, args, vm_id, &gpa, error) ||
		!kd_vm_by_id (session->kernel, vm_id, &vm, error) ||
		(id >= 0 && !kd_vcpu_by_id (session->kernel, vm_id, id, &vcpu, error)))
		return NULL;
	if (!kd_vm_walk (session->kernel, &vm, vcpu.kvm_vcpu, gpa, &walk, &regime, error)) {
		g_prefix_error (error, "VM %d: ", vm_id);
		return NULL;
	}
	kd_json_set_int (obj, "vm", vm_id);
	if (id >= 0)
		kd_json_set_int (obj, "id", id);
	else
		json_object_set_null_member (obj, "id");
	kd_json_set_hex (obj, "gpa", gpa);
	kd_json_set_int (obj, "gpa_bits", regime.va_bits);
	kd_json_set_int (obj, "granule", INT64_C (1) << regime.page_shift);
	kd_command_walk_json (obj, kd_target_arch (session->target), &regime, &walk);
	entry = kd_vm_walk_words (session->kernel, &vm, &walk);
	kd_json_set_string (obj, "entry", entry);
	if (!add_slot (obj, session, &vm, gpa, &walk, error))
		return NULL;
	return kd_json_object_node (g_steal_pointer (&obj));
}

static void
render_slot (JsonObject *obj, KdText *text)
{
	const char *hva = "", *hva_pa = NULL, *flags = "";
	JsonObject *slot = NULL;
	gint64 id = 0, pid = -1;
	gboolean same = TRUE;

	if (!kd_json_get_object (obj, "memslot", FALSE, &slot, NULL) || !slot) {
		kd_text_add (text, KD_STYLE_DIM, "no memory slot: an access goes to a device\n");
		return;
	}
	kd_json_get_int (slot, "id", FALSE, &id, NULL);
	kd_json_get_string (slot, "flag_names", FALSE, &flags, NULL);
	kd_json_get_int (obj, "pid", FALSE, &pid, NULL);
	kd_json_get_string (obj, "hva", FALSE, &hva, NULL);
	kd_json_get_string (obj, "hva_pa", FALSE, &hva_pa, NULL);
	kd_json_get_bool (obj, "same", FALSE, &same, NULL);
	kd_text_printf (text, KD_STYLE_PLAIN, "slot %" PRId64 "%s%s: user:%" PRId64 ":", id,
		*flags ? " " : "", flags, pid);
	kd_text_add (text, KD_STYLE_ADDRESS, hva);
	if (!hva_pa) {
		kd_text_add (text, KD_STYLE_DIM, " not mapped in the process\n");
		return;
	}
	kd_text_add (text, KD_STYLE_PLAIN, " → phys:");
	kd_text_add (text, KD_STYLE_ADDRESS, hva_pa);
	kd_text_add (text, same ? KD_STYLE_PLAIN : KD_STYLE_WARN,
		same ? "\n" : ", which is another page than the guest has\n");
}

static void
render (JsonNode *result, KdText *text)
{
	JsonObject *obj = kd_json_node_object (result, NULL);
	const char *gpa = "", *entry = NULL;
	gint64 vm = 0;

	kd_json_get_string (obj, "gpa", FALSE, &gpa, NULL);
	kd_json_get_string (obj, "entry", FALSE, &entry, NULL);
	kd_json_get_int (obj, "vm", FALSE, &vm, NULL);
	kd_command_walk_render_levels (obj, text);
	kd_text_printf (text, KD_STYLE_PLAIN, "vm:%" PRId64 ":", vm);
	kd_text_add (text, KD_STYLE_ADDRESS, gpa);
	kd_command_walk_render_end (obj, text);
	if (entry)
		kd_text_printf (text, KD_STYLE_PLAIN, "KVM's entry: %s\n", entry);
	render_slot (obj, text);
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	if (g_strcmp0 (arg_name, "vm") == 0)
		kd_kvm_complete_vm (session, word, ret_candidates);
}

static const KdArg gpa_args[] = {
	{"vm", 0, KD_ARG_STRING, KD_ARG_REQUIRED, TRUE, "VM",
		"VM or VM:VCPU by number; a vCPU may have tables of its own under nested KVM"},
	{"address", 0, KD_ARG_EXPR, KD_ARG_REQUIRED, TRUE, "ADDR", "guest-physical address"},
	{NULL},
};

const KdCommand kd_command_gpa = {
	.name = "gpa",
	.group = "KVM",
	.summary =
		"a guest-physical address through the tables the CPU uses for it, level by level",
	.help = "Shows what stage 2 maps there now, which is only what the guest has touched, and "
		"beside it where KVM's memory slots have the address: in which slot, at which "
		"address of the VM's process, and what that process has mapped there.\n\n"
		"JSON: vm, id, gpa, gpa_bits, granule, root, levels, status, pa, map_size, attrs "
		"as "
		"`translate`; entry (what KVM means by the last one, if it maps nothing and KVM "
		"marked it, or null); memslot (as `memslots`, or null), pid, hva, hva_pa, same "
		"(both ways "
		"lead to one page).",
	.example = "gpa 0 0x40000000\ngpa 0:1 0x40021000",
	.args = gpa_args,
	.flags = KD_COMMAND_NEEDS_KERNEL,
	.run = run,
	.render = render,
	.complete = complete,
};
