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
	/* QEMU may know more of it than it told: see find_late() in hot-breaks.c. */
	gboolean late;
} KdCpuRegs;

typedef enum {
	KD_PATH_NONE,
	KD_PATH_MMAP, /* QEMU's RAM is a shared file and mapped here too */
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

	GArray *ram;    /* KdRamBlock */
	GArray *ranges; /* KdRamRange, the same for callers */
	KdPath path;
	char *path_why;
	GHashTable *pages; /* uint64_t pa → 4 KiB, of this stop */
	KdTlbEntry *tlb;

	GArray *breaks; /* KdBreak */
	unsigned nr_armed;
	unsigned nr_gone; /* watchpoints: see kd_target_hot_is_gone() */
	int next_break, nr_hidden_breaks;
	/* The CPU that stopped before an access that is watched and has yet to make it; -1: none.
	 */
	int watch_cpu;
	uint64_t watch_pc;
	KdStopFilterFunc stop_filter;
	void *stop_filter_data;
	gboolean filtering;
	int running_cpu; /* the one that runs alone; -1: all do */
	char *note_path;
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
/* FALSE: some may still be there. */
gboolean kd_target_breaks_remove_all (KdTarget *target, GError **error);
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
/* Puts the code back. Not `wholly`: before it may run on and nobody steps. */
void kd_target_hot_disarm (KdTarget *target, gboolean wholly);
void kd_target_hot_drop (KdTarget *target, KdBreak *point);
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
/* The stub tells of a watchpoint at `va`, which may be one that is taken away; once for each. */
gboolean kd_target_hot_is_gone (KdTarget *target, uint64_t va);
/* What a process that died left in the code, by its note. */
void kd_target_hot_restore (KdTarget *target, uint64_t pa, const uint8_t *code);

/* --- note.c: what the next kvmdbg must know if this process dies --- */
void kd_target_note_open (KdTarget *target, const char *note_dir);
/* Removes what a dead process left on the stub; says so in `cleaned_up`. Machine stopped. */
void kd_target_note_clean_up (KdTarget *target);
void kd_target_note_write (KdTarget *target);
void kd_target_note_remove (KdTarget *target);
