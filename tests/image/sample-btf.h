/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <bpf/btf.h>
#include <glib.h>
#include <stdint.h>

/* The types of sample.c as BTF, made with libbpf. Free with btf__free. */
static inline struct btf *
sample_btf (void)
{
	struct btf *btf = btf__new_empty();
	g_assert_nonnull (btf);

	int u32_base = btf__add_int (btf, "unsigned int", 4, 0);
	int u64_base = btf__add_int (btf, "long unsigned int", 8, 0);
	int sint = btf__add_int (btf, "int", 4, BTF_INT_SIGNED);
	int text = btf__add_int (btf, "char", 1, BTF_INT_SIGNED);
	int byte = btf__add_int (btf, "unsigned char", 1, 0);
	int yes = btf__add_int (btf, "_Bool", 1, BTF_INT_BOOL);
	int u32 = btf__add_typedef (btf, "u32", u32_base);
	int u64 = btf__add_typedef (btf, "u64", u64_base);

	int list = btf__add_struct (btf, "list_head", 16);
	btf__add_field (btf, "next", list + 1, 0, 0);
	btf__add_field (btf, "prev", list + 1, 64, 0);
	btf__add_ptr (btf, list);

	int colour = btf__add_enum (btf, "colour", 4);
	btf__add_enum_value (btf, "RED", 0);
	btf__add_enum_value (btf, "GREEN", 5);
	btf__add_enum_value (btf, "BLUE", 6);
	int balance = btf__add_enum (btf, "balance", 4);
	btf__add_enum_value (btf, "MINUS", -2);
	btf__add_enum_value (btf, "PLUS", 2);

	int flags = btf__add_struct (btf, "flags", 8);
	btf__add_field (btf, "low", u32, 0, 3);
	btf__add_field (btf, "high", u32, 3, 29);
	btf__add_field (btf, "last", byte, 32, 1);

	int text8 = btf__add_array (btf, u32_base, text, 8);
	int anonymous = btf__add_union (btf, NULL, 8);
	btf__add_field (btf, "number", sint, 0, 0);
	btf__add_field (btf, "text", text8, 0, 0);
	int row = btf__add_array (btf, u32_base, u32, 3);
	int rows = btf__add_array (btf, u32_base, row, 2);
	int named = btf__add_struct (btf, NULL, 24);
	btf__add_field (btf, "inside", rows, 0, 0);

	int opaque = btf__add_ptr (btf, btf__add_fwd (btf, "opaque", BTF_FWD_STRUCT));
	int const_text = btf__add_ptr (btf, btf__add_const (btf, text));
	int counter = btf__add_const (btf, btf__add_ptr (btf, btf__add_volatile (btf, u64)));
	int tail = btf__add_array (btf, u32_base, text, 0);
	int self = btf__add_ptr (btf, (int)btf__type_cnt (btf) + 3);
	int operation = btf__add_func_proto (btf, sint);
	btf__add_func_param (btf, NULL, self);
	btf__add_func_param (btf, NULL, const_text);
	btf__add_func_param (btf, NULL, 0);
	int operation_pointer = btf__add_ptr (btf, operation);

	int sample = btf__add_struct (btf, "sample", 96);
	g_assert_cmpint (sample, ==, self + 3);
	btf__add_field (btf, "list", list, 0, 0);
	btf__add_field (btf, NULL, anonymous, 128, 0);
	btf__add_field (btf, "named", named, 192, 0);
	btf__add_field (btf, "operation", operation_pointer, 384, 0);
	btf__add_field (btf, "counter", counter, 448, 0);
	btf__add_field (btf, "flags", flags, 512, 0);
	btf__add_field (btf, "colour", colour, 576, 0);
	btf__add_field (btf, "balance", balance, 608, 0);
	btf__add_field (btf, "opaque", opaque, 640, 0);
	btf__add_field (btf, "yes", yes, 704, 0);
	btf__add_field (btf, "tail", tail, 712, 0);

	int function = btf__add_func_proto (btf, sint);
	btf__add_func_param (btf, "self", self);
	btf__add_func_param (btf, "balance", balance);
	btf__add_func (btf, "sample_function", BTF_FUNC_GLOBAL, function);
	int variable = btf__add_var (btf, "sample_pointer", BTF_VAR_GLOBAL_ALLOCATED, self);
	btf__add_datasec (btf, ".data..percpu", 8);
	g_assert_cmpint (btf__add_datasec_var_info (btf, variable, 0, 8), ==, 0);
	return btf;
}
