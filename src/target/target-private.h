/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "proto/target-xml.h"
#include "target/qmp-link.h"
#include "target/ram-map.h"
#include "target/rsp-link.h"
#include "target/target.h"

/* Shared by the files of this layer only. */

#define KD_TLB_SIZE 512

typedef struct {
	uint64_t root, va; /* va of the page; 1: empty */
	uint64_t pa;
	gboolean upper;
} KdTlbEntry;

/* Registers of one CPU at this stop, by index in the layout. */
typedef struct {
	uint64_t *values;
	uint8_t *valid;
	unsigned nr_fetched; /* one by one, at this stop */
	uint64_t synced_at;  /* generation of the stop at which QEMU has asked KVM for them */
	/* It came where it is by running, and of a breakpoint there nobody has been told. */
	gboolean untold;
	/* QEMU may keep a watchpoint's hit of it that it has not reported: kd_target_settle_all().
	 */
	gboolean unsettled;
} KdCpuRegs;

typedef enum {
	KD_PATH_NONE,
	KD_PATH_FILE, /* QEMU's RAM is a shared file, read with pread */
	KD_PATH_VM,   /* process_vm_readv on QEMU */
	KD_PATH_RSP,  /* the stub's physical mode */
	KD_PATH_QMP,  /* pmemsave */
} KdPath;

struct KdTarget {
	char *stub;
	KdRspLink *rsp;
	KdSilence silence; /* of the command that runs */
	/*
	 * A monitor serves one client, and others want it too: it is held while the machine is
	 * attached to, and then connected to for each use (kd_target_qmp_get()).
	 */
	KdQmpLink *qmp;
	gboolean has_qmp;
	gboolean opening;
	gboolean hangs; /* QEMU takes up no connections: told by its monitor */
	char *qmp_address, *qmp_why;
	char *monitor_regs; /* what the monitor says of all CPUs'; NULL: not asked at this stop */
	char *version, *accel;
	int pid; /* of QEMU; 0: unknown or elsewhere */
	GCancellable *cancellable;

	const KdArch *arch;
	GHashTable *documents; /* of the stub's description: annex → text */
	KdRegLayout *layout;
	KdRegInfo *infos;    /* in the layout's order */
	GHashTable *by_name; /* lower-case name → index + 1 */
	GArray *threads;     /* KdRspThread, by CPU */
	int hg_cpu, hc_cpu;  /* CPU of the last Hg and Hc; -1: unknown */
	KdCpuRegs *regs;     /* by CPU */
	size_t g_len;        /* bytes that the stub's `g` has; 0: not asked yet */

	KdTargetState state;
	uint64_t generation;
	uint64_t nr_writes; /* to memory */
	KdStop stop;
	gboolean was_running;  /* before the attach: leave it so */
	gboolean interrupting; /* a stop we asked for is on its way */
	gboolean stepping;
	guint step_bits;                       /* of Qqemu.sstep, what this QEMU can */
	gboolean step_interrupts, step_others; /* as kd_target_set_stepping() was told */
	gboolean stop_unfinished;              /* the stop's reason has not been looked into */
	gboolean stale_watch; /* the stub told of a watchpoint that there is not (any more) */
	gboolean settling;    /* a step that nobody is told of: kd_target_step_held() */
	unsigned nr_cancel_blocks;

	GArray *ram;       /* KdRamBlock */
	GArray *ram_files; /* see ram-file.h; NULL: none */
	GArray *ranges;    /* KdRamRange, the same for callers */
	KdPath path;
	char *path_why;
	GHashTable *pages; /* uint64_t pa → 4 KiB, of this stop */
	KdTlbEntry *tlb;

	GArray *breaks; /* KdBreak */
	unsigned nr_armed;
	int next_break, nr_hidden_breaks;
	/* The CPU that stopped before an access that is watched and has yet to make it; -1: none.
	 */
	int watch_cpu;
	uint64_t watch_pc;
	KdStopFilterFunc stop_filter;
	void *stop_filter_data;
	gboolean filtering;
	int running_cpu;                        /* the one that runs alone; -1: all do */
	char *identity, *note_path, *lock_path; /* of KdSocketOwner; NULL: no note is kept */
	int lock_fd;
	JsonNode *left_note; /* of a session that did not end well, until it is put right */
	char *cleaned_up;
};

/* --- run-control.c --- */
void kd_target_stop_arrived (const KdStopReply *stop, gboolean asked, void *data);
/* FALSE and RUNNING, LOST or so unless the machine is stopped. */
gboolean kd_target_check_stopped (KdTarget *target, GError **error);
/* Passes `ok` on; marks the target LOST when the link is. */
gboolean kd_target_result (KdTarget *target, gboolean ok);

gboolean kd_target_check_cpu (const KdTarget *target, unsigned cpu, GError **error);
/* Once `accel` is known. */
void kd_target_learn_stepping (KdTarget *target);
/* Makes `cpu` the one of Hc, where the stub knows that. */
gboolean kd_target_name_cpu (KdTarget *target, unsigned cpu, GError **error);
/* Between these two nothing is cancelled, as what puts the machine back must not be. They nest. */
void kd_target_block_cancel (KdTarget *target);
void kd_target_unblock_cancel (KdTarget *target);
/*
 * One instruction of `cpu` alone, without interrupts and whatever breakpoint it stands on, that is
 * nobody's step: the stop that is to be told stays the last one. A breakpoint where the CPU is then
 * has yet to be hit.
 */
gboolean kd_target_step_held (KdTarget *target, unsigned cpu, GError **error);
/*
 * QEMU under TCG keeps a watchpoint's hit with the CPU until it reports a debug stop of that very
 * CPU (7.2 softmmu/physmem.c, cpu_check_watchpoint; gdbstub.c, gdb_vm_state_change). If several
 * CPUs hit together, one is reported. The next access of another to the watched page is then made
 * unwatched, and a later stop reports its old hit, from freed memory where the watchpoint is gone.
 * This makes QEMU report it, by a step of each such CPU, with the watchpoint still there. FALSE:
 * one executes nothing now, or stands on a breakpoint.
 */
gboolean kd_target_settle_all (KdTarget *target);

/* --- qemu.c --- */
/* `name`: "tcg" or "kvm"; FALSE also where nobody has told. */
gboolean kd_target_has_accel (const KdTarget *target, const char *name);
/* The monitor, connected; NULL: there is none, or it serves somebody else. Release it after use;
 * one that does not answer is not asked again. */
KdQmpLink *kd_target_qmp_get (KdTarget *target, GError **error);
void kd_target_qmp_release (KdTarget *target);

/* --- registers.c --- */
gboolean kd_target_registers_init (KdTarget *target, GError **error);
void kd_target_registers_forget (KdTarget *target);
void kd_target_registers_clear (KdTarget *target);
/* The read of the PC of the CPU that Hg names, for who sends it himself; and its answer. */
gboolean kd_target_pc_request (KdTarget *target, KdRspRequest *request, GError **error);
gboolean kd_target_pc_parse (
	KdTarget *target, const KdRspAnswer *answer, uint64_t *ret_pc, GError **error);

/* --- memory.c --- */
/* Asks the monitor, QMP's or the stub's, where the RAM is. */
void kd_target_find_ram (KdTarget *target);
/* RAM has been found. */
void kd_target_memory_init (KdTarget *target, gboolean no_direct);
void kd_target_memory_forget (KdTarget *target);
void kd_target_memory_clear (KdTarget *target);

/* --- breakpoints.c --- */
/* FALSE: the kernel's code is not as it was, and what is left stays in the table. */
gboolean kd_target_breaks_remove_all (KdTarget *target, GError **error);
/* A watchpoint that somebody asked for is in the machine. */
gboolean kd_target_has_watches (const KdTarget *target);
void kd_target_breaks_clear (KdTarget *target);
/* Looks at why the machine stopped and counts the hit. */
void kd_target_breaks_judge (KdTarget *target);
/* Not looked at whether the stub did it, and what was read of the registers is kept: for who lets
 * the machine run next. */
gboolean kd_target_reg_put (
	KdTarget *target, unsigned cpu, const char *name, uint64_t value, GError **error);
/* TRUE if one of ours, inserted, is at `va`. */
gboolean kd_target_breaks_at (const KdTarget *target, uint64_t va);
/* TRUE: what `cpu` does at `pc` is watched, it was stopped for that, and has not done it. */
gboolean kd_target_watch_pending (const KdTarget *target, unsigned cpu, uint64_t pc);
/*
 * Takes those at `va`, with `watches` also all watchpoints, out of the machine, or puts back what
 * it took out. FALSE only for the latter.
 */
gboolean kd_target_breaks_lift (
	KdTarget *target, uint64_t va, gboolean watches, gboolean lift, GError **error);

/* As the stub is asked for one, whatever others there are. */
gboolean kd_target_break_ask (
	KdTarget *target, gboolean insert, const KdBreak *point, GError **error);

/* --- hot-breaks.c: all need a stopped machine --- */
/* Before the machine runs: loads in the places of hot breakpoints. */
void kd_target_hot_arm (KdTarget *target);
/*
 * Right after a stop: QEMU reports what it keeps of the CPUs that stand at a load. FALSE: a CPU may
 * have an unreported hit.
 */
gboolean kd_target_hot_settle (KdTarget *target, GError **error);
/* Puts the code back. FALSE: not all of it, and what is not stays armed. */
gboolean kd_target_hot_disarm (KdTarget *target, GError **error);
/* No watchpoint stays where no load is. */
void kd_target_hot_unwatch (KdTarget *target);
/* The same for one, which is an ordinary breakpoint from then on. */
gboolean kd_target_hot_drop (KdTarget *target, KdBreak *point, GError **error);
/* The code of the breakpoint at `va` that a load stands for; NULL: none does. */
const uint8_t *kd_target_hot_code (const KdTarget *target, uint64_t va);
/* The true code in what was read at `addr`. */
void kd_target_hot_hide (
	const KdTarget *target, gboolean virt, uint64_t addr, void *buf, size_t len);
/* Makes of a stop at a load what it is; TRUE: somebody else came to read, and the machine may go
 * on. */
gboolean kd_target_hot_judge (KdTarget *target);
/* One of ours watches `va`. */
gboolean kd_target_breaks_watch (const KdTarget *target, uint64_t va);
/* What a process that died left in the code, by its note. FALSE: it may be there still. */
gboolean kd_target_hot_restore (
	KdTarget *target, uint64_t va, uint64_t pa, const uint8_t *code, GError **error);

/* --- note.c: what the next kvmdbg must know if this process dies --- */
/*
 * Before the stub is connected to: claims the machine of that identity (KdSocketOwner) for this
 * session, and looks for what an earlier one left. FALSE: CONNECT, somebody has it still at the
 * deadline; or no note can be kept.
 */
gboolean kd_target_note_open (KdTarget *target, const KdTargetOptions *options,
	const char *identity, gint64 deadline_us, GError **error);
/*
 * `was_running` is known, as far as it can be, and the stub is connected to next. An earlier
 * session's word on that goes before what was seen now, and its note stays until all is put right.
 */
gboolean kd_target_note_begin (KdTarget *target, GError **error);
/* TRUE: there may be something in the kernel's code that only kd_target_note_clean_up() knows. */
gboolean kd_target_note_has_code (const KdTarget *target);
/* Puts right what an earlier session left, and says so in `cleaned_up`. Machine stopped. */
gboolean kd_target_note_clean_up (KdTarget *target, GError **error);
/* Before anything that it is about: `next` is a breakpoint that will be, or NULL. */
gboolean kd_target_note_write (KdTarget *target, const KdBreak *next, GError **error);
void kd_target_note_remove (KdTarget *target);
/* TRUE: no note is kept, or the machine that it is of is no more. */
gboolean kd_target_note_is_over (const KdTarget *target);
/* The machine is anybody's again. What is noted stays so. */
void kd_target_note_close (KdTarget *target);
