/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What commands make of a machine that is lost under them. */
#include <string.h>

#include "base/json.h"
#include "command/command.h"
#include "fake-stub.h"

static JsonNode *
execute (KdSession *session, const char *name, GError **error)
{
	static const char *const none[] = {NULL};
	const KdCommand *command = kd_command_by_name (name);
	g_autoptr (KdArgs) args = kd_args_from_argv (command, none, NULL);

	g_assert_nonnull (args);
	return kd_command_execute (command, session, args, error);
}

static void
assert_string (JsonNode *result, const char *name, const char *wanted)
{
	const char *value = NULL;

	kd_json_get_string (kd_json_node_object (result, NULL), name, FALSE, &value, NULL);
	g_assert_cmpstr (value, ==, wanted);
}

typedef struct {
	FakeScript script;
	const char *why, *machine;
	gboolean ok; /* in the answer of detach */
} Row;

static const Row rows[] = {
	{{.name = "silent", .hang_at = "g"},
		"the gdb stub has not answered for 300 ms: "
		"connection given up",
		"unknown", FALSE},
	{{.name = "gone", .die_at = "g"}, "the gdb stub has closed the connection", "gone", TRUE},
};

static void
test_lost (gconstpointer data)
{
	const Row *row = data;
	g_autoptr (FakeStub) stub = fake_stub_new (&row->script);
	g_autoptr (KdSession) session = kd_session_new ("test");
	KdTargetOptions options = {.address = fake_stub_address (stub), .no_direct = TRUE};
	g_autoptr (GError) error = NULL;
	g_autoptr (JsonNode) status = NULL, detached = NULL;
	gboolean ok = TRUE;

	session->target = kd_target_open_qemu (&options, NULL, &error);
	g_assert_no_error (error);
	kd_target_begin (session->target, 300);
	/* Half of an answer is none. */
	g_assert_null (execute (session, "regs", &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST);
	g_assert_nonnull (strstr (error->message, row->why));
	g_clear_error (&error);
	g_assert_null (execute (session, "breaks", &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_LOST);
	g_assert_nonnull (strstr (error->message, row->why));
	g_clear_error (&error);
	status = execute (session, "status", &error);
	g_assert_no_error (error);
	assert_string (status, "state", "lost");
	assert_string (status, "lost_why", row->why);
	detached = execute (session, "detach", &error);
	g_assert_no_error (error);
	assert_string (detached, "machine", row->machine);
	kd_json_get_bool (kd_json_node_object (detached, NULL), "ok", TRUE, &ok, &error);
	g_assert_no_error (error);
	g_assert_cmpint (ok, ==, row->ok);
	g_assert_null (session->target);
}

/* Behind an attach that was cancelled. */
static void
test_nothing_to_detach (void)
{
	g_autoptr (KdSession) session = kd_session_new ("test");
	g_autoptr (GError) error = NULL;
	g_autoptr (JsonNode) detached = execute (session, "detach", &error);

	g_assert_no_error (error);
	assert_string (detached, "machine", "not attached to");
	g_assert_null (execute (session, "status", &error));
	g_assert_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_NO_SESSION);
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		g_autofree char *name = g_strconcat ("/lost/", rows[i].script.name, NULL);

		g_test_add_data_func (name, &rows[i], test_lost);
	}
	g_test_add_func ("/lost/nothing-to-detach", test_nothing_to_detach);
	return g_test_run();
}
