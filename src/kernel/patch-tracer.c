/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "kernel/containers.h"
#include "kernel/fields.h"
#include "kernel/patch-sites-private.h"

/* Patch sites that are known from what the kernel does now: its tracer, probes, pokes. */

/* Pages of records: a few hundred, and some for each module. */
#define PAGES_MAX 65536
#define RECORDS_MAX (1U << 16)
#define RECORD_SIZE_MAX 4096
#define BUCKETS_MAX 4096
#define PROBES_MAX 65536
#define POKES_MAX 4096
#define LITERAL_SIZE 8

enum { IP, FLAGS, NR_FIELDS };

typedef struct {
	KdKernel *kernel;
	KdPatchSites *sites;
	KdField fields[NR_FIELDS];
	KdFieldSpan span;
	uint64_t record_size;
	uint64_t nr;      /* records read */
	gboolean has_ops; /* the address of its ops is in front of each function */
} Reader;

static void
add_record (const Reader *reader, uint64_t addr, const uint8_t *bytes)
{
	unsigned before = reader->kernel->arch->ftrace_before;
	KdPatchSite site = {.kind = KD_PATCH_FTRACE,
		.addr = kd_field_get (&reader->fields[IP], &reader->span, bytes),
		.value = kd_field_get (&reader->fields[FLAGS], &reader->span, bytes),
		.target = addr};

	if (site.addr < LITERAL_SIZE * 4)
		return;
	site.addr -= before;
	site.len = (uint16_t)(before + reader->kernel->arch->ftrace_len);
	kd_patch_sites_add (reader->kernel, reader->sites, site);
	/* Functions are aligned to 8 bytes there (gcc's -fmin-function-alignment=8), so that the
	 * literal in front of them is. */
	if (reader->has_ops) {
		site.kind = KD_PATCH_FTRACE_OPS;
		site.addr = (site.addr & ~(uint64_t)(LITERAL_SIZE - 1)) - LITERAL_SIZE;
		site.len = LITERAL_SIZE;
		kd_patch_sites_add (reader->kernel, reader->sites, site);
	}
}

static gboolean
read_page (Reader *reader, uint64_t records, uint64_t nr, GError **error)
{
	size_t len = (size_t)(nr * reader->record_size);
	g_autofree uint8_t *bytes = NULL;

	reader->nr += nr;
	if (nr > RECORDS_MAX || reader->nr > KD_PATCH_SITES_MAX) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
			"a page claims %" G_GUINT64_FORMAT " records", nr);
		return FALSE;
	}
	bytes = g_try_malloc (MAX (len, 1));
	if (!bytes || !kd_kernel_read (reader->kernel, kd_addr_kernel (records), bytes, len, error))
		return FALSE;
	for (uint64_t i = 0; i < nr; i++)
		add_record (reader, records + i * reader->record_size,
			bytes + i * reader->record_size + reader->span.start);
	return TRUE;
}

/* ftrace_pages_start: struct ftrace_page, one after the other (kernel/trace/ftrace.c). */
static gboolean
read_pages (Reader *reader, GError **error)
{
	static const KdFieldWant wants[NR_FIELDS] = {{"ip", NULL, FALSE}, {"flags", NULL, FALSE}};
	KdKernel *kernel = reader->kernel;
	const KdType *type = kd_kernel_type (kernel, "struct dyn_ftrace");
	g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
	KdKernelSymbol symbol;
	uint64_t page, records, nr;

	reader->record_size = type ? kd_type_size (type) : 0;
	if (!kd_fields_find (kernel, "struct dyn_ftrace", wants, NR_FIELDS, reader->fields,
		    &reader->span, error) ||
		!kd_kernel_symbol_addr (kernel, "ftrace_pages_start", &page, error) ||
		!kd_kernel_read_ptr (kernel, page, &page, error))
		return FALSE;
	if (!reader->record_size || reader->record_size > RECORD_SIZE_MAX)
		return TRUE;
	reader->has_ops = kd_kernel_symbol (kernel, "ftrace_nop_ops", &symbol);
	for (unsigned i = 0; page && i < PAGES_MAX; i++) {
		KdObject object;

		if (!g_hash_table_add (seen, GSIZE_TO_POINTER (page))) {
			g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
				"the list of pages loops at 0x%" PRIx64, page);
			return FALSE;
		}
		if (!kd_object_at_named (kernel, "struct ftrace_page", page, &object, error) ||
			!kd_object_member_u64 (&object, "records", &records, error) ||
			!kd_object_member_u64 (&object, "index", &nr, error) ||
			!read_page (reader, records, nr, error) ||
			!kd_object_member_u64 (&object, "next", &page, error))
			return FALSE;
		if (reader->sites->sites->len >= KD_PATCH_SITES_MAX)
			break;
	}
	return TRUE;
}

static gboolean
add_probe (uint64_t node, void *data)
{
	const Reader *reader = data;
	KdPatchSite site = {.kind = KD_PATCH_KPROBE};
	KdObject probe;

	if (kd_object_container_of (reader->kernel, node, "struct kprobe", "hlist", &probe, NULL) &&
		kd_object_member_u64 (&probe, "addr", &site.addr, NULL)) {
		site.target = probe.addr.value;
		site.len = kd_patch_insn_len (reader->kernel, site.addr);
		/* A jump, where the probe was optimized, may take more than one instruction. */
		site.len = MAX (site.len, (uint16_t)reader->kernel->arch->ftrace_len);
		kd_patch_sites_add (reader->kernel, reader->sites, site);
	}
	return TRUE;
}

static void
read_probes (Reader *reader)
{
	const KdType *head = kd_kernel_type (reader->kernel, "struct hlist_head");
	uint64_t size = head ? kd_type_size (head) : 0;
	KdKernelSymbol table;

	if (!size || !kd_kernel_symbol (reader->kernel, "kprobe_table", &table))
		return;
	for (uint64_t i = 0; i < MIN (table.size / size, BUCKETS_MAX); i++) {
		GError *error = NULL;

		if (!kd_hlist_foreach_node (reader->kernel, table.addr + i * size, PROBES_MAX,
			    add_probe, reader, &error)) {
			kd_patch_sites_miss (reader->sites, "kprobes", error);
			return;
		}
	}
}

/* arch/x86/kernel/alternative.c, text_poke_bp_batch(): while refs is not 0. */
static void
read_pokes (Reader *reader)
{
	KdKernel *kernel = reader->kernel;
	uint64_t refs = 0, nr = 0, vec, base;
	KdObject desc, first, poke;

	if (!kd_object_symbol (kernel, "bp_desc", "struct bp_patching_desc", &desc, NULL) ||
		!kd_object_member_u64 (&desc, "refs.counter", &refs, NULL) || refs == 0 ||
		!kd_object_member_u64 (&desc, "nr_entries", &nr, NULL) ||
		!kd_object_member_u64 (&desc, "vec", &vec, NULL) ||
		!kd_kernel_symbol_addr (kernel, "_stext", &base, NULL) ||
		!kd_object_at_named (kernel, "struct text_poke_loc", vec, &first, NULL))
		return;
	for (uint64_t i = 0; i < MIN (nr, POKES_MAX); i++) {
		KdPatchSite site = {.kind = KD_PATCH_POKE};
		uint64_t offset, len;
		KdObject array = kd_object_in_hand (
			kernel, kd_image_type_pointer_to (kernel->image, first.type), vec);

		if (!kd_object_index (&array, (int64_t)i, &poke, NULL) ||
			!kd_object_member_u64 (&poke, "rel_addr", &offset, NULL) ||
			!kd_object_member_u64 (&poke, "len", &len, NULL))
			return;
		site.addr = base + (uint64_t)(int64_t)(int32_t)offset;
		site.len = (uint16_t)MIN (len, KD_INSN_BYTES_MAX);
		kd_patch_sites_add (kernel, reader->sites, site);
	}
}

/* Calls in the tracer's entry code, which the kernel points at what is called now. */
static void
add_entry_code (Reader *reader)
{
	static const char *const names[] = {"ftrace_call", "ftrace_regs_call", "ftrace_graph_call"};

	for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
		KdPatchSite site = {.kind = KD_PATCH_FTRACE_CODE};
		KdKernelSymbol symbol;

		if (!kd_kernel_symbol (reader->kernel, names[i], &symbol))
			continue;
		site.addr = symbol.addr;
		site.len = kd_patch_insn_len (reader->kernel, symbol.addr);
		kd_patch_sites_add (reader->kernel, reader->sites, site);
	}
}

/* Functions that only jump to where a static call goes: __SCT__NAME has its key in __SCK__NAME. */
static gboolean
add_trampoline (const KdKernelSymbol *symbol, void *data)
{
	const Reader *reader = data;
	g_autofree char *key_name = NULL;
	KdPatchSite site = {.kind = KD_PATCH_STATIC_CALL, .addr = symbol->addr};
	KdKernelSymbol key;

	if (!g_str_has_prefix (symbol->name, "__SCT__"))
		return TRUE;
	key_name = g_strconcat ("__SCK__", symbol->name + strlen ("__SCT__"), NULL);
	if (!kd_kernel_symbol (reader->kernel, key_name, &key))
		return TRUE;
	site.value = key.addr;
	site.len = kd_patch_insn_len (reader->kernel, symbol->addr);
	kd_patch_sites_add (reader->kernel, reader->sites, site);
	return TRUE;
}

void
kd_patch_sites_read_tracer (KdKernel *kernel, KdPatchSites *sites)
{
	Reader reader = {.kernel = kernel, .sites = sites};
	GError *error = NULL;
	KdKernelSymbol symbol;

	if (kd_kernel_symbol (kernel, "ftrace_pages_start", &symbol) &&
		!read_pages (&reader, &error))
		kd_patch_sites_miss (sites, "ftrace", error);
	add_entry_code (&reader);
	read_probes (&reader);
	read_pokes (&reader);
	kd_kernel_symbols_foreach (kernel, add_trampoline, &reader);
}
