/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/silence.h"

/*
 * A peer on a busy machine takes this long now and then, and a command may have a hundred thousand
 * requests. Attaching has few.
 */
#define ANSWER_US (20 * 1000)
#define PROGRESS_US G_USEC_PER_SEC
#define MONITOR_SHARE 3

void
kd_silence_begin (KdSilence *silence, unsigned limit_ms, gboolean strict)
{
	*silence = (KdSilence){
		.limit_us = (gint64)limit_ms * 1000, .answer_us = strict ? 0 : ANSWER_US};
}

gint64
kd_silence_left (const KdSilence *silence, KdSilencePeer peer)
{
	gint64 left_us = silence->limit_us - silence->spent_us;

	if (peer == KD_SILENCE_MONITOR)
		left_us = MIN (left_us, silence->limit_us / MONITOR_SHARE - silence->monitor_us);
	return MAX (left_us, 0);
}

void
kd_silence_charge (KdSilence *silence, KdSilencePeer peer, gint64 start_us, gboolean answered)
{
	gint64 took_us = g_get_monotonic_time() - start_us - (answered ? silence->answer_us : 0);

	silence->spent_us = MAX (silence->spent_us + took_us, 0);
	if (peer == KD_SILENCE_MONITOR)
		silence->monitor_us = MAX (silence->monitor_us + took_us, 0);
}

void
kd_silence_use_up_monitor (KdSilence *silence)
{
	silence->monitor_us = silence->limit_us;
}

void
kd_silence_progress (KdSilence *silence)
{
	silence->spent_us = MAX (silence->spent_us - PROGRESS_US, 0);
}

char *
kd_silence_text (gint64 us)
{
	if (us >= 2 * G_USEC_PER_SEC || us % G_USEC_PER_SEC == 0)
		return g_strdup_printf ("%d s", (int)((us + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC));
	return g_strdup_printf ("%d ms", (int)(us / 1000));
}
