/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cursor.h"
#include "image/cfi-check.h"
#include "image/dwarf-file.h"

#include <elf.h>

/*
 * Rules for unwinding. libdw finds an FDE by reading .debug_frame from its start, which costs 18 ms
 * for the first address of a kernel. Here the index says which FDE it is, and libdw is given a
 * file of only that FDE and its CIE to interpret, about 20 µs.
 */
#define DWARF64_MARK 0xffffffffu
/* One function's instructions; the kernel's longest takes some kilobytes. */
#define ENTRY_MAX (1u << 20)

/* --- the index --- */

typedef struct {
	uint64_t offset; /* of the entry in .debug_frame */
	uint64_t total;  /* bytes with the length field */
	gboolean is_cie;
	gboolean is_64;    /* 64-bit DWARF */
	uint64_t cie;      /* FDE: offset of its CIE */
	KdCursor contents; /* behind the CIE pointer */
} FrameEntry;

static gboolean
next_entry (KdCursor *cursor, FrameEntry *ret)
{
	KdCursor at = *cursor;
	uint32_t short_len;
	uint64_t len, id;

	ret->offset = at.pos;
	if (!kd_cursor_next_u32 (&at, &short_len))
		return FALSE;
	len = short_len;
	ret->is_64 = short_len == DWARF64_MARK;
	if ((ret->is_64 && !kd_cursor_next_u64 (&at, &len)) || len > kd_cursor_left (&at) ||
		!kd_cursor_next_sub (&at, (size_t)len, &ret->contents) ||
		!kd_cursor_next_uint (&ret->contents, ret->is_64 ? 8 : 4, &id))
		return FALSE;
	ret->total = at.pos - ret->offset;
	ret->is_cie = id == (ret->is_64 ? UINT64_MAX : UINT32_MAX);
	ret->cie = id;
	*cursor = at;
	return TRUE;
}

static KdCursor
frame_section (const KdImage *image)
{
	const KdElfSection *section = kd_elf_section (&image->elf, ".debug_frame");
	const uint8_t *bytes = section ? kd_elf_section_bytes (&image->elf, section) : NULL;
	return kd_cursor_init (bytes, bytes ? (size_t)section->size : 0, image->elf.big_endian);
}

static int
compare_fdes (gconstpointer a, gconstpointer b)
{
	const KdIndexFde *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

GArray *
kd_cfi_index (KdImage *image)
{
	GArray *fdes = g_array_new (FALSE, FALSE, sizeof (KdIndexFde));
	KdCursor cursor = frame_section (image);
	FrameEntry entry;
	gboolean sorted = TRUE;
	uint64_t last = 0;

	while (next_entry (&cursor, &entry)) {
		uint64_t start, len;
		if (entry.is_cie || !kd_cursor_next_u64 (&entry.contents, &start) ||
			!kd_cursor_next_u64 (&entry.contents, &len) || len == 0 ||
			start + len < start || entry.offset > UINT32_MAX || entry.cie > UINT32_MAX)
			continue;
		KdIndexFde fde = {start, start + len, (uint32_t)entry.offset, (uint32_t)entry.cie};
		g_array_append_val (fdes, fde);
		sorted = sorted && start >= last;
		last = start;
	}
	if (!sorted)
		g_array_sort (fdes, compare_fdes);
	return fdes;
}

static const KdIndexFde *
find_fde (const KdImage *image, uint64_t addr)
{
	const KdIndexFde *fdes = image->index.tables[KD_INDEX_FDES].entries;
	size_t nr = image->index.tables[KD_INDEX_FDES].nr, low = 0, high = nr;
	KdSymbol symbol;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (fdes[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0 && addr < fdes[low - 1].end)
		return &fdes[low - 1];
	/*
	 * gcc opens the FDE behind the no-ops of -fpatchable-function-entry, which are still the
	 * function's: nothing was pushed yet, so the rules of its first instruction hold.
	 */
	if (low < nr && fdes[low].start - addr <= KD_PATCHABLE_ENTRY_MAX &&
		kd_image_symbol_by_addr (image, addr, &symbol) &&
		fdes[low].start - symbol.addr < symbol.size)
		return &fdes[low];
	return NULL;
}

/* --- one CIE and one FDE as a file --- */

static void
put (const KdElf *elf, GByteArray *bytes, uint64_t value, unsigned size)
{
	uint8_t raw[8];
	for (unsigned i = 0; i < size; i++)
		raw[elf->big_endian ? size - 1 - i : i] = (uint8_t)(value >> 8 * i);
	g_byte_array_append (bytes, raw, size);
}

static void
put_section (const KdElf *elf, GByteArray *bytes, uint32_t name, uint32_t type, uint64_t offset,
	uint64_t size)
{
	put (elf, bytes, name, 4);
	put (elf, bytes, type, 4);
	put (elf, bytes, 0, 8); /* flags */
	put (elf, bytes, 0, 8); /* address */
	put (elf, bytes, offset, 8);
	put (elf, bytes, size, 8);
	put (elf, bytes, 0, 4); /* link */
	put (elf, bytes, 0, 4); /* info */
	put (elf, bytes, 8, 8); /* alignment */
	put (elf, bytes, 0, 8); /* entry size */
}

static GByteArray *
small_file (const KdElf *elf, const uint8_t *cie, size_t cie_len, const uint8_t *fde,
	size_t fde_len, gboolean is_64)
{
	static const char names[] = "\0.debug_frame\0.shstrtab";
	GByteArray *bytes = g_byte_array_new();
	const uint64_t frame = sizeof (Elf64_Ehdr), frame_len = cie_len + fde_len;
	const uint64_t strings = frame + frame_len;
	const uint64_t headers = (strings + sizeof names + 7) & ~UINT64_C (7);

	/* e_ident, type and machine are the image's: they choose libdw's backend. */
	g_byte_array_append (bytes, elf->data, EI_NIDENT);
	put (elf, bytes, ET_EXEC, 2);
	put (elf, bytes, elf->machine, 2);
	put (elf, bytes, EV_CURRENT, 4);
	put (elf, bytes, 0, 8); /* entry */
	put (elf, bytes, 0, 8); /* program headers */
	put (elf, bytes, headers, 8);
	put (elf, bytes, 0, 4); /* flags */
	put (elf, bytes, sizeof (Elf64_Ehdr), 2);
	put (elf, bytes, 0, 2);
	put (elf, bytes, 0, 2);
	put (elf, bytes, sizeof (Elf64_Shdr), 2);
	put (elf, bytes, 3, 2);
	put (elf, bytes, 2, 2);

	g_byte_array_append (bytes, cie, (guint)cie_len);
	g_byte_array_append (bytes, fde, is_64 ? 12 : 4);
	put (elf, bytes, 0, is_64 ? 8 : 4); /* the CIE is now at the section's start */
	size_t head = is_64 ? 20 : 8;
	g_byte_array_append (bytes, fde + head, (guint)(fde_len - head));
	g_byte_array_append (bytes, (const guint8 *)names, sizeof names);
	put (elf, bytes, 0, (unsigned)(headers - bytes->len));

	put_section (elf, bytes, 0, SHT_NULL, 0, 0);
	put_section (elf, bytes, 1, SHT_PROGBITS, frame, frame_len);
	put_section (elf, bytes, 14, SHT_STRTAB, strings, sizeof names);
	return bytes;
}

/* NULL: the index points at something else than an FDE and its CIE. */
static GByteArray *
file_of_fde (const KdImage *image, const KdIndexFde *fde)
{
	KdCursor section = frame_section (image), at = section;
	FrameEntry fde_entry, cie_entry;

	if (!kd_cursor_seek (&at, fde->fde) || !next_entry (&at, &fde_entry) || fde_entry.is_cie ||
		fde_entry.total > ENTRY_MAX || fde_entry.cie != fde->cie)
		return NULL;
	at = section;
	if (!kd_cursor_seek (&at, fde->cie) || !next_entry (&at, &cie_entry) || !cie_entry.is_cie ||
		cie_entry.total > ENTRY_MAX || !kd_cfi_cie_is_sane (cie_entry.contents) ||
		!kd_cfi_fde_is_sane (fde_entry.contents))
		return NULL;
	return small_file (&image->elf, section.data + cie_entry.offset, (size_t)cie_entry.total,
		section.data + fde_entry.offset, (size_t)fde_entry.total, fde_entry.is_64);
}

/* --- rules --- */

/* libdw describes every rule as an expression; these are the shapes of the simple ones. */
static KdCfiRule
rule_of (const Dwarf_Op *ops, size_t nr, const Dwarf_Op *undefined)
{
	const KdCfiRule unusable = {KD_CFI_EXPR, 0, 0};

	if (nr == 0)
		return (KdCfiRule){ops == undefined ? KD_CFI_UNDEFINED : KD_CFI_SAME, 0, 0};
	if (nr == 1 && ops[0].atom == DW_OP_regx && ops[0].number < KD_CFI_REGS_MAX)
		return (KdCfiRule){KD_CFI_REGISTER, 0, (unsigned)ops[0].number};
	if (nr == 1 && ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31)
		return (KdCfiRule){KD_CFI_REGISTER, 0, ops[0].atom - DW_OP_reg0};
	if (ops[0].atom != DW_OP_call_frame_cfa)
		return unusable;

	int64_t offset = 0;
	size_t at = 1;
	if (at < nr && ops[at].atom == DW_OP_plus_uconst)
		offset = (int64_t)ops[at++].number;
	if (at == nr)
		return (KdCfiRule){KD_CFI_CFA_OFFSET, offset, 0};
	if (at + 1 == nr && ops[at].atom == DW_OP_stack_value)
		return (KdCfiRule){KD_CFI_VAL_OFFSET, offset, 0};
	return unusable;
}

static KdCfiRule
cfa_of (const Dwarf_Op *ops, size_t nr)
{
	if (nr == 1 && ops[0].atom == DW_OP_bregx && ops[0].number < KD_CFI_REGS_MAX)
		return (KdCfiRule){
			KD_CFI_REGISTER, (int64_t)ops[0].number2, (unsigned)ops[0].number};
	if (nr == 1 && ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31)
		return (KdCfiRule){
			KD_CFI_REGISTER, (int64_t)ops[0].number, ops[0].atom - DW_OP_breg0};
	return (KdCfiRule){KD_CFI_EXPR, 0, 0};
}

static gboolean
read_row (Dwarf_Frame *frame, KdCfiRow *row)
{
	Dwarf_Addr start, end;
	bool signal;
	Dwarf_Op *ops;
	size_t nr;
	int ra = dwarf_frame_info (frame, &start, &end, &signal);

	if (ra < 0 || ra >= KD_CFI_REGS_MAX || dwarf_frame_cfa (frame, &ops, &nr) != 0)
		return FALSE;
	row->ra_reg = (unsigned)ra;
	row->signal_frame = signal;
	row->cfa = cfa_of (ops, nr);
	for (int i = 0; i < KD_CFI_REGS_MAX; i++) {
		Dwarf_Op memory[3];
		row->regs[i] = dwarf_frame_register (frame, i, memory, &ops, &nr) == 0
				       ? rule_of (ops, nr, memory)
				       : (KdCfiRule){KD_CFI_EXPR, 0, 0};
	}
	return TRUE;
}

static gboolean
interpret (GByteArray *file, uint64_t addr, KdCfiRow *row)
{
	elf_version (EV_CURRENT);
	Elf *elf = elf_memory ((char *)file->data, file->len);
	Dwarf *dwarf = elf ? dwarf_begin_elf (elf, DWARF_C_READ, NULL) : NULL;
	Dwarf_CFI *cfi = dwarf ? dwarf_getcfi (dwarf) : NULL;
	Dwarf_Frame *frame = NULL;
	gboolean good = FALSE;

	if (cfi && dwarf_cfi_addrframe (cfi, addr, &frame) == 0)
		good = read_row (frame, row);
	free (frame);
	if (dwarf)
		dwarf_end (dwarf);
	if (elf)
		elf_end (elf);
	return good;
}

gboolean
kd_image_cfi_at (KdImage *image, uint64_t addr, KdCfiRow *ret_row)
{
	const KdIndexFde *fde = find_fde (image, addr);
	g_autoptr (GByteArray) file = fde ? file_of_fde (image, fde) : NULL;
	KdCfiRow row = {0};

	if (!file || !interpret (file, MAX (addr, fde->start), &row))
		return FALSE;
	*ret_row = row;
	return TRUE;
}
