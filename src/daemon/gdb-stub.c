/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/gdb-stub.h"

#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "daemon/gdb-hold.h"
#include "daemon/gdb-monitor.h"
#include "daemon/gdb-pac.h"
#include "daemon/gdb-points.h"
#include "kernel/task.h"

#define SIGNAL_INT 2
#define SIGNAL_TRAP 5
#define PAGE_SIZE UINT64_C (4096)

/* The numbers of errors mean nothing to any client; these are errno's. */
#define E_PERM "E01"
#define E_FAULT "E0e"
#define E_INVALID "E16"

struct KdGdbStub {
	guint features;   /* KdRspClientFeature */
	unsigned cpu;     /* of Hg: registers, memory */
	int resume_cpu;   /* of Hc; -1: all */
	gboolean seen;    /* the client has asked for the first stop */
	gboolean let_run; /* found running, or let run by this client */
	gboolean files;   /* for `monitor` */
	KdGdbPoints *points;
	GString *threads; /* qXfer:threads, made at its first piece */
};

KdGdbStub *
kd_gdb_stub_new (void)
{
	KdGdbStub *stub = g_new0 (KdGdbStub, 1);

	stub->resume_cpu = -1;
	stub->points = kd_gdb_points_new();
	stub->threads = g_string_new (NULL);
	return stub;
}

void
kd_gdb_stub_free (KdGdbStub *stub)
{
	if (!stub)
		return;
	kd_gdb_points_free (stub->points);
	g_string_free (stub->threads, TRUE);
	g_free (stub);
}

void
kd_gdb_stub_allow_files (KdGdbStub *stub, gboolean allowed)
{
	stub->files = allowed;
}

/* --- threads: CPU n is thread n + 1 --- */

static void
append_thread (const KdGdbStub *stub, unsigned cpu, GString *out)
{
	const KdRspFeatures features = {
		stub->features & KD_RSP_CLIENT_MULTIPROCESS ? KD_RSP_HAS_MULTIPROCESS : 0, 0};

	kd_rsp_thread_append (out, &features, (KdRspThread){1, cpu + 1});
}

static gboolean
cpu_of_thread (KdSession *session, KdRspThread thread, unsigned *ret_cpu)
{
	if (thread.tid < 1 || thread.tid > kd_target_nr_cpus (session->target))
		return FALSE;
	*ret_cpu = (unsigned)(thread.tid - 1);
	return TRUE;
}

static void
set_thread (KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	unsigned cpu;

	if (call->thread.tid <= 0) {
		/* Any, or all: what it was stays. */
		if (call->op == 'c')
			stub->resume_cpu = -1;
	} else if (!cpu_of_thread (session, call->thread, &cpu)) {
		g_string_assign (reply, E_INVALID);
		return;
	} else if (call->op == 'c')
		stub->resume_cpu = (int)cpu;
	else
		stub->cpu = cpu;
	g_string_assign (reply, "OK");
}

/* "CPU 1 EL2h swapper/1 [0]": what `info threads` shows. New. */
static char *
describe_cpu (KdSession *session, unsigned cpu)
{
	KdCpuState state = session->kernel ? kd_kernel_cpu_state (session->kernel, cpu)
					   : kd_target_cpu_state (session->target, cpu);
	KdTask task;

	if (session->kernel && kd_task_current (session->kernel, cpu, &task, NULL))
		return g_strdup_printf ("CPU %u %s%s %s [%d]", cpu,
			state.mode_name ? state.mode_name : "",
			state.mode == KD_CPU_MODE_GUEST ? " in guest" : "", task.comm, task.pid);
	return g_strdup_printf ("CPU %u %s", cpu, state.mode_name ? state.mode_name : "");
}

static void
list_threads (const KdGdbStub *stub, KdSession *session, GString *reply)
{
	g_string_assign (reply, "m");
	for (unsigned cpu = 0; cpu < kd_target_nr_cpus (session->target); cpu++) {
		if (cpu)
			g_string_append_c (reply, ',');
		append_thread (stub, cpu, reply);
	}
}

static void
make_threads_xml (KdGdbStub *stub, KdSession *session)
{
	g_string_assign (stub->threads, "<?xml version=\"1.0\"?>\n<threads>\n");
	for (unsigned cpu = 0; cpu < kd_target_nr_cpus (session->target); cpu++) {
		g_autofree char *text = describe_cpu (session, cpu);
		g_autofree char *escaped = g_markup_escape_text (text, -1);

		g_string_append (stub->threads, "<thread id=\"");
		append_thread (stub, cpu, stub->threads);
		g_string_append_printf (stub->threads,
			"\" core=\"%u\" name=\"CPU %u\">%s</thread>\n", cpu, cpu, escaped);
	}
	g_string_append (stub->threads, "</threads>\n");
}

/* --- stops --- */

/* gdb goes on by itself when it is told of a breakpoint it does not know. */
static void
append_reason (const KdGdbStub *stub, KdSession *session, const KdStop *stop, GString *reply)
{
	const char *word = NULL;

	switch (kd_gdb_points_at (stub->points, session->target, stop)) {
	case KD_GDB_POINT_NONE:
		break;
	case KD_GDB_POINT_SOFTWARE:
		if (stub->features & KD_RSP_CLIENT_SWBREAK)
			g_string_append (reply, "swbreak:;");
		break;
	case KD_GDB_POINT_HARDWARE:
		if (stub->features & KD_RSP_CLIENT_HWBREAK)
			g_string_append (reply, "hwbreak:;");
		break;
	case KD_GDB_POINT_WRITE:
		word = "watch";
		break;
	case KD_GDB_POINT_READ:
		word = "rwatch";
		break;
	case KD_GDB_POINT_ACCESS:
		word = "awatch";
		break;
	}
	if (word)
		g_string_append_printf (reply, "%s:%" PRIx64 ";", word, stop->watch_addr.value);
}

static void
append_stop (const KdGdbStub *stub, KdSession *session, int signal, GString *reply)
{
	const KdStop *stop = kd_target_last_stop (session->target);

	g_string_printf (reply, "T%02xthread:", (unsigned)signal);
	append_thread (stub, stub->cpu, reply);
	g_string_append_c (reply, ';');
	if (stop && (stop->cpu < 0 || stop->cpu == (int)stub->cpu))
		append_reason (stub, session, stop, reply);
}

KdGdbOutcome
kd_gdb_stub_stop_reply (KdGdbStub *stub, KdSession *session, GString *reply)
{
	const KdStop *stop;
	int signal;

	if (!session->target || kd_target_state (session->target) == KD_TARGET_LOST) {
		g_string_assign (reply, "W00");
		return KD_GDB_END;
	}
	stop = kd_target_last_stop (session->target);
	if (!stop)
		return KD_GDB_WAIT;
	signal = stop->reason == KD_STOP_REQUEST || stop->reason == KD_STOP_PAUSED ? SIGNAL_INT
										   : SIGNAL_TRAP;
	if (stop->cpu >= 0)
		stub->cpu = (unsigned)stop->cpu;
	append_stop (stub, session, signal, reply);
	return KD_GDB_ANSWER;
}

/* The first `?` of a client stops the machine, as connecting to the stub itself does. */
static KdGdbOutcome
stop_reason (KdGdbStub *stub, KdSession *session, GString *reply)
{
	if (!stub->seen && kd_target_state (session->target) == KD_TARGET_RUNNING)
		stub->let_run = TRUE;
	stub->seen = TRUE;
	if (kd_target_state (session->target) == KD_TARGET_RUNNING &&
		!kd_target_stop (session->target, NULL)) {
		g_string_assign (reply, E_PERM);
		return KD_GDB_ANSWER;
	}
	return kd_gdb_stub_stop_reply (stub, session, reply);
}

/* --- running --- */

/*
 * What is to be done, and which CPU does it: -1 all of them. A step is made with the others held,
 * whatever is asked for them: nobody wants a kernel to run on while he steps.
 */
static char
resume_action (const KdGdbStub *stub, KdSession *session, const KdRspCall *call, int *ret_cpu)
{
	unsigned cpu;

	for (guint i = 0; i < call->nr_rows; i++) {
		const KdRspResume *row = &call->rows[i];

		if (row->action != 's')
			continue;
		*ret_cpu = cpu_of_thread (session, row->thread, &cpu) ? (int)cpu
			   : stub->resume_cpu >= 0                    ? stub->resume_cpu
								      : (int)stub->cpu;
		return 's';
	}
	/* One alone, as with gdb's scheduler-locking. */
	*ret_cpu = call->nr_rows == 1 && cpu_of_thread (session, call->rows[0].thread, &cpu)
			   ? (int)cpu
			   : -1;
	return 'c';
}

/*
 * The stop that is told is the stepped CPU's, and made even when somebody else has let the machine
 * run: gdb cannot do with another (13 infrun.c, finish_step_over). A CPU that sleeps makes none;
 * what there is to say is that it is where it was.
 */
static KdGdbOutcome
step (KdGdbStub *stub, KdSession *session, unsigned cpu, GString *reply)
{
	g_autoptr (GError) error = NULL;

	if ((kd_target_state (session->target) == KD_TARGET_RUNNING &&
		    !kd_target_stop (session->target, &error)) ||
		!kd_target_step (session->target, cpu, &error))
		g_info ("gdb server: %s", error->message);
	if (kd_target_state (session->target) != KD_TARGET_STOPPED)
		return kd_gdb_stub_stop_reply (stub, session, reply);
	stub->cpu = cpu;
	append_stop (stub, session, SIGNAL_TRAP, reply);
	return KD_GDB_ANSWER;
}

static KdGdbOutcome
resume (KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	g_autoptr (GError) error = NULL;
	int cpu;
	char action = resume_action (stub, session, call, &cpu);

	if (call->has_addr) {
		g_string_assign (reply, E_INVALID);
		return KD_GDB_ANSWER;
	}
	stub->let_run = TRUE;
	if (action == 's')
		return step (stub, session, (unsigned)cpu, reply);
	/* Somebody else has let it run already: there is one stop to wait for. */
	if (kd_target_state (session->target) == KD_TARGET_RUNNING ||
		(cpu < 0 ? kd_target_cont (session->target, &error)
			 : kd_target_cont_cpu (session->target, (unsigned)cpu, &error)))
		return KD_GDB_WAIT;
	g_info ("gdb server: %s", error->message);
	return kd_gdb_stub_stop_reply (stub, session, reply);
}

/* --- registers --- */

static const KdRegInfo *
reg_by_number (KdSession *session, guint number)
{
	unsigned nr;
	const KdRegInfo *infos = kd_target_reg_infos (session->target, &nr);

	for (unsigned i = 0; i < nr; i++)
		if (infos[i].number == number)
			return &infos[i];
	return NULL;
}

/* Its register of return addresses is read without signature, as memory is. */
static gboolean
is_link_reg (KdSession *session, const KdRegInfo *info)
{
	const char *lr = kd_target_arch (session->target)->lr;

	return lr && strcmp (info->name, lr) == 0;
}

static uint64_t
from_bytes (const uint8_t *bytes, size_t len)
{
	uint64_t value = 0;

	for (size_t i = len; i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

static void
strip_link (KdSession *session, uint8_t bytes[8])
{
	uint64_t value;

	if (kd_gdb_pac_strip (session, from_bytes (bytes, 8), &value))
		for (unsigned i = 0; i < 8; i++)
			bytes[i] = (uint8_t)(value >> 8 * i);
}

static void
read_reg (const KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	const KdRegInfo *info = reg_by_number (session, call->number);
	g_autoptr (GByteArray) bytes = g_byte_array_new();
	uint64_t value;

	if (!info && kd_gdb_pac_reg (session, call->number, &value)) {
		value = GUINT64_TO_LE (value);
		g_byte_array_append (bytes, (const guint8 *)&value, sizeof value);
	} else if (!info) {
		g_string_assign (reply, E_INVALID);
		return;
	} else if (!kd_target_reg_get_bytes (
			   session->target, stub->cpu, info->stub_name, bytes, NULL)) {
		g_string_assign (reply, E_PERM);
		return;
	} else if (is_link_reg (session, info) && bytes->len == 8)
		strip_link (session, bytes->data);
	kd_hex_append (reply, bytes->data, bytes->len);
}

/*
 * A client that puts back what it has read (after a call of a function) would take the signature
 * off for good.
 */
static gboolean
is_there_signed (const KdGdbStub *stub, KdSession *session, const KdRegInfo *info, uint64_t value)
{
	uint64_t now, stripped;

	return is_link_reg (session, info) &&
	       kd_target_reg_get (session->target, stub->cpu, info->stub_name, &now, NULL) &&
	       kd_gdb_pac_strip (session, now, &stripped) && stripped == value;
}

static void
write_reg (const KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	const KdRegInfo *info = reg_by_number (session, call->number);
	uint64_t value;

	if (!info || info->bits > 64 || call->bytes->len > 8) {
		g_string_assign (reply, E_INVALID);
		return;
	}
	value = from_bytes (call->bytes->data, call->bytes->len);
	/* A write that is dropped is told: the stub itself says OK. */
	g_string_assign (reply, is_there_signed (stub, session, info, value) ||
						kd_target_reg_set (session->target, stub->cpu,
							info->stub_name, value, NULL)
					? "OK"
					: E_PERM);
}

static void
strip_link_of_all (KdSession *session, GByteArray *bytes)
{
	unsigned nr;
	const KdRegInfo *infos = kd_target_reg_infos (session->target, &nr);
	size_t at = 0;

	for (unsigned i = 0; i < nr && at + 8 <= bytes->len; i++) {
		if (is_link_reg (session, &infos[i]) && infos[i].bits == 64) {
			strip_link (session, bytes->data + at);
			return;
		}
		at += infos[i].bits / 8;
	}
}

static void
read_regs (const KdGdbStub *stub, KdSession *session, GString *reply)
{
	g_autoptr (GByteArray) bytes = g_byte_array_new();

	if (!kd_target_reg_get_all (session->target, stub->cpu, bytes, NULL)) {
		g_string_assign (reply, E_PERM);
		return;
	}
	strip_link_of_all (session, bytes);
	kd_hex_append (reply, bytes->data, bytes->len);
}

/* --- memory --- */

static gboolean
is_kernel_half (uint64_t addr)
{
	return addr >> 63;
}

/*
 * What the process that a CPU serves has mapped: the stub minds that the kernel may not touch it
 * (PAN, SMAP).
 */
static gboolean
read_user (const KdGdbStub *stub, KdSession *session, uint64_t addr, void *buf, size_t len)
{
	KdRegime regime;

	return session->kernel &&
	       kd_kernel_cpu_state (session->kernel, stub->cpu).mode == KD_CPU_MODE_KERNEL &&
	       kd_target_cpu_regime (session->target, stub->cpu, KD_REGIME_USER, &regime, NULL) &&
	       kd_target_read_virt (session->target, &regime, addr, buf, len, NULL);
}

/*
 * The kernel's half is the host kernel's whatever the CPU does at the moment; what that does not
 * map, and the rest, is what the CPU sees.
 */
static gboolean
read_range (const KdGdbStub *stub, KdSession *session, uint64_t addr, void *buf, size_t len)
{
	if (session->kernel && is_kernel_half (addr) &&
		kd_kernel_read (session->kernel, kd_addr_kernel (addr), buf, len, NULL))
		return TRUE;
	return kd_target_state (session->target) == KD_TARGET_STOPPED &&
	       (kd_target_read_cpu (session->target, stub->cpu, addr, buf, len, NULL) ||
		       (!is_kernel_half (addr) && read_user (stub, session, addr, buf, len)));
}

static void
read_mem (const KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	size_t len = MIN (call->len, KD_GDB_PACKET_SIZE / 2 - 16);
	g_autofree uint8_t *buf = g_malloc (MAX (len, 1));

	if (len && !read_range (stub, session, call->addr, buf, len)) {
		/* What lies in front of a page that is not there is an answer too. */
		size_t part = (size_t)(PAGE_SIZE - call->addr % PAGE_SIZE);

		if (part >= len || !read_range (stub, session, call->addr, buf, part)) {
			g_string_assign (reply, E_FAULT);
			return;
		}
		len = part;
	}
	kd_gdb_pac_strip_memory (session, call->addr, buf, len);
	if (call->binary) {
		g_string_append_c (reply, 'b');
		g_string_append_len (reply, (const char *)buf, (gssize)len);
	} else
		kd_hex_append (reply, buf, len);
}

static gboolean
write_range (const KdGdbStub *stub, KdSession *session, const KdRspCall *call)
{
	KdRegime regime;

	if (call->bytes->len == 0)
		return TRUE;
	if (session->kernel && is_kernel_half (call->addr))
		return kd_kernel_write (session->kernel, kd_addr_kernel (call->addr),
			call->bytes->data, call->bytes->len, NULL);
	return kd_target_cpu_regime (session->target, stub->cpu,
		       is_kernel_half (call->addr) ? KD_REGIME_KERNEL : KD_REGIME_USER, &regime,
		       NULL) &&
	       kd_target_write_virt (session->target, &regime, call->addr, call->bytes->data,
		       call->bytes->len, NULL);
}

/* --- breakpoints --- */

static void
set_point (KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	KdBreakKind kind = (KdBreakKind)call->type;
	g_autoptr (GError) error = NULL;
	gboolean ok = call->kind == KD_RSP_CALL_INSERT
			      ? kd_gdb_points_insert (stub->points, session->target, kind,
					call->addr, call->len, &error)
			      : kd_gdb_points_remove (stub->points, session->target, kind,
					call->addr, call->len, &error);

	if (!ok)
		g_info ("gdb server: %s", error->message);
	g_string_assign (reply, ok ? "OK" : E_INVALID);
}

gboolean
kd_gdb_stub_leave (KdGdbStub *stub, KdSession *session, gboolean others)
{
	gboolean run = stub->let_run && !others;
	gboolean left =
		!session->target || kd_gdb_points_leave (stub->points, session->target, run);

	/* It runs when it cannot be stopped. */
	stub->let_run = !left;
	return left;
}

/* --- the rest --- */

static void
supported (KdGdbStub *stub, const KdRspCall *call, GString *reply)
{
	stub->features = call->features;
	g_string_printf (reply,
		"PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;"
		"vContSupported+;swbreak+;hwbreak+;multiprocess+;binary-upload+",
		KD_GDB_PACKET_SIZE);
}

/*
 * Where the kernel's first segment is; gdb moves all the others with it, which Text=, Data= and
 * Bss= would leave behind (13 symfile.c, symfile_map_offsets_to_segments).
 */
static void
offsets (KdSession *session, GString *reply)
{
	const KdArchLinux *layout = kd_target_arch (session->target)->linux_layout;
	KdKernelSymbol symbol;

	if (session->kernel && kd_kernel_symbol (session->kernel, layout->base_symbol, &symbol))
		g_string_printf (reply, "TextSeg=%" PRIx64, symbol.addr);
}

static void
append_piece (GString *reply, const char *text, size_t len, const KdRspCall *call)
{
	size_t from = (size_t)MIN (call->addr, len);
	size_t part = (size_t)MIN (MIN (call->len, len - from), KD_GDB_PACKET_SIZE / 2);

	g_string_append_c (reply, from + part == len ? 'l' : 'm');
	g_string_append_len (reply, text + from, (gssize)part);
}

static void
xfer (KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	if (strcmp (call->text->str, "threads") == 0) {
		if (call->addr == 0)
			make_threads_xml (stub, session);
		append_piece (reply, stub->threads->str, stub->threads->len, call);
	} else if (strcmp (call->text->str, "features") == 0) {
		g_autofree char *text = kd_gdb_pac_description (session, call->annex->str);

		if (text)
			append_piece (reply, text, strlen (text), call);
		else
			g_string_assign (reply, "E00");
	}
}

static KdGdbOutcome
answer (KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	g_autofree char *text = NULL;
	unsigned cpu;

	switch (call->kind) {
	case KD_RSP_CALL_UNKNOWN:
	case KD_RSP_CALL_NO_ACK:
		break;
	case KD_RSP_CALL_BAD:
		g_string_assign (reply, E_INVALID);
		break;
	case KD_RSP_CALL_STOP_REASON:
		return stop_reason (stub, session, reply);
	case KD_RSP_CALL_SUPPORTED:
		supported (stub, call, reply);
		break;
	case KD_RSP_CALL_SET_THREAD:
		set_thread (stub, session, call, reply);
		break;
	case KD_RSP_CALL_THREAD_ALIVE:
		g_string_assign (
			reply, cpu_of_thread (session, call->thread, &cpu) ? "OK" : E_INVALID);
		break;
	case KD_RSP_CALL_CURRENT_THREAD:
		g_string_assign (reply, "QC");
		append_thread (stub, stub->cpu, reply);
		break;
	case KD_RSP_CALL_THREADS_FIRST:
		list_threads (stub, session, reply);
		break;
	case KD_RSP_CALL_THREADS_NEXT:
		g_string_assign (reply, "l");
		break;
	case KD_RSP_CALL_THREAD_EXTRA:
		if (cpu_of_thread (session, call->thread, &cpu)) {
			text = describe_cpu (session, cpu);
			kd_hex_append (reply, text, strlen (text));
		} else
			g_string_assign (reply, E_INVALID);
		break;
	case KD_RSP_CALL_READ_REGS:
		read_regs (stub, session, reply);
		break;
	case KD_RSP_CALL_WRITE_REGS: /* gdb writes one by one where `P` is known */
		break;
	case KD_RSP_CALL_READ_REG:
		read_reg (stub, session, call, reply);
		break;
	case KD_RSP_CALL_WRITE_REG:
		write_reg (stub, session, call, reply);
		break;
	case KD_RSP_CALL_READ_MEM:
		read_mem (stub, session, call, reply);
		break;
	case KD_RSP_CALL_WRITE_MEM:
		g_string_assign (reply, write_range (stub, session, call) ? "OK" : E_FAULT);
		break;
	case KD_RSP_CALL_INSERT:
	case KD_RSP_CALL_REMOVE:
		set_point (stub, session, call, reply);
		break;
	case KD_RSP_CALL_VCONT_ACTIONS:
		g_string_assign (reply, "vCont;c;C;s;S");
		break;
	case KD_RSP_CALL_RESUME:
		return resume (stub, session, call, reply);
	case KD_RSP_CALL_DETACH:
		g_string_assign (reply, "OK");
		return KD_GDB_END;
	case KD_RSP_CALL_KILL: /* nobody's machine is ended by a debugger that leaves */
		g_string_assign (reply, E_PERM);
		break;
	case KD_RSP_CALL_ATTACHED:
		g_string_assign (reply, "1");
		break;
	case KD_RSP_CALL_OFFSETS:
		offsets (session, reply);
		break;
	case KD_RSP_CALL_XFER:
		xfer (stub, session, call, reply);
		break;
	case KD_RSP_CALL_MONITOR:
		text = kd_gdb_monitor_run (session, call->text->str, stub->files);
		g_string_assign (reply, text);
		return KD_GDB_OUTPUT;
	}
	return KD_GDB_ANSWER;
}

/* What only a machine that holds still can answer. */
static gboolean
needs_stop (const KdRspCall *call)
{
	switch (call->kind) {
	case KD_RSP_CALL_READ_REGS:
	case KD_RSP_CALL_READ_REG:
	case KD_RSP_CALL_WRITE_REG:
	case KD_RSP_CALL_WRITE_MEM:
	case KD_RSP_CALL_INSERT:
	case KD_RSP_CALL_REMOVE:
		return TRUE;
	case KD_RSP_CALL_READ_MEM:
		return !is_kernel_half (call->addr);
	default:
		return FALSE;
	}
}

KdGdbOutcome
kd_gdb_stub_call (KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	g_autoptr (GError) error = NULL;
	gboolean held = FALSE;
	KdGdbOutcome outcome;

	if (!session->target || kd_target_state (session->target) == KD_TARGET_LOST) {
		g_string_assign (reply, "W00");
		return KD_GDB_END;
	}
	/* Each client thinks that it alone lets the machine run. */
	if (needs_stop (call) && !kd_gdb_hold (session->target, &held, &error)) {
		g_info ("gdb server: %s", error->message);
		g_string_assign (reply, E_PERM);
		return KD_GDB_ANSWER;
	}
	outcome = answer (stub, session, call, reply);
	if (!kd_gdb_let_go (session->target, held, &error))
		g_warning ("gdb server: the machine stays stopped: %s", error->message);
	return outcome;
}
