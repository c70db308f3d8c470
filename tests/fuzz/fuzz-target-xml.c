/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "proto/target-xml.h"

typedef struct {
	const uint8_t *data;
	size_t left;
} Input;

/* Documents stand one behind the other, a byte 1 between them; each fetch takes the next. */
static char *
fetch (const char *annex, size_t *ret_len, gpointer user_data, GError **error)
{
	Input *input = user_data;
	const uint8_t *end = input->left ? memchr (input->data, 1, input->left) : NULL;
	size_t len = end ? (size_t)(end - input->data) : input->left;
	char *text = g_malloc (len + 1);

	for (size_t i = 0; i < len; i++)
		text[i] = (char)input->data[i];
	text[len] = '\0';
	*ret_len = len;
	input->data += end ? len + 1 : len;
	input->left -= end ? len + 1 : len;
	return text;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	Input input = {data, size};
	g_autoptr (GError) error = NULL;
	g_autoptr (KdRegLayout) layout = kd_reg_layout_fetch (fetch, &input, &error);
	size_t offset = 0;

	if (!layout) {
		g_assert_nonnull (error);
		return 0;
	}
	for (guint i = 0; i < layout->regs->len; i++) {
		const KdRegDesc *reg = &g_array_index (layout->regs, KdRegDesc, i);

		g_assert_cmpuint (reg->offset, ==, offset);
		g_assert_true (i == 0 || reg[-1].regnum < reg->regnum);
		g_assert_nonnull (kd_reg_layout_find (layout, reg->name));
		offset += reg->size;
	}
	g_assert_cmpuint (layout->g_size, ==, offset);
	return 0;
}
