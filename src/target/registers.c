/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/target-private.h"

/* Bytes that are taken for a register whatever width the description gives it. */
#define SHORT_REG_MAX 256

#include <string.h>

static char *
fetch_annex (const char *annex, size_t *ret_len, gpointer data, GError **error)
{
	KdTarget *target = data;
	g_autoptr (GByteArray) whole = g_byte_array_new();
	gboolean last = FALSE;

	while (!last) {
		KdRspRequest *request = kd_rsp_link_request (target->rsp);
		KdRspAnswer answer;

		if (!kd_rsp_request_xfer_features (request, kd_rsp_link_features (target->rsp),
			    annex, whole->len, error) ||
			!kd_rsp_link_ask (target->rsp, &answer, error) ||
			!kd_rsp_parse_xfer (answer.payload, answer.len, whole, &last, error))
			return NULL;
	}
	*ret_len = whole->len;
	g_byte_array_append (whole, (const uint8_t *)"", 1);
	g_hash_table_insert (target->documents, g_strdup (annex), g_strdup ((char *)whole->data));
	return (char *)g_byte_array_free (g_steal_pointer (&whole), FALSE);
}

/* The first of a name stays: a stub's own spelling before what we call another register. */
static void
name_register (KdTarget *target, const char *name, guint index)
{
	char *key = g_ascii_strdown (name, -1);

	if (g_hash_table_contains (target->by_name, key))
		g_free (key);
	else
		g_hash_table_insert (target->by_name, key, GUINT_TO_POINTER (index + 1));
}

static const char *
group_of (const KdRegDesc *desc)
{
	if (desc->group)
		return desc->group;
	if (strstr (desc->feature, "sys"))
		return "system";
	if (strstr (desc->feature, "sve") || strstr (desc->feature, "fpu") || desc->bitsize > 64)
		return "vector";
	return strstr (desc->feature, ".core") ? "general" : "other";
}

gboolean
kd_target_registers_init (KdTarget *target, GError **error)
{
	GError *why = NULL;
	guint nr;

	target->documents = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
	target->layout = kd_reg_layout_fetch (fetch_annex, target, &why);
	if (!target->layout) {
		kd_rsp_link_propagate (error, why);
		return FALSE;
	}
	target->arch = kd_arch_by_gdb_name (target->layout->architecture);
	if (!target->arch) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED,
			"the machine is a \"%s\", which kvmdbg does not know",
			target->layout->architecture ? target->layout->architecture : "?");
		return FALSE;
	}
	nr = target->layout->regs->len;
	target->infos = g_new0 (KdRegInfo, nr);
	target->by_name = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < nr; i++) {
		const KdRegDesc *desc = &g_array_index (target->layout->regs, KdRegDesc, i);

		target->infos[i] = (KdRegInfo){.name = target->arch->canonical_name (desc->name),
			.stub_name = desc->name,
			.group = group_of (desc),
			.bits = desc->bitsize,
			.number = desc->regnum};
		name_register (target, desc->name, i);
	}
	for (guint i = 0; i < nr; i++)
		name_register (target, target->infos[i].name, i);
	target->regs = g_new0 (KdCpuRegs, target->threads->len);
	for (guint cpu = 0; cpu < target->threads->len; cpu++)
		target->regs[cpu] = (KdCpuRegs){.values = g_new0 (uint64_t, nr),
			.valid = g_new0 (uint8_t, nr),
			/* By an earlier client's watchpoints. */
			.unsettled = TRUE};
	return TRUE;
}

void
kd_target_registers_forget (KdTarget *target)
{
	g_clear_pointer (&target->monitor_regs, g_free);
	for (guint cpu = 0; target->regs && cpu < target->threads->len; cpu++) {
		memset (target->regs[cpu].valid, 0, target->layout->regs->len);
		target->regs[cpu].nr_fetched = 0;
	}
}

void
kd_target_registers_clear (KdTarget *target)
{
	for (guint cpu = 0; target->regs && cpu < target->threads->len; cpu++) {
		g_free (target->regs[cpu].values);
		g_free (target->regs[cpu].valid);
	}
	g_free (target->regs);
	g_free (target->infos);
	g_clear_pointer (&target->by_name, g_hash_table_unref);
	kd_reg_layout_free (target->layout);
	g_clear_pointer (&target->documents, g_hash_table_unref);
}

const KdRegInfo *
kd_target_reg_infos (const KdTarget *target, unsigned *ret_nr)
{
	*ret_nr = target->layout->regs->len;
	return target->infos;
}

/* -1 and NOT_FOUND: no such register or CPU. */
static int
find_register (KdTarget *target, unsigned cpu, const char *name, GError **error)
{
	g_autofree char *key = g_ascii_strdown (name, -1);
	guint found = GPOINTER_TO_UINT (g_hash_table_lookup (target->by_name, key));

	if (!kd_target_check_cpu (target, cpu, error))
		return -1;
	if (!found)
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND,
			"the stub has no register \"%s\"", name);
	return (int)found - 1;
}

static gboolean
select_cpu (KdTarget *target, unsigned cpu, GError **error)
{
	if (target->hg_cpu == (int)cpu)
		return TRUE;
	kd_rsp_request_set_thread (kd_rsp_link_request (target->rsp),
		kd_rsp_link_features (target->rsp), 'g',
		g_array_index (target->threads, KdRspThread, cpu));
	if (!kd_rsp_link_ask_ok (target->rsp, error))
		return FALSE;
	target->hg_cpu = (int)cpu;
	return TRUE;
}

static const KdRegDesc *
desc_of (const KdTarget *target, guint index)
{
	return &g_array_index (target->layout->regs, KdRegDesc, index);
}

static gboolean
parse (const KdRegDesc *desc, const KdRspAnswer *answer, uint8_t *buf, size_t max, size_t *ret_len,
	GError **error)
{
	gboolean unavailable = FALSE;
	GError *why = NULL;

	if (!kd_rsp_parse_registers (
		    answer->payload, answer->len, max, buf, ret_len, &unavailable, &why)) {
		kd_rsp_link_propagate (error, why);
		g_prefix_error (error, "register %s: ", desc->name);
		return FALSE;
	}
	if (!unavailable && *ret_len > 0)
		return TRUE;
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_REMOTE,
		"the stub does not give register %s", desc->name);
	return FALSE;
}

static gboolean
fetch (KdTarget *target, unsigned cpu, guint index, uint8_t *buf, size_t max, size_t *ret_len,
	GError **error)
{
	const KdRegDesc *desc = desc_of (target, index);
	KdRspAnswer answer;

	if (!kd_target_check_stopped (target, error) || !select_cpu (target, cpu, error))
		return kd_target_result (target, FALSE);
	kd_rsp_request_read_register (kd_rsp_link_request (target->rsp), desc->regnum);
	if (!kd_rsp_link_ask (target->rsp, &answer, error))
		return kd_target_result (target, FALSE);
	return parse (desc, &answer, buf, max, ret_len, error);
}

static uint64_t
little_endian (const uint8_t *bytes, size_t len)
{
	uint64_t value = 0;

	for (size_t i = MIN (len, 8); i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

/* The bytes of the stub's `g`. */
static uint8_t *
read_all (
	KdTarget *target, unsigned cpu, size_t *ret_len, gboolean *ret_unavailable, GError **error)
{
	g_autofree uint8_t *bytes = NULL;
	KdRspAnswer answer;
	GError *why = NULL;

	if (!select_cpu (target, cpu, error)) {
		kd_target_result (target, FALSE);
		return NULL;
	}
	kd_rsp_request_read_registers (kd_rsp_link_request (target->rsp));
	if (!kd_rsp_link_ask (target->rsp, &answer, error)) {
		kd_target_result (target, FALSE);
		return NULL;
	}
	/* By what has come: the description may promise gigabytes. */
	bytes = g_malloc (answer.len / 2 + 1);
	if (kd_rsp_parse_registers (answer.payload, answer.len, target->layout->g_size, bytes,
		    ret_len, ret_unavailable, &why))
		return g_steal_pointer (&bytes);
	kd_rsp_link_propagate (error, why);
	return NULL;
}

/*
 * All that the stub gives at once: the general registers and, by QEMU for x86, most that say what
 * the CPU does. Those that it cannot give are left to be asked for.
 */
static gboolean
fetch_many (KdTarget *target, unsigned cpu, GError **error)
{
	gboolean unavailable = FALSE;
	size_t len;
	g_autofree uint8_t *bytes = read_all (target, cpu, &len, &unavailable, error);
	KdCpuRegs *regs = &target->regs[cpu];

	if (!bytes)
		return FALSE;
	target->g_len = len;
	for (guint i = 0; i < target->layout->regs->len && !unavailable; i++) {
		const KdRegDesc *desc = desc_of (target, i);

		if (desc->bitsize > 64 || desc->offset + desc->size > len || regs->valid[i])
			continue;
		regs->values[i] = little_endian (bytes + desc->offset, desc->size);
		regs->valid[i] = TRUE;
	}
	return TRUE;
}

/*
 * QEMU's `p` and `P` do not ask KVM what the CPU has now, only `g` does (7.2 gdbstub.c,
 * handle_get_reg, handle_read_all_regs): without it they speak of an earlier stop. Once a stop.
 */
static void
sync_kvm (KdTarget *target, unsigned cpu)
{
	if (!kd_target_has_accel (target, "kvm") ||
		target->regs[cpu].synced_at == target->generation)
		return;
	target->regs[cpu].synced_at = target->generation;
	fetch_many (target, cpu, NULL);
}

/* After the second of one CPU more will be asked for. */
static gboolean
worth_many (const KdTarget *target, unsigned cpu, const KdRegDesc *desc)
{
	return target->regs[cpu].nr_fetched == 1 &&
	       (target->g_len == 0 || desc->offset + desc->size <= target->g_len);
}

gboolean
kd_target_reg_get (
	KdTarget *target, unsigned cpu, const char *name, uint64_t *ret_value, GError **error)
{
	int index = find_register (target, cpu, name, error);
	uint8_t buf[SHORT_REG_MAX];
	size_t len;

	if (index < 0 || !kd_target_check_stopped (target, error))
		return FALSE;
	if (target->infos[index].bits > 64) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND,
			"register %s has %u bits, more than a number holds",
			target->infos[index].name, target->infos[index].bits);
		return FALSE;
	}
	KdCpuRegs *regs = &target->regs[cpu];

	sync_kvm (target, cpu);
	if (!kd_target_check_stopped (target, error))
		return FALSE;
	if (!regs->valid[index] && worth_many (target, cpu, desc_of (target, (guint)index))) {
		regs->nr_fetched++;
		fetch_many (target, cpu, NULL);
		if (!kd_target_check_stopped (target, error))
			return FALSE;
	}
	if (!regs->valid[index]) {
		regs->nr_fetched++;
		if (!fetch (target, cpu, (guint)index, buf, sizeof buf, &len, error))
			return FALSE;
		regs->values[index] = little_endian (buf, len);
		regs->valid[index] = TRUE;
	}
	*ret_value = regs->values[index];
	return TRUE;
}

gboolean
kd_target_reg_fetch_many (KdTarget *target, unsigned cpu, GError **error)
{
	if (!kd_target_check_cpu (target, cpu, error) || !kd_target_check_stopped (target, error))
		return FALSE;
	if (target->regs[cpu].nr_fetched > 1)
		return TRUE;
	target->regs[cpu].nr_fetched = 2;
	return fetch_many (target, cpu, error);
}

void
kd_target_reg_assume (KdTarget *target, unsigned cpu, const char *name, uint64_t value)
{
	int index = find_register (target, cpu, name, NULL);

	if (index < 0 || target->regs[cpu].valid[index])
		return;
	target->regs[cpu].values[index] = value;
	target->regs[cpu].valid[index] = TRUE;
}

gboolean
kd_target_pc_request (KdTarget *target, KdRspRequest *request, GError **error)
{
	int index = find_register (target, 0, target->arch->pc, error);

	if (index < 0)
		return FALSE;
	kd_rsp_request_read_register (request, desc_of (target, (guint)index)->regnum);
	return TRUE;
}

gboolean
kd_target_pc_parse (KdTarget *target, const KdRspAnswer *answer, uint64_t *ret_pc, GError **error)
{
	int index = find_register (target, 0, target->arch->pc, error);
	uint8_t buf[SHORT_REG_MAX];
	size_t len;

	if (index < 0 ||
		!parse (desc_of (target, (guint)index), answer, buf, sizeof buf, &len, error))
		return FALSE;
	*ret_pc = little_endian (buf, len);
	return TRUE;
}

gboolean
kd_target_reg_get_bytes (
	KdTarget *target, unsigned cpu, const char *name, GByteArray *into, GError **error)
{
	int index = find_register (target, cpu, name, error);
	size_t len;

	if (index < 0 || !kd_target_check_stopped (target, error))
		return FALSE;
	sync_kvm (target, cpu);
	g_byte_array_set_size (
		into, (guint)MAX (desc_of (target, (guint)index)->size, SHORT_REG_MAX));
	if (!fetch (target, cpu, (guint)index, into->data, into->len, &len, error))
		return FALSE;
	g_byte_array_set_size (into, (guint)len);
	return TRUE;
}

gboolean
kd_target_reg_put (KdTarget *target, unsigned cpu, const char *name, uint64_t value, GError **error)
{
	int index = find_register (target, cpu, name, error);
	uint8_t bytes[8];
	GError *why = NULL;

	if (index < 0 || !kd_target_check_stopped (target, error))
		return FALSE;
	sync_kvm (target, cpu);
	if (!select_cpu (target, cpu, error))
		return FALSE;
	const KdRegDesc *desc = desc_of (target, (guint)index);

	if (desc->bitsize > 64 || (desc->bitsize < 64 && value >> desc->bitsize)) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED,
			"register %s has %u bits: that value does not fit", desc->name,
			desc->bitsize);
		return FALSE;
	}
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	if (!kd_rsp_request_write_register (kd_rsp_link_request (target->rsp),
		    kd_rsp_link_features (target->rsp), desc->regnum, bytes, desc->size, &why)) {
		kd_rsp_link_propagate (error, why);
		return FALSE;
	}
	return kd_rsp_link_ask_ok (target->rsp, error) || kd_target_result (target, FALSE);
}

gboolean
kd_target_reg_set (KdTarget *target, unsigned cpu, const char *name, uint64_t value, GError **error)
{
	uint64_t now;

	if (!kd_target_reg_put (target, cpu, name, value, error))
		return FALSE;
	/* Another register may be the same one under another name, and translations may hang on it.
	 */
	kd_target_registers_forget (target);
	kd_target_memory_forget (target);
	if (!kd_target_reg_get (target, cpu, name, &now, error))
		return FALSE;
	if (now == value)
		return TRUE;
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_REMOTE,
		"the stub answered OK and dropped the write: %s still is 0x%" G_GINT64_MODIFIER "x",
		name, now);
	return FALSE;
}

gboolean
kd_target_reg_get_all (KdTarget *target, unsigned cpu, GByteArray *into, GError **error)
{
	g_autofree uint8_t *bytes = NULL;
	size_t len;

	if (!kd_target_check_cpu (target, cpu, error) || !kd_target_check_stopped (target, error))
		return FALSE;
	bytes = read_all (target, cpu, &len, NULL, error);
	if (!bytes) {
		g_prefix_error (error, "registers of CPU %u: ", cpu);
		return FALSE;
	}
	g_byte_array_append (into, bytes, (guint)len);
	return TRUE;
}

const char *
kd_target_description (const KdTarget *target, const char *annex)
{
	return g_hash_table_lookup (target->documents, annex);
}
