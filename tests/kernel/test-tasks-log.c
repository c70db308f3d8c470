/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "kernel/log.h"
#include "kernel/task.h"
#include "toy-machine.h"

static const char *vmlinux;

typedef struct {
	KdTarget *target;
	KdKernel *kernel;
	GString *seen;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
	g_autoptr (GError) error = NULL;

	fixture->target = toy_machine_new (vmlinux);
	fixture->kernel =
		kd_kernel_open (fixture->target, &(KdKernelOptions){.vmlinux = vmlinux}, &error);
	g_assert_no_error (error);
	fixture->seen = g_string_new (NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
	g_string_free (fixture->seen, TRUE);
	kd_kernel_free (fixture->kernel);
	kd_target_free (fixture->target);
}

/* --- tasks --- */

static gboolean
see_task (const KdTask *task, void *data)
{
	g_string_append_printf (data, "%d/%d %s %c%s; ", task->tgid, task->pid, task->comm,
		task->state, task->is_kernel_thread ? "" : " user");
	return TRUE;
}

#define WHOLE                                                                                      \
	"0/0 swapper/0 R user; 0/0 swapper/1 S; 1/1 init S user; 1/11 worker S user; 2/2 "         \
	"kthreadd S; "

static void
test_tasks (Fixture *fixture, gconstpointer data)
{
	g_autoptr (GError) error = NULL;

	g_assert_true (kd_task_foreach (fixture->kernel, see_task, fixture->seen, &error));
	g_assert_no_error (error);
	g_assert_cmpstr (fixture->seen->str, ==, WHOLE);
}

static gboolean
see_one (const KdTask *task, void *data)
{
	++*(unsigned *)data;
	return FALSE;
}

static void
test_tasks_end_early (Fixture *fixture, gconstpointer data)
{
	unsigned nr = 0;

	g_assert_true (kd_task_foreach (fixture->kernel, see_one, &nr, NULL));
	g_assert_cmpuint (nr, ==, 1);
}

/* What was seen before the damage is told, then CORRUPT or FAULT. */
static void
test_tasks_damaged (Fixture *fixture, gconstpointer data)
{
	const uint64_t tasks = toy_member (fixture->target, "struct task_struct", "tasks");
	const uint64_t node = toy_member (fixture->target, "struct task_struct", "thread_node");
	const uint64_t first = toy_pa (fixture->target, "toy_tasks");
	const uint64_t second =
		first + (toy_task (fixture->target, 1) - toy_task (fixture->target, 0));
	g_autoptr (GError) error = NULL;

	/* Process 1's list never comes back to its head. */
	toy_write_u64 (fixture->target, second + node, toy_task (fixture->target, 1) + node);
	g_assert_false (kd_task_foreach (fixture->kernel, see_task, fixture->seen, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT);
	g_assert_nonnull (strstr (error->message, "threads of process 1"));
	g_assert_true (g_str_has_prefix (fixture->seen->str, "0/0 swapper/0"));
	g_clear_error (&error);

	toy_write_u64 (fixture->target, first + tasks, 0xdead000000000100);
	toy_write_u64 (fixture->target, second + node,
		toy_va (fixture->target, "toy_signals") +
			toy_member (fixture->target, "struct signal_struct", "thread_head"));
	g_assert_false (kd_task_foreach (fixture->kernel, see_task, fixture->seen, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT);
	g_assert_nonnull (strstr (error->message, "list of processes"));
}

static void
test_task_lookups (Fixture *fixture, gconstpointer data)
{
	g_autoptr (GError) error = NULL;
	KdTask task;

	g_assert_true (kd_task_by_pid (fixture->kernel, 11, &task, &error));
	g_assert_cmphex (task.task, ==, toy_task (fixture->target, 1));
	g_assert_cmpuint (task.stack_size, ==, 16384);
	g_assert_false (kd_task_by_pid (fixture->kernel, 12, &task, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND);
	g_clear_error (&error);
	g_assert_true (kd_task_current (fixture->kernel, 1, &task, &error));
	g_assert_cmpint (task.pid, ==, 11);
	g_assert_true (task.on_cpu);
	g_assert_false (kd_task_current (fixture->kernel, 2, &task, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE);
	g_clear_error (&error);
	toy_poke (fixture->target, "toy_areas", 0, "struct rq", "curr", 0xdead0000);
	g_assert_false (kd_task_current (fixture->kernel, 0, &task, &error));
	g_assert_error (error, KD_TARGET_ERROR, KD_TARGET_ERROR_FAULT);
	g_assert_nonnull (strstr (error->message, "run queue of CPU 0"));
}

/* Names come from whoever runs programs: nothing in them reaches a terminal as it is. */
static void
test_task_name_escaped (Fixture *fixture, gconstpointer data)
{
	KdTask task;

	toy_set_task (fixture->target, 0, 1, 1, "\x1b]0;x\x07\xff\n1234567", 0, 0);
	g_assert_true (kd_task_at (fixture->kernel, toy_task (fixture->target, 0), &task, NULL));
	g_assert_cmpstr (task.comm, ==, "\\x1b]0;x\\x07\\xff\\n1234567");
}

static void
test_user_memory (Fixture *fixture, gconstpointer data)
{
	g_autoptr (GError) error = NULL;
	KdAddr addr = {{KD_SPACE_USER, 1}, TOY_USER_VA};
	char text[12];

	g_assert_true (kd_kernel_read (fixture->kernel, addr, text, sizeof text, &error));
	g_assert_no_error (error);
	g_assert_cmpstr (text, ==, "user memory");
	addr.value |= 0x5aULL << 56; /* tagged, as user pointers may be */
	g_assert_true (kd_kernel_read (fixture->kernel, addr, text, sizeof text, &error));
	addr.space.id = 2;
	g_assert_false (kd_kernel_read (fixture->kernel, addr, text, sizeof text, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND);
	g_assert_nonnull (strstr (error->message, "kernel thread"));
	g_clear_error (&error);
	addr.space = (KdSpace){KD_SPACE_HYP, 0};
	g_assert_false (kd_kernel_read (fixture->kernel, addr, text, sizeof text, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND);
}

static void
test_percpu (Fixture *fixture, gconstpointer data)
{
	g_autoptr (GError) error = NULL;
	uint64_t offset = 1;

	g_assert_true (kd_kernel_percpu_offset (fixture->kernel, 1, &offset, &error));
	g_assert_cmphex (offset + toy_va (fixture->target, "__per_cpu_start"), ==,
		toy_va (fixture->target, "toy_areas") + 24);
	offset = 1;
	g_assert_false (kd_kernel_percpu_offset (fixture->kernel, 2, &offset, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_RANGE);
	g_assert_cmpuint (offset, ==, 1);
}

/* nr_cpu_ids is the machine's word: never more than the array holds. */
static void
test_percpu_hostile_count (Fixture *fixture, gconstpointer data)
{
	g_autoptr (KdKernel) kernel = NULL;
	const uint32_t nr = 0xfffffff0;

	toy_write (fixture->target, toy_pa (fixture->target, "nr_cpu_ids"), &nr, 4);
	kernel = kd_kernel_open (fixture->target, &(KdKernelOptions){.vmlinux = vmlinux}, NULL);
	g_assert_cmpuint (kd_kernel_nr_cpus (kernel), <=, 4);
}

static void
test_symbols (Fixture *fixture, gconstpointer data)
{
	g_autofree char *in_vectors =
		kd_kernel_symbolize (fixture->kernel, toy_va (fixture->target, "vectors") + 0x200);
	g_autofree char *nowhere = kd_kernel_symbolize (fixture->kernel, 0x1234);
	g_autoptr (GError) error = NULL;
	uint64_t addr;

	g_assert_cmpstr (in_vectors, ==, "vectors+0x200");
	g_assert_cmpstr (nowhere, ==, "0x1234");
	g_assert_false (kd_kernel_symbol_addr (fixture->kernel, "linux_baner", &addr, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND);
	g_assert_nonnull (strstr (error->message, "linux_banner"));
}

/* --- the log --- */

static gboolean
see_record (const KdLogRecord *record, void *data)
{
	g_string_append_printf (data, "%" G_GUINT64_FORMAT " <%u> %c%u%s %s; ", record->seq,
		record->level, record->caller_is_cpu ? 'C' : 'T', record->caller,
		record->is_open ? " open" : "", record->text);
	return TRUE;
}

static void
test_log (Fixture *fixture, gconstpointer data)
{
	g_autoptr (GError) error = NULL;
	uint64_t skipped = 99;

	g_assert_true (
		kd_log_foreach (fixture->kernel, 0, see_record, fixture->seen, &skipped, &error));
	g_assert_no_error (error);
	g_assert_cmpstr (fixture->seen->str, ==,
		"100 <6> T7 first; 101 <3> C1 two\nlines\\x1b[2J; 103 <6> C1 ; "
		"104 <4> T7 at the start of the ring; 105 <6> C1 open open; ");
	g_assert_cmpuint (skipped, ==, 1);
	g_string_truncate (fixture->seen, 0);
	g_assert_true (
		kd_log_foreach (fixture->kernel, 2, see_record, fixture->seen, &skipped, &error));
	g_assert_cmpstr (fixture->seen->str, ==,
		"104 <4> T7 at the start of the ring; 105 <6> C1 open open; ");
}

static const struct {
	const char *name, *path;
	uint64_t value;
	int code; /* 0: no error, records are skipped */
} damages[] = {
	{"descriptors-beyond-measure", "desc_ring.count_bits", 60, KD_KERNEL_ERROR_CORRUPT},
	{"head-before-tail", "desc_ring.tail_id.counter", 9, KD_KERNEL_ERROR_CORRUPT},
	{"text-beyond-measure", "text_data_ring.size_bits", 64, KD_KERNEL_ERROR_CORRUPT},
	{"text-nowhere", "text_data_ring.data", 0xdead000000000000, 0},
	{"text-of-another", "text_data_ring.size_bits", 5, 0},
};

static void
test_log_damaged (Fixture *fixture, gconstpointer data)
{
	for (size_t i = 0; i < G_N_ELEMENTS (damages); i++) {
		const char *path = damages[i].path;
		const uint64_t pa = toy_pa (fixture->target, "printk_rb_static") +
				    toy_member (fixture->target, "struct printk_ringbuffer", path);
		g_autoptr (GError) error = NULL;
		uint64_t skipped = 99, old;
		gboolean ok;

		g_test_message ("%s", damages[i].name);
		kd_target_read_phys (fixture->target, pa, &old, sizeof old, NULL);
		toy_poke (fixture->target, "printk_rb_static", 0, "struct printk_ringbuffer", path,
			damages[i].value);
		ok = kd_log_foreach (
			fixture->kernel, 0, see_record, fixture->seen, &skipped, &error);
		if (damages[i].code) {
			g_assert_false (ok);
			g_assert_error (error, KD_KERNEL_ERROR, damages[i].code);
			g_assert_cmpuint (skipped, ==, 99);
		} else {
			g_assert_no_error (error);
			g_assert_cmpuint (skipped, >=, 1);
		}
		toy_write_u64 (fixture->target, pa, old);
	}
}

int
main (int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*test) (Fixture *fixture, gconstpointer data);
	} tests[] = {
		{"/tasks/all", test_tasks},
		{"/tasks/end-early", test_tasks_end_early},
		{"/tasks/damaged", test_tasks_damaged},
		{"/tasks/lookups", test_task_lookups},
		{"/tasks/name-escaped", test_task_name_escaped},
		{"/memory/user", test_user_memory},
		{"/percpu/offsets", test_percpu},
		{"/percpu/hostile-count", test_percpu_hostile_count},
		{"/symbols", test_symbols},
		{"/log/all", test_log},
		{"/log/damaged", test_log_damaged},
	};

	g_test_init (&argc, &argv, NULL);
	g_assert_cmpint (argc, ==, 2);
	vmlinux = argv[1];
	for (size_t i = 0; i < G_N_ELEMENTS (tests); i++)
		g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
	return g_test_run();
}
