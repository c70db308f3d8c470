/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "proto/rsp-packet.h"

void
kd_rsp_request_init (KdRspRequest *req)
{
	req->expect = KD_RSP_EXPECT_REPLY;
	req->payload = g_string_new (NULL);
}

void
kd_rsp_request_clear (KdRspRequest *req)
{
	if (req->payload)
		g_string_free (req->payload, TRUE);
	req->payload = NULL;
}

static void
begin (KdRspRequest *req, KdRspExpect expect, const char *text)
{
	req->expect = expect;
	g_string_assign (req->payload, text);
}

static gboolean
need (const KdRspFeatures *features, KdRspFeature feature, const char *what, GError **error)
{
	if (features->set & feature)
		return TRUE;
	g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_UNSUPPORTED,
		"the stub does not offer %s", what);
	return FALSE;
}

static gboolean
fits (size_t len, size_t max, const char *what, GError **error)
{
	if (len <= max)
		return TRUE;
	g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE,
		"%s of %zu bytes is over the stub's limit of %zu", what, len, max);
	return FALSE;
}

void
kd_rsp_request_supported (KdRspRequest *req)
{
	begin (req, KD_RSP_EXPECT_SUPPORTED,
		"qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+");
}

void
kd_rsp_request_stop_reason (KdRspRequest *req)
{
	begin (req, KD_RSP_EXPECT_STOP, "?");
}

void
kd_rsp_request_qemu_supported (KdRspRequest *req)
{
	begin (req, KD_RSP_EXPECT_QEMU_SUPPORTED, "qqemu.Supported");
}

void
kd_rsp_request_read_registers (KdRspRequest *req)
{
	begin (req, KD_RSP_EXPECT_REPLY, "g");
}

void
kd_rsp_request_read_register (KdRspRequest *req, guint regnum)
{
	begin (req, KD_RSP_EXPECT_REPLY, "p");
	g_string_append_printf (req->payload, "%x", regnum);
}

void
kd_rsp_request_current_thread (KdRspRequest *req)
{
	begin (req, KD_RSP_EXPECT_REPLY, "qC");
}

void
kd_rsp_request_thread_info (KdRspRequest *req, gboolean first)
{
	begin (req, KD_RSP_EXPECT_REPLY, first ? "qfThreadInfo" : "qsThreadInfo");
}

void
kd_rsp_request_attached (KdRspRequest *req)
{
	begin (req, KD_RSP_EXPECT_REPLY, "qAttached");
}

void
kd_rsp_request_detach (KdRspRequest *req, const KdRspFeatures *features, gint64 pid)
{
	begin (req, KD_RSP_EXPECT_REPLY, "D");
	if (features->set & KD_RSP_HAS_MULTIPROCESS && pid > 0)
		g_string_append_printf (req->payload, ";%" PRIx64, (uint64_t)pid);
}

static void
append_id (GString *out, gint64 id)
{
	if (id < 0)
		g_string_append (out, "-1");
	else
		g_string_append_printf (out, "%" PRIx64, (uint64_t)id);
}

void
kd_rsp_thread_append (GString *out, const KdRspFeatures *features, KdRspThread thread)
{
	if (features->set & KD_RSP_HAS_MULTIPROCESS) {
		g_string_append_c (out, 'p');
		append_id (out, thread.pid);
		g_string_append_c (out, '.');
	}
	append_id (out, thread.tid);
}

void
kd_rsp_request_set_thread (
	KdRspRequest *req, const KdRspFeatures *features, char op, KdRspThread thread)
{
	begin (req, KD_RSP_EXPECT_REPLY, "H");
	g_string_append_c (req->payload, op);
	kd_rsp_thread_append (req->payload, features, thread);
}

void
kd_rsp_request_thread_extra (KdRspRequest *req, const KdRspFeatures *features, KdRspThread thread)
{
	begin (req, KD_RSP_EXPECT_REPLY, "qThreadExtraInfo,");
	kd_rsp_thread_append (req->payload, features, thread);
}

/* QEMU refuses a read of more than half its packet size with E22 (7.2 gdbstub.c, handle_read_mem).
 */
size_t
kd_rsp_read_memory_max (const KdRspFeatures *features)
{
	return MIN (features->packet_size, KD_RSP_PACKET_SIZE_MAX) / 2;
}

/* "M", an address, a comma, a length, a colon: at most 35 bytes before the data. */
size_t
kd_rsp_write_memory_max (const KdRspFeatures *features)
{
	size_t digits = MIN (features->packet_size, KD_RSP_PACKET_SIZE_MAX);

	return (digits - 40) / 2;
}

gboolean
kd_rsp_request_read_memory (
	KdRspRequest *req, const KdRspFeatures *features, guint64 addr, size_t len, GError **error)
{
	if (!fits (len, kd_rsp_read_memory_max (features), "memory read", error))
		return FALSE;
	begin (req, KD_RSP_EXPECT_REPLY, "m");
	g_string_append_printf (req->payload, "%" PRIx64 ",%zx", addr, len);
	return TRUE;
}

gboolean
kd_rsp_request_write_memory (KdRspRequest *req, const KdRspFeatures *features, guint64 addr,
	const void *bytes, size_t len, GError **error)
{
	if (!fits (len, kd_rsp_write_memory_max (features), "memory write", error))
		return FALSE;
	begin (req, KD_RSP_EXPECT_REPLY, "M");
	g_string_append_printf (req->payload, "%" PRIx64 ",%zx:", addr, len);
	kd_hex_append (req->payload, bytes, len);
	return TRUE;
}

gboolean
kd_rsp_request_write_register (KdRspRequest *req, const KdRspFeatures *features, guint regnum,
	const void *bytes, size_t len, GError **error)
{
	if (!fits (len, kd_rsp_write_memory_max (features), "register write", error))
		return FALSE;
	begin (req, KD_RSP_EXPECT_REPLY, "P");
	g_string_append_printf (req->payload, "%x=", regnum);
	kd_hex_append (req->payload, bytes, len);
	return TRUE;
}

gboolean
kd_rsp_request_write_registers (KdRspRequest *req, const KdRspFeatures *features, const void *bytes,
	size_t len, GError **error)
{
	if (!fits (len, kd_rsp_write_memory_max (features), "register write", error))
		return FALSE;
	begin (req, KD_RSP_EXPECT_REPLY, "G");
	kd_hex_append (req->payload, bytes, len);
	return TRUE;
}

gboolean
kd_rsp_request_xfer_features (KdRspRequest *req, const KdRspFeatures *features, const char *annex,
	size_t offset, GError **error)
{
	if (!need (features, KD_RSP_HAS_XFER_FEATURES, "qXfer:features:read", error))
		return FALSE;
	/* The annex comes from the stub's own XML; these would end it or reach another packet's
	 * syntax. */
	if (strpbrk (annex, ":,;") || strlen (annex) > KD_RSP_ANNEX_MAX || !*annex) {
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED,
			"target description has a bad include name");
		return FALSE;
	}
	begin (req, KD_RSP_EXPECT_REPLY, "qXfer:features:read:");
	g_string_append_printf (req->payload, "%s:%zx,%zx", annex, offset,
		MIN (features->packet_size, KD_RSP_PACKET_SIZE_MAX) - 5);
	return TRUE;
}

gboolean
kd_rsp_request_no_ack (KdRspRequest *req, const KdRspFeatures *features, GError **error)
{
	if (!need (features, KD_RSP_HAS_NO_ACK, "QStartNoAckMode", error))
		return FALSE;
	begin (req, KD_RSP_EXPECT_NO_ACK, "QStartNoAckMode");
	return TRUE;
}

gboolean
kd_rsp_request_vcont_actions (KdRspRequest *req, const KdRspFeatures *features, GError **error)
{
	if (!need (features, KD_RSP_HAS_VCONT, "vCont", error))
		return FALSE;
	begin (req, KD_RSP_EXPECT_VCONT_ACTIONS, "vCont?");
	return TRUE;
}

static gboolean
need_action (const KdRspFeatures *features, char action, GError **error)
{
	switch (action) {
	case 'c':
		return need (features, KD_RSP_HAS_VCONT_C, "vCont;c", error);
	case 's':
		return need (features, KD_RSP_HAS_VCONT_S, "vCont;s", error);
	case 't':
		return need (features, KD_RSP_HAS_VCONT_T, "vCont;t", error);
	default:
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_UNSUPPORTED,
			"vCont has no action of that name");
		return FALSE;
	}
}

gboolean
kd_rsp_request_resume (KdRspRequest *req, const KdRspFeatures *features, const KdRspResume *rows,
	size_t n_rows, GError **error)
{
	for (size_t i = 0; i < n_rows; i++)
		if (!need_action (features, rows[i].action, error))
			return FALSE;
	begin (req, KD_RSP_EXPECT_RESUME, "vCont");
	for (size_t i = 0; i < n_rows; i++) {
		g_string_append_c (req->payload, ';');
		g_string_append_c (req->payload, rows[i].action);
		if (rows[i].all)
			continue;
		g_string_append_c (req->payload, ':');
		kd_rsp_thread_append (req->payload, features, rows[i].thread);
	}
	return TRUE;
}

static void
append_break (KdRspRequest *req, const char *op, KdRspBreak type, guint64 addr, guint64 len)
{
	begin (req, KD_RSP_EXPECT_REPLY, op);
	g_string_append_printf (
		req->payload, "%u,%" PRIx64 ",%" PRIx64, (unsigned)type, addr, (uint64_t)len);
}

void
kd_rsp_request_insert_break (KdRspRequest *req, KdRspBreak type, guint64 addr, guint64 len)
{
	append_break (req, "Z", type, addr, len);
}

void
kd_rsp_request_remove_break (KdRspRequest *req, KdRspBreak type, guint64 addr, guint64 len)
{
	append_break (req, "z", type, addr, len);
}

gboolean
kd_rsp_request_monitor (
	KdRspRequest *req, const KdRspFeatures *features, const char *command, GError **error)
{
	size_t len = strlen (command);

	if (!fits (len, kd_rsp_write_memory_max (features), "monitor command", error))
		return FALSE;
	begin (req, KD_RSP_EXPECT_MONITOR, "qRcmd,");
	kd_hex_append (req->payload, command, len);
	return TRUE;
}

static gboolean
qemu (KdRspRequest *req, const KdRspFeatures *features, KdRspFeature feature, const char *text,
	GError **error)
{
	if (!need (features, feature, text, error))
		return FALSE;
	begin (req, KD_RSP_EXPECT_REPLY, text);
	return TRUE;
}

gboolean
kd_rsp_request_qemu_sstepbits (KdRspRequest *req, const KdRspFeatures *features, GError **error)
{
	return qemu (req, features, KD_RSP_HAS_QEMU_SSTEP, "qqemu.sstepbits", error);
}

gboolean
kd_rsp_request_qemu_get_sstep (KdRspRequest *req, const KdRspFeatures *features, GError **error)
{
	return qemu (req, features, KD_RSP_HAS_QEMU_SSTEP, "qqemu.sstep", error);
}

gboolean
kd_rsp_request_qemu_set_sstep (
	KdRspRequest *req, const KdRspFeatures *features, guint bits, GError **error)
{
	if (!qemu (req, features, KD_RSP_HAS_QEMU_SSTEP, "Qqemu.sstep=", error))
		return FALSE;
	g_string_append_printf (req->payload, "%x", bits);
	return TRUE;
}

gboolean
kd_rsp_request_qemu_get_phys (KdRspRequest *req, const KdRspFeatures *features, GError **error)
{
	return qemu (req, features, KD_RSP_HAS_QEMU_PHYS, "qqemu.PhyMemMode", error);
}

gboolean
kd_rsp_request_qemu_set_phys (
	KdRspRequest *req, const KdRspFeatures *features, gboolean on, GError **error)
{
	return qemu (req, features, KD_RSP_HAS_QEMU_PHYS,
		on ? "Qqemu.PhyMemMode:1" : "Qqemu.PhyMemMode:0", error);
}
