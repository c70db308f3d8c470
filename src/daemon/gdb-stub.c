/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/gdb-stub.h"

#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "daemon/gdb-pac.h"
#include "kernel/task.h"

#define SIGNAL_INT 2
#define SIGNAL_TRAP 5
#define PAGE_SIZE UINT64_C (4096)

/* The numbers of errors mean nothing to any client; these are errno's. */
#define E_PERM "E01"
#define E_FAULT "E0e"
#define E_INVALID "E16"

typedef struct {
	KdBreakKind kind;
	uint64_t va, len;
	int number; /* in the target's table */
} Point;

struct KdGdbStub {
	guint features;   /* KdRspClientFeature */
	unsigned cpu;     /* of Hg: registers, memory */
	int resume_cpu;   /* of Hc; -1: all */
	gboolean seen;    /* the client has asked for the first stop */
	gboolean let_run; /* found running, or let run by this client */
	gboolean orphan;  /* its client is gone, its breakpoints are not */
	GArray *points;   /* Point */
	GString *threads; /* qXfer:threads, made at its first piece */
};

KdGdbStub *
kd_gdb_stub_new (void)
{
	KdGdbStub *stub = g_new0 (KdGdbStub, 1);

	stub->resume_cpu = -1;
	stub->points = g_array_new (FALSE, FALSE, sizeof (Point));
	stub->threads = g_string_new (NULL);
	return stub;
}

void
kd_gdb_stub_free (KdGdbStub *stub)
{
	if (!stub)
		return;
	g_array_unref (stub->points);
	g_string_free (stub->threads, TRUE);
	g_free (stub);
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

static const Point *
own_point (const KdGdbStub *stub, int number)
{
	for (guint i = 0; i < stub->points->len; i++)
		if (g_array_index (stub->points, Point, i).number == number)
			return &g_array_index (stub->points, Point, i);
	return NULL;
}

/*
 * Why it stopped, as far as it concerns this client: gdb goes on by itself when it is told of a
 * breakpoint it does not know. Several may be at one place, and only the first names the stop.
 */
static void
append_reason (const KdGdbStub *stub, KdSession *session, const KdStop *stop, GString *reply)
{
	static const char *const words[] = {"", "", "watch", "rwatch", "awatch"};
	const Point *own = own_point (stub, stop->breakpoint);
	unsigned cpu = stop->cpu < 0 ? 0 : (unsigned)stop->cpu;
	uint64_t pc = 0;

	if (stop->reason == KD_STOP_WATCHPOINT) {
		for (guint i = 0; i < stub->points->len && !own; i++) {
			const Point *point = &g_array_index (stub->points, Point, i);

			if (point->kind >= KD_WATCH_WRITE &&
				stop->watch_addr.value - point->va < point->len)
				own = point;
		}
		if (own && own->kind >= KD_WATCH_WRITE)
			g_string_append_printf (
				reply, "%s:%" PRIx64 ";", words[own->kind], stop->watch_addr.value);
		return;
	}
	if (stop->reason != KD_STOP_BREAKPOINT ||
		!kd_target_reg_get (
			session->target, cpu, kd_target_arch (session->target)->pc, &pc, NULL))
		return;
	for (guint i = 0; i < stub->points->len; i++) {
		const Point *point = &g_array_index (stub->points, Point, i);

		if (point->kind > KD_BREAK_HARDWARE || point->va != pc)
			continue;
		if (point->kind == KD_BREAK_SOFTWARE && stub->features & KD_RSP_CLIENT_SWBREAK)
			g_string_append (reply, "swbreak:;");
		if (point->kind == KD_BREAK_HARDWARE && stub->features & KD_RSP_CLIENT_HWBREAK)
			g_string_append (reply, "hwbreak:;");
		return;
	}
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
	g_string_printf (reply, "T%02xthread:", (unsigned)signal);
	append_thread (stub, stub->cpu, reply);
	g_string_append_c (reply, ';');
	append_reason (stub, session, stop, reply);
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

/* The CPU to step; -1: it is to run. */
static int
cpu_to_step (const KdGdbStub *stub, KdSession *session, const KdRspCall *call)
{
	for (guint i = 0; i < call->nr_rows; i++) {
		const KdRspResume *row = &call->rows[i];
		unsigned cpu;

		if (row->action != 's')
			continue;
		if (cpu_of_thread (session, row->thread, &cpu))
			return (int)cpu;
		return stub->resume_cpu >= 0 ? stub->resume_cpu : (int)stub->cpu;
	}
	return -1;
}

static KdGdbOutcome
resume (KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	int cpu = cpu_to_step (stub, session, call);
	g_autoptr (GError) error = NULL;

	/* Somebody else has let it run already: there is one stop to wait for. */
	if (kd_target_state (session->target) == KD_TARGET_RUNNING)
		return KD_GDB_WAIT;
	if (call->has_addr) {
		g_string_assign (reply, E_INVALID);
		return KD_GDB_ANSWER;
	}
	stub->let_run = TRUE;
	if (cpu < 0 ? kd_target_cont (session->target, &error)
		    : kd_target_step (session->target, (unsigned)cpu, &error))
		return cpu < 0 ? KD_GDB_WAIT : kd_gdb_stub_stop_reply (stub, session, reply);
	g_info ("gdb server: %s", error->message);
	/* A CPU that sleeps makes no step; what there is to say is that it is stopped. */
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
	uint8_t bytes[KD_REG_BYTES_MAX];
	uint64_t value;
	size_t len = 8;

	if (!info && kd_gdb_pac_reg (session, call->number, &value)) {
		for (unsigned i = 0; i < 8; i++)
			bytes[i] = (uint8_t)(value >> 8 * i);
	} else if (!info) {
		g_string_assign (reply, E_INVALID);
		return;
	} else if (!kd_target_reg_get_bytes (
			   session->target, stub->cpu, info->stub_name, bytes, &len, NULL)) {
		g_string_assign (reply, E_PERM);
		return;
	} else if (is_link_reg (session, info) && len == 8)
		strip_link (session, bytes);
	kd_hex_append (reply, bytes, len);
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
 * The kernel's half is the host kernel's whatever the CPU does at the moment; what that does not
 * map, and the rest, is what the CPU sees.
 */
static gboolean
read_range (const KdGdbStub *stub, KdSession *session, uint64_t addr, void *buf, size_t len)
{
	return (session->kernel && is_kernel_half (addr) &&
		       kd_kernel_read (session->kernel, kd_addr_kernel (addr), buf, len, NULL)) ||
	       (kd_target_state (session->target) == KD_TARGET_STOPPED &&
		       kd_target_read_cpu (session->target, stub->cpu, addr, buf, len, NULL));
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

static int
find_point (const KdGdbStub *stub, const KdRspCall *call)
{
	for (guint i = 0; i < stub->points->len; i++) {
		const Point *point = &g_array_index (stub->points, Point, i);

		if ((guint)point->kind == (guint)call->type && point->va == call->addr &&
			point->len == call->len)
			return (int)i;
	}
	return -1;
}

static void
insert_point (KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	Point point = {(KdBreakKind)call->type, call->addr, call->len, 0};
	g_autoptr (GError) error = NULL;

	if (find_point (stub, call) < 0) {
		point.number = kd_target_break_insert (
			session->target, point.kind, point.va, point.len, "gdb", &error);
		if (!point.number) {
			g_info ("gdb server: %s", error->message);
			g_string_assign (reply, E_INVALID);
			return;
		}
		g_array_append_val (stub->points, point);
	}
	g_string_assign (reply, "OK");
}

static void
remove_point (KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	int index = find_point (stub, call);

	if (index >= 0) {
		int number = g_array_index (stub->points, Point, index).number;
		g_autoptr (GError) error = NULL;

		/* Somebody may have deleted it by its number: then it is gone as well. */
		if (!kd_target_break_delete (session->target, number, &error) &&
			!g_error_matches (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND)) {
			g_string_assign (reply, E_PERM);
			return;
		}
		g_array_remove_index (stub->points, (guint)index);
	}
	g_string_assign (reply, "OK");
}

/* It stands where only this client, which is gone, wanted it to. */
static gboolean
is_own_stop (const KdGdbStub *stub, KdTarget *target)
{
	const KdStop *stop = kd_target_last_stop (target);

	return stop && stop->breakpoint && own_point (stub, stop->breakpoint);
}

gboolean
kd_gdb_stub_leave (KdGdbStub *stub, KdSession *session, gboolean others)
{
	KdTarget *target = session->target;
	g_autoptr (GError) error = NULL;
	gboolean running, run;

	if (!target || kd_target_state (target) == KD_TARGET_LOST)
		return TRUE;
	running = kd_target_state (target) == KD_TARGET_RUNNING;
	if (stub->points->len && running && !kd_target_stop (target, &error)) {
		g_warning ("gdb server: %u breakpoints stay for now: %s", stub->points->len,
			error->message);
		/* Somebody else's from here on, and with the next stop gone. */
		stub->let_run = FALSE;
		stub->orphan = TRUE;
		return FALSE;
	}
	run = running || (stub->let_run && !others) || (stub->orphan && is_own_stop (stub, target));
	for (guint i = 0; i < stub->points->len; i++)
		kd_target_break_delete (
			target, g_array_index (stub->points, Point, i).number, NULL);
	g_array_set_size (stub->points, 0);
	stub->let_run = FALSE;
	if (run && kd_target_state (target) == KD_TARGET_STOPPED &&
		!kd_target_cont (target, &error))
		g_warning ("gdb server: the machine stays stopped: %s", error->message);
	return TRUE;
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

/* One command line, "kvmdbg vms" or "vms"; its text, or why not. New. */
static char *
run_monitor (KdSession *session, const char *line)
{
	g_auto (GStrv) argv = NULL;
	g_autoptr (GError) error = NULL;
	g_autoptr (KdArgs) args = NULL;
	g_autoptr (JsonNode) value = NULL;
	const KdCommand *command = NULL;
	char **words;

	if (!g_shell_parse_argv (line, NULL, &argv, &error))
		return g_strdup_printf ("%s\n", error->message);
	words = argv;
	if (strcmp (words[0], "kvmdbg") == 0 && words[1])
		words++;
	command = kd_command_find (words[0], &error);
	if (command && (!command->run ||
			       command->flags & (KD_COMMAND_NO_SESSION | KD_COMMAND_IN_CLIENT |
							KD_COMMAND_IN_DAEMON) ||
			       strcmp (command->name, "detach") == 0))
		return g_strdup_printf ("kvmdbg: %s: not from here\n", command->name);
	if (command)
		args = kd_args_from_argv (command, (const char *const *)words + 1, &error);
	if (args)
		value = kd_command_execute (command, session, args, &error);
	if (!value)
		return g_strdup_printf ("kvmdbg: %s\n", error ? error->message : "failed");
	return kd_command_render (command, value, FALSE, 80);
}

static void
monitor (KdSession *session, const KdRspCall *call, GString *reply)
{
	g_autofree char *text = run_monitor (session, call->text->str);

	/* One packet holds it: gdb takes any that is not longer than we said. */
	if (text && *text)
		kd_hex_append (reply, text, MIN (strlen (text), KD_GDB_PACKET_SIZE / 2 - 16));
	else
		g_string_assign (reply, "OK");
}

KdGdbOutcome
kd_gdb_stub_call (KdGdbStub *stub, KdSession *session, const KdRspCall *call, GString *reply)
{
	unsigned cpu;

	if (!session->target || kd_target_state (session->target) == KD_TARGET_LOST) {
		g_string_assign (reply, "W00");
		return KD_GDB_END;
	}
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
			g_autofree char *text = describe_cpu (session, cpu);

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
		insert_point (stub, session, call, reply);
		break;
	case KD_RSP_CALL_REMOVE:
		remove_point (stub, session, call, reply);
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
		monitor (session, call, reply);
		break;
	}
	return KD_GDB_ANSWER;
}
