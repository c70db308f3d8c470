/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz-ask.h"
#include "fuzz.h"
#include "image/debuginfod.h"

/*
 * A file that a debuginfod server gave for a build-id, of a kernel and of a module. Mostly the one
 * asked for is the one that it has.
 */
static char *answer;

char *
kd_debuginfod_find (
	const uint8_t *build_id, size_t build_id_len, GCancellable *cancellable, char **ret_why)
{
	*ret_why = NULL;
	return g_strdup (answer);
}

/* What the file says of itself. */
static size_t
claimed_build_id (const uint8_t *data, size_t size, uint8_t ret_id[KD_BUILD_ID_MAX])
{
	KdElf elf = {0};
	size_t len = 0;

	if (kd_elf_init (&elf, data, size, NULL)) {
		len = elf.build_id_len;
		memcpy (ret_id, elf.build_id, len);
	}
	kd_elf_clear (&elf);
	return len;
}

static void
open_image (KdImageOptions *options, const char *module)
{
	g_autoptr (GError) error = NULL;
	g_autoptr (KdImage) image = module ? kd_image_open_module (module, options, &error)
					   : kd_image_open (options, &error);
	const uint8_t *id;
	size_t len;

	g_assert_true ((image == NULL) == (error != NULL));
	if (!image)
		return;
	id = kd_image_build_id (image, &len);
	g_assert_cmpmem (id, len, options->build_id, options->build_id_len);
	fuzz_ask_image (image);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	int fd = memfd_create ("debuginfo", MFD_CLOEXEC);
	uint8_t id[KD_BUILD_ID_MAX] = {1};
	KdImageOptions options = {.build_id = id, .no_cache = TRUE};

	if (fd < 0)
		return 0;
	if (write (fd, data, size) == (gssize)size) {
		answer = g_strdup_printf ("/proc/self/fd/%d", fd);
		options.build_id_len = claimed_build_id (data, size, id);
		if (options.build_id_len == 0 || size % 4 == 0) {
			options.build_id_len = 20;
			id[0] ^= 1;
		}
		open_image (&options, NULL);
		open_image (&options, "kvm");
		g_clear_pointer (&answer, g_free);
	}
	close (fd);
	return 0;
}
