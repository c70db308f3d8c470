/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "arch/bits.h"
#include "arch/flow.h"

/*
 * What one instruction set means to a debugger, behind one record. Everything above asks this
 * record; no other file outside the per-ISA ones knows an ISA's name.
 */
typedef struct KdArch KdArch;

/* Reads physical memory for a walk. TRUE and all of `len` bytes, or FALSE and an error. */
typedef gboolean (*KdPhysReadFunc) (void *data, uint64_t pa, void *buf, size_t len, GError **error);

/* Value of a register of one CPU by its canonical name (see KdArch.canonical_name). FALSE: the CPU
 * has none. */
typedef gboolean (*KdRegGetFunc) (void *data, const char *name, uint64_t *ret_value);

/* One half of an address space under one set of tables: all a page walk needs. */
typedef struct {
	uint64_t root;       /* physical address of the root table */
	unsigned va_bits;    /* bits of input address the tables resolve: 39..52 */
	unsigned pa_bits;    /* bits of output address */
	unsigned page_shift; /* 12, 14 or 16 */
	gboolean upper; /* the half with all high bits set (TTBR1; x86: either half, sign extended)
			 */
	unsigned tbi;   /* high address bits the CPU ignores: 0 or 8 */
	uint64_t flags; /* per ISA: descriptor format variants (LPA2, 5-level, …) */
} KdRegime;

#define KD_WALK_LEVELS_MAX 6

typedef struct {
	const char *name; /* "level 0", "PGD" as the architecture's manual names it; static */
	uint64_t table;   /* physical address of the table */
	unsigned index;
	uint64_t entry_pa;
	uint64_t entry;
} KdWalkLevel;

typedef enum {
	KD_WALK_MAPPED,
	KD_WALK_ABSENT,   /* an entry says: nothing mapped here */
	KD_WALK_RESERVED, /* an entry that no walk may hold (bad type, address beyond pa_bits) */
	KD_WALK_NONCANONICAL, /* the address is outside what the tables resolve */
	KD_WALK_UNREADABLE,   /* a table lies where no memory is */
} KdWalkStatus;

typedef struct {
	KdWalkStatus status;
	unsigned nr_levels; /* levels read; the last is where the walk ended */
	KdWalkLevel levels[KD_WALK_LEVELS_MAX];
	uint64_t pa;       /* MAPPED: address of the byte asked for */
	uint64_t map_size; /* MAPPED: bytes the leaf (with contiguous hint) maps */
	uint64_t leaf;     /* MAPPED: leaf entry with hierarchical bits folded in */
} KdWalk;

/* Which tables a CPU uses for what, from its registers at a stop. */
typedef enum {
	KD_REGIME_KERNEL, /* tables of the half where the host kernel lives, at the level the host
			     kernel runs at */
	KD_REGIME_USER,   /* tables of the lower half, same level */
	KD_REGIME_HYP,    /* arm64 EL2 without E2H */
	KD_REGIME_GUEST_KERNEL, /* EL1 upper half while a guest is loaded (stage 1 only) */
	KD_REGIME_GUEST_USER,
} KdRegimeKind;

/* What a CPU was doing, from its registers alone. */
typedef enum {
	KD_CPU_MODE_UNKNOWN,
	KD_CPU_MODE_USER,     /* host user */
	KD_CPU_MODE_KERNEL,   /* host kernel */
	KD_CPU_MODE_HYP,      /* arm64 EL2 without E2H */
	KD_CPU_MODE_GUEST,    /* executing guest code (only said when registers prove it) */
	KD_CPU_MODE_FIRMWARE, /* EL3, SMM */
} KdCpuMode;

typedef struct {
	KdCpuMode mode;
	int el;                /* arm64 exception level; x86: CPL; -1 unknown */
	const char *mode_name; /* "EL2h", "EL0t", "ring 0": static */
} KdCpuState;

/* Where exception vectors are: one way to a kernel whose place nobody told. */
typedef struct {
	uint64_t va;
	gboolean is_phys; /* translation was off: `va` is a physical address, no regime */
	KdRegime regime;  /* the tables that map `va` */
} KdVectorBase;

#define KD_VECTOR_BASES_MAX 4
#define KD_ROOT_REGIMES_MAX 16

/* How Linux for this instruction set lies in memory, and what leads to it. */
typedef struct {
	const char *base_symbol;    /* first byte of the image */
	const char *end_symbol;     /* behind its last */
	const char *root_symbol;    /* the kernel's root table */
	const char *voffset_symbol; /* u64 that virt_of_image() knows how to use; NULL none */
	uint64_t image_align;       /* physical alignment every loader keeps to */
	const char *image_magic;    /* stands at image_magic_offset of an image; NULL none */
	uint64_t image_magic_offset;
	/* The image's first byte is at the multiple of this in front of _stext; 0: not known. */
	uint64_t load_align;
	unsigned vector_slots;     /* vectors may stand this many slots behind their symbol, */
	uint64_t vector_slot_size; /* each of this size (hardening variants) */
	const char *const *vector_symbols; /* what a vector register may hold; NULL-terminated */
	const char *const *guest_entry_symbols; /* functions that enter a guest; NULL-terminated */
	/* Code that is mapped once more, for page-table isolation; NULL: none is. */
	const char *trampoline_start, *trampoline_end;

	/* Vector bases of the host's own levels, from a CPU's registers and what they lead to: how
	 * many. */
	unsigned (*vector_bases) (KdRegGetFunc get, void *data, KdPhysReadFunc read,
		void *read_data, KdVectorBase ret_bases[KD_VECTOR_BASES_MAX]);
	/* Where the byte of the image at physical address `pa` is mapped, given the value of
	 * voffset_symbol. */
	uint64_t (*virt_of_image) (uint64_t voffset, uint64_t pa);
	/* Every format kernel tables with this root symbol's address may have: for when no CPU's
	 * registers tell the host's. */
	unsigned (*root_regimes) (uint64_t root, KdRegime ret_regimes[KD_ROOT_REGIMES_MAX]);
	/* User half of a process whose root table is at `root`, under this kernel. */
	KdRegime (*user_regime) (const KdRegime *kernel, uint64_t root);
	/*
	 * TRUE: these registers may be a guest's, though cpu_state() cannot say so: then tables
	 * that do not map the host's kernel are a guest's. NULL where cpu_state() always tells.
	 */
	gboolean (*may_be_guest) (KdRegGetFunc get, void *data);
} KdArchLinux;

/* What the instruction in front of a return address does. */
typedef enum {
	KD_CALL_NONE,     /* no call */
	KD_CALL_DIRECT,   /* to `target` */
	KD_CALL_INDIRECT, /* through a register or memory */
} KdCallKind;

typedef struct {
	KdCallKind kind;
	uint64_t addr;   /* of the call itself */
	uint64_t target; /* DIRECT */
	/* DIRECT, but the bytes read as an indirect call too. */
	gboolean maybe_indirect;
} KdCall;

/* What an instruction means to someone who steps. */
typedef enum {
	KD_INSN_OTHER,
	KD_INSN_CALL,
	KD_INSN_JUMP,        /* to a place that a register or memory has */
	KD_INSN_SYSTEM,      /* may change one of KdArch.step_regs */
	KD_INSN_RETURN,      /* from an exception: ERET, IRET */
	KD_INSN_ENTER_GUEST, /* VMRUN, VMLAUNCH, VMRESUME: the next host instruction is behind it */
	KD_INSN_EXCLUSIVE,   /* a load that a conditional store must follow undisturbed */
} KdInsnKind;

typedef struct {
	const char *start; /* of the instruction as disassembled; no letter may follow */
	KdInsnKind kind;
} KdInsnWord;

/* An instruction as the disassembler writes it, and as the manual does. */
typedef struct {
	const char *text, *name;
} KdInsnName;

#define KD_GATE_BYTES_MAX 16

/* Tables of exception vectors. */
typedef struct {
	unsigned nr, size;          /* entries of a table, bytes of each */
	const char *const *symbols; /* the kernel's tables; NULL-terminated */
	const char *const *regs;    /* what holds a table's address, of the stub or the monitor */
	/* The one of those that an exception goes by which is taken where the CPU is now, or from
	 * user mode; NULL: none of them. */
	const char *(*in_force) (const KdCpuState *state, KdRegGetFunc get, void *data);
	/* What code has to call `reg` now, where that is another name; NULL: it is the same. */
	const char *(*alias) (const char *reg, KdRegGetFunc get, void *data);
	const char *(*name) (unsigned index); /* static; NULL: it has none */
	/* Where a gate leads, and what else it says (new string). FALSE: it is none. NULL: entries
	 * are code. */
	gboolean (*gate) (const uint8_t *entry, uint64_t *ret_target, char **ret_words);
} KdVectorLayout;

/*
 * How gdb is told which bits of a pointer are a signature: a feature of target.xml with the mask of
 * data and code pointers of the lower half, then of the upper.
 */
typedef struct {
	const char *feature;
	struct {
		const char *name;
		uint64_t bits; /* of KdArch.pac_mask(), those that this register may have */
	} regs[4];
} KdArchGdbPac;

/* Bytes of the longest instruction of any instruction set here. */
#define KD_INSN_BYTES_MAX 16
#define KD_EXIT_VECTORS_MAX 8

/* Bytes in front of a return address that hold any call of any instruction set here. */
#define KD_CALL_BYTES_MAX 8

typedef struct {
	const char *title;        /* NULL ends */
	const char *const *names; /* NULL-terminated */
} KdSysregGroup;

/* System registers by the names the architecture's manual has for them. */
typedef struct {
	const KdSysregGroup *groups; /* those that tell what a hypervisor does */
	gboolean has_levels;         /* registers belong to exception levels */
	/* Level a register belongs to ("SCTLR_EL12": 1); -1: to none. */
	int (*level) (const char *name);
	/* TRUE: `name` is one level's register of what `base` says without a level. */
	gboolean (*is_level_of) (const char *name, const char *base);
	/* Its own value, wherever the stub shows another register's under the name; FALSE: none. */
	gboolean (*read) (const char *name, KdRegGetFunc get, void *data, uint64_t *ret_value);
	/* The translation regime it rules at this stop, and whose that is: static; NULL: none. */
	const char *(*regime) (
		const char *name, const KdCpuState *state, KdRegGetFunc get, void *data);
	/* Its bits as they are laid out now; NULL: it has none. */
	const KdBitField *(*fields) (
		const char *name, uint64_t value, KdRegGetFunc get, void *data);
	/* What it says, in words and names of bits: new string; NULL: a number and no more. */
	char *(*to_string) (const char *name, uint64_t value, KdRegGetFunc get, void *data);
} KdSysregs;

#define KD_EXCLUSIVE_BYTES 64
#define KD_EXCLUSIVE_ENDS_MAX 4

/* Bits of a general register that tell what a step did. */
typedef struct {
	const char *name, *reg;
	uint64_t mask;
} KdStepField;

/* See KdArch.trivial_insn. */
typedef struct {
	unsigned size;         /* bytes */
	const char *to, *from; /* registers; NULL: none is written */
} KdTrivialInsn;
#define KD_TRIVIAL_INSN_MAX 8
#define KD_ACCESS_NEAR (64 * 1024) /* offset and size of an access, bytes */

/* A table of pointers, by number of a CPU's feature, to its name or to a record that has it. */
typedef struct {
	const char *symbol;
	const char *type, *member; /* of the record; NULL: the name itself */
} KdFeatureNames;

struct KdArch {
	const char *name;             /* "arm64" */
	const char *gdb_architecture; /* target.xml's: "aarch64" */
	uint16_t elf_machine;
	unsigned pointer_size;
	gboolean big_endian;

	/* Canonical names of registers by role. */
	const char *pc, *sp, *fp, *lr; /* lr may be NULL */
	unsigned nr_dwarf_regs;

	/* Canonical name of what a stub calls `stub_name` ("VBAR" of QEMU 7.2 is "VBAR_EL1");
	 * itself if none. */
	const char *(*canonical_name) (const char *stub_name);
	/* Canonical name of DWARF register number; NULL if none. */
	const char *(*dwarf_reg_name) (unsigned dwarf_reg);

	/* Mode of a CPU from its registers. */
	KdCpuState (*cpu_state) (KdRegGetFunc get, void *data);
	/* FALSE: registers missing, or translation off (MMU disabled), or the CPU has no such
	 * regime now. */
	gboolean (*regime) (KdRegimeKind kind, KdRegGetFunc get, void *data, KdRegime *ret_regime);
	/*
	 * Walks `va`. Never fails as a GError: *ret_walk->status says how it ended; for UNREADABLE
	 * *ret_error_text is not set, levels[nr_levels-1].entry_pa is the place that could not be
	 * read.
	 */
	void (*walk) (const KdRegime *regime, uint64_t va, KdPhysReadFunc read, void *data,
		KdWalk *ret_walk);
	/* "rw- global AF …": new string for the leaf of a MAPPED walk. */
	char *(*describe_leaf) (const KdRegime *regime, const KdWalk *walk);

	/* Bits of a kernel pointer that hold a signature, given the kernel's VA bits; 0 where none.
	 */
	uint64_t (*pac_mask) (unsigned va_bits);
	/* Kernel address with the signature bits replaced by what they must be. */
	uint64_t (*strip_pac) (uint64_t value, uint64_t pac_mask);

	const KdArchGdbPac *gdb_pac; /* NULL: no signatures */

	const KdArchLinux *linux_layout;

	/* The call that returns to `return_addr`, from the KD_CALL_BYTES_MAX bytes in front of it.
	 */
	void (*call_before) (
		const uint8_t code[KD_CALL_BYTES_MAX], uint64_t return_addr, KdCall *ret_call);
	/* What <capstone.h> calls it. */
	int disasm_arch, disasm_mode;
	const KdInsnName *insn_names; /* ends with text NULL; NULL: none */
	/* An instruction of insn_align bytes that the disassembler is too old for, in the same
	 * words: new string; NULL: it is none. The function is NULL where there are none. */
	char *(*disassemble_more) (const uint8_t *code, size_t len);
	/*
	 * What the CPU says of an exception, in words (ESR_ELx; x86's error code of a page fault):
	 * new string. *ret_class: its kind alone, static; NULL: the CPU's number has none.
	 */
	char *(*syndrome_to_string) (uint64_t syndrome, const char **ret_class);
	const char *syndrome_name; /* "ESR", "page-fault error code" */

	/* Where the unconditional jump in the first bytes of `code` goes; FALSE: it is none. */
	gboolean (*jump_at) (const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_target);
	/* The same of a conditional jump. */
	gboolean (*branch_at) (
		const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_target);
	/* TRUE: the first bytes of `code` jump to where a register or memory says. */
	gboolean (*indirect_jump_at) (const uint8_t *code, size_t len);
	/*
	 * TRUE: what stands in front of a return address is no call, and still what boot code uses
	 * as one. NULL: there is no such thing.
	 */
	gboolean (*far_jump_before) (const uint8_t code[KD_CALL_BYTES_MAX]);
	/*
	 * The addresses that `code` names by itself, some of which it may not use: how many of at
	 * most `max`. NULL: not known how.
	 */
	unsigned (*data_refs) (
		const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_refs, unsigned max);
	/* Functions whose name starts so jump to where a register points; NULL none. */
	const char *thunk_prefix;
	unsigned insn_align; /* instructions start at multiples of this */

	/*
	 * What the kernel patches for its tracer: bytes in front of the address in a record that it
	 * writes too, and those of the call there. And how capstone spells what it puts elsewhere.
	 */
	unsigned ftrace_before, ftrace_len;
	const char *break_word, *return_word;
	const char *trap_word; /* of what is never come back from; NULL: the breakpoint's alone */
	/* TRUE: the instruction of `len` bytes is one that the kernel puts where nothing is. */
	gboolean (*nop_at) (const uint8_t *code, size_t len);
	const char *fence_word;    /* in front of an indirect branch; NULL: never */
	const char *ftrace_entry;  /* what it writes in front; NULL: nothing */
	const char *lock_prefixes; /* bytes: of a locked instruction, and what does nothing; NULL:
				      none */
	/* Where functions may jump instead of a return, and the variable that says where now. */
	const char *return_thunk, *return_thunk_pointer;
	/*
	 * Constants in the code that the kernel sets as it boots (asm/runtime-const.h): bytes of an
	 * address, of a shift and of a mask, and the value they have `now`. FALSE: more than the
	 * value is not as in the file. NULL: there are none.
	 */
	unsigned const_ptr_len, const_shift_len, const_mask_len;
	gboolean (*const_at) (
		const uint8_t *now, const uint8_t *file, size_t len, uint64_t *ret_value);
	/*
	 * Writes what a relocation of a module's code asks for into the bytes that lie at `place`
	 * in memory; `value` is that of the symbol with its addend. FALSE: a kind that is not
	 * known, or the value does not fit. NULL: none is.
	 */
	gboolean (*relocate) (
		uint32_t type, uint8_t *bytes, size_t len, uint64_t place, uint64_t value);
	/*
	 * Where the few instructions at `addr` go that a module's loader makes for a branch that
	 * does not reach its target; FALSE: they are none. NULL: branches reach everything.
	 */
	gboolean (*veneer_target) (
		const uint8_t *code, size_t len, uint64_t addr, uint64_t *ret_target);
	/* Sections of a module where its loader puts them; NULL-terminated; NULL: none. */
	const char *const *veneer_sections;
	const KdFeatureNames *feature_names; /* the kernel's; ends with symbol NULL; NULL: none */
	/* Where the code begins and ends that is put in front of functions; NULL: none is. */
	const char *call_thunk, *call_thunk_end;
	/* An alternative's callback that writes nothing but such nops; NULL: there is none. */
	const char *nops_callback;
	/*
	 * TRUE: other callbacks may put the instruction `now` where the file has `file`. NULL:
	 * there are none.
	 */
	gboolean (*callback_insn) (const uint8_t *now, const uint8_t *file);

	gboolean (*irqs_off) (KdRegGetFunc get, void *data);
	/* The VMID a CPU has loaded; FALSE: not readable. NULL: registers do not tell. */
	gboolean (*vmid) (KdRegGetFunc get, void *data, unsigned *ret_vmid);

	/* The register that code of this name jumps to, for calls that may not be indirect ones;
	 * NULL: no such code. The function is NULL where there is none. */
	const char *(*thunk_reg) (const char *symbol);
	/*
	 * TRUE: the instruction at the start of `code` does nothing but go on, or copy a register,
	 * so that writing registers does the same. NULL: not known.
	 */
	gboolean (*trivial_insn) (const uint8_t code[KD_TRIVIAL_INSN_MAX], KdTrivialInsn *ret_insn);
	/* TRUE: one step of the instruction at the start of `code` may leave the CPU in front of
	 * it, with a part of its work done. NULL: there are no such. */
	gboolean (*repeats) (const uint8_t code[KD_TRIVIAL_INSN_MAX]);
	/* An instruction of that many bytes that only reads itself, and keeps nothing; NULL: none
	 * is as short as what functions begin with. */
	const uint8_t *self_load;
	unsigned self_load_len;
	/*
	 * TRUE: the instruction at the start of `code` accesses memory no further than
	 * KD_ACCESS_NEAR from the value of register *ret_base, to which that of *ret_index (NULL:
	 * none) is added. A literal in the code is none. With `self_load` only.
	 */
	gboolean (*access_base) (const uint8_t code[KD_TRIVIAL_INSN_MAX], const char **ret_base,
		const char **ret_index);
	/* The CPU's own watchpoints, which KVM uses, stop it before the access. */
	gboolean watch_before;
	/*
	 * For a QEMU that lets interrupts in when it steps: what holds them off while the
	 * instruction at the start of `code` is stepped, bits that are set in a register. FALSE:
	 * they are off, or the instruction itself sees or sets those bits, or this is not a mode
	 * whose exceptions can be undone by writing registers. NULL: every QEMU does it.
	 */
	gboolean (*hold_irqs) (KdRegGetFunc get, void *data,
		const uint8_t code[KD_TRIVIAL_INSN_MAX], const char **ret_reg, uint64_t *ret_bits);
	/*
	 * Where a sequence ends that begins at `addr` with a load whose conditional store fails
	 * when anything comes between: how many places, 0 where it is none. NULL: there are no such
	 * sequences.
	 */
	unsigned (*exclusive_ends) (const uint8_t code[KD_EXCLUSIVE_BYTES], uint64_t addr,
		uint64_t ret_ends[KD_EXCLUSIVE_ENDS_MAX]);
	/* Registers beside the general ones that tell what a step did; NULL-terminated. */
	const char *const *step_regs;
	const KdStepField *step_fields; /* ends with name NULL */
	const KdInsnWord *insn_words;   /* ends with start NULL */
	const KdVectorLayout *vectors;
	/*
	 * The name of the exception vector that `pc` is the first instruction of, by the CPU's
	 * vector base; NULL: none. The function is NULL where registers do not tell.
	 */
	const char *(*vector_at) (KdRegGetFunc get, void *data, uint64_t pc);
	/* Where a CPU that is in a guest comes out of it: how many; NULL: behind what entered it.
	 */
	unsigned (*exit_vectors) (
		KdRegGetFunc get, void *data, uint64_t ret_addrs[KD_EXIT_VECTORS_MAX]);

	/* What QEMU's monitor says of registers that its stub does not have: the command, and the
	 * value of one of CPU `cpu` in the answer. NULL: nothing more. */
	const char *monitor_command;
	gboolean (*monitor_reg) (
		const char *text, unsigned cpu, const char *name, uint64_t *ret_value);

	const KdSysregs *sysregs;
	const KdFlow *flow; /* what instructions do to values */
};

extern const KdArch kd_arch_arm64;
extern const KdArch kd_arch_x86_64;

/* NULL if no such architecture. `gdb_architecture` is what target.xml says. */
const KdArch *kd_arch_by_gdb_name (const char *gdb_architecture);
const KdArch *kd_arch_by_elf_machine (uint16_t elf_machine);
