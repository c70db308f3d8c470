/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/addr.h"

#include <string.h>

static const struct {
	const char *name;
	KdSpaceKind kind;
	gboolean has_id;
} spaces[] = {
	{"kernel", KD_SPACE_KERNEL, FALSE},
	{"phys", KD_SPACE_PHYS, FALSE},
	{"user", KD_SPACE_USER, TRUE},
	{"hyp", KD_SPACE_HYP, FALSE},
	{"vm", KD_SPACE_VM, TRUE},
	{"cpu", KD_SPACE_CPU, TRUE},
};

gboolean
kd_space_parse_prefix (const char *text, KdSpace *ret_space, const char **ret_rest)
{
	const char *colon = strchr (text, ':');

	if (!colon) {
		*ret_space = (KdSpace){KD_SPACE_KERNEL, 0};
		*ret_rest = text;
		return TRUE;
	}
	for (size_t i = 0; i < G_N_ELEMENTS (spaces); i++) {
		const char *end = colon;
		gint64 id = 0;

		if (strncmp (text, spaces[i].name, (size_t)(colon - text)) != 0 ||
			spaces[i].name[colon - text] != '\0')
			continue;
		if (spaces[i].has_id) {
			end = strchr (colon + 1, ':');
			if (!end)
				return FALSE;
			g_autofree char *number = g_strndup (colon + 1, (size_t)(end - colon - 1));

			if (!g_ascii_string_to_signed (number, 10, 0, G_MAXINT32, &id, NULL))
				return FALSE;
		}
		*ret_space = (KdSpace){spaces[i].kind, (int32_t)id};
		*ret_rest = end + 1;
		return TRUE;
	}
	return FALSE;
}

char *
kd_space_to_string (KdSpace space)
{
	for (size_t i = 0; i < G_N_ELEMENTS (spaces); i++)
		if (spaces[i].kind == space.kind)
			return spaces[i].has_id ? g_strdup_printf ("%s:%" G_GINT32_FORMAT,
							  spaces[i].name, space.id)
						: g_strdup (spaces[i].name);
	g_assert_not_reached();
}
