/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kernel.h"

/*
 * Members of one structure, found once and then taken out of one read of it: for what is walked by
 * the thousand. Everything else reads members through kernel/object.h.
 */
typedef struct {
	const char *path; /* "signal", "thread_info.cpu" */
	const char *alt;  /* its name in other kernels; NULL none */
	gboolean optional;
} KdFieldWant;

typedef struct {
	gboolean present;
	gboolean is_signed;
	uint64_t offset;              /* bytes from the structure's start */
	unsigned size;                /* bytes */
	unsigned bit_shift, bit_size; /* of a bit-field, in the `size` bytes at `offset` */
} KdField;

typedef struct {
	uint64_t start, len; /* the part of the structure that holds all of the fields */
} KdFieldSpan;

#define KD_FIELD_SPAN_MAX 65536U

/*
 * Finds `nr` members of `type` ("struct task_struct"). NOT_FOUND names a required one that is not
 * there.
 */
gboolean kd_fields_find (KdKernel *kernel, const char *type, const KdFieldWant *wants, size_t nr,
	KdField *ret_fields, KdFieldSpan *ret_span, GError **error);

/*
 * The value in bytes read at the structure's address plus span->start, span->len of them; zero for
 * a field that is not present, or is wider than 64 bits. Sign extended where its type is signed.
 */
uint64_t kd_field_get (const KdField *field, const KdFieldSpan *span, const uint8_t *bytes);
