/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "command/address.h"
#include "base/nearest.h"
#include "command/command.h"

static const KdArg args[] = {
	{"cpu", 'c', KD_ARG_UINT, 0, FALSE, "N", "of this CPU (default: the one that stopped)"},
	{"all", 'a', KD_ARG_FLAG, 0, FALSE, NULL, "of every CPU"},
	{"el", 0, KD_ARG_UINT, 0, FALSE, "N", "those of this exception level"},
	{"name", 0, KD_ARG_STRING, KD_ARG_REPEATED, TRUE, NULL,
		"only these, in any case; without a level (SCTLR): each level's"},
	{NULL},
};

/* --- what is asked of one CPU --- */

typedef struct {
	KdSession *session;
	const KdArch *arch;
	unsigned cpu;
	KdCpuState state;
	KdTargetCpu regs;
} Cpu;

/* --- names --- */

typedef struct {
	const char *name;
	const char *group; /* NULL: in none */
} Known;

static gboolean
is_system (const KdRegInfo *info)
{
	static const char *const others[] = {"general", "float", "vector", NULL};

	return info->bits <= 64 && !g_strv_contains (others, info->group ? info->group : "");
}

static gboolean
is_known (const GArray *known, const char *name)
{
	for (guint i = 0; i < known->len; i++)
		if (g_ascii_strcasecmp (g_array_index (known, Known, i).name, name) == 0)
			return TRUE;
	return FALSE;
}

/* Those in groups first, in their order; then what the stub has besides. */
static GArray *
known_registers (KdSession *session)
{
	const KdSysregGroup *group = kd_target_arch (session->target)->sysregs->groups;
	GArray *known = g_array_new (FALSE, FALSE, sizeof (Known));
	const KdRegInfo *infos;
	unsigned nr;

	for (; group->title; group++)
		for (const char *const *name = group->names; *name; name++) {
			Known row = {*name, group->title};

			g_array_append_val (known, row);
		}
	infos = kd_target_reg_infos (session->target, &nr);
	for (unsigned i = 0; i < nr; i++) {
		Known row = {infos[i].name, NULL};

		if (is_system (&infos[i]) && !is_known (known, row.name))
			g_array_append_val (known, row);
	}
	return known;
}

static gboolean
is_of_level (const KdSysregs *sysregs, const char *name, gint64 el)
{
	return el < 0 || sysregs->level (name) == el;
}

/* Appends what one word of the user's stands for. */
static gboolean
find_name (const KdSysregs *sysregs, const GArray *known, const char *word, gint64 el,
	GArray *wanted, GError **error)
{
	g_autoptr (GHashTable) offered =
		g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr (KdNearest) nearest = NULL;
	g_autofree char *hint = NULL;
	guint before = wanted->len;
	gboolean other_level = FALSE;

	for (guint i = 0; i < known->len; i++) {
		const Known *row = &g_array_index (known, Known, i);

		if (g_ascii_strcasecmp (row->name, word) != 0 &&
			!sysregs->is_level_of (row->name, word))
			continue;
		if (is_of_level (sysregs, row->name, el))
			g_array_append_val (wanted, *row);
		else
			other_level = TRUE;
	}
	if (wanted->len > before)
		return TRUE;
	if (other_level) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND,
			"sysregs: “%s” is no register of EL%" G_GINT64_FORMAT, word, el);
		return FALSE;
	}
	nearest = kd_nearest_new (word);
	for (guint i = 0; i < known->len; i++) {
		const char *name = g_array_index (known, Known, i).name;
		const char *last = strchr (word, '_') ? NULL : strrchr (name, '_');
		g_autofree char *stem = last ? g_strndup (name, (gsize)(last - name)) : NULL;
		gboolean bare = stem && sysregs->is_level_of (name, stem);
		char *offer = g_strdup (bare ? stem : name);

		/* A bare name is of each level: to be offered once. */
		if (g_hash_table_add (offered, offer))
			kd_nearest_offer (nearest, offer);
	}
	hint = kd_nearest_hint (nearest);
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND,
		"sysregs: no system register “%s”%s", word, hint);
	return FALSE;
}

/* Array of Known; NULL and an error where a word stands for none. */
static GArray *
wanted_registers (const KdSysregs *sysregs, const GArray *known, const char *const *words,
	gint64 el, GError **error)
{
	g_autoptr (GArray) wanted = g_array_new (FALSE, FALSE, sizeof (Known));

	for (const char *const *word = words; *word; word++)
		if (!find_name (sysregs, known, *word, el, wanted, error))
			return NULL;
	for (guint i = 0; !*words && i < known->len; i++) {
		const Known *row = &g_array_index (known, Known, i);

		if (row->group && is_of_level (sysregs, row->name, el))
			g_array_append_val (wanted, *row);
	}
	if (wanted->len == 0) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND,
			"sysregs: none of the usual registers is EL%" G_GINT64_FORMAT "'s", el);
		return NULL;
	}
	return g_steal_pointer (&wanted);
}

/* --- the tree --- */

static void
add_fields (JsonObject *obj, const KdBitField *field, uint64_t value)
{
	JsonObject *fields;

	if (!field)
		return;
	fields = kd_json_add_object (obj, "fields");
	for (; field->name; field++)
		if (field->name[0] && kd_bit_field_get (field, value))
			kd_json_set_uint (fields, field->name, kd_bit_field_get (field, value));
}

/* FALSE: this CPU does not have it. */
static gboolean
add_register (Cpu *cpu, const Known *known, JsonArray *regs)
{
	const KdSysregs *sysregs = cpu->arch->sysregs;
	g_autofree char *text = NULL;
	JsonObject *obj;
	uint64_t value;
	int el;

	if (!sysregs->read (known->name, kd_target_cpu_reg_more, &cpu->regs, &value))
		return FALSE;
	obj = kd_json_array_add_object (regs);
	el = sysregs->level (known->name);
	text = sysregs->to_string (known->name, value, kd_target_cpu_reg_more, &cpu->regs);
	kd_json_set_string (obj, "name", known->name);
	kd_json_set_string (obj, "group", known->group);
	kd_json_set_hex (obj, "value", value);
	if (el >= 0)
		kd_json_set_int (obj, "el", el);
	else
		json_object_set_null_member (obj, "el");
	kd_json_set_string (obj, "regime",
		sysregs->regime (known->name, &cpu->state, kd_target_cpu_reg_more, &cpu->regs));
	kd_json_set_string (obj, "text", text);
	add_fields (obj, sysregs->fields (known->name, value, kd_target_cpu_reg_more, &cpu->regs),
		value);
	return TRUE;
}

static gboolean
add_cpu (Cpu *cpu, const GArray *wanted, gboolean all_or_error, JsonArray *array, GError **error)
{
	KdSession *session = cpu->session;
	JsonObject *obj = kd_json_array_add_object (array);
	JsonArray *regs;

	cpu->state = session->kernel ? kd_kernel_cpu_state (session->kernel, cpu->cpu)
				     : kd_target_cpu_state (session->target, cpu->cpu);
	if (!kd_target_reg_fetch_many (session->target, cpu->cpu, error))
		return FALSE;
	kd_json_set_int (obj, "cpu", cpu->cpu);
	kd_json_set_int (obj, "el", cpu->state.el);
	kd_json_set_string (obj, "mode", cpu->state.mode_name);
	regs = kd_json_add_array (obj, "regs");
	for (guint i = 0; i < wanted->len; i++) {
		const Known *known = &g_array_index (wanted, Known, i);

		if (add_register (cpu, known, regs) || !all_or_error)
			continue;
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND,
			"sysregs: CPU %u: neither the stub nor the monitor has %s", cpu->cpu,
			known->name);
		return FALSE;
	}
	return TRUE;
}

/* Which CPUs: from *ret_first to before *ret_end. */
static gboolean
choose_cpus (KdSession *session, const KdArgs *given, unsigned *ret_first, unsigned *ret_end,
	GError **error)
{
	uint64_t cpu;

	if (kd_args_flag (given, "all")) {
		*ret_first = 0;
		*ret_end = kd_target_nr_cpus (session->target);
		if (!kd_args_uint (given, "cpu", &cpu))
			return TRUE;
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			"sysregs: --cpu or --all, not both");
		return FALSE;
	}
	if (!kd_command_cpu (session, given, ret_first, error)) {
		g_prefix_error (error, "sysregs: ");
		return FALSE;
	}
	*ret_end = *ret_first + 1;
	return TRUE;
}

static JsonNode *
run (KdSession *session, const KdArgs *given, GError **error)
{
	const KdArch *arch = kd_target_arch (session->target);
	const char *const *words = kd_args_list (given, "name");
	g_autoptr (GArray) known = NULL, wanted = NULL;
	g_autoptr (JsonArray) array = json_array_new();
	uint64_t level = 0;
	unsigned first, end;
	gboolean has_level = kd_args_uint (given, "el", &level);

	if (has_level && (level > 3 || !arch->sysregs->has_levels)) {
		g_set_error (error, KD_COMMAND_ERROR, KD_COMMAND_ERROR_USAGE,
			arch->sysregs->has_levels ? "sysregs: exception levels are 0 to 3"
						  : "sysregs: --el: no exception levels here");
		return NULL;
	}
	if (!choose_cpus (session, given, &first, &end, error))
		return NULL;
	known = known_registers (session);
	wanted = wanted_registers (
		arch->sysregs, known, words, has_level ? (gint64)level : -1, error);
	if (!wanted)
		return NULL;
	for (unsigned i = first; i < end; i++) {
		Cpu cpu = {session, arch, i, {0}, {session->target, i}};

		if (!add_cpu (&cpu, wanted, *words != NULL, array, error))
			return NULL;
	}
	return kd_json_array_node (g_steal_pointer (&array));
}

/* --- text --- */

static void
render_register (JsonObject *obj, KdText *text)
{
	const char *name = "", *value = "", *regime = NULL, *words = NULL;

	kd_json_get_string (obj, "name", FALSE, &name, NULL);
	kd_json_get_string (obj, "value", FALSE, &value, NULL);
	kd_json_get_string (obj, "regime", FALSE, &regime, NULL);
	kd_json_get_string (obj, "text", FALSE, &words, NULL);
	kd_text_table_cell (text, KD_STYLE_PLAIN, name);
	kd_text_table_cell (text, KD_STYLE_NUMBER, value);
	kd_text_table_cell (text, KD_STYLE_DIM, regime);
	kd_text_table_cell (text, KD_STYLE_PLAIN, words);
	kd_text_table_end_row (text);
}

static void
render_regs (JsonArray *regs, KdText *text)
{
	const char *last = NULL;

	for (guint i = 0; i < json_array_get_length (regs); i++) {
		const char *group = NULL;
		JsonObject *obj = NULL;

		if (!kd_json_array_object (regs, i, &obj, NULL))
			continue;
		kd_json_get_string (obj, "group", FALSE, &group, NULL);
		if (i == 0 || g_strcmp0 (group, last) != 0) {
			if (i)
				kd_text_table_end (text);
			kd_text_printf (text, KD_STYLE_DIM, "%s\n", group ? group : "others");
			kd_text_table_begin (text, NULL);
		}
		last = group;
		render_register (obj, text);
	}
	if (json_array_get_length (regs))
		kd_text_table_end (text);
}

static void
render (JsonNode *result, KdText *text)
{
	JsonArray *array = kd_json_node_array (result, NULL);

	for (guint i = 0; array && i < json_array_get_length (array); i++) {
		const char *mode = NULL;
		JsonArray *regs = NULL;
		JsonObject *obj = NULL;
		gint64 cpu = 0;

		if (!kd_json_array_object (array, i, &obj, NULL) ||
			!kd_json_get_array (obj, "regs", TRUE, &regs, NULL))
			continue;
		kd_json_get_int (obj, "cpu", FALSE, &cpu, NULL);
		kd_json_get_string (obj, "mode", FALSE, &mode, NULL);
		kd_text_printf (text, KD_STYLE_HEADING, "%sCPU %" PRId64, i ? "\n" : "", cpu);
		kd_text_printf (text, KD_STYLE_PLAIN, "  %s\n", mode ? mode : "");
		render_regs (regs, text);
	}
}

static void
complete (KdSession *session, const char *arg_name, const char *word, GPtrArray *ret_candidates)
{
	g_autoptr (GArray) known = NULL;

	if (strcmp (arg_name, "name") != 0 || !session->target)
		return;
	known = known_registers (session);
	for (guint i = 0; i < known->len; i++)
		g_ptr_array_add (ret_candidates, g_strdup (g_array_index (known, Known, i).name));
}

const KdCommand kd_command_sysregs = {
	.name = "sysregs",
	.group = "machine",
	.summary = "system registers: what their bits say, and which regime each belongs to",
	.help = "Without a name those that tell what a hypervisor does, in groups. A name is the "
		"architecture's: each is that register's own value, also where an instruction at "
		"EL2 under HCR_EL2.E2H would reach another one by the same name.\n\n"
		"The regime is what the register rules at this stop: EL2&0 (host) under VHE, EL2 "
		"(hyp) without; EL1&0 of the guest while one is loaded, of the host without VHE; "
		"“over” what it traps or offers to.\n\n"
		"JSON: [{cpu, el, mode, regs: [{name, group (null: of none), value, el (null: of "
		"no level), regime (null), text (null: no more than a number), fields: {NAME: "
		"number; only what is not 0; absent where it has none}}]}].",
	.example = "sysregs\nsysregs --el 2 SCTLR\nsysregs -a HCR_EL2 VTTBR_EL2",
	.args = args,
	.flags = KD_COMMAND_NEEDS_STOP,
	.run = run,
	.render = render,
	.complete = complete,
};
