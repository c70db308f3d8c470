/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-types.h"

#include <bpf/btf.h>

typedef struct {
	struct btf *btf;
	int s32, u32, character, u8, s64, u64_base, boolean, u64, void_pointer;
	int list_head, color, flags, item;
} Types;

static int
pointer_to (Types *t, int type)
{
	return btf__add_ptr (t->btf, type);
}

static int
array_of (Types *t, int type, unsigned nr)
{
	return btf__add_array (t->btf, t->u32, type, nr);
}

static void
field (Types *t, const char *name, int type, unsigned bit_offset, unsigned bit_size)
{
	int err = btf__add_field (t->btf, name, type, bit_offset, bit_size);

	g_assert_cmpint (err, ==, 0);
}

static void
add_base (Types *t)
{
	t->s32 = btf__add_int (t->btf, "int", 4, BTF_INT_SIGNED);
	t->u32 = btf__add_int (t->btf, "unsigned int", 4, 0);
	t->character = btf__add_int (t->btf, "char", 1, 0);
	t->u8 = btf__add_int (t->btf, "unsigned char", 1, 0);
	t->s64 = btf__add_int (t->btf, "long int", 8, BTF_INT_SIGNED);
	t->u64_base = btf__add_int (t->btf, "long unsigned int", 8, 0);
	t->boolean = btf__add_int (t->btf, "_Bool", 1, BTF_INT_BOOL);
	btf__add_typedef (t->btf, "u128", btf__add_int (t->btf, "__int128 unsigned", 16, 0));
	t->u64 = btf__add_typedef (t->btf, "u64", t->u64_base);
	t->void_pointer = pointer_to (t, 0);
	t->color = btf__add_enum (t->btf, "color", 4);
	btf__add_enum_value (t->btf, "RED", 0);
	btf__add_enum_value (t->btf, "GREEN", 1);
	btf__add_enum_value (t->btf, "BLUE", 5);
	t->flags = btf__add_enum (t->btf, "flags", 4);
	btf__add_enum_value (t->btf, "F_A", 1);
	btf__add_enum_value (t->btf, "F_B", 2);
	btf__add_enum_value (t->btf, "F_C", 4);
	/* Its pointer is the type added next. */
	t->list_head = btf__add_struct (t->btf, "list_head", 16);
	field (t, "next", t->list_head + 1, 0, 0);
	field (t, "prev", t->list_head + 1, 64, 0);
	pointer_to (t, t->list_head);
}

static void
add_item (Types *t)
{
	int halves, both, callback, text;
	int name = array_of (t, t->character, 16), table = array_of (t, t->s32, 4);
	int raw = array_of (t, t->u8, 8);

	halves = btf__add_struct (t->btf, NULL, 8);
	field (t, "lo", t->u32, 0, 0);
	field (t, "hi", t->u32, 32, 0);
	both = btf__add_union (t->btf, NULL, 8);
	field (t, "whole", t->u64, 0, 0);
	field (t, NULL, halves, 0, 0);
	callback = btf__add_func_proto (t->btf, 0);
	btf__add_func_param (t->btf, "n", t->s32);
	callback = pointer_to (t, callback);
	text = pointer_to (t, btf__add_const (t->btf, t->character));

	t->item = btf__add_struct (t->btf, "item", 120);
	field (t, "name", name, 0, 0);
	field (t, "value", t->s32, 16 * 8, 0);
	field (t, "low", t->u32, 20 * 8, 3);
	field (t, "high", t->s32, 20 * 8 + 3, 5);
	field (t, "on", t->boolean, 24 * 8, 0);
	field (t, "color", t->color, 28 * 8, 0);
	field (t, "flags", t->flags, 32 * 8, 0);
	field (t, NULL, both, 40 * 8, 0);
	field (t, "next_item", t->item + 1, 48 * 8, 0);
	field (t, "link", t->list_head, 56 * 8, 0);
	field (t, "fn", callback, 72 * 8, 0);
	field (t, "label", text, 80 * 8, 0);
	field (t, "table", table, 88 * 8, 0);
	field (t, "raw", raw, 104 * 8, 0);
	field (t, "big", t->u64, 112 * 8, 0);
	pointer_to (t, t->item);
}

static void
add_containers (Types *t)
{
	int node, slots = array_of (t, t->void_pointer, 4), pad = array_of (t, t->character, 4092);

	node = btf__add_struct (t->btf, "rb_node", 24);
	field (t, "__rb_parent_color", t->u64_base, 0, 0);
	field (t, "rb_right", node + 1, 64, 0);
	field (t, "rb_left", node + 1, 128, 0);
	pointer_to (t, node);
	btf__add_struct (t->btf, "xarray", 16);
	field (t, "xa_flags", t->u32, 0, 0);
	field (t, "xa_head", t->void_pointer, 64, 0);
	btf__add_struct (t->btf, "xa_node", 40);
	field (t, "shift", t->u8, 0, 0);
	field (t, "slots", slots, 64, 0);
	btf__add_struct (t->btf, "page_wide", 4100);
	field (t, "first", t->s32, 0, 0);
	field (t, "pad", pad, 32, 0);
	field (t, "second", t->s32, 4096 * 8, 0);
}

typedef struct {
	const char *name;
	int type;
	unsigned at;
} Row;

static int
structure (Types *t, const char *name, unsigned size, unsigned nr, const Row *rows)
{
	int id = btf__add_struct (t->btf, name, size);

	for (unsigned i = 0; i < nr; i++)
		field (t, rows[i].name, rows[i].type, rows[i].at * 8, 0);
	return id;
}
#define STRUCTURE(t, name, size, ...)                                                              \
	structure (t, name, size, G_N_ELEMENTS (((const Row[]){__VA_ARGS__})),                     \
		(const Row[]){__VA_ARGS__})

/* What KVM keeps of a vCPU on x86, with the members its decoders look at. */
static void
add_svm (Types *t, int vcpu)
{
	int intercepts = array_of (t, t->u32, 5), control, save, vmcb, info, nested;

	btf__add_enum (t->btf, NULL, 4);
	btf__add_enum_value (t->btf, "INTERCEPT_CR0_READ", 0);
	btf__add_enum_value (t->btf, "INTERCEPT_EXCEPTION_OFFSET", 64);
	btf__add_enum_value (t->btf, "INTERCEPT_INTR", 96);
	btf__add_enum (t->btf, NULL, 4);
	btf__add_enum_value (t->btf, "VMCB_INTERCEPTS", 0);
	btf__add_enum_value (t->btf, "VMCB_ASID", 2);
	control = STRUCTURE (t, "vmcb_control_area", 88, {"intercepts", intercepts, 0},
		{"int_ctl", t->u32, 20}, {"exit_code", t->u32, 24}, {"event_inj", t->u32, 28},
		{"exit_info_1", t->u64, 32}, {"exit_info_2", t->u64, 40},
		{"exit_int_info", t->u32, 48}, {"clean", t->u32, 52}, {"nested_ctl", t->u64, 56},
		{"virt_ext", t->u64, 64}, {"tlb_ctl", t->u8, 72}, {"int_state", t->u32, 76},
		{"next_rip", t->u64, 80});
	save = STRUCTURE (t, "vmcb_save_area", 64, {"efer", t->u64, 0}, {"cr4", t->u64, 8},
		{"cr3", t->u64, 16}, {"cr0", t->u64, 24}, {"rflags", t->u64, 32},
		{"rip", t->u64, 40}, {"cpl", t->u8, 48}, {"dr6", t->u64, 56});
	vmcb = STRUCTURE (t, "vmcb", 152, {"control", control, 0}, {"save", save, 88});
	info = STRUCTURE (
		t, "kvm_vmcb_info", 16, {"ptr", pointer_to (t, vmcb), 0}, {"pa", t->u64, 8});
	nested = STRUCTURE (t, "svm_nested_state", 112, {"vmcb02", info, 0},
		{"vmcb12_gpa", t->u64, 16}, {"ctl", control, 24});
	STRUCTURE (t, "vcpu_svm", 152, {"vcpu", vcpu, 0}, {"vmcb", pointer_to (t, vmcb), 16},
		{"vmcb01", info, 24}, {"nested", nested, 40});
}

static void
add_vmx (Types *t, int vcpu)
{
	int vmcs12, loaded, nested, reason;

	vmcs12 =
		STRUCTURE (t, "vmcs12", 64, {"revision_id", t->u32, 0}, {"launch_state", t->u32, 8},
			{"vm_exit_reason", t->u32, 12}, {"exit_qualification", t->u64, 16},
			{"vm_exit_intr_info", t->u32, 24}, {"vm_entry_intr_info_field", t->u32, 28},
			{"guest_cr0", t->u64, 32}, {"guest_cr4", t->u64, 40},
			{"guest_rflags", t->u64, 48}, {"guest_ia32_efer", t->u64, 56});
	loaded = STRUCTURE (t, "loaded_vmcs", 16, {"vmcs", t->void_pointer, 0}, {"cpu", t->s32, 8},
		{"launched", t->boolean, 12});
	nested = STRUCTURE (t, "nested_vmx", 32, {"current_vmptr", t->u64, 0},
		{"cached_vmcs12", pointer_to (t, vmcs12), 8}, {"vmcs02", loaded, 16});
	reason = btf__add_union (t->btf, "vmx_exit_reason", 4);
	field (t, "full", t->u32, 0, 0);
	STRUCTURE (t, "vcpu_vmx", 96, {"vcpu", vcpu, 0}, {"exit_reason", reason, 16},
		{"idt_vectoring_info", t->u32, 20}, {"exit_qualification", t->u64, 24},
		{"rflags", t->u64, 32}, {"loaded_vmcs", pointer_to (t, loaded), 40},
		{"vmcs01", loaded, 48}, {"nested", nested, 64});
}

static void
add_symbols (Types *t)
{
	int prototype;

	btf__add_var (t->btf, "the_item", BTF_VAR_GLOBAL_ALLOCATED, t->item);
	btf__add_var (t->btf, "cpu_item", BTF_VAR_GLOBAL_ALLOCATED, t->item);
	btf__add_var (t->btf, "numbers", BTF_VAR_GLOBAL_ALLOCATED, array_of (t, t->s32, 40));
	btf__add_var (t->btf, "unsized", BTF_VAR_GLOBAL_EXTERN, array_of (t, t->character, 0));
	prototype = btf__add_func_proto (t->btf, t->s32);
	btf__add_func_param (t->btf, "n", t->s32);
	btf__add_func (t->btf, "do_thing", BTF_FUNC_GLOBAL, prototype);
}

GBytes *
fake_types_new (void)
{
	Types types = {.btf = btf__new_empty()};
	const void *raw;
	int vcpu;
	__u32 len;
	GBytes *bytes;

	add_base (&types);
	add_item (&types);
	add_containers (&types);
	vcpu = STRUCTURE (
		&types, "kvm_vcpu", 16, {"kvm", types.void_pointer, 0}, {"cpu", types.s32, 8});
	add_svm (&types, vcpu);
	add_vmx (&types, vcpu);
	add_symbols (&types);
	raw = btf__raw_data (types.btf, &len);
	g_assert_nonnull (raw);
	bytes = g_bytes_new (raw, len);
	btf__free (types.btf);
	return bytes;
}
