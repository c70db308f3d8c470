/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/module.h"

/*
 * Where its code lies that it keeps after its start: appends to `ranges`, of KdModuleRange. FALSE:
 * its file was not found, or its relocations are not known.
 */
gboolean kd_module_code_ranges (KdModule *module, GArray *ranges, GError **error);
/*
 * `len` bytes of code at `start`, in one section, as the module's file has them, relocated to where
 * it was loaded: new bytes.
 */
uint8_t *kd_module_code (KdModule *module, uint64_t start, size_t len, GError **error);
