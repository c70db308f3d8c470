/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "target/qemu-process.h"
#include "target/ram-map.h"
#include "target/target-private.h"

#define CONNECT_TIMEOUT_MS 5000
/* QEMU learns a little later that its last client went, when its main loop comes round to it. */
#define TAKEN_TIMEOUT_MS 1500
#define TAKEN_PAUSE_MS 20

static KdTarget *
target_new (void)
{
	KdTarget *target = g_new0 (KdTarget, 1);

	target->threads = g_array_new (FALSE, FALSE, sizeof (KdRspThread));
	target->breaks = g_array_new (FALSE, TRUE, sizeof (KdBreak));
	target->next_break = 1;
	target->hg_cpu = -1;
	target->hc_cpu = -1;
	target->watch_cpu = -1;
	target->was_running = TRUE;
	target->state = KD_TARGET_STOPPED;
	target->generation = 1;
	target->stop = (KdStop){.reason = KD_STOP_ATTACH, .cpu = 0};
	return target;
}

void
kd_target_free (KdTarget *target)
{
	if (!target)
		return;
	kd_target_memory_clear (target);
	kd_target_registers_clear (target);
	kd_target_breaks_clear (target);
	g_array_unref (target->breaks);
	g_array_unref (target->threads);
	kd_rsp_link_free (target->rsp);
	kd_qmp_link_free (target->qmp);
	g_clear_object (&target->cancellable);
	g_free (target->stub);
	g_free (target->qmp_address);
	g_free (target->monitor_regs);
	g_free (target->qmp_why);
	g_free (target->version);
	g_free (target->accel);
	g_free (target->note_path);
	g_free (target->cleaned_up);
	g_free (target);
}

/* --- QMP --- */

static KdTransport *
connect_peer (KdTarget *target, const KdPeer *peer, KdSilencePeer who, GCancellable *cancellable,
	GError **error)
{
	gint64 start_us = g_get_monotonic_time();
	int left_ms = (int)(kd_silence_left (&target->silence, who) / 1000);
	KdTransport *transport =
		kd_transport_connect (peer, MIN (left_ms, CONNECT_TIMEOUT_MS), cancellable, error);

	kd_silence_charge (&target->silence, who, start_us, transport != NULL);
	return transport;
}

static KdQmpLink *
connect_qmp (KdTarget *target, const char *address, GCancellable *cancellable, GError **error)
{
	g_auto (KdPeer) peer = {0};
	g_autofree char *spelled = NULL;
	KdTransport *transport;
	g_autoptr (KdQmpLink) link = NULL;
	int owner;

	if (!kd_peer_parse (address, &peer, error))
		return NULL;
	spelled = kd_peer_to_string (&peer);
	if (g_strcmp0 (spelled, target->stub) == 0) {
		/* Only to connect would stop the machine, for nobody to resume. */
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
			"%s is the gdb stub, not a QMP monitor", address);
		return NULL;
	}
	transport = connect_peer (target, &peer, KD_SILENCE_MONITOR, cancellable, error);
	if (transport)
		link = kd_qmp_link_new (
			transport, &target->silence, CONNECT_TIMEOUT_MS, cancellable, error);
	if (!link) {
		/* It is no other within the same command. */
		kd_silence_use_up_monitor (&target->silence);
		return NULL;
	}
	owner = kd_qmp_link_peer_pid (link);
	if (!owner && peer.kind == KD_TRANSPORT_TCP) {
		g_auto (KdSocketOwner) listener = {0};

		kd_socket_owner_find (&peer, &listener);
		owner = listener.pid;
	}
	if (owner && target->pid && owner != target->pid) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
			"%s is the monitor of another process (%d) than the stub's (%d)", address,
			owner, target->pid);
		return NULL;
	}
	return g_steal_pointer (&link);
}

KdQmpLink *
kd_target_qmp_get (KdTarget *target, GError **error)
{
	if (!target->qmp && target->has_qmp && kd_target_state (target) == KD_TARGET_LOST) {
		kd_target_check_stopped (target, error);
	} else if (!target->qmp && target->has_qmp &&
		   !kd_silence_left (&target->silence, KD_SILENCE_MONITOR)) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_PROTOCOL,
			"QEMU's monitor has not answered this command before");
	} else if (!target->qmp && target->has_qmp) {
		target->qmp = connect_qmp (target, target->qmp_address, target->cancellable, error);
		if (!target->qmp)
			g_prefix_error (error, "QEMU's monitor: ");
	} else if (!target->qmp) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED,
			"there is no QEMU monitor: %s", target->qmp_why);
	}
	return target->qmp;
}

void
kd_target_qmp_release (KdTarget *target)
{
	if (target->qmp && kd_qmp_link_given_up (target->qmp)) {
		target->has_qmp = FALSE;
		g_free (target->qmp_why);
		target->qmp_why = g_strdup_printf ("%s %s and was given up", target->qmp_address,
			kd_qmp_link_given_up (target->qmp));
	}
	if (!target->opening || !target->has_qmp)
		g_clear_pointer (&target->qmp, kd_qmp_link_free);
}

/* Tries the monitor that was named, else those on QEMU's command line. What fails is kept as the
 * reason. */
static gboolean
find_qmp (KdTarget *target, const char *named, GCancellable *cancellable, GError **error)
{
	g_auto (GStrv) found = NULL;
	const char *one[] = {named, NULL};
	const char *const *candidates = one;

	if (!named) {
		if (target->pid)
			found = kd_process_qmp_peers (target->pid);
		candidates = (const char *const *)found;
	}
	if (!candidates || !candidates[0]) {
		target->qmp_why = g_strdup (
			target->pid
				? "QEMU was started without one (-qmp unix:PATH,server=on,wait=off)"
				: "QEMU's process is not on this machine or belongs to another "
				  "user; name one with --qmp");
		return TRUE;
	}
	for (size_t i = 0; candidates[i] && !target->qmp; i++) {
		g_autoptr (GError) why = NULL;

		target->qmp = connect_qmp (target, candidates[i], cancellable, &why);
		if (target->qmp) {
			target->qmp_address = g_strdup (candidates[i]);
		} else if (named || g_error_matches (why, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
			/* What was asked for by name is not quietly done without. */
			g_propagate_error (error, g_steal_pointer (&why));
			return FALSE;
		} else {
			g_free (target->qmp_why);
			target->qmp_why = g_strdup (why->message);
		}
	}
	if (target->qmp) {
		g_clear_pointer (&target->qmp_why, g_free);
		target->has_qmp = TRUE;
		target->version = g_strdup (kd_qmp_link_version (target->qmp));
	}
	return TRUE;
}

static gboolean
query_bool (KdTarget *target, const char *command, const char *member, gboolean *ret)
{
	g_autoptr (JsonNode) reply = kd_qmp_link_call (target->qmp, command, NULL, NULL);

	return reply &&
	       kd_json_get_bool (kd_json_node_object (reply, NULL), member, TRUE, ret, NULL);
}

/* Before the stub is connected to, which stops the machine. */
static void
query_machine (KdTarget *target)
{
	gboolean kvm;

	query_bool (target, "query-status", "running", &target->was_running);
	if (query_bool (target, "query-kvm", "enabled", &kvm))
		target->accel = g_strdup (kvm ? "kvm" : "tcg");
}

/* --- the stub --- */

/* Anything that keeps the first talk from being RSP is told as what it looks like from here. */
static gboolean
explain_connect (const KdTarget *target, GError *why, GError **error)
{
	if (why->domain == G_IO_ERROR) {
		g_propagate_error (error, why);
		return FALSE;
	}
	if (kd_rsp_link_is_stub (target->rsp))
		g_propagate_prefixed_error (error, why, "%s: ", target->stub);
	else {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
			"%s is not a gdb stub, or serves another client: %s", target->stub,
			why->message);
		g_error_free (why);
	}
	return FALSE;
}

static gboolean
ask_features (KdTarget *target, GError **error)
{
	KdRspRequest *request = kd_rsp_link_request (target->rsp);
	g_autoptr (KdStopReply) reply = NULL;
	KdRspAnswer answer;
	GError *why = NULL;

	kd_rsp_request_supported (request);
	if (!kd_rsp_link_ask (target->rsp, &answer, error))
		return FALSE;
	/* The first request may have been eaten by the stop that connecting makes; a stub answers
	 * from here on. */
	kd_rsp_request_qemu_supported (request);
	if (!kd_rsp_link_ask (target->rsp, &answer, error))
		return FALSE;
	if (kd_rsp_link_features (target->rsp)->set & KD_RSP_HAS_VCONT) {
		if (!kd_rsp_request_vcont_actions (
			    request, kd_rsp_link_features (target->rsp), &why)) {
			kd_rsp_link_propagate (error, why);
			return FALSE;
		}
		if (!kd_rsp_link_ask (target->rsp, &answer, error))
			return FALSE;
	}
	kd_rsp_request_stop_reason (request);
	if (!kd_rsp_link_ask (target->rsp, &answer, error))
		return FALSE;
	reply = kd_stop_reply_parse (answer.payload, answer.len, &why);
	if (!reply) {
		kd_rsp_link_propagate (error, why);
		return FALSE;
	}
	target->stop.signal = (int)reply->signal;
	return TRUE;
}

static gboolean
find_cpus (KdTarget *target, GError **error)
{
	gboolean last = FALSE;

	for (gboolean first = TRUE; !last; first = FALSE) {
		KdRspAnswer answer;
		GError *why = NULL;

		kd_rsp_request_thread_info (kd_rsp_link_request (target->rsp), first);
		if (!kd_rsp_link_ask (target->rsp, &answer, error))
			return FALSE;
		if (!kd_rsp_parse_thread_info (
			    answer.payload, answer.len, target->threads, &last, &why)) {
			kd_rsp_link_propagate (error, why);
			return FALSE;
		}
	}
	if (target->threads->len)
		return TRUE;
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_PROTOCOL, "the stub names no CPU");
	return FALSE;
}

static gboolean
connect_stub (KdTarget *target, const KdPeer *peer, GCancellable *cancellable, GError **error)
{
	KdTransport *transport = connect_peer (target, peer, KD_SILENCE_STUB, cancellable, error);
	GError *why = NULL;

	if (!transport)
		return FALSE;
	target->rsp = kd_rsp_link_new (transport, &target->silence, CONNECT_TIMEOUT_MS);
	kd_rsp_link_set_stop_func (target->rsp, kd_target_stop_arrived, target);
	kd_target_set_cancellable (target, cancellable);
	if (!ask_features (target, &why) || !find_cpus (target, &why) ||
		!kd_target_registers_init (target, &why))
		return explain_connect (target, why, error);
	return TRUE;
}

/* QEMU reads what it is sent as a stream, so reads may be sent ahead. Others are not tried. */
static void
learn_qemu (KdTarget *target)
{
	g_autofree char *text = NULL;

	if (kd_rsp_link_features (target->rsp)->set & KD_RSP_HAS_QEMU_PHYS)
		kd_rsp_link_set_pipelined (target->rsp, TRUE);
	if (!target->version) {
		text = kd_rsp_link_monitor (target->rsp, "info version", NULL);
		target->version = text && *text ? g_strdup (g_strstrip (text)) : NULL;
	}
}

gboolean
kd_target_has_accel (const KdTarget *target, const char *name)
{
	return g_strcmp0 (target->accel, name) == 0;
}

/* What the stub's own monitor says: where there is no other, or to know it by. */
static void
query_stub (KdTarget *target)
{
	g_autofree char *text = NULL;

	if (target->accel)
		return;
	text = kd_rsp_link_monitor (target->rsp, "info kvm", NULL);
	if (text && strstr (text, "kvm support: "))
		target->accel = g_strdup (strstr (text, "enabled") ? "kvm" : "tcg");
}

/* Where QEMU keeps the machine's first RAM: no two processes agree on that by chance. */
static gboolean
is_same_qemu (KdTarget *target)
{
	g_autofree char *question = NULL, *ours = NULL, *theirs = NULL;
	uint64_t hva, other;

	if (target->ram->len == 0)
		return TRUE;
	question = g_strdup_printf (
		"gpa2hva 0x%" PRIx64, g_array_index (target->ram, KdRamBlock, 0).pa);
	ours = kd_target_hmp (target, question, NULL);
	theirs = kd_rsp_link_monitor (target->rsp, question, NULL);
	/* One that does not tell is not known to be another. */
	return !ours || !theirs || !kd_gpa2hva_parse (ours, &hva) ||
	       !kd_gpa2hva_parse (theirs, &other) || hva == other;
}

/*
 * The process at the other end of the stub's socket may only pass on what another QEMU says, one
 * inside its own machine for instance: its monitor is then of another machine.
 */
static gboolean
check_monitor (KdTarget *target, const char *named, GError **error)
{
	if (!target->has_qmp || is_same_qemu (target))
		return TRUE;
	target->was_running = TRUE;
	if (named) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
			"%s is the monitor of another QEMU than the stub's", target->qmp_address);
		return FALSE;
	}
	g_clear_pointer (&target->qmp, kd_qmp_link_free);
	g_clear_pointer (&target->qmp_address, g_free);
	g_clear_pointer (&target->version, g_free);
	g_clear_pointer (&target->accel, g_free);
	target->has_qmp = FALSE;
	target->qmp_why = g_strdup_printf ("the one of process %d, which serves the stub's socket, "
					   "is of another machine; name one with --qmp",
		target->pid);
	target->pid = 0;
	learn_qemu (target);
	kd_target_find_ram (target);
	return TRUE;
}

/*
 * QEMU forgets the breakpoints of a client that went away at the "?" of the next one, but since 7.0
 * (softmmu: gdb_breakpoint_remove_all by accelerator) only those of the CPU that Hc names; the
 * other CPUs keep theirs, and a z packet fails at the first CPU that has none. So each CPU is
 * asked.
 */
static void
forget_left_breaks (KdTarget *target)
{
	const KdRspFeatures *features = kd_rsp_link_features (target->rsp);
	KdRspAnswer answer;

	if (!(features->set & KD_RSP_HAS_QEMU_PHYS))
		return;
	/* The last one asked is the first CPU, which Hc named before. */
	for (guint i = target->threads->len; i-- > 0;) {
		kd_rsp_request_set_thread (kd_rsp_link_request (target->rsp), features, 'c',
			g_array_index (target->threads, KdRspThread, i));
		if (!kd_rsp_link_ask_ok (target->rsp, NULL))
			return;
		kd_rsp_request_stop_reason (kd_rsp_link_request (target->rsp));
		if (!kd_rsp_link_ask (target->rsp, &answer, NULL))
			return;
	}
}

/* Lets go of a machine that could not be attached to whole. */
static void
abandon (KdTarget *target)
{
	if (target->rsp && kd_rsp_link_is_stub (target->rsp) &&
		!kd_rsp_link_is_closed (target->rsp)) {
		kd_target_begin (target, KD_TARGET_PUT_BACK_MS);
		kd_target_detach (target, TRUE, NULL);
	}
	kd_target_free (target);
}

/* Who serves the stub, and who it serves; waits a little for one that just left. */
static void
find_listener (const KdPeer *peer, GCancellable *cancellable, KdSocketOwner *ret_listener)
{
	gint64 deadline_us = g_get_monotonic_time() + TAKEN_TIMEOUT_MS * 1000;

	kd_socket_owner_find (peer, ret_listener);
	while (ret_listener->taken_by && g_get_monotonic_time() < deadline_us &&
		!g_cancellable_is_cancelled (cancellable)) {
		g_usleep (TAKEN_PAUSE_MS * 1000);
		kd_socket_owner_clear (ret_listener);
		kd_socket_owner_find (peer, ret_listener);
	}
}

/*
 * The socket itself says who made it, even where nobody may look at that process's descriptors.
 * That can be one who only handed it to QEMU.
 */
static void
learn_pid (KdTarget *target)
{
	int pid = kd_rsp_link_peer_pid (target->rsp);
	int monitor = target->qmp ? kd_qmp_link_peer_pid (target->qmp) : 0;

	if (pid && kd_process_is_qemu (pid) && (!monitor || monitor == pid))
		target->pid = pid;
}

KdTarget *
kd_target_open_qemu (const KdTargetOptions *options, GCancellable *cancellable, GError **error)
{
	g_auto (KdPeer) peer = {0};
	g_auto (KdSocketOwner) listener = {0};
	KdTarget *target;

	if (!kd_peer_parse (options->address, &peer, error))
		return NULL;
	find_listener (&peer, cancellable, &listener);
	target = target_new();
	target->opening = TRUE;
	kd_silence_begin (&target->silence,
		options->timeout_ms ? options->timeout_ms : KD_TARGET_TIMEOUT_MS, TRUE);
	target->stub = kd_peer_to_string (&peer);
	if (listener.taken_by) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
			"%s is taken by %s (a gdb stub serves one client)", target->stub,
			listener.taken_by);
		abandon (target);
		return NULL;
	}
	target->pid = listener.pid && kd_process_is_qemu (listener.pid) ? listener.pid : 0;
	kd_target_note_open (target, options->note_dir);
	if (!find_qmp (target, options->qmp, cancellable, error)) {
		abandon (target);
		return NULL;
	}
	if (target->has_qmp)
		query_machine (target);
	kd_target_qmp_release (target);
	if (!connect_stub (target, &peer, cancellable, error)) {
		abandon (target);
		return NULL;
	}
	if (!target->pid)
		learn_pid (target);
	learn_qemu (target);
	kd_target_find_ram (target);
	if (!check_monitor (target, options->qmp, error)) {
		abandon (target);
		return NULL;
	}
	query_stub (target);
	kd_target_learn_stepping (target);
	forget_left_breaks (target);
	kd_target_memory_init (target, options->no_direct);
	/* Most of the questions had answers that can be done without, but for this one. */
	if (kd_target_state (target) == KD_TARGET_LOST) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST, "%s: %s", target->stub,
			kd_target_lost_why (target));
		abandon (target);
		return NULL;
	}
	kd_target_note_clean_up (target);
	kd_target_note_write (target);
	target->opening = FALSE;
	kd_target_qmp_release (target);
	return target;
}

gboolean
kd_target_runs_after_detach (const KdTarget *target)
{
	return target->was_running || target->state == KD_TARGET_RUNNING;
}

gboolean
kd_target_detach (KdTarget *target, gboolean resume, GError **error)
{
	gboolean ok = TRUE, runs = resume && kd_target_runs_after_detach (target);

	kd_target_set_cancellable (target, NULL);
	if (target->state == KD_TARGET_RUNNING)
		ok = kd_target_stop (target, error);
	if (ok && target->state == KD_TARGET_STOPPED) {
		ok = kd_target_breaks_remove_all (target, error);
		/* A dropped connection leaves the machine paused, as one that was found so should
		 * be. */
		if (runs) {
			kd_rsp_request_detach (kd_rsp_link_request (target->rsp),
				kd_rsp_link_features (target->rsp),
				target->threads->len
					? MAX (g_array_index (target->threads, KdRspThread, 0).pid,
						  1)
					: 1);
			ok = kd_rsp_link_ask_ok (target->rsp, ok ? error : NULL) && ok;
		}
	}
	if (ok)
		kd_target_note_remove (target);
	target->state = KD_TARGET_LOST;
	kd_rsp_link_close (target->rsp);
	return ok;
}
