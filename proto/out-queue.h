/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/* Bytes on their way out: a protocol appends, whoever holds the socket takes from the front. */
typedef struct {
	GByteArray *bytes;
	size_t done; /* of `bytes`: written already */
} KdOutQueue;

void kd_out_queue_init (KdOutQueue *queue);
void kd_out_queue_clear (KdOutQueue *queue);
void kd_out_queue_append (KdOutQueue *queue, const void *bytes, size_t len);
/* What is to be written now; *ret_len 0 and NULL: nothing. Valid until the next append. */
const uint8_t *kd_out_queue_peek (const KdOutQueue *queue, size_t *ret_len);
void kd_out_queue_written (KdOutQueue *queue, size_t len);
gboolean kd_out_queue_is_empty (const KdOutQueue *queue);
