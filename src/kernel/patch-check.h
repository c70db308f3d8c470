/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/patch-sites.h"

/* What memory has at a patch site. */
typedef struct {
	const KdPatchSite *site;
	const uint8_t *now, *file; /* `len` bytes from site->addr on; relocated, the file's */
	size_t len;                /* at least the site's */
} KdPatchBytes;

/*
 * TRUE: it is something that the kernel puts at such a site; *ret_words (new string) is set to
 * what, as far as that says more than the site's kind.
 */
gboolean kd_patch_site_allows (KdKernel *kernel, const KdPatchBytes *bytes, char **ret_words);
/*
 * TRUE: the FTRACE site has a call now, of *ret_target. Reads memory.
 */
gboolean kd_patch_ftrace_call (KdKernel *kernel, const KdPatchSite *site, uint64_t *ret_target);
/*
 * How the site stands, for a listing: "sched_smt_present is off, else to schedule+0x40"; new
 * string, NULL where its kind says all.
 */
char *kd_patch_site_describe (KdKernel *kernel, const KdPatchSite *site);
