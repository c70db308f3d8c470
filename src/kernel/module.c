/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/module-private.h"

#include <string.h>

#include "base/hex.h"
#include "kernel/containers.h"
#include "kernel/fields.h"

#define MODULES_MAX 4096
#define PARTS_MAX 16

enum {
	F_LIST,
	F_NAME,
	F_STATE,
	F_BUILD_ID,
	F_KALLSYMS,
	F_SECTIONS,
	F_PERCPU,
	F_PERCPU_SIZE,
	F_NUM_ORCS,
	F_ORC,
	F_ORC_IP,
	NR_FIELDS,
};

/* Where one part of a module lies: before 6.4 core_layout, init_layout (and on some data_layout),
 * since then mem[MOD_…]. */
typedef struct {
	KdField base, size;
	gboolean is_init;
} Part;

struct KdModules {
	gboolean known; /* types were looked at; nr_parts 0: this kernel has no modules */
	KdField fields[NR_FIELDS];
	KdFieldSpan span;
	Part parts[PARTS_MAX];
	unsigned nr_parts;
	uint64_t head;
	GPtrArray *all;     /* every module that was seen; owned */
	GPtrArray *present; /* of `generation` */
	GPtrArray *ranges;  /* Ranged, by start; of `present` */
	char *why;          /* the walk did not reach its end */
	uint64_t generation;
	gboolean valid;
	GHashTable *no_types; /* spellings that no module has */
	KdModule *last;       /* the one that had the type last asked for */
	gboolean searching;   /* a module's own lookups must not ask modules */
};

typedef struct {
	uint64_t start, end;
	uint64_t reach; /* the largest end of this and those before it: damaged ones overlap */
	KdModule *module;
} Ranged;

static void
module_free (gpointer data)
{
	KdModule *module = data;

	kd_module_forget (module);
	g_clear_pointer (&module->ranges, g_array_unref);
	g_free (module->name);
	g_free (module->build_id);
	g_free (module);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdModule, module_free)

void
kd_modules_free (KdModules *modules)
{
	if (!modules)
		return;
	g_clear_pointer (&modules->present, g_ptr_array_unref);
	g_clear_pointer (&modules->ranges, g_ptr_array_unref);
	g_clear_pointer (&modules->no_types, g_hash_table_unref);
	g_clear_pointer (&modules->all, g_ptr_array_unref);
	g_free (modules->why);
	g_free (modules);
}

/* --- the list --- */

static gboolean
find_part (KdKernel *kernel, const char *place, gboolean is_init, Part *ret)
{
	g_autofree char *base = g_strconcat (place, ".base", NULL);
	g_autofree char *size = g_strconcat (place, ".size", NULL);
	const KdFieldWant wants[] = {{base, NULL, FALSE}, {size, NULL, FALSE}};
	KdField found[2];
	KdFieldSpan span;

	if (!kd_fields_find (kernel, "struct module", wants, 2, found, &span, NULL))
		return FALSE;
	*ret = (Part){found[0], found[1], is_init};
	return TRUE;
}

static void
find_parts (KdKernel *kernel, KdModules *modules)
{
	int64_t first_init = 0, nr = 0;

	if (find_part (kernel, "core_layout", FALSE, &modules->parts[0])) {
		modules->nr_parts = 1;
		modules->nr_parts += find_part (
			kernel, "data_layout", FALSE, &modules->parts[modules->nr_parts]);
		modules->nr_parts +=
			find_part (kernel, "init_layout", TRUE, &modules->parts[modules->nr_parts]);
		return;
	}
	if (!kd_image_enumerator (kernel->image, "MOD_MEM_NUM_TYPES", &nr) ||
		!kd_image_enumerator (kernel->image, "MOD_INIT_TEXT", &first_init))
		return;
	for (int64_t i = 0; i < MIN (nr, PARTS_MAX); i++) {
		g_autofree char *place = g_strdup_printf ("mem[%d]", (int)i);

		modules->nr_parts += find_part (
			kernel, place, i >= first_init, &modules->parts[modules->nr_parts]);
	}
}

static KdModules *
modules_of (KdKernel *kernel)
{
	static const KdFieldWant wants[NR_FIELDS] = {
		[F_LIST] = {"list.next", NULL, FALSE},
		[F_NAME] = {"name", NULL, FALSE},
		[F_STATE] = {"state", NULL, TRUE},
		[F_BUILD_ID] = {"build_id", NULL, TRUE},
		[F_KALLSYMS] = {"kallsyms", NULL, TRUE},
		[F_SECTIONS] = {"sect_attrs", NULL, TRUE},
		[F_PERCPU] = {"percpu", NULL, TRUE},
		[F_PERCPU_SIZE] = {"percpu_size", NULL, TRUE},
		[F_NUM_ORCS] = {"arch.num_orcs", NULL, TRUE},
		[F_ORC] = {"arch.orc_unwind", NULL, TRUE},
		[F_ORC_IP] = {"arch.orc_unwind_ip", NULL, TRUE},
	};
	KdModules *modules = kernel->modules;
	KdFieldSpan span;
	KdSymbol head;

	if (modules)
		return modules;
	modules = kernel->modules = g_new0 (KdModules, 1);
	modules->all = g_ptr_array_new_with_free_func (module_free);
	modules->present = g_ptr_array_new();
	modules->ranges = g_ptr_array_new_with_free_func (g_free);
	modules->no_types = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
	if (!kd_image_symbol_by_name (kernel->image, "modules", &head) ||
		!kd_kernel_symbol_addr (kernel, "modules", &modules->head, NULL) ||
		!kd_fields_find (
			kernel, "struct module", wants, NR_FIELDS, modules->fields, &span, NULL))
		return modules;
	find_parts (kernel, modules);
	modules->span = (KdFieldSpan){
		0, kd_type_size (kd_image_type_by_name (kernel->image, "struct module"))};
	if (modules->span.len == 0 || modules->span.len > KD_FIELD_SPAN_MAX)
		modules->nr_parts = 0;
	return modules;
}

static uint64_t
field (const KdModules *modules, const KdField *at, const uint8_t *bytes)
{
	return kd_field_get (at, &modules->span, bytes);
}

static void
read_build_id (KdModule *module, const KdField *at, const uint8_t *bytes)
{
	gboolean any = FALSE;

	for (unsigned i = 0; at->present && i < at->size; i++)
		any |= bytes[at->offset + i] != 0;
	if (!any || at->size > KD_BUILD_ID_MAX)
		return;
	module->build_id_known = TRUE;
	memcpy (module->id, bytes + at->offset, at->size);
	module->id_len = at->size;
	module->build_id = kd_hex_to_string (module->id, module->id_len);
}

static void
read_parts (const KdModules *modules, KdModule *module, const uint8_t *bytes)
{
	module->ranges = g_array_new (FALSE, FALSE, sizeof (KdModuleRange));
	for (unsigned i = 0; i < modules->nr_parts; i++) {
		const Part *part = &modules->parts[i];
		KdModuleRange range = {
			field (modules, &part->base, bytes), field (modules, &part->size, bytes)};

		if (range.start == 0 || range.size == 0 || range.start + range.size < range.start)
			continue;
		g_array_append_val (module->ranges, range);
		if (!part->is_init)
			module->size += range.size;
		if (i == 0)
			module->base = range.start;
	}
}

static KdModule *
module_new (KdKernel *kernel, const KdModules *modules, uint64_t addr, const uint8_t *bytes)
{
	KdModule *module = g_new0 (KdModule, 1);
	const KdField *fields = modules->fields;
	g_autofree char *name =
		g_strndup ((const char *)bytes + fields[F_NAME].offset, fields[F_NAME].size);

	module->kernel = kernel;
	module->addr = addr;
	module->name = g_strescape (name, NULL);
	module->state = field (modules, &fields[F_STATE], bytes);
	module->kallsyms = field (modules, &fields[F_KALLSYMS], bytes);
	module->sections = field (modules, &fields[F_SECTIONS], bytes);
	module->percpu = field (modules, &fields[F_PERCPU], bytes);
	module->percpu_size = field (modules, &fields[F_PERCPU_SIZE], bytes);
	module->num_orcs = field (modules, &fields[F_NUM_ORCS], bytes);
	module->orc = field (modules, &fields[F_ORC], bytes);
	module->orc_ip = field (modules, &fields[F_ORC_IP], bytes);
	read_build_id (module, &fields[F_BUILD_ID], bytes);
	read_parts (modules, module, bytes);
	return module;
}

/* A module that is loaded again may lie where it did, with other addresses inside. */
static gboolean
is_same (const KdModule *a, const KdModule *b)
{
	if (a->addr != b->addr || a->kallsyms != b->kallsyms || a->state != b->state ||
		strcmp (a->name, b->name) != 0 || a->ranges->len != b->ranges->len ||
		a->sections != b->sections)
		return FALSE;
	/* An empty array has no bytes at all. */
	return a->ranges->len == 0 || memcmp (a->ranges->data, b->ranges->data,
					      a->ranges->len * sizeof (KdModuleRange)) == 0;
}

typedef struct {
	KdKernel *kernel;
	KdModules *modules;
	uint8_t *bytes;
	GError *error;
} Walk;

static gboolean
add_module (uint64_t node, void *data)
{
	Walk *walk = data;
	KdModules *modules = walk->modules;
	uint64_t addr = node - modules->fields[F_LIST].offset;

	if (!kd_kernel_read (walk->kernel, kd_addr_kernel (addr), walk->bytes, modules->span.len,
		    &walk->error)) {
		g_prefix_error (&walk->error, "struct module at 0x%" G_GINT64_MODIFIER "x: ", addr);
		return FALSE;
	}
	g_autoptr (KdModule) module = module_new (walk->kernel, modules, addr, walk->bytes);

	for (guint i = 0; i < modules->all->len; i++) {
		KdModule *known = g_ptr_array_index (modules->all, i);

		if (is_same (known, module)) {
			g_ptr_array_add (modules->present, known);
			return TRUE;
		}
	}
	g_ptr_array_add (modules->present, module);
	g_ptr_array_add (modules->all, g_steal_pointer (&module));
	g_hash_table_remove_all (modules->no_types);
	return TRUE;
}

static int
compare_ranged (const void *a, const void *b)
{
	const Ranged *x = *(Ranged *const *)a, *y = *(Ranged *const *)b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void
collect_ranges (KdModules *modules)
{
	for (guint i = 0; i < modules->present->len; i++) {
		KdModule *module = g_ptr_array_index (modules->present, i);

		for (guint j = 0; j < module->ranges->len; j++) {
			const KdModuleRange *range =
				&g_array_index (module->ranges, KdModuleRange, j);
			Ranged *ranged = g_new (Ranged, 1);

			*ranged = (Ranged){range->start, range->start + range->size, 0, module};
			g_ptr_array_add (modules->ranges, ranged);
		}
	}
	g_ptr_array_sort (modules->ranges, compare_ranged);
	for (guint i = 0; i < modules->ranges->len; i++) {
		Ranged *ranged = g_ptr_array_index (modules->ranges, i);

		ranged->reach = ranged->end;
		if (i)
			ranged->reach = MAX (ranged->end,
				((Ranged *)g_ptr_array_index (modules->ranges, i - 1))->reach);
	}
}

static KdModules *
refresh (KdKernel *kernel)
{
	KdModules *modules = modules_of (kernel);
	uint64_t generation = kd_target_memory_generation (kernel->target);
	g_autoptr (GError) error = NULL;
	Walk walk = {kernel, modules, NULL, NULL};

	if (modules->nr_parts == 0 || (modules->valid && modules->generation == generation))
		return modules;
	/* What the walk itself looks up is the kernel's. */
	modules->valid = TRUE;
	g_hash_table_remove_all (modules->no_types);
	modules->generation = generation;
	g_ptr_array_set_size (modules->present, 0);
	g_ptr_array_set_size (modules->ranges, 0);
	g_clear_pointer (&modules->why, g_free);
	walk.bytes = g_malloc (modules->span.len);
	if (!kd_list_foreach_node (kernel, modules->head, MODULES_MAX, add_module, &walk, &error) ||
		walk.error) {
		GError *first = walk.error ? walk.error : error;

		modules->why = g_strdup_printf ("the list of modules: %s", first->message);
		modules->valid = !kd_module_is_interruption (first);
		g_clear_error (&walk.error);
	}
	g_free (walk.bytes);
	collect_ranges (modules);
	return modules;
}

const GPtrArray *
kd_kernel_modules (KdKernel *kernel, char **ret_why)
{
	const KdModules *modules = refresh (kernel);

	if (ret_why)
		*ret_why = g_strdup (modules->why);
	return modules->present;
}

char *
kd_kernel_modules_hint (KdKernel *kernel)
{
	const KdModules *modules = refresh (kernel);

	return modules->why ? g_strconcat ("; ", modules->why, NULL) : g_strdup ("");
}

KdModule *
kd_kernel_module_by_name (KdKernel *kernel, const char *name)
{
	const KdModules *modules = refresh (kernel);
	g_autofree char *wanted = g_strdelimit (g_strdup (name), "-", '_');

	for (guint i = 0; i < modules->present->len; i++) {
		KdModule *module = g_ptr_array_index (modules->present, i);

		if (strcmp (module->name, wanted) == 0)
			return module;
	}
	return NULL;
}

KdModule *
kd_kernel_module_at (KdKernel *kernel, uint64_t addr)
{
	const KdModules *modules = refresh (kernel);
	guint low = 0, high = modules->ranges->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;
		const Ranged *ranged = g_ptr_array_index (modules->ranges, middle);

		if (ranged->start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	while (low-- > 0) {
		const Ranged *ranged = g_ptr_array_index (modules->ranges, low);

		if (addr < ranged->end)
			return ranged->module;
		if (addr >= ranged->reach)
			break;
	}
	return NULL;
}

/* --- what is known --- */

const char *
kd_module_name (const KdModule *module)
{
	return module->name;
}

uint64_t
kd_module_address (const KdModule *module)
{
	return module->addr;
}

uint64_t
kd_module_base (const KdModule *module)
{
	return module->base;
}

uint64_t
kd_module_size (const KdModule *module)
{
	return module->size;
}

const char *
kd_module_state (const KdModule *module)
{
	static const struct {
		const char *enumerator, *name;
	} states[] = {{"MODULE_STATE_LIVE", "live"}, {"MODULE_STATE_COMING", "coming"},
		{"MODULE_STATE_GOING", "going"}, {"MODULE_STATE_UNFORMED", "unformed"}};

	for (size_t i = 0; i < G_N_ELEMENTS (states); i++) {
		int64_t value;

		if (kd_image_enumerator (module->kernel->image, states[i].enumerator, &value) &&
			(uint64_t)value == module->state)
			return states[i].name;
	}
	return "unknown";
}

gboolean
kd_module_is_percpu (const KdModule *module, uint64_t addr)
{
	return addr - module->percpu < module->percpu_size;
}

const GArray *
kd_module_ranges (const KdModule *module)
{
	return module->ranges;
}

/* --- types of all of them --- */

typedef const KdType *(*FindFunc) (KdImage *image, const char *name, int64_t *ret_value);

static const KdType *
by_spelling (KdImage *image, const char *name, int64_t *ret_value)
{
	return kd_image_type_by_name (image, name);
}

/*
 * What was wanted of one module is likely wanted again: that one is asked first. What none has is
 * remembered, since asking opens all of them.
 */
static const KdType *
find_in_modules (KdKernel *kernel, FindFunc find, const char *name, int64_t *ret_value)
{
	KdModules *modules = refresh (kernel);
	g_autofree char *key = g_strdup_printf ("%d %s", find == by_spelling, name);

	if (modules->searching || g_hash_table_contains (modules->no_types, key))
		return NULL;
	modules->searching = TRUE;
	for (guint i = 0; i <= modules->present->len; i++) {
		KdModule *module = i ? g_ptr_array_index (modules->present, i - 1) : modules->last;
		KdImage *types = module ? kd_module_types (module) : NULL;
		const KdType *type = types ? find (types, name, ret_value) : NULL;

		if (type) {
			modules->last = module;
			modules->searching = FALSE;
			return type;
		}
	}
	modules->searching = FALSE;
	for (guint i = 0; i < kernel->extra_types->len; i++) {
		const KdType *type =
			find (g_ptr_array_index (kernel->extra_types, i), name, ret_value);

		if (type)
			return type;
	}
	g_hash_table_add (modules->no_types, g_steal_pointer (&key));
	return NULL;
}

const KdType *
kd_kernel_type (KdKernel *kernel, const char *spelling)
{
	const KdType *type = kd_image_type_by_name (kernel->image, spelling);

	return type ? type : find_in_modules (kernel, by_spelling, spelling, NULL);
}

const KdType *
kd_kernel_enumerator (KdKernel *kernel, const char *name, int64_t *ret_value)
{
	const KdType *type = kd_image_enumerator (kernel->image, name, ret_value);

	return type ? type : find_in_modules (kernel, kd_image_enumerator, name, ret_value);
}

const KdType *
kd_kernel_complete_type (KdKernel *kernel, const KdType *type)
{
	const KdType *stripped = kd_type_strip (type), *full;
	g_autofree char *spelling = NULL;

	if (kd_type_kind (stripped) != KD_TYPE_FWD)
		return type;
	spelling = kd_type_declare (stripped, NULL);
	full = kd_kernel_type (kernel, spelling);
	return full ? full : type;
}

const KdType *
kd_kernel_type_of_symbol (KdKernel *kernel, const char *symbol, gboolean thorough)
{
	const KdType *type = thorough ? kd_image_type_of_variable (kernel->image, symbol)
				      : kd_image_type_of_symbol (kernel->image, symbol);
	KdKernelSymbol found;
	KdModule *module;
	KdSymbol own;

	if (type || kd_image_symbol_by_name (kernel->image, symbol, &own) ||
		!kd_kernel_symbol (kernel, symbol, &found) || !found.module)
		return type;
	module = kd_kernel_module_by_name (kernel, found.module);
	return module ? kd_module_type_of_symbol (module, symbol, thorough) : NULL;
}

void
kd_kernel_types_foreach (KdKernel *kernel, KdTypeFunc func, void *data)
{
	const KdModules *modules = refresh (kernel);

	kd_image_types_foreach (kernel->image, func, data);
	for (guint i = 0; i < modules->present->len; i++) {
		const KdModule *module = g_ptr_array_index (modules->present, i);

		if (module->btf)
			kd_image_types_foreach (module->btf, func, data);
	}
}

const char *
kd_modules_changed_file (const KdKernel *kernel)
{
	const char *path = NULL;

	for (guint i = 0; kernel->modules && !path && i < kernel->modules->all->len; i++) {
		const KdModule *module = g_ptr_array_index (kernel->modules->all, i);

		path = module->image ? kd_image_changed (module->image) : NULL;
	}
	return path;
}
