/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "image/btf.h"
#include "image/image.h"
#include "sample-btf.h"

/* --- bytes that contradict themselves --- */

static void
test_damaged (void)
{
	enum {
		MAGIC = 0,
		VERSION = 2,
		HEADER = 4,
		TYPE_OFF = 8,
		TYPE_LEN = 12,
		STR_OFF = 16,
		STR_LEN = 20
	};
	static const struct {
		const char *name;
		unsigned at;
		uint32_t value;
	} rows[] = {
		{"magic", MAGIC, 0x12345678},
		{"version", VERSION, 0x00180007},
		{"header too short", HEADER, 23},
		{"header too long", HEADER, 0x7fffffff},
		{"types outside", TYPE_OFF, 0x7ffffff0},
		{"types unaligned", TYPE_OFF, 2},
		{"types too long", TYPE_LEN, 0xfffffff0},
		{"types cut in the last", TYPE_LEN, 0},
		{"strings outside", STR_OFF, 0xfffffff0},
		{"strings too long", STR_LEN, 0xffffffff},
		{"strings empty", STR_LEN, 0},
		{"strings without end", STR_LEN, 3},
		{"kind unknown", 24 + 4, 31u << 24},
		{"members past the end", 24 + 4, 4u << 24 | 0xffff},
	};
	struct btf *btf = sample_btf();
	uint32_t len, type_len;
	const void *raw = btf__raw_data (btf, &len);

	for (unsigned i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree uint8_t *bytes = g_memdup2 (raw, len);
		g_autoptr (GError) error = NULL;
		uint32_t value = rows[i].value;
		g_test_message ("%s", rows[i].name);
		memcpy (&type_len, bytes + TYPE_LEN, 4);
		if (rows[i].at == TYPE_LEN && value == 0)
			value = type_len - 4;
		memcpy (bytes + rows[i].at, &value, 4);
		g_assert_null (kd_image_open_btf (bytes, len, NULL, &error));
		g_assert_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_BAD_INFO);
	}
	for (uint32_t cut = 0; cut < len; cut += 7) {
		g_autoptr (GError) error = NULL;
		g_assert_null (kd_image_open_btf (raw, cut, NULL, &error));
		g_assert_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_BAD_INFO);
	}
	btf__free (btf);
}

/* Newer headers are longer than any that these headers know of. */
static void
test_longer_header (void)
{
	struct btf *btf = sample_btf();
	g_autoptr (KdImage) longer = NULL;
	g_autoptr (GByteArray) bytes = g_byte_array_new();
	g_autoptr (GError) error = NULL;
	uint32_t len, header_len;
	const uint8_t *raw = btf__raw_data (btf, &len);

	memcpy (&header_len, raw + 4, sizeof header_len);
	g_byte_array_append (bytes, raw, header_len);
	g_byte_array_set_size (bytes, header_len + 40);
	memset (bytes->data + header_len, 0xff, 40);
	g_byte_array_append (bytes, raw + header_len, len - header_len);
	header_len += 40;
	memcpy (bytes->data + 4, &header_len, sizeof header_len);
	longer = kd_image_open_btf (bytes->data, bytes->len, NULL, &error);
	g_assert_no_error (error);
	g_assert_nonnull (kd_image_type_by_name (longer, "int"));
	btf__free (btf);
}

/* --- types that go in circles --- */

static KdImage *
open_made (struct btf *btf)
{
	g_autoptr (GError) error = NULL;
	uint32_t len;
	const void *raw = btf__raw_data (btf, &len);
	KdImage *image = kd_image_open_btf (raw, len, NULL, &error);
	g_assert_no_error (error);
	btf__free (btf);
	return image;
}

static void
test_circles (void)
{
	struct btf *btf = btf__new_empty();
	btf__add_typedef (btf, "self", 1);
	btf__add_typedef (btf, "ping", 3);
	btf__add_const (btf, 2);
	btf__add_ptr (btf, 4);
	btf__add_typedef (btf, "pointer", 4);
	btf__add_array (btf, 1, 6, 1000000000);
	btf__add_typedef (btf, "array", 6);
	btf__add_struct (btf, "inside", 8);
	for (unsigned i = 0; i < 100; i++)
		btf__add_field (btf, NULL, 8, 0, 0);
	btf__add_func_proto (btf, 9);
	for (unsigned i = 0; i < 1000; i++)
		btf__add_func_param (btf, NULL, 9);
	btf__add_typedef (btf, "function", 9);
	btf__add_typedef (btf, "nowhere", 0x7fffffff);
	btf__add_type_tag (btf, "tag", 12);
	btf__add_typedef (btf, "tagged", 12);
	static const char *const names[] = {"self", "ping", "pointer", "array", "struct inside",
		"function", "nowhere", "tagged"};
	g_autoptr (KdImage) image = open_made (btf);

	for (unsigned i = 0; i < G_N_ELEMENTS (names); i++) {
		const KdType *type = kd_image_type_by_name (image, names[i]);
		KdMember member;
		g_autofree char *bad = NULL;
		g_test_message ("%s", names[i]);
		g_assert_nonnull (type);
		kd_type_size (type);
		g_autofree char *whole = kd_type_declare (kd_type_strip (type), "x");
		g_assert_cmpuint (strlen (whole), <, 1000000);
		g_assert_false (kd_type_member (type, "a.b", &member, &bad));
		g_assert_nonnull (bad);
	}
}

/* --- a module's types go on where the kernel's end --- */

static void
test_split (void)
{
	g_autoptr (GError) error = NULL;
	struct btf *base = sample_btf();
	struct btf *module = btf__new_empty_split (base);
	int list = btf__find_by_name_kind (base, "list_head", BTF_KIND_STRUCT);
	uint32_t len;

	btf__add_struct (module, "module_thing", 24);
	btf__add_field (module, "list", list, 0, 0);
	btf__add_field (module, "own", btf__find_by_name (base, "u64"), 128, 0);
	const void *raw = btf__raw_data (base, &len);
	g_autoptr (KdImage) kernel = kd_image_open_btf (raw, len, NULL, &error);
	g_assert_no_error (error);
	raw = btf__raw_data (module, &len);
	g_autoptr (KdImage) image = kd_image_open_btf (raw, len, kernel, &error);
	g_assert_no_error (error);

	const KdType *type = kd_image_type_by_name (image, "struct module_thing");
	KdMember member;
	g_assert_nonnull (type);
	g_assert_true (kd_type_member (type, "list.prev", &member, NULL));
	g_assert_cmpuint (member.bit_offset, ==, 64);
	g_assert_true (kd_image_type_by_name (image, "struct list_head") ==
		       kd_image_type_by_name (kernel, "struct list_head"));
	g_assert_null (kd_image_type_by_name (kernel, "struct module_thing"));
	btf__free (module);
	btf__free (base);
}

/* --- libbpf as the witness, id by id --- */

static void
test_witness (void)
{
	struct btf *btf = sample_btf();
	uint32_t len;
	const void *raw = btf__raw_data (btf, &len);
	g_autoptr (KdBtf) ours = kd_btf_new (raw, len, NULL, NULL);

	g_assert_nonnull (ours);
	g_assert_cmpuint (kd_btf_end_id (ours), ==, btf__type_cnt (btf));
	for (uint32_t id = 1; id < btf__type_cnt (btf); id++) {
		const struct btf_type *theirs = btf__type_by_id (btf, id);
		KdBtfType type;
		g_assert_true (kd_btf_type (ours, id, &type));
		g_assert_cmpuint (type.kind, ==, btf_kind (theirs));
		g_assert_cmpuint (type.vlen, ==, btf_vlen (theirs));
		g_assert_cmpuint (type.size_or_type, ==, theirs->size);
		g_assert_cmpstr (type.name, ==, btf__name_by_offset (btf, theirs->name_off));
	}
	g_assert_cmpuint (kd_btf_find (ours, BTF_KIND_STRUCT, "sample"), ==,
		btf__find_by_name_kind (btf, "sample", BTF_KIND_STRUCT));
	g_assert_cmpuint (kd_btf_find (ours, BTF_KIND_UNION, "sample"), ==, 0);
	btf__free (btf);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_test_add_func ("/btf/damaged", test_damaged);
	g_test_add_func ("/btf/longer-header", test_longer_header);
	g_test_add_func ("/btf/circles", test_circles);
	g_test_add_func ("/btf/split", test_split);
	g_test_add_func ("/btf/witness", test_witness);
	return g_test_run();
}
