/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * How long the peers of one target, the gdb stub and the monitor, may owe answers within one
 * command: all its requests together, whatever else the peers send meanwhile. What a command waits
 * for because the user said so (a machine that runs) is not charged.
 */
typedef struct {
	gint64 limit_us;   /* of one command */
	gint64 answer_us;  /* that each answer may take for nothing */
	gint64 spent_us;   /* by both */
	gint64 monitor_us; /* of it, by the monitor */
} KdSilence;

typedef enum {
	KD_SILENCE_STUB,
	KD_SILENCE_MONITOR, /* may use up a third: most of what it is asked can be had without it */
} KdSilencePeer;

/* A command begins. `strict`: it is made of few requests, so that no answer's time is free. */
void kd_silence_begin (KdSilence *silence, unsigned limit_ms, gboolean strict);
/* How long the peer may still be silent. */
gint64 kd_silence_left (const KdSilence *silence, KdSilencePeer peer);
/* Since `start_us` an answer has been owed, and has come or not. */
void kd_silence_charge (KdSilence *silence, KdSilencePeer peer, gint64 start_us, gboolean answered);
/* The monitor is not asked any more in this command. */
void kd_silence_use_up_monitor (KdSilence *silence);
/* A stop was reached that the user waits for, one of many perhaps: it makes up for a second. */
void kd_silence_progress (KdSilence *silence);

/* "30 s", "500 ms"; new string. */
char *kd_silence_text (gint64 us);
