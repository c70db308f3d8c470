/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hex.h"
#include "image/debuginfod.h"
#include "image/image-private.h"

/* Files looked at in one directory of kernels. */
#define CANDIDATES_MAX 256
/* And in one directory of modules. */
#define MODULES_MAX 16384

/* The file's build-id; 0: it has none, or is no ELF file. */
static size_t
build_id_of (const char *path, uint8_t ret_id[KD_BUILD_ID_MAX])
{
	g_autoptr (KdFileMap) file = kd_file_map_open (path, 0, NULL);
	KdElf elf = {0};
	size_t id_len = 0;

	if (file && kd_elf_init (&elf, file->data, file->len, NULL)) {
		id_len = elf.build_id_len;
		memcpy (ret_id, elf.build_id, id_len);
	}
	kd_elf_clear (&elf);
	return id_len;
}

static gboolean
has_build_id (const char *path, const uint8_t *build_id, size_t build_id_len)
{
	uint8_t id[KD_BUILD_ID_MAX];

	return build_id_of (path, id) == build_id_len && memcmp (id, build_id, build_id_len) == 0;
}

static char *
read_build_id (const char *path)
{
	uint8_t id[KD_BUILD_ID_MAX];
	size_t len = build_id_of (path, id);

	return len ? kd_hex_to_string (id, len) : g_strdup ("none");
}

/* DIR/.build-id/xx/yyyy.debug, as gdb, elfutils and the distributions have it. */
static char *
find_by_build_id (const char *dir, const uint8_t *build_id, size_t build_id_len)
{
	g_autofree char *first = kd_hex_to_string (build_id, 1);
	g_autofree char *rest = kd_hex_to_string (build_id + 1, build_id_len - 1);
	static const char *const suffixes[] = {".debug", ""};

	for (unsigned i = 0; i < G_N_ELEMENTS (suffixes); i++) {
		g_autofree char *path =
			g_strdup_printf ("%s/.build-id/%s/%s%s", dir, first, rest, suffixes[i]);
		if (has_build_id (path, build_id, build_id_len))
			return g_steal_pointer (&path);
	}
	return NULL;
}

/* DIR/vmlinux and DIR/vmlinux-RELEASE, and with `deep` DIR/RELEASE/vmlinux. */
static char *
find_in_directory (const char *dir, gboolean deep, const uint8_t *build_id, size_t build_id_len)
{
	g_autoptr (GDir) open = g_dir_open (dir, 0, NULL);
	const char *name;

	for (unsigned i = 0; open && i < CANDIDATES_MAX && (name = g_dir_read_name (open)); i++) {
		g_autofree char *path = NULL;
		if (deep)
			path = g_build_filename (dir, name, "vmlinux", NULL);
		else if (g_str_has_prefix (name, "vmlinux"))
			path = g_build_filename (dir, name, NULL);
		if (path && has_build_id (path, build_id, build_id_len))
			return g_steal_pointer (&path);
	}
	return NULL;
}

static gboolean
is_module_file (const char *file, const char *module)
{
	size_t len = strlen (module);

	for (size_t i = 0; i < len; i++)
		if ((file[i] == '-' ? '_' : file[i]) != module[i])
			return FALSE;
	return strcmp (file + len, ".ko") == 0 || strcmp (file + len, ".ko.debug") == 0;
}

/* DIR/NAME.ko and DIR/NAME.ko.debug; *ret_other: one of that name which is another build. */
static char *
find_module_in (const char *dir, const char *module, const uint8_t *build_id, size_t build_id_len,
	char **ret_other)
{
	g_autoptr (GDir) open = g_dir_open (dir, 0, NULL);
	const char *name;

	for (unsigned i = 0; open && i < MODULES_MAX && (name = g_dir_read_name (open)); i++) {
		if (!is_module_file (name, module))
			continue;
		g_autofree char *path = g_build_filename (dir, name, NULL);

		if (has_build_id (path, build_id, build_id_len))
			return g_steal_pointer (&path);
		g_free (*ret_other);
		*ret_other = g_steal_pointer (&path);
	}
	return NULL;
}

static char *
find_under (const char *dir, const uint8_t *build_id, size_t build_id_len)
{
	static const struct {
		const char *below;
		gboolean deep;
	} places[] = {
		{"", FALSE}, {"boot", FALSE}, {"lib/modules", TRUE}, {"usr/lib/modules", TRUE}};
	char *path = find_by_build_id (dir, build_id, build_id_len);

	for (unsigned i = 0; !path && i < G_N_ELEMENTS (places); i++) {
		g_autofree char *place = g_build_filename (dir, places[i].below, NULL);
		path = find_in_directory (place, places[i].deep, build_id, build_id_len);
	}
	return path;
}

/* *ret_why as of kd_debuginfod_find(). */
static char *
find_by_debuginfod (const KdImageOptions *options, char **ret_why)
{
	g_autofree char *path = NULL;

	if (options->no_debuginfod)
		return NULL;
	path = kd_debuginfod_find (
		options->build_id, options->build_id_len, options->cancellable, ret_why);
	if (!path || has_build_id (path, options->build_id, options->build_id_len))
		return g_steal_pointer (&path);
	*ret_why = g_strdup_printf ("%s, which it gave, has another build-id", path);
	return NULL;
}

static const char *const standard_dirs[] = {"/usr/lib/debug", "/", NULL};

static gboolean
check_id (const KdImageOptions *options, const char *hint, GError **error)
{
	if (options->build_id && options->build_id_len >= 2 &&
		options->build_id_len <= KD_BUILD_ID_MAX)
		return TRUE;
	g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_FOUND, "%s", hint);
	return FALSE;
}

char *
kd_image_find_module (const char *module, const KdImageOptions *options, GError **error)
{
	const uint8_t *build_id = options->build_id;
	const char *const *debug_dirs = options->debug_dirs;
	size_t build_id_len = options->build_id_len;
	g_autofree char *hint =
		g_strdup_printf ("module %s has no build-id to find its file by", module);
	g_autofree char *other = NULL, *why = NULL, *id = NULL;
	char *path = NULL;

	if (!check_id (options, hint, error))
		return NULL;
	for (unsigned i = 0; !path && debug_dirs && debug_dirs[i]; i++) {
		path = find_by_build_id (debug_dirs[i], build_id, build_id_len);
		if (!path)
			path = find_module_in (
				debug_dirs[i], module, build_id, build_id_len, &other);
	}
	for (unsigned i = 0; !path && standard_dirs[i]; i++)
		path = find_by_build_id (standard_dirs[i], build_id, build_id_len);
	if (!path)
		path = find_by_debuginfod (options, &why);
	if (path)
		return path;
	id = kd_hex_to_string (build_id, build_id_len);
	if (other) {
		g_autofree char *other_id = read_build_id (other);

		g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_MISMATCH,
			"%s is another build: its build-id is %s, the running module %s has %s",
			other, other_id, module, id);
	} else
		g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_FOUND,
			"no file for module %s with build-id %s (give --debug-dir)", module, id);
	return NULL;
}

char *
kd_image_find (const KdImageOptions *options, GError **error)
{
	const char *const *debug_dirs = options->debug_dirs;
	g_autofree char *why = NULL, *id = NULL, *dirs = NULL;
	char *path = NULL;

	if (!check_id (options, "no vmlinux given and no build-id to look for (give --vmlinux)",
		    error))
		return NULL;
	for (unsigned i = 0; !path && debug_dirs && debug_dirs[i]; i++)
		path = find_under (debug_dirs[i], options->build_id, options->build_id_len);
	for (unsigned i = 0; !path && standard_dirs[i]; i++)
		path = find_under (standard_dirs[i], options->build_id, options->build_id_len);
	if (!path)
		path = find_by_debuginfod (options, &why);
	if (path)
		return path;
	id = kd_hex_to_string (options->build_id, options->build_id_len);
	dirs = debug_dirs ? g_strjoinv (", ", (char **)debug_dirs) : NULL;
	g_set_error (error, KD_IMAGE_ERROR, KD_IMAGE_ERROR_NOT_FOUND,
		"no vmlinux with build-id %s in %s%s/usr/lib/debug, /boot, /lib/modules%s%s (give "
		"--vmlinux FILE or --debug-dir DIR)",
		id, dirs ? dirs : "", dirs && *dirs ? ", " : "", why ? "; debuginfod: " : "",
		why ? why : "");
	return NULL;
}
