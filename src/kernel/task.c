/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/task.h"

#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "kernel/containers.h"
#include "kernel/fields.h"
#include "kernel/kernel-private.h"

#define TASKS_MAX (4U << 20) /* PID_MAX_LIMIT */
#define STACK_PAGES_MAX 1024
#define COMM_MAX 15
#define FULL_NAME_MAX 63

/* include/linux/sched.h; none of these is in a kernel's types. */
#define PF_KTHREAD 0x00200000U
#define PF_WQ_WORKER 0x00000020U
#define TASK_REPORT 0x7fU
#define TASK_IDLE 0x402U /* uninterruptible and no load */
#define TASK_RTLOCK_WAIT 0x1000U
#define TASK_FROZEN 0x8000U

enum {
	F_STATE,
	F_EXIT_STATE,
	F_PID,
	F_TGID,
	F_COMM,
	F_FLAGS,
	F_STACK,
	F_CPU,
	F_ON_CPU,
	F_TASKS,
	F_THREAD_NODE,
	F_SIGNAL,
	F_MM,
	F_KTHREAD,
	NR_TASK_FIELDS
};

static const KdFieldWant task_wants[NR_TASK_FIELDS] = {
	[F_STATE] = {"__state", "state", FALSE},
	[F_EXIT_STATE] = {"exit_state", NULL, TRUE},
	[F_PID] = {"pid", NULL, FALSE},
	[F_TGID] = {"tgid", NULL, FALSE},
	[F_COMM] = {"comm", NULL, FALSE},
	[F_FLAGS] = {"flags", NULL, FALSE},
	[F_STACK] = {"stack", NULL, FALSE},
	[F_CPU] = {"thread_info.cpu", "cpu", TRUE},
	[F_ON_CPU] = {"on_cpu", NULL, TRUE},
	[F_TASKS] = {"tasks", NULL, FALSE},
	[F_THREAD_NODE] = {"thread_node", NULL, FALSE},
	[F_SIGNAL] = {"signal", NULL, FALSE},
	[F_MM] = {"mm", NULL, FALSE},
	/* struct kthread: here since 5.17, which is also since when it has a full name. */
	[F_KTHREAD] = {"worker_private", NULL, TRUE},
};

struct KdTaskTypes {
	KdField fields[NR_TASK_FIELDS];
	KdFieldSpan span;
	uint64_t thread_head; /* in signal_struct */
	uint64_t pgd;         /* in mm_struct */
	uint64_t rq_curr, rq_idle;
	uint64_t stack_size;
	uint64_t full_name; /* in struct kthread; with has_full_name */
	gboolean has_full_name;
};

void
kd_task_types_free (KdTaskTypes *types)
{
	g_free (types);
}

static gboolean
find_offset (KdKernel *kernel, const char *type, const char *member, uint64_t *ret_offset,
	GError **error)
{
	const KdFieldWant want = {member, NULL, FALSE};
	KdFieldSpan span;
	KdField field;

	if (!kd_fields_find (kernel, type, &want, 1, &field, &span, error))
		return FALSE;
	*ret_offset = field.offset;
	return TRUE;
}

/* What is mapped for the stack of the first task but the idle one, with CONFIG_VMAP_STACK. */
static uint64_t
mapped_stack_size (KdKernel *kernel)
{
	uint64_t tasks, area, pages, task, at;
	KdKernelSymbol first;
	uint32_t nr;

	if (!find_offset (kernel, "struct task_struct", "tasks", &tasks, NULL) ||
		!find_offset (kernel, "struct task_struct", "stack_vm_area", &area, NULL) ||
		!find_offset (kernel, "struct vm_struct", "nr_pages", &pages, NULL) ||
		!kd_kernel_symbol (kernel, "init_task", &first) ||
		!kd_kernel_read_ptr (kernel, first.addr + tasks, &task, NULL) ||
		!kd_kernel_read_ptr (kernel, task - tasks + area, &at, NULL) ||
		!kd_kernel_read (kernel, kd_addr_kernel (at + pages), &nr, sizeof nr, NULL))
		return 0;
	nr = GUINT32_FROM_LE (nr);
	return nr <= STACK_PAGES_MAX ? (uint64_t)nr << kernel->place.regime.page_shift : 0;
}

/*
 * THREAD_SIZE is a macro, and union thread_union is in BTF only where something still uses it. The
 * first task's stack is as large as any; its ends are symbols of the linker script.
 */
static uint64_t
find_stack_size (KdKernel *kernel)
{
	static const struct {
		const char *start, *end;
	} ends[] = {
		{"__start_init_stack", "__end_init_stack"}, /* since 6.10 */
		{"__start_init_task", "__end_init_task"},
	};
	const KdType *type = kd_image_type_by_name (kernel->image, "union thread_union");
	KdKernelSymbol start, end;

	if (type && kd_type_size (type))
		return kd_type_size (type);
	for (size_t i = 0; i < G_N_ELEMENTS (ends); i++)
		if (kd_kernel_symbol (kernel, ends[i].start, &start) &&
			kd_kernel_symbol (kernel, ends[i].end, &end) && end.addr > start.addr)
			return end.addr - start.addr;
	return (kd_kernel_symbol (kernel, "init_stack", &start) ||
		       kd_kernel_symbol (kernel, "init_thread_union", &start)) &&
			       start.size
		       ? start.size
		       : mapped_stack_size (kernel);
}

static const KdTaskTypes *
get_types (KdKernel *kernel, GError **error)
{
	g_autofree KdTaskTypes *types = NULL;

	if (kernel->task_types)
		return kernel->task_types;
	types = g_new0 (KdTaskTypes, 1);
	if (!kd_fields_find (kernel, "struct task_struct", task_wants, NR_TASK_FIELDS,
		    types->fields, &types->span, error) ||
		!find_offset (kernel, "struct signal_struct", "thread_head", &types->thread_head,
			error) ||
		!find_offset (kernel, "struct mm_struct", "pgd", &types->pgd, error) ||
		!find_offset (kernel, "struct rq", "curr", &types->rq_curr, error) ||
		!find_offset (kernel, "struct rq", "idle", &types->rq_idle, error))
		return NULL;
	types->stack_size = find_stack_size (kernel);
	types->has_full_name =
		types->fields[F_KTHREAD].present &&
		find_offset (kernel, "struct kthread", "full_name", &types->full_name, NULL);
	kernel->task_types = g_steal_pointer (&types);
	return kernel->task_types;
}

/* --- one task --- */

/* fs/proc/array.c, get_task_state(). */
static char
state_letter (uint32_t state, uint32_t exit_state)
{
	static const char letters[] = "RSDTtXZPI";
	uint32_t report = (state | exit_state) & TASK_REPORT;

	if (state == TASK_IDLE)
		return 'I';
	if (state & (TASK_RTLOCK_WAIT | TASK_FROZEN))
		return 'D';
	return letters[report ? 32 - __builtin_clz (report) : 0];
}

static gboolean
read_fields (KdKernel *kernel, const KdTaskTypes *types, uint64_t task,
	uint64_t values[NR_TASK_FIELDS], char comm[COMM_MAX + 1], GError **error)
{
	const KdField *comm_field = &types->fields[F_COMM];
	g_autofree uint8_t *bytes = g_malloc (types->span.len);

	if (!kd_kernel_read (kernel, kd_addr_kernel (task + types->span.start), bytes,
		    types->span.len, error)) {
		g_prefix_error (error, "task_struct at 0x%" PRIx64 ": ", task);
		return FALSE;
	}
	for (unsigned i = 0; i < NR_TASK_FIELDS; i++)
		values[i] = kd_field_get (&types->fields[i], &types->span, bytes);
	memset (comm, 0, COMM_MAX + 1);
	memcpy (comm, bytes + (comm_field->offset - types->span.start),
		MIN (comm_field->size, COMM_MAX));
	return TRUE;
}

/*
 * A kernel thread whose name is longer than `comm`, as /proc tells it (proc_task_name(), where
 * workers are an exception); NULL: it is not. New string.
 */
static char *
read_full_name (KdKernel *kernel, const KdTaskTypes *types, const uint64_t *values)
{
	uint64_t name;

	if (!types->has_full_name ||
		(values[F_FLAGS] & (PF_KTHREAD | PF_WQ_WORKER)) != PF_KTHREAD ||
		!values[F_KTHREAD] ||
		!kd_kernel_read_ptr (kernel, values[F_KTHREAD] + types->full_name, &name, NULL) ||
		!name)
		return NULL;
	return kd_kernel_read_cstring (kernel, name, FULL_NAME_MAX, NULL);
}

static void
fill_task (KdKernel *kernel, const KdTaskTypes *types, uint64_t addr, const uint64_t *values,
	const char *comm, KdTask *ret_task)
{
	g_autofree char *full = read_full_name (kernel, types, values);
	g_autofree char *escaped = kd_escape (full ? full : comm, -1, FULL_NAME_MAX);

	*ret_task = (KdTask){
		.task = addr,
		.pid = (int)values[F_PID],
		.tgid = (int)values[F_TGID],
		.state = state_letter ((uint32_t)values[F_STATE], (uint32_t)values[F_EXIT_STATE]),
		.cpu = types->fields[F_CPU].present ? (int)values[F_CPU] : -1,
		.stack = values[F_STACK],
		.stack_size = types->stack_size,
		.on_cpu = values[F_ON_CPU] != 0,
		.is_kernel_thread = (values[F_FLAGS] & PF_KTHREAD) != 0,
		.mm = values[F_MM],
	};
	g_strlcpy (ret_task->comm, escaped, sizeof ret_task->comm);
}

gboolean
kd_task_at (KdKernel *kernel, uint64_t task, KdTask *ret_task, GError **error)
{
	const KdTaskTypes *types = get_types (kernel, error);
	uint64_t values[NR_TASK_FIELDS];
	char comm[COMM_MAX + 1];

	if (!types || !read_fields (kernel, types, task, values, comm, error))
		return FALSE;
	fill_task (kernel, types, task, values, comm, ret_task);
	return TRUE;
}

/* --- what a CPU runs --- */

static gboolean
task_of_rq (KdKernel *kernel, unsigned cpu, uint64_t member, KdTask *ret_task, GError **error)
{
	uint64_t rq, offset, task;

	if (!kd_kernel_symbol_addr (kernel, "runqueues", &rq, error) ||
		!kd_kernel_percpu_offset (kernel, cpu, &offset, error))
		return FALSE;
	if (!kd_kernel_read_ptr (kernel, rq + offset + member, &task, error) ||
		!kd_task_at (kernel, task, ret_task, error)) {
		g_prefix_error (error, "run queue of CPU %u: ", cpu);
		return FALSE;
	}
	return TRUE;
}

gboolean
kd_task_current (KdKernel *kernel, unsigned cpu, KdTask *ret_task, GError **error)
{
	const KdTaskTypes *types = get_types (kernel, error);

	if (!types || !task_of_rq (kernel, cpu, types->rq_curr, ret_task, error))
		return FALSE;
	ret_task->on_cpu = TRUE;
	ret_task->cpu = (int)cpu;
	return TRUE;
}

/* --- all of them --- */

typedef struct {
	KdKernel *kernel;
	const KdTaskTypes *types;
	KdTaskFunc func;
	void *data;
	unsigned nr;
	gboolean ended; /* by `func` */
	GError *error;
} Walk;

static gboolean
tell (Walk *walk, const KdTask *task)
{
	if (++walk->nr > TASKS_MAX) {
		g_set_error (&walk->error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
			"more than %u tasks", TASKS_MAX);
		return FALSE;
	}
	if (!walk->func (task, walk->data))
		walk->ended = TRUE;
	return !walk->ended;
}

static gboolean
on_thread (uint64_t node, void *data)
{
	Walk *walk = data;
	KdTask task;

	return kd_task_at (walk->kernel, node - walk->types->fields[F_THREAD_NODE].offset, &task,
		       &walk->error) &&
	       tell (walk, &task);
}

static gboolean
on_process (uint64_t node, void *data)
{
	Walk *walk = data;
	uint64_t addr = node - walk->types->fields[F_TASKS].offset, values[NR_TASK_FIELDS], head;
	char comm[COMM_MAX + 1];

	if (!read_fields (walk->kernel, walk->types, addr, values, comm, &walk->error))
		return FALSE;
	head = values[F_SIGNAL] + walk->types->thread_head;
	if (!kd_list_foreach_node (walk->kernel, head, TASKS_MAX, on_thread, walk, &walk->error))
		g_prefix_error (&walk->error, "threads of process %d: ", (int)values[F_PID]);
	return !walk->error && !walk->ended;
}

static gboolean
walk_idle (Walk *walk)
{
	for (unsigned cpu = 0; cpu < kd_kernel_nr_cpus (walk->kernel); cpu++) {
		uint64_t offset;
		KdTask task;

		/* CPUs that may come but never did have no run queue. */
		if (!kd_kernel_percpu_offset (walk->kernel, cpu, &offset, NULL) ||
			!task_of_rq (walk->kernel, cpu, walk->types->rq_idle, &task, NULL))
			continue;
		if (!tell (walk, &task))
			return FALSE;
	}
	return TRUE;
}

gboolean
kd_task_foreach (KdKernel *kernel, KdTaskFunc func, void *data, GError **error)
{
	Walk walk = {.kernel = kernel, .func = func, .data = data};
	uint64_t init_task;

	walk.types = get_types (kernel, error);
	if (!walk.types || !kd_kernel_symbol_addr (kernel, "init_task", &init_task, error))
		return FALSE;
	/* Callbacks that fail end the walk, which then succeeds: only one of the two sets an error.
	 */
	if (walk_idle (&walk) &&
		!kd_list_foreach_node (kernel, init_task + walk.types->fields[F_TASKS].offset,
			TASKS_MAX, on_process, &walk, &walk.error))
		g_prefix_error (&walk.error, "list of processes: ");
	if (!walk.error)
		return TRUE;
	g_propagate_error (error, walk.error);
	return FALSE;
}

typedef struct {
	int pid;
	gboolean found;
	KdTask task;
} PidSearch;

static gboolean
is_pid (const KdTask *task, void *data)
{
	PidSearch *search = data;

	if (task->pid != search->pid)
		return TRUE;
	search->task = *task;
	search->found = TRUE;
	return FALSE;
}

gboolean
kd_task_by_pid (KdKernel *kernel, int pid, KdTask *ret_task, GError **error)
{
	PidSearch search = {.pid = pid};

	if (!kd_task_foreach (kernel, is_pid, &search, error))
		return FALSE;
	if (!search.found) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"no task with PID %d", pid);
		return FALSE;
	}
	*ret_task = search.task;
	return TRUE;
}

gboolean
kd_task_user_regime (KdKernel *kernel, const KdTask *task, KdRegime *ret_regime, GError **error)
{
	const KdTaskTypes *types = get_types (kernel, error);
	uint64_t pgd;
	KdWalk walk;

	if (!types)
		return FALSE;
	if (!task->mm) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NOT_FOUND,
			"PID %d (%s) has no user memory: it is %s", task->pid, task->comm,
			task->is_kernel_thread ? "a kernel thread" : "gone");
		return FALSE;
	}
	if (!kd_kernel_read_ptr (kernel, task->mm + types->pgd, &pgd, error)) {
		g_prefix_error (error, "mm_struct of PID %d: ", task->pid);
		return FALSE;
	}
	kd_target_walk (kernel->target, &kernel->place.regime, pgd, &walk);
	if (walk.status != KD_WALK_MAPPED) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
			"PID %d: its root table at 0x%" PRIx64 " is not mapped", task->pid, pgd);
		return FALSE;
	}
	*ret_regime = kernel->arch->linux_layout->user_regime (&kernel->place.regime, walk.pa);
	return TRUE;
}
