/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/descriptors.h"

#include <sys/resource.h>

#define RESERVED_MAX 64

void
kd_descriptors_raise_limit (void)
{
	struct rlimit limit;

	if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit (RLIMIT_NOFILE, &limit);
	}
}

gboolean
kd_descriptors_are_short (int fd, gboolean sessions)
{
	struct rlimit limit;
	rlim_t reserved;

	if (getrlimit (RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return FALSE;
	reserved = MIN (limit.rlim_cur / 4, RESERVED_MAX);
	return (rlim_t)fd + 1 + (sessions ? 2 * reserved : reserved) > limit.rlim_cur;
}
