/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "image/image.h"

/* Asks an image for everything it seems to have: symbols, types, lines, rules. */
void fuzz_ask_image (KdImage *image);
