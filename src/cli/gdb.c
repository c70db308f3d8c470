/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gdb.h"

#include <string.h>

#include "call.h"

/* What the session is, by its status. NULL and the exit status. */
static JsonNode *
session_status (const KdCliOptions *options, int *ret_status)
{
	g_autoptr (GError) error = NULL;
	g_autoptr (KvmdbgConnection) connection = kvmdbg_connect (FALSE, &error);
	JsonObject *params = json_object_new();
	JsonNode *node = NULL;

	if (options->session)
		json_object_set_string_member (params, "session", options->session);
	if (connection)
		node = kd_call_quiet (connection, "status", params, &error);
	else
		json_object_unref (params);
	if (node && JSON_NODE_HOLDS_OBJECT (node))
		return node;
	g_clear_pointer (&node, json_node_unref);
	if (!error)
		g_set_error (&error, KVMDBG_ERROR, KVMDBG_ERROR_DAEMON, "status: no object");
	kd_call_print_error (options, error, NULL, stdout);
	*ret_status = kvmdbg_exit_status (NULL, error);
	return NULL;
}

/* The first place where the session serves gdb; NULL: none. */
static const char *
server_address (JsonObject *status)
{
	JsonNode *node = json_object_get_member (status, "gdb");
	JsonArray *array = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
	JsonNode *first =
		array && json_array_get_length (array) ? json_array_get_element (array, 0) : NULL;

	return first && json_node_get_value_type (first) == G_TYPE_STRING
		       ? json_node_get_string (first)
		       : NULL;
}

static const char *
image_path (JsonObject *status)
{
	JsonNode *node = json_object_get_member (status, "kernel");

	return node && JSON_NODE_HOLDS_OBJECT (node)
		       ? kd_call_string (json_node_get_object (node), "image")
		       : NULL;
}

static char *
find_gdb (void)
{
	const char *names[] = {g_getenv ("KVMDBG_GDB"), "gdb-multiarch", "gdb"};

	for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
		char *path = names[i] && *names[i] ? g_find_program_in_path (names[i]) : NULL;

		if (path || (i == 0 && names[i] && *names[i]))
			return path;
	}
	return NULL;
}

int
kd_gdb_run (const KdCliOptions *options, const char *const *args)
{
	g_autoptr (GPtrArray) argv = g_ptr_array_new();
	g_autofree char *program = NULL, *target = NULL;
	g_autoptr (JsonNode) node = NULL;
	const char *address, *image;
	int status = KD_EXIT_FAILED;

	node = session_status (options, &status);
	if (!node)
		return status;
	address = server_address (json_node_get_object (node));
	image = image_path (json_node_get_object (node));
	program = find_gdb();
	if (!address || !program) {
		fprintf (stderr, "kvmdbg: gdb: %s\n",
			address ? "no gdb-multiarch and no gdb here (install one, or set "
				  "KVMDBG_GDB)"
				: "this session serves no gdb (the daemon's log says why)");
		return KD_EXIT_FAILED;
	}
	target = g_strconcat ("target remote ", address, NULL);
	g_ptr_array_add (argv, program);
	g_ptr_array_add (argv, (gpointer) "-q");
	if (image)
		g_ptr_array_add (argv, (gpointer)image);
	g_ptr_array_add (argv, (gpointer) "-ex");
	g_ptr_array_add (argv, target);
	for (; *args; args++)
		g_ptr_array_add (argv, (gpointer)*args);
	g_ptr_array_add (argv, NULL);
	return kd_call_program ((char **)argv->pdata);
}
