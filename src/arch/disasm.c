/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/disasm.h"

#include <capstone/capstone.h>
#include <string.h>

typedef struct {
	const KdArch *arch;
	csh handle;
} Disassembler;

static void
disassembler_free (void *data)
{
	Disassembler *disassembler = data;

	cs_close (&disassembler->handle);
	g_free (disassembler);
}

static const Disassembler *
disassembler_of (const KdArch *arch)
{
	static GPrivate key = G_PRIVATE_INIT (disassembler_free);
	Disassembler *disassembler = g_private_get (&key);

	if (disassembler && disassembler->arch == arch)
		return disassembler;
	disassembler = g_new0 (Disassembler, 1);
	disassembler->arch = arch;
	if (cs_open ((cs_arch)arch->disasm_arch, (cs_mode)arch->disasm_mode,
		    &disassembler->handle) != CS_ERR_OK) {
		g_free (disassembler);
		return NULL;
	}
	g_private_replace (&key, disassembler);
	return disassembler;
}

char *
kd_disassemble (const KdArch *arch, const uint8_t *code, size_t len, uint64_t addr, size_t *ret_len)
{
	const Disassembler *disassembler = disassembler_of (arch);
	cs_insn *insn = NULL;
	char *text;

	if (!disassembler || cs_disasm (disassembler->handle, code, len, addr, 1, &insn) != 1) {
		text = arch->disassemble_more ? arch->disassemble_more (code, len) : NULL;
		if (text && ret_len)
			*ret_len = arch->insn_align;
		return text;
	}
	text = insn->op_str[0] ? g_strdup_printf ("%s %s", insn->mnemonic, insn->op_str)
			       : g_strdup (insn->mnemonic);
	for (const KdInsnName *name = arch->insn_names; name && name->text; name++)
		if (strcmp (text, name->text) == 0) {
			g_free (text);
			text = g_strdup (name->name);
			break;
		}
	if (ret_len)
		*ret_len = insn->size;
	cs_free (insn, 1);
	return text;
}

KdInsnKind
kd_insn_kind (const KdArch *arch, const char *insn)
{
	for (const KdInsnWord *word = arch->insn_words; word && word->start; word++)
		if (g_str_has_prefix (insn, word->start) &&
			!g_ascii_isalpha (insn[strlen (word->start)]))
			return word->kind;
	return KD_INSN_OTHER;
}
