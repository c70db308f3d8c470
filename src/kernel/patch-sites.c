/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/patch-sites.h"

#include <string.h>

#include "arch/disasm.h"
#include "kernel/fields.h"
#include "kernel/module-private.h"
#include "kernel/object.h"
#include "kernel/patch-sites-private.h"

/* A distribution's kernel has a megabyte of the largest. */
#define TABLE_BYTES_MAX (32U << 20)
#define S32_SIZE 4

static const char *const kind_names[KD_PATCH_NR_KINDS] = {"ftrace", "ftrace ops", "ftrace entry",
	"jump label", "alternative", "alternative callback", "static call", "kprobe", "paravirt",
	"retpoline", "return thunk", "call depth", "endbr", "lock prefix", "runtime constant",
	"hyp address", "call thunk", "text poke"};

const char *
kd_patch_kind_name (KdPatchKind kind)
{
	return kind < KD_PATCH_NR_KINDS ? kind_names[kind] : "?";
}

void
kd_patch_sites_free (KdPatchSites *sites)
{
	if (!sites)
		return;
	g_array_unref (sites->sites);
	g_ptr_array_unref (sites->missing);
	g_free (sites);
}

void
kd_patch_sites_add (KdKernel *kernel, KdPatchSites *sites, KdPatchSite site)
{
	uint64_t link;
	gboolean in_kernel = kd_kernel_link_addr (kernel, site.addr, &link);

	if (!site.len || sites->sites->len >= KD_PATCH_SITES_MAX ||
		(!in_kernel && !kd_kernel_module_at (kernel, site.addr)))
		return;
	sites->len_max = MAX (sites->len_max, site.len);
	g_array_append_val (sites->sites, site);
}

void
kd_patch_sites_miss (KdPatchSites *sites, const char *what, GError *error)
{
	g_ptr_array_add (sites->missing,
		g_strdup_printf ("%s: %s", what, error ? error->message : "not readable"));
	g_clear_error (&error);
}

uint16_t
kd_patch_insn_len (KdKernel *kernel, uint64_t addr)
{
	uint8_t code[KD_INSN_BYTES_MAX];
	const uint8_t *bytes = NULL;
	g_autofree char *text = NULL;
	size_t len = sizeof code;
	KdImage *image = NULL;
	KdModule *module;
	uint64_t link;

	if (kernel->arch->insn_align > 1)
		return (uint16_t)kernel->arch->insn_align;
	module = kd_kernel_module_at (kernel, addr);
	/* A file that nobody needed so far is not looked for. */
	if (module && kd_module_placed (module, FALSE, NULL) &&
		kd_module_link_addr (module, addr, &link))
		image = kd_module_image (module, NULL);
	else if (!module && !kernel->image_why && kd_kernel_link_addr (kernel, addr, &link))
		image = kernel->image;
	/* A section may end here. */
	while (image && len && !(bytes = kd_image_bytes (image, link, len)))
		len--;
	if (!bytes) {
		len = sizeof code;
		if (!kd_kernel_read (kernel, kd_addr_kernel (addr), code, len, NULL))
			return 0;
		bytes = code;
	}
	text = kd_disassemble (kernel->arch, bytes, len, addr, &len);
	return text ? (uint16_t)len : 0;
}

/* --- tables of records --- */

typedef struct {
	const uint8_t *bytes;
	size_t len;
	uint64_t addr; /* run time */
	gboolean from_file;
	uint8_t *owned;
} Table;

static void
table_clear (Table *table)
{
	g_free (table->owned);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Table, table_clear)

static gboolean
read_table (KdKernel *kernel, Table *ret_table, uint64_t addr, uint64_t len, gboolean kept,
	GError **error)
{
	uint64_t link;

	if (len > TABLE_BYTES_MAX) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
			"claims %" G_GUINT64_FORMAT " bytes", len);
		return FALSE;
	}
	*ret_table = (Table){.len = (size_t)len, .addr = addr};
	if (len == 0)
		return TRUE;
	if (!kept && !kernel->image_why && kd_kernel_link_addr (kernel, addr, &link))
		ret_table->bytes = kd_image_bytes (kernel->image, link, ret_table->len);
	ret_table->from_file = ret_table->bytes != NULL;
	if (ret_table->bytes)
		return TRUE;
	if (!kept) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"freed after the boot, and in no file");
		return FALSE;
	}
	ret_table->owned = g_try_malloc (ret_table->len);
	ret_table->bytes = ret_table->owned;
	return ret_table->owned && kd_kernel_read (kernel, kd_addr_kernel (addr), ret_table->owned,
					   ret_table->len, error);
}

/* A pointer that lies in the record at `at`: relative to its own place where it is 32 bits. */
static uint64_t
pointer_at (KdKernel *kernel, const Table *table, uint64_t at, const KdField *field,
	const KdFieldSpan *span)
{
	uint64_t value = kd_field_get (field, span, table->bytes + at + span->start);

	if (field->size == S32_SIZE)
		return table->addr + at + field->offset + (uint64_t)(int64_t)(int32_t)value;
	return table->from_file ? value + kd_kernel_kaslr_offset (kernel) : value;
}

typedef void (*RecordsFunc) (
	KdKernel *kernel, KdPatchSites *sites, const Table *table, GError **error);

static void
read_alternatives (KdKernel *kernel, KdPatchSites *sites, const Table *table, GError **error)
{
	enum { ORIG, ALT, FEATURE, ORIG_LEN, ALT_LEN, NR };
	static const KdFieldWant wants[NR] = {{"orig_offset", "instr_offset", FALSE},
		{"alt_offset", "repl_offset", FALSE}, {"cpufeature", "cpuid", TRUE},
		{"orig_len", "instrlen", FALSE}, {"alt_len", "replacementlen", FALSE}};
	static const KdFieldWant cap = {"cpucap", NULL, TRUE};
	const KdType *type = kd_kernel_type (kernel, "struct alt_instr");
	KdField fields[NR];
	KdFieldSpan span, cap_span;
	KdField cap_field = {0};

	if (!kd_fields_find (kernel, "struct alt_instr", wants, NR, fields, &span, error))
		return;
	if (!fields[FEATURE].present)
		kd_fields_find (kernel, "struct alt_instr", &cap, 1, &cap_field, &cap_span, NULL);
	for (uint64_t at = 0, size = kd_type_size (type); size && size <= table->len - at;
		at += size) {
		const uint8_t *record = table->bytes + at;
		KdPatchSite site = {.kind = KD_PATCH_ALTERNATIVE,
			.addr = pointer_at (kernel, table, at, &fields[ORIG], &span),
			.target = pointer_at (kernel, table, at, &fields[ALT], &span),
			.len = (uint16_t)kd_field_get (
				&fields[ORIG_LEN], &span, record + span.start),
			.target_len = (uint16_t)kd_field_get (
				&fields[ALT_LEN], &span, record + span.start),
			.value = kd_field_get (&fields[FEATURE], &span, record + span.start)};

		if (cap_field.present)
			site.value = kd_field_get (&cap_field, &cap_span, record + cap_span.start);
		/* A callback instead of code (arm64 alternative_cb): it writes as many
		 * instructions as there were. */
		if (site.target_len == 0 && kernel->arch->insn_align > 1)
			site.kind = KD_PATCH_CALLBACK;
		kd_patch_sites_add (kernel, sites, site);
	}
}

static void
read_jumps (KdKernel *kernel, KdPatchSites *sites, const Table *table, GError **error)
{
	enum { CODE, TARGET, KEY, NR };
	static const KdFieldWant wants[NR] = {
		{"code", NULL, FALSE}, {"target", NULL, FALSE}, {"key", NULL, FALSE}};
	const KdType *type = kd_kernel_type (kernel, "struct jump_entry");
	KdField fields[NR];
	KdFieldSpan span;

	if (!kd_fields_find (kernel, "struct jump_entry", wants, NR, fields, &span, error))
		return;
	for (uint64_t at = 0, size = kd_type_size (type); size && size <= table->len - at;
		at += size) {
		uint64_t key = kd_field_get (&fields[KEY], &span, table->bytes + at + span.start);
		KdPatchSite site = {.kind = KD_PATCH_JUMP_LABEL,
			.addr = pointer_at (kernel, table, at, &fields[CODE], &span),
			.target = pointer_at (kernel, table, at, &fields[TARGET], &span)};

		/* The key is relative too where the code is, in a long all the same; its two low
		 * bits say which way it was built, and that it is in init code. */
		if (fields[CODE].size == S32_SIZE)
			key += table->addr + at + fields[KEY].offset;
		site.is_branch = key & 1;
		site.value = key & ~3ULL;
		site.len = kd_patch_insn_len (kernel, site.addr);
		kd_patch_sites_add (kernel, sites, site);
	}
}

static void
read_static_calls (KdKernel *kernel, KdPatchSites *sites, const Table *table, GError **error)
{
	enum { ADDR, KEY, NR };
	static const KdFieldWant wants[NR] = {{"addr", NULL, FALSE}, {"key", NULL, FALSE}};
	const KdType *type = kd_kernel_type (kernel, "struct static_call_site");
	KdField fields[NR];
	KdFieldSpan span;

	if (!kd_fields_find (kernel, "struct static_call_site", wants, NR, fields, &span, error))
		return;
	for (uint64_t at = 0, size = kd_type_size (type); size && size <= table->len - at;
		at += size) {
		KdPatchSite site = {.kind = KD_PATCH_STATIC_CALL,
			.addr = pointer_at (kernel, table, at, &fields[ADDR], &span),
			.value = pointer_at (kernel, table, at, &fields[KEY], &span) & ~3ULL};

		site.len = kd_patch_insn_len (kernel, site.addr);
		kd_patch_sites_add (kernel, sites, site);
	}
}

static void
read_paravirt (KdKernel *kernel, KdPatchSites *sites, const Table *table, GError **error)
{
	enum { INSTR, TYPE, LEN, NR };
	static const KdFieldWant wants[NR] = {
		{"instr", NULL, FALSE}, {"type", "instrtype", FALSE}, {"len", NULL, FALSE}};
	const KdType *type = kd_kernel_type (kernel, "struct paravirt_patch_site");
	KdField fields[NR];
	KdFieldSpan span;

	if (!kd_fields_find (kernel, "struct paravirt_patch_site", wants, NR, fields, &span, error))
		return;
	for (uint64_t at = 0, size = kd_type_size (type); size && size <= table->len - at;
		at += size) {
		const uint8_t *record = table->bytes + at + span.start;
		KdPatchSite site = {.kind = KD_PATCH_PARAVIRT,
			.addr = pointer_at (kernel, table, at, &fields[INSTR], &span),
			.value = kd_field_get (&fields[TYPE], &span, record),
			.len = (uint16_t)kd_field_get (&fields[LEN], &span, record)};

		kd_patch_sites_add (kernel, sites, site);
	}
}

/* --- tables of nothing but places: s32, each relative to itself --- */

/* Code that is freed after the boot. */
static gboolean
is_init (KdKernel *kernel, uint64_t addr)
{
	KdKernelSymbol begin, end;

	return kd_kernel_symbol (kernel, "__init_begin", &begin) &&
	       kd_kernel_symbol (kernel, "__init_end", &end) && addr >= begin.addr &&
	       addr < end.addr;
}

/*
 * `len`: bytes of each; 0: an instruction. `target`: of all of them; where there is none, their
 * value is the address of the first that stays.
 */
static void
read_places (KdKernel *kernel, KdPatchSites *sites, const Table *table, KdPatchKind kind,
	unsigned len, uint64_t target)
{
	uint64_t first = 0;

	for (size_t at = 0; at + S32_SIZE <= table->len; at += S32_SIZE) {
		uint32_t offset;
		KdPatchSite site = {.kind = (uint8_t)kind, .target = target};

		memcpy (&offset, table->bytes + at, S32_SIZE);
		offset = kernel->arch->big_endian ? GUINT32_FROM_BE (offset)
						  : GUINT32_FROM_LE (offset);
		site.addr = table->addr + at + (uint64_t)(int64_t)(int32_t)offset;
		site.len = len ? (uint16_t)len : kd_patch_insn_len (kernel, site.addr);
		if (!target && !first && !is_init (kernel, site.addr))
			first = site.addr;
		site.value = first;
		kd_patch_sites_add (kernel, sites, site);
	}
}

/* --- constants: a table for each, named after its kind and variable --- */

typedef struct {
	KdKernel *kernel;
	KdPatchSites *sites;
} Constants;

static void
read_constant (
	const Constants *constants, const KdKernelSymbol *start, const char *name, unsigned len)
{
	KdKernel *kernel = constants->kernel;
	g_autofree char *stop_name =
		g_strconcat ("__stop_", start->name + strlen ("__start_"), NULL);
	KdPatchSites *sites = constants->sites;
	KdKernelSymbol stop, variable;
	g_auto (Table) table = {0};
	GError *error = NULL;

	if (!kd_kernel_symbol (kernel, stop_name, &stop) || stop.addr <= start->addr)
		return;
	/* One that nothing else reads the compiler leaves out. */
	if (!kd_kernel_symbol (kernel, name, &variable))
		variable.addr = 0;
	if (!read_table (kernel, &table, start->addr, stop.addr - start->addr, FALSE, &error)) {
		kd_patch_sites_miss (sites, name, error);
		return;
	}
	read_places (kernel, sites, &table, KD_PATCH_CONST, len, variable.addr);
}

static gboolean
add_constant (const KdKernelSymbol *symbol, void *data)
{
	const Constants *constants = data;
	const KdArch *arch = constants->kernel->arch;
	const struct {
		const char *prefix;
		unsigned len;
	} kinds[] = {{"__start_runtime_ptr_", arch->const_ptr_len},
		{"__start_runtime_shift_", arch->const_shift_len},
		{"__start_runtime_mask_", arch->const_mask_len}};

	for (size_t i = 0; !symbol->module && i < G_N_ELEMENTS (kinds); i++)
		if (g_str_has_prefix (symbol->name, kinds[i].prefix))
			read_constant (constants, symbol, symbol->name + strlen (kinds[i].prefix),
				kinds[i].len);
	return TRUE;
}

static const struct {
	const char *start, *end;
	RecordsFunc read; /* NULL: places alone */
	KdPatchKind kind;
	gboolean kept; /* in memory after the boot */
	unsigned len;  /* of what is there; 0: an instruction */
} tables[] = {
	{"__alt_instructions", "__alt_instructions_end", read_alternatives, KD_PATCH_ALTERNATIVE,
		FALSE},
	{"__start___jump_table", "__stop___jump_table", read_jumps, KD_PATCH_JUMP_LABEL, TRUE},
	{"__start_static_call_sites", "__stop_static_call_sites", read_static_calls,
		KD_PATCH_STATIC_CALL, TRUE},
	{"__parainstructions", "__parainstructions_end", read_paravirt, KD_PATCH_PARAVIRT, FALSE},
	{"__retpoline_sites", "__retpoline_sites_end", NULL, KD_PATCH_RETPOLINE, FALSE},
	{"__return_sites", "__return_sites_end", NULL, KD_PATCH_RETURN, FALSE},
	{"__call_sites", "__call_sites_end", NULL, KD_PATCH_CALL, FALSE},
	{"__ibt_endbr_seal", "__ibt_endbr_seal_end", NULL, KD_PATCH_ENDBR, FALSE},
	{"__hyp_reloc_begin", "__hyp_reloc_end", NULL, KD_PATCH_HYP, FALSE, 8},
	{"__smp_locks", "__smp_locks_end", NULL, KD_PATCH_LOCK, FALSE, 1},
};

static void
read_tables (KdKernel *kernel, KdPatchSites *sites)
{
	for (size_t i = 0; i < G_N_ELEMENTS (tables); i++) {
		const char *what = kd_patch_kind_name (tables[i].kind);
		KdKernelSymbol start, end;
		g_auto (Table) table = {0};
		GError *error = NULL;

		if (!kd_kernel_symbol (kernel, tables[i].start, &start) ||
			!kd_kernel_symbol (kernel, tables[i].end, &end) || end.addr <= start.addr)
			continue;
		if (!read_table (kernel, &table, start.addr, end.addr - start.addr, tables[i].kept,
			    &error))
			kd_patch_sites_miss (sites, what, error);
		else if (!tables[i].read)
			read_places (kernel, sites, &table, tables[i].kind, tables[i].len, 0);
		else {
			tables[i].read (kernel, sites, &table, &error);
			if (error)
				kd_patch_sites_miss (sites, what, error);
		}
	}
}

/* Those that only the file knows the size of; they stay in memory with it. */
static void
read_sections (KdKernel *kernel, KdPatchSites *sites, KdModule *module)
{
	static const struct {
		const char *name;
		RecordsFunc read; /* NULL: places alone */
		KdPatchKind kind;
		unsigned len; /* 0: an instruction */
	} rows[] = {
		{".altinstructions", read_alternatives, KD_PATCH_ALTERNATIVE},
		{".parainstructions", read_paravirt, KD_PATCH_PARAVIRT},
		{".retpoline_sites", NULL, KD_PATCH_RETPOLINE},
		{".return_sites", NULL, KD_PATCH_RETURN},
		{".call_sites", NULL, KD_PATCH_CALL},
		{".ibt_endbr_seal", NULL, KD_PATCH_ENDBR},
		{".smp_locks", NULL, KD_PATCH_LOCK, 1},
	};
	const GArray *all = kd_module_placed (module, FALSE, NULL);

	for (guint i = 0; all && i < all->len; i++) {
		const KdPlaced *placed = &g_array_index (all, KdPlaced, i);
		const char *name = kd_image_section_name (module->image, placed->link);

		for (size_t k = 0; name && k < G_N_ELEMENTS (rows); k++) {
			g_auto (Table) table = {0};
			GError *error = NULL;

			if (strcmp (name, rows[k].name) != 0)
				continue;
			if (!read_table (kernel, &table, placed->addr, placed->size, TRUE, &error))
				kd_patch_sites_miss (sites, kd_module_name (module), error);
			else if (!rows[k].read)
				read_places (kernel, sites, &table, rows[k].kind, rows[k].len, 0);
			else {
				rows[k].read (kernel, sites, &table, &error);
				if (error)
					kd_patch_sites_miss (sites, kd_module_name (module), error);
			}
		}
	}
}

/* Those tables of a module that its struct module leads to. */
static void
read_module (KdKernel *kernel, KdPatchSites *sites, KdModule *module)
{
	static const struct {
		const char *entries, *nr, *type;
		RecordsFunc read;
	} rows[] = {
		{"jump_entries", "num_jump_entries", "struct jump_entry", read_jumps},
		{"static_call_sites", "num_static_call_sites", "struct static_call_site",
			read_static_calls},
	};
	KdObject object;

	if (!kd_object_at_named (
		    kernel, "struct module", kd_module_address (module), &object, NULL))
		return;
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		const KdType *type = kd_kernel_type (kernel, rows[i].type);
		uint64_t addr, nr, size = type ? kd_type_size (type) : 0;
		g_auto (Table) table = {0};
		GError *error = NULL;

		if (!size || !kd_object_member_u64 (&object, rows[i].entries, &addr, NULL) ||
			!kd_object_member_u64 (&object, rows[i].nr, &nr, NULL) || !addr || !nr)
			continue;
		if (read_table (
			    kernel, &table, addr, MIN (nr, TABLE_BYTES_MAX) * size, TRUE, &error))
			rows[i].read (kernel, sites, &table, &error);
		if (error)
			kd_patch_sites_miss (sites, kd_module_name (module), error);
	}
}

static int
compare (const void *a, const void *b)
{
	const KdPatchSite *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (int)x->kind - (int)y->kind;
}

const KdPatchSites *
kd_kernel_patch_sites (KdKernel *kernel)
{
	uint64_t generation = kd_target_memory_generation (kernel->target);
	const GPtrArray *modules;
	KdPatchSites *sites;
	unsigned nr_files = 0;

	modules = kd_kernel_modules (kernel, NULL);
	for (guint i = 0; modules && i < modules->len; i++)
		nr_files += kd_module_placed (g_ptr_array_index (modules, i), FALSE, NULL) != NULL;
	if (kernel->patch_sites && kernel->patch_sites->generation == generation &&
		kernel->patch_sites->nr_files == nr_files)
		return kernel->patch_sites;
	kd_patch_sites_free (kernel->patch_sites);
	kernel->patch_sites = sites = g_new0 (KdPatchSites, 1);
	sites->generation = generation;
	sites->nr_files = nr_files;
	sites->sites = g_array_new (FALSE, FALSE, sizeof (KdPatchSite));
	sites->missing = g_ptr_array_new_with_free_func (g_free);
	read_tables (kernel, sites);
	if (kernel->arch->const_at)
		kd_kernel_symbols_foreach (
			kernel, add_constant, &(Constants){.kernel = kernel, .sites = sites});
	for (guint i = 0; modules && i < modules->len; i++) {
		read_module (kernel, sites, g_ptr_array_index (modules, i));
		read_sections (kernel, sites, g_ptr_array_index (modules, i));
	}
	kd_patch_sites_read_tracer (kernel, sites);
	g_array_sort (sites->sites, compare);
	return sites;
}

int
kd_patch_sites_next (const KdPatchSites *sites, uint64_t addr, unsigned from)
{
	unsigned low = from, high = sites->sites->len;

	/* The first that may reach `addr`. */
	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (kd_patch_site (sites, mid)->addr + sites->len_max <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < sites->sites->len; low++) {
		const KdPatchSite *site = kd_patch_site (sites, low);

		if (site->addr > addr)
			return -1;
		if (addr - site->addr < site->len)
			return (int)low;
	}
	return -1;
}

int
kd_patch_sites_from (const KdPatchSites *sites, uint64_t addr)
{
	unsigned low = 0, high = sites->sites->len;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (kd_patch_site (sites, mid)->addr < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < sites->sites->len ? (int)low : -1;
}

const KdPatchSite *
kd_patch_site (const KdPatchSites *sites, unsigned index)
{
	return &g_array_index (sites->sites, KdPatchSite, index);
}

unsigned
kd_patch_sites_nr (const KdPatchSites *sites)
{
	return sites->sites->len;
}

const GPtrArray *
kd_patch_sites_missing (const KdPatchSites *sites)
{
	return sites->missing;
}
