/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/memory.h"

#include "kvm/kvm.h"

gboolean
kd_command_read (KdSession *session, KdAddr addr, void *buf, size_t len, GError **error)
{
	g_autofree char *space = NULL;

	if (session->kernel)
		return kd_kernel_read (session->kernel, addr, buf, len, error);
	switch (addr.space.kind) {
	case KD_SPACE_PHYS:
		return kd_target_read_phys (session->target, addr.value, buf, len, error);
	case KD_SPACE_KERNEL:
		return kd_target_read_cpu (session->target, kd_session_stopped_cpu (session),
			addr.value, buf, len, error);
	case KD_SPACE_CPU:
		return kd_target_read_cpu (
			session->target, (unsigned)addr.space.id, addr.value, buf, len, error);
	case KD_SPACE_USER:
	case KD_SPACE_HYP:
	case KD_SPACE_VM:
		break;
	}
	space = kd_space_to_string (addr.space);
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NEEDS_KERNEL,
		"the space %s: no kernel is known (attach with --vmlinux FILE)", space);
	return FALSE;
}

gboolean
kd_command_write_memory (
	KdSession *session, KdAddr addr, const void *buf, size_t len, GError **error)
{
	g_autofree char *space = NULL;

	if (session->kernel)
		return kd_kernel_write (session->kernel, addr, buf, len, error);
	if (addr.space.kind == KD_SPACE_PHYS)
		return kd_target_write_phys (session->target, addr.value, buf, len, error);
	space = kd_space_to_string (addr.space);
	g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NEEDS_KERNEL,
		"the space %s: no kernel is known, so only phys: is written (attach with --vmlinux "
		"FILE)",
		space);
	return FALSE;
}

gboolean
kd_command_is_hole (const GError *error)
{
	return g_error_matches (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT) ||
	       g_error_matches (error, KD_KVM_ERROR, KD_KVM_ERROR_NO_SLOT);
}
