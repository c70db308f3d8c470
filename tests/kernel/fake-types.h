/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* Raw BTF of the types that fake-kernel.h tells. */
GBytes *fake_types_new (void);
