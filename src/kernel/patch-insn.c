/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/patch-insn.h"

#include <inttypes.h>
#include <string.h>

#include "arch/disasm.h"
#include "base/hex.h"

void
kd_patch_insn_clear (KdPatchInsn *insn)
{
	g_clear_pointer (&insn->text, g_free);
}

static gboolean
starts_with (const char *text, const char *word)
{
	return word && g_str_has_prefix (text, word) && !g_ascii_isalnum (text[strlen (word)]);
}

/* "[rip + 0x10]" is another text at each address: the address instead. */
static void
resolve_operand (KdPatchInsn *insn, const char *pc)
{
	g_autofree char *plus = g_strconcat (pc, " + 0x", NULL);
	g_autofree char *minus = g_strconcat (pc, " - 0x", NULL);
	g_autofree char *head = NULL, *whole = NULL;
	char *at = strstr (insn->text, plus), *end;
	gboolean is_minus = !at;
	uint64_t offset;

	if (!at)
		at = strstr (insn->text, minus);
	if (!at)
		return;
	offset = g_ascii_strtoull (at + strlen (plus), &end, 16);
	insn->operand = insn->addr + insn->len + (is_minus ? -offset : offset);
	head = g_strndup (insn->text, (gsize)(at - insn->text));
	whole = g_strdup_printf ("%s0x%" PRIx64 "%s", head, insn->operand, end);
	g_free (insn->text);
	insn->text = g_steal_pointer (&whole);
}

/* "[0xffffffff82001000]" */
static void
find_absolute (KdPatchInsn *insn)
{
	const char *at = strstr (insn->text, "[0x");

	if (at && !insn->operand)
		insn->operand = g_ascii_strtoull (at + strlen ("[0x"), NULL, 16);
}

gboolean
kd_patch_insn_init (
	KdPatchInsn *insn, const KdArch *arch, const uint8_t *code, size_t len, uint64_t addr)
{
	uint8_t before[KD_CALL_BYTES_MAX] = {0};
	KdCall call = {0};

	*insn = (KdPatchInsn){.addr = addr, .code = code};
	insn->text = kd_disassemble (arch, code, len, addr, &insn->len);
	if (!insn->text && arch->insn_align > 1 && len >= arch->insn_align) {
		/* One that the disassembler is too old for is still one. */
		g_autofree char *bytes = kd_hex_to_string (code, arch->insn_align);

		insn->len = arch->insn_align;
		insn->text = g_strconcat ("bytes ", bytes, NULL);
	}
	if (!insn->text)
		return FALSE;
	insn->is_nop = arch->nop_at (code, insn->len);
	insn->is_break = starts_with (insn->text, arch->break_word);
	insn->is_return = starts_with (insn->text, arch->return_word);
	insn->is_fence = starts_with (insn->text, arch->fence_word);
	insn->is_jump = arch->jump_at (code, insn->len, addr, &insn->target);
	insn->is_indirect = arch->indirect_jump_at && arch->indirect_jump_at (code, insn->len);
	if (kd_insn_kind (arch, insn->text) == KD_INSN_CALL && insn->len <= sizeof before) {
		memcpy (before + sizeof before - insn->len, code, insn->len);
		arch->call_before (before, addr + insn->len, &call);
		insn->is_call = call.kind == KD_CALL_DIRECT && call.addr == addr;
		insn->is_indirect = !insn->is_call;
		if (insn->is_call)
			insn->target = call.target;
	}
	resolve_operand (insn, arch->pc);
	find_absolute (insn);
	return TRUE;
}

gboolean
kd_patch_insn_equal (const KdPatchInsn *now, const KdPatchInsn *want, uint64_t offset)
{
	const char *a = now->text, *b = want->text;

	if (now->len == want->len && memcmp (now->code, want->code, now->len) == 0)
		return TRUE;
	while (*a && *b) {
		uint64_t x, y;
		char *a_end, *b_end;

		if (strncmp (a, "0x", 2) != 0 || strncmp (b, "0x", 2) != 0) {
			if (*a++ != *b++)
				return FALSE;
			continue;
		}
		x = g_ascii_strtoull (a + 2, &a_end, 16);
		y = g_ascii_strtoull (b + 2, &b_end, 16);
		/* Addresses move with the image; what does not move with it is nearer. */
		if (x != y && x != y + offset && x + offset != y)
			return FALSE;
		a = a_end;
		b = b_end;
	}
	return *a == *b;
}
