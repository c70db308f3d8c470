/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

/* The tree of `status`, which attach answers too. New. */
JsonObject *kd_status_json (KdSession *session);
void kd_status_render (JsonObject *status, KdText *text);
