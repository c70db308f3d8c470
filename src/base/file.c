/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/file.h"

#include <errno.h>
#include <unistd.h>

gboolean
kd_read_at (int fd, uint64_t offset, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread (fd, (uint8_t *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return FALSE;
		done += (size_t)n;
	}
	return TRUE;
}
