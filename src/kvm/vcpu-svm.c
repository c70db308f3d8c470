/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "arch/x86-64.h"
#include "base/json.h"
#include "kvm/vcpu-x86.h"

/* --- words --- */

static char *
tlb_words (uint64_t value)
{
	static const char *const names[] = {
		"nothing", "all", NULL, "this ASID", NULL, NULL, NULL, "this ASID's non-global"};

	return value < G_N_ELEMENTS (names) ? g_strdup (names[value]) : NULL;
}

static char *
event_words (uint64_t value)
{
	static const char *const types[] = {"INTR", NULL, "NMI", "exception", "software"};
	unsigned vector = value & 255, type = value >> 8 & 7;
	const char *name = type == 3 ? kd_x86_64_exception_name (vector) : NULL;

	if (!(value >> 31 & 1))
		return g_strdup ("none");
	return g_strdup_printf ("%s %s%u%s",
		type < G_N_ELEMENTS (types) && types[type] ? types[type] : "type ?",
		name ? name : "vector ", vector, value >> 11 & 1 ? ", with error code" : "");
}

/* Bit 1 is always set. */
static char *
rflags_words (uint64_t value)
{
	return kd_x86_64_bits_to_string ("RFLAGS", value & ~UINT64_C (2));
}

static const KdX86Field control_rows[] = {
	{"exit_code", kd_svm_exit_to_string, NULL, NULL, FALSE},
	{"exit_int_info", event_words, NULL, NULL, FALSE},
	{"event_inj", event_words, NULL, NULL, TRUE},
	{"int_ctl", NULL, "SVM_INT_CTL", NULL, TRUE},
	{"int_state", NULL, "SVM_INT_STATE", NULL, TRUE},
	{"nested_ctl", NULL, "SVM_NESTED_CTL", NULL, FALSE},
	{"virt_ext", NULL, "SVM_VIRT_EXT", NULL, FALSE},
	{"tlb_ctl", tlb_words, NULL, NULL, FALSE},
	{NULL},
};

static const KdX86Field save_rows[] = {
	{"rip", NULL, NULL, "rip", FALSE},
	{"rsp", NULL, NULL, "rsp", FALSE},
	{"rax", NULL, NULL, "rax", FALSE},
	{"rflags", rflags_words, NULL, "eflags", FALSE},
	{"cr0", NULL, "CR0", "cr0", FALSE},
	{"cr2", NULL, NULL, "cr2", FALSE},
	{"cr3", NULL, NULL, "cr3", FALSE},
	{"cr4", NULL, "CR4", "cr4", FALSE},
	{"efer", NULL, "EFER", "efer", FALSE},
	{"kernel_gs_base", NULL, NULL, "k_gs_base", FALSE},
	{"cpl", NULL, NULL, NULL, TRUE},
	{"dr6", NULL, NULL, NULL, TRUE},
	{"dr7", NULL, NULL, NULL, TRUE},
	{NULL},
};

/* --- the VMCB --- */

/* Names from the kernel's own enumeration that has `first`, without its prefix. */
static char *
enumerator_names (KdKernel *kernel, const char *first, const char *prefix, const uint64_t *words,
	unsigned nr_bits, unsigned word_bits)
{
	int64_t value, exceptions = -1;
	const KdType *type = kd_kernel_enumerator (kernel, first, &value);
	unsigned nr = 0;
	const KdEnumerator *all = type ? kd_type_enumerators (kd_type_strip (type), &nr) : NULL;
	g_autoptr (GString) text = g_string_new (NULL);

	/* One word of the intercepts is of exceptions, whose names no enumeration has. */
	if (type && !kd_type_enumerator (
			    kd_type_strip (type), "INTERCEPT_EXCEPTION_OFFSET", &exceptions))
		exceptions = -1;
	for (unsigned bit = 0; bit < nr_bits; bit++) {
		const char *name = NULL;

		if (!(words[bit / word_bits] >> (bit % word_bits) & 1))
			continue;
		for (unsigned i = 0; i < nr && !name; i++)
			if (all[i].value == bit && bit != exceptions)
				name = all[i].name;
		if (!name && exceptions >= 0 && bit >= exceptions && bit < exceptions + 32)
			name = kd_x86_64_exception_name ((unsigned)(bit - exceptions));
		if (name && g_str_has_prefix (name, prefix))
			name += strlen (prefix);
		if (name)
			g_string_append_printf (text, "%s%s", text->len ? "|" : "", name);
		else
			g_string_append_printf (text, "%sbit %u", text->len ? "|" : "", bit);
	}
	return type ? g_string_free (g_steal_pointer (&text), FALSE) : NULL;
}

/* intercepts[]: a bit each, numbered over all words as the enumeration does. */
static void
add_intercepts (const KdX86Vcpu *vcpu, JsonObject *group, const KdObject *control)
{
	uint64_t words[16];
	unsigned nr;
	KdObject array;

	if (!kd_object_has_member (control, "intercepts") ||
		!kd_object_member (control, "intercepts", &array, NULL))
		return;
	nr = (unsigned)MIN (kd_type_nr_elements (kd_type_strip (array.type)), G_N_ELEMENTS (words));
	for (unsigned i = 0; i < nr; i++) {
		KdObject word;

		if (!kd_object_index (&array, i, &word, NULL) ||
			!kd_object_u64 (&word, &words[i], NULL))
			return;
	}
	for (unsigned i = 0; i < nr; i++) {
		uint64_t one[G_N_ELEMENTS (words)] = {0};
		g_autofree char *name = g_strdup_printf ("intercepts[%u]", i);

		one[i] = words[i];
		kd_vcpu_state_add_text (group, name, words[i], KD_VCPU_CACHED,
			enumerator_names (vcpu->kernel, "INTERCEPT_CR0_READ", "INTERCEPT_", one,
				nr * 32, 32));
	}
}

static void
add_clean (const KdX86Vcpu *vcpu, JsonObject *group, const KdObject *control)
{
	uint64_t clean;

	if (!kd_object_has_member (control, "clean") ||
		!kd_object_member_u64 (control, "clean", &clean, NULL))
		return;
	kd_vcpu_state_add_text (group, "clean", clean, KD_VCPU_CACHED,
		enumerator_names (vcpu->kernel, "VMCB_INTERCEPTS", "VMCB_", &clean, 32, 64));
}

/* What the two words of an exit say, where the exit is one that has them. */
static void
add_exit_info (JsonObject *group)
{
	static const char *const names[] = {"exit_code", "exit_info_1"};
	uint64_t values[G_N_ELEMENTS (names)];
	g_autofree char *text = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
		JsonObject *obj = NULL;

		if (!kd_json_get_object (group, names[i], FALSE, &obj, NULL) || !obj ||
			!kd_json_get_address (obj, "value", TRUE, &values[i], NULL))
			return;
	}
	if (values[0] == 0x400 || values[0] == 0x40 + 14)
		text = kd_x86_64_bits_to_string ("PF_ERROR", values[1]);
	else if (values[0] == 0x7b) /* APM 2, 15.10.2 */
		text = g_strdup_printf ("%s port 0x%x", values[1] & 1 ? "in" : "out",
			(unsigned)(values[1] >> 16 & 0xffff));
	else if (values[0] == 0x7c)
		text = g_strdup (values[1] & 1 ? "write" : "read");
	if (text)
		kd_json_set_string (json_object_get_object_member (group, names[1]), "text", text);
}

static void
add_vmcb (const KdX86Vcpu *vcpu, const KdObject *pointer, const char *name, gboolean on_cpu)
{
	static const char *const not_plain[] = {"intercepts", "clean", NULL};
	g_autofree char *control_name = g_strconcat (name, " control", NULL);
	g_autofree char *save_name = g_strconcat (name, " save", NULL);
	JsonObject *group;
	GError *error = NULL;
	KdObject vmcb, part;
	uint8_t first;

	/* One line for a pointer to nowhere, not one for each part. */
	if (!kd_object_deref (pointer, &vmcb, &error) ||
		!kd_kernel_read (vcpu->kernel, vmcb.addr, &first, sizeof first, &error) ||
		!kd_object_member (&vmcb, "control", &part, &error)) {
		kd_vcpu_state_note (vcpu->state, name, error);
		return;
	}
	group = kd_vcpu_state_group (vcpu->state, control_name);
	add_intercepts (vcpu, group, &part);
	add_clean (vcpu, group, &part);
	kd_x86_vcpu_add_struct (vcpu, group, &part, control_rows, not_plain, on_cpu);
	add_exit_info (group);
	if (!kd_object_member (&vmcb, "save", &part, &error)) {
		kd_vcpu_state_note (vcpu->state, name, error);
		return;
	}
	kd_x86_vcpu_add_struct (
		vcpu, kd_vcpu_state_group (vcpu->state, save_name), &part, save_rows, NULL, on_cpu);
}

static gboolean
svm_of (const KdObject *vcpu, KdObject *ret_svm, GError **error)
{
	return kd_object_container_of (
		vcpu->kernel, vcpu->addr.value, "struct vcpu_svm", "vcpu", ret_svm, error);
}

/* One of the VMCBs KVM keeps, when it has been made. TRUE: it is the one that `current` points to.
 */
static gboolean
add_vmcb_at (const KdX86Vcpu *vcpu, const KdObject *svm, const char *path, const char *name,
	uint64_t current)
{
	KdObject pointer;
	uint64_t addr;

	if (!kd_object_has_member (svm, path) || !kd_object_member (svm, path, &pointer, NULL) ||
		!kd_object_u64 (&pointer, &addr, NULL))
		return FALSE;
	if (addr != 0)
		add_vmcb (vcpu, &pointer, name, vcpu->in_guest && addr == current);
	return addr == current;
}

void
kd_vcpu_svm_describe (const KdX86Vcpu *vcpu)
{
	static const char *const own_skip[] = {"vcpu", "nested", "ir_list", "ir_list_lock",
		"shadow_msr_intercept", "sev_es", NULL};
	static const char *const nested_skip[] = {"host_intercept_exceptions", NULL};
	GError *error = NULL;
	KdObject svm, nested;
	uint64_t current = 0;
	gboolean known;

	if (!svm_of (vcpu->vcpu, &svm, &error)) {
		kd_vcpu_state_note (vcpu->state, "struct vcpu_svm", error);
		return;
	}
	kd_x86_vcpu_add_struct (
		vcpu, kd_vcpu_state_group (vcpu->state, "vcpu_svm"), &svm, NULL, own_skip, FALSE);
	kd_object_member_u64 (&svm, "vmcb", &current, NULL);
	if (kd_object_has_member (&svm, "vmcb01.ptr")) {
		known = add_vmcb_at (vcpu, &svm, "vmcb01.ptr", "vmcb01", current);
		known |= add_vmcb_at (vcpu, &svm, "nested.vmcb02.ptr", "vmcb02", current);
	} else {
		known = add_vmcb_at (vcpu, &svm, "vmcb", "vmcb", current);
	}
	if (current == 0)
		kd_vcpu_state_notef (vcpu->state, "vmcb: it has none");
	else if (!known)
		kd_vcpu_state_notef (vcpu->state,
			"vmcb: 0x%" PRIx64 " is neither vmcb01's nor vmcb02's", current);
	if (kd_object_has_member (&svm, "nested") &&
		kd_object_member (&svm, "nested", &nested, NULL))
		kd_x86_vcpu_add_struct (vcpu, kd_vcpu_state_group (vcpu->state, "nested"), &nested,
			control_rows, nested_skip, FALSE);
}

const char *
kd_vcpu_svm_last_exit (const KdObject *vcpu, uint64_t *ret_code)
{
	g_autofree char *text = NULL;
	KdObject svm;

	if (!svm_of (vcpu, &svm, NULL) ||
		!kd_object_member_u64 (&svm, "vmcb.control.exit_code", ret_code, NULL))
		return NULL;
	text = kd_svm_exit_to_string (*ret_code);
	return text ? g_intern_string (text) : NULL;
}
