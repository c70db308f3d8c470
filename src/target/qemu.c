/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "target/qemu-process.h"
#include "target/ram-map.h"
#include "target/socket-owner.h"
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
	target->lock_fd = -1;
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
	kd_target_note_close (target);
	g_clear_object (&target->cancellable);
	g_free (target->stub);
	g_free (target->qmp_address);
	g_free (target->monitor_regs);
	g_free (target->qmp_why);
	g_free (target->version);
	g_free (target->accel);
	g_free (target->cleaned_up);
	g_free (target);
}

/* --- QMP --- */

/* A monitor that nobody has accepts a connection at once, unless QEMU does nothing at all. */
static void
check_hang (KdTarget *target, const KdPeer *peer, GError **error)
{
	g_auto (KdSocketOwner) listener = {0};

	kd_socket_owner_find (peer, &listener);
	if (listener.taken_by || !listener.nr_waiting ||
		g_cancellable_is_cancelled (target->cancellable))
		return;
	target->hangs = TRUE;
	g_prefix_error (error, "QEMU hangs, it takes up no connections: ");
}

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
		if (transport)
			check_hang (target, &peer, error);
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
		} else if (named || target->hangs ||
			   g_error_matches (why, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
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
			"%s is not a gdb stub, or serves another client: %s%s", target->stub,
			why->message,
			kd_rsp_link_peer_closed (target->rsp)
				? ""
				: " (a stub that takes up this connection later may pause the "
				  "machine: “cont” in QEMU's monitor, or attach and detach, "
				  "lets it run)");
		g_error_free (why);
	}
	return FALSE;
}

static gboolean
ask_features (KdTarget *target, GError **error)
{
	KdRspRequest *request = kd_rsp_link_request (target->rsp);
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
connect_stub (KdTarget *target, const KdPeer *peer, GError **error)
{
	KdTransport *transport =
		connect_peer (target, peer, KD_SILENCE_STUB, target->cancellable, error);
	GError *why = NULL;

	if (!transport)
		return FALSE;
	target->rsp = kd_rsp_link_new (transport, &target->silence, CONNECT_TIMEOUT_MS);
	kd_rsp_link_set_stop_func (target->rsp, kd_target_stop_arrived, target);
	kd_rsp_link_set_leaves_detach (
		target->rsp, target->was_running && !kd_target_note_has_code (target));
	kd_rsp_link_set_cancellable (target->rsp, target->cancellable);
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
	kd_rsp_link_doubt_phys (target->rsp);
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

static gboolean
ask_stop_reason (KdTarget *target, GError **error)
{
	g_autoptr (KdStopReply) reply = NULL;
	KdRspAnswer answer;
	GError *why = NULL;

	kd_rsp_request_stop_reason (kd_rsp_link_request (target->rsp));
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

/*
 * QEMU forgets the breakpoints of a client that went away at the "?" of the next one, but since 7.0
 * (softmmu: gdb_breakpoint_remove_all by accelerator) only those of the CPU that Hc names; the
 * other CPUs keep theirs, and a z packet fails at the first CPU that has none. So each CPU is
 * asked, the first, which Hc named before, at last.
 */
static gboolean
take_over_stop (KdTarget *target, GError **error)
{
	const KdRspFeatures *features = kd_rsp_link_features (target->rsp);

	target->hc_cpu = -1;
	for (guint i = target->threads->len; features->set & KD_RSP_HAS_QEMU_PHYS && i-- > 0;) {
		kd_rsp_request_set_thread (kd_rsp_link_request (target->rsp), features, 'c',
			g_array_index (target->threads, KdRspThread, i));
		if (!kd_rsp_link_ask_ok (target->rsp, NULL))
			break;
		if (i > 0 && !ask_stop_reason (target, error))
			return FALSE;
	}
	return ask_stop_reason (target, error);
}

/* How QEMU steps is also its own affair, not its client's. */
static void
forget_left_stepping (KdTarget *target)
{
	target->step_interrupts = TRUE;
	kd_target_set_stepping (target, FALSE, FALSE, NULL);
	target->step_interrupts = FALSE;
}

/*
 * A stub that has not answered. Where it serves somebody else and we wait, it is that one who has
 * stopped the machine, whatever the monitor said of it.
 */
static void
leave_silent (KdTarget *target)
{
	g_auto (KdPeer) peer = {0};
	g_auto (KdSocketOwner) listener = {0};

	if (!kd_peer_parse (target->stub, &peer, NULL))
		return;
	kd_socket_owner_find (&peer, &listener);
	if (listener.taken_by && listener.nr_waiting)
		kd_rsp_link_set_leaves_detach (target->rsp, TRUE);
}

/* Lets go of a machine that could not be attached to whole. */
static void
abandon (KdTarget *target)
{
	if (!target->rsp) {
		/* Nothing has been touched. */
		if (!target->left_note)
			kd_target_note_remove (target);
	} else if (!kd_rsp_link_is_stub (target->rsp)) {
		leave_silent (target);
	} else if (!kd_rsp_link_is_closed (target->rsp)) {
		kd_target_begin (target, KD_TARGET_PUT_BACK_MS);
		kd_target_detach (target, TRUE, NULL);
	}
	kd_target_free (target);
}

static gboolean
is_busy (const KdSocketOwner *listener)
{
	return listener->taken_by || listener->is_stopped || listener->nr_waiting;
}

static gboolean
check_busy (const KdTarget *target, const KdSocketOwner *listener, GError **error)
{
	const char *program = listener->program ? listener->program : "its process";

	if (listener->taken_by)
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
			"%s is taken by %s (a gdb stub serves one client)", target->stub,
			listener->taken_by);
	else if (listener->is_stopped)
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
			"%s: %s (process %d) is itself stopped, and would stop the machine later "
			"(“kill -CONT %d” lets it go on)",
			target->stub, program, listener->pid, listener->pid);
	else if (listener->nr_waiting)
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_CONNECT,
			"%s: %s takes up no connections, somebody waits there already: it hangs",
			target->stub, program);
	else
		return TRUE;
	return FALSE;
}

/*
 * Makes the machine this session's, and sees that nobody else has it: a connection that QEMU does
 * not take up now it takes up later, and then stops the machine for nobody. Waits a little for one
 * that just left.
 */
static gboolean
claim (KdTarget *target, const KdPeer *peer, const KdTargetOptions *options, GError **error)
{
	gint64 deadline_us = g_get_monotonic_time() + TAKEN_TIMEOUT_MS * 1000;
	g_auto (KdSocketOwner) listener = {0};

	kd_socket_owner_find (peer, &listener);
	target->pid = listener.pid && kd_process_is_qemu (listener.pid) ? listener.pid : 0;
	if (!kd_target_note_open (target, options, listener.identity, deadline_us, error))
		return FALSE;
	while (is_busy (&listener) && g_get_monotonic_time() < deadline_us &&
		!g_cancellable_is_cancelled (target->cancellable)) {
		g_usleep (TAKEN_PAUSE_MS * 1000);
		kd_socket_owner_clear (&listener);
		kd_socket_owner_find (peer, &listener);
	}
	return check_busy (target, &listener, error);
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

static gboolean
open_machine (KdTarget *target, const KdPeer *peer, const KdTargetOptions *options, GError **error)
{
	if (!claim (target, peer, options, error) ||
		!find_qmp (target, options->qmp, target->cancellable, error))
		return FALSE;
	if (target->has_qmp)
		query_machine (target);
	kd_target_qmp_release (target);
	/* To connect stops the machine. */
	if (!kd_target_note_begin (target, error) || !connect_stub (target, peer, error))
		return FALSE;
	if (!target->pid)
		learn_pid (target);
	learn_qemu (target);
	kd_target_find_ram (target);
	if (!check_monitor (target, options->qmp, error))
		return FALSE;
	query_stub (target);
	kd_target_learn_stepping (target);
	forget_left_stepping (target);
	kd_target_memory_init (target, options->no_direct);
	/* Most of the questions had answers that can be done without, but for this one. */
	if (kd_target_state (target) == KD_TARGET_LOST) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST, "%s: %s", target->stub,
			kd_target_lost_why (target));
		return FALSE;
	}
	/* Before its breakpoints go: QEMU frees watchpoints, and keeps the CPUs' hits of them. */
	return kd_target_note_clean_up (target, error) && take_over_stop (target, error) &&
	       kd_target_note_write (target, NULL, error);
}

KdTarget *
kd_target_open_qemu (const KdTargetOptions *options, GCancellable *cancellable, GError **error)
{
	g_auto (KdPeer) peer = {0};
	KdTarget *target;

	if (!kd_peer_parse (options->address, &peer, error))
		return NULL;
	target = target_new();
	target->opening = TRUE;
	kd_silence_begin (&target->silence,
		options->timeout_ms ? options->timeout_ms : KD_TARGET_TIMEOUT_MS, TRUE);
	target->stub = kd_peer_to_string (&peer);
	g_set_object (&target->cancellable, cancellable);
	if (!open_machine (target, &peer, options, error)) {
		abandon (target);
		return NULL;
	}
	target->opening = FALSE;
	kd_target_qmp_release (target);
	return target;
}

gboolean
kd_target_runs_after_detach (const KdTarget *target)
{
	return target->was_running || target->state == KD_TARGET_RUNNING;
}

/* TRUE: the stub has let go of it, or keeps it paused as it should. */
static gboolean
let_go (KdTarget *target, gboolean runs, GError **error)
{
	gboolean ok;

	if (target->state == KD_TARGET_RUNNING && !kd_target_stop (target, error))
		return FALSE;
	ok = kd_target_breaks_remove_all (target, error);
	/*
	 * A dropped connection leaves the machine paused, as one that was found so should be, and
	 * one whose code is not as it was.
	 */
	if (!runs || target->nr_armed)
		return ok;
	kd_rsp_request_detach (kd_rsp_link_request (target->rsp),
		kd_rsp_link_features (target->rsp),
		target->threads->len ? MAX (g_array_index (target->threads, KdRspThread, 0).pid, 1)
				     : 1);
	return kd_rsp_link_ask_ok (target->rsp, ok ? error : NULL) && ok;
}

gboolean
kd_target_detach (KdTarget *target, gboolean resume, GError **error)
{
	/* Code that only the note of an earlier session knows is not let run. */
	gboolean spoilt = kd_target_note_has_code (target), ok;

	kd_target_block_cancel (target);
	if (target->state == KD_TARGET_LOST) {
		/* One that was given up may be there still, where nothing tells. */
		ok = kd_target_note_is_over (target) &&
		     (target->identity || !kd_target_is_given_up (target));
		if (!ok)
			g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST,
				"%s; breakpoints that were not removed: %u; attach again, and all "
				"is "
				"put right",
				kd_target_lost_why (target), target->breaks->len);
	} else {
		gboolean runs = resume && !spoilt && kd_target_runs_after_detach (target);

		kd_rsp_link_set_leaves_detach (target->rsp, runs && target->nr_armed == 0);
		ok = let_go (target, runs, error);
		if (ok && !spoilt)
			kd_target_note_remove (target);
		else if (!ok && !kd_rsp_link_peer_closed (target->rsp))
			g_prefix_error (error, "the machine may be paused when QEMU goes on, and "
					       "is put right by the next attach: ");
	}
	target->state = KD_TARGET_LOST;
	kd_rsp_link_close (target->rsp);
	kd_target_unblock_cancel (target);
	kd_target_note_close (target);
	return ok;
}
