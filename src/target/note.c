/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "target/qemu-process.h"
#include "target/target-private.h"

#define NOTE_MAX ((size_t)1 << 20)

static JsonObject *
read_note (const KdTarget *target, JsonNode **ret_owner)
{
	g_autofree char *text = NULL;
	gsize len;

	*ret_owner = NULL;
	if (!g_file_get_contents (target->note_path, &text, &len, NULL) || len > NOTE_MAX)
		return NULL;
	*ret_owner = kd_json_parse (text, len, NULL, NULL);
	return *ret_owner ? kd_json_node_object (*ret_owner, NULL) : NULL;
}

void
kd_target_note_open (KdTarget *target, const char *note_dir)
{
	g_autofree char *escaped = NULL;

	if (!note_dir)
		return;
	escaped = g_uri_escape_string (target->stub, NULL, FALSE);
	target->note_path = g_strdup_printf ("%s/%s.note", note_dir, escaped);
}

/* A process of that number that started at that moment. */
static gboolean
is_alive (JsonObject *note, const char *pid_name, const char *start_name)
{
	gint64 pid = 0, start = 0;

	kd_json_get_int (note, pid_name, FALSE, &pid, NULL);
	kd_json_get_int (note, start_name, FALSE, &start, NULL);
	return pid > 0 && pid <= G_MAXINT && start &&
	       kd_process_start_time ((int)pid) == (uint64_t)start;
}

/* What stood for the instruction of a hot one is code, which stays when the connection goes. */
static void
restore_code (KdTarget *target, JsonObject *point)
{
	uint8_t code[KD_TRIVIAL_INSN_MAX];
	const char *hex = NULL;
	uint64_t pa = 0;

	kd_json_get_string (point, "code", FALSE, &hex, NULL);
	if (hex && target->arch->self_load &&
		strlen (hex) == 2 * (size_t)target->arch->self_load_len &&
		kd_json_get_address (point, "pa", TRUE, &pa, NULL) &&
		kd_hex_decode (hex, target->arch->self_load_len, code))
		kd_target_hot_restore (target, pa, code, NULL);
}

/* How many there were. */
static unsigned
restore_breaks (KdTarget *target, JsonObject *note)
{
	JsonArray *breaks = NULL;
	unsigned nr;

	kd_json_get_array (note, "breakpoints", FALSE, &breaks, NULL);
	nr = breaks ? json_array_get_length (breaks) : 0;
	for (unsigned i = 0; i < nr; i++) {
		JsonObject *point = NULL;

		if (kd_json_array_object (breaks, i, &point, NULL))
			restore_code (target, point);
	}
	return nr;
}

void
kd_target_note_clean_up (KdTarget *target)
{
	g_autoptr (JsonNode) owner = NULL;
	JsonObject *note = target->note_path ? read_note (target, &owner) : NULL;
	gboolean was_running = FALSE;
	gint64 pid = 0;
	unsigned nr;

	if (!note || is_alive (note, "kvmdbgd_pid", "kvmdbgd_start"))
		return;
	/* Another QEMU at the same address has nothing of ours. */
	if (target->pid && !is_alive (note, "qemu_pid", "qemu_start")) {
		unlink (target->note_path);
		return;
	}
	kd_json_get_int (note, "kvmdbgd_pid", FALSE, &pid, NULL);
	kd_json_get_bool (note, "was_running", FALSE, &was_running, NULL);
	/* They went with the "?" of each CPU: see forget_left_breaks() in qemu.c. */
	nr = restore_breaks (target, note);
	target->cleaned_up =
		g_strdup_printf ("a kvmdbgd (process %" G_GINT64_FORMAT
				 ") died while it was attached here; its %u breakpoint%s removed%s",
			pid, nr, nr == 1 ? " is" : "s are",
			was_running && !target->was_running
				? "; the machine was running before, and will be after detach"
				: "");
	target->was_running |= was_running;
}

void
kd_target_note_write (KdTarget *target)
{
	g_autoptr (JsonNode) node = NULL;
	g_autofree char *text = NULL;
	JsonObject *note;
	JsonArray *breaks;

	if (!target->note_path)
		return;
	note = json_object_new();
	kd_json_set_string (note, "stub", target->stub);
	kd_json_set_int (note, "kvmdbgd_pid", getpid());
	kd_json_set_int (note, "kvmdbgd_start", (gint64)kd_process_start_time (getpid()));
	kd_json_set_int (note, "qemu_pid", target->pid);
	kd_json_set_int (
		note, "qemu_start", target->pid ? (gint64)kd_process_start_time (target->pid) : 0);
	kd_json_set_bool (note, "was_running", target->was_running);
	breaks = kd_json_add_array (note, "breakpoints");
	for (guint i = 0; i < target->breaks->len; i++) {
		const KdBreak *point = &g_array_index (target->breaks, KdBreak, i);
		JsonObject *row = kd_json_array_add_object (breaks);

		kd_json_set_int (row, "kind", point->kind);
		kd_json_set_hex (row, "va", point->va);
		kd_json_set_uint (row, "len", point->len);
		if (point->hot) {
			g_autofree char *code =
				kd_hex_to_string (point->code, target->arch->self_load_len);

			kd_json_set_hex (row, "pa", point->pa);
			kd_json_set_string (row, "code", code);
		}
	}
	node = kd_json_object_node (note);
	text = kd_json_to_string (node, FALSE);
	/* Without a note a death costs breakpoints, not data: no reason to fail what the user asked
	 * for. */
	if (!g_file_set_contents_full (
		    target->note_path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL))
		g_info ("no note in %s", target->note_path);
}

void
kd_target_note_remove (KdTarget *target)
{
	if (target->note_path)
		unlink (target->note_path);
}
