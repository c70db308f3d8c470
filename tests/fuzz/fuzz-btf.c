/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "image/image.h"

/* BTF as it lies in guest memory: every type named, declared, measured and searched. */

#define TYPES_MAX 64

typedef struct {
	KdImage *image;
	unsigned nr;
} Asker;

static gboolean
ask_type (const char *spelling, void *data)
{
	Asker *asker = data;
	const KdType *type = kd_image_type_by_name (asker->image, spelling);
	KdMember member;
	unsigned nr;
	g_autofree char *bad = NULL;

	if (!type)
		return TRUE;
	g_autofree char *text = kd_type_declare (type, "x");
	g_autofree char *inside = kd_type_declare (kd_type_strip (type), NULL);
	kd_type_size (type);
	const KdMember *members = kd_type_members (kd_type_strip (type), &nr);
	for (unsigned i = 0; i < MIN (nr, 32); i++)
		kd_type_size (members[i].type);
	kd_type_enumerators (kd_type_strip (type), &nr);
	kd_type_member (type, "list.next", &member, &bad);
	return ++asker->nr < TYPES_MAX;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autoptr (GError) error = NULL;
	g_autoptr (KdImage) image = kd_image_open_btf (data, size, NULL, &error);
	Asker asker = {image, 0};

	g_assert_true ((image == NULL) == (error != NULL));
	if (!image)
		return 0;
	kd_image_types_foreach (image, ask_type, &asker);
	kd_image_type_of_symbol (image, "sample_function");
	/* The same bytes again as a module's. */
	g_autoptr (KdImage) module = kd_image_open_btf (data, size, image, NULL);
	asker = (Asker){module, 0};
	if (module)
		kd_image_types_foreach (module, ask_type, &asker);
	return 0;
}
