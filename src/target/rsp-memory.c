/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/rsp-link-private.h"

#include <inttypes.h>

#include "target/target.h"

/* Requests of one read that are on their way. */
typedef struct {
	uint64_t addr;
	uint8_t *buf;
	size_t len, sent, got;
	size_t chunk;
	GError *fault; /* the first; the rest is only waited for */
} MemoryRead;

static void
take_piece (MemoryRead *read, const KdRspAnswer *answer)
{
	size_t want = MIN (read->chunk, read->len - read->got), got = 0;
	GError *why = NULL;

	if (read->fault)
		return;
	if (kd_rsp_parse_memory (
		    answer->payload, answer->len, want, read->buf + read->got, &got, &why))
		read->got += got;
	if (!why && got == want)
		return;
	if (!why || why->code == KD_PROTO_ERROR_REMOTE)
		g_set_error (&read->fault, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT,
			"the stub cannot read 0x%" PRIx64 " (%s)", read->addr + read->got,
			why ? why->message : "short answer");
	else
		kd_rsp_link_propagate (&read->fault, g_steal_pointer (&why));
	g_clear_error (&why);
}

/* Sends as many requests as the window holds and takes answers until all have come. */
static gboolean
run_read (KdRspLink *link, MemoryRead *read, GError **error)
{
	guint window = link->pipelined ? KD_RSP_WINDOW_MAX - 2 : 1, flying = 0;
	KdRspAnswer answer;

	while (read->sent < read->len || flying > 0) {
		/* Half a window at a time: one system call sends many. */
		if (flying <= window / 2) {
			while (flying < window && read->sent < read->len && !read->fault) {
				size_t len = MIN (read->chunk, read->len - read->sent);

				if (!kd_rsp_request_read_memory (&link->request,
					    kd_rsp_link_features (link), read->addr + read->sent,
					    len, error) ||
					!kd_rsp_link_send_request (link, error))
					return FALSE;
				read->sent += len;
				flying++;
			}
			if (flying == 0)
				break;
		}
		if (!kd_rsp_link_await (link, &answer, error))
			return FALSE;
		flying--;
		take_piece (read, &answer);
	}
	return TRUE;
}

static gboolean
set_phys (KdRspLink *link, gboolean on, GError **error)
{
	KdRspAnswer answer;
	GError *why = NULL;

	if (!kd_rsp_request_qemu_set_phys (&link->request, kd_rsp_link_features (link), on, &why)) {
		kd_rsp_link_propagate (error, why);
		return FALSE;
	}
	/* From here on it may be on, whatever becomes of the answer. */
	link->phys_on = TRUE;
	if (!kd_rsp_link_send_request (link, error) || !kd_rsp_link_await (link, &answer, error))
		return FALSE;
	if (!kd_rsp_parse_ok (answer.payload, answer.len, &why)) {
		kd_rsp_link_propagate (error, why);
		return FALSE;
	}
	link->phys_on = on;
	return TRUE;
}

/* Short reads: switch, read and switch back in one write. */
static gboolean
read_phys_batch (KdRspLink *link, MemoryRead *read, GError **error)
{
	const KdRspFeatures *features = kd_rsp_link_features (link);
	size_t nr = 0;
	KdRspAnswer answer;
	GError *why = NULL;

	if (!kd_rsp_request_qemu_set_phys (&link->request, features, TRUE, &why)) {
		kd_rsp_link_propagate (error, why);
		return FALSE;
	}
	if (!kd_rsp_link_send_request (link, error))
		return FALSE;
	for (; read->sent < read->len; nr++) {
		size_t len = MIN (read->chunk, read->len - read->sent);

		if (!kd_rsp_request_read_memory (
			    &link->request, features, read->addr + read->sent, len, error) ||
			!kd_rsp_link_send_request (link, error))
			return FALSE;
		read->sent += len;
	}
	if (!kd_rsp_request_qemu_set_phys (&link->request, features, FALSE, error) ||
		!kd_rsp_link_send_request (link, error) ||
		!kd_rsp_link_await (link, &answer, error))
		return FALSE;
	if (!kd_rsp_parse_ok (answer.payload, answer.len, &why))
		kd_rsp_link_propagate (&read->fault, why);
	for (; nr > 0; nr--) {
		if (!kd_rsp_link_await (link, &answer, error))
			return FALSE;
		take_piece (read, &answer);
	}
	return kd_rsp_link_await (link, &answer, error);
}

gboolean
kd_rsp_link_read_memory (KdRspLink *link, gboolean phys, uint64_t addr, uint8_t *buf, size_t len,
	size_t *ret_got, GError **error)
{
	MemoryRead read = {.addr = addr, .buf = buf, .len = len};
	gboolean ok;

	*ret_got = 0;
	if (!kd_rsp_link_ready (link, error))
		return FALSE;
	read.chunk = kd_rsp_read_memory_max (kd_rsp_link_features (link));
	link->stopped_meanwhile = FALSE;
	if (phys && link->pipelined && len <= 8 * read.chunk) {
		ok = read_phys_batch (link, &read, error);
	} else if (phys) {
		g_autoptr (GError) off_error = NULL;

		ok = set_phys (link, TRUE, error) && run_read (link, &read, error);
		/* A failure here leaves phys_on set: the next request switches it off first. */
		if (ok)
			set_phys (link, FALSE, &off_error);
	} else {
		ok = kd_rsp_link_phys_off (link, error) && run_read (link, &read, error);
	}
	*ret_got = read.got;
	if (!ok) {
		g_clear_error (&read.fault);
		return FALSE;
	}
	if (read.fault) {
		g_propagate_error (error, read.fault);
		return FALSE;
	}
	return TRUE;
}

static gboolean
write_pieces (KdRspLink *link, uint64_t addr, const uint8_t *buf, size_t len, GError **error)
{
	const KdRspFeatures *features = kd_rsp_link_features (link);
	size_t chunk = kd_rsp_write_memory_max (features);

	for (size_t done = 0; done < len;) {
		size_t n = MIN (chunk, len - done);
		KdRspAnswer answer;
		GError *why = NULL;

		if (kd_rsp_request_write_memory (
			    &link->request, features, addr + done, buf + done, n, &why) &&
			kd_rsp_client_send (link->client, &link->request, &why)) {
			if (!kd_rsp_link_await (link, &answer, error))
				return FALSE;
			kd_rsp_parse_ok (answer.payload, answer.len, &why);
		}
		if (why) {
			g_prefix_error (&why, "write at 0x%" PRIx64 ": ", addr + done);
			kd_rsp_link_propagate (error, why);
			return FALSE;
		}
		done += n;
	}
	return TRUE;
}

gboolean
kd_rsp_link_write_memory (KdRspLink *link, gboolean phys, uint64_t addr, const uint8_t *buf,
	size_t len, GError **error)
{
	gboolean ok;

	if (!kd_rsp_link_ready (link, error))
		return FALSE;
	if (!phys)
		return kd_rsp_link_phys_off (link, error) &&
		       write_pieces (link, addr, buf, len, error);
	ok = set_phys (link, TRUE, error) && write_pieces (link, addr, buf, len, error);
	if (link->phys_on && !link->closed)
		set_phys (link, FALSE, NULL);
	return ok;
}
