/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm64.h"

#define HCR_VM (1ULL << 0)
#define HCR_E2H (1ULL << 34)
#define SCTLR_M (1ULL << 0)

/* entry.S, hyp-entry.S, hyp-stub.S; __kvm_nvhe_ is the copy that runs at EL2 without VHE. */
static const char *const vector_symbols[] = {"vectors", "__kvm_hyp_vector", "__bp_harden_hyp_vecs",
	"__bp_harden_el1_vectors", "tramp_vectors", "__kvm_nvhe___kvm_hyp_host_vector",
	"__kvm_nvhe___kvm_hyp_vector", "__kvm_nvhe___bp_harden_hyp_vecs",
	"__kvm_nvhe___hyp_stub_vectors", "__hyp_stub_vectors", "__kvm_nvhe___kvm_hyp_init", NULL};

/* hyp/entry.S, of VHE and of nVHE. */
static const char *const guest_entry_symbols[] = {
	"__guest_enter", "__kvm_nvhe___guest_enter", NULL};

static gboolean
is_upper (uint64_t va)
{
	return (va >> 55) & 1;
}

static unsigned
vector_bases (KdRegGetFunc get, void *data, KdPhysReadFunc read, void *read_data,
	KdVectorBase ret_bases[KD_VECTOR_BASES_MAX])
{
	uint64_t hcr = 0, vbar, sctlr, tcr, ttbr;
	unsigned nr = 0;
	gboolean e2h;

	if (get (data, "HCR_EL2", &hcr) && get (data, "VBAR_EL2", &vbar) && vbar &&
		get (data, "SCTLR_EL2", &sctlr) && get (data, "TCR_EL2", &tcr)) {
		KdVectorBase *base = &ret_bases[nr];
		gboolean upper;

		e2h = (hcr & HCR_E2H) != 0;
		upper = e2h && is_upper (vbar);
		*base = (KdVectorBase){.va = vbar, .is_phys = !(sctlr & SCTLR_M)};
		if (base->is_phys ||
			(get (data, upper ? "TTBR1_EL2" : "TTBR0_EL2", &ttbr) &&
				kd_arm64_regime_from_tcr (ttbr, tcr, upper, !e2h, &base->regime)))
			nr++;
	}
	/* EL1's are a guest's under VHE, and while a guest is loaded. */
	if (!(hcr & (HCR_E2H | HCR_VM)) && get (data, "VBAR_EL1", &vbar) && vbar &&
		get (data, "SCTLR_EL1", &sctlr) && get (data, "TCR_EL1", &tcr)) {
		KdVectorBase *base = &ret_bases[nr];
		gboolean upper = is_upper (vbar);

		*base = (KdVectorBase){.va = vbar, .is_phys = !(sctlr & SCTLR_M)};
		if (base->is_phys ||
			(get (data, upper ? "TTBR1_EL1" : "TTBR0_EL1", &ttbr) &&
				kd_arm64_regime_from_tcr (ttbr, tcr, upper, FALSE, &base->regime)))
			nr++;
	}
	return nr;
}

static unsigned
root_regimes (uint64_t root, KdRegime ret_regimes[KD_ROOT_REGIMES_MAX])
{
	/* Kconfig, ARM64_VA_BITS. `root_offset`: tables made for 52 bits that 48 are used of
	 * (assembler.h, offset_ttbr1). */
	static const struct {
		uint16_t page_shift, va_bits, pa_bits, lpa2, root_offset;
	} formats[] = {
		{12, 48, 48, 0, 0},
		{12, 39, 48, 0, 0},
		{16, 48, 52, 0, 0x1e00},
		{16, 48, 52, 0, 0},
		{16, 52, 52, 0, 0},
		{16, 42, 52, 0, 0},
		{14, 48, 48, 0, 0},
		{14, 47, 48, 0, 0},
		{14, 36, 48, 0, 0},
		{12, 52, 52, 1, 0},
		{12, 48, 52, 1, 0},
		{14, 52, 52, 1, 0},
		{14, 48, 52, 1, 0},
		{14, 47, 52, 1, 0},
	};
	G_STATIC_ASSERT (G_N_ELEMENTS (formats) <= KD_ROOT_REGIMES_MAX);

	for (size_t i = 0; i < G_N_ELEMENTS (formats); i++)
		ret_regimes[i] = (KdRegime){.root = root + formats[i].root_offset,
			.va_bits = formats[i].va_bits,
			.pa_bits = formats[i].pa_bits,
			.page_shift = formats[i].page_shift,
			.upper = TRUE,
			.flags = formats[i].lpa2 ? KD_ARM64_REGIME_LPA2 : 0};
	return G_N_ELEMENTS (formats);
}

static KdRegime
user_regime (const KdRegime *kernel, uint64_t root)
{
	KdRegime regime = *kernel;

	regime.root = root;
	regime.upper = FALSE;
	regime.tbi = 8; /* TCR_TBI0 is always on: arch/arm64/mm/proc.S */
	return regime;
}

/* kimage_voffset is the virtual minus the physical address. */
static uint64_t
virt_of_image (uint64_t voffset, uint64_t pa)
{
	return voffset + pa;
}

const KdArchLinux kd_arm64_linux = {
	.base_symbol = "_text",
	.end_symbol = "_end",
	.root_symbol = "swapper_pg_dir",
	.voffset_symbol = "kimage_voffset",
	.image_align = 64 << 10,
	.image_magic = "ARM\x64", /* Documentation/arm64/booting.rst */
	.image_magic_offset = 56,
	.load_align = 2 << 20, /* the same, since 5.8 with no offset */
	.vector_slots = 4,
	.vector_slot_size = 2048,
	.vector_symbols = vector_symbols,
	.guest_entry_symbols = guest_entry_symbols,
	.trampoline_start = "__entry_tramp_text_start",
	.trampoline_end = "__entry_tramp_text_end",
	.vector_bases = vector_bases,
	.virt_of_image = virt_of_image,
	.root_regimes = root_regimes,
	.user_regime = user_regime,
};
