/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "kernel/containers.h"
#include "kvm/kvm-private.h"

/* x86 has 2 (the second for SMM). */
#define ADDRESS_SPACES_MAX 16

typedef struct {
	KdKernel *kernel;
	const KdType *type;
	const char *node_path;
	int as_id;
	KdMemslotFunc func;
	void *data;
	gboolean ended;
	GError *error;
} SlotContext;

static gboolean
give_slot (SlotContext *context, const KdObject *object)
{
	KdKernel *kernel = context->kernel;
	/* What npages counts: the host's page size. */
	unsigned page_shift = kd_kernel_regime (kernel)->page_shift;
	uint64_t gfn, nr_pages, hva, flags, id;
	KdMemslot slot;

	if (!kd_object_member_u64 (object, "base_gfn", &gfn, &context->error) ||
		!kd_object_member_u64 (object, "npages", &nr_pages, &context->error) ||
		!kd_object_member_u64 (object, "userspace_addr", &hva, &context->error) ||
		!kd_object_member_u64 (object, "flags", &flags, &context->error) ||
		!kd_object_member_u64 (object, "id", &id, &context->error)) {
		g_prefix_error (&context->error, "struct kvm_memory_slot at 0x%" PRIx64 ": ",
			object->addr.value);
		return FALSE;
	}
	slot = (KdMemslot){.id = (int)(int16_t)id,
		.as_id = context->as_id,
		.gpa = gfn << page_shift,
		.size = nr_pages << page_shift,
		.hva = hva,
		.flags = (uint32_t)flags};
	context->ended = !context->func (&slot, context->data);
	return !context->ended;
}

static gboolean
tree_node (uint64_t node, void *data)
{
	SlotContext *context = data;
	KdObject slot;

	return kd_object_container_of (context->kernel, node, "struct kvm_memory_slot",
		       context->node_path, &slot, &context->error) &&
	       give_slot (context, &slot);
}

/* 5.17, "KVM: Keep memslots in tree-based structures": which of two nodes a set uses, it says. */
static gboolean
slots_in_tree (const KdObject *slots, SlotContext *context, GError **error)
{
	g_autofree char *path = NULL;
	uint64_t node_idx;
	KdObject tree;

	if (!kd_object_member_u64 (slots, "node_idx", &node_idx, error) ||
		!kd_object_member (slots, "gfn_tree", &tree, error))
		return FALSE;
	if (node_idx > 1) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
			"struct kvm_memslots at 0x%" PRIx64 ": node_idx is %" PRIu64,
			slots->addr.value, node_idx);
		return FALSE;
	}
	path = g_strdup_printf ("gfn_node[%u]", (unsigned)node_idx);
	context->node_path = path;
	if (!kd_rbtree_foreach_node (
		    context->kernel, tree.addr.value, KD_MEMSLOTS_MAX, tree_node, context, error))
		return FALSE;
	if (!context->error)
		return TRUE;
	g_propagate_error (error, g_steal_pointer (&context->error));
	return FALSE;
}

/* Before: an array sorted by falling gfn, used_slots of it in use. */
static gboolean
slots_in_array (const KdObject *slots, SlotContext *context, GError **error)
{
	uint64_t used;

	if (!kd_object_member_u64 (slots, "used_slots", &used, error))
		return FALSE;
	for (uint64_t i = MIN ((uint32_t)used, KD_MEMSLOTS_MAX); i > 0 && !context->ended; i--) {
		g_autofree char *path = g_strdup_printf ("memslots[%" PRIu64 "]", i - 1);
		KdObject slot;

		if (!kd_object_member (slots, path, &slot, error))
			return FALSE;
		give_slot (context, &slot);
		if (context->error) {
			g_propagate_error (error, g_steal_pointer (&context->error));
			return FALSE;
		}
	}
	return TRUE;
}

gboolean
kd_vm_memslot_foreach (const KdObject *kvm, KdMemslotFunc func, void *data, GError **error)
{
	SlotContext context = {.kernel = kvm->kernel, .func = func, .data = data};
	KdObject sets;
	uint64_t nr_sets;

	if (!kd_object_member (kvm, "memslots", &sets, error))
		return FALSE;
	nr_sets = kd_type_nr_elements (kd_type_strip (sets.type));
	for (uint64_t i = 0; i < MIN (nr_sets, ADDRESS_SPACES_MAX) && !context.ended; i++) {
		KdObject pointer, slots;
		uint64_t address;

		/* The set in use; the other one of __memslots[] is being changed. */
		if (!kd_object_index (&sets, (int64_t)i, &pointer, error) ||
			!kd_object_u64 (&pointer, &address, error))
			return FALSE;
		if (address == 0)
			continue;
		context.as_id = (int)i;
		if (!kd_object_deref (&pointer, &slots, error))
			return FALSE;
		if (!(kd_object_has_member (&slots, "gfn_tree")
				    ? slots_in_tree (&slots, &context, error)
				    : slots_in_array (&slots, &context, error))) {
			g_prefix_error (error, "memory slots of address space %d: ", (int)i);
			return FALSE;
		}
	}
	return TRUE;
}

typedef struct {
	int vm;
	GArray *slots;
} AddContext;

static gboolean
add_slot (const KdMemslot *slot, void *data)
{
	AddContext *context = data;
	KdMemslot own = *slot;

	own.vm = context->vm;
	g_array_append_val (context->slots, own);
	return TRUE;
}

GArray *
kd_vm_memslots (KdKernel *kernel, const KdVm *vm, GError **ret_partial, GError **error)
{
	AddContext context = {vm->id, g_array_new (FALSE, TRUE, sizeof (KdMemslot))};
	GError *failed = NULL;
	KdObject kvm;

	if (kd_object_at_named (kernel, "struct kvm", vm->kvm, &kvm, &failed) &&
		kd_vm_memslot_foreach (&kvm, add_slot, &context, &failed))
		return context.slots;
	g_prefix_error (&failed, "VM %d: ", vm->id);
	if (context.slots->len > 0 && ret_partial) {
		*ret_partial = failed;
		return context.slots;
	}
	g_array_unref (context.slots);
	g_propagate_error (error, failed);
	return NULL;
}

char *
kd_memslot_flags_to_string (uint32_t flags)
{
	/* uapi/linux/kvm.h; the last is KVM's own mark of a slot that is going away. */
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{1u << 0, "LOG_DIRTY_PAGES"},
		{1u << 1, "READONLY"},
		{1u << 2, "GUEST_MEMFD"},
		{1u << 16, "INVALID"},
	};
	GString *text = g_string_new (NULL);

	for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
		if (!(flags & names[i].bit))
			continue;
		g_string_append_printf (text, "%s%s", text->len ? "|" : "", names[i].name);
		flags &= ~names[i].bit;
	}
	if (flags)
		g_string_append_printf (text, "%s0x%x", text->len ? "|" : "", flags);
	return g_string_free (text, FALSE);
}
