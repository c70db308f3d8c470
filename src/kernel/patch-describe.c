/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "kernel/containers.h"
#include "kernel/ftrace.h"
#include "kernel/kernel-private.h"
#include "kernel/object.h"
#include "kernel/patch-check.h"

/* The bits above it say how the record is meant (negated, a direct call). */
#define FEATURE_MASK 0x7fff
#define FEATURE_NAME_MAX 80
/* Probes at one place. */
#define LISTED_MAX 64

static char *
describe_ftrace (KdKernel *kernel, const KdPatchSite *site)
{
	g_autoptr (GString) out = g_string_new ("calls ");
	const GArray *all = kd_ftrace_ops (kernel, NULL);
	uint64_t ip = site->addr + kernel->arch->ftrace_before;
	g_autofree char *name = NULL;
	uint64_t call, origin;
	const char *between = ", for ";

	if (!kd_patch_ftrace_call (kernel, site, &call))
		return g_strdup ("off");
	name = kd_kernel_symbolize (
		kernel, kd_ftrace_origin (kernel, call, &origin) ? origin : call);
	g_string_append (out, name);
	for (guint i = 0; i < all->len; i++) {
		const KdFtraceOps *ops = &g_array_index (all, KdFtraceOps, i);
		g_autofree char *ops_name = NULL, *func = NULL;

		if (!kd_ftrace_wants (ops, ip))
			continue;
		ops_name = kd_kernel_symbolize (kernel, ops->addr);
		func = kd_kernel_symbolize (kernel, ops->func);
		g_string_append_printf (out, "%s%s (%s)", between, ops_name, func);
		between = ", ";
	}
	return g_string_free (g_steal_pointer (&out), FALSE);
}

static char *
describe_ops (KdKernel *kernel, const KdPatchSite *site)
{
	uint64_t ops;

	return kd_kernel_read_ptr (kernel, site->addr, &ops, NULL)
		       ? kd_kernel_symbolize (kernel, ops)
		       : NULL;
}

/* include/linux/jump_label.h: static_key_count() > 0 */
static char *
describe_jump (KdKernel *kernel, const KdPatchSite *site)
{
	g_autofree char *name = kd_kernel_symbolize (kernel, site->value);
	g_autofree char *target = kd_kernel_symbolize (kernel, site->target);
	const char *state = "not readable";
	KdObject key, member;
	int64_t count;

	if (kd_object_at_named (kernel, "struct static_key", site->value, &key, NULL) &&
		kd_object_member (&key, "enabled.counter", &member, NULL) &&
		kd_object_i64 (&member, &count, NULL))
		state = count != 0 ? "on" : "off";
	return g_strdup_printf (
		"%s is %s; %s it to %s", name, state, site->is_branch ? "without" : "with", target);
}

static char *
describe_call (KdKernel *kernel, const KdPatchSite *site)
{
	g_autofree char *name = kd_kernel_symbolize (kernel, site->value), *func_name = NULL;
	uint64_t func;
	KdObject key;

	if (!kd_object_at_named (kernel, "struct static_call_key", site->value, &key, NULL) ||
		!kd_object_member_u64 (&key, "func", &func, NULL))
		return g_steal_pointer (&name);
	func_name = func ? kd_kernel_symbolize (kernel, func) : g_strdup ("nothing");
	return g_strdup_printf ("%s, now %s", name, func_name);
}

/* "37, Virtualization Host Extensions": what the kernel itself calls it, if it does. */
static char *
feature_of (KdKernel *kernel, const KdPatchSite *site)
{
	const KdFeatureNames *names = kernel->arch->feature_names;
	uint64_t feature = site->value & FEATURE_MASK, addr;
	g_autofree char *name = NULL;
	KdKernelSymbol table;
	KdObject record;

	for (; names && names->symbol && !name; names++) {
		if (!kd_kernel_symbol (kernel, names->symbol, &table) ||
			feature >= table.size / kernel->arch->pointer_size ||
			!kd_kernel_read_ptr (kernel,
				table.addr + feature * kernel->arch->pointer_size, &addr, NULL) ||
			!addr)
			continue;
		if (names->type &&
			(!kd_object_at_named (kernel, names->type, addr, &record, NULL) ||
				!kd_object_member_u64 (&record, names->member, &addr, NULL)))
			continue;
		name = addr ? kd_kernel_read_cstring (kernel, addr, FEATURE_NAME_MAX, NULL) : NULL;
	}
	return name ? g_strdup_printf ("%" PRIu64 ", %s", feature, name)
		    : g_strdup_printf ("%" PRIu64, feature);
}

/* Whether its code is there now. */
static char *
describe_alternative (KdKernel *kernel, const KdPatchSite *site)
{
	g_autofree char *feature = feature_of (kernel, site), *words = NULL;
	g_autofree uint8_t *now = g_malloc0 (site->len);
	const char *state = "";
	const uint8_t *file;
	uint64_t link;

	if (!kernel->image_why && kd_kernel_link_addr (kernel, site->addr, &link) &&
		(file = kd_image_bytes (kernel->image, link, site->len)) &&
		kd_kernel_read (kernel, kd_addr_kernel (site->addr), now, site->len, NULL) &&
		kd_patch_site_allows (kernel,
			&(KdPatchBytes){.site = site, .now = now, .file = file, .len = site->len},
			&words))
		state = g_strcmp0 (words, "not chosen") == 0 ? ": not chosen" : ": chosen";
	return g_strdup_printf ("feature %s%s", feature, state);
}

static char *
describe_callback (KdKernel *kernel, const KdPatchSite *site)
{
	g_autofree char *name = kd_kernel_symbolize (kernel, site->target);
	g_autofree char *feature = feature_of (kernel, site);

	return g_strdup_printf ("%s, feature %s", name, feature);
}

static void
add_handler (KdKernel *kernel, const KdObject *probe, GString *out)
{
	g_autofree char *handler = NULL;
	uint64_t addr;

	if (!kd_object_member_u64 (probe, "pre_handler", &addr, NULL) || !addr)
		return;
	handler = kd_kernel_symbolize (kernel, addr);
	g_string_append_printf (out, "%s%s", out->len ? ", " : "calls ", handler);
}

static gboolean
add_listed (const KdObject *probe, void *data)
{
	add_handler (probe->kernel, probe, data);
	return TRUE;
}

/* One that stands for several, or is optimized, has them in its list (kernel/kprobes.c). */
static char *
describe_probe (KdKernel *kernel, const KdPatchSite *site)
{
	g_autoptr (GString) out = g_string_new (NULL);
	KdObject probe, list;

	if (!kd_object_at_named (kernel, "struct kprobe", site->target, &probe, NULL))
		return NULL;
	if (kd_object_member (&probe, "list", &list, NULL))
		kd_object_list_foreach (kernel, list.addr.value, "struct kprobe", "list",
			LISTED_MAX, add_listed, out, NULL);
	if (!out->len)
		add_handler (kernel, &probe, out);
	return out->len ? g_string_free (g_steal_pointer (&out), FALSE) : NULL;
}

char *
kd_patch_site_describe (KdKernel *kernel, const KdPatchSite *site)
{
	switch ((KdPatchKind)site->kind) {
	case KD_PATCH_FTRACE:
		return describe_ftrace (kernel, site);
	case KD_PATCH_FTRACE_OPS:
		return describe_ops (kernel, site);
	case KD_PATCH_JUMP_LABEL:
		return describe_jump (kernel, site);
	case KD_PATCH_ALTERNATIVE:
		return describe_alternative (kernel, site);
	case KD_PATCH_STATIC_CALL:
		return describe_call (kernel, site);
	case KD_PATCH_KPROBE:
		return describe_probe (kernel, site);
	case KD_PATCH_CALLBACK:
		return describe_callback (kernel, site);
	case KD_PATCH_CONST:
		return kd_kernel_symbolize (kernel, site->target);
	default:
		return NULL;
	}
}
