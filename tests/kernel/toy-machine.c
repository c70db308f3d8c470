/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "toy-machine.h"

#include <string.h>

#define NR_CPUS 2
#define TABLE_POOL UINT64_C (0x40600000)

struct KdTarget {
	uint8_t *ram;
	KdRamRange range;
	GHashTable *regs[NR_CPUS];
	KdImage *image;
	uint64_t link_base;
	uint64_t next_table;
	uint64_t generation;
};

/* --- what src/target offers, as far as the kernel layer asks --- */

G_DEFINE_QUARK (kd - target - error - quark, kd_target_error)

const KdArch *
kd_target_arch (const KdTarget *target)
{
	return &kd_arch_arm64;
}

KdTargetState
kd_target_state (const KdTarget *target)
{
	return KD_TARGET_STOPPED;
}

unsigned
kd_target_nr_cpus (const KdTarget *target)
{
	return NR_CPUS;
}

uint64_t
kd_target_memory_generation (const KdTarget *target)
{
	return target->generation;
}

GCancellable *
kd_target_cancellable (const KdTarget *target)
{
	return NULL;
}

KdMemoryPath
kd_target_memory_path (const KdTarget *target)
{
	return (KdMemoryPath){"direct-file", NULL};
}

const KdRamRange *
kd_target_ram (KdTarget *target, unsigned *ret_nr)
{
	*ret_nr = 1;
	return &target->range;
}

gboolean
kd_target_reg_get (
	KdTarget *target, unsigned cpu, const char *name, uint64_t *ret_value, GError **error)
{
	uint64_t *value = g_hash_table_lookup (target->regs[cpu], name);

	if (!value) {
		g_set_error (
			error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND, "no register %s", name);
		return FALSE;
	}
	*ret_value = *value;
	return TRUE;
}

static gboolean
set_no_write (GError **error)
{
	g_set_error (
		error, KD_TARGET_ERROR, KD_TARGET_ERROR_UNSUPPORTED, "this machine is not written");
	return FALSE;
}

gboolean
kd_target_write_phys (KdTarget *target, uint64_t pa, const void *buf, size_t len, GError **error)
{
	return set_no_write (error);
}

gboolean
kd_target_write_virt (KdTarget *target, const KdRegime *regime, uint64_t va, const void *buf,
	size_t len, GError **error)
{
	return set_no_write (error);
}

gboolean
kd_target_cpu_reg (void *target_cpu, const char *name, uint64_t *ret_value)
{
	const KdTargetCpu *regs = target_cpu;

	return kd_target_reg_get (regs->target, regs->cpu, name, ret_value, NULL);
}

gboolean
kd_target_cpu_reg_more (void *target_cpu, const char *name, uint64_t *ret_value)
{
	return kd_target_cpu_reg (target_cpu, name, ret_value);
}

KdCpuState
kd_target_cpu_state (KdTarget *target, unsigned cpu)
{
	KdTargetCpu regs = {target, cpu};

	return kd_arch_arm64.cpu_state (kd_target_cpu_reg, &regs);
}

gboolean
kd_target_cpu_regime (
	KdTarget *target, unsigned cpu, KdRegimeKind kind, KdRegime *ret_regime, GError **error)
{
	KdTargetCpu regs = {target, cpu};

	if (kd_arch_arm64.regime (kind, kd_target_cpu_reg, &regs, ret_regime))
		return TRUE;
	g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_NOT_FOUND, "no regime");
	return FALSE;
}

gboolean
kd_target_read_phys (KdTarget *target, uint64_t pa, void *buf, size_t len, GError **error)
{
	if (pa < TOY_RAM || pa - TOY_RAM > TOY_RAM_SIZE || len > TOY_RAM + TOY_RAM_SIZE - pa) {
		g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT, "no memory");
		return FALSE;
	}
	memcpy (buf, target->ram + (pa - TOY_RAM), len);
	return TRUE;
}

gboolean
kd_target_phys_read_func (void *target, uint64_t pa, void *buf, size_t len, GError **error)
{
	return kd_target_read_phys (target, pa, buf, len, error);
}

void
kd_target_walk (KdTarget *target, const KdRegime *regime, uint64_t va, KdWalk *ret_walk)
{
	kd_arch_arm64.walk (regime, va, kd_target_phys_read_func, target, ret_walk);
}

gboolean
kd_target_read_virt (KdTarget *target, const KdRegime *regime, uint64_t va, void *buf, size_t len,
	GError **error)
{
	for (size_t done = 0; done < len;) {
		size_t part = MIN (len - done, 4096 - (va + done) % 4096);
		KdWalk walk;

		kd_target_walk (target, regime, va + done, &walk);
		if (walk.status != KD_WALK_MAPPED) {
			g_set_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT,
				"0x%" G_GINT64_MODIFIER "x is not mapped", va + done);
			return FALSE;
		}
		if (!kd_target_read_phys (target, walk.pa, (uint8_t *)buf + done, part, error))
			return FALSE;
		done += part;
	}
	return TRUE;
}

gboolean
kd_target_read_cpu (
	KdTarget *target, unsigned cpu, uint64_t va, void *buf, size_t len, GError **error)
{
	g_assert_not_reached();
}

/* --- the machine --- */

void
toy_write (KdTarget *target, uint64_t pa, const void *data, size_t len)
{
	g_assert_true (pa >= TOY_RAM && pa + len <= TOY_RAM + TOY_RAM_SIZE);
	memcpy (target->ram + (pa - TOY_RAM), data, len);
}

void
toy_write_u64 (KdTarget *target, uint64_t pa, uint64_t value)
{
	value = GUINT64_TO_LE (value);
	toy_write (target, pa, &value, sizeof value);
}

static uint64_t
link_addr (KdTarget *target, const char *symbol)
{
	KdSymbol found;

	g_assert_true (kd_image_symbol_by_name (target->image, symbol, &found));
	return found.addr;
}

uint64_t
toy_va (KdTarget *target, const char *symbol)
{
	return link_addr (target, symbol) + TOY_KASLR;
}

uint64_t
toy_pa (KdTarget *target, const char *symbol)
{
	return link_addr (target, symbol) - target->link_base + TOY_PHYS;
}

static void
find_member (KdTarget *target, const char *type, const char *path, KdMember *ret_member)
{
	const KdType *found = kd_image_type_by_name (target->image, type);

	g_assert_nonnull (found);
	g_assert_true (kd_type_member (found, path, ret_member, NULL));
}

uint64_t
toy_member (KdTarget *target, const char *type, const char *path)
{
	KdMember member;

	find_member (target, type, path, &member);
	return member.bit_offset / 8;
}

void
toy_poke (KdTarget *target, const char *symbol, uint64_t offset, const char *type, const char *path,
	uint64_t value)
{
	uint64_t pa = toy_pa (target, symbol) + offset, old = 0;
	KdMember member;

	find_member (target, type, path, &member);
	pa += member.bit_offset / 8;
	if (member.bit_size) {
		unsigned shift = member.bit_offset % 8;
		uint64_t mask = ((1ULL << member.bit_size) - 1) << shift;

		kd_target_read_phys (target, pa, &old, 1, NULL);
		value = (old & 0xff & ~mask) | (value << shift & mask);
		toy_write (target, pa, &value, 1);
		return;
	}
	value = GUINT64_TO_LE (value);
	toy_write (target, pa, &value, kd_type_size (member.type));
}

void
toy_map (KdTarget *target, uint64_t root, uint64_t va, uint64_t pa)
{
	uint64_t table = root;

	for (unsigned level = 0; level < 3; level++) {
		uint64_t at = table + ((va >> (39 - 9 * level)) & 511) * 8;
		uint64_t entry = 0;

		kd_target_read_phys (target, at, &entry, 8, NULL);
		if (!(entry & 1)) {
			entry = target->next_table | 3;
			target->next_table += 4096;
			toy_write_u64 (target, at, entry);
		}
		table = entry & ~0xfffULL;
	}
	toy_write_u64 (target, table + ((va >> 12) & 511) * 8, pa | 1 << 10 | 3);
}

KdTarget *
toy_machine_new_empty (void)
{
	KdTarget *target = g_new0 (KdTarget, 1);

	target->ram = g_malloc0 (TOY_RAM_SIZE);
	target->range = (KdRamRange){TOY_RAM, TOY_RAM_SIZE, "ram"};
	target->next_table = TABLE_POOL;
	target->generation = 1;
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
		target->regs[cpu] = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
	return target;
}

void
kd_target_free (KdTarget *target)
{
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
		g_hash_table_unref (target->regs[cpu]);
	if (target->image)
		kd_image_free (target->image);
	g_free (target->ram);
	g_free (target);
}

void
toy_set_reg (KdTarget *target, unsigned cpu, const char *name, uint64_t value)
{
	if (value)
		g_hash_table_insert (
			target->regs[cpu], (char *)name, g_memdup2 (&value, sizeof value));
	else
		g_hash_table_remove (target->regs[cpu], name);
}

void
toy_clear_regs (KdTarget *target)
{
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
		g_hash_table_remove_all (target->regs[cpu]);
}

void
toy_set_vhe_regs (KdTarget *target)
{
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
		toy_set_reg (target, cpu, "HCR_EL2", 1ULL << 34 | 1ULL << 27);
		toy_set_reg (target, cpu, "SCTLR_EL2", 1);
		/* 48 bits of 4K pages on both sides, 48 bits of output */
		toy_set_reg (target, cpu, "TCR_EL2", 16 | 16 << 16 | 2ULL << 30 | 5ULL << 32);
		toy_set_reg (target, cpu, "TTBR1_EL2", toy_pa (target, "swapper_pg_dir"));
		toy_set_reg (target, cpu, "VBAR_EL2", toy_va (target, "vectors"));
	}
}

void
toy_next_stop (KdTarget *target)
{
	target->generation++;
}

/* --- what runs on it --- */

static void
fill_modules (KdTarget *target)
{
	static const char *const names[] = {"alpha", "beta"};
	const uint64_t size = kd_type_size (kd_image_type_by_name (target->image, "struct module"));
	const uint64_t list = toy_member (target, "struct module", "list");
	const uint64_t first = toy_va (target, "toy_modules");

	for (unsigned i = 0; i < G_N_ELEMENTS (names); i++) {
		toy_write (target,
			toy_pa (target, "toy_modules") + i * size +
				toy_member (target, "struct module", "name"),
			names[i], strlen (names[i]) + 1);
		toy_poke (target, "toy_modules", i * size, "struct module", "state", 0);
		toy_poke (target, "toy_modules", i * size, "struct module", "core_layout.base",
			TOY_MODULES + i * 0x10000);
		toy_poke (target, "toy_modules", i * size, "struct module", "core_layout.size",
			0x8000);
	}
	toy_link (target, (const uint64_t[]){toy_va (target, "modules"), first + size + list,
				  first + list, 0});
}

uint64_t
toy_task (KdTarget *target, unsigned index)
{
	const KdType *type = kd_image_type_by_name (target->image, "struct task_struct");

	return toy_va (target, "toy_tasks") + index * kd_type_size (type);
}

void
toy_set_task (KdTarget *target, unsigned index, int pid, int tgid, const char *comm,
	unsigned signal, uint64_t flags)
{
	uint64_t at = toy_task (target, index) - toy_va (target, "toy_tasks");
	uint64_t signal_size =
		kd_type_size (kd_image_type_by_name (target->image, "struct signal_struct"));
	char name[16] = {0};

	g_strlcpy (name, comm, sizeof name);
	toy_poke (target, "toy_tasks", at, "struct task_struct", "pid", (uint64_t)pid);
	toy_poke (target, "toy_tasks", at, "struct task_struct", "tgid", (uint64_t)tgid);
	toy_poke (target, "toy_tasks", at, "struct task_struct", "flags", flags);
	toy_poke (target, "toy_tasks", at, "struct task_struct", "__state", 1);
	toy_poke (target, "toy_tasks", at, "struct task_struct", "signal",
		toy_va (target, "toy_signals") + signal * signal_size);
	toy_poke (target, "toy_tasks", at, "struct task_struct", "mm",
		flags ? 0 : toy_va (target, "toy_mm"));
	toy_write (target,
		toy_pa (target, "toy_tasks") + at +
			toy_member (target, "struct task_struct", "comm"),
		name, sizeof name);
}

void
toy_link (KdTarget *target, const uint64_t *nodes)
{
	for (unsigned i = 0; nodes[i]; i++) {
		uint64_t next = nodes[i + 1] ? nodes[i + 1] : nodes[0];
		uint64_t delta = TOY_PHYS - target->link_base - TOY_KASLR;

		toy_write_u64 (target, nodes[i] + delta, next);
		toy_write_u64 (target, next + delta + 8, nodes[i]);
	}
}

void
toy_log (KdTarget *target, unsigned id, unsigned state, unsigned level, uint64_t begin,
	uint64_t next, const char *text)
{
	const uint64_t desc =
		id * kd_type_size (kd_image_type_by_name (target->image, "struct prb_desc"));
	const uint64_t info =
		id * kd_type_size (kd_image_type_by_name (target->image, "struct printk_info"));
	/* Behind the end: at the start. */
	uint64_t start = (begin & 255) + (next - begin) > 256 ? 0 : begin & 255;

	toy_poke (target, "toy_descs", desc, "struct prb_desc", "state_var.counter",
		(uint64_t)state << 62 | id);
	toy_poke (target, "toy_descs", desc, "struct prb_desc", "text_blk_lpos.begin", begin);
	toy_poke (target, "toy_descs", desc, "struct prb_desc", "text_blk_lpos.next", next);
	toy_poke (target, "toy_infos", info, "struct printk_info", "seq", 100 + id);
	toy_poke (target, "toy_infos", info, "struct printk_info", "ts_nsec", 1000000000 + id);
	toy_poke (target, "toy_infos", info, "struct printk_info", "text_len", strlen (text));
	toy_poke (target, "toy_infos", info, "struct printk_info", "level", level);
	toy_poke (target, "toy_infos", info, "struct printk_info", "caller_id",
		id % 2 ? 0x80000001 : 7);
	toy_write_u64 (target, toy_pa (target, "toy_text") + start, id);
	toy_write (target, toy_pa (target, "toy_text") + start + 8, text, strlen (text));
}

static void
fill_tasks (KdTarget *target)
{
	const uint64_t tasks = toy_member (target, "struct task_struct", "tasks");
	const uint64_t node = toy_member (target, "struct task_struct", "thread_node");
	const uint64_t head = toy_member (target, "struct signal_struct", "thread_head");
	const uint64_t signals = toy_va (target, "toy_signals");
	const uint64_t signal_size =
		kd_type_size (kd_image_type_by_name (target->image, "struct signal_struct"));
	const uint64_t rq_size = kd_type_size (kd_image_type_by_name (target->image, "struct rq"));

	/* 0: process 1 with threads 1 and 11; 2: a kernel thread; 3, 4: what CPU 1 idles with. */
	toy_set_task (target, 0, 1, 1, "init", 0, 0);
	toy_set_task (target, 1, 11, 1, "worker", 0, 0);
	toy_set_task (target, 2, 2, 2, "kthreadd", 1, 0x200000);
	toy_set_task (target, 3, 0, 0, "swapper/1", 2, 0x200000);
	toy_link (target, (const uint64_t[]){toy_va (target, "init_task") + tasks,
				  toy_task (target, 0) + tasks, toy_task (target, 2) + tasks, 0});
	toy_link (target, (const uint64_t[]){signals + head, toy_task (target, 0) + node,
				  toy_task (target, 1) + node, 0});
	toy_link (target,
		(const uint64_t[]){signals + signal_size + head, toy_task (target, 2) + node, 0});
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
		toy_write_u64 (target, toy_pa (target, "__per_cpu_offset") + cpu * 8,
			toy_va (target, "toy_areas") + cpu * rq_size -
				toy_va (target, "__per_cpu_start"));
		toy_poke (target, "toy_areas", cpu * rq_size, "struct rq", "idle",
			cpu ? toy_task (target, 3) : toy_va (target, "init_task"));
		toy_poke (target, "toy_areas", cpu * rq_size, "struct rq", "curr",
			cpu ? toy_task (target, 1) : toy_va (target, "init_task"));
	}
	toy_poke (target, "toy_mm", 0, "struct mm_struct", "pgd", toy_va (target, "toy_user_pgd"));
}

static void
fill_log (KdTarget *target)
{
	toy_write_u64 (target, toy_pa (target, "prb"), toy_va (target, "printk_rb_static"));
	toy_poke (target, "printk_rb_static", 0, "struct printk_ringbuffer", "desc_ring.descs",
		toy_va (target, "toy_descs"));
	toy_poke (target, "printk_rb_static", 0, "struct printk_ringbuffer", "desc_ring.infos",
		toy_va (target, "toy_infos"));
	toy_poke (target, "printk_rb_static", 0, "struct printk_ringbuffer",
		"desc_ring.head_id.counter", 5);
	toy_poke (target, "printk_rb_static", 0, "struct printk_ringbuffer",
		"text_data_ring.size_bits", 8);
	toy_poke (target, "printk_rb_static", 0, "struct printk_ringbuffer", "text_data_ring.data",
		toy_va (target, "toy_text"));
	toy_log (target, 0, 2, 6, 64, 96, "first");
	toy_log (target, 1, 2, 3, 96, 160, "two\nlines\x1b[2J");
	toy_log (target, 2, 0, 6, 160, 192, "being written");
	toy_log (target, 3, 2, 6, 3, 3, "");
	toy_log (target, 4, 2, 4, 224, 256 + 48, "at the start of the ring");
	toy_log (target, 5, 1, 6, 256 + 48, 256 + 64, "open");
}

KdTarget *
toy_machine_new (const char *vmlinux)
{
	KdTarget *target = toy_machine_new_empty();
	g_autoptr (GError) error = NULL;
	uint64_t root, size;

	target->image =
		kd_image_open (&(KdImageOptions){.path = vmlinux, .no_cache = TRUE}, &error);
	g_assert_no_error (error);
	target->link_base = link_addr (target, "_text");
	size = link_addr (target, "__stop_notes") - target->link_base;
	/* Sections are loaded by symbols of theirs; the rest of the image is zero. */
	for (uint64_t page = 0; page < link_addr (target, "_end") - target->link_base;
		page += 4096) {
		for (unsigned i = 0; i < 4096; i += 4) {
			const void *bytes =
				kd_image_bytes (target->image, target->link_base + page + i, 4);

			if (bytes)
				toy_write (target, TOY_PHYS + page + i, bytes, 4);
		}
	}
	g_assert_cmpuint (size, >, 0);
	root = toy_pa (target, "swapper_pg_dir");
	toy_write_u64 (target, root, 0);
	toy_write_u64 (target, toy_pa (target, "toy_user_pgd"), 0);
	for (uint64_t at = 0; at < link_addr (target, "_end") - target->link_base; at += 4096)
		toy_map (target, root, toy_va (target, "_text") + at, TOY_PHYS + at);
	toy_map (target, toy_pa (target, "toy_user_pgd"), TOY_USER_VA, 0x40700000);
	toy_write (target, 0x40700000, "user memory", 12);
	toy_write_u64 (
		target, toy_pa (target, "kimage_voffset"), toy_va (target, "_text") - TOY_PHYS);
	toy_set_vhe_regs (target);
	fill_tasks (target);
	fill_modules (target);
	fill_log (target);
	return target;
}
