/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "arch/arch.h"
#include "base/addr.h"

/*
 * The machine: CPUs, registers, physical memory, breakpoints, run control. Two kinds behind this
 * one interface: a live QEMU and (later) a dump. All calls block, and are made from one thread (the
 * session's worker); each may be cancelled by the GCancellable given at
 * kd_target_set_cancellable().
 */
typedef struct KdTarget KdTarget;

#define KD_TARGET_ERROR (kd_target_error_quark())
GQuark kd_target_error_quark (void);

typedef enum {
	KD_TARGET_ERROR_FAULT, /* memory is not there (hole, unmapped): message names the address */
	KD_TARGET_ERROR_LOST,  /* the connection or the process is gone; the target is dead */
	KD_TARGET_ERROR_RUNNING,     /* needs a stopped machine */
	KD_TARGET_ERROR_STOPPED,     /* needs a running machine */
	KD_TARGET_ERROR_UNSUPPORTED, /* the stub did not advertise it, or this kind of target cannot
				      */
	KD_TARGET_ERROR_REMOTE,      /* the stub or QMP answered with an error */
	KD_TARGET_ERROR_PROTOCOL,    /* the peer sent what no stub may send, or nothing in time */
	KD_TARGET_ERROR_CONNECT,     /* nothing listens, not a stub, already taken */
	KD_TARGET_ERROR_NOT_FOUND,   /* no such register, CPU, breakpoint */
	KD_TARGET_ERROR_PERMISSION,
	KD_TARGET_ERROR_HALTED, /* a CPU that sleeps or is switched off makes no step */
} KdTargetError;

typedef enum {
	KD_TARGET_RUNNING,
	KD_TARGET_STOPPED,
	KD_TARGET_DUMP,
	KD_TARGET_LOST,
} KdTargetState;

typedef enum {
	KD_STOP_ATTACH,  /* we connected, which stops */
	KD_STOP_REQUEST, /* kd_target_stop() */
	KD_STOP_BREAKPOINT,
	KD_STOP_WATCHPOINT,
	KD_STOP_STEP,
	KD_STOP_SIGNAL, /* anything else: `signal` says what */
	KD_STOP_PAUSED, /* paused by somebody else, over QMP */
} KdStopReason;

typedef struct {
	KdStopReason reason;
	int cpu; /* index 0..nr_cpus-1; -1 unknown */
	int signal;
	int breakpoint;    /* number in kvmdbg's table, 0 if none of ours */
	KdAddr watch_addr; /* WATCHPOINT */
} KdStop;

typedef struct {
	const char *address; /* ":1234", "HOST:PORT", "unix:/path" or "/path" */
	const char *qmp;     /* PATH or HOST:PORT; NULL: found from the process that owns the stub's
				socket */
	gboolean no_direct;  /* do not read QEMU's memory directly (option for tests and bench) */
	unsigned timeout_ms; /* as in kd_target_begin() */
	/*
	 * Private folder, the same for all kvmdbg of a user, for notes of what must be put right
	 * should this process die: one file a machine, there from open to detach, without which
	 * nothing in the machine is changed. NULL: none is written or read.
	 */
	const char *note_dir;
	const char *owner; /* who attaches, for others to be told: a session's name */
} KdTargetOptions;

/* Connects, reads features, target.xml, CPUs, the RAM map. The machine is stopped on success. */
KdTarget *kd_target_open_qemu (
	const KdTargetOptions *options, GCancellable *cancellable, GError **error);
/*
 * Removes our breakpoints, closes, and with `resume` leaves a machine running that ran when it was
 * attached to or was resumed since; one that was paused before (QMP `stop`, -S) stays paused. That
 * is known from QMP or, for -S, from the stub's monitor; not known, it is resumed, as by gdb. The
 * target stays allocated, state LOST. It cannot be cancelled. FALSE: not all of that was done.
 */
gboolean kd_target_detach (KdTarget *target, gboolean resume, GError **error);
/* What a detach with `resume` would leave: TRUE running, FALSE paused as it was found. */
gboolean kd_target_runs_after_detach (const KdTarget *target);
void kd_target_free (KdTarget *target);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KdTarget, kd_target_free)

/* Takes a reference; NULL: nothing can be cancelled. */
void kd_target_set_cancellable (KdTarget *target, GCancellable *cancellable);

/*
 * A command begins: QEMU's stub and monitor together may owe answers for `timeout_ms` (0:
 * KD_TARGET_TIMEOUT_MS) in all of it. The monitor is given up after a third of that and done
 * without; with the stub the target is LOST. A machine that runs because the command has it run
 * owes nothing.
 */
#define KD_TARGET_TIMEOUT_MS 30000
#define KD_TARGET_PUT_BACK_MS 4000 /* to put a machine back behind what failed */
void kd_target_begin (KdTarget *target, unsigned timeout_ms);

/* Of the command that runs, for whatever else it waits for; borrowed, NULL: none. */
GCancellable *kd_target_cancellable (const KdTarget *target);

/*
 * One line for the user on what a kvmdbg that died had left on this stub and was put right at open
 * ("removed 2 breakpoints left by kvmdbgd (process 12), which died"); NULL: nothing.
 */
const char *kd_target_cleaned_up (const KdTarget *target);

const KdArch *kd_target_arch (const KdTarget *target);
KdTargetState kd_target_state (const KdTarget *target);
/* Of one that is LOST: "the gdb stub has closed the connection". */
const char *kd_target_lost_why (const KdTarget *target);
/* LOST only because the stub did not answer: what became of the machine is not known. */
gboolean kd_target_is_given_up (const KdTarget *target);
unsigned kd_target_nr_cpus (const KdTarget *target);
/* Counts stops. */
uint64_t kd_target_generation (const KdTarget *target);
/* Changes whenever what was read of memory may no longer be true: another stop, a write. */
uint64_t kd_target_memory_generation (const KdTarget *target);
/* NULL while running. */
const KdStop *kd_target_last_stop (const KdTarget *target);

/* --- events while no call is running: the worker polls these fds and dispatches --- */
/* Fills at most `max` fds to poll for reading; returns how many. */
unsigned kd_target_poll_fds (const KdTarget *target, int *ret_fds, unsigned max);
/*
 * Reads what has arrived without blocking; the state may change (STOPPED by a breakpoint, LOST).
 * FALSE and an error only when the target is lost.
 */
gboolean kd_target_dispatch (KdTarget *target, GError **error);

/* --- registers (the machine must be stopped) --- */
typedef struct {
	const char *name;      /* canonical name */
	const char *stub_name; /* as the stub calls it */
	const char *group;     /* "general", "float", "vector", "system", … */
	unsigned bits;
	unsigned number; /* the stub's, in its description; rising, with gaps */
} KdRegInfo;

/* All registers of the target in stub order; valid as long as the target. */
const KdRegInfo *kd_target_reg_infos (const KdTarget *target, unsigned *ret_nr);
/* By canonical or stub name, case as given then ignored. Up to 64 bits. Cached per stop. */
gboolean kd_target_reg_get (
	KdTarget *target, unsigned cpu, const char *name, uint64_t *ret_value, GError **error);
/* A CPU's registers for the functions of KdArch: the data of these two KdRegGetFunc. */
typedef struct {
	KdTarget *target;
	unsigned cpu;
} KdTargetCpu;
gboolean kd_target_cpu_reg (void *target_cpu, const char *name, uint64_t *ret_value);
/* What the stub does not have is asked of QEMU's monitor, once a stop. */
gboolean kd_target_cpu_reg_more (void *target_cpu, const char *name, uint64_t *ret_value);
/* Asks for all that the stub gives at once, for who will look at more than one. Not needed by
 * kd_target_reg_get(). */
gboolean kd_target_reg_fetch_many (KdTarget *target, unsigned cpu, GError **error);
/* Says what a register is that nothing has changed since it was read at another stop; unless it has
 * been read at this one. */
void kd_target_reg_assume (KdTarget *target, unsigned cpu, const char *name, uint64_t value);
/* Little-endian bytes of a register of any width, which `into` has alone then. */
gboolean kd_target_reg_get_bytes (
	KdTarget *target, unsigned cpu, const char *name, GByteArray *into, GError **error);
/* Writes, reads back, and fails with REMOTE when the stub dropped the write. */
gboolean kd_target_reg_set (
	KdTarget *target, unsigned cpu, const char *name, uint64_t value, GError **error);
/* The stub's bytes of all registers it gives at once (`g`), for who serves them on; appended. */
gboolean kd_target_reg_get_all (KdTarget *target, unsigned cpu, GByteArray *into, GError **error);
/* One document of the stub's description ("target.xml" and what it includes), also while it runs;
 * NULL: there is none. */
const char *kd_target_description (const KdTarget *target, const char *annex);
/* Mode from registers; UNKNOWN when the machine runs. */
KdCpuState kd_target_cpu_state (KdTarget *target, unsigned cpu);
/* KdArch.regime on the CPU's registers. */
gboolean kd_target_cpu_regime (
	KdTarget *target, unsigned cpu, KdRegimeKind kind, KdRegime *ret_regime, GError **error);

/* --- memory --- */
/*
 * Physical memory within RAM only. All `len` bytes or FAULT at the first hole. Fastest path there
 * is. Where the RAM map is not known (kd_target_ram() is empty) the stub's physical mode is asked
 * all the same, which gives zeros for holes. RUNNING when only the stub could answer and the
 * machine runs.
 */
gboolean kd_target_read_phys (KdTarget *target, uint64_t pa, void *buf, size_t len, GError **error);
/* The same as a KdPhysReadFunc. */
gboolean kd_target_phys_read_func (
	void *target, uint64_t pa, void *buf, size_t len, GError **error);
/* Through the stub, whatever the path of reads: QEMU must see it to drop code it has translated.
 * Refused (UNSUPPORTED) where the RAM map is not known. */
gboolean kd_target_write_phys (
	KdTarget *target, uint64_t pa, const void *buf, size_t len, GError **error);
/* Virtual, through the tables of `regime`; translations are cached per stop. FAULT names the level.
 */
gboolean kd_target_read_virt (KdTarget *target, const KdRegime *regime, uint64_t va, void *buf,
	size_t len, GError **error);
/* As kd_target_write_phys(); nothing is written when a page of the range is not mapped. */
gboolean kd_target_write_virt (KdTarget *target, const KdRegime *regime, uint64_t va,
	const void *buf, size_t len, GError **error);
/* Whatever CPU `cpu` sees now, asked of the stub with `m`. */
gboolean kd_target_read_cpu (
	KdTarget *target, unsigned cpu, uint64_t va, void *buf, size_t len, GError **error);
/* KdArch.walk over physical reads. */
void kd_target_walk (KdTarget *target, const KdRegime *regime, uint64_t va, KdWalk *ret_walk);

/* Whole pages of 4 KiB, some; pa + size is in the address space. */
typedef struct {
	uint64_t pa, size;
	const char *name; /* "mach-virt.ram": QEMU's name of the block, NULL unknown */
} KdRamRange;
const KdRamRange *kd_target_ram (KdTarget *target, unsigned *ret_nr);

typedef struct {
	const char *path; /* "direct-file", "direct-vm", "rsp", "qmp": fastest in use */
	const char *why;  /* why not a faster one; NULL if it is the fastest */
} KdMemoryPath;
KdMemoryPath kd_target_memory_path (const KdTarget *target);

typedef struct {
	const char *version; /* "7.2.22"; NULL unknown */
	int pid;             /* 0 unknown or elsewhere */
	const char *accel;   /* "tcg", "kvm"; NULL unknown */
	const char *qmp;     /* path in use; NULL none */
	const char *qmp_why; /* why there is none; NULL if there is one */
	const char *stub;    /* address of the stub */
} KdQemuInfo;
KdQemuInfo kd_target_qemu_info (const KdTarget *target);

/* HMP command over QMP, else qRcmd. Text answer, new string. */
char *kd_target_hmp (KdTarget *target, const char *command, GError **error);

/*
 * QEMU writes the machine's memory and the CPUs' notes to the new file `path` (absolute): `format`
 * is "elf" or one of "kdump-zlib", "kdump-lzo", "kdump-snappy". UNSUPPORTED without a monitor,
 * REMOTE with QEMU's reason; when cancelled, QEMU goes on writing.
 */
gboolean kd_target_dump (KdTarget *target, const char *path, const char *format, GError **error);

/* --- run control --- */
gboolean kd_target_cont (KdTarget *target, GError **error);
/* The same of one CPU, the others held. */
gboolean kd_target_cont_cpu (KdTarget *target, unsigned cpu, GError **error);
/*
 * How steps are made from now on: with interrupts and timers let in (UNSUPPORTED by stubs that are
 * not QEMU's), and with the other CPUs running. Neither is so after open.
 */
gboolean kd_target_set_stepping (
	KdTarget *target, gboolean interrupts, gboolean others, GError **error);
/* Asks the running machine to stop and waits until it has; called with the cancellable cancelled
 * already, it is not cancelled by it. */
gboolean kd_target_stop (KdTarget *target, GError **error);
/* Waits for a stop; timeout_ms < 0: for ever (cancellable). FALSE with G_IO_ERROR_TIMED_OUT,
 * CANCELLED, or LOST. */
gboolean kd_target_wait (KdTarget *target, int timeout_ms, GError **error);
/* One instruction on `cpu`, the others held. Fast: one vCont;s and its reply. A step that does not
 * end (HALTED, cancelled) leaves the machine stopped all the same. */
gboolean kd_target_step (KdTarget *target, unsigned cpu, GError **error);
/*
 * `count` of them; appends the PC after each to `pcs` (uint64_t). Ends early, and is TRUE, at a
 * watchpoint. Fast: one round trip each. FALSE: `pcs` has those that were made before.
 */
gboolean kd_target_steps (
	KdTarget *target, unsigned cpu, uint64_t count, GArray *pcs, GError **error);

typedef enum {
	KD_BREAK_SOFTWARE,
	KD_BREAK_HARDWARE,
	KD_WATCH_WRITE,
	KD_WATCH_READ,
	KD_WATCH_ACCESS,
} KdBreakKind;

typedef struct {
	int number; /* 1.. as shown to the user; below 0: not shown */
	KdBreakKind kind;
	uint64_t va;
	uint64_t len; /* watchpoints, bytes */
	gboolean inserted;
	gboolean chosen; /* a HARDWARE one where none was asked for, as this is KVM */
	uint64_t hits;
	const char *text; /* what the user wrote */

	gboolean hot; /* kd_target_break_set_hot() */
	/* A load stands in its place at this moment, instead of a breakpoint; it is watched. */
	gboolean armed, watched;
	uint64_t pa;
	uint8_t code[KD_TRIVIAL_INSN_MAX]; /* the instruction that was there */
} KdBreak;

/* Number of the new breakpoint (> 0), or 0 and an error. Without `text` it is nobody's to see, and
 * its number is below 0. */
int kd_target_break_insert (KdTarget *target, KdBreakKind kind, uint64_t va, uint64_t len,
	const char *text, GError **error);
gboolean kd_target_break_delete (KdTarget *target, int number, GError **error);
/* This machine has such as kd_target_break_set_hot() makes. */
gboolean kd_target_has_hot_breaks (const KdTarget *target);
/*
 * Of a breakpoint whose hits are filtered, at kernel code that nobody writes without having read it
 * first, at physical address `pa`: hits may be had in a way that costs less, at which other code is
 * in its place while the machine runs.
 */
void kd_target_break_set_hot (KdTarget *target, int number, uint64_t pa);
/*
 * Asked when a breakpoint or watchpoint has stopped the machine, before anybody is told: TRUE, and
 * the machine goes on as if nothing had been, or stays stopped where kd_target_stop() is what
 * waits. Not asked for a stop that a step made. NULL: all stop. `func` may read registers and
 * memory, and set nothing.
 */
typedef gboolean (*KdStopFilterFunc) (KdTarget *target, void *data);
void kd_target_set_stop_filter (KdTarget *target, KdStopFilterFunc func, void *data);
/* Array of KdBreak, valid until the next change. */
const KdBreak *kd_target_breaks (const KdTarget *target, unsigned *ret_nr);
