/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/out-queue.h"

void
kd_out_queue_init (KdOutQueue *queue)
{
	*queue = (KdOutQueue){g_byte_array_new(), 0};
}

void
kd_out_queue_clear (KdOutQueue *queue)
{
	g_clear_pointer (&queue->bytes, g_byte_array_unref);
}

void
kd_out_queue_append (KdOutQueue *queue, const void *bytes, size_t len)
{
	g_byte_array_append (queue->bytes, bytes, (guint)len);
}

const uint8_t *
kd_out_queue_peek (const KdOutQueue *queue, size_t *ret_len)
{
	*ret_len = queue->bytes->len - queue->done;
	/* An empty array has no data at all. */
	return *ret_len ? queue->bytes->data + queue->done : NULL;
}

void
kd_out_queue_written (KdOutQueue *queue, size_t len)
{
	g_return_if_fail (len <= queue->bytes->len - queue->done);
	queue->done += len;
	if (queue->done < queue->bytes->len)
		return;
	g_byte_array_set_size (queue->bytes, 0);
	queue->done = 0;
}

gboolean
kd_out_queue_is_empty (const KdOutQueue *queue)
{
	return queue->done == queue->bytes->len;
}
