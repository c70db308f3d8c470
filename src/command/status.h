/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

/* The tree of `status`, which attach answers too. New. */
JsonObject *kd_status_json (KdSession *session);
/* Of a session that has no machine yet, without asking its thread. New. */
JsonNode *kd_status_attaching (const char *name, const char *address);
void kd_status_render (JsonObject *status, KdText *text);
