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

/*
 * TRUE: the kernel whose vectors the CPUs have is the one `image` is the file of, by its build-id.
 * Cheap: nothing is searched, so FALSE does not mean that there is no such kernel.
 */
gboolean kd_is_kernel_of (KdTarget *target, KdImage *image);

/*
 * Finds the kernel that has these symbols at these run-time addresses, in whose image a banner
 * stands where it must. Errors: KD_KERNEL_ERROR_NOT_FOUND (symbols are missing),
 * KD_KERNEL_ERROR_NO_KERNEL.
 */
#define KD_BANNER_COPY "linux_banner.copy" /* does instead of linux_banner */
typedef gboolean (*KdSymbolAddrFunc) (void *data, const char *name, uint64_t *ret_addr);
gboolean kd_find_kernel_by_symbols (KdTarget *target, KdSymbolAddrFunc func, void *data,
	KdKernelPlace *ret_place, GError **error);

/* A place a CPU has exception vectors at. */
typedef struct {
	uint64_t va, pa;
	gboolean is_kernel_va;
	KdRegime regime; /* what maps it there, with is_kernel_va */
} KdVectorPlace;

/*
 * TRUE: the byte at `va` is mapped, in one piece of physical memory with the vectors.
 * *ret_map_size: of the page or block there, or of the hole.
 */
gboolean kd_vector_maps (
	KdTarget *target, const KdVectorPlace *vector, uint64_t va, uint64_t *ret_map_size);

/* Each different one, until `func` says FALSE. */
typedef gboolean (*KdVectorFunc) (const KdVectorPlace *vector, void *data);
void kd_vectors_foreach (KdTarget *target, KdVectorFunc func, void *data);

/* The build-ids a kernel in this machine may have. The caller clears it. */
void kd_find_running_build_ids (KdTarget *target, KdMemoryNotes *ret_notes);
