/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "kvm/kvm-private.h"

/* Of hostile types: what is read of one structure. */
#define STATS_MAX 1024
#define DEPTH_MAX 4

typedef struct {
	const KdObject *stat; /* struct kvm_vm_stat or kvm_vcpu_stat */
	KdStatFunc func;
	void *data;
	unsigned nr;
	gboolean ended;
} StatsContext;

static gboolean
is_number (const KdType *type)
{
	KdTypeKind kind = kd_type_kind (type);

	return kind == KD_TYPE_INT || kind == KD_TYPE_BOOL || kind == KD_TYPE_CHAR ||
	       kind == KD_TYPE_ENUM;
}

static gboolean
give_number (StatsContext *context, const char *name, const char *path, GError **error)
{
	KdStat stat = {.name = name, .nr_values = 1};

	if (!kd_object_member_u64 (context->stat, path, &stat.values[0], error))
		return FALSE;
	context->ended = !context->func (&stat, context->data);
	return TRUE;
}

static gboolean
give_array (StatsContext *context, const char *name, const char *path, GError **error)
{
	KdStat stat = {.name = name, .is_histogram = TRUE};
	KdObject array;

	if (!kd_object_member (context->stat, path, &array, error))
		return FALSE;
	stat.nr_values = (unsigned)MIN (
		kd_type_nr_elements (kd_type_strip (array.type)), KD_STAT_VALUES_MAX);
	for (unsigned i = 0; i < stat.nr_values; i++) {
		KdObject element;

		if (!kd_object_index (&array, i, &element, error) ||
			!kd_object_u64 (&element, &stat.values[i], error))
			return FALSE;
	}
	context->ended = !context->func (&stat, context->data);
	return TRUE;
}

/* `prefix` is the path from the structure to `type`, with its point; "" or "generic.". */
static gboolean
give_members (StatsContext *context, const KdType *type, const char *prefix, unsigned depth,
	GError **error)
{
	unsigned nr = 0;
	const KdMember *members = kd_type_members (type, &nr);

	for (unsigned i = 0; i < nr && !context->ended && context->nr < STATS_MAX; i++) {
		const KdType *member = kd_type_strip (members[i].type);
		KdTypeKind kind = kd_type_kind (member);
		gboolean is_named = members[i].name && *members[i].name;
		g_autofree char *path = g_strconcat (prefix, is_named ? members[i].name : "", NULL);
		g_autofree char *counter = g_strconcat (path, ".counter", NULL);
		gboolean done = TRUE;

		context->nr++;
		if (kind == KD_TYPE_STRUCT || kind == KD_TYPE_UNION) {
			g_autofree char *inner = g_strconcat (path, ".", NULL);

			/* atomic64_t */
			if (is_named && kd_object_has_member (context->stat, counter))
				done = give_number (context, members[i].name, counter, error);
			else if (depth < DEPTH_MAX)
				done = give_members (context, member, is_named ? inner : prefix,
					depth + 1, error);
		} else if (is_named && is_number (member)) {
			done = give_number (context, members[i].name, path, error);
		} else if (is_named && kind == KD_TYPE_ARRAY &&
			   is_number (kd_type_strip (kd_type_target (member)))) {
			done = give_array (context, members[i].name, path, error);
		}
		if (!done)
			return FALSE;
	}
	return TRUE;
}

static gboolean
stats_foreach (const KdObject *holder, KdStatFunc func, void *data, GError **error)
{
	StatsContext context = {.func = func, .data = data};
	KdObject stat;

	if (!kd_object_member (holder, "stat", &stat, error))
		return FALSE;
	context.stat = &stat;
	return give_members (&context, kd_type_strip (stat.type), "", 0, error);
}

gboolean
kd_vm_stats_foreach (KdKernel *kernel, const KdVm *vm, KdStatFunc func, void *data, GError **error)
{
	KdObject kvm;

	return kd_object_at_named (kernel, "struct kvm", vm->kvm, &kvm, error) &&
	       stats_foreach (&kvm, func, data, error);
}

gboolean
kd_vcpu_stats_foreach (
	KdKernel *kernel, const KdVcpu *vcpu, KdStatFunc func, void *data, GError **error)
{
	KdObject object;

	return kd_object_at_named (kernel, "struct kvm_vcpu", vcpu->kvm_vcpu, &object, error) &&
	       stats_foreach (&object, func, data, error);
}
