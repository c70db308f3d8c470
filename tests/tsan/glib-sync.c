/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dlfcn.h>
#include <glib.h>

/*
 * Loaded in front of GLib (LD_PRELOAD) where programs run under ThreadSanitizer. GLib itself is not
 * instrumented, and its locks are futexes of its own: that one thread's unlock comes before
 * another's lock, or a push before its pop, is told to the sanitizer here. What GLib does by
 * pthread functions, threads and joins, it sees by itself.
 */
extern void __tsan_acquire (void *addr) __attribute__ ((weak));
extern void __tsan_release (void *addr) __attribute__ ((weak));

static void
acquire (void *addr)
{
	if (__tsan_acquire)
		__tsan_acquire (addr);
}

static void
release (void *addr)
{
	if (__tsan_release)
		__tsan_release (addr);
}

/* GLib's own function of this name. */
#define REAL(name) ((typeof (&name))dlsym (RTLD_NEXT, #name))

#define EXPORT __attribute__ ((visibility ("default")))

EXPORT void
g_mutex_lock (GMutex *mutex)
{
	REAL (g_mutex_lock) (mutex);
	acquire (mutex);
}

EXPORT gboolean
g_mutex_trylock (GMutex *mutex)
{
	gboolean locked = REAL (g_mutex_trylock) (mutex);

	if (locked)
		acquire (mutex);
	return locked;
}

EXPORT void
g_mutex_unlock (GMutex *mutex)
{
	release (mutex);
	REAL (g_mutex_unlock) (mutex);
}

EXPORT void
g_cond_wait (GCond *cond, GMutex *mutex)
{
	release (mutex);
	REAL (g_cond_wait) (cond, mutex);
	acquire (mutex);
}

EXPORT gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
	gboolean signalled;

	release (mutex);
	signalled = REAL (g_cond_wait_until) (cond, mutex, end_time);
	acquire (mutex);
	return signalled;
}

EXPORT void
g_async_queue_push (GAsyncQueue *queue, gpointer data)
{
	release (queue);
	REAL (g_async_queue_push) (queue, data);
}

EXPORT gpointer
g_async_queue_try_pop (GAsyncQueue *queue)
{
	gpointer data = REAL (g_async_queue_try_pop) (queue);

	acquire (queue);
	return data;
}

EXPORT gpointer
g_async_queue_pop (GAsyncQueue *queue)
{
	gpointer data = REAL (g_async_queue_pop) (queue);

	acquire (queue);
	return data;
}
