/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "base/cursor.h"

/*
 * What libdw does with a CIE or an FDE of .debug_frame costs no more than a real one: it allocates
 * and clears an array up to the highest register that is named (2 GiB of it, for a few bytes of
 * file), and copies that for each remembered state. The cursor is behind the entry's id. FALSE:
 * something no compiler writes for a kernel.
 */
gboolean kd_cfi_cie_is_sane (KdCursor cie);
gboolean kd_cfi_fde_is_sane (KdCursor fde);
