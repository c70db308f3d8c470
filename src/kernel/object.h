/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/*
 * A typed value: at an address (an lvalue, read when asked), or in hand. Small enough to be copied;
 * it owns nothing and lives as long as its kernel. Fields are reached only by path; members are
 * probed, and a kernel version is never compared.
 */
typedef struct {
	KdKernel *kernel;
	const KdType *type;
	gboolean is_lvalue;
	KdAddr addr;         /* lvalue: where */
	unsigned bit_offset; /* lvalue bit-field: bits above addr */
	unsigned bit_size;   /* bit-field: width; else 0 */
	uint64_t value;      /* in hand: integer, pointer, enum (sign extended by its type) */
} KdObject;

/* --- making --- */
KdObject kd_object_at (KdKernel *kernel, const KdType *type, uint64_t va);
KdObject kd_object_in_hand (KdKernel *kernel, const KdType *type, uint64_t value);
/* "struct kvm" at `va`. NOT_FOUND when the image has no such type. */
gboolean kd_object_at_named (
	KdKernel *kernel, const char *type, uint64_t va, KdObject *ret_object, GError **error);
/* Variable by symbol; its type from the image, or `fallback_type` (may be NULL) where that says
 * nothing. */
gboolean kd_object_symbol (KdKernel *kernel, const char *symbol, const char *fallback_type,
	KdObject *ret_object, GError **error);
/* The copy of a per-CPU variable for `cpu`. */
gboolean kd_object_percpu (KdKernel *kernel, const char *symbol, const char *fallback_type,
	unsigned cpu, KdObject *ret_object, GError **error);

/* --- going on --- */
/* "arch.ctxt.regs.pc", "memslots[0]"; follows pointers at "->" and, as a convenience, at "." too.
 */
gboolean kd_object_member (
	const KdObject *object, const char *path, KdObject *ret_member, GError **error);
/* TRUE if the type has that member path (no memory is read). For probing. */
gboolean kd_object_has_member (const KdObject *object, const char *path);
gboolean kd_object_deref (const KdObject *pointer, KdObject *ret_target, GError **error);
gboolean kd_object_index (
	const KdObject *array_or_pointer, int64_t index, KdObject *ret_element, GError **error);
gboolean kd_object_cast (
	const KdObject *object, const char *type, KdObject *ret_object, GError **error);
gboolean kd_object_cast_to (
	const KdObject *object, const KdType *type, KdObject *ret_object, GError **error);
/* The `type` that holds the member `path` at address `va`. */
gboolean kd_object_container_of (KdKernel *kernel, uint64_t va, const char *type, const char *path,
	KdObject *ret_object, GError **error);

/* --- values --- */
/* Integer, pointer, enum, bool. TYPE for anything else. */
gboolean kd_object_u64 (const KdObject *object, uint64_t *ret_value, GError **error);
/* As kd_object_u64() would out of memory, from the object's own bytes. */
gboolean kd_object_decode (const KdObject *object, const uint8_t *bytes, size_t len,
	uint64_t *ret_value, GError **error);
gboolean kd_object_i64 (const KdObject *object, int64_t *ret_value, GError **error);
/* kd_object_member() then kd_object_u64(). */
gboolean kd_object_member_u64 (
	const KdObject *object, const char *path, uint64_t *ret_value, GError **error);
/* char array or char pointer; new string, at most `max` bytes. */
char *kd_object_string (const KdObject *object, size_t max, GError **error);
gboolean kd_object_read_bytes (const KdObject *object, void *buf, size_t len, GError **error);
