/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/data-symbols.h"

#include <inttypes.h>
#include <string.h>

#include "base/cursor.h"

#define PAGE 4096ULL
/* Where the root table may be, seen from the symbols' names. */
#define ROOT_BEFORE (64ULL << 20)
#define ROOT_BEHIND (64ULL << 20)
/* Of a note with the name "GNU", in front of what it says. */
#define NOTE_HEAD 16
/* In the image's mapping. */
#define HOLE_MAX (32ULL << 20)
#define IMAGE_MAX (256ULL << 20)
#define NAME_MAX_LEN 512
#define EXPORTS_MAX (1U << 20)
#define REFS_MAX 4096
#define FUNCTION_MAX 65536
#define VMCOREINFO_MAX 65536
#define FUNCTIONS_MAX 3

/* struct btf_header of <linux/btf.h>: magic, version, flags, hdr_len. */
#define BTF_HEADER 24
static const uint8_t btf_start[8] = {0x9f, 0xeb, 1, 0, BTF_HEADER, 0, 0, 0};

typedef struct {
	KdKallsyms *kallsyms;
	KdTarget *target;
	KdVectorPlace vector; /* one in the image's own mapping */
	const KdArchLinux *layout;
	GHashTable *names; /* of all symbols → guint + 1 */
	uint64_t base;     /* run-time address of the image */
	uint8_t *bytes;    /* all of it */
	size_t len;
	KdImage *types;
} Finder;

static void
finder_clear (Finder *finder)
{
	g_clear_pointer (&finder->names, g_hash_table_unref);
	g_clear_pointer (&finder->bytes, g_free);
	g_clear_pointer (&finder->types, kd_image_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Finder, finder_clear)

/* --- the table --- */

static const char *
name_of (const Finder *finder, const KdKallsymsEntry *entry)
{
	return (const char *)finder->kallsyms->strings->data + entry->name;
}

static gboolean
lookup (const Finder *finder, const char *name, KdKallsymsEntry *ret_entry)
{
	/* Strings move as they grow: the table has offsets, so each entry is looked at again. */
	guint at = GPOINTER_TO_UINT (g_hash_table_lookup (finder->names, name));

	if (!at)
		return FALSE;
	*ret_entry = g_array_index (finder->kallsyms->symbols, KdKallsymsEntry, at - 1);
	return TRUE;
}

/* Nothing that kallsyms has itself is replaced. */
static void
add (Finder *finder, const char *name, uint64_t addr, uint64_t size, char kind)
{
	KdKallsymsEntry entry = {.addr = addr,
		.name = finder->kallsyms->strings->len,
		.kind = kind,
		.is_added = TRUE,
		.size = (uint32_t)MIN (size, G_MAXUINT32)};

	if (g_hash_table_contains (finder->names, name))
		return;
	g_byte_array_append (
		finder->kallsyms->strings, (const guint8 *)name, (guint)strlen (name) + 1);
	g_array_append_val (finder->kallsyms->symbols, entry);
	g_hash_table_insert (
		finder->names, g_strdup (name), GUINT_TO_POINTER (finder->kallsyms->symbols->len));
}

static int
compare_entries (const void *a, const void *b)
{
	const KdKallsymsEntry *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	/* kallsyms' own order stays; what was added comes behind. */
	return x->name < y->name ? -1 : x->name > y->name;
}

static void
index_names (Finder *finder)
{
	finder->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < finder->kallsyms->symbols->len; i++) {
		const KdKallsymsEntry *entry =
			&g_array_index (finder->kallsyms->symbols, KdKallsymsEntry, i);
		const char *name = name_of (finder, entry);

		if (!g_hash_table_contains (finder->names, name))
			g_hash_table_insert (
				finder->names, g_strdup (name), GUINT_TO_POINTER (i + 1));
	}
}

/* --- the image --- */

static gboolean
in_image (const Finder *finder, uint64_t addr, size_t len, size_t *ret_offset)
{
	*ret_offset = (size_t)(addr - finder->base);
	return addr >= finder->base && addr - finder->base <= finder->len &&
	       len <= finder->len - *ret_offset;
}

static gboolean
u64_at (const Finder *finder, uint64_t addr, uint64_t *ret_value)
{
	size_t offset;

	if (!in_image (finder, addr, sizeof *ret_value, &offset))
		return FALSE;
	memcpy (ret_value, finder->bytes + offset, sizeof *ret_value);
	*ret_value = GUINT64_FROM_LE (*ret_value);
	return TRUE;
}

static int32_t
s32_at (const Finder *finder, size_t offset)
{
	uint32_t value;

	memcpy (&value, finder->bytes + offset, sizeof value);
	return (int32_t)GUINT32_FROM_LE (value);
}

/* Stops at a vector at one of the symbols that it may be at: the image's own mapping has it. */
static gboolean
take_vector (const KdVectorPlace *vector, void *data)
{
	Finder *finder = data;
	const KdArchLinux *layout = finder->layout;
	KdKallsymsEntry entry;

	for (const char *const *name = layout->vector_symbols; vector->is_kernel_va && *name;
		name++)
		if (lookup (finder, *name, &entry) && vector->va >= entry.addr &&
			vector->va - entry.addr <
				MAX (layout->vector_slots, 1) * MAX (layout->vector_slot_size, 1)) {
			finder->vector = *vector;
			return FALSE;
		}
	return TRUE;
}

/*
 * `regime` has _stext where it may lie, and its own root table in one piece with it: any page may
 * have the right word by chance (INT_MAX is an entry for the table in the last page below 2 GiB).
 */
static gboolean
is_root (const Finder *finder, const KdRegime *regime, uint64_t text, uint64_t near)
{
	const KdArch *arch = kd_target_arch (finder->target);
	uint64_t root = regime->root & ~(PAGE - 1), pa;
	KdWalk walk;

	arch->walk (regime, text, kd_target_phys_read_func, finder->target, &walk);
	pa = walk.pa;
	if (walk.status != KD_WALK_MAPPED || (pa ^ text) % finder->layout->load_align ||
		pa > near || near - pa > ROOT_BEFORE)
		return FALSE;
	arch->walk (regime, text - pa + root, kd_target_phys_read_func, finder->target, &walk);
	return walk.status == KD_WALK_MAPPED && walk.pa == root;
}

/*
 * No CPU has them: they are at EL2, or in guests. Then the kernel's root table is looked for, page
 * by page of the image: it is the one that has _stext in this piece of memory.
 */
static gboolean
guess_vector (Finder *finder, uint64_t near)
{
	const uint64_t from = (near > ROOT_BEFORE ? near - ROOT_BEFORE : 0) & ~(PAGE - 1);
	KdRegime regimes[KD_ROOT_REGIMES_MAX];
	KdKallsymsEntry text;
	KdWalk walk;

	if (!finder->layout->load_align || !lookup (finder, "_stext", &text))
		return FALSE;
	for (uint64_t root = from; root - from < ROOT_BEFORE + ROOT_BEHIND; root += PAGE) {
		unsigned nr = finder->layout->root_regimes (root, regimes);

		for (unsigned i = 0; i < nr; i++) {
			if (!is_root (finder, &regimes[i], text.addr, near))
				continue;
			kd_target_walk (finder->target, &regimes[i], text.addr, &walk);
			finder->vector = (KdVectorPlace){text.addr, walk.pa, TRUE, regimes[i]};
			return TRUE;
		}
	}
	return FALSE;
}

/*
 * Behind the last byte that is mapped in one piece with the vectors; what belonged to init alone is
 * a hole by now.
 */
static uint64_t
image_end (const Finder *finder)
{
	uint64_t page = 1ULL << finder->vector.regime.page_shift;
	uint64_t start = finder->vector.va & ~(page - 1), end = start, size;

	for (uint64_t at = start; at - end < HOLE_MAX && at - start < IMAGE_MAX; at += size) {
		gboolean is_mapped = kd_vector_maps (finder->target, &finder->vector, at, &size);

		size = is_mapped ? size - (at & (size - 1)) : page;
		if (is_mapped)
			end = at + size;
	}
	return end;
}

/*
 * The image begins where loaders must put it. Its header may not be there any more: arm64 kernels
 * give the memory in front of _stext away.
 */
static gboolean
find_image (Finder *finder, uint64_t near, GError **error)
{
	KdKallsymsEntry text;
	uint64_t text_pa;

	kd_vectors_foreach (finder->target, take_vector, finder);
	if ((!finder->vector.is_kernel_va && !guess_vector (finder, near)) ||
		!finder->layout->load_align || !lookup (finder, "_stext", &text)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"kallsyms in memory has no data (no CONFIG_KALLSYMS_ALL), and where the "
			"image lies cannot be seen");
		return FALSE;
	}
	text_pa = text.addr - finder->vector.va + finder->vector.pa;
	finder->base = text.addr - (text_pa & (finder->layout->load_align - 1));
	finder->len = (size_t)(image_end (finder) - finder->base);
	g_debug ("kernel: the image is at 0x%" PRIx64 " (0x%zx bytes), by vectors at 0x%" PRIx64
		 " (physical 0x%" PRIx64 ")",
		finder->base, finder->len, finder->vector.va, finder->vector.pa);
	finder->bytes = g_malloc (finder->len);
	return kd_target_read_phys (finder->target,
		finder->base - finder->vector.va + finder->vector.pa, finder->bytes, finder->len,
		error);
}

static gboolean
add_banner (Finder *finder)
{
	static const char start[] = "Linux version ";
	const uint8_t *at = memmem (finder->bytes, finder->len, start, sizeof start - 1);

	/* linux_banner, or what the compiler made of it elsewhere. */
	if (at)
		add (finder, KD_BANNER_COPY, finder->base + (uint64_t)(at - finder->bytes), 0, 'D');
	return at != NULL;
}

/* Of the kernel's notes the one that is asked for. */
static void
add_notes (Finder *finder)
{
	g_auto (KdMemoryNotes) notes = {0};
	uint64_t pa = finder->base - finder->vector.va + finder->vector.pa;
	const KdMemoryBuildId *id;

	kd_memory_notes_scan (&notes, finder->target, pa, finder->len);
	if (!notes.ids->len)
		return;
	id = &g_array_index (notes.ids, KdMemoryBuildId, 0);
	add (finder, "__start_notes", finder->base + (id->pa - pa) - NOTE_HEAD, 0, 'R');
	add (finder, "__stop_notes", finder->base + (id->pa - pa) + id->len, 0, 'R');
}

/* --- BTF --- */

/* The largest is vmlinux's: a program's may lie in the image too. */
static gboolean
add_btf (Finder *finder)
{
	const uint8_t *at = finder->bytes, *end = at + finder->len, *best = NULL;
	size_t best_len = 0;

	while ((at = memmem (at, (size_t)(end - at), btf_start, sizeof btf_start))) {
		/* struct btf_header: strings are behind the types. */
		KdCursor cursor = kd_cursor_init (at, (size_t)(end - at), FALSE);
		uint32_t type_off, type_len, str_off, str_len;
		uint64_t len;

		if (kd_cursor_skip (&cursor, sizeof btf_start) &&
			kd_cursor_next_u32 (&cursor, &type_off) &&
			kd_cursor_next_u32 (&cursor, &type_len) &&
			kd_cursor_next_u32 (&cursor, &str_off) &&
			kd_cursor_next_u32 (&cursor, &str_len)) {
			len = BTF_HEADER + (uint64_t)str_off + str_len;
			if (len > best_len && len <= (size_t)(end - at) &&
				(uint64_t)type_off + type_len <= str_off) {
				best = at;
				best_len = (size_t)len;
			}
		}
		at++;
	}
	finder->types = best ? kd_image_open_btf (best, best_len, NULL, NULL) : NULL;
	if (!finder->types)
		return FALSE;
	add (finder, "__start_BTF", finder->base + (uint64_t)(best - finder->bytes), 0, 'R');
	add (finder, "__stop_BTF", finder->base + (uint64_t)(best - finder->bytes) + best_len, 0,
		'R');
	return TRUE;
}

static gboolean
member_offset (const KdType *type, const char *path, size_t *ret_offset)
{
	g_autofree char *bad = NULL;
	KdMember member;

	if (!kd_type_member (type, path, &member, &bad))
		return FALSE;
	*ret_offset = (size_t)(member.bit_offset / 8);
	return TRUE;
}

/* --- exported symbols --- */

typedef struct {
	size_t size, value, name; /* struct kernel_symbol: offsets from the member itself */
} ExportLayout;

static gboolean
export_layout (const Finder *finder, ExportLayout *ret_layout)
{
	const KdType *type = kd_image_type_by_name (finder->types, "struct kernel_symbol");

	/* Without HAVE_ARCH_PREL32_RELOCATIONS it has pointers. */
	if (!type || !member_offset (type, "value_offset", &ret_layout->value) ||
		!member_offset (type, "name_offset", &ret_layout->name))
		return FALSE;
	ret_layout->size = (size_t)kd_type_size (type);
	return ret_layout->size >= 8 && ret_layout->value + 4 <= ret_layout->size &&
	       ret_layout->name + 4 <= ret_layout->size;
}

/* The name of the export at `at`; NULL: there is none. Linkers merge names with others' ends. */
static const char *
export_name (const Finder *finder, const ExportLayout *layout, size_t at)
{
	size_t value = at + layout->value, member = at + layout->name, start, len = 0;
	const uint8_t *name;

	if (at > finder->len || layout->size > finder->len - at ||
		!in_image (finder, finder->base + value + (uint64_t)(int64_t)s32_at (finder, value),
			0, &start) ||
		!in_image (finder,
			finder->base + member + (uint64_t)(int64_t)s32_at (finder, member), 2,
			&start))
		return NULL;
	name = finder->bytes + start;
	while (len < MIN (NAME_MAX_LEN, finder->len - start) &&
		(g_ascii_isalnum (name[len]) || name[len] == '_'))
		len++;
	return len > 1 && start + len < finder->len && name[len] == 0 ? (const char *)name : NULL;
}

static void
add_export (Finder *finder, const ExportLayout *layout, size_t at)
{
	const char *name = export_name (finder, layout, at);
	size_t member = at + layout->value, offset;
	uint64_t addr = finder->base + member + (uint64_t)(int64_t)s32_at (finder, member);

	if (in_image (finder, addr, 0, &offset))
		add (finder, name, addr, 0, 'D');
}

/* The tables (plain, then GPL) are one behind the other, around any one export. */
static void
add_exports_around (Finder *finder, const ExportLayout *layout, size_t at)
{
	size_t first = at;
	unsigned nr = 0;

	while (first >= layout->size && nr < EXPORTS_MAX &&
		export_name (finder, layout, first - layout->size)) {
		first -= layout->size;
		nr++;
	}
	for (; nr < 2 * EXPORTS_MAX && export_name (finder, layout, first);
		first += layout->size, nr++)
		add_export (finder, layout, first);
}

/* init_task is exported by every kernel. */
static gboolean
add_exports (Finder *finder)
{
	static const char wanted[] = "\0init_task";
	const uint8_t *at = finder->bytes, *end = at + finder->len;
	ExportLayout layout;

	if (!export_layout (finder, &layout))
		return FALSE;
	while ((at = memmem (at, (size_t)(end - at), wanted, sizeof wanted))) {
		size_t name = (size_t)(at + 1 - finder->bytes);

		for (size_t i = 0; i + 4 <= finder->len; i += 4)
			if ((int64_t)i + s32_at (finder, i) == (int64_t)name && i >= layout.name &&
				export_name (finder, &layout, i - layout.name)) {
				add_exports_around (finder, &layout, i - layout.name);
				if (g_hash_table_contains (finder->names, "init_task"))
					return TRUE;
			}
		at++;
	}
	return FALSE;
}

/* --- per-CPU variables --- */

typedef struct {
	Finder *finder;
	uint64_t start, end; /* 0: not known yet */
} Percpu;

static void
find_percpu (const char *name, uint64_t offset, uint64_t size, void *data)
{
	Percpu *percpu = data;
	KdKallsymsEntry entry;

	if (!percpu->start && lookup (percpu->finder, name, &entry))
		percpu->start = entry.addr - offset;
}

static void
add_percpu_one (const char *name, uint64_t offset, uint64_t size, void *data)
{
	Percpu *percpu = data;

	add (percpu->finder, name, percpu->start + offset, size, 'D');
	percpu->end = MAX (percpu->end, percpu->start + offset + size);
}

/* An exported one tells where the section begins. */
static void
add_percpu (Finder *finder)
{
	Percpu percpu = {.finder = finder};

	kd_image_section_variables (finder->types, ".data..percpu", find_percpu, &percpu);
	if (!percpu.start)
		return;
	kd_image_section_variables (finder->types, ".data..percpu", add_percpu_one, &percpu);
	add (finder, "__per_cpu_start", percpu.start, 0, 'D');
	add (finder, "__per_cpu_end", percpu.end, 0, 'D');
}

/* --- what code names --- */

static unsigned
refs_of (Finder *finder, const char *function, uint64_t refs[REFS_MAX])
{
	const KdArch *arch = kd_target_arch (finder->target);
	const GArray *symbols = finder->kallsyms->symbols;
	KdKallsymsEntry entry;
	uint64_t end;
	guint next = GPOINTER_TO_UINT (g_hash_table_lookup (finder->names, function));
	size_t offset, len;

	if (!arch->data_refs || !lookup (finder, function, &entry))
		return 0;
	/* What was added stands behind kallsyms' own, which are in order. */
	while (next < symbols->len &&
		g_array_index (symbols, KdKallsymsEntry, next).addr == entry.addr)
		next++;
	end = next < symbols->len ? g_array_index (symbols, KdKallsymsEntry, next).addr : 0;
	len = end > entry.addr ? (size_t)MIN (end - entry.addr, FUNCTION_MAX) : 0;
	return in_image (finder, entry.addr, len, &offset)
		       ? arch->data_refs (finder->bytes + offset, len, entry.addr, refs, REFS_MAX)
		       : 0;
}

static gboolean
read_virt (const Finder *finder, uint64_t addr, void *buf, size_t len)
{
	KdWalk walk;

	kd_target_walk (finder->target, &finder->vector.regime, addr, &walk);
	return walk.status == KD_WALK_MAPPED &&
	       len <= walk.map_size - (walk.pa & (walk.map_size - 1)) &&
	       kd_target_read_phys (finder->target, walk.pa, buf, len, NULL);
}

/* A list's head at `addr`: both neighbours point back. */
static gboolean
is_list (const Finder *finder, uint64_t addr)
{
	uint64_t next, prev, back[2];

	return addr % 8 == 0 && u64_at (finder, addr, &next) && u64_at (finder, addr + 8, &prev) &&
	       next >> 63 && prev >> 63 && read_virt (finder, next + 8, &back[0], 8) &&
	       read_virt (finder, prev, &back[1], 8) && GUINT64_FROM_LE (back[0]) == addr &&
	       GUINT64_FROM_LE (back[1]) == addr;
}

static gboolean
has_ref (const uint64_t *refs, unsigned nr, uint64_t addr)
{
	for (unsigned i = 0; i < nr; i++)
		if (refs[i] == addr)
			return TRUE;
	return FALSE;
}

/* The only list that all of these functions name. */
static void
add_list (Finder *finder, const char *name, const char *const functions[FUNCTIONS_MAX])
{
	g_autofree uint64_t *refs = g_new (uint64_t, FUNCTIONS_MAX * REFS_MAX);
	unsigned nr[FUNCTIONS_MAX] = {0}, found = 0;
	uint64_t head = 0;

	for (unsigned f = 0; f < FUNCTIONS_MAX && functions[f]; f++)
		nr[f] = refs_of (finder, functions[f], refs + f * REFS_MAX);
	for (unsigned i = 0; i < nr[0]; i++) {
		gboolean in_all = refs[i] != head && is_list (finder, refs[i]);

		for (unsigned f = 1; in_all && f < FUNCTIONS_MAX && functions[f]; f++)
			in_all = has_ref (refs + f * REFS_MAX, nr[f], refs[i]);
		if (!in_all)
			continue;
		head = refs[i];
		found++;
	}
	if (found == 1)
		add (finder, name, head, 16, 'D');
	else
		g_debug ("kernel: %s: %u lists may be it", name, found);
}

static void
add_lists (Finder *finder)
{
	static const struct {
		const char *name;
		const char *functions[FUNCTIONS_MAX];
	} lists[] = {
		{"vm_list", {"vm_stat_get", "vm_stat_clear"}},
		{"modules", {"m_start", "print_modules"}},
		{"btf_modules", {"btf_try_get_module", "btf_module_notify"}},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (lists); i++)
		add_list (finder, lists[i].name, lists[i].functions);
}

/* A structure of which a function names one member: each bounded number must be in its bounds. */
typedef struct {
	const char *name, *type, *function, *member;
	struct {
		const char *member; /* of 32 bits */
		uint32_t min, max;
	} bounds[2];
} StructRow;

static gboolean
is_struct (const Finder *finder, const KdType *type, const StructRow *row, uint64_t addr)
{
	for (size_t i = 0; i < G_N_ELEMENTS (row->bounds); i++) {
		size_t member, at;
		uint32_t value;

		if (!member_offset (type, row->bounds[i].member, &member) ||
			!in_image (finder, addr + member, sizeof value, &at))
			return FALSE;
		value = (uint32_t)s32_at (finder, at);
		if (value < row->bounds[i].min || value > row->bounds[i].max)
			return FALSE;
	}
	return TRUE;
}

static void
add_struct (Finder *finder, const StructRow *row)
{
	const KdType *type = kd_image_type_by_name (finder->types, row->type);
	g_autofree uint64_t *refs = g_new (uint64_t, REFS_MAX);
	unsigned nr = refs_of (finder, row->function, refs), found = 0;
	uint64_t addr = 0;
	size_t member;

	for (unsigned i = 0; type && member_offset (type, row->member, &member) && i < nr; i++)
		if (refs[i] - member != addr && is_struct (finder, type, row, refs[i] - member)) {
			addr = refs[i] - member;
			found++;
		}
	if (found == 1)
		add (finder, row->name, addr, kd_type_size (type), 'D');
}

static void
add_structs (Finder *finder)
{
	static const StructRow rows[] = {
		/* enum vgic_type; the architecture has 16 list registers. */
		{"kvm_vgic_global_state", "struct vgic_global", "kvm_vgic_create",
			"can_emulate_gicv2", {{"type", 0, 1}, {"nr_lr", 1, 16}}},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
		add_struct (finder, &rows[i]);
}

/* --- where KVM keeps the host's registers while EL2 is a kernel of its own --- */

/* What a function names, if that is one thing. */
static gboolean
sole_ref (Finder *finder, const char *function, uint64_t *ret_addr)
{
	g_autofree uint64_t *refs = g_new (uint64_t, REFS_MAX);
	unsigned nr = refs_of (finder, function, refs);

	for (unsigned i = 1; i < nr; i++)
		if (refs[i] != refs[0])
			return FALSE;
	*ret_addr = nr ? refs[0] : 0;
	return nr > 0;
}

/* An element for each CPU, each another mapped page. */
static gboolean
is_page_array (const Finder *finder, uint64_t addr)
{
	unsigned nr = kd_target_nr_cpus (finder->target);
	uint64_t last = 0;
	uint8_t byte;

	for (unsigned cpu = 0; cpu < nr; cpu++) {
		uint64_t page;

		if (!u64_at (finder, addr + cpu * UINT64_C (8), &page) || !(page >> 63) ||
			page % PAGE || page == last || !read_virt (finder, page, &byte, 1))
			return FALSE;
		last = page;
	}
	return nr > 0;
}

/*
 * nVHE's per-CPU variables (hyp/entry.S, hyp/nvhe/host.S name them), the section they are in, which
 * begins with a page, and the pages that each CPU has instead of it (arm.c, cpu_prepare_hyp_mode).
 */
static void
add_hyp (Finder *finder)
{
	g_autofree uint64_t *refs = g_new (uint64_t, REFS_MAX);
	unsigned nr = refs_of (finder, "cpu_hyp_init_context", refs);
	uint64_t context, data, start = 0, base = 0;

	if (!sole_ref (finder, "__kvm_nvhe___guest_enter", &context) ||
		!sole_ref (finder, "__kvm_nvhe___host_exit", &data))
		return;
	for (unsigned i = 0; i < nr; i++) {
		if (refs[i] % PAGE == 0 && refs[i] <= MIN (context, data) && refs[i] > start)
			start = refs[i];
		if (!base && refs[i] % 8 == 0 && is_page_array (finder, refs[i]))
			base = refs[i];
	}
	if (!start || !base)
		return;
	add (finder, "__kvm_nvhe_kvm_hyp_ctxt", context, 0, 'D');
	add (finder, "__kvm_nvhe_kvm_host_data", data, 0, 'D');
	add (finder, "__kvm_nvhe___per_cpu_start", start, 0, 'D');
	add (finder, "kvm_arm_hyp_percpu_base", base, 0, 'B');
}

/* "SYMBOL(prb)=ffff…" */
static void
add_named (Finder *finder, const char *text)
{
	g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

	for (char **line = lines; *line; line++) {
		char *end;
		size_t offset;
		uint64_t addr;

		if (!g_str_has_prefix (*line, "SYMBOL(") || !(end = strstr (*line, ")=")))
			continue;
		*end = 0;
		addr = g_ascii_strtoull (end + 2, NULL, 16);
		if (in_image (finder, addr, 0, &offset))
			add (finder, *line + strlen ("SYMBOL("), addr, 0, 'D');
	}
}

/* What a dump's reader is told: a page of text, which vmcoreinfo_append_str() writes to. */
static void
add_vmcoreinfo (Finder *finder)
{
	static const char start[] = "OSRELEASE=";
	g_autofree uint64_t *refs = g_new (uint64_t, REFS_MAX);
	unsigned nr = refs_of (finder, "vmcoreinfo_append_str", refs);

	for (unsigned i = 0; i < nr; i++) {
		g_autofree char *text = g_malloc0 (PAGE + 1);
		uint64_t at, size;

		if (!u64_at (finder, refs[i], &at) || !(at >> 63) ||
			!read_virt (finder, at, text, PAGE) || !g_str_has_prefix (text, start))
			continue;
		add (finder, "vmcoreinfo_data", refs[i], 8, 'B');
		for (unsigned k = 0; k < nr; k++)
			if (u64_at (finder, refs[k], &size) && size == strlen (text))
				add (finder, "vmcoreinfo_size", refs[k], 8, 'B');
		add_named (finder, text);
		return;
	}
}

gboolean
kd_data_symbols_add (KdKallsyms *kallsyms, KdTarget *target, uint64_t near, GError **error)
{
	g_auto (Finder) finder = {.kallsyms = kallsyms,
		.target = target,
		.layout = kd_target_arch (target)->linux_layout};
	const char *missing;

	index_names (&finder);
	if (!find_image (&finder, near, error))
		return FALSE;
	add (&finder, finder.layout->base_symbol, finder.base, 0, 'R');
	add (&finder, finder.layout->end_symbol, finder.base + finder.len, 0, 'B');
	missing = !add_banner (&finder)    ? "no banner"
		  : !add_btf (&finder)     ? "no BTF"
		  : !add_exports (&finder) ? "no table of exported symbols"
					   : NULL;
	if (missing) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"kallsyms in memory has no data (no CONFIG_KALLSYMS_ALL), and there is %s",
			missing);
		return FALSE;
	}
	add_notes (&finder);
	add_percpu (&finder);
	add_vmcoreinfo (&finder);
	add_lists (&finder);
	add_structs (&finder);
	add_hyp (&finder);
	g_array_sort (kallsyms->symbols, compare_entries);
	return TRUE;
}
