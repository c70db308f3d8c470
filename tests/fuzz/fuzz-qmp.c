/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "proto/qmp.h"

/* Outcomes of the bytes in chunks: kinds, ids and codes. */
static GString *
run (const uint8_t *data, size_t size, size_t chunk)
{
	g_autoptr (KdQmpClient) client = kd_qmp_client_new();
	GString *log = g_string_new (NULL);

	for (size_t at = 0; at < size;) {
		g_auto (KdQmpMessage) msg = {0};
		g_autoptr (GError) error = NULL;
		g_autofree char *text = NULL;
		size_t used;
		guint64 id;
		KdDecode outcome = kd_qmp_client_feed (
			client, data + at, MIN (chunk, size - at), &used, &msg, &error);

		at += used;
		if (outcome == KD_DECODE_FAILED)
			g_string_append_printf (log, "!%d", error->code);
		if (outcome != KD_DECODE_MESSAGE)
			continue;
		g_string_append_printf (log, "<%d %" G_GUINT64_FORMAT, msg.kind, msg.id);
		if (msg.kind == KD_QMP_READY)
			for (int i = 0; i < 4; i++)
				kd_qmp_client_call_hmp (client, "info status", i, &id, NULL);
		if (msg.kind == KD_QMP_RETURN)
			text = kd_qmp_parse_hmp (msg.value, NULL);
	}
	for (;;) {
		g_auto (KdQmpMessage) msg = {0};

		if (!kd_qmp_client_eof (client, &msg))
			break;
	}
	return log;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	g_autoptr (GString) whole = run (data, size, MAX (size, 1));
	g_autoptr (GString) bytes = run (data, size, 1);

	g_assert_true (g_string_equal (whole, bytes));
	return 0;
}
