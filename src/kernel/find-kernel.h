/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "image/image.h"
#include "kernel/find-build-id.h"

/* Where a kernel lies. */
typedef struct {
	uint64_t phys_base; /* of the image's first byte */
	uint64_t virt_base;
	KdRegime regime;             /* its own tables */
	uint8_t id[KD_BUILD_ID_MAX]; /* build-id as in memory; empty where that is not the file's */
	size_t id_len;
} KdKernelPlace;

/*
 * Finds the kernel that `image` is the file of. First from the CPUs' exception vectors, whatever
 * the CPUs are doing; then by its build-id in memory. With `force` a kernel it is not the file of,
 * by where the image that holds the vectors is mapped. Errors: KD_KERNEL_ERROR_MISMATCH (both
 * build-ids are named), KD_KERNEL_ERROR_NO_KERNEL.
 */
gboolean kd_find_kernel (
	KdTarget *target, KdImage *image, gboolean force, KdKernelPlace *ret_place, GError **error);

/* The build-ids a kernel in this machine may have. The caller clears it. */
void kd_find_running_build_ids (KdTarget *target, KdMemoryNotes *ret_notes);
