/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shortest live target that works: blocking sockets, reads by process_vm_readv or physical
 * mode. It stands in until the whole one takes its place.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/hex.h"
#include "proto/qmp.h"
#include "proto/rsp-client.h"
#include "proto/stop-reply.h"
#include "proto/target-xml.h"
#include "target/target.h"

#define BREAKS_MAX 64

struct KdTarget {
	int fd, qmp_fd, pid;
	char *address, *qmp_path;
	KdRspClient *rsp;
	KdQmpClient *qmp;
	KdRegLayout *layout;
	GArray *infos, *ram, *hva;
	const KdArch *arch;
	unsigned nr_cpus, regs_cpu;
	KdTargetState state;
	uint64_t generation;
	KdStop stop;
	GHashTable *regs; /* cpu << 16 | regnum → value */
	KdBreak breaks[BREAKS_MAX];
	unsigned nr_breaks;
};

GQuark
kd_target_error_quark (void)
{
	return g_quark_from_static_string ("kd-target-error");
}

static int
dial (const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy (address.sun_path, g_str_has_prefix (path, "unix:") ? path + 5 : path,
		sizeof address.sun_path);
	if (connect (fd, (struct sockaddr *)&address, sizeof address) < 0) {
		close (fd);
		return -1;
	}
	return fd;
}

static gboolean
flush (int fd, const uint8_t *out, size_t len)
{
	return write (fd, out, len) == (ssize_t)len;
}

static void
took_stop (KdTarget *t, const char *payload, size_t len)
{
	g_autoptr (KdStopReply) reply = kd_stop_reply_parse (payload, len, NULL);

	t->state = KD_TARGET_STOPPED;
	t->generation++;
	g_hash_table_remove_all (t->regs);
	t->stop = (KdStop){.reason = KD_STOP_SIGNAL, .cpu = 0};
	if (reply) {
		t->stop.signal = (int)reply->signal;
		t->stop.cpu = reply->has_thread ? (int)reply->thread.tid - 1 : 0;
		t->stop.reason = reply->signal == 2 ? KD_STOP_REQUEST : KD_STOP_BREAKPOINT;
	}
}

/* Pumps until a reply; the payload is copied. */
static char *
pump (KdTarget *t, size_t *ret_len, GError **error)
{
	uint8_t in[16384];
	size_t len, used;
	const uint8_t *out;

	for (;;) {
		out = kd_rsp_client_out (t->rsp, &len);
		if (len && !flush (t->fd, out, len))
			break;
		kd_rsp_client_out_written (t->rsp, len);
		ssize_t n = read (t->fd, in, sizeof in);

		if (n <= 0)
			break;
		for (size_t at = 0; at < (size_t)n; at += used) {
			KdRspEvent event;

			switch (kd_rsp_client_feed (
				t->rsp, in + at, (size_t)n - at, &used, &event, error)) {
			case KD_DECODE_FAILED:
				return NULL;
			case KD_DECODE_MORE:
				break;
			case KD_DECODE_MESSAGE:
				if (event.kind == KD_RSP_EVENT_STOP)
					took_stop (t, event.payload, event.len);
				if (event.kind == KD_RSP_EVENT_REPLY) {
					*ret_len = event.len;
					return g_memdup2 (event.payload, event.len + 1);
				}
			}
		}
	}
	t->state = KD_TARGET_LOST;
	g_set_error (
		error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST, "the stub closed the connection");
	return NULL;
}

static char *
ask (KdTarget *t, const KdRspRequest *req, size_t *ret_len, GError **error)
{
	return kd_rsp_client_send (t->rsp, req, error) ? pump (t, ret_len, error) : NULL;
}

static char *
fetch_xml (const char *annex, size_t *ret_len, gpointer data, GError **error)
{
	KdTarget *t = data;
	g_autoptr (GByteArray) whole = g_byte_array_new();
	gboolean last = FALSE;

	while (!last) {
		g_auto (KdRspRequest) req;
		size_t len;

		kd_rsp_request_init (&req);
		if (!kd_rsp_request_xfer_features (
			    &req, kd_rsp_client_get_features (t->rsp), annex, whole->len, error))
			return NULL;
		g_autofree char *reply = ask (t, &req, &len, error);

		if (!reply || !kd_rsp_parse_xfer (reply, len, whole, &last, error))
			return NULL;
	}
	*ret_len = whole->len;
	g_byte_array_append (whole, (const uint8_t *)"", 1);
	return g_memdup2 (whole->data, whole->len);
}

char *
kd_target_hmp (KdTarget *t, const char *command, GError **error)
{
	uint8_t in[16384];
	guint64 id, len;
	size_t out_len, used;

	if (!t->qmp) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED, "no QMP");
		return NULL;
	}
	if (kd_qmp_client_is_ready (t->qmp) &&
		!kd_qmp_client_call_hmp (t->qmp, command, -1, &id, error))
		return NULL;
	(void)len;
	for (;;) {
		const uint8_t *out = kd_qmp_client_out (t->qmp, &out_len);

		if (out_len)
			flush (t->qmp_fd, out, out_len);
		kd_qmp_client_out_written (t->qmp, out_len);
		ssize_t n = read (t->qmp_fd, in, sizeof in);

		if (n <= 0)
			return NULL;
		for (size_t at = 0; at < (size_t)n; at += used) {
			g_auto (KdQmpMessage) msg = {0};

			if (kd_qmp_client_feed (t->qmp, in + at, (size_t)n - at, &used, &msg,
				    error) != KD_DECODE_MESSAGE)
				continue;
			if (msg.kind == KD_QMP_READY &&
				!kd_qmp_client_call_hmp (t->qmp, command, -1, &id, error))
				return NULL;
			if (msg.kind == KD_QMP_RETURN)
				return kd_qmp_parse_hmp (msg.value, error);
		}
	}
}

static void
find_ram (KdTarget *t)
{
	g_autofree char *text = kd_target_hmp (t, "info mtree -f", NULL);
	g_auto (GStrv) lines = g_strsplit (text ? text : "", "\n", -1);
	gboolean in_memory = FALSE;

	for (char **line = lines; *line; line++) {
		uint64_t start, end, hva;
		size_t used;

		if (strstr (*line, "AS \"memory\""))
			in_memory = TRUE;
		else if (g_str_has_prefix (*line, "FlatView") && t->ram->len)
			break;
		const char *at = g_strchug (*line);

		if (!in_memory || strlen (at) < 40 || !strstr (at, ", ram): "))
			continue;
		if (!kd_hex_parse_prefix (at, 16, &start, &used) ||
			!kd_hex_parse_prefix (at + 17, 16, &end, &used))
			continue;
		g_autofree char *question =
			g_strdup_printf ("gpa2hva 0x%" G_GINT64_MODIFIER "x", start);
		g_autofree char *answer = kd_target_hmp (t, question, NULL);
		const char *is = answer ? strstr (answer, " is 0x") : NULL;

		if (!is || !kd_hex_parse_prefix (is + 6, 16, &hva, &used))
			continue;
		KdRamRange range = {start, end - start + 1, NULL};

		g_array_append_val (t->ram, range);
		g_array_append_val (t->hva, hva);
	}
}

KdTarget *
kd_target_open_qemu (const KdTargetOptions *options, GCancellable *cancellable, GError **error)
{
	KdTarget *t = g_new0 (KdTarget, 1);
	struct ucred cred;
	socklen_t cred_len = sizeof cred;
	g_auto (KdRspRequest) req;
	size_t len;

	t->qmp_fd = -1;
	t->address = g_strdup (options->address);
	t->rsp = kd_rsp_client_new();
	t->regs = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
	t->ram = g_array_new (FALSE, FALSE, sizeof (KdRamRange));
	t->hva = g_array_new (FALSE, FALSE, sizeof (uint64_t));
	t->regs_cpu = G_MAXUINT;
	t->fd = dial (options->address);
	if (t->fd < 0) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT, "%s: %s",
			options->address, g_strerror (errno));
		return NULL;
	}
	if (!options->no_direct &&
		getsockopt (t->fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) == 0)
		t->pid = cred.pid;
	kd_rsp_request_init (&req);
	kd_rsp_request_supported (&req);
	g_autofree char *a = ask (t, &req, &len, error);
	if (!a)
		return NULL;
	kd_rsp_request_qemu_supported (&req);
	g_autofree char *b = ask (t, &req, &len, error);
	if (b && kd_rsp_request_vcont_actions (&req, kd_rsp_client_get_features (t->rsp), NULL))
		g_free (ask (t, &req, &len, NULL));
	kd_rsp_request_stop_reason (&req);
	g_autofree char *c = ask (t, &req, &len, error);
	if (!c)
		return NULL;
	took_stop (t, c, len);
	t->stop.reason = KD_STOP_ATTACH;
	t->layout = kd_reg_layout_fetch (fetch_xml, t, error);
	if (!t->layout)
		return NULL;
	t->arch = kd_arch_by_gdb_name (t->layout->architecture);
	t->infos = g_array_new (FALSE, TRUE, sizeof (KdRegInfo));
	for (guint i = 0; i < t->layout->regs->len; i++) {
		KdRegDesc *desc = &g_array_index (t->layout->regs, KdRegDesc, i);
		KdRegInfo info = {t->arch->canonical_name (desc->name), desc->name,
			desc->group ? desc->group : "general", desc->bitsize};

		g_array_append_val (t->infos, info);
	}
	g_autoptr (GArray) threads = g_array_new (FALSE, FALSE, sizeof (KdRspThread));
	gboolean last = FALSE;

	for (gboolean first = TRUE; !last; first = FALSE) {
		kd_rsp_request_thread_info (&req, first);
		g_autofree char *reply = ask (t, &req, &len, error);

		if (!reply || !kd_rsp_parse_thread_info (reply, len, threads, &last, error))
			return NULL;
	}
	t->nr_cpus = threads->len;
	if (options->qmp && (t->qmp_fd = dial (options->qmp)) >= 0) {
		t->qmp = kd_qmp_client_new();
		t->qmp_path = g_strdup (options->qmp);
		find_ram (t);
	}
	return t;
}

gboolean
kd_target_detach (KdTarget *t, gboolean resume, GError **error)
{
	g_auto (KdRspRequest) req;
	size_t len;

	while (t->nr_breaks)
		kd_target_break_delete (t, t->breaks[0].number, NULL);
	kd_rsp_request_init (&req);
	kd_rsp_request_detach (&req, kd_rsp_client_get_features (t->rsp), 1);
	if (t->state == KD_TARGET_STOPPED)
		g_free (ask (t, &req, &len, NULL));
	close (t->fd);
	t->fd = -1;
	t->state = KD_TARGET_LOST;
	return TRUE;
}

void
kd_target_free (KdTarget *t)
{
	if (!t)
		return;
	if (t->fd >= 0)
		close (t->fd);
	if (t->qmp_fd >= 0)
		close (t->qmp_fd);
	kd_rsp_client_free (t->rsp);
	kd_qmp_client_free (t->qmp);
	kd_reg_layout_free (t->layout);
	g_hash_table_unref (t->regs);
	g_array_unref (t->ram);
	g_array_unref (t->hva);
	if (t->infos)
		g_array_unref (t->infos);
	g_free (t->address);
	g_free (t->qmp_path);
	g_free (t);
}

void
kd_target_set_cancellable (KdTarget *t, GCancellable *cancellable)
{
}

const KdArch *
kd_target_arch (const KdTarget *t)
{
	return t->arch;
}

KdTargetState
kd_target_state (const KdTarget *t)
{
	return t->state;
}

unsigned
kd_target_nr_cpus (const KdTarget *t)
{
	return t->nr_cpus;
}

uint64_t
kd_target_generation (const KdTarget *t)
{
	return t->generation;
}

const KdStop *
kd_target_last_stop (const KdTarget *t)
{
	return t->state == KD_TARGET_STOPPED ? &t->stop : NULL;
}

unsigned
kd_target_poll_fds (const KdTarget *t, int *ret_fds, unsigned max)
{
	ret_fds[0] = t->fd;
	return t->state == KD_TARGET_RUNNING ? 1 : 0;
}

gboolean
kd_target_dispatch (KdTarget *t, GError **error)
{
	size_t len;
	g_autofree char *reply = pump (t, &len, error);

	if (reply)
		took_stop (t, reply, len);
	return reply != NULL;
}

const KdRegInfo *
kd_target_reg_infos (const KdTarget *t, unsigned *ret_nr)
{
	*ret_nr = t->infos->len;
	return (const KdRegInfo *)(void *)t->infos->data;
}

static const KdRegDesc *
find_reg (KdTarget *t, const char *name)
{
	for (guint i = 0; i < t->infos->len; i++) {
		const KdRegInfo *info = &g_array_index (t->infos, KdRegInfo, i);

		if (g_ascii_strcasecmp (info->name, name) == 0 ||
			g_ascii_strcasecmp (info->stub_name, name) == 0)
			return &g_array_index (t->layout->regs, KdRegDesc, i);
	}
	return NULL;
}

gboolean
kd_target_reg_get_bytes (KdTarget *t, unsigned cpu, const char *name, uint8_t buf[KD_REG_BYTES_MAX],
	size_t *ret_len, GError **error)
{
	const KdRegDesc *desc = find_reg (t, name);
	gboolean unavailable;
	size_t len;

	if (!desc || cpu >= t->nr_cpus || t->state != KD_TARGET_STOPPED) {
		g_set_error (error, KD_TARGET_ERROR,
			t->state != KD_TARGET_STOPPED ? KD_TARGET_ERROR_RUNNING
						      : KD_TARGET_ERROR_NOT_FOUND,
			"no register %s on CPU %u", name, cpu);
		return FALSE;
	}
	g_auto (KdRspRequest) req;

	kd_rsp_request_init (&req);
	if (t->regs_cpu != cpu) {
		kd_rsp_request_set_thread (
			&req, kd_rsp_client_get_features (t->rsp), 'g', (KdRspThread){1, cpu + 1});
		g_autofree char *ok = ask (t, &req, &len, error);

		if (!ok)
			return FALSE;
		t->regs_cpu = cpu;
	}
	kd_rsp_request_read_register (&req, desc->regnum);
	g_autofree char *reply = ask (t, &req, &len, error);

	return reply && kd_rsp_parse_registers (
				reply, len, KD_REG_BYTES_MAX, buf, ret_len, &unavailable, error);
}

gboolean
kd_target_reg_get (KdTarget *t, unsigned cpu, const char *name, uint64_t *ret_value, GError **error)
{
	uint8_t bytes[KD_REG_BYTES_MAX];
	const KdRegDesc *desc = find_reg (t, name);
	gint64 key = desc ? (gint64)cpu << 32 | desc->regnum : -1;
	uint64_t *cached =
		desc && t->state == KD_TARGET_STOPPED ? g_hash_table_lookup (t->regs, &key) : NULL;
	size_t len;

	if (cached) {
		*ret_value = *cached;
		return TRUE;
	}
	if (!kd_target_reg_get_bytes (t, cpu, name, bytes, &len, error))
		return FALSE;
	*ret_value = 0;
	for (size_t i = MIN (len, 8); i-- > 0;)
		*ret_value = *ret_value << 8 | bytes[i];
	g_hash_table_insert (t->regs, g_memdup2 (&key, 8), g_memdup2 (ret_value, 8));
	return TRUE;
}

gboolean
kd_target_reg_set (KdTarget *t, unsigned cpu, const char *name, uint64_t value, GError **error)
{
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED, "writing registers");
	return FALSE;
}

typedef struct {
	KdTarget *t;
	unsigned cpu;
} RegGet;

static gboolean
reg_get (void *data, const char *name, uint64_t *ret_value)
{
	RegGet *get = data;

	return kd_target_reg_get (get->t, get->cpu, name, ret_value, NULL);
}

KdCpuState
kd_target_cpu_state (KdTarget *t, unsigned cpu)
{
	RegGet get = {t, cpu};

	if (t->state != KD_TARGET_STOPPED)
		return (KdCpuState){KD_CPU_MODE_UNKNOWN, -1, "unknown"};
	return t->arch->cpu_state (reg_get, &get);
}

gboolean
kd_target_cpu_regime (
	KdTarget *t, unsigned cpu, KdRegimeKind kind, KdRegime *ret_regime, GError **error)
{
	RegGet get = {t, cpu};

	if (t->state == KD_TARGET_STOPPED && t->arch->regime (kind, reg_get, &get, ret_regime))
		return TRUE;
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND,
		"CPU %u has no such regime now", cpu);
	return FALSE;
}

gboolean
kd_target_read_phys (KdTarget *t, uint64_t pa, void *buf, size_t len, GError **error)
{
	for (guint i = 0; i < t->ram->len; i++) {
		const KdRamRange *range = &g_array_index (t->ram, KdRamRange, i);

		if (pa < range->pa || pa - range->pa >= range->size ||
			len > range->size - (pa - range->pa))
			continue;
		struct iovec local = {buf, len};
		struct iovec remote = {
			(void *)(uintptr_t)(g_array_index (t->hva, uint64_t, i) + (pa - range->pa)),
			len};

		if (process_vm_readv (t->pid, &local, 1, &remote, 1, 0) == (ssize_t)len)
			return TRUE;
	}
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT,
		"physical address 0x%" G_GINT64_MODIFIER "x is not RAM", pa);
	return FALSE;
}

gboolean
kd_target_write_phys (KdTarget *t, uint64_t pa, const void *buf, size_t len, GError **error)
{
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED, "writing memory");
	return FALSE;
}

const void *
kd_target_map_phys (KdTarget *t, uint64_t pa, size_t len)
{
	return NULL;
}

static gboolean
phys_read (void *data, uint64_t pa, void *buf, size_t len, GError **error)
{
	return kd_target_read_phys (data, pa, buf, len, error);
}

void
kd_target_walk (KdTarget *t, const KdRegime *regime, uint64_t va, KdWalk *ret_walk)
{
	t->arch->walk (regime, va, phys_read, t, ret_walk);
}

gboolean
kd_target_read_virt (
	KdTarget *t, const KdRegime *regime, uint64_t va, void *buf, size_t len, GError **error)
{
	while (len) {
		KdWalk walk;

		kd_target_walk (t, regime, va, &walk);
		if (walk.status != KD_WALK_MAPPED) {
			g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT,
				"0x%" G_GINT64_MODIFIER "x is not mapped (%s)", va,
				walk.nr_levels ? walk.levels[walk.nr_levels - 1].name
					       : "not canonical");
			return FALSE;
		}
		size_t page = (size_t)1 << regime->page_shift;
		size_t part = MIN (len, page - (va & (page - 1)));

		if (!kd_target_read_phys (t, walk.pa, buf, part, error))
			return FALSE;
		va += part;
		buf = (uint8_t *)buf + part;
		len -= part;
	}
	return TRUE;
}

gboolean
kd_target_read_cpu (KdTarget *t, unsigned cpu, uint64_t va, void *buf, size_t len, GError **error)
{
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED, "not yet");
	return FALSE;
}

const KdRamRange *
kd_target_ram (KdTarget *t, unsigned *ret_nr)
{
	*ret_nr = t->ram->len;
	return (const KdRamRange *)(void *)t->ram->data;
}

KdMemoryPath
kd_target_memory_path (const KdTarget *t)
{
	return (KdMemoryPath){"direct-vm", NULL};
}

KdQemuInfo
kd_target_qemu_info (const KdTarget *t)
{
	return (KdQemuInfo){t->qmp ? kd_qmp_client_get_version (t->qmp) : NULL, t->pid, "tcg",
		t->qmp_path, NULL, t->address};
}

static gboolean
resume (KdTarget *t, char action, unsigned cpu, gboolean all, GError **error)
{
	KdRspResume row = {action, all, {1, cpu + 1}};
	g_auto (KdRspRequest) req;
	const uint8_t *out;
	size_t len;

	kd_rsp_request_init (&req);
	if (!kd_rsp_request_resume (&req, kd_rsp_client_get_features (t->rsp), &row, 1, error) ||
		!kd_rsp_client_send (t->rsp, &req, error))
		return FALSE;
	out = kd_rsp_client_out (t->rsp, &len);
	flush (t->fd, out, len);
	kd_rsp_client_out_written (t->rsp, len);
	t->state = KD_TARGET_RUNNING;
	t->generation++;
	g_hash_table_remove_all (t->regs);
	return TRUE;
}

gboolean
kd_target_cont (KdTarget *t, GError **error)
{
	return resume (t, 'c', 0, TRUE, error);
}

gboolean
kd_target_stop (KdTarget *t, GError **error)
{
	return t->state == KD_TARGET_STOPPED ||
	       (kd_rsp_client_interrupt (t->rsp, error) && kd_target_dispatch (t, error));
}

gboolean
kd_target_wait (KdTarget *t, int timeout_ms, GError **error)
{
	struct pollfd fd = {t->fd, POLLIN, 0};

	while (t->state == KD_TARGET_RUNNING) {
		if (poll (&fd, 1, timeout_ms) <= 0) {
			g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "no stop");
			return FALSE;
		}
		if (!kd_target_dispatch (t, error))
			return FALSE;
	}
	return TRUE;
}

gboolean
kd_target_step (KdTarget *t, unsigned cpu, GError **error)
{
	return resume (t, 's', cpu, FALSE, error) && kd_target_dispatch (t, error) &&
	       (t->stop.reason = KD_STOP_STEP, TRUE);
}

int
kd_target_break_insert (
	KdTarget *t, KdBreakKind kind, uint64_t va, uint64_t len, const char *text, GError **error)
{
	g_auto (KdRspRequest) req;
	size_t reply_len;

	if (t->nr_breaks == BREAKS_MAX)
		return 0;
	kd_rsp_request_init (&req);
	kd_rsp_request_insert_break (&req, (KdRspBreak)kind, va, len ? len : 4);
	g_autofree char *reply = ask (t, &req, &reply_len, error);
	int number = t->nr_breaks ? t->breaks[t->nr_breaks - 1].number + 1 : 1;

	if (!reply || !kd_rsp_parse_ok (reply, reply_len, error))
		return 0;
	t->breaks[t->nr_breaks++] = (KdBreak){.number = number,
		.kind = kind,
		.va = va,
		.len = len,
		.inserted = TRUE,
		.text = g_strdup (text)};
	return number;
}

gboolean
kd_target_break_delete (KdTarget *t, int number, GError **error)
{
	for (unsigned i = 0; i < t->nr_breaks; i++) {
		g_auto (KdRspRequest) req;
		size_t len;

		if (t->breaks[i].number != number)
			continue;
		kd_rsp_request_init (&req);
		kd_rsp_request_remove_break (&req, (KdRspBreak)t->breaks[i].kind, t->breaks[i].va,
			t->breaks[i].len ? t->breaks[i].len : 4);
		g_free (ask (t, &req, &len, NULL));
		g_free ((char *)t->breaks[i].text);
		memmove (&t->breaks[i], &t->breaks[i + 1], sizeof (KdBreak) * (--t->nr_breaks - i));
		return TRUE;
	}
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND, "no breakpoint %d", number);
	return FALSE;
}

const KdBreak *
kd_target_breaks (const KdTarget *t, unsigned *ret_nr)
{
	*ret_nr = t->nr_breaks;
	return t->breaks;
}
