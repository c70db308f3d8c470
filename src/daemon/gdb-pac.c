/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/gdb-pac.h"

#include <inttypes.h>
#include <string.h>

#define ANNEX "kvmdbg-pac.xml"
#define TARGET_END "</target>"
/* gdb reads a stack by lines of 64 bytes; `dump memory` and `find` by thousands. */
#define STRIP_BYTES_MAX 512
#define WORD 8

/* --- the registers --- */

/* The number of our first; FALSE: the architecture has none, or the stub has them itself. */
static gboolean
first_number (KdSession *session, guint *ret_number)
{
	const KdArchGdbPac *pac = kd_target_arch (session->target)->gdb_pac;
	const KdRegInfo *infos;
	unsigned nr;

	if (!pac || !session->kernel)
		return FALSE;
	infos = kd_target_reg_infos (session->target, &nr);
	for (unsigned i = 0; i < nr; i++)
		if (strcmp (infos[i].stub_name, pac->regs[0].name) == 0)
			return FALSE;
	*ret_number = nr ? infos[nr - 1].number + 1 : 0;
	return TRUE;
}

gboolean
kd_gdb_pac_reg (KdSession *session, guint number, uint64_t *ret_value)
{
	const KdArchGdbPac *pac = kd_target_arch (session->target)->gdb_pac;
	guint first;

	if (!first_number (session, &first) || number - first >= G_N_ELEMENTS (pac->regs))
		return FALSE;
	*ret_value = kd_kernel_pac_mask (session->kernel) & pac->regs[number - first].bits;
	return TRUE;
}

static char *
own_feature (KdSession *session, guint first)
{
	const KdArchGdbPac *pac = kd_target_arch (session->target)->gdb_pac;
	GString *text = g_string_new (NULL);

	g_string_printf (text,
		"<?xml version=\"1.0\"?><!DOCTYPE feature SYSTEM \"gdb-target.dtd\">"
		"<feature name=\"%s\">",
		pac->feature);
	for (guint i = 0; i < G_N_ELEMENTS (pac->regs); i++)
		g_string_append_printf (text,
			"<reg name=\"%s\" bitsize=\"64\" type=\"uint64\" group=\"system\" "
			"regnum=\"%u\"/>",
			pac->regs[i].name, first + i);
	g_string_append (text, "</feature>");
	return g_string_free (text, FALSE);
}

char *
kd_gdb_pac_description (KdSession *session, const char *annex)
{
	guint first;
	gboolean own = first_number (session, &first);
	const char *text = kd_target_description (session->target, annex);
	const char *end = NULL;

	if (own && strcmp (annex, ANNEX) == 0)
		return own_feature (session, first);
	if (own && text && strcmp (annex, "target.xml") == 0)
		end = strstr (text, TARGET_END);
	return end ? g_strdup_printf (
			     "%.*s<xi:include href=\"" ANNEX "\"/>%s", (int)(end - text), text, end)
		   : g_strdup (text);
}

/* --- signatures --- */

static gboolean
is_behind_call (KdSession *session, uint64_t addr)
{
	uint8_t code[KD_CALL_BYTES_MAX];
	KdKernelSymbol symbol;
	KdCall call;

	if (!kd_kernel_symbol_at (session->kernel, addr, &symbol) ||
		!kd_kernel_read (session->kernel, kd_addr_kernel (addr - sizeof (code)), code,
			sizeof (code), NULL))
		return FALSE;
	kd_target_arch (session->target)->call_before (code, addr, &call);
	return call.kind != KD_CALL_NONE;
}

gboolean
kd_gdb_pac_strip (KdSession *session, uint64_t value, uint64_t *ret_addr)
{
	uint64_t mask = session->kernel ? kd_kernel_pac_mask (session->kernel) : 0;
	uint64_t addr;

	if (mask == 0)
		return FALSE;
	addr = kd_target_arch (session->target)->strip_pac (value, mask);
	/* The kernel's half, as it is without a signature. */
	if (addr == value || (addr & mask) != mask || !is_behind_call (session, addr))
		return FALSE;
	*ret_addr = addr;
	return TRUE;
}

void
kd_gdb_pac_strip_memory (KdSession *session, uint64_t addr, uint8_t *buf, size_t len)
{
	if (len > STRIP_BYTES_MAX)
		return;
	for (size_t at = (size_t)(-addr % WORD); at < len && len - at >= WORD; at += WORD) {
		uint64_t value = 0;

		for (unsigned i = WORD; i-- > 0;)
			value = value << 8 | buf[at + i];
		if (!kd_gdb_pac_strip (session, value, &value))
			continue;
		for (unsigned i = 0; i < WORD; i++)
			buf[at + i] = (uint8_t)(value >> 8 * i);
	}
}
