/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/worker.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/json.h"
#include "command/complete.h"
#include "daemon/descriptors.h"

#define TARGET_FDS_MAX 8

struct KdWorker {
	char *name;
	const KdWorkerFuncs *funcs;
	void *data;
	GMainContext *main;
	GThread *thread;
	GAsyncQueue *queue; /* KdJob, main → worker */
	int wake_fd;        /* eventfd: the queue has something */

	/* Main loop only. */
	GQueue jobs; /* KdJob, borrowed */
	gboolean quitting;
	KdWorkerInfo info;
	char *address, *release;

	/* Worker thread only. */
	KdSession *session;
	KdTargetState seen_state;
	uint64_t seen_generation;
	gboolean had_target;
};

/* News from the thread, handed to the main loop. */
typedef struct {
	KdWorker *worker;
	KdJob *job;        /* done, or NULL */
	char *event;       /* or NULL */
	JsonNode *params;  /* of the event */
	gboolean has_info; /* the fields below are new */
	const char *state;
	char *address, *release;
	unsigned nr_cpus;
	gboolean ended;
} News;

static void
news_free (gpointer data)
{
	News *news = data;

	g_free (news->event);
	g_clear_pointer (&news->params, json_node_unref);
	g_free (news->address);
	g_free (news->release);
	g_free (news);
}

/* --- main loop's side --- */

static gboolean
deliver (gpointer data)
{
	News *news = data;
	KdWorker *worker = news->worker;

	if (news->has_info) {
		g_free (worker->address);
		g_free (worker->release);
		worker->address = g_steal_pointer (&news->address);
		worker->release = g_steal_pointer (&news->release);
		worker->info = (KdWorkerInfo){
			news->state, worker->address, worker->release, news->nr_cpus};
	}
	if (news->event)
		worker->funcs->event (worker, news->event, news->params, worker->data);
	if (news->job) {
		g_queue_remove (&worker->jobs, news->job);
		worker->funcs->done (worker, news->job, worker->data);
	}
	if (news->ended)
		worker->funcs->ended (worker, worker->data);
	return G_SOURCE_REMOVE;
}

static void
post (News *news)
{
	g_autoptr (GSource) source = g_idle_source_new();

	g_source_set_priority (source, G_PRIORITY_DEFAULT);
	g_source_set_callback (source, deliver, news, news_free);
	g_source_attach (source, news->worker->main);
}

void
kd_worker_set_gdb (KdWorker *worker, char **addresses)
{
	g_strfreev (worker->session->gdb);
	worker->session->gdb = addresses;
}

const char *
kd_worker_name (const KdWorker *worker)
{
	return worker->name;
}

const KdWorkerInfo *
kd_worker_info (const KdWorker *worker)
{
	return &worker->info;
}

GQueue *
kd_worker_jobs (KdWorker *worker)
{
	return &worker->jobs;
}

static void
push (KdWorker *worker, KdJob *job)
{
	const uint64_t one = 1;

	g_async_queue_push (worker->queue, job);
	while (write (worker->wake_fd, &one, sizeof (one)) < 0 && errno == EINTR)
		;
}

void
kd_worker_push (KdWorker *worker, KdJob *job)
{
	g_queue_push_tail (&worker->jobs, job);
	push (worker, job);
}

void
kd_worker_quit (KdWorker *worker)
{
	if (worker->quitting)
		return;
	worker->quitting = TRUE;
	for (GList *l = worker->jobs.head; l; l = l->next)
		g_cancellable_cancel (((KdJob *)l->data)->cancellable);
	push (worker, kd_job_new (KD_JOB_QUIT));
}

void
kd_worker_free (KdWorker *worker)
{
	KdJob *job;

	if (!worker)
		return;
	if (worker->thread)
		g_thread_join (worker->thread);
	while ((job = g_async_queue_try_pop (worker->queue)))
		kd_job_free (job);
	g_async_queue_unref (worker->queue);
	g_queue_clear (&worker->jobs);
	close (worker->wake_fd);
	kd_session_free (worker->session);
#ifdef __GLIBC__
	/* A session may have had hundreds of megabytes in small pieces, which glibc keeps. */
	malloc_trim (0);
#endif
	g_main_context_unref (worker->main);
	g_free (worker->address);
	g_free (worker->release);
	g_free (worker->name);
	g_free (worker);
}

/* --- the thread --- */

static News *
news_new (KdWorker *worker)
{
	News *news = g_new0 (News, 1);

	news->worker = worker;
	return news;
}

static void
fill_info (KdWorker *worker, News *news)
{
	const KdSession *session = worker->session;
	const char *address = NULL, *release = NULL;

	news->has_info = TRUE;
	news->state = kd_session_state_name (session);
	if (session->target) {
		address = kd_target_qemu_info (session->target).stub;
		news->nr_cpus = kd_target_nr_cpus (session->target);
	}
	if (session->kernel)
		release = kd_kernel_release (session->kernel);
	news->address = g_strdup (address ? address : "");
	news->release = g_strdup (release ? release : "");
}

static void
post_event (KdWorker *worker, const char *name, JsonObject *params)
{
	News *news = news_new (worker);

	kd_json_set_string (params, "session", worker->name);
	news->event = g_strdup (name);
	news->params = kd_json_object_node (params);
	fill_info (worker, news);
	post (news);
}

static void
post_stopped (KdWorker *worker)
{
	JsonObject *stop = kd_session_stop_json (worker->session);
	JsonObject *params = json_object_new();

	if (stop) {
		g_autofree char *text = kd_session_stop_text (stop);

		kd_json_set_string (params, "text", text);
		json_object_set_object_member (params, "stop", stop);
	}
	post_event (worker, "stopped", params);
}

/* Compares the target with what was last told, and tells the difference. */
static void
tell_changes (KdWorker *worker)
{
	KdTarget *target = worker->session->target;
	KdTargetState state;
	uint64_t generation;

	if (!target) {
		worker->had_target = FALSE;
		return;
	}
	state = kd_target_state (target);
	generation = kd_target_generation (target);
	if (worker->had_target && state == worker->seen_state &&
		generation == worker->seen_generation)
		return;
	if (state == KD_TARGET_LOST) {
		if (!worker->had_target || worker->seen_state != KD_TARGET_LOST)
			post_event (worker, "target-lost", json_object_new());
	} else if (state == KD_TARGET_STOPPED)
		post_stopped (worker);
	else if (state == KD_TARGET_RUNNING &&
		 (!worker->had_target || worker->seen_state != KD_TARGET_RUNNING))
		post_event (worker, "running", json_object_new());
	worker->had_target = TRUE;
	worker->seen_state = state;
	worker->seen_generation = generation;
}

static void
begin (KdSession *session, const KdJob *job)
{
	session->cancellable = job->cancellable;
	session->timeout_ms = job->timeout_ms;
	if (!session->target)
		return;
	kd_target_set_cancellable (session->target, job->cancellable);
	kd_target_begin (session->target, job->timeout_ms);
}

static void
end (KdSession *session)
{
	session->cancellable = NULL;
	if (session->target)
		kd_target_set_cancellable (session->target, NULL);
}

static void
run_command (KdWorker *worker, KdJob *job)
{
	KdSession *session = worker->session;
	g_autoptr (JsonNode) value = NULL;

	begin (session, job);
	/* What puts the machine back is not cancelled: nobody else would do it. */
	if (job->command->flags & KD_COMMAND_ENDS ||
		!g_cancellable_set_error_if_cancelled (job->cancellable, &job->error))
		value = kd_command_execute (job->command, session, job->args, &job->error);
	end (session);
	if (value)
		job->result =
			kd_answer_render (job->command, &job->render, g_steal_pointer (&value));
}

static void
run_func (KdWorker *worker, KdJob *job)
{
	KdSession *session = worker->session;

	begin (session, job);
	job->run (session, job->data);
	end (session);
}

static void
run_complete (KdWorker *worker, KdJob *job)
{
	begin (worker->session, job);
	job->result = kd_complete (worker->session, job->line, job->point);
	end (worker->session);
}

static void
run_job (KdWorker *worker, KdJob *job)
{
	News *news;

	if (job->kind == KD_JOB_FUNC)
		run_func (worker, job);
	else if (!kd_job_take (job, KD_JOB_RUNNING))
		g_cancellable_set_error_if_cancelled (job->cancellable, &job->error);
	else if (job->kind == KD_JOB_COMPLETE)
		run_complete (worker, job);
	else
		run_command (worker, job);
	if (!job->result && !job->error && job->kind != KD_JOB_FUNC)
		g_set_error (&job->error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_FAILED,
			"%s: failed without saying why",
			job->command ? job->command->name : "complete");
	tell_changes (worker);
	news = news_new (worker);
	news->job = job;
	fill_info (worker, news);
	post (news);
}

/* The machine is let go as it was found; nobody is left to hear of a failure but the log. */
static void
close_session (KdWorker *worker)
{
	KdTarget *target = worker->session->target;
	g_autoptr (GError) error = NULL;

	if (!target || kd_target_state (target) == KD_TARGET_LOST)
		return;
	kd_target_begin (target, KD_TARGET_PUT_BACK_MS);
	if (!kd_target_detach (target, TRUE, &error))
		g_warning ("session %s: %s", worker->name, error->message);
}

/* Waits for a job or for the target; dispatches the latter. NULL: look again. */
static KdJob *
next_job (KdWorker *worker)
{
	struct pollfd fds[1 + TARGET_FDS_MAX] = {{worker->wake_fd, POLLIN, 0}};
	KdTarget *target = worker->session->target;
	int target_fds[TARGET_FDS_MAX];
	unsigned nr = 0;
	uint64_t count;

	if (target && kd_target_state (target) != KD_TARGET_LOST)
		nr = MIN (kd_target_poll_fds (target, target_fds, TARGET_FDS_MAX), TARGET_FDS_MAX);
	for (unsigned i = 0; i < nr; i++)
		fds[1 + i] = (struct pollfd){target_fds[i], POLLIN, 0};
	if (poll (fds, 1 + nr, -1) < 0)
		return NULL;
	if (fds[0].revents) {
		KdJob *job;

		/* Reset only when the queue is empty: one count may stand for several jobs. */
		job = g_async_queue_try_pop (worker->queue);
		if (job)
			return job;
		if (read (worker->wake_fd, &count, sizeof (count)) < 0 && errno != EAGAIN)
			g_warning ("eventfd: %s", g_strerror (errno));
		return g_async_queue_try_pop (worker->queue);
	}
	for (unsigned i = 0; i < nr; i++)
		if (fds[1 + i].revents) {
			g_autoptr (GError) error = NULL;

			kd_target_begin (target, 0);
			if (!kd_target_dispatch (target, &error))
				g_info ("session %s: %s", worker->name, error->message);
			tell_changes (worker);
			break;
		}
	return NULL;
}

static gpointer
worker_main (gpointer data)
{
	KdWorker *worker = data;
	News *news;

	for (;;) {
		KdJob *job = next_job (worker);

		if (!job)
			continue;
		if (job->kind == KD_JOB_QUIT) {
			kd_job_free (job);
			break;
		}
		run_job (worker, job);
	}
	close_session (worker);
	news = news_new (worker);
	news->ended = TRUE;
	post (news);
	return NULL;
}

KdWorker *
kd_worker_new (const char *name, const KdWorkerFuncs *funcs, void *data, GError **error)
{
	int wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
	KdWorker *worker;

	if (wake_fd < 0 || kd_descriptors_are_short (wake_fd, TRUE)) {
		int code = wake_fd < 0 ? errno : EMFILE;

		if (wake_fd >= 0)
			close (wake_fd);

		g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code),
			"no descriptor for session %s: %s", name, g_strerror (code));
		return NULL;
	}
	worker = g_new0 (KdWorker, 1);
	worker->name = g_strdup (name);
	worker->funcs = funcs;
	worker->data = data;
	worker->main = g_main_context_ref_thread_default();
	worker->queue = g_async_queue_new();
	worker->wake_fd = wake_fd;
	g_queue_init (&worker->jobs);
	worker->info = (KdWorkerInfo){"none", "", "", 0};
	worker->session = kd_session_new (name);
	worker->thread = g_thread_try_new (name, worker_main, worker, error);
	if (!worker->thread) {
		g_prefix_error (error, "no thread for session %s: ", name);
		kd_worker_free (worker);
		return NULL;
	}
	return worker;
}
