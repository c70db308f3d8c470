/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "target/rsp-link.h"

/* Shared by rsp-link.c and rsp-memory.c only. */

struct KdRspLink {
	KdTransport *transport;
	KdRspClient *client;
	KdRspRequest request;
	KdSilence *silence;
	gint64 first_us; /* that the first answer may take: who serves another client is silent */
	KdRspLinkStopFunc stop_func;
	void *stop_data;
	GString *output; /* of the monitor command in flight; NULL: thrown away */
	gboolean is_stub, closed, given_up, pipelined;
	gboolean peer_closed;
	gboolean leaves_detach; /* when it is closed */
	char *why_closed;
	size_t noise;               /* bytes since the last answer */
	gboolean stopped_meanwhile; /* a stop nobody asked for came since the last request */
	gboolean phys_on;           /* physical mode is on at the stub, or may be */
	guint nr_stops, nr_asked_stops;
};

/* Before a request: the link is open, nothing is cancelled, and nobody else's answer is owed. */
gboolean kd_rsp_link_ready (KdRspLink *link, GError **error);
/* The request that was built. */
gboolean kd_rsp_link_send_request (KdRspLink *link, GError **error);
/* The answer to the (first) request in flight. */
gboolean kd_rsp_link_await (KdRspLink *link, KdRspAnswer *ret_answer, GError **error);
/* Puts the stub's `m` back to virtual memory if an earlier call had to leave it physical. */
gboolean kd_rsp_link_phys_off (KdRspLink *link, GError **error);
