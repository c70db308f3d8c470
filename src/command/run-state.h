/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"

/* The result of commands that let the machine run or stop it: {state, stop}. */
JsonNode *kd_run_state_json (KdSession *session);
void kd_run_state_render (JsonNode *result, KdText *text);
