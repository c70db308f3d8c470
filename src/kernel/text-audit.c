/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/text-audit.h"

#include <elf.h>
#include <string.h>

#include "base/cursor.h"
#include "kernel/kernel-private.h"
#include "kernel/module-text.h"
#include "kernel/patch-check.h"

#define TEXT_MAX (256U << 20)
/* An immediate operand behind an offset of 32 bits, at most. */
#define TAIL_MAX 8
#define WORD 4

typedef struct {
	KdKernel *kernel;
	const KdPatchSites *sites;
	uint64_t start, link; /* of the first byte */
	size_t len;
	uint8_t *now, *file;
	gboolean has_relocations;    /* in the file */
	uint64_t percpu, percpu_end; /* link time; equal: none */
	uint64_t thunk, thunk_len;   /* KdArch.call_thunk; length 0: none */
	KdTextFunc func;
	void *data;
	KdTextCounts *counts;
} Audit;

static void
audit_clear (Audit *audit)
{
	g_free (audit->now);
	g_free (audit->file);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Audit, audit_clear)

const char *
kd_text_cause_name (const KdTextDifference *difference)
{
	switch (difference->cause) {
	case KD_TEXT_PATCHED:
		return kd_patch_kind_name (difference->kind);
	case KD_TEXT_RELOCATED:
		return "relocation";
	case KD_TEXT_UNEXPLAINED:
		break;
	}
	return "unexplained";
}

typedef struct {
	uint64_t offset;
	uint64_t first; /* link time; in front of it is what runs before there are tables */
	uint64_t init, init_end; /* freed after the boot */
	GArray *ranges;
} Ranges;

static void
add_range (const char *name, uint64_t addr, uint64_t size, void *data)
{
	Ranges *ranges = data;
	const KdTextRange range = {addr + ranges->offset, addr + size + ranges->offset, NULL};

	if (addr >= ranges->first && (addr + size <= ranges->init || addr >= ranges->init_end))
		g_array_append_val (ranges->ranges, range);
}

static void
add_modules (KdKernel *kernel, GArray *ranges, GPtrArray *missing)
{
	g_autofree char *why = NULL;
	const GPtrArray *modules = kd_kernel_modules (kernel, &why);

	for (guint i = 0; modules && i < modules->len; i++) {
		KdModule *module = g_ptr_array_index (modules, i);
		g_autoptr (GArray) parts = g_array_new (FALSE, FALSE, sizeof (KdModuleRange));
		g_autoptr (GError) error = NULL;

		if (!kd_module_code_ranges (module, parts, &error))
			g_ptr_array_add (missing, g_strdup_printf ("%s: %s",
							  kd_module_name (module), error->message));
		for (guint k = 0; k < parts->len; k++) {
			const KdModuleRange *part = &g_array_index (parts, KdModuleRange, k);
			const KdTextRange range = {
				part->start, part->start + part->size, kd_module_name (module)};

			g_array_append_val (ranges, range);
		}
	}
	if (why)
		g_ptr_array_add (missing, g_strdup_printf ("the list of modules: %s", why));
}

GArray *
kd_text_ranges (KdKernel *kernel, GPtrArray **ret_missing)
{
	Ranges ranges = {.offset = kd_kernel_kaslr_offset (kernel),
		.ranges = g_array_new (FALSE, FALSE, sizeof (KdTextRange))};
	KdSymbol init, init_end, first;

	if (kd_image_symbol_by_name (kernel->image, "_stext", &first))
		ranges.first = first.addr;
	if (kd_image_symbol_by_name (kernel->image, "__init_begin", &init) &&
		kd_image_symbol_by_name (kernel->image, "__init_end", &init_end)) {
		ranges.init = init.addr;
		ranges.init_end = init_end.addr;
	}
	kd_image_code_sections (kernel->image, add_range, &ranges);
	*ret_missing = g_ptr_array_new_with_free_func (g_free);
	add_modules (kernel, ranges.ranges, *ret_missing);
	return ranges.ranges;
}

/* --- what the file says --- */

/* The file's section of that name; FALSE: there is none. */
static gboolean
table_of (const Audit *audit, const char *name, KdCursor *ret_cursor)
{
	KdImage *image = audit->kernel->image;
	uint64_t addr, size;
	const uint8_t *bytes;

	if (!kd_image_section (image, name, &addr, &size) ||
		!(bytes = kd_image_bytes (image, addr, size)))
		return FALSE;
	*ret_cursor = kd_cursor_init (bytes, size, audit->kernel->arch->big_endian);
	return TRUE;
}

static uint64_t
u64_of (const Audit *audit, uint64_t value)
{
	return audit->kernel->arch->big_endian ? GUINT64_TO_BE (value) : GUINT64_TO_LE (value);
}

/* The place of the word at `at`, a link-time address; NULL: it lies elsewhere. */
static uint8_t *
word_of (const Audit *audit, uint64_t at)
{
	return at >= audit->link && at - audit->link < audit->len &&
			       audit->len - (at - audit->link) >= sizeof at
		       ? audit->file + (at - audit->link)
		       : NULL;
}

/* What stands there is an address of the image. */
static void
move_word (const Audit *audit, uint64_t at)
{
	uint8_t *word = word_of (audit, at);
	uint64_t value;

	if (!word)
		return;
	memcpy (&value, word, sizeof value);
	value = u64_of (audit, u64_of (audit, value) + kd_kernel_kaslr_offset (audit->kernel));
	memcpy (word, &value, sizeof value);
}

/* SHT_RELR of the gABI: an address, and bitmaps of which of the 63 words behind it are like it. */
static void
move_words (const Audit *audit, KdCursor *relr)
{
	uint64_t entry, next = 0;

	while (kd_cursor_next_u64 (relr, &entry)) {
		if (!(entry & 1)) {
			move_word (audit, entry);
			next = entry + 8;
			continue;
		}
		for (unsigned i = 0; i < 63; i++)
			if (entry >> (i + 1) & 1)
				move_word (audit, next + 8 * i);
		next += UINT64_C (63) * 8;
	}
}

/* What a position-independent kernel writes into itself at its start: RELATIVE alone. */
static void
relocate (Audit *audit)
{
	uint64_t at, info, addend;
	KdCursor cursor;

	if (table_of (audit, ".relr.dyn", &cursor)) {
		audit->has_relocations = TRUE;
		move_words (audit, &cursor);
	}
	if (!table_of (audit, ".rela.dyn", &cursor))
		return;
	audit->has_relocations = TRUE;
	while (kd_cursor_next_u64 (&cursor, &at) && kd_cursor_next_u64 (&cursor, &info) &&
		kd_cursor_next_u64 (&cursor, &addend)) {
		if (ELF64_R_SYM (info) || !word_of (audit, at))
			continue;
		addend = u64_of (audit, addend + kd_kernel_kaslr_offset (audit->kernel));
		memcpy (word_of (audit, at), &addend, sizeof addend);
	}
}

static uint32_t
word_at (const Audit *audit, const uint8_t *bytes)
{
	uint32_t word;

	memcpy (&word, bytes, WORD);
	return audit->kernel->arch->big_endian ? GUINT32_FROM_BE (word) : GUINT32_FROM_LE (word);
}

/*
 * The bytes from `at` on, which the first difference lies in, hold an address of the image that
 * KASLR moved; or an offset from there to what it does not move (per-CPU variables, where they
 * begin at 0). For kernels that do not keep their relocations.
 */
static gboolean
is_relocated_word (const Audit *audit, size_t at)
{
	uint32_t now = word_at (audit, audit->now + at), file = word_at (audit, audit->file + at);
	uint32_t offset = (uint32_t)kd_kernel_kaslr_offset (audit->kernel);
	uint64_t value = (uint64_t)(int64_t)(int32_t)file;

	/* Where it points in the file tells nothing: it may be the distance to a constant. */
	if (now - file == offset)
		return TRUE;
	if (file - now != offset)
		return FALSE;
	for (unsigned tail = 0; tail <= TAIL_MAX; tail++) {
		uint64_t target = audit->link + at + WORD + tail + value;

		if (target >= audit->percpu && target < audit->percpu_end)
			return TRUE;
	}
	return FALSE;
}

/* Behind the relocated word that `at` is the first other byte of; 0: it is none. */
static size_t
behind_relocated (const Audit *audit, size_t at)
{
	if (audit->has_relocations || !kd_kernel_kaslr_offset (audit->kernel))
		return 0;
	for (size_t back = 0; back < WORD && back <= at; back++)
		if (at - back + WORD <= audit->len && is_relocated_word (audit, at - back))
			return at - back + WORD;
	return 0;
}

/* --- differences --- */

static void
tell (Audit *audit, KdTextDifference *difference, size_t at, size_t end)
{
	difference->addr = audit->start + at;
	difference->len = end - at;
	difference->now = audit->now + at;
	difference->file = audit->file + at;
	switch (difference->cause) {
	case KD_TEXT_UNEXPLAINED:
		audit->counts->nr_unexplained++;
		break;
	case KD_TEXT_RELOCATED:
		audit->counts->nr_relocated++;
		break;
	case KD_TEXT_PATCHED:
		audit->counts->nr_patched[difference->kind]++;
		break;
	}
	if (audit->func)
		audit->func (difference, audit->data);
}

/* Behind the site when it explains what is there; 0: it does not. */
static size_t
try_site (Audit *audit, const KdPatchSite *site)
{
	g_autofree char *words = NULL;
	KdTextDifference difference = {.cause = KD_TEXT_PATCHED, .kind = site->kind};
	size_t start = (size_t)(site->addr - audit->start);
	const KdPatchBytes bytes = {
		site, audit->now + start, audit->file + start, audit->len - start};

	/* It may begin or end in front of or behind the range. */
	if (site->addr < audit->start || audit->len - start < site->len ||
		!kd_patch_site_allows (audit->kernel, &bytes, &words))
		return 0;
	difference.words = words;
	tell (audit, &difference, start, start + site->len);
	return start + site->len;
}

/* Behind the site that explains the other byte at `at`; 0: none does. */
static size_t
behind_patched (Audit *audit, size_t at)
{
	uint64_t addr = audit->start + at;
	size_t end = 0;
	int i;

	for (unsigned from = 0; !end && (i = kd_patch_sites_next (audit->sites, addr, from)) >= 0;
		from = (unsigned)i + 1)
		end = try_site (audit, kd_patch_site (audit->sites, (unsigned)i));
	return end;
}

/* The same for the room in front of a function, which may hold code that no table names. */
static size_t
behind_thunk (Audit *audit, size_t at)
{
	for (uint64_t i = 1; i <= audit->thunk_len; i++) {
		uint64_t function = audit->start + at + i;
		const KdPatchSite site = {.kind = KD_PATCH_THUNK,
			.addr = function - audit->thunk_len,
			.len = (uint16_t)audit->thunk_len,
			.target = audit->thunk};
		KdKernelSymbol symbol;
		size_t end;

		if (kd_kernel_symbol_at (audit->kernel, function, &symbol) &&
			symbol.addr == function && (end = try_site (audit, &site)))
			return end;
	}
	return 0;
}

/* Up to where bytes are the same again, or a site begins. */
static size_t
add_unexplained (Audit *audit, size_t at)
{
	KdTextDifference difference = {.cause = KD_TEXT_UNEXPLAINED};
	int site = kd_patch_sites_next (audit->sites, audit->start + at, 0);
	size_t end;

	at -= (audit->start + at) % audit->kernel->arch->insn_align;
	end = at + 1;
	if (site >= 0) {
		difference.has_site = TRUE;
		difference.kind = kd_patch_site (audit->sites, (unsigned)site)->kind;
	}
	while (end < audit->len && end - at < KD_INSN_BYTES_MAX &&
		(audit->now[end] != audit->file[end] ||
			(audit->start + end) % audit->kernel->arch->insn_align) &&
		(site >= 0) == (kd_patch_sites_next (audit->sites, audit->start + end, 0) >= 0))
		end++;
	tell (audit, &difference, at, end);
	return end;
}

static void
compare (Audit *audit)
{
	for (size_t at = 0; at < audit->len;) {
		size_t part = MIN (audit->len - at, 64), end;

		if (memcmp (audit->now + at, audit->file + at, part) == 0) {
			at += part;
			continue;
		}
		while (audit->now[at] == audit->file[at])
			at++;
		if ((end = behind_relocated (audit, at)) > at) {
			KdTextDifference difference = {.cause = KD_TEXT_RELOCATED};

			tell (audit, &difference, end - WORD, end);
		} else if ((end = behind_patched (audit, at)) <= at &&
			   (end = behind_thunk (audit, at)) <= at)
			end = add_unexplained (audit, at);
		at = end;
	}
}

/* The file's bytes, with what was written into them where they were loaded. */
static gboolean
read_file (Audit *audit, GError **error)
{
	KdKernel *kernel = audit->kernel;
	KdModule *module = kd_kernel_module_at (kernel, audit->start);
	KdSymbol percpu, percpu_end;
	const uint8_t *bytes;

	if (module) {
		audit->has_relocations = TRUE;
		audit->file = kd_module_code (module, audit->start, audit->len, error);
		return audit->file != NULL;
	}
	if (kernel->image_why || !kd_kernel_link_addr (kernel, audit->start, &audit->link) ||
		!(bytes = kd_image_bytes (kernel->image, audit->link, audit->len)) ||
		!(audit->file = g_try_malloc (audit->len))) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE,
			"no code of the kernel's image");
		return FALSE;
	}
	memcpy (audit->file, bytes, audit->len);
	relocate (audit);
	if (kd_image_symbol_by_name (kernel->image, "__per_cpu_start", &percpu) &&
		kd_image_symbol_by_name (kernel->image, "__per_cpu_end", &percpu_end)) {
		audit->percpu = percpu.addr;
		audit->percpu_end = percpu_end.addr;
	}
	return TRUE;
}

gboolean
kd_text_audit (KdKernel *kernel, uint64_t start, uint64_t end, KdTextFunc func, void *data,
	KdTextCounts *counts, GError **error)
{
	g_auto (Audit) audit = {
		.kernel = kernel, .start = start, .func = func, .data = data, .counts = counts};
	KdKernelSymbol thunk, thunk_end;

	if (end <= start || end - start > TEXT_MAX) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE, "no range of code");
		return FALSE;
	}
	audit.len = (size_t)(end - start);
	audit.now = g_try_malloc (audit.len);
	if (!audit.now) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE, "no memory for it");
		return FALSE;
	}
	if (!read_file (&audit, error) ||
		!kd_kernel_read (kernel, kd_addr_kernel (start), audit.now, audit.len, error))
		return FALSE;
	audit.sites = kd_kernel_patch_sites (kernel);
	if (kernel->arch->call_thunk &&
		kd_kernel_symbol (kernel, kernel->arch->call_thunk, &thunk) &&
		kd_kernel_symbol (kernel, kernel->arch->call_thunk_end, &thunk_end) &&
		thunk_end.addr - thunk.addr <= KD_INSN_BYTES_MAX) {
		audit.thunk = thunk.addr;
		audit.thunk_len = thunk_end.addr - thunk.addr;
	}
	counts->bytes += audit.len;
	compare (&audit);
	return TRUE;
}
