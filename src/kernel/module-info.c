/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hex.h"
#include "kernel/containers.h"
#include "kernel/find-build-id.h"
#include "kernel/module-private.h"
#include "kernel/object.h"

/* What one module knows of itself: in its memory, and in its file. */
#define SECTIONS_MAX 1024
#define SECTION_NAME_MAX 256
#define BTF_MAX (64U << 20)
#define ORC_MAX (4U << 20)
/* A build-id's note, and what is left of the smallest page. */
#define NOTE_MAX 128
#define PAGE_LEFT(addr) (4096 - (addr) % 4096)

void
kd_module_forget (KdModule *module)
{
	g_clear_pointer (&module->symbols, kd_module_symbols_free);
	g_clear_pointer (&module->btf, kd_image_free);
	g_clear_pointer (&module->image, kd_image_free);
	g_clear_error (&module->image_error);
	g_clear_error (&module->symbols_failure.error);
	g_clear_error (&module->btf_failure.error);
	g_clear_error (&module->orc_failure.error);
	g_clear_pointer (&module->placed, g_array_unref);
	g_clear_pointer (&module->orc_table, g_free);
	g_clear_pointer (&module->orc_bytes, g_free);
}

gboolean
kd_module_is_interruption (const GError *error)
{
	return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ||
	       g_error_matches (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST);
}

/* TRUE: it failed at this stop, and would again. */
static gboolean
has_failed (const KdModule *module, const KdModuleFailure *failure)
{
	return failure->error &&
	       failure->generation == kd_target_memory_generation (module->kernel->target) &&
	       !kd_module_is_interruption (failure->error);
}

/* Takes the error; NULL clears. */
static void
set_failure (KdModule *module, KdModuleFailure *failure, GError *error)
{
	g_clear_error (&failure->error);
	failure->error = error;
	failure->generation = kd_target_memory_generation (module->kernel->target);
	if (error)
		g_debug ("kernel: module %s: %s", module->name, error->message);
}

/* --- symbols --- */

static gboolean
read_symbols (KdModule *module, GError **error)
{
	KdObject kallsyms;
	uint64_t symtab, nr, strtab, typetab = 0;

	if (!kd_object_at_named (
		    module->kernel, "struct mod_kallsyms", module->kallsyms, &kallsyms, error) ||
		!kd_object_member_u64 (&kallsyms, "symtab", &symtab, error) ||
		!kd_object_member_u64 (&kallsyms, "num_symtab", &nr, error) ||
		!kd_object_member_u64 (&kallsyms, "strtab", &strtab, error))
		return FALSE;
	if (kd_object_has_member (&kallsyms, "typetab"))
		kd_object_member_u64 (&kallsyms, "typetab", &typetab, NULL);
	module->symbols = kd_module_symbols_read (
		module->kernel, module->name, symtab, nr, strtab, typetab, error);
	return module->symbols != NULL;
}

static const KdModuleSymbols *
symbols_of (KdModule *module)
{
	GError *error = NULL;

	if (module->symbols || !module->kallsyms || has_failed (module, &module->symbols_failure))
		return module->symbols;
	read_symbols (module, &error);
	set_failure (module, &module->symbols_failure, error);
	return module->symbols;
}

const char *
kd_module_symbols_why (KdModule *module)
{
	if (symbols_of (module))
		return NULL;
	return module->symbols_failure.error ? module->symbols_failure.error->message
					     : "it has no kallsyms";
}

const char *
kd_module_symbols_from (KdModule *module)
{
	return symbols_of (module) ? "kallsyms" : NULL;
}

gboolean
kd_module_symbol (KdModule *module, const char *name, KdKernelSymbol *ret_symbol)
{
	const KdModuleSymbols *symbols = symbols_of (module);

	return symbols && kd_module_symbols_by_name (symbols, name, ret_symbol);
}

gboolean
kd_module_symbol_at (KdModule *module, uint64_t addr, KdKernelSymbol *ret_symbol)
{
	const KdModuleSymbols *symbols = symbols_of (module);

	return symbols && kd_module_symbols_by_addr (symbols, addr, ret_symbol);
}

gboolean
kd_module_symbols_foreach (KdModule *module, KdKernelSymbolFunc func, void *data)
{
	const KdModuleSymbols *symbols = symbols_of (module);
	unsigned nr = 0;
	const KdKernelSymbol *all = symbols ? kd_module_symbols_all (symbols, &nr) : NULL;

	for (unsigned i = 0; i < nr; i++)
		if (!func (&all[i], data))
			return FALSE;
	return TRUE;
}

/* --- types --- */

typedef struct {
	const KdModule *module;
	uint64_t btf; /* address of its struct btf */
} BtfSearch;

static gboolean
match_btf (const KdObject *element, void *data)
{
	BtfSearch *search = data;
	uint64_t owner;

	if (!kd_object_member_u64 (element, "module", &owner, NULL) ||
		owner != search->module->addr)
		return TRUE;
	kd_object_member_u64 (element, "btf", &search->btf, NULL);
	return FALSE;
}

/* The kernel keeps a copy of each module's .BTF (kernel/bpf/btf.c, btf_module_notify). */
static KdImage *
read_btf (KdModule *module, GError **error)
{
	KdKernel *kernel = module->kernel;
	BtfSearch search = {module, 0};
	g_autofree uint8_t *bytes = NULL;
	uint64_t head, data, size;
	KdObject btf;
	KdSymbol symbol;

	if (!kd_image_symbol_by_name (kernel->image, "btf_modules", &symbol)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"this kernel keeps no BTF of modules (no symbol btf_modules)");
		return NULL;
	}
	if (!kd_kernel_symbol_addr (kernel, "btf_modules", &head, error) ||
		!kd_object_list_foreach (
			kernel, head, "struct btf_module", "list", 4096, match_btf, &search, error))
		return NULL;
	if (!search.btf) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"the kernel has no BTF of it");
		return NULL;
	}
	if (!kd_object_at_named (kernel, "struct btf", search.btf, &btf, error) ||
		!kd_object_member_u64 (&btf, "data", &data, error) ||
		!kd_object_member_u64 (&btf, "data_size", &size, error))
		return NULL;
	if (size > BTF_MAX) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
			"its BTF claims %" G_GUINT64_FORMAT " bytes", size);
		return NULL;
	}
	bytes = g_malloc (MAX (size, 1));
	if (!kd_kernel_read (kernel, kd_addr_kernel (data), bytes, size, error))
		return NULL;
	return kd_image_open_btf (bytes, size, kernel->image, error);
}

KdImage *
kd_module_types (KdModule *module)
{
	GError *error = NULL;

	if (!module->btf && !has_failed (module, &module->btf_failure)) {
		module->btf = read_btf (module, &error);
		set_failure (module, &module->btf_failure, error);
	}
	if (module->btf)
		return module->btf;
	KdImage *image = kd_module_image (module, NULL);

	return image && kd_image_types_from (image) ? image : NULL;
}

const char *
kd_module_types_from (KdModule *module)
{
	KdImage *types = kd_module_types (module);

	return types ? kd_image_types_from (types) : NULL;
}

const char *
kd_module_types_why (KdModule *module)
{
	return !kd_module_types (module) && module->btf_failure.error
		       ? module->btf_failure.error->message
		       : NULL;
}

const KdType *
kd_module_type_of_symbol (KdModule *module, const char *symbol, gboolean thorough)
{
	KdImage *types = kd_module_types (module), *file;
	const KdType *type = types ? kd_image_type_of_symbol (types, symbol) : NULL, *same;
	g_autofree char *spelling = NULL;

	if (type || !thorough)
		return type;
	file = kd_module_image (module, NULL);
	type = file && file != types ? kd_image_type_of_symbol (file, symbol) : NULL;
	if (!type)
		return NULL;
	/* BTF's own node where the type has a name there, so that it is one with all others. */
	spelling = kd_type_declare (type, "");
	same = kd_kernel_type (module->kernel, spelling);
	return same && kd_type_size (same) == kd_type_size (type) ? same : type;
}

char *
kd_module_debug_state (const KdModule *module)
{
	const struct {
		gboolean is_there, has_failed;
		const char *name, *missing;
	} rows[] = {
		{module->symbols != NULL, module->symbols_failure.error != NULL, "symbols",
			"no symbols"},
		{module->btf != NULL, module->btf_failure.error != NULL, "types", "no types"},
		{module->image != NULL, module->image_error != NULL, "lines", "no file"},
	};
	g_autoptr (GString) text = g_string_new (NULL);

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
		if (rows[i].is_there || rows[i].has_failed)
			g_string_append_printf (text, "%s%s", text->len ? ", " : "",
				rows[i].is_there ? rows[i].name : rows[i].missing);
	return text->len ? g_string_free (g_steal_pointer (&text), FALSE) : NULL;
}

/* --- its file --- */

typedef gboolean (*SectionFunc) (const char *name, uint64_t addr, void *data);

/* What `attr`, one of a module's sections, has under one of these names; NULL: none. */
static const char *
first_member (const KdObject *attr, const char *const names[])
{
	while (*names && !kd_object_has_member (attr, *names))
		names++;
	return *names;
}

/* How many there are: until 6.13 it is written down, later a list of pointers to them ends with 0.
 */
static uint64_t
count_sections (const KdObject *sections)
{
	uint64_t nr = 0, list, one;

	if (kd_object_has_member (sections, "nsections"))
		return kd_object_member_u64 (sections, "nsections", &nr, NULL)
			       ? MIN (nr, SECTIONS_MAX)
			       : 0;
	if (kd_object_has_member (sections, "grp.bin_attrs") &&
		kd_object_member_u64 (sections, "grp.bin_attrs", &list, NULL))
		while (nr < SECTIONS_MAX &&
			kd_kernel_read_u64 (sections->kernel, list + nr * 8, &one, NULL) && one)
			nr++;
	return nr;
}

/* The sections that sysfs shows (kernel/module/sysfs.c), until FALSE. */
static void
sections_foreach (const KdModule *module, SectionFunc func, void *data)
{
	static const char *const names[] = {"battr.attr.name", "attr.name", NULL};
	/* Later kernels keep the address in the attribute itself. */
	static const char *const addrs[] = {"address", "battr.private", "private", NULL};
	KdObject sections, attr, name;
	uint64_t nr, addr;

	if (!module->sections || !kd_object_at_named (module->kernel, "struct module_sect_attrs",
					 module->sections, &sections, NULL))
		return;
	nr = count_sections (&sections);
	for (uint64_t i = 0; i < nr; i++) {
		g_autofree char *path = g_strdup_printf ("attrs[%d]", (int)i);
		g_autofree char *text = NULL;
		const char *named, *at;

		if (kd_object_member (&sections, path, &attr, NULL) &&
			(named = first_member (&attr, names)) &&
			(at = first_member (&attr, addrs)) &&
			kd_object_member (&attr, named, &name, NULL) &&
			(text = kd_object_string (&name, SECTION_NAME_MAX, NULL)) &&
			kd_object_member_u64 (&attr, at, &addr, NULL) && addr &&
			!func (text, addr, data))
			return;
	}
}

static gboolean
read_note (const char *name, uint64_t addr, void *data)
{
	KdModule *module = data;
	uint8_t bytes[NOTE_MAX];
	size_t len = NOTE_MAX, offset;

	if (strcmp (name, ".note.gnu.build-id") != 0)
		return TRUE;
	/* What lies behind it may not be mapped. */
	len = (size_t)MIN (len, PAGE_LEFT (addr));
	if (kd_kernel_read (module->kernel, kd_addr_kernel (addr), bytes, len, NULL) &&
		kd_notes_find_build_id (bytes, len, &offset, &len) && len <= sizeof module->id) {
		memcpy (module->id, bytes + offset, len);
		module->id_len = len;
		module->build_id = kd_hex_to_string (module->id, len);
	}
	return FALSE;
}

const char *
kd_module_build_id (KdModule *module)
{
	/* struct module has it only where the kernel was built with STACKTRACE_BUILD_ID. What
	 * could not be read is asked for again: a search for its file depends on it. */
	if (!module->build_id_known)
		sections_foreach (module, read_note, module);
	module->build_id_known = module->build_id != NULL;
	return module->build_id;
}

KdImage *
kd_module_image (KdModule *module, GError **error)
{
	if (module->kernel->no_files && !module->image_error)
		module->image_error = g_error_new (KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_FOUND,
			"files are not looked for (--no-files)");
	if (kd_module_is_interruption (module->image_error))
		g_clear_error (&module->image_error);
	if (!module->image && !module->image_error) {
		kd_module_build_id (module);
		const KdImageOptions options = {.build_id = module->id,
			.build_id_len = module->id_len,
			.debug_dirs = (const char *const *)module->kernel->debug_dirs,
			.cache_dir = module->kernel->cache_dir,
			.cancellable = kd_target_cancellable (module->kernel->target)};

		module->image = kd_image_open_module (module->name, &options, &module->image_error);
	}
	if (!module->image && error)
		*error = g_error_copy (module->image_error);
	return module->image;
}

static gboolean
place_section (const char *name, uint64_t addr, void *data)
{
	KdModule *module = data;
	KdPlaced placed = {.addr = addr};

	if (kd_image_section (module->image, name, &placed.link, &placed.size) && placed.size)
		g_array_append_val (module->placed, placed);
	return TRUE;
}

const GArray *
kd_module_placed (KdModule *module, gboolean search, GError **error)
{
	if ((!search && !module->image) || !kd_module_image (module, error))
		return NULL;
	if (!module->placed) {
		module->placed = g_array_new (FALSE, FALSE, sizeof (KdPlaced));
		sections_foreach (module, place_section, module);
	}
	return module->placed;
}

gboolean
kd_module_link_addr (KdModule *module, uint64_t addr, uint64_t *ret_link)
{
	const GArray *all = kd_module_placed (module, TRUE, NULL);

	for (guint i = 0; all && i < all->len; i++) {
		const KdPlaced *placed = &g_array_index (all, KdPlaced, i);

		if (addr >= placed->addr && addr - placed->addr < placed->size) {
			*ret_link = placed->link + (addr - placed->addr);
			return TRUE;
		}
	}
	return FALSE;
}

/* --- ORC --- */

static KdOrcTable *
read_orc (KdModule *module, GError **error)
{
	KdKernel *kernel = module->kernel;
	KdKernelSymbol header;
	KdOrcLayout layout = kd_orc_layout (
		kernel->image, kd_kernel_symbol (kernel, "__start_orc_header", &header));
	size_t ips_len = (size_t)module->num_orcs * KD_ORC_IP_SIZE;
	size_t len = ips_len + (size_t)module->num_orcs * KD_ORC_ENTRY_SIZE;
	g_autofree uint8_t *bytes = g_malloc (MAX (len, 1));
	g_autofree KdOrcTable *table = g_new0 (KdOrcTable, 1);

	if (!kd_kernel_read (kernel, kd_addr_kernel (module->orc_ip), bytes, ips_len, error) ||
		!kd_kernel_read (kernel, kd_addr_kernel (module->orc), bytes + ips_len,
			len - ips_len, error) ||
		!kd_orc_init (table, bytes, ips_len, bytes + ips_len, len - ips_len, module->orc_ip,
			&layout, error))
		return NULL;
	module->orc_bytes = g_steal_pointer (&bytes);
	return g_steal_pointer (&table);
}

gboolean
kd_module_orc_at (KdModule *module, uint64_t addr, KdOrcEntry *ret_entry)
{
	GError *error = NULL;

	if (!module->orc_table && !has_failed (module, &module->orc_failure) && module->num_orcs &&
		module->num_orcs <= ORC_MAX) {
		module->orc_table = read_orc (module, &error);
		set_failure (module, &module->orc_failure, error);
	}
	return module->orc_table && kd_orc_find (module->orc_table, addr, ret_entry);
}
