/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/target-private.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"

G_DEFINE_QUARK (kd - target - error - quark, kd_target_error)

const KdArch *
kd_target_arch (const KdTarget *target)
{
	return target->arch;
}

KdTargetState
kd_target_state (const KdTarget *target)
{
	return target->rsp && kd_rsp_link_is_closed (target->rsp) ? KD_TARGET_LOST : target->state;
}

const char *
kd_target_lost_why (const KdTarget *target)
{
	return target->rsp && kd_rsp_link_is_closed (target->rsp)
		       ? kd_rsp_link_why_closed (target->rsp)
		       : "QEMU has ended";
}

unsigned
kd_target_nr_cpus (const KdTarget *target)
{
	return target->threads->len;
}

uint64_t
kd_target_generation (const KdTarget *target)
{
	return target->generation;
}

uint64_t
kd_target_memory_generation (const KdTarget *target)
{
	return target->generation + target->nr_writes;
}

const KdStop *
kd_target_last_stop (const KdTarget *target)
{
	return target->state == KD_TARGET_STOPPED ? &target->stop : NULL;
}

const char *
kd_target_cleaned_up (const KdTarget *target)
{
	return target->cleaned_up;
}

void
kd_target_set_cancellable (KdTarget *target, GCancellable *cancellable)
{
	g_set_object (&target->cancellable, cancellable);
	if (target->nr_cancel_blocks == 0)
		kd_rsp_link_set_cancellable (target->rsp, cancellable);
	if (target->qmp)
		kd_qmp_link_set_cancellable (target->qmp, cancellable);
}

gboolean
kd_target_is_given_up (const KdTarget *target)
{
	return target->rsp && kd_rsp_link_is_given_up (target->rsp);
}

void
kd_target_begin (KdTarget *target, unsigned timeout_ms)
{
	kd_silence_begin (&target->silence, timeout_ms ? timeout_ms : KD_TARGET_TIMEOUT_MS, FALSE);
}

GCancellable *
kd_target_cancellable (const KdTarget *target)
{
	return target->cancellable;
}

KdQemuInfo
kd_target_qemu_info (const KdTarget *target)
{
	return (KdQemuInfo){.version = target->version,
		.pid = target->pid,
		.accel = target->accel,
		.qmp = target->has_qmp ? target->qmp_address : NULL,
		.qmp_why = target->has_qmp ? NULL : target->qmp_why,
		.stub = target->stub};
}

char *
kd_target_hmp (KdTarget *target, const char *command, GError **error)
{
	if (target->has_qmp) {
		GError *why = NULL;
		KdQmpLink *qmp = kd_target_qmp_get (target, &why);
		char *text = qmp ? kd_qmp_link_hmp (qmp, command, &why) : NULL;

		kd_target_qmp_release (target);
		if (text || target->has_qmp) {
			if (why)
				g_propagate_error (error, why);
			return text;
		}
		g_clear_error (&why);
	}
	if (!kd_target_check_stopped (target, error))
		return NULL;
	return kd_rsp_link_monitor (target->rsp, command, error);
}

/* --- a dump --- */

#define DUMP_POLL_US (50 * 1000)

/* TRUE: it has ended, well or with an error. */
static gboolean
dump_ended (KdQmpLink *qmp, GError **error)
{
	g_autoptr (JsonNode) reply = kd_qmp_link_call (qmp, "query-dump", NULL, error);
	const char *status = NULL;

	if (!reply || !kd_json_get_string (
			      kd_json_node_object (reply, NULL), "status", TRUE, &status, error))
		return TRUE;
	if (strcmp (status, "failed") == 0)
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_REMOTE,
			"QEMU could not write it (is there room?)");
	return strcmp (status, "active") != 0;
}

gboolean
kd_target_dump (KdTarget *target, const char *path, const char *format, GError **error)
{
	g_autofree char *protocol = g_strconcat ("file:", path, NULL);
	KdQmpLink *qmp = kd_target_qmp_get (target, error);
	JsonObject *args = json_object_new();
	g_autoptr (JsonNode) reply = NULL;
	GError *why = NULL;

	kd_json_set_bool (args, "paging", FALSE);
	/* In the background: asked in between, it can be cancelled here and needs no time limit. */
	kd_json_set_bool (args, "detach", TRUE);
	kd_json_set_string (args, "protocol", protocol);
	kd_json_set_string (args, "format", format);
	if (qmp)
		reply = kd_qmp_link_call (qmp, "dump-guest-memory", args, &why);
	else
		json_object_unref (args);
	while (reply && !dump_ended (qmp, &why) &&
		!g_cancellable_set_error_if_cancelled (target->cancellable, &why))
		g_usleep (DUMP_POLL_US);
	kd_target_qmp_release (target);
	if (why)
		g_propagate_error (error, why);
	return reply && !why;
}

/* --- what a CPU is at --- */

gboolean
kd_target_cpu_reg (void *target_cpu, const char *name, uint64_t *ret_value)
{
	const KdTargetCpu *regs = target_cpu;

	return kd_target_reg_get (regs->target, regs->cpu, name, ret_value, NULL);
}

gboolean
kd_target_cpu_reg_more (void *target_cpu, const char *name, uint64_t *ret_value)
{
	const KdTargetCpu *regs = target_cpu;
	KdTarget *target = regs->target;

	if (kd_target_cpu_reg (target_cpu, name, ret_value))
		return TRUE;
	if (!target->arch->monitor_reg)
		return FALSE;
	if (!target->monitor_regs)
		target->monitor_regs = kd_target_hmp (target, target->arch->monitor_command, NULL);
	if (!target->monitor_regs)
		target->monitor_regs = g_strdup ("");
	return target->arch->monitor_reg (target->monitor_regs, regs->cpu, name, ret_value);
}

KdCpuState
kd_target_cpu_state (KdTarget *target, unsigned cpu)
{
	KdTargetCpu regs = {target, cpu};

	if (target->state != KD_TARGET_STOPPED || cpu >= target->threads->len)
		return (KdCpuState){KD_CPU_MODE_UNKNOWN, -1, "unknown"};
	return target->arch->cpu_state (kd_target_cpu_reg, &regs);
}

gboolean
kd_target_cpu_regime (
	KdTarget *target, unsigned cpu, KdRegimeKind kind, KdRegime *ret_regime, GError **error)
{
	KdTargetCpu regs = {target, cpu};

	if (!kd_target_check_stopped (target, error))
		return FALSE;
	if (target->arch->regime (kind, kd_target_cpu_reg, &regs, ret_regime))
		return TRUE;
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND,
		"CPU %u has no such translation regime at this moment", cpu);
	return FALSE;
}

/* --- virtual memory --- */

gboolean
kd_target_phys_read_func (void *target, uint64_t pa, void *buf, size_t len, GError **error)
{
	return kd_target_read_phys (target, pa, buf, len, error);
}

void
kd_target_walk (KdTarget *target, const KdRegime *regime, uint64_t va, KdWalk *ret_walk)
{
	target->arch->walk (regime, va, kd_target_phys_read_func, target, ret_walk);
}

static gboolean
set_fault (uint64_t va, const KdWalk *walk, GError **error)
{
	const KdWalkLevel *last = walk->nr_levels ? &walk->levels[walk->nr_levels - 1] : NULL;

	switch (walk->status) {
	case KD_WALK_UNREADABLE:
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT,
			"0x%" PRIx64 " is not mapped: the %s table at 0x%" PRIx64
			" lies where no memory is",
			va, last->name, last->table);
		break;
	case KD_WALK_NONCANONICAL:
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT,
			"0x%" PRIx64 " is not mapped: outside the addresses these tables translate",
			va);
		break;
	default:
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT,
			"0x%" PRIx64 " is not mapped: the walk ended at %s, entry 0x%" PRIx64 "%s",
			va, last ? last->name : "its start", last ? last->entry : 0,
			walk->status == KD_WALK_RESERVED ? " (reserved)" : "");
		break;
	}
	return FALSE;
}

/*
 * Physical address of `va`, and how many bytes from there are contiguous. Translations are kept for
 * one stop; a running machine's are not.
 */
static gboolean
translate (KdTarget *target, const KdRegime *regime, uint64_t va, uint64_t *ret_pa,
	uint64_t *ret_extent, GError **error)
{
	const uint64_t offset_mask = (1ULL << regime->page_shift) - 1;
	const uint64_t page = va & ~offset_mask;
	KdTlbEntry *entry =
		&target->tlb[((va >> regime->page_shift) ^ (regime->root >> 12)) % KD_TLB_SIZE];
	gboolean keep = target->state != KD_TARGET_RUNNING;
	KdWalk walk;

	if (keep && entry->va == page && entry->root == regime->root &&
		entry->upper == regime->upper) {
		*ret_pa = entry->pa | (va & offset_mask);
		*ret_extent = offset_mask + 1 - (va & offset_mask);
		return TRUE;
	}
	kd_target_walk (target, regime, va, &walk);
	if (walk.status != KD_WALK_MAPPED)
		return set_fault (va, &walk, error);
	if (keep)
		*entry = (KdTlbEntry){.root = regime->root,
			.va = page,
			.pa = walk.pa & ~offset_mask,
			.upper = regime->upper};
	*ret_pa = walk.pa;
	*ret_extent = walk.map_size - (va & (walk.map_size - 1));
	return TRUE;
}

gboolean
kd_target_read_virt (KdTarget *target, const KdRegime *regime, uint64_t va, void *buf, size_t len,
	GError **error)
{
	uint8_t *bytes = buf;

	while (len) {
		uint64_t pa, extent;
		size_t part;

		if (!translate (target, regime, va, &pa, &extent, error))
			return FALSE;
		part = (size_t)MIN (len, extent);
		if (!kd_target_read_phys (target, pa, bytes, part, error)) {
			g_prefix_error (error, "0x%" PRIx64 ": ", va);
			return FALSE;
		}
		va += part;
		bytes += part;
		len -= part;
	}
	return TRUE;
}

gboolean
kd_target_write_virt (KdTarget *target, const KdRegime *regime, uint64_t va, const void *buf,
	size_t len, GError **error)
{
	const uint8_t *bytes = buf;
	uint64_t pa, extent;

	for (size_t done = 0; done < len; done += (size_t)MIN (len - done, extent))
		if (!translate (target, regime, va + done, &pa, &extent, error))
			return FALSE;
	for (size_t done = 0; done < len;) {
		size_t part;

		if (!translate (target, regime, va + done, &pa, &extent, error))
			return FALSE;
		part = (size_t)MIN (len - done, extent);
		if (!kd_target_write_phys (target, pa, bytes + done, part, error))
			return FALSE;
		done += part;
	}
	return TRUE;
}
