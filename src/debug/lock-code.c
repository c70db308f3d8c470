/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug/lock-code.h"

#define INSNS_MAX 4096
#define INSN_BYTES 16

void
kd_lock_insn_clear_ways (KdLockInsn *insn)
{
	for (guint i = 0; insn->ways && i < insn->ways->len; i++)
		g_rc_box_release (g_array_index (insn->ways, KdLockWay, i).state);
	g_clear_pointer (&insn->ways, g_array_unref);
}

static void
insn_clear (void *data)
{
	KdLockInsn *insn = data;

	kd_lock_insn_clear_ways (insn);
	g_free (insn->state);
	g_free (insn->values);
}

void
kd_lock_code_init (KdLockCode *code, const KdFlow *flow, const KdLockFlowOps *ops, void *data,
	uint64_t entry, uint64_t size)
{
	*code = (KdLockCode){.flow = flow, .ops = ops, .data = data, .entry = entry, .size = size};
	code->insns = g_array_new (FALSE, FALSE, sizeof (KdLockInsn));
	g_array_set_clear_func (code->insns, insn_clear);
	code->index = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
}

void
kd_lock_code_clear (KdLockCode *code)
{
	g_array_unref (code->insns);
	g_hash_table_unref (code->index);
}

gboolean
kd_lock_code_find (const KdLockCode *code, uint64_t addr, unsigned *ret_index)
{
	gpointer place = g_hash_table_lookup (code->index, &addr);

	if (!place)
		return FALSE;
	*ret_index = GPOINTER_TO_UINT (place) - 1;
	return TRUE;
}

/* --- the code --- */

static gboolean
is_inside (const KdLockCode *code, uint64_t addr)
{
	return addr - code->entry < code->size ||
	       (code->ops->is_part && code->ops->is_part (code->data, addr));
}

/* TRUE: there is an instruction at `addr`, now known. */
static gboolean
add_insn (KdLockCode *code, uint64_t addr)
{
	uint8_t bytes[INSN_BYTES];
	KdLockInsn insn = {.addr = addr};
	size_t len = sizeof bytes;
	uint64_t *key;

	/* The last one may lie in front of what is not there. */
	while (len && !code->ops->read (code->data, addr, bytes, len))
		len--;
	if (len == 0 || !code->flow->decode (bytes, len, addr, &insn.flow))
		return FALSE;
	if (code->insns->len >= INSNS_MAX) {
		code->too_long = TRUE;
		return FALSE;
	}
	g_array_append_val (code->insns, insn);
	key = g_memdup2 (&addr, sizeof addr);
	g_hash_table_insert (code->index, key, GUINT_TO_POINTER (code->insns->len));
	return TRUE;
}

unsigned
kd_lock_insn_next (const KdLockInsn *insn, uint64_t ret_next[2])
{
	uint64_t behind = insn->addr + insn->flow.size;

	switch (insn->flow.end) {
	case KD_FLOW_JUMP:
		ret_next[0] = insn->flow.target;
		return 1;
	case KD_FLOW_BRANCH:
		ret_next[0] = behind;
		ret_next[1] = insn->flow.target;
		return 2;
	case KD_FLOW_INDIRECT:
	case KD_FLOW_STOP:
		return 0;
	default:
		ret_next[0] = behind;
		return 1;
	}
}

void
kd_lock_code_add (KdLockCode *code, uint64_t start)
{
	g_autoptr (GArray) todo = g_array_new (FALSE, FALSE, sizeof (uint64_t));

	g_array_append_val (todo, start);
	while (todo->len && !code->too_long) {
		uint64_t addr = g_array_index (todo, uint64_t, todo->len - 1), next[2];
		unsigned i, nr;

		g_array_set_size (todo, todo->len - 1);
		if (kd_lock_code_find (code, addr, &i) || !is_inside (code, addr) ||
			!add_insn (code, addr))
			continue;
		nr = kd_lock_insn_next (kd_lock_code_at (code, code->insns->len - 1), next);
		g_array_append_vals (todo, next, nr);
	}
}

void
kd_lock_code_add_all (KdLockCode *code)
{
	uint64_t addr = code->entry;
	unsigned i;

	while (addr - code->entry < code->size && !code->too_long) {
		if (!kd_lock_code_find (code, addr, &i)) {
			kd_lock_code_add (code, addr);
			if (!kd_lock_code_find (code, addr, &i))
				return;
		}
		addr += kd_lock_code_at (code, i)->flow.size;
	}
}

void
kd_lock_code_order (const KdLockCode *code, GArray *order)
{
	guint nr = code->insns->len, left = nr;
	g_autofree guint8 *ways_gone = g_malloc0 (nr);
	g_autoptr (GArray) path = g_array_new (FALSE, FALSE, sizeof (unsigned));

	g_array_set_size (order, nr);
	for (unsigned start = 0; start < nr; start++) {
		if (!ways_gone[start])
			g_array_append_val (path, start);
		while (path->len) {
			unsigned at = g_array_index (path, unsigned, path->len - 1), to;
			const KdLockInsn *insn = kd_lock_code_at (code, at);
			uint64_t next[2];
			unsigned nr_next = kd_lock_insn_next (insn, next);

			/* Counted from 1: 0 is one that was not come to. */
			if (ways_gone[at] <= nr_next && ways_gone[at]++ < nr_next) {
				if (kd_lock_code_find (code, next[ways_gone[at] - 1], &to) &&
					!ways_gone[to])
					g_array_append_val (path, to);
				continue;
			}
			g_array_set_size (path, path->len - 1);
			if (ways_gone[at] != UINT8_MAX) {
				ways_gone[at] = UINT8_MAX;
				g_array_index (order, unsigned, --left) = at;
			}
		}
	}
}
