/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/dwarf-file.h"
#include "image/dwarf-names.h"

/*
 * The graph of types, out of DWARF, for images without BTF. A reference is a DIE's offset in
 * .debug_info. Names are found through dwarf-names.c.
 */
#define CHAIN_MAX 32
#define DIMENSIONS_MAX 16

static gboolean
number_of (Dwarf_Die *die, unsigned name, Dwarf_Word *ret)
{
	Dwarf_Attribute attribute;
	return dwarf_attr_integrate (die, name, &attribute) &&
	       dwarf_formudata (&attribute, ret) == 0;
}

static gboolean
flag_of (Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	bool set = false;
	return dwarf_attr (die, name, &attribute) && dwarf_formflag (&attribute, &set) == 0 && set;
}

/* Offset of the DIE's type; 0: void. */
static uint64_t
type_ref (Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Die type;

	if (!dwarf_attr_integrate (die, DW_AT_type, &attribute) ||
		!dwarf_formref_die (&attribute, &type))
		return 0;
	return dwarf_dieoffset (&type);
}

static gboolean
die_at (KdImage *image, uint64_t ref, Dwarf_Die *ret)
{
	KdDwarf *dwarf = kd_image_dwarf (image);
	return dwarf && ref != 0 && dwarf_offdie (dwarf->dwarf, ref, ret) != NULL;
}

static KdTypeKind
kind_of_tag (int tag)
{
	switch (tag) {
	case DW_TAG_base_type:
		return KD_TYPE_INT;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return KD_TYPE_STRUCT;
	case DW_TAG_union_type:
		return KD_TYPE_UNION;
	case DW_TAG_enumeration_type:
		return KD_TYPE_ENUM;
	case DW_TAG_pointer_type:
		return KD_TYPE_POINTER;
	case DW_TAG_array_type:
		return KD_TYPE_ARRAY;
	case DW_TAG_subroutine_type:
	case DW_TAG_subprogram:
		return KD_TYPE_FUNC;
	case DW_TAG_typedef:
		return KD_TYPE_TYPEDEF;
	case DW_TAG_const_type:
		return KD_TYPE_CONST;
	case DW_TAG_volatile_type:
		return KD_TYPE_VOLATILE;
	case DW_TAG_restrict_type:
		return KD_TYPE_RESTRICT;
	default:
		return KD_TYPE_VOID;
	}
}

static void
init_base (KdType *node, Dwarf_Die *die)
{
	Dwarf_Word encoding = 0;

	number_of (die, DW_AT_encoding, &encoding);
	node->size = MIN (node->size, 16);
	node->is_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
	if (encoding == DW_ATE_float)
		node->kind = KD_TYPE_FLOAT;
	else
		node->kind = kd_type_int_kind (node->name, node->size, encoding == DW_ATE_boolean,
			encoding == DW_ATE_signed_char || encoding == DW_ATE_unsigned_char);
}

static void
init_enum (KdType *node, Dwarf_Die *die)
{
	Dwarf_Word encoding = 0;
	Dwarf_Die underlying;

	if (die_at (node->image, type_ref (die), &underlying))
		number_of (&underlying, DW_AT_encoding, &encoding);
	else
		number_of (die, DW_AT_encoding, &encoding);
	node->size = MIN (node->size, 8);
	node->is_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
}

static uint64_t
elements_of (Dwarf_Die *subrange)
{
	Dwarf_Word value;

	if (number_of (subrange, DW_AT_count, &value))
		return value;
	/* An upper bound of -1 is how gcc writes a flexible array of no elements. */
	return number_of (subrange, DW_AT_upper_bound, &value) && value < G_MAXINT64 ? value + 1
										     : 0;
}

/* "int a[4][2]" is one DIE with two subranges; here an array of arrays. */
static void
init_array (KdType *node, Dwarf_Die *die)
{
	Dwarf_Die child;
	unsigned dimensions = 0;

	node->target_ref = type_ref (die);
	gboolean more = kd_dwarf_first_child (die, &child);
	for (; more && dimensions < DIMENSIONS_MAX; more = kd_dwarf_next_sibling (&child)) {
		if (dwarf_tag (&child) != DW_TAG_subrange_type)
			continue;
		if (dimensions++ > 0) {
			KdType *inner = kd_type_new (node->image, KD_TYPE_ARRAY, 0);
			inner->target_ref = node->target_ref;
			node->target = inner;
			node = inner;
		}
		node->nr_elements = elements_of (&child);
	}
}

/* What the reference stands for: behind variables and what is transparent in C. */
static gboolean
skip_to_type (KdImage *image, uint64_t *ref, Dwarf_Die *die)
{
	for (unsigned i = 0; i < CHAIN_MAX; i++) {
		if (!die_at (image, *ref, die))
			return FALSE;
		switch (dwarf_tag (die)) {
		case DW_TAG_variable:
		case DW_TAG_atomic_type:
		case DW_TAG_packed_type:
			*ref = type_ref (die);
			break;
		default:
			return TRUE;
		}
	}
	return FALSE;
}

static const KdType *
dwarf_by_ref (KdImage *image, uint64_t ref)
{
	KdType *node = ref ? kd_type_lookup_ref (image, ref) : image->void_type;
	Dwarf_Die die;
	Dwarf_Word size = 0;

	if (node)
		return node;
	KdTypeKind kind =
		skip_to_type (image, &ref, &die) ? kind_of_tag (dwarf_tag (&die)) : KD_TYPE_VOID;
	if (kind == KD_TYPE_VOID)
		return image->void_type;
	if ((node = kd_type_lookup_ref (image, ref)) != NULL)
		return node;

	const char *name = dwarf_diename (&die);
	if (flag_of (&die, DW_AT_declaration) &&
		(kind == KD_TYPE_STRUCT || kind == KD_TYPE_UNION || kind == KD_TYPE_ENUM)) {
		uint64_t full = name ? kd_dwarf_name_find (image, kind, name) : 0;
		if (full && full != ref)
			return dwarf_by_ref (image, full);
		node = kd_type_new (image, KD_TYPE_FWD, ref);
		node->name = name;
		node->nr_elements = kind == KD_TYPE_UNION;
		return node;
	}
	node = kd_type_new (image, kind, ref);
	node->name = name;
	number_of (&die, DW_AT_byte_size, &size);
	node->size = kind == KD_TYPE_POINTER ? 8 : size;
	if (dwarf_tag (&die) == DW_TAG_base_type)
		init_base (node, &die);
	else if (kind == KD_TYPE_ENUM)
		init_enum (node, &die);
	else if (kind == KD_TYPE_ARRAY)
		init_array (node, &die);
	else
		node->target_ref = type_ref (&die);
	if (kind == KD_TYPE_FUNC || kind == KD_TYPE_ARRAY)
		node->size = 0;
	return node;
}

/* --- members --- */

/* Bytes from the start of the aggregate. */
static uint64_t
member_location (Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;
	Dwarf_Op *ops;
	size_t nr;

	if (!dwarf_attr (die, DW_AT_data_member_location, &attribute))
		return 0;
	if (dwarf_formudata (&attribute, &value) == 0)
		return value;
	/* DWARF 2: an expression that adds to the aggregate's address. */
	if (dwarf_getlocation (&attribute, &ops, &nr) == 0 && nr == 1 &&
		ops[0].atom == DW_OP_plus_uconst)
		return ops[0].number;
	return 0;
}

static void
locate_member (KdMember *member, Dwarf_Die *die)
{
	Dwarf_Word bits, offset, storage;

	member->bit_offset = member_location (die) * 8;
	if (!number_of (die, DW_AT_bit_size, &bits) || bits == 0 || bits > 64)
		return;
	member->bit_size = (unsigned)bits;
	if (number_of (die, DW_AT_data_bit_offset, &offset)) {
		member->bit_offset = offset;
		return;
	}
	/* DWARF 3: bits from the most significant one of the storage unit. */
	if (!number_of (die, DW_AT_bit_offset, &offset))
		return;
	if (!number_of (die, DW_AT_byte_size, &storage))
		storage = kd_type_size (member->type);
	if (storage <= 16 && offset + bits <= storage * 8)
		member->bit_offset += storage * 8 - offset - bits;
}

static void
expand_members (KdType *node, Dwarf_Die *die)
{
	g_autoptr (GArray) members = g_array_new (FALSE, TRUE, sizeof (KdMember));
	Dwarf_Die child;

	gboolean more = kd_dwarf_first_child (die, &child);
	for (; more; more = kd_dwarf_next_sibling (&child)) {
		int tag = dwarf_tag (&child);
		KdMember member = {0};
		if (node->kind == KD_TYPE_FUNC && tag == DW_TAG_unspecified_parameters)
			node->is_variadic = TRUE;
		if (tag != (node->kind == KD_TYPE_FUNC ? DW_TAG_formal_parameter : DW_TAG_member))
			continue;
		member.name = dwarf_diename (&child);
		member.type = dwarf_by_ref (node->image, type_ref (&child));
		if (tag == DW_TAG_member)
			locate_member (&member, &child);
		g_array_append_val (members, member);
	}
	node->nr_members = members->len;
	node->members = (KdMember *)(void *)g_array_free (g_steal_pointer (&members), FALSE);
}

static void
expand_enumerators (KdType *node, Dwarf_Die *die)
{
	g_autoptr (GArray) values = g_array_new (FALSE, TRUE, sizeof (KdEnumerator));
	Dwarf_Die child;

	gboolean more = kd_dwarf_first_child (die, &child);
	for (; more; more = kd_dwarf_next_sibling (&child)) {
		Dwarf_Attribute attribute;
		Dwarf_Sword value = 0;
		const char *name = dwarf_diename (&child);
		if (dwarf_tag (&child) != DW_TAG_enumerator || !name ||
			!dwarf_attr (&child, DW_AT_const_value, &attribute))
			continue;
		if (node->is_signed)
			dwarf_formsdata (&attribute, &value);
		else
			dwarf_formudata (&attribute, (Dwarf_Word *)&value);
		KdEnumerator enumerator = {name, value};
		g_array_append_val (values, enumerator);
	}
	node->nr_members = values->len;
	node->enumerators = (KdEnumerator *)(void *)g_array_free (g_steal_pointer (&values), FALSE);
}

static void
dwarf_expand (KdType *type)
{
	Dwarf_Die die;

	if (!die_at (type->image, type->ref, &die))
		return;
	if (type->kind == KD_TYPE_ENUM)
		expand_enumerators (type, &die);
	else
		expand_members (type, &die);
}

/* --- by name --- */

static const KdType *
dwarf_by_name (KdImage *image, KdTypeKind kind, const char *name)
{
	uint64_t ref = kd_dwarf_name_find (image, kind, name);
	Dwarf_Die die;

	if (ref)
		return dwarf_by_ref (image, ref);
	if (kind != KD_TYPE_STRUCT && kind != KD_TYPE_UNION)
		return NULL;
	/* Declared only: a pointer to it can still be spelled. */
	ref = kd_dwarf_name_find (image, KD_TYPE_FWD, name);
	return ref && die_at (image, ref, &die) && kind_of_tag (dwarf_tag (&die)) == kind
		       ? dwarf_by_ref (image, ref)
		       : NULL;
}

static const KdType *
dwarf_of_symbol (KdImage *image, const char *symbol)
{
	uint64_t ref = kd_dwarf_name_find (image, KD_INDEX_DIE_SYMBOL, symbol);
	const KdType *type = ref ? dwarf_by_ref (image, ref) : NULL;
	return type && type->kind != KD_TYPE_VOID ? type : NULL;
}

const KdTypeSource kd_dwarf_type_source = {
	.name = "dwarf",
	.by_name = dwarf_by_name,
	.of_symbol = dwarf_of_symbol,
	.by_ref = dwarf_by_ref,
	.expand = dwarf_expand,
	.foreach = kd_dwarf_name_foreach,
};
