/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/vcpu-x86.h"

#include <string.h>

#include "arch/x86-64.h"
#include "base/json.h"

#define DEPTH_MAX 4
#define MEMBERS_MAX 4096
#define ARRAY_MAX 16

/* --- values --- */

gboolean
kd_x86_vcpu_guest_reg (const KdX86Vcpu *vcpu, const char *name, uint64_t *ret_value)
{
	return vcpu->in_guest && kd_target_reg_get (kd_kernel_target (vcpu->kernel), vcpu->cpu,
					 name, ret_value, NULL);
}

static char *
words_of (const KdX86Field *row, uint64_t value)
{
	if (row && row->words)
		return row->words (value);
	return row && row->bits ? kd_x86_64_bits_to_string (row->bits, value) : NULL;
}

void
kd_x86_vcpu_add (const KdX86Vcpu *vcpu, JsonObject *group, const char *name, uint64_t value,
	const KdX86Field *row, gboolean on_cpu)
{
	uint64_t live;
	JsonObject *obj;

	if (on_cpu && row && row->reg && kd_x86_vcpu_guest_reg (vcpu, row->reg, &live)) {
		obj = kd_vcpu_state_add_text (
			group, name, live, KD_VCPU_LIVE, words_of (row, live));
		kd_json_set_hex (obj, "memory", value);
		return;
	}
	kd_vcpu_state_add_text (group, name, value,
		on_cpu && row && (row->reg || row->moves) ? KD_VCPU_STALE : KD_VCPU_CACHED,
		words_of (row, value));
}

static const KdX86Field *
find_row (const KdX86Field *rows, const char *name)
{
	for (; rows && rows->name; rows++)
		if (strcmp (rows->name, name) == 0)
			return rows;
	return NULL;
}

gboolean
kd_x86_vcpu_add_path (const KdX86Vcpu *vcpu, JsonObject *group, const KdObject *object,
	const char *path, const KdX86Field *rows, gboolean on_cpu)
{
	const char *last = strrchr (path, '.') ? strrchr (path, '.') + 1 : path;
	/* A bitmap of one word. */
	g_autofree char *word = g_strconcat (path, "[0]", NULL);
	GError *error = NULL;
	uint64_t value;

	if (!kd_object_has_member (object, path))
		return FALSE;
	if (!kd_object_member_u64 (
		    object, kd_object_has_member (object, word) ? word : path, &value, &error)) {
		kd_vcpu_state_note (vcpu->state, path, error);
		return FALSE;
	}
	kd_x86_vcpu_add (vcpu, group, last, value, find_row (rows, last), on_cpu);
	return TRUE;
}

/* --- structures --- */

typedef struct {
	const KdX86Vcpu *vcpu;
	JsonObject *group;
	const KdX86Field *rows;
	const char *const *skip;
	gboolean on_cpu;
	unsigned left; /* members that may still be shown */
	gboolean failed;
} Walk;

static void add_members (Walk *walk, const KdObject *object, const char *prefix, unsigned depth);

static gboolean
is_wanted (const Walk *walk, const char *name)
{
	if (g_str_has_prefix (name, "reserved") || g_str_has_prefix (name, "pad"))
		return FALSE;
	for (const char *const *skip = walk->skip; skip && *skip; skip++)
		if (strcmp (*skip, name) == 0)
			return FALSE;
	return TRUE;
}

static void
add_number (Walk *walk, const KdObject *object, const char *name)
{
	GError *error = NULL;
	uint64_t value;

	if (kd_object_u64 (object, &value, &error)) {
		kd_x86_vcpu_add (walk->vcpu, walk->group, name, value, find_row (walk->rows, name),
			walk->on_cpu);
		return;
	}
	/* One place that is not there says it for all of the structure. */
	if (!walk->failed)
		kd_vcpu_state_note (walk->vcpu->state, name, g_steal_pointer (&error));
	walk->failed = TRUE;
	g_clear_error (&error);
}

/* A segment register in one line: its base is the value. FALSE: it is none. */
static gboolean
add_segment (Walk *walk, const KdObject *object, const char *name)
{
	static const char *const parts[] = {"selector", "attrib", "limit", "base"};
	uint64_t values[G_N_ELEMENTS (parts)];
	g_autofree char *text = NULL;
	KdX86Field row = {.name = name, .moves = TRUE};

	for (size_t i = 0; i < G_N_ELEMENTS (parts); i++)
		if (!kd_object_has_member (object, parts[i]) ||
			!kd_object_member_u64 (object, parts[i], &values[i], NULL))
			return FALSE;
	text = g_strdup_printf ("selector 0x%x, attributes 0x%x, limit 0x%x", (unsigned)values[0],
		(unsigned)values[1], (unsigned)values[2]);
	if (strcmp (name, "fs") == 0)
		row.reg = "fs_base";
	else if (strcmp (name, "gs") == 0)
		row.reg = "gs_base";
	kd_x86_vcpu_add (walk->vcpu, walk->group, name, values[3], &row, walk->on_cpu);
	kd_json_set_string (json_object_get_object_member (walk->group, name), "text", text);
	return TRUE;
}

static void
add_array (Walk *walk, const KdObject *object, const char *name)
{
	const KdType *type = kd_type_strip (object->type);
	uint64_t nr = kd_type_nr_elements (type);
	KdObject element;

	if (nr == 0 || nr > ARRAY_MAX)
		return;
	for (uint64_t i = 0; i < nr && walk->left && !walk->failed; i++, walk->left--) {
		g_autofree char *path = g_strdup_printf ("%s[%u]", name, (unsigned)i);

		if (kd_object_index (object, (int64_t)i, &element, NULL))
			add_number (walk, &element, path);
	}
}

static void
add_member (Walk *walk, const KdObject *member, const char *name, unsigned depth)
{
	const KdType *type = kd_type_strip (member->type);
	g_autofree char *below = NULL;

	switch (kd_type_kind (type)) {
	case KD_TYPE_INT:
	case KD_TYPE_BOOL:
	case KD_TYPE_CHAR:
	case KD_TYPE_ENUM:
	case KD_TYPE_POINTER:
		add_number (walk, member, name);
		break;
	case KD_TYPE_ARRAY:
		switch (kd_type_kind (kd_type_strip (kd_type_target (type)))) {
		case KD_TYPE_INT:
		case KD_TYPE_BOOL:
		case KD_TYPE_CHAR:
			add_array (walk, member, name);
			break;
		default:
			break;
		}
		break;
	case KD_TYPE_STRUCT:
	case KD_TYPE_UNION:
		below = g_strconcat (name, ".", NULL);
		if (!add_segment (walk, member, name))
			add_members (walk, member, below, depth + 1);
		break;
	default:
		break;
	}
}

static void
add_members (Walk *walk, const KdObject *object, const char *prefix, unsigned depth)
{
	const KdType *type = kd_type_strip (object->type);
	unsigned nr;
	const KdMember *members = kd_type_members (type, &nr);

	for (unsigned i = 0; depth <= DEPTH_MAX && i < nr && walk->left && !walk->failed; i++) {
		const KdMember *member = &members[i];
		KdObject found = *object;

		walk->left--;
		found.type = member->type;
		found.addr.value = object->addr.value + member->bit_offset / 8;
		found.bit_offset = member->bit_size ? (unsigned)(member->bit_offset % 8) : 0;
		found.bit_size = member->bit_size;
		if (!member->name || !*member->name) {
			add_members (walk, &found, prefix, depth + 1);
			continue;
		}
		if (!is_wanted (walk, member->name))
			continue;
		g_autofree char *name = g_strconcat (prefix, member->name, NULL);

		add_member (walk, &found, name, depth);
	}
}

void
kd_x86_vcpu_add_struct (const KdX86Vcpu *vcpu, JsonObject *group, const KdObject *object,
	const KdX86Field *rows, const char *const *skip, gboolean on_cpu)
{
	Walk walk = {vcpu, group, rows, skip, on_cpu, MEMBERS_MAX, FALSE};

	add_members (&walk, object, "", 0);
}

/* --- what both kinds of hardware have --- */

/* arch.regs[], by the enumerators of enum kvm_reg: VCPU_REGS_RAX…; RIP has its own place since 7.1.
 */
char *
kd_vcpu_x86_reg_path (const KdObject *vcpu, const char *name)
{
	g_autofree char *upper = g_ascii_strup (name, -1);
	g_autofree char *enumerator = g_strconcat ("VCPU_REGS_", upper, NULL);
	g_autofree char *path = g_strconcat ("arch.", name, NULL);
	int64_t index;

	if (kd_object_has_member (vcpu, path))
		return g_steal_pointer (&path);
	if (!kd_kernel_enumerator (vcpu->kernel, enumerator, &index))
		return NULL;
	g_free (path);
	path = g_strdup_printf ("arch.regs[%d]", (int)index);
	return kd_object_has_member (vcpu, path) ? g_steal_pointer (&path) : NULL;
}

static void
add_general (const KdX86Vcpu *vcpu)
{
	static const char *const names[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip"};
	JsonObject *group = kd_vcpu_state_group (vcpu->state, "general");
	uint64_t value;

	for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
		const KdX86Field row = {.name = names[i], .reg = names[i]};
		g_autofree char *path = kd_vcpu_x86_reg_path (vcpu->vcpu, names[i]);
		GError *error = NULL;

		if (!path)
			continue;
		if (kd_object_member_u64 (vcpu->vcpu, path, &value, &error))
			kd_x86_vcpu_add (vcpu, group, names[i], value, &row, vcpu->in_guest);
		else
			kd_vcpu_state_note (vcpu->state, path, error);
	}
}

static char *
mp_state_words (uint64_t value)
{
	static const char *const names[] = {
		"RUNNABLE", "UNINITIALIZED", "INIT_RECEIVED", "HALTED", "SIPI_RECEIVED"};

	return value < G_N_ELEMENTS (names) ? g_strdup (names[value]) : NULL;
}

static char *
vector_words (uint64_t value)
{
	return g_strdup (kd_x86_64_exception_name ((unsigned)MIN (value, 255)));
}

static void
add_common (const KdX86Vcpu *vcpu)
{
	static const KdX86Field control[] = {{"cr0", NULL, "CR0", "cr0", FALSE},
		{"cr2", NULL, NULL, "cr2", FALSE}, {"cr3", NULL, NULL, "cr3", FALSE},
		{"cr4", NULL, "CR4", "cr4", FALSE}, {"cr8", NULL, NULL, "cr8", FALSE},
		{"efer", NULL, "EFER", "efer", FALSE}, {NULL}};
	static const char *const events[] = {"arch.hflags", "arch.mp_state", "arch.nmi_pending",
		"arch.nmi_injected", "arch.smi_pending", "arch.emulate_regs_need_sync_to_vcpu",
		"arch.regs_avail", "arch.regs_dirty", "requests", "guest_mode", "mode", NULL};
	static const KdX86Field event_rows[] = {
		{"mp_state", mp_state_words, NULL, NULL, FALSE}, {NULL}};
	static const KdX86Field exception_rows[] = {
		{"vector", vector_words, NULL, NULL, FALSE}, {NULL}};
	JsonObject *group = kd_vcpu_state_group (vcpu->state, "control registers");
	KdObject part;

	for (size_t i = 0; control[i].name; i++) {
		g_autofree char *path = g_strconcat ("arch.", control[i].name, NULL);

		kd_x86_vcpu_add_path (vcpu, group, vcpu->vcpu, path, control, vcpu->in_guest);
	}
	group = kd_vcpu_state_group (vcpu->state, "events");
	for (size_t i = 0; events[i]; i++)
		kd_x86_vcpu_add_path (vcpu, group, vcpu->vcpu, events[i], event_rows, FALSE);
	if (kd_object_has_member (vcpu->vcpu, "arch.exception") &&
		kd_object_member (vcpu->vcpu, "arch.exception", &part, NULL))
		kd_x86_vcpu_add_struct (vcpu, kd_vcpu_state_group (vcpu->state, "exception"), &part,
			exception_rows, NULL, FALSE);
	if (kd_object_has_member (vcpu->vcpu, "arch.interrupt") &&
		kd_object_member (vcpu->vcpu, "arch.interrupt", &part, NULL))
		kd_x86_vcpu_add_struct (vcpu, kd_vcpu_state_group (vcpu->state, "interrupt"), &part,
			NULL, NULL, FALSE);
}

gboolean
kd_vcpu_x86_is_vmx (KdKernel *kernel)
{
	KdKernelSymbol symbol;
	KdObject ops, name;
	uint64_t run;

	/* kvm_x86_ops is what the vendor's module filled in. */
	if (!kd_object_symbol (kernel, "kvm_x86_ops", "struct kvm_x86_ops", &ops, NULL))
		return FALSE;
	if (kd_object_has_member (&ops, "name") && kd_object_member (&ops, "name", &name, NULL)) {
		g_autofree char *text = kd_object_string (&name, 32, NULL);

		if (text && *text)
			return strcmp (text, "kvm_intel") == 0;
	}
	return kd_object_has_member (&ops, "vcpu_run") &&
	       kd_object_member_u64 (&ops, "vcpu_run", &run, NULL) &&
	       kd_kernel_symbol_at (kernel, run, &symbol) && g_str_has_prefix (symbol.name, "vmx_");
}

gboolean
kd_vcpu_x86_describe (
	const KdObject *object, const KdVcpu *summary, KdVcpuState *state, GError **error)
{
	KdKernel *kernel = object->kernel;
	KdX86Vcpu vcpu = {.kernel = kernel,
		.vcpu = object,
		.state = state,
		.loaded = summary->loaded && summary->cpu >= 0 &&
			  (unsigned)summary->cpu < kd_target_nr_cpus (kd_kernel_target (kernel)),
		.in_guest = summary->in_guest};

	vcpu.cpu = vcpu.loaded ? (unsigned)summary->cpu : 0;
	vcpu.in_guest &= vcpu.loaded;
	state->from_cpu = vcpu.in_guest;
	add_general (&vcpu);
	add_common (&vcpu);
	if (state->as ? strcmp (state->as, "vmx") == 0 : kd_vcpu_x86_is_vmx (kernel))
		kd_vcpu_vmx_describe (&vcpu);
	else
		kd_vcpu_svm_describe (&vcpu);
	return TRUE;
}
