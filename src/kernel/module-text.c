/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/module-text.h"

#include <string.h>

#include "kernel/module-private.h"
#include "kernel/patch-insn.h"

/* Of one section. */
#define CODE_MAX (64U << 20)

typedef struct {
	KdKernel *kernel;
	const GArray *placed;
	uint8_t *bytes;
	size_t len;
	uint64_t addr;   /* where they lie */
	KdPlaced percpu; /* not among `placed`: its variables are copied from there */
} Code;

/* Where the byte of the file's layout at `link` was loaded; a section's end is of it too. */
static gboolean
find_loaded (const GArray *all, uint64_t link, uint64_t *ret_addr)
{
	gboolean found = FALSE;

	for (guint i = 0; i < all->len; i++) {
		const KdPlaced *placed = &g_array_index (all, KdPlaced, i);

		if (link < placed->link || link - placed->link > placed->size)
			continue;
		*ret_addr = placed->addr + (link - placed->link);
		found = TRUE;
		if (link - placed->link < placed->size)
			return TRUE;
	}
	return found;
}

/* Where memory has a branch to code of the module's own that goes to `value`, that is taken. */
static void
take_veneer (const Code *code, uint64_t offset, uint64_t value)
{
	const KdArch *arch = code->kernel->arch;
	uint8_t bytes[KD_INSN_BYTES_MAX], veneer[KD_INSN_BYTES_MAX];
	size_t len = arch->insn_align;
	g_auto (KdPatchInsn) insn = {0};
	uint64_t target;

	if (!arch->veneer_target || len > sizeof bytes || len > code->len - offset ||
		!kd_kernel_read (
			code->kernel, kd_addr_kernel (code->addr + offset), bytes, len, NULL) ||
		!kd_patch_insn_init (&insn, arch, bytes, len, code->addr + offset) ||
		!(insn.is_call || insn.is_jump))
		return;
	if (!kd_kernel_read (
		    code->kernel, kd_addr_kernel (insn.target), veneer, sizeof veneer, NULL) ||
		!arch->veneer_target (veneer, sizeof veneer, insn.target, &target) ||
		target != value)
		return;
	memcpy (code->bytes + offset, bytes, len);
}

/* What cannot be written is left as the file has it, and so it is no longer what memory has. */
static void
relocate (const KdElfRelocation *relocation, void *data)
{
	const Code *code = data;
	uint64_t value = relocation->value;
	KdKernelSymbol symbol;

	if (relocation->offset >= code->len)
		return;
	if (relocation->is_undefined) {
		if (!kd_kernel_symbol (code->kernel, relocation->symbol, &symbol))
			return;
		value = symbol.addr;
	} else if (value - code->percpu.link < code->percpu.size)
		value += code->percpu.addr - code->percpu.link;
	else if (!relocation->is_absolute && !find_loaded (code->placed, value, &value))
		return;
	value += relocation->addend;
	if (!code->kernel->arch->relocate (relocation->type, code->bytes + relocation->offset,
		    code->len - (size_t)relocation->offset, code->addr + relocation->offset, value))
		take_veneer (code, relocation->offset, value);
}

gboolean
kd_module_code_ranges (KdModule *module, GArray *ranges, GError **error)
{
	const GArray *all = kd_module_placed (module, TRUE, error);

	if (!all)
		return FALSE;
	if (!module->kernel->arch->relocate) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_TYPE,
			"relocations of modules are not known for %s", module->kernel->arch->name);
		return FALSE;
	}
	for (guint i = 0; i < all->len; i++) {
		const KdPlaced *placed = &g_array_index (all, KdPlaced, i);
		const char *name = kd_image_section_name (module->image, placed->link);

		if (name && module->kernel->arch->veneer_sections &&
			g_strv_contains (module->kernel->arch->veneer_sections, name))
			continue;
		/* Freed when it was done. */
		if (name && !g_str_has_prefix (name, ".init") &&
			kd_image_section_is_code (module->image, placed->link)) {
			const KdModuleRange range = {placed->addr, placed->size};

			g_array_append_val (ranges, range);
		}
	}
	return TRUE;
}

uint8_t *
kd_module_code (KdModule *module, uint64_t start, size_t len, GError **error)
{
	const GArray *all = kd_module_placed (module, TRUE, error);
	g_autofree uint8_t *bytes = NULL;
	const KdPlaced *placed = NULL;
	const uint8_t *file;
	Code code;

	if (!all)
		return NULL;
	for (guint i = 0; i < all->len; i++) {
		placed = &g_array_index (all, KdPlaced, i);
		if (start >= placed->addr && start - placed->addr < placed->size)
			break;
		placed = NULL;
	}
	file = placed && placed->size <= CODE_MAX
		       ? kd_image_bytes (module->image, placed->link, (size_t)placed->size)
		       : NULL;
	if (!file || !module->kernel->arch->relocate ||
		len > placed->size - (start - placed->addr)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE,
			"no code that the file of %s has", module->name);
		return NULL;
	}
	bytes = g_malloc ((gsize)placed->size);
	memcpy (bytes, file, (size_t)placed->size);
	code = (Code){.kernel = module->kernel,
		.placed = all,
		.bytes = bytes,
		.len = (size_t)placed->size,
		.addr = placed->addr,
		.percpu = {.addr = module->percpu}};
	kd_image_section (module->image, ".data..percpu", &code.percpu.link, &code.percpu.size);
	kd_image_relocations_foreach (module->image, placed->link, relocate, &code);
	memmove (bytes, bytes + (start - placed->addr), len);
	return g_steal_pointer (&bytes);
}
