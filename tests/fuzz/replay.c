/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

/*
 * Runs a fuzz target over files instead of under libFuzzer: the seed corpus, and each input that
 * once broke something. Arguments are files and folders.
 */
static guint
replay (const char *path)
{
	g_autoptr (GError) error = NULL;
	g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
	g_autofree char *bytes = NULL;
	g_autofree uint8_t *copy = NULL;
	const char *name;
	guint n = 0;
	gsize len;

	if (dir) {
		while ((name = g_dir_read_name (dir))) {
			g_autofree char *child = g_build_filename (path, name, NULL);

			n += replay (child);
		}
		return n;
	}
	if (!g_file_get_contents (path, &bytes, &len, &error))
		g_error ("%s", error->message);
	/* Of its own size, so that a sanitizer sees reads past the end. */
	copy = g_memdup2 (bytes, len);
	LLVMFuzzerTestOneInput (copy, len);
	return 1;
}

int
main (int argc, char **argv)
{
	guint n = 0;

	for (int i = 1; i < argc; i++)
		n += replay (argv[i]);
	printf ("%u inputs\n", n);
	return n > 0 ? 0 : 1;
}
