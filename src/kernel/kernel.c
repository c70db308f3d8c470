/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kernel-private.h"

#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "base/nearest.h"
#include "kernel/memory-image.h"
#include "kernel/module.h"

#define BANNER_MAX 256
#define NR_CPUS_MAX 65536U

G_DEFINE_QUARK (kd - kernel - error - quark, kd_kernel_error)

/* --- opening --- */

static KdImage *
open_image (KdKernel *kernel, const KdKernelOptions *options, const char *path,
	const KdMemoryBuildId *id, GError **error)
{
	const KdImageOptions image_options = {
		.path = path,
		.build_id = id ? id->id : NULL,
		.build_id_len = id ? id->len : 0,
		.debug_dirs = options->debug_dirs,
		.cache_dir = options->cache_dir,
		/* What else memory holds is nothing to tell a server. */
		.no_debuginfod = id && !id->sure,
		.cancellable = kd_target_cancellable (kernel->target),
	};

	return kd_image_open (&image_options, error);
}

static gboolean
check_machine (KdKernel *kernel, GError **error)
{
	const KdArch *arch = kd_arch_by_elf_machine (kd_image_machine (kernel->image));

	if (arch == kernel->arch)
		return TRUE;
	g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_MISMATCH,
		"%s is for %s, this machine is %s", kd_image_path (kernel->image),
		arch ? arch->name : "another architecture", kernel->arch->name);
	return FALSE;
}

static gboolean
open_candidate (
	KdKernel *kernel, const KdKernelOptions *options, const KdMemoryBuildId *id, GError **error)
{
	kernel->image = open_image (kernel, options, NULL, id, error);
	if (kernel->image && check_machine (kernel, error) &&
		kd_find_kernel (kernel->target, kernel->image, FALSE, &kernel->place, error))
		return TRUE;
	g_clear_pointer (&kernel->image, kd_image_free);
	return FALSE;
}

/* The running kernel's build-id leads to a file. `*ret_why` is said of memory where it does not. */
static gboolean
open_by_build_id (KdKernel *kernel, const KdKernelOptions *options, char **ret_why)
{
	g_auto (KdMemoryNotes) notes = {0};
	g_autoptr (GError) first = NULL;

	kd_find_running_build_ids (kernel->target, &notes);
	for (guint i = 0; i < notes.ids->len; i++)
		if (open_candidate (kernel, options, &g_array_index (notes.ids, KdMemoryBuildId, i),
			    first ? NULL : &first))
			return TRUE;
	if (!notes.ids->len)
		*ret_why = g_strdup (
			"no Linux in this machine's memory (yet): no build-id of a kernel");
	else /* It names the build-id. */
		*ret_why = g_strdup_printf ("Linux %s runs here: %s",
			notes.release ? notes.release : "", first->message);
	return FALSE;
}

/*
 * No file was named: the running kernel's build-id may lead to one, else its memory says much of
 * what a file would.
 */
static gboolean
open_unnamed (KdKernel *kernel, const KdKernelOptions *options, GError **error)
{
	g_autoptr (KdImage) cached = kd_memory_image_cached (kernel->target, options->cache_dir);
	g_autoptr (GError) why_memory = NULL, why_file = NULL;
	g_autofree char *why = NULL;

	if (options->no_files)
		why = g_strdup ("files are not looked for (--no-files)");
	else if (cached) {
		KdMemoryBuildId id = {.sure = TRUE};
		const uint8_t *bytes = kd_image_build_id (cached, &id.len);

		memcpy (id.id, bytes, id.len);
		if (open_candidate (kernel, options, &id, &why_file))
			return TRUE;
		why = g_strdup (why_file->message);
	} else if (open_by_build_id (kernel, options, &why))
		return TRUE;
	if (!cached)
		cached = kd_memory_image_make (kernel->target, options->cache_dir, &why_memory);
	kernel->image = g_steal_pointer (&cached);
	if (kernel->image && kd_find_kernel (kernel->target, kernel->image, FALSE, &kernel->place,
				     &why_memory)) {
		kernel->image_why = g_steal_pointer (&why);
		return TRUE;
	}
	if (g_error_matches (why_memory, G_IO_ERROR, G_IO_ERROR_CANCELLED) ||
		g_error_matches (why_memory, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST))
		g_propagate_error (error, g_steal_pointer (&why_memory));
	else
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NO_KERNEL,
			"%s; without a file: %s", why, why_memory->message);
	return FALSE;
}

static gboolean
open_by_path (KdKernel *kernel, const KdKernelOptions *options, GError **error)
{
	kernel->image = open_image (kernel, options, options->vmlinux, NULL, error);
	return kernel->image && check_machine (kernel, error) &&
	       kd_find_kernel (
		       kernel->target, kernel->image, options->force, &kernel->place, error);
}

static gboolean
open_types (KdKernel *kernel, const KdKernelOptions *options, GError **error)
{
	kernel->extra_types = g_ptr_array_new_with_free_func ((GDestroyNotify)kd_image_free);
	for (const char *const *path = options->types; path && *path; path++) {
		/* A module's BTF is worth nothing without its kernel's. */
		const KdImageOptions image_options = {
			.path = *path, .cache_dir = options->cache_dir, .no_btf = TRUE};
		KdImage *image = kd_image_open (&image_options, error);

		if (!image)
			return FALSE;
		g_ptr_array_add (kernel->extra_types, image);
	}
	return TRUE;
}

/* What memory itself says of a kernel that the file is not of. */
static void
read_foreign (KdKernel *kernel)
{
	g_auto (KdMemoryNotes) notes = {0};
	size_t len;
	const uint8_t *id = kd_image_build_id (kernel->image, &len);

	kd_find_running_build_ids (kernel->target, &notes);
	if (notes.ids->len)
		kernel->build_id =
			kd_hex_to_string (g_array_index (notes.ids, KdMemoryBuildId, 0).id,
				g_array_index (notes.ids, KdMemoryBuildId, 0).len);
	if (notes.release) {
		g_free (kernel->release);
		kernel->release = g_strescape (notes.release, NULL);
	}
	if (id && kernel->build_id)
		kernel->file_build_id = kd_hex_to_string (id, len);
}

/* "Linux version 6.1.0-50-cloud-arm64 (…": the third word. */
static char *
read_release (KdKernel *kernel)
{
	g_autofree char *banner = NULL;
	g_auto (GStrv) words = NULL;
	KdSymbol symbol;

	if ((!kd_image_symbol_by_name (kernel->image, "linux_banner", &symbol) &&
		    !kd_image_symbol_by_name (kernel->image, KD_BANNER_COPY, &symbol)) ||
		!(banner = kd_kernel_read_cstring (
			  kernel, symbol.addr + kd_kernel_kaslr_offset (kernel), BANNER_MAX, NULL)))
		return NULL;
	words = g_strsplit (banner, " ", 4);
	if (g_strv_length (words) < 3 || strcmp (words[0], "Linux") != 0)
		return NULL;
	return g_strescape (words[2], NULL);
}

static void
find_cpus (KdKernel *kernel)
{
	KdKernelSymbol symbol;
	uint8_t bytes[4];

	kernel->nr_cpus = MAX (kd_target_nr_cpus (kernel->target), 1);
	if (kd_kernel_symbol (kernel, "__per_cpu_offset", &symbol) &&
		(symbol.size == 0 || symbol.size >= kernel->arch->pointer_size)) {
		kernel->percpu_offsets = symbol.addr;
		kernel->percpu_max =
			symbol.size ? (unsigned)MIN (
					      symbol.size / kernel->arch->pointer_size, NR_CPUS_MAX)
				    : NR_CPUS_MAX;
	}
	/* A constant and no variable with CONFIG_FORCE_NR_CPUS. */
	if (kd_kernel_symbol (kernel, "nr_cpu_ids", &symbol) &&
		kd_kernel_read (kernel, kd_addr_kernel (symbol.addr), bytes, sizeof bytes, NULL)) {
		uint32_t nr = bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;

		if (nr >= 1 && nr <= NR_CPUS_MAX)
			kernel->nr_cpus = nr;
	}
	if (kernel->percpu_max)
		kernel->nr_cpus = MIN (kernel->nr_cpus, kernel->percpu_max);
}

KdKernel *
kd_kernel_open (KdTarget *target, const KdKernelOptions *options, GError **error)
{
	g_autoptr (KdKernel) kernel = g_new0 (KdKernel, 1);
	KdSymbol base, end;

	kernel->target = target;
	kernel->arch = kd_target_arch (target);
	kernel->debug_dirs = g_strdupv ((char **)options->debug_dirs);
	kernel->cache_dir = g_strdup (options->cache_dir);
	kernel->no_files = options->no_files;
	if (!open_types (kernel, options, error))
		return NULL;
	if (!(options->vmlinux ? open_by_path : open_unnamed) (kernel, options, error))
		return NULL;
	if (!kd_image_symbol_by_name (
		    kernel->image, kernel->arch->linux_layout->base_symbol, &base) ||
		!kd_image_symbol_by_name (
			kernel->image, kernel->arch->linux_layout->end_symbol, &end)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NO_KERNEL, "%s: not a kernel",
			kd_image_name (kernel->image));
		return NULL;
	}
	kernel->link_base = base.addr;
	kernel->link_end = end.addr;
	kernel->release = read_release (kernel);
	if (kernel->place.id_len)
		kernel->build_id = kd_hex_to_string (kernel->place.id, kernel->place.id_len);
	else
		read_foreign (kernel);
	find_cpus (kernel);
	return g_steal_pointer (&kernel);
}

void
kd_kernel_free (KdKernel *kernel)
{
	if (!kernel)
		return;
	g_clear_pointer (&kernel->task_types, kd_task_types_free);
	g_clear_pointer (&kernel->orc, kd_kernel_orc_free);
	g_clear_pointer (&kernel->modules, kd_modules_free);
	g_clear_pointer (&kernel->ftrace, kd_ftrace_free);
	g_clear_pointer (&kernel->patch_sites, kd_patch_sites_free);
	g_clear_pointer (&kernel->image, kd_image_free);
	g_clear_pointer (&kernel->extra_types, g_ptr_array_unref);
	g_strfreev (kernel->debug_dirs);
	g_free (kernel->cache_dir);
	g_free (kernel->release);
	g_free (kernel->build_id);
	g_free (kernel->image_why);
	g_free (kernel->file_build_id);
	g_free (kernel);
}

/* --- what is known --- */

KdTarget *
kd_kernel_target (const KdKernel *kernel)
{
	return kernel->target;
}

const char *
kd_kernel_changed_file (const KdKernel *kernel)
{
	const char *path = kernel->image ? kd_image_changed (kernel->image) : NULL;

	for (guint i = 0; kernel->extra_types && !path && i < kernel->extra_types->len; i++)
		path = kd_image_changed (g_ptr_array_index (kernel->extra_types, i));
	return path ? path : kd_modules_changed_file (kernel);
}

KdImage *
kd_kernel_image (const KdKernel *kernel)
{
	return kernel->image;
}

const char *
kd_kernel_release (const KdKernel *kernel)
{
	return kernel->release;
}

const char *
kd_kernel_build_id (const KdKernel *kernel)
{
	return kernel->build_id;
}

const char *
kd_kernel_file_build_id (const KdKernel *kernel)
{
	return kernel->file_build_id;
}

const char *
kd_kernel_image_why (const KdKernel *kernel)
{
	return kernel->image_why;
}

uint64_t
kd_kernel_kaslr_offset (const KdKernel *kernel)
{
	return kernel->place.virt_base - kernel->link_base;
}

uint64_t
kd_kernel_phys_base (const KdKernel *kernel)
{
	return kernel->place.phys_base;
}

unsigned
kd_kernel_va_bits (const KdKernel *kernel)
{
	return kernel->place.regime.va_bits;
}

uint64_t
kd_kernel_pac_mask (const KdKernel *kernel)
{
	return kernel->arch->pac_mask (kernel->place.regime.va_bits);
}

const KdRegime *
kd_kernel_regime (const KdKernel *kernel)
{
	return &kernel->place.regime;
}

unsigned
kd_kernel_nr_cpus (const KdKernel *kernel)
{
	return kernel->nr_cpus;
}

/* TRUE: the tables of CPU `cpu` have the kernel's entry code where it is, as even those that PTI
 * gives to processes do. */
static gboolean
maps_entry_code (KdKernel *kernel, unsigned cpu)
{
	const char *const *names = kernel->arch->linux_layout->vector_symbols;
	KdKernelSymbol symbol;
	KdRegime regime;
	KdWalk walk;

	if (!kd_target_cpu_regime (kernel->target, cpu, KD_REGIME_KERNEL, &regime, NULL))
		return FALSE;
	while (*names && !kd_kernel_symbol (kernel, *names, &symbol))
		names++;
	if (!*names)
		return TRUE;
	kd_target_walk (kernel->target, &regime, symbol.addr, &walk);
	return walk.status == KD_WALK_MAPPED &&
	       walk.pa == kernel->place.phys_base + (symbol.addr - kernel->place.virt_base);
}

KdCpuState
kd_kernel_cpu_state (KdKernel *kernel, unsigned cpu)
{
	const KdArchLinux *layout = kernel->arch->linux_layout;
	KdCpuState state = kd_target_cpu_state (kernel->target, cpu);
	KdTargetCpu regs = {kernel->target, cpu};

	/* An unknown CPU with no level is one whose registers are not to be had. */
	if (!layout->may_be_guest || state.el < 0 ||
		!layout->may_be_guest (kd_target_cpu_reg, &regs) || maps_entry_code (kernel, cpu))
		return state;
	state.mode = KD_CPU_MODE_GUEST;
	state.mode_name = "guest";
	return state;
}

gboolean
kd_kernel_link_addr (const KdKernel *kernel, uint64_t addr, uint64_t *ret_link)
{
	uint64_t offset = addr - kernel->place.virt_base;

	if (addr < kernel->place.virt_base || offset >= kernel->link_end - kernel->link_base)
		return FALSE;
	*ret_link = kernel->link_base + offset;
	return TRUE;
}

/* --- symbols --- */

/* Only what lies in the image moved: absolute symbols are numbers. */
static void
to_run_time (const KdKernel *kernel, const KdSymbol *symbol, KdKernelSymbol *ret_symbol)
{
	gboolean in_image = symbol->addr >= kernel->link_base && symbol->addr <= kernel->link_end;

	*ret_symbol = (KdKernelSymbol){.name = symbol->name,
		.addr = symbol->addr + (in_image ? kd_kernel_kaslr_offset (kernel) : 0),
		.size = symbol->size,
		.kind = symbol->kind};
}

gboolean
kd_kernel_symbol (KdKernel *kernel, const char *name, KdKernelSymbol *ret_symbol)
{
	KdSymbol symbol;

	if (kd_image_symbol_by_name (kernel->image, name, &symbol)) {
		to_run_time (kernel, &symbol, ret_symbol);
		return TRUE;
	}
	const GPtrArray *modules = kd_kernel_modules (kernel, NULL);

	for (guint i = 0; i < modules->len; i++)
		if (kd_module_symbol (g_ptr_array_index (modules, i), name, ret_symbol))
			return TRUE;
	return FALSE;
}

gboolean
kd_kernel_symbol_at (KdKernel *kernel, uint64_t addr, KdKernelSymbol *ret_symbol)
{
	KdSymbol symbol;
	uint64_t link;

	if (!kd_kernel_link_addr (kernel, addr, &link)) {
		KdModule *module = kd_kernel_module_at (kernel, addr);

		return module && kd_module_symbol_at (module, addr, ret_symbol);
	}
	if (!kd_image_symbol_by_addr (kernel->image, link, &symbol))
		return FALSE;
	to_run_time (kernel, &symbol, ret_symbol);
	return TRUE;
}

typedef struct {
	KdKernel *kernel;
	KdKernelSymbolFunc func;
	void *data;
	gboolean more;
} EachSymbol;

static gboolean
each_symbol (const KdSymbol *symbol, void *data)
{
	EachSymbol *each = data;
	KdKernelSymbol moved;

	to_run_time (each->kernel, symbol, &moved);
	each->more = each->func (&moved, each->data);
	return each->more;
}

void
kd_kernel_symbols_foreach (KdKernel *kernel, KdKernelSymbolFunc func, void *data)
{
	EachSymbol each = {kernel, func, data, TRUE};
	const GPtrArray *modules = kd_kernel_modules (kernel, NULL);

	kd_image_symbols_foreach (kernel->image, NULL, each_symbol, &each);
	for (guint i = 0; each.more && i < modules->len; i++)
		each.more = kd_module_symbols_foreach (g_ptr_array_index (modules, i), func, data);
}

KdImage *
kd_kernel_image_at (KdKernel *kernel, uint64_t addr, uint64_t *ret_link)
{
	KdModule *module;

	if (kd_kernel_link_addr (kernel, addr, ret_link))
		return kernel->image;
	module = kd_kernel_module_at (kernel, addr);
	return module && kd_module_link_addr (module, addr, ret_link)
		       ? kd_module_image (module, NULL)
		       : NULL;
}

static gboolean
offer_symbol (const KdKernelSymbol *symbol, void *data)
{
	kd_nearest_offer (data, symbol->name);
	return TRUE;
}

gboolean
kd_kernel_symbol_addr (KdKernel *kernel, const char *name, uint64_t *ret_addr, GError **error)
{
	KdKernelSymbol symbol;

	if (kd_kernel_symbol (kernel, name, &symbol)) {
		*ret_addr = symbol.addr;
		return TRUE;
	}
	if (error) { /* the search for near names reads the whole table */
		g_autoptr (KdNearest) nearest = kd_nearest_new (name);
		g_autofree char *hint = NULL, *cut = kd_kernel_modules_hint (kernel);

		kd_kernel_symbols_foreach (kernel, offer_symbol, nearest);
		hint = kd_nearest_hint (nearest);
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"no symbol \"%s\"%s%s", name, hint, cut);
	}
	return FALSE;
}

char *
kd_kernel_symbolize (KdKernel *kernel, uint64_t addr)
{
	KdKernelSymbol symbol;

	if (!kd_kernel_symbol_at (kernel, addr, &symbol))
		return g_strdup_printf ("0x%" PRIx64, addr);
	if (symbol.addr == addr)
		return g_strdup (symbol.name);
	return g_strdup_printf ("%s+0x%" PRIx64, symbol.name, addr - symbol.addr);
}

/* --- per-CPU data --- */

gboolean
kd_kernel_is_percpu (KdKernel *kernel, const KdKernelSymbol *symbol)
{
	KdKernelSymbol start, end;
	KdModule *module;

	if (!symbol->module)
		return kd_kernel_symbol (kernel, "__per_cpu_start", &start) &&
		       kd_kernel_symbol (kernel, "__per_cpu_end", &end) &&
		       symbol->addr >= start.addr && symbol->addr < end.addr;
	module = kd_kernel_module_by_name (kernel, symbol->module);
	return module && kd_module_is_percpu (module, symbol->addr);
}

gboolean
kd_kernel_percpu_offset (KdKernel *kernel, unsigned cpu, uint64_t *ret_offset, GError **error)
{
	uint64_t offset;

	if (cpu >= kernel->nr_cpus) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE,
			"no CPU %u: this kernel has CPUs 0 to %u", cpu, kernel->nr_cpus - 1);
		return FALSE;
	}
	if (!kernel->percpu_offsets) {
		*ret_offset = 0;
		return TRUE;
	}
	if (!kd_kernel_read_ptr (kernel,
		    kernel->percpu_offsets + (uint64_t)cpu * kernel->arch->pointer_size, &offset,
		    error)) {
		g_prefix_error (error, "__per_cpu_offset[%u]: ", cpu);
		return FALSE;
	}
	*ret_offset = offset;
	return TRUE;
}
