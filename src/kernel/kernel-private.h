/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/find-kernel.h"
#include "kernel/kernel.h"

typedef struct KdKernelOrc KdKernelOrc;
typedef struct KdFtrace KdFtrace;         /* ftrace.c */
typedef struct KdPatchSites KdPatchSites; /* patch-sites.c */
typedef struct KdModules KdModules;       /* module.c */
typedef struct KdTaskTypes KdTaskTypes;   /* task.c: members of task_struct, found once */

struct KdKernel {
	KdTarget *target; /* borrowed */
	KdImage *image;
	const KdArch *arch;
	KdKernelPlace place;
	uint64_t link_base, link_end; /* of the image in its file */
	char *release;
	char **debug_dirs; /* for the modules' files */
	char *cache_dir;
	gboolean no_files;      /* nor the modules' */
	char *image_why;        /* no vmlinux was found: why; NULL: there is one */
	GPtrArray *extra_types; /* KdImage, of KdKernelOptions.types */
	char *build_id;
	char *file_build_id; /* NULL: the same */
	unsigned nr_cpus;
	uint64_t percpu_offsets; /* address of the array of offsets; 0: one CPU, no array */
	unsigned percpu_max;     /* elements of it */
	KdVmLocateFunc vm_locate;
	KdTaskTypes *task_types;
	KdModules *modules;        /* NULL: nothing asked for them yet */
	KdFtrace *ftrace;          /* NULL: nothing asked yet */
	KdPatchSites *patch_sites; /* the same */
	KdKernelOrc *orc;          /* kernel-orc.c: read when first asked for */
	struct {                   /* tables of the process last read from, true for one stop */
		gboolean valid;
		uint64_t generation;
		int pid;
		KdRegime regime;
	} user;
};

void kd_kernel_orc_free (KdKernelOrc *orc);
void kd_ftrace_free (KdFtrace *ftrace);
void kd_patch_sites_free (KdPatchSites *sites);
void kd_modules_free (KdModules *modules);
void kd_task_types_free (KdTaskTypes *types);
