/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "arch/x86-64.h"
#include "base/json.h"
#include "kvm/vcpu-x86.h"

/*
 * What KVM keeps of a vCPU under VMX. The VMCS itself is the CPU's: its fields are read with VMREAD
 * only, and what lies in its page is in a format of the CPU's own. Under nested KVM that format is
 * the other hypervisor's struct vmcs12.
 */
/* VMCS12_REVISION, arch/x86/kvm/vmx/vmcs12.h: a macro, so in no type information. */
#define VMCS12_REVISION 0x11e57ed0u

static char *
intr_words (uint64_t value)
{
	static const char *const types[] = {"INTR", NULL, "NMI", "exception", "software interrupt",
		"privileged exception", "software exception", "other"};
	unsigned vector = value & 255, type = value >> 8 & 7;
	const char *name = type == 3 || type == 6 ? kd_x86_64_exception_name (vector) : NULL;

	if (!(value >> 31 & 1))
		return g_strdup ("none");
	return g_strdup_printf ("%s %s%u%s", types[type] ? types[type] : "type ?",
		name ? name : "vector ", vector, value >> 11 & 1 ? ", with error code" : "");
}

static const KdX86Field vmx_rows[] = {
	{"exit_reason.full", kd_vmx_exit_to_string, NULL, NULL, FALSE},
	{"exit_reason", kd_vmx_exit_to_string, NULL, NULL, FALSE},
	{"idt_vectoring_info", intr_words, NULL, NULL, FALSE},
	{"exit_intr_info", intr_words, NULL, NULL, FALSE},
	{"rflags", NULL, "RFLAGS", "eflags", FALSE},
	{NULL},
};

static const KdX86Field vmcs12_rows[] = {
	{"vm_exit_reason", kd_vmx_exit_to_string, NULL, NULL, FALSE},
	{"idt_vectoring_info_field", intr_words, NULL, NULL, FALSE},
	{"vm_exit_intr_info", intr_words, NULL, NULL, FALSE},
	{"vm_entry_intr_info_field", intr_words, NULL, NULL, FALSE},
	{"guest_cr0", NULL, "CR0", NULL, FALSE},
	{"host_cr0", NULL, "CR0", NULL, FALSE},
	{"guest_cr4", NULL, "CR4", NULL, FALSE},
	{"host_cr4", NULL, "CR4", NULL, FALSE},
	{"guest_rflags", NULL, "RFLAGS", NULL, FALSE},
	{"guest_ia32_efer", NULL, "EFER", NULL, FALSE},
	{"host_ia32_efer", NULL, "EFER", NULL, FALSE},
	{NULL},
};

static gboolean
get_value (JsonObject *group, const char *name, uint64_t *ret_value)
{
	JsonObject *obj = NULL;

	return kd_json_get_object (group, name, FALSE, &obj, NULL) && obj &&
	       kd_json_get_address (obj, "value", FALSE, ret_value, NULL);
}

/* An exit qualification can only be told with the reason beside it. */
static void
add_qualification (JsonObject *group, const char *reason_name, const char *name)
{
	uint64_t reason, qualification;
	g_autofree char *text = NULL;

	if (!get_value (group, reason_name, &reason) || !get_value (group, name, &qualification))
		return;
	text = kd_vmx_qualification_to_string (reason, qualification);
	if (text)
		kd_json_set_string (json_object_get_object_member (group, name), "text", text);
}

static void
add_vmcs12 (const KdX86Vcpu *vcpu, const KdObject *vmcs12, const char *name, KdVcpuMark mark)
{
	JsonObject *group = kd_vcpu_state_group (vcpu->state, name);
	g_autoptr (GList) names = NULL;

	kd_x86_vcpu_add_struct (vcpu, group, vmcs12, vmcs12_rows, NULL, FALSE);
	add_qualification (group, "vm_exit_reason", "exit_qualification");
	if (mark == KD_VCPU_CACHED)
		return;
	names = json_object_get_members (group);
	for (GList *l = names; l; l = l->next)
		kd_json_set_string (json_object_get_object_member (group, l->data), "state",
			kd_vcpu_mark_name (mark));
}

/* --- the VMCS a CPU works with --- */

/* The page of a VMCS, where it is of a format that can be read. */
static void
add_vmcs_page (const KdX86Vcpu *vcpu, const KdObject *loaded, const char *name)
{
	g_autofree char *group = g_strconcat (name, " page", NULL);
	uint64_t addr, revision;
	KdObject pointer, vmcs12;

	if (!kd_object_has_member (loaded, "vmcs") ||
		!kd_object_member (loaded, "vmcs", &pointer, NULL) ||
		!kd_object_u64 (&pointer, &addr, NULL) || addr == 0)
		return;
	if (!kd_object_at_named (vcpu->kernel, "struct vmcs12", addr, &vmcs12, NULL) ||
		!kd_object_member_u64 (&vmcs12,
			kd_object_has_member (&vmcs12, "hdr.revision_id") ? "hdr.revision_id"
									  : "revision_id",
			&revision, NULL)) {
		kd_vcpu_state_notef (vcpu->state, "%s: its page cannot be read", name);
		return;
	}
	if (revision != VMCS12_REVISION) {
		kd_vcpu_state_notef (vcpu->state,
			"%s: its page is in a format of the CPU's own (revision 0x%x)", name,
			(unsigned)revision);
		return;
	}
	/* While it is current, the hypervisor below keeps newer values. */
	add_vmcs12 (vcpu, &vmcs12, group, vcpu->loaded ? KD_VCPU_STALE : KD_VCPU_CACHED);
}

static void
add_loaded_vmcs (const KdX86Vcpu *vcpu, const KdObject *vmx, const char *path, const char *name)
{
	static const char *const skip[] = {"loaded_vmcss_on_cpu_link", NULL};
	GError *error = NULL;
	KdObject loaded;

	if (!kd_object_has_member (vmx, path))
		return;
	if (!kd_object_member (vmx, path, &loaded, &error)) {
		kd_vcpu_state_note (vcpu->state, name, error);
		return;
	}
	kd_x86_vcpu_add_struct (
		vcpu, kd_vcpu_state_group (vcpu->state, name), &loaded, NULL, skip, FALSE);
	add_vmcs_page (vcpu, &loaded, name);
}

/* --- nested --- */

static void
add_nested (const KdX86Vcpu *vcpu, const KdObject *vmx)
{
	static const char *const skip[] = {
		"vmcs02", "hv_evmcs_map", "apic_access_page_map", "virtual_apic_map", NULL};
	uint64_t current = 0, cached = 0;
	KdObject nested, pointer, vmcs12;
	GError *error = NULL;

	if (!kd_object_has_member (vmx, "nested") ||
		!kd_object_member (vmx, "nested", &nested, NULL))
		return;
	kd_x86_vcpu_add_struct (
		vcpu, kd_vcpu_state_group (vcpu->state, "nested"), &nested, NULL, skip, FALSE);
	if (!kd_object_has_member (&nested, "cached_vmcs12") ||
		!kd_object_member (&nested, "cached_vmcs12", &pointer, NULL) ||
		!kd_object_u64 (&pointer, &cached, NULL) || cached == 0)
		return;
	kd_object_member_u64 (&nested, "current_vmptr", &current, NULL);
	if (current == UINT64_MAX) {
		kd_vcpu_state_notef (vcpu->state, "vmcs12: the guest has no current VMCS");
		return;
	}
	if (kd_object_deref (&pointer, &vmcs12, &error))
		add_vmcs12 (vcpu, &vmcs12, "vmcs12", KD_VCPU_CACHED);
	else
		kd_vcpu_state_note (vcpu->state, "cached_vmcs12", error);
}

static gboolean
vmx_of (const KdObject *vcpu, KdObject *ret_vmx, GError **error)
{
	return kd_object_container_of (
		vcpu->kernel, vcpu->addr.value, "struct vcpu_vmx", "vcpu", ret_vmx, error);
}

void
kd_vcpu_vmx_describe (const KdX86Vcpu *vcpu)
{
	static const char *const skip[] = {"vcpu", "nested", "vmcs01", "guest_uret_msrs",
		"msr_autoload", "msr_autostore", "pi_desc", "pi_wakeup_list", "pt_desc", "lbr_desc",
		"shadow_msr_intercept", "segment_cache", "rmode", "host_debugctlmsr", NULL};
	JsonObject *group = kd_vcpu_state_group (vcpu->state, "vcpu_vmx");
	GError *error = NULL;
	uint64_t loaded = 0;
	KdObject vmx, vmcs01;

	kd_vcpu_state_notef (vcpu->state,
		"the VMCS is the CPU's own: what is shown is what KVM keeps in struct vcpu_vmx");
	if (!vmx_of (vcpu->vcpu, &vmx, &error)) {
		kd_vcpu_state_note (vcpu->state, "struct vcpu_vmx", error);
		return;
	}
	kd_x86_vcpu_add_struct (vcpu, group, &vmx, vmx_rows, skip, vcpu->in_guest);
	add_qualification (group, "exit_reason.full", "exit_qualification");
	add_loaded_vmcs (vcpu, &vmx, "vmcs01", "vmcs01");
	/* Nested: the one that is loaded is not vmcs01. */
	if (kd_object_member_u64 (&vmx, "loaded_vmcs", &loaded, NULL) &&
		kd_object_member (&vmx, "vmcs01", &vmcs01, NULL) && loaded != vmcs01.addr.value)
		add_loaded_vmcs (vcpu, &vmx, "nested.vmcs02", "vmcs02");
	add_nested (vcpu, &vmx);
}

const char *
kd_vcpu_vmx_last_exit (const KdObject *vcpu, uint64_t *ret_reason)
{
	g_autofree char *text = NULL;
	KdObject vmx;

	if (!vmx_of (vcpu, &vmx, NULL) ||
		!kd_object_member_u64 (&vmx,
			kd_object_has_member (&vmx, "exit_reason.full") ? "exit_reason.full"
									: "exit_reason",
			ret_reason, NULL))
		return NULL;
	text = kd_vmx_exit_to_string (*ret_reason);
	return text ? g_intern_string (text) : NULL;
}
