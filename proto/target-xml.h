/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "proto/proto.h"
#include "proto/rsp-frame.h"

/*
 * Target descriptions: which registers the stub has, in which order and under which number.
 * Registers are bound by name, since numbers differ between versions of QEMU. Source: GDB manual,
 * "Target Descriptions".
 */
#define KD_TARGET_XML_DOC_MAX (1024 * 1024) /* bytes of one document */
#define KD_TARGET_XML_DOCS_MAX 64
#define KD_TARGET_XML_DEPTH_MAX 8 /* of includes, and of elements */
#define KD_TARGET_XML_REGS_MAX 4096
#define KD_TARGET_XML_REGNUM_MAX 65535
/* What a packet can carry, in hex: SME's ZA has 524288, and no register refuses a machine. */
#define KD_TARGET_XML_BITSIZE_MAX (KD_RSP_PAYLOAD_MAX / 2 * 8)

typedef struct {
	const char *name; /* strings here live as long as the layout */
	guint regnum;     /* for `p`, `P` */
	guint bitsize;    /* 8 to KD_TARGET_XML_BITSIZE_MAX, or 1 to 7 for odd stubs */
	size_t size;      /* bytes it takes in `g`, `p` */
	size_t offset; /* bytes from the start of a `g` reply; past its end: not in `g`, use `p` */
	const char *type;    /* "int", "data_ptr", "uint128", …; never NULL */
	const char *group;   /* or NULL */
	const char *feature; /* "org.gnu.gdb.aarch64.core" */
	gboolean save_restore;
} KdRegDesc;

typedef struct {
	char *architecture;  /* "aarch64", "i386:x86-64", or NULL */
	GArray *regs;        /* of KdRegDesc, by rising regnum */
	GHashTable *by_name; /* name → KdRegDesc *, the first of that name */
	GStringChunk *strings;
	size_t g_size; /* bytes of all of them */
} KdRegLayout;

/* The whole text of one annex (NUL-terminated, *ret_len without it), or NULL with an error. */
typedef char *(*KdTargetXmlFetch) (
	const char *annex, size_t *ret_len, gpointer user_data, GError **error);

/*
 * Fetches and parses target.xml and all that it includes. Errors: the fetcher's own,
 * KD_PROTO_ERROR_MALFORMED, _TOO_LARGE.
 */
KdRegLayout *kd_reg_layout_fetch (KdTargetXmlFetch fetch, gpointer user_data, GError **error);
void kd_reg_layout_free (KdRegLayout *layout);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdRegLayout, kd_reg_layout_free)

/* NULL when there is none of that name. Case matters. */
const KdRegDesc *kd_reg_layout_find (const KdRegLayout *layout, const char *name);
