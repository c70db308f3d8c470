/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/find-kernel.h"

#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "kernel/kernel.h"

/* A kernel image is smaller than this; its notes are within it on either side of its vectors. */
#define IMAGE_MAX (64ULL << 20)
/* Read wholly in search of a build-id where memory is slow (82 MB/s over RSP). */
#define SLOW_SCAN_MAX (256ULL << 20)
#define NOTES_MAX 4096

typedef struct {
	KdTarget *target;
	KdSymbolAddrFunc lookup; /* symbols, at the addresses `base` is one of */
	void *lookup_data;
	const char *path; /* of the file; NULL: symbols from elsewhere */
	const KdArchLinux *layout;
	const uint8_t *id; /* the file's build-id; NULL none */
	size_t id_len;
	uint64_t base, end; /* link-time */
	uint64_t id_offset; /* of the id in the image, from base; with has_id */
	gboolean has_id;
	const uint8_t *banner; /* without has_id: what must stand at banner_offset */
	uint64_t banner_offset;
	size_t banner_len;
	uint64_t forced_virt;  /* where the image is mapped, if that is known already; else 0 */
	uint64_t probe_offset; /* from base: a byte that the kernel's tables must map */
} Finder;

/* --- registers --- */

void
kd_vectors_foreach (KdTarget *target, KdVectorFunc func, void *data)
{
	const KdArchLinux *layout = kd_target_arch (target)->linux_layout;
	g_autoptr (GArray) seen = g_array_new (FALSE, FALSE, sizeof (uint64_t));
	KdTargetCpu regs = {.target = target};
	gboolean more = TRUE;

	for (unsigned cpu = 0; more && cpu < kd_target_nr_cpus (target); cpu++) {
		KdVectorBase bases[KD_VECTOR_BASES_MAX];
		unsigned nr;

		regs.cpu = cpu;
		nr = layout->vector_bases (
			kd_target_cpu_reg_more, &regs, kd_target_phys_read_func, target, bases);
		for (unsigned i = 0; more && i < nr; i++) {
			KdWalk walk = {.status = KD_WALK_MAPPED, .pa = bases[i].va};
			gboolean is_new = TRUE;

			if (!bases[i].is_phys)
				kd_target_walk (target, &bases[i].regime, bases[i].va, &walk);
			for (guint j = 0; j < seen->len; j++)
				is_new &= g_array_index (seen, uint64_t, j) != walk.pa;
			if (walk.status != KD_WALK_MAPPED || !is_new)
				continue;
			g_array_append_val (seen, walk.pa);
			const KdVectorPlace place = {bases[i].va, walk.pa,
				!bases[i].is_phys && bases[i].regime.upper, bases[i].regime};

			more = func (&place, data);
		}
	}
}

/* --- is it there? --- */

/* FALSE and an error only when nothing could be read there. */
static gboolean
is_ours_at (const Finder *finder, uint64_t phys_base, GError **error)
{
	const uint8_t *want = finder->has_id ? finder->id : finder->banner;
	uint64_t offset = finder->has_id ? finder->id_offset : finder->banner_offset;
	size_t len = finder->has_id ? finder->id_len : finder->banner_len;
	uint8_t bytes[KD_BUILD_ID_MAX];

	return want &&
	       kd_target_read_phys (finder->target, phys_base + offset, bytes, len, error) &&
	       memcmp (bytes, want, len) == 0;
}

/* Where the file says its own build-id lies, and the banner for files that have none. */
static gboolean
lookup (const Finder *finder, const char *name, uint64_t *ret_addr)
{
	return finder->lookup (finder->lookup_data, name, ret_addr);
}

static gboolean
image_lookup (void *data, const char *name, uint64_t *ret_addr)
{
	KdSymbol symbol;

	if (!kd_image_symbol_by_name (data, name, &symbol))
		return FALSE;
	*ret_addr = symbol.addr;
	return TRUE;
}

static gboolean
prepare (Finder *finder, GError **error)
{
	finder->layout = kd_target_arch (finder->target)->linux_layout;
	if (lookup (finder, finder->layout->base_symbol, &finder->base) &&
		lookup (finder, finder->layout->end_symbol, &finder->end) &&
		finder->end > finder->base && finder->end - finder->base <= (1ULL << 32))
		return TRUE;
	g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
		"%s: no symbols %s and %s, so it is no vmlinux",
		finder->path ? finder->path : "kallsyms in memory", finder->layout->base_symbol,
		finder->layout->end_symbol);
	return FALSE;
}

static gboolean
notes_range (const Finder *finder, uint64_t *ret_start, size_t *ret_len)
{
	uint64_t end;

	if (!lookup (finder, "__start_notes", ret_start) ||
		!lookup (finder, "__stop_notes", &end) || *ret_start < finder->base ||
		end <= *ret_start || end - *ret_start > NOTES_MAX)
		return FALSE;
	*ret_len = (size_t)(end - *ret_start);
	return TRUE;
}

/* Where the file says its own build-id lies, and the banner for files that have none. */
static gboolean
prepare_image (Finder *finder, KdTarget *target, KdImage *image, GError **error)
{
	uint64_t notes, banner;
	size_t offset, len;
	const void *bytes;

	*finder = (Finder){.target = target,
		.lookup = image_lookup,
		.lookup_data = image,
		.path = kd_image_name (image)};
	if (!prepare (finder, error))
		return FALSE;
	finder->id = kd_image_build_id (image, &finder->id_len);
	if (finder->id && notes_range (finder, &notes, &len) &&
		(bytes = kd_image_bytes (image, notes, len)) &&
		kd_notes_find_build_id (bytes, len, &offset, &len) && len == finder->id_len) {
		finder->id_offset = notes + offset - finder->base;
		finder->has_id = TRUE;
	}
	if (!finder->has_id && lookup (finder, "linux_banner", &banner)) {
		finder->banner = kd_image_bytes (image, banner, KD_BUILD_ID_MAX);
		finder->banner_offset = banner - finder->base;
		finder->banner_len = KD_BUILD_ID_MAX;
	}
	finder->probe_offset = finder->has_id   ? finder->id_offset
			       : finder->banner ? finder->banner_offset
						: (finder->end - finder->base) / 2;
	return TRUE;
}

/* --- the physical base, best way first --- */

typedef struct {
	const Finder *finder;
	gboolean found;
	uint64_t phys_base;
} VectorSearch;

static gboolean
try_vector (const KdVectorPlace *vector, void *data)
{
	VectorSearch *search = data;
	const Finder *finder = search->finder;
	uint64_t pa = vector->pa;
	const KdArchLinux *layout = finder->layout;

	for (const char *const *name = layout->vector_symbols; *name; name++) {
		uint64_t addr;

		if (!lookup (finder, *name, &addr) || addr < finder->base)
			continue;
		for (unsigned slot = 0; slot < layout->vector_slots; slot++) {
			uint64_t base =
				pa - (addr - finder->base) - slot * layout->vector_slot_size;

			if (base % layout->image_align || base > pa ||
				!is_ours_at (finder, base, NULL))
				continue;
			search->phys_base = base;
			search->found = TRUE;
			return FALSE;
		}
	}
	return TRUE;
}

/* --- --force: the place of a kernel that the file is not of --- */

/* Fewer pages mapped in one piece with vectors are no image: KPTI's trampoline. */
#define MAPPED_PAGES_MIN 16

typedef struct {
	Finder *finder;
	gboolean found;
	uint64_t phys_base;
} ForceSearch;

gboolean
kd_vector_maps (KdTarget *target, const KdVectorPlace *vector, uint64_t va, uint64_t *ret_map_size)
{
	KdWalk walk;

	kd_target_walk (target, &vector->regime, va, &walk);
	*ret_map_size = walk.map_size;
	return walk.status == KD_WALK_MAPPED && walk.pa - vector->pa == va - vector->va;
}

/* How many bytes in front of the vectors are. */
static uint64_t
mapped_below (KdTarget *target, const KdVectorPlace *vector)
{
	uint64_t start = vector->va, size;

	while (vector->va - start < IMAGE_MAX && kd_vector_maps (target, vector, start - 1, &size))
		start -= ((start - 1) & (size - 1)) + 1;
	return vector->va - start;
}

static gboolean
is_image_start (const Finder *finder, uint64_t pa)
{
	const char *magic = finder->layout->image_magic;
	char bytes[8];
	size_t len = magic ? MIN (strlen (magic), sizeof bytes) : 0;

	return magic &&
	       kd_target_read_phys (
		       finder->target, pa + finder->layout->image_magic_offset, bytes, len, NULL) &&
	       memcmp (bytes, magic, len) == 0;
}

/*
 * The vectors are in the image, whose mapping begins with its first byte or, on arm64 from 5.11 on
 * ("arm64: omit [_text, _stext) from permanent kernel mapping") until that was undone, with _stext.
 * The file only tells how far behind its first byte that is.
 */
static gboolean
try_mapping (const KdVectorPlace *vector, void *data)
{
	ForceSearch *search = data;
	Finder *finder = search->finder;
	uint64_t below, head = 0, size, at, text;

	if (!vector->is_kernel_va)
		return TRUE;
	below = mapped_below (finder->target, vector);
	at = vector->va - below + ((uint64_t)MAPPED_PAGES_MIN << vector->regime.page_shift) - 1;
	if (!is_image_start (finder, vector->pa - below) && lookup (finder, "_stext", &text) &&
		text > finder->base)
		head = text - finder->base;
	if (!kd_vector_maps (finder->target, vector, at, &size) || below + head > vector->pa ||
		(vector->pa - below - head) % finder->layout->image_align)
		return TRUE;
	finder->probe_offset = below + head;
	finder->forced_virt = vector->va - below - head;
	search->phys_base = vector->pa - below - head;
	search->found = TRUE;
	return FALSE;
}

static gboolean
memory_is_fast (KdTarget *target)
{
	const char *path = kd_target_memory_path (target).path;

	return path && g_str_has_prefix (path, "direct");
}

static gboolean
find_by_alignment (const Finder *finder, uint64_t *ret_phys_base)
{
	unsigned nr;
	const KdRamRange *ram = kd_target_ram (finder->target, &nr);
	/* Most loaders keep to 2 MiB: those places first, and only those where each read is a round
	 * trip. */
	const uint64_t steps[] = {2ULL << 20, finder->layout->image_align};
	size_t nr_steps = memory_is_fast (finder->target) ? 2 : 1;

	for (size_t s = 0; s < nr_steps; s++)
		for (unsigned i = 0; i < nr; i++) {
			uint64_t end = ram[i].pa + ram[i].size;
			/* RAM itself may start at no multiple: a PC's, above its first MiB. */
			uint64_t start = (ram[i].pa + steps[s] - 1) / steps[s] * steps[s];

			for (uint64_t at = start; at < end; at += steps[s]) {
				g_autoptr (GError) error = NULL;

				if (is_ours_at (finder, at, &error)) {
					*ret_phys_base = at;
					return TRUE;
				}
				/* Lost, or cancelled. */
				if (error && !g_error_matches (
						     error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT))
					return FALSE;
			}
		}
	return FALSE;
}

static gboolean
scan_near (const KdVectorPlace *vector, void *data)
{
	void **args = data;
	uint64_t from = vector->pa > IMAGE_MAX ? vector->pa - IMAGE_MAX : 0;

	kd_memory_notes_scan (args[1], args[0], from, vector->pa - from + IMAGE_MAX);
	*(uint64_t *)args[2] = vector->pa;
	return TRUE;
}

/* Modules, and their files in the page cache, have the same notes: the kernel's own are in the
 * image that its vectors are in. */
static int
compare_distance (const void *a, const void *b, void *data)
{
	const KdMemoryBuildId *x = a, *y = b;
	uint64_t vector = *(const uint64_t *)data;
	uint64_t dx = x->pa > vector ? x->pa - vector : vector - x->pa;
	uint64_t dy = y->pa > vector ? y->pa - vector : vector - y->pa;

	if (x->before != y->before)
		return x->before ? -1 : 1;
	if (x->sure != y->sure)
		return x->sure ? -1 : 1;
	return dx < dy ? -1 : dx > dy;
}

void
kd_find_running_build_ids (KdTarget *target, KdMemoryNotes *ret_notes)
{
	uint64_t left, vector = 0;
	void *args[] = {target, ret_notes, &vector};
	const KdRamRange *ram;
	unsigned nr;

	*ret_notes = (KdMemoryNotes){.ids = g_array_new (FALSE, FALSE, sizeof (KdMemoryBuildId))};
	kd_vectors_foreach (target, scan_near, args);
	left = memory_is_fast (target) ? G_MAXUINT64 : SLOW_SCAN_MAX;
	if (ret_notes->ids->len)
		left = 0;
	ram = kd_target_ram (target, &nr);
	for (unsigned i = 0; i < nr && left; i++) {
		uint64_t size = MIN (left, ram[i].size);

		kd_memory_notes_scan (ret_notes, target, ram[i].pa, size);
		left -= size;
	}
	g_array_sort_with_data (ret_notes->ids, compare_distance, &vector);
}

/* What is said when the file's kernel is not the one in memory. */
static void
set_mismatch (const Finder *finder, const KdMemoryNotes *notes, gboolean force, GError **error)
{
	g_autofree char *file_id =
		finder->id ? kd_hex_to_string (finder->id, finder->id_len) : g_strdup ("none");

	if (notes->ids->len) {
		const KdMemoryBuildId *id = &g_array_index (notes->ids, KdMemoryBuildId, 0);
		g_autofree char *memory_id = kd_hex_to_string (id->id, id->len);

		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_MISMATCH,
			"%s is of another kernel: its build-id is %s, the running %s has %s (%s)",
			finder->path, file_id, notes->release ? notes->release : "kernel",
			memory_id,
			force ? "and where its image begins is not to be seen at this moment: try "
				"again at another stop"
			      : "--force uses it all the same");
		return;
	}
	g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NO_KERNEL,
		"no Linux in this machine's memory (yet): no build-id, and not %s", file_id);
}

static gboolean
find_by_vectors (const Finder *finder, uint64_t *ret_phys_base)
{
	VectorSearch search = {.finder = finder};

	kd_vectors_foreach (finder->target, try_vector, &search);
	*ret_phys_base = search.phys_base;
	return search.found;
}

static gboolean
find_phys_base (Finder *finder, gboolean force, uint64_t *ret_phys_base, GError **error)
{
	g_auto (KdMemoryNotes) notes = {0};

	if (find_by_vectors (finder, ret_phys_base) ||
		(finder->has_id && find_by_alignment (finder, ret_phys_base)))
		return TRUE;
	if (force) {
		ForceSearch forced = {.finder = finder};

		kd_vectors_foreach (finder->target, try_mapping, &forced);
		if (forced.found) {
			*ret_phys_base = forced.phys_base;
			return TRUE;
		}
	}
	kd_find_running_build_ids (finder->target, &notes);
	set_mismatch (finder, &notes, force, error);
	return FALSE;
}

/* --- the virtual base and the tables --- */

typedef struct {
	uint64_t phys_base, size;
	uint64_t virt_base; /* 0: not found */
} VirtSearch;

static gboolean
virt_from_vector (const KdVectorPlace *vector, void *data)
{
	VirtSearch *search = data;
	uint64_t offset = vector->pa - search->phys_base;

	/* KPTI's trampoline has a mapping of its own, which is no way to the image's. */
	if (!vector->is_kernel_va || vector->pa < search->phys_base || offset >= search->size)
		return TRUE;
	search->virt_base = vector->va - offset;
	return FALSE;
}

static uint64_t
virt_from_memory (const Finder *finder, uint64_t phys_base)
{
	uint64_t voffset, virt_base, addr;

	if (!finder->layout->voffset_symbol ||
		!lookup (finder, finder->layout->voffset_symbol, &addr) ||
		!kd_target_read_phys (finder->target, phys_base + (addr - finder->base), &voffset,
			sizeof voffset, NULL))
		return 0;
	virt_base = finder->layout->virt_of_image (GUINT64_FROM_LE (voffset), phys_base);
	/* Not set until early boot has done so; anything at all where the file is another kernel's.
	 */
	return virt_base >> 63 && virt_base % 4096 == 0 ? virt_base : 0;
}

/* `regime` maps the image's middle where it must. */
static gboolean
regime_fits (const Finder *finder, const KdKernelPlace *place, const KdRegime *regime)
{
	uint64_t offset = finder->probe_offset;
	KdWalk walk;

	kd_target_walk (finder->target, regime, place->virt_base + offset, &walk);
	return walk.status == KD_WALK_MAPPED && walk.pa == place->phys_base + offset;
}

static gboolean
find_regime (const Finder *finder, KdKernelPlace *place)
{
	KdRegime guesses[KD_ROOT_REGIMES_MAX], regime;
	uint64_t root = 0;
	unsigned nr;

	if (lookup (finder, finder->layout->root_symbol, &root))
		root += place->phys_base - finder->base;
	for (unsigned cpu = 0; cpu < kd_target_nr_cpus (finder->target); cpu++) {
		if (!kd_target_cpu_regime (finder->target, cpu, KD_REGIME_KERNEL, &regime, NULL))
			continue;
		place->regime = regime;
		/* What is loaded now may be KPTI's trampoline or a reserved root. */
		if (root) {
			uint64_t in_page = regime.root & ((1ULL << regime.page_shift) - 1);

			place->regime.root = root | in_page;
			if (regime_fits (finder, place, &place->regime))
				return TRUE;
			place->regime.root = regime.root;
		}
		if (regime_fits (finder, place, &place->regime))
			return TRUE;
	}
	/* All CPUs are in guests that have the registers: read the tables as each format there is.
	 */
	nr = root ? finder->layout->root_regimes (root, guesses) : 0;
	for (unsigned i = 0; i < nr; i++)
		if (regime_fits (finder, place, &guesses[i])) {
			place->regime = guesses[i];
			return TRUE;
		}
	return FALSE;
}

static gboolean
find_virtual (const Finder *finder, KdKernelPlace *place)
{
	VirtSearch search = {.phys_base = place->phys_base, .size = finder->end - finder->base};

	if (finder->forced_virt) {
		place->virt_base = finder->forced_virt;
		return find_regime (finder, place);
	}
	place->virt_base = virt_from_memory (finder, place->phys_base);
	if (place->virt_base && find_regime (finder, place))
		return TRUE;
	kd_vectors_foreach (finder->target, virt_from_vector, &search);
	place->virt_base = search.virt_base;
	return place->virt_base && find_regime (finder, place);
}

static gboolean
find_tables (const Finder *finder, KdKernelPlace *place, GError **error)
{
	if (find_virtual (finder, place))
		return TRUE;
	g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NO_KERNEL,
		"the kernel's image lies at physical 0x%" PRIx64
		", but no tables map it (too early in boot?)",
		place->phys_base);
	return FALSE;
}

gboolean
kd_find_kernel (
	KdTarget *target, KdImage *image, gboolean force, KdKernelPlace *ret_place, GError **error)
{
	KdKernelPlace place = {0};
	Finder finder;

	if (!prepare_image (&finder, target, image, error) ||
		!find_phys_base (&finder, force, &place.phys_base, error) ||
		!find_tables (&finder, &place, error))
		return FALSE;
	if (finder.has_id && is_ours_at (&finder, place.phys_base, NULL)) {
		memcpy (place.id, finder.id, finder.id_len);
		place.id_len = finder.id_len;
	}
	*ret_place = place;
	return TRUE;
}

gboolean
kd_is_kernel_of (KdTarget *target, KdImage *image)
{
	Finder finder;
	uint64_t phys_base;

	return prepare_image (&finder, target, image, NULL) && finder.has_id &&
	       find_by_vectors (&finder, &phys_base);
}

/* --- without a file --- */

/* The id that the notes between these symbols have. */
static void
read_id (const Finder *finder, KdKernelPlace *place)
{
	uint8_t bytes[NOTES_MAX];
	uint64_t notes;
	size_t offset, len;

	if (!notes_range (finder, &notes, &len) ||
		!kd_target_read_phys (finder->target, place->phys_base + (notes - finder->base),
			bytes, len, NULL) ||
		!kd_notes_find_build_id (bytes, len, &offset, &len))
		return;
	memcpy (place->id, bytes + offset, len);
	place->id_len = len;
}

gboolean
kd_find_kernel_by_symbols (KdTarget *target, KdSymbolAddrFunc func, void *data,
	KdKernelPlace *ret_place, GError **error)
{
	static const char start[] = "Linux version ";
	Finder finder = {.target = target,
		.lookup = func,
		.lookup_data = data,
		.banner = (const uint8_t *)start,
		.banner_len = sizeof start - 1};
	KdKernelPlace place = {0};
	uint64_t banner;

	if (!prepare (&finder, error))
		return FALSE;
	if ((!lookup (&finder, "linux_banner", &banner) &&
		    !lookup (&finder, KD_BANNER_COPY, &banner)) ||
		banner < finder.base) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"kallsyms in memory has no data symbols (CONFIG_KALLSYMS_ALL)");
		return FALSE;
	}
	finder.banner_offset = banner - finder.base;
	finder.probe_offset = finder.banner_offset;
	finder.forced_virt = finder.base;
	if (!find_by_vectors (&finder, &place.phys_base) &&
		!find_by_alignment (&finder, &place.phys_base)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NO_KERNEL,
			"the image that kallsyms in memory is of is nowhere");
		return FALSE;
	}
	if (!find_tables (&finder, &place, error))
		return FALSE;
	read_id (&finder, &place);
	*ret_place = place;
	return TRUE;
}
