/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kallsyms.h"

#include <string.h>

#define TOKENS 256U
#define PER_MARKER 256U
/* A large kernel has 300,000 symbols. */
#define SYMBOLS_MAX (4U << 20)
#define STRINGS_MAX (256U << 20)
#define NAME_MAX_LEN 512    /* KSYM_NAME_LEN */
#define PACKED_NAME_MAX 512 /* in the table, with its length */
/* Names looked at in search of where they begin: more than one try is rare. */
#define WALK_MAX (16U << 20)

typedef struct {
	const uint8_t *data;
	size_t len;
	size_t align; /* of each table, and of what stands in front of the names */
	size_t token_table, token_index;
	size_t names, markers;
	uint32_t nr, nr_markers;
	uint32_t walked; /* names, in all tries */
	size_t offsets;
	uint64_t base;
	enum {
		FROM_BASE, /* unsigned, from the relative base */
		PERCPU,    /* CONFIG_KALLSYMS_ABSOLUTE_PERCPU */
		FROM_SELF, /* signed, from the place of the offset itself */
	} kind;
} Tables;

static size_t
align_up (const Tables *tables, size_t pos)
{
	return (pos + tables->align - 1) & ~(tables->align - 1);
}

static gboolean
u16_at (const Tables *tables, size_t pos, uint16_t *ret)
{
	if (pos > tables->len || tables->len - pos < sizeof *ret)
		return FALSE;
	memcpy (ret, tables->data + pos, sizeof *ret);
	*ret = GUINT16_FROM_LE (*ret);
	return TRUE;
}

static gboolean
u32_at (const Tables *tables, size_t pos, uint32_t *ret)
{
	if (pos > tables->len || tables->len - pos < sizeof *ret)
		return FALSE;
	memcpy (ret, tables->data + pos, sizeof *ret);
	*ret = GUINT32_FROM_LE (*ret);
	return TRUE;
}

static gboolean
u64_at (const Tables *tables, size_t pos, uint64_t *ret)
{
	if (pos > tables->len || tables->len - pos < sizeof *ret)
		return FALSE;
	memcpy (ret, tables->data + pos, sizeof *ret);
	*ret = GUINT64_FROM_LE (*ret);
	return TRUE;
}

/* --- tokens --- */

gboolean
kd_kallsyms_find_digits (const void *view, size_t len, size_t from, size_t *ret_at)
{
	/* Names have digits, so each digit's token is itself. */
	static const char digits[KD_KALLSYMS_DIGITS_LEN] =
		"0\0001\0002\0003\0004\0005\0006\0007\0008\0009";
	const uint8_t *at;

	/* Nothing may be NULL. */
	if (from >= len ||
		!(at = memmem ((const uint8_t *)view + from, len - from, digits, sizeof digits)))
		return FALSE;
	*ret_at = (size_t)(at - (const uint8_t *)view);
	return TRUE;
}

/* Every token is where the index says, and ends where the next one starts. */
static gboolean
tokens_agree (const Tables *tables)
{
	size_t at = 0, room = tables->token_index - tables->token_table;

	for (size_t i = 0; i < TOKENS; i++) {
		const uint8_t *end;
		uint16_t start;

		if (!u16_at (tables, tables->token_index + 2 * i, &start) || start != at ||
			at >= room)
			return FALSE;
		end = memchr (tables->data + tables->token_table + at, 0, room - at);
		if (!end)
			return FALSE;
		at = (size_t)(end - (tables->data + tables->token_table)) + 1;
	}
	return align_up (tables, tables->token_table + at) == tables->token_index;
}

static gboolean
find_tokens (Tables *tables, size_t digits)
{
	size_t at = digits;
	uint16_t start;

	for (unsigned i = '0'; i < TOKENS; i++) {
		const uint8_t *end =
			at < tables->len ? memchr (tables->data + at, 0, tables->len - at) : NULL;
		if (!end)
			return FALSE;
		at = (size_t)(end - tables->data) + 1;
	}
	tables->token_index = align_up (tables, at);
	if (!u16_at (tables, tables->token_index + 2 * '0', &start) || start > digits)
		return FALSE;
	tables->token_table = digits - start;
	return tokens_agree (tables);
}

/* --- names --- */

/* Length of the packed name at *pos, which moves behind the length. */
static gboolean
name_length (const Tables *tables, size_t *pos, size_t *ret_len)
{
	size_t at = *pos, len;

	if (at >= tables->markers)
		return FALSE;
	len = tables->data[at++];
	/* "kallsyms: support big kernel symbols", 6.1. */
	if (len & 0x80) {
		if (at >= tables->markers)
			return FALSE;
		len = (len & 0x7f) | (size_t)tables->data[at++] << 7;
	}
	if (len == 0 || len > tables->markers - at)
		return FALSE;
	*pos = at;
	*ret_len = len;
	return TRUE;
}

/* From `names` on there are `nr` names, each 256th where its marker says. */
static gboolean
names_agree (Tables *tables)
{
	size_t at = tables->names, len;

	for (uint32_t i = 0; i < tables->nr; i++) {
		uint32_t marker;

		if (i % PER_MARKER == 0 &&
			(!u32_at (tables, tables->markers + i / PER_MARKER * 4, &marker) ||
				marker != at - tables->names))
			return FALSE;
		if (tables->walked++ >= WALK_MAX || !name_length (tables, &at, &len))
			return FALSE;
		at += len;
	}
	return align_up (tables, at) == tables->markers;
}

/* The count stands in front of the names, in both orders of the tables. */
static gboolean
find_names (Tables *tables)
{
	uint32_t last, low = (tables->nr_markers - 1) * PER_MARKER;
	size_t most, at, end;

	if (!u32_at (tables, tables->markers + (size_t)(tables->nr_markers - 1) * 4, &last) ||
		last > tables->markers)
		return FALSE;
	end = tables->markers - last;
	most = MIN (end, (size_t)PER_MARKER * PACKED_NAME_MAX);
	for (at = align_up (tables, end - most); at <= end; at += tables->align) {
		uint32_t nr, pad = 0;

		if (at < tables->align || !u32_at (tables, at - tables->align, &nr) ||
			(tables->align > 4 && !u32_at (tables, at - 4, &pad)) || pad || nr <= low ||
			nr > low + PER_MARKER)
			continue;
		tables->names = at;
		tables->nr = nr;
		if (names_agree (tables))
			return TRUE;
	}
	return FALSE;
}

/*
 * The markers end in front of the tokens, or (6.2 to 6.4) in front of kallsyms_seqs_of_names, three
 * bytes for each symbol: so many that only their number of markers can say where those end.
 */
static gboolean
gap_fits (const Tables *tables, size_t end, uint32_t nr_markers)
{
	size_t gap = tables->token_table - end;
	size_t least = (size_t)(nr_markers - 1) * PER_MARKER * 3;

	return gap < tables->align ||
	       (gap > least && gap < least + PER_MARKER * 3 + 2 * tables->align);
}

/* A run of growing numbers that starts with 0 in front of the tokens. */
static gboolean
find_markers (Tables *tables)
{
	size_t floor = tables->token_table > (size_t)SYMBOLS_MAX * 4
			       ? tables->token_table - (size_t)SYMBOLS_MAX * 4
			       : 0;
	size_t at = tables->token_table & ~(size_t)3, end = at;

	/* `end` is behind the run of numbers, each above the one before, that `at` is in. */
	while (at >= floor + 4) {
		uint32_t value = 0, next = 0;

		at -= 4;
		u32_at (tables, at, &value);
		if (at + 4 < end && (!u32_at (tables, at + 4, &next) || next <= value ||
					    next - value > PER_MARKER * PACKED_NAME_MAX))
			end = at + 4;
		if (value || at % tables->align ||
			end - at > (size_t)(SYMBOLS_MAX / PER_MARKER) * 4)
			continue;
		tables->nr_markers = (uint32_t)((end - at) / 4);
		tables->markers = at;
		if (gap_fits (tables, end, tables->nr_markers) && find_names (tables))
			return TRUE;
	}
	return FALSE;
}

/* --- addresses --- */

static uint64_t
address (const Tables *tables, uint64_t view_va, uint32_t i)
{
	size_t at = tables->offsets + 4 * (size_t)i;
	uint32_t offset = 0;
	uint64_t wide;

	u32_at (tables, at, &offset);
	wide = (uint64_t)(int64_t)(int32_t)offset;
	switch (tables->kind) {
	case PERCPU:
		return (int32_t)offset >= 0 ? offset : tables->base - 1 - wide;
	case FROM_SELF:
		return view_va + at + wide;
	default:
		return tables->base + offset;
	}
}

static gboolean
is_sorted (const Tables *tables, uint64_t view_va)
{
	uint64_t before = 0;

	for (uint32_t i = 0; i < tables->nr; i++) {
		uint64_t addr = address (tables, view_va, i);

		if (addr < before)
			return FALSE;
		before = addr;
	}
	/* The kernel is in the upper half. */
	return before >> 63 && before != address (tables, view_va, 0);
}

/* The offsets are in front of the names or, since 6.5, behind the tokens; then the base. */
static gboolean
find_offsets (Tables *tables, uint64_t view_va)
{
	size_t size = align_up (tables, (size_t)tables->nr * 4),
	       behind = tables->token_index + TOKENS * 2;
	size_t front = tables->align + sizeof tables->base;
	const struct {
		gboolean fits;
		size_t offsets;
	} places[] = {
		{tables->names >= front + size, tables->names - front - size},
		{behind <= tables->len && size <= tables->len - behind, behind},
	};

	for (size_t i = 0; i < G_N_ELEMENTS (places); i++) {
		if (!places[i].fits)
			continue;
		tables->offsets = places[i].offsets;
		if (u64_at (tables, tables->offsets + size, &tables->base) && tables->base >> 63) {
			tables->kind = FROM_BASE;
			if (is_sorted (tables, view_va))
				return TRUE;
			tables->kind = PERCPU;
			if (is_sorted (tables, view_va))
				return TRUE;
		}
		tables->kind = FROM_SELF;
		if (view_va && is_sorted (tables, view_va))
			return TRUE;
	}
	return FALSE;
}

/* --- decoding --- */

/* Appends the letter and the name of `len` tokens at `at`. FALSE: too long. */
static gboolean
expand (const Tables *tables, size_t at, size_t len, GByteArray *strings)
{
	const uint8_t *table = tables->data + tables->token_table;
	guint start = strings->len;

	for (size_t i = 0; i < len; i++) {
		uint16_t index = 0;

		u16_at (tables, tables->token_index + 2 * (size_t)tables->data[at + i], &index);
		/* tokens_agree() has seen its NUL. */
		g_byte_array_append (
			strings, table + index, (guint)strlen ((const char *)table + index));
		if (strings->len - start > NAME_MAX_LEN)
			return FALSE;
	}
	g_byte_array_append (strings, (const uint8_t *)"", 1);
	return strings->len - start > 2 && strings->len <= STRINGS_MAX;
}

static gboolean
decode_names (KdKallsyms *kallsyms, const Tables *tables, uint64_t view_va, GError **error)
{
	size_t at = tables->names, len;

	for (uint32_t i = 0; i < tables->nr; i++) {
		KdKallsymsEntry entry = {
			.addr = address (tables, view_va, i), .name = kallsyms->strings->len + 1};

		if (!name_length (tables, &at, &len) ||
			!expand (tables, at, len, kallsyms->strings)) {
			g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
				"kallsyms: the name of symbol %u is none", i);
			return FALSE;
		}
		at += len;
		entry.kind = (char)kallsyms->strings->data[entry.name - 1];
		if (!g_ascii_isalpha (entry.kind))
			entry.kind = '?';
		g_array_append_val (kallsyms->symbols, entry);
	}
	return TRUE;
}

static KdKallsymsStage
find_tables (Tables *tables, size_t digits, uint64_t view_va)
{
	return !find_tokens (tables, digits)     ? KD_KALLSYMS_NO_TOKENS
	       : !find_markers (tables)          ? KD_KALLSYMS_NO_NAMES
	       : !find_offsets (tables, view_va) ? KD_KALLSYMS_NO_ADDRESSES
						 : KD_KALLSYMS_FOUND;
}

KdKallsyms *
kd_kallsyms_decode (const void *view, size_t len, size_t digits, uint64_t view_va,
	KdKallsymsStage *ret_stage, GError **error)
{
	static const char *const what[] = {[KD_KALLSYMS_NO_TOKENS] = "no table of tokens",
		[KD_KALLSYMS_NO_NAMES] = "no names in front of the tokens",
		[KD_KALLSYMS_NO_ADDRESSES] = "no addresses beside the names"};
	/* ALGN of 64-bit kernels; since 7.2 tables are aligned as their words are. */
	static const size_t aligns[] = {8, 4};
	g_autoptr (KdKallsyms) kallsyms = NULL;
	KdKallsymsStage stage = KD_KALLSYMS_NO_TOKENS;
	Tables tables;

	for (size_t i = 0; stage != KD_KALLSYMS_FOUND && i < G_N_ELEMENTS (aligns); i++) {
		tables = (Tables){.data = view, .len = len, .align = aligns[i]};
		stage = MAX (stage, find_tables (&tables, digits, view_va));
	}
	if (ret_stage)
		*ret_stage = stage;
	if (stage != KD_KALLSYMS_FOUND) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT, "kallsyms: %s",
			what[stage]);
		return NULL;
	}
	kallsyms = g_new0 (KdKallsyms, 1);
	kallsyms->symbols = g_array_sized_new (FALSE, FALSE, sizeof (KdKallsymsEntry), tables.nr);
	kallsyms->strings = g_byte_array_sized_new (tables.nr * 24);
	g_byte_array_append (kallsyms->strings, (const uint8_t *)"", 1);
	if (!decode_names (kallsyms, &tables, view_va, error))
		return NULL;
	kallsyms->packed = (KdKallsymsExtent){tables.names - tables.align,
		tables.token_index + TOKENS * 2 - (tables.names - tables.align)};
	kallsyms->offsets = (KdKallsymsExtent){tables.offsets, (size_t)tables.nr * 4};
	return g_steal_pointer (&kallsyms);
}

void
kd_kallsyms_free (KdKallsyms *kallsyms)
{
	if (!kallsyms)
		return;
	g_clear_pointer (&kallsyms->symbols, g_array_unref);
	g_clear_pointer (&kallsyms->strings, g_byte_array_unref);
	g_free (kallsyms);
}

gboolean
kd_kallsyms_addr (const KdKallsyms *kallsyms, const char *name, uint64_t *ret_addr)
{
	for (guint i = 0; i < kallsyms->symbols->len; i++) {
		const KdKallsymsEntry *entry =
			&g_array_index (kallsyms->symbols, KdKallsymsEntry, i);

		if (strcmp ((const char *)kallsyms->strings->data + entry->name, name) == 0) {
			*ret_addr = entry->addr;
			return TRUE;
		}
	}
	return FALSE;
}
