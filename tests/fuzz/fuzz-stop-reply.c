/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "proto/rsp-packet.h"
#include "proto/stop-reply.h"

/* A payload, as every parser of replies gets it. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autofree char *payload = g_malloc (size + 1);
	g_autoptr (KdStopReply) stop = NULL;
	g_autoptr (GByteArray) xml = g_byte_array_new();
	g_autoptr (GArray) threads = g_array_new (FALSE, FALSE, sizeof (KdRspThread));
	g_autofree char *text = NULL, *monitor = NULL;
	KdRspFeatures features = KD_RSP_FEATURES_INIT;
	uint8_t bytes[64];
	KdRspThread thread;
	gboolean flag;
	guint bits;
	size_t got;

	for (size_t i = 0; i < size; i++)
		payload[i] = (char)data[i];
	payload[size] = '\0';
	stop = kd_stop_reply_parse (payload, size, NULL);
	g_assert_true (!stop || kd_stop_reply_matches (payload, size));
	if (stop)
		g_assert_nonnull (kd_stop_reply_word (stop));
	kd_rsp_parse_ok (payload, size, NULL);
	kd_rsp_parse_supported (payload, size, &features, NULL);
	kd_rsp_parse_vcont_actions (payload, size, &features, NULL);
	kd_rsp_parse_qemu_supported (payload, size, &features, NULL);
	g_assert_cmpuint (features.packet_size, >=, KD_RSP_PACKET_SIZE_MIN);
	if (kd_rsp_parse_memory (payload, size, sizeof bytes, bytes, &got, NULL))
		g_assert_cmpuint (got, <=, sizeof bytes);
	if (kd_rsp_parse_registers (payload, size, sizeof bytes, bytes, &got, &flag, NULL))
		g_assert_cmpuint (got, <=, sizeof bytes);
	kd_rsp_parse_xfer (payload, size, xml, &flag, NULL);
	kd_rsp_parse_thread_info (payload, size, threads, &flag, NULL);
	kd_rsp_parse_current_thread (payload, size, &thread, NULL);
	kd_rsp_parse_attached (payload, size, &flag, NULL);
	text = kd_rsp_parse_hex_text (payload, size, NULL);
	monitor = kd_rsp_parse_monitor (payload, size, NULL);
	kd_rsp_parse_qemu_sstepbits (payload, size, &bits, NULL);
	kd_rsp_parse_qemu_sstep (payload, size, &bits, NULL);
	kd_rsp_parse_qemu_phys (payload, size, &flag, NULL);
	return 0;
}
