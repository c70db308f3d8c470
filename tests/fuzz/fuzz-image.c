/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz-ask.h"
#include "fuzz.h"

/* A file as somebody gives it to --vmlinux: opened, then asked for everything it seems to have. */

static void
ask (const char *path, gboolean no_btf)
{
	g_autoptr (GError) error = NULL;
	g_autoptr (KdImage) image = kd_image_open (
		&(KdImageOptions){.path = path, .no_cache = TRUE, .no_btf = no_btf}, &error);

	g_assert_true ((image == NULL) == (error != NULL));
	if (image)
		fuzz_ask_image (image);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	int fd = memfd_create ("vmlinux", MFD_CLOEXEC);
	g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);

	if (fd < 0)
		return 0;
	if (write (fd, data, size) == (gssize)size) {
		ask (path, FALSE);
		ask (path, TRUE);
	}
	close (fd);
	return 0;
}
