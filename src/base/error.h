/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* Failures of the base layer's parsers. Messages are one line, lower case, without a full stop. */
typedef enum {
	KD_BASE_ERROR_SYNTAX,    /* not the form asked for */
	KD_BASE_ERROR_TOO_LARGE, /* over a length, count or depth limit */
	KD_BASE_ERROR_MISSING,   /* a required member is absent */
	KD_BASE_ERROR_KIND,      /* a member is there but of another kind */
	KD_BASE_ERROR_RANGE,     /* a number does not fit */
} KdBaseError;

#define KD_BASE_ERROR (kd_base_error_quark())
GQuark kd_base_error_quark (void);
