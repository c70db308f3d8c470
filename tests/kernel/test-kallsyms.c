/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "kernel/kallsyms.h"

#define TEXT UINT64_C (0xffff800008000000)
#define VIEW_VA (TEXT + 0x100000)
#define SYMBOLS 700U
#define BIG_LEN 300U /* tokens: a length of two bytes */

typedef enum { OLD, SEQS, NEW } Order; /* to 6.1, to 6.4, from 6.5 */
typedef enum { FROM_BASE, PERCPU, FROM_SELF } Kind;

typedef struct {
	GByteArray *bytes;
	GArray *markers;
	size_t token_index, names, align;
} View;

static void
put (View *view, const void *data, size_t len)
{
	g_byte_array_append (view->bytes, data, (guint)len);
}

static void
put_u32 (View *view, uint32_t value)
{
	value = GUINT32_TO_LE (value);
	put (view, &value, sizeof value);
}

static void
align (View *view)
{
	while (view->bytes->len % view->align)
		put (view, "", 1);
}

/* Per-CPU symbols, from 0, are the first ten where the kernel has such. */
static uint64_t
addr_of (Kind kind, unsigned i)
{
	return kind == PERCPU && i < 10 ? i * 64 : TEXT + i * 16;
}

static char *
name_of (unsigned i)
{
	g_autofree char *big = NULL;

	if (i != 300)
		return g_strdup_printf ("kvm_f%u", i);
	big = g_strnfill (BIG_LEN - 1, 'x');
	return g_steal_pointer (&big);
}

static void
put_offsets (View *view, Kind kind)
{
	uint64_t base = TEXT;

	align (view);
	for (unsigned i = 0; i < SYMBOLS; i++) {
		uint64_t addr = addr_of (kind, i);

		put_u32 (view, (uint32_t)(kind == FROM_SELF   ? addr - (VIEW_VA + view->bytes->len)
					  : kind == FROM_BASE ? addr - base
					  : i < 10            ? addr
							      : base - addr - 1));
	}
	align (view);
	base = GUINT64_TO_LE (base);
	if (kind != FROM_SELF)
		put (view, &base, sizeof base);
}

/* Token 0x80 is "kvm_", those of characters are themselves. */
static void
put_names (View *view)
{
	align (view);
	put_u32 (view, SYMBOLS);
	align (view);
	view->names = view->bytes->len;
	for (unsigned i = 0; i < SYMBOLS; i++) {
		g_autofree char *name = name_of (i);
		gboolean packed = g_str_has_prefix (name, "kvm_");
		size_t len = strlen (name) + 1 - (packed ? 3 : 0);
		const uint8_t size[] = {
			(uint8_t)(len < 0x80 ? len : 0x80 | (len & 0x7f)), (uint8_t)(len >> 7)};
		uint32_t marker = view->bytes->len - (uint32_t)view->names;

		if (i % 256 == 0)
			g_array_append_val (view->markers, marker);
		put (view, size, len < 0x80 ? 1 : 2);
		put (view, i % 2 ? "T" : "d", 1);
		if (packed)
			put (view, "\x80", 1);
		put (view, packed ? name + 4 : name, strlen (name) - (packed ? 4 : 0));
	}
	align (view);
	for (guint i = 0; i < view->markers->len; i++)
		put_u32 (view, g_array_index (view->markers, uint32_t, i));
}

static void
put_tokens (View *view)
{
	uint16_t starts[256], start = 0;

	align (view);
	for (unsigned i = 0; i < 256; i++) {
		char token[8] = {0};

		if (i == 0x80)
			g_strlcpy (token, "kvm_", sizeof token);
		else if (g_ascii_isalnum (i) || i == '_')
			token[0] = (char)i;
		else if (i % 3)
			g_strlcpy (token, "xyz", sizeof token);
		starts[i] = GUINT16_TO_LE (start);
		put (view, token, strlen (token) + 1);
		start = (uint16_t)(start + strlen (token) + 1);
	}
	align (view);
	view->token_index = view->bytes->len;
	put (view, starts, sizeof starts);
}

static void
put_seqs (View *view)
{
	align (view);
	for (unsigned i = 0; i < SYMBOLS; i++)
		put (view, (const uint8_t[]){0, (uint8_t)(i >> 8), (uint8_t)i}, 3);
}

static View
make (Order order, Kind kind, size_t align_to)
{
	View view = {
		g_byte_array_new(), g_array_new (FALSE, FALSE, sizeof (uint32_t)), 0, 0, align_to};

	for (unsigned i = 0; i < 500; i++) /* rodata of others */
		put (&view, "0\0001\0002", 5);
	/* So that the first table is at no multiple of more. */
	align (&view);
	if (view.bytes->len % 8 == 0 && align_to < 8)
		put_u32 (&view, 0x706f7473);
	if (order != NEW)
		put_offsets (&view, kind);
	put_names (&view);
	if (order == SEQS)
		put_seqs (&view);
	put_tokens (&view);
	if (order == NEW) {
		put_offsets (&view, kind);
		put_seqs (&view);
	}
	align (&view);
	for (unsigned i = 0; i < 100; i++)
		put (&view, "\xff\xff\0\1", 4);
	return view;
}

static void
clear (View *view)
{
	g_byte_array_unref (view->bytes);
	g_array_unref (view->markers);
}

static KdKallsyms *
decode (const View *view, uint64_t view_va, GError **error)
{
	size_t digits;

	if (!kd_kallsyms_find_digits (view->bytes->data, view->bytes->len, 0, &digits)) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND, "no digits");
		return NULL;
	}
	return kd_kallsyms_decode (
		view->bytes->data, view->bytes->len, digits, view_va, NULL, error);
}

typedef struct {
	const char *path;
	Order order;
	Kind kind;
	size_t align; /* 0: 8 */
} Layout;

static const Layout layouts[] = {
	{"/kallsyms/old", OLD, FROM_BASE, 0},
	{"/kallsyms/old-percpu", OLD, PERCPU, 0},
	{"/kallsyms/seqs", SEQS, FROM_BASE, 0},
	{"/kallsyms/seqs-percpu", SEQS, PERCPU, 0},
	{"/kallsyms/new", NEW, FROM_BASE, 0},
	{"/kallsyms/new-percpu", NEW, PERCPU, 0},
	{"/kallsyms/new-from-self", NEW, FROM_SELF, 0},
	{"/kallsyms/words-from-self", NEW, FROM_SELF, 4},
	{"/kallsyms/words-from-base", NEW, FROM_BASE, 4},
};

static void
test_layout (const void *data)
{
	const Layout *layout = data;
	View view = make (layout->order, layout->kind, layout->align ? layout->align : 8);
	g_autoptr (GError) error = NULL;
	g_autoptr (KdKallsyms) kallsyms = decode (&view, VIEW_VA, &error);
	uint64_t addr;

	g_assert_no_error (error);
	g_assert_cmpuint (kallsyms->symbols->len, ==, SYMBOLS);
	for (unsigned i = 0; i < SYMBOLS; i++) {
		const KdKallsymsEntry *entry =
			&g_array_index (kallsyms->symbols, KdKallsymsEntry, i);
		g_autofree char *name = name_of (i);

		g_assert_cmpstr ((const char *)kallsyms->strings->data + entry->name, ==, name);
		g_assert_cmphex (entry->addr, ==, addr_of (layout->kind, i));
		g_assert_cmpint (entry->kind, ==, i % 2 ? 'T' : 'd');
	}
	g_assert_true (kd_kallsyms_addr (kallsyms, "kvm_f699", &addr));
	g_assert_cmphex (addr, ==, TEXT + 699 * 16);
	g_assert_false (kd_kallsyms_addr (kallsyms, "kvm_f700", &addr));
	g_assert_cmpuint (kallsyms->offsets.len, ==, SYMBOLS * 4);
	g_assert_cmpuint (kallsyms->packed.start, ==, view.names - view.align);
	g_assert_cmpuint (
		kallsyms->packed.start + kallsyms->packed.len, ==, view.token_index + 512);
	clear (&view);
}

typedef struct {
	const char *path, *message;
	enum { TOKEN_START, LAST_TOKEN, NAME_PAST_END, MARKER, COUNT, ORDER, CUT } damage;
} Damage;

static const Damage damages[] = {
	{"/kallsyms/bad/token-start", "no table of tokens", TOKEN_START},
	{"/kallsyms/bad/token-past-table", "no table of tokens", LAST_TOKEN},
	{"/kallsyms/bad/name-past-end", "no names", NAME_PAST_END},
	{"/kallsyms/bad/marker", "no names", MARKER},
	{"/kallsyms/bad/count", "no names", COUNT},
	{"/kallsyms/bad/out-of-order", "no addresses", ORDER},
	{"/kallsyms/bad/cut-short", "no addresses", CUT},
};

static void
test_damage (const void *data)
{
	const Damage *damage = data;
	View view = make (NEW, FROM_BASE, 8);
	g_autoptr (GError) error = NULL;
	uint8_t *bytes = view.bytes->data;
	size_t offsets = view.token_index + 512;

	switch (damage->damage) {
	case TOKEN_START:
		bytes[view.token_index + 2 * 0x80] ^= 1;
		break;
	case LAST_TOKEN:
		bytes[view.token_index + 2 * 255 + 1] = 0xff;
		break;
	case NAME_PAST_END:
		bytes[view.names + g_array_index (view.markers, uint32_t, 2)] = 0xff;
		break;
	case MARKER:
		bytes[view.names - 8]--; /* the count still fits, the names end too early */
		break;
	case COUNT:
		bytes[view.names - 7] = 0;
		break;
	case ORDER:
		bytes[offsets + 4 * 500 + 3] = 0x7f;
		break;
	case CUT:
		g_byte_array_set_size (view.bytes, (guint)offsets + 4 * SYMBOLS - 4);
		break;
	}
	g_assert_null (decode (&view, VIEW_VA, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT);
	g_assert_nonnull (strstr (error->message, damage->message));
	clear (&view);
}

/* Addresses that count from the table itself say nothing where its own is not known. */
static void
test_no_place (void)
{
	View view = make (NEW, FROM_SELF, 8);
	g_autoptr (GError) error = NULL;

	g_assert_null (decode (&view, 0, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT);
	clear (&view);
}

/* Seeds for the fuzz target: --write DIR. */
static void
write_seeds (const char *dir)
{
	for (size_t i = 0; i < G_N_ELEMENTS (layouts); i++) {
		View view = make (
			layouts[i].order, layouts[i].kind, layouts[i].align ? layouts[i].align : 8);
		g_autofree char *path =
			g_build_filename (dir, strrchr (layouts[i].path, '/') + 1, NULL);

		g_assert_true (g_file_set_contents (
			path, (const char *)view.bytes->data, view.bytes->len, NULL));
		clear (&view);
	}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	if (argc == 3 && strcmp (argv[1], "--write") == 0) {
		write_seeds (argv[2]);
		return 0;
	}
	for (size_t i = 0; i < G_N_ELEMENTS (layouts); i++)
		g_test_add_data_func (layouts[i].path, &layouts[i], test_layout);
	for (size_t i = 0; i < G_N_ELEMENTS (damages); i++)
		g_test_add_data_func (damages[i].path, &damages[i], test_damage);
	g_test_add_func ("/kallsyms/bad/no-place", test_no_place);
	return g_test_run();
}
