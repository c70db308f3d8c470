/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/x86-64.h"

#define START_KERNEL_MAP 0xffffffff80000000ULL /* page_64_types.h */
#define EFER_SVME (1ULL << 12)
#define CR4_VMXE (1ULL << 13)

/*
 * What the first gate of the IDT leads to: idtentry.h since 5.8, entry_64.S before, and head_64.S
 * while the kernel starts.
 */
/* kvm/svm/vmenter.S, kvm/vmx/vmenter.S. */
static const char *const guest_entry_symbols[] = {
	"__svm_vcpu_run", "__svm_sev_es_vcpu_run", "__vmx_vcpu_run", NULL};

static const char *const vector_symbols[] = {
	"asm_exc_divide_error", "divide_error", "early_idt_handler_array", NULL};

/* Where gate 0 leads: SDM 3A, figure 6-8. */
static gboolean
read_gate (const KdRegime *regime, uint64_t idt, KdPhysReadFunc read, void *data, uint64_t *ret_va)
{
	uint8_t gate[16];
	uint64_t va = 0;
	KdWalk walk;

	kd_x86_64_walk (regime, idt, read, data, &walk);
	if (walk.status != KD_WALK_MAPPED || !read (data, walk.pa, gate, sizeof gate, NULL) ||
		!(gate[5] & 0x80))
		return FALSE;
	for (unsigned i = 4; i-- > 0;)
		va = va << 8 | gate[8 + i];
	*ret_va = va << 32 | (uint64_t)gate[7] << 24 | (uint64_t)gate[6] << 16 | gate[1] << 8 |
		  gate[0];
	return TRUE;
}

static unsigned
vector_bases (KdRegGetFunc get, void *data, KdPhysReadFunc read, void *read_data,
	KdVectorBase ret_bases[KD_VECTOR_BASES_MAX])
{
	KdVectorBase base = {0};
	uint64_t idt;

	if (!get (data, KD_X86_64_IDT_BASE, &idt) ||
		!kd_arch_x86_64.regime (KD_REGIME_KERNEL, get, data, &base.regime) ||
		!read_gate (&base.regime, idt, read, read_data, &base.va))
		return 0;
	ret_bases[0] = base;
	return 1;
}

static unsigned
root_regimes (uint64_t root, KdRegime ret_regimes[KD_ROOT_REGIMES_MAX])
{
	static const unsigned va_bits[] = {48, 57};

	for (size_t i = 0; i < G_N_ELEMENTS (va_bits); i++)
		ret_regimes[i] = (KdRegime){.root = root,
			.va_bits = va_bits[i],
			.pa_bits = 52,
			.page_shift = 12,
			.upper = TRUE};
	return G_N_ELEMENTS (va_bits);
}

static KdRegime
user_regime (const KdRegime *kernel, uint64_t root)
{
	KdRegime regime = *kernel;

	regime.root = root;
	regime.upper = FALSE;
	return regime;
}

/* `phys_base` is how far the image lies above where its link addresses say. */
static uint64_t
virt_of_image (uint64_t phys_base, uint64_t pa)
{
	return pa - phys_base + START_KERNEL_MAP;
}

/*
 * A guest's registers look like any others. But VMRUN takes no guest without EFER.SVME (APM 2,
 * 15.5.1), and VMX none without CR4.VMXE (SDM 3C, 26.3.1.1).
 */
static gboolean
may_be_guest (KdRegGetFunc get, void *data)
{
	uint64_t efer, cr4;

	return (get (data, "efer", &efer) && (efer & EFER_SVME)) ||
	       (get (data, "cr4", &cr4) && (cr4 & CR4_VMXE));
}

const KdArchLinux kd_x86_64_linux = {
	.base_symbol = "_text",
	.end_symbol = "_end",
	.root_symbol = "init_top_pgt",
	.voffset_symbol = "phys_base",
	.image_align = 2 << 20, /* CONFIG_PHYSICAL_ALIGN's least */
	.vector_slots = 1,
	.vector_slot_size = 0,
	.vector_symbols = vector_symbols,
	.guest_entry_symbols = guest_entry_symbols,
	.vector_bases = vector_bases,
	.root_regimes = root_regimes,
	.user_regime = user_regime,
	.virt_of_image = virt_of_image,
	.may_be_guest = may_be_guest,
};
