/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "image/image.h"
#include "target/target.h"

/*
 * The Linux kernel that runs on a target: where it lies (KASLR), its tables, its memory by space.
 * It joins a target (memory, registers) and an image (what the file says). Used from the session's
 * worker thread only.
 */
typedef struct KdKernel KdKernel;

#define KD_KERNEL_ERROR (kd_kernel_error_quark())
GQuark kd_kernel_error_quark (void);

typedef enum {
	KD_KERNEL_ERROR_NOT_FOUND, /* no such symbol, type, task, member */
	KD_KERNEL_ERROR_MISMATCH,  /* the running kernel is not this image: message has both
				      build-ids */
	KD_KERNEL_ERROR_NO_KERNEL, /* no kernel found in memory */
	KD_KERNEL_ERROR_CORRUPT,   /* a list that loops, a pointer to nowhere: message names the
				      object */
	KD_KERNEL_ERROR_SYNTAX,    /* an expression that does not parse: message has the column */
	KD_KERNEL_ERROR_TYPE,      /* an operation this type does not have */
	KD_KERNEL_ERROR_RANGE,     /* index, CPU or offset out of range */
} KdKernelError;

typedef struct {
	const char *vmlinux;
	const char *const *debug_dirs;
	const char *const *types; /* files whose DWARF has types nothing loaded has; may be NULL */
	const char *cache_dir;
	gboolean force;    /* use vmlinux though its build-id is another */
	gboolean no_files; /* look for none, the modules' neither: all out of memory */
} KdKernelOptions;

/*
 * Finds the kernel with no hint but the image: KASLR offset, physical offset, root table, VA bits.
 * Borrows `target`. The image is found by the options, else by the build-id read from memory, else
 * made of what memory has (kernel/memory-image.h).
 */
KdKernel *kd_kernel_open (KdTarget *target, const KdKernelOptions *options, GError **error);
void kd_kernel_free (KdKernel *kernel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdKernel, kd_kernel_free)

KdTarget *kd_kernel_target (const KdKernel *kernel);
KdImage *kd_kernel_image (const KdKernel *kernel);
const char *kd_kernel_release (const KdKernel *kernel);  /* "6.1.0-50-cloud-arm64" */
const char *kd_kernel_build_id (const KdKernel *kernel); /* hex, as running */
/* The vmlinux's, where it is another (--force); NULL: the same, or there is none. */
const char *kd_kernel_file_build_id (const KdKernel *kernel);
/* Why there is no vmlinux, so that memory stands for it; NULL: there is one. */
const char *kd_kernel_image_why (const KdKernel *kernel);
uint64_t kd_kernel_kaslr_offset (const KdKernel *kernel); /* run-time minus link-time address */
uint64_t kd_kernel_phys_base (
	const KdKernel *kernel); /* physical address of _text (_stext's image) */
unsigned kd_kernel_va_bits (const KdKernel *kernel);
uint64_t kd_kernel_pac_mask (const KdKernel *kernel);
const KdRegime *kd_kernel_regime (const KdKernel *kernel); /* the host kernel's own tables */
/*
 * What CPU `cpu` does. As kd_target_cpu_state(), and where a guest's registers look like a host's,
 * GUEST when the CPU's tables are not those of a host.
 */
KdCpuState kd_kernel_cpu_state (KdKernel *kernel, unsigned cpu);
/* Highest CPU number + 1 the kernel may use (nr_cpu_ids). Target CPU index i is kernel CPU i. */
unsigned kd_kernel_nr_cpus (const KdKernel *kernel);
/* The link-time address of run-time address `addr` when it is in the kernel image's range. */
gboolean kd_kernel_link_addr (const KdKernel *kernel, uint64_t addr, uint64_t *ret_link);

/* --- memory by space --- */
/* VM spaces are resolved by what kd_kernel_set_vm_locator() was given. */
gboolean kd_kernel_read (KdKernel *kernel, KdAddr addr, void *buf, size_t len, GError **error);
/*
 * Writes to a stopped machine's RAM; nothing when a part of the range is not mapped or not RAM. A
 * page that several processes share changes for all of them: only the zero page is refused. Not the
 * CPU space, where devices are.
 */
gboolean kd_kernel_write (
	KdKernel *kernel, KdAddr addr, const void *buf, size_t len, GError **error);
gboolean kd_kernel_read_u64 (KdKernel *kernel, uint64_t va, uint64_t *ret_value, GError **error);
gboolean kd_kernel_read_ptr (KdKernel *kernel, uint64_t va, uint64_t *ret_value, GError **error);
/* At most `max` bytes up to NUL; new string, escaped nowhere (may hold any byte but NUL). */
char *kd_kernel_read_cstring (KdKernel *kernel, uint64_t va, size_t max, GError **error);
/* The walk of `addr` (any space that has tables), for `translate`. FALSE only if the space itself
 * is bad. */
gboolean kd_kernel_walk (
	KdKernel *kernel, KdAddr addr, KdWalk *ret_walk, KdRegime *ret_regime, GError **error);
/*
 * Kernel address of the byte of the kernel image that EL2 without VHE sees at `hyp`. FALSE: the
 * host runs in VHE mode, or `hyp` is not in the image.
 */
gboolean kd_kernel_from_hyp (KdKernel *kernel, uint64_t hyp, uint64_t *ret_va);
/*
 * Kernel address of what a CPU in that mode executes at `pc`: EL2 without VHE, and the trampoline
 * of page-table isolation, have mappings of their own. FALSE: no code of the host's kernel by its
 * mode or by that mapping; in kernel mode `pc` is not looked at further.
 */
gboolean kd_kernel_pc (KdKernel *kernel, KdCpuMode mode, uint64_t pc, uint64_t *ret_va);
/*
 * The other way: where EL2 without VHE sees the byte of the kernel's image at `va`, the lowest
 * address of several. FALSE: nowhere, or the host runs in VHE mode.
 */
gboolean kd_kernel_to_hyp (KdKernel *kernel, uint64_t va, uint64_t *ret_hyp);
/* Where the memory behind `gpa` of VM `vm` lies, and for how many bytes from there. */
typedef gboolean (*KdVmLocateFunc) (KdKernel *kernel, int32_t vm, uint64_t gpa, KdAddr *ret_addr,
	uint64_t *ret_len, GError **error);
void kd_kernel_set_vm_locator (KdKernel *kernel, KdVmLocateFunc func);

/* As kd_image_changed(), of all files that are open for this kernel and its modules. */
const char *kd_kernel_changed_file (const KdKernel *kernel);

/* --- symbols at run-time addresses --- */
typedef struct {
	const char *name; /* valid as long as the kernel */
	uint64_t addr;    /* run time */
	uint64_t size;
	char kind;
	const char *module; /* NULL: vmlinux */
} KdKernelSymbol;

gboolean kd_kernel_symbol (KdKernel *kernel, const char *name, KdKernelSymbol *ret_symbol);
gboolean kd_kernel_symbol_at (KdKernel *kernel, uint64_t addr, KdKernelSymbol *ret_symbol);
/* All of the kernel's, then its modules', until FALSE is returned. */
typedef gboolean (*KdKernelSymbolFunc) (const KdKernelSymbol *symbol, void *data);
void kd_kernel_symbols_foreach (KdKernel *kernel, KdKernelSymbolFunc func, void *data);
/* As kd_kernel_symbol(), but NOT_FOUND with the nearest names. */
gboolean kd_kernel_symbol_addr (
	KdKernel *kernel, const char *name, uint64_t *ret_addr, GError **error);
/*
 * The file that has lines and CFI for the code at `addr`, vmlinux or a module's, and where in that
 * file's addresses it lies. NULL: none.
 */
KdImage *kd_kernel_image_at (KdKernel *kernel, uint64_t addr, uint64_t *ret_link);
/*
 * A type by its spelling: the kernel's own, else a module's. NULL: none has it. See
 * kd_image_type_by_name().
 */
const KdType *kd_kernel_type (KdKernel *kernel, const char *spelling);
/* The enumeration that has an enumerator of that name, with its value; NULL: none. */
const KdType *kd_kernel_enumerator (KdKernel *kernel, const char *name, int64_t *ret_value);
/*
 * Type of a function or variable, of the kernel or a module; NULL: unknown. `thorough`: DWARF is
 * asked too, see kd_image_type_of_variable().
 */
const KdType *kd_kernel_type_of_symbol (KdKernel *kernel, const char *symbol, gboolean thorough);
/* Spellings of the kernel's types and of those modules' that are in use, until FALSE. */
void kd_kernel_types_foreach (KdKernel *kernel, KdTypeFunc func, void *data);
/*
 * What a declaration ("struct kvm;" in the kernel, for what only a module defines) stands for; the
 * type itself where there is no more to know.
 */
const KdType *kd_kernel_complete_type (KdKernel *kernel, const KdType *type);
/* "vectors+0x200", or "0x…" when nothing covers it; new string. */
char *kd_kernel_symbolize (KdKernel *kernel, uint64_t addr);

/* --- per-CPU data --- */
/* TRUE: `symbol`, of the kernel or a module, is a per-CPU variable: what it lies at is a template.
 */
gboolean kd_kernel_is_percpu (KdKernel *kernel, const KdKernelSymbol *symbol);
/* Offset of CPU `cpu`'s area; RANGE when there is no such CPU. */
gboolean kd_kernel_percpu_offset (
	KdKernel *kernel, unsigned cpu, uint64_t *ret_offset, GError **error);
