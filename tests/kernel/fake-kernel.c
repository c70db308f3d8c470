/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-kernel.h"

#include <inttypes.h>
#include <string.h>

#include "fake-types.h"
#include "kernel/module.h"

typedef struct {
	uint64_t addr;
	size_t len;
	uint8_t *bytes;
} Region;

struct KdKernel {
	KdImage *image;
	GArray *regions;
};

static const KdKernelSymbol symbols[] = {
	{"the_item", FAKE_ITEM, 120, 'D', NULL},
	{"numbers", FAKE_NUMBERS, 160, 'D', NULL},
	{"cpu_item", FAKE_PERCPU, 120, 'D', NULL},
	{"__per_cpu_start", FAKE_PERCPU, 0, 'D', NULL},
	{"__per_cpu_end", FAKE_PERCPU + 0x100, 0, 'D', NULL},
	{"unsized", FAKE_ITEM + 0x200, 8, 'D', NULL},
	{"untyped", FAKE_UNTYPED, 8, 'D', NULL},
	{"do_thing", FAKE_FUNCTION, 64, 'T', NULL},
	{"do_thing.isra.0", FAKE_FUNCTION + 0x100, 64, 't', NULL},
};

/* --- the test's side --- */

static void
region_clear (gpointer data)
{
	g_free (((Region *)data)->bytes);
}

KdKernel *
fake_kernel_new (void)
{
	KdKernel *kernel = g_new0 (KdKernel, 1);
	g_autoptr (GBytes) btf = fake_types_new();
	g_autoptr (GError) error = NULL;
	gsize len;
	const void *data = g_bytes_get_data (btf, &len);

	kernel->image = kd_image_open_btf (data, len, NULL, &error);
	g_assert_no_error (error);
	kernel->regions = g_array_new (FALSE, FALSE, sizeof (Region));
	g_array_set_clear_func (kernel->regions, region_clear);
	fake_kernel_map (kernel, FAKE_ITEM, 0x1000);
	return kernel;
}

void
kd_kernel_free (KdKernel *kernel)
{
	if (!kernel)
		return;
	g_array_unref (kernel->regions);
	kd_image_free (kernel->image);
	g_free (kernel);
}

void
fake_kernel_map (KdKernel *kernel, uint64_t addr, size_t len)
{
	Region region = {addr, len, g_malloc0 (len)};

	g_array_append_val (kernel->regions, region);
}

static uint8_t *
find (KdKernel *kernel, uint64_t addr, size_t len)
{
	for (guint i = 0; i < kernel->regions->len; i++) {
		const Region *region = &g_array_index (kernel->regions, Region, i);

		if (addr >= region->addr && len <= region->len &&
			addr - region->addr <= region->len - len)
			return region->bytes + (addr - region->addr);
	}
	return NULL;
}

void
fake_kernel_write (KdKernel *kernel, uint64_t addr, const void *data, size_t len)
{
	uint8_t *bytes = find (kernel, addr, len);

	g_assert_nonnull (bytes);
	memcpy (bytes, data, len);
}

void
fake_kernel_write_u64 (KdKernel *kernel, uint64_t addr, uint64_t value)
{
	value = GUINT64_TO_LE (value);
	fake_kernel_write (kernel, addr, &value, sizeof value);
}

static void
write_u32 (KdKernel *kernel, uint64_t addr, uint32_t value)
{
	value = GUINT32_TO_LE (value);
	fake_kernel_write (kernel, addr, &value, sizeof value);
}

void
fake_kernel_fill_item (KdKernel *kernel)
{
	static const uint8_t raw[8] = {1, 1, 1, 1, 1, 1, 1, 1};

	fake_kernel_write (kernel, FAKE_ITEM, "swap\"per\n", 9);
	write_u32 (kernel, FAKE_ITEM + 16, (uint32_t)-7);
	write_u32 (kernel, FAKE_ITEM + 20, 5 | 0x1e << 3); /* low 5, high -2 */
	write_u32 (kernel, FAKE_ITEM + 24, 1);
	write_u32 (kernel, FAKE_ITEM + 28, 5);
	write_u32 (kernel, FAKE_ITEM + 32, 5);
	fake_kernel_write_u64 (kernel, FAKE_ITEM + 40, UINT64_C (0x200000001));
	fake_kernel_write_u64 (kernel, FAKE_ITEM + 48, FAKE_ITEM);
	fake_kernel_write_u64 (kernel, FAKE_ITEM + 56, FAKE_ITEM + 56);
	fake_kernel_write_u64 (kernel, FAKE_ITEM + 64, FAKE_ITEM + 56);
	fake_kernel_write_u64 (kernel, FAKE_ITEM + 72, FAKE_FUNCTION);
	fake_kernel_write_u64 (kernel, FAKE_ITEM + 80, FAKE_ITEM + 0x200);
	fake_kernel_write (kernel, FAKE_ITEM + 0x200, "a label", 8);
	for (uint32_t i = 0; i < 4; i++)
		write_u32 (kernel, FAKE_ITEM + 88 + i * 4, i * 10);
	fake_kernel_write (kernel, FAKE_ITEM + 104, raw, sizeof raw);
	fake_kernel_write_u64 (kernel, FAKE_ITEM + 112, UINT64_MAX);
}

/* --- kernel/kernel.h --- */

G_DEFINE_QUARK (kd - kernel - error - quark, kd_kernel_error)

KdImage *
kd_kernel_image (const KdKernel *kernel)
{
	return kernel->image;
}

KdTarget *
kd_kernel_target (const KdKernel *kernel)
{
	/* Never looked into: all that is asked of it is below. */
	return (KdTarget *)kernel;
}

gboolean
kd_kernel_read (KdKernel *kernel, KdAddr addr, void *buf, size_t len, GError **error)
{
	const uint8_t *bytes =
		addr.space.kind == KD_SPACE_KERNEL ? find (kernel, addr.value, len) : NULL;

	if (!bytes) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT,
			"0x%" PRIx64 ": not mapped", addr.value);
		return FALSE;
	}
	memcpy (buf, bytes, len);
	return TRUE;
}

gboolean
kd_kernel_read_u64 (KdKernel *kernel, uint64_t va, uint64_t *ret_value, GError **error)
{
	uint64_t value;

	if (!kd_kernel_read (kernel, kd_addr_kernel (va), &value, sizeof value, error))
		return FALSE;
	*ret_value = GUINT64_FROM_LE (value);
	return TRUE;
}

gboolean
kd_kernel_read_ptr (KdKernel *kernel, uint64_t va, uint64_t *ret_value, GError **error)
{
	return kd_kernel_read_u64 (kernel, va, ret_value, error);
}

char *
kd_kernel_read_cstring (KdKernel *kernel, uint64_t va, size_t max, GError **error)
{
	g_autoptr (GString) text = g_string_new (NULL);
	char c;

	while (text->len < max) {
		if (!kd_kernel_read (kernel, kd_addr_kernel (va + text->len), &c, 1, error))
			return NULL;
		if (!c)
			break;
		g_string_append_c (text, c);
	}
	return g_string_free (g_steal_pointer (&text), FALSE);
}

gboolean
kd_kernel_symbol (KdKernel *kernel, const char *name, KdKernelSymbol *ret_symbol)
{
	for (size_t i = 0; i < G_N_ELEMENTS (symbols); i++)
		if (strcmp (symbols[i].name, name) == 0) {
			*ret_symbol = symbols[i];
			return TRUE;
		}
	return FALSE;
}

gboolean
kd_kernel_symbol_at (KdKernel *kernel, uint64_t addr, KdKernelSymbol *ret_symbol)
{
	for (size_t i = 0; i < G_N_ELEMENTS (symbols); i++)
		if (addr >= symbols[i].addr && addr - symbols[i].addr < symbols[i].size) {
			*ret_symbol = symbols[i];
			return TRUE;
		}
	return FALSE;
}

gboolean
kd_kernel_symbol_addr (KdKernel *kernel, const char *name, uint64_t *ret_addr, GError **error)
{
	KdKernelSymbol symbol;

	if (!kd_kernel_symbol (kernel, name, &symbol)) {
		g_set_error (
			error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND, "no symbol %s", name);
		return FALSE;
	}
	*ret_addr = symbol.addr;
	return TRUE;
}

char *
kd_kernel_symbolize (KdKernel *kernel, uint64_t addr)
{
	KdKernelSymbol symbol;

	if (!kd_kernel_symbol_at (kernel, addr, &symbol))
		return g_strdup_printf ("0x%" PRIx64, addr);
	return addr == symbol.addr
		       ? g_strdup (symbol.name)
		       : g_strdup_printf ("%s+0x%" PRIx64, symbol.name, addr - symbol.addr);
}

gboolean
kd_kernel_percpu_offset (KdKernel *kernel, unsigned cpu, uint64_t *ret_offset, GError **error)
{
	if (cpu >= FAKE_NR_CPUS) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE, "no CPU %u", cpu);
		return FALSE;
	}
	*ret_offset = cpu * UINT64_C (0x100);
	return TRUE;
}

/* --- target/target.h: registers --- */

G_DEFINE_QUARK (kd - target - error - quark, kd_target_error)

const KdArch *
kd_target_arch (const KdTarget *target)
{
	return &kd_arch_arm64;
}

gboolean
kd_target_reg_get (
	KdTarget *target, unsigned cpu, const char *name, uint64_t *ret_value, GError **error)
{
	if (strcmp (name, "pc") == 0)
		*ret_value = FAKE_FUNCTION + cpu * 4;
	else if (strcmp (name, "x0") == 0)
		*ret_value = FAKE_ITEM;
	else {
		g_set_error (
			error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND, "no register %s", name);
		return FALSE;
	}
	return TRUE;
}

const KdRegInfo *
kd_target_reg_infos (const KdTarget *target, unsigned *ret_nr)
{
	static const KdRegInfo infos[] = {{"x0", "x0", "general", 64}, {"pc", "pc", "general", 64},
		{"sp", "sp", "general", 64}};

	*ret_nr = G_N_ELEMENTS (infos);
	return infos;
}

const KdType *
kd_kernel_type (KdKernel *kernel, const char *spelling)
{
	return kd_image_type_by_name (kernel->image, spelling);
}

const KdType *
kd_kernel_enumerator (KdKernel *kernel, const char *name, int64_t *ret_value)
{
	return kd_image_enumerator (kernel->image, name, ret_value);
}

char *
kd_kernel_modules_hint (KdKernel *kernel)
{
	return g_strdup ("");
}

const KdType *
kd_kernel_complete_type (KdKernel *kernel, const KdType *type)
{
	return type;
}

const KdType *
kd_kernel_type_of_symbol (KdKernel *kernel, const char *symbol, gboolean thorough)
{
	return kd_image_type_of_variable (kernel->image, symbol);
}

void
kd_kernel_types_foreach (KdKernel *kernel, KdTypeFunc func, void *data)
{
	kd_image_types_foreach (kernel->image, func, data);
}

void
kd_kernel_symbols_foreach (KdKernel *kernel, KdKernelSymbolFunc func, void *data)
{
	for (size_t i = 0; i < G_N_ELEMENTS (symbols); i++)
		if (!func (&symbols[i], data))
			return;
}

gboolean
kd_kernel_is_percpu (KdKernel *kernel, const KdKernelSymbol *symbol)
{
	KdKernelSymbol start, end;

	return kd_kernel_symbol (kernel, "__per_cpu_start", &start) &&
	       kd_kernel_symbol (kernel, "__per_cpu_end", &end) && symbol->addr >= start.addr &&
	       symbol->addr < end.addr;
}
