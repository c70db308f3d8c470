/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "kernel/containers.h"
#include "kvm/vcpu-arm64.h"

#define LRS_MAX 64
#define PENDING_MAX 8192
#define TIMERS_MAX 16

#define BITS(value, high, low) (((value) >> (low)) & ((1ULL << ((high) - (low) + 1)) - 1))

/* --- list registers --- */

/* GICv3's ICH_LR<n>_EL2, GICv2's GICH_LR<n>. */
static void
add_lr (JsonArray *list, unsigned index, uint64_t lr, gboolean is_v3, KdVcpuMark mark)
{
	static const char *const states[] = {"inactive", "pending", "active", "active, pending"};
	JsonObject *obj = kd_json_array_add_object (list);
	gboolean hw = is_v3 ? BITS (lr, 61, 61) : BITS (lr, 31, 31);

	kd_json_set_int (obj, "index", index);
	kd_json_set_hex (obj, "value", lr);
	kd_json_set_string (obj, "mark", kd_vcpu_mark_name (mark));
	kd_json_set_string (obj, "state", states[is_v3 ? BITS (lr, 63, 62) : BITS (lr, 29, 28)]);
	kd_json_set_int (obj, "intid", (gint64)(is_v3 ? BITS (lr, 31, 0) : BITS (lr, 9, 0)));
	/* GICv2 has the upper five bits of a priority. */
	kd_json_set_int (
		obj, "priority", (gint64)(is_v3 ? BITS (lr, 55, 48) : BITS (lr, 27, 23) << 3));
	kd_json_set_int (obj, "group", (gint64)(is_v3 ? BITS (lr, 60, 60) : BITS (lr, 30, 30)));
	kd_json_set_bool (obj, "hw", hw);
	if (hw)
		kd_json_set_int (
			obj, "hw_intid", (gint64)(is_v3 ? BITS (lr, 44, 32) : BITS (lr, 19, 10)));
	else
		json_object_set_null_member (obj, "hw_intid");
}

/* FALSE: the host's own controller is of a kind not known here. */
static gboolean
host_gic (KdKernel *kernel, gboolean *ret_is_v3, uint64_t *ret_nr_lr)
{
	const KdType *types = kd_image_type_by_name (kd_kernel_image (kernel), "enum vgic_type");
	uint64_t type;
	int64_t v2, v3;
	KdObject global;

	if (!types || !kd_type_enumerator (types, "VGIC_V2", &v2) ||
		!kd_type_enumerator (types, "VGIC_V3", &v3) ||
		!kd_object_symbol (
			kernel, "kvm_vgic_global_state", "struct vgic_global", &global, NULL) ||
		!kd_object_member_u64 (&global, "type", &type, NULL) ||
		!kd_object_member_u64 (&global, "nr_lr", ret_nr_lr, NULL))
		return FALSE;
	*ret_is_v3 = (int64_t)type == v3;
	return (int64_t)type == v2 || (int64_t)type == v3;
}

static void
add_list_registers (const KdArm64Vcpu *vcpu, const KdObject *vgic, gboolean is_v3, uint64_t nr_lr)
{
	JsonArray *list = kd_vcpu_state_list (vcpu->state, "list_registers");
	gboolean entered = vcpu->in_guest || vcpu->in_vector || vcpu->moving;
	KdObject cpu_if, array;
	GError *error = NULL;
	uint64_t used = 0;

	if (!kd_object_member (vgic, is_v3 ? "vgic_v3" : "vgic_v2", &cpu_if, &error) ||
		!kd_object_member (&cpu_if, "vgic_lr", &array, &error) ||
		(kd_object_has_member (&cpu_if, "used_lrs") &&
			!kd_object_member_u64 (&cpu_if, "used_lrs", &used, &error))) {
		kd_vcpu_state_note (vcpu->state, "list registers", error);
		return;
	}
	/* 5.5 and before: live_lrs was in vgic_cpu. */
	if (!kd_object_has_member (&cpu_if, "used_lrs"))
		used = nr_lr;
	nr_lr = MIN (nr_lr, kd_type_nr_elements (kd_type_strip (array.type)));
	for (unsigned i = 0; i < MIN (MIN (used, nr_lr), LRS_MAX); i++) {
		KdObject element;
		uint64_t lr;

		if (!kd_object_index (&array, i, &element, &error) ||
			!kd_object_u64 (&element, &lr, &error)) {
			kd_vcpu_state_note (vcpu->state, "list registers", error);
			return;
		}
		/* The stub does not show ICH_LR<n>_EL2. */
		add_lr (list, i, lr, is_v3, entered ? KD_VCPU_STALE : KD_VCPU_CACHED);
	}
}

static void
add_interface (const KdArm64Vcpu *vcpu, const KdObject *vgic, gboolean is_v3)
{
	/* Bound to the CPU from load to put; vgic_hcr at each entry. */
	static const struct {
		const char *name, *path;
	} v3[] = {{"ICH_HCR_EL2", "vgic_v3.vgic_hcr"}, {"ICH_VMCR_EL2", "vgic_v3.vgic_vmcr"},
		{"ICC_SRE_EL1", "vgic_v3.vgic_sre"}},
	  v2[] = {{"GICH_HCR", "vgic_v2.vgic_hcr"}, {"GICH_VMCR", "vgic_v2.vgic_vmcr"},
		  {"GICH_APR", "vgic_v2.vgic_apr"}};
	JsonObject *group = kd_vcpu_state_group (vcpu->state, "interrupts");
	gboolean entered = vcpu->in_guest || vcpu->in_vector || vcpu->moving;

	for (size_t i = 0; i < G_N_ELEMENTS (v3); i++) {
		const char *name = is_v3 ? v3[i].name : v2[i].name;
		gboolean is_fixed = strcmp (name, "ICC_SRE_EL1") == 0;
		gboolean is_hcr =
			g_str_has_suffix (name, "HCR") || strcmp (name, "ICH_HCR_EL2") == 0;
		gboolean on_cpu = is_hcr ? entered : vcpu->loaded;

		kd_vcpu_state_add_member (vcpu->state, group, name, vgic,
			is_v3 ? v3[i].path : v2[i].path,
			on_cpu && !is_fixed ? KD_VCPU_STALE : KD_VCPU_CACHED);
	}
	kd_vcpu_state_add_member (vcpu->state, group, "used_lrs", vgic,
		is_v3 ? "vgic_v3.used_lrs" : "vgic_v2.used_lrs", KD_VCPU_CACHED);
}

/* --- what waits for the guest --- */

typedef struct {
	JsonArray *list;
	GError *error;
} PendingContext;

static gboolean
add_pending (const KdObject *irq, void *data)
{
	static const char *const integers[] = {"intid", "priority", "group", "hwintid"};
	static const char *const bools[] = {
		"line_level", "pending_latch", "active", "enabled", "hw"};
	PendingContext *context = data;
	JsonObject *obj = kd_json_array_add_object (context->list);
	uint64_t target;

	for (size_t i = 0; i < G_N_ELEMENTS (integers) + G_N_ELEMENTS (bools); i++) {
		gboolean is_bool = i >= G_N_ELEMENTS (integers);
		const char *name = is_bool ? bools[i - G_N_ELEMENTS (integers)] : integers[i];
		uint64_t value;

		if (!kd_object_has_member (irq, name)) {
			json_object_set_null_member (obj, name);
			continue;
		}
		if (!kd_object_member_u64 (irq, name, &value, &context->error))
			return FALSE;
		if (is_bool)
			kd_json_set_bool (obj, name, value != 0);
		else
			kd_json_set_uint (obj, name, value);
	}
	if (kd_object_member_u64 (irq, "target_vcpu", &target, NULL))
		kd_json_set_hex (obj, "target_vcpu", target);
	kd_json_set_hex (obj, "vgic_irq", irq->addr.value);
	return TRUE;
}

void
kd_vcpu_arm64_add_vgic (const KdArm64Vcpu *vcpu)
{
	PendingContext context = {kd_vcpu_state_list (vcpu->state, "pending_interrupts"), NULL};
	GError *error = NULL;
	gboolean is_v3;
	uint64_t nr_lr;
	KdObject vgic, head;

	if (!kd_object_member (vcpu->vcpu, "arch.vgic_cpu", &vgic, &error)) {
		kd_vcpu_state_note (vcpu->state, "interrupt controller", error);
		return;
	}
	if (host_gic (vcpu->vcpu->kernel, &is_v3, &nr_lr)) {
		add_interface (vcpu, &vgic, is_v3);
		add_list_registers (vcpu, &vgic, is_v3, nr_lr);
	} else {
		kd_vcpu_state_notef (vcpu->state,
			"list registers: the host's interrupt controller is neither GICv2 nor "
			"GICv3");
	}
	if (!kd_object_has_member (&vgic, "ap_list_head") ||
		!kd_object_member (&vgic, "ap_list_head", &head, &error)) {
		kd_vcpu_state_note (vcpu->state, "pending interrupts", error);
		return;
	}
	/* A vCPU without a controller in the kernel has a list that was never made. */
	uint64_t next;
	if (kd_object_member_u64 (&head, "next", &next, NULL) && next == 0)
		return;
	if (!kd_object_list_foreach (vcpu->vcpu->kernel, head.addr.value, "struct vgic_irq",
		    "ap_list", PENDING_MAX, add_pending, &context, &error))
		kd_vcpu_state_note (vcpu->state, "pending interrupts", error);
	kd_vcpu_state_note (vcpu->state, "pending interrupts", context.error);
}

/* --- timers --- */

/* "vtimer" of TIMER_VTIMER = index; NULL: not named. New string. */
static char *
timer_name (KdKernel *kernel, unsigned index)
{
	const KdType *type =
		kd_image_type_by_name (kd_kernel_image (kernel), "enum kvm_arch_timers");
	const KdEnumerator *names;
	unsigned nr = 0;

	names = type ? kd_type_enumerators (type, &nr) : NULL;
	for (unsigned i = 0; i < nr; i++)
		if (names[i].value == (int64_t)index && g_str_has_prefix (names[i].name, "TIMER_"))
			return g_ascii_strdown (names[i].name + sizeof "TIMER_" - 1, -1);
	return NULL;
}

/* 5.18 and later: in a place that the VM or the vCPU shares, by pointer; before in CNTVOFF_EL2. */
static gboolean
timer_offset (const KdArm64Vcpu *vcpu, const KdObject *timer, gboolean is_virtual, uint64_t *ret)
{
	static const char *const paths[] = {"offset.vm_offset", "offset.vcpu_offset"};
	gboolean found = FALSE;
	uint64_t sum = 0;

	for (size_t i = 0; i < G_N_ELEMENTS (paths); i++) {
		uint64_t address, value;
		KdObject pointer, place;

		if (!kd_object_has_member (timer, paths[i]) ||
			!kd_object_member (timer, paths[i], &pointer, NULL) ||
			!kd_object_u64 (&pointer, &address, NULL) || address == 0)
			continue;
		if (!kd_object_deref (&pointer, &place, NULL) ||
			!kd_object_u64 (&place, &value, NULL))
			return FALSE;
		sum += value;
		found = TRUE;
	}
	*ret = sum;
	if (!found && is_virtual)
		return kd_vcpu_arm64_sysreg (vcpu->vcpu, "CNTVOFF_EL2", ret);
	return found || !is_virtual;
}

/* Control and compare value, from the CPU when the timer is loaded there. */
static void
add_timer_registers (const KdArm64Vcpu *vcpu, JsonObject *obj, const char *stem, gboolean loaded)
{
	static const char *const parts[] = {"ctl", "cval"};
	gboolean on_cpu = loaded && vcpu->loaded, live = on_cpu;
	g_autofree char *ctl = g_strdup_printf ("%s_CTL_EL0", stem);
	g_autofree char *cval = g_strdup_printf ("%s_CVAL_EL0", stem);
	const char *const names[] = {ctl, cval};
	uint64_t values[2];

	for (unsigned i = 0; i < 2 && live; i++)
		live = kd_vcpu_arm64_guest_reg (vcpu, names[i], &values[i]);
	for (unsigned i = 0; i < 2 && !live; i++)
		if (!kd_vcpu_arm64_sysreg (vcpu->vcpu, names[i], &values[i]))
			return;
	for (unsigned i = 0; i < 2; i++)
		kd_json_set_hex (obj, parts[i], values[i]);
	kd_json_set_bool (obj, "enabled", values[0] & 1);
	kd_json_set_bool (obj, "masked", values[0] & 2);
	kd_json_set_string (obj, "mark",
		kd_vcpu_mark_name (live     ? KD_VCPU_LIVE
				   : on_cpu ? KD_VCPU_STALE
					    : KD_VCPU_CACHED));
}

void
kd_vcpu_arm64_add_timers (const KdArm64Vcpu *vcpu)
{
	/* Of the two timers that every guest has; EL2's are of nested KVM. */
	static const struct {
		const char *name, *stem;
	} stems[] = {{"ptimer", "CNTP"}, {"vtimer", "CNTV"}};
	static const char path[] = "arch.timer_cpu.timers";
	JsonArray *list = kd_vcpu_state_list (vcpu->state, "timers");
	GError *error = NULL;
	KdObject timers;
	uint64_t nr;

	if (!kd_object_has_member (vcpu->vcpu, path) ||
		!kd_object_member (vcpu->vcpu, path, &timers, &error)) {
		kd_vcpu_state_note (vcpu->state, "timers", error);
		return;
	}
	nr = kd_type_nr_elements (kd_type_strip (timers.type));
	for (unsigned i = 0; i < MIN (nr, TIMERS_MAX); i++) {
		g_autofree char *name = timer_name (vcpu->vcpu->kernel, i);
		uint64_t loaded = 0, level = 0, irq, offset;
		JsonObject *obj;
		KdObject timer;

		if (!kd_object_index (&timers, i, &timer, &error) ||
			!kd_object_member_u64 (&timer, "loaded", &loaded, &error)) {
			kd_vcpu_state_note (vcpu->state, "timers", error);
			return;
		}
		obj = kd_json_array_add_object (list);
		if (name)
			kd_json_set_string (obj, "timer", name);
		else
			kd_json_set_printf (obj, "timer", "%u", i);
		kd_json_set_bool (obj, "loaded", loaded != 0);
		for (size_t n = 0; name && n < G_N_ELEMENTS (stems); n++)
			if (strcmp (stems[n].name, name) == 0)
				add_timer_registers (vcpu, obj, stems[n].stem, loaded != 0);
		if (timer_offset (vcpu, &timer, g_strcmp0 (name, "vtimer") == 0, &offset))
			kd_json_set_hex (obj, "offset", offset);
		if (kd_object_has_member (&timer, "irq.level") &&
			kd_object_member_u64 (&timer, "irq.level", &level, NULL))
			kd_json_set_bool (obj, "irq_level", level != 0);
		if (kd_object_has_member (&timer, "host_timer_irq") &&
			kd_object_member_u64 (&timer, "host_timer_irq", &irq, NULL))
			kd_json_set_uint (obj, "host_irq", irq);
	}
}
