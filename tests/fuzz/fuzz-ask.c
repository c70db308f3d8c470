/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz-ask.h"

#define ADDRESSES_MAX 24

typedef struct {
	KdImage *image;
	unsigned nr;
} Asker;

static void
ask_address (KdImage *image, uint64_t addr)
{
	KdSymbol symbol;
	KdCfiRow row;

	kd_image_symbol_by_addr (image, addr, &symbol);
	kd_image_cfi_at (image, addr, &row);
	kd_image_bytes (image, addr, 16);
	g_autoptr (GArray) lines = kd_image_lines_at (image, addr);
	g_assert_cmpuint (lines->len, <, 1000);
}

static gboolean
ask_symbol (const KdSymbol *symbol, void *data)
{
	Asker *asker = data;
	KdSymbol again;

	g_assert_true (kd_image_symbol_by_name (asker->image, symbol->name, &again));
	ask_address (asker->image, symbol->addr);
	ask_address (asker->image, symbol->addr + symbol->size / 2);
	kd_image_type_of_symbol (asker->image, symbol->name);
	return ++asker->nr < ADDRESSES_MAX;
}

static gboolean
ask_type (const char *spelling, void *data)
{
	Asker *asker = data;
	const KdType *type = kd_image_type_by_name (asker->image, spelling);
	unsigned nr;
	KdMember member;
	g_autofree char *bad = NULL;

	if (type) {
		g_autofree char *text = kd_type_declare (type, "x");
		const KdMember *members = kd_type_members (kd_type_strip (type), &nr);

		g_assert_nonnull (text);
		for (unsigned i = 0; i < MIN (nr, 32); i++) {
			g_autofree char *inner = kd_type_declare (members[i].type, members[i].name);

			g_assert_nonnull (inner);
			kd_type_size (members[i].type);
		}
		kd_type_enumerators (kd_type_strip (type), &nr);
		kd_type_member (type, "list.next", &member, &bad);
	}
	return ++asker->nr < ADDRESSES_MAX;
}

void
fuzz_ask_image (KdImage *image)
{
	Asker asker = {image, 0};

	kd_image_symbols_foreach (image, NULL, ask_symbol, &asker);
	asker.nr = 0;
	kd_image_types_foreach (image, ask_type, &asker);
	ask_address (image, 0);
	ask_address (image, UINT64_MAX);
}
