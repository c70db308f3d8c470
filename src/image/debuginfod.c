/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/debuginfod.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#define LIBRARY "libdebuginfod.so.1"

/* elfutils/debuginfod.h: the part of it used here, since 0.180. */
typedef struct debuginfod_client Client;
typedef int (*ProgressFunc) (Client *client, long done, long of);

typedef struct {
	Client *(*begin) (void);
	int (*find_debuginfo) (
		Client *client, const unsigned char *build_id, int build_id_len, char **ret_path);
	void (*end) (Client *client);
	void (*set_progressfn) (Client *client, ProgressFunc func);
	void (*set_user_data) (Client *client, void *data);
	void *(*get_user_data) (Client *client);
} Library;

static const Library *
library (void)
{
	static Library loaded;
	static gsize once;

	if (g_once_init_enter (&once)) {
		void *handle = dlopen (LIBRARY, RTLD_NOW | RTLD_LOCAL);
		const struct {
			const char *name;
			void **func;
		} functions[] = {
			{"debuginfod_begin", (void **)&loaded.begin},
			{"debuginfod_find_debuginfo", (void **)&loaded.find_debuginfo},
			{"debuginfod_end", (void **)&loaded.end},
			{"debuginfod_set_progressfn", (void **)&loaded.set_progressfn},
			{"debuginfod_set_user_data", (void **)&loaded.set_user_data},
			{"debuginfod_get_user_data", (void **)&loaded.get_user_data},
		};
		gsize found = 1;

		for (size_t i = 0; i < G_N_ELEMENTS (functions); i++) {
			*functions[i].func = handle ? dlsym (handle, functions[i].name) : NULL;
			if (!*functions[i].func)
				found = 2;
		}
		g_once_init_leave (&once, found);
	}
	return once == 1 ? &loaded : NULL;
}

/* Called now and then while it waits; anything but 0 ends that. */
static int
progress (Client *client, long done, long of)
{
	return g_cancellable_is_cancelled (library()->get_user_data (client));
}

char *
kd_debuginfod_find (
	const uint8_t *build_id, size_t build_id_len, GCancellable *cancellable, char **ret_why)
{
	const char *urls = g_getenv ("DEBUGINFOD_URLS");
	const Library *lib = NULL;
	Client *client = NULL;
	char *found = NULL, *path;
	int fd;

	*ret_why = NULL;
	if (!urls || !*urls)
		*ret_why = g_strdup ("not asked, as DEBUGINFOD_URLS is not set for kvmdbgd");
	else if (!(lib = library()))
		*ret_why = g_strdup (LIBRARY " is not here");
	else if (!(client = lib->begin()))
		*ret_why = g_strdup (LIBRARY " does not work here");
	if (!client)
		return NULL;
	lib->set_user_data (client, cancellable);
	if (cancellable)
		lib->set_progressfn (client, progress);
	fd = lib->find_debuginfo (client, build_id, (int)build_id_len, &found);
	lib->end (client);
	if (fd < 0) {
		*ret_why = g_strdup_printf ("%s: %s", urls, g_strerror (-fd));
		return NULL;
	}
	close (fd);
	path = g_strdup (found);
	free (found);
	return path;
}
