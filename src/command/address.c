/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command/address.h"

#include <string.h>

#include "base/hex.h"
#include "command/complete.h"

/* Where "+0x10" or "-16" starts behind a symbol's name; the end when there is none. */
static const char *
find_offset (const char *text)
{
	const char *p = text + strcspn (text, "+- ");

	while (*p == ' ')
		p++;
	return p;
}

static gboolean
parse_offset (const char *text, uint64_t *ret_offset)
{
	gboolean minus = *text == '-';
	g_autofree char *digits = NULL;
	uint64_t value;

	*ret_offset = 0;
	if (*text == '\0')
		return TRUE;
	if (*text != '+' && *text != '-')
		return FALSE;
	digits = g_strstrip (g_strdup (text + 1));
	if (!kd_parse_u64 (digits, &value))
		return FALSE;
	*ret_offset = minus ? -value : value;
	return TRUE;
}

static gboolean
find_symbol (KdSession *session, const char *text, uint64_t *ret_value, GError **error)
{
	const char *offset_text = find_offset (text);
	g_autofree char *name = g_strchomp (g_strndup (text, (gsize)(offset_text - text)));
	uint64_t offset, base;

	if (!*name || !parse_offset (offset_text, &offset)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"“%s” is not an address (0x…, SYMBOL or SYMBOL+OFFSET)", text);
		return FALSE;
	}
	if (!session->kernel) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NEEDS_KERNEL,
			"%s: no kernel is known, so there are no symbols (attach with --vmlinux "
			"FILE)",
			name);
		return FALSE;
	}
	if (!kd_kernel_symbol_addr (session->kernel, name, &base, error))
		return FALSE;
	*ret_value = base + offset;
	return TRUE;
}

gboolean
kd_command_address (KdSession *session, const char *text, KdAddr *ret_addr, GError **error)
{
	g_autofree char *trimmed = g_strstrip (g_strdup (text));
	const char *rest = trimmed;
	KdAddr addr = {0};

	if (!kd_space_parse_prefix (trimmed, &addr.space, &rest)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"“%s”: no such address space (kernel, phys, user:PID, hyp, vm:N, cpu:N)",
			text);
		return FALSE;
	}
	if (!kd_parse_u64 (rest, &addr.value) && !find_symbol (session, rest, &addr.value, error))
		return FALSE;
	*ret_addr = addr;
	return TRUE;
}

static gboolean
offer_symbol (const KdSymbol *symbol, void *data)
{
	GPtrArray *candidates = data;

	g_ptr_array_add (candidates, g_strdup (symbol->name));
	return candidates->len < KD_COMPLETE_MAX;
}

void
kd_command_complete_symbol (KdSession *session, const char *word, GPtrArray *ret_candidates)
{
	KdImage *image = session->kernel ? kd_kernel_image (session->kernel) : NULL;

	/* Every symbol of a kernel is no help to anybody. */
	if (image && strlen (word) >= 2)
		kd_image_symbols_foreach (image, word, offer_symbol, ret_candidates);
}
