/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The attach command against a stub that goes while it is looked at. */
#include "base/json.h"
#include "command/command.h"
#include "fake-stub.h"

typedef struct {
	FakeScript script;
	gboolean ok;
} AttachRow;

static const AttachRow rows[] = {
	{{.name = "no-kernel"}, TRUE},
	{{.name = "dies-in-first-words", .die_at = "qqemu.Supported"}, FALSE},
	/* What is asked next can be done without, one by one. */
	{{.name = "dies-in-settings", .die_at = "Qqemu.sstep"}, FALSE},
	{{.name = "dies-in-vectors", .die_at = "p28"}, FALSE},
	{{.name = "dies-in-status", .die_at = "g"}, FALSE},
};

static void
test_attach (gconstpointer data)
{
	const AttachRow *row = data;
	const KdCommand *command = kd_command_by_name ("attach");
	g_autoptr (FakeStub) stub = fake_stub_new (&row->script);
	g_autoptr (KdSession) session = kd_session_new ("test");
	const char *const argv[] = {fake_stub_address (stub), "--no-direct", NULL};
	g_autoptr (GError) error = NULL;
	g_autoptr (KdArgs) args = kd_args_from_argv (command, argv, &error);
	g_autoptr (JsonNode) result = NULL;
	const char *state = NULL;

	g_assert_no_error (error);
	result = kd_command_execute (command, session, args, &error);
	if (!row->ok) {
		g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST);
		g_assert_null (result);
		g_assert_null (session->target);
		return;
	}
	g_assert_no_error (error);
	kd_json_get_string (kd_json_node_object (result, NULL), "state", TRUE, &state, NULL);
	g_assert_cmpstr (state, ==, "stopped");
	g_assert_true (kd_target_detach (session->target, TRUE, &error));
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *name = g_strconcat ("/attach/", rows[i].script.name, NULL);

		g_test_add_data_func (name, &rows[i], test_attach);
	}
	return g_test_run();
}
