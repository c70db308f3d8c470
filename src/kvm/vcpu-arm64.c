/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/vcpu-arm64.h"

#include <string.h>

#include "arch/arm64.h"
#include "base/json.h"

#define HCR_VM (1ULL << 0)
#define HCR_IMO (1ULL << 4)
#define HCR_E2H (1ULL << 34)
/* kvm_host.h, __vcpu_single_flag (sflags, …): the same from 6.0 to 6.13. */
#define SFLAG_SYSREGS_ON_CPU (1u << 4)
#define VECTORS_LOWER_LEVEL 0x400
#define VECTORS_END 0x800

/* --- registers of the CPU --- */

gboolean
kd_vcpu_arm64_reg (const KdArm64Vcpu *vcpu, const char *name, uint64_t *ret_value)
{
	return vcpu->loaded && kd_target_reg_get (vcpu->target, vcpu->cpu, name, ret_value, NULL);
}

gboolean
kd_vcpu_arm64_guest_reg (const KdArm64Vcpu *vcpu, const char *name, uint64_t *ret_value)
{
	if (vcpu->e2h && !vcpu->in_guest &&
		(g_str_has_suffix (name, "_EL1") || g_str_has_suffix (name, "_EL0"))) {
		g_autofree char *alias = g_strdup_printf ("%s2", name);

		if (kd_vcpu_arm64_reg (vcpu, alias, ret_value))
			return TRUE;
	}
	return kd_vcpu_arm64_reg (vcpu, name, ret_value);
}

JsonObject *
kd_vcpu_arm64_add (const KdArm64Vcpu *vcpu, JsonObject *group, const char *name, uint64_t memory,
	gboolean on_cpu, const char *reg)
{
	JsonObject *obj;
	uint64_t value;

	if (!on_cpu)
		return kd_vcpu_state_add (group, name, memory, KD_VCPU_CACHED);
	if (!reg || !kd_vcpu_arm64_guest_reg (vcpu, reg, &value))
		return kd_vcpu_state_add (group, name, memory, KD_VCPU_STALE);
	obj = kd_vcpu_state_add (group, name, value, KD_VCPU_LIVE);
	kd_json_set_hex (obj, "memory", memory);
	return obj;
}

/* --- where the registers are --- */

/*
 * Labels of hyp/entry.S and hyp/hyp-entry.S, and with "__kvm_nvhe_" before them. In the vectors
 * themselves nothing was changed yet but the stack: esb, stp x0, x1, b.
 */
static void
find_place (KdArm64Vcpu *vcpu, uint64_t pc)
{
	static const char *const prefixes[] = {"__guest_enter", "__guest_exit", "abort_guest_exit",
		"__kvm_hyp_vector", "__bp_harden_hyp_vecs", "el1_sync", "el1_trap", "el1_irq",
		"el1_error", "el2_error"};
	KdKernelSymbol symbol;
	const char *name;

	if (!kd_kernel_symbol_at (vcpu->vcpu->kernel, pc, &symbol))
		return;
	name = symbol.name;
	if (g_str_has_prefix (name, "__kvm_nvhe_"))
		name += sizeof "__kvm_nvhe_" - 1;
	if (strcmp (name, "__kvm_hyp_vector") == 0 && pc - symbol.addr >= VECTORS_LOWER_LEVEL &&
		pc - symbol.addr < VECTORS_END) {
		vcpu->in_vector = TRUE;
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS (prefixes); i++)
		if (g_str_has_prefix (name, prefixes[i]))
			vcpu->moving = TRUE;
}

static void
find_registers (KdArm64Vcpu *vcpu)
{
	KdKernel *kernel = vcpu->vcpu->kernel;
	uint64_t hcr = 0, pc = 0, kernel_pc, flags;
	KdCpuState cpu;

	if (!vcpu->loaded)
		return;
	cpu = kd_kernel_cpu_state (kernel, vcpu->cpu);
	kd_vcpu_arm64_reg (vcpu, "HCR_EL2", &hcr);
	kd_vcpu_arm64_reg (vcpu, "pc", &pc);
	vcpu->e2h = (hcr & HCR_E2H) != 0;
	if (cpu.el == 2) {
		if (!vcpu->e2h && kd_kernel_from_hyp (kernel, pc, &kernel_pc))
			pc = kernel_pc;
		if (hcr & HCR_VM)
			find_place (vcpu, pc);
	}
	if (!vcpu->e2h) {
		/* __kvm_vcpu_run of nvhe/switch.c: traps are set after the guest's EL1 registers
		 * are loaded, and given back after they are saved. */
		vcpu->el1_on_cpu =
			vcpu->in_guest || (cpu.el == 2 && (hcr & HCR_VM) && (hcr & HCR_IMO));
		return;
	}
	vcpu->el1_on_cpu = TRUE;
	/* Loading has begun or ended, and has not come to them. */
	if (kd_object_has_member (vcpu->vcpu, "arch.debug_ptr") &&
		kd_object_has_member (vcpu->vcpu, "arch.sflags") &&
		kd_object_member_u64 (vcpu->vcpu, "arch.sflags", &flags, NULL))
		vcpu->el1_on_cpu = (flags & SFLAG_SYSREGS_ON_CPU) != 0;
}

/* --- groups --- */

static gboolean
add_general (const KdArm64Vcpu *vcpu, GError **error)
{
	JsonObject *group = kd_vcpu_state_group (vcpu->state, "general");
	gboolean on_cpu = vcpu->in_guest || vcpu->in_vector || vcpu->moving;
	const char *const last[][2] = {{"sp", "SP_EL0"}, {"pc", vcpu->in_vector ? "ELR_EL2" : "pc"},
		{"pstate", vcpu->in_vector ? "SPSR_EL2" : "cpsr"}};
	KdObject regs, array;
	uint64_t value;

	/* Before 5.9 they were one structure deeper. */
	if (!kd_object_member (vcpu->vcpu,
		    kd_object_has_member (vcpu->vcpu, "arch.ctxt.regs") ? "arch.ctxt.regs"
									: "arch.ctxt.gp_regs.regs",
		    &regs, error) ||
		!kd_object_member (&regs, "regs", &array, error))
		return FALSE;
	for (unsigned i = 0; i < 31; i++) {
		g_autofree char *name = g_strdup_printf ("x%u", i);
		KdObject element;

		if (!kd_object_index (&array, i, &element, error) ||
			!kd_object_u64 (&element, &value, error))
			return FALSE;
		kd_vcpu_arm64_add (vcpu, group, name, value, on_cpu, vcpu->moving ? NULL : name);
	}
	for (size_t i = 0; i < G_N_ELEMENTS (last); i++) {
		if (!kd_object_member_u64 (&regs, last[i][0], &value, error))
			return FALSE;
		/* The guest's SP_EL0; what its sp is, pstate says. */
		kd_vcpu_arm64_add (vcpu, group, i == 0 ? "sp_el0" : last[i][0], value, on_cpu,
			vcpu->moving ? NULL : last[i][1]);
	}
	return TRUE;
}

static void
set_bits (JsonObject *obj, const char *reg)
{
	g_autofree char *text = NULL;
	guint64 value = 0;

	kd_json_get_address (obj, "value", FALSE, &value, NULL);
	text = kd_arm64_bits_to_string (reg, value);
	if (text)
		kd_json_set_string (obj, "text", text);
}

static void
add_control (const KdArm64Vcpu *vcpu)
{
	static const struct {
		const char *name, *path;
	} controls[] = {
		{"HCR_EL2", "arch.hcr_el2"},
		{"HCRX_EL2", "arch.hcrx_el2"},
		{"MDCR_EL2", "arch.mdcr_el2"},
		{"CPTR_EL2", "arch.cptr_el2"},
		{"VSESR_EL2", "arch.vsesr_el2"},
	};
	JsonObject *group = kd_vcpu_state_group (vcpu->state, "control");
	const char *cptr = vcpu->e2h ? "CPTR_EL2 (E2H)" : "CPTR_EL2";
	uint64_t value;

	for (size_t i = 0; i < G_N_ELEMENTS (controls); i++) {
		const char *name = controls[i].name;
		gboolean is_cptr = strcmp (name, "CPTR_EL2") == 0;

		if (kd_object_has_member (vcpu->vcpu, controls[i].path)) {
			if (kd_object_member_u64 (vcpu->vcpu, controls[i].path, &value, NULL))
				set_bits (kd_vcpu_arm64_add (
						  vcpu, group, name, value, vcpu->in_guest, name),
					is_cptr ? cptr : name);
		} else if (is_cptr && vcpu->in_guest && kd_vcpu_arm64_reg (vcpu, name, &value)) {
			/* Since 6.0 KVM makes it at each entry and keeps it nowhere. */
			set_bits (kd_vcpu_state_add (group, name, value, KD_VCPU_LIVE), cptr);
		}
	}
	if (!vcpu->in_guest)
		return;
	if (kd_vcpu_arm64_reg (vcpu, "VTTBR_EL2", &value))
		kd_vcpu_state_add (group, "VTTBR_EL2", value, KD_VCPU_LIVE);
	if (kd_vcpu_arm64_reg (vcpu, "VTCR_EL2", &value))
		kd_vcpu_state_add (group, "VTCR_EL2", value, KD_VCPU_LIVE);
}

/* What KVM read of the last exit; it has no newer place. */
static void
add_fault (const KdArm64Vcpu *vcpu)
{
	JsonObject *group = kd_vcpu_state_group (vcpu->state, "fault");
	uint64_t esr, far, hpfar, ipa;

	if (!kd_object_has_member (vcpu->vcpu, "arch.fault.esr_el2") ||
		!kd_object_member_u64 (vcpu->vcpu, "arch.fault.esr_el2", &esr, NULL))
		return;
	kd_vcpu_state_add_text (group, "ESR_EL2", esr, KD_VCPU_CACHED,
		esr ? kd_arm64_syndrome_to_string (esr) : NULL);
	kd_vcpu_state_add_member (
		vcpu->state, group, "FAR_EL2", vcpu->vcpu, "arch.fault.far_el2", KD_VCPU_CACHED);
	kd_vcpu_state_add_member (vcpu->state, group, "HPFAR_EL2", vcpu->vcpu,
		"arch.fault.hpfar_el2", KD_VCPU_CACHED);
	kd_vcpu_state_add_member (
		vcpu->state, group, "DISR_EL1", vcpu->vcpu, "arch.fault.disr_el1", KD_VCPU_CACHED);
	if (kd_object_member_u64 (vcpu->vcpu, "arch.fault.far_el2", &far, NULL) &&
		kd_object_member_u64 (vcpu->vcpu, "arch.fault.hpfar_el2", &hpfar, NULL) &&
		kd_arm64_fault_ipa (esr, far, hpfar, &ipa))
		kd_vcpu_state_add (group, "IPA", ipa, KD_VCPU_CACHED);
}

/* Names of bits, in order, "|" between them; bits without a name as a number. */
static char *
flag_names (uint64_t value, const char *const *names, unsigned nr_names)
{
	GString *text = g_string_new (NULL);

	for (unsigned i = 0; i < nr_names; i++) {
		if (!names[i] || !(value >> i & 1))
			continue;
		g_string_append_printf (text, "%s%s", text->len ? "|" : "", names[i]);
		value &= ~(UINT64_C (1) << i);
	}
	if (value)
		g_string_append_printf (text, "%s0x%x", text->len ? "|" : "", (unsigned)value);
	return g_string_free (text, FALSE);
}

static void
add_flags (const KdArm64Vcpu *vcpu)
{
	/* Macros, so no types tell; the bits of the other two sets changed within stable series. */
	static const char *const sflags[] = {NULL, NULL, "ON_UNSUPPORTED_CPU", "IN_WFIT",
		"SYSREGS_ON_CPU", "DBG_SS_ACTIVE_PENDING", "PMUSERENR_ON_CPU", "IN_WFI"};
	static const char *const mp_states[] = {
		"RUNNABLE", "UNINITIALIZED", "INIT_RECEIVED", "HALTED", "SIPI_RECEIVED", "STOPPED"};
	static const char *const plain[][2] = {{"flags", "arch.flags"}, {"cflags", "arch.cflags"},
		{"iflags", "arch.iflags"}, {"pause", "arch.pause"}, {"power_off", "arch.power_off"},
		{"fp_state", "arch.fp_state"}};
	JsonObject *group = kd_vcpu_state_group (vcpu->state, "flags");
	uint64_t value;

	for (size_t i = 0; i < G_N_ELEMENTS (plain); i++)
		kd_vcpu_state_add_member (
			vcpu->state, group, plain[i][0], vcpu->vcpu, plain[i][1], KD_VCPU_CACHED);
	if (kd_object_has_member (vcpu->vcpu, "arch.sflags") &&
		kd_object_member_u64 (vcpu->vcpu, "arch.sflags", &value, NULL))
		kd_vcpu_state_add_text (group, "sflags", value, KD_VCPU_CACHED,
			kd_object_has_member (vcpu->vcpu, "arch.debug_ptr")
				? flag_names (value, sflags, G_N_ELEMENTS (sflags))
				: NULL);
	if (kd_object_has_member (vcpu->vcpu, "arch.mp_state.mp_state") &&
		kd_object_member_u64 (vcpu->vcpu, "arch.mp_state.mp_state", &value, NULL))
		kd_vcpu_state_add_text (group, "mp_state", value, KD_VCPU_CACHED,
			value < G_N_ELEMENTS (mp_states) ? g_strdup (mp_states[value]) : NULL);
}

gboolean
kd_vcpu_arm64_describe (
	const KdObject *object, const KdVcpu *summary, KdVcpuState *state, GError **error)
{
	KdArm64Vcpu vcpu = {.vcpu = object,
		.state = state,
		.target = kd_kernel_target (object->kernel),
		.loaded = summary->loaded &&
			  (unsigned)summary->cpu <
				  kd_target_nr_cpus (kd_kernel_target (object->kernel)),
		.in_guest = summary->in_guest};

	vcpu.cpu = vcpu.loaded ? (unsigned)summary->cpu : 0;
	if (kd_object_has_member (object, "arch.hcr_el2"))
		kd_object_member_u64 (object, "arch.hcr_el2", &vcpu.hcr, NULL);
	find_registers (&vcpu);
	state->from_cpu = vcpu.in_guest || vcpu.in_vector;
	if (vcpu.in_vector)
		kd_vcpu_state_notef (state,
			"CPU %u has just left the guest: its vectors have not changed the "
			"registers yet",
			vcpu.cpu);
	if (vcpu.moving)
		kd_vcpu_state_notef (state,
			"CPU %u is where registers are moved between the guest and memory: "
			"some values may be in neither place yet",
			vcpu.cpu);
	if (!add_general (&vcpu, error))
		return FALSE;
	kd_vcpu_arm64_add_sysregs (&vcpu);
	add_control (&vcpu);
	add_fault (&vcpu);
	add_flags (&vcpu);
	kd_vcpu_arm64_add_vgic (&vcpu);
	kd_vcpu_arm64_add_timers (&vcpu);
	return TRUE;
}
