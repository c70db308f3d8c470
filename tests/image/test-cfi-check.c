/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/cfi-check.h"

#include "image/image.h"

/* Entries of .debug_frame behind their id, as libdw may be given them or not. */
#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof ((const uint8_t[]){__VA_ARGS__})
#define PLACE 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0

typedef struct {
	const char *name;
	gboolean is_cie;
	const uint8_t *bytes;
	size_t len;
	gboolean sane;
} Row;

static const Row rows[] = {
	/* version, augmentation, (address size, segments), alignments, return address */
	{"cie/v1", TRUE, BYTES (1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1), TRUE},
	{"cie/v4", TRUE, BYTES (4, 0, 8, 0, 4, 0x78, 30, 0x0c, 31, 0), TRUE},
	{"cie/signal", TRUE, BYTES (3, 'S', 0, 4, 0x78, 30), TRUE},
	{"cie/key-b", TRUE, BYTES (3, 'B', 0, 4, 0x78, 30), TRUE},
	{"cie/with-data", TRUE, BYTES (3, 'z', 'R', 0, 4, 0x78, 30, 1, 0x1b), FALSE},
	{"cie/no-end-of-augmentation", TRUE, BYTES (3, 'S', 'S'), FALSE},
	{"cie/return-address-beyond", TRUE, BYTES (3, 0, 4, 0x78, 0xff, 0xff, 0x7f), FALSE},
	{"cie/cut-off", TRUE, BYTES (4, 0, 8), FALSE},
	{"cie/empty", TRUE, NULL, 0, FALSE},
	{"fde/none", FALSE, BYTES (PLACE), TRUE},
	{"fde/cut-off", FALSE, BYTES (0, 0, 0), FALSE},
	{"fde/usual", FALSE,
		BYTES (PLACE, 0x44, 0x0e, 32, 0x9d, 4, 0x9e, 3, 0x0a, 0xdd, 0xde, 0x0b, 0x2d, 0),
		TRUE},
	{"fde/all-of-a-kind", FALSE,
		BYTES (PLACE, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0x02, 1, 0x03, 1, 2, 0x04, 1, 2, 3, 4,
			0x05, 95, 0x80, 1, 0x09, 1, 2, 0x0f, 2, 0x77, 8, 0x10, 3, 1, 0x50, 0x2e, 4),
		TRUE},
	{"fde/register-96", FALSE, BYTES (PLACE, 0x05, 96, 1), FALSE},
	/* 2 GiB for libdw to clear. */
	{"fde/register-beyond-measure", FALSE, BYTES (PLACE, 0x07, 0xff, 0xff, 0xff, 0x3f), FALSE},
	{"fde/register-overflows", FALSE,
		BYTES (PLACE, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
		FALSE},
	{"fde/expression-of-register-beyond", FALSE, BYTES (PLACE, 0x10, 0xff, 0x7f, 0), FALSE},
	{"fde/block-behind-the-end", FALSE, BYTES (PLACE, 0x0f, 2, 0), FALSE},
	{"fde/operand-missing", FALSE, BYTES (PLACE, 0x0c, 7), FALSE},
	{"fde/offset-missing", FALSE, BYTES (PLACE, 0x80), FALSE},
	{"fde/unknown", FALSE, BYTES (PLACE, 0x3f), FALSE},
};

static void
test_row (gconstpointer data)
{
	const Row *row = data;
	KdCursor cursor = kd_cursor_init (row->bytes, row->len, FALSE);

	g_assert_cmpint (row->is_cie ? kd_cfi_cie_is_sane (cursor) : kd_cfi_fde_is_sane (cursor),
		==, row->sane);
}

/* Each is a copy of all rules. */
static void
test_remembered (void)
{
	uint8_t fde[16 + 1000] = {0};

	for (unsigned nr = 0; nr < 1000; nr++) {
		fde[16 + nr] = 0x0a; /* DW_CFA_remember_state */
		g_assert_cmpint (
			kd_cfi_fde_is_sane (kd_cursor_init (fde, 17 + nr, FALSE)), ==, nr < 64);
	}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *path = g_strdup_printf ("/cfi-check/%s", rows[i].name);

		g_test_add_data_func (path, &rows[i], test_row);
	}
	g_test_add_func ("/cfi-check/remembered", test_remembered);
	return g_test_run();
}
