/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz-toy.h"
#include "fuzz.h"
#include "kernel/patch-sites.h"

/* The tables of what the kernel may patch in itself, its tracer's pages and its probes. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	static const FuzzToyPiece pieces[] = {{"ftrace_pages_start", 0}, {"kprobe_table", 0},
		{"toy_ftrace_pages", 0}, {"toy_ftrace_records", 0}, {"toy_kprobes", 0},
		{"toy_jumps", 0}, {"toy_static_calls", 0}};
	const KdPatchSites *sites;
	uint64_t last = 0;

	fuzz_toy_place (pieces, G_N_ELEMENTS (pieces), data, size);
	sites = kd_kernel_patch_sites (fuzz_toy_kernel());
	for (unsigned i = 0; i < kd_patch_sites_nr (sites); i++) {
		const KdPatchSite *site = kd_patch_site (sites, i);
		int at;

		g_assert_cmphex (site->addr, >=, last);
		g_assert_cmpuint (site->len, >, 0);
		g_assert_cmpstr (kd_patch_kind_name (site->kind), !=, "?");
		at = kd_patch_sites_from (sites, site->addr);
		g_assert_cmpint (at, >=, 0);
		g_assert_cmpint (at, <=, (int)i);
		at = kd_patch_sites_next (sites, site->addr, 0);
		g_assert_cmpint (at, >=, 0);
		g_assert_cmpint (at, <=, (int)i);
		last = site->addr;
	}
	return 0;
}
